//! Mails for the rules' tests, and what is said of them.

use super::check::patch;
use super::finding::Finding;
use crate::patch::{Patch, trailer};

pub(super) fn mail(subject: &str, text: &str) -> Patch {
    let mail = format!(
        "From: A U Thor <author@example.org>\nDate: Fri, 29 Aug 2025 14:55:50 +0800\n\
         Subject: [PATCH] {subject}\n\n{text}\n---\n x | 2 +-\n\n\
         diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"
    );
    let mut series = crate::series::parse(mail.as_bytes()).unwrap();
    series.patches.remove(0)
}

pub(super) fn listed(found: &[Finding]) -> String {
    found
        .iter()
        .map(|one| {
            let (rule, severity) = (&one.rule, one.severity.as_str());
            format!("{severity}: {rule}: {}: {}\n", one.place, one.text)
        })
        .collect()
}

/// What one rule says of each text, or of each text that is signed.
pub(super) fn table(rule: &str, texts: &[&str]) -> String {
    let signed = "Signed-off-by: A U Thor <author@example.org>";
    let mut out = String::new();
    for text in texts {
        let whole = match text.contains("Signed-off-by") || rule == "sign-off" {
            true => (*text).to_owned(),
            false if trailer(text.lines().last().unwrap_or_default()).is_some() => {
                format!("{text}\n{signed}")
            }
            false => format!("{text}\n\n{signed}"),
        };
        let found = patch(&mail("mm: x", &whole), None);
        let mut found = found.iter().filter(|one| one.rule == rule);
        let first = found.next().map_or("-", |one| one.text.as_str());
        let more = found.count();
        let more = if more > 0 {
            format!(" (+{more})")
        } else {
            String::new()
        };
        out += &format!("{text:?}: {first}{more}\n");
    }
    out
}
