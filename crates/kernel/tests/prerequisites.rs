//! What both arms get beside the series, and what is only said of symbols that
//! look missing.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod lab;

use kernel::apply::{Prepared, Prerequisite, Verdict, arms};
use lab::{Lab, patch};
use series::patch::Patch;

const MAPLE_TREE: &str = "\
#define MA_STATE(name, mt, first, end) struct ma_state name
#define mas_for_each(mas, entry, max) while (mas_find(mas, max))
";

const REVERSE: &str = "#define mas_for_each_rev(mas, entry, min) while (mas_find_rev(mas, min))\n";

const OOM: &str = "\
#include <linux/maple_tree.h>
#include \"internal.h\"

static void reap(struct mm_struct *mm)
{
	MA_STATE(mas, &mm->mm_mt, 0, 0);

	mas_for_each(&mas, vma, 0)
		unmap(vma);
}
";

/// The series at hand, in small.
const SERIES: &str = "\
--- a/mm/oom.c
+++ b/mm/oom.c
@@ -5,6 +5,6 @@
 {
 \tMA_STATE(mas, &mm->mm_mt, 0, 0);
 
-\tmas_for_each(&mas, vma, 0)
+\tmas_for_each_rev(&mas, vma, 0)
 \t\tunmap(vma);
 }
";

/// A small kernel with files of its own besides, or instead.
fn tree(files: &[(&str, &str)]) -> Lab {
    let lab = Lab::new();
    lab.write("Makefile", "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 117\n");
    lab.write("include/linux/maple_tree.h", MAPLE_TREE);
    lab.write("mm/internal.h", "void unmap(struct vm_area_struct *vma);\n");
    lab.write("mm/oom.c", OOM);
    for (path, text) in files {
        lab.write(path, text);
    }
    lab
}

/// A patch that puts lines in front of a file, which may be new.
fn prepend(lab: &Lab, path: &str, lines: &str) -> Patch {
    let added = lines.lines().count();
    let body: String = lines.lines().map(|line| format!("+{line}\n")).collect();
    let diff = match std::fs::read_to_string(lab.work().join(path)) {
        Ok(old) => {
            let kept: Vec<_> = old.lines().take(3).collect();
            let context: String = kept.iter().map(|line| format!(" {line}\n")).collect();
            let (old, new) = (kept.len(), kept.len() + added);
            format!("--- a/{path}\n+++ b/{path}\n@@ -1,{old} +1,{new} @@\n{body}{context}")
        }
        Err(_) => format!("--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{added} @@\n{body}"),
    };
    patch(&format!("change {path}"), diff.as_bytes())
}

fn prepared(lab: &Lab, series: &[Patch], prerequisites: &[Prerequisite]) -> Prepared {
    let kernel = lab.import();
    arms(
        &lab.store,
        "6.12",
        kernel.commit,
        series,
        prerequisites,
        &[],
    )
    .unwrap()
}

fn notes(prepared: &Prepared) -> Vec<String> {
    let json = serde_json::to_value(&prepared.report).unwrap();
    serde_json::from_value(json["notes"].clone()).unwrap_or_default()
}

fn series() -> [Patch; 1] {
    [patch("mm: reap in reverse", SERIES.as_bytes())]
}

/// What the manifest of the series at hand names.
fn prerequisite(lab: &Lab) -> Prerequisite {
    let mut patch = prepend(lab, "include/linux/maple_tree.h", REVERSE);
    patch.subject = "maple_tree: add mas_for_each_rev()".into();
    patch.message.clone_from(&patch.subject);
    Prerequisite {
        symbol: "mas_for_each_rev".into(),
        patch,
    }
}

#[test]
fn a_symbol_that_looks_missing_is_a_note_and_the_arms_are_made() {
    let lab = tree(&[]);
    let made = prepared(&lab, &series(), &[]);
    assert_eq!(made.report.verdict, Verdict::Clean);
    assert_eq!(made.report.missing_symbols, [""; 0]);
    let arms = made.arms.as_ref().unwrap();
    assert_eq!(lab.show("%P", arms.patched), arms.base.to_string());
    let [note] = notes(&made).try_into().unwrap();
    assert!(note.contains("`mas_for_each_rev`"), "{note}");
}

#[test]
fn both_arms_get_the_manifests_prerequisite_where_the_tree_lacks_its_symbol() {
    let lab = tree(&[]);
    let prerequisites = [prerequisite(&lab)];
    let made = prepared(&lab, &series(), &prerequisites);
    assert_eq!(made.report.verdict, Verdict::NeedsPrerequisite);
    assert_eq!(made.report.patches[0].verdict, Verdict::NeedsPrerequisite);
    assert_eq!(made.report.missing_symbols, ["mas_for_each_rev"]);
    let used = ["maple_tree: add mas_for_each_rev()"];
    assert_eq!(made.report.prerequisites, used);
    assert_eq!(notes(&made), [""; 0]);
    let arms = made.arms.as_ref().unwrap();
    assert!(!arms.reversed);
    assert_eq!(arms.commits, [arms.patched]);
    assert_eq!(lab.show("%P", arms.patched), arms.base.to_string());
    assert_eq!(lab.show("%s", arms.base), used[0]);
    // The second time around the same commits come out.
    assert_eq!(prepared(&lab, &series(), &prerequisites).arms, made.arms);
}

#[test]
fn nobody_gets_a_prerequisite_in_vain() {
    let with = format!("{MAPLE_TREE}{REVERSE}");
    let mentions = format!("{MAPLE_TREE}/* see mas_for_each_rev() */\n");
    let has = ("include/linux/maple_tree.h", with.as_str());
    let lab = tree(&[]);
    let elsewhere = prepend(&lab, "mm/oom.c", "/* not mas_for_each_rev() */");
    let itself = prerequisite(&lab).patch;
    for (what, files, series, needed) in [
        ("the tree has it", vec![has], series().to_vec(), false),
        ("nobody calls it", vec![], vec![elsewhere], false),
        (
            "the series brings it itself",
            vec![],
            vec![itself, series()[0].clone()],
            false,
        ),
        (
            "a comment names it",
            vec![("include/linux/maple_tree.h", mentions.as_str())],
            series().to_vec(),
            true,
        ),
    ] {
        let lab = tree(&files);
        let made = prepared(&lab, &series, &[prerequisite(&lab)]);
        let (verdict, count) = match needed {
            true => (Verdict::NeedsPrerequisite, 1),
            false => (Verdict::Clean, 0),
        };
        assert_eq!(made.report.verdict, verdict, "{what}");
        assert_eq!(made.report.missing_symbols.len(), count, "{what}");
        assert_eq!(made.report.prerequisites.len(), count, "{what}");
        let base = lab.show("%s", made.arms.unwrap().base);
        assert_eq!(base.contains("add mas_for_each_rev"), needed, "{what}");
    }
}

#[test]
fn a_prerequisite_brings_what_it_needs_itself() {
    let lab = tree(&[("include/linux/mas.h", "#define MAS 1\n")]);
    let provides = |symbol: &str, path: &str, lines: &str| Prerequisite {
        symbol: symbol.into(),
        patch: prepend(&lab, path, lines),
    };
    let prerequisites = [
        provides("mas_step", "include/linux/mas.h", "void mas_step(int way);"),
        provides(
            "mas_for_each_rev",
            "include/linux/maple_tree.h",
            "#define mas_for_each_rev(mas, entry, min) while (mas_step(-1))",
        ),
        provides(
            "mas_unused",
            "include/linux/mas.h",
            "void mas_unused(void);",
        ),
    ];
    let made = prepared(&lab, &series(), &prerequisites);
    let used = [
        "change include/linux/mas.h",
        "change include/linux/maple_tree.h",
    ];
    assert_eq!(made.report.prerequisites, used);
    assert_eq!(made.report.missing_symbols, ["mas_for_each_rev"]);
}

/// What 93 public patches were refused for, or would be: they all compile.
#[test]
fn what_a_compiler_finds_elsewhere_is_no_verdict_and_no_note() {
    let pasting = "#define DEFINE_COUNTER(name) \\\nstatic inline int name##_read(void)\n";
    let testing = "#define TESTPAGEFLAG(name) \\\nstatic inline int folio_test_##name(void)\n";
    let own_static = "static int shrink(int n)\n{\n\treturn n;\n}\n";
    let files = [
        ("include/linux/page-flags.h", testing),
        ("include/linux/counter.h", pasting),
        ("mm/vmscan.c", own_static),
        ("mm/local.c", "int before;\n"),
        ("lib/raid6/neon.c", "#include <arm_neon.h>\n"),
        ("drivers/a/b/part.c", "#include \"wide.h\"\n"),
        ("drivers/a/include/wide.h", "int wide_call(int n);\n"),
        (
            "tools/testing/selftests/mm/map.c",
            "#include \"kselftest.h\"\n",
        ),
        ("samples/user/run.c", "int main(void);\n"),
        ("scripts/mod/walk.c", "int main(void);\n"),
        ("usr/gen_init_cpio.c", "int main(void);\n"),
    ];
    let makes_global = "\
--- a/mm/vmscan.c
+++ b/mm/vmscan.c
@@ -1,3 +1,3 @@
-static int shrink(int n)
+int shrink(int n)
 {
 \treturn n;
--- a/mm/internal.h
+++ b/mm/internal.h
@@ -1 +1,2 @@
 void unmap(struct vm_area_struct *vma);
+int shrink(int n);
";
    let global = patch("global", makes_global.as_bytes());
    let lab = tree(&files);
    let change = |path: &str, lines: &str| prepend(&lab, path, lines);
    for (what, series) in [
        (
            "a header that the build generates",
            vec![change(
                "mm/local.c",
                "#include <linux/version.h>\nint x = KERNEL_VERSION(6, 1, 0);",
            )],
        ),
        (
            "libc",
            vec![change(
                "tools/testing/selftests/mm/map.c",
                "void f(void) { pthread_create(0, 0, 0, 0); ksft_print(1); }",
            )],
        ),
        (
            "libc, without a header that tells",
            vec![change("tools/lib/bpf/x.c", "int y = sysconf(1);")],
        ),
        (
            "samples",
            vec![change("samples/user/run.c", "int y = fork();")],
        ),
        (
            "scripts",
            vec![change("scripts/mod/walk.c", "int y = stat(1);")],
        ),
        (
            "usr",
            vec![change("usr/gen_init_cpio.c", "int y = utime(1);")],
        ),
        (
            "an intrinsic of the compiler's headers",
            vec![change(
                "lib/raid6/neon.c",
                "void f(void *p) { uint8x16_t v = vld1q_u8(p); }",
            )],
        ),
        (
            "a builtin",
            vec![change("mm/local.c", "int y = __builtin_ctz(8);")],
        ),
        (
            "a header found by -I",
            vec![change("drivers/a/b/part.c", "int y = wide_call(1);")],
        ),
        (
            "a name that a macro of a header pastes",
            vec![change(
                "mm/local.c",
                "int f(void) { return folio_test_dirty(); }",
            )],
        ),
        (
            "a name that a macro pastes of the patch's own",
            vec![change(
                "mm/local.c",
                "DEFINE_COUNTER(refault);\nint f(void) { return refault_read(); }",
            )],
        ),
        (
            "a name that a macro of the patch pastes",
            vec![change(
                "mm/local.c",
                "#define MAKE(x) static int make_##x(void)\nMAKE(it);\nint y = make_it();",
            )],
        ),
        (
            "a static function that the patch makes global",
            vec![
                global,
                change("mm/local.c", "int f(void) { return shrink(1); }"),
            ],
        ),
        (
            "a function that a later patch brings",
            vec![
                change("mm/local.c", "int f(void) { return later(1); }"),
                change("include/linux/counter.h", "int later(int n);"),
            ],
        ),
        (
            "names of one function alone",
            vec![change(
                "mm/local.c",
                "int f(struct ops *ops, int (*hook)(int))\n{\n\tint local = sizeof(int);\nout:\n\tops->member(local);\n\treturn hook(local);\n}",
            )],
        ),
        (
            "text and comments",
            vec![change(
                "mm/local.c",
                "/* gone(1) */\nchar *s = \"gone(1)\"; // gone(1)",
            )],
        ),
    ] {
        let made = prepared(&lab, &series, &[]);
        assert_eq!(made.report.verdict, Verdict::Clean, "{what}");
        assert_eq!(made.report.missing_symbols, [""; 0], "{what}");
        assert_eq!(notes(&made), [""; 0], "{what}");
        assert!(made.arms.is_some(), "{what}");
    }
}

#[test]
fn what_calls_a_name_that_no_header_has_is_noted() {
    let lab = tree(&[]);
    for line in [
        "int y = gone(1);",
        "int f(void) { return gone (1); }",
        "int f(int a)\n{\n\treturn a * gone(a);\n}",
        "int f(void) { return unmap(gone(1)); }",
    ] {
        let change = prepend(&lab, "mm/oom.c", line);
        let made = prepared(&lab, &[change], &[]);
        assert_eq!(made.report.verdict, Verdict::Clean, "{line}");
        let [note] = notes(&made).try_into().unwrap();
        assert!(note.contains("`gone`"), "{line}: {note}");
    }
}
