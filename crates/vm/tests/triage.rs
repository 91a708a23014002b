//! Consoles and what they say. The files in `data/console` were written by
//! guests; the texts here follow the kernel's formats, old and new, on several
//! architectures.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails"
)]

use results::console::Kind;
use vm::console::{Report, Triage, triage};

fn read(console: &str) -> Report {
    triage(console.as_bytes()).unwrap()
}

/// Verdict and titles, one a line.
fn summary(report: &Report) -> String {
    let events = report
        .events
        .iter()
        .map(|e| format!("\n{} {}: {}", e.line, e.kind, e.title));
    format!("{}{}", report.verdict, events.collect::<String>())
}

/// The verdict and the titles of one report, however its lines are dressed.
#[track_caller]
fn says(console: &str, verdict: Kind, titles: &[&str]) {
    type Dress = fn(usize, &str) -> String;
    let dressed: [(&str, Dress); 6] = [
        ("bare", |_, line| line.to_owned()),
        ("with time", |at, line| {
            format!("[{:5}.{:06}] {line}", at / 7, at * 1237 % 1_000_000)
        }),
        ("with caller", |at, line| {
            format!("[ {at:4}.000001][    T7] {line}")
        }),
        ("raw", |at, line| format!("<4>[ {at:4}.000001] {line}\r")),
        ("syslog", |_, line| {
            format!("Jan  1 00:00:00 host kernel: [    1.000000] {line}")
        }),
        ("coloured", |_, line| {
            format!("\u{1b}[32m[    1.0000] \u{1b}[0m\u{1b}[31m{line}\u{1b}[0m")
        }),
    ];
    for (name, dress) in dressed {
        let text: Vec<String> = console
            .lines()
            .enumerate()
            .map(|(at, line)| dress(at, line.trim_start()))
            .collect();
        let report = read(&text.join("\n"));
        let found: Vec<&str> = report
            .events
            .iter()
            .map(|event| event.title.as_str())
            .collect();
        assert_eq!(
            (report.verdict, found.as_slice()),
            (verdict, titles),
            "{name}"
        );
    }
}

#[test]
fn consoles_of_real_guests() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/console");
    let table = [
        (
            "sysrq-crash",
            Kind::Panic,
            "Kernel panic - not syncing: sysrq triggered crash in sysrq_handle_crash",
        ),
        (
            "panic",
            Kind::Panic,
            "Kernel panic - not syncing: dumptest in lkdtm_PANIC",
        ),
        (
            "oops",
            Kind::Oops,
            "general protection fault in lkdtm_EXCEPTION",
        ),
        (
            "bug",
            Kind::Oops,
            "kernel BUG at drivers/misc/lkdtm/bugs.c in lkdtm_BUG",
        ),
        (
            "kasan",
            Kind::Kasan,
            "KASAN: slab-use-after-free in lkdtm_READ_AFTER_FREE",
        ),
        (
            "kcsan",
            Kind::Kcsan,
            "KCSAN: data-race in provoke_reader / provoke_writer",
        ),
        (
            "ubsan",
            Kind::Ubsan,
            "UBSAN: array-index-out-of-bounds in lkdtm_ARRAY_BOUNDS",
        ),
        (
            "lockdep",
            Kind::Lockdep,
            "possible circular locking dependency detected in provoke_second_then_first",
        ),
        (
            "soft-lockup",
            Kind::SoftLockup,
            "soft lockup in lkdtm_SOFTLOCKUP",
        ),
        (
            "hard-lockup",
            Kind::HardLockup,
            "hard lockup in lkdtm_HARDLOCKUP",
        ),
        (
            "rcu-stall",
            Kind::RcuStall,
            "rcu_sched stall in lkdtm_SOFTLOCKUP",
        ),
        ("hung-task", Kind::HungTask, "hung task in lkdtm_HUNG_TASK"),
        ("warning", Kind::Warning, "WARNING in lkdtm_WARNING"),
        (
            "memory-leak",
            Kind::MemoryLeak,
            "memory leak in provoke_leak",
        ),
        (
            "bad-rss",
            Kind::BadRss,
            "Bad rss-counter state MM_ANONPAGES",
        ),
        (
            "boot-failed",
            Kind::BootFailed,
            "user space never started; last: Waiting for root device /dev/vda...",
        ),
        (
            "cut-boot",
            Kind::BootFailed,
            "user space never started; last: DMA32 [mem N-N]",
        ),
        (
            "oom",
            Kind::Clean,
            "init killed: the machine was out of memory",
        ),
        (
            "oom-allocation",
            Kind::Clean,
            "victim killed: the machine was out of memory",
        ),
        (
            "memcg",
            Kind::Clean,
            "init killed: a memory cgroup was out of memory",
        ),
    ];
    for (name, verdict, title) in table {
        let console = fs_err::File::open(format!("{dir}/{name}.log")).unwrap();
        let report = triage(console).unwrap();
        let summary = summary(&report);
        assert_eq!(report.verdict, verdict, "{name}: {summary}");
        let decisive = report
            .events
            .iter()
            .find(|event| event.kind == verdict || verdict == Kind::Clean);
        assert_eq!(
            decisive.map(|event| event.title.as_str()),
            Some(title),
            "{name}: {summary}"
        );
    }
    assert_eq!(fs_err::read_dir(dir).unwrap().count(), table.len());
}

#[test]
fn a_bare_panic_line_is_a_panic() {
    let title = "Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b";
    says(title, Kind::Panic, &[title]);
    says(
        "Kernel panic - not syncing",
        Kind::Panic,
        &["Kernel panic - not syncing"],
    );
    says(
        "Kernel panic: VFS: Unable to mount root fs on unknown-block(0,0)",
        Kind::Panic,
        &["Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)"],
    );
    // Only its end was caught.
    says(
        "---[ end Kernel panic - not syncing: boo ]---",
        Kind::Panic,
        &["Kernel panic - not syncing: boo"],
    );
}

#[test]
fn an_oops_is_one_event_and_names_its_function() {
    says(
        "BUG: kernel NULL pointer dereference, address: 0000000000000008
        #PF: supervisor read access in kernel mode
        #PF: error_code(0x0000) - not-present page
        PGD 0 P4D 0
        Oops: Oops: 0000 [#1] PREEMPT SMP NOPTI
        CPU: 1 UID: 0 PID: 31 Comm: oom_reaper Not tainted 6.12.117 #1
        RIP: 0010:__oom_reap_task_mm.constprop.0+0x42/0x120
        Code: 48 89 e5 41 57
        RSP: 0018:ffffc900001f7e60 EFLAGS: 00010246
        Call Trace:
        <TASK>
        ? __die_body+0x1b/0x60
        oom_reaper+0x1a3/0x3b0
        kthread+0xd1/0x100
        </TASK>
        ---[ end trace 0000000000000000 ]---
        RIP: 0010:__oom_reap_task_mm.constprop.0+0x42/0x120
        Kernel panic - not syncing: Fatal exception
        Kernel Offset: disabled
        ---[ end Kernel panic - not syncing: Fatal exception ]---",
        Kind::Panic,
        &[
            "NULL pointer dereference in __oom_reap_task_mm",
            "Kernel panic - not syncing: Fatal exception in __oom_reap_task_mm",
        ],
    );
    says(
        "BUG: unable to handle page fault for address: ffffeb0400000008
        Oops: 0000 [#1] SMP
        RIP: 0010:mas_find_rev+0x10/0x60 [maple]",
        Kind::Oops,
        &["unable to handle page fault in mas_find_rev"],
    );
    says(
        "BUG: unable to handle kernel paging request at ffffc90000a3f000
        IP: [<ffffffff8113c3f0>] unmap_page_range+0x10/0x20
        Oops: 0002 [#1] SMP
        RIP: 0010:[<ffffffff8113c3f0>]  [<ffffffff8113c3f0>] unmap_page_range+0x10/0x20",
        Kind::Oops,
        &["unable to handle page fault in unmap_page_range"],
    );
    says(
        "Oops: general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1] SMP KASAN
        KASAN: maybe wild-memory-access in range [0xdead000000000100-0xdead000000000107]
        RIP: 0010:list_del_foo+0x10/0x60",
        Kind::Oops,
        &["general protection fault in list_del_foo"],
    );
    says(
        "------------[ cut here ]------------
        kernel BUG at mm/oom_kill.c:512!
        Oops: invalid opcode: 0000 [#1] PREEMPT SMP
        RIP: 0010:oom_reap_task_mm+0x2a0/0x2b0",
        Kind::Oops,
        &["kernel BUG at mm/oom_kill.c in oom_reap_task_mm"],
    );
    says(
        "Oops: int3: 0000 [#1] PREEMPT SMP
        RIP: 0010:ftrace_caller_op_ptr+0x1/0x2",
        Kind::Oops,
        &["int3 in ftrace_caller_op_ptr"],
    );
    says(
        "divide error: 0000 [#1] SMP
        RIP: 0010:balance_dirty+0x1/0x2",
        Kind::Oops,
        &["divide error in balance_dirty"],
    );
    // It jumped to nowhere: the caller is all there is.
    says(
        "BUG: kernel NULL pointer dereference, address: 0000000000000000
        Oops: 0010 [#1] SMP
        RIP: 0010:0x0
        Code: Unable to access opcode bytes at 0xffffffffffffffd6.
        Call Trace:
        <TASK>
        ? show_regs+0x60/0x70
        mmu_notifier_call+0x20/0x40
        </TASK>",
        Kind::Oops,
        &["NULL pointer dereference in mmu_notifier_call"],
    );
}

#[test]
fn other_architectures_fall_differently() {
    says(
        "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000010
        Mem abort info:
          ESR = 0x0000000096000006
          EC = 0x25: DABT (current EL), IL = 32 bits
        user pgtable: 4k pages, 48-bit VAs, pgdp=0000000041c3d000
        Internal error: Oops: 0000000096000006 [#1] PREEMPT SMP
        pstate: 60400005 (nZCv daif +PAN -UAO -TCO -DIT -SSBS BTYPE=--)
        pc : oom_reap_task+0x24/0x1b0
        lr : oom_reaper+0x60/0x120",
        Kind::Oops,
        &["NULL pointer dereference in oom_reap_task"],
    );
    says(
        "kernel BUG at mm/memory.c:1700!
        Internal error: Oops - BUG: 00000000f2000800 [#1] SMP
        pc : unmap_vmas+0x24/0x1b0",
        Kind::Oops,
        &["kernel BUG at mm/memory.c in unmap_vmas"],
    );
    says(
        "Unable to handle kernel paging request at virtual address dead4ead when read
        [dead4ead] *pgd=00000000
        Internal error: Oops: 5 [#1] SMP ARM
        PC is at zap_pte_range+0x24/0x1b0
        LR is at unmap_page_range+0x24/0x1b0",
        Kind::Oops,
        &["unable to handle page fault in zap_pte_range"],
    );
    says(
        "Unable to handle kernel access to user memory without uaccess routines at virtual address 0000003f
        Oops [#1]
        epc : mas_walk+0x24/0x1b0",
        Kind::Oops,
        &["unable to handle page fault in mas_walk"],
    );
    says(
        "BUG: Kernel NULL pointer dereference on read at 0x00000008
        Faulting instruction address: 0xc0000000003a4b2c
        Oops: Kernel access of bad area, sig: 11 [#1]
        NIP [c0000000003a4b2c] tlb_gather_mmu+0x2c/0x60",
        Kind::Oops,
        &["NULL pointer dereference in tlb_gather_mmu"],
    );
    says(
        "Oops: Kernel access of bad area, sig: 11 [#1]
        NIP [c0000000003a4b2c] tlb_gather_mmu+0x2c/0x60",
        Kind::Oops,
        &["Kernel access of bad area in tlb_gather_mmu"],
    );
    says(
        "Unable to handle kernel pointer dereference in virtual kernel address space
        Oops: 0038 ilc:3 [#1] SMP
        Krnl PSW : 0704c00180000000 00000000a1b2c3d4 (mas_find+0x24/0x1b0)",
        Kind::Oops,
        &["unable to handle page fault in mas_find"],
    );
}

#[test]
fn sanitizers() {
    says(
        "==================================================================
        BUG: KASAN: slab-use-after-free in mas_next_slot+0x5a/0x90 [test]
        Read of size 8 at addr ffff888012345678 by task oom_reaper/31",
        Kind::Kasan,
        &["KASAN: slab-use-after-free in mas_next_slot"],
    );
    says(
        "BUG: KASAN: double-free in kfree+0x5a/0x90",
        Kind::Kasan,
        &["KASAN: double-free in kfree"],
    );
    says(
        "BUG: KFENCE: out-of-bounds read in test_read+0x5a/0x90",
        Kind::Kasan,
        &["KFENCE: out-of-bounds read in test_read"],
    );
    says(
        "BUG: KCSAN: data-race in oom_reap_task_mm+0x1/0x2 / exit_mmap+0x3/0x4",
        Kind::Kcsan,
        &["KCSAN: data-race in exit_mmap / oom_reap_task_mm"],
    );
    says(
        "BUG: KCSAN: data-race in exit_mmap / oom_reap_task_mm",
        Kind::Kcsan,
        &["KCSAN: data-race in exit_mmap / oom_reap_task_mm"],
    );
    says(
        "------------[ cut here ]------------
        UBSAN: array-index-out-of-bounds in lib/maple_tree.c:1234:17
        index 16 is out of range for type 'unsigned long [16]'
        CPU: 0 UID: 0 PID: 1 Comm: init Not tainted 6.12.117 #1
        Call Trace:
        <TASK>
        dump_stack_lvl+0x57/0x70
        ubsan_epilogue+0x5/0x30
        __ubsan_handle_out_of_bounds+0x6b/0x80
        mas_prev_slot+0x100/0x200
        </TASK>
        ---[ end trace ]---",
        Kind::Ubsan,
        &["UBSAN: array-index-out-of-bounds in mas_prev_slot"],
    );
}

#[test]
fn broken_rules_of_locking() {
    says(
        "======================================================
        WARNING: possible circular locking dependency detected
        6.12.117 #1 Not tainted
        ------------------------------------------------------
        oom_reaper/31 is trying to acquire lock:
        ffff888003a1c0a8 (&mm->mmap_lock){++++}-{3:3}, at: oom_reap_task_mm+0x3a/0x2b0
        but task is already holding lock:
        ffffffff82a5c1a8 (oom_lock){+.+.}-{3:3}, at: out_of_memory+0x3a/0x2b0
        the existing dependency chain (in reverse order) is:
        -> #1 (oom_lock){+.+.}-{3:3}:
               lock_acquire+0x3a/0x2b0
        stack backtrace:
        Call Trace:
        dump_stack_lvl+0x57/0x70",
        Kind::Lockdep,
        &["possible circular locking dependency detected in oom_reap_task_mm"],
    );
    says(
        "============================================
        WARNING: possible recursive locking detected
        init/1 is trying to acquire lock:
        ffff888003a1c0a8 (&mm->mmap_lock){++++}-{3:3}, at: exit_mmap+0x3a/0x2b0",
        Kind::Lockdep,
        &["possible recursive locking detected in exit_mmap"],
    );
    says(
        "[ INFO: possible recursive locking detected ]",
        Kind::Lockdep,
        &["possible recursive locking detected"],
    );
    says(
        "WARNING: inconsistent lock state
        inconsistent {HARDIRQ-ON-W} -> {IN-HARDIRQ-W} usage.
        init/1 [HC1[1]:SC0[0]:HE0:SE1] takes:
        ffffffff82a5c1a8 (oom_reaper_lock){?.+.}-{2:2}, at: wake_oom_reaper+0x3a/0x2b0",
        Kind::Lockdep,
        &["inconsistent lock state in wake_oom_reaper"],
    );
    says(
        "=============================
        WARNING: suspicious RCU usage
        include/linux/rcupdate.h:376 suspicious rcu_dereference_check() usage!
        1 lock held by init/1:
         #0: ffff888003a1c0a8 (&mm->mmap_lock){++++}-{3:3}, at: exit_mmap+0x3a/0x2b0
        stack backtrace:
        CPU: 1 UID: 0 PID: 1 Comm: init Not tainted
        Call Trace:
        <TASK>
        dump_stack_lvl+0x57/0x70
        lockdep_rcu_suspicious+0x150/0x1c0
        mas_root+0x50/0x60
        </TASK>",
        Kind::Lockdep,
        &["suspicious RCU usage in mas_root"],
    );
    says(
        "BUG: sleeping function called from invalid context at kernel/locking/rwsem.c:1526
        in_atomic(): 1, irqs_disabled(): 0, non_block: 0, pid: 31, name: oom_reaper
        2 locks held by oom_reaper/31:
         #0: ffff888003a1c0a8 (&mm->mmap_lock){++++}-{3:3}, at: exit_mmap+0x3a/0x2b0
        Call Trace:
        <TASK>
        dump_stack_lvl+0x57/0x70
        __might_resched+0x10e/0x120
        down_read+0x15/0x40
        oom_reap_task_mm+0x3a/0x2b0
        </TASK>",
        Kind::Lockdep,
        &["sleeping function called from invalid context in oom_reap_task_mm"],
    );
    says(
        "BUG: scheduling while atomic: oom_reaper/31/0x00000002
        Call Trace:
        dump_stack_lvl+0x57/0x70
        __schedule_bug+0x4f/0x60
        __schedule+0x8f/0x900
        schedule+0x2e/0xb0
        oom_reaper+0x2e/0xb0",
        Kind::Lockdep,
        &["scheduling while atomic in oom_reaper"],
    );
    says(
        "[ BUG: Invalid wait context ]",
        Kind::Lockdep,
        &["Invalid wait context"],
    );
    says(
        "WARNING: bad unlock balance detected!",
        Kind::Lockdep,
        &["bad unlock balance detected"],
    );
}

#[test]
fn lockups_and_stalls() {
    says(
        "watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [oom_reaper:31]
        Modules linked in:
        CPU: 1 UID: 0 PID: 31 Comm: oom_reaper Not tainted 6.12.117 #1
        RIP: 0010:mas_find_rev+0x10/0x60",
        Kind::SoftLockup,
        &["soft lockup in mas_find_rev"],
    );
    says(
        "watchdog: Watchdog detected hard LOCKUP on cpu 1
        Modules linked in:
        RIP: 0010:native_queued_spin_lock_slowpath+0x10/0x60",
        Kind::HardLockup,
        &["hard lockup in native_queued_spin_lock_slowpath"],
    );
    says(
        "watchdog: CPU 1 self-detected hard LOCKUP @ oom_reaper+0x10/0x60",
        Kind::HardLockup,
        &["hard lockup in oom_reaper"],
    );
    says(
        "rcu: INFO: rcu_preempt self-detected stall on CPU
        rcu: \t1-....: (20999 ticks this GP) idle=5bc4/1/0x4000000000000000 softirq=92/92 fqs=5249
        rcu: \t(t=21000 jiffies g=-1047 q=3 ncpus=2)
        CPU: 1 UID: 0 PID: 31 Comm: oom_reaper Not tainted 6.12.117 #1
        RIP: 0010:mas_find_rev+0x10/0x60
        Call Trace:
        <IRQ>
        ? rcu_dump_cpu_stacks+0x100/0x120
        rcu_sched_clock_irq+0x100/0x120
        </IRQ>",
        Kind::RcuStall,
        &["rcu_preempt stall in mas_find_rev"],
    );
    says(
        "INFO: rcu_sched detected stalls on CPUs/tasks:
        \t1-...!: (0 ticks this GP) idle=5bc4/1/0x4000000000000000
        Sending NMI from CPU 0 to CPUs 1:
        NMI backtrace for cpu 1
        RIP: 0010:mas_find_rev+0x10/0x60
        rcu: rcu_sched kthread starved for 5000 jiffies!",
        Kind::RcuStall,
        &["rcu_sched stall in mas_find_rev"],
    );
    says(
        "INFO: task victim:42 blocked for more than 122 seconds.
              Not tainted 6.12.117 #1
        \"echo 0 > /proc/sys/kernel/hung_task_timeout_secs\" disables this message.
        task:victim          state:D stack:0     pid:42    tgid:42    ppid:1      flags:0x00004002
        Call Trace:
        <TASK>
        __schedule+0x38f/0x900
        schedule+0x2e/0xb0
        schedule_preempt_disabled+0x15/0x20
        rwsem_down_write_slowpath+0x1d9/0x600
        down_write+0x5b/0x60
        exit_mmap+0x110/0x300
        </TASK>",
        Kind::HungTask,
        &["hung task in exit_mmap"],
    );
}

#[test]
fn warnings_of_three_ages() {
    let warning = &["WARNING in oom_reap_task_mm"];
    says(
        "WARNING: CPU: 1 PID: 31 at mm/oom_kill.c:512 oom_reap_task_mm+0x2a0/0x2b0",
        Kind::Warning,
        warning,
    );
    says(
        "WARNING: mm/oom_kill.c:512 at oom_reap_task_mm+0x2a0/0x2b0, CPU#1: oom_reaper/31",
        Kind::Warning,
        warning,
    );
    says(
        "WARNING: at mm/oom_kill.c:512 oom_reap_task_mm+0x2a0/0x2b0()",
        Kind::Warning,
        warning,
    );
    says(
        "refcount_t: underflow; use-after-free.
        WARNING: CPU: 1 PID: 31 at lib/refcount.c:28 refcount_warn_saturate+0xba/0x110
        RIP: 0010:refcount_warn_saturate+0xba/0x110
        Call Trace:
        <TASK>
        ? __warn+0x7d/0x120
        oom_reap_task_mm+0x2a0/0x2b0
        </TASK>",
        Kind::Warning,
        warning,
    );
}

#[test]
fn leaks_and_counters() {
    says(
        "BUG: Bad rss-counter state mm:ffff888003a1c000 type:MM_ANONPAGES val:64
        BUG: Bad rss-counter state mm:00000000d4ee1f95 idx:1 val:64
        BUG: non-zero pgtables_bytes on freeing mm: 4096",
        Kind::BadRss,
        &[
            "Bad rss-counter state MM_ANONPAGES",
            "Bad rss-counter state 1",
            "non-zero pgtables_bytes",
        ],
    );
    says(
        "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
        Kind::MemoryLeak,
        &["suspected memory leaks"],
    );
    says(
        "kmemleak: 1 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
        unreferenced object 0xffff888003a1c000 (size 96):
          backtrace (crc 0):
            provoke_leak+0x76/0xc0 [provoke]",
        Kind::MemoryLeak,
        &["memory leak in provoke_leak"],
    );
    says(
        "BUG: memory leak
        unreferenced object 0xffff888003a1c000 (size 64):
          comm \"init\", pid 1, jiffies 4294894652
          hex dump (first 32 bytes):
            00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  ................
          backtrace (crc 0):
            __kmalloc_cache_noprof+0x1b0/0x300
            mas_alloc_nodes+0x12/0x60",
        Kind::MemoryLeak,
        &["memory leak in mas_alloc_nodes"],
    );
}

#[test]
fn corruption_that_the_kernel_survives_is_an_oops() {
    says(
        "BUG: Bad page state in process init  pfn:1a2b3",
        Kind::Oops,
        &["Bad page state in process init pfn:N"],
    );
    let report = "BUG kmalloc-64 (Not tainted): Right Redzone overwritten";
    says(
        report,
        Kind::Oops,
        &["kmalloc-64: Right Redzone overwritten"],
    );
    let mut triage = Triage::new();
    triage.feed(format!("{report}\n").as_bytes());
    assert!(!triage.crashed(), "results may still come");
}

#[test]
fn what_looks_bad_and_is_not() {
    for harmless in [
        "oom_reaper: reaped process 41 (init), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
        "init[42]: segfault at 0 ip 0000000000401136 sp 00007ffd error 6 in init[401000+1000]",
        "traps: init[42] general protection fault ip:401136 sp:7ffd5 error:0 in init[401000+1000]",
        "traps: init[42] trap invalid opcode ip:401136 sp:7ffd5 error:0 in init[401000+1000]",
        "Kernel command line: panic=-1 oops=panic hung_task_panic=0 softlockup_panic=0",
        "NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.",
        "DEBUG: nothing",
        "CPU: 1 UID: 0 PID: 31 Comm: Kernel panic Not tainted 6.12.117 #1",
        "rcu: Hierarchical RCU implementation.",
        "WARNING: this is not a kernel's warning",
        "sysrq: Show backtrace of all active CPUs",
    ] {
        says(harmless, Kind::Clean, &[]);
    }
    says(
        "Out of memory: Killed process 41 (a b) total-vm:65776kB, anon-rss:65536kB",
        Kind::Clean,
        &["a b killed: the machine was out of memory"],
    );
    says(
        "Killed process 41, UID 1000, (x) total-vm:65776kB, anon-rss:65536kB",
        Kind::Clean,
        &["x killed: the machine was out of memory"],
    );
}

#[test]
fn a_boot_that_never_came_up() {
    let verdict = |console| read(console).verdict;
    assert_eq!(verdict(""), Kind::BootFailed);
    assert_eq!(verdict("\r\n  \n"), Kind::BootFailed);
    assert_eq!(
        verdict("SeaBIOS (version 1.16.2)\nBooting from ROM..\n"),
        Kind::BootFailed
    );
    assert_eq!(
        verdict("Linux version 6.12\nMemory: 1G\n"),
        Kind::BootFailed
    );
    assert_eq!(
        verdict("Linux version 6.12\nRun /init as init process\n"),
        Kind::Clean
    );
    // A part of a log, as one that was pasted into a mail.
    assert_eq!(
        verdict("virtio_blk virtio0: [vda] 2048 512-byte logical blocks\n"),
        Kind::Clean
    );
    let stuck = "[    0.4] Linux version 6\n[    0.512345] clocksource: waited 3.25 s\n";
    assert_eq!(
        read(stuck).events[0].title,
        "user space never started; last: clocksource: waited N s"
    );
    assert_eq!(
        verdict("Linux version 6\nKernel panic - not syncing: boo\n"),
        Kind::Panic
    );
}

#[test]
fn reports_of_two_cpus_that_interleave_keep_their_functions() {
    let console = "
[    1.000000][   T31] BUG: kernel NULL pointer dereference, address: 0000000000000000
[    1.000001][   T42] WARNING: CPU: 0 PID: 42 at lib/refcount.c:28 refcount_warn_saturate+0xba/0x110
[    1.000002][   T42] RIP: 0010:refcount_warn_saturate+0xba/0x110
[    1.000003][   T31] Oops: Oops: 0002 [#1] SMP
[    1.000004][   T42] Call Trace:
[    1.000005][   T31] RIP: 0010:oom_reaper+0x12/0x340
[    1.000006][   T31] Call Trace:
[    1.000007][   T31]  kthread+0xd1/0x100
[    1.000008][   T42]  exit_mmap+0x110/0x300
";
    insta::assert_snapshot!(summary(&read(console)), @"
    oops
    2 oops: NULL pointer dereference in oom_reaper
    3 warning: WARNING in exit_mmap
    ");
}

#[test]
fn a_report_glued_behind_another_line_is_seen() {
    let console =
        "ok 3 memcg-limit[    1.000000] BUG: Bad rss-counter state mm:0 type:MM_FILEPAGES val:1";
    assert_eq!(read(console).verdict, Kind::BadRss);
}

#[test]
fn many_events_of_one_kind_do_not_hide_another() {
    let mut console = "Out of memory: Killed process 1 (x) total-vm:1kB\n".repeat(10_000);
    console.push_str("Kernel panic - not syncing: boo\n");
    let report = read(&console);
    assert_eq!(report.verdict, Kind::Panic);
    assert_eq!(report.events.len(), 101);
    assert_eq!(report.events.last().unwrap().line, 10_001);
}

#[test]
fn rubbish_is_clean_and_harmless() {
    // A fixed generator: any bytes at all, newlines often enough.
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.to_le_bytes()[3]
    };
    let rubbish: Vec<u8> = (0..1 << 20).map(|_| byte()).collect();
    assert_eq!(triage(&*rubbish).unwrap().verdict, Kind::Clean);
    assert_eq!(triage(&*vec![b'x'; 8 << 20]).unwrap().verdict, Kind::Clean);
}

#[test]
fn a_cut_anywhere_changes_nothing() {
    let console = "[ 1.0] Oops: 0002 [#1] SMP\n[ 1.0] RIP: 0010:oom_reaper+0x12/0x340\n";
    let whole = read(console);
    for at in 0..console.len() {
        let mut triage = Triage::new();
        triage.feed(&console.as_bytes()[..at]);
        triage.feed(&console.as_bytes()[at..]);
        assert_eq!(triage.finish(), whole);
    }
}

#[test]
fn its_json_is_what_the_command_line_promises() {
    let report = read("watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [x:31]");
    insta::assert_snapshot!(serde_json::to_string(&report).unwrap(), @r#"{"verdict":"soft-lockup","events":[{"kind":"soft-lockup","title":"soft lockup","line":1}]}"#);
}
