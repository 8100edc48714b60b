//! Which steps come before which.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// An order in which needs come first and that otherwise keeps the order of the file:
/// `order[position]` is an index into `needs`.
///
/// # Errors
/// Circles, each as the indices along it, one for each knot of steps.
pub(crate) fn topological(needs: &[Vec<usize>]) -> Result<Vec<usize>, Vec<Vec<usize>>> {
    let dependents = inverse(needs);
    let mut open: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..needs.len()).filter(|&step| open[step] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(needs.len());
    while let Some(Reverse(step)) = ready.pop() {
        order.push(step);
        for &dependent in &dependents[step] {
            open[dependent] -= 1;
            if open[dependent] == 0 {
                ready.push(Reverse(dependent));
            }
        }
    }
    if order.len() == needs.len() { Ok(order) } else { Err(circles(needs, &open)) }
}

/// Who needs each step.
pub(crate) fn inverse(needs: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut dependents = vec![Vec::new(); needs.len()];
    for (step, needed) in needs.iter().enumerate() {
        for &need in needed {
            dependents[need].push(step);
        }
    }
    dependents
}

/// Walks from each step that is stuck to a need that is stuck, until it has been there.
fn circles(needs: &[Vec<usize>], open: &[usize]) -> Vec<Vec<usize>> {
    let mut seen_in_walk = vec![usize::MAX; needs.len()];
    let mut found = Vec::new();
    for start in (0..needs.len()).filter(|&step| open[step] > 0) {
        let mut path = Vec::new();
        let mut step = start;
        while seen_in_walk[step] == usize::MAX {
            seen_in_walk[step] = start;
            path.push(step);
            // What is stuck needs something that is stuck.
            let Some(&next) = needs[step].iter().find(|&&need| open[need] > 0) else { break };
            step = next;
        }
        if seen_in_walk[step] == start
            && let Some(begin) = path.iter().position(|&s| s == step)
        {
            found.push(path.split_off(begin));
        }
    }
    found
}

/// Whether `target` comes before what has `base` as its needs; both are positions.
pub(crate) struct Query {
    pub(crate) base: Vec<usize>,
    pub(crate) target: usize,
}

/// Targets looked at in one pass: keeps the table at 2.5 MB for 20,000 steps.
const TARGETS_A_PASS: usize = 1024;

/// Answers all queries; `needs` is by position, so needs name lower positions only.
pub(crate) fn are_ancestors(needs: &[Vec<usize>], queries: &[Query]) -> Vec<bool> {
    let mut answers = vec![false; queries.len()];
    let mut by_target: Vec<usize> = (0..queries.len()).collect();
    by_target.sort_unstable_by_key(|&query| queries[query].target);
    let mut rest = by_target.as_slice();
    while let Some(&first) = rest.first() {
        let low = queries[first].target;
        let split = rest.partition_point(|&query| queries[query].target < low + TARGETS_A_PASS);
        let (pass, later) = rest.split_at(split);
        rest = later;
        let last = pass
            .iter()
            .flat_map(|&query| queries[query].base.iter().copied())
            .max()
            .unwrap_or(0);
        let reach = reach(needs, low, last);
        for &query in pass {
            let Query { base, target } = &queries[query];
            answers[query] = base.iter().any(|&need| reach.has(need, *target));
        }
    }
    answers
}

/// For the steps from `low` to `last`: which of the targets from `low` on they are or come after.
struct Reach {
    low: usize,
    rows: Vec<[u64; TARGETS_A_PASS / 64]>,
}

impl Reach {
    fn has(&self, step: usize, target: usize) -> bool {
        let bit = target - self.low;
        step.checked_sub(self.low)
            .and_then(|row| self.rows.get(row))
            .is_some_and(|row| row[bit / 64] >> (bit % 64) & 1 == 1)
    }
}

fn reach(needs: &[Vec<usize>], low: usize, last: usize) -> Reach {
    let mut rows: Vec<[u64; TARGETS_A_PASS / 64]> = Vec::new();
    for (step, needed) in needs.iter().enumerate().take(last + 1).skip(low) {
        let mut row = [0; TARGETS_A_PASS / 64];
        for need in needed.iter().filter_map(|need| need.checked_sub(low)) {
            if let Some(other) = rows.get(need) {
                row.iter_mut().zip(other).for_each(|(word, more)| *word |= more);
            }
        }
        let bit = step - low;
        if bit < TARGETS_A_PASS {
            row[bit / 64] |= 1 << (bit % 64);
        }
        rows.push(row);
    }
    Reach { low, rows }
}
