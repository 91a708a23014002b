//! A percentage stands beside the figures that it is made of.

use std::sync::LazyLock;

use regex::Regex;

use crate::pattern::regex;
use crate::review::lint::case::{Case, Report};
use crate::review::lint::prose::has_figure;
use crate::review::lint::source;

pub(super) fn check(case: &Case, report: &mut Report) {
    static PERCENT: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?:^|[^\w.])[-+~]?(\d{1,6}(?:\.\d{1,6})?) ?(?:%|percent\b)"));
    // What has a base: "20 % of the time", an interval's level, all of it.
    static FINE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?i)^ ?(?:%|percent)(?:-?ile)? (?:of|CI|confidence|interval|reproducible|CPU|full|busy|idle)\b",
        )
    });
    let paragraphs: Vec<&str> = case.patch.body.split("\n\n").collect();
    let mut bare = Vec::new();
    for (at, paragraph) in paragraphs.iter().enumerate() {
        // A table may stand below the sentence that it belongs to, or above.
        let near = paragraphs[at.saturating_sub(1)..paragraphs.len().min(at + 2)].iter();
        if near.into_iter().any(|text| has_figure(text)) {
            continue;
        }
        bare.extend(
            PERCENT
                .captures_iter(paragraph)
                .filter_map(|found| found.get(1))
                .filter(|number| {
                    let rest = &paragraph[number.end()..];
                    number.as_str() != "100" && !FINE.is_match(rest)
                })
                .map(|number| format!("{} %", number.as_str())),
        );
    }
    if let Some(first) = bare.first() {
        let more = match bare.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        let text = format!(
            "{first}{more} without a base: no figure with a unit stands beside it; give both \
             figures and say what they measure"
        );
        report.hint("changelog", source::DESCRIBE, text);
    }
}

#[cfg(test)]
mod tests {
    use crate::review::lint::testing::table;

    #[test]
    fn percentages_have_a_base() {
        let texts = [
            "The time drops by 20%.",
            "The time drops by 20 % and the wait by 97.5%, up to 50 percent.",
            "The time drops from 167 ms to 132 ms (-20.6%).",
            "The time drops by 20%:\n\n  before  after\n  167.1   132.6",
            "|                  | patched | not |\n\n| total | 132.6 | 167.1 (-20.6%) |",
            "Happens 20% of the time, 100% reproducible, 95 % CI.",
            "It takes 3 of 4 calls, 75% less.",
            "Set %d and 100% of it.",
            "Requests per second: 100 -> 120 (+20%)",
        ];
        insta::assert_snapshot!(table("percentage-without-base", &texts), @r#"
        "The time drops by 20%.": 20 % without a base: no figure with a unit stands beside it; give both figures and say what they measure
        "The time drops by 20 % and the wait by 97.5%, up to 50 percent.": 20 % and 2 more without a base: no figure with a unit stands beside it; give both figures and say what they measure
        "The time drops from 167 ms to 132 ms (-20.6%).": -
        "The time drops by 20%:\n\n  before  after\n  167.1   132.6": -
        "|                  | patched | not |\n\n| total | 132.6 | 167.1 (-20.6%) |": -
        "Happens 20% of the time, 100% reproducible, 95 % CI.": -
        "It takes 3 of 4 calls, 75% less.": -
        "Set %d and 100% of it.": -
        "Requests per second: 100 -> 120 (+20%)": -
        "#);
    }
}
