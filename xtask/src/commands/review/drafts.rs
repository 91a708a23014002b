//! `--next-version` and `--reply`: drafts to look at and to go on from. They
//! are written and shown; nothing is sent.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::Path;

use evidence::{Report, Status, report};
use series::Person;
use series::Series;
use series::patch::is_unprintable;
use series::review::Review;
use series::review::draft::{self, Answer};
use series::review::lint::Finding;

use crate::exit::{Kind, Result, fail};
use crate::output::{is_stdout, print};
use crate::run::folder;

/// Writes a draft to its file, or onto standard output.
pub fn write(to: Option<&Path>, text: &str) -> Result {
    let Some(file) = to.filter(|file| !is_stdout(file)) else {
        return match std::io::stdout().is_terminal() {
            true => print(&harmless(text)),
            false => print(text),
        };
    };
    folder::write(file, text.as_bytes())?;
    eprintln!("{}: draft written; nothing was sent", file.display());
    Ok(())
}

/// A draft quotes mail as it is; a terminal must not obey it.
fn harmless(text: &str) -> String {
    text.replace(
        |c| is_unprintable(c) && !matches!(c, '\n' | '\t'),
        "\u{fffd}",
    )
}

/// The report of the run whose findings go into the drafts.
pub fn report(run: Option<&Path>) -> Result<Option<Report>> {
    let run = run.map(folder::load).transpose()?;
    Ok(run.as_ref().map(evidence::analyse))
}

/// Whether a run tested just this version of this series.
pub fn is_of(report: &Report, series: &Series) -> bool {
    let tested = &report.series;
    let version = tested.version == format!("v{}", series.version);
    let mut subjects = series.patches.iter().map(|patch| &patch.subject);
    version && subjects.all(|subject| tested.patches.contains(subject))
}

/// Whether a run tested none of the patches of a series.
fn shares_nothing(report: &Report, series: &Series) -> bool {
    let mut subjects = series.patches.iter().map(|patch| &patch.subject);
    !subjects.any(|subject| report.series.patches.contains(subject))
}

/// The next version as a diff against the one there is.
pub fn next_version(
    review: &Review,
    accept_conditional: bool,
    report: Option<&Report>,
) -> Result<String> {
    if let Some(one) = report.filter(|one| shares_nothing(one, review.series())) {
        return fail(
            Kind::Usage,
            format!(
                "the run is of {}, which has none of these patches",
                one.series.name
            ),
        );
    }
    let measured = report.map(report::changelog);
    if measured.as_ref().is_some_and(String::is_empty) {
        return fail(
            Kind::Usage,
            "the run has no comparison to put into a changelog",
        );
    }
    let draft = draft::next_version(review, accept_conditional, measured.as_deref());
    Ok(draft.diff)
}

/// The answer to the last patch: with a run its report, else what was found
/// and what is open. A Tested-by is offered only where everything held.
pub fn reply(
    review: &Review,
    found: &[Finding],
    report: Option<&Report>,
    maintainers: Vec<Person>,
    user: Option<&Person>,
) -> Result<String> {
    let series = review.series();
    let Some(patch) = series.patches.last() else {
        return fail(Kind::Usage, "the series has no patch to reply to");
    };
    let text = match report {
        Some(report) => format!(
            "{}\n{}",
            introduction(report, series),
            report::reply(report)
        ),
        None => in_words(review, found),
    };
    let held = report
        .is_some_and(|one| one.status == Status::Passed && one.order.held && is_of(one, series));
    let source = review.sources.last();
    let mut cc: Vec<Person> = source.map(|mail| mail.to.clone()).unwrap_or_default();
    cc.extend(series.replies.iter().map(|reply| reply.by.clone()));
    cc.extend(maintainers);
    Ok(draft::answer(&Answer {
        to: patch,
        source,
        cc: &cc,
        from: user,
        text: &text,
        held,
    }))
}

/// What was tested, as it was.
fn introduction(report: &Report, series: &Series) -> String {
    let text = match is_of(report, series) {
        true if series.total == 1 => "I have tested this patch with reaperlab:".to_owned(),
        true => "I have tested this series with reaperlab:".to_owned(),
        false => format!(
            "reaperlab has tested {} {}, not these patches as they are here:",
            report.series.name, report.series.version
        ),
    };
    draft::wrapped(&text, "", "")
}

/// Who git says the user is.
pub fn user() -> Option<Person> {
    let config = git2::Config::open_default().ok()?;
    Some(Person {
        name: config.get_string("user.name").ok()?,
        email: config.get_string("user.email").ok()?,
    })
}

fn in_words(review: &Review, found: &[Finding]) -> String {
    let mut text = String::new();
    for one in found {
        let said = format!("{}: {} ({})", one.place, one.text, one.source);
        text += &draft::wrapped(&said, "- ", "  ");
    }
    let open: Vec<_> = review.open().collect();
    if !open.is_empty() {
        let _ = writeln!(text, "\nStill open:\n");
        for one in open {
            let said = format!("{}: {:?}", one.by.name, one.quote);
            text += &draft::wrapped(&said, "- ", "  ");
        }
    }
    if text.is_empty() {
        text.push_str("Nothing to say of changelog and trailers.\n");
    }
    text
}

#[cfg(test)]
#[path = "../../../../crates/evidence/tests/fixture/mod.rs"]
mod fixture;

#[cfg(test)]
mod tests {
    use super::*;
    use results::ktap::Outcome;
    use series::review::lint;
    use series::{mail, review};

    fn thread() -> Review {
        let thread = include_bytes!("../../../../patches/oom-reaper-reverse/thread.txt");
        review::review(mail::parse(thread).unwrap()).unwrap()
    }

    #[test]
    fn the_next_version_has_what_was_measured() {
        let report = evidence::analyse(&fixture::run());
        let diff = next_version(&thread(), false, Some(&report)).unwrap();
        let added: Vec<&str> = (diff.lines())
            .filter_map(|line| line.strip_prefix('+'))
            .skip_while(|line| !line.starts_with("Measured on"))
            .take_while(|line| !line.starts_with("Reviewed-by"))
            .collect();
        insta::assert_snapshot!(added.join("\n"), @r"
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
        let mut nothing = report.clone();
        nothing.comparisons.clear();
        assert!(next_version(&thread(), false, Some(&nothing)).is_err());
        let mut others = report;
        others.series.patches.clear();
        assert!(next_version(&thread(), false, Some(&others)).is_err());
    }

    #[test]
    fn a_tested_by_needs_that_everything_held() {
        let review = thread();
        let user = Person {
            name: "T Ester".to_owned(),
            email: "tester@example.org".to_owned(),
        };
        let list = Person {
            name: "linux-mm@example.org".to_owned(),
            email: "linux-mm@example.org".to_owned(),
        };
        let answer = |run: &evidence::run::Run| {
            let report = evidence::analyse(run);
            reply(&review, &[], Some(&report), vec![list.clone()], Some(&user)).unwrap()
        };
        let good = answer(&fixture::run());
        let tested = "\n\nTested-by: T Ester <tester@example.org>\n";
        assert!(good.ends_with(tested), "{good}");
        assert!(good.contains("linux-mm@example.org\n"), "{good}");
        assert!(good.contains("oom-reaper-reverse v6"), "{good}");
        // A maintainer reads what decides, not all that was measured.
        assert!(!good.contains("not tested"), "{good}");
        assert!(good.lines().count() < 80, "{good}");
        assert!(
            good.contains("I have tested this series with reaperlab:"),
            "{good}"
        );
        let wide = good.lines().filter(|line| line.chars().count() > 78);
        assert_eq!(wide.count(), 0, "{good}");

        let mut failed = fixture::run();
        for round in &mut failed.rounds {
            round.ktap = fixture::log(|w| w.test("memcg-limit", &Outcome::Fail).unwrap());
        }
        assert!(!answer(&failed).contains("Tested-by"));
        let mut other_way = fixture::run();
        if let Some(expect) = &mut other_way.expect_order {
            std::mem::swap(&mut expect.base, &mut expect.patched);
        }
        assert!(!answer(&other_way).contains("Tested-by"));
        let mut older = fixture::run();
        older.series.version = "v5".into();
        let mut others = fixture::run();
        others.series.patches.clear();
        for (run, tested) in [
            (older, "oom-reaper-reverse v5,"),
            (others, "oom-reaper-reverse v6,"),
        ] {
            let answer = answer(&run);
            assert!(!answer.contains("Tested-by"), "{answer}");
            assert!(!answer.contains("tested this series"), "{answer}");
            let first = answer.lines().find(|line| line.contains("reaperlab"));
            assert!(first.is_some_and(|line| line.contains(tested)), "{answer}");
        }
    }

    #[test]
    fn a_terminal_obeys_no_mail() {
        let shown = harmless("+\ta\u{1b}[31m\r\u{202e}b\n");
        assert_eq!(shown, "+\ta\u{fffd}[31m\u{fffd}\u{fffd}b\n");
    }

    #[test]
    fn without_a_run_the_findings_are_told() {
        let review = thread();
        let found = lint::series(review.series(), None);
        let text = reply(&review, &found, None, Vec::new(), None).unwrap();
        assert!(text.contains("- 2/2, trailers: a blank line"), "{text}");
        assert!(text.contains("Still open:"), "{text}");
        assert!(!text.contains("\nTested-by:"), "{text}");
    }
}
