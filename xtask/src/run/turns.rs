//! Two guests that live at the same time measure by turns: while one races, the
//! other is still. So both have the same weather of the host.
//!
//! Each prepares a repetition and waits. Once both have, the referee draws who
//! goes first, and in the next pair the other one does: who waits longer races up to
//! a tenth slower, since its memory has left the caches. When both have raced, the
//! repetition counts, or, where the host gave one of them too little of its CPUs,
//! both run it again, a few times at most. That walkers did not meet is the kernel's
//! doing only where the host did not disturb them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use evidence::stats::Rng;
use results::Arm;
use results::record::Turn;
use results::turn::Word;
use vm::{Cpus, Link};

use super::weather;

/// How often a disturbed repetition is run in all.
const MOST: u32 = 4;

/// How long a guest's virtual CPUs may wait for CPUs of the host in a turn, all
/// together: a part of the turn, but at least this long. On a quiet host of two
/// CPUs they wait for a tenth of it, with another busy task on each for all of it.
const PART: f64 = 0.3;
const LEAST: Duration = Duration::from_millis(5);
/// In a long turn, most of which is a wait, no more than this, or than that part of it.
const LIMIT: Duration = Duration::from_millis(60);
const LONG: f64 = 0.03;

/// The guests of a pair, and whose turn it is.
pub struct Turns {
    began: Instant,
    state: Mutex<State>,
}

struct State {
    referee: Referee,
    guests: BTreeMap<Arm, Guest>,
    turn: Option<Begun>,
}

/// A guest that has come to its first repetition.
struct Guest {
    link: Link,
    cpus: Cpus,
}

/// The turn that is being taken.
struct Begun {
    at: Instant,
    /// The run delay of its guest until then.
    run_delay: Duration,
    weather: Duration,
}

impl Turns {
    /// Guests of these arms, with these scenarios to run in their order. What is
    /// known of solo reaps in microseconds holds for both.
    pub fn new(
        arms: &[Arm],
        scenarios: &[String],
        solo_us: BTreeMap<String, u64>,
        seed: u64,
    ) -> Self {
        let state = State {
            referee: Referee::new(arms, scenarios, solo_us, Rng::new(seed)),
            guests: BTreeMap::new(),
            turn: None,
        };
        Self {
            began: Instant::now(),
            state: Mutex::new(state),
        }
    }

    /// A guest found how long a solo reap takes.
    pub fn solo(&self, scenario: &str, us: u64) {
        let mut state = self.state();
        state.referee.solo(scenario, us);
    }

    /// A guest has prepared a repetition.
    pub fn ready(&self, arm: Arm, link: &Link, scenario: &str, repetition: u32) {
        let mut state = self.state();
        state.guests.entry(arm).or_insert_with(|| Guest {
            link: link.clone(),
            cpus: link.cpus(),
        });
        let words = state.referee.ready(arm, scenario, repetition);
        state.say(words);
    }

    /// A guest has raced. What was seen of its turn.
    pub fn raced(&self, arm: Arm, scenario: &str, repetition: u32) -> Option<Turn> {
        let mut state = self.state();
        let begun = state.turn.take()?;
        let took = begun.at.elapsed();
        let cpus = &state.guests.get(&arm)?.cpus;
        let run_delay = cpus.run_delay().saturating_sub(begun.run_delay);
        cpus.unpin();
        let weather = [begun.weather, weather::look()].map(micros);
        let disturbed = run_delay > tolerated(took);
        let turn = Turn {
            scenario: scenario.to_owned(),
            repetition,
            at_ms: millis(begun.at.saturating_duration_since(self.began)),
            took_us: micros(took),
            run_delay_us: micros(run_delay),
            disturbed,
            weather_us: Some(weather),
            solo_us: state.referee.solo_us.get(scenario).copied(),
        };
        let words = state.referee.raced(arm, disturbed);
        state.say(words);
        Some(turn)
    }

    /// A guest has ended: the other one goes on alone.
    pub fn left(&self, arm: Arm) {
        let mut state = self.state();
        state.guests.remove(&arm);
        let words = state.referee.left(arm);
        state.say(words);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn say(&mut self, words: Vec<(Arm, Word)>) {
        for (arm, word) in words {
            let Some(Guest { link, cpus }) = self.guests.get(&arm) else {
                continue;
            };
            if let Word::Go { .. } = word {
                cpus.pin();
                let weather = weather::look();
                self.turn = Some(Begun {
                    at: Instant::now(),
                    run_delay: cpus.run_delay(),
                    weather,
                });
            }
            // Whoever does not listen any more has ended, and is told to leave.
            let _ = link.say(&word.to_line());
        }
    }
}

/// How long the virtual CPUs of a turn that took so long may wait.
fn tolerated(took: Duration) -> Duration {
    let most = LIMIT.max(took.mul_f64(LONG));
    took.mul_f64(PART).clamp(LEAST, most)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// What a guest of the pair is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// It prepares a repetition, or does what nobody need wait for.
    Busy,
    Ready,
    Racing,
    /// It waits to hear whether its repetition counts.
    Raced,
    /// It has ended.
    Away,
}

#[derive(Debug)]
struct Seat {
    arm: Arm,
    at: At,
    /// The scenario's place in the plan, and the repetition.
    key: (usize, u32),
    disturbed: bool,
    /// How often this repetition was run before.
    before: u32,
}

/// Who may race; pure.
#[derive(Debug)]
struct Referee {
    seats: Vec<Seat>,
    scenarios: Vec<String>,
    solo_us: BTreeMap<String, u64>,
    /// Who goes first in the next pair; to be drawn where there is none.
    first: Option<Arm>,
    rng: Rng,
}

impl Referee {
    fn new(arms: &[Arm], scenarios: &[String], solo_us: BTreeMap<String, u64>, rng: Rng) -> Self {
        let seat = |arm: &Arm| Seat {
            arm: *arm,
            at: At::Busy,
            key: (0, 0),
            disturbed: false,
            before: 0,
        };
        Self {
            seats: arms.iter().map(seat).collect(),
            scenarios: scenarios.to_vec(),
            solo_us,
            first: None,
            rng,
        }
    }

    /// The first to say so is believed by both.
    fn solo(&mut self, scenario: &str, us: u64) {
        self.solo_us.entry(scenario.to_owned()).or_insert(us);
    }

    fn ready(&mut self, arm: Arm, scenario: &str, repetition: u32) -> Vec<(Arm, Word)> {
        let place = self.scenarios.iter().position(|name| name == scenario);
        let key = (place.unwrap_or(usize::MAX), repetition);
        if let Some(seat) = self.seat(arm) {
            if seat.key != key {
                (seat.key, seat.before) = (key, 0);
            }
            (seat.at, seat.disturbed) = (At::Ready, false);
        }
        self.next()
    }

    fn raced(&mut self, arm: Arm, disturbed: bool) -> Vec<(Arm, Word)> {
        if let Some(seat) = self.seat(arm) {
            (seat.at, seat.disturbed) = (At::Raced, disturbed);
        }
        self.next()
    }

    fn left(&mut self, arm: Arm) -> Vec<(Arm, Word)> {
        if let Some(seat) = self.seat(arm) {
            seat.at = At::Away;
        }
        self.next()
    }

    fn seat(&mut self, arm: Arm) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.arm == arm)
    }

    /// What is to be said now. Whoever is behind, since it began anew, catches up
    /// first.
    fn next(&mut self) -> Vec<(Arm, Word)> {
        let waited_for = |seat: &Seat| matches!(seat.at, At::Busy | At::Racing);
        if self.seats.iter().any(waited_for) {
            return Vec::new();
        }
        let here = |seat: &&mut Seat| seat.at != At::Away;
        let Some(first) = self
            .seats
            .iter_mut()
            .filter(here)
            .map(|seat| seat.key)
            .min()
        else {
            return Vec::new();
        };
        let scenario = self.scenarios.get(first.0);
        let solo_us = scenario.and_then(|name| self.solo_us.get(name)).copied();
        let at_first = |seat: &&mut Seat| seat.at != At::Away && seat.key == first;
        let mut pair: Vec<&mut Seat> = self.seats.iter_mut().filter(at_first).collect();
        let mut ready: Vec<&mut &mut Seat> = pair
            .iter_mut()
            .filter(|seat| seat.at == At::Ready)
            .collect();
        if !ready.is_empty() {
            let mut at = 0;
            if ready.len() > 1 {
                let turn = self.first.take();
                at = match ready.iter().position(|seat| Some(seat.arm) == turn) {
                    Some(at) => at,
                    None => {
                        let drawn = self.rng.below(ready.len());
                        let others = ready.iter().map(|seat| seat.arm);
                        self.first = others.cycle().nth(drawn + 1);
                        drawn
                    }
                };
            }
            let seat = &mut ready[at];
            seat.at = At::Racing;
            return vec![(seat.arm, Word::Go { solo_us })];
        }
        let again = pair
            .iter()
            .any(|seat| seat.disturbed && seat.before + 1 < MOST);
        let told = pair.iter_mut().map(|seat| {
            let word = match seat.disturbed {
                _ if again => Word::Again,
                true => Word::Without,
                false => Word::Next,
            };
            seat.at = At::Busy;
            seat.before = if again { seat.before + 1 } else { 0 };
            (seat.arm, word)
        });
        told.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Arm = Arm::Base;
    const PATCHED: Arm = Arm::Patched;
    const GO: Word = Word::Go { solo_us: None };

    fn referee(arms: &[Arm]) -> Referee {
        let scenarios = ["one".to_owned(), "two".to_owned()];
        Referee::new(arms, &scenarios, BTreeMap::new(), Rng::new(1))
    }

    fn other(arm: Arm) -> Arm {
        match arm {
            Arm::Base => Arm::Patched,
            Arm::Patched => Arm::Base,
        }
    }

    /// Both get ready and race: who was first, and what each is told.
    fn repetition(referee: &mut Referee, nth: u32, disturbed: Option<Arm>) -> (Arm, [Word; 2]) {
        assert_eq!(referee.ready(BASE, "one", nth), []);
        let [(first, GO)] = referee.ready(PATCHED, "one", nth)[..] else {
            panic!("nobody may go")
        };
        let second = referee.raced(first, disturbed == Some(first));
        assert_eq!(second, [(other(first), GO)]);
        let told = referee.raced(other(first), disturbed == Some(other(first)));
        let [(BASE, one), (PATCHED, other)] = told[..] else {
            panic!("{told:?}")
        };
        (first, [one, other])
    }

    #[test]
    fn both_race_once_each_in_a_drawn_order_that_is_balanced() {
        let mut referee = referee(&Arm::BOTH);
        let firsts: Vec<Arm> = (0..100)
            .map(|nth| {
                let (first, words) = repetition(&mut referee, nth, None);
                assert_eq!(words, [Word::Next; 2]);
                first
            })
            .collect();
        assert!(firsts.chunks(2).all(|two| two[0] != two[1]), "{firsts:?}");
        let drawn = firsts.iter().step_by(2);
        let base = drawn.filter(|arm| **arm == BASE).count();
        assert!((15..=35).contains(&base), "{base}");
    }

    #[test]
    fn a_longer_turn_may_wait_longer_but_not_in_proportion() {
        for (took, limit) in [(10, 5), (40, 12), (100, 30), (1_000, 60), (4_000, 120)] {
            let [took, limit] = [took, limit].map(Duration::from_millis);
            assert_eq!(tolerated(took), limit, "{took:?}");
        }
    }

    #[test]
    fn a_disturbed_repetition_is_run_again_but_not_for_ever() {
        let mut referee = referee(&Arm::BOTH);
        use Word::{Again, Next, Without};
        for (arm, last) in Arm::BOTH
            .into_iter()
            .zip([[Without, Next], [Next, Without]])
        {
            for _ in 1..MOST {
                assert_eq!(repetition(&mut referee, 3, Some(arm)).1, [Again; 2]);
            }
            assert_eq!(repetition(&mut referee, 3, Some(arm)).1, last);
            assert_eq!(repetition(&mut referee, 4, Some(arm)).1, [Again; 2]);
            assert_eq!(repetition(&mut referee, 4, None).1, [Next; 2]);
        }
    }

    #[test]
    fn whoever_is_left_alone_goes_on() {
        let mut referee = referee(&Arm::BOTH);
        assert_eq!(referee.ready(BASE, "one", 0), []);
        assert_eq!(referee.left(PATCHED), [(BASE, GO)]);
        assert_eq!(referee.raced(BASE, false), [(BASE, Word::Next)]);
        assert_eq!(referee.ready(BASE, "one", 1), [(BASE, GO)]);
        // One that dies in its turn leaves the other its own.
        let mut referee = self::referee(&Arm::BOTH);
        referee.ready(BASE, "one", 0);
        let first = referee.ready(PATCHED, "one", 0)[0].0;
        assert_eq!(referee.left(first), [(other(first), GO)]);
        // And one that dies after it.
        let mut referee = self::referee(&Arm::BOTH);
        let first = {
            referee.ready(BASE, "one", 0);
            referee.ready(PATCHED, "one", 0)[0].0
        };
        referee.raced(first, false);
        assert_eq!(referee.left(other(first)), [(first, Word::Next)]);
    }

    #[test]
    fn whoever_began_anew_catches_up() {
        let mut referee = referee(&Arm::BOTH);
        repetition(&mut referee, 0, None);
        assert_eq!(referee.ready(BASE, "one", 1), []);
        assert_eq!(referee.left(PATCHED), [(BASE, GO)]);
        assert_eq!(referee.raced(BASE, false), [(BASE, Word::Next)]);
        assert_eq!(referee.ready(PATCHED, "one", 0), []);
        assert_eq!(referee.ready(BASE, "two", 0), [(PATCHED, GO)]);
        assert_eq!(referee.raced(PATCHED, false), [(PATCHED, Word::Next)]);
        assert_eq!(referee.ready(PATCHED, "one", 1), [(PATCHED, GO)]);
        assert_eq!(referee.raced(PATCHED, false), [(PATCHED, Word::Next)]);
        assert_eq!(referee.ready(PATCHED, "two", 0).len(), 1, "together again");
    }

    #[test]
    fn both_believe_the_same_of_a_solo_reap() {
        let mut referee = referee(&[BASE]);
        referee.solo("one", 24);
        referee.solo("one", 48);
        let go = |solo_us| [(BASE, Word::Go { solo_us })];
        assert_eq!(referee.ready(BASE, "one", 0), go(Some(24)));
        referee.raced(BASE, false);
        assert_eq!(referee.ready(BASE, "two", 0), go(None));
    }
}
