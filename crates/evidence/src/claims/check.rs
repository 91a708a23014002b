//! Claims beside what a run measured.

use std::collections::BTreeMap;

use super::model::{Check, Claimed, Claims, Reproduced};
use super::read::read;
use crate::analyse::comparison::Comparison;
use crate::run::{Question, Run};
use results::record::Unit;

impl Claimed {
    /// Those of the run's changelog; none where it claims nothing in figures,
    /// nothing was measured, or nobody asked and no words of it are known.
    pub(crate) fn of(run: &Run, comparisons: &[Comparison]) -> Option<Self> {
        let claims = read(&run.changelog);
        let in_figures = !claims.rows.is_empty() || !claims.figures.is_empty();
        let checks = check(&claims, run, comparisons, &run.claims);
        let asked = run.question == Question::Expectations
            || checks.iter().any(|check| check.measured.is_some());
        (in_figures && asked && !comparisons.is_empty()).then_some(Self { claims, checks })
    }
}

/// Sets what was measured beside what is claimed. `metrics` says which words in
/// a row's label mean which metric, as a manifest does: `METRIC` or
/// `METRIC/WALKER`. The longest words that a label has decide.
pub fn check(
    claims: &Claims,
    run: &Run,
    comparisons: &[Comparison],
    metrics: &BTreeMap<String, String>,
) -> Vec<Check> {
    claims
        .rows
        .iter()
        .filter_map(|row| {
            let claimed = row.ratio()?;
            let label = row.label.to_lowercase();
            let of: Vec<&str> = label.split(" / ").collect();
            let metric = metrics
                .iter()
                .filter(|(words, _)| {
                    // A part's words are its whole's, then its own.
                    let words = words.to_lowercase();
                    let words: Vec<&str> = words.split(" / ").collect();
                    let mut pairs = of.iter().zip(&words);
                    of.len() == words.len() && pairs.all(|(of, word)| of.contains(word.trim()))
                })
                .max_by_key(|(words, _)| words.len())
                .map(|(_, metric)| metric.as_str());
            let found = metric.and_then(|metric| measured(run, comparisons, metric));
            Some(Check {
                label: row.label.clone(),
                claimed,
                metric: found.map(|c| c.label.clone()),
                measured: found.and_then(|c| c.ratio),
                interval: found.and_then(|c| c.interval),
                verdict: found.map_or(Reproduced::NotMeasured, |c| reproduced(claimed, c)),
            })
        })
        .collect()
}

/// The comparison that a name means: of a time without probes, or of what stands for
/// it there, where there is a choice.
fn measured<'a>(run: &Run, comparisons: &'a [Comparison], name: &str) -> Option<&'a Comparison> {
    let (metric, walker) = name
        .split_once('/')
        .map_or((name, None), |(m, w)| (m, Some(w)));
    let means = |c: &Comparison, metric: &str| {
        let of = c.walker.map(|walker| match walker {
            results::record::Walker::Reaper => "reaper",
            results::record::Walker::Exit => "exit",
        });
        c.metric == metric && (walker.is_none() || walker == of)
    };
    let find = |unprobed, metric| {
        let mut kind = comparisons.iter().filter(move |c| c.unprobed == unprobed);
        kind.find(|c| means(c, metric))
    };
    find(true, run.unprobed_of(metric))
        .filter(|c| c.unit != Unit::Count)
        .or_else(|| find(false, metric))
}

fn reproduced(claimed: f64, measured: &Comparison) -> Reproduced {
    let Some([low, high]) = measured.interval else {
        return Reproduced::CantTell;
    };
    let holds = |ratio: f64| low <= ratio && ratio <= high;
    let same_way = if claimed < 1.0 { high < 1.0 } else { low > 1.0 };
    match (holds(claimed), holds(1.0)) {
        (true, true) => Reproduced::CantTell,
        (true, false) => Reproduced::Reproduced,
        (false, _) if same_way => Reproduced::SameSign,
        (false, _) => Reproduced::NotReproduced,
    }
}
