//! Medians of samples, of boots and of arms.

/// Samples of one arm: for each boot its repetitions.
pub type Boots = [Vec<f64>];

/// The median; none of no values.
pub fn median(values: &[f64]) -> Option<f64> {
    median_of(&mut values.to_vec())
}

pub(super) fn median_of(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    if !even {
        return Some(upper);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp)?;
    // Two infinite ones have no difference.
    Some(if lower == upper {
        upper
    } else {
        lower + (upper - lower) / 2.0
    })
}

/// The median of all samples of an arm.
pub fn pooled_median(boots: &Boots) -> Option<f64> {
    median_of(&mut boots.concat())
}

/// The median of each boot that has samples.
pub fn boot_medians(boots: &Boots) -> Vec<f64> {
    boots.iter().filter_map(|boot| median(boot)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        let cases: [(&[f64], Option<f64>); 6] = [
            (&[], None),
            (&[3.0], Some(3.0)),
            (&[4.0, 1.0], Some(2.5)),
            (&[9.0, 1.0, 5.0], Some(5.0)),
            (&[0.0, 0.0, 7.0, 1.0], Some(0.5)),
            (&[f64::MAX, f64::MAX], Some(f64::MAX)),
        ];
        for (values, expected) in cases {
            assert_eq!(median(values), expected, "{values:?}");
        }
        assert_eq!(
            pooled_median(&[vec![1.0, 2.0], vec![], vec![9.0]]),
            Some(2.0)
        );
        assert_eq!(
            boot_medians(&[vec![1.0, 2.0], vec![], vec![9.0]]),
            [1.5, 9.0]
        );
    }
}
