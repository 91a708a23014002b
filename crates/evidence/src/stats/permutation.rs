//! The permutation test on the ranks of whole boots.

use super::rng::Rng;

/// Relabellings beyond which the permutation test draws at random.
const ENUMERATE: u128 = 50_000;

/// How many it draws then.
const DRAWS: u32 = 10_000;

/// The two-sided p-value of a permutation test on two groups of boots' values:
/// how often a relabelling sets their mean ranks at least as far apart as they
/// are. Ranks, since a boot far out must not carry the verdict. Exact where
/// there are few relabellings. None where a group is empty.
pub fn permutation_test(base: &[f64], patched: &[f64], seed: u64) -> Option<f64> {
    if base.is_empty() || patched.is_empty() {
        return None;
    }
    let ranks = ranks(&[base, patched].concat());
    let n = base.len();
    let total: u64 = ranks.iter().sum();
    // Twice the ranks are whole numbers: no rounding decides a tie.
    let distance = |sum: u64| {
        let (sum, all, n) = (i128::from(sum), i128::from(total), n as i128);
        (sum * ranks.len() as i128 - all * n).abs()
    };
    let observed = distance(ranks[..n].iter().sum());
    if binomial(ranks.len(), n) <= ENUMERATE {
        let (mut extreme, mut all) = (0u64, 0u64);
        for_each_choice(&ranks, n, &mut |sum| {
            all += 1;
            extreme += u64::from(distance(sum) >= observed);
        });
        return Some(extreme as f64 / all as f64);
    }
    let mut rng = Rng::new(seed);
    let mut deck = ranks.clone();
    let mut extreme = 0u32;
    for _ in 0..DRAWS {
        for at in 0..n {
            let other = at + rng.below(deck.len() - at);
            deck.swap(at, other);
        }
        extreme += u32::from(distance(deck[..n].iter().sum()) >= observed);
    }
    Some(f64::from(extreme + 1) / f64::from(DRAWS + 1))
}

/// Twice the rank of each value; equal values share theirs.
fn ranks(values: &[f64]) -> Vec<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let below = |value: &f64| sorted.partition_point(|other| other.total_cmp(value).is_lt());
    let through = |value: &f64| sorted.partition_point(|other| other.total_cmp(value).is_le());
    values
        .iter()
        .map(|value| (below(value) + through(value) + 1) as u64)
        .collect()
}

fn binomial(n: usize, k: usize) -> u128 {
    let k = k.min(n - k);
    (0..k).fold(1u128, |value, at| {
        value.saturating_mul((n - at) as u128) / (at as u128 + 1)
    })
}

fn for_each_choice(values: &[u64], choose: usize, visit: &mut impl FnMut(u64)) {
    fn go(rest: &[u64], choose: usize, sum: u64, visit: &mut impl FnMut(u64)) {
        match (choose, rest) {
            (0, _) => visit(sum),
            (_, [first, behind @ ..]) if rest.len() >= choose => {
                go(behind, choose - 1, sum + first, visit);
                go(behind, choose, sum, visit);
            }
            _ => {}
        }
    }
    go(values, choose, 0, visit);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutation_equals_enumeration() {
        // Fully apart: 2 of C(2n, n) relabellings are as far.
        for (n, all) in [
            (1, 2.0),
            (2, 6.0),
            (3, 20.0),
            (4, 70.0),
            (5, 252.0),
            (8, 12_870.0),
        ] {
            let low: Vec<f64> = (0..n).map(f64::from).collect();
            let high: Vec<f64> = low.iter().map(|v| v + 1e9).collect();
            let expected = 2.0 / all;
            assert_eq!(permutation_test(&low, &high, 0), Some(expected), "{n}");
            assert_eq!(permutation_test(&high, &low, 0), Some(expected), "{n}");
        }
        // Ranks 1 2 4 sum to 7, 3.5 below the middle. By hand: only {1,2,3}
        // and {1,2,4} are as low, and two as high, of 20.
        assert_eq!(
            permutation_test(&[1.0, 2.0, 4.0], &[3.0, 5.0, 6.0], 0),
            Some(0.2)
        );
        // Nothing tells them apart.
        assert_eq!(permutation_test(&[1.0; 4], &[1.0; 4], 0), Some(1.0));
        assert_eq!(permutation_test(&[], &[1.0], 0), None);
    }

    #[test]
    fn drawn_permutations_agree_with_counted_ones() {
        // C(16, 8) is counted; the same data drawn must come close.
        let a: Vec<f64> = (0..8).map(|v| f64::from(v) * 1.7).collect();
        let b: Vec<f64> = (0..8).map(|v| f64::from(v) * 1.7 + 4.1).collect();
        let exact = permutation_test(&a, &b, 0).unwrap();
        // Ten more that change nothing are beyond what is counted.
        let wide = permutation_test(
            &[a.clone(), vec![6.1; 5]].concat(),
            &[b.clone(), vec![6.1; 5]].concat(),
            5,
        )
        .unwrap();
        assert!(binomial(26, 13) > ENUMERATE && exact > 0.0 && wide > exact);
        let apart: Vec<f64> = (0..100).map(f64::from).collect();
        let far: Vec<f64> = (0..100).map(|v| f64::from(v) + 1000.0).collect();
        let p = permutation_test(&apart, &far, 1).unwrap();
        assert!((p - 1.0 / f64::from(DRAWS + 1)).abs() < 1e-12);
    }
}
