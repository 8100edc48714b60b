use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wfhost_guest::{export, step};

#[derive(Deserialize, JsonSchema)]
struct Input {
    name: String,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    greeting: String,
}

/// Greets somebody by name.
#[step]
fn greet(input: Input) -> Output {
    Output { greeting: format!("Hello, {}!", input.name) }
}
export!(greet);
