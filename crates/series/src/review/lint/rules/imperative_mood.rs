//! A changelog tells the code what to do.

use std::sync::LazyLock;

use regex::Regex;

use crate::pattern::regex;
use crate::review::lint::case::{Case, Report};
use crate::review::lint::prose::{is_prose, shown};
use crate::review::lint::source;

pub(super) fn check(case: &Case, report: &mut Report) {
    static THIS: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?i)\bthis (?:patch|commit|patchset|series)\b"));
    if let Some((number, line)) = (case.patch.changelog().lines().zip(1..))
        .map(|(line, number)| (number, line))
        .find(|(_, line)| is_prose(line) && THIS.is_match(line))
    {
        let text = format!(
            "{:?} speaks of the patch; use the imperative mood, as if telling the code what to do",
            shown(line)
        );
        let place = format!("changelog line {number}");
        report.hint(&place, source::DESCRIBE, text);
    }
}

#[cfg(test)]
mod tests {
    use crate::review::lint::testing::table;

    #[test]
    fn the_code_is_told_what_to_do() {
        let texts = [
            "This patch makes it so.",
            "Make it so.",
            "> This patch makes it so.",
        ];
        insta::assert_snapshot!(table("imperative-mood", &texts), @r#"
        "This patch makes it so.": "This patch makes it so." speaks of the patch; use the imperative mood, as if telling the code what to do
        "Make it so.": -
        "> This patch makes it so.": -
        "#);
    }
}
