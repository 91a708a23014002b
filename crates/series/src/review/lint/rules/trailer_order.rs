//! Trailers stand in the tip tree's order.

use crate::patch::{Trailer, in_order};
use crate::review::lint::case::{Case, Report};
use crate::review::lint::prose::shown;
use crate::review::lint::source;

pub(super) fn check(case: &Case, report: &mut Report) {
    let ordered = in_order(&case.patch.trailers);
    let moved = case.patch.trailers.iter().zip(&ordered);
    if let Some((one, _)) = moved.into_iter().find(|(one, other)| one != other) {
        let text = format!(
            "{} is out of the tip tree's order (which no other tree asks for): {}",
            shown(&one.to_string()),
            names(&ordered).join(", ")
        );
        report.hint("trailers", source::TIP_ORDER, text);
    }
}

/// Names of trailers, each once in a row.
fn names(trailers: &[Trailer]) -> Vec<&str> {
    let mut names: Vec<&str> = trailers.iter().map(|one| one.name.as_str()).collect();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use crate::review::lint::testing::table;

    #[test]
    fn trailers_have_an_order() {
        let a = "Signed-off-by: A U Thor <author@example.org>";
        let b = "B <b@example.org>";
        let texts = [
            format!("Text.\n\nReported-by: {b}\nCloses: https://example.org/\n{a}"),
            format!("Text.\n\n{a}\nReported-by: {b}\nCloses: https://example.org/"),
            format!("Text.\n\nReviewed-by: {b}\n{a}\nCc: {b}"),
            format!(
                "Text.\n\nCo-developed-by: {b}\nSigned-off-by: {b}\n{a}\nX-note: x\nReviewed-by: {b}"
            ),
            format!(
                "Text.\n\nSigned-off-by: {b}\nCo-developed-by: A U Thor <author@example.org>\n{a}"
            ),
            format!(
                "Text.\n\n{a}\nReported-by: {b}\nLink: https://example.org/\nFixes: 0123456789ab (\"x\")"
            ),
        ];
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        insta::assert_snapshot!(table("trailer-order", &texts), @r#"
        "Text.\n\nReported-by: B <b@example.org>\nCloses: https://example.org/\nSigned-off-by: A U Thor <author@example.org>": -
        "Text.\n\nSigned-off-by: A U Thor <author@example.org>\nReported-by: B <b@example.org>\nCloses: https://example.org/": Signed-off-by: A U Thor <author@example.org> is out of the tip tree's order (which no other tree asks for): Reported-by, Closes, Signed-off-by
        "Text.\n\nReviewed-by: B <b@example.org>\nSigned-off-by: A U Thor <author@example.org>\nCc: B <b@example.org>": Reviewed-by: B <b@example.org> is out of the tip tree's order (which no other tree asks for): Signed-off-by, Reviewed-by, Cc
        "Text.\n\nCo-developed-by: B <b@example.org>\nSigned-off-by: B <b@example.org>\nSigned-off-by: A U Thor <author@example.org>\nX-note: x\nReviewed-by: B <b@example.org>": -
        "Text.\n\nSigned-off-by: B <b@example.org>\nCo-developed-by: A U Thor <author@example.org>\nSigned-off-by: A U Thor <author@example.org>": -
        "Text.\n\nSigned-off-by: A U Thor <author@example.org>\nReported-by: B <b@example.org>\nLink: https://example.org/\nFixes: 0123456789ab (\"x\")": Signed-off-by: A U Thor <author@example.org> is out of the tip tree's order (which no other tree asks for): Fixes, Reported-by, Link, Signed-off-by
        "#);
    }
}
