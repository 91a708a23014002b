//! What the host was like while guests took turns.

use results::Arm;
use serde::Serialize;

use crate::run::{Round, Run};
use crate::stats;

/// The turns of all boots, those that were repeated too.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Turns {
    pub count: usize,
    /// Those of base and of patched in which a guest had to wait too long for a CPU
    /// of the host.
    pub disturbed: [usize; 2],
    /// How long a walk of fixed length through the host's memory took, in
    /// microseconds: in 1 of 10 looks less, at the median, in 1 of 10 more.
    pub weather_us: Option<[f64; 3]>,
}

impl Turns {
    /// None where no guests took turns.
    pub(super) fn of(run: &Run) -> Option<Self> {
        let all = || run.rounds.iter().flat_map(Round::turns);
        let disturbed = Arm::BOTH.map(|arm| {
            let rounds = run.rounds.iter().filter(|round| round.arm == arm);
            rounds.flat_map(Round::void_turns).count()
        });
        let looks = all().filter_map(|turn| turn.weather_us).flatten();
        let mut looks: Vec<f64> = looks.map(|us| us as f64).collect();
        looks.sort_by(f64::total_cmp);
        let tenth = looks.len() / 10;
        let weather = || {
            let high = looks.get(looks.len().checked_sub(1 + tenth)?)?;
            Some([*looks.get(tenth)?, stats::median(&looks)?, *high])
        };
        let count = all().count();
        (count > 0).then(|| Self {
            count,
            disturbed,
            weather_us: weather(),
        })
    }

    /// What a reader must know, where the host was not quiet.
    pub(super) fn caveat(&self) -> Option<String> {
        let [base, patched] = self.disturbed;
        let all = self.count;
        (base + patched > 0).then(|| {
            format!(
                "The host was not quiet: in {} of {all} repetitions a guest had to wait for a CPU \
                 of the host (base {base}, patched {patched}; report.html has the count of each \
                 boot). They do not count; both arms ran them again, three times at most.",
                base + patched
            )
        })
    }
}
