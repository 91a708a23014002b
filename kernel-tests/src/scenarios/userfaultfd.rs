//! 20: an address space that outlives its victim, held by a reader that waits for
//! a userfaultfd, is reaped.

use std::fs::File;
use std::io::{IoSliceMut, Read};
use std::os::fd::AsFd;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use crate::context::Context;
use crate::failure::{Failure, ResultExt, ensure};
use crate::needs::Need;
use crate::oom::{OomVictim, Watch};
use crate::scenario::Scenario;
use crate::smaps;
use crate::timeout_scale::scaled;
use crate::victim::{Area, Kind};

/// How long the fault may take to arrive, and the reader to be let go.
const TIMEOUT: Duration = Duration::from_secs(10);

pub const SCENARIO: Scenario = Scenario {
    name: "userfaultfd",
    number: 20,
    summary: "a victim's memory, held by a reader that its userfaultfd blocks, is reaped after its end",
    needs: &[
        Need::Userfaultfd,
        Need::CrossMemory,
        Need::Memcg,
        Need::OomEvents,
        Need::Smaps,
    ],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    let mut watch = Watch::new()?;
    let mut oom = OomVictim::spawn(SCENARIO.name, vec![Area::new(Kind::Anon, 16, 64)], None)?;
    let pid = oom.victim.pid();
    let path = format!("/proc/{pid}/smaps");
    let mut memory = File::open(&path).while_doing(|| format!("opening {path}"))?;
    smaps::ensure_resident(&smaps::reread(&mut memory)?, &oom.victim.ranges.concat())?;

    // A descriptor alone keeps no page: the fault of a reader does, who can
    // go on only when the descriptor's holder says so.
    let (uffd, page) = oom.victim.userfault()?;
    let mut uffd = File::from(uffd);
    let (sender, answer) = channel();
    // Not waited for where something fails: it ends with the descriptor.
    thread::spawn(move || sender.send(peek(pid, page)));
    wait_for_fault(&mut uffd, page)?;

    oom.exhaust()?;
    watch.reaped(pid, Vec::new())?;
    ensure(oom.victim.ended()?, || {
        format!("{pid} has not ended, and may have held its memory itself")
    })?;
    let after = smaps::reread(&mut memory)?;
    ensure(!after.is_empty(), || {
        format!("the memory of {pid} was gone before it was let go")
    })?;
    smaps::ensure_reaped(&after)?;

    drop(uffd);
    let answer = answer
        .recv_timeout(scaled(TIMEOUT))
        .map_err(|_| Failure::unmet(format!("the reader of {pid} was not let go")))?;
    // Not a page of zeroes.
    ensure(answer == Err(Errno::EFAULT), || {
        format!("reading reaped memory answers {answer:?} instead of EFAULT")
    })?;
    let left = smaps::reread(&mut memory)?.len();
    ensure(left == 0, || {
        format!("{left} VMAs are left of {pid} although nobody uses them")
    })?;
    oom.check_end()
}

/// Reads a byte of another process.
fn peek(pid: Pid, address: u64) -> Result<usize, Errno> {
    let remote = RemoteIoVec {
        base: address as usize,
        len: 1,
    };
    process_vm_readv(pid, &mut [IoSliceMut::new(&mut [0])], &[remote])
}

/// Waits for the userfaultfd's message that a page is waited for.
fn wait_for_fault(uffd: &mut File, page: u64) -> Result<(), Failure> {
    /// A message, what it begins with, and where it names the page.
    const LENGTH: usize = 32;
    const PAGE_FAULT: u8 = 0x12;
    const ADDRESS: usize = 16;
    let timeout = PollTimeout::try_from(scaled(TIMEOUT)).unwrap_or(PollTimeout::MAX);
    poll(&mut [PollFd::new(uffd.as_fd(), PollFlags::POLLIN)], timeout)
        .while_doing(|| "waiting for a page fault".into())?;
    let mut message = [0; LENGTH];
    uffd.read_exact(&mut message)
        .while_doing(|| "reading of a page fault".into())?;
    let address = message.get(ADDRESS..ADDRESS + 8);
    let hit = message.first() == Some(&PAGE_FAULT) && address == Some(&page.to_ne_bytes());
    ensure(hit, || {
        format!("no fault at {page:#x} but another event: {message:?}")
    })
}
