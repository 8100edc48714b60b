//! What a step takes and gives, however its component says so.

use serde::{Deserialize, Serialize};

use crate::Json;

/// One function of a component that a workflow can call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// The name that a workflow calls it by.
    pub name: String,
    /// For people; text from a guest.
    pub docs: String,
    /// JSON Schema of the input.
    pub input_schema: Json,
    /// JSON Schema of the output.
    pub output_schema: Json,
}
