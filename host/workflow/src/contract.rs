//! What a step takes and gives, however its component says so.

use serde::{Deserialize, Serialize};

use crate::Json;

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

    fn is_version_of(&self, name: &str) -> bool {
        let parts = self.name.split_once('#').zip(name.split_once('#'));
        parts.is_some_and(|((versioned, function), (interface, wanted))| {
            let version = versioned.strip_prefix(interface);
            function == wanted && version.is_some_and(|version| version.starts_with('@'))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
