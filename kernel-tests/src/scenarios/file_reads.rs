//! 49: reaped memory that has a file behind it, and huge pages: what is read and
//! written afterwards.

use std::io;

use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_writev};
use nix::unistd::Pid;

use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::foreign::{Foreign, is_lost};
use crate::mrelease::Mrelease;
use crate::needs::Need;
use crate::scenario::Scenario;
use crate::smaps::{self, Range};
use crate::sys::PAGE;
use crate::victim::{Area, CONTENT, HUGE, Kind, Spec, Victim};

pub const SCENARIO: Scenario = Scenario {
    name: "file-reads",
    number: 49,
    summary: "reaped memory can't be written, nor read where it was anonymous or huge; over a private file \
              a read fails or gives what the file holds",
    needs: &[
        Need::ProcessMrelease,
        Need::Smaps,
        Need::CrossMemory,
        Need::TransparentHugePages,
    ],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    let mut victim = Victim::spawn(&Spec {
        areas: vec![
            Area::new(Kind::Anon, 2, 16),
            Area::new(Kind::Huge, 2, 1),
            Area::new(Kind::CowFile, 4, 32),
        ],
        ..Spec::default()
    })?;
    let pid = victim.pid();
    let [anon, huge, file] = victim.ranges.as_slice() else {
        return Err(Failure::unmet(
            "the victim reports other areas than asked for",
        ));
    };
    let (anon, huge, file) = (anon.clone(), huge.clone(), file.clone());
    let memory = Foreign::of(pid)?;
    victim.kill_held()?;
    Mrelease::of(pid)?.expect("a dying process", Ok(()))?;
    smaps::ensure_reaped(&smaps::of(pid)?)?;

    // Before anything is read, which may bring pages back.
    for &range in anon.iter().chain(&huge).chain(&file) {
        ensure_unwritable(&memory, pid, range)?;
    }
    for &(start, end) in anon.iter().chain(&huge) {
        let step = if end - start >= HUGE { HUGE / 4 } else { PAGE };
        for at in (start..end).step_by(step as usize) {
            let answer = memory.read(at);
            ensure(is_lost(&answer), || {
                format!("/proc/{pid}/mem at {at:#x} gives {answer:?} instead of EIO")
            })?;
        }
    }
    let mut stale = 0;
    let pages = file
        .iter()
        .flat_map(|&(start, end)| (start..end).step_by(PAGE as usize));
    for (nth, at) in pages.enumerate() {
        let answer = memory.read(at);
        let is_files = matches!(answer, Ok(CONTENT));
        ensure(is_files || is_lost(&answer), || {
            format!(
                "/proc/{pid}/mem at {at:#x} gives {answer:?} instead of the file's content or EIO"
            )
        })?;
        // Each second page was written.
        stale += u32::from(is_files && nth % 2 == 0);
    }
    if stale > 0 {
        context.note(format!(
            "{stale} reads of reaped pages that the victim had written gave what the file holds: \
             do_fault_around() maps it without a look at MMF_UNSTABLE"
        ))?;
    }
    victim.release()?;
    victim.wait_killed()
}

/// Fails unless both ways to write into another process fail at each page.
fn ensure_unwritable(memory: &Foreign, pid: Pid, (start, end): Range) -> Result<(), Failure> {
    for at in (start..end).step_by(PAGE as usize).take(32) {
        let answer = memory.write(at, 1);
        ensure(is_lost(&answer), || {
            format!("a write to /proc/{pid}/mem at {at:#x} gives {answer:?} instead of EIO")
        })?;
        let remote = RemoteIoVec {
            base: at as usize,
            len: 1,
        };
        let answer = process_vm_writev(pid, &[io::IoSlice::new(&[1])], &[remote]);
        ensure(answer == Err(Errno::EFAULT), || {
            format!("process_vm_writev at {at:#x} gives {answer:?} instead of EFAULT")
        })?;
    }
    Ok(())
}
