//! The host's time stamp counter, which QEMU's emulation hands to guests as it
//! is.
//!
//! A guest finds its frequency by comparing it with an emulated timer for some
//! milliseconds. On a busy host it has been wrong by a factor of eight, and
//! then every deadline and every duration of that boot is.

use std::sync::LazyLock;
#[cfg(target_arch = "x86_64")]
use std::time::{Duration, Instant};

/// The counter's frequency in kHz, measured once; none where there is no such
/// counter, or where the host is too busy to tell.
pub(crate) fn tsc_khz() -> Option<u64> {
    static KHZ: LazyLock<Option<u64>> = LazyLock::new(measure);
    *KHZ
}

#[cfg(target_arch = "x86_64")]
fn measure() -> Option<u64> {
    /// 0.02 % of it is what a reading may be off.
    const SPAN: Duration = Duration::from_millis(50);
    let (from, start) = reading()?;
    std::thread::sleep(SPAN);
    let (to, end) = reading()?;
    let ticks = u128::from(end.checked_sub(start)?);
    let nanos = to.duration_since(from).as_nanos();
    u64::try_from((ticks * 1_000_000).checked_div(nanos)?).ok()
}

#[cfg(not(target_arch = "x86_64"))]
fn measure() -> Option<u64> {
    None
}

/// Both clocks at one moment.
#[cfg(target_arch = "x86_64")]
fn reading() -> Option<(Instant, u64)> {
    const MOMENT: Duration = Duration::from_micros(10);
    (0..1_000).find_map(|_| {
        let before = Instant::now();
        // SAFETY: every x86_64 has this instruction, and it reads a counter.
        let ticks = unsafe { std::arch::x86_64::_rdtsc() };
        (before.elapsed() < MOMENT).then_some((before, ticks))
    })
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    #[test]
    fn two_measurements_agree() {
        let [one, other] = [(); 2].map(|()| super::measure().unwrap());
        assert!(one.abs_diff(other) * 200 < one, "{one} kHz and {other} kHz");
    }
}
