//! What the user sees while a command works: always on standard error, a bar
//! on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long to say nothing where there is no bar.
const QUIET: Duration = Duration::from_secs(8);
/// How often is looked whether something is due.
const TICK: Duration = Duration::from_secs(1);

/// Tells the user how far a command is; from several threads at once, where
/// guests run side by side.
pub struct Progress {
    bar: Option<ProgressBar>,
    state: Arc<Mutex<State>>,
}

struct State {
    stage: Option<Stage>,
    /// When something was said last.
    said: Instant,
}

/// What is done.
struct Stage {
    name: String,
    since: Instant,
    done: u64,
    total: Option<u64>,
    detail: String,
}

impl State {
    /// Says how far the stage is, where nothing was said for long.
    fn remind(&mut self) {
        if let Some(stage) = &self.stage
            && self.said.elapsed() >= QUIET
        {
            say(&stage.text(stage.since.elapsed()));
            self.said = Instant::now();
        }
    }
}

impl Stage {
    fn text(&self, elapsed: Duration) -> String {
        let (name, detail, elapsed_s) = (&self.name, &self.detail, seconds(elapsed));
        if self.done == 0 {
            let space = if detail.is_empty() { "" } else { " " };
            return format!("  {name}{space}{detail}, for {elapsed_s}");
        }
        let done = self.done;
        let total = self.total.filter(|total| *total > done);
        let of = total.map_or(String::new(), |total| format!(" of {total}"));
        let left = total.map_or(String::new(), |total| {
            let left = elapsed.mul_f64((total - done) as f64 / done as f64);
            format!(", about {} left", seconds(left))
        });
        format!("  {done}{of} {detail}, for {elapsed_s}{left}")
    }
}

impl Progress {
    /// Bars where standard error is a terminal that wants them.
    pub fn new() -> Self {
        let fancy = std::io::stderr().is_terminal()
            && std::env::var_os("CI").is_none()
            && std::env::var_os("NO_COLOR").is_none();
        let bar = fancy.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(style("{msg}"));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        let state = Arc::new(Mutex::new(State {
            stage: None,
            said: Instant::now(),
        }));
        if bar.is_none() {
            let state = Arc::downgrade(&state);
            std::thread::spawn(move || {
                while let Some(state) = state.upgrade() {
                    lock(&state).remind();
                    drop(state);
                    std::thread::sleep(TICK);
                }
            });
        }
        Self { bar, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// A line that stays.
    pub fn note(&self, text: &str) {
        self.aside(|| say(text));
        self.state().said = Instant::now();
    }

    /// Writes something beside the bar, if there is one.
    pub fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Whether there is a bar, which shows a status.
    pub fn has_bar(&self) -> bool {
        self.bar.is_some()
    }

    /// What goes on, on the bar alone.
    pub fn status(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_style(style("{spinner} {wide_msg}"));
            bar.set_message(text.to_owned());
        }
    }

    /// The terminal is somebody else's from here on: nothing is drawn any more.
    pub fn clear(&self) {
        self.finish("");
        if let Some(bar) = &self.bar {
            bar.disable_steady_tick();
            bar.finish_and_clear();
        }
    }

    /// A stage of the work begins; the one before it, if any, ends.
    pub fn stage(&self, name: &str) {
        self.finish("");
        let now = Instant::now();
        *self.state() = State {
            stage: Some(Stage {
                name: name.to_owned(),
                since: now,
                done: 0,
                total: None,
                detail: String::new(),
            }),
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
        let Some(stage) = &mut state.stage else {
            return;
        };
        stage.done = done;
        stage.total = total;
        detail.clone_into(&mut stage.detail);
        let Some(bar) = &self.bar else {
            return state.remind();
        };
        match total {
            Some(total) => {
                bar.set_length(total.max(done));
                bar.set_style(style(
                    "{spinner} {msg} {wide_bar} {pos}/{len} {elapsed}, {eta} left",
                ));
            }
            None if done == 0 => bar.set_style(style("{spinner} {msg} {elapsed}")),
            None => bar.set_style(style("{spinner} {msg} {pos} {elapsed}")),
        }
        bar.set_position(done);
        bar.set_message(format!("{} {detail}", stage.name));
    }

    /// The stage is over; `how` says what came of it.
    pub fn finish(&self, how: &str) {
        let Some(Stage { name, since, .. }) = self.state().stage.take() else {
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
                bar.set_style(style("{msg}"));
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

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_a_stage_is() {
        let mut stage = Stage {
            name: "Building".into(),
            since: Instant::now(),
            done: 0,
            total: None,
            detail: String::new(),
        };
        let elapsed = Duration::from_secs(20);
        assert_eq!(stage.text(elapsed), "  Building, for 20 s");
        stage.detail = "boot 3 of 34".into();
        assert_eq!(stage.text(elapsed), "  Building boot 3 of 34, for 20 s");
        (stage.done, stage.detail) = (50, "mm/oom_kill.o".into());
        assert_eq!(stage.text(elapsed), "  50 mm/oom_kill.o, for 20 s");
        stage.total = Some(200);
        assert_eq!(
            stage.text(elapsed),
            "  50 of 200 mm/oom_kill.o, for 20 s, about 60 s left"
        );
    }
}
