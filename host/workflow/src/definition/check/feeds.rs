//! What steps are given, against what their functions take.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::super::problem::Problem;
use super::super::{Call, Code, Severity, Span, did_you_mean};
use super::Check;
use crate::expression::{Shape, Typed};
use crate::typing::{Field, KindSet, Misfit, Objects, Presence, Rest, Type, Weight};
use crate::{Contract, Schema};

/// Names that a hint lists.
const LISTED_NAMES_MAX: usize = 12;

/// A function with its types, made once.
pub(super) struct Function {
    name: String,
    takes: Type,
    gives: Type,
    /// For constants, of which the schema knows more than its type.
    schema: Option<Schema>,
    /// Whether a part of an input can be refused without knowing the rest.
    parts_stand_alone: bool,
}

/// By plugin and name; `None`: not known, or said to be missing.
pub(super) type Contracts<'c> = HashMap<(usize, &'c str), Option<Rc<Function>>>;

/// Keywords by which one part of a value decides what another must be.
const ENTANGLING: [&str; 5] =
    ["\"if\":", "\"unevaluated", "\"dependentSchemas\":", "\"$dynamicRef\":", "\"dependencies\":"];

impl Function {
    fn of(contract: &Contract) -> Self {
        let text = contract.input_schema.as_str();
        Self {
            name: contract.name.clone(),
            takes: Type::of_schema_text(&contract.input_schema),
            gives: Type::of_schema_text(&contract.output_schema),
            schema: Schema::compile(&contract.input_schema).ok(),
            parts_stand_alone: !ENTANGLING.iter().any(|keyword| text.contains(keyword)),
        }
    }
}

impl<'c> Check<'c> {
    /// What a call's function takes and gives, if that is known.
    pub(super) fn contract(&mut self, call: &'c Call) -> Option<Rc<Function>> {
        let plugin = self.definition.plugins.get(call.plugin)?;
        let known = self.offers.get(&plugin.alias)?.contracts.as_ref()?;
        let key = (call.plugin, call.function.as_str());
        if let Some(function) = self.contracts.get(&key).cloned() {
            if function.is_none() {
                let problem = unknown_function(call, &plugin.alias, known);
                self.report(problem, Severity::Error, Code::UnknownFunction);
            }
            return function;
        }
        let contract = Contract::find(known, &call.function);
        if contract.is_none() {
            let problem = unknown_function(call, &plugin.alias, known);
            self.report(problem, Severity::Error, Code::UnknownFunction);
        }
        let function = contract.map(|contract| Rc::new(Function::of(contract)));
        if let (Some(contract), Some(function)) = (contract, &function)
            && function.schema.is_none()
            && let Err(error) = Schema::compile(&contract.input_schema)
        {
            let message = format!("what `{}` takes is not checked: {error}", call.function);
            self.report(Problem::new(call.at, message), Severity::Warning, Code::InvalidSchema);
        }
        self.contracts.insert(key, function.clone());
        function
    }

    /// Holds an input against the function; gives what the function gives.
    pub(super) fn fed(
        &mut self,
        call: &Call,
        function: Option<Rc<Function>>,
        typed: &Typed,
    ) -> Type {
        let Some(function) = function else { return Type::Unknown };
        let mut feed = Feed { check: self, call, function: &function, refused: HashSet::new() };
        feed.part(typed, &function.takes, "");
        feed.constants(typed);
        function.gives.clone()
    }
}

fn unknown_function(call: &Call, alias: &str, known: &[Contract]) -> Problem {
    let names = || known.iter().map(|contract| contract.name.as_str());
    let hint = did_you_mean(&call.function, names()).or_else(|| {
        let mut list: Vec<&str> = names().take(LISTED_NAMES_MAX + 1).collect();
        if list.len() > LISTED_NAMES_MAX {
            list.truncate(LISTED_NAMES_MAX);
            list.push("…");
        }
        let list = list.join(", ");
        Some(if list.is_empty() { "it has none".to_owned() } else { format!("it has {list}") })
    });
    let length = alias.chars().count() + 1 + call.function.chars().count();
    Problem {
        length: u32::try_from(length).unwrap_or(1),
        ..Problem::new(call.at, format!("plugin `{alias}` has no function `{}`", call.function))
            .hinted(hint)
    }
}

/// One input on its way.
struct Feed<'f, 'c> {
    check: &'f mut Check<'c>,
    call: &'f Call,
    function: &'f Function,
    /// Paths of parts that are refused already.
    refused: HashSet<String>,
}

impl Feed<'_, '_> {
    fn part(&mut self, typed: &Typed, wanted: &Type, path: &str) {
        self.check.work += 1;
        let Type::Known(kinds) = wanted else { return };
        match (&typed.shape, &kinds.object, &kinds.list) {
            (Shape::Object(entries), Some(object), _) => {
                self.object(typed, entries, object, path);
            }
            (Shape::List(items), _, Some(list)) => {
                let length = items.len() as u64;
                if length < list.min || length > list.max {
                    self.misfit(typed, wanted, path);
                }
                for (position, item) in items.iter().enumerate() {
                    self.part(item, list.item_at(position), &format!("{path}/{position}"));
                }
            }
            _ => self.misfit(typed, wanted, path),
        }
    }

    fn object(
        &mut self,
        typed: &Typed,
        entries: &[(Box<str>, Span, Typed)],
        object: &Objects,
        path: &str,
    ) {
        let given: HashSet<&str> = entries.iter().map(|(name, ..)| &**name).collect();
        let open = || object.fields.iter().filter(|field| !given.contains(&*field.name));
        for (name, key, value) in entries {
            let below = format!("{path}/{name}");
            match (object.field(name), &object.rest) {
                (Some(field), _) if !field.value.is_never() => {
                    self.part(value, &field.value, &below);
                }
                (Some(_), _) | (None, Rest::Closed) => {
                    let hint = did_you_mean(name, open().map(|field| &*field.name));
                    let message = format!("`{}` takes no `{name}`", self.function.name);
                    self.refused.insert(below);
                    self.say(*key, Severity::Error, Code::UnknownField, message, hint);
                }
                (None, Rest::Open) => {
                    if let Some(hint) = did_you_mean(name, open().map(|field| &*field.name)) {
                        let message = format!("`{}` names no `{name}`", self.function.name);
                        self.say(*key, Severity::Warning, Code::UnlistedField, message, Some(hint));
                    }
                }
                (None, Rest::Allowed(rest)) => self.part(value, rest, &below),
            }
        }
        let required = |field: &&Field| field.presence == Presence::Required;
        for field in open().filter(required) {
            self.missing(typed, field, path);
        }
    }

    fn missing(&mut self, typed: &Typed, field: &Field, path: &str) {
        let name = &field.name;
        let at = if path.is_empty() { String::new() } else { format!(" in `{}`", dotted(path)) };
        let message = format!("`{}` requires `{name}`{at}, and it is missing", self.function.name);
        self.refused.insert(path.to_owned());
        let hint = format!("`{name}` takes {}", field.value);
        self.say(typed.span, Severity::Error, Code::MissingField, message, Some(hint));
    }

    /// A value as a whole.
    fn misfit(&mut self, typed: &Typed, wanted: &Type, path: &str) {
        let Some(misfit) = self.check.fit.misfit(&typed.of, wanted) else { return };
        let Misfit { path: below, message, weight } = misfit;
        let part = dotted(path) + &below;
        let part = part.strip_prefix('.').unwrap_or(&part);
        let what = if part.is_empty() { "`with`".to_owned() } else { format!("`{part}`") };
        let (severity, code) = match weight {
            Weight::Every => (Severity::Error, Code::WrongType),
            Weight::Some => (Severity::Warning, Code::MayBeWrongType),
            Weight::Bounds => (Severity::Note, Code::OutOfBounds),
        };
        let shared = !typed.of.possible().and(wanted.possible()).is_empty();
        let code = match &typed.shape {
            _ if message.ends_with("may be null") => Code::MayBeNull,
            _ if message.ends_with("may be missing") => Code::MayBeMissing,
            _ if message.ends_with("and missing") => Code::MissingField,
            _ if message.ends_with("is not allowed") => Code::UnknownField,
            Shape::Constant(_) if shared && weight == Weight::Every => Code::RefusedValue,
            _ => code,
        };
        if severity == Severity::Error {
            self.refused.insert(path.to_owned());
        }
        let hint = match (code, &typed.shape) {
            (Code::MayBeNull, Shape::Expression) if below.is_empty() => {
                Some("give another value for null: `x != null ? x : …`".to_owned())
            }
            _ if below.is_empty() => None,
            _ => Some(format!("`{}` takes {}", self.function.name, self.function.takes)),
        };
        self.say(typed.span, severity, code, format!("{what} {message}"), hint);
    }

    fn say(
        &mut self,
        span: Span,
        severity: Severity,
        code: Code,
        message: String,
        hint: Option<String>,
    ) {
        let problem = span.problem(self.check.source, message).hinted(hint);
        self.check.report(problem, severity, code);
    }

    /// Constants by the schema itself, which knows patterns, formats and the like.
    fn constants(&mut self, typed: &Typed) {
        let Some(schema) = &self.function.schema else { return };
        let whole = typed.constant();
        let in_parts = self.function.parts_stand_alone && has_constant(typed);
        if !whole && !in_parts {
            return;
        }
        for refusal in schema.refusals(&typed.value()) {
            let Some(part) = at_path(typed, &refusal.path) else { continue };
            let pointer: String = refusal.path.iter().map(|part| format!("/{part}")).collect();
            let said = self.refused.iter().any(|said| {
                said.starts_with(pointer.as_str()) || pointer.starts_with(said.as_str())
            });
            if said || !part.constant() {
                continue;
            }
            let part_name = dotted(&pointer);
            let name = part_name.strip_prefix('.').unwrap_or(&part_name);
            let name = if name.is_empty() { "with" } else { name };
            let message = format!("`{}` refuses `{name}`: {}", self.call.function, refusal.message);
            self.say(part.span, Severity::Error, Code::RefusedValue, message, None);
            self.refused.insert(pointer);
        }
    }
}

fn has_constant(typed: &Typed) -> bool {
    match &typed.shape {
        Shape::Constant(_) => true,
        Shape::Expression => false,
        Shape::List(items) => items.is_empty() || items.iter().any(has_constant),
        Shape::Object(entries) => {
            entries.is_empty() || entries.iter().any(|(.., value)| has_constant(value))
        }
    }
}

fn at_path<'t>(typed: &'t Typed, path: &[String]) -> Option<&'t Typed> {
    let Some((first, rest)) = path.split_first() else { return Some(typed) };
    match &typed.shape {
        Shape::Object(entries) => {
            let (.., value) = entries.iter().find(|(name, ..)| **name == **first)?;
            at_path(value, rest)
        }
        Shape::List(items) => at_path(items.get(first.parse::<usize>().ok()?)?, rest),
        // Inside of a constant the place of the whole is told.
        Shape::Constant(_) => Some(typed),
        Shape::Expression => None,
    }
}

/// `/a/0/b` as `.a[0].b`.
fn dotted(path: &str) -> String {
    let mut dotted = String::new();
    for part in path.split('/').skip(1) {
        if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) {
            dotted.push_str(&format!("[{part}]"));
        } else {
            dotted.push('.');
            dotted.push_str(part);
        }
    }
    dotted
}

/// Whether anything but null comes of a function.
pub(super) fn is_useful(gives: &Type) -> bool {
    !gives.possible().without(KindSet::NULL).is_empty() && *gives != Type::Unknown
}
