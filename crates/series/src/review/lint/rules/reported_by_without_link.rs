//! A report can be looked up.

use crate::review::lint::case::{Case, Report};
use crate::review::lint::prose::shown;
use crate::review::lint::source;

pub(super) fn check(case: &Case, report: &mut Report) {
    let mut linked = false;
    let mut bare = Vec::new();
    // Several people may have made one report: the link stands behind them.
    for one in case.patch.trailers.iter().rev() {
        if !one.is_report() {
            linked = one.is("closes") || one.is("link");
        } else if !linked {
            bare.push(one);
        }
    }
    for one in bare.iter().rev() {
        let text = format!(
            "{} is not followed by Closes: (or Link:, for a part of it); link the report, \
             unless it is not on the web",
            shown(&one.to_string())
        );
        report.warning("trailers", source::REPORTED, text);
    }
}

#[cfg(test)]
mod tests {
    use crate::review::lint::testing::table;

    #[test]
    fn reports_have_links() {
        let texts = [
            "Text.\n\nReported-by: B <b@example.org>",
            "Text.\n\nReported-by: B <b@example.org>\nCloses: https://example.org/1",
            "Text.\n\nReported-by: B <b@example.org>\nReported-by: C <c@example.org>\nLink: https://example.org/1",
            "Text.\n\nReported-and-tested-by: B <b@example.org>\nCc: C <c@example.org>\nLink: https://example.org/1",
            "Text.\n\nCc: C <c@example.org>",
        ];
        insta::assert_snapshot!(table("reported-by-without-link", &texts), @r#"
        "Text.\n\nReported-by: B <b@example.org>": Reported-by: B <b@example.org> is not followed by Closes: (or Link:, for a part of it); link the report, unless it is not on the web
        "Text.\n\nReported-by: B <b@example.org>\nCloses: https://example.org/1": -
        "Text.\n\nReported-by: B <b@example.org>\nReported-by: C <c@example.org>\nLink: https://example.org/1": -
        "Text.\n\nReported-and-tested-by: B <b@example.org>\nCc: C <c@example.org>\nLink: https://example.org/1": Reported-and-tested-by: B <b@example.org> is not followed by Closes: (or Link:, for a part of it); link the report, unless it is not on the web
        "Text.\n\nCc: C <c@example.org>": -
        "#);
    }
}
