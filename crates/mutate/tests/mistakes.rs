//! What mistakes are made, and that one source with all of them makes each.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use mutate::{Mistake, ReadError, Source, all_in_one, marked};

/// In the manner of the kernel, with what a parser for plain C does not know.
const KERNEL: &str = r#"
static DEFINE_SPINLOCK(lock);

static int __init prepare(void)
{
	return register_all(&table);
}

static bool reap(struct mm *mm, struct control *control)
{
	struct vma *vma;
	bool done = true;
	struct task *task = container_of(mm, struct task, mm);
	static DEFINE_RATELIMIT_STATE(rate, HZ, 1);
	VMA_ITERATOR(vmi, mm, 0);

	set_bit(UNSTABLE, &mm->flags);
	for_each_vma(vmi, vma) {
		if (vma->flags & (HUGETLB|PFNMAP))
			continue;
		if (is_anonymous(vma) || !(vma->flags & SHARED)) {
			if (start(vma)) {
				done = false;
				continue;
			}
			zap(vma, vma->start, vma->end); /* all of it */
		}
	}
	pr_info("%d\n", 5);
	return done;
}

#ifdef CONFIG_MMU
SYSCALL_DEFINE2(release, int, fd, unsigned int,
		flags)
{
	struct mm *mm;
	long ret = 0;

	if (flags)
		return -EINVAL;
	read_lock(mm);
	if (!reap(mm, NULL))
		ret = -EAGAIN;
	read_unlock(mm);
out:
	drop(mm);
	return ret;
}
#endif
"#;

fn listed(mistakes: &[Mistake]) -> String {
    let line = |mistake: &Mistake| format!("{} {}: {}", mistake.line, mistake.name(), mistake.with);
    mistakes.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_can_go_wrong() {
    let source = Source::read(KERNEL).unwrap();
    let names: Vec<&str> = source.functions().collect();
    assert_eq!(names, ["prepare", "reap", "release"]);
    assert_eq!(source.unread().count(), 0);
    insta::assert_snapshot!(listed(&source.mistakes(&names).unwrap()));
}

#[test]
fn functions_by_name_and_by_line() {
    let source = Source::read(KERNEL).unwrap();
    assert_eq!(source.functions_at(&BTreeSet::from([1, 2, 3])), [""; 0]);
    assert_eq!(
        source.functions_at(&BTreeSet::from([5, 21, 22])),
        ["prepare", "reap"]
    );
    assert_eq!(source.functions_at(&BTreeSet::from([36])), ["release"]);
    assert_eq!(
        source.mistakes(&["reap", "gone"]),
        Err(ReadError::NoFunction("gone".to_owned()))
    );
}

#[test]
fn no_c_at_all() {
    for text in [
        "",
        "}{",
        "int f(void) { return (; }",
        "\u{0}\u{fffd}",
        "for_each_x(",
        "SYSCALL_DEFINE3(",
    ] {
        let source = Source::read(text).unwrap();
        let names: Vec<&str> = source.functions().collect();
        assert_eq!(source.mistakes(&names).unwrap(), [], "{text:?}");
    }
}

/// A program that prints what it comes to, and ends whatever is wrong in it.
const PROGRAM: &str = r#"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static int steps, held;
static void step(void) { if (++steps > 500) { printf("endless\n"); exit(3); } }
static void take_lock(void) { held += 1; }
static void drop_unlock(void) { held -= 1; }
static int apart(int from, int to) { return to - from; }

static bool within(int value, int least, int most)
{
	return value >= least && value <= most;
}

static int count(const int *values, int length)
{
	int found = 0, at = 0;

	take_lock();
	while (at < length) {
		step();
		if (values[at] == 7) {
			at++;
			continue;
		}
		if (values[at] > 90 || values[at] < 0)
			break;
		if (!within(values[at], 2, 50)) {
			at += 2;
			continue;
		}
		found += apart(1, 3);
		at++;
	}
	printf("held %d\n", held);
	drop_unlock();
	return found;
}

static int mask(int kind)
{
	int flags = 1 | 4 | 16;

	switch (kind) {
	case 2:
		flags = 3 << 2;
		break;
	default:
		flags += 1;
	}
	if (kind)
		return flags - 1;
	for (int i = 0; i < 3; i++) {
		step();
		flags = flags * 2 + (i ? 1 : 0);
	}
	return flags;
}

/* With room for whoever leaves it. */
static const int values[4000] = {
	[2000] = 3, 7, 2, 60, 8, 50, 51, 1, 9, 91, 4, 4, 4
};

int main(int argc, char **argv)
{
	(void)argc; (void)argv;
	CHOOSE;
	printf("%d\n", count(values + 2000, 12));
	printf("held %d\n", held);
	for (int kind = 0; kind < 4; kind++)
		printf("%d\n", mask(kind));
	return 0;
}
"#;

/// Compiles and runs one, and returns what it printed and how it ended; or what the
/// compiler said.
fn run(folder: &Path, text: &str, arguments: &[String]) -> Result<(String, Option<i32>), String> {
    let (source, program) = (folder.join("p.c"), folder.join("p"));
    fs::write(&source, text).unwrap();
    let compiled = Command::new("gcc")
        .args(["-O0", "-fwrapv", "-w", "-o"])
        .args([&program, &source])
        .output()
        .unwrap();
    if !compiled.status.success() {
        return Err(String::from_utf8_lossy(&compiled.stderr).into_owned());
    }
    Ok(again(&program, arguments))
}

fn again(program: &Path, arguments: &[String]) -> (String, Option<i32>) {
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (text, output.status.code())
}

#[test]
fn one_source_makes_each_mistake_alone() {
    let source = Source::read(PROGRAM).unwrap();
    let mistakes = source.mistakes(&["within", "count", "mask"]).unwrap();
    let head = "static int chosen = -1;\nstatic int choice(int n) { return n == chosen; }\n";
    let combined = all_in_one(PROGRAM, &mistakes, 0, "choice", head);
    let folder = tempfile::tempdir().unwrap();
    let alone = |text: &str| run(folder.path(), &text.replace("CHOOSE", ""), &[]);
    let right = alone(PROGRAM).unwrap();
    let apart: Vec<_> = mistakes
        .iter()
        .map(|mistake| {
            alone(&mistake.apply(PROGRAM))
                .unwrap_or_else(|error| panic!("{}: {error}", mistake.name()))
        })
        .collect();

    let text = combined
        .text
        .replace("CHOOSE", "if (argc > 1) chosen = atoi(argv[1])");
    assert_eq!(run(folder.path(), &text, &[]).unwrap(), right);
    for (number, (mistake, apart)) in mistakes.iter().zip(&apart).enumerate() {
        let together = again(&folder.path().join("p"), &[number.to_string()]);
        assert_eq!(together, *apart, "{}", mistake.name());
    }
    // Most of them can be seen, or they would be no mistakes.
    let seen = apart.iter().filter(|apart| **apart != right).count();
    assert!(
        seen * 3 > mistakes.len() * 2,
        "{seen} of {}",
        mistakes.len()
    );
    let kinds: BTreeSet<_> = mistakes.iter().map(|it| it.kind).collect();
    assert!(kinds.len() >= 15, "{kinds:?}");
}

#[test]
fn a_line_tells_which_mistake_does_not_compile() {
    let text = "struct s { int a; };\nint f(struct s s, int i);\n\
                int g(struct s s)\n{\n\tint i = 1;\n\n\treturn f(s, i);\n}\n";
    let source = Source::read(text).unwrap();
    let mistakes = source.mistakes(&["g"]).unwrap();
    let combined = all_in_one(text, &mistakes, 0, "choice", "int choice(int);\n");
    let folder = tempfile::tempdir().unwrap();
    let error = run(folder.path(), &combined.text, &[]).unwrap_err();
    let wrong: Vec<String> = mistakes
        .iter()
        .zip(&combined.lines)
        .filter(|(_, line)| error.contains(&format!("p.c:{line}:")))
        .map(|(mistake, _)| mistake.name())
        .collect();
    assert_eq!(wrong, ["g-swap-arguments-1"], "{error}");
}

#[test]
fn a_line_means_the_mistake_there_or_before() {
    let text = "void f(void)\n{\n\tone();\n\n\n\ttwo();\n}\n";
    let mistakes = Source::read(text).unwrap().mistakes(&["f"]).unwrap();
    let combined = all_in_one(text, &mistakes, 7, "choice", "int choice(int);\n");
    assert!(combined.text.contains("choice(7)") && !combined.text.contains("choice(6)"));
    assert_eq!(combined.at(1), None);
    for (number, line) in combined.lines.iter().enumerate() {
        assert_eq!(combined.at(*line), Some(number));
    }
    let behind = combined.text.lines().count();
    let last = combined.lines.iter().max().unwrap();
    assert!(behind > *last && combined.at(behind) == combined.at(*last));
}

#[test]
fn a_mistake_leaves_all_other_lines_where_they_are() {
    let source = Source::read(KERNEL).unwrap();
    let names: Vec<&str> = source.functions().collect();
    for mistake in source.mistakes(&names).unwrap() {
        let wrong = mistake.apply(KERNEL);
        assert_eq!(wrong.lines().count(), KERNEL.lines().count(), "{mistake:?}");
    }
}

/// Lines to which a program came, by gcov.
fn executed(folder: &Path, text: &str) -> BTreeMap<usize, bool> {
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{program}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    fs::write(folder.join("c.c"), text).unwrap();
    run("gcc", &["-O0", "-w", "--coverage", "-c", "c.c"]);
    run("gcc", &["--coverage", "-o", "c", "c.o"]);
    run("./c", &[]);
    let told = run("gcov", &["--stdout", "c.gcda"]);
    let lines = told.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').map(str::trim);
        let (count, line) = (fields.next()?, fields.next()?.parse().ok()?);
        (count != "-").then(|| (line, !count.starts_with('#')))
    });
    lines.collect()
}

#[test]
fn marks_tell_what_is_come_to() {
    let never = "if (argc > 5) {\n\t\tstep();\n\t} else if (argc > 1)\n\t\tstep()";
    let text = PROGRAM.replace("CHOOSE", never);
    let source = Source::read(&text).unwrap();
    let all: BTreeSet<usize> = (1..=text.lines().count()).collect();
    let found = source.marks(&all);
    assert!(found.unread.is_empty());
    let head =
        "#include <stdio.h>\nstatic int come(int n) { fprintf(stderr, \"%d\\n\", n); return 0; }\n";
    let folder = tempfile::tempdir().unwrap();
    let told = marked(&text, &found.marks, 0, "come", head);
    assert_eq!(
        run(folder.path(), &told, &[]).unwrap(),
        run(folder.path(), &text, &[]).unwrap(),
        "marks change nothing"
    );
    run(folder.path(), &told, &[]).unwrap();
    let output = Command::new(folder.path().join("p")).output().unwrap();
    let come: BTreeSet<usize> = String::from_utf8_lossy(&output.stderr)
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();

    let expected = executed(folder.path(), &text);
    let mut compared = 0;
    for (number, mark) in found.marks.iter().enumerate() {
        for line in &mark.lines {
            let Some(&expected) = expected.get(line) else {
                continue;
            };
            assert_eq!(come.contains(&number), expected, "line {line}");
            compared += 1;
        }
    }
    let missed = expected.values().filter(|executed| !**executed).count();
    assert!(compared > 30 && missed == 2, "{compared} {missed}");
}

#[test]
fn each_line_of_a_statement_means_it() {
    let source = Source::read(KERNEL).unwrap();
    let line = |text: &str| {
        let at = KERNEL.lines().position(|line| line.contains(text));
        at.unwrap() + 1
    };
    let of = |texts: &[&str]| {
        let lines = texts.iter().map(|text| line(text)).collect();
        let marks = source.marks(&lines).marks;
        marks
            .iter()
            .map(|mark| mark.lines.len())
            .collect::<Vec<_>>()
    };
    // A loop by a macro, a condition, a value set where the block begins.
    assert_eq!(of(&["for_each_vma"]), [1]);
    assert_eq!(of(&["HUGETLB|PFNMAP", "zap(vma"]), [1, 1]);
    assert_eq!(of(&["bool done = true", "container_of", "set_bit"]), [3]);
    // Nothing is executed there.
    assert_eq!(
        of(&["struct vma *vma;", "out:", "static bool reap"]),
        [0; 0]
    );
    // In place, each line keeps its number.
    let marks = source.marks(&BTreeSet::from([line("zap(vma")])).marks;
    let with = marks[0].apply(KERNEL, "here();");
    assert!(
        with.lines()
            .nth(line("zap(vma") - 1)
            .unwrap()
            .contains("{here(); zap(vma")
    );
    assert_eq!(with.lines().count(), KERNEL.lines().count());
}
