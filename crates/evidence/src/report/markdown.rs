//! `report.md`: plain text in 72 columns that goes into a mail as it is and
//! reads as Markdown too.

use super::changelog::changelog;
use super::terminal::{comparison_table, group_heading, groups, scenario_table};
use super::words::{decided_words, headline};
use super::{claims, probes, sweeps};
use crate::analyse::comparison::comparison_line;
use crate::analyse::model::{Report, Status};
use crate::words::{ascii, capitalise, one_line, significant, wrap};
use results::Arm;

const WIDTH: usize = 72;

/// `report.md`.
pub fn markdown(report: &Report) -> String {
    let mut out = Out::new();
    let title = format!(
        "{} {} on {}",
        report.series.name, report.series.version, report.kernel.name
    );
    out.heading(&one_line(&title), '=');
    // What limits the figures stands before them.
    report
        .caveats
        .iter()
        .for_each(|caveat| out.paragraph(caveat));
    out.paragraph(&headline(report));
    out.paragraph(&format!(
        "{}.",
        capitalise(&report.order.words(report.names))
    ));
    if report.status != Status::Passed {
        report.reasons.iter().for_each(|reason| out.item(reason));
        out.blank();
    }
    let primary: Vec<_> = report.comparisons.iter().filter(|c| c.primary).collect();
    if !primary.is_empty() {
        primary.iter().for_each(|c| out.item(&comparison_line(c)));
        out.blank();
        if let Some(words) = decided_words(report) {
            out.paragraph(&words);
        }
    }
    if !report.comparisons.is_empty() {
        out.heading("Base against patched", '-');
        out.paragraph(&format!(
            "Medians over all repetitions. Ratio is patched / base with its 95 % interval (boots \
             resampled, then repetitions in each). A change below {} % is none. Primary metrics \
             are marked *.",
            significant(report.margin * 100.0)
        ));
        for group in groups(&report.comparisons) {
            out.block(&format!(
                "{}\n\n{}",
                group_heading(group),
                comparison_table(group, report.names, WIDTH - 4)
            ));
        }
    }
    for (heading, table) in sweeps::tables(&report.sweeps, WIDTH - 4) {
        out.heading(&heading, '-');
        out.block(&table);
    }
    if !report.stacks.is_empty() {
        out.heading("Where the walkers wait", '-');
        out.paragraph("Waits for spinlocks and their time, in a repetition on average.");
        out.block(&probes::stack_table(report, WIDTH - 4));
    }
    let mut costs = probes::costs(report).peekable();
    if costs.peek().is_some() {
        out.heading("What the probes cost", '-');
        costs.for_each(|cost| out.item(&probes::cost_words(cost)));
        out.blank();
    }
    if let Some(claimed) = &report.claims {
        out.heading("What the changelog claims", '-');
        out.block(&claims::table(&claimed.claims, &claimed.checks, WIDTH - 4));
    }
    let changelog = changelog(report);
    if !changelog.is_empty() {
        out.heading("For the changelog", '-');
        out.0.push_str(&changelog);
        out.blank();
    }
    if !report.scenarios.is_empty() {
        out.heading("Scenarios", '-');
        out.block(&scenario_table(report, WIDTH - 4));
    }
    out.heading("How it was measured", '-');
    for (name, text) in provenance(report) {
        out.item(&format!("{name}: {text}"));
    }
    out.end()
}

/// What a reader needs to judge the run, and to repeat it.
pub(super) fn provenance(report: &Report) -> Vec<(String, String)> {
    let (series, kernel, host) = (&report.series, &report.kernel, &report.host);
    let mut lines = vec![
        (
            "Series".to_owned(),
            format!("{} ({})", series.title, series.version),
        ),
        ("Patches tested".to_owned(), series.patches.join("; ")),
    ];
    if !series.missing.is_empty() {
        let total = series.patches.len() + series.missing.len();
        let missing: Vec<_> = series
            .missing
            .iter()
            .map(|n| format!("{n}/{total}"))
            .collect();
        lines.push(("Missing".to_owned(), missing.join(", ")));
    }
    lines.push((
        "Kernel".to_owned(),
        format!("{} ({})", kernel.version, kernel.name),
    ));
    for arm in &kernel.arms {
        let below = match arm.prerequisites.as_slice() {
            [] => String::new(),
            list => format!(", on top of: {}", list.join("; ")),
        };
        let built = match arm.built_s {
            _ if arm.cached => ", from the cache".to_owned(),
            Some(seconds) => format!(", built in {} s", significant(seconds)),
            None => String::new(),
        };
        let text = format!(
            "commit {}, tree {}, config {}, image {}{built}{below}",
            short(&arm.commit),
            short(&arm.tree),
            short(&arm.config_sha),
            short(&arm.image_sha)
        );
        let name = if arm.arm == Arm::Base {
            "Base"
        } else {
            "Patched"
        };
        lines.push((name.to_owned(), text));
    }
    let guest = &report.guest;
    lines.extend([
        (
            "Guest".to_owned(),
            format!(
                "{} CPUs, {} MiB, {} flavour",
                guest.cpus, guest.memory_mib, guest.flavour
            ),
        ),
        (
            "Machine".to_owned(),
            format!(
                "{}, {} CPUs, {:.1} GiB, {}, Linux {}",
                host.cpu,
                host.cpus,
                host.memory_kib as f64 / 1_048_576.0,
                host.os,
                host.kernel
            ),
        ),
        (
            "Accelerator".to_owned(),
            format!(
                "{}: {}",
                report.accelerator.kind.acronym(),
                report.accelerator.why
            ),
        ),
        (
            "Versions".to_owned(),
            format!(
                "reaperlab {}, QEMU {}, virtme-ng {}, {}",
                report.tool_version, report.qemu, report.virtme_ng, report.compiler
            ),
        ),
        (
            "Rounds".to_owned(),
            report
                .rounds
                .iter()
                .map(|r| {
                    format!(
                        "{}{} {}",
                        r.arm.as_str(),
                        r.how.replace(',', ""),
                        r.status.as_str()
                    )
                })
                .collect::<Vec<_>>()
                .join(", "),
        ),
        ("Design".to_owned(), design(report)),
        ("Started".to_owned(), report.started.clone()),
        ("Seed".to_owned(), report.seed.to_string()),
        ("Command".to_owned(), report.command.clone()),
    ]);
    lines
        .into_iter()
        .map(|(name, text)| (name, one_line(&text)))
        .chain(
            report
                .notes
                .iter()
                .map(|note| ("Note".to_owned(), one_line(note))),
        )
        .collect()
}

/// How the run decides, and what it spends of its 5 % when.
fn design(report: &Report) -> String {
    let mut text = "arms alternate A B B A; the boot is the unit".to_owned();
    if !report.looks.is_empty() {
        let looks = report.looks.iter().map(|(boots, share)| {
            let percent = significant(share * 100.0);
            format!("{boots} ({percent} %)")
        });
        let looks: Vec<_> = looks.collect();
        text.push_str(&format!(
            "; looks after {} boots of each arm, which share 5 % of false alarms (union bound)",
            looks.join(", ")
        ));
    }
    if report.primary.len() > 1 {
        text.push_str(&format!(
            "; deciding metrics in a fixed sequence: {}; all others with Holm's correction",
            report.primary.join(", ")
        ));
    }
    text
}

/// The first twelve digits of a hash.
fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

/// Text that grows, in 72 columns of ASCII.
pub(super) struct Out(String);

impl Out {
    pub(super) fn new() -> Self {
        Self(String::new())
    }

    /// All of it, ending with one newline.
    pub(super) fn end(mut self) -> String {
        self.0.truncate(self.0.trim_end().len());
        self.0.push('\n');
        self.0
    }

    fn line(&mut self, text: &str) {
        self.0.push_str(&ascii(text));
        self.0.push('\n');
    }

    fn blank(&mut self) {
        self.line("");
    }

    pub(super) fn heading(&mut self, text: &str, under: char) {
        self.line(text);
        self.line(&under.to_string().repeat(text.chars().count().min(WIDTH)));
        self.blank();
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        self.line(&wrap(&one_line(text), WIDTH, ""));
        self.blank();
    }

    fn item(&mut self, text: &str) {
        self.line(&wrap(&format!("- {}", one_line(text)), WIDTH, "  "));
    }

    /// Four columns in: Markdown's verbatim text.
    pub(super) fn block(&mut self, text: &str) {
        for line in text.lines() {
            let line = if line.is_empty() {
                String::new()
            } else {
                format!("    {line}")
            };
            self.line(&line);
        }
        self.blank();
    }
}
