//! 55: a page fault that gets no memory, though nothing is out of memory.

use std::os::fd::AsFd;

use nix::sys::mman::{MapFlags, ProtFlags};

use crate::context::Context;
use crate::failure::{Failure, ResultExt, ensure};
use crate::helper::Helper;
use crate::kmsg::Log;
use crate::needs::Need;
use crate::procfs;
use crate::scenario::Scenario;
use crate::sys::{Mapping, PAGE};

/// Page faults that fail before one does not.
const FAILURES: u32 = 3;

pub const SCENARIO: Scenario = Scenario {
    name: "fault-again",
    number: 55,
    summary: "a page fault that fails for want of memory is taken again, the kernel says so, and nobody \
              is killed",
    needs: &[Need::Helper],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    let helper = Helper::load()?;
    let before = procfs::oom_kills()?;
    let mut log = Log::end()?;
    {
        let file = helper.starve(FAILURES)?;
        let mapping = Mapping::new(
            None,
            PAGE,
            ProtFlags::PROT_READ,
            MapFlags::MAP_SHARED,
            Some(file.as_fd()),
        )
        .while_doing(|| "mapping the helper's device".into())?;
        mapping.read();
        mapping
            .unmap()
            .while_doing(|| "unmapping the helper's device".into())?;
    }
    log.wait(
        |text| text.starts_with("Huh VM_FAULT_OOM leaked out to the #PF handler."),
        || "the kernel does not say that a page fault got no memory".into(),
    )?;
    let kills = procfs::oom_kills()?.saturating_sub(before);
    ensure(kills == 0, || {
        format!("{kills} were killed for a page fault that got no memory")
    })
}
