//! A paragraph for the changelog of the series: figures with units, their
//! number, the machine and the architecture, as reviewers ask for them.

use std::collections::BTreeSet;

use results::Arm;
use results::machine::Accel;

use super::answer::deciding;
use crate::analyse::comparison::{Comparison, Verdict};
use crate::analyse::model::Report;
use crate::report::document::{Block, Cell, Column, Reach, Row, Section, Table};
use crate::words::value;

pub(crate) fn section(report: &Report) -> Option<Section<'_>> {
    let blocks = blocks(report);
    (!blocks.is_empty()).then(|| {
        Section::new("For the changelog", vec![Block::ToPaste(blocks)]).reach(Reach::InFull)
    })
}

/// What may be pasted; nothing where nothing was compared.
pub(crate) fn blocks(report: &Report) -> Vec<Block<'static>> {
    let shown = deciding(report);
    if shown.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![
        Block::Paragraph(source(report, &shown)),
        Block::Table(Table {
            columns: vec![
                Column::text(""),
                Column::number("before"),
                Column::number("after"),
                Column::number("change [95 %]"),
                Column::number("n"),
            ],
            rows: shown.iter().map(row).collect(),
            ..Table::default()
        }),
    ];
    let named = |wanted: &dyn Fn(&Comparison) -> bool| {
        let labels = shown.iter().filter(|c| wanted(c)).map(|c| c.label.clone());
        let labels = labels.collect::<Vec<_>>().join("; ");
        (!labels.is_empty()).then_some(labels)
    };
    if let Some(labels) = named(&|c| c.verdict == Verdict::Inconclusive) {
        blocks.push(Block::Paragraph(format!(
            "Can't be told from these boots: {labels}."
        )));
    }
    if report.accelerator.kind == Accel::Tcg {
        blocks.push(Block::Paragraph(
            "Under emulation counts and the sign of a change carry over to hardware, times do not."
                .into(),
        ));
    }
    blocks
}

/// Where the figures come from.
fn source(report: &Report, shown: &[Comparison]) -> String {
    let kernel = &report.kernel;
    let guests = guests(report);
    let below = match kernel.arms.iter().find(|arm| arm.arm == Arm::Base) {
        Some(arm) if !arm.prerequisites.is_empty() => {
            format!(" with {}", arm.prerequisites.join("; "))
        }
        _ => String::new(),
    };
    format!(
        "Measured on Linux {}{below}, in {guests}, by {} of reaperlab {}. n boots of {} each, in \
         blocks of one boot of each kernel: counts per repetition, medians of times, both of the \
         middle boot; the change has a 95 % interval by ranks within blocks:",
        kernel.version,
        scenarios(shown),
        report.tool_version,
        repetitions(shown),
    )
}

/// What ran the kernels, such as `emulated x86_64 guests (QEMU 7.2.22 TCG, 2 CPUs,
/// 1024 MiB) on AMD EPYC`.
pub(super) fn guests(report: &Report) -> String {
    // Of "QEMU emulator version 7.2.22 (Debian …)" what a changelog needs.
    let mut words = report.qemu.split_whitespace();
    let number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    let qemu = words.find(number).unwrap_or(&report.qemu);
    let (emulated, accelerator) = match report.accelerator.kind {
        Accel::Tcg => ("emulated ", "TCG"),
        Accel::Kvm => ("", "KVM"),
    };
    let guest = &report.guest;
    format!(
        "{emulated}x86_64 guests (QEMU {qemu} {accelerator}, {} CPUs, {} MiB) on {}",
        guest.cpus, guest.memory_mib, report.host.cpu
    )
}

/// Such as `late-reaper and mrelease-exit-race`.
fn scenarios(shown: &[Comparison]) -> String {
    let names: BTreeSet<&str> = shown.iter().map(|c| c.scenario.as_str()).collect();
    names.into_iter().collect::<Vec<_>>().join(" and ")
}

/// How many a boot had, on average: `8 repetitions`, or `1 to 8` where metrics differ.
fn repetitions(shown: &[Comparison]) -> String {
    let each = shown.iter().flat_map(|c| [&c.base, &c.patched]);
    let each = each.map(|arm| arm.samples.div_ceil(arm.boots.max(1)));
    let (least, most) = (each.clone().min(), each.max());
    match (least.unwrap_or(0), most.unwrap_or(0)) {
        (1, 1) => "1 repetition".into(),
        (least, most) if least == most => format!("{most} repetitions"),
        (least, most) => format!("{least} to {most} repetitions"),
    }
}

fn row(c: &Comparison) -> Row {
    Row::new(vec![
        Cell::from(c.label.as_str()),
        value(c.unit, c.base.level).into(),
        value(c.unit, c.patched.level).into(),
        change(c).into(),
        format!("{}+{}", c.base.boots, c.patched.boots).into(),
    ])
}

/// Such as `-21 % [-34, -1]`.
fn change(c: &Comparison) -> String {
    let percent = |ratio: f64| format!("{:+.0}", (ratio - 1.0) * 100.0);
    match (c.ratio, c.interval) {
        (Some(ratio), Some([low, high])) => {
            format!("{} % [{}, {}]", percent(ratio), percent(low), percent(high))
        }
        (Some(ratio), None) => format!("{} %", percent(ratio)),
        (None, _) => "-".into(),
    }
}
