//! Charts as inline SVG, without scripts. Colours are CSS classes of the page
//! (Okabe and Ito's palette); shapes differ as well, so that no chart needs
//! its colours to be read.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use results::record::{Record, Step, Unit, Walk, Walker};

use crate::analyse::comparison::Comparison;
use crate::analyse::samples::Measured;
use crate::analyse::sweep::{Sweep, SweptMetric};
use crate::run::Run;
use crate::words::{escape, significant, value};
use results::Arm;

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 46.0;
/// A line of more points is thinned out.
const MAX_POINTS: usize = 2_500;
/// Marks on the line of a walk: with more one could not tell their shapes.
const WALK_MARKS: usize = 50;
/// Samples of one chart beyond these are thinned out.
const MAX_SAMPLES: usize = 5_000;

/// The data that a chart shows.
pub(super) enum Chart<'a> {
    /// A walk, in the frame that all walks share.
    Walk(Shown<'a>, Axes),
    /// Every sample of a metric.
    Samples(&'a Comparison, Measured),
    /// What was measured against what was varied.
    Sweep(&'a Sweep),
}

/// The chart as an SVG element.
pub(super) fn draw(chart: &Chart<'_>) -> String {
    match chart {
        Chart::Walk(shown, axes) => collision(shown, axes),
        Chart::Samples(comparison, measured) => strips(comparison, measured),
        Chart::Sweep(sweep) => self::sweep(sweep),
    }
}

/// The walk that a chart shows.
pub(super) struct Shown<'a> {
    pub arm: Arm,
    pub round: u32,
    pub walk: &'a Walk,
}

/// One walk an arm, of the same scenario where one has walks of both arms: of those in
/// which both walkers took part, the one in which the walker that did less did most, so
/// that one sees them meet.
pub(super) fn shown(run: &Run) -> Vec<Shown<'_>> {
    let walks = |arm: Arm| {
        let rounds = run.rounds.iter().filter(move |round| round.arm == arm);
        rounds.flat_map(move |round| {
            round.records.iter().filter_map(move |record| match record {
                Record::Walk(walk) if !walk.steps.is_empty() => Some(Shown {
                    arm,
                    round: round.index,
                    walk,
                }),
                _ => None,
            })
        })
    };
    let pick = |arm: Arm, scenario: Option<&str>| {
        let of = walks(arm).filter(|one| scenario.is_none_or(|name| one.walk.scenario == name));
        // The first of equals, so that a report does not change by itself.
        of.reduce(|best, next| match score(next.walk) > score(best.walk) {
            true => next,
            false => best,
        })
    };
    let scenarios: BTreeSet<&str> = Arm::BOTH
        .into_iter()
        .flat_map(walks)
        .map(|one| one.walk.scenario.as_str())
        .collect();
    let least = |pair: &[Shown<'_>]| pair.iter().map(|one| score(one.walk)).min();
    let pairs = scenarios.into_iter().filter_map(|name| {
        let pair: Vec<_> = Arm::BOTH
            .into_iter()
            .filter_map(|arm| pick(arm, Some(name)))
            .collect();
        (pair.len() == Arm::BOTH.len()).then_some(pair)
    });
    let best = pairs.reduce(|best, next| match least(&next) > least(&best) {
        true => next,
        false => best,
    });
    best.unwrap_or_else(|| {
        let each = Arm::BOTH.into_iter().filter_map(|arm| pick(arm, None));
        each.collect()
    })
}

fn score(walk: &Walk) -> (usize, usize) {
    let reaper = walk
        .steps
        .iter()
        .filter(|step| step.0 == Walker::Reaper)
        .count();
    (reaper.min(walk.steps.len() - reaper), walk.steps.len())
}

/// The frame that both arms' charts share.
#[derive(Clone, Copy)]
pub(super) struct Axes {
    time: f64,
    ranks: usize,
}

impl Axes {
    pub(super) fn of(shown: &[Shown<'_>]) -> Self {
        let steps = shown.iter().flat_map(|one| &one.walk.steps);
        let time = steps
            .map(|step| step.1)
            .filter(|t| t.is_finite())
            .fold(1.0, f64::max);
        let ranks = shown
            .iter()
            .map(|one| starts(one.walk).len())
            .max()
            .unwrap_or(1)
            .max(2);
        Self { time, ranks }
    }

    fn x(&self, time: f64) -> f64 {
        let share = if time.is_finite() {
            (time / self.time).clamp(0.0, 1.0)
        } else {
            0.0
        };
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, rank: usize) -> f64 {
        let share = rank as f64 / (self.ranks - 1) as f64;
        HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
    }
}

/// The first addresses that a walk saw, each once, from the bottom.
fn starts(walk: &Walk) -> Vec<u64> {
    let mut starts: Vec<u64> = walk.steps.iter().map(|step| step.2).collect();
    starts.sort_unstable();
    starts.dedup();
    starts
}

/// Address against time, both walkers.
fn collision(one: &Shown<'_>, axes: &Axes) -> String {
    let starts = starts(one.walk);
    let title = format!(
        "Addresses against time on {}: {}",
        one.arm.as_str(),
        collision_words(one.walk)
    );
    let mut svg = open(&title);
    let (unit, scale) = if axes.time >= 2_000.0 {
        ("ms", 1_000.0)
    } else {
        ("\u{b5}s", 1.0)
    };
    for tick in ticks(axes.time / scale) {
        let x = axes.x(tick * scale);
        vertical(&mut svg, x, &significant(tick));
    }
    for tick in ticks((axes.ranks - 1) as f64) {
        horizontal(&mut svg, axes.y(tick as usize), &significant(tick));
    }
    let _ = write!(
        svg,
        "<text class=\"axis\" x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">time, {unit}</text>\
         <text class=\"axis\" x=\"{LEFT:.0}\" y=\"16\">rank of the address</text>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 8.0,
    );
    for (walker, class) in [(Walker::Exit, "exit"), (Walker::Reaper, "reaper")] {
        let steps: Vec<&Step> = one
            .walk
            .steps
            .iter()
            .filter(|step| step.0 == walker)
            .collect();
        let stride = steps.len().div_ceil(MAX_POINTS).max(1);
        let points = steps.iter().step_by(stride).map(|step| {
            let rank = starts.partition_point(|start| *start < step.2);
            (axes.x(step.1), axes.y(rank))
        });
        let points: Vec<(f64, f64)> = points.collect();
        let line: Vec<String> = points
            .iter()
            .map(|(x, y)| format!("{x:.1} {y:.1}"))
            .collect();
        if line.len() > 1 {
            let _ = write!(
                svg,
                "<path class=\"walk {class}\" d=\"M{}\"/>",
                line.join("L")
            );
        }
        let stride = points.len().div_ceil(WALK_MARKS).max(1);
        let points: Vec<_> = points.into_iter().step_by(stride).collect();
        svg.push_str(&marks(class, walker == Walker::Reaper, &points));
    }
    svg.push_str("</svg>");
    svg
}

/// How the two walkers shared the ranges.
pub(super) fn collision_words(walk: &Walk) -> String {
    let of = |walker: Walker| {
        let mut starts: Vec<u64> = walk
            .steps
            .iter()
            .filter(|step| step.0 == walker)
            .map(|step| step.2)
            .collect();
        starts.sort_unstable();
        starts.dedup();
        starts
    };
    let (reaper, exit) = (of(Walker::Reaper), of(Walker::Exit));
    let both = reaper
        .iter()
        .filter(|start| exit.binary_search(start).is_ok())
        .count();
    format!(
        "the reaper entered {} ranges, exit {}, {both} of them both",
        reaper.len(),
        exit.len()
    )
}

/// Circles or crosses as one path.
fn marks(class: &str, round: bool, points: &[(f64, f64)]) -> String {
    if points.is_empty() {
        return String::new();
    }
    let radius = if points.len() > 400 { 1.2 } else { 2.4 };
    let mut path = String::new();
    for (x, y) in points {
        let _ = if round {
            write!(path, "M{x:.1} {y:.1}h0")
        } else {
            let size = radius * 2.0;
            write!(
                path,
                "M{:.1} {:.1}l{size:.1} {size:.1}m0-{size:.1}l-{size:.1} {size:.1}",
                x - radius,
                y - radius
            )
        };
    }
    let width = if round { radius * 2.0 } else { 1.1 };
    let kind = if round { "dots" } else { "crosses" };
    format!("<path class=\"{kind} {class}\" stroke-width=\"{width:.1}\" d=\"{path}\"/>")
}

/// Every sample of one metric, boot by boot, with what each boot and each arm comes to,
/// as the tables have it.
fn strips(comparison: &Comparison, measured: &Measured) -> String {
    let boots: Vec<(Arm, &Vec<f64>)> = measured
        .base
        .iter()
        .map(|boot| (Arm::Base, boot))
        .chain(measured.patched.iter().map(|boot| (Arm::Patched, boot)))
        .collect();
    let all = || boots.iter().flat_map(|(_, boot)| boot.iter().copied());
    let scale = Scale::of(all());
    let title = format!("Every sample of {}", comparison.label);
    let mut svg = open(&title);
    for (at, label) in scale.ticks(comparison.unit) {
        horizontal(&mut svg, scale.y(at), &label);
    }
    let columns = boots.len().max(1) as f64 + 1.0; // one column between the arms
    let step = (WIDTH - LEFT - RIGHT) / columns;
    let column = |index: usize| {
        let gap = if index >= measured.base.len() {
            1.0
        } else {
            0.0
        };
        LEFT + (index as f64 + gap + 0.5) * step
    };
    for arm in Arm::BOTH {
        let class = arm.as_str();
        let mut points = Vec::new();
        let mut middles = String::new();
        for (index, (_, boot)) in boots.iter().enumerate().filter(|(_, (of, _))| *of == arm) {
            let x = column(index);
            let stride = (boot.len() * boots.len()).div_ceil(MAX_SAMPLES).max(1);
            points.extend(
                boot.iter()
                    .enumerate()
                    .step_by(stride)
                    .map(|(at, value)| (x + jitter(at) * step * 0.6, scale.y(*value))),
            );
            if !boot.is_empty() {
                let (half, y) = (step * 0.36, scale.y(measured.summary(boot)));
                let _ = write!(middles, "M{:.1} {y:.1}h{:.1}", x - half, half * 2.0);
            }
        }
        svg.push_str(&marks(class, arm == Arm::Patched, &points));
        if !middles.is_empty() {
            let _ = write!(svg, "<path class=\"boot\" d=\"{middles}\"/>");
        }
        let (samples, first, last) = match arm {
            Arm::Base => (&comparison.base, 0, measured.base.len()),
            Arm::Patched => (&comparison.patched, measured.base.len(), boots.len()),
        };
        if first < last {
            let (from, to) = (column(first) - step / 2.0, column(last - 1) + step / 2.0);
            let y = scale.y(samples.level);
            let _ = write!(
                svg,
                "<path class=\"median {class}\" d=\"M{from:.1} {y:.1}H{to:.1}\"/>\
                 <text class=\"axis\" x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{class}</text>\
                 <text class=\"figure\" x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>",
                (from + to) / 2.0,
                HEIGHT - BOTTOM + 17.0,
                (from + to) / 2.0,
                HEIGHT - BOTTOM + 35.0,
                escape(&value(comparison.unit, samples.level).replace("us", "\u{b5}s")),
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

/// The heights of a sweep's two panels, counts above and ratios below, and of
/// what lies between them.
const PANELS: [f64; 2] = [100.0, 190.0];
const BETWEEN: f64 = 44.0;

/// How the ratios of a sweep are drawn: a class, and a shape for those who
/// can't tell colours.
const SERIES: [(&str, Shape); 4] = [
    ("base", Shape::Square),
    ("patched", Shape::Circle),
    ("third", Shape::Cross),
    ("fourth", Shape::Circle),
];

#[derive(Clone, Copy)]
enum Shape {
    Square,
    Circle,
    Cross,
}

/// What was measured against what was varied: the first of its counts as it is,
/// and the ratios of all times with their intervals.
fn sweep(sweep: &Sweep) -> String {
    let shown: Vec<&SweptMetric> = sweep.metrics.iter().filter(|m| m.shown).collect();
    let mut at: Vec<f64> = shown.iter().flat_map(|m| &m.points).map(|p| p.at).collect();
    at.sort_by(f64::total_cmp);
    at.dedup();
    let ratios: Vec<&SweptMetric> = ratios(sweep).collect();
    let height = TOP + PANELS[0] + BETWEEN + PANELS[1] + 26.0;
    let mut svg = open_high(&format!("{}: {}", sweep.scenario, sweep.axis), height);
    let step = (WIDTH - LEFT - RIGHT) / at.len().max(1) as f64;
    let x = |value: f64| {
        let index = at.iter().position(|at| *at == value).unwrap_or(0);
        LEFT + (index as f64 + 0.5) * step
    };
    if let Some(counts) = shown.iter().find(|m| m.unit == Unit::Count) {
        count_panel(&mut svg, counts, &x);
    }
    let top = TOP + PANELS[0] + BETWEEN;
    ratio_panel(&mut svg, &ratios, top, &x);
    let bottom = top + PANELS[1];
    for value in &at {
        let _ = write!(
            svg,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>",
            x(*value),
            bottom + 17.0,
            escape(&significant(*value))
        );
    }
    svg.push_str("</svg>");
    svg
}

/// The metrics whose ratios a sweep's chart shows.
fn ratios(sweep: &Sweep) -> impl Iterator<Item = &SweptMetric> {
    let times = sweep
        .metrics
        .iter()
        .filter(|m| m.shown && m.unit != Unit::Count);
    times.take(SERIES.len())
}

/// What its colours and shapes mean: a class, a mark and a label each.
pub(super) fn sweep_key(sweep: &Sweep) -> impl Iterator<Item = (&'static str, char, &str)> {
    ratios(sweep).zip(SERIES).map(|(metric, (class, shape))| {
        let mark = match shape {
            Shape::Square => '\u{25a0}',
            Shape::Circle => '\u{25cf}',
            Shape::Cross => '\u{2715}',
        };
        (class, mark, metric.label.as_str())
    })
}

fn count_panel(svg: &mut String, counts: &SweptMetric, x: &impl Fn(f64) -> f64) {
    let medians = counts
        .points
        .iter()
        .flat_map(|p| [p.base.median, p.patched.median]);
    let high = medians.fold(1.0, f64::max);
    let decades = (high + 1.0).log10();
    // One more than the count, so that nothing has a place as well.
    let y = |count: f64| TOP + PANELS[0] * (1.0 - (count.max(0.0) + 1.0).log10() / decades);
    let powers = (0..=decades as i32).map(|power| 10f64.powi(power));
    for tick in std::iter::once(0.0)
        .chain(powers)
        .filter(|tick| *tick <= high)
    {
        horizontal(svg, y(tick), &significant(tick));
    }
    let _ = write!(
        svg,
        "<text class=\"axis\" x=\"{LEFT:.0}\" y=\"16\">{}</text>",
        escape(&counts.label)
    );
    for arm in Arm::BOTH {
        let points: Vec<(f64, f64)> = counts
            .points
            .iter()
            .map(|point| match arm {
                Arm::Base => (x(point.at), y(point.base.median)),
                Arm::Patched => (x(point.at), y(point.patched.median)),
            })
            .collect();
        svg.push_str(&marks(arm.as_str(), arm == Arm::Patched, &points));
    }
}

fn ratio_panel(svg: &mut String, ratios: &[&SweptMetric], top: f64, x: &impl Fn(f64) -> f64) {
    let ends = ratios.iter().flat_map(|m| &m.points).flat_map(|p| {
        let [low, high] = p.interval.or(p.ratio.map(|r| [r, r])).unwrap_or([1.0, 1.0]);
        [low, high]
    });
    let sound = |end: &f64| end.is_finite() && *end > 0.0;
    // A factor of four each way at most: what lies beyond is cut off.
    let (low, high) = ends
        .filter(sound)
        .fold((0.8f64, 1.25f64), |(low, high), end| {
            (low.min(end.max(0.25)), high.max(end.min(4.0)))
        });
    let (low, high) = (low / 1.05, high * 1.05);
    let share = |ratio: f64| {
        let ratio = ratio.clamp(low, high);
        (ratio.ln() - low.ln()) / (high.ln() - low.ln())
    };
    let y = |ratio: f64| top + PANELS[1] * (1.0 - share(ratio));
    for tick in [0.25, 0.33, 0.5, 0.67, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0] {
        if (low..=high).contains(&tick) {
            horizontal(svg, y(tick), &significant(tick));
        }
    }
    let _ = write!(
        svg,
        "<text class=\"axis\" x=\"{LEFT:.0}\" y=\"{:.0}\">patched / base, 95 %</text>\
         <path class=\"unit\" d=\"M{LEFT:.0} {:.1}H{:.0}\"/>",
        top - 10.0,
        y(1.0),
        WIDTH - RIGHT
    );
    for (nth, (metric, (class, shape))) in ratios.iter().zip(SERIES).enumerate() {
        let beside = (nth as f64 - (ratios.len() - 1) as f64 / 2.0) * 9.0;
        for point in &metric.points {
            let Some(ratio) = point.ratio.filter(|ratio| ratio.is_finite()) else {
                continue;
            };
            let at = x(point.at) + beside;
            if let Some([low, high]) = point.interval {
                let (from, to) = (y(low), y(high));
                let _ = write!(
                    svg,
                    "<path class=\"median {class}\" d=\"M{at:.1} {from:.1}V{to:.1}\"/>"
                );
            }
            mark(svg, class, shape, at, y(ratio));
        }
    }
}

/// One mark of a series.
fn mark(svg: &mut String, class: &str, shape: Shape, x: f64, y: f64) {
    let _ = match shape {
        Shape::Circle => write!(
            svg,
            "<path class=\"dots {class}\" stroke-width=\"7\" d=\"M{x:.1} {y:.1}h0\"/>"
        ),
        Shape::Square => write!(
            svg,
            "<path class=\"{class}\" stroke-width=\"6\" d=\"M{:.1} {y:.1}h6\"/>",
            x - 3.0
        ),
        Shape::Cross => write!(
            svg,
            "<path class=\"{class}\" stroke-width=\"2\" d=\"M{:.1} {:.1}l7 7m0-7l-7 7\"/>",
            x - 3.5,
            y - 3.5
        ),
    };
}

/// Spread that looks random and never changes: the golden ratio's sequence.
fn jitter(at: usize) -> f64 {
    ((at + 1) as f64 * 0.618_033_988_749_895).fract() - 0.5
}

/// Linear from 0, or logarithmic where the samples span more than a factor of
/// 20; there, zeros lie on a line of their own at the bottom.
enum Scale {
    Linear { high: f64 },
    Log { low: f64, high: f64, zeros: bool },
}

impl Scale {
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let high = values.clone().fold(0.0, f64::max);
        let low = values
            .clone()
            .filter(|v| *v > 0.0)
            .fold(f64::INFINITY, f64::min);
        if low.is_finite() && high / low > 20.0 {
            let zeros = values.into_iter().any(|v| v <= 0.0);
            Self::Log {
                low: low.log10().floor(),
                high: (high * 1.05).log10(),
                zeros,
            }
        } else {
            Self::Linear {
                high: if high > 0.0 { high * 1.08 } else { 1.0 },
            }
        }
    }

    fn y(&self, value: f64) -> f64 {
        let floor = HEIGHT - BOTTOM;
        match *self {
            Self::Linear { high } => floor - (value / high).clamp(0.0, 1.0) * (floor - TOP),
            Self::Log { low, high, zeros } => {
                let floor = floor - if zeros { 22.0 } else { 0.0 };
                if value <= 0.0 {
                    return HEIGHT - BOTTOM - 4.0;
                }
                let share = (value.log10() - low) / (high - low);
                floor - share.clamp(0.0, 1.0) * (floor - TOP)
            }
        }
    }

    fn ticks(&self, unit: Unit) -> Vec<(f64, String)> {
        let label = |v: f64| value(unit, v).replace("us", "\u{b5}s");
        match *self {
            Self::Linear { high } => {
                // Ticks that are round in the unit that is shown.
                let scale = match unit {
                    Unit::Us if high >= 1e6 => 1e6,
                    Unit::Us if high >= 1e3 => 1e3,
                    _ => 1.0,
                };
                ticks(high / scale)
                    .into_iter()
                    .map(|v| (v * scale, label(v * scale)))
                    .collect()
            }
            Self::Log { low, high, zeros } => {
                let mut all: Vec<(f64, String)> = (low as i32..=high.floor() as i32)
                    .flat_map(|power| {
                        let one = 10f64.powi(power);
                        let three = (high - low < 2.5).then_some(one * 3.0);
                        std::iter::once(one).chain(three)
                    })
                    .filter(|v| v.log10() <= high)
                    .map(|v| (v, label(v)))
                    .collect();
                if zeros {
                    all.push((0.0, "0".to_owned()));
                }
                all
            }
        }
    }
}

/// Round numbers from 0 to `high`, four to seven of them.
fn ticks(high: f64) -> Vec<f64> {
    if !(high.is_finite() && high > 0.0) {
        return vec![0.0];
    }
    let rough = high / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|m| m * power)
        .find(|step| *step >= rough)
        .unwrap_or(power * 10.0);
    (0..=(high / step + 1e-9).floor() as u32)
        .map(|n| f64::from(n) * step)
        .collect()
}

fn open(title: &str) -> String {
    open_high(title, HEIGHT)
}

fn open_high(title: &str, height: f64) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH:.0} {height:.0}\" role=\"img\" aria-label=\"{0}\">\
         <title>{0}</title>",
        escape(title)
    )
}

fn horizontal(svg: &mut String, y: f64, label: &str) {
    let _ = write!(
        svg,
        "<path class=\"grid\" d=\"M{LEFT:.0} {y:.1}H{:.0}\"/>\
         <text class=\"tick\" x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
        WIDTH - RIGHT,
        LEFT - 6.0,
        y + 4.5,
        escape(label)
    );
}

fn vertical(svg: &mut String, x: f64, label: &str) {
    let _ = write!(
        svg,
        "<path class=\"grid\" d=\"M{x:.1} {TOP:.0}V{:.0}\"/>\
         <text class=\"tick\" x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>",
        HEIGHT - BOTTOM,
        HEIGHT - BOTTOM + 17.0,
        escape(label)
    );
}
