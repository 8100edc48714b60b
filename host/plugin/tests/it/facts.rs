//! What is told of a component from its bytes.

use serde_json::{Value, json};
use wfhost_plugin::Error;
use wfhost_plugin::facts::{self, ComponentFacts, FunctionFacts, Kind, Offer};
use wfhost_testkit::guest;
use wfhost_testkit::made::{component, custom_section, module};
use wfhost_workflow::{Json, Schema};

use crate::guests::hostile;

fn of(wit: &str) -> ComponentFacts {
    facts::of(&component(wit)).unwrap()
}

fn function<'f>(facts: &'f ComponentFacts, name: &str) -> &'f FunctionFacts {
    facts.function(name).unwrap_or_else(|| panic!("no `{name}` in {:#?}", facts.functions))
}

fn json(text: &Json) -> Value {
    serde_json::from_str(text.as_str()).unwrap()
}

const TRIP: &str = r#"
/// Journeys.
package acme:travel@1.2.0;

/// Trips and what they cost.
interface trips {
    /// A place on a map.
    record place {
        /// As people say it.
        name: string,
        east: f64,
        zip: option<u32>,
    }
    /// How one travels.
    enum means { /** On rails. */ train, foot }
    flags extras { meal, window }
    variant price { free, cents(u64), /** Somebody else's. */ other(place) }
    type places = list<place>;
    /// Plans a trip.
    ///
    /// Takes its time.
    plan: async func(through: places, by: means, beside: extras, budget: option<price>)
        -> result<tuple<price, list<u8>>, string>;
    twice: func(value: option<option<u8>>, c: char, n: s64) -> option<option<u8>>;
    resource ticket { constructor(); stamp: func(); }
    buy: func() -> ticket;
    show: func(tickets: list<borrow<ticket>>) -> u8;
    nothing: func();
}

world it {
    import wasi:clocks/wall-clock@0.2.3;
    export trips;
    /// At the top.
    export top: func(a: u8) -> result;
}

package wasi:clocks@0.2.3 { interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; } }
"#;

#[test]
fn functions_have_names_signatures_and_docs() {
    let facts = of(TRIP);
    let names: Vec<_> = facts.functions.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "top",
            "acme:travel/trips#[constructor]ticket",
            "acme:travel/trips#[method]ticket.stamp",
            "acme:travel/trips#plan",
            "acme:travel/trips#twice",
            "acme:travel/trips#buy",
            "acme:travel/trips#show",
            "acme:travel/trips#nothing",
        ]
    );
    let plan = function(&facts, "acme:travel/trips#plan");
    assert_eq!(plan.docs, "Plans a trip.\n\nTakes its time.");
    assert!(plan.is_async);
    assert_eq!(
        plan.signature,
        "async func(through: places, by: means, beside: extras, budget: option<price>) \
         -> result<tuple<price, list<u8>>, string>"
    );
    assert_eq!(plan, function(&facts, "acme:travel/trips@1.2.0#plan"));
    let top = function(&facts, "top");
    assert_eq!(
        (top.docs.as_str(), top.signature.as_str()),
        ("At the top.", "func(a: u8) -> result")
    );
    assert_eq!((facts.kind, facts.step_world.as_deref()), (Kind::Component, None));
    assert_eq!(facts.wasi, ["0.2.3"]);
    assert!(facts.wit.contains("/// Takes its time."), "{}", facts.wit);
    assert!(facts.producers.iter().any(|producer| producer.name == "wit-component"));
}

#[test]
fn what_has_no_json_is_refused_by_name_and_the_rest_stays() {
    let facts = of(TRIP);
    let refused = |name: &str| function(&facts, name).refused.clone().unwrap_or_default();
    assert_eq!(refused("acme:travel/trips#plan"), "");
    assert_eq!(
        refused("acme:travel/trips#buy"),
        "its result has an `own<ticket>`: handles have no JSON"
    );
    assert_eq!(
        refused("acme:travel/trips#show"),
        "its parameter `tickets` has a `borrow<ticket>`: handles have no JSON"
    );
    assert!(
        refused("acme:travel/trips#[method]ticket.stamp")
            .contains("belongs to the resource `ticket`")
    );
    let facts = of("package a:b; world it {
        export s: async func(a: list<stream<u8>>);
        export f: async func() -> future;
        export e: async func(x: error-context);
    }");
    let refused: Vec<_> =
        facts.functions.iter().map(|it| it.refused.clone().unwrap_or_default()).collect();
    assert_eq!(
        refused,
        [
            "its parameter `a` has a `stream`, which has no JSON",
            "its result has a `future`, which has no JSON",
            "its parameter `x` has an `error-context`, which has no JSON",
        ]
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn schemas_follow_the_mapping_and_carry_docs() {
    let facts = of(TRIP);
    let plan = function(&facts, "acme:travel/trips#plan");
    assert_eq!(
        json(&plan.input_schema),
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "through": { "$ref": "#/$defs/places" },
                "by": { "$ref": "#/$defs/means" },
                "beside": { "$ref": "#/$defs/extras" },
                "budget": { "anyOf": [{ "type": "null" }, { "$ref": "#/$defs/price" }] },
            },
            "required": ["through", "by", "beside"],
            "additionalProperties": false,
            "$defs": {
                "places": { "type": "array", "items": { "$ref": "#/$defs/place" } },
                "place": {
                    "type": "object",
                    "properties": {
                        "name": { "type": "string", "description": "As people say it." },
                        "east": { "anyOf": [{ "type": "number" }, { "enum": ["NaN", "inf", "+inf", "-inf"] }] },
                        "zip": { "anyOf": [
                            { "type": "null" },
                            { "type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32 },
                        ] },
                    },
                    "required": ["name", "east"],
                    "additionalProperties": false,
                    "description": "A place on a map.",
                },
                "means": {
                    "type": "string",
                    "oneOf": [
                        { "title": "train", "const": "train", "description": "On rails." },
                        { "title": "foot", "const": "foot" },
                    ],
                    "description": "How one travels.",
                },
                "extras": {
                    "type": "array",
                    "items": { "type": "string", "enum": ["meal", "window"] },
                    "uniqueItems": true,
                },
                "price": { "oneOf": [
                    { "title": "free", "const": "free" },
                    {
                        "title": "cents",
                        "type": "object",
                        "properties": { "cents": { "anyOf": [
                            { "type": "integer", "minimum": 0, "maximum": u64::MAX },
                            { "type": "string", "pattern": "^[0-9]+$" },
                        ] } },
                        "required": ["cents"],
                        "additionalProperties": false,
                    },
                    {
                        "title": "other",
                        "type": "object",
                        "properties": { "other": { "$ref": "#/$defs/place" } },
                        "required": ["other"],
                        "additionalProperties": false,
                        "description": "Somebody else's.",
                    },
                ] },
            },
        })
    );
    let output = json(&plan.output_schema);
    assert_eq!(
        output["prefixItems"],
        json!([{ "$ref": "#/$defs/price" }, { "type": "string", "contentEncoding": "base64" }])
    );
    assert_eq!((&output["minItems"], &output["items"]), (&json!(2), &json!(false)));
    assert_eq!(output["$defs"]["place"]["required"], json!(["name", "east", "zip"]));
    let error = plan.error_schema.as_ref().map(json).unwrap();
    assert_eq!(error["type"], "string");
}

/// The schema lets through what the call takes, and refuses what it refuses.
#[test]
fn schemas_take_what_calls_take() {
    let facts = of(TRIP);
    let plan = Schema::compile(&function(&facts, "acme:travel/trips#plan").input_schema).unwrap();
    let check = |input: &str, taken: bool| {
        let input = Json::parse(input).unwrap();
        assert_eq!(plan.check(&input).is_ok(), taken, "{input}");
    };
    let with = |rest: &str| format!(r#"{{"through":[],"by":"foot","beside":[]{rest}}}"#);
    check(&with(""), true);
    check(&with(r#","budget":null"#), true);
    check(&with(r#","budget":"free""#), true);
    for cents in ["0", "18446744073709551615", "\"18446744073709551615\"", "\"7\""] {
        check(&with(&format!(r#","budget":{{"cents":{cents}}}"#)), true);
    }
    for cents in ["-1", "18446744073709551616", "1.5", "\"\"", "\"1e3\"", "null"] {
        check(&with(&format!(r#","budget":{{"cents":{cents}}}"#)), false);
    }
    check(&with(r#","budget":{"free":null}"#), false);
    check(&with(r#","budget":{"cents":1,"other":1}"#), false);
    check(&with(r#","more":1"#), false);
    let place =
        |rest: &str| format!(r#"{{"through":[{{{rest}}}],"by":"train","beside":["meal"]}}"#);
    for east in ["1", "-1.5e300", "\"NaN\"", "\"+inf\"", "\"-inf\""] {
        check(&place(&format!(r#""name":"a","east":{east}"#)), true);
        check(&place(&format!(r#""name":"a","east":{east},"zip":4294967295"#)), true);
    }
    check(&place(r#""name":"a","east":"nan""#), false);
    check(&place(r#""name":"a","east":1,"zip":4294967296"#), false);
    check(&place(r#""east":1"#), false);
    check(r#"{"through":[],"by":"bus","beside":[]}"#, false);
    check(r#"{"through":[],"by":"foot","beside":["bed"]}"#, false);
}

#[test]
fn http_is_denied_in_any_version() {
    let facts = of("package a:b;
        world it { import wasi:http/types@0.3.0; export f: func(); }
        package wasi:http@0.3.0 { interface types { now: func() -> u8; } }");
    let http = facts.imports.iter().find(|import| import.interface == "wasi:http/types").unwrap();
    assert!(matches!(http.offer, Offer::Denied { .. }), "{http:?}");
}

#[test]
fn options_of_options_and_functions_without_results_have_schemas() {
    let facts = of(TRIP);
    let twice = function(&facts, "acme:travel/trips#twice");
    let inner = json!({ "anyOf": [{ "type": "null" }, { "type": "integer", "minimum": 0, "maximum": 255 }] });
    let output = json(&twice.output_schema);
    assert_eq!(output["anyOf"][1]["properties"]["some"], inner);
    let input = json(&twice.input_schema);
    assert_eq!(input["required"], json!(["c", "n"]));
    assert_eq!(
        input["properties"]["c"],
        json!({ "type": "string", "minLength": 1, "maxLength": 1 })
    );
    for name in ["top", "acme:travel/trips#nothing"] {
        assert_eq!(json(&function(&facts, name).output_schema)["type"], "null", "{name}");
    }
}

#[test]
fn versions_are_in_names_only_where_two_of_them_are_exported() {
    let facts = of("package a:b@0.1.0;
        interface one { f: func(); }
        world it { export one; export c:d/one@1.0.0; export c:d/one@2.0.0; }
        package c:d@1.0.0 { interface one { f: func(); g: func(); } }
        package c:d@2.0.0 { interface one { f: func(); } }
    ");
    let names: Vec<_> = facts.functions.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["a:b/one#f", "c:d/one@1.0.0#f", "c:d/one#g", "c:d/one@2.0.0#f"]);
}

#[test]
fn a_core_module_is_told_as_the_component_that_it_becomes() {
    let module = facts::of(&module(TRIP)).unwrap();
    assert_eq!((module.kind, module.core_modules), (Kind::CoreModule, 1));
    let component = of(TRIP);
    assert_eq!(module.functions, component.functions);
    let names = |facts: &ComponentFacts| -> Vec<String> {
        facts.imports.iter().map(|import| import.interface.clone()).collect()
    };
    assert_eq!(names(&module), names(&component));
}

#[test]
fn the_step_world_is_named_and_not_listed() {
    let facts = facts::of(&hostile("trap")).unwrap();
    assert_eq!(facts.step_world.as_deref(), Some("0.1.0"));
    assert_eq!(facts.functions, []);
}

#[test]
fn imports_are_told_with_what_they_need() {
    let facts = facts::of(&hostile("foreign_import")).unwrap();
    let offer = &facts
        .imports
        .iter()
        .find(|import| import.interface == "acme:cloud/servers")
        .unwrap()
        .offer;
    assert!(matches!(offer, Offer::Never { .. }), "{offer:?}");
    let facts = facts::of(&hostile("looks_around")).unwrap();
    let dirs =
        facts.imports.iter().find(|import| import.interface == "wasi:filesystem/preopens").unwrap();
    assert_eq!(dirs.offer, Offer::ByGrant { grant: "grants.dirs".to_owned() });
    assert_eq!(dirs.functions, ["get-directories"]);
}

#[test]
fn what_is_not_a_component_is_an_error() {
    let read = |bytes: &[u8]| facts::of(bytes).unwrap_err();
    assert!(matches!(read(b"#!/bin/sh"), Error::NotWasm));
    assert!(matches!(read(b"\0asm\x0d\0\x01\0\x01\xff\xff\xff\xff\x0f"), Error::Facts(_)));
    let guest = hostile("trap");
    for end in [8, 9, 20, guest.len() / 2, guest.len() - 1] {
        let _any = facts::of(&guest[..end]);
    }
}

#[test]
fn docs_that_fit_nothing_leave_the_component_readable() {
    for docs in
        [&b""[..], b"\x07{}", b"\x01{", b"\x01{\"worlds\":{\"x\":{\"funcs\":{\"none\":\"d\"}}}}"]
    {
        let mut component = component("package a:b; world it { export f: func(); }");
        custom_section(&mut component, "package-docs", docs);
        custom_section(&mut component, "package-docs", docs);
        assert_eq!(facts::of(&component).unwrap().functions.len(), 1);
    }
}

#[test]
fn more_than_is_accepted_is_an_error_and_not_a_panic() {
    let many: String = (0..10_001).map(|n| format!("export fn{n}: func();\n")).collect();
    let error = facts::of(&component(&format!("package a:b; world it {{ {many} }}"))).unwrap_err();
    assert!(error.to_string().contains("more functions"), "{error}");
    let name = "n".repeat(2000);
    let error =
        facts::of(&component(&format!("package a:b; world it {{ export {name}: func(); }}")))
            .unwrap_err();
    assert!(error.to_string().contains("a name of more bytes"), "{error}");
}

/// A guest in Rust, whose docs are in a section that its author put there.
#[test]
fn docs_are_found_in_the_module_that_a_compiler_made() {
    let facts = facts::of(&guest::content("graffiti")).unwrap();
    assert_eq!(facts.step_world.as_deref(), Some("0.1.0"));
    let spray = function(&facts, "test:graffiti/walls#spray");
    assert_eq!(spray.signature, "func(on: string) -> result<string, string>");
    assert!(spray.docs.starts_with("\u{1b}]0;owned\u{7}"), "{:?}", spray.docs);
}

/// Types that double at each level are told once each.
#[test]
fn types_that_grow_by_doubling_stay_small_when_they_are_told() {
    let types: String =
        (1..=12).map(|n| format!("type t{n} = tuple<t{0}, t{0}>;\n", n - 1)).collect();
    let wit = format!(
        "package a:b; interface i {{ type t0 = tuple<u8, u8>; {types} f: func(x: t12) -> t12; }}
         world it {{ export i; }}"
    );
    let facts = of(&wit);
    let f = function(&facts, "a:b/i#f");
    assert_eq!(f.signature, "func(x: t12) -> t12");
    assert!(f.input_schema.as_str().len() < 4096, "{}", f.input_schema.as_str().len());
    assert!(facts.wit.len() < 4096);
}

#[test]
fn hostile_binaries_are_read_within_bounds() {
    let error = facts::of(&wfhost_testkit::hostile::nested(1000)).unwrap_err();
    assert!(error.to_string().contains("within one another"), "{error}");
    // An end that a number of 32 bits can name, and no file has.
    let mut huge = component("package a:b; world it { export f: func(); }");
    huge.extend([0, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    let error = facts::of(&huge).unwrap_err();
    assert!(error.to_string().contains("beyond its end"), "{error}");
    let _any = facts::of(&wfhost_testkit::hostile::functions(200_000));
}
