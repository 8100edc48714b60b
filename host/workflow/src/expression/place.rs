//! Where in the file the parts of a template are; kept only while a file is checked.

use crate::definition::{Node, NodeValue, Span};

/// A value in the file.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) span: Span,
    /// Something is wrong with its text, and was reported.
    pub(crate) broken: bool,
    pub(crate) parts: Parts,
}

#[derive(Debug, Clone)]
pub(crate) enum Parts {
    None,
    List(Vec<Place>),
    /// Name, place of the name, value.
    Object(Vec<(Box<str>, Span, Place)>),
}

impl Place {
    pub(crate) const fn of_span(span: Span, broken: bool) -> Self {
        Self { span, broken, parts: Parts::None }
    }

    /// `broken`: where texts begin that could not be compiled, in the order of the file.
    pub(crate) fn of(node: &Node, broken: &[usize]) -> Self {
        let parts = match &node.value {
            NodeValue::List(items) => {
                Parts::List(items.iter().map(|item| Self::of(item, broken)).collect())
            }
            NodeValue::Map(entries) => Parts::Object(
                entries
                    .iter()
                    .map(|(key, node)| (key.text.as_str().into(), key.span, Self::of(node, broken)))
                    .collect(),
            ),
            NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) | NodeValue::Text(_) => {
                Parts::None
            }
        };
        let is_text = matches!(node.value, NodeValue::Text(_));
        Self {
            span: node.span,
            broken: is_text && broken.binary_search(&node.span.start).is_ok(),
            parts,
        }
    }
}
