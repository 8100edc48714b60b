//! Components of strangers, before any engine sees them: their facts.
//!
//! Any bytes give facts or a refusal, in bounded time. Facts are stored and shown: they come back
//! as they were, and their schemas are such as the host takes.

use std::borrow::Cow;

use serde_json::Value;
use wfhost_plugin::facts::{self, ComponentFacts};
use wfhost_workflow::{Json, Schema, SchemaError};

/// Text of WebAssembly is read as what it stands for: changes in it are changes of meaning, most
/// changes in bytes are none.
pub(crate) fn run(bytes: &[u8]) {
    let component = match bytes.first() {
        Some(b'(' | b';' | b' ' | b'\n') => match wat::parse_bytes(bytes) {
            Ok(component) => component,
            Err(_) => return,
        },
        _ => Cow::Borrowed(bytes),
    };
    let told = facts::of(&component);
    match &told {
        Ok(facts) => are_kept(facts),
        Err(error) => {
            let text = format!("{error} {error:?}");
            assert!(text.len() < 1 << 20, "a message of {} bytes", text.len());
        }
    }
    assert_eq!(told.ok(), facts::of(&component).ok(), "asked again, it says something else");
}

fn are_kept(facts: &ComponentFacts) {
    let text = serde_json::to_string(facts).expect("facts have a form");
    let again: Result<ComponentFacts, _> = serde_json::from_str(&text);
    assert!(matches!(&again, Ok(again) if again == facts), "{facts:?} became {again:?}");
    for function in &facts.functions {
        assert!(facts.function(&function.name).is_some(), "{}", function.name);
        let schemas = [Some(&function.input_schema), Some(&function.output_schema)];
        for schema in schemas.into_iter().flatten().chain(&function.error_schema) {
            is_a_schema(schema);
        }
    }
}

fn is_a_schema(schema: &Json) {
    let read: Result<Value, _> = serde_json::from_str(schema.as_str());
    assert!(read.is_ok(), "{schema:?}: {read:?}");
    match Schema::compile(schema) {
        // Its size is its owner's to bound.
        Ok(_) | Err(SchemaError::TooLarge { .. }) => {}
        Err(error) => panic!("{error}: {schema}"),
    }
}
