//! `parallel` becomes its branches' steps and a join after them.

use super::{
    AT_ONCE_DEFAULT, AT_ONCE_MAX, Context, Flat, Gate, NEEDS_MAX, Need, Raw, RawCall, RawKind,
    STEP, STEPS_MAX, TIMEOUT_DEFAULT, Written, read_call, retry, written,
};
use crate::definition::read::Fields;
use crate::definition::yaml::{Node, NodeValue, Span};
use crate::definition::{RetryPolicy, place};
use crate::expression::ROOTS;

/// What a step takes over from where it stands.
struct Place {
    /// What the step written before it is, or what its branch waits for.
    before: Vec<Need>,
    /// What its branch waits for, whatever the step itself says.
    start: Vec<Need>,
    /// `when`s around it.
    gates: Vec<usize>,
}

/// `None` if the list itself is not one.
pub(super) fn flatten<'n>(context: &Context<'_, '_>, node: &'n Node) -> Option<Flat<'n>> {
    let items = context.reader.list(node, "`steps`")?;
    if items.is_empty() {
        context.reader.report(node.span, "there are no steps");
        return None;
    }
    let mut flattening = Flattening { context, flat: Flat::default(), needs: 0 };
    let place = Place { before: Vec::new(), start: Vec::new(), gates: Vec::new() };
    flattening.sequence(items, place);
    if flattening.flat.steps.len() > STEPS_MAX {
        context.reader.report(node.span, format!("more than {STEPS_MAX} steps"));
        return None;
    }
    if flattening.needs > NEEDS_MAX {
        context.reader.report(node.span, format!("more than {NEEDS_MAX} needs"));
        return None;
    }
    Some(flattening.flat)
}

struct Flattening<'c, 'a, 'n> {
    context: &'c Context<'c, 'a>,
    flat: Flat<'n>,
    needs: usize,
}

impl<'n> Flattening<'_, '_, 'n> {
    /// Steps one after the other; gives the last one's position.
    fn sequence(&mut self, items: &'n [Node], mut place: Place) -> Option<usize> {
        let mut last = None;
        for item in items {
            if self.flat.steps.len() > STEPS_MAX {
                break;
            }
            if let Some(position) = self.step(item, &place) {
                place.before = vec![Need::Position(position)];
                last = Some(position);
            }
        }
        last
    }

    /// `None`: it is so wrong that nothing can follow it.
    fn step(&mut self, node: &'n Node, place: &Place) -> Option<usize> {
        let reader = self.context.reader;
        let fields = reader.fields(node, "a step", STEP)?;
        let (name, span) = match fields.get("id") {
            Some(id) => (reader.identifier(id, "id").unwrap_or(""), id.span),
            None => {
                let head = Span { end: node.span.start, ..node.span };
                reader.report_hinted(head, "`id` is missing", Some("`id: some_name`".to_owned()));
                ("", head)
            }
        };
        let needs = self.needs(&fields, place);
        self.needs += needs.len();
        let mut gates = place.gates.clone();
        if let Some(when) = fields.get("when") {
            gates.push(self.flat.gates.len());
            self.flat.gates.push(Gate { node: when, needs: needs.clone() });
        }
        let kind = written(reader, &fields, node);
        let timeout = fields.get("timeout").and_then(|node| reader.duration(node, "`timeout`"));
        let queue_timeout = fields.get("queue_timeout");
        let queue_timeout = queue_timeout.and_then(|node| reader.duration(node, "`queue_timeout`"));
        let requires = fields.get("requires").map(|node| place::requires(reader, node));
        let retry = fields.get("retry").map(|node| retry::read(reader, node));
        let mut raw = Raw {
            name: name.into(),
            span,
            needs,
            gates,
            // What a step becomes that cannot be read: its name stays known.
            kind: RawKind::Join(Vec::new()),
            retry: retry.unwrap_or_default(),
            timeout: timeout.unwrap_or(TIMEOUT_DEFAULT),
            requires: requires.unwrap_or_default(),
            queue_timeout,
        };
        match kind {
            Some(Written::Parallel(branches)) => return Some(self.parallel(raw, branches)),
            Some(Written::Set(value)) => raw.kind = RawKind::Set(value),
            Some(Written::Call(node)) => {
                let map = self.map(&fields);
                if let Some(call) = read_call(self.context, &fields, node) {
                    raw.kind = called(call, map);
                }
            }
            None => {}
        }
        Some(self.push(raw))
    }

    fn push(&mut self, raw: Raw<'n>) -> usize {
        self.flat.steps.push(raw);
        self.flat.steps.len() - 1
    }

    fn needs(&self, fields: &Fields<'n>, place: &Place) -> Vec<Need> {
        let reader = self.context.reader;
        let Some((_, node)) = fields.entry("needs") else { return place.before.clone() };
        let one = std::slice::from_ref(node);
        let items = match &node.value {
            NodeValue::Text(_) => one,
            // Nothing written after it.
            NodeValue::Null => &[],
            _ => reader.list(node, "`needs`").unwrap_or_default(),
        };
        let named = items.iter().filter_map(|item| {
            let name = reader.text(item, "a need")?;
            Some(Need::Named(name.into(), item.span))
        });
        place.start.iter().cloned().chain(named).collect()
    }

    /// The list, its item's name and how many at once.
    fn map(&self, fields: &Fields<'n>) -> Option<(&'n Node, &'n str, u32)> {
        let reader = self.context.reader;
        let items = fields.get("map")?;
        let item = match fields.get("as") {
            Some(node) => {
                let name = reader.identifier(node, "name").unwrap_or("item");
                if ROOTS.contains(&name) || name == "index" {
                    reader.report(node.span, format!("`{name}` has a meaning of its own"));
                }
                name
            }
            None => "item",
        };
        let at_once = fields.get("at_once").map_or(Some(AT_ONCE_DEFAULT), |node| {
            reader.number(node, "`at_once`", 1..=AT_ONCE_MAX)
        });
        Some((items, item, at_once.unwrap_or(1)))
    }

    fn parallel(&mut self, mut join: Raw<'n>, node: &'n Node) -> usize {
        let reader = self.context.reader;
        let branches = reader.list(node, "`parallel`").unwrap_or_default();
        if branches.is_empty() {
            reader.report(node.span, "a `parallel` needs branches");
        }
        let mut lasts = Vec::with_capacity(branches.len());
        for branch in branches {
            let place = Place {
                before: join.needs.clone(),
                start: join.needs.clone(),
                gates: join.gates.clone(),
            };
            self.needs += join.needs.len();
            if self.needs > NEEDS_MAX {
                break;
            }
            let last = match &branch.value {
                NodeValue::List(steps) if steps.is_empty() => {
                    reader.report(branch.span, "a branch needs a step");
                    None
                }
                NodeValue::List(steps) => self.sequence(steps, place),
                _ => self.step(branch, &place),
            };
            lasts.extend(last);
        }
        join.needs = lasts.iter().copied().map(Need::Position).collect();
        self.needs += lasts.len();
        join.kind = RawKind::Join(lasts);
        join.retry = RetryPolicy::default();
        self.push(join)
    }
}

fn called<'n>(call: RawCall<'n>, map: Option<(&'n Node, &'n str, u32)>) -> RawKind<'n> {
    match map {
        Some((items, item, at_once)) => RawKind::Map { items, at_once, item, call },
        None => RawKind::Call(call),
    }
}
