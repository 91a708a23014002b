//! `junit.xml`: a suite an arm, and one for what compares them.

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use crate::analyse::comparison::{Verdict, comparison_line};
use crate::analyse::model::Report;
use crate::analyse::scenarios::{ScenarioRow, Tally};
use crate::words::one_line;
use results::Arm;

/// `junit.xml`. A result that was lost with its guest is an error, one that
/// did not hold a failure.
///
/// # Errors
/// When the XML can't be written.
pub fn junit(report: &Report) -> Result<String, quick_junit::SerializeError> {
    let mut junit = Junit::new(format!("{} on {}", report.series.name, report.kernel.name));
    let booted = Arm::BOTH.into_iter().filter(|arm| report.kernel.has(*arm));
    for arm in booted {
        let mut suite = TestSuite::new(arm.as_str());
        suite.add_test_cases(report.scenarios.iter().map(|row| {
            let tally = if arm == Arm::Base {
                row.base
            } else {
                row.patched
            };
            case(
                row,
                &tally,
                &format!("{}.{}", report.kernel.name, arm.as_str()),
            )
        }));
        junit.add_test_suite(suite);
    }
    let mut suite = TestSuite::new("comparison");
    if report.order.expected.is_some() {
        let words = report.order.words(report.names);
        let status = if report.order.held {
            TestCaseStatus::success()
        } else {
            non_success(NonSuccessKind::Failure, &words)
        };
        suite.add_test_case(TestCase::new("order", status));
    }
    for comparison in report.comparisons.iter().filter(|c| c.primary) {
        let line = one_line(&comparison_line(comparison));
        let mut status = match comparison.verdict {
            Verdict::Regressed => non_success(NonSuccessKind::Failure, &line),
            Verdict::Inconclusive | Verdict::NotTested => TestCaseStatus::skipped(),
            Verdict::Improved | Verdict::NoChange => TestCaseStatus::success(),
        };
        if comparison.verdict == Verdict::Inconclusive {
            status.set_message(line.as_str());
        }
        let name = format!("{}/{}", comparison.scenario, comparison.metric);
        let mut case = TestCase::new(name, status);
        case.set_system_out(line);
        suite.add_test_case(case);
    }
    junit.add_test_suite(suite);
    junit.to_string()
}

fn case(row: &ScenarioRow, tally: &Tally, class: &str) -> TestCase {
    let words = match &row.why {
        Some(why) => format!("{}: {why}", tally.words()),
        None => tally.words(),
    };
    let status = if tally.failed > 0 {
        non_success(NonSuccessKind::Failure, &words)
    } else if tally.lost > 0 {
        non_success(NonSuccessKind::Error, &words)
    } else if tally.passed > 0 {
        TestCaseStatus::success()
    } else {
        let mut status = TestCaseStatus::skipped();
        status.set_message(words);
        status
    };
    let mut case = TestCase::new(row.name.as_str(), status);
    case.set_classname(class);
    case
}

fn non_success(kind: NonSuccessKind, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(message);
    status
}
