//! What holds of any console: however it comes, it says the same, and what is
//! said of it is short.

use results::console::Kind;
use vm::console::{Triage, triage};

/// Reads it at once, and in pieces.
pub fn check(input: &[u8]) {
    let report = triage(input).expect("bytes at hand");
    let mut pieces = Triage::new();
    input.chunks(7).for_each(|piece| pieces.feed(piece));
    let crashed = pieces.crashed();
    assert_eq!(pieces.finish(), report);
    let worst = report.events.iter().map(|event| event.kind).min();
    let worst = worst.unwrap_or(Kind::Clean).min(Kind::Clean);
    assert_eq!(report.verdict, worst);
    assert!(!crashed || report.verdict <= Kind::Oops, "{report:#?}");
    let (mut line, mut of_kind) = (0, [0; 32]);
    for event in &report.events {
        assert!(event.line >= line, "{report:#?}");
        line = event.line;
        of_kind[event.kind as usize] += 1;
        assert!(of_kind[event.kind as usize] <= 101, "{report:#?}");
        assert!(event.title.chars().count() <= 200, "{event:?}");
        assert!(!event.title.contains(char::is_control), "{event:?}");
    }
}
