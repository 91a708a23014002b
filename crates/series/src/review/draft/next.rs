//! The next version of a series.

use std::fmt::Write as _;

use similar::TextDiff;

use super::wrap::wrapped;
use crate::patch::{Patch, Trailer, format, in_order, known_spelling};
use crate::person::Person;
use crate::review::lint::{self, Severity};
use crate::review::model::{Collected, Review, Standing};
use crate::review::wordings::{Wording, wordings};
use crate::text::same;

/// The next version, to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub version: u32,
    pub patches: Vec<Patch>,
    /// The mails of the version that there is against those of the next, as a
    /// unified diff. What the sender must settle stands below each `---`, in
    /// lines that begin with `#`.
    pub diff: String,
}

/// Drafts the next version of the series under review: with the changelog that
/// a reviewer proposed, the trailers that count, `measured` as the end of the
/// last patch's changelog, and what of the lint needs no judgement mended.
pub fn next_version(review: &Review, accept_conditional: bool, measured: Option<&str>) -> Draft {
    let series = review.series();
    let version = series.version + 1;
    let mut draft = Draft {
        version,
        patches: Vec::new(),
        diff: String::new(),
    };
    let none = Vec::new();
    for (at, old) in series.patches.iter().enumerate() {
        let trailers = review.trailers.get(at).unwrap_or(&none);
        let last = at + 1 == series.patches.len();
        let mut next = Next::new(old);
        for reply in series
            .replies
            .iter()
            .filter(|one| one.to_patch == old.index)
        {
            for wording in wordings(&reply.body) {
                next.wording(&reply.by, wording);
            }
        }
        if let Some(measured) = measured.filter(|_| last) {
            next.measured(measured);
        }
        next.mend();
        next.collect(trailers, accept_conditional);
        let (new, notes) = next.end();
        let name = |patch: &Patch| format!("v{}-{}", patch.version, format::file_name(patch));
        let (before, after) = (mail(old, ""), mail(&new, &notes));
        let diff = TextDiff::from_lines(&before, &after);
        draft.diff += &diff
            .unified_diff()
            .header(&name(old), &name(&new))
            .to_string();
        draft.patches.push(new);
    }
    draft
}

/// A patch on its way to its next version.
struct Next {
    patch: Patch,
    /// What changed, for the reader.
    changes: Vec<String>,
    /// What the sender must settle.
    open: Vec<String>,
}

impl Next {
    fn new(old: &Patch) -> Self {
        let mut patch = old.clone();
        patch.version += 1;
        // The mailer will date it.
        patch.date = None;
        Self {
            patch,
            changes: Vec::new(),
            open: Vec::new(),
        }
    }

    fn wording(&mut self, by: &Person, wording: Wording) {
        if wording.whole {
            self.changes
                .push(format!("Use the changelog that {} proposed", by.name));
            self.patch.body = wording.text;
            return;
        }
        self.open.push(format!("{} proposes these words:", by.name));
        let words = wording.text.lines().map(|line| format!("  {line}"));
        self.open.extend(words);
    }

    fn measured(&mut self, text: &str) {
        let body = self.patch.body.trim_end();
        self.patch.body = format!("{body}\n\n{}", text.trim_end());
        self.changes.push("Add measurements".to_owned());
    }

    /// What needs no judgement: the block in one piece and in order, names as
    /// they are spelled, no full stop behind the subject.
    fn mend(&mut self) {
        let lost = lint::patch(&self.patch, None)
            .iter()
            .any(|one| one.rule == "split-trailers");
        if lost {
            self.changes
                .push("Remove the blank line from the trailers".to_owned());
        }
        for one in &mut self.patch.trailers {
            if let Some(name) = known_spelling(&one.name) {
                self.changes.push(format!("Correct the spelling of {name}"));
                one.name = name.to_owned();
            }
        }
        let subject = &mut self.patch.subject;
        if subject.ends_with('.') && !subject.ends_with("..") {
            subject.pop();
            self.changes
                .push("Remove the full stop from the subject".to_owned());
        }
    }

    fn collect(&mut self, collected: &[Collected], accept_conditional: bool) {
        let mut added = Vec::new();
        for one in collected {
            if self.patch.trailers.iter().any(|has| is_same(has, one)) {
                continue;
            }
            if one.standing.counts(accept_conditional) {
                added.push(format!("{} from {}", one.name, one.from.name));
                self.patch.trailers.push(Trailer {
                    name: one.name.clone(),
                    value: one.value.clone(),
                });
            } else if let Standing::Conditional(condition) = &one.standing {
                self.open.push(format!(
                    "{}: {}  <- on this condition: {condition:?}",
                    one.name, one.value
                ));
            }
        }
        if !added.is_empty() {
            self.changes.push(format!("Collect {}", added.join(", ")));
        }
        let ordered = in_order(&self.patch.trailers);
        if added.is_empty() && ordered != self.patch.trailers {
            self.changes.push("Put the trailers in order".to_owned());
        }
        self.patch.trailers = ordered;
    }

    /// The patch, and what stands below its `---`.
    fn end(mut self) -> (Patch, String) {
        let patch = &mut self.patch;
        let trailers: Vec<String> = (patch.trailers.iter()).map(ToString::to_string).collect();
        let parts = [&patch.subject, patch.body.trim_end(), &trailers.join("\n")];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        patch.message = parts.join("\n\n") + "\n";
        for one in lint::patch(patch, None) {
            if one.severity > Severity::Hint {
                self.open.push(format!("{}: {}", one.rule, one.text));
            }
        }
        let mut notes = String::new();
        if !self.changes.is_empty() {
            let _ = writeln!(notes, "Changes since v{}:", self.patch.version - 1);
            for change in &self.changes {
                notes += &wrapped(change, " - ", "   ");
            }
        }
        if !self.open.is_empty() {
            notes += "\n# For the sender to decide, then to remove:\n";
            for open in &self.open {
                notes += &wrapped(open, "#  ", "#    ");
            }
        }
        (self.patch, notes)
    }
}

fn is_same(has: &Trailer, one: &Collected) -> bool {
    let by_person = match (Person::parse(&has.value), Person::parse(&one.value)) {
        (Some(has), Some(one)) => same(&has.email, &one.email),
        _ => has.value == one.value,
    };
    has.name.eq_ignore_ascii_case(&one.name) && by_person
}

/// A patch as a mail, with notes below its `---`.
fn mail(patch: &Patch, notes: &str) -> String {
    let text = String::from_utf8_lossy(&format::patch(patch)).into_owned();
    match text.split_once("\n---\n") {
        Some((above, below)) if !notes.is_empty() => format!("{above}\n---\n{notes}\n{below}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREAD: &[u8] = include_bytes!("../../../../../patches/oom-reaper-reverse/thread.txt");

    fn review() -> Review {
        let thread = crate::mail::parse(THREAD).unwrap();
        crate::review::review(thread).unwrap()
    }

    #[test]
    fn the_next_version_of_this_series() {
        let mut review = review();
        let from = |name: &str, email: &str| Person {
            name: name.to_owned(),
            email: email.to_owned(),
        };
        let offer = |name: &str, from: Person, standing| Collected {
            name: name.to_owned(),
            value: from.to_string(),
            from,
            version: 6,
            to_patch: 2,
            standing,
        };
        let hocko = from("Michal Hocko", "mhocko@suse.com");
        let howlett = from("Liam R. Howlett", "Liam.Howlett@oracle.com");
        let condition = "Anyway, with a changelog clarified.".to_owned();
        review.trailers = vec![vec![
            offer("Acked-by", hocko, Standing::Conditional(condition)),
            offer("Reviewed-by", howlett, Standing::Given),
            offer("Reviewed-by", from("C", "c@example.org"), Standing::Foreign),
        ]];
        let measured = "Measured, with medians:\n\n    total  167 ms  133 ms  -21 %\n";
        let draft = next_version(&review, false, Some(measured));
        insta::assert_snapshot!(draft.diff, @r#"
        --- v6-0002-mm-oom_kill-The-OOM-reaper-traverses-the-VMA-maple-t.patch
        +++ v7-0002-mm-oom_kill-The-OOM-reaper-traverses-the-VMA-maple-t.patch
        @@ -1,24 +1,42 @@
         From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
         From: zhongjinji <zhongjinji@honor.com>
        -Date: Fri, 29 Aug 2025 14:55:50 +0800
        -Subject: [PATCH v6 2/2] mm/oom_kill: The OOM reaper traverses the VMA maple
        +Subject: [PATCH v7 2/2] mm/oom_kill: The OOM reaper traverses the VMA maple
          tree in reverse order
         
        -When a process is OOM killed without reaper delay, the oom reaper and the
        -exit_mmap() thread likely run simultaneously. They traverse the vma's maple
        -tree along the same path and may easily unmap the same vma, causing them to
        -compete for the pte spinlock.
        +Although the oom_reaper is delayed and it gives the oom victim chance to
        +clean up its address space this might take a while especially for
        +processes with a large address space footprint. In those cases
        +oom_reaper might start racing with the dying task and compete for shared
        +resources - e.g. page table lock contention has been observed.
        +
        +Reduce those races by reaping the oom victim from the other end of the
        +address space.
        +
        +Measured, with medians:
         
        -When a process exits, exit_mmap() traverses the vma's maple tree from low
        -to high addresses. To reduce the chance of unmapping the same vma
        -simultaneously, the OOM reaper should traverse the vma's tree from high to
        -low address.
        +    total  167 ms  133 ms  -21 %
         
         Reported-by: tianxiaobin <tianxiaobin@honor.com>
         Reported-by: fengbaopeng <fengbaopeng@honor.com>
        -
         Signed-off-by: zhongjinji <zhongjinji@honor.com>
        +Reviewed-by: Liam R. Howlett <Liam.Howlett@oracle.com>
         ---
        +Changes since v6:
        + - Use the changelog that Michal Hocko proposed
        + - Add measurements
        + - Remove the blank line from the trailers
        + - Collect Reviewed-by from Liam R. Howlett
        +
        +# For the sender to decide, then to remove:
        +#  Acked-by: Michal Hocko <mhocko@suse.com>  <- on this condition:
        +#    "Anyway, with a changelog clarified."
        +#  reported-by-without-link: Reported-by: tianxiaobin
        +#    <tianxiaobin@honor.com> is not followed by Closes: (or Link:, for a
        +#    part of it); link the report, unless it is not on the web
        +#  reported-by-without-link: Reported-by: fengbaopeng
        +#    <fengbaopeng@honor.com> is not followed by Closes: (or Link:, for a
        +#    part of it); link the report, unless it is not on the web
        +
          mm/oom_kill.c | 9 +++++++--
          1 file changed, 7 insertions(+), 2 deletions(-)
        "#);
        let accepted = next_version(&review, true, None);
        let message = &accepted.patches[0].message;
        assert!(message.ends_with(
            "Reviewed-by: Liam R. Howlett <Liam.Howlett@oracle.com>\n\
             Acked-by: Michal Hocko <mhocko@suse.com>\n"
        ));
        // What is drafted is read again, and finds no more to mend.
        let mail = format::patch(&accepted.patches[0]);
        let series = crate::series::parse(&mail).unwrap();
        assert_eq!(
            (series.version, series.patches[0].message.as_str()),
            (7, message.as_str())
        );
        let rules: Vec<_> = lint::series(&series, None)
            .into_iter()
            .map(|one| one.rule)
            .collect();
        assert_eq!(
            rules,
            ["reported-by-without-link", "reported-by-without-link"]
        );
    }
}
