//! Analysis and reports of an invented run.

#![allow(clippy::unwrap_used)]

mod fixture;

use evidence::run::{RoundStatus, Run};
use evidence::{Report, Status, Verdict, analyse, report};
use fixture::{RACE, log, run};
use results::console;
use results::ktap::Outcome;
use results::machine::{Accel, Accelerator};
use results::plan::Order;
use results::record::{Record, Sample, Turn, Unit, Walk, Walker};
use results::{Arm, Purpose};

fn comparison<'a>(report: &'a Report, metric: &str) -> &'a evidence::Comparison {
    report
        .comparisons
        .iter()
        .find(|c| c.metric == metric && c.walker.is_none())
        .unwrap()
}

/// The run, with every sample of one metric replaced.
fn with_values(metric: &str, mut value: impl FnMut(Arm, u32, u32) -> f64) -> Run {
    let mut run = run();
    for round in &mut run.rounds {
        let (arm, index) = (round.arm, round.index);
        for record in &mut round.records {
            if let Record::Sample(sample) = record
                && sample.metric == metric
            {
                sample.value = value(arm, index, sample.repetition);
            }
        }
    }
    run
}

#[test]
fn a_good_run() {
    let report = analyse(&run());
    assert_eq!(report.status, Status::Passed);
    assert!(report.order.held);
    // Of the two that decide, `sum` is too noisy.
    assert!(!report.conclusive);
    assert_eq!(report.order.base, Some(Order::Ascending));
    assert_eq!(report.order.patched, Some(Order::Descending));
    let entries = &report.comparisons[0];
    assert_eq!(entries.metric, "contended-entries");
    assert_eq!(entries.verdict, Verdict::Improved);
    assert!(entries.primary && entries.interval.unwrap()[1] < 0.5);
    assert_eq!((entries.base.boots, entries.base.samples), (6, 72));
    let json = serde_json::to_value(&report).unwrap();
    insta::assert_snapshot!(json["comparisons"][0]["text"].as_str().unwrap(), @"contended page-table-lock entries: 382 -> 20.7, ratio 0.05 [0.04, 0.07], 6+6 boots, 144 samples: improved");
}

#[test]
fn in_mail() {
    let text = report::markdown(&analyse(&run()));
    assert!(text.lines().all(|line| line.len() <= 72), "{text}");
    insta::assert_snapshot!(text, @"
    oom-reaper-reverse v6 on 6.12
    =============================

    oom-reaper-reverse on 6.12: 3 scenarios passed on both arms, 1 did not
    run. Contended page-table-lock entries improved, down 94.9 %; reaper +
    exit_mmap (unprobed): inconclusive.

    Measured under emulation (QEMU TCG): times do not carry over to
    hardware; counts, the order of the walk and the sign of a change do.

    Patch 1/2 of the series is missing: the series was tested without it.

    Order of the reaper's walk: ascending on base, descending on patched, as
    expected.

    - contended page-table-lock entries: 382 -> 20.7, ratio 0.05 [0.04,
      0.07], 6+6 boots, 144 samples: improved
    - reaper + exit_mmap (unprobed): 540 ms -> 484 ms, ratio 0.91 [0.65,
      1.05], 6+6 boots, 144 samples: inconclusive (about 31 blocks needed)

    Base against patched
    --------------------

    Counts are rates per repetition, times medians, both of the middle boot;
    warm-ups are left out. The ratio is patched / base with its 95 %
    interval, block by block: a block is a boot of each arm beside each
    other. Test and interval are one: ranks within blocks, exchanged within
    blocks. Metrics marked * decide, at the looks' shares of 5 %: counts in
    probed boots, times in unprobed ones. A change below 5 % counts as none.
    No other metric is tested. Unprobed: measured in boots without any
    probe.

        mrelease-exit-race (6+6 boots)

          metric              base  patched  ratio [95 %]       verdict
        * contended            382     20.7  0.05 [0.04, 0.07]  improved
            page-table-lock
            entries
        * reaper +          540 ms   484 ms  0.91 [0.65, 1.05]  inconclusive
            exit_mmap
            (unprobed)
          contended            177     9.21  0.05 [0.04, 0.07]  not tested
              page-table-lock
              entries,
              reaper
          contended wait    157 ms  8.64 ms  0.05 [0.04, 0.07]  not tested
          kill to gone      321 ms   336 ms  1.06 [0.88, 1.23]  not tested
          mrelease          275 ms   178 ms  0.67 [0.50, 0.94]  not tested
          reaper +          512 ms   520 ms  1.04 [0.80, 1.14]  not tested
              exit_mmap
          kill to gone      354 ms   333 ms  0.92 [0.80, 1.07]  not tested
              (unprobed)
          mrelease          299 ms   186 ms  0.63 [0.56, 0.68]  not tested
              (unprobed)
          repetitions over  0.0139   0.0139  -                  not tested
              3 medians,
              reaper +
              exit_mmap
              (unprobed)
        reaper + exit_mmap (unprobed): about 31 blocks needed

    What the probes cost
    --------------------

    - reaper + exit_mmap, patched: unprobed 484 ms, probed 520 ms, ratio
      1.07 [0.82, 1.29]

    For the changelog
    -----------------

    Measured on Linux 6.12.117 with maple_tree: add mas_for_each_rev(), in
    emulated x86_64 guests (QEMU 7.2.22 TCG, 2 CPUs, 1024 MiB) on Example
    CPU @ 2.00GHz, by mrelease-exit-race of reaperlab 0.1.0. n boots of 12
    repetitions each, in blocks of one boot of each kernel: counts per
    repetition, medians of times, both of the middle boot; the change has a
    95 % interval by ranks within blocks:

                                       before   after     change [95 %]    n
        contended page-table-lock         382    20.7  -95 % [-96, -93]  6+6
            entries
        reaper + exit_mmap (unprobed)  540 ms  484 ms    -9 % [-35, +5]  6+6

    Can't be told from these boots: reaper + exit_mmap (unprobed).

    Under emulation counts and the sign of a change carry over to hardware,
    times do not.

    Scenarios
    ---------

        scenario            base        patched
        memcg-limit         13 passed   13 passed
        reap-order          13 passed   13 passed
        mrelease-exit-race  13 passed   13 passed
        private-hugetlb     13 skipped  13 skipped
        private-hugetlb: no CONFIG_HUGETLBFS

    How it was measured
    -------------------

    - Series: Improvements to Victim Process Thawing and OOM Reaper
      Traversal Order (v6)
    - Patches tested: mm/oom_kill: The OOM reaper traverses the VMA maple
      tree in reverse order
    - Missing: 1/2
    - Kernel: 6.12.117 (6.12)
    - Base: commit babababababa, tree 7e7e7e7e7e7e, config c0c0c0c0c0c0,
      image babababababa, from the cache, on top of: maple_tree: add
      mas_for_each_rev()
    - Patched: commit 5e5e5e5e5e5e, tree 7e7e7e7e7e7e, config c0c0c0c0c0c0,
      image 5e5e5e5e5e5e, built in 41.5 s, on top of: maple_tree: add
      mas_for_each_rev()
    - Guest: 2 CPUs, 1024 MiB, lean flavour
    - Machine: Example CPU @ 2.00GHz, 2 CPUs, 8.0 GiB, Debian GNU/Linux 12,
      Linux 6.1.0
    - Accelerator: TCG: /dev/kvm opens, but a guest did not boot on it
      within 4 s
    - Versions: reaperlab 0.1.0, QEMU 7.2.22, virtme-ng 1.42, gcc 12.2.0
    - Rounds: base ok, patched ok, patched ok, base ok, base ok, patched ok,
      patched ok, base ok, base ok, patched ok, patched ok, base ok, base
      unprobed ok, patched unprobed ok, patched unprobed ok, base unprobed
      ok, base unprobed ok, patched unprobed ok, patched unprobed ok, base
      unprobed ok, base unprobed ok, patched unprobed ok, patched unprobed
      ok, base unprobed ok, base traced ok, patched traced ok
    - Design: blocks of a boot of each arm; ranks within blocks; deciding
      metrics in a fixed sequence: contended-entries, sum; no other is
      tested
    - Started: 2025-11-10T18:05:00Z
    - Seed: 20251110
    - Command: cargo xtask patch-test --kernel debian:bookworm/6.12.117
    - Note: mrelease-exit-race: reaper + exit_mmap: probed 1.04 [0.80,
      1.14], unprobed 0.91 [0.65, 1.05]: can't be told
    - Note: mrelease-exit-race: kill to gone: probed 1.06 [0.88, 1.23],
      unprobed 0.92 [0.80, 1.07]: can't be told
    - Note: mrelease-exit-race: mrelease: probed 0.67 [0.50, 0.94], unprobed
      0.63 [0.56, 0.68]: same sign
    - Note: reap-order: probe: unmap_page_range
    ");
}

#[test]
fn on_a_terminal() {
    let text = report::terminal(&analyse(&run()));
    assert!(
        text.is_ascii() && text.lines().all(|line| line.len() <= 100),
        "{text}"
    );
    insta::assert_snapshot!(text, @"
    oom-reaper-reverse on 6.12: 3 scenarios passed on both arms, 1 did not run. Contended
    page-table-lock entries improved, down 94.9 %; reaper + exit_mmap (unprobed): inconclusive.
    Order of the reaper's walk: ascending on base, descending on patched, as expected.
    note: Measured under emulation (QEMU TCG): times do not carry over to hardware; counts, the order of
      the walk and the sign of a change do.
    note: Patch 1/2 of the series is missing: the series was tested without it.

    Base against patched

    mrelease-exit-race (6+6 boots)
      metric                                              base  patched  ratio [95 %]       verdict
    * contended page-table-lock entries                    382     20.7  0.05 [0.04, 0.07]  improved
    * reaper + exit_mmap (unprobed)                     540 ms   484 ms  0.91 [0.65, 1.05]  inconclusive
      contended page-table-lock entries, reaper            177     9.21  0.05 [0.04, 0.07]  not tested
      contended wait                                    157 ms  8.64 ms  0.05 [0.04, 0.07]  not tested
      kill to gone                                      321 ms   336 ms  1.06 [0.88, 1.23]  not tested
      mrelease                                          275 ms   178 ms  0.67 [0.50, 0.94]  not tested
      reaper + exit_mmap                                512 ms   520 ms  1.04 [0.80, 1.14]  not tested
      kill to gone (unprobed)                           354 ms   333 ms  0.92 [0.80, 1.07]  not tested
      mrelease (unprobed)                               299 ms   186 ms  0.63 [0.56, 0.68]  not tested
      repetitions over 3 medians, reaper + exit_mmap    0.0139   0.0139  -                  not tested
          (unprobed)
    reaper + exit_mmap (unprobed): about 31 blocks needed

    What the probes cost
    reaper + exit_mmap, patched: unprobed 484 ms, probed 520 ms, ratio 1.07 [0.82, 1.29]

    Scenarios
    scenario            base        patched
    memcg-limit         13 passed   13 passed
    reap-order          13 passed   13 passed
    mrelease-exit-race  13 passed   13 passed
    private-hugetlb     13 skipped  13 skipped
    private-hugetlb: no CONFIG_HUGETLBFS
    ");
}

#[test]
fn as_json() {
    let run = run();
    let report = analyse(&run);
    let text = report::json(&report).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
    keys.sort();
    insta::assert_snapshot!(keys.join(" "), @"accelerator caveats command comparisons compiler conclusive guest host kernel looks margin names notes order primary probe_costs qemu question reasons rounds scenarios schema seed series stacks started status sweeps tool_version virtme_ng");
    insta::assert_snapshot!(serde_json::to_string_pretty(&value["order"]).unwrap(), @r#"
    {
      "base": "ascending",
      "base_walks": 13,
      "expected": {
        "base": "ascending",
        "patched": "descending"
      },
      "held": true,
      "patched": "descending",
      "patched_walks": 13
    }
    "#);
    insta::assert_snapshot!(serde_json::to_string_pretty(&value["comparisons"][0]).unwrap(), @r#"
    {
      "base": {
        "boot_medians": [
          399.5,
          368.5,
          309.0,
          362.5,
          316.0,
          316.5
        ],
        "boots": 6,
        "level": 382.1666666666667,
        "median": 335.5,
        "samples": 72
      },
      "blocks": 6,
      "decided_at": 6,
      "difference": -372.83333333333337,
      "difference_interval": [
        -450.75,
        -294.9166666666667
      ],
      "interval": [
        0.04031065088757396,
        0.06524035921817221
      ],
      "label": "contended page-table-lock entries",
      "lower_is_better": true,
      "margin": 0.05,
      "metric": "contended-entries",
      "p": 0.03125,
      "p_adjusted": null,
      "patched": {
        "boot_medians": [
          17.5,
          16.0,
          19.0,
          21.5,
          22.0,
          19.0
        ],
        "boots": 6,
        "level": 20.708333333333332,
        "median": 19.0,
        "samples": 72
      },
      "primary": true,
      "ratio": 0.05130754698220145,
      "rounds_needed": null,
      "scenario": "mrelease-exit-race",
      "shown": true,
      "text": "contended page-table-lock entries: 382 -> 20.7, ratio 0.05 [0.04, 0.07], 6+6 boots, 144 samples: improved",
      "unit": "count",
      "unprobed": false,
      "verdict": "improved",
      "walker": null,
      "without_probes": null
    }
    "#);
    insta::assert_snapshot!(serde_json::to_string_pretty(&value["scenarios"][3]).unwrap(), @r#"
    {
      "base": {
        "failed": 0,
        "lost": 0,
        "passed": 0,
        "skipped": 13
      },
      "name": "private-hugetlb",
      "patched": {
        "failed": 0,
        "lost": 0,
        "passed": 0,
        "skipped": 13
      },
      "verdict": "did-not-run",
      "why": "no CONFIG_HUGETLBFS"
    }
    "#);

    // run.json reads back as the run, without what lies beside it.
    let mut unprobed = run.clone();
    for round in &mut unprobed.rounds {
        round.ktap = Default::default();
        round.records.clear();
    }
    let text = report::run_json(&run, &report).unwrap();
    assert_eq!(serde_json::from_str::<Run>(&text).unwrap(), unprobed);
}

#[test]
fn as_junit() {
    let mut run = run();
    run.rounds[1].ktap = log(|w| {
        w.test("memcg-limit", &Outcome::Pass).unwrap();
        w.note("victim survived <5 s>").unwrap();
        w.test("reap-order", &Outcome::Fail).unwrap();
        w.test(RACE, &Outcome::Pass).unwrap();
        w.test(
            "private-hugetlb",
            &Outcome::Skip("no CONFIG_HUGETLBFS".into()),
        )
        .unwrap();
    });
    run.rounds[1].status = RoundStatus::Failed;
    let xml = report::junit(&analyse(&run)).unwrap();
    insta::assert_snapshot!(xml, @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="oom-reaper-reverse on 6.12" tests="11" skipped="4" failures="1" errors="0">
        <testsuite name="base" tests="4" skipped="1" errors="0" failures="0">
            <testcase name="memcg-limit" classname="6.12.base"/>
            <testcase name="reap-order" classname="6.12.base"/>
            <testcase name="mrelease-exit-race" classname="6.12.base"/>
            <testcase name="private-hugetlb" classname="6.12.base">
                <skipped message="13 skipped: no CONFIG_HUGETLBFS"/>
            </testcase>
        </testsuite>
        <testsuite name="patched" tests="4" skipped="1" errors="0" failures="1">
            <testcase name="memcg-limit" classname="6.12.patched"/>
            <testcase name="reap-order" classname="6.12.patched">
                <failure message="12 passed, 1 failed: flaky: victim survived &lt;5 s&gt;"/>
            </testcase>
            <testcase name="mrelease-exit-race" classname="6.12.patched"/>
            <testcase name="private-hugetlb" classname="6.12.patched">
                <skipped message="13 skipped: no CONFIG_HUGETLBFS"/>
            </testcase>
        </testsuite>
        <testsuite name="comparison" tests="3" skipped="2" errors="0" failures="0">
            <testcase name="order"/>
            <testcase name="mrelease-exit-race/contended-entries">
                <skipped message="contended page-table-lock entries: 382 -&gt; 20.7, ratio 0.05 [0.04, 0.07], 6+6 boots, 144 samples: inconclusive"/>
                <system-out>contended page-table-lock entries: 382 -&gt; 20.7, ratio 0.05 [0.04, 0.07], 6+6 boots, 144 samples: inconclusive</system-out>
            </testcase>
            <testcase name="mrelease-exit-race/sum">
                <skipped message="reaper + exit_mmap (unprobed): 540 ms -&gt; 484 ms, ratio 0.91 [0.65, 1.05], 6+6 boots, 144 samples: inconclusive (about 31 blocks needed)"/>
                <system-out>reaper + exit_mmap (unprobed): 540 ms -&gt; 484 ms, ratio 0.91 [0.65, 1.05], 6+6 boots, 144 samples: inconclusive (about 31 blocks needed)</system-out>
            </testcase>
        </testsuite>
    </testsuites>
    "#);
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let (one, two) = (run(), run());
    let all = |run: &Run| {
        let report = analyse(run);
        [
            report::html(run, &report),
            report::markdown(&report),
            report::terminal(&report),
            report::json(&report).unwrap(),
            report::junit(&report).unwrap(),
        ]
    };
    assert_eq!(all(&one), all(&two));
}

#[test]
fn what_a_guest_hands_over_is_judged_by_another() {
    let hand_over = |run: &mut Run, rounds: usize| {
        for round in run
            .rounds
            .iter_mut()
            .filter(|round| round.arm == Arm::Base)
            .take(rounds)
        {
            round.ktap = log(|w| {
                w.test("memcg-limit", &Outcome::Pass).unwrap();
                w.test("reap-order", &Outcome::Skip("left to a fresh guest".into()))
                    .unwrap();
            });
            round.records.push(Record::HandedOver {
                scenario: "reap-order".into(),
            });
        }
    };
    let mut once = run();
    hand_over(&mut once, 1);
    let report = analyse(&once);
    let row = report.scenarios.iter().find(|row| row.name == "reap-order");
    assert_eq!(row.unwrap().base.skipped, 0);

    let mut always = run();
    hand_over(&mut always, usize::MAX);
    let report = analyse(&always);
    assert_ne!(report.status, Status::Passed);
    assert!(
        report
            .reasons
            .contains(&"reap-order was not run on base".to_owned()),
        "{:?}",
        report.reasons
    );
}

#[test]
fn a_scenario_that_holds_at_times_is_flaky() {
    let mut run = run();
    run.rounds[0].ktap = log(|w| {
        w.test("memcg-limit", &Outcome::Fail).unwrap();
        w.test("reap-order", &Outcome::Pass).unwrap();
    });
    let report = analyse(&run);
    assert_eq!(report.status, Status::Failed);
    assert!(
        report
            .reasons
            .contains(&"memcg-limit is flaky on base".to_owned()),
        "{:?}",
        report.reasons
    );
    let row = report.scenarios.iter().find(|r| r.name == "memcg-limit");
    assert!(row.unwrap().base.words().ends_with("1 failed: flaky"));
}

#[test]
fn a_note_of_one_arm_names_it() {
    let mut run = run();
    let note = |text: &str| Record::Note {
        scenario: "kselftest-freezer".into(),
        text: text.into(),
    };
    for round in &mut run.rounds {
        round.records.push(note("said by both"));
        if round.arm == Arm::Patched {
            round.records.push(note("run again: ptrace"));
        }
    }
    let notes = analyse(&run).notes;
    let of = |text: &str| notes.iter().find(|note| note.ends_with(text)).unwrap();
    assert_eq!(of("both"), "kselftest-freezer: said by both");
    let one = "kselftest-freezer on patched: run again: ptrace";
    assert_eq!(of("ptrace"), one);
}

#[test]
fn where_nothing_was_measured_no_time_is_spoken_of() {
    let mut run = run();
    run.accelerator.kind = Accel::Tcg;
    let emulated = |run: &Run| analyse(run).caveats.concat().contains("emulation");
    assert!(emulated(&run));
    run.rounds
        .retain(|round| round.purpose == Purpose::Correctness);
    assert!(!run.rounds.is_empty() && !emulated(&run));
}

#[test]
fn statuses() {
    type Change = fn(&mut Run);
    let cases: [(&str, Change, Status, &str); 12] = [
        (
            "nothing ran",
            |run| run.rounds.clear(),
            Status::Infrastructure,
            "no guest was booted",
        ),
        (
            "a panic",
            |run| run.rounds[2].status = RoundStatus::Panic,
            Status::Failed,
            "round 2 (patched): the kernel panicked",
        ),
        (
            "a hang",
            |run| run.rounds[2].status = RoundStatus::Hang,
            Status::Failed,
            "round 2 (patched): the guest hung",
        ),
        (
            "a dead QEMU, its tests lost",
            |run| {
                run.rounds[2].status = RoundStatus::QemuDied;
                run.rounds[2].ktap = log(|w| w.test("memcg-limit", &Outcome::Pass).unwrap());
            },
            Status::Infrastructure,
            "round 2 (patched): qemu-died",
        ),
        (
            "a dead QEMU, after a failure",
            |run| {
                run.rounds[2].status = RoundStatus::QemuDied;
                run.rounds[2].ktap = log(|w| w.test("memcg-limit", &Outcome::Fail).unwrap());
            },
            Status::Failed,
            "memcg-limit is flaky on patched",
        ),
        (
            "a test short in a round that says it is well",
            |run| run.rounds[0].ktap = log(|w| w.test("memcg-limit", &Outcome::Pass).unwrap()),
            Status::Failed,
            "reap-order is flaky on base",
        ),
        (
            "an empty log",
            |run| run.rounds[0].ktap = Default::default(),
            Status::Failed,
            "reap-order is flaky on base",
        ),
        (
            "a warning on the console",
            |run| run.rounds[0].console_verdict = console::Kind::Warning,
            Status::Failed,
            "round 0 (base): warning on the console",
        ),
        (
            "no positive control",
            |run| {
                for round in run.rounds.iter_mut().filter(|round| round.arm == Arm::Base) {
                    round
                        .records
                        .retain(|record| !matches!(record, Record::Order { .. }));
                }
            },
            Status::Failed,
            "order of the reaper's walk: not proved on base, descending on patched; expected ascending and descending",
        ),
        (
            "no order after a failed boot",
            |run| {
                for round in run.rounds.iter_mut().filter(|round| round.arm == Arm::Base) {
                    round.records.clear();
                    round.ktap = Default::default();
                    round.status = RoundStatus::BootFailed;
                }
            },
            Status::Infrastructure,
            "round 0 (base): boot-failed",
        ),
        (
            "two orders on one arm",
            |run| {
                let walks = run
                    .rounds
                    .iter_mut()
                    .find(|round| round.arm == Arm::Patched)
                    .unwrap();
                walks.records.push(Record::Order {
                    scenario: "x".into(),
                    repetition: 0,
                    order: Order::Ascending,
                    vmas: 2,
                });
            },
            Status::Failed,
            "order of the reaper's walk: ascending on base, mixed on patched; expected ascending and descending",
        ),
        (
            "a regression of what decides",
            |run| {
                for round in &mut run.rounds {
                    round.arm = if round.arm == Arm::Base {
                        Arm::Patched
                    } else {
                        Arm::Base
                    };
                }
                run.expect_order = None;
            },
            Status::Failed,
            "contended page-table-lock entries regressed",
        ),
    ];
    for (name, change, status, reason) in cases {
        let mut run = run();
        change(&mut run);
        let report = analyse(&run);
        assert_eq!(report.status, status, "{name}: {:?}", report.reasons);
        assert_eq!(
            report.reasons.first().map(String::as_str),
            Some(reason),
            "{name}"
        );
    }
}

#[test]
fn one_arm_of_another_flavour_is_judged_alone() {
    let mut run = run();
    run.guest.flavour = "debug".into();
    run.kernel.arms.retain(|info| info.arm == Arm::Patched);
    run.rounds
        .retain(|round| round.arm == Arm::Patched && round.purpose.is_traced());
    if let Some(expect) = &mut run.expect_order {
        expect.base = None;
    }
    let report = analyse(&run);
    assert_eq!(report.status, Status::Passed, "{:?}", report.reasons);
    let text = report::terminal(&report);
    let head: Vec<&str> = text.lines().take(2).collect();
    insta::assert_snapshot!(head.join("\n"), @"
    oom-reaper-reverse on 6.12: 3 scenarios passed on patched, 1 did not run.
    Order of the reaper's walk: descending on patched, as expected.
    ");
    insta::assert_snapshot!(
        report.caveats.last().unwrap(),
        @"Kernels of the debug flavour check themselves, which distorts times: this run judges correctness only."
    );
    assert!(!report::junit(&report).unwrap().contains(r#"name="base""#));

    // Its own order is still to be proved.
    run.rounds[0]
        .records
        .retain(|record| !matches!(record, Record::Order { .. }));
    assert_eq!(
        analyse(&run).reasons,
        ["order of the reaper's walk: not proved on patched; expected descending"]
    );
}

#[test]
fn a_scenario_that_takes_its_guest_along() {
    let mut run = run();
    let round = &mut run.rounds[1];
    round.status = RoundStatus::Panic;
    round.ktap = log(|w| w.test("memcg-limit", &Outcome::Pass).unwrap());
    let report = analyse(&run);
    let row = report
        .scenarios
        .iter()
        .find(|row| row.name == "reap-order")
        .unwrap();
    assert_eq!((row.patched.failed, row.patched.passed), (1, 12));
    assert_eq!(row.why.as_deref(), Some("the guest ended in it: panic"));
    assert!(
        report
            .scenarios
            .iter()
            .all(|row| !row.name.contains("missing"))
    );

    // Between two scenarios it is the round that failed, and nobody in it.
    let started = std::mem::take(&mut run.rounds[1].records);
    let report = analyse(&run);
    assert!(
        report
            .scenarios
            .iter()
            .all(|row| row.patched.failed == 0 && !row.name.contains("missing"))
    );
    assert_eq!(report.status, Status::Failed);
    run.rounds[1].records = started;

    run.rounds[1].status = RoundStatus::QemuDied;
    let report = analyse(&run);
    let row = report
        .scenarios
        .iter()
        .find(|row| row.name == "reap-order")
        .unwrap();
    assert_eq!((row.patched.failed, row.patched.lost), (0, 1));
    // The samples of such a guest are not compared.
    let entries = comparison(&report, "contended-entries");
    assert_eq!((entries.patched.boots, entries.blocks), (5, 5));
}

/// A run asks at each look, before there is a report.
#[test]
fn decided_is_what_the_report_says() {
    let noisy = run();
    let mut clear = with_values("sum", |arm, index, rep| {
        let level = if arm == Arm::Base { 1000.0 } else { 500.0 };
        level + f64::from((index * 7 + rep) % 5)
    });
    assert!(evidence::decided(&clear) && analyse(&clear).conclusive);
    clear.primary.push("unknown".into());
    let mut undecided = clear.clone();
    undecided.primary.clear();
    for run in [noisy, clear, undecided] {
        assert!(!evidence::decided(&run) && !analyse(&run).conclusive);
    }
}

#[test]
fn verdicts() {
    let wobble = |index: u32, repetition: u32| f64::from((index * 7 + repetition * 5) % 11) - 5.0;
    type Value = fn(Arm, f64) -> f64;
    let cases: [(&str, Value, Verdict); 8] = [
        (
            "halved",
            |arm, w| {
                if arm == Arm::Base {
                    1000.0 + w
                } else {
                    500.0 + w
                }
            },
            Verdict::Improved,
        ),
        (
            "doubled",
            |arm, w| {
                if arm == Arm::Base {
                    1000.0 + w
                } else {
                    2000.0 + w
                }
            },
            Verdict::Regressed,
        ),
        ("the same", |_, w| 1000.0 + w, Verdict::NoChange),
        (
            "a little less",
            |arm, w| {
                if arm == Arm::Base {
                    1000.0 + w
                } else {
                    980.0 + w
                }
            },
            Verdict::NoChange,
        ),
        ("noise", |_, w| 1000.0 + 190.0 * w, Verdict::Inconclusive),
        // Zeros are no change only where a margin says how many would matter.
        ("never any", |_, _| 0.0, Verdict::Inconclusive),
        (
            "gone",
            |arm, w| if arm == Arm::Base { 1000.0 + w } else { 0.0 },
            Verdict::Improved,
        ),
        (
            "new",
            |arm, w| if arm == Arm::Base { 0.0 } else { 100.0 + w },
            Verdict::Regressed,
        ),
    ];
    for (name, value, verdict) in cases {
        let run = with_values("sum", |arm, index, rep| value(arm, wobble(index, rep)));
        let report = analyse(&run);
        let found = comparison(&report, "sum");
        assert_eq!(found.verdict, verdict, "{name}: {found:#?}");
        let text = report::json(&report).unwrap();
        assert!(!text.contains("NaN") && !text.contains("inf"), "{name}");
        report::html(&run, &report);
    }
    // Where more is better, more is an improvement.
    let mut run = with_values(
        "sum",
        |arm, _, _| if arm == Arm::Base { 10.0 } else { 20.0 },
    );
    for record in run.rounds.iter_mut().flat_map(|round| &mut round.records) {
        if let Record::Sample(sample) = record {
            sample.unit = Unit::PerSecond;
        }
    }
    assert_eq!(comparison(&analyse(&run), "sum").verdict, Verdict::Improved);
}

#[test]
fn inconclusive_says_what_it_would_take() {
    let mut run = with_values("sum", |arm, index, repetition| {
        let level = if arm == Arm::Base { 1_000.0 } else { 930.0 };
        level * (0.9 + 0.2 * f64::from(index * 5 % 12 + repetition % 2) / 12.0)
    });
    let report = analyse(&run);
    let sum = comparison(&report, "sum");
    assert_eq!(sum.verdict, Verdict::Inconclusive);
    assert!(sum.rounds_needed.unwrap() > 6, "{sum:?}");

    run.rounds.retain(|round| round.block < Some(5));
    let report = analyse(&run);
    let entries = comparison(&report, "contended-entries");
    // However clear: five blocks can't be significant, nor bound anything.
    assert_eq!(entries.verdict, Verdict::Inconclusive);
    assert_eq!((entries.blocks, entries.interval), (5, None));
    assert!(entries.ratio.is_some() && !report.conclusive);
    assert!(report.caveats.iter().any(|caveat| caveat.contains("fewer")));
}

/// Counts as rates: what ranks can't say of zeros is bounded, and an absolute
/// margin says how many matter.
#[test]
fn counts_of_zero_and_absolute_margins() {
    type Value = fn(Arm, u32) -> f64;
    let cases: [(&str, Value, Option<f64>, Verdict); 7] = [
        ("never any", |_, _| 0.0, None, Verdict::Inconclusive),
        (
            "never any, bounded",
            |_, _| 0.0,
            Some(0.2),
            Verdict::NoChange,
        ),
        (
            "never any, a bound too near",
            |_, _| 0.0,
            Some(0.01),
            Verdict::Inconclusive,
        ),
        (
            "gone",
            |arm, _| f64::from(u8::from(arm == Arm::Base)) * 8.0,
            None,
            Verdict::Improved,
        ),
        (
            "new",
            |arm, _| f64::from(u8::from(arm == Arm::Patched)) * 1.5,
            None,
            Verdict::Regressed,
        ),
        (
            "new, and it does not matter",
            |arm, _| f64::from(u8::from(arm == Arm::Patched)) * 1.5,
            Some(2.0),
            Verdict::NoChange,
        ),
        // A median of repetitions would call both 0.
        (
            "ten times as many",
            |arm, rep| match arm {
                Arm::Base => f64::from(u8::from(rep == 5)),
                Arm::Patched => f64::from(u8::from(rep > 3)),
            },
            None,
            Verdict::Regressed,
        ),
    ];
    for (name, value, absolute, verdict) in cases {
        let mut run = with_values("contended-entries", |arm, _, rep| value(arm, rep));
        run.absolute = absolute
            .map(|margin| ("contended-entries".to_owned(), margin))
            .into_iter()
            .collect();
        let report = analyse(&run);
        let found = comparison(&report, "contended-entries");
        assert_eq!(found.verdict, verdict, "{name}: {found:#?}");
        assert!(report::json(&report).is_ok(), "{name}");
    }
    let gone = with_values("contended-entries", |arm, _, _| match arm {
        Arm::Base => 8.0,
        Arm::Patched => 0.0,
    });
    let text = report::terminal(&analyse(&gone));
    assert!(text.contains("at most 0.01"), "{text}");
}

/// What another layout of the same code moves has a margin of its own.
#[test]
fn a_metric_can_have_a_margin_of_its_own() {
    let with_margin = |margin: Option<f64>| {
        let mut run = with_values("contended-entries", |arm, index, rep| {
            let level = if arm == Arm::Base { 600.0 } else { 690.0 };
            level + f64::from((index + rep) % 7)
        });
        let named = |margin| ("contended-entries".to_owned(), margin);
        run.margins = margin.map(named).into_iter().collect();
        analyse(&run)
    };
    let verdict = |margin| comparison(&with_margin(margin), "contended-entries").verdict;
    assert_eq!(verdict(None), Verdict::Regressed);
    assert_eq!(verdict(Some(0.25)), Verdict::NoChange);
    let text = report::markdown(&with_margin(Some(0.25)));
    assert!(
        text.replace('\n', " ").contains("entries below 25 %"),
        "{text}"
    );
}

/// A few slow repetitions in every boot of patched, none on base: the medians do
/// not see them, the tail does.
#[test]
fn tails_can_fail_a_run() {
    let slow = |arms: &[Arm]| {
        let mut run = with_values("sum", |_, index, rep| {
            1_000.0 + f64::from((index + rep) % 5)
        });
        let mut more = run.rounds.clone();
        more.retain(|round| round.block < Some(2));
        for round in &mut more {
            round.block = round.block.map(|block| block + 6);
        }
        run.rounds.extend(more);
        for round in &mut run.rounds {
            for record in &mut round.records {
                if let Record::Sample(sample) = record
                    && sample.metric == "sum"
                    && sample.repetition == 7
                    && arms.contains(&round.arm)
                {
                    sample.value *= 9.0;
                }
            }
        }
        analyse(&run)
    };
    let report = slow(&[Arm::Patched]);
    assert_eq!(report.status, Status::Failed);
    let reason = "repetitions over 3 medians, reaper + exit_mmap (unprobed) regressed";
    assert_eq!(report.reasons, [reason]);
    let tail = comparison(&report, "sum-tail");
    assert!(!tail.primary && tail.shown && tail.base.level == 0.0);
    // On both arms it is the host; on base alone it is no regression; without
    // any there is nothing to say.
    for arms in [&[Arm::Base, Arm::Patched][..], &[Arm::Base]] {
        let report = slow(arms);
        assert_eq!(report.status, Status::Passed);
        assert_eq!(comparison(&report, "sum-tail").verdict, Verdict::NotTested);
    }
    assert!(slow(&[]).comparisons.iter().all(|c| c.metric != "sum-tail"));
}

#[test]
fn warm_ups_and_traced_rounds_are_not_compared() {
    let mut run = run();
    let traced = run
        .rounds
        .iter_mut()
        .find(|round| round.purpose.is_traced())
        .unwrap();
    traced.records.push(Record::Sample(Sample {
        scenario: RACE.into(),
        metric: "sum".into(),
        unit: Unit::Us,
        repetition: 0,
        warmup: false,
        value: 1e9,
        walker: None,
        at: None,
    }));
    let report = analyse(&run);
    assert_eq!(report.comparisons, analyse(&fixture::run()).comparisons);
}

/// The run, whose unprobed rounds show no difference in the sum: it was the
/// probes.
fn without_a_difference_unprobed() -> Run {
    let mut run = run();
    for round in run.rounds.iter_mut().filter(|r| r.purpose.is_unprobed()) {
        for record in &mut round.records {
            if let Record::Sample(sample) = record
                && sample.metric == "sum"
            {
                sample.value = 1000.0 + f64::from((round.index + sample.repetition) % 5);
            }
        }
    }
    run
}

/// Counts are decided by probed boots, times by unprobed ones.
#[test]
fn what_is_timed_is_not_probed() {
    let run = without_a_difference_unprobed();
    let report = analyse(&run);
    let of = |metric: &str, unprobed: bool| {
        let mut all = report.comparisons.iter();
        all.find(|c| (c.metric.as_str(), c.unprobed) == (metric, unprobed))
            .unwrap()
    };
    assert!(of("contended-entries", false).primary && of("sum", true).primary);
    assert_eq!(of("sum", true).verdict, Verdict::NoChange);
    let probed = of("sum", false);
    assert!(!probed.primary && probed.shown && probed.verdict == Verdict::NotTested);
    assert!(!probed.without_probes.unwrap().agrees);
    let tested: Vec<_> = report
        .comparisons
        .iter()
        .filter(|c| c.verdict != Verdict::NotTested)
        .map(|c| c.primary)
        .collect();
    assert_eq!(tested, [true, true]);
    assert!(
        report
            .comparisons
            .iter()
            .all(|c| c.primary || c.rounds_needed.is_none())
    );
    insta::assert_snapshot!(report.notes.join("\n"), @"
    mrelease-exit-race: reaper + exit_mmap: probed 1.04 [0.80, 1.14], unprobed 1.00 [1.00, 1.00]: can't be told
    mrelease-exit-race: kill to gone: probed 1.06 [0.88, 1.23], unprobed 0.92 [0.80, 1.07]: can't be told
    mrelease-exit-race: mrelease: probed 0.67 [0.50, 0.94], unprobed 0.63 [0.56, 0.68]: same sign
    reap-order: probe: unmap_page_range
    ");
    let text = report::terminal(&report);
    assert!(text.lines().all(|line| line.len() <= 100), "{text}");
    let table: Vec<_> = text
        .lines()
        .skip_while(|line| !line.starts_with("Base against"))
        .collect();
    insta::assert_snapshot!(table.join("\n"), @"
    Base against patched

    mrelease-exit-race (6+6 boots)
      metric                                       base  patched  ratio [95 %]       verdict
    * contended page-table-lock entries             382     20.7  0.05 [0.04, 0.07]  improved
    * reaper + exit_mmap (unprobed)                1 ms     1 ms  1.00 [1.00, 1.00]  no change
      contended page-table-lock entries, reaper     177     9.21  0.05 [0.04, 0.07]  not tested
      contended wait                             157 ms  8.64 ms  0.05 [0.04, 0.07]  not tested
      kill to gone                               321 ms   336 ms  1.06 [0.88, 1.23]  not tested
      mrelease                                   275 ms   178 ms  0.67 [0.50, 0.94]  not tested
      reaper + exit_mmap                         512 ms   520 ms  1.04 [0.80, 1.14]  not tested
      kill to gone (unprobed)                    354 ms   333 ms  0.92 [0.80, 1.07]  not tested
      mrelease (unprobed)                        299 ms   186 ms  0.63 [0.56, 0.68]  not tested

    What the probes cost
    reaper + exit_mmap, base: unprobed 1 ms, probed 512 ms, ratio 511 [446, 586]
    reaper + exit_mmap, patched: unprobed 1 ms, probed 520 ms, ratio 519 [467, 577]

    Scenarios
    scenario            base        patched
    memcg-limit         13 passed   13 passed
    reap-order          13 passed   13 passed
    mrelease-exit-race  13 passed   13 passed
    private-hugetlb     13 skipped  13 skipped
    private-hugetlb: no CONFIG_HUGETLBFS
    ");
    let text = report::markdown(&report);
    assert!(text.lines().all(|line| line.len() <= 72), "{text}");
    assert!(text.contains("base unprobed ok"), "{text}");
    assert!(report::html(&run, &report).contains("base, unprobed"));
    let json: serde_json::Value = serde_json::from_str(&report::json(&report).unwrap()).unwrap();
    assert_eq!(json["comparisons"][2]["verdict"], "not-tested");
    assert_eq!(json["rounds"][12]["purpose"], "unprobed");

    // Alone they decide the times, and there is nothing to agree with.
    let mut run = run;
    run.rounds
        .retain(|round| round.purpose.is_unprobed() || round.purpose.is_traced());
    let report = analyse(&run);
    assert!(!report.conclusive && report.comparisons.iter().all(|c| c.unprobed));
    assert!(report.notes.iter().all(|note| !note.contains("probed")));
}

/// Rounds of runs that knew no blocks are paired in their order.
#[test]
fn blocks_are_formed_where_none_were_recorded() {
    let mut old = run();
    for round in &mut old.rounds {
        round.block = None;
    }
    let (old, new) = (analyse(&old), analyse(&run()));
    assert_eq!(old.comparisons, new.comparisons);
    // Boots that are not neighbours do not tell what probes cost.
    assert!(old.probe_costs.is_empty() && !new.probe_costs.is_empty());
}

/// A host that is slow for whole blocks changes nothing: both arms share it.
#[test]
fn what_a_block_shares_is_taken_out() {
    let mut run = run();
    for round in &mut run.rounds {
        let weather = if round.block.is_some_and(|block| block % 2 == 0) {
            3.0
        } else {
            1.0
        };
        let base = if round.arm == Arm::Base { 1.25 } else { 1.0 };
        for record in &mut round.records {
            if let Record::Sample(sample) = record
                && sample.metric == "sum"
            {
                let own = 1.0 + f64::from((round.index + sample.repetition) % 7) / 100.0;
                sample.value = 1_000.0 * weather * base * own;
            }
        }
    }
    let report = analyse(&run);
    let sum = comparison(&report, "sum");
    assert_eq!((sum.verdict, sum.decided_at), (Verdict::Improved, Some(6)));
    assert!((sum.ratio.unwrap() - 0.8).abs() < 0.01, "{sum:?}");
}

/// Where guests took turns, what neighbouring repetitions share is taken out,
/// however much it changes within a boot.
#[test]
fn what_neighbours_share_is_taken_out() {
    let weather = |block: u32, repetition: u32| {
        let at = f64::from(block * 14 + repetition);
        1.0 + 0.9 * (at * 0.7).sin()
    };
    let mut run = run();
    for round in &mut run.rounds {
        let base = if round.arm == Arm::Base { 1.1 } else { 1.0 };
        let lost = round.arm == Arm::Patched;
        let block = round.block.unwrap_or(0);
        round.records.retain(|record| match record {
            // The other one's neighbour is no sample.
            Record::Sample(sample) => !lost || sample.repetition % 5 != 3,
            _ => true,
        });
        for record in &mut round.records {
            if let Record::Sample(sample) = record
                && sample.metric == "sum"
            {
                let own = 1.0 + f64::from((round.index * 3 + sample.repetition) % 7) / 200.0;
                sample.value = 1_000.0 * weather(block, sample.repetition) * base * own;
            }
        }
    }
    let apart = comparison(&analyse(&run), "sum").clone();
    run.by_turns = true;
    let report = analyse(&run);
    let sum = comparison(&report, "sum");
    assert_eq!((sum.verdict, sum.decided_at), (Verdict::Improved, Some(6)));
    assert!((sum.ratio.unwrap() - 1.0 / 1.1).abs() < 0.01, "{sum:?}");
    let width = |of: &evidence::Comparison| of.interval.map(|[low, high]| high - low).unwrap();
    assert!(width(sum) < width(&apart) / 3.0, "{sum:?} {apart:?}");
}

/// A repetition that was run again counts once, and one that the host disturbed to
/// the last does not.
#[test]
fn void_repetitions_are_no_samples() {
    let mut round = run().rounds.remove(0);
    let sample = |repetition, value| {
        Record::Sample(Sample {
            scenario: RACE.into(),
            metric: "sum".into(),
            unit: Unit::Us,
            repetition,
            warmup: false,
            value,
            walker: None,
            at: None,
        })
    };
    let turn = |repetition, disturbed| {
        Record::Turn(Turn {
            scenario: RACE.into(),
            repetition,
            at_ms: 5,
            took_us: 90_000,
            run_delay_us: if disturbed { 40_000 } else { 10 },
            disturbed,
            weather_us: None,
            solo_us: Some(24_000),
        })
    };
    let void = |repetition| Record::Void {
        scenario: RACE.into(),
        repetition,
    };
    round.records = vec![
        sample(0, 1.0),
        turn(0, false),
        // The neighbour was disturbed.
        sample(1, 2.0),
        turn(1, false),
        void(1),
        sample(1, 3.0),
        turn(1, false),
        sample(2, 4.0),
        turn(2, true),
        void(2),
        sample(2, 5.0),
        turn(2, true),
    ];
    let values: Vec<f64> = round.samples().map(|sample| sample.value).collect();
    assert_eq!(values, [1.0, 3.0]);
    assert_eq!(round.turns().filter(|turn| turn.disturbed).count(), 2);
    let mut run = run();
    run.rounds[0].records.extend(round.records);
    insta::assert_snapshot!(
        analyse(&run).caveats.iter().find(|text| text.contains("quiet")).unwrap(),
        @"The host was not quiet: in 2 of 5 repetitions a guest had to wait for a CPU of the host (base 2, patched 0; report.html has the count of each boot). They do not count; both arms ran them again, three times at most."
    );
}

#[test]
fn signs_agree_differ_or_cannot_be_told() {
    let cases = [
        (500.0, 500.0, "same sign"),
        (2_000.0, 3_000.0, "same sign"),
        (500.0, 2_000.0, "opposite signs"),
        (1_000.0, 500.0, "can't be told"),
        (500.0, 1_000.0, "can't be told"),
    ];
    for (without, with, word) in cases {
        let mut run = without_a_difference_unprobed();
        for round in &mut run.rounds {
            let level = match (round.arm, round.purpose.is_unprobed()) {
                (Arm::Base, _) => 1_000.0,
                (Arm::Patched, true) => without,
                (Arm::Patched, false) => with,
            };
            for record in &mut round.records {
                if let Record::Sample(sample) = record
                    && sample.metric == "mrelease"
                {
                    sample.value = level + f64::from((round.index + sample.repetition) % 5);
                }
            }
        }
        let notes = analyse(&run).notes;
        let note = notes
            .iter()
            .find(|note| note.contains("mrelease: probed"))
            .unwrap();
        assert!(note.ends_with(word), "{note}");
    }
}

#[test]
fn html_is_one_safe_file() {
    let hostile = "<script>alert(1)</script>\"'&<img src=\"http://example.com/x\">\u{1b}[31m";
    let mut run = run();
    run.series.title = hostile.into();
    run.series.name = hostile.into();
    run.kernel.name = hostile.into();
    run.command = hostile.into();
    run.host.cpu = hostile.into();
    run.labels.insert("sum".into(), hostile.into());
    for record in run.rounds.iter_mut().flat_map(|round| &mut round.records) {
        match record {
            Record::Sample(sample) => sample.scenario = hostile.into(),
            Record::Walk(walk) => {
                walk.scenario = hostile.into();
                walk.steps[0].1 = f64::NAN;
                walk.steps[1].1 = -1e300;
            }
            Record::Note { text, .. } => *text = hostile.into(),
            _ => {}
        }
    }
    run.rounds[0].ktap.tests[0].name = hostile.into();
    let report = analyse(&run);
    let page = report::html(&run, &report);
    // In text and attributes, quotes and brackets are escaped.
    for bad in [
        "<script", "<img", "<link", "<iframe", "<a ", "src=\"", "href=\"", "url(", "@import",
    ] {
        assert!(!page.contains(bad), "{bad}");
    }
    assert!(!page.contains("NaN") && !page.contains('\u{1b}'));
    assert!(page.contains("&lt;script&gt;"));
    assert!(!report::terminal(&report).contains('\u{1b}'));
    assert!(!report::markdown(&report).contains('\u{1b}'));
    assert!(!report::junit(&report).unwrap().contains("<script"));
}

#[test]
fn html_stays_small_however_long_the_walk() {
    let mut run = run();
    for round in &mut run.rounds {
        if round.purpose.is_traced() {
            round
                .records
                .push(Record::Walk(fixture::walk(round.arm, 20_000)));
        }
        let sample = round
            .records
            .iter()
            .find(|r| matches!(r, Record::Sample(_)))
            .cloned();
        if let Some(sample) = sample {
            round.records.extend(std::iter::repeat_n(sample, 5_000));
        }
    }
    let page = report::html(&run, &analyse(&run));
    assert!(page.len() < 1_000_000, "{}", page.len());
}

#[test]
fn both_walks_are_of_one_scenario() {
    let mut run = run();
    for round in &mut run.rounds {
        round.records.retain(|it| !matches!(it, Record::Walk(_)));
    }
    let walk = |arm, scenario: &str, vmas| {
        Record::Walk(Walk {
            scenario: scenario.into(),
            ..fixture::walk(arm, vmas)
        })
    };
    for (arm, other, vmas) in [(Arm::Base, "large", 90), (Arm::Patched, "application", 80)] {
        let round = run
            .rounds
            .iter_mut()
            .find(|round| round.arm == arm)
            .unwrap();
        // Each arm has a larger one that the other arm has not.
        round.records.push(walk(arm, other, vmas));
        round.records.push(walk(arm, "both", 30));
    }
    let html = report::html(&run, &analyse(&run));
    let shown = |name: &str| html.matches(&format!(", {name}, repetition")).count();
    assert_eq!(
        [shown("both"), shown("large"), shown("application")],
        [2, 0, 0]
    );
}

#[test]
fn degenerate_walks_and_runs_render() {
    let mut run = run();
    run.accelerator = Accelerator {
        kind: Accel::Kvm,
        why: "booted".into(),
    };
    let one = Walk {
        scenario: RACE.into(),
        repetition: 0,
        steps: fixture::walk(Arm::Base, 1).steps,
    };
    for round in &mut run.rounds {
        round.records = vec![Record::Walk(one.clone())];
    }
    report::html(&run, &analyse(&run));
    run.rounds.clear();
    run.series.missing.clear();
    let report = analyse(&run);
    assert!(report.caveats.is_empty());
    report::html(&run, &report);
    report::terminal(&report);
    report::markdown(&report);
    assert!(one.steps.iter().any(|step| step.0 == Walker::Reaper));
}

/// Writes the page to look at: `cargo test -p evidence --test reports look -- --ignored`.
#[test]
#[ignore = "writes a file for people to look at"]
fn look() {
    let run = run();
    let page = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("report.html");
    std::fs::write(&page, report::html(&run, &analyse(&run))).unwrap();
    let written = std::fs::read_to_string(&page).unwrap();
    assert!(written.ends_with("</main>\n</body>\n</html>\n"));
    println!("{}", page.display());
}

/// The table of the series' final changelog, beside a run of the fixture.
#[test]
fn claims_beside_what_was_measured() {
    const CHANGELOG: &str = "\
The test is conducted on arm64.

+----------------------------------------------------------------+
| Category                      | Applying patch | Without patch |
+-------------------------------+----------------+---------------+
| Total running time            |    132.6       |    167.1      |
|   (exit_mmap + reaper work)   |  72.4 + 60.2   |  90.7 + 76.4  |
| Time waiting for pte spinlock |     1.0        |    33.1       |
+----------------------------------------------------------------+
";
    let metrics = [
        ("total running time", "sum"),
        ("total running time / reaper", "mrelease"),
        ("waiting for pte spinlock", "contended-wait"),
    ]
    .map(|(words, metric)| (words.to_owned(), metric.to_owned()))
    .into();
    let claims = evidence::claims::read(CHANGELOG);
    let run = run();
    let checks = evidence::claims::check(&claims, &run, &analyse(&run).comparisons, &metrics);
    let text = report::claims(&claims, &checks);
    insta::assert_snapshot!(text, @"
    neither a number of runs nor a variance: one run may be luck
    line 4: a table whose figures have no unit

    With the patch, as a share of without:
    claim                           claimed  measured [95 %]    verdict
    Total running time                 0.79  0.91 [0.65, 1.05]  can't tell
    Total running time / exit_mmap     0.80  -                  not measured
    Total running time / reaper        0.79  0.63 [0.56, 0.68]  same sign
        work
    Time waiting for pte spinlock      0.03  0.05 [0.04, 0.07]  same sign
    ");
    assert!(text.lines().all(|line| line.chars().count() <= 72));
}

#[test]
fn a_claimed_time_is_compared_with_what_stands_for_it_without_probes() {
    let mut run = run();
    let text = "\
+--------------------+------+---------+
|                    | with | without |
+--------------------+------+---------+
| Total running time | 80   | 100     |
+--------------------+------+---------+
";
    let words = [("total running time".to_owned(), "sum".to_owned())].into();
    let claims = evidence::claims::read(text);
    let measured = |run: &Run| {
        let comparisons = analyse(run).comparisons;
        let checks = evidence::claims::check(&claims, run, &comparisons, &words);
        let check = checks.into_iter().next().unwrap();
        let find = |metric: &str, unprobed| {
            let mut all = comparisons.iter();
            let found = all.find(|c| c.metric == metric && c.unprobed == unprobed);
            found.and_then(|c| c.ratio)
        };
        (
            check.measured,
            find("sum", false),
            find("kill-to-gone", true),
        )
    };
    run.unprobed = [("sum".to_owned(), "kill-to-gone".to_owned())].into();
    let (found, _, without_probes) = measured(&run);
    assert!(found.is_some());
    assert_eq!(found, without_probes);
    run.rounds.retain(|round| !round.purpose.is_unprobed());
    let (found, with_probes, _) = measured(&run);
    assert!(found.is_some());
    assert_eq!(found, with_probes);
}

#[test]
fn a_host_with_too_few_cpus_is_a_caveat_where_guests_take_turns() {
    let mut run = run();
    let told = |run: &Run| {
        let caveats = analyse(run).caveats;
        caveats
            .iter()
            .any(|text| text.contains("not bound to CPUs"))
    };
    run.by_turns = true;
    run.host.cpus = run.guest.cpus;
    assert!(!told(&run));
    run.guest.cpus += 1;
    assert!(told(&run));
    run.by_turns = false;
    assert!(!told(&run));
}

/// A change that probes make is none.
#[test]
fn an_improvement_by_probes_alone_is_none() {
    let mut run = without_a_difference_unprobed();
    for round in run
        .rounds
        .iter_mut()
        .filter(|r| r.purpose == Purpose::Probed)
    {
        for record in &mut round.records {
            if let Record::Sample(sample) = record
                && sample.metric == "sum"
            {
                let arm = if round.arm == Arm::Base { 2.0 } else { 1.1 };
                let luck = f64::from((round.index * 3 + sample.repetition) % 7);
                sample.value = arm * (1000.0 + luck);
            }
        }
    }
    let report = analyse(&run);
    assert_eq!(comparison(&report, "sum").verdict, Verdict::NoChange);
    let text = report::terminal(&report);
    let head: Vec<_> = text.lines().take(12).collect();
    insta::assert_snapshot!(head.join("\n"), @"
    oom-reaper-reverse on 6.12: 3 scenarios passed on both arms, 1 did not run. Contended
    page-table-lock entries improved, down 94.9 %; reaper + exit_mmap (unprobed) changed by less than 5
    %.
    Order of the reaper's walk: ascending on base, descending on patched, as expected.
    note: Measured under emulation (QEMU TCG): times do not carry over to hardware; counts, the order of
      the walk and the sign of a change do.
    note: Patch 1/2 of the series is missing: the series was tested without it.
    note: The probes cost base more than patched (reaper + exit_mmap: 2.00 and 1.10 times as long on
      base and patched): times of probed boots are biased, and decide nothing.

    Base against patched
    ");
}

/// One kernel's boots, paired, differ no more often than they may;
/// and a change as large as the fixture's is seen.
#[test]
fn what_a_run_is_worth() {
    let mut run = run();
    run.primary = vec!["contended-entries".into()];
    run.kernel.arms[0].image_sha = "another".into();
    let base: Vec<_> = run
        .rounds
        .iter()
        .filter(|r| r.arm == Arm::Base && !r.purpose.is_traced())
        .cloned()
        .collect();
    run.rounds.extend(base);
    let found = evidence::calibrate::calibrate(&[run], 50);
    insta::assert_snapshot!(report::calibration(&found), @"
    mrelease-exit-race: contended-entries: no A/A run: false alarms can't be
      told. 12 boots of one kernel, drawn 50 times into 6 blocks with labels
      by a coin: called different 2 % of the time (by the test alone 2 %);
      the interval held 1 in 98 %; a reduction of 24.3 % is seen in 80 % of
      tries.
    ");
}
