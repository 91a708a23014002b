//! When to end a guest, from what it says.

use std::time::{Duration, Instant};

use crate::machine::Deadlines;

/// How long a kernel that has crashed may go on printing.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long a guest that is done may take to power off.
const POWER_OFF: Duration = Duration::from_secs(2);

/// What a line of results means for the deadlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The guest's own program runs.
    Up,
    /// Something that takes at most so long has begun; it replaces what was
    /// expected before.
    ExpectWithin(Duration),
    /// The last line: the guest may power off, or be switched off.
    Done,
    /// Nothing but a sign of life.
    Ignore,
    /// QEMU is to be killed, to see how that is told: it ends as if somebody
    /// else had done it.
    Kill,
    /// QEMU is to be stopped for a second, to see how that is told.
    Stop,
}

/// Why we ended a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Cancelled,
    Crashed,
    Done,
    Boot,
    Silence,
    Total,
}

/// The deadlines that hold at a moment; pure, so that time can be made up.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) deadlines: Deadlines,
    pub(super) start: Instant,
    pub(super) up: Option<Instant>,
    /// When what the guest announced is over.
    expected: Instant,
    pub(super) last_line: Instant,
    pub(super) done: Option<Instant>,
    crashed: Option<Instant>,
}

impl Watch {
    pub(super) fn new(start: Instant, deadlines: Deadlines) -> Self {
        let expected = start + deadlines.boot;
        Self {
            deadlines,
            start,
            up: None,
            expected,
            last_line: start,
            done: None,
            crashed: None,
        }
    }

    pub(super) fn line(&mut self, now: Instant, progress: Progress) {
        self.last_line = now;
        match progress {
            Progress::Up => {
                self.up.get_or_insert(now);
                self.expected = now + self.deadlines.boot;
            }
            // Up without having said so: what is announced runs.
            Progress::ExpectWithin(time) => {
                self.up.get_or_insert(now);
                self.expected = now + time;
            }
            Progress::Done => {
                self.up.get_or_insert(now);
                self.done.get_or_insert(now);
            }
            Progress::Ignore | Progress::Kill | Progress::Stop => {}
        }
    }

    /// Moves all that is waited for by time that the guest did not have.
    pub(super) fn stood_still(&mut self, time: Duration) {
        self.start += time;
        self.expected += time;
        self.last_line += time;
        for moment in [&mut self.up, &mut self.done, &mut self.crashed] {
            *moment = moment.map(|it| it + time);
        }
    }

    pub(super) fn crashed(&mut self, now: Instant) {
        self.crashed.get_or_insert(now);
    }

    /// When to end the guest if nothing else happens, and why.
    pub(super) fn next(&self) -> (Instant, Cause) {
        if let Some(crashed) = self.crashed {
            return (crashed + LAST_WORDS, Cause::Crashed);
        }
        if let Some(done) = self.done {
            return (done + POWER_OFF, Cause::Done);
        }
        let total = (self.start + self.deadlines.total, Cause::Total);
        let current = if self.up.is_some() {
            (
                self.expected.max(self.last_line) + self.deadlines.grace,
                Cause::Silence,
            )
        } else {
            (self.expected, Cause::Boot)
        };
        if current.0 <= total.0 { current } else { total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn watch() -> (Watch, Instant) {
        let start = Instant::now();
        (
            Watch::new(
                start,
                Deadlines {
                    boot: 60 * S,
                    grace: 5 * S,
                    total: 600 * S,
                },
            ),
            start,
        )
    }

    fn next(watch: &Watch, start: Instant) -> (u64, Cause) {
        let (until, cause) = watch.next();
        (until.duration_since(start).as_secs(), cause)
    }

    #[test]
    fn deadlines_follow_what_the_guest_says() {
        let (mut watch, start) = watch();
        let at = |seconds| start + seconds * S;
        let mut step = |seconds: u32, progress| {
            watch.line(at(seconds), progress);
            next(&watch, start)
        };
        // (when, what it says) -> (when it would be ended, why)
        assert_eq!(
            step(1, Progress::Ignore),
            (60, Cause::Boot),
            "noise is not up"
        );
        assert_eq!(step(10, Progress::Up), (75, Cause::Silence));
        assert_eq!(
            step(20, Progress::ExpectWithin(100 * S)),
            (125, Cause::Silence)
        );
        assert_eq!(
            step(30, Progress::Ignore),
            (125, Cause::Silence),
            "samples move nothing"
        );
        assert_eq!(
            step(124, Progress::Ignore),
            (129, Cause::Silence),
            "late, but not silent"
        );
        assert_eq!(step(130, Progress::ExpectWithin(S)), (136, Cause::Silence));
        assert_eq!(
            step(140, Progress::ExpectWithin(900 * S)),
            (600, Cause::Total)
        );
        assert_eq!(step(150, Progress::Done), (152, Cause::Done));
        assert_eq!(step(151, Progress::Done), (152, Cause::Done), "once");
        watch.stood_still(30 * S);
        assert_eq!(next(&watch, start), (182, Cause::Done));
        watch.crashed(at(152));
        watch.crashed(at(153));
        assert_eq!(next(&watch, start), (154, Cause::Crashed));
    }

    #[test]
    fn a_boot_may_not_take_longer_than_everything() {
        let start = Instant::now();
        let watch = Watch::new(
            start,
            Deadlines {
                boot: 60 * S,
                grace: S,
                total: 30 * S,
            },
        );
        assert_eq!(next(&watch, start), (30, Cause::Total));
    }
}
