//! What a terminal shows of a review: 76 columns, so that it can be pasted into
//! an answer.

use std::fmt::Write;
use std::io::IsTerminal;
use std::path::Path;

use series::Series;
use series::index::Found;
use series::patch::is_unprintable;
use series::review::lint::{Finding, Severity};
use series::review::reroll::{Change, Outcome, Reroll, Verdict};
use series::review::{Collected, Point, Review, Standing};

use crate::output::is_stdout;

const WIDTH: usize = 76;
/// The most series of a list; the newest are at its end.
const MOST: usize = 50;

/// Colours, where they are wanted.
#[derive(Clone, Copy)]
pub struct Paint(bool);

impl Paint {
    /// For standard output: colours on a terminal alone.
    pub fn for_stdout() -> Self {
        let unwanted = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        Self(std::io::stdout().is_terminal() && !unwanted("NO_COLOR") && !unwanted("CI"))
    }

    fn with(self, code: &str, text: &str) -> String {
        match self.0 {
            true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    fn doubtful(self, text: &str) -> String {
        self.with("33", text)
    }

    fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    fn dim(self, text: &str) -> String {
        self.with("2", text)
    }
}

/// Where the series stands, what was found in it, and what changed.
pub fn review(review: &Review, found: &[Finding], rerolls: &[Reroll], paint: Paint) -> String {
    let series = review.series();
    let mut blocks = vec![heading(review, paint)];
    for index in 1..=series.total {
        let block = match series.patches.iter().position(|one| one.index == index) {
            Some(at) => patch(review, at, paint),
            None if series.missing.contains(&index) => {
                paint.bad(&format!("{index}/{} is missing", series.total))
            }
            None => continue,
        };
        blocks.push(block);
    }
    let open = review.open().map(|one| point(one, series, paint));
    // Without an answer nobody can have asked.
    if !series.replies.is_empty() {
        blocks.push(under("Not answered yet", open.collect(), paint));
    }
    let findings = found.iter().map(|one| finding(one, paint));
    blocks.push(under("Changelog and trailers", findings.collect(), paint));
    blocks.extend(rerolls.iter().map(|one| reroll(one, paint)));
    let warnings = series.warnings.iter().map(ToString::to_string);
    let unreadable = review
        .unreadable
        .iter()
        .map(|one| format!("v{} can't be read: {}", one.version, one.error));
    let notes: Vec<String> = warnings
        .chain(unreadable)
        .map(|note| marked(paint.doubtful("!"), "", &note))
        .collect();
    if !notes.is_empty() {
        blocks.push(notes.join("\n"));
    }
    blocks.join("\n\n") + "\n"
}

/// Lines under a heading. That there is none is said too: somebody looked.
fn under(heading: &str, mut lines: Vec<String>, paint: Paint) -> String {
    if lines.is_empty() {
        lines.push(paint.dim("  nothing found"));
    }
    format!("{}\n{}", paint.bold(heading), lines.join("\n"))
}

/// The title, the version, who sent it and when, how much of it is here.
fn heading(review: &Review, paint: Paint) -> String {
    let series = review.series();
    let mut line = format!("v{}", series.version);
    if let Some(first) = series.patches.first() {
        let _ = write!(line, " by {}", first.author);
        if let Some(date) = &first.date {
            let _ = write!(line, ", {}", date.trim_end_matches(" -0000"));
        }
    }
    let (here, total) = (series.patches.len(), series.total);
    let of = match here as u64 == u64::from(total) {
        true => count(here, "patch", "es"),
        false => format!("{here} of {}", count(total as usize, "patch", "es")),
    };
    let facts = format!("{of}, {}", count(series.replies.len(), "answer", "s"));
    let others: Vec<String> = (review.versions.iter())
        .filter(|one| one.version != series.version)
        .map(|one| format!("v{} ({} of {})", one.version, one.patches.len(), one.total))
        .collect();
    let mut out = paint.bold(&wrap("", &series.title));
    for line in [line, facts] {
        out += "\n";
        out += &wrap("", &line);
    }
    if !others.is_empty() {
        out += "\n";
        out += &wrap("", &format!("also here: {}", others.join(", ")));
    }
    out
}

/// A patch and what was said in its favour.
fn patch(review: &Review, at: usize, paint: Paint) -> String {
    let patch = &review.series().patches[at];
    let place = format!("{}/{} ", patch.index, patch.total);
    let mut lines = vec![paint.bold(&wrap(&place, &patch.subject))];
    lines.extend(review.trailers[at].iter().map(|one| trailer(one, paint)));
    if review.trailers[at].is_empty() {
        lines.push(paint.dim("  no trailer in an answer"));
    }
    lines.join("\n")
}

fn trailer(one: &Collected, paint: Paint) -> String {
    let text = format!("{}: {}", one.name, one.value);
    let mark = match &one.standing {
        Standing::Conditional(_) => paint.doubtful("?"),
        standing if standing.counts(false) => paint.good("+"),
        _ => paint.bad("-"),
    };
    let line = marked(mark, "  ", &text);
    match &one.standing {
        Standing::Given => line,
        _ => format!("{line}\n{}", paint.dim(&wrap("      ", &one.why()))),
    }
}

fn point(one: &Point, series: &Series, paint: Paint) -> String {
    let on = match one.to_patch {
        0 => "the cover letter".to_owned(),
        index => format!("{index}/{}", series.total),
    };
    let head = format!("{}, {} on {on}", one.by.name, one.kind.as_str());
    let mut out = marked(paint.doubtful("?"), "  ", &head);
    if let Some(about) = &one.about {
        out += "\n";
        out += &paint.dim(&wrap("    > ", about));
    }
    out + "\n" + &wrap("      ", &one.quote)
}

fn finding(one: &Finding, paint: Paint) -> String {
    let mark = match one.severity {
        Severity::Error => paint.bad("-"),
        Severity::Warning => paint.doubtful("!"),
        Severity::Hint => paint.dim("."),
    };
    let text = format!("{}, {}: {}", one.place, one.severity.as_str(), one.text);
    let source = format!("{}: {}", one.rule, one.source);
    marked(mark, "  ", &text) + "\n" + &paint.dim(&wrap("      ", &source))
}

/// What changed from one version to the next.
fn reroll(one: &Reroll, paint: Paint) -> String {
    let mut lines = vec![paint.bold(&format!("From v{} to v{}", one.from, one.to))];
    lines.extend(one.patches.iter().map(|patch| change(patch, paint)));
    lines.extend(one.requests.iter().map(|request| outcome(request, paint)));
    lines.join("\n")
}

fn change(one: &Change, paint: Paint) -> String {
    let place = |index: Option<u32>| index.map_or("-".to_owned(), |index| index.to_string());
    let places = format!(
        "  {} {} {}  ",
        place(one.old),
        one.kind.mark(),
        place(one.new)
    );
    let mut out = wrap(&places, &one.subject);
    if let Some(before) = &one.renamed_from {
        out += "\n";
        out += &paint.dim(&wrap("      ", &format!("was: {before}")));
    }
    for line in one.changelog.lines().chain(one.diff.lines()) {
        let line: String = line
            .chars()
            .map(|c| {
                if is_unprintable(c) && c != '\t' {
                    '\u{fffd}'
                } else {
                    c
                }
            })
            .collect();
        let line = match line.as_bytes().first() {
            Some(b'+') => paint.good(&line),
            Some(b'-') => paint.bad(&line),
            _ => line,
        };
        let _ = write!(out, "\n      {line}");
    }
    out
}

fn outcome(one: &Outcome, paint: Paint) -> String {
    let mark = match one.verdict {
        Verdict::Met => paint.good("+"),
        Verdict::Changed => paint.doubtful("~"),
        Verdict::Unchanged => paint.bad("-"),
        Verdict::Unclear => paint.doubtful("?"),
    };
    let text = format!("{}: {}", one.verdict.as_str(), one.seen);
    let quote = format!("{}: {}", one.by, one.quote);
    marked(mark, "  ", &text) + "\n" + &paint.dim(&wrap("      ", &quote))
}

/// What was written for `git am`.
pub fn am(review: &Review, file: &Path, accept_conditional: bool) -> String {
    let series = review.series();
    let trailers: usize = (0..series.patches.len())
        .map(|at| review.counted(at, accept_conditional).len())
        .sum();
    let patches = count(series.patches.len(), "patch", "es");
    let added = count(trailers, "trailer", "s");
    let held = review.trailers.iter().flatten();
    let held = held
        .filter(|one| matches!(one.standing, Standing::Conditional(_)))
        .count();
    let place = match is_stdout(file) {
        true => "standard output".to_owned(),
        false => file.display().to_string(),
    };
    let mut text = format!("{place}: {patches} of v{}, {added} added", series.version);
    if held > 0 && !accept_conditional {
        let _ = write!(
            text,
            "; {held} with a condition left out, --accept-conditional adds them"
        );
    }
    text
}

/// The series of a mailbox.
pub fn list(found: &[Found]) -> String {
    let mut out = String::new();
    let older = found.len().saturating_sub(MOST);
    if older > 0 {
        let _ = writeln!(out, "({older} series before these)");
    }
    for one in &found[older..] {
        let versions: Vec<String> = one.versions.iter().map(|v| format!("v{v}")).collect();
        let by = one.by.as_ref().map_or("unknown", |by| by.name.as_str());
        let _ = writeln!(out, "{}", wrap("", &one.title));
        let facts = format!(
            "{} by {by}, {}, {}",
            versions.join(" "),
            count(one.patches, "patch", "es"),
            count(one.mails.len(), "mail", "s")
        );
        let _ = writeln!(out, "{}", wrap("    ", &facts));
        if let Some(id) = &one.id {
            let _ = writeln!(out, "    {id}");
        }
    }
    out
}

fn count(number: usize, of: &str, plural: &str) -> String {
    let plural = if number == 1 { "" } else { plural };
    format!("{number} {of}{plural}")
}

/// A line behind a mark, which may be coloured.
fn marked(mark: String, indent: &str, text: &str) -> String {
    let plain = wrap(&format!("{indent}* "), text);
    plain.replacen('*', &mark, 1)
}

/// Lines of at most [`WIDTH`] columns: the prefix before the first, blanks
/// before the others. What is longer than a line is not cut. What a terminal
/// would not show as it is does not come through.
fn wrap(prefix: &str, text: &str) -> String {
    let text = text.replace(|c| is_unprintable(c) && !c.is_whitespace(), "\u{fffd}");
    let mut out = prefix.to_owned();
    let indent = prefix.chars().count();
    let mut column = indent;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > indent && column + 1 + length > WIDTH {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if column > indent {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}
