//! A run's input: `--input`, with `-p key=value` over it, as the workflow's schema types it.

use std::io::Read as _;

use serde_json::{Map, Value};
use wfhost_workflow::{Json, Schema, parameters};

use crate::error::{CommandError, Result};

/// As much as a step's input may have by default.
const INPUT_BYTES_MAX: u64 = 64 << 20;

/// Objects within objects whose defaults are filled in.
const DEFAULTS_DEPTH_MAX: usize = 32;

/// Reads JSON from the command line: the text itself, `@file`, or `-` for standard input.
pub(crate) fn read_json(argument: &str) -> Result<Json> {
    let (text, place) = match argument {
        "-" => (read(std::io::stdin().lock(), "standard input")?, "standard input".to_owned()),
        _ => match argument.strip_prefix('@') {
            Some(path) => {
                let file = std::fs::File::open(path).map_err(|error| {
                    CommandError::usage(error.to_string()).context(format!("could not read {path}"))
                })?;
                (read(file, path)?, path.to_owned())
            }
            None => (argument.to_owned(), "the input".to_owned()),
        },
    };
    Json::parse(&text).map_err(|error| {
        CommandError::usage(format!("{place} is not JSON: {error}"))
            .hint("for example: '{\"name\": \"Ada\"}', @input.json, or - for standard input")
    })
}

fn read(source: impl std::io::Read, place: &str) -> Result<String> {
    let mut text = String::new();
    source.take(INPUT_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| {
        CommandError::usage(error.to_string()).context(format!("could not read {place}"))
    })?;
    if text.len() as u64 > INPUT_BYTES_MAX {
        return Err(CommandError::invalid(format!(
            "{place} is larger than {INPUT_BYTES_MAX} bytes"
        )));
    }
    Ok(text)
}

/// Puts the parts together and checks the whole.
pub(crate) fn merged(
    schema: Option<&Schema>,
    input: Option<Json>,
    parameters: &[Parameter],
) -> Result<Json> {
    let text = schema.map(|schema| schema.text().to_value());
    let defaults = text.as_ref().is_some_and(|schema| schema.get("properties").is_some());
    let json = match input {
        // A tree would lose digits that only the text has.
        Some(input) if parameters.is_empty() && !defaults => input,
        input => {
            let mut value = input.map_or(Value::Object(Map::new()), |input| input.to_value());
            for Parameter { key, text } in parameters {
                let typed = parameters::typed_parameter(schema, key, text)
                    .map_err(CommandError::invalid)?;
                parameters::merge(&mut value, key, typed).map_err(CommandError::invalid)?;
            }
            if let Some(schema) = &text {
                fill_defaults(schema, &mut value, 0);
            }
            Json::from_value(&value)
        }
    };
    match schema.map_or(Ok(()), |schema| schema.check(&json)) {
        Ok(()) => Ok(json),
        Err(problems) => {
            let report: Vec<String> =
                problems.iter().map(|problem| format!("  {problem}")).collect();
            Err(CommandError::invalid("the input does not fit the workflow's `input`")
                .report(report.join("\n"))
                .hint("give it with `-p name=value`, or whole with `--input JSON`, `--input @file` or `--input -`"))
        }
    }
}

/// Puts in what is left out and has a `default`, so that expressions find it.
fn fill_defaults(schema: &Value, value: &mut Value, depth: usize) {
    let (Some(properties), Value::Object(object)) =
        (schema.get("properties").and_then(Value::as_object), value)
    else {
        return;
    };
    for (name, property) in properties {
        if let Some(default) = property.get("default") {
            object.entry(name.as_str()).or_insert_with(|| default.clone());
        }
        if let Some(inner) = object.get_mut(name)
            && depth < DEFAULTS_DEPTH_MAX
        {
            fill_defaults(property, inner, depth + 1);
        }
    }
}

/// One `-p key=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameter {
    key: String,
    text: String,
}

impl std::str::FromStr for Parameter {
    type Err = String;

    fn from_str(argument: &str) -> Result<Self, String> {
        match argument.split_once('=') {
            Some((key, text)) if !key.is_empty() => {
                Ok(Self { key: key.to_owned(), text: text.to_owned() })
            }
            _ => Err("expected name=value".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_code::ExitCode;

    fn schema() -> Schema {
        let text = r#"{"type":"object","required":["folder"],"properties":{
            "folder":{"type":"string"},"count":{"type":"integer"},"deep":{"type":"object"}}}"#;
        Schema::compile(&Json::parse(text).unwrap()).unwrap()
    }

    fn check(input: Option<&str>, parameters: &[&str], result: Result<&str, &str>) {
        let input = input.map(|text| Json::parse(text).unwrap());
        let parameters: Vec<Parameter> =
            parameters.iter().map(|text| text.parse().unwrap()).collect();
        let merged = merged(Some(&schema()), input, &parameters).map_err(|error| {
            assert_eq!(error.code, ExitCode::Invalid);
            format!("{} {}", error.report.clone().unwrap_or_default(), error.message())
        });
        match (merged, result) {
            (Ok(json), Ok(wanted)) => assert_eq!(json.as_str(), wanted),
            (Err(error), Err(wanted)) => assert!(error.contains(wanted), "{error}"),
            (other, _) => panic!("{other:?}"),
        }
    }

    #[test]
    fn parameters_are_typed_and_stand_over_the_input() {
        check(None, &["folder=7"], Ok(r#"{"folder":"7"}"#));
        check(Some(r#"{"folder":"a","count":1}"#), &["count=2"], Ok(r#"{"folder":"a","count":2}"#));
        check(Some(r#"{"folder":"a"}"#), &["deep.x=1"], Ok(r#"{"folder":"a","deep":{"x":1}}"#));
        check(Some(r#"{"folder":"a=b"}"#), &[], Ok(r#"{"folder":"a=b"}"#));
        check(None, &["folder=a=b"], Ok(r#"{"folder":"a=b"}"#));
    }

    #[test]
    fn defaults_are_filled_in_where_something_is_left_out() {
        let text = r#"{"properties":{"n":{"type":"integer","default":3},
            "o":{"properties":{"m":{"default":1}}}}}"#;
        let schema = Schema::compile(&Json::parse(text).unwrap()).unwrap();
        let check = |input: &str, wanted: &str| {
            let json = merged(Some(&schema), Json::parse(input).ok(), &[]).unwrap();
            assert_eq!(json.as_str(), wanted);
        };
        check("{}", r#"{"n":3}"#);
        check(r#"{"n":4,"o":{}}"#, r#"{"n":4,"o":{"m":1}}"#);
        check("[]", "[]");
    }

    #[test]
    fn a_bad_input_is_refused_with_all_problems() {
        check(None, &[], Err("folder"));
        check(Some(r#"{"folder":1,"count":"x"}"#), &[], Err("count"));
        check(Some(r#"{"folder":1,"count":"x"}"#), &[], Err("folder"));
        check(None, &["folder=a", "count=many"], Err("count"));
    }

    #[test]
    fn arguments_that_are_no_json_are_usage_errors() {
        for wrong in ["{", "@/does/not/exist", ""] {
            assert_eq!(read_json(wrong).unwrap_err().code, ExitCode::Usage, "{wrong}");
        }
        assert_eq!(read_json(" {} ").unwrap().as_str(), "{}");
        assert!("=x".parse::<Parameter>().is_err() && "x".parse::<Parameter>().is_err());
    }
}
