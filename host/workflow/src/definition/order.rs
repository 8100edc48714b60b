//! Which steps come before which.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;

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
    pub(crate) base: Rc<[usize]>,
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
        let last =
            pass.iter().flat_map(|&query| queries[query].base.iter().copied()).max().unwrap_or(0);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_order_of_the_file_is_kept_where_it_can_be() {
        assert_eq!(topological(&[vec![], vec![0], vec![], vec![1]]), Ok(vec![0, 1, 2, 3]));
        assert_eq!(topological(&[vec![2], vec![], vec![]]), Ok(vec![1, 2, 0]));
    }

    #[test]
    fn circles_are_found_without_what_hangs_on_them() {
        let needs = [vec![1], vec![2], vec![1], vec![], vec![5], vec![4], vec![6]];
        assert_eq!(topological(&needs), Err(vec![vec![1, 2], vec![4, 5], vec![6]]));
    }

    /// Steps that need some of the two hundred before them.
    fn graphs() -> impl Strategy<Value = Vec<Vec<usize>>> {
        let needs = prop::collection::vec(1_usize..200, 0..4);
        prop::collection::vec(needs, 1..2_500).prop_map(|graph| {
            let back = |(step, backs): (usize, Vec<usize>)| {
                backs.into_iter().filter_map(|back| step.checked_sub(back)).collect()
            };
            graph.into_iter().enumerate().map(back).collect()
        })
    }

    fn comes_before(needs: &[Vec<usize>], from: &[usize], target: usize) -> bool {
        let mut open = from.to_vec();
        let mut seen = vec![false; needs.len()];
        while let Some(step) = open.pop() {
            if step == target {
                return true;
            }
            if !std::mem::replace(&mut seen[step], true) {
                open.extend(&needs[step]);
            }
        }
        false
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

        #[test]
        fn ancestors_are_what_a_walk_finds(
            needs in graphs(),
            picks in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..50),
        ) {
            let queries: Vec<Query> = picks
                .iter()
                .map(|(step, target)| Query {
                    base: needs[step.index(needs.len())].clone().into(),
                    target: target.index(needs.len()),
                })
                .collect();
            let expected: Vec<bool> =
                queries.iter().map(|q| comes_before(&needs, &q.base, q.target)).collect();
            prop_assert_eq!(are_ancestors(&needs, &queries), expected);
        }

        #[test]
        fn needs_come_first(needs in graphs(), shift in any::<prop::sample::Index>()) {
            // Turned around by a shift, so that the order of the file is not the answer.
            let shift = shift.index(needs.len());
            let turned = |step: usize| (step + shift) % needs.len();
            let mut shifted = vec![Vec::new(); needs.len()];
            for (step, needed) in needs.iter().enumerate() {
                shifted[turned(step)] = needed.iter().map(|&need| turned(need)).collect();
            }
            let order = topological(&shifted).expect("there are no circles");
            let mut done = vec![false; needs.len()];
            for step in order {
                prop_assert!(shifted[step].iter().all(|&need| done[need]));
                done[step] = true;
            }
            prop_assert!(done.iter().all(|done| *done));
        }
    }
}
