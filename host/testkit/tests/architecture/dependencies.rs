//! Dependencies go one way, and each driver has one owner.

use std::collections::BTreeSet;

use toml::Value;

use crate::manifests::{self, Member};

/// Package → the packages of the workspace that it may be built with.
const DIRECTION: [(&str, &[&str]); 21] = [
    ("wfhost-workflow", &[]),
    ("wfhost-bundle", &["wfhost-workflow"]),
    ("wfhost-registry", &["wfhost-bundle", "wfhost-workflow"]),
    ("wfhost-checkpoint", &["wfhost-workflow"]),
    ("wfhost-transport", &["wfhost-workflow"]),
    ("wfhost-plugin", &["wfhost-bundle", "wfhost-workflow"]),
    (
        "wfhost-coordinator",
        &["wfhost-bundle", "wfhost-checkpoint", "wfhost-transport", "wfhost-workflow"],
    ),
    ("wfhost-worker", &["wfhost-bundle", "wfhost-plugin", "wfhost-transport", "wfhost-workflow"]),
    (
        "wfhost-http-api",
        &["wfhost-coordinator", "wfhost-checkpoint", "wfhost-transport", "wfhost-workflow"],
    ),
    ("wfhost", HOST),
    // Tools of development; nothing that ships depends on them.
    ("wfhost-testkit", HOST),
    ("wfhost-simulator", &["wfhost-workflow"]),
    ("wfhost-simulator-sabotaged", &["wfhost-workflow"]),
    ("wfhost-workflow-sabotaged", &[]),
    ("wfhost-bench", BENCH),
    ("wfhost-faults", &["wfhost-workflow", "wfhost-checkpoint", "wfhost-transport"]),
    (
        "wfhost-fuzz",
        &[
            "wfhost-workflow",
            "wfhost-bundle",
            "wfhost-checkpoint",
            "wfhost-transport",
            "wfhost-plugin",
        ],
    ),
    ("xtask", &[]),
    // Guests and host share `wit/` and nothing else.
    ("wfhost-guest", &["wfhost-guest-macros"]),
    ("wfhost-guest-macros", &[]),
    // What a plugin computes, as an ordinary library, so that its tests need no sandbox.
    ("text-analysis", &[]),
];

const HOST: &[&str] = &[
    "wfhost-workflow",
    "wfhost-bundle",
    "wfhost-registry",
    "wfhost-checkpoint",
    "wfhost-transport",
    "wfhost-plugin",
    "wfhost-coordinator",
    "wfhost-worker",
    "wfhost-http-api",
];

const BENCH: &[&str] = &[
    "wfhost-workflow",
    "wfhost-bundle",
    "wfhost-bundle",
    "wfhost-checkpoint",
    "wfhost-transport",
    "wfhost-plugin",
    "wfhost-coordinator",
    "wfhost-worker",
    "wfhost-testkit",
];

/// Driver → the packages that may name it. Names that end in `*` stand for all that begin so.
const OWNERS: [(&str, &[&str]); 14] = [
    ("wasmtime*", &["wfhost-plugin"]),
    ("wit-component", &["wfhost-plugin", "wfhost-testkit"]),
    ("wasi-preview1-component-adapter-provider", &["wfhost-plugin"]),
    ("sled", &["wfhost-checkpoint"]),
    ("tar", &["wfhost-bundle"]),
    ("zstd*", &["wfhost-bundle"]),
    ("ed25519*", &["wfhost-bundle"]),
    ("ureq*", &["wfhost-registry"]),
    ("rustls*", &["wfhost-registry"]),
    ("zmq*", &["wfhost-transport"]),
    ("axum*", &["wfhost-http-api"]),
    ("clap*", &["wfhost", "xtask"]),
    ("anyhow", &["wfhost", "xtask"]),
    ("wit-bindgen", &["wfhost-guest"]),
];

/// All that the pure core may be built with: data in, data out.
const PURE: [&str; 12] = [
    "cel",
    "granit-parser",
    "jsonschema",
    "regex",
    "rmp-serde",
    "serde",
    "serde_bytes",
    "serde_json",
    "sha2",
    "strsim",
    "thiserror",
    "ulid",
];

#[test]
fn dependencies_go_one_way() {
    let members = manifests::members();
    let own: BTreeSet<&str> = members.iter().map(|member| member.name.as_str()).collect();
    for member in &members {
        let allowed = DIRECTION
            .iter()
            .find(|(name, _)| *name == member.name)
            .unwrap_or_else(|| panic!("`{}` has no place in DIRECTION: give it one", member.name))
            .1;
        for dependency in member.dependencies().keys().filter(|name| own.contains(name.as_str())) {
            assert!(
                allowed.contains(&dependency.as_str()),
                "`{}` must not depend on `{dependency}`",
                member.name
            );
        }
    }
}

#[test]
fn each_driver_has_one_owner() {
    for member in manifests::members() {
        for (driver, owners) in OWNERS {
            let named = member.dependencies().into_keys().find(|name| is_driver(name, driver));
            if let Some(named) = named {
                assert!(
                    owners.contains(&member.name.as_str()),
                    "`{}` must not depend on `{named}`: that is for {owners:?}",
                    member.name
                );
            }
        }
    }
}

fn is_driver(name: &str, driver: &str) -> bool {
    match driver.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == driver,
    }
}

#[test]
fn the_core_depends_on_nothing_that_does_io() {
    let core = member("wfhost-workflow");
    for dependency in core.dependencies().keys() {
        assert!(PURE.contains(&dependency.as_str()), "`{dependency}` is not in PURE");
    }
}

#[test]
fn the_tool_box_depends_on_nothing() {
    let named = member("xtask").dependencies();
    assert!(named.is_empty(), "xtask must build alone in seconds: {:?}", named.keys());
}

#[test]
fn nothing_that_ships_is_built_with_what_is_for_tests() {
    const FOR_TESTS: [&str; 7] = [
        "wfhost-testkit",
        "wfhost-bench",
        "wfhost-faults",
        "wfhost-fuzz",
        "wfhost-simulator",
        "wfhost-simulator-sabotaged",
        "wfhost-workflow-sabotaged",
    ];
    for member in manifests::members() {
        let named = member.dependencies().into_keys().find(|it| FOR_TESTS.contains(&it.as_str()));
        let ships = !FOR_TESTS.contains(&member.name.as_str());
        assert!(named.is_none() || !ships, "`{}` ships, with {named:?}", member.name);
    }
}

/// It is compiled from the same sources, so that it must follow when the core's manifest changes.
#[test]
fn the_sabotaged_core_is_built_with_what_the_core_is() {
    let names = |name| member(name).dependencies().into_keys().collect::<Vec<_>>();
    assert_eq!(names("wfhost-workflow-sabotaged"), names("wfhost-workflow"));
}

/// Else a package selection could build a dependency with other features, that is, once more.
#[test]
fn every_version_and_feature_is_in_the_one_table() {
    for member in manifests::members() {
        for (name, how) in member.all_dependencies() {
            let table = how.as_table().cloned().unwrap_or_default();
            // Whether it is built at all changes no features of it.
            let is_more = |key: &&str| *key != "optional";
            let keys: Vec<&str> = table.keys().map(String::as_str).filter(is_more).collect();
            // A package of this workspace may go by another's name.
            let is_own = table.contains_key("path") && keys == ["package", "path"];
            assert!(
                is_own || keys == ["workspace"],
                "`{}` must name `{name}` as `{name}.workspace = true` and no more",
                member.name
            );
        }
    }
}

#[test]
fn every_package_shares_the_workspaces_fields_and_lints() {
    for member in manifests::members() {
        let package = &member.manifest["package"];
        for field in ["version", "edition", "rust-version", "license", "repository"] {
            let shared = package.get(field).and_then(|field| field.get("workspace"));
            assert_eq!(shared, Some(&Value::Boolean(true)), "`{}`: {field}", member.name);
        }
        let lints = member.manifest.get("lints").and_then(|lints| lints.get("workspace"));
        assert_eq!(lints, Some(&Value::Boolean(true)), "`{}`: lints", member.name);
    }
}

fn member(name: &str) -> Member {
    manifests::members()
        .into_iter()
        .find(|member| member.name == name)
        .unwrap_or_else(|| panic!("`{name}` is a member"))
}
