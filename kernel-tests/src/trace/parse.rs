//! The text of a trace, as the kernel prints it.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The thread on whose behalf the kernel ran.
    pub tid: i32,
    /// When: microseconds, or a number that counts up, by the trace's clock.
    pub time: u64,
    /// The event's name without its group.
    pub name: String,
    /// Its fields, as printed.
    fields: String,
    /// The functions on the stack, the innermost first, where it was recorded.
    pub stack: Vec<String>,
}

impl Event {
    #[cfg(test)]
    pub fn new(tid: i32, time: u64, name: &str, fields: &str, stack: &[&str]) -> Self {
        Self {
            tid,
            time,
            name: name.to_owned(),
            fields: fields.to_owned(),
            stack: stack.iter().map(|&symbol| symbol.to_owned()).collect(),
        }
    }

    /// A decimal field.
    pub fn number(&self, key: &str) -> Option<i64> {
        self.field(key)?.parse().ok()
    }

    /// A field that is printed as `0x…`.
    pub fn address(&self, key: &str) -> Option<u64> {
        u64::from_str_radix(self.field(key)?.strip_prefix("0x")?, 16).ok()
    }

    fn field(&self, key: &str) -> Option<&str> {
        self.fields.split_whitespace().find_map(|field| {
            let (name, value) = field.split_once('=')?;
            (name == key).then_some(value)
        })
    }
}

/// Reads the events of a trace. A recorded stack belongs to the last event of
/// its thread.
pub fn events(text: &str) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    // The event whose stack is being printed.
    let mut stack_of = None;
    for line in text.lines() {
        if let Some(symbol) = line.strip_prefix(" => ") {
            if let Some(event) = stack_of.and_then(|at: usize| events.get_mut(at)) {
                let symbol = symbol.split(['+', ' ']).next().unwrap_or_default();
                event.stack.push(symbol.to_owned());
            }
            continue;
        }
        stack_of = None;
        let Some(event) = header(line) else { continue };
        if event.name == "<stack trace>" {
            stack_of = events.iter().rposition(|earlier| earlier.tid == event.tid);
        } else {
            events.push(event);
        }
    }
    events
}

/// `COMM-TID [CPU] FLAGS TIME: NAME: FIELDS`, where COMM may hold anything.
fn header(line: &str) -> Option<Event> {
    if line.starts_with('#') {
        return None;
    }
    let (tid, rest) = line.match_indices(" [").find_map(|(at, _)| {
        let (task, rest) = line.split_at_checked(at)?;
        let (cpu, rest) = rest.strip_prefix(" [")?.split_once("] ")?;
        cpu.parse::<u32>().ok()?;
        let tid = task.trim_end().rsplit_once('-')?.1.parse().ok()?;
        Some((tid, rest))
    })?;
    let mut words = rest.split_whitespace();
    // The flags are absent where the option irq-info is off.
    let time = words
        .by_ref()
        .take(2)
        .find_map(|word| time(word.strip_suffix(':')?))?;
    let (_, behind) = rest.split_once(": ")?;
    let (name, fields) = match behind.split_once(": ") {
        Some(parts) => parts,
        None => (behind.trim_end().trim_end_matches(':'), ""),
    };
    Some(Event {
        tid,
        time,
        name: name.trim().to_owned(),
        fields: fields.to_owned(),
        stack: Vec::new(),
    })
}

/// `SECONDS.MICROSECONDS`, or a bare counter.
fn time(word: &str) -> Option<u64> {
    match word.split_once('.') {
        Some((seconds, micros)) => {
            let seconds: u64 = seconds.parse().ok()?;
            seconds
                .checked_mul(1_000_000)?
                .checked_add(micros.parse().ok()?)
        }
        None => word.parse().ok(),
    }
}

/// Events that one CPU's buffer lost, from its `stats`.
pub fn lost(stats: &str) -> u64 {
    stats
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(key, _)| matches!(*key, "overrun" | "commit overrun" | "dropped events"))
        .filter_map(|(_, value)| value.trim().parse::<u64>().ok())
        .sum()
}

/// Calls that a probe missed, from `kprobe_profile`.
pub fn missed(profile: &str, probe: &str) -> u64 {
    profile
        .lines()
        .find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next()? == probe).then(|| words.nth(1)?.parse().ok())?
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "\
# tracer: nop
#
            init-54      [001] .....     3.456789: walk: (unmap_page_range+0x0/0x6c0) start=0x10000000000 end=0x10000040000
 a [0] b-1: c-55      [000] d..2.     3.456790: slow: (queued_spin_lock_slowpath+0x0/0x210)
            init-54      [001] .....     3.456791: slow_ret: (_raw_spin_lock+0x1d/0x20 <- queued_spin_lock_slowpath)
 a [0] b-1: c-55      [000] d..2.     3.456792: <stack trace>
 => queued_spin_lock_slowpath
 => __pte_offset_map_lock
 => unmap_page_range+0x12/0x30
     kworker/0:1-9       [000] .....     4.000000: mark_victim: pid=55 comm=a b total-vm=12kB
CPU:1 [LOST 3 EVENTS]
           <...>-7       [000] 42: wake_reaper: pid=55
";

    #[test]
    fn events_with_stacks_and_hostile_names() {
        let events = events(TRACE);
        let seen: Vec<_> = events
            .iter()
            .map(|e| (e.tid, e.time, &*e.name, e.stack.join(" "), e.number("pid")))
            .collect();
        assert_eq!(
            seen,
            [
                (54, 3_456_789, "walk", String::new(), None),
                (
                    55,
                    3_456_790,
                    "slow",
                    "queued_spin_lock_slowpath __pte_offset_map_lock unmap_page_range".into(),
                    None
                ),
                (54, 3_456_791, "slow_ret", String::new(), None),
                (9, 4_000_000, "mark_victim", String::new(), Some(55)),
                (7, 42, "wake_reaper", String::new(), Some(55)),
            ]
        );
        assert_eq!(events[0].address("start"), Some(0x100_0000_0000));
        assert_eq!(events[0].address("end"), Some(0x100_0004_0000));
        assert_eq!(events[0].address("vma"), None);
    }

    #[test]
    fn what_was_lost() {
        let stats = "entries: 3\noverrun: 2\ncommit overrun: 0\nbytes: 99\ndropped events: 1\nread events: 7\n";
        assert_eq!(lost(stats), 3);
        let profile = "  walk            120     0\n  slow            12    4\n";
        assert_eq!(missed(profile, "slow"), 4);
        assert_eq!(missed(profile, "walk"), 0);
        assert_eq!(missed(profile, "other"), 0);
    }
}
