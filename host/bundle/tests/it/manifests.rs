use std::path::Path;

use wfhost_bundle::BundlePath;
use wfhost_bundle::manifest::{BundleManifest, PluginManifest, bundle_schema, plugin_schema};
use wfhost_workflow::{Contract, DirMode, Json, Limit, Schema};

const PLUGIN: &str = "name = \"text\"\nversion = \"1.2.0\"\n";

const BUNDLE: &str = "name = \"b\"\nversion = \"1.2.0\"\nplugins = [\"p\"]\n";

#[track_caller]
fn plugin_refused(rest: &str, words: &str) {
    let said = PluginManifest::parse(&format!("{PLUGIN}{rest}")).unwrap_err().to_string();
    assert!(said.contains(words), "{rest}: {said}");
}

#[track_caller]
fn bundle_refused(rest: &str, words: &str) {
    let said = BundleManifest::parse(&format!("{BUNDLE}{rest}")).unwrap_err().to_string();
    assert!(said.contains(words), "{rest}: {said}");
}

#[test]
fn a_plugin_says_who_it_is_and_what_it_asks_for() {
    let text = "description = \"Reads.\"\ncomponent = \"out/t.wasm\"\nexports = [\"extract\"]\n\
        [grants]\ndirs = [{ as = \"/in\", mode = \"ro\" }, { as = \"/out/a\", mode = \"rw\" }]\n\
        [limits]\nmemory = \"64MiB\"\ntimeout = \"30s\"\noutput = 4096\n\
        [labels]\nteam = \"research\"\n[build]\ncommand = [\"cargo\", \"build\"]\n";
    let manifest = PluginManifest::parse(&format!("{PLUGIN}{text}")).unwrap();
    assert_eq!(manifest.check_for_bundle().unwrap().to_string(), "1.2.0");
    let dirs: Vec<_> =
        manifest.dirs.iter().map(|ask| (ask.guest_path.as_str(), ask.mode)).collect();
    assert_eq!(dirs, [("/in", DirMode::ReadOnly), ("/out/a", DirMode::ReadWrite)]);
    let limits: Vec<_> = manifest.limits.iter().collect();
    let set = [(Limit::Memory, 64 << 20), (Limit::Timeout, 30_000), (Limit::Output, 4096)];
    assert_eq!(limits, set);
    assert_eq!(manifest.labels["team"], "research");
    assert_eq!(manifest.build.as_ref().unwrap().command, ["cargo", "build"]);
    let at = |path: &str, manifest: &PluginManifest| {
        manifest.component_at(&BundlePath::new(path).unwrap()).unwrap().to_string()
    };
    assert_eq!(at("p/plugin.toml", &manifest), "p/out/t.wasm");
    let plain = PluginManifest::parse(PLUGIN).unwrap();
    assert_eq!(at("p/plugin.toml", &plain), "p/text.wasm");
    assert_eq!(at("p/other.plugin.toml", &plain), "p/other.wasm");
}

/// Of a plugin that is used by its path nothing more is asked than before there were bundles.
#[test]
fn what_was_a_manifest_before_there_were_bundles_is_one() {
    let old = PluginManifest::parse("name = \"any text\"\nversion = \"1\"\n").unwrap();
    assert_eq!((old.name.as_str(), old.version.as_str()), ("any text", "1"));
    assert!(old.dirs.is_empty() && old.exports.is_none());
    assert!(old.check_for_bundle().is_err());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for path in ["plugins/hello", "plugins/text", "host/testkit/guests/probe"] {
        let text = std::fs::read_to_string(root.join(path).join("plugin.toml")).unwrap();
        PluginManifest::parse(&text).unwrap().check_for_bundle().unwrap();
    }
}

#[test]
fn unknown_keys_are_refused_with_the_line_and_the_nearest_known_one() {
    plugin_refused("exprots = []", "did you mean `exports`?");
    plugin_refused("exprots = []", "line 3");
    plugin_refused("[grants]\ndir = []", "did you mean `dirs`?");
    plugin_refused("[grants]\ndirs = [{ as = \"/in\", mde = \"ro\" }]", "did you mean `mode`?");
    plugin_refused("[grants]\ndirs = [{ as = \"/in\", mode = \"wo\" }]", "`ro`");
    plugin_refused("[limits]\nmemry = 1", "did you mean `memory`?");
    plugin_refused("[buidl]\ncommand = []", "did you mean `build`?");
    plugin_refused("zzz = 1", "unknown field `zzz`");
    bundle_refused("workflow = []", "did you mean `workflows`?");
    bundle_refused("[build]\ncomand = [\"a\"]", "did you mean `command`?");
    bundle_refused("[labels]\na = 1", "line");
}

#[test]
fn values_that_make_no_sense_are_refused_by_their_key() {
    plugin_refused("[limits]\nmemory = \"1 apple\"", "limits: `memory` must be a size");
    plugin_refused("[limits]\ntimeout = 5", "limits: `timeout` must be a duration");
    plugin_refused("[limits]\nmemory = 0", "limits: `memory` must be from");
    plugin_refused("[limits]\nmemory = [1]", "a number, or a text");
    plugin_refused("exports = [\"a\", \"a\"]", "exports: `a` is there twice");
    plugin_refused("exports = [\"a b\"]", "exports: `a b` is no name");
    plugin_refused("description = \"a\\u0007\"", "description");
    plugin_refused("[labels]\n\"a b\" = \"x\"", "labels: `a b` is no name");
    plugin_refused("[labels]\na = \"x\\u001b[2J\"", "labels: the value of `a`");
    plugin_refused("[build]\ncommand = []", "build.command");
    for path in ["in", "", "/", "/in/", "/in/../etc", "/./in", "//in"] {
        let ask = format!("[grants]\ndirs = [{{ as = \"{path}\", mode = \"ro\" }}]");
        plugin_refused(&ask, "must be an absolute path");
    }
    let twice = "{ as = \"/in\", mode = \"ro\" }";
    plugin_refused(&format!("[grants]\ndirs = [{twice}, {twice}]"), "asked for twice");
    bundle_refused("files = [\"../x\"]", "files: `../x`");
    let said = |text: &str| BundleManifest::parse(text).unwrap_err().to_string();
    for version in ["1", "1.2", "v1.2.3", "01.2.3", "1.2.3 ", ""] {
        assert!(said(&BUNDLE.replace("1.2.0", version)).contains("semantic version"), "{version}");
    }
    for name in ["", "-a", "a b", "a/b", "ä", &"a".repeat(65)] {
        assert!(
            said(&BUNDLE.replace("\"b\"", &format!("{name:?}"))).contains("is no name"),
            "{name}"
        );
    }
    assert!(said("name = \"a\"\nversion = \"1.0.0\"").contains("neither"));
    assert!(said("name = \"a\"").contains("version"));
}

#[test]
fn functions_that_a_component_does_not_have_are_named() {
    let contract = |name: &str| Contract {
        name: name.to_owned(),
        docs: String::new(),
        input_schema: Json::parse("true").unwrap(),
        output_schema: Json::parse("true").unwrap(),
    };
    let known = ["f", "a:b/c@1.0.0#g"].map(contract);
    let text = format!("{PLUGIN}exports = [\"f\", \"a:b/c#g\", \"h\"]");
    let manifest = PluginManifest::parse(&text).unwrap();
    assert_eq!(manifest.missing_exports(&known), ["h"]);
    assert!(PluginManifest::parse(PLUGIN).unwrap().missing_exports(&known).is_empty());
}

/// To bring the files up to date: `WFHOST_WRITE_SCHEMAS=1 cargo test -p wfhost-bundle schemas`.
#[test]
fn the_published_schemas_are_current() {
    for (name, schema) in [("plugin", plugin_schema()), ("bundle", bundle_schema())] {
        let path = format!("{}/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
        let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        if std::env::var_os("WFHOST_WRITE_SCHEMAS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap();
        assert!(published == text, "{path} is not what the manifest's types say");
    }
}

#[test]
fn the_schemas_take_what_is_a_manifest_and_refuse_what_is_none() {
    let fits = |schema: &serde_json::Value, text: &str| {
        let schema = Schema::compile(&Json::from_value(schema)).unwrap();
        let value: serde_json::Value = toml::from_str(text).unwrap();
        schema.check_value(&value).is_ok()
    };
    let plugin = |rest: &str| fits(&plugin_schema(), &format!("{PLUGIN}{rest}"));
    assert!(plugin(""));
    assert!(plugin(
        "[limits]\nmemory = \"64MiB\"\n[grants]\ndirs = [{ as = \"/in\", mode = \"ro\" }]"
    ));
    assert!(plugin("exports = [\"f\"]\n[build]\ncommand = [\"make\"]\n[labels]\na = \"b\""));
    assert!(!plugin("zzz = 1"));
    assert!(!plugin("[limits]\nmemry = 1"));
    assert!(!plugin("[limits]\ntimeout = 1"));
    assert!(!plugin("[grants]\ndirs = [{ as = \"/in\", mode = \"wo\" }]"));
    assert!(fits(&bundle_schema(), BUNDLE));
    assert!(!fits(&bundle_schema(), &BUNDLE.replace("1.2.0", "1.2")));
    assert!(!fits(&bundle_schema(), &BUNDLE.replace("\"b\"", "\"a b\"")));
    assert!(!fits(&bundle_schema(), "name = \"a\""));
}

#[test]
fn a_problem_has_its_place() {
    let check = |text: &str, line: u32, column: u32, hint: bool| {
        let problem = PluginManifest::parse(text)
            .and_then(|manifest| manifest.check_for_bundle())
            .unwrap_err()
            .problem(text);
        assert_eq!((problem.at.line, problem.at.column), (line, column), "{text}: {problem}");
        assert_eq!(problem.hint.is_some(), hint, "{problem:?}");
    };
    check("name = \"a\"\nversoin = \"1.0.0\"\n", 2, 1, true);
    check("name = \"a\"\nversion = 1\n", 2, 11, false);
    check("name = \"a\"\n", 1, 1, false);
    check("name = \"a\"\nversion = \"1\"\n", 2, 1, false);
    let head = "name = \"a\"\nversion = \"1.0.0\"\n";
    check(&format!("{head}\n  exports = [\"a\", \"a\"]\n"), 4, 1, false);
    check(&format!("{head}[limits]\nmemroy = \"1MiB\"\n"), 3, 1, true);
    check(&format!("{head}[grants]\ndirs = [{{ as = \"in\", mode = \"ro\" }}]\n"), 4, 1, false);
    check(&format!("{head}# \u{e9}\u{e9}\n\u{e9} = 1\n"), 4, 1, false);
}
