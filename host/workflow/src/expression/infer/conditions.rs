//! What follows from a condition for the parts that are evaluated only where it holds.

use super::super::functions::Function;
use super::super::node::{Node, Operator};
use super::{Base, Known, One};
use crate::typing::{Fact, Type};

impl One<'_, '_> {
    /// What is known where `node` gave `truth`.
    pub(super) fn known_if(&self, node: &Node, truth: bool) -> Vec<Known> {
        let mut known = Vec::new();
        self.gather(node, truth, &mut known);
        known
    }

    fn gather(&self, node: &Node, truth: bool, known: &mut Vec<Known>) {
        match node {
            Node::Not(of) => self.gather(of, !truth, known),
            Node::And(left, right) if truth => {
                self.gather(left, true, known);
                self.gather(right, true, known);
            }
            Node::Or(left, right) if !truth => {
                self.gather(left, false, known);
                self.gather(right, false, known);
            }
            Node::HasSlot(_) | Node::HasField { .. } if truth => {
                let before = known.len();
                self.add(node, Fact::Present, known);
                known[before..].iter_mut().for_each(|known| known.asked = true);
            }
            Node::Binary { operator, left, right } => {
                self.comparison(*operator, left, right, truth, known);
            }
            Node::Slot(_) | Node::Field { .. } | Node::Local(_) => {
                self.add(node, Fact::NotNull, known);
            }
            Node::Call { function: Function::Dyn, .. } => {}
            Node::Call { arguments, .. } => {
                arguments.iter().for_each(|argument| self.add(argument, Fact::NotNull, known));
            }
            _ => {}
        }
    }

    fn comparison(
        &self,
        operator: Operator,
        left: &Node,
        right: &Node,
        truth: bool,
        known: &mut Vec<Known>,
    ) {
        if operator == Operator::In {
            return self.add(right, Fact::NotNull, known);
        }
        if !matches!(operator, Operator::Equal | Operator::NotEqual) {
            // Nothing but values of the right kinds can be compared.
            self.add(left, Fact::NotNull, known);
            return self.add(right, Fact::NotNull, known);
        }
        let equal = (operator == Operator::Equal) == truth;
        for (side, other) in [(left, right), (right, left)] {
            let fact = match other {
                Node::Null if !equal => Fact::NotNull,
                Node::Null => Fact::Present,
                _ if equal && is_literal(other) => Fact::NotNull,
                _ => Fact::Present,
            };
            self.add(side, fact, known);
        }
    }

    fn add(&self, node: &Node, fact: Fact, known: &mut Vec<Known>) {
        if matches!(node, Node::HasSlot(_) | Node::HasField { .. }) && fact != Fact::Present {
            return;
        }
        if let Some((base, path)) = self.path_of(node) {
            known.push(Known { base, path, fact, asked: false, hindsight: false });
        }
    }

    /// Infers with more known than before.
    pub(super) fn infer_knowing(&mut self, node: &Node, known: Vec<Known>) -> Type {
        let before = self.all.known.len();
        self.all.known.extend(known);
        let of = self.infer(node);
        self.all.known.truncate(before);
        of
    }

    /// The same for what stands before the condition, and does not count where it fails.
    /// What is known only because another part looked at it is not: that fails as well.
    pub(super) fn infer_in_hindsight(&mut self, node: &Node, mut known: Vec<Known>) -> Type {
        known.retain(|known| known.asked || known.path.is_empty());
        known.iter_mut().for_each(|known| known.hindsight = true);
        self.infer_knowing(node, known)
    }

    /// Whether what is known of a node is known in hindsight: nothing follows from it.
    pub(super) fn is_hindsight(&self, node: &Node) -> bool {
        let Some((base, _)) = self.path_of(node) else { return false };
        self.all.known.iter().any(|known| known.hindsight && known.base == base)
    }

    /// What a loop's variable is where the loop's condition held.
    pub(super) fn refined_item(&self, item: &Type, local: usize, condition: &Node) -> Type {
        let known = self.known_if(condition, true);
        let of_item = known.iter().filter(|known| known.base == Base::Local(local));
        of_item.fold(item.clone(), |item, known| item.refined(&known.path, known.fact))
    }
}

const fn is_literal(node: &Node) -> bool {
    matches!(node, Node::Bool(_) | Node::Int(_) | Node::Uint(_) | Node::Double(_) | Node::Text(_))
}
