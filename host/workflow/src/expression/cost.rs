//! What an evaluation will take, from the expression's tree and the lists that are there.
//!
//! An upper bound where every list is known; a list that is part of an item counts as one
//! long, and the count during the evaluation catches what that leaves out.

use super::Error;
use super::evaluation::Evaluation;
use super::node::{Loop, LoopKind, Node};

/// What a node takes and, if it gives a list, how long that is.
#[derive(Clone, Copy)]
struct Estimate {
    cost: u64,
    length: Option<u64>,
}

impl Estimate {
    const fn scalar(cost: u64) -> Self {
        Self { cost, length: None }
    }
}

/// Nodes to evaluate.
///
/// # Errors
/// Bounds that reading the lists goes over.
pub(super) fn estimate(evaluation: &Evaluation<'_>, node: &Node) -> Result<u64, Error> {
    Ok(of(evaluation, node)?.cost)
}

fn of(evaluation: &Evaluation<'_>, node: &Node) -> Result<Estimate, Error> {
    Ok(match node {
        Node::Null
        | Node::Bool(_)
        | Node::Int(_)
        | Node::Uint(_)
        | Node::Double(_)
        | Node::Text(_)
        | Node::HasSlot(_)
        | Node::Local(_) => Estimate::scalar(1),
        Node::Slot(slot) => Estimate { cost: 1, length: length_of(evaluation, *slot)? },
        Node::Field { of, .. }
        | Node::HasField { of, .. }
        | Node::Not(of)
        | Node::Negate(of)
        | Node::Matches { text: of, .. } => sum(evaluation, [&**of])?,
        Node::Index { of, index } => sum(evaluation, [&**of, &**index])?,
        Node::And(left, right) | Node::Or(left, right) => {
            sum(evaluation, [&**left, &**right])?
        }
        Node::Binary { left, right, .. } => {
            let (left, right) = (of_boxed(evaluation, left)?, of_boxed(evaluation, right)?);
            let length = match (left.length, right.length) {
                (Some(a), Some(b)) => Some(a.saturating_add(b)),
                _ => None,
            };
            Estimate { cost: left.cost.saturating_add(right.cost).saturating_add(1), length }
        }
        Node::List(items) => {
            Estimate { length: Some(items.len() as u64), ..sum(evaluation, items)? }
        }
        Node::Map(entries) => {
            let parts = entries.iter().flat_map(|(key, value)| [key, value]);
            Estimate { length: Some(entries.len() as u64), ..sum(evaluation, parts)? }
        }
        Node::If { condition, then, otherwise } => {
            let condition = of_boxed(evaluation, condition)?.cost;
            let (a, b) = (of_boxed(evaluation, then)?, of_boxed(evaluation, otherwise)?);
            let cost = a.cost.max(b.cost).saturating_add(condition).saturating_add(1);
            Estimate { cost, length: a.length.max(b.length) }
        }
        Node::Call { arguments, .. } => sum(evaluation, arguments)?,
        Node::Loop(a_loop) => of_loop(evaluation, a_loop)?,
    })
}

fn of_boxed(evaluation: &Evaluation<'_>, node: &Node) -> Result<Estimate, Error> {
    of(evaluation, node)
}

fn sum<'n>(
    evaluation: &Evaluation<'_>,
    nodes: impl IntoIterator<Item = &'n Node>,
) -> Result<Estimate, Error> {
    let mut cost: u64 = 1;
    for node in nodes {
        cost = cost.saturating_add(of(evaluation, node)?.cost);
    }
    Ok(Estimate::scalar(cost))
}

fn of_loop(evaluation: &Evaluation<'_>, a_loop: &Loop) -> Result<Estimate, Error> {
    let range = of(evaluation, &a_loop.range)?;
    let times = range.length.unwrap_or(1);
    let mut each = of(evaluation, &a_loop.body)?.cost;
    if let Some(filter) = &a_loop.filter {
        each = each.saturating_add(of(evaluation, filter)?.cost);
    }
    let cost = times.saturating_mul(each).saturating_add(range.cost).saturating_add(1);
    let length = match a_loop.kind {
        LoopKind::Map | LoopKind::Filter => Some(times),
        LoopKind::All | LoopKind::Exists | LoopKind::ExistsOne => None,
    };
    Ok(Estimate { cost, length })
}

/// A slot that is missing has no length: whether it is needed at all shows later.
fn length_of(evaluation: &Evaluation<'_>, slot: usize) -> Result<Option<u64>, Error> {
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
