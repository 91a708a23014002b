//! No blank line stands inside the trailers.

use crate::patch::split_trailers;
use crate::review::lint::case::{Case, Report};
use crate::review::lint::prose::shown;
use crate::review::lint::source;

pub(super) fn check(case: &Case, report: &mut Report) {
    let (_, _, lost) = split_trailers(case.patch.changelog());
    if lost.is_empty() {
        return;
    }
    let lost: Vec<String> = lost.iter().map(|line| shown(line)).collect();
    let text = format!(
        "a blank line stands inside the block: git's tools read only what is below it and lose \
         {}; remove the blank line",
        lost.join(", ")
    );
    report.error("trailers", source::FORMAT, text);
}

#[cfg(test)]
mod tests {
    use crate::review::lint::testing::table;

    #[test]
    fn split_trailers_are_lost() {
        let texts = [
            "Text.\n\nCloses: https://example.org/1",
            "Text.\n\nCc: B <b@example.org>\n\nFixes: 0123456789ab (\"x\")",
            "Text.\n\nSigned-off-by: B <b@example.org>\n\nSome note: it is prose.",
        ];
        insta::assert_snapshot!(table("split-trailers", &texts), @r#"
        "Text.\n\nCloses: https://example.org/1": -
        "Text.\n\nCc: B <b@example.org>\n\nFixes: 0123456789ab (\"x\")": a blank line stands inside the block: git's tools read only what is below it and lose Cc: B <b@example.org>; remove the blank line
        "Text.\n\nSigned-off-by: B <b@example.org>\n\nSome note: it is prose.": -
        "#);
    }
}
