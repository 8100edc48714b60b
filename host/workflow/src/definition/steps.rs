//! Steps: read as they are written, flattened, put in order, compiled.

mod compile;
mod flatten;
mod retry;

use std::collections::HashMap;
use std::sync::Arc;

use super::file::plugin_named;
use super::read::{Fields, Reader};
use super::yaml::{Node, Span, shortened};
use super::{PluginUse, RetryPolicy, Step};
use crate::expression::Compiler;
use crate::placement::Labels;
use crate::{DurationMs, Name, Schema, StepId};

/// Steps of one workflow, joins included: twice what the design promises.
const STEPS_MAX: usize = 20_000;

/// Needs of all steps together.
const NEEDS_MAX: usize = 200_000;

/// What a step may do at once over its items.
const AT_ONCE_MAX: u32 = 1000;

/// What holds without `at_once`.
const AT_ONCE_DEFAULT: u32 = 16;

/// What holds without `timeout`.
const TIMEOUT_DEFAULT: DurationMs = DurationMs::from_secs(300);

/// Bytes of a function's name.
const FUNCTION_BYTES_MAX: usize = 256;

/// What reading steps needs from the rest of the file.
pub(super) struct Context<'c, 'a> {
    pub(super) reader: &'c Reader<'a>,
    pub(super) compiler: &'c Compiler<'a>,
    pub(super) plugins: &'c [PluginUse],
    pub(super) input: Option<&'c Schema>,
}

/// Steps with the names that the output may use.
pub(super) struct Steps {
    pub(super) steps: Vec<Step>,
    pub(super) names: HashMap<Name, StepId>,
}

/// `None` only if a problem was reported.
pub(super) fn read(context: &Context<'_, '_>, node: &Node) -> Option<Steps> {
    let flat = flatten::flatten(context, node)?;
    compile::compile(context, flat)
}

/// A step as it is written, or the join of a `parallel`.
struct Raw<'n> {
    name: Name,
    span: Span,
    needs: Vec<Need>,
    /// Positions in [`Flat::gates`], outermost first.
    gates: Vec<usize>,
    kind: RawKind<'n>,
    retry: RetryPolicy,
    timeout: DurationMs,
    requires: Arc<Labels>,
    queue_timeout: Option<DurationMs>,
}

/// What comes first.
#[derive(Clone)]
enum Need {
    /// By position among the raw steps: what the order of writing says.
    Position(usize),
    /// By name.
    Named(Name, Span),
}

enum RawKind<'n> {
    Call(RawCall<'n>),
    Map {
        items: &'n Node,
        at_once: u32,
        item: &'n str,
        call: RawCall<'n>,
    },
    Set(&'n Node),
    /// Positions of the last steps of its branches.
    Join(Vec<usize>),
}

struct RawCall<'n> {
    plugin: usize,
    function: &'n str,
    with: Option<&'n Node>,
    span: Span,
}

/// A `when`, which may hold for several steps.
struct Gate<'n> {
    node: &'n Node,
    /// What comes before all that it holds for.
    needs: Vec<Need>,
}

/// All steps of the file in the order of writing.
#[derive(Default)]
struct Flat<'n> {
    steps: Vec<Raw<'n>>,
    gates: Vec<Gate<'n>>,
}

const STEP: &[&str] = &[
    "id",
    "call",
    "with",
    "map",
    "as",
    "at_once",
    "set",
    "parallel",
    "when",
    "needs",
    "timeout",
    "retry",
    "requires",
    "queue_timeout",
];

/// Which of the kinds a step is.
enum Written<'n> {
    Call(&'n Node),
    Set(&'n Node),
    Parallel(&'n Node),
}

/// Reports keys that do not go together.
fn written<'n>(reader: &Reader<'_>, fields: &Fields<'n>, step: &Node) -> Option<Written<'n>> {
    let kinds = ["call", "set", "parallel"];
    let present: Vec<&str> = kinds.into_iter().filter(|kind| fields.has(kind)).collect();
    let [kind] = present.as_slice() else {
        let message = match present.as_slice() {
            [] => "a step needs one of `call`, `set` and `parallel`".to_owned(),
            [first, second, ..] => format!("a step has `{first}` or `{second}`, not both"),
            [_] => return None,
        };
        let message = if fields.has("map") && present.is_empty() {
            "a `map` needs a `call`".to_owned()
        } else {
            message
        };
        let span = present.get(1).and_then(|key| fields.entry(key)).map(|(span, _)| span);
        // A key that is not known has been reported, and explains it.
        if !present.is_empty() || !has_unknown_key(step) {
            reader.report(span.unwrap_or(Span { end: step.span.start, ..step.span }), message);
        }
        return None;
    };
    let (_, node) = fields.entry(kind)?;
    let needless: &[&str] = match *kind {
        "call" if fields.has("map") => &[],
        "call" => &["as", "at_once"],
        _ => &["with", "map", "as", "at_once", "retry", "timeout", "requires", "queue_timeout"],
    };
    for key in needless {
        if let Some((span, _)) = fields.entry(key) {
            let hint = match (*kind, *key) {
                (
                    "parallel",
                    "retry" | "timeout" | "with" | "map" | "requires" | "queue_timeout",
                ) => Some("write it on the steps inside".to_owned()),
                ("call", _) => Some("it belongs to a `map`".to_owned()),
                _ => None,
            };
            reader.report_hinted(span, format!("`{key}` does not go with `{kind}`"), hint);
        }
    }
    Some(match *kind {
        "call" => Written::Call(node),
        "set" => Written::Set(node),
        _ => Written::Parallel(node),
    })
}

fn has_unknown_key(step: &Node) -> bool {
    let super::NodeValue::Map(entries) = &step.value else { return false };
    entries.iter().any(|(key, _)| !STEP.contains(&key.text.as_str()))
}

/// `alias/function`.
fn read_call<'n>(
    context: &Context<'_, '_>,
    fields: &Fields<'n>,
    node: &'n Node,
) -> Option<RawCall<'n>> {
    let reader = context.reader;
    let text = reader.text(node, "`call`")?;
    let Some((alias, function)) = text.split_once('/') else {
        let hint = match context.plugins.first() {
            Some(plugin) => format!("write `{}/{}`", plugin.alias, shortened(text)),
            None => "a plugin's name, `/` and a function's name".to_owned(),
        };
        reader.report_hinted(node.span, "`call` must be `plugin/function`", Some(hint));
        return None;
    };
    if function.is_empty()
        || function.len() > FUNCTION_BYTES_MAX
        || function.contains(|c: char| c.is_control() || c.is_whitespace())
    {
        reader.report(node.span, "`call` must be `plugin/function`");
        return None;
    }
    if let Some((span, Node { value: super::NodeValue::Null, .. })) = fields.entry("with") {
        let hint = "for null write `${null}`; leave `with` out for an object without members";
        reader.report_hinted(span, "`with` has no value", Some(hint.to_owned()));
    }
    let plugin = plugin_named(reader, context.plugins, alias, node.span)?;
    Some(RawCall { plugin, function, with: fields.get("with"), span: node.span })
}
