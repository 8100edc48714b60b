//! Functions of components that know nothing of this host.

use std::sync::Arc;

use serde_json::{Value, json};
use wfhost_plugin::{Completion, Plugin, PluginHost};
use wfhost_testkit::guest;
use wfhost_workflow::{Contract, Failure, FailureKind, Json, Limit, Limits, Schema};
use wit_component::StringEncoding;
use wit_parser::Resolve;

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

async fn numbers(host: &PluginHost) -> Arc<Plugin> {
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
            "t:numbers/math@1.0.0#add",
            "t:numbers/more@1.0.0#add",
            "t:numbers/more@1.0.0#halve",
            "t:numbers/more@2.0.0#add",
            "trap",
        ]
    );
    let add = contracts.iter().find(|contract| contract.name == "add").unwrap();
    assert!(add.input_schema.as_str().contains("255"), "{:?}", add.input_schema);
}

async fn run(
    host: &PluginHost,
    plugin: &Arc<Plugin>,
    function: &'static str,
    input: Value,
) -> Result<Completion, Failure> {
    let call = Call { function, input: Json::from_value(&input), ..Call::default() };
    host.run(plugin, call.invocation()).await
}

async fn echo(host: &PluginHost) -> Arc<Plugin> {
    load(host, Arc::from(guest::content("echo-types"))).await
}

fn everything() -> Value {
    json!({
        "yes": true,
        "numbers": {
            "a": 0, "b": 0, "c": 0, "d": 0, "e": 0, "f": 0, "g": 0, "h": 0, "i": 0.0, "j": 0.0,
        },
        "letter": "a",
        "text": "",
        "bytes": "",
        "names": [],
        "pairs": [],
        "shape": "nothing",
        "color": "red",
        "rights": [],
        "maybe": null,
        "perhaps": null,
        "outcome": {"ok": 0},
        "done": "ok",
    })
}

/// The same value with some fields changed.
fn with(changed: &[(&str, Value)]) -> Value {
    let mut value = everything();
    for (name, field) in changed {
        value[name] = field.clone();
    }
    value
}

fn extremes() -> Vec<Value> {
    vec![
        everything(),
        with(&[(
            "numbers",
            json!({
                "a": i8::MIN, "b": u8::MAX, "c": i16::MIN, "d": u16::MAX, "e": i32::MIN,
                "f": u32::MAX, "g": i64::MIN, "h": u64::MAX, "i": 0.1, "j": f64::MAX,
            }),
        )]),
        with(&[(
            "numbers",
            json!({
                "a": i8::MAX, "b": 1, "c": i16::MAX, "d": 1, "e": i32::MAX, "f": 1, "g": i64::MAX,
                "h": 1, "i": "NaN", "j": "-inf",
            }),
        )]),
        with(&[("letter", json!("\u{10ffff}")), ("text", json!("a\0\"\\\u{1b}[31m\n😀"))]),
        with(&[("bytes", json!("AP//gA==")), ("names", json!(["", "ä", "b"]))]),
        with(&[("pairs", json!([[0, ""], [u32::MAX, "max"]]))]),
        with(&[("shape", json!({"circle": -0.5})), ("color", json!("deep-blue"))]),
        with(&[("shape", json!({"both": [255, "x"]})), ("rights", json!(["read", "look"]))]),
        with(&[("shape", json!({"maybe": null})), ("maybe", json!(7))]),
        with(&[("shape", json!({"maybe": 9})), ("perhaps", json!({"some": null}))]),
        with(&[("perhaps", json!({"some": 5})), ("outcome", json!({"err": "why"}))]),
        with(&[("done", json!("err"))]),
    ]
}

#[tokio::test]
async fn a_guest_gives_back_what_it_got_of_every_type() {
    let host = host();
    let plugin = echo(&host).await;
    for value in extremes() {
        let input = json!({ "all": value });
        let output = run(&host, &plugin, "test:echo/values#echo", input).await.unwrap().output;
        assert_eq!(output.to_value(), value);
    }
    let all = Value::Array(extremes());
    let input = json!({ "all": all });
    let output = run(&host, &plugin, "test:echo/values#echo-list", input).await.unwrap().output;
    assert_eq!(output.to_value(), all);
}

/// What `check` and forms promise is what the mapping takes and gives.
#[tokio::test]
async fn the_schemas_of_a_contract_are_those_of_the_mapping() {
    let host = host();
    let plugin = echo(&host).await;
    let contracts = host.contracts(&plugin).await.unwrap();
    let echo = Contract::find(&contracts, "test:echo/values#echo").unwrap();
    let schemas = [&echo.input_schema, &echo.output_schema]
        .map(|schema| Schema::compile(schema).unwrap_or_else(|error| panic!("{error:?}")));
    let [input, output] = schemas;
    for value in extremes() {
        let said = input.check(&Json::from_value(&json!({ "all": value })));
        assert!(said.is_ok(), "{value}: {said:?}");
        assert!(output.check(&Json::from_value(&value)).is_ok(), "{value}");
    }
    for (field, wrong) in [
        ("letter", json!("ab")),
        ("bytes", json!([256])),
        ("color", json!("blue")),
        ("maybe", json!("x")),
        ("shape", json!({"circle": 1, "both": 2})),
        ("numbers", json!({})),
        ("rights", json!(["fly"])),
    ] {
        let wrong = json!({ "all": with(&[(field, wrong)]) });
        let wrong = Json::from_value(&wrong);
        assert!(input.check(&wrong).is_err(), "{field}");
        let said = host.check_call(&plugin, "test:echo/values#echo", &wrong).unwrap_err();
        assert!(said.message.contains(&format!("at .all.{field}")), "{said}");
    }
}

#[tokio::test]
async fn err_of_a_result_is_the_failure() {
    let host = host();
    let plugin = echo(&host).await;
    let check = async |function, input, code: &str, message: &str| {
        let failure = run(&host, &plugin, function, input).await.unwrap_err();
        assert_eq!(
            (failure.kind, failure.code.as_str(), failure.message.as_str()),
            (FailureKind::Retryable, code, message)
        );
    };
    let divide = "test:echo/arithmetic#divide";
    let done = run(&host, &plugin, divide, json!({"a": -7, "b": 2})).await.unwrap();
    assert_eq!(done.output.as_str(), "-3");
    let by_zero = "the function returned the error `by-zero`";
    check(divide, json!({"a": 1, "b": 0}), "by-zero", by_zero).await;
    let parse = "test:echo/arithmetic#parse";
    let said = "`x`: invalid digit found in string";
    check(parse, json!({"text": "x"}), "error", said).await;
    let fail = "test:echo/arithmetic@1.2.0#fail";
    check(fail, json!({"how": {"bad-text": "t"}}), "bad-text", "t").await;
    check(fail, json!({"how": {"bad-number": 7}}), "bad-number", "7").await;
    let gone = "the function returned the error `gone`";
    check(fail, json!({"how": "gone"}), "gone", gone).await;
}

#[tokio::test]
async fn a_function_with_handles_is_refused_and_the_others_are_not() {
    let host = host();
    let plugin = echo(&host).await;
    let contracts = host.contracts(&plugin).await.unwrap();
    let names: Vec<_> = contracts.iter().map(|contract| contract.name.as_str()).collect();
    assert!(
        names.contains(&"test:echo/files@1.2.0#count") && names.contains(&"greet"),
        "{names:?}"
    );
    assert!(!names.iter().any(|name| name.contains("rename")), "{names:?}");
    let input = json!({"file": 1, "name": "n"});
    let refused = run(&host, &plugin, "test:echo/files#rename", input).await;
    let why = "`.file` is a borrowed resource, which JSON cannot carry";
    failed(refused, FailureKind::Permanent, "no-step", why);
    let count = run(&host, &plugin, "test:echo/files#count", json!({})).await.unwrap();
    assert_eq!(count.output.as_str(), "3");
}

#[tokio::test]
async fn limits_hold_for_any_function() {
    let host = host();
    let plugin = echo(&host).await;
    let text = json!({ "text": "x".repeat(10_000) });
    let limited = async |limit, value| {
        let call = Call {
            function: "echo-text",
            input: Json::from_value(&text),
            limits: Limits::default().with(limit, value),
            ..Call::default()
        };
        host.run(&plugin, call.invocation()).await
    };
    failed(limited(Limit::Output, 5_000).await, FailureKind::Limit, Limit::Output.name(), "output");
    failed(limited(Limit::Input, 5_000).await, FailureKind::Limit, Limit::Input.name(), "input");
    let fuel = Limit::HostcallFuel;
    failed(limited(fuel, 5_000).await, FailureKind::Limit, fuel.name(), "the step's input");
    assert!(limited(Limit::Output, 11_000).await.is_ok());
}

/// Larger than what is converted in place.
#[tokio::test]
async fn large_values_arrive_whole() {
    let host = host();
    let plugin = echo(&host).await;
    let bytes = Json::from_value(&json!({ "text": "ä".repeat(200_000) }));
    let output = run(&host, &plugin, "echo-text", bytes.to_value()).await.unwrap().output;
    assert_eq!(output, bytes);
    let all = vec![everything(); 2_000];
    let input = json!({ "all": all });
    let output = run(&host, &plugin, "test:echo/values#echo-list", input).await.unwrap().output;
    assert_eq!(output.to_value(), Value::Array(all));
}

#[tokio::test]
async fn what_a_function_prints_is_logged() {
    let host = host();
    let plugin = echo(&host).await;
    let input = Json::from_value(&json!({ "text": "hello" }));
    let call = Call { function: "print", input, ..Call::default() };
    let said = Arc::clone(&call.said);
    host.run(&plugin, call.invocation()).await.unwrap();
    let lines = said.lines.lock().unwrap().clone();
    assert_eq!(lines, [(wfhost_plugin::LogLevel::Info, "hello".to_owned())]);
}

/// Gives way twice before it returns: its task is called back by the host.
const CONCURRENT: &str = r#"(component
    (core module $m
        (import "" "task.return" (func $return (param i32)))
        (global $sum (mut i32) (i32.const 0))
        (global $left (mut i32) (i32.const 2))
        (func (export "add") (param i32 i32) (result i32)
            (global.set $sum (i32.add (local.get 0) (local.get 1)))
            (i32.const 1))
        (func (export "callback") (param i32 i32 i32) (result i32)
            (global.set $left (i32.sub (global.get $left) (i32.const 1)))
            (if (result i32) (i32.eqz (global.get $left))
                (then (call $return (global.get $sum)) (i32.const 0))
                (else (i32.const 1))))
        (func (export "spin") (result i32) (loop $again (br $again)) unreachable)
        (func (export "never") (result i32) (i32.const 0)))
    (core func $return (canon task.return (result u32)))
    (core instance $i (instantiate $m
        (with "" (instance (export "task.return" (func $return))))))
    (func (export "add") async (param "a" u32) (param "b" u32) (result u32)
        (canon lift (core func $i "add") async (callback (core func $i "callback"))))
    (func (export "spin") async (result u32)
        (canon lift (core func $i "spin") async (callback (core func $i "callback"))))
    (func (export "never") async (result u32)
        (canon lift (core func $i "never") async (callback (core func $i "callback")))))"#;

#[tokio::test]
async fn async_functions_are_awaited() {
    let host = host();
    let plugin = load(&host, Arc::from(wat::parse_str(CONCURRENT).unwrap())).await;
    for _again in 0..3 {
        let done = run(&host, &plugin, "add", json!({"a": 40, "b": 2})).await.unwrap();
        assert_eq!(done.output.as_str(), "42");
    }
    let call = Call {
        function: "spin",
        input: Json::from_trusted("{}"),
        timeout: crate::guests::SHORT,
        ..Call::default()
    };
    let spun = host.run(&plugin, call.invocation()).await;
    failed(spun, FailureKind::Timeout, "timeout", "");
    let never = run(&host, &plugin, "never", json!({})).await.unwrap_err();
    assert_eq!(never.kind, FailureKind::Trap, "{never}");
    let contracts = host.contracts(&plugin).await.unwrap();
    assert_eq!(contracts.len(), 3, "{contracts:?}");
}

/// What a compiler for JavaScript makes: it imports HTTP, whether it uses it or not.
const HTTP_WIT: &[(&str, &str)] = &[
    (
        "io.wit",
        "package wasi:io@0.2.3;
        interface error { resource error; }
        interface poll { resource pollable; }
        interface streams {
            use error.{error};
            resource input-stream;
            variant stream-error { last-operation-failed(error), closed }
        }",
    ),
    (
        "http.wit",
        "package wasi:http@0.2.3;
        interface types {
            use wasi:io/streams@0.2.3.{input-stream};
            use wasi:io/error@0.2.3.{error as io-error};
            resource fields {
                constructor();
                get: func(name: string) -> list<list<u8>>;
            }
            resource incoming-body { %stream: func() -> result<input-stream>; }
            resource outgoing-request { constructor(headers: fields); }
            code-of: func(error: borrow<io-error>) -> option<u32>;
        }
        interface outgoing-handler {
            use types.{outgoing-request};
            handle: func(request: outgoing-request) -> result<_, u32>;
        }",
    ),
    (
        "world.wit",
        "package t:t; world guest {
            import wasi:io/streams@0.2.3;
            import wasi:http/types@0.2.3;
            import wasi:http/outgoing-handler@0.2.3;
            export idle: func() -> u32;
            export fetch: func();
            export headers: func();
        }",
    ),
];

const HTTP_MODULE: &str = r#"(module
    (import "wasi:http/types@0.2.3" "[constructor]fields" (func $fields (result i32)))
    (import "wasi:http/types@0.2.3" "[resource-drop]fields" (func $drop (param i32)))
    (import "wasi:http/types@0.2.3" "[method]incoming-body.stream"
        (func $stream (param i32 i32)))
    (import "wasi:http/types@0.2.3" "code-of" (func $code (param i32 i32)))
    (import "wasi:io/streams@0.2.3" "[resource-drop]input-stream" (func $drop-stream (param i32)))
    (import "wasi:http/outgoing-handler@0.2.3" "handle" (func $handle (param i32 i32)))
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "idle") (result i32) (i32.const 7))
    (func (export "fetch") (call $handle (i32.const 0) (i32.const 16)))
    (func (export "headers") (drop (call $fields))))"#;

fn module(wat: &str, wit: &[(&str, &str)]) -> Arc<[u8]> {
    let mut module = wat::parse_str(wat).unwrap();
    let mut resolve = Resolve::default();
    let mut last = None;
    for (path, text) in wit {
        last = Some(resolve.push_str(path, text).unwrap_or_else(|error| panic!("{error:#}")));
    }
    let world = resolve.select_world(&[last.unwrap()], Some("guest")).unwrap();
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .unwrap();
    Arc::from(module)
}

#[tokio::test]
async fn http_is_denied_by_name_where_it_is_used() {
    let host = host();
    let plugin = load(&host, module(HTTP_MODULE, HTTP_WIT)).await;
    let idle = run(&host, &plugin, "idle", json!({})).await.unwrap();
    assert_eq!(idle.output.as_str(), "7");
    let headers = run(&host, &plugin, "headers", json!({})).await;
    let said = "`[constructor]fields` of wasi:http/types@0.2.3";
    failed(headers, FailureKind::Denied, "http", said);
}

/// A program with a `main`, as compilers for `wasm32-wasip1` make it.
const PROGRAM: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\08\00\00\00\06\00\00\00hello\n")
    (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))))"#;

#[tokio::test]
async fn a_program_is_a_step_that_prints_its_log() {
    let host = host();
    let plugin = load(&host, Arc::from(wat::parse_str(PROGRAM).unwrap())).await;
    let call =
        Call { function: "wasi:cli/run#run", input: Json::from_trusted("{}"), ..Call::default() };
    let said = Arc::clone(&call.said);
    let done = host.run(&plugin, call.invocation()).await.unwrap();
    assert_eq!(done.output, Json::null());
    let lines = said.lines.lock().unwrap().clone();
    assert_eq!(lines, [(wfhost_plugin::LogLevel::Info, "hello".to_owned())]);
}

/// A module of a compiler without any WASI: its WIT is all that it carries.
#[tokio::test]
async fn a_module_without_wasi_is_a_component_by_its_wit() {
    const MODULE: &str = r#"(module
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
        (func (export "t:t/math@1.0.0#double") (param i32) (result i32)
            (i32.mul (local.get 0) (i32.const 2))))"#;
    const WIT: &str = "package t:t@1.0.0;
        interface math { double: func(n: u32) -> u32; }
        world guest { export math; }";
    let host = host();
    let plugin = load(&host, module(MODULE, &[("world.wit", WIT)])).await;
    let done = run(&host, &plugin, "t:t/math#double", json!({"n": "21"})).await;
    failed(done, FailureKind::InvalidInput, "invalid-input", "at .n: expected u32");
    let done = run(&host, &plugin, "t:t/math#double", json!({"n": 21})).await.unwrap();
    assert_eq!(done.output.as_str(), "42");
}
