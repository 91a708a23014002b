//! The table at the end of a run: plain ASCII that may be pasted anywhere.

use results::record::Unit;

use super::words::{decided_words, headline};
use super::{probes, sweeps};
use crate::analyse::comparison::{Comparison, ratio_words, rounds_words};
use crate::analyse::model::Report;
use crate::words::{ascii, one_line, significant, value, wrap};

const WIDTH: usize = 100;

/// The answer, the comparisons and the scenarios, at most 100 columns wide.
pub fn terminal(report: &Report) -> String {
    let mut out = String::new();
    let mut say = |text: &str| {
        out.push_str(&ascii(text));
        out.push('\n');
    };
    say(&wrap(&one_line(&headline(report)), WIDTH, ""));
    say(&wrap(
        &one_line(&report.order.words(report.names)),
        WIDTH,
        "  ",
    ));
    for caveat in &report.caveats {
        say(&wrap(&format!("note: {}", one_line(caveat)), WIDTH, "  "));
    }
    if let Some(words) = decided_words(report) {
        say(&format!("  {words}"));
    }
    for group in groups(&report.comparisons) {
        say(&format!("\n{}", group_heading(group)));
        say(&comparison_table(group, report.names, WIDTH));
    }
    for (heading, table) in sweeps::tables(&report.sweeps, WIDTH) {
        say(&format!("\n{heading}\n{table}"));
    }
    let costs: Vec<String> = probes::costs(report).map(probes::cost_words).collect();
    if !costs.is_empty() {
        say("\nwhat the probes cost");
        costs
            .iter()
            .for_each(|cost| say(&wrap(&format!("  {cost}"), WIDTH, "    ")));
    }
    if let Some(claimed) = &report.claims {
        say("\nwhat the changelog claims");
        say(&super::claims::table(
            &claimed.claims,
            &claimed.checks,
            WIDTH,
        ));
    }
    if !report.scenarios.is_empty() {
        say("");
        say(&scenario_table(report, WIDTH));
    }
    out
}

/// Runs of comparisons of the same scenario, as they stand.
pub(super) fn groups(comparisons: &[Comparison]) -> impl Iterator<Item = &[Comparison]> {
    comparisons.chunk_by(|a, b| {
        a.scenario == b.scenario
            && a.base.boots == b.base.boots
            && a.patched.boots == b.patched.boots
    })
}

pub(super) fn group_heading(group: &[Comparison]) -> String {
    let Some(first) = group.first() else {
        return String::new();
    };
    format!(
        "{} ({}+{} boots)",
        one_line(&first.scenario),
        first.base.boots,
        first.patched.boots
    )
}

pub(super) fn comparison_table(group: &[Comparison], names: [&str; 2], width: usize) -> String {
    let header = ["", names[0], names[1], "ratio [95 %]", "verdict"];
    let rows = group.iter().map(|c| {
        let unit = |v: f64| {
            if c.unit == Unit::Count {
                significant(v)
            } else {
                value(c.unit, v)
            }
        };
        let star = if c.primary { "* " } else { "  " };
        vec![
            format!("{star}{}", one_line(&c.label)),
            unit(c.base.median),
            unit(c.patched.median),
            ratio_words(c),
            c.verdict.as_str().to_owned(),
        ]
    });
    let mut table = vec![header.map(str::to_owned).to_vec()];
    table.extend(rows);
    let mut text = columns(&table, width, &[false, true, true, false, false]);
    if let Some(words) = too_few(group) {
        text.push('\n');
        text.push_str(&wrap(&format!("  {words}"), width, "  "));
    }
    for c in group.iter().filter(|c| c.shown) {
        let Some(rounds) = c.rounds_needed else {
            continue;
        };
        let line = format!("  {}: {}", one_line(&c.label), rounds_words(rounds));
        text.push('\n');
        text.push_str(&wrap(&line, width, "    "));
    }
    text
}

/// Why the metrics that don't decide can't be told, where that is a matter of
/// their number alone.
fn too_few(group: &[Comparison]) -> Option<String> {
    let others = |unprobed: bool| {
        let of = group
            .iter()
            .filter(|c| !c.primary && c.unprobed == unprobed);
        (
            of.clone().count(),
            of.map(|c| c.base.boots.min(c.patched.boots)).min(),
        )
    };
    let (count, boots) = [others(false), others(true)].into_iter().max()?;
    let fewest = crate::design::fewest(count);
    (boots? < fewest && group.iter().any(|c| c.primary)).then(|| {
        format!(
            "Metrics without * are corrected for their number: {fewest} boots of each arm are the \
             fewest that can tell."
        )
    })
}

pub(super) fn scenario_table(report: &Report, width: usize) -> String {
    let [base, patched] = report.names;
    let mut table = vec![["scenario", base, patched].map(str::to_owned).to_vec()];
    let mut reasons = Vec::new();
    for row in &report.scenarios {
        let name = one_line(&row.name);
        if let Some(why) = &row.why
            && !row.held()
        {
            reasons.push(wrap(&format!("  {name}: {}", one_line(why)), width, "    "));
        }
        table.push(vec![name, row.base.words(), row.patched.words()]);
    }
    let mut text = columns(&table, width, &[false, false, false]);
    for reason in reasons {
        text.push('\n');
        text.push_str(&reason);
    }
    text
}

/// Columns two spaces apart. The first one takes what the others leave and
/// is wrapped to it.
pub(super) fn columns(rows: &[Vec<String>], width: usize, right: &[bool]) -> String {
    let length = |text: &str| text.chars().count();
    let count = right.len();
    let widest = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| length(cell))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(widest).collect();
    let others: usize = widths.iter().skip(1).map(|w| w + 2).sum();
    let first = widths
        .first()
        .copied()
        .unwrap_or(0)
        .min(width.saturating_sub(others).max(12));
    let mut lines = Vec::new();
    for row in rows {
        let Some((label, cells)) = row.split_first() else {
            continue;
        };
        let lead: String = label.chars().take_while(|c| *c == ' ').collect();
        let label = wrap(label, first.saturating_sub(length(&lead)), "    ");
        let mut label_lines = label.lines();
        let head = format!("{lead}{}", label_lines.next().unwrap_or_default());
        let mut line = format!("{head:first$}");
        for (at, cell) in cells.iter().enumerate() {
            let width = widths.get(at + 1).copied().unwrap_or(0);
            if right.get(at + 1) == Some(&true) {
                line.push_str(&format!("  {cell:>width$}"));
            } else {
                line.push_str(&format!("  {cell:width$}"));
            }
        }
        lines.push(line.trim_end().to_owned());
        lines.extend(label_lines.map(|rest| format!("{lead}{rest}")));
    }
    lines.join("\n")
}
