//! The figures behind the design, by simulation: false alarms, power, coverage.
//!
//!     cargo run --release -p evidence --example simulation
//!
//! Seeded: the same figures each time. Each block has two boots of a kind, the
//! order drawn, and two of the other kind beside them, so that boots of a kind
//! are every other pair of what the host's noise runs through.

#![allow(
    clippy::expect_used,
    reason = "what it makes up itself is what it says"
)]

use std::f64::consts::TAU;

use evidence::design::Looks;
use evidence::run::{Round, Run, SCHEMA};
use evidence::stats::{Blocks, Rng, Scale, median};
use evidence::{Comparison, Verdict, analyse};
use results::record::{Record, Sample, Unit};
use results::{Arm, Purpose};
use serde_json::json;

/// Whole runs of each case.
const WHOLE: u32 = 2_000;
/// Runs of each case of one metric.
const RUNS: u32 = 4_000;
/// The most blocks of a run.
const LIMIT: usize = 8;
const REPETITIONS: usize = 12;

/// What the host does to all boots, as the logarithm of a factor.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Host {
    Quiet,
    Drift,
    Walk,
    Spikes,
    /// A period of so many boots.
    Period(usize),
    /// Fast or slow, for some boots at a time.
    States,
}

fn normal(rng: &mut Rng) -> f64 {
    let (u, v) = (1.0 - rng.unit(), rng.unit());
    (-2.0 * u.ln()).sqrt() * (TAU * v).cos()
}

impl Host {
    /// The noise of so many boots, with a sd of `sd` over them.
    fn boots(self, boots: usize, sd: f64, rng: &mut Rng) -> Vec<f64> {
        let mut level = 0.0;
        let mut slow = false;
        let phase = rng.below(64);
        let raw: Vec<f64> = (0..boots)
            .map(|at| match self {
                Self::Quiet => 0.0,
                Self::Drift => at as f64,
                Self::Walk => {
                    level += normal(rng);
                    level
                }
                Self::Spikes => f64::from(u8::from(rng.unit() < 0.1)),
                Self::Period(n) => f64::from(u8::from((at + phase) % n >= n / 2)),
                Self::States => {
                    slow ^= rng.unit() < 0.15;
                    f64::from(u8::from(slow))
                }
            })
            .collect();
        if self == Self::Spikes {
            return raw.into_iter().map(|hit| hit * 1.5f64.ln()).collect();
        }
        let mean = raw.iter().sum::<f64>() / boots as f64;
        let squares: f64 = raw.iter().map(|v| (v - mean).powi(2)).sum();
        let scale = match squares {
            0.0 => 0.0,
            _ => sd / (squares / boots as f64).sqrt(),
        };
        raw.into_iter().map(|v| (v - mean) * scale).collect()
    }
}

/// What a boot has of its own, as the logarithm of a factor of mean 0.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Own {
    Normal,
    /// An exponential: a long tail to one side.
    Skewed,
    /// One of two, 1.3 apart.
    Bimodal,
    /// A count: Poisson of this mean in a repetition, with the boot's luck.
    Count(f64),
}

fn poisson(mean: f64, rng: &mut Rng) -> f64 {
    let (mut count, mut left) = (0.0, (-mean).exp());
    let mut at = rng.unit();
    while at > left && count < 1e4 {
        at -= left;
        count += 1.0;
        left *= mean / count;
    }
    count
}

impl Own {
    /// A boot's summary on a host of this factor, and an arm of that one.
    fn boot(self, host: f64, arm: f64, sd: f64, rng: &mut Rng) -> f64 {
        let own = match self {
            Self::Normal | Self::Count(_) => sd * normal(rng),
            Self::Skewed => sd * (-(1.0 - rng.unit()).ln() - 1.0),
            Self::Bimodal => {
                let state = if rng.unit() < 0.5 { 0.5 } else { -0.5 };
                state * 1.3f64.ln() + 0.2 * sd * normal(rng)
            }
        };
        let level = (host + own).exp() * arm;
        match self {
            Self::Count(mean) => {
                let all = (0..REPETITIONS).map(|_| poisson(mean * level, rng));
                all.sum::<f64>() / REPETITIONS as f64
            }
            _ => {
                let all = (0..REPETITIONS).map(|_| level * (0.08 * normal(rng)).exp());
                median(&all.collect::<Vec<_>>()).unwrap_or_default()
            }
        }
    }

    fn scale(self) -> Scale {
        match self {
            Self::Count(_) => Scale::Counts,
            _ => Scale::Times,
        }
    }
}

/// One metric of a run, block by block.
struct Metric {
    base: Vec<f64>,
    patched: Vec<f64>,
    scale: Scale,
}

impl Metric {
    fn blocks(&self, blocks: usize) -> Blocks {
        Blocks::ratios(&self.base[..blocks], &self.patched[..blocks], self.scale)
    }

    fn differs(&self, looks: Looks, blocks: usize) -> Option<usize> {
        looks.differs(blocks, |blocks| Some(self.blocks(blocks).p(1.0)))
    }
}

/// A run of so many blocks: unprobed boots for times, probed ones for counts.
fn run(
    owns: &[Own],
    host: Host,
    blocks: usize,
    sds: [f64; 2],
    arm: f64,
    rng: &mut Rng,
) -> Vec<Metric> {
    let noise = host.boots(4 * blocks, sds[1], rng);
    let mut metrics: Vec<Metric> = owns
        .iter()
        .map(|own| Metric {
            base: Vec::new(),
            patched: Vec::new(),
            scale: own.scale(),
        })
        .collect();
    for block in noise.chunks(4) {
        let (first, swapped) = (rng.below(2), [rng.below(2), rng.below(2)]);
        // The luck of a boot is that of all its times.
        for (own, metric) in owns.iter().zip(&mut metrics) {
            let kind = usize::from(metric.scale == Scale::Counts);
            let pair = &block[2 * (kind ^ first)..][..2];
            let (a, b) = (pair[swapped[kind]], pair[1 - swapped[kind]]);
            metric.base.push(own.boot(a, 1.0, sds[0], rng));
            metric.patched.push(own.boot(b, arm, sds[0], rng));
        }
    }
    metrics
}

/// Whether a run of one kernel against itself, judged as the tool judges it, says
/// that anything improved or regressed. A repetition in thirty is slow.
fn whole(mean: f64, host: Host, rng: &mut Rng) -> bool {
    let arm = |arm| {
        json!({
            "arm": arm, "commit": "c", "tree": "t", "config_sha": "c", "image_sha": arm,
            "cached": true, "prerequisites": [],
        })
    };
    let mut run: Run = serde_json::from_value(json!({
        "schema": SCHEMA, "tool_version": "0", "started": "", "command": "",
        "host": { "os": "", "cpu": "", "cpus": 2, "memory_kib": 1, "kernel": "" },
        "accelerator": { "kind": "tcg", "why": "" },
        "qemu": "7", "virtme_ng": "1", "compiler": "gcc", "seed": 1,
        "series": { "name": "s", "title": "s", "version": "v1", "missing": [], "patches": [] },
        "kernel": { "name": "k", "version": "6", "arms": [arm("base"), arm("patched")] },
        "guest": { "cpus": 2, "memory_mib": 1024, "flavour": "lean" },
        "rounds": [], "primary": ["entries", "sum", "reap"], "limit": LIMIT, "margin": 0.05,
    }))
    .expect("a run");
    let noise = host.boots(4 * LIMIT, 0.1, rng);
    for (block, host) in (0usize..).zip(noise.chunks(4)) {
        let mut kinds = [Purpose::Probed, Purpose::Unprobed];
        let first = rng.below(2);
        kinds.rotate_left(first);
        for (kind, host) in kinds.into_iter().zip(host.chunks(2)) {
            let mut arms = Arm::BOTH;
            let first = rng.below(2);
            arms.rotate_left(first);
            for (arm, host) in arms.into_iter().zip(host) {
                let round = json!({
                    "index": run.rounds.len(), "arm": arm, "purpose": kind, "block": block,
                    "status": "ok", "wall_s": 1.0,
                });
                let mut round: Round = serde_json::from_value(round).expect("a round");
                let luck = (host + 0.05 * normal(rng)).exp();
                for repetition in 0..REPETITIONS as u32 {
                    let slow = if rng.unit() < 1.0 / 30.0 { 5.0 } else { 1.0 };
                    let mut time = || luck * slow * 1e4 * (0.2 * normal(rng)).exp();
                    let (sum, reap) = (time(), time());
                    let mut values = vec![("sum", Unit::Us, sum), ("reap", Unit::Us, reap)];
                    if kind == Purpose::Probed {
                        values.push(("entries", Unit::Count, poisson(mean * luck, rng)));
                    }
                    round
                        .records
                        .extend(values.into_iter().map(|(metric, unit, value)| {
                            Record::Sample(Sample {
                                scenario: "race".into(),
                                metric: metric.into(),
                                unit,
                                repetition,
                                warmup: false,
                                value,
                                walker: None,
                                at: None,
                            })
                        }));
                }
                run.rounds.push(round);
            }
        }
        let looks = Looks::new(LIMIT).at().any(|look| look == block + 1);
        if looks && evidence::decided(&run) {
            break;
        }
    }
    let changed = |c: &Comparison| matches!(c.verdict, Verdict::Improved | Verdict::Regressed);
    analyse(&run).comparisons.iter().any(changed)
}

fn share(mut holds: impl FnMut() -> bool) -> f64 {
    (0..RUNS).filter(|_| holds()).count() as f64 / f64::from(RUNS)
}

fn main() {
    let mut rng = Rng::new(20_251_110);
    let hosts = [
        Host::Quiet,
        Host::Drift,
        Host::Walk,
        Host::Spikes,
        Host::Period(2),
        Host::Period(4),
        Host::Period(8),
        Host::States,
    ];
    println!(
        "false alarms of whole runs, limit 8, % (at most 5): three deciding metrics and two tails, \
         with looks"
    );
    for host in hosts {
        let row: Vec<String> = [20.0, 0.2]
            .map(|mean| {
                let alarms = (0..WHOLE).filter(|_| whole(mean, host, &mut rng)).count();
                format!("{:5.1}", alarms as f64 * 100.0 / f64::from(WHOLE))
            })
            .to_vec();
        println!("  {:12} {}", format!("{host:?}"), row.join(" "));
    }
    println!("the same of one time alone, limits 8 and 24: normal, skewed, bimodal");
    for host in hosts {
        let row: Vec<String> = [Own::Normal, Own::Skewed, Own::Bimodal]
            .into_iter()
            .flat_map(|own| [(own, 8), (own, 24)])
            .map(|(own, limit)| {
                let share = share(|| {
                    let metrics = run(&[own], host, limit, [0.05, 0.1], 1.0, &mut rng);
                    metrics[0].differs(Looks::new(limit), limit).is_some()
                });
                format!("{:5.1}", share * 100.0)
            })
            .collect();
        println!("  {:12} {}", format!("{host:?}"), row.join(" "));
    }
    println!(
        "power within {LIMIT} blocks at -10 %, boot sd 5 %, host sd 10 % (drift: at least 75)"
    );
    for host in hosts {
        let share = share(|| {
            let metrics = run(&[Own::Normal], host, LIMIT, [0.05, 0.1], 0.9, &mut rng);
            metrics[0].differs(Looks::new(LIMIT), LIMIT).is_some()
        });
        println!("  {:12} {:5.1}", format!("{host:?}"), share * 100.0);
    }
    println!(
        "coverage of the 95 % interval, % (93 to 97), 6 8 12 16 24 blocks; and where a run stopped"
    );
    for own in [
        Own::Normal,
        Own::Skewed,
        Own::Bimodal,
        Own::Count(350.0),
        Own::Count(2.0),
        Own::Count(0.2),
        Own::Count(0.05),
    ] {
        for arm in [1.0, 0.8, 0.2] {
            let fixed: Vec<String> = [6, 8, 12, 16, 24]
                .into_iter()
                .map(|blocks| {
                    let share = share(|| {
                        let metrics = run(&[own], Host::Drift, blocks, [0.1, 0.1], arm, &mut rng);
                        let ends = metrics[0].blocks(blocks).interval(0.05);
                        ends.is_some_and(|[low, high]| low <= arm && arm <= high)
                    });
                    format!("{:5.1}", share * 100.0)
                })
                .collect();
            let stopped: Vec<String> = [8, 24]
                .into_iter()
                .map(|limit| {
                    let share = share(|| {
                        let metrics = run(&[own], Host::Drift, limit, [0.1, 0.1], arm, &mut rng);
                        let looks = Looks::new(limit);
                        let at = metrics[0].differs(looks, limit).unwrap_or(limit);
                        let ends = metrics[0].blocks(at).interval(looks.level(at));
                        ends.is_some_and(|[low, high]| low <= arm && arm <= high)
                    });
                    format!("{:5.1}", share * 100.0)
                })
                .collect();
            println!(
                "  {:12} x {arm:3}  {}   {}",
                format!("{own:?}"),
                fixed.join(" "),
                stopped.join(" ")
            );
        }
    }
}
