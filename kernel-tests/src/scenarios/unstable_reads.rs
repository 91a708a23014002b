//! 27: reads of reaped memory fail; they never give zeroes.

use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::foreign::{Foreign, is_lost};
use crate::needs::Need;
use crate::oom::{OomVictim, Watch};
use crate::scenario::Scenario;
use crate::smaps::{self, Range};
use crate::sys::PAGE;
use crate::victim::{Area, FILL, Kind};

pub const SCENARIO: Scenario = Scenario {
    name: "unstable-reads",
    number: 27,
    summary: "reads of a victim's memory give its content or fail, during and after the reaping",
    needs: &[Need::Memcg, Need::OomEvents, Need::Smaps, Need::CrossMemory],
    deadline_s: 60,
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    let mut watch = Watch::new()?;
    // Enough to be read many times while it is reaped.
    let mut oom = OomVictim::pinned(SCENARIO.name, vec![Area::new(Kind::Anon, 64, 256)], None)?;
    let pid = oom.victim.pid();
    let ranges = oom.victim.ranges.concat();
    let memory = Foreign::of(pid)?;
    oom.kill()?;
    smaps::ensure_resident(&smaps::of(pid)?, &ranges)?;

    let stop = AtomicBool::new(false);
    let (reaped, seen) = thread::scope(|scope| {
        let reader = scope.spawn(|| read_on(&memory, &ranges, &stop));
        let reaped = watch.reaped(pid, Vec::new());
        stop.store(true, Ordering::Relaxed);
        (reaped, reader.join())
    });
    reaped?;
    let seen = seen.map_err(|_| Failure::unmet("the reader panicked"))??;
    context.note(format!(
        "{} reads before and during the reaping, of which {} found content",
        seen.reads, seen.content
    ))?;
    ensure(seen.content > 0, || {
        "nothing was read before the reaping".into()
    })?;

    for &(start, end) in &ranges {
        for page in (start..end).step_by(PAGE as usize) {
            let answer = memory.read(page);
            ensure(is_lost(&answer), || {
                format!("/proc/{pid}/mem at {page:#x} gives {answer:?} instead of EIO")
            })?;
        }
        let answer = copy(pid, start);
        ensure(answer == Err(Errno::EFAULT), || {
            format!("process_vm_readv at {start:#x} gives {answer:?} instead of EFAULT")
        })?;
    }
    oom.end()
}

/// What a reader saw.
#[derive(Default)]
struct Seen {
    reads: u64,
    content: u64,
}

/// Reads all pages over and over, downwards and upwards by turns, so that it
/// meets the reaper whichever way that goes.
fn read_on(memory: &Foreign, ranges: &[Range], stop: &AtomicBool) -> Result<Seen, Failure> {
    let mut seen = Seen::default();
    let up: Vec<u64> = ranges
        .iter()
        .flat_map(|&(start, end)| (start..end).step_by(PAGE as usize))
        .collect();
    let down: Vec<u64> = up.iter().rev().copied().collect();
    for page in [&up, &down].into_iter().cycle().flatten() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let answer = memory.read(*page);
        seen.reads += 1;
        match answer {
            Ok(FILL) => seen.content += 1,
            answer => ensure(is_lost(&answer), || {
                format!("a read at {page:#x} gave {answer:?} instead of content or EIO")
            })?,
        }
    }
    Ok(seen)
}

/// Reads with `process_vm_readv` instead.
fn copy(pid: Pid, at: u64) -> Result<u8, Errno> {
    let mut byte = [0];
    let remote = RemoteIoVec {
        base: at as usize,
        len: 1,
    };
    process_vm_readv(pid, &mut [io::IoSliceMut::new(&mut byte)], &[remote])?;
    Ok(byte[0])
}
