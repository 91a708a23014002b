//! What a run's verdicts are worth.

use crate::calibrate::Calibration;
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
    format!(
        "{}: {}{unprobed}: {} boots of one kernel, split at random {} times into arms of {}: \
         called different {} % of the time (by the test alone {} %); the interval held 1 in {} %; \
         {smallest}.",
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
