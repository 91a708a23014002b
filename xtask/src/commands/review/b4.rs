//! `review --b4`: an external check of b4 (`b4.review-perpatch-check-cmd`).
//!
//! b4 gives one mail on standard input and takes a JSON list of objects with
//! `tool`, `status` (`pass`, `warn` or `fail`), `summary`, `url` and `details`;
//! of each tool it keeps one, and shows details line by line.

use serde_json::{Value, json};
use series::review::lint::{self, Finding, Severity};
use series::{Error, Series, mail};

use crate::exit::Result;

/// What b4 is told of a mail: nothing of one that carries no patch, as a cover
/// letter.
pub fn results(mail: &[u8], find: &dyn Fn(&Series) -> Result<Vec<Finding>>) -> Result<Vec<Value>> {
    let unread = |error: Error| {
        let mut details = error.to_string();
        if let Some(hint) = error.hint() {
            details += &format!("\nhint: {hint}");
        }
        object("fail", "the patch can't be read", "", details)
    };
    Ok(match series::parse(mail) {
        Ok(series) => vec![result(&find(&series)?)],
        Err(Error::NoPatch { .. } | Error::NoDiff { .. }) => Vec::new(),
        Err(Error::Thread(mail::Error::Empty)) => Vec::new(),
        Err(error) => vec![unread(error)],
    })
}

fn result(found: &[Finding]) -> Value {
    let worst = found.iter().max_by_key(|one| one.severity);
    let status = match worst.map(|one| one.severity) {
        Some(Severity::Error) => "fail",
        Some(Severity::Warning) => "warn",
        // What only words can show must not stop a patch.
        Some(Severity::Hint) | None => "pass",
    };
    let counts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Hint]
        .into_iter()
        .filter_map(|severity| {
            let count = found.iter().filter(|one| one.severity == severity).count();
            let s = if count == 1 { "" } else { "s" };
            (count > 0).then(|| format!("{count} {}{s}", severity.as_str()))
        })
        .collect();
    let summary = match counts.is_empty() {
        true => "nothing to say of changelog and trailers".to_owned(),
        false => counts.join(", "),
    };
    let details: Vec<String> = found
        .iter()
        .map(|one| {
            let (severity, rule) = (one.severity.as_str(), &one.rule);
            format!(
                "{severity}: {rule}: {}: {} [{}]",
                one.place, one.text, one.source
            )
        })
        .collect();
    let url = worst
        .and_then(|one| lint::url(&one.source))
        .unwrap_or_default();
    object(status, &summary, &url, details.join("\n"))
}

fn object(status: &str, summary: &str, url: &str, details: String) -> Value {
    json!({
        "tool": "reaperlab",
        "status": status,
        "summary": summary,
        "url": url,
        "details": details,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "From: A U Thor <author@example.org>\nSubject: [PATCH 1/1] mm: x\n\n";
    const DIFF: &str =
        "---\n x | 2 +-\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n";

    fn told(mail: &str) -> String {
        let find = |series: &Series| Ok(lint::series(series, None));
        let results = results(mail.as_bytes(), &find).unwrap();
        serde_json::to_string_pretty(&results).unwrap()
    }

    #[test]
    fn what_b4_is_told() {
        let signed = "Signed-off-by: A U Thor <author@example.org>\n";
        let table = [
            ("good", format!("{HEAD}Text.\n\n{signed}{DIFF}")),
            (
                "hints alone",
                format!("{HEAD}This patch does.\n\n{signed}{DIFF}"),
            ),
            (
                "a warning",
                format!("{HEAD}Text.\n\nReviewd-by: B <b@example.org>\n{signed}{DIFF}"),
            ),
            ("an error", format!("{HEAD}Text.\n{DIFF}")),
            (
                "a cover letter",
                "From: a@example.org\nSubject: [PATCH 0/2] x\n\nText.\n".to_owned(),
            ),
            (
                "no patch",
                "From: a@example.org\nSubject: Lunch\n\nText.\n".to_owned(),
            ),
            ("nothing", String::new()),
            (
                "cut off",
                format!("{HEAD}Text.\n\n{signed}{}", &DIFF[..DIFF.len() - 3]),
            ),
        ];
        let said: String = table
            .iter()
            .map(|(name, mail)| format!("{name}: {}\n", told(mail)))
            .collect();
        insta::assert_snapshot!(said, @r#"
        good: [
          {
            "details": "",
            "status": "pass",
            "summary": "nothing to say of changelog and trailers",
            "tool": "reaperlab",
            "url": ""
          }
        ]
        hints alone: [
          {
            "details": "hint: imperative-mood: 1/1, changelog line 1: \"This patch does.\" speaks of the patch; use the imperative mood, as if telling the code what to do [Documentation/process/submitting-patches.rst, \"Describe your changes\"]",
            "status": "pass",
            "summary": "1 hint",
            "tool": "reaperlab",
            "url": "https://docs.kernel.org/process/submitting-patches.html"
          }
        ]
        a warning: [
          {
            "details": "warning: trailer-spelling: 1/1, trailers: `Reviewd-by:` is spelled `Reviewed-by:` [Documentation/process/5.Posting.rst, \"Patch formatting and changelogs\"]",
            "status": "warn",
            "summary": "1 warning",
            "tool": "reaperlab",
            "url": "https://docs.kernel.org/process/5.Posting.html"
          }
        ]
        an error: [
          {
            "details": "error: sign-off: 1/1, trailers: no Signed-off-by; A U Thor <author@example.org> must sign [Documentation/process/submitting-patches.rst, \"Sign your work - the Developer's Certificate of Origin\"]",
            "status": "fail",
            "summary": "1 error",
            "tool": "reaperlab",
            "url": "https://docs.kernel.org/process/submitting-patches.html"
          }
        ]
        a cover letter: []
        no patch: []
        nothing: []
        cut off: [
          {
            "details": "\"[PATCH 1/1] mm: x\": \"x\", hunk 1 (line 7): its header promises 1 more line(s)\nhint: the patch was cut off, damaged or edited by hand; get it again as it was sent",
            "status": "fail",
            "summary": "the patch can't be read",
            "tool": "reaperlab",
            "url": ""
          }
        ]
        "#);
    }
}
