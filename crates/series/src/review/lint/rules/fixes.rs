//! `Fixes:` names a commit by 12 digits and its subject, and there is one.

use std::sync::LazyLock;

use regex::Regex;

use crate::pattern::regex;
use crate::review::lint::case::{Case, Report};
use crate::review::lint::finding::{History, Lookup, Severity};
use crate::review::lint::prose::shown;
use crate::review::lint::source;

/// The fewest digits of a commit's id.
const ABBREV: usize = 12;

pub(super) fn check(case: &Case, report: &mut Report) {
    for one in case.patch.trailers.iter().filter(|one| one.is("fixes")) {
        for (severity, text) in wrong_fixes(&one.value, case.history) {
            let text = format!("{}: {text}", shown(&one.to_string()));
            report.add(severity, "trailers", source::DESCRIBE, text);
        }
    }
}

/// What is wrong with the value of a `Fixes:`.
fn wrong_fixes(value: &str, history: Option<History>) -> Vec<(Severity, String)> {
    static FORM: LazyLock<Regex> = LazyLock::new(|| regex(r#"^([0-9a-fA-F]{5,64}) \("(.+)"\)$"#));
    let Some(form) = FORM.captures(value) else {
        let text = match value.contains("://") {
            true => "name a report with Closes:, a commit with Fixes:".to_owned(),
            false => format!(
                "is not of the form `Fixes: ID (\"subject\")` with {ABBREV} digits of the id"
            ),
        };
        return vec![(Severity::Error, text)];
    };
    let (id, title) = (&form[1], &form[2]);
    let mut wrong = Vec::new();
    if id.len() < ABBREV {
        let text = format!("has {} digits of the id; use at least {ABBREV}", id.len());
        wrong.push((Severity::Warning, text));
    }
    let text = match history.map(|lookup| lookup(&id.to_ascii_lowercase())) {
        Some(Lookup::None) => "this tree has no such commit".to_owned(),
        Some(Lookup::Several) => "this tree has several commits with these digits".to_owned(),
        Some(Lookup::One(real)) if real != title => {
            format!("that commit is called {:?}", shown(&real))
        }
        Some(Lookup::One(_)) | None => return wrong,
    };
    wrong.push((Severity::Error, text));
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::review::lint::patch;
    use crate::review::lint::testing::{mail, table};

    #[test]
    fn fixes_name_a_commit() {
        let texts = [
            "0123456789ab (\"mm: x\")",
            "0123456 (\"mm: x\")",
            "0123456789ab mm: x",
            "0123456789ab (mm: x)",
            "commit 0123456789ab (\"mm: x\")",
            "https://example.org/1",
            "?",
        ]
        .map(|value| format!("Text.\n\nFixes: {value}"));
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        insta::assert_snapshot!(table("fixes", &texts), @r#"
        "Text.\n\nFixes: 0123456789ab (\"mm: x\")": -
        "Text.\n\nFixes: 0123456 (\"mm: x\")": Fixes: 0123456 ("mm: x"): has 7 digits of the id; use at least 12
        "Text.\n\nFixes: 0123456789ab mm: x": Fixes: 0123456789ab mm: x: is not of the form `Fixes: ID ("subject")` with 12 digits of the id
        "Text.\n\nFixes: 0123456789ab (mm: x)": Fixes: 0123456789ab (mm: x): is not of the form `Fixes: ID ("subject")` with 12 digits of the id
        "Text.\n\nFixes: commit 0123456789ab (\"mm: x\")": Fixes: commit 0123456789ab ("mm: x"): is not of the form `Fixes: ID ("subject")` with 12 digits of the id
        "Text.\n\nFixes: https://example.org/1": Fixes: https://example.org/1: name a report with Closes:, a commit with Fixes:
        "Text.\n\nFixes: ?": Fixes: ?: is not of the form `Fixes: ID ("subject")` with 12 digits of the id
        "#);

        let one = mail("mm: x", "Text.\n\nFixes: 0123456789ab (\"mm: x\")");
        let said: Vec<Option<String>> = [
            Lookup::None,
            Lookup::Several,
            Lookup::One("mm: y".to_owned()),
            Lookup::One("mm: x".to_owned()),
        ]
        .iter()
        .map(|answer| {
            let found = patch(&one, Some(&|_: &str| answer.clone()));
            found
                .into_iter()
                .find(|one| one.rule == "fixes")
                .map(|one| one.text)
        })
        .collect();
        insta::assert_debug_snapshot!(said, @r#"
        [
            Some(
                "Fixes: 0123456789ab (\"mm: x\"): this tree has no such commit",
            ),
            Some(
                "Fixes: 0123456789ab (\"mm: x\"): this tree has several commits with these digits",
            ),
            Some(
                "Fixes: 0123456789ab (\"mm: x\"): that commit is called \"mm: y\"",
            ),
            None,
        ]
        "#);
    }
}
