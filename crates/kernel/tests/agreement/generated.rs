//! Made-up cases: files, a patch on them, and a tree that drifted from them.

use std::sync::Mutex;

use crate::differences::Tally;
use crate::lab::Dice;
use crate::mail::{Files, Mail};
use crate::tools::Trial;

/// What becomes of the cases with these seeds.
pub fn tally(seeds: impl Iterator<Item = u64> + Send) -> Tally {
    let next = Mutex::new(seeds);
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(seed) = { next.lock().unwrap().next() } {
                    let case = Case::new(seed);
                    let trial = Trial::new(&case.target, &case.mail, case.known);
                    let name = format!("seed {seed} ({})", case.kinds);
                    tally.lock().unwrap().add(&name, &case.mail, &trial);
                }
            });
        }
    });
    tally.into_inner().unwrap()
}

/// What a case is made of.
#[derive(Default)]
struct Plan {
    /// What the patch was made on.
    base: Files,
    /// The patch's other side.
    patched: Files,
    /// What it is tried on.
    target: Files,
    /// Lines of context, where not three.
    context: Option<usize>,
    /// Mailers drop the blank of an empty context line.
    trimmed: bool,
}

/// A mail to apply, and where.
pub struct Case {
    pub kinds: String,
    pub mail: Mail,
    pub target: Files,
    /// Whether who applies it has the version it was made on.
    pub known: bool,
}

type Way = fn(&mut Dice, &mut Plan, &str);

/// Every kind of case: one file's change and what became of that file.
const WAYS: [(&str, Way); 37] = [
    ("clean", |dice, plan, path| {
        Edits::new(dice, 3).into(plan, path)
    }),
    ("offset", |dice, plan, path| {
        let mut edits = Edits::new(dice, 3);
        edits.drift(dice);
        edits.into(plan, path);
    }),
    ("offset", |dice, plan, path| {
        let mut edits = Edits::new(dice, 4);
        edits.drift(dice);
        edits.drift(dice);
        edits.into(plan, path);
    }),
    ("fuzz 1", |dice, plan, path| damaged(dice, plan, path, 3)),
    ("fuzz 2", |dice, plan, path| damaged(dice, plan, path, 2)),
    ("fuzz 2", |dice, plan, path| {
        let mut edits = Edits::new(dice, 3);
        let depths = [2 + dice.below(2), 2 + dice.below(2)];
        edits.damage(dice, depths[0]);
        edits.damage(dice, depths[1]);
        edits.drift(dice);
        edits.into(plan, path);
    }),
    ("beyond fuzz", |dice, plan, path| {
        damaged(dice, plan, path, 1)
    }),
    ("between two changes", |dice, plan, path| {
        let mut edits = Edits::new(dice, 2);
        let first = edits.patch[0].at;
        let second = Edit::replace(first + 6, "\tsecond(x);\n");
        edits.patch.truncate(1);
        edits.patch.push(second);
        edits.target = vec![Edit::replace(first + 4, "\tbetween(x);\n")];
        edits.into(plan, path);
    }),
    ("conflict", |dice, plan, path| {
        let mut edits = Edits::new(dice, 2);
        let hit = dice.below(edits.patch.len());
        let mut other = edits.patch[hit].clone();
        other.insert = vec!["\tsomething_else(x);\n".into()];
        other.remove = other.remove.max(1);
        edits.target.push(other);
        edits.into(plan, path);
    }),
    ("there already", |dice, plan, path| {
        let mut edits = Edits::new(dice, 3);
        edits.target = edits.patch.clone();
        if dice.one_in(2) {
            edits.drift(dice);
        }
        edits.into(plan, path);
    }),
    ("half there", |dice, plan, path| {
        let mut edits = Edits::new(dice, 3);
        let half = edits.patch[dice.below(edits.patch.len())].clone();
        edits.target = vec![half];
        edits.into(plan, path);
    }),
    ("there, reworded", |dice, plan, path| {
        let mut edits = Edits::new(dice, 1);
        let edit = &mut edits.patch[0];
        edit.insert = vec![
            "\t/* As sent. */\n".into(),
            format!("\tbrand_new_{}(x);\n", edit.at),
        ];
        let mut merged = edit.clone();
        merged.insert[0] = "\t/* As merged. */\n".into();
        edits.target = vec![merged];
        edits.into(plan, path);
    }),
    ("repeated", repeated),
    ("repeated", repeated),
    ("repeated, damaged", |dice, plan, path| {
        let (base, at) = blocks(dice);
        let edit = Edit::replace(at, "\tpatched(x);\n");
        let mut edits = Edits {
            base,
            patch: vec![edit],
            target: Vec::new(),
        };
        let depth = 1 + dice.below(3);
        edits.damage(dice, depth);
        if dice.one_in(2) {
            edits.target.push(Edit::insert(0, block(dice.below(3))));
        }
        edits.into(plan, path);
    }),
    ("at the start", |dice, plan, path| {
        let mut edits = Edits::new(dice, 1);
        edits.patch = vec![Edit::any(dice, 0, "first")];
        if dice.one_in(3) {
            edits.target.push(Edit::insert(0, block(9)));
        } else if dice.one_in(2) {
            edits.drift(dice);
        }
        edits.into(plan, path);
    }),
    ("at the end", |dice, plan, path| {
        let mut edits = Edits::new(dice, 1);
        let end = edits.base.len();
        let at = end - dice.below(3);
        edits.patch = vec![Edit::insert(at, vec!["/* last */\n".into()])];
        if dice.one_in(3) {
            edits.target.push(Edit::insert(end, block(9)));
        } else if dice.one_in(2) {
            edits.drift(dice);
        }
        edits.into(plan, path);
    }),
    ("no newline", unended),
    ("no newline", unended),
    ("no newline", unended),
    ("CRLF", |dice, plan, path| {
        let mut edits = Edits::new(dice, 2);
        if dice.one_in(2) {
            edits.drift(dice);
        }
        if dice.one_in(4) {
            edits.damage(dice, 3);
        }
        edits.put(plan, path, [crlf, crlf, crlf]);
    }),
    ("CRLF on one side", |dice, plan, path| {
        let edits = Edits::new(dice, 2);
        let ends = match dice.below(4) {
            0 => [crlf, crlf, lf],
            1 => [lf, lf, crlf],
            2 => [crlf, lf, crlf],
            _ => [lf, crlf, lf],
        };
        edits.put(plan, path, ends);
    }),
    ("little context", |dice, plan, path| {
        plan.context = Some(1 + dice.below(2));
        let mut edits = Edits::new(dice, 3);
        edits.drift(dice);
        if dice.one_in(3) {
            let depth = 1 + dice.below(2);
            edits.damage(dice, depth);
        }
        edits.into(plan, path);
    }),
    ("no context", |dice, plan, path| {
        plan.context = Some(0);
        let mut edits = Edits::new(dice, 2);
        if dice.one_in(2) {
            edits.drift(dice);
        }
        edits.into(plan, path);
    }),
    ("blank context", |dice, plan, path| {
        plan.trimmed = true;
        let mut edits = Edits::new(dice, 3);
        // Beside the blank line between two functions.
        let blank = edits.base.iter().position(|line| line == "\n").unwrap();
        let at = blank + 1 - dice.below(2);
        edits.patch = vec![Edit::insert(at, vec!["/* beside a blank line */\n".into()])];
        edits.drift(dice);
        edits.into(plan, path);
    }),
    ("renamed", |dice, plan, path| {
        let edits = Edits::new(dice, 1);
        carried(
            dice,
            plan,
            path,
            Edits {
                patch: Vec::new(),
                ..edits
            },
            true,
        );
    }),
    ("renamed with changes", |dice, plan, path| {
        let mut edits = Edits::new(dice, 2);
        match dice.below(4) {
            0 => edits.drift(dice),
            1 => edits.damage(dice, 3),
            2 => edits.damage(dice, 1),
            _ => {}
        }
        carried(dice, plan, path, edits, true);
    }),
    ("renamed in the tree", |dice, plan, path| {
        let edits = Edits::new(dice, 2);
        edits.into(plan, path);
        let file = plan.target.remove(path).unwrap();
        plan.target.insert(format!("moved/{path}"), file);
    }),
    ("copied", |dice, plan, path| {
        let mut edits = Edits::new(dice, 2);
        match dice.below(4) {
            0 => edits.patch.clear(),
            1 => edits.drift(dice),
            2 => edits.damage(dice, 2),
            _ => {}
        }
        carried(dice, plan, path, edits, false);
    }),
    ("mode", |dice, plan, path| {
        let mut edits = Edits::new(dice, 1);
        edits.patch.clear();
        if dice.one_in(2) {
            edits.drift(dice);
        }
        moded(dice, plan, path, edits);
    }),
    ("mode with changes", |dice, plan, path| {
        let mut edits = Edits::new(dice, 2);
        match dice.below(4) {
            0 => edits.drift(dice),
            1 => edits.damage(dice, 3),
            2 => edits.target = edits.patch.clone(),
            _ => {}
        }
        moded(dice, plan, path, edits);
    }),
    ("new file", |dice, plan, path| {
        let text = match dice.below(5) {
            0 => String::new(),
            1 => "no newline".into(),
            _ => function(dice, 0).concat(),
        };
        plan.patched
            .insert(path.into(), (text.clone().into(), dice.one_in(4)));
        match dice.below(6) {
            0 => drop(plan.target.insert(path.into(), (text.into(), false))),
            1 => drop(
                plan.target
                    .insert(path.into(), (b"another\n".to_vec(), false)),
            ),
            2 => drop(plan.target.insert(path.into(), (Vec::new(), false))),
            3 => drop(
                plan.target
                    .insert(format!("{path}/in"), (b"x\n".to_vec(), false)),
            ),
            _ => {}
        }
    }),
    ("deleted file", |dice, plan, path| {
        let text = match dice.below(5) {
            0 => Vec::new(),
            1 => b"no newline".to_vec(),
            _ => function(dice, 0).concat().into_bytes(),
        };
        plan.base
            .insert(path.into(), (text.clone(), dice.one_in(4)));
        let there = match dice.below(6) {
            0 => return,
            1 => [&text[..], b"more\n"].concat(),
            2 => text.get(3..).unwrap_or_default().to_vec(),
            3 => Vec::new(),
            _ => text,
        };
        plan.target.insert(path.into(), (there, plan.base[path].1));
    }),
    ("emptied file", |dice, plan, path| {
        let mut edits = Edits::new(dice, 1);
        if dice.one_in(3) {
            edits.drift(dice);
        }
        edits.into(plan, path);
        plan.patched.insert(path.into(), (Vec::new(), false));
        if dice.one_in(4) {
            plan.target.insert(path.into(), (Vec::new(), false));
        }
    }),
    ("filled file", |dice, plan, path| {
        let text = function(dice, 1).concat().into_bytes();
        plan.base.insert(path.into(), (Vec::new(), false));
        plan.patched.insert(path.into(), (text.clone(), false));
        let there = match dice.below(4) {
            0 => text,
            1 => b"another\n".to_vec(),
            _ => Vec::new(),
        };
        plan.target.insert(path.into(), (there, false));
    }),
    ("no such file", |dice, plan, path| {
        Edits::new(dice, 2).into(plan, path);
        plan.target.remove(path);
    }),
    ("binary", |dice, plan, path| {
        let mut bytes: Vec<u8> = (0..300).map(|_| dice.below(256) as u8).collect();
        bytes.push(0);
        plan.base.insert(path.into(), (bytes.clone(), false));
        plan.target.insert(path.into(), (bytes.clone(), false));
        bytes[7] ^= 1;
        plan.patched.insert(path.into(), (bytes, false));
    }),
];

fn damaged(dice: &mut Dice, plan: &mut Plan, path: &str, depth: usize) {
    let mut edits = Edits::new(dice, 3);
    edits.damage(dice, depth);
    if dice.one_in(2) {
        edits.drift(dice);
    }
    edits.into(plan, path);
}

fn repeated(dice: &mut Dice, plan: &mut Plan, path: &str) {
    let (base, at) = blocks(dice);
    let mut edits = Edits {
        base,
        patch: vec![Edit::replace(at, "\tpatched(x);\n")],
        target: Vec::new(),
    };
    let end = edits.base.len();
    if dice.one_in(2) {
        // A second hunk, which follows where the first one went.
        edits.patch.push(Edit::replace(end - 12, "\tpatched(y);\n"));
    }
    if !dice.one_in(4) {
        let more = (0..1 + dice.below(4)).flat_map(|_| block(0)).collect();
        edits.target.push(Edit::insert(0, more));
    }
    if dice.one_in(3) {
        edits.target.push(Edit::insert(end, block(0)));
    }
    edits.into(plan, path);
}

fn unended(dice: &mut Dice, plan: &mut Plan, path: &str) {
    let mut edits = Edits::new(dice, 1);
    let end = edits.base.len();
    if dice.one_in(2) {
        let at = end - 1 - dice.below(4);
        edits.patch = vec![Edit::any(dice, at, "last")];
    }
    match dice.below(3) {
        0 => edits.drift(dice),
        1 => edits.target.push(Edit::insert(end, vec!["tail\n".into()])),
        _ => {}
    }
    let ends = [0; 3].map(|_| match dice.one_in(2) {
        true => lf as fn(String) -> String,
        false => |text: String| text.trim_end_matches('\n').to_owned(),
    });
    edits.put(plan, path, ends);
}

/// A file under a new name, maybe with changes; the old one goes when it is a
/// rename.
fn carried(dice: &mut Dice, plan: &mut Plan, path: &str, edits: Edits, renamed: bool) {
    let to = format!("carried/{path}");
    edits.into(plan, path);
    let file = plan.patched.remove(path).unwrap();
    plan.patched.insert(to.clone(), file);
    if !renamed {
        plan.patched.insert(path.into(), plan.base[path].clone());
    }
    match dice.below(6) {
        // It was carried already.
        0 => {
            plan.target.insert(to.clone(), plan.patched[&to].clone());
            if renamed {
                plan.target.remove(path);
            }
        }
        // The place is taken.
        1 => drop(plan.target.insert(to, (b"another\n".to_vec(), false))),
        _ => {}
    }
}

fn moded(dice: &mut Dice, plan: &mut Plan, path: &str, edits: Edits) {
    edits.into(plan, path);
    let from = dice.one_in(2);
    let there = if dice.one_in(3) { !from } else { from };
    for (files, mode) in [
        (&mut plan.base, from),
        (&mut plan.patched, !from),
        (&mut plan.target, there),
    ] {
        files.get_mut(path).unwrap().1 = mode;
    }
}

/// A change of a list of lines.
#[derive(Clone)]
struct Edit {
    at: usize,
    remove: usize,
    insert: Vec<String>,
}

impl Edit {
    fn insert(at: usize, insert: Vec<String>) -> Self {
        Self {
            at,
            remove: 0,
            insert,
        }
    }

    fn replace(at: usize, line: &str) -> Self {
        Self {
            at,
            remove: 1,
            insert: vec![line.into()],
        }
    }

    fn any(dice: &mut Dice, at: usize, tag: &str) -> Self {
        let line = format!("\t{tag}_{at}({});\n", dice.below(100));
        match dice.below(4) {
            0 => Self {
                at,
                remove: 1,
                insert: Vec::new(),
            },
            1 => Self::insert(at, vec![line]),
            2 => Self {
                at,
                remove: 2,
                insert: vec![line],
            },
            _ => Self::replace(at, &line),
        }
    }
}

/// A file, the patch's changes of it, and the tree's.
struct Edits {
    base: Vec<String>,
    patch: Vec<Edit>,
    target: Vec<Edit>,
}

/// Between two changes of a patch, so that each has a hunk of its own.
const APART: usize = 16;

impl Edits {
    /// A patch of up to `most` hunks, on a tree that hasn't drifted.
    fn new(dice: &mut Dice, most: usize) -> Self {
        let functions = 3 + dice.below(4) + most * 2;
        let mut base: Vec<String> = (0..functions).flat_map(|n| function(dice, n)).collect();
        base.pop();
        let count = 1 + dice.below(most);
        let room = (base.len() - 12) / count;
        let patch = (0..count)
            .map(|n| {
                let at = 6 + n * room + dice.below(room.saturating_sub(APART).max(1));
                Edit::any(dice, at, "patched")
            })
            .collect();
        Self {
            base,
            patch,
            target: Vec::new(),
        }
    }

    /// Lines that come or go away from the patch's changes.
    fn drift(&mut self, dice: &mut Dice) {
        let (end, near) = (self.base.len(), 8);
        for _ in 0..50 {
            let at = dice.below(end);
            let taken = self.patch.iter().chain(&self.target);
            let mut taken = taken.map(|edit| (edit.at, edit.at + edit.remove));
            if taken.any(|(from, to)| at + 2 * near > from && at < to + near) {
                continue;
            }
            let count = 1 + dice.below(near - 1);
            self.target.push(match dice.one_in(3) {
                true => Edit {
                    at,
                    remove: count,
                    insert: Vec::new(),
                },
                false => Edit::insert(
                    at,
                    (0..count)
                        .map(|n| format!("\tdrifted_{at}_{n}(x);\n"))
                        .collect(),
                ),
            });
            return;
        }
    }

    /// A context line of one of the patch's changes is another in the tree:
    /// `depth` lines away from it.
    fn damage(&mut self, dice: &mut Dice, depth: usize) {
        let edit = &self.patch[dice.below(self.patch.len())];
        let at = match dice.one_in(2) {
            true => edit.at.checked_sub(depth),
            false => Some(edit.at + edit.remove + depth - 1),
        };
        let Some(at) = at.filter(|at| *at < self.base.len()) else {
            return;
        };
        if self.target.iter().all(|other| other.at.abs_diff(at) > 2) {
            self.target
                .push(Edit::replace(at, &format!("\tdamaged_{at}(x);\n")));
        }
    }

    fn into(self, plan: &mut Plan, path: &str) {
        self.put(plan, path, [lf; 3]);
    }

    /// Puts base, patched and target into the plan, each with line ends of
    /// its own.
    fn put(self, plan: &mut Plan, path: &str, ends: [fn(String) -> String; 3]) {
        let texts = [
            edited(&self.base, &[]),
            edited(&self.base, &self.patch),
            edited(&self.base, &self.target),
        ];
        let trees = [&mut plan.base, &mut plan.patched, &mut plan.target];
        for ((text, end), tree) in texts.into_iter().zip(ends).zip(trees) {
            tree.insert(path.into(), (end(text).into_bytes(), false));
        }
    }
}

fn lf(text: String) -> String {
    text
}

fn crlf(text: String) -> String {
    text.replace('\n', "\r\n")
}

fn edited(lines: &[String], edits: &[Edit]) -> String {
    let mut lines = lines.to_vec();
    let mut edits = edits.to_vec();
    edits.sort_by_key(|edit| edit.at);
    for edit in edits.into_iter().rev() {
        let at = edit.at.min(lines.len());
        let end = (at + edit.remove).min(lines.len());
        lines.splice(at..end, edit.insert);
    }
    lines.concat()
}

/// A function of C; its last lines are those of every other.
fn function(dice: &mut Dice, n: usize) -> Vec<String> {
    let mut lines = vec![format!("static int work_{n}(int x)\n"), "{\n".into()];
    for step in 0..4 + dice.below(8) {
        lines.push(match dice.below(8) {
            0 => format!("\t/* Step {step} of {n}. */\n"),
            1 => "\tcond_resched();\n".into(),
            _ => format!("\tstep_{n}_{step}(x, {});\n", dice.below(1000)),
        });
    }
    lines.extend(["\treturn 0;\n", "}\n", "\n"].map(str::to_owned));
    lines
}

/// A block that looks like all others of its number.
fn block(number: usize) -> Vec<String> {
    let lines = [
        "static int same(int x)\n",
        "{\n",
        "\tone(x);\n",
        "\ttwo(x);\n",
        "\tthree(x);\n",
        "\tfour(x);\n",
        "\tfive(x);\n",
    ];
    let last = [format!("\treturn {number};\n"), "}\n".into(), "\n".into()];
    lines.map(str::to_owned).into_iter().chain(last).collect()
}

/// Blocks that all look the same, and a line in one of them.
fn blocks(dice: &mut Dice) -> (Vec<String>, usize) {
    let count = 4 + dice.below(4);
    let base = (0..count).flat_map(|_| block(0)).collect();
    (base, 10 * dice.below(count - 2) + 4)
}

impl Case {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let mut plan = Plan::default();
        let mut kinds = Vec::new();
        // Every kind by itself first, then several in one patch.
        let round = seed as usize / WAYS.len();
        let count = if round < 4 { 1 } else { 1 + dice.below(3) };
        for n in 0..count {
            let way = match n {
                0 => seed as usize % WAYS.len(),
                _ => dice.below(WAYS.len()),
            };
            let (kind, way) = WAYS[way];
            way(&mut dice, &mut plan, &format!("mm/file{n}.c"));
            kinds.push(kind);
        }
        let mut mail = Mail::new(&plan.base, &plan.patched, plan.context.unwrap_or(3));
        if plan.trimmed {
            let text = String::from_utf8(mail.text).unwrap();
            mail.text = text.replace("\n \n", "\n\n").into_bytes();
        }
        Self {
            kinds: kinds.join(" + "),
            mail,
            target: plan.target,
            known: dice.one_in(2),
        }
    }
}
