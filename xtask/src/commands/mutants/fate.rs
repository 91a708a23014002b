//! What became of mutants, and how it is told.

use std::collections::BTreeMap;
use std::time::Duration;

use results::text::printable;
use serde::Serialize;

use crate::exit::{Kind, Result, fail};
use crate::progress::seconds;

/// What became of a mutant.
#[derive(Debug, Default, Serialize)]
pub struct Fate {
    pub name: String,
    pub subject: String,
    pub verdict: Verdict,
    /// The scenario that noticed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// How it showed; the proof, of an equivalent one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
    /// What the kernel's own checks said, where they noticed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console: Option<String>,
    pub expected: Vec<String>,
    pub build_s: f64,
    pub test_s: f64,
    /// Where a mistake is that a program made.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// Where a mistake is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    pub file: String,
    pub line: usize,
    pub function: String,
    pub kind: &'static str,
    /// The mistake as a patch.
    pub diff: String,
}

/// Gets what has become of mutants so far.
pub type Keep<'a> = dyn FnMut(&[Fate], Option<&Summary>) -> Result + Send + 'a;

impl Fate {
    /// The same, judged by who noticed and how, by what the kernel said itself, and by
    /// the argument that nobody can notice.
    pub fn judged(
        self,
        caught: Option<(String, String)>,
        console: Option<String>,
        argument: Option<&String>,
    ) -> Self {
        let verdict = match (&caught, argument) {
            (Some(_), None) => Verdict::Caught,
            (Some(_), Some(_)) => Verdict::NotEquivalent,
            (None, Some(_)) => Verdict::Equivalent,
            (None, None) => Verdict::Survived,
        };
        let (by, how) = match caught {
            Some((by, how)) => (Some(by), Some(how)),
            None => (None, argument.cloned()),
        };
        Self {
            verdict,
            by,
            how,
            console,
            ..self
        }
    }

    /// A line that tells of the one of this number.
    pub fn line(&self, number: usize, of: usize) -> String {
        let by = self.by.as_ref();
        let by = by.map_or(String::new(), |by| format!(" by {by}"));
        let console = self.console.as_deref().map(printable);
        let console = console.map_or(String::new(), |title| format!(" (the kernel: {title})"));
        let verdict = self.verdict.as_str();
        format!("{number}/{of} {}: {verdict}{by}{console}", self.name)
    }
}

/// The word for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Caught,
    Survived,
    /// Nothing noticed, and nothing can.
    Equivalent,
    /// Something noticed what is said to be no difference.
    NotEquivalent,
    /// It makes the same code.
    SameCode,
    /// No scenario comes to its place.
    NotReached,
    /// It does not apply, or does not build.
    #[default]
    Broken,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Caught => "caught",
            Self::Survived => "SURVIVED",
            Self::Equivalent => "equivalent",
            Self::NotEquivalent => "NOT EQUIVALENT",
            Self::SameCode => "same code",
            Self::NotReached => "not reached",
            Self::Broken => "BROKEN",
        }
    }
}

/// The exit code that the fates call for.
pub fn judge(fates: &[Fate]) -> Result {
    let names = |verdict: Verdict| -> Vec<&str> {
        let of = fates.iter().filter(|fate| fate.verdict == verdict);
        of.map(|fate| fate.name.as_str()).collect()
    };
    for (verdict, kind, what) in [
        (
            Verdict::Survived,
            Kind::Judgement,
            "not caught by any scenario:",
        ),
        (
            Verdict::NotEquivalent,
            Kind::Judgement,
            "marked as equivalent, but caught:",
        ),
        (
            Verdict::Broken,
            Kind::Build,
            "does not apply or does not build:",
        ),
    ] {
        let names = names(verdict);
        if !names.is_empty() {
            return fail(kind, format!("{what} {}", names.join(", ")));
        }
    }
    Ok(())
}

/// What `--json` prints and `mutants.json` holds.
#[derive(Serialize)]
pub struct Document<'a> {
    caught: usize,
    survived: usize,
    equivalent: usize,
    total: usize,
    #[serde(flatten)]
    generated: Option<Generated<'a>>,
    mutants: &'a [Fate],
}

/// What is said of mistakes that a program made beside that.
#[derive(Serialize)]
struct Generated<'a> {
    same_code: usize,
    not_reached: usize,
    #[serde(flatten)]
    summary: &'a Summary,
}

/// What is known of all mistakes of a kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// How many the compiler refused.
    pub refused: usize,
    /// The functions that the parser did not understand.
    pub unread: Vec<String>,
    /// The lines of the series, as `FILE:LINE`, in which mistakes were made, and to
    /// which no scenario comes.
    pub lines_not_reached: Vec<String>,
}

/// `summary` is known of mistakes that a program made.
pub fn document<'a>(fates: &'a [Fate], summary: Option<&'a Summary>) -> Document<'a> {
    let count = |verdict: Verdict| fates.iter().filter(|fate| fate.verdict == verdict).count();
    Document {
        caught: count(Verdict::Caught),
        survived: count(Verdict::Survived),
        equivalent: count(Verdict::Equivalent),
        total: fates.len(),
        generated: summary.map(|summary| Generated {
            same_code: count(Verdict::SameCode),
            not_reached: count(Verdict::NotReached),
            summary,
        }),
        mutants: fates,
    }
}

/// What is printed at the end.
pub fn report(fates: &[Fate], summary: Option<&Summary>) -> String {
    match summary {
        Some(summary) => by_place(fates, summary),
        None => table(fates),
    }
}

/// Counts by function and by kind, what no scenario comes to, and each survivor as a
/// patch.
fn by_place(fates: &[Fate], summary: &Summary) -> String {
    let by_function = counts(fates, "function", |place| &place.function);
    let by_kind = counts(fates, "kind of mistake", |place| place.kind);
    let mut out = format!("{by_function}\n{by_kind}\n");
    let lines = &summary.lines_not_reached;
    out.push_str(&format!(
        "lines of the series that no scenario executes: {}\n",
        match lines.as_slice() {
            [] => "0".to_owned(),
            lines => lines.join(", "),
        }
    ));
    if !summary.unread.is_empty() {
        let unread = summary.unread.join(", ");
        out.push_str(&format!("functions that were not understood: {unread}\n"));
    }
    for fate in fates.iter().filter(|it| it.verdict == Verdict::Survived) {
        if let Some(place) = &fate.place {
            out.push_str(&format!("\n{} SURVIVED\n{}", fate.name, place.diff));
        }
    }
    let d = document(fates, Some(summary));
    let count = |verdict: Verdict| fates.iter().filter(|it| it.verdict == verdict).count();
    let seconds: f64 = fates.iter().map(|fate| fate.test_s).sum();
    out.push_str(&format!(
        "\n{} mistakes: {} caught, {} equivalent, {} survived, {} the same code, {} not reached; \
         {} more refused by the compiler; {seconds:.0} s of guests\n",
        d.total,
        d.caught,
        d.equivalent,
        d.survived,
        count(Verdict::SameCode),
        count(Verdict::NotReached),
        summary.refused
    ));
    out
}

/// How many there are of each verdict, by what `key` says of their places.
fn counts(fates: &[Fate], head: &str, key: fn(&Place) -> &str) -> String {
    const COLUMNS: [(&str, Verdict); 5] = [
        ("caught", Verdict::Caught),
        ("survived", Verdict::Survived),
        ("equivalent", Verdict::Equivalent),
        ("same code", Verdict::SameCode),
        ("not reached", Verdict::NotReached),
    ];
    let mut rows: BTreeMap<&str, Vec<Verdict>> = BTreeMap::new();
    for fate in fates {
        if let Some(place) = &fate.place {
            rows.entry(key(place)).or_default().push(fate.verdict);
        }
    }
    let names = rows.keys().map(|name| name.len()).max().unwrap_or(0);
    let names = names.max(head.len());
    let mut out = format!("{head:names$}  {:>5}", "made");
    for (column, _) in COLUMNS {
        out.push_str(&format!("  {column:>11}"));
    }
    out.push('\n');
    for (name, verdicts) in rows {
        out.push_str(&format!("{name:names$}  {:>5}", verdicts.len()));
        for (_, verdict) in COLUMNS {
            let count = verdicts.iter().filter(|it| **it == verdict).count();
            out.push_str(&format!("  {count:>11}"));
        }
        out.push('\n');
    }
    out
}

/// The table at the end: mutant, verdict, who noticed, how long, and what.
fn table(fates: &[Fate]) -> String {
    let width =
        |of: fn(&Fate) -> usize, least: usize| fates.iter().map(of).max().unwrap_or(0).max(least);
    let names = width(|fate| fate.name.len(), 6);
    let by = width(|fate| fate.by.as_deref().map_or(1, str::len), 9);
    let mut out = format!(
        "{:names$}  {:14}  {:by$}  {:>7}  how\n",
        "mutant", "verdict", "caught by", "time"
    );
    for fate in fates {
        let time = seconds(Duration::from_secs_f64(fate.build_s + fate.test_s));
        let how = printable(fate.how.as_deref().unwrap_or("-"));
        let how: String = how.chars().take(90).collect();
        out.push_str(&format!(
            "{:names$}  {:14}  {:by$}  {time:>7}  {how}\n",
            fate.name,
            fate.verdict.as_str(),
            fate.by.as_deref().unwrap_or("-"),
        ));
    }
    let d = document(fates, None);
    out.push_str(&format!(
        "\n{} of {} caught, {} equivalent, {} survived\n",
        d.caught, d.total, d.equivalent, d.survived
    ));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_counted_by_function_and_kind() {
        let fate = |function: &str, kind, line, verdict| Fate {
            name: format!("{function}-{kind}-1"),
            verdict,
            place: Some(Place {
                file: "mm/a.c".into(),
                line,
                function: function.into(),
                kind,
                diff: "-right\n+wrong\n".into(),
            }),
            ..Fate::default()
        };
        let fates = [
            fate("reap", "negate", 3, Verdict::Caught),
            fate("reap", "bound", 3, Verdict::Survived),
            fate("reap", "leave-out", 4, Verdict::SameCode),
            fate("queue", "negate", 9, Verdict::NotReached),
        ];
        let summary = Summary {
            refused: 2,
            unread: vec!["odd".into()],
            lines_not_reached: vec!["mm/a.c:9".into()],
        };
        insta::assert_snapshot!(report(&fates, Some(&summary)), @r"
        function   made       caught     survived   equivalent    same code  not reached
        queue         1            0            0            0            0            1
        reap          3            1            1            0            1            0

        kind of mistake   made       caught     survived   equivalent    same code  not reached
        bound                1            0            1            0            0            0
        leave-out            1            0            0            0            1            0
        negate               2            1            0            0            0            1

        lines of the series that no scenario executes: mm/a.c:9
        functions that were not understood: odd

        reap-bound-1 SURVIVED
        -right
        +wrong

        4 mistakes: 1 caught, 0 equivalent, 1 survived, 1 the same code, 1 not reached; 2 more refused by the compiler; 0 s of guests
        ");
    }

    #[test]
    fn a_survivor_is_a_failure() {
        let fate = |verdict| Fate {
            name: "m".into(),
            verdict,
            ..Fate::default()
        };
        let code = |verdicts: &[Verdict]| {
            let fates: Vec<Fate> = verdicts.iter().map(|&v| fate(v)).collect();
            judge(&fates).err().map(|failure| failure.kind.code())
        };
        assert_eq!(code(&[Verdict::Caught, Verdict::Equivalent]), None);
        assert_eq!(code(&[Verdict::Caught, Verdict::Survived]), Some(1));
        assert_eq!(code(&[Verdict::NotEquivalent]), Some(1));
        assert_eq!(code(&[Verdict::Broken]), Some(4));
    }
}
