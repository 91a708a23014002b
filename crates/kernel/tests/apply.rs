//! Applying, held against git and GNU patch on the same input.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod lab;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;

use kernel::apply::{Prerequisite, Verdict, apply, arms};
use lab::{Dice, Lab, patch};

/// A file of lines that are mostly unlike each other.
fn text(dice: &mut Dice, count: usize) -> Vec<String> {
    (0..count)
        .map(|n| match dice.below(6) {
            0 => "}\n".to_owned(),
            1 => "\n".to_owned(),
            _ => format!("\tstep_{n}({});\n", dice.below(1000)),
        })
        .collect()
}

/// Changes in a few places, `count` of them.
fn edit(dice: &mut Dice, lines: &mut Vec<String>, count: usize, tag: &str) {
    for n in 0..count {
        let at = dice.below(lines.len() + 1);
        match dice.below(3) {
            0 if at < lines.len() => {
                lines.remove(at);
            }
            1 if at < lines.len() => lines[at] = format!("\t{tag}_{n}({at});\n"),
            _ => lines.insert(at, format!("\t{tag}_{n}();\n")),
        }
    }
}

fn content(dice: &mut Dice, lines: &[String], crlf: bool) -> String {
    // No blank lines at the end: where a hunk says that the file ends without
    // a newline and it ends with several, git loses one of them.
    let mut text = lines.concat().trim_end_matches('\n').to_owned();
    if !dice.one_in(4) {
        text.push('\n');
    }
    if crlf {
        text.replace('\n', "\r\n")
    } else {
        text
    }
}

/// One case: a base, a patch on it, and a target that drifted from the base.
fn case(seed: u64) -> Verdict {
    let mut dice = Dice(seed);
    let lab = Lab::new();
    let crlf = dice.one_in(8);
    let size = 5 + dice.below(120);
    let mut lines = text(&mut dice, size);
    lab.write("mm/keep.c", "int keep;\n");
    lab.write("mm/gone.c", "int gone;\n");
    lab.write("mm/a.S", content(&mut dice, &lines, crlf));
    let base = lab.commit("base");

    // The patch.
    let before = lines.clone();
    let count = 1 + dice.below(3);
    edit(&mut dice, &mut lines, count, "patched");
    if dice.one_in(5) {
        fs::remove_file(lab.work().join("mm/a.S")).unwrap();
        lab.write("lib/moved.S", content(&mut dice, &lines, crlf));
    } else {
        lab.write("mm/a.S", content(&mut dice, &lines, crlf));
    }
    if dice.one_in(5) {
        lab.write("new/deep/file.c", "int fresh;\n");
    }
    if dice.one_in(5) {
        fs::remove_file(lab.work().join("mm/gone.c")).unwrap();
    }
    if dice.one_in(5) {
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(lab.work().join("mm/keep.c"), mode).unwrap();
    }
    lab.commit("mm: change\n\nBody.\n\nSigned-off-by: A U Thor <author@example.org>");
    let mail = lab
        .run("git", &["format-patch", "-1", "--stdout", "-M"], b"")
        .stdout;
    let diff = lab.run("git", &["diff", "-M", "HEAD^"], b"").stdout;
    if diff.is_empty() {
        return Verdict::Clean;
    }

    // The target.
    if dice.one_in(8) {
        // The patch itself.
    } else {
        lab.git(&["checkout", "-q", &base]);
        let mut target = before;
        let count = dice.below(5);
        edit(&mut dice, &mut target, count, "drifted");
        if dice.one_in(2) {
            let count = dice.below(30);
            let head = text(&mut dice, count);
            target.splice(0..0, head);
        }
        lab.write("mm/a.S", content(&mut dice, &target, crlf));
    }
    let target = lab.commit("target");
    let stock = lab.import();
    let ours = apply(&lab.store, stock.commit, &[patch("mm: change", &diff)]).unwrap();
    let tree = lab.tree_of(ours.commit);

    let git = lab.run("git", &["apply", "--index"], &diff);
    let (said, git) = (git.stderr, git.status.success());
    let git_tree = git.then(|| lab.tree());
    lab.git(&["reset", "-q", "--hard", &target]);
    // `git am` does the same, and is slow: now and then is enough.
    if seed.is_multiple_of(4) {
        let am = lab
            .run("git", &["am", "-q", "--keep-cr"], &mail)
            .status
            .success();
        let am_tree = am.then(|| lab.git(&["rev-parse", "HEAD^{tree}"]));
        assert_eq!(am_tree, git_tree, "seed {seed}: git disagrees with itself");
        if !am {
            lab.run("git", &["am", "--abort"], b"");
        }
    }
    let placed = matches!(ours.verdict, Verdict::Clean | Verdict::Offset);
    if placed != git {
        let said = String::from_utf8_lossy(&said).into_owned();
        let diff = String::from_utf8_lossy(&diff).into_owned();
        let text = lab.git(&["show", &format!("{target}:mm/a.S")]);
        panic!("seed {seed}: {ours:#?}\n{said}\n{diff}\n{text}");
    }
    if let Some(expected) = git_tree {
        assert_eq!(
            tree,
            expected,
            "seed {seed}: {}",
            lab.difference(&tree, &expected)
        );
        return ours.verdict;
    }

    lab.git(&["reset", "-q", "--hard", &target]);
    lab.git(&["clean", "-qfdx"]);
    let args = [
        "-p1",
        "-N",
        "-s",
        "-f",
        "--binary",
        "--no-backup-if-mismatch",
        "-r-",
    ];
    let gnu = lab.run("patch", &args, &diff);
    match ours.verdict {
        Verdict::Fuzz => {
            let said = String::from_utf8_lossy(&gnu.stdout);
            assert!(gnu.status.success(), "seed {seed}: {said}\n{ours:#?}");
            let expected = lab.tree();
            assert_eq!(
                tree,
                expected,
                "seed {seed}: {}",
                lab.difference(&tree, &expected)
            );
        }
        _ => assert_eq!(tree, stock.tree.to_string(), "seed {seed}"),
    }
    if gnu.status.success() {
        assert_eq!(ours.verdict, Verdict::Fuzz, "seed {seed}: {ours:#?}");
    }
    ours.verdict
}

#[test]
fn agrees_with_git_and_patch() {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse().ok());
    let first: u64 = number("FIRST").unwrap_or(0);
    let seeds = first..first + number("CASES").unwrap_or(200);
    let seen = Mutex::new(BTreeMap::new());
    let next = Mutex::new(seeds);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(seed) = { next.lock().unwrap().next() } {
                    let verdict = case(seed);
                    *seen.lock().unwrap().entry(verdict).or_insert(0) += 1;
                }
            });
        }
    });
    let seen = seen.into_inner().unwrap();
    println!("{seen:?}");
    // Cases that all end alike would prove nothing.
    for verdict in [
        Verdict::Clean,
        Verdict::Offset,
        Verdict::Fuzz,
        Verdict::AlreadyApplied,
    ] {
        assert!(seen.get(&verdict).is_some_and(|n| *n >= 3), "{seen:?}");
    }
    assert!(seen.contains_key(&Verdict::Conflict), "{seen:?}");
}

const OOM: &str = "\
#include <linux/mm.h>
#include \"internal.h\"

static bool reap(struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	bool ret = true;
	VMA_ITERATOR(vmi, mm, 0);

	/*
	 * Tell all users that the content is gone.
	 */
	set_bit(MMF_UNSTABLE, &mm->flags);

	for_each_vma(vmi, vma) {
		if (vma->vm_flags & VM_HUGETLB)
			continue;
		ret = local_helper(vma);
	}
	return ret;
}

static void other(void)
{
	nothing();
}
";

const PATCH: &str = "\
diff --git a/mm/oom.c b/mm/oom.c
--- a/mm/oom.c
+++ b/mm/oom.c
@@ -5,7 +5,7 @@ static bool reap(struct mm_struct *mm)
 {
 	struct vm_area_struct *vma;
 	bool ret = true;
-	VMA_ITERATOR(vmi, mm, 0);
+	MA_STATE(mas, &mm->mm_mt, ULONG_MAX, ULONG_MAX);
 
 	/*
 	 * Tell all users that the content is gone.
@@ -12,7 +12,11 @@ static bool reap(struct mm_struct *mm)
 	 */
 	set_bit(MMF_UNSTABLE, &mm->flags);
 
-	for_each_vma(vmi, vma) {
+	/*
+	 * From the top, since mas_nothing() and
+	 * exit_mmap() come from below.
+	 */
+	mas_for_each_rev(&mas, vma, 0) {
 		if (vma->vm_flags & VM_HUGETLB)
 			continue;
 		ret = local_helper(vma);
";

const HEADER: &str = "\
#define MA_STATE(name, mt, first, end) struct ma_state name
#define mas_for_each(mas, entry, max) while (mas_find(mas, max))
#define PASTED(name) static inline int folio_test_##name(void)
PASTED(dirty)
#define VMA_ITERATOR(name, mm, addr) struct vma_iterator name
#define for_each_vma(vmi, vma) while (vma_next(&vmi))
";

fn tree(header: &str, oom: &str) -> Lab {
    let lab = Lab::new();
    lab.write(
        "Makefile",
        "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 117\nEXTRAVERSION =\n",
    );
    lab.write("include/linux/mm.h", header);
    lab.write(
        "mm/internal.h",
        "bool local_helper(struct vm_area_struct *vma);\n",
    );
    lab.write("mm/oom.c", oom);
    lab
}

fn with_rev() -> String {
    format!("{HEADER}#define mas_for_each_rev(mas, entry, min) while (mas_find_rev(mas, min))\n")
}

fn prerequisite() -> Prerequisite {
    let diff = "\
diff --git a/include/linux/mm.h b/include/linux/mm.h
--- a/include/linux/mm.h
+++ b/include/linux/mm.h
@@ -1,4 +1,5 @@
 #define MA_STATE(name, mt, first, end) struct ma_state name
 #define mas_for_each(mas, entry, max) while (mas_find(mas, max))
+#define mas_for_each_rev(mas, entry, min) while (mas_find(mas, min))
 #define PASTED(name) static inline int folio_test_##name(void)
 PASTED(dirty)
";
    Prerequisite {
        symbol: "mas_for_each_rev".into(),
        patch: patch("maple_tree: add mas_for_each_rev()", diff.as_bytes()),
    }
}

#[test]
fn both_arms_get_a_prerequisite_only_where_its_symbol_is_missing() {
    let series = [patch("mm: reap in reverse", PATCH.as_bytes())];
    let lab = tree(HEADER, OOM);
    let kernel = lab.import();
    let none = arms(&lab.store, "6.12", kernel.commit, &series, &[], &[]).unwrap();
    assert_eq!(none.report.verdict, Verdict::NeedsPrerequisite);
    assert_eq!(none.report.missing_symbols, ["mas_for_each_rev"]);
    assert_eq!(none.arms, None);

    let both = arms(
        &lab.store,
        "6.12",
        kernel.commit,
        &series,
        &[prerequisite()],
        &[],
    )
    .unwrap();
    assert_eq!(both.report.verdict, Verdict::NeedsPrerequisite);
    assert_eq!(
        both.report.prerequisites,
        ["maple_tree: add mas_for_each_rev()"]
    );
    let made = both.arms.unwrap();
    assert!(!made.reversed);
    assert_eq!(made.commits, [made.patched]);
    assert_eq!(lab.show("%P", made.patched), made.base.to_string());
    assert_eq!(lab.show("%P", made.base), kernel.commit.to_string());
    // The second time around the same commits come out.
    let again = arms(
        &lab.store,
        "6.12",
        kernel.commit,
        &series,
        &[prerequisite()],
        &[],
    )
    .unwrap();
    assert_eq!(again.arms, Some(made));

    let lab = tree(&with_rev(), OOM);
    let kernel = lab.import();
    let stock = arms(
        &lab.store,
        "6.13",
        kernel.commit,
        &series,
        &[prerequisite()],
        &[],
    )
    .unwrap();
    assert_eq!(stock.report.verdict, Verdict::Clean);
    assert_eq!(stock.arms.unwrap().base, kernel.commit);
    let json = serde_json::to_string_pretty(&stock.report).unwrap();
    insta::assert_snapshot!(json, @r#"
    {
      "kernel": "6.13",
      "verdict": "clean",
      "patches": [
        {
          "subject": "mm: reap in reverse",
          "verdict": "clean",
          "hunks": [
            {
              "file": "mm/oom.c",
              "offset": 0,
              "fuzz": 0,
              "verdict": "clean"
            },
            {
              "file": "mm/oom.c",
              "offset": 0,
              "fuzz": 0,
              "verdict": "clean"
            }
          ]
        }
      ],
      "missing_symbols": [],
      "prerequisites": []
    }
    "#);
}

#[test]
fn a_merged_series_is_known_by_its_code_and_reversed() {
    // Another comment, other context, as it was merged.
    let merged = OOM
        .replace(
            "VMA_ITERATOR(vmi, mm, 0);",
            "MA_STATE(mas, &mm->mm_mt, ULONG_MAX, ULONG_MAX);",
        )
        .replace(
            "set_bit(MMF_UNSTABLE, &mm->flags);",
            "mm_flags_set(MMF_UNSTABLE, mm);",
        )
        .replace(
            "\tfor_each_vma(vmi, vma) {",
            "\t/* Reduce races: start from the other end. */\n\tmas_for_each_rev(&mas, vma, 0) {",
        );
    let series = [patch("mm: reap in reverse", PATCH.as_bytes())];
    let lab = tree(&with_rev(), &merged);
    let kernel = lab.import();
    let report = arms(&lab.store, "7.2", kernel.commit, &series, &[], &[]).unwrap();
    assert_eq!(report.report.verdict, Verdict::AlreadyApplied);
    assert_eq!(report.arms, None);

    let lines: Vec<_> = merged.lines().collect();
    let at = lines
        .iter()
        .position(|l| l.contains("mas_for_each_rev"))
        .unwrap();
    let state = lines.iter().position(|l| l.contains("MA_STATE")).unwrap();
    let inverse = format!(
        "--- a/mm/oom.c\n+++ b/mm/oom.c\n@@ -{0},2 +{0},2 @@\n-{1}\n+\tVMA_ITERATOR(vmi, mm, 0);\n \n\
         @@ -{2},2 +{2},2 @@\n-{3}\n+\tfor_each_vma(vmi, vma) {{\n {4}\n",
        state + 1,
        lines[state],
        at + 1,
        lines[at],
        lines[at + 1],
    );
    let inverses = [
        patch("not this one", PATCH.replace("reap(", "rip(").as_bytes()),
        patch("Revert", inverse.as_bytes()),
    ];
    let swapped = arms(&lab.store, "7.2", kernel.commit, &series, &[], &inverses).unwrap();
    let swapped = swapped.arms.unwrap();
    assert!(swapped.reversed);
    assert_eq!(swapped.patched, kernel.commit);
    assert_eq!(lab.show("%s", swapped.base), "Revert");

    // One line short of it is a conflict, not a claim.
    for (from, to) in [
        (
            "mas_for_each_rev(&mas, vma, 0)",
            "mas_for_each_rev(&mas, vma, 1)",
        ),
        (
            "\tbool ret = true;\n",
            "\tbool ret = true;\n\tVMA_ITERATOR(vmi, mm, 0);\n",
        ),
        ("static bool reap", "static bool rip"),
    ] {
        let text = merged.replace(from, to);
        assert_ne!(text, merged);
        let lab = tree(&with_rev(), &text);
        let kernel = lab.import();
        let applied = apply(&lab.store, kernel.commit, &series).unwrap();
        assert_eq!(applied.verdict, Verdict::Conflict, "{from}");
        assert_eq!(applied.commit, kernel.commit);
    }
}

#[test]
fn a_conflict_shows_what_is_there_instead() {
    let lab = tree(
        &with_rev(),
        &OOM.replace("VMA_ITERATOR(vmi, mm, 0);", "VMA_ITERATOR(vmi, mm, 1);"),
    );
    let kernel = lab.import();
    let series = [patch("mm: reap in reverse", PATCH.as_bytes())];
    let applied = apply(&lab.store, kernel.commit, &series).unwrap();
    let hunks = &applied.patches[0].hunks;
    assert_eq!(hunks[1].verdict, Verdict::Clean);
    let shown = hunks[0].conflict.as_deref().unwrap().replace('\t', "  ");
    insta::assert_snapshot!(shown, @"
    expected at line 5 (-), found at line 5 (+), in static bool reap(struct mm_struct *mm)
         5  {
         6    struct vm_area_struct *vma;
         7    bool ret = true;
           -  VMA_ITERATOR(vmi, mm, 0);
         8 +  VMA_ITERATOR(vmi, mm, 1);
         9
        10    /*
        11     * Tell all users that the content is gone.
    ");
}

#[test]
fn symbols_come_from_wherever_a_compiler_would_find_them() {
    let call = |name: &str| {
        let diff = format!(
            "--- a/mm/oom.c\n+++ b/mm/oom.c\n@@ -22,5 +22,6 @@\n \n static void other(void)\n {{\n+\t{name}\n \tnothing();\n }}\n"
        );
        let lab = tree(HEADER, OOM);
        let kernel = lab.import();
        apply(&lab.store, kernel.commit, &[patch("call", diff.as_bytes())]).unwrap()
    };
    for known in [
        "mas_for_each(&mas, vma, 0) {}",
        "local_helper(0);",
        "nothing(1);",
        "folio_test_dirty();",
        "if (sizeof(int)) return;",
        "ops->unknown(1);",
        "printk_text = \"unknown(1)\";",
        "/* unknown(1) */",
        "int (*unknown)(int) = nothing; unknown(1);",
        "__builtin_unreachable();",
    ] {
        assert_eq!(call(known).missing_symbols, [""; 0], "{known}");
    }
    for unknown in [
        "unknown(1);",
        "return unknown (1);",
        "x = a * unknown(1);",
        "f(c, unknown(1));",
    ] {
        let names = call(unknown).missing_symbols;
        assert!(
            names.contains(&"unknown".to_owned()),
            "{unknown}: {names:?}"
        );
    }
}

#[test]
fn a_series_brings_its_own_symbols() {
    let header = "--- a/include/linux/mm.h\n+++ b/include/linux/mm.h\n@@ -3,3 +3,4 @@\n #define PASTED(name) static inline int folio_test_##name(void)\n PASTED(dirty)\n+struct page *brand_new(int way);\n #define VMA_ITERATOR(name, mm, addr) struct vma_iterator name\n";
    let user = "--- a/mm/oom.c\n+++ b/mm/oom.c\n@@ -22,5 +22,6 @@\n \n static void other(void)\n {\n+\tbrand_new(1);\n \tnothing();\n }\n";
    let lab = tree(HEADER, OOM);
    let kernel = lab.import();
    let series = [
        patch("header", header.as_bytes()),
        patch("user", user.as_bytes()),
    ];
    let applied = apply(&lab.store, kernel.commit, &series).unwrap();
    assert_eq!(
        (applied.verdict, applied.missing_symbols.len()),
        (Verdict::Clean, 0)
    );
    // Later, on top of the first one's commit, too.
    let first = applied.commits[0].unwrap();
    let applied = apply(&lab.store, first, &series[1..]).unwrap();
    assert_eq!(applied.verdict, Verdict::Clean);
}

#[test]
fn commits_are_as_git_am_writes_them() {
    let lab = tree(&with_rev(), OOM);
    let stock = lab.import();
    let mail = format!(
        "From: =?utf-8?q?J=C3=B6rg?= <j@example.org>\nDate: Fri, 29 Aug 2025 14:55:50 +0800\n\
         Subject: [PATCH v6 2/2] mm: reap in reverse\n\nWhy it matters.  \n\n\n\
         Signed-off-by: J <j@example.org>\n---\n mm/oom.c | 2 +-\n\n{PATCH}-- \n2.17.1\n"
    );
    lab.commit("stock");
    let am = lab.run("git", &["am", "-q"], mail.as_bytes());
    assert!(
        am.status.success(),
        "{}",
        String::from_utf8_lossy(&am.stderr)
    );
    let series = series::series::parse(mail.as_bytes()).unwrap();
    let applied = apply(&lab.store, stock.commit, &series.patches).unwrap();
    assert_eq!(applied.verdict, Verdict::Clean);
    let format = "%an|%ae|%ad|%B";
    assert_eq!(
        lab.show(format, applied.commit),
        lab.git(&["log", "-1", &format!("--format={format}")])
    );
    assert_eq!(
        lab.tree_of(applied.commit),
        lab.git(&["rev-parse", "HEAD^{tree}"])
    );
    assert_eq!(
        lab.show("%cn|%ce|%ct", applied.commit),
        "reaperlab|reaperlab@localhost|1756450550"
    );
}

#[test]
fn the_version_it_was_made_on_decides_by_three_way_merge() {
    let lab = tree(&with_rev(), OOM);
    lab.import();
    let base = lab.commit("base");
    // One hunk with two changes; the line between them has drifted.
    let edited = OOM
        .replace("VMA_ITERATOR(vmi, mm, 0);", "VMA_ITERATOR(vmi, mm, 4096);")
        .replace("set_bit(MMF_UNSTABLE", "set_bit(MMF_GONE");
    lab.write("mm/oom.c", edited);
    lab.commit("mm: change");
    let mail = lab
        .run("git", &["format-patch", "-1", "--stdout"], b"")
        .stdout;
    lab.git(&["checkout", "-q", &base]);
    let drifted = OOM.replace("Tell all users that", "Say that");
    lab.write("mm/oom.c", &drifted);
    lab.commit("target");
    let target = lab.import();
    let am = lab.run("git", &["am", "-q", "-3"], &mail);
    let series = series::series::parse(&mail).unwrap();
    let applied = apply(&lab.store, target.commit, &series.patches).unwrap();
    assert!(am.status.success());
    assert_eq!(applied.verdict, Verdict::ThreeWay, "{applied:#?}");
    assert_eq!(
        lab.tree_of(applied.commit),
        lab.git(&["rev-parse", "HEAD^{tree}"])
    );
}

#[test]
fn hostile_or_impossible_patches_change_nothing() {
    let lab = tree(HEADER, OOM);
    std::os::unix::fs::symlink("oom.c", lab.work().join("mm/link.c")).unwrap();
    let kernel = lab.import();
    for (diff, why) in [
        (
            "--- a/mm/none.c\n+++ b/mm/none.c\n@@ -1 +1 @@\n-a\n+b\n",
            "no such file",
        ),
        (
            "--- /dev/null\n+++ b/mm/oom.c\n@@ -0,0 +1 @@\n+b\n",
            "the file exists",
        ),
        ("--- /dev/null\n+++ b/mm/oom.c/x\n@@ -0,0 +1 @@\n+b\n", ""),
        ("--- /dev/null\n+++ b/mm\n@@ -0,0 +1 @@\n+b\n", ""),
        (
            "--- a/mm/link.c\n+++ b/mm/link.c\n@@ -1 +1 @@\n-a\n+b\n",
            "symbolic link",
        ),
        (
            "--- a/mm/internal.h\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n",
            "",
        ),
    ] {
        let applied = apply(&lab.store, kernel.commit, &[patch("x", diff.as_bytes())]).unwrap();
        assert_eq!(applied.verdict, Verdict::Conflict, "{diff}");
        assert_eq!(applied.commit, kernel.commit, "{diff}");
        let mut reasons = applied.patches[0]
            .hunks
            .iter()
            .filter_map(|h| h.conflict.as_deref());
        assert!(reasons.any(|text| text.contains(why)), "{applied:#?}");
    }
    let mut bad = patch("x", PATCH.as_bytes());
    bad.files[0].new_path = Some("../../etc/passwd".into());
    assert!(apply(&lab.store, kernel.commit, &[bad]).is_err());
}
