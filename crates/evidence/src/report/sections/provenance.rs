//! How it was measured: what a reader needs to judge the run, and to repeat it.

use results::Arm;
use results::record::Unit;

use super::changelog::guests;
use crate::analyse::model::{Report, RoundRow};
use crate::analyse::turns::Turns;
use crate::report::document::{Block, Reach, Section};
use crate::run::ArmInfo;
use crate::words::{significant, value};

pub(crate) fn section(report: &Report) -> Section<'_> {
    let mut pairs = tested(report);
    pairs.extend(machine(report));
    pairs.extend(report.turns.iter().flat_map(turns));
    pairs.extend(course(report));
    let notes = report.notes.iter();
    pairs.extend(notes.map(|note| ("Note", note.clone())));
    Section::new("How it was measured", vec![Block::Pairs(pairs)]).reach(Reach::InFull)
}

/// What was tested on what, for whoever reads an answer.
pub(crate) fn in_a_sentence(report: &Report) -> Section<'_> {
    let text = format!(
        "Tested: {}, on Linux {}, {} flavour, in {}, by reaperlab {}.",
        report.series.patches.join("; "),
        report.kernel.version,
        report.guest.flavour,
        guests(report),
        report.tool_version
    );
    Section::untitled(vec![Block::Paragraph(text)])
}

/// The series, the kernel and its arms.
fn tested(report: &Report) -> Vec<(&'static str, String)> {
    let (series, kernel) = (&report.series, &report.kernel);
    let mut pairs = vec![
        ("Series", format!("{} ({})", series.title, series.version)),
        ("Patches tested", series.patches.join("; ")),
    ];
    if !series.missing.is_empty() {
        let total = series.patches.len() + series.missing.len();
        let missing = series.missing.iter().map(|n| format!("{n}/{total}"));
        pairs.push(("Missing", missing.collect::<Vec<_>>().join(", ")));
    }
    pairs.push(("Kernel", format!("{} ({})", kernel.version, kernel.name)));
    pairs.extend(kernel.arms.iter().map(arm));
    pairs
}

fn arm(arm: &ArmInfo) -> (&'static str, String) {
    let name = match arm.arm {
        Arm::Base => "Base",
        Arm::Patched => "Patched",
    };
    let built = match arm.built_s {
        _ if arm.cached => ", from the cache".to_owned(),
        Some(seconds) => format!(", built in {} s", significant(seconds)),
        None => String::new(),
    };
    let below = match arm.prerequisites.as_slice() {
        [] => String::new(),
        list => format!(", on top of: {}", list.join("; ")),
    };
    // The first twelve digits of a hash.
    let short = |hash: &str| hash.get(..12).unwrap_or(hash).to_owned();
    let text = format!(
        "commit {}, tree {}, config {}, image {}{built}{below}",
        short(&arm.commit),
        short(&arm.tree),
        short(&arm.config_sha),
        short(&arm.image_sha)
    );
    (name, text)
}

/// What the host was like while guests took turns.
fn turns(turns: &Turns) -> Vec<(&'static str, String)> {
    let [base, patched] = turns.disturbed;
    let mut pairs = vec![(
        "Turns",
        format!(
            "{}, disturbed by the host: {base} of base, {patched} of patched",
            turns.count
        ),
    )];
    if let Some(weather) = turns.weather_us {
        let [low, middle, high] = weather.map(|us| value(Unit::Us, us));
        pairs.push((
            "Host's memory",
            format!("{middle} for a walk of fixed length, {low} to {high} in 8 of 10 looks"),
        ));
    }
    pairs
}

/// What ran the guests, and what they were given.
fn machine(report: &Report) -> [(&'static str, String); 4] {
    let (guest, host) = (&report.guest, &report.host);
    let accelerator = &report.accelerator;
    [
        (
            "Guest",
            format!(
                "{} CPUs, {} MiB, {} flavour",
                guest.cpus, guest.memory_mib, guest.flavour
            ),
        ),
        (
            "Machine",
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
            "Accelerator",
            format!("{}: {}", accelerator.kind.acronym(), accelerator.why),
        ),
        (
            "Versions",
            format!(
                "reaperlab {}, {}, {}, {}",
                report.tool_version,
                named("QEMU", &report.qemu),
                named("virtme-ng", &report.virtme_ng),
                report.compiler
            ),
        ),
    ]
}

/// What a program says of its version, with its name once.
fn named(name: &str, version: &str) -> String {
    match version.starts_with(name) {
        true => version.to_owned(),
        false => format!("{name} {version}"),
    }
}

/// How the run went, and how it decides.
fn course(report: &Report) -> [(&'static str, String); 5] {
    let round = |r: &RoundRow| {
        let how = r.how.replace(',', "");
        format!("{}{how} {}", r.arm.as_str(), r.status.as_str())
    };
    let rounds: Vec<String> = report.rounds.iter().map(round).collect();
    [
        ("Rounds", rounds.join(", ")),
        ("Design", design(report)),
        ("Started", report.started.clone()),
        ("Seed", report.seed.to_string()),
        ("Command", report.command.clone()),
    ]
}

/// How the run decides, and what it spends of its 5 % when.
fn design(report: &Report) -> String {
    let mut text = "blocks of a boot of each arm; ranks within blocks".to_owned();
    if !report.looks.is_empty() {
        let look = |(boots, share): &(usize, f64)| {
            let percent = significant(share * 100.0);
            format!("{boots} ({percent} %)")
        };
        let looks: Vec<String> = report.looks.iter().map(look).collect();
        text.push_str(&format!(
            "; looks after {} blocks, which give 5 % of false alarms together",
            looks.join(", ")
        ));
    }
    if report.primary.len() > 1 {
        text.push_str(&format!(
            "; deciding metrics in a fixed sequence: {}; no other is tested",
            report.primary.join(", ")
        ));
    }
    text
}
