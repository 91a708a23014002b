//! Reads the figures of a changelog, and asks what a reader would ask of them.

use std::sync::LazyLock;

use regex::Regex;

use super::model::{Claims, Figure, Finding, Row, Rule};

/// Above these a changelog is not read to its end.
const LINES: usize = 10_000;

/// Rounding to a decimal or two is no contradiction.
const ROUNDED: f64 = 0.051;

fn regex(pattern: &str) -> Regex {
    #[expect(clippy::expect_used, reason = "a literal, tried by the tests")]
    Regex::new(pattern).expect("a valid pattern")
}

static PERCENT: LazyLock<Regex> = LazyLock::new(|| regex(r"[-+~−]?\d+(?:\.\d+)?\s?%"));

static TIME: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"\b\d+(?:\.\d+)?\s?(?:ns|us|µs|ms|msecs?|s|secs?|seconds?|milliseconds?|microseconds?)\b",
    )
});

static NUMBER: LazyLock<Regex> = LazyLock::new(|| regex(r"^[-+−]?\d+(?:\.\d+)?"));

static UNIT: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)[(\[]\s*(?:in\s+)?(ns|us|µs|ms|s|secs?|seconds?|kb|mb|kib|mib|pages|cycles|%)\s*[)\]]",
    )
});

static ARCHITECTURE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)\b(x86(?:[-_]64)?|amd64|i[3-6]86|arm(?:64|v[78]\w*|32)?|aarch64|risc-?v(?:64)?|ppc64(?:le)?|powerpc(?:64)?|s390x?|loong(?:arch|son)\w*|mips\w*|sparc\w*|snapdragon|graviton|xeon|epyc|ryzen|cortex\S*)\b",
    )
});

static RUNS: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)\b(?:\d+|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty|fifty|hundred|several)\s+(?:\w+\s+)?(?:runs|iterations|repetitions|boots|rounds|times|tests|samples each|measurements)\b|\bn\s*=\s*\d+|±|\+/-|\bstd(?:\.|ev|\s?dev)|\b(?:standard deviation|confidence interval|variance)\b",
    )
});

/// A line of a call graph, as perf draws it: a share of what its parent took.
static SHARE: LazyLock<Regex> = LazyLock::new(|| regex(r"--\d+(?:\.\d+)?%--"));

pub fn read(changelog: &str) -> Claims {
    let mut claims = Claims::default();
    let mut shares = Vec::new();
    let mut bare = Vec::new();
    let mut table = Table::default();
    let mut unit = None;
    for (line, text) in changelog
        .lines()
        .take(LINES)
        .enumerate()
        .map(|(n, t)| (n + 1, t))
    {
        if SHARE.is_match(text) {
            shares.push(line);
            continue;
        }
        if let Some(cells) = cells(text) {
            table.line(line, &cells, unit.as_ref());
            continue;
        }
        if is_rule(text) {
            continue;
        }
        table.end(&mut claims);
        if let Some(found) = UNIT.captures(text).and_then(|c| c.get(1)) {
            unit = Some(found.as_str().to_owned());
        } else if !text.trim().is_empty() {
            unit = None;
        }
        for found in PERCENT.find_iter(text) {
            bare.push((line, found.as_str().to_owned()));
        }
        for found in PERCENT.find_iter(text).chain(TIME.find_iter(text)) {
            let text = found.as_str().to_owned();
            claims.figures.push(Figure { line, text });
        }
    }
    table.end(&mut claims);
    claims.findings.extend(unfounded(&claims, &shares, &bare));
    claims.findings.extend(unsaid(&claims, changelog, &shares));
    claims.findings.sort_by_key(|finding| finding.line);
    claims
}

/// The cells of a table's line; none of any other.
fn cells(text: &str) -> Option<Vec<&str>> {
    let inner = text.trim().strip_prefix('|')?.strip_suffix('|')?;
    let cells: Vec<_> = inner.split('|').map(str::trim).collect();
    (cells.len() >= 2).then_some(cells)
}

/// A line that only draws a table's frame.
fn is_rule(text: &str) -> bool {
    let text = text.trim();
    text.len() > 2 && text.chars().all(|c| matches!(c, '+' | '-' | '=' | '|'))
}

/// A table while it is read.
#[derive(Debug, Default)]
struct Table {
    /// Which columns hold base and patched, once its head was seen.
    columns: Option<(usize, usize)>,
    unit: Option<String>,
    first: usize,
    whole: Option<Row>,
    rows: Vec<Row>,
    findings: Vec<Finding>,
}

impl Table {
    fn line(&mut self, line: usize, cells: &[&str], unit: Option<&String>) {
        let Some((base, patched)) = self.columns else {
            self.columns = arms(cells);
            self.first = line;
            let own = cells.iter().find_map(|cell| UNIT.captures(cell)?.get(1));
            self.unit = own.map(|m| m.as_str().to_owned()).or(unit.cloned());
            return;
        };
        let (Some(label), Some(base), Some(patched)) =
            (cells.first(), cells.get(base), cells.get(patched))
        else {
            return;
        };
        let (base, patched) = (sum(base), sum(patched));
        if base.is_empty() || base.len() != patched.len() {
            return;
        }
        let row = |label: String, base: f64, patched: f64| Row {
            label,
            line,
            base,
            patched,
            unit: self.unit.clone(),
        };
        if let ([base], [patched]) = (base.as_slice(), patched.as_slice()) {
            let whole = row((*label).to_owned(), *base, *patched);
            self.rows.push(whole.clone());
            self.whole = Some(whole);
            return;
        }
        // A line of parts belongs to the one above it.
        let names = parts(label, base.len());
        let whole = self.whole.clone();
        let prefix = whole
            .as_ref()
            .map_or(String::new(), |w| format!("{} / ", w.label));
        for ((name, base), patched) in names.iter().zip(&base).zip(&patched) {
            let part = row(format!("{prefix}{name}"), *base, *patched);
            self.rows.push(part);
        }
        let Some(whole) = whole else { return };
        for (arm, all, parts) in [
            ("with the patch", whole.patched, &patched),
            ("without it", whole.base, &base),
        ] {
            let added: f64 = parts.iter().sum();
            if (added - all).abs() > ROUNDED * parts.len() as f64 {
                self.findings.push(Finding {
                    line: Some(line),
                    rule: Rule::DoesNotAddUp,
                    text: format!(
                        "{} {arm}: the parts make {added:.1}, the whole is {all}",
                        whole.label
                    ),
                });
            }
        }
    }

    fn end(&mut self, claims: &mut Claims) {
        let table = std::mem::take(self);
        if !table.rows.is_empty() && table.unit.is_none() {
            claims.findings.push(Finding {
                line: Some(table.first),
                rule: Rule::NoUnit,
                text: "a table whose figures have no unit".to_owned(),
            });
        }
        claims.rows.extend(table.rows);
        claims.findings.extend(table.findings);
    }
}

/// Which columns of a table's head are base and patched.
fn arms(head: &[&str]) -> Option<(usize, usize)> {
    let is_base = |cell: &&str| {
        let cell = cell.to_lowercase();
        [
            "without",
            "base",
            "before",
            "unpatched",
            "vanilla",
            "old",
            "mainline",
        ]
        .iter()
        .any(|word| cell.contains(word))
    };
    let is_patched = |cell: &&str| {
        let cell = cell.to_lowercase();
        ["patch", "with", "after", "new"]
            .iter()
            .any(|word| cell.contains(word))
    };
    let base = head.iter().position(&is_base)?;
    let patched = head
        .iter()
        .enumerate()
        .position(|(at, cell)| at != base && !is_base(cell) && is_patched(cell))?;
    Some((base, patched))
}

/// The numbers of `72.4 + 60.2`; none of what is something else.
fn sum(cell: &str) -> Vec<f64> {
    let numbers = cell.split('+').map(|part| {
        let found = NUMBER.find(part.trim())?;
        found.as_str().replace('−', "-").parse::<f64>().ok()
    });
    numbers.collect::<Option<_>>().unwrap_or_default()
}

/// The names of the parts in `(exit_mmap + reaper work)`.
fn parts(label: &str, count: usize) -> Vec<String> {
    let inner = label.trim_start_matches('(').trim_end_matches(')');
    let names: Vec<_> = inner
        .split('+')
        .map(|name| name.trim().to_owned())
        .collect();
    if names.len() == count {
        return names;
    }
    (1..=count).map(|nth| format!("part {nth}")).collect()
}

/// Percentages that nothing says what they are of, and those that the table
/// contradicts.
fn unfounded(claims: &Claims, shares: &[usize], bare: &[(usize, String)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let (Some(first), count) = (shares.first(), shares.len()) {
        findings.push(Finding {
            line: Some(*first),
            rule: Rule::PercentageWithoutBase,
            text: format!(
                "{count} percentages of a profile that does not say how long it is: two of \
                 them can't be compared"
            ),
        });
    }
    for (line, text) in bare {
        let digits = text.trim_start_matches(['-', '+', '~', '−']);
        let Some(claimed) = NUMBER
            .find(digits)
            .and_then(|m| m.as_str().parse::<f64>().ok())
        else {
            continue;
        };
        // What a table gives, to the precision that is claimed.
        let decimals = digits.split_once('.').map_or(0, |(_, rest)| {
            rest.chars().take_while(char::is_ascii_digit).count()
        });
        let precision = 0.51 * 10f64.powi(-i32::try_from(decimals).unwrap_or(0));
        let given = claims.rows.iter().filter_map(Row::ratio).any(|ratio| {
            let (change, share) = ((ratio - 1.0).abs() * 100.0, ratio * 100.0);
            (change - claimed).abs() <= precision || (share - claimed).abs() <= precision
        });
        if given {
            continue;
        }
        let (rule, text) = if claims.rows.is_empty() {
            (
                Rule::PercentageWithoutBase,
                format!("{text} of what? Neither value is given"),
            )
        } else {
            (
                Rule::Miscalculated,
                format!("no row of the table gives {text}"),
            )
        };
        findings.push(Finding {
            line: Some(*line),
            rule,
            text,
        });
    }
    findings
}

/// What figures are worth little without.
fn unsaid(claims: &Claims, changelog: &str, shares: &[usize]) -> Vec<Finding> {
    if claims.rows.is_empty() && claims.figures.is_empty() && shares.is_empty() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (rule, pattern, text) in [
        (
            Rule::NoArchitecture,
            &ARCHITECTURE,
            "no architecture is named for the figures",
        ),
        (
            Rule::NoNumberOfRuns,
            &RUNS,
            "neither a number of runs nor a variance: one run may be luck",
        ),
    ] {
        if !pattern.is_match(changelog) {
            findings.push(Finding {
                line: None,
                rule,
                text: text.to_owned(),
            });
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the final changelog; its figures are upstream's.
    const FINAL: &str = "\
The test is conducted on arm64.

Without the patch:
|--99.57%-- oom_reaper
|    |--73.58%-- unmap_page_range

+----------------------------------------------------------------+
| Category                      | Applying patch | Without patch |
+-------------------------------+----------------+---------------+
| Total running time            |    132.6       |    167.1      |
|   (exit_mmap + reaper work)   |  72.4 + 60.2   |  90.7 + 76.4  |
+-------------------------------+----------------+---------------+
| Time waiting for pte spinlock |     1.0        |    33.1       |
|   (exit_mmap + reaper work)   |   0.4 + 0.6    |  10.0 + 23.1  |
+----------------------------------------------------------------+
";

    fn rules(changelog: &str) -> Vec<Rule> {
        read(changelog).findings.iter().map(|f| f.rule).collect()
    }

    #[test]
    fn the_final_changelog() {
        let claims = read(FINAL);
        let rows: Vec<_> = claims
            .rows
            .iter()
            .map(|row| {
                let percent = row
                    .ratio()
                    .map(|ratio| ((ratio - 1.0) * 1000.0).round() / 10.0);
                (row.label.as_str(), row.base, row.patched, percent)
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("Total running time", 167.1, 132.6, Some(-20.6)),
                ("Total running time / exit_mmap", 90.7, 72.4, Some(-20.2)),
                ("Total running time / reaper work", 76.4, 60.2, Some(-21.2)),
                ("Time waiting for pte spinlock", 33.1, 1.0, Some(-97.0)),
                (
                    "Time waiting for pte spinlock / exit_mmap",
                    10.0,
                    0.4,
                    Some(-96.0)
                ),
                (
                    "Time waiting for pte spinlock / reaper work",
                    23.1,
                    0.6,
                    Some(-97.4)
                ),
            ]
        );
        assert_eq!(
            rules(FINAL),
            [
                Rule::NoNumberOfRuns,
                Rule::PercentageWithoutBase,
                Rule::NoUnit
            ]
        );
    }

    #[test]
    fn a_unit_above_or_in_the_head() {
        let named = FINAL.replace("\n\n+", "\n\nSummary of measurements (ms):\n+");
        assert!(!rules(&named).contains(&Rule::NoUnit));
        assert_eq!(read(&named).rows[0].unit.as_deref(), Some("ms"));
        let head = FINAL.replace("Category     ", "Category (ms)");
        assert_eq!(read(&head).rows[0].unit.as_deref(), Some("ms"));
    }

    #[test]
    fn figures_that_contradict_each_other() {
        let wrong = FINAL.replace("167.1", "176.1");
        assert!(rules(&wrong).contains(&Rule::DoesNotAddUp));
        let right = FINAL.replace(
            "arm64.",
            "arm64. The total falls by 20.6%, waiting by 97 %.",
        );
        assert!(!rules(&right).contains(&Rule::Miscalculated));
        let wrong = FINAL.replace("arm64.", "arm64. The total falls by 30%.");
        assert!(rules(&wrong).contains(&Rule::Miscalculated));
    }

    #[test]
    fn what_is_asked_of_prose() {
        for (changelog, expected) in [
            ("Reap from the other end.", &[][..]),
            (
                "Reaping is 30% faster.",
                &[
                    Rule::NoArchitecture,
                    Rule::NoNumberOfRuns,
                    Rule::PercentageWithoutBase,
                ],
            ),
            (
                "On x86_64, over 10 runs, reaping takes 12 ms instead of 20 ms.",
                &[],
            ),
            (
                "It takes 12 ms instead of 20 ms.",
                &[Rule::NoArchitecture, Rule::NoNumberOfRuns],
            ),
        ] {
            assert_eq!(rules(changelog), expected, "{changelog}");
        }
    }

    #[test]
    fn hostile_tables() {
        for text in [
            "|||",
            "| a | base | patched |\n| x |",
            "| | without | with |\n| y | 1 + | 2 |",
            "|",
            "+-+",
        ] {
            assert_eq!(read(text).rows, [], "{text}");
        }
        assert!(read(&"| a | 1 | 2 |\n".repeat(20_000)).rows.is_empty());
    }
}
