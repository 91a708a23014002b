//! How reports look: their first lines, and what in the lines behind them names
//! a function.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use results::console::Kind;

/// The first line of a report.
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) title: String,
    /// The function, where that line names it.
    pub(super) function: Option<String>,
    /// Whether the lines behind it may name the function.
    pub(super) opens: bool,
}

/// How one kind of report begins, and what its title is made of.
struct Rule {
    kind: Kind,
    pattern: Regex,
    title: fn(&Captures<'_>) -> (String, Option<String>),
    opens: bool,
}

/// What a line opens, if it opens a report.
pub(super) fn header(line: &str) -> Option<Header> {
    if FROM_USER_SPACE.is_match(line) {
        return None;
    }
    RULES.iter().find_map(|rule| {
        let (title, function) = (rule.title)(&rule.pattern.captures(line)?);
        Some(Header {
            kind: rule.kind,
            title,
            function,
            opens: rule.opens,
        })
    })
}

fn group(found: &Captures<'_>, at: usize) -> String {
    found
        .get(at)
        .map_or_else(String::new, |part| part.as_str().trim().to_owned())
}

fn symbol(found: &Captures<'_>, at: usize) -> Option<String> {
    found
        .get(at)
        .map(|part| function(part.as_str()))
        .filter(|name| !HELPER.is_match(name))
}

/// The title where kmemleak only counts.
pub(super) const SUSPECTED_LEAKS: &str = "suspected memory leaks";

/// In this order: the first that matches a line wins.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let rule = |kind, text, opens, title| Rule {
        kind,
        pattern: pattern(text),
        title,
        opens,
    };
    vec![
        rule(
            Kind::Panic,
            r"end Kernel panic - not syncing(?:: (.*?))? \]",
            false,
            panic,
        ),
        rule(
            Kind::Panic,
            r"Kernel panic(?: - not syncing(?:: ?(.*))?|: (.*)|\s*$)",
            true,
            panic,
        ),
        rule(
            Kind::Kasan,
            r"BUG: (KASAN|KMSAN|KFENCE): (.+?)(?: in ([A-Za-z_][\w.$]*)(?:[+ ].*)?)?$",
            true,
            |found| {
                (
                    format!("{}: {}", group(found, 1), steady(&group(found, 2))),
                    symbol(found, 3),
                )
            },
        ),
        rule(
            Kind::Kcsan,
            r"BUG: KCSAN: (\S+)(?: race)? in ([\w.$]+)(?:\+\S+)?(?: \[\w+\])?(?: / ([\w.$]+))?",
            true,
            |found| {
                // Who came first is a matter of chance.
                let mut both = [function(&group(found, 2)), function(&group(found, 3))];
                both.sort();
                let both = both.join(" / ");
                (
                    format!("KCSAN: {}", group(found, 1)),
                    Some(both.trim_start_matches(" / ").into()),
                )
            },
        ),
        rule(Kind::Kcsan, r"BUG: KCSAN: (.+)", true, |found| {
            (format!("KCSAN: {}", steady(&group(found, 1))), None)
        }),
        rule(
            Kind::BadRss,
            r"BUG: (Bad rss-counter state|non-zero pgtables_bytes).*?(?:type:(\w+)|idx:(\d+)|$)",
            false,
            |found| {
                (
                    format!("{} {}{}", group(found, 1), group(found, 2), group(found, 3)),
                    None,
                )
            },
        ),
        rule(
            Kind::MemoryLeak,
            r"BUG: memory leak|unreferenced object 0x[0-9a-f]+",
            true,
            |_| ("memory leak".into(), None),
        ),
        rule(
            Kind::MemoryLeak,
            r"kmemleak: \d+ new suspected memory leaks",
            false,
            |_| (SUSPECTED_LEAKS.into(), None),
        ),
        rule(
            Kind::SoftLockup,
            r"BUG: soft lockup|BUG: (workqueue lockup)",
            true,
            |found| {
                let what = group(found, 1);
                (
                    if what.is_empty() {
                        "soft lockup".into()
                    } else {
                        what
                    },
                    None,
                )
            },
        ),
        rule(
            Kind::HardLockup,
            r"(?i)\bhard lockup(?:.*? @ ([\w.$]+)\+0x)?",
            true,
            |found| ("hard lockup".into(), symbol(found, 1)),
        ),
        rule(
            Kind::RcuStall,
            r"INFO: (rcu\w*) (?:self-)?detected (?:expedited )?stalls?",
            true,
            |found| (format!("{} stall", group(found, 1)), None),
        ),
        rule(
            Kind::HungTask,
            r"INFO: task .+:\d+ blocked (?:for|in I/O wait for) more than",
            true,
            |_| ("hung task".into(), None),
        ),
        rule(
            Kind::Lockdep,
            r"(?:WARNING|INFO|BUG): (possible .+? detected|(?i:inconsistent lock state|suspicious RCU usage|invalid wait context|nested lock was not taken)|\S+-safe -> \S+-unsafe lock order detected|bad \w+(?: \w+)? detected|held lock freed|lock held (?:when returning to user space|at task exit time)|sleeping function called from invalid context|scheduling while atomic|using \w+\(\) in preemptible|trying to register non-static key|(?:spin|rw)lock \w+ \w+|MAX_\w+ too low|.+ still has locks held)",
            true,
            |found| (steady(&group(found, 1)), None),
        ),
        rule(
            Kind::Warning,
            r"WARNING: (?:CPU: \d+ PID: \d+ )?at (?:\S+:\d+ )?([A-Za-z_][\w.$]*)\+0x",
            true,
            |found| ("WARNING".into(), symbol(found, 1)),
        ),
        rule(
            Kind::Warning,
            r"WARNING: (?:\[.*\] )?\S+:\d+ at ([A-Za-z_][\w.$]*)\+0x",
            true,
            |found| ("WARNING".into(), symbol(found, 1)),
        ),
        rule(
            Kind::Warning,
            r"WARNING: (?:CPU: \d+ PID: \d+ )?at (\S+?):\d+",
            true,
            |found| (format!("WARNING at {}", group(found, 1)), None),
        ),
        rule(
            Kind::Oops,
            r"kernel BUG at (\S+?)(?::\d+)?!",
            true,
            |found| (format!("kernel BUG at {}", group(found, 1)), None),
        ),
        rule(
            Kind::Oops,
            r"(?i)(?:unable to handle|BUG: kernel) .*NULL pointer",
            true,
            |_| ("NULL pointer dereference".into(), None),
        ),
        rule(
            Kind::Oops,
            r"(?i)unable to handle (?:kernel|page fault)\b",
            true,
            |_| ("unable to handle page fault".into(), None),
        ),
        rule(
            Kind::Oops,
            r"\bgeneral protection fault(?:,|:| |$)",
            true,
            |_| ("general protection fault".into(), None),
        ),
        rule(
            Kind::Oops,
            r"((?:[A-Za-z][\w', -]*: )*[A-Za-z][\w', -]*?)(?:: [0-9a-f]+)? ?\[#\d+\]",
            true,
            |found| (die(&group(found, 1)), None),
        ),
        rule(
            Kind::Ubsan,
            r"UBSAN: (.+?)(?: in (\S+?)(?::\d+)*)?$",
            true,
            |found| (format!("UBSAN: {}", steady(&group(found, 1))), None),
        ),
        // Corruption that the kernel reports and lives on with.
        rule(Kind::Oops, r"\bBUG: (.+)", false, |found| {
            (steady(&group(found, 1)), None)
        }),
        rule(Kind::Oops, r"\bBUG ([\w-]+) \(.*\): (.+)", false, |found| {
            (
                format!("{}: {}", group(found, 1), steady(&group(found, 2))),
                None,
            )
        }),
        rule(
            Kind::OomKill,
            r"(Memory cgroup out of memory: |Out of memory.*: )?Killed process \d+,?(?: UID \d+,)? \((.*?)\)",
            false,
            |found| {
                let memcg = group(found, 1).starts_with("Memory cgroup");
                let whose = if memcg {
                    "a memory cgroup"
                } else {
                    "the machine"
                };
                (
                    format!("{} killed: {whose} was out of memory", group(found, 2)),
                    None,
                )
            },
        ),
        rule(
            Kind::BootFailed,
            r"(Dropping to a shell|[Ee]ntering emergency mode|No bootable device|Give root password for maintenance)",
            false,
            |found| (group(found, 1), None),
        ),
    ]
});

fn panic(found: &Captures<'_>) -> (String, Option<String>) {
    let why = steady(&format!("{}{}", group(found, 1), group(found, 2)));
    let colon = if why.is_empty() { "" } else { ": " };
    (format!("Kernel panic - not syncing{colon}{why}"), None)
}

/// What `die()` was called with.
fn die(message: &str) -> String {
    let mut known = message;
    for lead in ["kernel: ", "Internal error: ", "Oops: ", "Oops - "] {
        known = known.rsplit_once(lead).map_or(known, |(_, rest)| rest);
    }
    let known = known.trim_end_matches(", sig");
    let bare = known.ends_with("Oops") || known.chars().all(|c| c.is_ascii_hexdigit());
    if bare { "Oops".into() } else { steady(known) }
}

/// One of these is in every first line of a report: the rules need not look at
/// the other lines.
pub(super) static SUSPECT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"BUG|WARNING: |INFO: |Kernel panic|\[#\d|UBSAN|(?i:unable to handle|hard lockup)|general protection|Killed process|unreferenced object|kmemleak: |Dropping to|mergency mode|bootable device|root password",
    )
});

/// A fault of a program, which the kernel merely notes.
static FROM_USER_SPACE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\btraps: |\bip:[0-9a-f]+ sp:[0-9a-f]+"));

/// Colours.
pub(super) static ANSI: LazyLock<Regex> = LazyLock::new(|| pattern(r"\x1b\[[0-9;?]*[A-Za-z]"));

/// Syslog's level, the time and the writer, in front of a message.
pub(super) static PREFIX: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\s*(?:<\d+>)?\s*(?:\[[^\]]*\d\.\d+\]\s*)?(?:\[\s*[TC]\d+\]\s*)?"));

/// Who wrote a line, where the kernel says so.
pub(super) static CALLER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\[\s*\d+\.\d+\]\s*\[\s*([TC]\d+)(?:@\w+)?\]"));

/// The program counter in a register dump, kernel mode only.
pub(super) static COUNTER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:RIP: 00[01][08]:|EIP: (?:is at )?(?:00\d\d:)?|EIP is at |PC is at |\bpc : |\bepc\s*: |\bNIP |Krnl PSW : |\bERA: |\bTPC: <)(?:[\[<(]*[0-9a-f]{8,16}[>\])]*[\s(]*)*([A-Za-z_.][\w.$]*)\+0x[0-9a-f]+",
    )
});

/// Lockdep's line on the lock that was the last straw.
pub(super) static ACQUIRING: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\}, at: ([A-Za-z_][\w.$]*)\+0x"));

/// The reports that are about that lock; others merely list the locks held.
pub(super) static BY_LOCK: LazyLock<Regex> =
    LazyLock::new(|| pattern(r": possible |inconsistent lock state|lock order detected"));

/// The heading of a stack trace.
pub(super) static TRACE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\b(?:call trace|backtrace)\b.*:"));

/// A frame that the unwinder is sure of.
pub(super) static FRAME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:[^?+]*[\s\])])?(?:\(?([A-Za-z_.][\w.$]*)\)? from |([A-Za-z_.][\w.$]*)\+0x[0-9a-f]+/0x[0-9a-f]+)",
    )
});

/// Frames that report, lock, wait or allocate on behalf of the one that counts.
pub(super) static HELPER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"^(?:_*(?:dump_(?:stack|backtrace)|show_(?:stack|regs|trace)|unwind_backtrace|v?panic|nmi_panic|print_|check_panic)\w*",
        r"|_*(?:kasan|asan|kmsan|kcsan|kfence|ubsan|hwasan)_\w+|check_region_inline|check_memory_region|end_report",
        r"|_*warn|report_bug|warn_slowpath\w*|refcount_warn_saturate|_*list_(?:add|del)_\w*valid\w*",
        r"|lockdep_\w+|_*lock_acquire|_*lock_release|mark_(?:lock|usage)\w*|check_(?:noncircular|prev\w*|deadlock|wait_context)|validate_chain|valid_state|register_lock_class|debug_\w+",
        r"|_*might_(?:resched|sleep|fault)|_*schedule\w*|io_schedule\w*|preempt_schedule\w*|context_switch",
        r"|_*(?:raw_)?(?:spin|read|write)_(?:un)?lock\w*|do_raw_\w+|\w*queued_\w+_slowpath",
        r"|_*mutex_lock\w*|_*rwsem_\w+|_*(?:down|up)_(?:read|write)\w*|_*down\w*|wait_for_\w*compl\w*|_*wait_for_common\w*|do_wait_for_common|bit_wait\w*|out_of_line_wait\w*|_*wait_on_bit\w*",
        r"|_*(?:kmalloc|kzalloc|kmem_cache_alloc|kvmalloc|vmalloc)\w*|_*do_kmalloc\w*|slab_(?:post_)?alloc\w*|_*slab_alloc\w*|kmemleak_\w+",
        r"|_*(?:text|__switch_to|ret_from_fork|asm_\w+|exc_\w+|sysvec_\w+))$",
    ))
});

/// What differs between two runs of the same thing, and what stands for it.
static CHANGING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    vec![
        (pattern(r"\+0x[0-9a-f]+(?:/0x[0-9a-f]+)?"), ""),
        // An exit code has eight digits and stays.
        (pattern(r"(?i)\b(?:0x[0-9a-f]{9,}|[0-9a-f]{12,})\b"), "N"),
        (
            pattern(r"(?i)\b(cpu|pid|task)([#: ]{1,2})\d+\b"),
            "${1}${2}N",
        ),
        (pattern(r"\b(pfn:) ?[0-9a-f]+\b"), "${1}N"),
        (
            pattern(r"\b\d+(?:\.\d+)?( ?(?:s|ms|secs?|seconds))\b"),
            "N${1}",
        ),
        (pattern(r"/\d+(?:/0x[0-9a-f]+)?\b"), "/N"),
    ]
});

/// The kernel, or what loads it, has begun.
pub(super) static BEGAN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"Linux version \d|Booting Linux on|Decompressing Linux|SeaBIOS|Booting from |EFI stub:|OpenSBI|U-Boot|iPXE",
    )
});

/// User space has begun, or is about to.
pub(super) static CAME_UP: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"Run \S+ as init process|Freeing unused kernel|Freeing init memory|systemd\[1\]|TAP version|reboot: |[a-z] login:",
    )
});

#[expect(
    clippy::expect_used,
    reason = "constant patterns; the tests compile each"
)]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

/// A symbol without what the compiler added to its name.
pub(super) fn function(symbol: &str) -> String {
    let symbol = symbol.trim_start_matches('.');
    let end = symbol.find(['.', '+']).unwrap_or(symbol.len());
    symbol.get(..end).unwrap_or(symbol).to_owned()
}

/// A message without what changes from run to run.
pub(super) fn steady(message: &str) -> String {
    let mut steady = message.to_owned();
    for (changing, instead) in CHANGING.iter() {
        steady = changing.replace_all(&steady, *instead).into_owned();
    }
    steady.split_whitespace().collect::<Vec<_>>().join(" ")
}
