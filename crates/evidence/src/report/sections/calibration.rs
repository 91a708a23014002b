//! What a run's verdicts are worth.

use crate::calibrate::{BANK, Calibration};
use crate::words::significant;

/// One metric's, in a sentence.
pub(crate) fn words(c: &Calibration) -> String {
    let unprobed = if c.unprobed { " (unprobed)" } else { "" };
    let percent = |share: f64| significant(share * 100.0);
    let smallest = c.smallest.map_or_else(
        || "no reduction would be seen in 80 % of tries".into(),
        |least| {
            let least = percent(least);
            format!("a reduction of {least} % is seen in 80 % of tries")
        },
    );
    let bank = match (c.aa_runs, c.bank_too_small) {
        (0, _) => "no A/A run: false alarms can't be told".to_owned(),
        (runs, true) => format!(
            "{} of {runs} A/A runs called different: too few runs to tell a share of 5 % from \
             none, which takes {BANK}",
            c.alarms
        ),
        (runs, false) => format!("{} of {runs} A/A runs called different", c.alarms),
    };
    format!(
        "{}: {}{unprobed}: {bank}. {} boots of one kernel, drawn {} times into {} blocks with \
         labels by a coin: called different {} % of the time (by the test alone {} %); the \
         interval held 1 in {} %; {smallest}.",
        c.scenario,
        c.metric,
        c.boots,
        c.tries,
        c.arm,
        percent(c.false_positives),
        percent(c.significant),
        percent(c.coverage),
    )
}
