//! Crashes that QEMU's emulation makes of a kernel that is well.

use results::console::Event;

use super::rules::PREFIX;

/// The crash, if only emulation explains it. With several CPUs it may run a
/// breakpoint that the kernel has already taken back, and nothing but the
/// patching of text sets one in a kernel that nobody debugs. Where a breakpoint
/// is a probe on the spinlock's slow path (`probed`), it may jump to nowhere.
pub fn fault_of_emulation<'a>(
    events: &'a [Event],
    console: &str,
    probed: bool,
) -> Option<&'a Event> {
    let crash = events.iter().find(|event| event.kind.is_crash())?;
    let breakpoint = crash.title.starts_with("int3 ");
    (breakpoint || (probed && jumped_from_the_lock(console))).then_some(crash)
}

/// Whether the kernel died at address 0, where a spinlock's slow path was to be
/// called.
fn jumped_from_the_lock(console: &str) -> bool {
    let mut lines = console
        .lines()
        .map(|line| line.get(PREFIX.find(line).map_or(0, |found| found.end())..))
        .map(|message| message.unwrap_or_default().trim());
    let nowhere = lines.by_ref().any(|line| line == "RIP: 0010:0x0");
    let caller = lines.skip_while(|line| *line != "<TASK>").nth(1);
    nowhere && caller.is_some_and(|line| line.starts_with("_raw_spin_lock"))
}

#[cfg(test)]
mod tests {
    use super::fault_of_emulation;
    use crate::console::triage;

    fn fault(console: &str, probed: bool) -> Option<String> {
        let events = triage(console.as_bytes()).unwrap().events;
        fault_of_emulation(&events, console, probed).map(|event| event.title.clone())
    }

    #[test]
    fn a_breakpoint_that_was_taken_back() {
        for console in [
            "[    9.1] int3: 0000 [#1] SMP NOPTI\n[    9.2] RIP: 0010:exit_mmap+0x10/0x200\n",
            "[    9.1] Oops: int3: 0000 [#1] SMP NOPTI\n[    9.2] RIP: 0010:exit_mmap+0x10/0x200\n",
        ] {
            assert_eq!(fault(console, false).unwrap(), "int3 in exit_mmap");
        }
        let later = "[    9.1] kernel BUG at mm/mmap.c:1!\n[    9.2] RIP: 0010:exit_mmap+0x10/0x200\n\
                     [    9.3] int3: 0000 [#2] SMP NOPTI\n";
        assert_eq!(fault(later, false), None);
        assert_eq!(fault("", true), None);
    }

    #[test]
    fn a_jump_to_nowhere_is_told_from_others() {
        let console = "\
[   38.267664] BUG: kernel NULL pointer dereference, address: 0000000000000000
[   38.268731] RIP: 0010:0x0
[   38.270069] Call Trace:
[   38.270182]  <TASK>
[   38.270266]  _raw_spin_lock_irqsave+0x2a/0x40
[   38.270389]  prepare_to_swait_event+0x1b/0xd0
[   38.270875]  </TASK>
";
        assert!(fault(console, true).is_some());
        assert!(fault(console, false).is_none(), "nothing was probed");
        let of_a_driver = console.replace("_raw_spin_lock_irqsave", "exit_mmap");
        assert!(fault(&of_a_driver, true).is_none());
        let elsewhere = console.replace("0010:0x0", "0010:exit_mmap+0x10/0x200");
        assert!(fault(&elsewhere, true).is_none());
    }
}
