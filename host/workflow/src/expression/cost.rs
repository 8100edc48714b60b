//! What an evaluation will take, from the expression's tree and the lists that are there.
//!
//! An upper bound where every list is known; a list that is part of an item counts as one
//! long, and the count during the evaluation catches what that leaves out.

use super::Error;
use super::evaluation::Evaluation;
use super::node::{Loop, LoopKind, Node, Operator};

/// Nodes to evaluate, at most.
///
/// # Errors
/// Bounds that reading the lists goes over.
pub(super) fn estimate(evaluation: &Evaluation<'_>, node: &Node) -> Result<u64, Error> {
    let sum = |nodes: &[&Node]| -> Result<u64, Error> {
        let mut cost: u64 = 1;
        for node in nodes {
            cost = cost.saturating_add(estimate(evaluation, node)?);
        }
        Ok(cost)
    };
    match node {
        Node::Null
        | Node::Bool(_)
        | Node::Int(_)
        | Node::Uint(_)
        | Node::Double(_)
        | Node::Text(_)
        | Node::Slot(_)
        | Node::HasSlot(_)
        | Node::Local(_) => Ok(1),
        Node::Field { of, .. }
        | Node::HasField { of, .. }
        | Node::Not(of)
        | Node::Negate(of)
        | Node::Matches { text: of, .. } => sum(&[of]),
        Node::Index { of: left, index: right }
        | Node::And(left, right)
        | Node::Or(left, right)
        | Node::Binary { left, right, .. } => sum(&[left, right]),
        Node::If { condition, then, otherwise } => {
            let (then, otherwise) = (estimate(evaluation, then)?, estimate(evaluation, otherwise)?);
            Ok(sum(&[condition])?.saturating_add(then.max(otherwise)))
        }
        Node::List(items) | Node::Call { arguments: items, .. } => {
            sum(&items.iter().collect::<Vec<_>>())
        }
        Node::Map(entries) => {
            sum(&entries.iter().flat_map(|(key, value)| [key, value]).collect::<Vec<_>>())
        }
        Node::Loop(a_loop) => of_loop(evaluation, a_loop),
    }
}

fn of_loop(evaluation: &Evaluation<'_>, a_loop: &Loop) -> Result<u64, Error> {
    let Loop { range, filter, body, .. } = a_loop;
    let times = length(evaluation, range)?.unwrap_or(1);
    let mut each = estimate(evaluation, body)?;
    if let Some(filter) = filter {
        each = each.saturating_add(estimate(evaluation, filter)?);
    }
    let range = estimate(evaluation, range)?;
    Ok(times.saturating_mul(each).saturating_add(range).saturating_add(1))
}

/// How long the list is that a node gives, at most; `None` if it shows only in the evaluation.
fn length(evaluation: &Evaluation<'_>, node: &Node) -> Result<Option<u64>, Error> {
    Ok(match node {
        Node::Slot(slot) => length_of_slot(evaluation, *slot)?,
        Node::List(items) => Some(items.len() as u64),
        Node::Map(entries) => Some(entries.len() as u64),
        Node::If { then, otherwise, .. } => {
            length(evaluation, then)?.max(length(evaluation, otherwise)?)
        }
        Node::Binary { operator: Operator::Add, left, right } => {
            let (left, right) = (length(evaluation, left)?, length(evaluation, right)?);
            left.zip(right).map(|(left, right)| left.saturating_add(right))
        }
        Node::Loop(a_loop) => match a_loop.kind {
            LoopKind::Map | LoopKind::Filter => length(evaluation, &a_loop.range)?,
            LoopKind::All | LoopKind::Exists | LoopKind::ExistsOne => None,
        },
        _ => None,
    })
}

/// A slot that is missing has no length: whether it is needed at all shows later.
fn length_of_slot(evaluation: &Evaluation<'_>, slot: usize) -> Result<Option<u64>, Error> {
    match evaluation.slot(slot) {
        Ok(text) if text.starts_with(['[', '{']) => {}
        Ok(_) | Err(Error::Missing { .. }) => return Ok(None),
        Err(other) => return Err(other),
    }
    Ok(match evaluation.tree(slot)? {
        serde_json::Value::Array(items) => Some(items.len() as u64),
        serde_json::Value::Object(entries) => Some(entries.len() as u64),
        _ => None,
    })
}
