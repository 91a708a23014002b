//! All rules, run on a series or on a patch by itself.

use std::collections::HashMap;

use super::case::{Case, Report};
use super::finding::{Finding, History};
use super::rules::RULES;
use crate::patch::Patch;
use crate::series::Series;

/// Checks every patch of a series, and the patches against each other. What
/// reviewers asked for in their answers weighs on what is found.
pub fn series(series: &Series, history: Option<History>) -> Vec<Finding> {
    let mut subjects: HashMap<&str, u32> = HashMap::new();
    let mut found = Vec::new();
    for patch in &series.patches {
        let first = *subjects.entry(&patch.subject).or_insert(patch.index);
        let to_it = |to: u32| to == patch.index || to == 0;
        let replies = series.replies.iter();
        let case = Case {
            patch,
            history,
            replies: replies.filter(|one| to_it(one.to_patch)).collect(),
            namesake: (first != patch.index).then_some(first),
        };
        found.append(&mut Report::of(&case, RULES));
    }
    found
}

/// Checks one patch by itself.
pub(crate) fn patch(patch: &Patch, history: Option<History>) -> Vec<Finding> {
    let case = Case {
        patch,
        history,
        replies: Vec::new(),
        namesake: None,
    };
    Report::of(&case, RULES)
}

#[cfg(test)]
mod tests {
    use super::super::testing::listed;

    #[test]
    fn the_thread_of_the_series() {
        let thread = include_bytes!("../../../../../patches/oom-reaper-reverse/thread.txt");
        let series = crate::series::parse(thread).unwrap();
        let found = super::series(&series, None);
        insta::assert_snapshot!(listed(&found));
        let json = serde_json::to_value(&found[0]).unwrap();
        let keys: Vec<_> = json.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["rule", "severity", "source", "text", "where"]);
    }
}
