//! `plugin inspect`: what a component offers and needs.

use serde_json::{Value, json};
use wfhost_testkit::made;

use crate::place::{Place, guest_path};

fn inspect(place: &Place, file: &str, arguments: &[&str]) -> crate::place::Outcome {
    let mut all = vec!["plugin", "inspect", file];
    all.extend(arguments);
    place.wfhost(&all)
}

/// Bytes and tools differ from machine to machine.
fn stable(text: &str) -> String {
    let shown = |line: &str| {
        let (start, rest) = line.split_at(line.len().min(12));
        match start.trim() {
            "digest" => format!("{start}sha256:…"),
            "is" => format!("{start}{}, …", rest.split(',').next().unwrap_or_default()),
            "plugin" => format!("{start}{} (…)", rest.split(" (").next().unwrap_or_default()),
            _ => line.to_owned(),
        }
    };
    let made_by = text.find("\nMADE BY").map_or(text.len(), |at| at + 1);
    text[..made_by].lines().map(shown).collect::<Vec<_>>().join("\n")
}

const TRIP: &str = r#"
/// Journeys.
package acme:travel@1.2.0;

interface trips {
    /// A place on a map.
    record place {
        /// As people say it.
        name: string,
        zip: option<u32>,
    }
    enum means { train, foot }
    variant price { free, cents(u64) }
    resource ticket { constructor(); }
    /// Plans a trip.
    ///
    /// Takes its time.
    plan: async func(through: list<place>, by: means, budget: option<price>)
        -> result<tuple<price, list<u8>>, string>;
    buy: func() -> ticket;
}
interface atlas { find: func(name: string) -> string; }

world it {
    import atlas;
    import wasi:clocks/wall-clock@0.2.3;
    import wasi:filesystem/preopens@0.2.3;
    import wasi:sockets/ip-name-lookup@0.2.3;
    export trips;
    /// At the top.
    export top: func(n: f64);
}

package wasi:clocks@0.2.3 {
    interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; }
}
package wasi:filesystem@0.2.3 {
    interface types { resource descriptor; }
    interface preopens {
        use types.{descriptor};
        get-directories: func() -> list<tuple<descriptor, string>>;
    }
}
package wasi:sockets@0.2.3 {
    interface network { resource network; }
    interface ip-name-lookup { use network.{network}; resolve: func(network: borrow<network>, name: string); }
}
"#;

fn trip(place: &Place) -> String {
    let path = place.path("trip.wasm");
    std::fs::write(&path, made::component(TRIP)).unwrap();
    path.display().to_string()
}

#[test]
fn functions_are_shown_with_docs_types_and_what_they_need() {
    let place = Place::new();
    trip(&place);
    let outcome = inspect(&place, "trip.wasm", &[]).ok();
    assert_eq!(outcome.stderr, "");
    insta::assert_snapshot!(stable(&outcome.stdout));
}

#[test]
fn a_component_of_the_step_world_tells_its_steps() {
    let place = Place::new();
    std::fs::copy(guest_path("text"), place.path("text.wasm")).unwrap();
    std::fs::copy(guest_path("text").with_extension("plugin.toml"), place.path("plugin.toml"))
        .unwrap();
    let outcome = inspect(&place, "text.wasm", &[]).ok();
    let shown = stable(&outcome.stdout);
    let steps = &shown[shown.find("STEPS").unwrap()..shown.find("IMPORTS").unwrap()];
    insta::assert_snapshot!(steps);
    assert!(shown.contains("plugin    text 0.1.0 (…)"), "{shown}");
    assert!(shown.contains("asks for /in (ro)") && !shown.contains("not needed"), "{shown}");
    assert!(!place.path("data").exists());
}

#[test]
fn json_has_everything() {
    let place = Place::new();
    trip(&place);
    let value = inspect(&place, "trip.wasm", &["--output", "json"]).ok().json();
    let functions = value["functions"].as_array().unwrap();
    let names: Vec<_> = functions.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "top",
            "acme:travel/trips#[constructor]ticket",
            "acme:travel/trips#plan",
            "acme:travel/trips#buy",
        ]
    );
    let plan = &functions[2];
    assert_eq!((&plan["async"], &plan["refused"]), (&json!(true), &Value::Null));
    assert_eq!(plan["input_schema"]["required"], json!(["through", "by"]));
    assert_eq!(plan["input_schema"]["$defs"]["place"]["description"], "A place on a map.");
    assert_eq!(plan["error_schema"]["type"], "string");
    let offered: Vec<_> = value["imports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["interface"].as_str().unwrap(), it["offered"].as_str().unwrap()))
        .collect();
    for expected in [
        ("acme:travel/atlas", "never"),
        ("wasi:clocks/wall-clock", "always"),
        ("wasi:filesystem/preopens", "by-grant"),
        ("wasi:sockets/ip-name-lookup", "denied"),
    ] {
        assert!(offered.contains(&expected), "{expected:?} is not in {offered:?}");
    }
    assert_eq!(value["grants"]["needed_not_asked"], json!(["grants.dirs"]));
    assert_eq!((&value["kind"], &value["steps"]), (&json!("component"), &Value::Null));
    let hello = guest_path("hello").display().to_string();
    let value = inspect(&place, &hello, &["--output", "json"]).ok().json();
    assert_eq!(value["steps"][0]["input_schema"]["required"], json!(["name"]));
    assert_eq!((&value["steps_error"], &value["functions"]), (&Value::Null, &json!([])));
}

#[test]
fn wit_is_written_as_it_is_and_can_be_read_again() {
    let place = Place::new();
    trip(&place);
    let wit = inspect(&place, "trip.wasm", &["--wit"]).ok().stdout;
    for part in
        ["/// Plans a trip.\n", "/// As people say it.\n", "plan: async func(through: list<place>"]
    {
        assert!(wit.contains(part), "`{part}` is not in\n{wit}");
    }
    let again = place.path("again.wasm");
    std::fs::write(&again, made::component(&wit.replace("world root", "world it"))).unwrap();
    // Only the docs of its own package come along.
    let code = |wit: &str| -> Vec<String> {
        wit.lines().filter(|line| !line.trim().starts_with("///")).map(str::to_owned).collect()
    };
    assert_eq!(code(&inspect(&place, "again.wasm", &["--wit"]).ok().stdout), code(&wit));
}

#[test]
fn a_core_module_with_its_wit_is_inspected_as_well() {
    let place = Place::new();
    std::fs::write(
        place.path("module.wasm"),
        made::module("package a:b; world it { export f: func(x: u8); }"),
    )
    .unwrap();
    let shown = inspect(&place, "module.wasm", &[]).ok().stdout;
    assert!(shown.contains("is        core module that carries its WIT, "), "{shown}");
    assert!(shown.contains("f\n    func(x: u8)\n    in  { x: integer }\n    out null"), "{shown}");
}

#[test]
fn a_manifest_that_asks_for_what_is_not_needed_is_seen() {
    let place = Place::new();
    std::fs::write(
        place.path("p.wasm"),
        made::component("package a:b; world it { export f: func(); }"),
    )
    .unwrap();
    place.write("plugin.toml", "name='p'\nversion='1'\n[grants]\ndirs=[{as='/in',mode='rw'}]\n");
    let shown = inspect(&place, "p.wasm", &[]).ok().stdout;
    assert!(shown.contains("asks for /in (rw)"), "{shown}");
    assert!(shown.contains("asked but not needed: grants.dirs"), "{shown}");
    place.write("plugin.toml", "name='p'\n");
    inspect(&place, "p.wasm", &[]).exits(3).says("plugin.toml");
}

#[test]
fn steps_that_cannot_be_asked_for_do_not_hide_the_rest() {
    let place = Place::new();
    // A dummy traps when it is asked.
    let step = "package a:b;
        world it { export wfhost:step/steps@0.1.0; export f: func(); }
        package wfhost:step@0.1.0 {
            interface types {
                record context { run: string, workflow: string, step: string, index: option<u32>,
                    attempt: u32, idempotency-key: string, remaining-ms: u64, trace-parent: option<string> }
                record failure { code: string, message: string }
                record retryable-failure { code: string, message: string, after-ms: option<u64> }
                variant error { retryable(retryable-failure), permanent(failure), invalid-input(failure) }
                record description { name: string, docs: string, input-schema: string, output-schema: string }
            }
            interface steps {
                use types.{context, description, error};
                describe: func() -> list<description>;
                run: func(name: string, context: context, input: string) -> result<string, error>;
            }
        }";
    std::fs::write(place.path("p.wasm"), made::component(step)).unwrap();
    let shown = inspect(&place, "p.wasm", &[]).ok().stdout;
    assert!(shown.contains("STEPS") && shown.contains("not known: "), "{shown}");
    assert!(shown.contains("  f\n    func()"), "{shown}");
    let value = inspect(&place, "p.wasm", &["--output", "json"]).ok().json();
    assert!(value["steps"].is_null() && value["steps_error"].is_string(), "{value}");
}

#[test]
fn what_is_no_component_is_refused() {
    let place = Place::new();
    place.write("p.wasm", "#!/bin/sh");
    inspect(&place, "p.wasm", &[]).exits(3).says("p.wasm: not a WebAssembly component");
    inspect(&place, "none.wasm", &[]).exits(2).says("cannot read none.wasm");
    std::fs::write(place.path("cut.wasm"), &made::component(TRIP)[..500]).unwrap();
    inspect(&place, "cut.wasm", &[]).exits(3).says("cannot be described");
}
