//! The kernel's own reaper in a race: when it comes, and when it is done.

use std::time::Duration;

use nix::unistd::Pid;

use crate::context::Context;
use crate::failure::Failure;
use crate::oom::{LogWatch, Watch};
use crate::trace::{Event, Span};

/// How the reaper is seen to start and end.
pub enum ReaperWatch {
    /// By its tracepoints; with the events so far.
    Trace(Watch, Vec<Event>),
    /// By what it does and by the kernel's log, in an unprobed boot.
    Log(LogWatch),
}

/// What is known of a reap.
#[derive(Debug, Clone, Copy)]
pub struct Reap {
    pub took: Duration,
    /// When the reaper was called, and was at work, if a trace says so.
    pub woken: Option<u64>,
    pub span: Option<Span>,
}

impl ReaperWatch {
    pub fn new(context: &Context<'_>) -> Result<Self, Failure> {
        if context.plan.purpose.is_unprobed() {
            LogWatch::new().map(Self::Log)
        } else {
            Ok(Self::Trace(Watch::new()?, Vec::new()))
        }
    }

    /// Waits until the reaper is at work on a victim that is held.
    pub fn woken(&mut self, pid: Pid) -> Result<(), Failure> {
        match self {
            Self::Trace(watch, seen) => *seen = watch.woken(pid)?,
            Self::Log(log) => log.woken(pid)?,
        }
        Ok(())
    }

    /// Takes note that the reaper is seen to have come: tracepoints say that
    /// themselves.
    pub fn seen(&self, pid: Pid) -> Result<(), Failure> {
        match self {
            Self::Trace(..) => Ok(()),
            Self::Log(log) => log.seen(pid),
        }
    }

    /// Waits until it has finished with a victim that was held. Nothing where it came
    /// too late.
    pub fn reaped(&mut self, pid: Pid) -> Result<Option<Reap>, Failure> {
        match self {
            Self::Trace(..) => self.reaped_by_now(pid),
            Self::Log(log) => log.reaped(pid).map(|micros| Some(Reap::logged(micros))),
        }
    }

    /// The same when the victim has ended, and so the reaper has, if it came at all.
    pub fn reaped_by_now(&mut self, pid: Pid) -> Result<Option<Reap>, Failure> {
        Ok(match self {
            Self::Trace(watch, seen) => {
                let reaped = watch.reaped_unless_late(pid, std::mem::take(seen))?;
                reaped.map(|reaped| Reap {
                    took: Duration::from_micros(reaped.reap),
                    woken: Some(reaped.woken),
                    span: Some(reaped.span()),
                })
            }
            Self::Log(log) => log.reaped_by_now(pid)?.map(Reap::logged),
        })
    }
}

impl Reap {
    /// One of which the log alone tells.
    fn logged(micros: u64) -> Self {
        Self {
            took: Duration::from_micros(micros),
            woken: None,
            span: None,
        }
    }
}
