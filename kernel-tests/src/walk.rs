//! A walk over an address space, as a probe has seen it: its order, and what was
//! visited.

use results::plan::Order;

use crate::failure::{Failure, ensure};
use crate::smaps::Range;

/// How a walk's starts follow each other; a walk over one VMA has no order.
pub fn order_of(visited: &[Range]) -> Order {
    let each = |holds: fn(u64, u64) -> bool| {
        visited.len() > 1 && visited.is_sorted_by(|a, b| holds(a.0, b.0))
    };
    if each(|a, b| a < b) {
        Order::Ascending
    } else if each(|a, b| a > b) {
        Order::Descending
    } else {
        Order::Mixed
    }
}

/// Fails unless `visited` has each of `expected`, which is sorted, once and
/// nothing else.
pub fn ensure_visited(visited: &[Range], expected: &[Range]) -> Result<(), Failure> {
    let mut visited = visited.to_vec();
    visited.sort_unstable();
    let show = |range: &Range| format!("{:#x}-{:#x}", range.0, range.1);
    if let Some(twice) = visited
        .array_windows()
        .find_map(|[a, b]| (a == b).then_some(a))
    {
        return Err(Failure::unmet(format!("{} was visited twice", show(twice))));
    }
    if let Some(missed) = expected
        .iter()
        .find(|range| visited.binary_search(range).is_err())
    {
        return Err(Failure::unmet(format!("{} was not visited", show(missed))));
    }
    let extra = visited
        .iter()
        .find(|range| expected.binary_search(range).is_err());
    ensure(extra.is_none(), || {
        format!(
            "{} was visited, which the reaper must not touch",
            extra.map(show).unwrap_or_default()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders() {
        let walk = |starts: &[u64]| starts.iter().map(|&s| (s, s + 1)).collect::<Vec<_>>();
        for (starts, order) in [
            (&[1, 2, 3][..], Order::Ascending),
            (&[3, 2, 1], Order::Descending),
            (&[1, 3, 2], Order::Mixed),
            (&[3, 1, 2], Order::Mixed),
            (&[2, 2], Order::Mixed),
            (&[1], Order::Mixed),
            (&[], Order::Mixed),
        ] {
            assert_eq!(order_of(&walk(starts)), order, "{starts:?}");
        }
    }

    #[test]
    fn sets() {
        let expected = [(1, 2), (3, 4), (5, 9)];
        let verdict = |visited: &[(u64, u64)]| {
            ensure_visited(visited, &expected).map_err(|failure| failure.to_string())
        };
        assert_eq!(verdict(&[(5, 9), (3, 4), (1, 2)]), Ok(()));
        let err = |text: &str| Err(text.to_owned());
        assert_eq!(verdict(&[(5, 9), (1, 2)]), err("0x3-0x4 was not visited"));
        assert_eq!(
            verdict(&[(5, 8), (3, 4), (1, 2)]),
            err("0x5-0x9 was not visited")
        );
        assert_eq!(
            verdict(&[(1, 2), (1, 2), (3, 4), (5, 9)]),
            err("0x1-0x2 was visited twice")
        );
        assert_eq!(
            verdict(&[(1, 2), (3, 4), (5, 9), (10, 11)]),
            err("0xa-0xb was visited, which the reaper must not touch")
        );
    }
}
