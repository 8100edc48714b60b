//! What is told of a component, as it is stored and shown. Every text comes from a stranger.

use serde::{Deserialize, Serialize};
use wfhost_workflow::{Digest, Json};

/// The interface by which a component of the step world is called; its functions are none
/// that a workflow calls.
pub const STEPS_INTERFACE: &str = "wfhost:step/steps";

/// What a component says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentFacts {
    /// Of the bytes as they were given.
    pub digest: Digest,
    /// Their number.
    pub bytes: u64,
    /// What they are.
    pub kind: Kind,
    /// Who says what it is.
    pub about: About,
    /// Of its world.
    pub docs: String,
    /// The version of `wfhost:step/steps` that it exports: its steps describe themselves.
    pub step_world: Option<String>,
    /// The functions it exports, those of [`STEPS_INTERFACE`] left out.
    pub functions: Vec<FunctionFacts>,
    /// What it needs.
    pub imports: Vec<Import>,
    /// The versions of WASI among its imports.
    pub wasi: Vec<String>,
    /// The tools that made it, inner modules included.
    pub producers: Vec<Producer>,
    /// Core modules in it, at any depth.
    pub core_modules: u32,
    /// Components in it, at any depth.
    pub components: u32,
    /// Memories of its core modules.
    pub memories: u32,
    /// Its world and all that it names, with docs where it carries them.
    pub wit: String,
}

impl ComponentFacts {
    /// Whether it exports an `async func`.
    #[must_use]
    pub fn is_async(&self) -> bool {
        self.functions.iter().any(|function| function.is_async)
    }
}

/// A component, or what becomes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A component.
    Component,
    /// A core module that carries its WIT.
    CoreModule,
}

/// What a component's own sections say about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
    /// Who wrote it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub authors: Option<String>,
    /// An SPDX expression.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub licenses: Option<String>,
    /// Where its source is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<String>,
    /// Which revision of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revision: Option<String>,
    /// Where more is said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub homepage: Option<String>,
}

/// A tool or language that had a part in a component.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Producer {
    /// `language`, `processed-by`, `sdk`.
    pub field: String,
    /// Its name.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
}

/// An exported function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionFacts {
    /// What a workflow calls it by: `func`, or `ns:pkg/iface#func` with the interface's
    /// version only where two versions of it have the function.
    pub name: String,
    /// The exported interface with its version; `None` at the world's level.
    pub interface: Option<String>,
    /// Its name there.
    pub function: String,
    /// From the WIT, where the component carries it.
    pub docs: String,
    /// `[async] func(…) -> …` in WIT.
    pub signature: String,
    /// Whether it is an `async func`.
    pub is_async: bool,
    /// Of an object with the parameters.
    pub input_schema: Json,
    /// Of the result; of `ok` where it is a `result`.
    pub output_schema: Json,
    /// Of the payload of `err` where the result is a `result` that has one.
    pub error_schema: Option<Json>,
    /// Why a workflow cannot call it; the schemas are `true` then.
    pub refused: Option<String>,
}

impl FunctionFacts {
    /// Its name with the interface's version.
    #[must_use]
    pub fn full_name(&self) -> String {
        match &self.interface {
            Some(interface) => format!("{interface}#{}", self.function),
            None => self.function.clone(),
        }
    }
}

/// Something that a component needs of its host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// With its version, as it is imported.
    pub name: String,
    /// The interface without its version.
    pub interface: String,
    /// Its version.
    pub version: Option<String>,
    /// The functions that the component imports of it.
    pub functions: Vec<String>,
    /// Whether this host has it.
    pub offer: Offer,
}

/// Whether and how this host offers an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "offered", rename_all = "kebab-case")]
pub enum Offer {
    /// To every guest.
    Always,
    /// It is there, and empty without the grant.
    ByGrant {
        /// The key, in `plugin.toml` and in the workflow.
        grant: String,
    },
    /// It can be imported; every call of it is denied.
    Denied {
        /// Why.
        because: String,
    },
    /// A component that imports it cannot be loaded.
    Never {
        /// Why, with what is offered instead where there is something.
        because: String,
    },
}

impl ComponentFacts {
    /// The function that a workflow names, with or without the interface's version.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<&FunctionFacts> {
        let exact = self.functions.iter().find(|function| function.name == name);
        exact.or_else(|| self.functions.iter().find(|function| function.full_name() == name))
    }
}
