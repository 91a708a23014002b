//! `report.html`: one file without scripts that loads nothing, for screens
//! from 360 pixels on and for paper.

use std::fmt::Write as _;

use results::record::Unit;

use super::changelog::changelog;
use super::claims::claims;
use super::markdown::provenance;
use super::words::{decided_words, headline};
use super::{chart, probes, sweeps};
use crate::analyse::comparison::{Comparison, Verdict, ratio_words, rounds_words};
use crate::analyse::model::{Report, Status};
use crate::analyse::samples::{Key, Samples};
use crate::analyse::scenarios::Tally;
use crate::run::Run;
use crate::words::{capitalise, one_line, significant, value};
use results::Arm;

/// Charts of samples beyond these are left out.
const MAX_STRIPS: usize = 12;
/// Rows of a table beyond these are left out.
const MAX_ROWS: usize = 500;

/// `report.html`. The run gives the raw samples and walks for the charts.
pub fn html(run: &Run, report: &Report) -> String {
    let mut page = Page(String::with_capacity(1 << 16));
    let title = format!(
        "{} {} on {}",
        report.series.name, report.series.version, report.kernel.name
    );
    let title = escape(&one_line(&title));
    page.raw(&format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    ));
    answer(&mut page, report);
    walks(&mut page, run);
    strips(&mut page, run, report);
    sweeps(&mut page, report);
    stacks(&mut page, report);
    claimed(&mut page, report);
    scenarios(&mut page, report);
    rounds(&mut page, report);
    page.raw("<section>\n<h2>How it was measured</h2>\n<dl>\n");
    for (name, text) in provenance(report) {
        page.raw(&format!(
            "<dt>{}</dt><dd>{}</dd>\n",
            escape(&name),
            escape(&text)
        ));
    }
    page.raw("</dl>\n</section>\n</main>\n</body>\n</html>\n");
    page.0
}

fn answer(page: &mut Page, report: &Report) {
    for caveat in &report.caveats {
        page.element("p class=\"caveat\"", &one_line(caveat));
    }
    let class = match report.status {
        Status::Passed => "passed",
        Status::Failed => "failed",
        Status::Infrastructure => "broken",
    };
    page.element(
        &format!("p class=\"answer {class}\""),
        &one_line(&headline(report)),
    );
    page.element(
        "p",
        &format!("{}.", capitalise(&report.order.words(report.names))),
    );
    if report.reasons.len() > 1 {
        page.raw("<ul>");
        report
            .reasons
            .iter()
            .take(MAX_ROWS)
            .for_each(|why| page.element("li", &one_line(why)));
        page.raw("</ul>\n");
    }
    if let Some(words) = decided_words(report) {
        page.element("p", &words);
    }
    if report.comparisons.is_empty() {
        return;
    }
    page.raw("<section>\n<h2>Base against patched</h2>\n");
    page.raw(
        "<table class=\"cards\">\n<thead><tr><th>metric</th><th>base</th><th>patched</th>\
         <th>ratio [95 %]</th><th>boots</th><th>samples</th><th>verdict</th></tr></thead>\n<tbody>\n",
    );
    let mut scenario = None;
    for c in report.comparisons.iter().take(MAX_ROWS) {
        if scenario != Some(&c.scenario) {
            scenario = Some(&c.scenario);
            page.raw(&format!(
                "<tr class=\"group\"><th colspan=\"7\">{}</th></tr>\n",
                escape(&one_line(&c.scenario))
            ));
        }
        comparison_row(page, c);
    }
    page.raw(&format!(
        "</tbody>\n</table>\n<p class=\"small\">Medians over all repetitions, warm-ups left out. \
         The ratio is patched / base; its interval resamples boots, then repetitions inside each. \
         A verdict needs the interval and a permutation test over boots (5 %) to agree; a change \
         below {} % counts as none. Metrics in bold decide.</p>\n</section>\n",
        escape(&significant(report.margin * 100.0))
    ));
}

fn comparison_row(page: &mut Page, c: &Comparison) {
    let (class, sign) = match c.verdict {
        Verdict::Improved => ("good", "\u{25bc} "),
        Verdict::Regressed => ("bad", "\u{25b2} "),
        Verdict::NoChange => ("same", "= "),
        Verdict::Inconclusive => ("open", "? "),
    };
    let sign = match (c.verdict, c.lower_is_better) {
        (Verdict::Improved, false) => "\u{25b2} ",
        (Verdict::Regressed, false) => "\u{25bc} ",
        _ => sign,
    };
    let more = match c.rounds_needed {
        Some(rounds) => format!(" <span class=\"small\">{}</span>", rounds_words(rounds)),
        None => String::new(),
    };
    let label = escape(&one_line(&c.label));
    let label = if c.primary {
        format!("<strong>{label}</strong>")
    } else {
        label
    };
    page.raw(&format!(
        "<tr><th scope=\"row\">{label}</th><td class=\"n\" data-l=\"base\">{}</td>\
         <td class=\"n\" data-l=\"patched\">{}</td><td class=\"n\" data-l=\"ratio [95 %]\">{}</td>\
         <td class=\"n\" data-l=\"boots\">{}+{}</td><td class=\"n\" data-l=\"samples\">{}+{}</td>\
         <td data-l=\"verdict\"><span class=\"{class}\">{sign}{}</span>{more}</td></tr>\n",
        figure(c.unit, c.base.median),
        figure(c.unit, c.patched.median),
        escape(&ratio_words(c)),
        c.base.boots,
        c.patched.boots,
        c.base.samples,
        c.patched.samples,
        c.verdict.as_str(),
    ));
}

fn figure(unit: Unit, of: f64) -> String {
    escape(&value(unit, of).replace("us", "\u{b5}s"))
}

fn walks(page: &mut Page, run: &Run) {
    let shown = chart::shown(run);
    if shown.is_empty() {
        return;
    }
    page.raw(
        "<section>\n<h2>Where the two walkers are</h2>\n<p class=\"key\">\
         <span class=\"swatch reaper\">\u{25cf}</span> reaper \
         <span class=\"swatch exit\">\u{2715}</span> the victim\u{2019}s own exit</p>\n<div class=\"charts\">\n",
    );
    let axes = chart::Axes::of(&shown);
    for one in &shown {
        page.raw("<figure>\n");
        page.element("h3", one.arm.as_str());
        page.raw(&chart::collision(one, &axes));
        page.element(
            "figcaption",
            &format!(
                "Round {}, {}, repetition {}: {}.",
                one.round,
                one_line(&one.walk.scenario),
                one.walk.repetition,
                chart::collision_words(one.walk)
            ),
        );
        page.raw("</figure>\n");
    }
    page.raw(
        "</div>\n<p class=\"small\">Each line joins the ranges in the order in which a walker enters them; \
         its marks only tell the two apart. Upwards is the \
         rank of the range\u{2019}s first address among all that this walk saw, not the address \
         itself, so that a sparse address space does not collapse. Both arms have the same axes. \
         Rounds with such a trace are not timed.</p>\n</section>\n",
    );
}

fn strips(page: &mut Page, run: &Run, report: &Report) {
    let all = Samples::of(run);
    // Where nothing is named as primary, everything is worth a look.
    let any_primary = report.comparisons.iter().any(|c| c.primary);
    let charts: Vec<_> = report
        .comparisons
        .iter()
        .filter(|c| c.shown || !any_primary)
        .filter_map(|c| {
            let key = Key {
                scenario: c.scenario.clone(),
                unprobed: c.unprobed,
                metric: c.metric.clone(),
                walker: c.walker,
            };
            Some((c, all.get(&key)?))
        })
        .take(MAX_STRIPS)
        .collect();
    if charts.is_empty() {
        return;
    }
    page.raw(
        "<section>\n<h2>Every sample</h2>\n<p class=\"key\"><span class=\"swatch base\">\u{2715}</span> \
         base <span class=\"swatch patched\">\u{25cf}</span> patched</p>\n<div class=\"charts\">\n",
    );
    for (comparison, samples) in charts {
        page.raw("<figure>\n");
        page.element("h3", &one_line(&comparison.label));
        page.raw(&chart::strips(comparison, samples));
        page.element("figcaption", &one_line(&comparison.scenario));
        page.raw("</figure>\n");
    }
    page.raw(
        "</div>\n<p class=\"small\">One column a boot; the short bar is the boot\u{2019}s median, \
         the long line the arm\u{2019}s. Where samples span more than a factor of 20 the scale is \
         logarithmic and zeros lie on the bottom line.</p>\n</section>\n",
    );
}

fn sweeps(page: &mut Page, report: &Report) {
    if report.sweeps.is_empty() {
        return;
    }
    page.raw("<section>\n<h2>Where it helps and where it costs</h2>\n<p class=\"key\"><span class=\"swatch base\">\u{2715}</span> base <span class=\"swatch patched\">\u{25cf}</span> patched</p>\n<div class=\"charts\">\n");
    for sweep in &report.sweeps {
        page.raw("<figure>\n");
        page.element("h3", &one_line(&sweep.scenario));
        page.raw(&chart::sweep(sweep));
        page.raw("<p class=\"key\">");
        for (class, mark, label) in chart::sweep_key(sweep) {
            page.raw(&format!(
                "<span class=\"swatch {class}\">{mark}</span> {}<br>",
                escape(&one_line(label))
            ));
        }
        page.raw("</p>\n");
        page.element("figcaption", &one_line(&sweep.axis));
        page.raw("</figure>\n");
    }
    page.raw("</div>\n");
    for sweep in &report.sweeps {
        let shown: Vec<_> = sweep.metrics.iter().filter(|m| m.shown).collect();
        page.element(
            "h3",
            &one_line(&format!("{}: {}", sweep.scenario, sweep.axis)),
        );
        page.raw("<table class=\"cards\">\n<thead><tr><th>at</th>");
        for metric in &shown {
            let head = format!("{}, {}", metric.label, sweeps::meaning(metric));
            page.raw(&format!("<th>{}</th>", escape(&one_line(&head))));
        }
        page.raw("</tr></thead>\n<tbody>\n");
        let mut at: Vec<f64> = shown.iter().flat_map(|m| &m.points).map(|p| p.at).collect();
        at.sort_by(f64::total_cmp);
        at.dedup();
        for at in at.into_iter().take(MAX_ROWS) {
            page.raw(&format!(
                "<tr><th class=\"n\" scope=\"row\">{}</th>",
                significant(at)
            ));
            for metric in &shown {
                let point = metric.points.iter().find(|p| p.at == at);
                let words =
                    point.map_or_else(|| "\u{2013}".into(), |p| sweeps::words(metric.unit, p));
                page.raw(&format!(
                    "<td class=\"n\" data-l=\"{}\">{}</td>",
                    escape(&one_line(&metric.label)),
                    escape(&words)
                ));
            }
            page.raw("</tr>\n");
        }
        page.raw("</tbody>\n</table>\n");
    }
    page.raw(
        "<p class=\"small\">Above: medians of counts, base and patched. Below: the ratio of \
         the medians, patched / base, with its 95 % interval; below 1 the series helps. Sweeps \
         show where, and decide nothing: with so many points one interval in twenty misses 1 by \
         chance.</p>\n</section>\n",
    );
}

fn stacks(page: &mut Page, report: &Report) {
    if !report.stacks.is_empty() {
        page.raw(
            "<section>\n<h2>Where the walkers wait</h2>\n<table class=\"cards\">\n<thead><tr>\
             <th>who, and in what</th><th>base</th><th>patched</th></tr></thead>\n<tbody>\n",
        );
        for row in report.stacks.iter().take(MAX_ROWS) {
            let figure = |arm| escape(&probes::waits_words(row, arm).replace("us", "\u{b5}s"));
            page.raw(&format!(
                "<tr><th scope=\"row\"><code>{}</code></th><td class=\"n\" data-l=\"base\">{}</td>\
                 <td class=\"n\" data-l=\"patched\">{}</td></tr>\n",
                escape(&probes::stack_words(row, " \u{2190} ")),
                figure(Arm::Base),
                figure(Arm::Patched),
            ));
        }
        page.raw(
            "</tbody>\n</table>\n<p class=\"small\">Waits for spinlocks and their time, in a \
             repetition on average; the function that takes the lock first.</p>\n</section>\n",
        );
    }
    let costs: Vec<_> = probes::costs(report).map(probes::cost_words).collect();
    if !costs.is_empty() {
        page.raw("<section>\n<h2>What the probes cost</h2>\n<ul>\n");
        costs.iter().for_each(|cost| page.element("li", cost));
        page.raw("</ul>\n</section>\n");
    }
}

fn claimed(page: &mut Page, report: &Report) {
    if let Some(claimed) = &report.claims {
        page.raw("<section>\n<h2>What the changelog claims</h2>\n");
        let text = claims(&claimed.claims, &claimed.checks);
        page.element("pre", text.trim_end());
        page.raw("</section>\n");
    }
    let changelog = changelog(report);
    if !changelog.is_empty() {
        page.raw("<section>\n<h2>For the changelog</h2>\n");
        page.element("pre", changelog.trim_end());
        page.raw("</section>\n");
    }
}

fn scenarios(page: &mut Page, report: &Report) {
    if report.scenarios.is_empty() {
        return;
    }
    page.raw(
        "<section>\n<h2>Scenarios</h2>\n<table class=\"cards\">\n<thead><tr><th>scenario</th>\
         <th>base</th><th>patched</th><th>why</th></tr></thead>\n<tbody>\n",
    );
    for row in report.scenarios.iter().take(MAX_ROWS) {
        let cell = |tally: &Tally| {
            let class = if tally.failed > 0 {
                "bad"
            } else if tally.passed > 0 && tally.lost == 0 {
                "good"
            } else {
                "open"
            };
            format!("<span class=\"{class}\">{}</span>", escape(&tally.words()))
        };
        let why = row.why.as_deref().map(one_line).unwrap_or_default();
        page.raw(&format!(
            "<tr><th scope=\"row\">{}</th><td data-l=\"base\">{}</td><td data-l=\"patched\">{}</td>\
             <td data-l=\"why\">{}</td></tr>\n",
            escape(&one_line(&row.name)),
            cell(&row.base),
            cell(&row.patched),
            escape(&why)
        ));
    }
    page.raw("</tbody>\n</table>\n</section>\n");
}

fn rounds(page: &mut Page, report: &Report) {
    if report.rounds.is_empty() {
        return;
    }
    page.raw(
        "<section>\n<h2>Rounds</h2>\n<table class=\"cards\">\n<thead><tr><th>round</th><th>arm</th>\
         <th>ended</th><th>console</th><th>boot</th><th>in all</th></tr></thead>\n<tbody>\n",
    );
    for round in report.rounds.iter().take(MAX_ROWS) {
        let seconds = |s: f64| format!("{s:.1} s");
        let class = if round.arm == Arm::Base {
            "base"
        } else {
            "patched"
        };
        page.raw(&format!(
            "<tr><th scope=\"row\">{}</th><td data-l=\"arm\"><span class=\"swatch {class}\">\
             \u{25a0}</span> {class}{}</td><td data-l=\"ended\">{}</td><td data-l=\"console\">{}</td>\
             <td class=\"n\" data-l=\"boot\">{}</td><td class=\"n\" data-l=\"in all\">{}</td></tr>\n",
            round.index,
            round.how,
            round.status.as_str(),
            round.console_verdict,
            round.boot_s.map_or_else(|| "\u{2013}".to_owned(), seconds),
            seconds(round.wall_s),
        ));
    }
    page.raw("</tbody>\n</table>\n</section>\n");
}

struct Page(String);

impl Page {
    fn raw(&mut self, html: &str) {
        self.0.push_str(html);
    }

    /// An element, `tag` with its attributes, around text from outside.
    fn element(&mut self, tag: &str, text: &str) {
        let name = tag.split(' ').next().unwrap_or(tag);
        let _ = writeln!(self.0, "<{tag}>{}</{name}>", escape(text));
    }
}

/// Text for HTML, in elements and in quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push('\n'),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

pub(super) const STYLE: &str = "
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#57606a;--line:#d0d7de;--soft:#f3f5f7;
--reaper:#d55e00;--exit:#0072b2;--base:#0072b2;--patched:#d55e00;--third:#00684a;--good:#00684a;--bad:#a33c00}
@media (prefers-color-scheme:dark){:root{--bg:#14171b;--fg:#e6e9ed;--dim:#a3adb8;--line:#3a424b;
--soft:#1e2329;--reaper:#e69f00;--exit:#56b4e9;--base:#56b4e9;--patched:#e69f00;--third:#3fd0a0;--good:#3fd0a0;
--bad:#ff9a5c}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif;
overflow-wrap:anywhere}
thead th,.n{overflow-wrap:normal}
main{max-width:1200px;margin:0 auto;padding:16px}
h1{font-size:1.5rem;line-height:1.25;margin:.2em 0 .6em}
h2{font-size:1.2rem;margin:1.8em 0 .5em}
h3{font-size:1rem;margin:0 0 .3em}
p,ul,dl{max-width:75ch}
.answer{font-size:1.15rem;font-weight:600;padding:.7em .9em;background:var(--soft);
border-left:5px solid var(--dim)}
.answer.passed{border-color:var(--good)}
.answer.failed{border-color:var(--bad)}
.caveat{border-left:5px solid var(--line);padding-left:.9em;color:var(--dim);margin:.4em 0}
.small,figcaption,.key{font-size:.875rem;color:var(--dim)}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.35em .6em;border-bottom:1px solid var(--line);vertical-align:top}
thead th,.group th{font-size:.875rem;color:var(--dim);font-weight:600}
.group th{padding-top:.9em}
tbody th{font-weight:400}
.n{font-variant-numeric:tabular-nums;white-space:nowrap}
.good{color:var(--good);font-weight:600}
.bad{color:var(--bad);font-weight:600}
td .good,td .bad,td .same,td .open{white-space:nowrap}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:20px}
pre{overflow-x:auto;font-size:.8rem;background:var(--soft);padding:.7em}
.charts+h3{margin-top:1.5em}h3+.cards{margin-bottom:1.2em}
figure{margin:0;max-width:620px;break-inside:avoid}
svg{display:block;width:100%;height:auto;font:13px system-ui,sans-serif}
svg text{fill:var(--fg)}
svg .tick{fill:var(--dim);font-size:12.5px}
svg .figure{font-weight:600}
svg path{fill:none}
.grid{stroke:var(--line);stroke-width:.8}
.walk{stroke-width:1.1;opacity:.9}
.dots{stroke-linecap:round;opacity:.85}
.crosses{opacity:.85}
.median{stroke-width:2}.unit{stroke:var(--dim);stroke-width:1.2;stroke-dasharray:5 3}
.boot{stroke:var(--fg);stroke-width:2}
path.reaper{stroke:var(--reaper)}path.exit{stroke:var(--exit)}
path.third{stroke:var(--third)}path.fourth{stroke:var(--fg)}path.base{stroke:var(--base)}path.patched{stroke:var(--patched)}
.swatch.reaper{color:var(--reaper)}.swatch.exit{color:var(--exit)}
.swatch.base{color:var(--base)}.swatch.patched{color:var(--patched)}
.swatch.third{color:var(--third)}.swatch.fourth{color:var(--fg)}
.swatch+.swatch{margin-left:1em}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25em 1em;max-width:none}
dt{color:var(--dim)}
dd{margin:0}
@media (max-width:700px){
svg{font-size:15px}svg .tick{font-size:14px}
.cards thead{display:none}
.cards,.cards tbody,.cards tr,.cards th,.cards td{display:block;border:0;padding:.1em 0}
.cards tr{border-bottom:1px solid var(--line);padding:.5em 0}
.cards .group{border:0;padding-bottom:0}
.cards td{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 1em;text-align:right;white-space:normal}
.cards td:empty{display:none}
.cards td::before{content:attr(data-l);color:var(--dim);text-align:left;margin-right:auto}
.cards td .small{flex-basis:100%}
dl{display:block}dd{margin:0 0 .5em}
}
@media print{
:root{--bg:#fff;--fg:#000;--dim:#444;--line:#bbb;--soft:#fff;--reaper:#d55e00;--exit:#0072b2;
--base:#0072b2;--patched:#d55e00;--good:#00543c;--bad:#8a3300}
body{font-size:10pt}
main{max-width:none;padding:0}
.charts{grid-template-columns:1fr 1fr}
h2,h3,.key{break-after:avoid}
tr,figure{break-inside:avoid}
}
";
