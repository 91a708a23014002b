//! One mail on one tree, by four programs.

use std::fs;

use git2::build::CheckoutBuilder;
use git2::{Oid, Repository, ResetType};
use kernel::apply::{PatchReport, Verdict, apply};

use crate::lab::Lab;
use crate::mail::{Files, Mail, commit};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fared {
    /// Applied; the tree's id.
    Takes(String),
    /// Nothing changed, or it can be taken back: it is there.
    Has,
    Refuses,
}

/// Who is compared with us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    Am,
    Apply,
    Patch,
}

pub const TOOLS: [Tool; 3] = [Tool::Am, Tool::Apply, Tool::Patch];

impl Tool {
    pub fn name(self) -> &'static str {
        match self {
            Self::Am => "git am -3",
            Self::Apply => "git apply",
            Self::Patch => "patch",
        }
    }
}

/// What all of them made of a mail.
pub struct Trial {
    lab: Lab,
    pub ours: Fared,
    /// None where the mail was refused when it was read.
    pub report: Option<PatchReport>,
    /// Why it was refused then.
    pub unread: String,
    theirs: [Fared; 3],
    /// What the programs said.
    said: String,
    /// Whether the patch says of a file that it ends without a newline.
    pub unended: bool,
}

const GNU: [&str; 6] = [
    "-p1",
    "-f",
    "-s",
    "--binary",
    "--no-backup-if-mismatch",
    "-r-",
];

impl Trial {
    /// Tries the mail on a tree. Merges may begin from the version that the patch
    /// was made on where it is `known`.
    pub fn new(target: &Files, mail: &Mail, known: bool) -> Self {
        let lab = Lab::new();
        if known {
            let objects = &mail.objects;
            fs::write(lab.work().join(".git/objects/info/alternates"), objects).unwrap();
        }
        let (mail, base) = (&mail.text, known.then_some(mail.base));
        let repo = Repository::open(lab.work()).unwrap();
        let stock = commit(&repo, target, "target", &[]);
        let stock = repo.find_commit(stock).unwrap();
        let tree = stock.tree_id().to_string();
        repo.reference("refs/heads/main", stock.id(), true, "target")
            .unwrap();
        let afresh = || {
            let mut checkout = CheckoutBuilder::new();
            checkout.force().remove_untracked(true).remove_ignored(true);
            repo.reset(stock.as_object(), ResetType::Hard, Some(&mut checkout))
                .unwrap();
        };
        let mut said = String::new();
        let mut takes = |program: &str, args: &[&str]| {
            let out = lab.run(program, args, mail);
            said.push_str(&format!("$ {program} {}\n", args.join(" ")));
            for text in [&out.stdout, &out.stderr] {
                said.push_str(&String::from_utf8_lossy(text));
            }
            out.status.success()
        };

        afresh();
        let back = takes("git", &["apply", "--reverse", "--check"]);
        let refused = |back| if back { Fared::Has } else { Fared::Refuses };
        // To change nothing is to say that it is there.
        let taken = |made: String| {
            if made == tree {
                Fared::Has
            } else {
                Fared::Takes(made)
            }
        };

        let by_apply = match takes("git", &["apply", "--index"]) {
            true => taken(lab.git(&["write-tree"])),
            false => refused(back),
        };
        afresh();
        let by_am = match takes("git", &["am", "-q", "-3", "--keep-cr"]) {
            true => taken(lab.git(&["rev-parse", "HEAD^{tree}"])),
            false => {
                lab.git(&["am", "--abort"]);
                refused(back)
            }
        };
        afresh();
        let by_patch = match takes("patch", &[&GNU[..], &["-N", "--fuzz=2"]].concat()) {
            true => taken(lab.tree()),
            false => {
                afresh();
                let back = [&GNU[..], &["-R", "--fuzz=0", "--dry-run"]].concat();
                refused(takes("patch", &back))
            }
        };
        drop(stock);
        let mut trial = Self {
            lab,
            ours: Fared::Refuses,
            report: None,
            unread: String::new(),
            theirs: [by_am, by_apply, by_patch],
            said,
            unended: String::from_utf8_lossy(mail).contains("\n\\ No newline"),
        };
        trial.try_ours(target, mail, base);
        trial
    }

    fn try_ours(&mut self, target: &Files, mail: &[u8], base: Option<Oid>) {
        let series = match series::parse(mail) {
            Ok(series) => series,
            Err(error) => return self.unread = error.to_string(),
        };
        let lab = &self.lab;
        let store = Repository::open(lab.store.path()).unwrap();
        let stock = commit(&store, target, "target", &[]);
        if let Some(base) = base {
            let work = Repository::open(lab.work()).unwrap();
            lab.store.lend_history(stock, work, base);
        }
        let applied = apply(&lab.store, stock, &series.patches).unwrap();
        let report = applied.patches.into_iter().next().unwrap();
        self.ours = match report.verdict {
            Verdict::AlreadyApplied => Fared::Has,
            Verdict::Conflict => Fared::Refuses,
            _ => Fared::Takes(lab.tree_of(applied.commit)),
        };
        self.report = Some(report);
    }

    pub fn of(&self, tool: Tool) -> &Fared {
        let [am, apply, patch] = &self.theirs;
        match tool {
            Tool::Am => am,
            Tool::Apply => apply,
            Tool::Patch => patch,
        }
    }

    /// Our verdict; `unread` where the mail was refused.
    pub fn verdict(&self) -> &'static str {
        let report = self.report.as_ref();
        report.map_or("unread", |report| report.verdict.as_str())
    }

    /// Whether a hunk's conflict says so.
    pub fn says(&self, why: &str) -> bool {
        let hunks = self.report.iter().flat_map(|report| &report.hunks);
        let mut texts = hunks.filter_map(|hunk| hunk.conflict.as_deref());
        texts.any(|text| text.contains(why))
    }

    /// All that one needs to know to see who is wrong.
    pub fn show(&self, tool: Tool) -> String {
        let (ours, theirs) = (&self.ours, self.of(tool));
        let difference = match (ours, theirs) {
            (Fared::Takes(ours), Fared::Takes(theirs)) => self.lab.difference(ours, theirs),
            _ => String::new(),
        };
        let name = tool.name();
        let report = &self.report;
        format!(
            "{}\nours {ours:?} {report:#?}\n{name} {theirs:?}\n{difference}",
            self.said
        )
    }
}
