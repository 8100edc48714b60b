//! What names mean in an expression, and what is said of those that mean nothing.

use std::collections::HashMap;

use super::lookup::Segment;
use super::template::Root;
use crate::definition::{Code, did_you_mean};
use crate::{Name, Schema, StepId};

/// Names that an expression of one place may use.
pub(crate) struct Names<'n> {
    /// `None` where steps may not be named at all.
    pub(crate) steps: Option<&'n HashMap<Name, StepId>>,
    /// The item's name inside a `map`; `index` goes with it.
    pub(crate) item: Option<&'n str>,
    /// What `input` may have.
    pub(crate) input: Option<&'n Schema>,
    /// Whether hints are still shown: finding similar names takes time.
    pub(crate) hints: bool,
}

/// What is wrong with an expression.
pub(super) struct Complaint {
    pub(super) message: String,
    pub(super) hint: Option<String>,
    pub(super) code: Code,
}

impl Complaint {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: Code::Expression }
    }

    pub(super) fn hinted(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()), code: Code::Expression }
    }
}

/// Words that expressions give a meaning of their own, or that CEL keeps for later.
const RESERVED: [&str; 26] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "package",
    "namespace",
    "null",
    "return",
    "true",
    "var",
    "void",
    "while",
    "has",
    "all",
    "exists",
    "map",
    "filter",
];

/// Whether `name` cannot be the name of something in an expression.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// Roots that every expression knows.
pub(crate) const ROOTS: [&str; 3] = ["input", "run", "steps"];

/// What `run` has.
const RUN_FIELDS: [&str; 2] = ["id", "workflow"];

/// What the path's first names mean: the root, how it is written, and the path below it.
pub(super) fn resolve<'p>(
    path: &'p [Segment],
    names: &Names<'_>,
) -> Result<(Root, String, &'p [Segment]), Complaint> {
    let Some((Segment::Field(first), rest)) = path.split_first() else {
        return Err(Complaint::new("a path must begin with a name"));
    };
    match &**first {
        name if names.item == Some(name) => Ok((Root::Item, name.to_owned(), rest)),
        "index" if names.item.is_some() => Ok((Root::Index, "index".to_owned(), rest)),
        "input" => {
            check_input(rest, names)?;
            Ok((Root::Input, "input".to_owned(), rest))
        }
        "run" => match rest.first() {
            Some(Segment::Field(name)) if RUN_FIELDS.contains(&&**name) => {
                Ok((Root::Run, "run".to_owned(), rest))
            }
            _ => Err(Complaint::hinted("`run` is used by its fields", "`run.id`, `run.workflow`")),
        },
        "steps" => resolve_step(rest, names),
        name => Err(unknown_name(name, names)),
    }
}

/// A field that the input's schema rules out would be missing in every run.
fn check_input(path: &[Segment], names: &Names<'_>) -> Result<(), Complaint> {
    let Some(schema) = names.input else { return Ok(()) };
    let mut above: Vec<&str> = Vec::new();
    for segment in path {
        let Segment::Field(name) = segment else { return Ok(()) };
        let Some(known) = schema.closed_properties(&above) else { return Ok(()) };
        if !known.contains(&&**name) {
            let at: Vec<&str> = ["input"].into_iter().chain(above).collect();
            let at = at.join(".");
            let hint = did_you_mean(name, known.iter().copied())
                .or_else(|| (!known.is_empty()).then(|| format!("it has {}", known.join(", "))));
            let name = super::access::quoted(name);
            let message = format!("`{at}` has no `{name}`");
            return Err(Complaint { message, hint, code: Code::UnknownField });
        }
        above.push(name);
    }
    Ok(())
}

fn resolve_step<'p>(
    rest: &'p [Segment],
    names: &Names<'_>,
) -> Result<(Root, String, &'p [Segment]), Complaint> {
    let Some(steps) = names.steps else {
        return Err(Complaint::hinted("no step has run here", "only `input` and `run` are known"));
    };
    let Some((Segment::Field(name), rest)) = rest.split_first() else {
        return Err(Complaint::hinted("`steps` is used by a step's id", "`steps.some_id`"));
    };
    let Some(step) = steps.get(&**name) else {
        let known = steps.keys().map(|name| &**name);
        return Err(Complaint {
            message: format!("there is no step `{}`", super::access::quoted(name)),
            hint: names.hints.then(|| did_you_mean(name, known)).flatten(),
            code: Code::UnknownName,
        });
    };
    Ok((Root::Step(*step), format!("steps.{name}"), rest))
}

pub(super) fn unknown_name(name: &str, names: &Names<'_>) -> Complaint {
    let message = format!("unknown name `{}`", super::access::quoted(name));
    if let Some(steps) = names.steps
        && steps.contains_key(name)
    {
        let hint = Some(format!("write `steps.{name}`"));
        return Complaint { message, hint, code: Code::UnknownName };
    }
    let item = names.item.into_iter().chain(names.item.map(|_| "index"));
    let known: Vec<&str> = ROOTS
        .into_iter()
        .filter(|root| *root != "steps" || names.steps.is_some())
        .chain(item)
        .collect();
    let hint = did_you_mean(name, known.iter().copied());
    let hint = hint.unwrap_or_else(|| format!("known here: {}", known.join(", ")));
    Complaint { message, hint: Some(hint), code: Code::UnknownName }
}
