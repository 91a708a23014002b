//! A paragraph for the changelog of the series: figures with units, their
//! number, the machine and the architecture, as reviewers ask for them.

use results::machine::Accel;
use results::record::Unit;

use super::markdown::Out;
use super::terminal::columns;
use crate::analyse::comparison::{Comparison, Verdict};
use crate::analyse::model::Report;
use crate::words::{one_line, significant, value};
use results::Arm;

/// What may be pasted into a changelog; nothing where nothing was compared.
pub fn changelog(report: &Report) -> String {
    let shown: Vec<&Comparison> = report.comparisons.iter().filter(|c| c.shown).collect();
    let Some(first) = shown.first() else {
        return String::new();
    };
    let mut out = Out::new();
    let (guest, kernel, host) = (&report.guest, &report.kernel, &report.host);
    // Of "QEMU emulator version 7.2.22 (Debian …)" what a changelog needs.
    let mut words = report.qemu.split_whitespace();
    let number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    let qemu = words.find(number).unwrap_or(&report.qemu);
    let machine = match report.accelerator.kind {
        Accel::Tcg => format!(
            "emulated x86_64 guests (QEMU {} TCG, {} CPUs, {} MiB) on {}",
            qemu, guest.cpus, guest.memory_mib, host.cpu
        ),
        Accel::Kvm => format!(
            "x86_64 guests (QEMU {} KVM, {} CPUs, {} MiB) on {}",
            qemu, guest.cpus, guest.memory_mib, host.cpu
        ),
    };
    let below = match kernel.arms.iter().find(|arm| arm.arm == Arm::Base) {
        Some(arm) if !arm.prerequisites.is_empty() => {
            format!(" with {}", arm.prerequisites.join("; "))
        }
        _ => String::new(),
    };
    out.paragraph(&format!(
        "Measured on Linux {}{below}, in {machine}, by {} of reaperlab {}. Medians over n boots \
         of about {} repetitions each; the change has a 95 % interval over boots:",
        kernel.version,
        one_line(&first.scenario),
        report.tool_version,
        first.base.samples / first.base.boots.max(1),
    ));
    let head = ["", "before", "after", "change [95 %]", "n"];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    table.extend(shown.iter().map(|c| {
        vec![
            one_line(&c.label),
            figure(c, c.base.median),
            figure(c, c.patched.median),
            change(c),
            format!("{}+{}", c.base.boots, c.patched.boots),
        ]
    }));
    out.block(&columns(&table, 68, &[false, true, true, true, true]));
    let open: Vec<_> = shown
        .iter()
        .filter(|c| c.verdict == Verdict::Inconclusive)
        .map(|c| one_line(&c.label))
        .collect();
    if !open.is_empty() {
        out.paragraph(&format!(
            "Not significant at the 5 % level, corrected for several metrics: {}.",
            open.join("; ")
        ));
    }
    let unconfirmed: Vec<_> = shown
        .iter()
        .filter(|c| c.without_probes.is_some_and(|found| !found.agrees))
        .map(|c| one_line(&c.label))
        .collect();
    if !unconfirmed.is_empty() {
        out.paragraph(&format!(
            "Measured with probes, which take time themselves; not confirmed without them: {}.",
            unconfirmed.join("; ")
        ));
    }
    if report.accelerator.kind == Accel::Tcg {
        out.paragraph(
            "Under emulation counts and the sign of a change carry over to hardware, times do not.",
        );
    }
    out.end()
}

fn figure(c: &Comparison, median: f64) -> String {
    match c.unit {
        Unit::Count => significant(median),
        unit => value(unit, median),
    }
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
