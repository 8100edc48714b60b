//! A definition against what its plugins say of themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::problem::{Problem, did_you_mean};
use super::{Call, Definition, StepKind};
use crate::{Contract, Json, Name, Schema};

/// Names that a hint lists.
const LISTED_NAMES_MAX: usize = 12;

impl Definition {
    /// What does not fit the plugins' contracts, by alias: functions that are not there, and
    /// inputs without expressions that their schema refuses. Plugins without an entry are
    /// passed over.
    #[must_use]
    pub fn check_contracts(&self, contracts: &BTreeMap<Name, Arc<Vec<Contract>>>) -> Vec<Problem> {
        let mut problems = Vec::new();
        // Steps often call the same function.
        let mut schemas: BTreeMap<(usize, &str), Option<Schema>> = BTreeMap::new();
        for step in &self.steps {
            let call = match &step.kind {
                StepKind::Call(call) => call,
                StepKind::Map(map) => &map.call,
                StepKind::Set(_) | StepKind::Parallel(_) => continue,
            };
            let Some(plugin) = self.plugins.get(call.plugin) else { continue };
            let Some(known) = contracts.get(&plugin.alias) else { continue };
            let Some(contract) = Contract::find(known, &call.function) else {
                problems.push(unknown_function(call, &plugin.alias, known));
                continue;
            };
            let Some(text) = call.with.constant_text() else { continue };
            let schema = schemas
                .entry((call.plugin, &call.function))
                // A schema that cannot be compiled is the plugin's fault, and said elsewhere.
                .or_insert_with(|| Schema::compile(&contract.input_schema).ok());
            if let Some(schema) = schema
                && let Err(messages) = schema.check(&Json::from_trusted(text))
            {
                problems.extend(messages.into_iter().map(|message| {
                    Problem::new(
                        call.with_at,
                        format!("`{}` refuses `with`: {message}", call.function),
                    )
                }));
            }
        }
        problems
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
