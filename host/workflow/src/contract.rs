//! What a step takes and gives, however its component says so.

use serde::{Deserialize, Serialize};

use crate::Json;
use crate::typing::{Fit, Misfit, Type};

/// One function of a component that a workflow can call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// The name that a workflow calls it by; one of an exported interface has its version,
    /// which a workflow may leave out where that is unique: see [`Contract::find`].
    pub name: String,
    /// For people; text from a guest.
    pub docs: String,
    /// JSON Schema of the input.
    pub input_schema: Json,
    /// JSON Schema of the output.
    pub output_schema: Json,
}

impl Contract {
    /// The one that a workflow means by `name`: `func`, `ns:pkg/iface@1.0.0#func`, or
    /// `ns:pkg/iface#func` where only one version of the interface has the function.
    #[must_use]
    pub fn find<'a>(contracts: &'a [Self], name: &str) -> Option<&'a Self> {
        if let Some(same) = contracts.iter().find(|contract| contract.name == name) {
            return Some(same);
        }
        let mut versions = contracts.iter().filter(|contract| contract.is_version_of(name));
        let found = versions.next();
        if versions.next().is_some() { None } else { found }
    }

    /// Whether workflows that were written for `old` go on working with this one: it must take
    /// all that `old` took, and give nothing that `old` did not give.
    #[must_use]
    pub fn compatibility(&self, old: &Self) -> Compatibility {
        let input = Compatibility::of("input", &old.input_schema, &self.input_schema);
        input.and(Compatibility::of("output", &self.output_schema, &old.output_schema))
    }

    fn is_version_of(&self, name: &str) -> bool {
        let parts = self.name.split_once('#').zip(name.split_once('#'));
        parts.is_some_and(|((versioned, function), (interface, wanted))| {
            let version = versioned.strip_prefix(interface);
            function == wanted && version.is_some_and(|version| version.starts_with('@'))
        })
    }
}

/// Whether what was written for an older version goes on working with a newer one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compatibility {
    /// The schemas are the same.
    Same,
    /// They differ, and every value of before fits.
    Compatible,
    /// Nothing certain can be said: a schema uses what is not compared.
    Unclear,
    /// Some values of before do not fit, for these reasons.
    Incompatible(Vec<String>),
}

impl Compatibility {
    /// Whether all that the schema `given` allows is accepted where `wanted` is asked for. The
    /// reasons begin with `what` the values are.
    #[must_use]
    pub fn of(what: &str, given: &Json, wanted: &Json) -> Self {
        if given == wanted {
            return Self::Same;
        }
        let (given, wanted) = (Type::of_schema_text(given), Type::of_schema_text(wanted));
        match Fit::default().accepts(&given, &wanted) {
            Ok(true) => Self::Compatible,
            Ok(false) => Self::Unclear,
            Err(Misfit { path, message, .. }) => {
                Self::Incompatible(vec![format!("`{what}{path}` {message}")])
            }
        }
    }

    /// Of both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Incompatible(mut reasons), Self::Incompatible(more)) => {
                reasons.extend(more);
                Self::Incompatible(reasons)
            }
            (refused @ Self::Incompatible(_), _) | (_, refused @ Self::Incompatible(_)) => refused,
            (Self::Unclear, _) | (_, Self::Unclear) => Self::Unclear,
            (Self::Compatible, _) | (_, Self::Compatible) => Self::Compatible,
            (Self::Same, Self::Same) => Self::Same,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_contract_must_take_all_and_give_nothing_else() {
        let contract = |input: &str, output: &str| Contract {
            name: "f".to_owned(),
            docs: String::new(),
            input_schema: Json::parse(input).unwrap(),
            output_schema: Json::parse(output).unwrap(),
        };
        let object = |fields: &str, required: &str| {
            format!(
                r#"{{"type":"object","properties":{{{fields}}},"required":[{required}],"additionalProperties":false}}"#
            )
        };
        let a = object(r#""a":{"type":"string"}"#, r#""a""#);
        let a_b = object(r#""a":{"type":"string"},"b":{"type":"string"}"#, r#""a""#);
        let a_and_b = object(r#""a":{"type":"string"},"b":{"type":"string"}"#, r#""a","b""#);
        let (text, number) = (r#"{"type":"string"}"#, r#"{"type":"number"}"#);
        let check = |old: (&str, &str), new: (&str, &str), found: Compatibility| {
            let (old, new) = (contract(old.0, old.1), contract(new.0, new.1));
            assert_eq!(new.compatibility(&old), found, "{old:?} {new:?}");
        };
        let no = |reasons: &[&str]| {
            Compatibility::Incompatible(reasons.iter().map(|&why| why.to_owned()).collect())
        };
        check((&a, text), (&a, text), Compatibility::Same);
        check((&a, text), (&a_b, text), Compatibility::Compatible);
        check((&a, text), (&a_and_b, text), no(&["`input.b` is required, and missing"]));
        check((&a_b, text), (&a, text), no(&["`input.b` is not allowed"]));
        check((&a, &a_and_b), (&a, &a_b), no(&["`output.b` is required, and may be missing"]));
        check((&a, text), (&a, number), no(&["`output` must be text, not a number"]));
        check(
            (text, text),
            (number, number),
            no(&["`input` must be a number, not text", "`output` must be text, not a number"]),
        );
        check((text, text), (r#"{"type":"string","pattern":"a"}"#, text), Compatibility::Unclear);
    }

    #[test]
    fn a_version_may_be_left_out_where_it_is_unique() {
        let contract = |name: &str| Contract {
            name: name.to_owned(),
            docs: String::new(),
            input_schema: Json::from_trusted("true"),
            output_schema: Json::from_trusted("true"),
        };
        let known = ["f", "a:b/c@1.0.0#f", "a:b/d@1.0.0#f", "a:b/d@2.0.0#f", "a:b/d@2.0.0#g"];
        let known = known.map(contract);
        let check = |name, found: Option<&str>| {
            let contract = Contract::find(&known, name);
            assert_eq!(contract.map(|contract| contract.name.as_str()), found, "{name}");
        };
        check("f", Some("f"));
        check("a:b/c#f", Some("a:b/c@1.0.0#f"));
        check("a:b/c@1.0.0#f", Some("a:b/c@1.0.0#f"));
        check("a:b/c@2.0.0#f", None);
        check("a:b/d#f", None);
        check("a:b/d#g", Some("a:b/d@2.0.0#g"));
        check("a:b#f", None);
        check("c#f", None);
    }
}
