//! What a tree has already: never put in twice, never claimed without proof.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod lab;

use kernel::apply::Verdict::{self, AlreadyApplied, Clean, Conflict, Fuzz, Offset, ThreeWay};
use kernel::apply::{apply, arms};
use lab::{Lab, patch};

/// A hunk on a file that git's own tools place nowhere.
fn on(path: &str, hunk: &str) -> String {
    format!("--- a/{path}\n+++ b/{path}\n{hunk}")
}

fn verdict(path: &str, text: &str, hunk: &str) -> Verdict {
    let lab = Lab::new();
    lab.write(path, text);
    let kernel = lab.import();
    let applied = apply(
        &lab.store,
        kernel.commit,
        &[patch("x", on(path, hunk).as_bytes())],
    );
    applied.unwrap().verdict
}

/// It is not there, whether it finds another place or none.
#[track_caller]
fn lacks(path: &str, text: &str, hunk: &str) {
    let verdict = verdict(path, text, hunk);
    assert_ne!(verdict, AlreadyApplied, "{path}\n{text}\n{hunk}");
}

#[track_caller]
fn judged(path: &str, text: &str, hunk: &str, expected: Verdict) {
    assert_eq!(
        verdict(path, text, hunk),
        expected,
        "{path}\n{text}\n{hunk}"
    );
}

const INCLUDE: &str = "@@ -1,4 +1,5 @@\n #include <linux/a.h>\n #include <linux/c.h>\n+#include <linux/d.h>\n #include <linux/f.h>\n \n";

#[test]
fn what_stands_at_the_top_of_a_file_is_known_by_its_name() {
    let text = "#include <linux/a.h>\n#include <linux/b.h>\n#include <linux/c.h>\n#include <linux/d.h>\n#include <linux/e.h>\n#include <linux/f.h>\n\nint x;\n";
    judged("mm/x.c", text, INCLUDE, AlreadyApplied);
    lacks(
        "mm/x.c",
        &text.replace("#include <linux/d.h>\n", ""),
        INCLUDE,
    );
    // Another order.
    let moved = "#include <linux/d.h>\n#include <linux/z.h>\n#include <linux/f.h>\n\nint x;\n";
    judged("mm/x.c", moved, INCLUDE, AlreadyApplied);
    // A name in a comment, or in a longer one.
    let comment = text.replace("#include <linux/d.h>", "/* #include <linux/d.h> */");
    lacks("mm/x.c", &comment, INCLUDE);

    let prototype = "@@ -10,4 +10,5 @@ struct x;\n int one(void);\n int two(void);\n+int three(struct x *x);\n int old(void);\n int older(void);\n";
    let header = "#ifndef X_H\n#define X_H\nint zero(void);\nint two(void);\nint three(struct x *x);\nint four(void);\n#endif\n";
    judged("include/linux/x.h", header, prototype, AlreadyApplied);
    lacks(
        "include/linux/x.h",
        &header.replace("*x)", "*x, int n)"),
        prototype,
    );
    let define = prototype.replace("+int three(struct x *x);", "+#define THREE 3");
    judged(
        "include/linux/x.h",
        &header.replace("int four(void);", "#define THREE\t3"),
        &define,
        AlreadyApplied,
    );
    lacks(
        "include/linux/x.h",
        &header.replace("int four(void);", "#define THREE\t4"),
        &define,
    );
    // What was to go is still there: half of a change.
    let replaced = prototype
        .replace("+int three", "-int zero(void);\n+int three")
        .replace("10,4", "10,5");
    lacks("include/linux/x.h", header, &replaced);
}

#[test]
fn a_table_and_an_enum_are_known_by_their_entries() {
    let enumerator =
        "@@ -3,4 +3,5 @@ enum item {\n \tITEM_A,\n \tITEM_B,\n+\tITEM_C,\n \t__ITEM_MAX\n };\n";
    let text = "struct s {\n\tint a;\n};\n\nenum item {\n\tITEM_A,\n\tITEM_C,\n\tITEM_D,\n\t__ITEM_MAX,\n};\n";
    judged("mm/x.h", text, enumerator, AlreadyApplied);
    lacks("mm/x.h", &text.replace("ITEM_C", "ITEM_X"), enumerator);
    // In another one, of which the hunk shows nothing.
    let other = text
        .replace("enum item {\n\tITEM_A", "enum other {\n\tOTHER_A")
        .replace("__ITEM_MAX", "__OTHER_MAX");
    lacks("mm/x.h", &other, enumerator);

    let id = "@@ -9,4 +9,5 @@ static const struct pci_device_id ids[] = {\n \t{ PCI_DEVICE(1, 0x10) },\n \t{ PCI_DEVICE(1, 0x11) },\n+\t{ PCI_DEVICE(1, 0x12) },\n \t{ PCI_DEVICE(1, 0x20) },\n \t{ }\n";
    let table = "static const struct pci_device_id ids[] = {\n\t{ PCI_DEVICE(1, 0x11) },\n\t{ PCI_DEVICE(1, 0x12) },\n\t{ PCI_DEVICE(1, 0x13) },\n\t{ }\n};\n";
    judged("drivers/x.c", table, id, AlreadyApplied);
    lacks(
        "drivers/x.c",
        &table.replace("ids[]", "more[]").replace("0x11", "0x91"),
        id,
    );

    // A member that other entries of the table have too.
    let member = "@@ -3,4 +3,5 @@ static struct x all[] = {\n \t{\n \t\t.name = \"b\",\n+\t\t.flags = X_FLAG,\n \t},\n };\n";
    let twins = "static struct x all[] = {\n\t{\n\t\t.name = \"a\",\n\t\t.flags = X_FLAG,\n\t},\n\t{\n\t\t.name = \"c\",\n\t},\n};\n";
    lacks("mm/x.c", twins, member);
}

#[test]
fn what_is_no_code_is_known_too() {
    let select = "@@ -7,4 +7,5 @@ config FOO\n \tbool \"foo\"\n \tdepends on BAR\n+\tselect BAZ_HELPER\n \thelp\n \t  Old text.\n";
    let kconfig = "config FIRST\n\tbool\n\nconfig FOO\n\ttristate \"foo\"\n\tdepends on BAR || X\n\tselect BAZ_HELPER\n\tselect MORE\n\thelp\n\t  New text.\n\nconfig LAST\n\tbool\n";
    judged("mm/Kconfig", kconfig, select, AlreadyApplied);
    lacks("mm/Kconfig", &kconfig.replace("FOO", "OTHER"), select);
    let entry = "@@ -7,3 +7,6 @@ config OLD\n \thelp\n \t  Gone.\n \n+config FOO\n+\ttristate \"foo\"\n+\n config OLDER\n";
    let entry = entry.replace("7,3 +7,6", "7,4 +7,7");
    judged("mm/Kconfig", kconfig, &entry, AlreadyApplied);
    lacks("mm/Kconfig", &kconfig.replace("tristate", "bool"), &entry);

    let object = "@@ -4,4 +4,5 @@ obj-y += z.o\n obj-$(CONFIG_A) += a.o\n obj-$(CONFIG_B) += b.o\n+obj-$(CONFIG_C) += c.o\n obj-$(CONFIG_X) += x.o\n obj-$(CONFIG_Y) += y.o\n";
    let makefile = "# SPDX\nobj-y += z.o\nobj-$(CONFIG_B)\t+= b.o\nobj-$(CONFIG_C)\t+= c.o\nobj-$(CONFIG_D)\t+= d.o\n";
    judged("mm/Makefile", makefile, object, AlreadyApplied);
    lacks("mm/Makefile", &makefile.replace("c.o", "cc.o"), object);

    let prose = "@@ -4,5 +4,6 @@\n Old words.\n \n Some words that came before.\n+A whole sentence, which was added by the patch.\n Some that came behind.\n \n";
    let document = "Title\n=====\n\nOther words that came before.\nA whole sentence, which was added by the patch.\nMore of them.\n";
    judged("Documentation/x.rst", document, prose, AlreadyApplied);
    lacks(
        "Documentation/x.rst",
        &document.replace("whole ", ""),
        prose,
    );

    // A comment of code is prose.
    let comment = "@@ -4,5 +4,6 @@\n  * Old words.\n  *\n  * Some words that came before.\n+ * A whole sentence, which was added by the patch.\n  */\n int gone;\n";
    let code = "/*\n * Other words that came before.\n * A whole sentence, which was added by the patch.\n */\nint here;\n";
    judged("mm/x.c", code, comment, AlreadyApplied);
    lacks("mm/x.c", &code.replace("whole ", ""), comment);

    let script = "@@ -4,4 +4,5 @@\n old_thing\n check_config\n+run_all_tests --verbose\n report_result\n old_end\n";
    let text =
        "#!/bin/sh\nnew_thing\ncheck_config\nrun_all_tests --verbose\nreport_result\nnew_end\n";
    judged("scripts/x.sh", text, script, AlreadyApplied);
    lacks(
        "scripts/x.sh",
        &text.replace("report_result", "report_other"),
        script,
    );
}

#[test]
fn one_line_beside_it_is_no_proof() {
    let hunk = "@@ -20,6 +20,7 @@ int get(struct x *x)\n \textra = newer(x);\n \tif (!extra) {\n \t\tpr_debug(\"none\");\n+\t\tfree_old(x);\n \t\treturn -ENOMEM;\n \t}\n \n";
    let text = "int get(struct x *x)\n{\n\tother = older(x);\n\tif (!other) {\n\t\tfree_old(x);\n\t\treturn -ENOMEM;\n\t}\n\n\treturn 0;\n}\n";
    lacks("mm/x.c", text, hunk);
    // More lines behind it, which any path has.
    let longer = "@@ -20,6 +20,7 @@ int get(struct x *x)\n \tif (newer(x)) {\n+\t\tfree_old(x);\n \t\treturn -ENOMEM;\n \t}\n \n \treturn 0;\n }\n";
    lacks("mm/x.c", text, longer);
    let replaced = hunk
        .replace("+\t\tfree_old(x);", "-\t\tfree_new(x);\n+\t\tfree_old(x);")
        .replace("20,6", "20,7");
    lacks("mm/x.c", text, &replaced);
    // With other words in its comment it is there.
    let there = text
        .replace("other = older(x)", "extra = newer(x)")
        .replace("!other) {", "!extra) {\n\t\tpr_debug(\"none\"); /* why */");
    judged("mm/x.c", &there, hunk, AlreadyApplied);
    // A lone brace or return says nothing.
    let brace = "@@ -20,3 +20,4 @@ int get(struct x *x)\n \tgone(x);\n+\treturn 0;\n }\n \n";
    lacks("mm/x.c", text, brace);
}

#[test]
fn that_a_line_is_missing_is_no_proof_that_it_was_removed() {
    // The comment behind it is no code, and the line stands.
    let removal = "@@ -14,7 +14,6 @@ int one(void);\n int two(void);\n int three(void);\n int four(void);\n-void init_it(void);\n \n /*\n  * what follows\n";
    let header = "int one(void);\nint two(void);\nint three(void);\nint four(void);\nvoid init_it(void);\n\n/*\n * what follows\n */\n";
    judged("mm/x.h", header, removal, Offset);
    lacks(
        "mm/x.h",
        &header
            .replace("four", "five")
            .replace("void init_it(void);\n", ""),
        removal,
    );
    // Blank lines apart it has closed up.
    let body = "@@ -14,7 +14,6 @@ int one(void)\n \tbuf = get();\n \n \tif (!buf) {\n-\t\tdev_err(dev, \"none\");\n \t\treturn;\n \t}\n \tuse(buf);\n";
    let code =
        "int one(void)\n{\n\tbuf = get();\n\tif (!buf) {\n\t\treturn;\n\t}\n\tuse(buf);\n}\n";
    judged("mm/x.c", code, body, AlreadyApplied);
    lacks(
        "mm/x.c",
        &code.replace("buf = get();", "buf = other();"),
        body,
    );
    // An entry that never had it, among others.
    let select = "@@ -14,6 +14,5 @@ config FOO\n \tdef_bool y\n \tselect A_FIRST if BAR\n \tselect B_ENABLE if BAR\n-\tselect B_ITSELF if BAR\n \n config LAST\n";
    let kconfig = "config FOO\n\tdef_bool y\n\tdepends on X || BAR\n\tselect A_FIRST if BAR\n\tselect B_ENABLE if BAR\n\nconfig LAST\n\tbool\n";
    lacks("mm/Kconfig", kconfig, select);
}

#[test]
fn nothing_is_put_in_twice() {
    let hunk = |at: u32| {
        format!(
            "@@ -{at},6 +{at},10 @@\n \tspinlock_t lock;\n }};\n \n+struct caches {{\n+\tstruct cache cache[N];\n+}};\n+\n static const u16 sizes[N] = {{ 96 }};\n \n static int *del(void)\n"
        )
    };
    let merged = "struct cache {\n\tspinlock_t lock;\n\tatomic_t more;\n};\n\nstruct caches {\n\tstruct cache cache[N];\n};\n\nstatic const u16 sizes[N] = { 96 };\n\nstatic int *del(void)\n{\n}\n";
    // GNU patch puts it in with fuzz.
    judged("mm/x.c", merged, &hunk(2), AlreadyApplied);
    let lacks = merged.replace("struct caches {\n\tstruct cache cache[N];\n};\n\n", "");
    judged("mm/x.c", &lacks, &hunk(2), Fuzz);

    // git itself does, where the context fits behind it as it did before it.
    let function = "int two(void)\n{\n\tfirst();\n\tsecond();\n\n\treturn 0;\n}\n\n";
    let one = function.replace("two", "one");
    let last = "int last(void)\n{\n\tlast_one();\n}\n";
    let added: String = function.lines().map(|line| format!("+{line}\n")).collect();
    let hunk = format!(
        "@@ -6,6 +6,14 @@ int one(void)\n \treturn 0;\n }}\n \n{added} int last(void)\n {{\n \tlast_one();\n"
    );
    judged("mm/x.c", &format!("{one}{last}"), &hunk, Clean);
    judged(
        "mm/x.c",
        &format!("{one}{function}{last}"),
        &hunk,
        AlreadyApplied,
    );
    // What differs is no second one.
    let other = function.replace("second", "other");
    judged("mm/x.c", &format!("{one}{other}{last}"), &hunk, Offset);

    // A replacement that was merged, where what it replaced stands once more.
    let block = |name: &str, call: &str| {
        format!("int {name}(void)\n{{\n\tlock();\n\t{call}();\n\tunlock();\n}}\n\n")
    };
    let change =
        "@@ -3,5 +3,5 @@ int a(void)\n {\n \tlock();\n-\told();\n+\tnew_one();\n \tunlock();\n }\n";
    judged(
        "mm/x.c",
        &(block("a", "new_one") + &block("b", "old")),
        change,
        AlreadyApplied,
    );
    judged(
        "mm/x.c",
        &("\n\n".to_owned() + &block("a", "old") + &block("b", "new_one")),
        change,
        Offset,
    );
    // The author's own file has a like one above.
    let again = change.replace("-3,5 +3,5 @@ int a", "-10,5 +10,5 @@ int b");
    judged(
        "mm/x.c",
        &("\n\n".to_owned() + &block("a", "new_one") + &block("b", "old")),
        &again,
        Offset,
    );
}

#[test]
fn what_the_author_means_to_repeat_is_repeated() {
    // Shown by the hunk itself.
    let hunk =
        "@@ -1,4 +1,5 @@\n one_entry,\n two_entry,\n+two_entry,\n three_entry,\n four_entry,\n";
    judged(
        "mm/x.S",
        "one_entry,\ntwo_entry,\nthree_entry,\nfour_entry,\n",
        hunk,
        Clean,
    );
    lacks(
        "mm/x.S",
        "\none_entry,\ntwo_entry,\nthree_entry,\nfour_entry,\n",
        hunk,
    );
    let inner = hunk.replace("-1,4 +1,5", "-3,4 +3,5");
    judged(
        "mm/x.S",
        "\none_entry,\ntwo_entry,\nthree_entry,\nfour_entry,\n",
        &inner,
        Offset,
    );

    // Known by the version that it was made on.
    let block = "\tfirst_line();\n\tsecond_line();\n\tthird_line();\n\tfourth_line();\n";
    let base = format!("int f(void)\n{{\n{block}\tend();\n\treturn 0;\n}}\n");
    let patched = base.replacen(block, &block.repeat(2), 1);
    let lab = Lab::new();
    lab.write("mm/x.c", &base);
    lab.commit("base");
    let kernel = lab.import();
    lab.write("mm/x.c", &patched);
    let diff = lab.run("git", &["diff"], b"").stdout;
    let applied = apply(&lab.store, kernel.commit, &[patch("x", &diff)]).unwrap();
    assert_eq!(applied.verdict, Clean, "{}", String::from_utf8_lossy(&diff));
}

/// A definition that the patch itself takes away elsewhere.
#[test]
fn what_a_patch_moves_is_not_there_already() {
    let moved = "int moved(void)\n{\n\tfirst();\n}\n\n";
    // In two hunks, and in one.
    for count in [20, 5] {
        let users: String = (0..count)
            .map(|n| format!("int user_{n}(void);\n"))
            .collect();
        let text = |above: &str, below: &str| {
            format!(
                "int a;\nint b;\nint c;\nint early(void);\n\n{above}{users}\n{below}int last(void);\n"
            )
        };
        let lab = Lab::new();
        lab.write("mm/x.c", text("", moved));
        lab.commit("base");
        lab.write("mm/x.c", text(moved, ""));
        let diff = lab.run("git", &["diff", "--minimal"], b"").stdout;
        let diff = String::from_utf8(diff).unwrap();
        let hunks = &diff[diff.find("@@").unwrap()..];
        let lower = |text: String| format!("int new;\n\n{text}");
        judged("mm/x.c", &lower(text("", moved)), hunks, Offset);
        judged("mm/x.c", &lower(text(moved, "")), hunks, AlreadyApplied);
    }
}

/// The same lines in two functions that look alike, by a patch each: the first goes
/// into the wrong one, as with git, so the second must go into the other.
#[test]
fn what_a_series_puts_in_is_no_proof_that_the_kernel_has_it() {
    let dying = "\t\t/* Its removal waits for us. */\n\t\tif (dying())\n\t\t\tbreak;\n\n";
    let function = |name: &str, more: &str| {
        format!(
            "static int {name}(void)\n{{\n\tfor (;;) {{\n\t\tif (pending())\n\t\t\tbreak;\n\n{more}\t\tif (!drained) {{\n\t\t\tdrain();\n\t\t\tdrained = true;\n\t\t}}\n\t}}\n}}\n\n"
        )
    };
    let text = |high: &str, max: &str| {
        "int head;\n\n".to_owned() + &function("high", high) + &function("max", max)
    };
    let above = "int line;\n".repeat(60);
    let lab = Lab::new();
    let mut diffs = Vec::new();
    for (high, max) in [("", ""), (dying, ""), (dying, dying)] {
        lab.write("mm/x.c", above.clone() + &text(high, max));
        lab.commit("step");
        diffs.push(lab.run("git", &["diff", "HEAD~1"], b"").stdout);
    }
    let series = [1, 2].map(|at| patch("x", &diffs[at]));
    let verdicts = |high: &str, max: &str| {
        lab.write("mm/x.c", text(high, max));
        let kernel = lab.import();
        let applied = apply(&lab.store, kernel.commit, &series).unwrap();
        let verdicts: Vec<_> = applied.patches.iter().map(|patch| patch.verdict).collect();
        lab.write("mm/x.c", text(dying, dying));
        assert_eq!(lab.tree_of(applied.commit), lab.tree());
        verdicts
    };
    assert_eq!(verdicts("", ""), [Offset, Offset]);
    // What the kernel has is seen behind them too.
    assert_eq!(verdicts("", dying), [Offset, AlreadyApplied]);
    assert_eq!(verdicts(dying, dying), [AlreadyApplied, AlreadyApplied]);
}

#[test]
fn a_missing_file_is_no_proof_that_it_was_deleted() {
    let gone = "diff --git a/mm/gone.c b/mm/gone.c\ndeleted file mode 100644\n--- a/mm/gone.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-int gone;\n";
    let line =
        "--- a/mm/Makefile\n+++ b/mm/Makefile\n@@ -1,2 +1 @@\n obj-y += a.o\n-obj-y += gone.o\n";
    let lab = Lab::new();
    lab.write("mm/Makefile", "obj-y += a.o\n");
    let kernel = lab.import();
    let verdicts = |patches: &[&str]| -> Vec<Verdict> {
        let series: Vec<_> = patches
            .iter()
            .map(|text| patch("x", text.as_bytes()))
            .collect();
        let applied = apply(&lab.store, kernel.commit, &series).unwrap();
        applied.patches.iter().map(|patch| patch.verdict).collect()
    };
    let both = format!("{line}{gone}");
    assert_eq!(verdicts(&[gone]), [Conflict]);
    // The rest of the patch, or of the series, is there.
    assert_eq!(verdicts(&[&both]), [AlreadyApplied]);
    assert_eq!(verdicts(&[line, gone]), [AlreadyApplied, AlreadyApplied]);
    assert_eq!(verdicts(&[&both.replace("a.o", "b.o")]), [Conflict]);
    let new = "--- /dev/null\n+++ b/mm/new.c\n@@ -0,0 +1 @@\n+int x;\n";
    assert_eq!(verdicts(&[new, gone]), [Clean, Conflict]);

    // The kernel's own history has it.
    lab.write("mm/gone.c", "int gone;\n");
    lab.commit("with");
    lab.git(&["rm", "-q", "mm/gone.c"]);
    let tip = lab.commit("without");
    lab.lend(&kernel, &tip);
    assert_eq!(verdicts(&[gone]), [AlreadyApplied]);
    assert_eq!(verdicts(&[&gone.replace("gone.c", "never.c")]), [Conflict]);
}

/// A patch on what another patch made, and a tree that only fuzz brings it to.
#[test]
fn what_ran_before_changes_nothing() {
    let base: String = (10..40).map(|line| format!("line {line}\n")).collect();
    let first = base.replace("line 25", "LINE 25");
    let second = first
        .replace("line 20", "LINE 20")
        .replace("line 30", "LINE 30");
    let lab = Lab::new();
    let mut diffs = Vec::new();
    for text in [&base, &first, &second] {
        lab.write("mm/x.S", text);
        lab.commit("step");
        diffs.push(lab.run("git", &["diff", "HEAD~1"], b"").stdout);
    }
    lab.write("mm/x.S", &base);
    let kernel = lab.import();
    let [first, second] = [1, 2].map(|at| patch("x", &diffs[at]));
    let alone = std::slice::from_ref(&second);
    let fresh = apply(&lab.store, kernel.commit, alone).unwrap();
    let series = [first, second.clone()];
    let applied = apply(&lab.store, kernel.commit, &series).unwrap();
    assert_eq!(applied.verdict, Clean);
    assert_eq!(apply(&lab.store, kernel.commit, alone).unwrap(), fresh);
    assert_ne!(fresh.verdict, ThreeWay);

    // What the series itself makes may be merged with, whatever became of it.
    lab.write(
        "mm/x.S",
        base.replace("line 23", "23").replace("line 27", "27"),
    );
    let drifted = lab.import();
    lab.lend(&drifted, &lab.git(&["rev-parse", "HEAD~2"]));
    let applied = apply(&lab.store, drifted.commit, &series).unwrap();
    let verdicts: Vec<_> = applied.patches.iter().map(|patch| patch.verdict).collect();
    assert_eq!(verdicts, [ThreeWay, ThreeWay]);
    assert_ne!(
        apply(&lab.store, drifted.commit, alone).unwrap().verdict,
        ThreeWay
    );
}

#[test]
fn a_patch_for_another_tree_is_said_to_be_one() {
    let lab = Lab::new();
    lab.write("mm/x.c", "int x;\n");
    let kernel = lab.import();
    let new = |path: &str| format!("--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+int y;\n");
    let notes = |diff: &str| {
        let series = [patch("ip: new", diff.as_bytes())];
        let prepared = arms(&lab.store, "6.12", kernel.commit, &series, &[], &[]).unwrap();
        prepared.report.notes
    };
    insta::assert_snapshot!(notes(&new("ip/y.c")).join("\n"), @r#""ip: new" changes only ip, of which this kernel has nothing: it is for another tree"#);
    let change = "--- a/ip/y.c\n+++ b/ip/y.c\n@@ -1 +1 @@\n-int x;\n+int y;\n";
    assert_eq!(notes(change).len(), 1);
    assert_eq!(notes(&new("mm/y.c")), [""; 0]);
    assert_eq!(notes(&(new("ip/y.c") + &new("mm/y.c"))), [""; 0]);
}

#[test]
fn what_no_text_can_change_is_a_conflict_by_itself() {
    let lab = Lab::new();
    lab.write("mm/x.c", "int x;\n");
    let kernel = lab.import();
    let link = "diff --git a/mm/l b/mm/l\nnew file mode 120000\n--- /dev/null\n+++ b/mm/l\n@@ -0,0 +1 @@\n+x.c\n\\ No newline at end of file\n";
    let image = "diff --git a/mm/i b/mm/i\nindex 1234567..89abcde 100644\nBinary files a/mm/i and b/mm/i differ\n";
    let plain = on("mm/x.c", "@@ -1 +1 @@\n-int x;\n+int y;\n");
    let series = [plain.as_str(), link, image].map(|diff| patch("x", diff.as_bytes()));
    let applied = apply(&lab.store, kernel.commit, &series).unwrap();
    let said: Vec<_> = (applied.patches.iter())
        .map(|patch| format!("{} {:?}", patch.verdict.as_str(), patch.hunks[0].conflict))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    clean None
    conflict Some("not supported: symbolic link\n")
    conflict Some("not supported: binary file\n")
    "#);
}
