//! Names to positions, templates compiled, and every name checked to come before its use.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;

use super::{Context, Flat, Need, Raw, RawCall, RawKind, Steps};
use crate::definition::code::Code;
use crate::definition::order::{Query, are_ancestors, inverse, topological};
use crate::definition::problem::did_you_mean;
use crate::definition::read::Reader;
use crate::definition::yaml::shortened;
use crate::definition::{Branch, Call, Map, Step, StepKind};
use crate::expression::{Names, Place, Reference, Template};
use crate::{Name, StepId};

/// `None` only if a problem was reported.
pub(super) fn compile(context: &Context<'_, '_>, flat: Flat<'_>) -> Option<Steps> {
    let reader = context.reader;
    let named = name_positions(reader, &flat);
    let needs: Vec<Vec<usize>> =
        flat.steps.iter().map(|step| resolve(reader, &step.needs, &named)).collect();
    let gate_needs: Vec<Vec<usize>> =
        flat.gates.iter().map(|gate| resolve_quietly(&gate.needs, &named)).collect();
    let order = match topological(&needs) {
        Ok(order) => Some(order),
        Err(circles) => {
            circles.iter().for_each(|circle| report_circle(reader, &flat, circle));
            None
        }
    };
    // With circles, positions mean nothing; names in expressions are checked all the same.
    let in_order = order.clone().unwrap_or_else(|| (0..flat.steps.len()).collect());
    let mut position_of = vec![0; flat.steps.len()];
    for (position, &raw) in in_order.iter().enumerate() {
        position_of[raw] = position;
    }
    let positions = |raws: &[usize]| -> Vec<usize> {
        let mut positions: Vec<usize> = raws.iter().map(|&raw| position_of[raw]).collect();
        positions.sort_unstable();
        positions.dedup();
        positions
    };
    let names: HashMap<Name, StepId> =
        named.into_iter().map(|(name, raw)| (name, step_id(position_of[raw]))).collect();
    let gate_needs: Vec<Vec<usize>> = gate_needs.iter().map(|raws| positions(raws)).collect();
    let needs: Vec<Vec<usize>> = in_order.iter().map(|&raw| positions(&needs[raw])).collect();
    let mut compilation = Compilation { context, names: &names, uses: Vec::new() };
    let gates: Vec<Template> = flat
        .gates
        .iter()
        .zip(&gate_needs)
        .map(|(gate, needs)| compilation.gate(gate.node, needs))
        .collect();
    let mut raws: Vec<Option<Raw<'_>>> = flat.steps.into_iter().map(Some).collect();
    let dependents = inverse(&needs);
    let mut steps = Vec::with_capacity(in_order.len());
    for (position, raw) in in_order.iter().enumerate() {
        let Some(raw) = raws.get_mut(*raw).and_then(Option::take) else { continue };
        let kind = compilation.kind(&raw, position, &needs[position], &position_of, &steps);
        steps.push(Step {
            name: raw.name,
            needs: ids(&needs[position]),
            dependents: ids(&dependents[position]),
            gates: raw.gates.iter().filter_map(|gate| gates.get(*gate).cloned()).collect(),
            kind,
            retry: raw.retry,
            timeout: raw.timeout,
            requires: raw.requires,
            queue_timeout: raw.queue_timeout,
            at: raw.span.at,
        });
    }
    let uses = compilation.uses;
    order?;
    check_uses(reader, &needs, uses, &steps);
    Some(Steps { steps, names })
}

fn step_id(position: usize) -> StepId {
    // Bounded by STEPS_MAX.
    StepId(u32::try_from(position).unwrap_or(u32::MAX))
}

fn ids(positions: &[usize]) -> Vec<StepId> {
    positions.iter().copied().map(step_id).collect()
}

fn name_positions(reader: &Reader<'_>, flat: &Flat<'_>) -> HashMap<Name, usize> {
    let mut named: HashMap<Name, usize> = HashMap::with_capacity(flat.steps.len());
    for (position, step) in flat.steps.iter().enumerate() {
        if step.name.is_empty() {
            continue;
        }
        match named.entry(step.name.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(position);
            }
            Entry::Occupied(entry) => {
                // A join comes after its branches, so the later one may stand further up.
                let other = flat.steps[*entry.get()].span;
                let (first, second) = if other.start <= step.span.start {
                    (other, step.span)
                } else {
                    (step.span, other)
                };
                let message = format!("id `{}` is used twice", step.name);
                let hint = format!("the other one is in line {}", first.at.line);
                reader.report_coded(second, Code::Duplicate, message, Some(hint));
            }
        }
    }
    named
}

fn resolve(reader: &Reader<'_>, needs: &[Need], named: &HashMap<Name, usize>) -> Vec<usize> {
    for need in needs {
        if let Need::Named(name, span) = need
            && !named.contains_key(name)
        {
            let known = named.keys().map(|name| &**name);
            let message = format!("there is no step `{}`", shortened(name));
            let hint = reader.shows_more().then(|| did_you_mean(name, known)).flatten();
            reader.report_coded(*span, Code::UnknownName, message, hint);
        }
    }
    resolve_quietly(needs, named)
}

fn resolve_quietly(needs: &[Need], named: &HashMap<Name, usize>) -> Vec<usize> {
    let mut positions: Vec<usize> = needs
        .iter()
        .filter_map(|need| match need {
            Need::Position(position) => Some(*position),
            Need::Named(name, _) => named.get(name).copied(),
        })
        .collect();
    positions.sort_unstable();
    positions.dedup();
    positions
}

/// Steps of a circle that a message names.
const NAMED_IN_CIRCLE_MAX: usize = 8;

fn report_circle(reader: &Reader<'_>, flat: &Flat<'_>, circle: &[usize]) {
    // Begins with the step that stands first in the file.
    let first = circle.iter().enumerate().min_by_key(|(_, raw)| flat.steps[**raw].span.start);
    let Some((begin, &first)) = first else { return };
    let around = circle[begin..].iter().chain(&circle[..begin]);
    let mut names: Vec<String> = around
        .take(NAMED_IN_CIRCLE_MAX)
        .map(|&raw| format!("`{}`", flat.steps[raw].name))
        .collect();
    if circle.len() > NAMED_IN_CIRCLE_MAX {
        names.push("…".to_owned());
    }
    names.push(format!("`{}`", flat.steps[first].name));
    let message = if circle.len() == 1 {
        format!("step {} needs itself", names[0])
    } else {
        format!("steps need each other in a circle: {}", names.join(" needs "))
    };
    reader.report_coded(flat.steps[first].span, Code::Order, message, None);
}

/// A step that an expression names, and what comes before the expression's own step.
struct Use {
    reference: Reference,
    needs: Rc<[usize]>,
    /// The step itself; `None` for a `when`, which may hold for several.
    by: Option<usize>,
}

struct Compilation<'c, 'a> {
    context: &'c Context<'c, 'a>,
    names: &'c HashMap<Name, StepId>,
    uses: Vec<Use>,
}

impl<'c> Compilation<'c, '_> {
    fn names<'n>(&self, item: Option<&'n str>) -> Names<'n>
    where
        'c: 'n,
    {
        let Context { reader, input, .. } = *self.context;
        Names { steps: Some(self.names), item, input, hints: reader.shows_more() }
    }

    fn gate(&mut self, node: &crate::definition::Node, needs: &[usize]) -> Template {
        let names = self.names(None);
        let mut references = Vec::new();
        let template =
            self.context.compiler.compile_expression(node, "`when`", &names, &mut references);
        self.used(references, needs, None);
        if let Some(text) = template.constant_text()
            && !matches!(text, "true" | "false" | "null")
        {
            self.context.reader.report(node.span, "`when` must be true or false");
        }
        template
    }

    fn kind(
        &mut self,
        raw: &Raw<'_>,
        position: usize,
        needs: &[usize],
        position_of: &[usize],
        steps: &[Step],
    ) -> StepKind {
        match &raw.kind {
            RawKind::Call(call) => StepKind::Call(self.call(call, None, position, needs)),
            RawKind::Map { items, at_once, item, call } => {
                let names = self.names(None);
                let mut references = Vec::new();
                let compiler = self.context.compiler;
                let items = if matches!(items.value, crate::definition::NodeValue::List(_)) {
                    compiler.compile(items, &names, &mut references)
                } else {
                    compiler.compile_expression(items, "`map`", &names, &mut references)
                };
                self.used(references, needs, Some(position));
                let call = self.call(call, Some(item), position, needs);
                StepKind::Map(Map { items, at_once: *at_once, call })
            }
            RawKind::Set(node) => {
                let names = self.names(None);
                let mut references = Vec::new();
                let value = self.context.compiler.compile(node, &names, &mut references);
                self.used(references, needs, Some(position));
                StepKind::Set(value)
            }
            RawKind::Join(lasts) => {
                let branch = |raw: &usize| {
                    let last = position_of[*raw];
                    let name = steps.get(last).map_or_else(|| "".into(), |s| s.name.clone());
                    Branch { name, last: step_id(last) }
                };
                StepKind::Parallel(lasts.iter().map(branch).collect())
            }
        }
    }

    fn call(
        &mut self,
        call: &RawCall<'_>,
        item: Option<&str>,
        position: usize,
        needs: &[usize],
    ) -> Call {
        let names = self.names(item);
        let mut references = Vec::new();
        let with = call.with.map_or_else(
            || Template::constant("{}").placed(Place::of_span(call.span, false)),
            |node| self.context.compiler.compile(node, &names, &mut references),
        );
        self.used(references, needs, Some(position));
        Call {
            plugin: call.plugin,
            function: call.function.to_owned(),
            with,
            at: call.span.at,
            with_at: call.with.map_or(call.span.at, |node| node.span.at),
        }
    }

    fn used(&mut self, references: Vec<Reference>, needs: &[usize], by: Option<usize>) {
        if references.is_empty() {
            return;
        }
        let needs: Rc<[usize]> = needs.into();
        let uses =
            references.into_iter().map(|reference| Use { reference, needs: Rc::clone(&needs), by });
        self.uses.extend(uses);
    }
}

/// Reports expressions that name a step which may not be done by then.
fn check_uses(reader: &Reader<'_>, needs: &[Vec<usize>], uses: Vec<Use>, steps: &[Step]) {
    let mut places = Vec::with_capacity(uses.len());
    let mut queries = Vec::with_capacity(uses.len());
    for Use { reference, needs, by } in uses {
        queries.push(Query { base: needs, target: reference.step.position() });
        places.push((reference, by));
    }
    let answers = are_ancestors(needs, &queries);
    for ((reference, by), _) in places.into_iter().zip(answers).filter(|(_, known)| !known) {
        let target = reference.step.position();
        let name = steps.get(target).map_or("", |step| &step.name);
        let (message, hint) = if by == Some(target) {
            (format!("step `{name}` cannot use its own result"), None)
        } else if by.is_none_or(|by| by < target) {
            (format!("step `{name}` is not done here"), Some(format!("write this after `{name}`")))
        } else {
            let hint = format!("add `{name}` to the `needs` of this step");
            (format!("step `{name}` may not be done here"), Some(hint))
        };
        reader.report_coded(reference.span, Code::Order, message, hint);
    }
}
