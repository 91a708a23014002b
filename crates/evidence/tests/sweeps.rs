//! What a run shows beside its verdicts: sweeps, stacks, the probes' own cost,
//! and what has changed since another run.

#![allow(clippy::unwrap_used)]

mod fixture;

use evidence::run::Run;
use evidence::{Verdict, analyse, between, report};
use fixture::{RACE, run};
use results::Arm;
use results::Purpose;
use results::record::{Record, Sample, StackWaits, Stacks, Unit, Walker};

const SWEEP: &str = "sweep-vmas";

/// The fixture, and six boots of each arm that swept with probes, and as many
/// without: more VMAs, more effect.
fn swept() -> Run {
    let mut run = run();
    run.unprobed = [("sum".to_owned(), "sum-to-gone".to_owned())].into();
    let blocks = [false, true].map(|unprobed| (0..6).map(move |block| (block, unprobed)));
    let boots: Vec<_> = blocks
        .into_iter()
        .flatten()
        .flat_map(|(block, unprobed)| Arm::BOTH.map(|arm| (block, arm, unprobed)))
        .collect();
    for (nth, (block, arm, unprobed)) in boots.into_iter().enumerate() {
        let mut round = run.rounds[0].clone();
        round.index = run.rounds.len() as u32;
        round.arm = arm;
        round.block = Some(block);
        round.purpose = if unprobed {
            Purpose::UnprobedSweep
        } else {
            Purpose::ProbedSweep
        };
        round.records = vec![Record::Sweep {
            scenario: SWEEP.into(),
            axis: "VMAs of 8 pages".into(),
        }];
        for (at, entries, ratio) in [(1.0, [0.0, 0.0], 1.02), (5_000.0, [2_000.0, 4.0], 0.66)] {
            let patched = usize::from(arm == Arm::Patched);
            let times = [1.0, ratio][patched] * at * 25.0;
            let metrics = if unprobed {
                vec![("sum-to-gone", Unit::Us, times)]
            } else {
                vec![
                    ("contended-entries", Unit::Count, entries[patched]),
                    ("sum", Unit::Us, times),
                    ("exit-mmap", Unit::Us, times / 2.0),
                ]
            };
            for repetition in 0..5u32 {
                let off = 1.0 + f64::from(repetition) / 100.0 + (nth * 7 % 5) as f64 / 100.0;
                round
                    .records
                    .extend(metrics.iter().map(|(metric, unit, value)| {
                        Record::Sample(Sample {
                            scenario: SWEEP.into(),
                            metric: (*metric).into(),
                            unit: *unit,
                            repetition,
                            warmup: repetition == 0,
                            value: value * off,
                            walker: None,
                            at: Some(at),
                        })
                    }));
            }
        }
        run.rounds.push(round);
    }
    run
}

#[test]
fn a_sweep_is_no_comparison() {
    let mut plain = run();
    plain.unprobed = swept().unprobed;
    let (plain, swept) = (analyse(&plain), analyse(&swept()));
    let names = |report: &evidence::Report| {
        let all = report.comparisons.iter();
        all.map(|c| (c.scenario.clone(), c.metric.clone(), c.verdict))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&plain), names(&swept));
    assert!(
        swept
            .caveats
            .iter()
            .all(|caveat| !caveat.contains("Too few"))
    );
    let [sweep] = swept.sweeps.as_slice() else {
        panic!("{:?}", swept.sweeps);
    };
    assert_eq!(sweep.axis, "VMAs of 8 pages");
    let entries = &sweep.metrics[0];
    assert_eq!(entries.metric, "contended-entries");
    let [few, many] = entries.points.as_slice() else {
        panic!("{entries:?}");
    };
    assert_eq!((few.at, few.ratio), (1.0, None));
    assert_eq!(
        (many.at, many.base.boots, many.base.samples),
        (5_000.0, 6, 24)
    );
    assert!(many.interval.unwrap()[1] < 0.1);
}

#[test]
fn sweeps_in_mail() {
    let text = report::markdown(&analyse(&swept()));
    assert!(text.lines().all(|line| line.len() <= 72), "{text}");
    let table: Vec<_> = text
        .lines()
        .skip_while(|line| !line.starts_with("Where it helps"))
        .take(16)
        .collect();
    insta::assert_snapshot!(table.join("\n"), @"
    Where it helps and where it costs
    ---------------------------------

        sweep-vmas: VMAs of 8 pages

        at    (1)           (2)
        1     0 -> 0        1.02 [0.99, 1.04]
        5000  2080 -> 4.18  0.66 [0.64, 0.67]
        (1) contended page-table-lock entries, base -> patched
        (2) sum to gone (unprobed), patched / base

    Sweeps show where, and decide nothing: with so many points one interval
    in twenty misses 1 by chance.

    What the probes cost
    --------------------
    ");
}

#[test]
fn sweeps_as_charts() {
    let run = swept();
    let page = report::html(&run, &analyse(&run));
    assert!(page.contains("Where it helps and where it costs"));
    assert!(!page.contains("NaN") && !page.contains("inf"));
    let chart = page.split("<svg").find(|svg| svg.contains("sweep-vmas:"));
    insta::assert_snapshot!(chart.unwrap().split("</svg>").next().unwrap().replace("/>", "/>\n"), @r#"
     viewBox="0 0 400 386" role="img" aria-label="sweep-vmas: VMAs of 8 pages"><title>sweep-vmas: VMAs of 8 pages</title><path class="grid" d="M60 126.0H388"/>
    <text class="tick" x="54" y="130.5" text-anchor="end">0</text><path class="grid" d="M60 116.9H388"/>
    <text class="tick" x="54" y="121.4" text-anchor="end">1</text><path class="grid" d="M60 94.6H388"/>
    <text class="tick" x="54" y="99.1" text-anchor="end">10</text><path class="grid" d="M60 65.6H388"/>
    <text class="tick" x="54" y="70.1" text-anchor="end">100</text><path class="grid" d="M60 35.6H388"/>
    <text class="tick" x="54" y="40.1" text-anchor="end">1000</text><text class="axis" x="60" y="16">contended page-table-lock entries</text><path class="crosses base" stroke-width="1.1" d="M139.6 123.6l4.8 4.8m0-4.8l-4.8 4.8M303.6 23.6l4.8 4.8m0-4.8l-4.8 4.8"/>
    <path class="dots patched" stroke-width="4.8" d="M142.0 126.0h0M306.0 104.5h0"/>
    <path class="grid" d="M60 337.0H388"/>
    <text class="tick" x="54" y="341.5" text-anchor="end">0.67</text><path class="grid" d="M60 292.9H388"/>
    <text class="tick" x="54" y="297.4" text-anchor="end">0.8</text><path class="grid" d="M60 237.5H388"/>
    <text class="tick" x="54" y="242.0" text-anchor="end">1</text><path class="grid" d="M60 182.1H388"/>
    <text class="tick" x="54" y="186.6" text-anchor="end">1.25</text><text class="axis" x="60" y="160">patched / base, 95 %</text><path class="unit" d="M60 237.5H388"/>
    <path class="median base" d="M142.0 239.8V227.8"/>
    <path class="base" stroke-width="6" d="M139.0 233.8h6"/>
    <path class="median base" d="M306.0 347.9V335.9"/>
    <path class="base" stroke-width="6" d="M303.0 341.9h6"/>
    <text class="tick" x="142.0" y="377" text-anchor="middle">1</text><text class="tick" x="306.0" y="377" text-anchor="middle">5000</text>
    "#);
}

#[test]
fn stacks_are_counted_by_repetition() {
    let mut run = run();
    for round in run.rounds.iter_mut().filter(|round| round.is_measured()) {
        let walk = ["__pte_offset_map_lock", "unmap_page_range", "exit_mmap"];
        let entries = if round.arm == Arm::Base { 1_200 } else { 30 };
        round.records.push(Record::Stacks(Stacks {
            scenario: RACE.into(),
            repetitions: 12,
            stacks: vec![StackWaits {
                walker: Walker::Exit,
                frames: walk.map(String::from).into(),
                entries,
                wait_us: entries * 20,
            }],
        }));
    }
    let report = analyse(&run);
    let [row] = report.stacks.as_slice() else {
        panic!("{:?}", report.stacks);
    };
    // Four boots of twelve repetitions.
    assert_eq!((row.base.entries, row.base.wait_us), (100.0, 2_000.0));
    assert_eq!(row.patched.entries, 2.5);
    let text = report::markdown(&report);
    let table: Vec<_> = text
        .lines()
        .skip_while(|line| !line.starts_with("Where the walkers wait"))
        .take(9)
        .collect();
    insta::assert_snapshot!(table.join("\n"), @"
    Where the walkers wait
    ----------------------

    Waits for spinlocks and their time, per repetition on average. The
    function that takes the lock stands first.

        who waits, and where                                base     patched
        exit: __pte_offset_map_lock <                  100, 2 ms  2.5, 50 us
            unmap_page_range < exit_mmap
    ");
}

#[test]
fn what_probes_cost_each_arm() {
    let mut run = run();
    let measured: Vec<_> = run
        .rounds
        .iter()
        .filter(|round| round.is_measured())
        .cloned()
        .collect();
    for mut round in measured {
        round.purpose = Purpose::Unprobed;
        round.index = run.rounds.len() as u32;
        for record in &mut round.records {
            if let Record::Sample(sample) = record {
                // Base waits more often, so probes cost it more.
                sample.value *= if round.arm == Arm::Base { 0.8 } else { 1.0 };
            }
        }
        run.rounds.push(round);
    }
    let report = analyse(&run);
    let costs: Vec<_> = report
        .probe_costs
        .iter()
        .filter(|cost| cost.metric == "sum")
        .map(|cost| (cost.arm, cost.shown, (cost.ratio * 100.0).round()))
        .collect();
    assert_eq!(
        costs,
        [(Arm::Base, true, 125.0), (Arm::Patched, true, 100.0)]
    );
}

#[test]
fn a_run_against_itself_has_not_changed() {
    let found = between(&run(), &run());
    let arms: Vec<_> = found.iter().map(|one| one.arm).collect();
    assert_eq!(arms, [Arm::Patched, Arm::Base]);
    let changes = &found[0].changes;
    assert_eq!(changes.len(), 2);
    for change in changes {
        assert!(
            (change.ratio - 1.0).abs() < 1e-9 && change.p == 1.0,
            "{change:?}"
        );
        assert_ne!(change.verdict, Verdict::Regressed);
    }
    for one in &found {
        assert_eq!(one.report.names, ["earlier", "later"]);
        assert_eq!(one.report.status, evidence::Status::Passed);
        let mut all = one.report.comparisons.iter();
        assert!(all.all(|c| c.verdict == Verdict::NotTested));
        let mut caveats = one.report.caveats.iter();
        assert!(!caveats.any(|c| c.contains("Not the same")));
    }
}

/// All samples of these arms, so many times as much.
fn times(mut run: Run, metric: &str, arms: &[Arm], factor: f64) -> Run {
    for round in run.rounds.iter_mut().filter(|r| arms.contains(&r.arm)) {
        for record in &mut round.records {
            if let Record::Sample(sample) = record
                && sample.metric == metric
            {
                sample.value *= factor;
            }
        }
    }
    run
}

#[test]
fn a_later_run_that_is_worse_is_a_regression() {
    let mut later = times(run(), "contended-entries", &[Arm::Patched], 8.0);
    later.compiler = "gcc 14".into();
    let found = between(&run(), &later);
    let patched = &found[0].report;
    assert_eq!(found[0].changes[0].verdict, Verdict::Regressed);
    assert_eq!(patched.status, evidence::Status::Failed);
    let caveat = "Not the same compiler: gcc 12.2.0, then gcc 14.";
    assert!(patched.caveats.iter().any(|text| text == caveat));
    let words = report::changes(&found[0].changes);
    insta::assert_snapshot!(words.lines().next().unwrap(), @"contended page-table-lock entries: patched / base was 0.05 in 6 blocks and is 0.41 in 6: later /");
    let text = report::terminal(patched);
    assert!(text.contains("earlier") && text.contains("later"), "{text}");
}

/// The host is slower on another day, for both arms: nothing has changed.
#[test]
fn the_hosts_speed_is_no_regression() {
    let later = times(run(), "sum", &Arm::BOTH, 1.6);
    let found = between(&run(), &later);
    assert_eq!(found[0].report.status, evidence::Status::Passed);
    let sum = &found[0].changes[1];
    assert!((sum.ratio - 1.0).abs() < 1e-9, "{sum:?}");
}

#[test]
fn a_paragraph_for_the_changelog() {
    let text = report::changelog(&analyse(&run()));
    assert!(text.lines().all(|line| line.len() <= 72), "{text}");
    insta::assert_snapshot!(text, @"
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
    ");
}

#[test]
fn nothing_compared_makes_no_paragraph() {
    let mut run = run();
    run.rounds.retain(|round| round.purpose.is_traced());
    assert_eq!(report::changelog(&analyse(&run)), "");
}

/// What a report says is built once; the forms differ in how much they show.
#[test]
fn every_form_says_the_same() {
    let run = swept();
    let report = analyse(&run);
    let [terminal, mail, page] = [
        report::terminal(&report),
        report::markdown(&report),
        report::html(&run, &report),
    ];
    for everywhere in [
        "3 scenarios passed on both",
        "Order of the reaper",
        "Base against patched",
        "mrelease-exit-race (6+6 boots)",
        "Where it helps and where it costs",
        "0.05 [0.0",
        "not tested",
        "Scenarios",
        "no CONFIG_HUGETLBFS",
    ] {
        for form in [&terminal, &mail, &page] {
            assert!(form.contains(everywhere), "{everywhere}: {form}");
        }
    }
    for in_full in [
        "For the changelog",
        "How it was measured",
        "in a fixed sequence",
    ] {
        assert!(!terminal.contains(in_full), "{in_full}");
        assert!(
            mail.contains(in_full) || page.contains(in_full),
            "{in_full}"
        );
    }
    for on_a_page in ["Where the two walkers are", "Every sample", "Rounds</h2>"] {
        assert!(
            page.contains(on_a_page) && !mail.contains(on_a_page),
            "{on_a_page}"
        );
    }
}
