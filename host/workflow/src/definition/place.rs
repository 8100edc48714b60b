//! What a file says of where and when its steps run: labels, priority, how many at once.

use std::sync::Arc;

use super::code::Code;
use super::read::Reader;
use super::yaml::{Node, NodeValue, shortened};
use crate::placement::{LABEL_CHARS_MAX, Labels, Priority, is_label};

/// Labels that one step may require.
const REQUIRES_MAX: usize = 16;

/// What holds without `poison_after`.
pub(super) const POISON_AFTER_DEFAULT: u32 = 3;

/// Workers that a step may be let kill.
const POISON_AFTER_MAX: u32 = 100;

/// More than any coordinator has slots.
const CONCURRENCY_MAX: u32 = 1_000_000;

/// `requires: { gpu: "true" }`.
pub(super) fn requires(reader: &Reader<'_>, node: &Node) -> Arc<Labels> {
    let Some(entries) = reader.map(node, "`requires`") else { return Arc::default() };
    if entries.len() > REQUIRES_MAX {
        reader.report(node.span, format!("more than {REQUIRES_MAX} labels"));
    }
    let mut labels = Labels::new();
    for (key, node) in entries.iter().take(REQUIRES_MAX) {
        if !is_label(&key.text) {
            let message = format!("`{}` is no valid name of a label", shortened(&key.text));
            reader.report_coded(key.span, Code::InvalidLabel, message, Some(label_hint()));
        }
        match &node.value {
            NodeValue::Text(value) if is_label(value) => {
                labels.insert(key.text.clone(), value.clone());
            }
            NodeValue::Text(value) => {
                let message = format!("`{}` is no valid value of a label", shortened(value));
                reader.report_coded(node.span, Code::InvalidLabel, message, Some(label_hint()));
            }
            _ => {
                let message = format!("a label's value must be text, not {}", node.kind());
                let written = node.span.text(reader.source);
                let hint = is_label(written).then(|| format!("write `\"{written}\"`"));
                reader.report_coded(node.span, Code::InvalidLabel, message, hint);
            }
        }
    }
    Arc::new(labels)
}

fn label_hint() -> String {
    format!("letters, digits, `-`, `_`, `.` and `/`, at most {LABEL_CHARS_MAX}")
}

pub(super) fn priority(reader: &Reader<'_>, node: &Node) -> Priority {
    let level = match &node.value {
        NodeValue::Number(number) => number.as_i64().and_then(Priority::new),
        _ => None,
    };
    level.unwrap_or_else(|| {
        let (low, high) = (Priority::MIN, Priority::MAX);
        let message = format!("`priority` must be a whole number from {low} to {high}");
        let hint = format!("{high} goes first, {low} last; 0 is what holds without it");
        reader.report_hinted(node.span, message, Some(hint));
        Priority::default()
    })
}

pub(super) fn concurrency(reader: &Reader<'_>, node: &Node) -> Option<u32> {
    reader.number(node, "`concurrency`", 1..=CONCURRENCY_MAX)
}

pub(super) fn poison_after(reader: &Reader<'_>, node: &Node) -> u32 {
    reader.number(node, "`poison_after`", 1..=POISON_AFTER_MAX).unwrap_or(POISON_AFTER_DEFAULT)
}
