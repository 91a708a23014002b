//! The order in which each arm's reaper walked the address space.

use results::Arm;
use results::plan::Order;
use results::record::Record;
use serde::Serialize;

use crate::run::{ExpectOrder, Run};
use crate::words::order_word;

/// The order in which each arm's reaper walked the address space.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OrderProof {
    /// What base showed; none where nothing proved an order.
    pub base: Option<Order>,
    pub patched: Option<Order>,
    /// What each must show.
    pub expected: Option<ExpectOrder>,
    /// Whether the arms showed what they must. True where nothing is expected.
    pub held: bool,
    /// Walks that proved base's.
    pub base_walks: usize,
    /// Walks that proved patched's.
    pub patched_walks: usize,
}

pub(super) fn order(run: &Run) -> OrderProof {
    let seen = |arm: Arm| -> (Option<Order>, usize) {
        let records = run
            .rounds
            .iter()
            .filter(|round| round.arm == arm)
            .flat_map(|r| &r.records);
        let orders: Vec<Order> = records
            .filter_map(|record| match record {
                Record::Order { order, .. } => Some(*order),
                _ => None,
            })
            .collect();
        let first = orders.first().copied();
        let all_alike = orders.iter().all(|order| Some(*order) == first);
        (
            if all_alike { first } else { Some(Order::Mixed) },
            orders.len(),
        )
    };
    let ((base, base_walks), (patched, patched_walks)) = (seen(Arm::Base), seen(Arm::Patched));
    let held = run.expect_order.is_none_or(|expect| {
        let proved = |seen: Option<Order>, must: Option<Order>| must.is_none() || seen == must;
        proved(base, expect.base) && proved(patched, expect.patched)
    });
    OrderProof {
        base,
        patched,
        expected: run.expect_order,
        held,
        base_walks,
        patched_walks,
    }
}

impl OrderProof {
    /// In one line.
    pub(crate) fn words(&self, names: [&str; 2]) -> String {
        let word = |order: Option<Order>| order.map_or("not proved", order_word);
        let expected = match self.expected {
            None => [None, None],
            Some(expected) => [expected.base, expected.patched],
        };
        let arms = [(names[0], self.base), (names[1], self.patched)];
        // An arm that was not booted neither shows an order nor must.
        let one_arm = expected.iter().flatten().count() == 1;
        let (seen, expected): (Vec<String>, Vec<&str>) = arms
            .into_iter()
            .zip(expected)
            .filter(|((_, seen), expected)| !one_arm || seen.is_some() || expected.is_some())
            .map(|((arm, seen), expected)| (format!("{} on {arm}", word(seen)), word(expected)))
            .unzip();
        let seen = format!("order of the reaper's walk: {}", seen.join(", "));
        match self.expected {
            None => seen,
            Some(_) if self.held => format!("{seen}, as expected"),
            Some(_) => format!("{seen}; expected {}", expected.join(" and ")),
        }
    }
}
