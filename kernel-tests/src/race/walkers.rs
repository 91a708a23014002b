//! Who walks the address space in a race, and on which CPU.

use nix::unistd::Pid;
use results::record::Walker;

use crate::victim::Victim;

/// The CPU of the victim, and of the thread that holds it.
pub const VICTIM_CPU: usize = 0;
/// The CPU of the other walker.
pub const REAPER_CPU: usize = 1;

#[derive(Debug, Clone)]
pub struct Walkers {
    pub reaper: Pid,
    /// The threads of the victim: the last one to end walks.
    pub exit: Vec<Pid>,
}

impl Walkers {
    /// A reaper, and all threads of a victim.
    pub fn new(reaper: Pid, victim: &Victim) -> Self {
        let first = std::iter::once(victim.pid());
        let exit = first.chain(victim.threads.iter().copied()).collect();
        Self { reaper, exit }
    }

    /// Which walker a thread is; none for all others.
    pub fn who(&self, tid: i32) -> Option<Walker> {
        let tid = Pid::from_raw(tid);
        if tid == self.reaper {
            Some(Walker::Reaper)
        } else {
            self.exit.contains(&tid).then_some(Walker::Exit)
        }
    }
}
