//! Time that a guest, or whoever watches it, did not have: a laptop that slept, a
//! machine that was paused, a process that was stopped.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// How often to look.
const BEAT: Duration = Duration::from_millis(500);
/// A look that comes so much later than it should is no busy host's.
const LATE: Duration = Duration::from_secs(3);
/// Once so much was lost, deadlines hold: a guest that stays stopped ends, too.
const MOST: Duration = Duration::from_secs(300);
/// The two clocks are not read at once.
const APART: Duration = Duration::from_secs(1);

/// A moment by the clock that stands still while the host sleeps, and by the one
/// that does not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) awake: Instant,
    pub(super) since_boot: Duration,
}

impl Moment {
    pub(super) fn now() -> Self {
        let since_boot = clock_gettime(ClockId::CLOCK_BOOTTIME);
        Self {
            awake: Instant::now(),
            since_boot: since_boot.map(Duration::from).unwrap_or_default(),
        }
    }
}

/// What was seen of it; pure, so that time can be made up.
#[derive(Debug)]
pub(super) struct Stops {
    last: Moment,
    pub(super) total: Duration,
}

impl Stops {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            last: now,
            total: Duration::ZERO,
        }
    }

    /// When to look again, at the latest.
    pub(super) fn next(&self) -> Instant {
        self.last.awake + BEAT
    }

    /// Looks. By how much all deadlines move.
    pub(super) fn look(&mut self, now: Moment, guest_stopped: impl FnOnce() -> bool) -> Duration {
        let awake = now.awake.duration_since(self.last.awake);
        let all = now.since_boot.saturating_sub(self.last.since_boot);
        let asleep = Some(all.saturating_sub(awake)).filter(|time| *time >= APART);
        let stopped = awake >= BEAT + LATE || guest_stopped();
        let lost = if stopped { awake } else { Duration::ZERO };
        let moved = if self.total < MOST {
            lost
        } else {
            Duration::ZERO
        };
        self.last = now;
        self.total += lost + asleep.unwrap_or_default();
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks in milliseconds awake and since the host's boot, and whether the guest was
    /// stopped; what each moves deadlines by, and all that was lost, in milliseconds.
    fn looks(table: &[(u64, u64, bool)]) -> (Vec<u128>, u128) {
        let start = Instant::now();
        let at = |(awake, since_boot)| Moment {
            awake: start + Duration::from_millis(awake),
            since_boot: Duration::from_millis(since_boot),
        };
        let mut stops = Stops::new(at((0, 9_000)));
        let moved = table.iter().map(|(awake, since_boot, stopped)| {
            let moment = at((*awake, 9_000 + since_boot));
            stops.look(moment, || *stopped).as_millis()
        });
        let moved = moved.collect();
        (moved, stops.total.as_millis())
    }

    #[test]
    fn what_was_lost_is_told_from_a_busy_host() {
        for (table, moved, lost) in [
            (
                &[(500, 500, false), (1_000, 1_000, false)][..],
                &[0, 0][..],
                0,
            ),
            // A host that is busy.
            (&[(3_400, 3_400, false)], &[0], 0),
            // We were stopped, or the host was paused.
            (&[(30_500, 30_500, false)], &[30_500], 30_500),
            // The guest alone was.
            (&[(500, 500, true), (1_000, 1_000, false)], &[500, 0], 500),
            (&[(100, 100, true), (600, 600, true)], &[100, 500], 600),
            // The host slept: deadlines stood still with it.
            (&[(500, 3_600_500, false)], &[0], 3_600_000),
            (&[(500, 1_400, false)], &[0], 0),
        ] {
            assert_eq!(looks(table), (moved.to_vec(), lost), "{table:?}");
        }
        // A machine that was paused for an hour may go on, a guest that stays stopped may
        // not.
        let hour = (3_600_000, 3_600_000, false);
        assert_eq!(looks(&[hour]), (vec![3_600_000], 3_600_000));
        let stopped: Vec<_> = (1..=602).map(|at| (500 * at, 500 * at, true)).collect();
        let (moved, lost) = looks(&stopped);
        assert_eq!((&moved[598..], lost), (&[500, 500, 0, 0][..], 301_000));
    }
}
