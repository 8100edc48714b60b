//! Functions of components that know nothing of this host.

use std::sync::Arc;

use wfhost_plugin::Plugin;
use wfhost_workflow::{Failure, FailureKind, Json};

use crate::guests::{Call, failed, host, load};

/// A component of functions whose types are all in registers.
const NUMBERS: &str = r#"(component
    (core module $m
        (func (export "add") (param i32 i32) (result i32)
            (i32.add (local.get 0) (local.get 1)))
        (func (export "nothing"))
        (func (export "halve") (param i32) (result i32)
            (i32.and (local.get 0) (i32.const 1)))
        (func (export "trap") unreachable)
        (func (export "spin") (loop $again (br $again))))
    (core instance $i (instantiate $m))
    (func $add (param "a" u8) (param "b" u8) (result u8) (canon lift (core func $i "add")))
    (func $halve (param "n" u32) (result (result)) (canon lift (core func $i "halve")))
    (instance $math (export "add" (func $add)))
    (instance $more (export "add" (func $add)) (export "halve" (func $halve)))
    (export "t:numbers/math@1.0.0" (instance $math))
    (export "t:numbers/more@1.0.0" (instance $more))
    (export "t:numbers/more@2.0.0" (instance $math))
    (export "add" (func $add))
    (func (export "nothing") (canon lift (core func $i "nothing")))
    (func (export "trap") (canon lift (core func $i "trap")))
    (func (export "spin") (canon lift (core func $i "spin"))))"#;

async fn numbers(host: &wfhost_plugin::PluginHost) -> Arc<Plugin> {
    load(host, Arc::from(wat::parse_str(NUMBERS).unwrap())).await
}

async fn call(function: &'static str, input: &str) -> Result<String, Failure> {
    let host = host();
    let plugin = numbers(&host).await;
    let call = Call { function, input: Json::parse(input).unwrap(), ..Call::default() };
    let completion = host.run(&plugin, call.invocation()).await?;
    Ok(completion.output.as_str().to_owned())
}

#[tokio::test]
async fn exported_functions_are_called_by_their_names() {
    for name in
        ["add", "t:numbers/math@1.0.0#add", "t:numbers/math#add", "t:numbers/more@2.0.0#add"]
    {
        assert_eq!(call(name, r#"{"b":2,"a":40}"#).await.as_deref(), Ok("42"), "{name}");
    }
    assert_eq!(call("nothing", "{}").await.as_deref(), Ok("null"));
    assert_eq!(call("t:numbers/more#halve", r#"{"n":2}"#).await.as_deref(), Ok("null"));
}

#[tokio::test]
async fn a_name_that_no_function_has_is_said() {
    let check = async |name, said: &str| {
        let failure = call(name, "{}").await.unwrap_err();
        assert_eq!((failure.kind, failure.code.as_str()), (FailureKind::Permanent, "unknown-step"));
        assert!(failure.message.contains(said), "{failure}");
    };
    check("ad", "no function `ad`; it has ").await;
    check("t:numbers/more#add", "t:numbers/more@1.0.0#add or t:numbers/more@2.0.0#add").await;
    check("t:numbers/math@2.0.0#add", "no function").await;
}

#[tokio::test]
async fn a_function_fails_in_the_ways_of_steps() {
    let host = host();
    let plugin = numbers(&host).await;
    let run = async |function, input: &str| {
        let input = Json::parse(input).unwrap();
        let call = Call { function, input, timeout: crate::guests::SHORT, ..Call::default() };
        host.run(&plugin, call.invocation()).await
    };
    let wrong = run("add", r#"{"a":1,"b":256}"#).await;
    failed(wrong, FailureKind::InvalidInput, "invalid-input", "at .b: expected u8 (0 to 255)");
    failed(run("trap", "{}").await, FailureKind::Trap, "unreachable", "");
    failed(run("spin", "{}").await, FailureKind::Timeout, "timeout", "");
    let error = run("t:numbers/more#halve", r#"{"n":1}"#).await;
    failed(error, FailureKind::Retryable, "error", "returned the error");
}

#[tokio::test]
async fn exported_functions_have_contracts() {
    let host = host();
    let plugin = numbers(&host).await;
    let contracts = host.contracts(&plugin).await.unwrap();
    let mut names: Vec<_> = contracts.iter().map(|contract| contract.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "add",
            "nothing",
            "spin",
            "t:numbers/math#add",
            "t:numbers/more#halve",
            "t:numbers/more@1.0.0#add",
            "t:numbers/more@2.0.0#add",
            "trap",
        ]
    );
    let add = contracts.iter().find(|contract| contract.name == "add").unwrap();
    assert!(add.input_schema.as_str().contains("255"), "{:?}", add.input_schema);
}
