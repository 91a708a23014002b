//! Applying: verdicts, commits, arms. What `agreement` can't generate.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod lab;

use kernel::apply::{Verdict, apply, arms};
use lab::{Lab, patch};

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

#[test]
fn a_report_is_an_entry_of_json() {
    let series = [patch("mm: reap in reverse", PATCH.as_bytes())];
    let lab = tree(&with_rev(), OOM);
    let kernel = lab.import();
    let stock = arms(&lab.store, "6.13", kernel.commit, &series, &[], &[]).unwrap();
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
      "prerequisites": [],
      "notes": []
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
    insta::assert_snapshot!(shown, @r#"
    found nowhere; line 5 has the most alike (+); expected at line 5, in static bool reap(struct mm_struct *mm) (-):
         5  {
         6    struct vm_area_struct *vma;
         7    bool ret = true;
           -  VMA_ITERATOR(vmi, mm, 0);
         8 +  VMA_ITERATOR(vmi, mm, 1);
         9
        10    /*
        11     * Tell all users that the content is gone.
    "#);
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
    let series = series::parse(mail.as_bytes()).unwrap();
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
    let series = series::parse(&mail).unwrap();
    // The store has what it was made on, as another kernel's: that is nothing.
    let alone = apply(&lab.store, target.commit, &series.patches).unwrap();
    assert_eq!(alone.verdict, Verdict::Conflict, "{alone:#?}");
    lab.lend(&target, &base);
    let applied = apply(&lab.store, target.commit, &series.patches).unwrap();
    assert!(am.status.success());
    assert_eq!(applied.verdict, Verdict::ThreeWay, "{applied:#?}");
    assert_eq!(
        lab.tree_of(applied.commit),
        lab.git(&["rev-parse", "HEAD^{tree}"])
    );
}

/// Three files as the tree has them, and the verdicts on what changes them.
#[test]
fn what_is_there_already_is_seen() {
    const CHANGE: &str = "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n";
    let named = |kind: &str, hunks: &str| {
        let names = match hunks {
            "" => "",
            _ => "--- a/mm/old.S\n+++ b/mm/new.S\n",
        };
        format!(
            "diff --git a/mm/old.S b/mm/new.S\nsimilarity index 90%\n{kind} from mm/old.S\n{kind} to mm/new.S\n{names}{hunks}"
        )
    };
    let mode = "diff --git a/mm/x.S b/mm/x.S\nold mode 100755\nnew mode 100644\n";
    let empties = "--- a/mm/x.S\n+++ b/mm/x.S\n@@ -1,3 +0,0 @@\n-a\n-b\n-c\n";
    let deletes = "--- a/mm/x.S\n+++ /dev/null\n@@ -1,3 +0,0 @@\n-a\n-b\n-c\n";
    let changes = "--- a/mm/y.S\n+++ b/mm/y.S\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n";
    const OLD: (&str, &str) = ("mm/old.S", "a\nb\nc\n");
    const NEW: (&str, &str) = ("mm/new.S", "a\nB\nc\n");
    use Verdict::{AlreadyApplied, Clean, Conflict};
    for (files, diff, expected) in [
        (vec![("mm/x.S", "")], empties.to_owned(), AlreadyApplied),
        (vec![("mm/x.S", "a\n")], empties.to_owned(), Conflict),
        (vec![("mm/x.S", "")], deletes.to_owned(), Conflict),
        (vec![NEW], named("rename", CHANGE), AlreadyApplied),
        (vec![NEW], named("rename", ""), AlreadyApplied),
        (vec![OLD, NEW], named("rename", CHANGE), Conflict),
        (vec![OLD, NEW], named("copy", CHANGE), AlreadyApplied),
        (vec![OLD, NEW], named("copy", ""), Conflict),
        (vec![NEW], named("copy", CHANGE), Conflict),
        // A mode that is there alone hinders nothing.
        (vec![("mm/x.S", "x\n")], mode.to_owned(), AlreadyApplied),
        (
            vec![("mm/x.S", "x\n"), ("mm/y.S", "a\nb\nc\n")],
            format!("{changes}{mode}"),
            Clean,
        ),
        // A file does: the rest of it is not what was tested.
        (
            vec![("mm/x.S", ""), ("mm/y.S", "a\nb\nc\n")],
            format!("{empties}{changes}"),
            Conflict,
        ),
    ] {
        let lab = Lab::new();
        lab.write("README", "A tree.\n");
        for (path, text) in &files {
            lab.write(path, text);
        }
        let kernel = lab.import();
        let applied = apply(&lab.store, kernel.commit, &[patch("x", diff.as_bytes())]).unwrap();
        assert_eq!(applied.verdict, expected, "{files:?}\n{diff}");
    }
}

/// Where one file needs the merge, every file is merged: in `b.S` git would
/// take the first hunk for the second place, were it alone.
#[test]
fn a_patch_is_placed_by_one_set_of_rules() {
    let block = "{\n\tone();\n\ttwo();\n\tthree();\n}\n";
    let lab = Lab::new();
    let (a, b) = ("a\nb\nc\nd\ne\nf\ng\nh\ni\n", block.repeat(2));
    lab.write("mm/a.S", a);
    lab.write("mm/b.S", &b);
    let base = lab.commit("base");
    lab.import();
    let patched = b.replacen("two()", "patched()", 1);
    lab.write("mm/a.S", a.replace('c', "C").replace('g', "G"));
    lab.write("mm/b.S", &patched);
    lab.commit("mm: change");
    let mail = lab
        .run("git", &["format-patch", "-1", "-U2", "--stdout"], b"")
        .stdout;
    lab.git(&["checkout", "-q", &base]);
    lab.write("mm/a.S", a.replace('e', "E"));
    lab.write("mm/b.S", &patched);
    lab.commit("target");
    let target = lab.import();
    assert!(lab.run("git", &["am", "-q", "-3"], &mail).status.success());
    let series = series::parse(&mail).unwrap();
    lab.lend(&target, &base);
    let applied = apply(&lab.store, target.commit, &series.patches).unwrap();
    assert_eq!(
        lab.tree_of(applied.commit),
        lab.git(&["rev-parse", "HEAD^{tree}"])
    );
    assert_eq!(applied.verdict, Verdict::ThreeWay);
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
        (
            "--- /dev/null\n+++ b/mm/oom.c/x\n@@ -0,0 +1 @@\n+b\n",
            "D/F conflict",
        ),
        (
            "--- /dev/null\n+++ b/mm\n@@ -0,0 +1 @@\n+b\n",
            "cannot replace 'tree' with 'blob'",
        ),
        (
            "--- a/mm/link.c\n+++ b/mm/link.c\n@@ -1 +1 @@\n-a\n+b\n",
            "symbolic link",
        ),
        (
            "--- a/mm/internal.h\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n",
            "found nowhere; line 1 has \"bool local_helper",
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
