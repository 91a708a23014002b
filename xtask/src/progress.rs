//! What the user sees while a command works: always on standard error, a bar
//! on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long to say nothing where there is no bar.
const QUIET: Duration = Duration::from_secs(20);

/// Tells the user how far a command is; from several threads at once, where
/// guests run side by side.
pub struct Progress {
    bar: Option<ProgressBar>,
    state: Mutex<State>,
}

struct State {
    /// What is done, and since when.
    stage: Option<(String, Instant)>,
    /// When something was said last.
    said: Instant,
}

impl Progress {
    /// Bars where standard error is a terminal that wants them.
    pub fn new() -> Self {
        let fancy = std::io::stderr().is_terminal()
            && std::env::var_os("CI").is_none()
            && std::env::var_os("NO_COLOR").is_none();
        let bar = fancy.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self {
            bar,
            state: Mutex::new(State {
                stage: None,
                said: Instant::now(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line that stays.
    pub fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    /// A stage of the work begins; the one before it, if any, ends.
    pub fn stage(&self, name: &str) {
        self.finish("");
        let now = Instant::now();
        *self.state() = State {
            stage: Some((name.to_owned(), now)),
            said: now,
        };
        match &self.bar {
            Some(bar) => {
                bar.reset();
                bar.unset_length();
                bar.set_style(style("{spinner} {msg} {elapsed}"));
                bar.set_message(name.to_owned());
            }
            None => say(&format!("{name} …")),
        }
    }

    /// How far the stage is: `done` of `total` of something.
    pub fn step(&self, done: u64, total: Option<u64>, detail: &str) {
        let mut state = self.state();
        let State { stage, said } = &mut *state;
        let Some((name, since)) = stage else {
            return;
        };
        if let Some(bar) = &self.bar {
            match total {
                Some(total) => {
                    bar.set_length(total.max(done));
                    bar.set_style(style(
                        "{spinner} {msg} {wide_bar} {pos}/{len} {elapsed}, {eta} left",
                    ));
                }
                None => bar.set_style(style("{spinner} {msg} {pos} {elapsed}")),
            }
            bar.set_position(done);
            bar.set_message(format!("{name} {detail}"));
        } else if said.elapsed() >= QUIET {
            *said = Instant::now();
            let left = total
                .filter(|total| *total > done && done > 0)
                .map(|total| since.elapsed().mul_f64((total - done) as f64 / done as f64))
                .map_or(String::new(), |left| {
                    format!(", about {} left", seconds(left))
                });
            let of = total.map_or(String::new(), |total| format!(" of {total}"));
            say(&format!("  {done}{of} {detail}{left}"));
        }
    }

    /// The stage is over; `how` says what came of it.
    pub fn finish(&self, how: &str) {
        let Some((name, since)) = self.state().stage.take() else {
            return;
        };
        let how = if how.is_empty() {
            String::new()
        } else {
            format!(": {how}")
        };
        let took = since.elapsed();
        let text = format!("{name}{how} ({})", seconds(took));
        match &self.bar {
            Some(bar) => {
                bar.suspend(|| say(&text));
                bar.set_message(String::new());
            }
            None => say(&text),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A duration as a person reads it.
pub fn seconds(duration: Duration) -> String {
    let s = duration.as_secs_f64();
    if s < 10.0 {
        format!("{s:.1} s")
    } else if s < 120.0 {
        format!("{s:.0} s")
    } else {
        format!(
            "{:.0} min {:02.0} s",
            (s / 60.0).floor(),
            (s % 60.0).floor()
        )
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// Standard error may be closed; that is no reason to stop.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
