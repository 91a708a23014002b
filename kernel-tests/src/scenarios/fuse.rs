//! 19: a victim that waits for a FUSE server is reaped, and ends when the server
//! answers.

use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::fuse::{FILE, Server};
use crate::needs::Need;
use crate::oom::{OomVictim, Watch};
use crate::scenario::Scenario;
use crate::smaps;
use crate::victim::{Area, Kind};

pub const SCENARIO: Scenario = Scenario {
    name: "fuse",
    number: 19,
    summary: "a victim stuck in a FUSE read is reaped, and ends once the read is answered",
    needs: &[Need::Fuse, Need::Memcg, Need::OomEvents, Need::Smaps],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    let mut watch = Watch::new()?;
    let mut oom = OomVictim::spawn(SCENARIO.name, vec![Area::new(Kind::Anon, 16, 64)], None)?;
    // Made last, so that it goes first: it must let the victim go.
    let server = Server::mount()?;
    let pid = oom.victim.pid();
    oom.victim.read(FILE)?;
    let read = server.wait_for_read()?;
    smaps::ensure_resident(&smaps::of(pid)?, &oom.victim.ranges.concat())?;

    // Its other thread allocates, and can end; nothing holds this one but
    // the read.
    oom.exhaust()?;
    watch.reaped(pid, Vec::new())?;
    ensure(!oom.victim.ended()?, || {
        format!("{pid} ended although nobody answered its read")
    })?;
    smaps::ensure_reaped(&smaps::of(pid)?)?;

    server.answer(read)?;
    oom.check_end()
}
