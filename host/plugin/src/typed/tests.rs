//! The mapping as a public contract: what is taken, what is given, what is said.

mod property;

use wasmtime::component::Val;
use wasmtime::{Config, Engine};

use super::decode;
use super::encode;
use super::functions::{Functions, Signature};
use super::fuzzing;
use super::value_type::Refused;

const MAX: usize = 1 << 20;

/// The functions of an interface that `items` says, by an engine that knows all types.
fn signatures(items: &str) -> Vec<Result<Signature, Refused>> {
    let wit = format!("package t:t; interface i {{ {items} }} world w {{ export i; }}");
    let component = fuzzing::component(&wit).unwrap_or_else(|error| panic!("{error}: {wit}"));
    let mut config = Config::new();
    config.wasm_component_model_map(true).wasm_component_model_fixed_length_lists(true);
    let engine = Engine::new(&config).unwrap();
    let component = wasmtime::component::Component::from_binary(&engine, &component).unwrap();
    Functions::of(&engine, &component).unwrap().iter().map(|function| function.take()).collect()
}

/// A function with a parameter `v` of that type.
fn of_type(ty: &str) -> Signature {
    signatures(&format!(
        "enum color {{ red, deep-blue }}
         flags rights {{ read, write, look }}
         record point {{ x: u32, y: option<u32>, tags: list<string> }}
         variant shape {{ none, circle(f32), both(tuple<u8, u8>), maybe(option<u8>) }}
         f: func(v: {ty});"
    ))
    .remove(0)
    .unwrap()
}

fn read(ty: &str, json: &str) -> Result<Vec<Val>, String> {
    let json = format!("{{\"v\":{json}}}");
    decode::arguments(&json, &of_type(ty).parameters, MAX).map_err(|wrong| wrong.to_string())
}

/// What is given for what was taken.
fn through(ty: &str, json: &str) -> String {
    let values = read(ty, json).unwrap_or_else(|error| panic!("{ty} {json}: {error}"));
    let written = encode::arguments(&values, &of_type(ty).parameters, MAX).unwrap();
    let inner = written.strip_prefix("{\"v\":").and_then(|rest| rest.strip_suffix('}'));
    inner.unwrap().to_owned()
}

fn check(ty: &str, json: &str, given: &str) {
    assert_eq!(through(ty, json), given, "{ty} {json}");
}

fn same(ty: &str, json: &str) {
    check(ty, json, json);
}

#[test]
fn every_number_has_its_json() {
    for json in ["true", "false"] {
        same("bool", json);
    }
    for (ty, min, max) in [
        ("s8", "-128", "127"),
        ("u8", "0", "255"),
        ("s16", "-32768", "32767"),
        ("u16", "0", "65535"),
        ("s32", "-2147483648", "2147483647"),
        ("u32", "0", "4294967295"),
        ("s64", "-9223372036854775808", "9223372036854775807"),
        ("u64", "0", "18446744073709551615"),
    ] {
        same(ty, min);
        same(ty, max);
        check(ty, "3.0", "3");
        check(ty, "-0", "0");
        check(ty, "-0.0", "0");
        check(ty, "1e2", "100");
    }
    check("u64", "\"18446744073709551615\"", "18446744073709551615");
    check("s64", "\"-9223372036854775808\"", "-9223372036854775808");
    check("f32", "0.1", "0.1");
    check("f32", "16777217", "16777216.0");
    check("f32", "3.4028235e38", "3.4028235e+38");
    same("f32", "1e-45");
    same("f64", "0.1");
    same("f64", "-0.0");
    same("f64", "5e-324");
    check("f64", "1.7976931348623157e308", "1.7976931348623157e+308");
    check("f64", "1", "1.0");
    for ty in ["f32", "f64"] {
        for json in ["\"NaN\"", "\"inf\"", "\"-inf\""] {
            same(ty, json);
        }
        check(ty, "\"+inf\"", "\"inf\"");
    }
}

#[test]
fn every_type_has_its_json() {
    for json in ["\"a\"", "\"ä\"", "\"😀\"", "\"\\u0000\"", "\"\\\"\""] {
        same("char", json);
        same("string", json);
    }
    check("string", "\"\\ud83d\\ude00\"", "\"😀\"");
    same("list<u8>", "\"AAH/\"");
    same("list<u8>", "\"\"");
    check("list<u8>", "[0,1,255]", "\"AAH/\"");
    check("list<u8>", "[]", "\"\"");
    same("list<u16>", "[1,2]");
    check("list<list<u8>>", "[[1],\"\"]", "[\"AQ==\",\"\"]");
    same("list<u8, 3>", "[1,2,3]");
    same("map<string, u32>", "[[\"a\",1],[\"b\",2]]");
    same("point", "{\"x\":1,\"y\":2,\"tags\":[\"t\"]}");
    check("point", "{ \"tags\": [], \"x\": 1 }", "{\"x\":1,\"y\":null,\"tags\":[]}");
    same("tuple<u8, string>", "[1,\"a\"]");
    same("shape", "\"none\"");
    same("shape", "{\"circle\":0.5}");
    same("shape", "{\"both\":[1,2]}");
    same("shape", "{\"maybe\":null}");
    same("color", "\"deep-blue\"");
    same("option<u8>", "null");
    same("option<u8>", "1");
    same("option<option<u8>>", "null");
    same("option<option<u8>>", "{\"some\":null}");
    same("option<option<u8>>", "{\"some\":1}");
    same("option<option<option<u8>>>", "{\"some\":{\"some\":null}}");
    same("result<u8, string>", "{\"ok\":1}");
    same("result<u8, string>", "{\"err\":\"e\"}");
    same("result", "\"ok\"");
    same("result<_, u8>", "\"ok\"");
    same("result<u8>", "\"err\"");
    same("result<option<u8>>", "{\"ok\":null}");
    check("rights", "[\"look\",\"read\"]", "[\"read\",\"look\"]");
    same("rights", "[]");
}

#[test]
fn what_does_not_fit_is_said_with_its_place() {
    let long = format!("\"{}\"", "x".repeat(1001));
    let cases: &[(&str, &[&str])] = &[
        ("bool", &["1", "null", "\"true\""]),
        ("u8", &["256", "-1", "1.5", "\"1\"", "1e300", "[]"]),
        ("u32", &["\"big\"", "4294967296"]),
        ("u64", &["\"\"", "\"-\"", "\"0x1\"", "\"1 \"", "18446744073709551616", "-1", "1e19"]),
        ("s64", &["\"9223372036854775808\"", "\"+1\""]),
        ("f32", &["1e39", "\"nan\"", "true"]),
        ("f64", &["1e400", "\"1\""]),
        ("char", &["\"\"", "\"ab\"", "1"]),
        ("string", &["1", "{}", "\"\\ud800\""]),
        ("list<u8>", &["\"AQ\"", "\"?\"", "[256]", "{}", &long]),
        (
            "list<point>",
            &[
                "[{\"x\":1,\"tags\":[]},{\"x\":1,\"tags\":[1]}]",
                "[{\"x\":1}]",
                "[{\"x\":1,\"tag\":[]}]",
                "[{\"x\":1,\"x\":2}]",
                "[{}]",
                "[[]]",
            ],
        ),
        ("list<u8, 3>", &["[1,2]", "[1,2,3,4]", "\"AAAA\""]),
        ("map<string, u8>", &["{}", "[[\"a\"]]", "[[\"a\",1,2]]", "[[1,1]]", "[1]"]),
        ("tuple<u8, string>", &["[1]", "[1,\"a\",2]", "[1,2]"]),
        (
            "shape",
            &[
                "\"circle\"",
                "\"cirle\"",
                "{\"cirle\":1}",
                "{\"none\":null}",
                "{}",
                "{\"circle\":1,\"both\":[1,2]}",
                "{\"both\":[1,\"a\"]}",
                "1",
            ],
        ),
        ("color", &["\"deep_blue\"", "\"green\"", "1"]),
        ("option<u8>", &["\"a\""]),
        ("option<option<u8>>", &["1", "{\"none\":1}", "{\"some\":\"a\"}"]),
        ("result<u8, string>", &["\"ok\"", "{\"ok\":\"a\"}", "{\"okay\":1}", "{}"]),
        ("rights", &["[\"read\",\"read\"]", "[\"rite\"]", "[1]", "\"read\""]),
    ];
    let mut said = String::new();
    for (ty, values) in cases {
        for json in *values {
            let Err(error) = read(ty, json) else { panic!("{ty} takes {json}") };
            assert!(error.len() < 600, "{error}");
            let json: String = json.chars().take(60).collect();
            said.push_str(&format!("{ty} <- {json}\n    {error}\n"));
        }
    }
    insta::assert_snapshot!(said);
}

#[test]
fn the_input_is_an_object_with_the_parameters() {
    let signatures = signatures("f: func(first: u8, second: option<u8>); g: func();");
    let [Ok(f), Ok(g)] = &signatures[..] else { panic!("{signatures:?}") };
    let read = |signature: &Signature, json: &str| {
        decode::arguments(json, &signature.parameters, MAX).map_err(|wrong| wrong.to_string())
    };
    assert_eq!(read(f, "{\"first\":1}"), Ok(vec![Val::U8(1), Val::Option(None)]));
    assert_eq!(read(g, "{}"), Ok(vec![]));
    let check = |signature, json, said: &str| {
        assert_eq!(read(signature, json).unwrap_err(), said, "{json}");
    };
    check(f, "[1]", "at the input: expected an object with `first`, `second`, found an array");
    check(f, "{}", "at the input: the parameter `first` is missing: expected u8 (0 to 255)");
    check(
        f,
        "{\"frist\":1}",
        "at the input: there is no parameter `frist` (did you mean `first`?)",
    );
    check(f, "{\"first\":true}", "at .first: expected u8 (0 to 255), found true");
    check(g, "null", "at the input: expected an empty object, found null");
    check(g, "{\"a\":1}", "at the input: there is no parameter `a`");
}

#[test]
fn what_json_cannot_carry_is_refused_by_its_place() {
    let refused = |function: &str| {
        let items =
            format!("resource file {{}} record open {{ name: string, file: file }} {function}");
        signatures(&items).into_iter().find_map(Result::err).unwrap().to_string()
    };
    assert_eq!(
        refused("f: func(all: list<open>);"),
        "`.all[].file` is a resource's handle, which JSON cannot carry"
    );
    assert_eq!(
        refused("f: func(file: borrow<file>);"),
        "`.file` is a borrowed resource, which JSON cannot carry"
    );
    assert_eq!(
        refused("f: func() -> open;"),
        "`.file` is a resource's handle, which JSON cannot carry"
    );
    assert_eq!(refused("f: func(b: stream<u8>);"), "`.b` is a stream, which JSON cannot carry");
    assert_eq!(
        refused("f: func() -> future<u8>;"),
        "`its result` is a future, which JSON cannot carry"
    );
}

/// As a tree, the last type has a million parts.
#[test]
fn a_type_that_repeats_itself_is_refused() {
    let mut items = "record t0 { a: u8, b: u8 }".to_owned();
    for level in 1..16 {
        let inner = level - 1;
        items.push_str(&format!("record t{level} {{ a: t{inner}, b: t{inner} }}"));
    }
    let found = signatures(&format!("{items} f: func() -> t15;"));
    assert_eq!(found[0].as_ref().err(), Some(&Refused::TooLarge));
    let names: Vec<String> = (0..9000).map(|index| format!("n{index}")).collect();
    let names = names.join(",");
    let found = signatures(&format!("enum e {{ {names} }} f: func(a: e, b: e, c: e);"));
    assert_eq!(found[0].as_ref().err(), Some(&Refused::TooLarge));
}

#[test]
fn deep_types_are_walked_without_running_out_of_stack() {
    let (open, close) = ("list<".repeat(90), ">".repeat(90));
    let (arrays, ends) = ("[".repeat(90), "]".repeat(90));
    let ty = format!("{open}bool{close}");
    let json = format!("{arrays}true{ends}");
    assert_eq!(through(&ty, &json), json);
    let wrong = format!("{arrays}1{ends}");
    assert!(read(&ty, &wrong).unwrap_err().contains("[0][0]: expected true or false, found 1"));
}

/// The host holds 32 bytes for a `u8` of one.
#[test]
fn what_a_value_takes_is_bounded() {
    let check = |ty: &str, json: &str| {
        let json = format!("{{\"v\":{json}}}");
        let read = decode::arguments(&json, &of_type(ty).parameters, 1000);
        assert_eq!(read, Err(decode::Wrong::TooLarge { max: 1000 }), "{ty}");
    };
    check("list<u8>", &format!("\"{}\"", "AAAA".repeat(20)));
    check("list<bool>", &format!("[{}true]", "true,".repeat(40)));
    check("string", &format!("\"{}\"", "a".repeat(1000)));
    check("list<point>", &format!("[{}{{}}]", "{\"x\":1,\"tags\":[]},".repeat(10)));

    let ty = of_type("list<string>");
    let values = [Val::List(vec![Val::String("\n".repeat(100)); 10])];
    assert!(encode::arguments(&values, &ty.parameters, 2100).is_ok());
    assert_eq!(encode::arguments(&values, &ty.parameters, 2000), Err(encode::Unwritten::TooLarge));
    let values = [Val::List(vec![Val::U8(1); 100])];
    let ty = of_type("list<u8>");
    assert_eq!(encode::arguments(&values, &ty.parameters, 100), Err(encode::Unwritten::TooLarge));
}

#[test]
fn a_value_of_another_type_is_not_written() {
    let ty = of_type("tuple<u8, u8>");
    for value in [Val::Bool(true), Val::Tuple(vec![Val::U8(1)]), Val::List(vec![])] {
        let written = encode::arguments(&[value], &ty.parameters, MAX);
        assert_eq!(written, Err(encode::Unwritten::OtherType));
    }
}
