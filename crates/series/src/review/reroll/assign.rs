//! Which of many diffs belong together, all costs together being the least.

use std::collections::HashMap;

use similar::{Algorithm, DiffTag, capture_diff_slices, group_diff_ops};

/// What a patch without a partner costs, in percent of its lines. Git's
/// default.
const CREATION: usize = 60;
/// The most lines of two diffs, multiplied, that are compared line by line.
const MAX_AREA: usize = 100_000_000;
/// Lines around a change.
pub(super) const CONTEXT: usize = 3;

/// Lines, numbered so that equal ones have one number.
#[derive(Default)]
pub(super) struct Lines<'a>(HashMap<&'a str, u32>);

impl<'a> Lines<'a> {
    pub(super) fn numbers(&mut self, text: &'a str) -> Vec<u32> {
        text.lines()
            .map(|line| {
                let fresh = self.0.len() as u32;
                *self.0.entry(line).or_insert(fresh)
            })
            .collect()
    }
}

/// For each new diff the old one that it is assigned to, all costs together
/// being the least.
pub(super) fn assign(old: &[Vec<u32>], new: &[Vec<u32>]) -> Vec<Option<usize>> {
    let (rows, columns) = (new.len(), old.len());
    let alone = |diff: &Vec<u32>| diff.len() * CREATION / 100;
    let size = rows + columns;
    // A row for each new diff and one for "no partner" of each old diff, and
    // the other way round.
    let mut costs = vec![vec![0_i64; size]; size];
    for (row, new) in new.iter().enumerate() {
        for (column, old) in old.iter().enumerate() {
            costs[row][column] = cost(old, new, alone(old) + alone(new)) as i64;
        }
        costs[row][columns..].fill(alone(new) as i64);
    }
    for (column, old) in old.iter().enumerate() {
        for row in &mut costs[rows..] {
            row[column] = alone(old) as i64;
        }
    }
    let assigned = cheapest(&costs);
    assigned[..rows]
        .iter()
        .map(|column| Some(*column).filter(|column| *column < columns))
        .collect()
}

/// How many lines a unified diff of two diffs has. Where that is certainly
/// more than `most`, no more than that is known of it.
fn cost(old: &[u32], new: &[u32], most: usize) -> usize {
    let mut counts: HashMap<u32, i64> = HashMap::new();
    old.iter()
        .for_each(|line| *counts.entry(*line).or_default() += 1);
    new.iter()
        .for_each(|line| *counts.entry(*line).or_default() -= 1);
    let least: u64 = counts.values().map(|count| count.unsigned_abs()).sum();
    let least = usize::try_from(least).unwrap_or(usize::MAX);
    if least > most || old.len().saturating_mul(new.len()) > MAX_AREA {
        return least.max(most + 1);
    }
    let ops = capture_diff_slices(Algorithm::Myers, old, new);
    let hunks = group_diff_ops(ops, CONTEXT);
    let lines = hunks.iter().flatten().map(|op| match op.tag() {
        DiffTag::Equal => op.old_range().len(),
        _ => op.old_range().len() + op.new_range().len(),
    });
    lines.sum::<usize>() + hunks.len()
}

/// The assignment of rows to columns whose costs are the least together: the
/// Hungarian algorithm with potentials, O(n³). Which column each row has.
fn cheapest(costs: &[Vec<i64>]) -> Vec<usize> {
    let size = costs.len();
    // From 1: column 0 is where a row begins its search.
    let mut row_of = vec![0_usize; size + 1];
    let (mut of_rows, mut of_columns) = (vec![0_i64; size + 1], vec![0_i64; size + 1]);
    for row in 1..=size {
        row_of[0] = row;
        let mut column = 0;
        let mut least = vec![i64::MAX; size + 1];
        let mut came_from = vec![0_usize; size + 1];
        let mut seen = vec![false; size + 1];
        while row_of[column] != 0 {
            seen[column] = true;
            let at = row_of[column];
            let (mut delta, mut next) = (i64::MAX, 0);
            for other in (1..=size).filter(|other| !seen[*other]) {
                let reduced = costs[at - 1][other - 1] - of_rows[at] - of_columns[other];
                if reduced < least[other] {
                    least[other] = reduced;
                    came_from[other] = column;
                }
                if least[other] < delta {
                    delta = least[other];
                    next = other;
                }
            }
            for other in 0..=size {
                if seen[other] {
                    of_rows[row_of[other]] += delta;
                    of_columns[other] -= delta;
                } else if other > 0 {
                    least[other] -= delta;
                }
            }
            column = next;
        }
        while column != 0 {
            let before = came_from[column];
            row_of[column] = row_of[before];
            column = before;
        }
    }
    let mut column_of = vec![0; size];
    for (column, row) in row_of.iter().enumerate().skip(1) {
        column_of[row - 1] = column - 1;
    }
    column_of
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_the_cheapest() {
        // Every assignment of three rows.
        let orders = [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ];
        for seed in 0..200_i64 {
            let costs: Vec<Vec<i64>> = (0..3)
                .map(|row| {
                    (0..3)
                        .map(|column| (seed * 7919 + row * 104_729 + column * 1_299_709) % 23)
                        .collect()
                })
                .collect();
            let sum = |order: &[usize]| -> i64 {
                order.iter().zip(&costs).map(|(at, row)| row[*at]).sum()
            };
            let least = orders.iter().map(|order| sum(order)).min();
            assert_eq!(Some(sum(&cheapest(&costs))), least, "{costs:?}");
        }
        assert_eq!(cheapest(&[]), [] as [usize; 0]);
    }
}
