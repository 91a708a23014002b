//! A subject names its subsystem, is short and stands once in a series.

use std::sync::LazyLock;

use regex::Regex;

use crate::pattern::regex;
use crate::review::lint::case::{Case, Report};
use crate::review::lint::source;

/// The longest subject, in characters.
const LONGEST: usize = 75;

pub(super) fn form(case: &Case, report: &mut Report) {
    static PREFIX: LazyLock<Regex> = LazyLock::new(|| regex(r"^\S[^:]{0,60}: \S"));
    static FILE: LazyLock<Regex> = LazyLock::new(|| regex(r"^[^: ]*\.[chS]: "));
    let subject = case.patch.subject.as_str();
    if !PREFIX.is_match(subject) {
        let text = "names no subsystem before its summary, as in `mm/oom_kill: …`";
        report.warning("subject", source::SUBJECT, text);
    } else if FILE.is_match(subject) {
        let text = "begins with a file's name; name the subsystem, see `git log` of the file";
        report.hint("subject", source::TIP_SUBJECT, text);
    }
    let long = subject.chars().count();
    if long > LONGEST {
        let text = format!("has {long} characters; keep it to {LONGEST}");
        report.warning("subject", source::SUBJECT, text);
    }
    if subject.ends_with('.') && !subject.ends_with("..") {
        let text = "ends with a full stop; a title has none";
        report.hint("subject", source::SUBJECT, text);
    }
}

pub(super) fn unique(case: &Case, report: &mut Report) {
    if let Some(first) = case.namesake {
        let text = format!("is the same as that of patch {first}; each patch needs its own");
        report.warning("subject", source::SUBJECT, text);
    }
}

#[cfg(test)]
mod tests {
    use crate::review::lint::testing::{listed, mail};
    use crate::review::lint::{patch, series as check_series};
    use crate::series::Series;

    #[test]
    fn subjects_have_their_form() {
        let long = format!("mm: {}", "long ".repeat(15));
        let subjects = [
            "mm/oom_kill: The OOM reaper traverses the VMA maple tree in reverse order",
            "Reap in reverse order",
            "mm: reap in reverse order.",
            "mm: and so on...",
            "oom_kill.c: reap in reverse order",
            "arm64: dts: qcom: x",
            "Revert \"mm: x\"",
            &long,
        ];
        let signed = "Text.\n\nSigned-off-by: A U Thor <author@example.org>";
        let said: String = subjects
            .iter()
            .map(|subject| {
                format!(
                    "{subject}\n{}",
                    listed(&patch(&mail(subject, signed), None))
                )
            })
            .collect();
        insta::assert_snapshot!(said, @r#"
        mm/oom_kill: The OOM reaper traverses the VMA maple tree in reverse order
        Reap in reverse order
        warning: subject: 1/1, subject: names no subsystem before its summary, as in `mm/oom_kill: …`
        mm: reap in reverse order.
        hint: subject: 1/1, subject: ends with a full stop; a title has none
        mm: and so on...
        oom_kill.c: reap in reverse order
        hint: subject: 1/1, subject: begins with a file's name; name the subsystem, see `git log` of the file
        arm64: dts: qcom: x
        Revert "mm: x"
        mm: long long long long long long long long long long long long long long long 
        warning: subject: 1/1, subject: has 78 characters; keep it to 75
        "#);
    }

    #[test]
    fn subjects_differ() {
        let mut one = mail(
            "mm: x",
            "Text.\n\nSigned-off-by: A U Thor <author@example.org>",
        );
        let mut series = Series {
            name: String::new(),
            title: String::new(),
            version: 1,
            total: 2,
            patches: vec![one.clone()],
            missing: Vec::new(),
            replies: Vec::new(),
            warnings: Vec::new(),
            identity: crate::Identity::default(),
        };
        one.index = 2;
        series.patches.push(one);
        let found = check_series(&series, None);
        insta::assert_snapshot!(listed(&found), @r#"warning: subject: 2/1, subject: is the same as that of patch 1; each patch needs its own"#);
    }
}
