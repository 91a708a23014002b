//! Prose is wrapped.

use crate::review::lint::case::{Case, Report};
use crate::review::lint::prose::is_prose;
use crate::review::lint::source;

/// Behind this column a changelog is wrapped.
const COLUMNS: usize = 75;

pub(super) fn check(case: &Case, report: &mut Report) {
    let mut long = (case.patch.changelog().lines().zip(1..))
        .filter(|(line, _)| line.chars().nth(COLUMNS).is_some() && is_prose(line));
    let Some((line, number)) = long.next() else {
        return;
    };
    let more = match long.count() {
        0 => String::new(),
        n => format!(", and so are {n} below it"),
    };
    let text = format!(
        "is {} columns wide{more}; prose is wrapped at {COLUMNS}",
        line.chars().count()
    );
    let place = format!("changelog line {number}");
    report.warning(&place, source::FORMAT, text);
}

#[cfg(test)]
mod tests {
    use crate::review::lint::testing::table;

    #[test]
    fn prose_is_wrapped() {
        let wide = "wide ".repeat(16);
        let texts = [
            format!("{wide}end."),
            format!("Short.\n{wide}\nshort\n{wide}end"),
            format!("  {wide}"),
            format!("> {wide}"),
            format!("[   12.345678] {wide}"),
            format!("{wide}https://example.org/"),
            format!("commit 0123456789ab (\"{wide}\")"),
            format!("a | {wide}"),
            format!("name   12   34  {wide}"),
            "x".repeat(90),
            format!("Text.\n\nFixes: 0123456789ab (\"{wide}\")"),
            format!("{}end", "ü".repeat(72)),
        ];
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        insta::assert_snapshot!(table("long-line", &texts), @r#"
        "wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide end.": is 84 columns wide; prose is wrapped at 75
        "Short.\nwide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide \nshort\nwide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide end": is 79 columns wide, and so are 1 below it; prose is wrapped at 75
        "  wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide ": -
        "> wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide ": -
        "[   12.345678] wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide ": -
        "wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide https://example.org/": -
        "commit 0123456789ab (\"wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide \")": -
        "a | wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide ": -
        "name   12   34  wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide ": -
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx": -
        "Text.\n\nFixes: 0123456789ab (\"wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide \")": -
        "üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüend": -
        "#);
    }
}
