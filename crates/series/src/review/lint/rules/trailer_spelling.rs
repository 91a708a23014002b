//! Trailers have their names, and people their addresses.

use crate::patch::known_spelling;
use crate::person::Person;
use crate::review::lint::case::{Case, Report};
use crate::review::lint::prose::shown;
use crate::review::lint::source;

pub(super) fn check(case: &Case, report: &mut Report) {
    for one in &case.patch.trailers {
        if let Some(known) = known_spelling(&one.name) {
            let text = format!("`{}:` is spelled `{known}:`", shown(&one.name));
            report.warning("trailers", source::TAGS, text);
        }
        let names = one.name.to_ascii_lowercase().ends_with("-by");
        if names && Person::parse(&one.value).is_none() {
            let text = format!("{} has no `Name <address>`", shown(&one.to_string()));
            report.warning("trailers", source::TAGS, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::review::lint::testing::table;

    #[test]
    fn trailers_are_spelled() {
        let b = "B <b@example.org>";
        let texts = [
            format!("Reviewd-by: {b}"),
            format!("Acked-By: {b}"),
            format!("acked-by: {b}"),
            format!("Singed-off-by: {b}"),
            format!("CC: {b}"),
            format!("Inspired-by: {b}"),
            format!("Requested-by: {b}"),
            "Reviewed-by: me".to_owned(),
            "Link: https://example.org/".to_owned(),
        ]
        .map(|line| format!("Text.\n\n{line}"));
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        insta::assert_snapshot!(table("trailer-spelling", &texts), @r#"
        "Text.\n\nReviewd-by: B <b@example.org>": `Reviewd-by:` is spelled `Reviewed-by:`
        "Text.\n\nAcked-By: B <b@example.org>": `Acked-By:` is spelled `Acked-by:`
        "Text.\n\nacked-by: B <b@example.org>": `acked-by:` is spelled `Acked-by:`
        "Text.\n\nSinged-off-by: B <b@example.org>": `Singed-off-by:` is spelled `Signed-off-by:`
        "Text.\n\nCC: B <b@example.org>": `CC:` is spelled `Cc:`
        "Text.\n\nInspired-by: B <b@example.org>": -
        "Text.\n\nRequested-by: B <b@example.org>": -
        "Text.\n\nReviewed-by: me": Reviewed-by: me has no `Name <address>`
        "Text.\n\nLink: https://example.org/": -
        "#);
    }
}
