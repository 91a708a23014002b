//! The tree's own scripts, run out of a repository that the user has.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod lab;

use std::io::{self, BufRead, BufReader};
use std::process::{Command, Stdio};

use kernel::build::Toolchain;
use kernel::cache::Cache;
use kernel::process::{Invocation, Runner, Stream};
use kernel::scripts::{checkpatch, maintainers};
use kernel::store::{Oid, Store, StoreError};
use lab::Lab;

/// Runs programs for real.
struct Direct;

impl Runner for Direct {
    fn run(
        &self,
        invocation: &Invocation,
        on_line: &mut dyn FnMut(Stream, &str),
    ) -> io::Result<i32> {
        let mut child = Command::new(&invocation.program)
            .args(&invocation.args)
            .current_dir(&invocation.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            on_line(Stream::Out, &line?);
        }
        Ok(child.wait()?.code().unwrap_or(137))
    }

    fn cancelled(&self) -> bool {
        false
    }
}

/// Names everybody that the tree's MAINTAINERS names, and the patch's file.
const MAINTAINERS: &str = r#"
open(my $in, "<", "MAINTAINERS") or die; print "$_" while (<$in>);
open(my $mail, "<", $ARGV[-1]) or die;
while (<$mail>) { print "list-of-$1\@example.org\n" if m{^\+\+\+ b/(\w+)/} }
print "no address\n";
"#;

/// Says of the patch and of a file what it was called with.
const CHECKPATCH: &str = r#"
print "$ARGV[-1]:3: WARNING:COMMIT_MESSAGE: @ARGV[0..1]\n";
print "mm/x.c:7: ERROR:CODE_INDENT: spaces\n";
exit 1;
"#;

#[test]
fn scripts_are_the_trees_own() {
    let lab = Lab::new();
    let bare = lab.commit("without scripts");
    lab.write("MAINTAINERS", "A U Thor <author@example.org>\n");
    lab.write("scripts/get_maintainer.pl", MAINTAINERS);
    lab.write("scripts/checkpatch.pl", CHECKPATCH);
    let commit = lab.commit("with scripts");
    lab.write("MAINTAINERS", "not committed\n");

    let cache = Cache::open(&lab.dir.path().join("cache")).unwrap();
    let store = Store::of(&lab.work()).unwrap();
    let toolchain = Toolchain::default();
    let patch = b"--- a/mm/x.c\n+++ b/mm/x.c\n";
    let named = |commit: &str| {
        let commit = Oid::from_str(commit).unwrap();
        maintainers::of(&store, &cache, &Direct, &toolchain, commit, patch).unwrap()
    };
    assert_eq!(named(&bare), None);
    assert_eq!(
        named(&commit).unwrap(),
        ["A U Thor <author@example.org>", "list-of-mm@example.org"]
    );

    let found = |commit: &str| {
        let commit = Oid::from_str(commit).unwrap();
        checkpatch::check(&store, &cache, &Direct, &toolchain, commit, patch).unwrap()
    };
    assert_eq!(found(&bare), None);
    let said: Vec<String> = (found(&commit).unwrap().iter())
        .map(|one| format!("{} {:?} {:?} {}", one.rule, one.file, one.line, one.text))
        .collect();
    assert_eq!(
        said,
        [
            "COMMIT_MESSAGE None None --no-tree --strict",
            "CODE_INDENT Some(\"mm/x.c\") Some(7) spaces"
        ]
    );
    let nowhere = Store::of(&lab.dir.path().join("nowhere"));
    assert!(matches!(nowhere, Err(StoreError::Foreign { .. })));
}
