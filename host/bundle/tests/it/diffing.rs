use std::sync::Arc;

use wfhost_bundle::diff::{
    Contracts, Diff, FileChange, FunctionChange, Functions, PluginChange, PluginDiff,
    WorkflowChange,
};
use wfhost_workflow::{Compatibility, Contract, Digest, Json};

use crate::folder::{Folder, WORKFLOW};

/// What changes when something is done to the folder.
fn changed(contracts: &Contracts, change: impl FnOnce(&Folder)) -> Diff {
    let folder = Folder::new();
    let before = folder.pack().unwrap().0;
    change(&folder);
    let after = folder.pack().unwrap().0;
    Diff::between(&before, &after, contracts)
}

#[track_caller]
fn text(diff: &Diff) -> &PluginDiff {
    match &diff.plugins["text"] {
        PluginChange::Changed(diff) => diff,
        other => panic!("{other:?}"),
    }
}

fn function(name: &str, input: &str) -> Contract {
    Contract {
        name: name.to_owned(),
        docs: String::new(),
        input_schema: Json::parse(input).unwrap(),
        output_schema: Json::parse("{\"type\":\"string\"}").unwrap(),
    }
}

const MANIFEST: &str = "plugins/text/plugin.toml";

#[test]
fn nothing_changes() {
    let diff = changed(&Contracts::new(), |_| {});
    assert!(diff.is_same);
    assert!(diff.plugins.is_empty() && diff.workflows.is_empty() && diff.files.is_empty());
}

#[test]
fn grants_that_widen_are_told_from_those_that_narrow() {
    let grants = |dirs: &str| {
        let diff = changed(&Contracts::new(), |folder| {
            folder.edit(MANIFEST, "[{ as = \"/in\", mode = \"ro\" }]", dirs);
        });
        let shown =
            text(&diff).grants.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let widened = diff.widened().map(|(name, grant)| format!("{name} {}", grant.guest_path));
        (shown, widened.collect::<Vec<_>>().join(", "))
    };
    let check = |dirs: &str, shown: &str, widened: &str| {
        assert_eq!(grants(dirs), (shown.to_owned(), widened.to_owned()), "{dirs}");
    };
    check("[{ as = \"/in\", mode = \"rw\" }]", "dir /in: ro → rw", "text /in");
    check("[]", "dir /in: ro → nothing", "");
    check(
        "[{ as = \"/in\", mode = \"ro\" }, { as = \"/out\", mode = \"ro\" }]",
        "dir /out: nothing → ro",
        "text /out",
    );
    check(
        "[{ as = \"/other\", mode = \"ro\" }]",
        "dir /in: ro → nothing, dir /other: nothing → ro",
        "text /other",
    );
}

#[test]
fn a_plugin_that_is_new_asks_for_everything_anew() {
    let diff = changed(&Contracts::new(), |folder| {
        folder.edit("bundle.toml", "\"plugins/count.plugin.toml\"", "\"plugins/new.plugin.toml\"");
        folder.write(
            "plugins/new.plugin.toml",
            "name = \"new\"\nversion = \"3.0.0\"\n[grants]\ndirs = [{ as = \"/x\", mode = \"rw\" }]",
        );
        folder.write("plugins/new.wasm", "new");
    });
    assert!(
        matches!(&diff.plugins["new"], PluginChange::Added { version, .. } if version.major == 3)
    );
    assert!(matches!(&diff.plugins["count"], PluginChange::Removed { .. }));
    assert!(!diff.plugins.contains_key("text"));
    let widened: Vec<_> = diff.widened().map(|(name, grant)| (name, grant.to_string())).collect();
    assert_eq!(widened, [("new", "dir /x: nothing → rw".to_owned())]);
}

#[test]
fn limits_that_rise_are_told_from_those_that_fall() {
    let limits = |to: &str| {
        let diff =
            changed(&Contracts::new(), |folder| folder.edit(MANIFEST, "memory = \"64MiB\"", to));
        let shown = |limit: &wfhost_bundle::diff::LimitChange| (limit.to_string(), limit.raises());
        text(&diff).limits.iter().map(shown).collect::<Vec<_>>()
    };
    assert_eq!(limits("memory = \"65MiB\""), [("memory: 64MiB → 65MiB".to_owned(), true)]);
    assert_eq!(limits("memory = \"63MiB\""), [("memory: 64MiB → 63MiB".to_owned(), false)]);
    let gone = limits("");
    assert!(gone[0].0.ends_with("(default)") && gone[0].1, "{gone:?}");
    let one_more = limits("memory = \"64MiB\"\ntimeout = \"1s\"");
    assert!(one_more.len() == 1 && !one_more[0].1, "{one_more:?}");
}

#[test]
fn functions_are_compared_by_what_the_host_says_they_are() {
    let (old, new) = (Digest::of(b"\0asm text"), Digest::of(b"\0asm newer"));
    let any = "{\"type\":\"string\"}";
    let with = |before: Vec<Contract>, after: Vec<Contract>| {
        let contracts = [(old, Arc::new(before)), (new, Arc::new(after))].into();
        let diff = changed(&contracts, |folder| {
            folder.write("plugins/text/text.wasm", "\0asm newer");
        });
        let Functions::Known(functions) = &text(&diff).functions else { panic!() };
        (functions.clone(), diff.broken().count())
    };
    let (functions, broken) = with(vec![function("extract", any)], vec![function("extract", any)]);
    assert!(functions.is_empty() && broken == 0);
    let (functions, broken) =
        with(vec![function("extract", any)], vec![function("extract", "{\"type\":\"number\"}")]);
    let why = vec!["`input` must be a number, not text".to_owned()];
    let incompatible = FunctionChange::Changed(Compatibility::Incompatible(why));
    assert_eq!((&functions["extract"], broken), (&incompatible, 1));
    let (functions, broken) = with(
        vec![function("extract", any)],
        vec![function("extract", "{\"type\":[\"string\",\"null\"]}")],
    );
    let compatible = FunctionChange::Changed(Compatibility::Compatible);
    assert_eq!((&functions["extract"], broken), (&compatible, 0));
    let (functions, broken) = with(vec![function("extract", any)], Vec::new());
    assert_eq!((&functions["extract"], broken), (&FunctionChange::Removed, 1));
    // It is not listed in `exports`, so that no workflow may count on it.
    let (functions, _) = with(vec![function("inner", any)], Vec::new());
    assert!(functions.is_empty());
}

#[test]
fn a_function_that_is_no_longer_listed_is_gone() {
    let all = vec![function("extract", "true"), function("count", "true")];
    let contracts = [(Digest::of(b"\0asm text"), Arc::new(all))].into();
    let diff = changed(&contracts, |folder| folder.edit(MANIFEST, "\"extract\"", "\"count\""));
    let Functions::Known(functions) = &text(&diff).functions else { panic!() };
    assert_eq!(functions["extract"], FunctionChange::Removed);
    assert_eq!(functions["count"], FunctionChange::Added);
}

#[test]
fn without_contracts_nothing_is_said_of_functions() {
    let diff = changed(&Contracts::new(), |folder| {
        folder.write("plugins/text/text.wasm", "\0asm newer");
    });
    assert_eq!(text(&diff).functions, Functions::Unknown);
    assert_eq!(
        text(&diff).component,
        Some((Digest::of(b"\0asm text"), Digest::of(b"\0asm newer")))
    );
    assert!(text(&diff).grants.is_empty() && text(&diff).limits.is_empty() && !text(&diff).notes);
    // The workflow that uses it changes with it, though its file is the same.
    let WorkflowChange::Changed { file, plugins, input, .. } = &diff.workflows["brief"] else {
        panic!()
    };
    assert_eq!(
        (file, plugins.as_slice(), input),
        (&false, &["text".to_owned()][..], &Compatibility::Same)
    );
}

#[test]
fn workflows_and_files_are_compared() {
    let diff = changed(&Contracts::new(), |folder| {
        folder.edit("workflows/brief.yaml", "required: [folder]", "required: [folder, depth]");
        folder.edit("workflows/brief.yaml", "version: '2'", "version: '3'");
        folder.edit(
            "bundle.toml",
            "[\"workflows/brief.yaml\"]",
            "[\"workflows/brief.yaml\", \"w.yaml\"]",
        );
        folder.write("w.yaml", WORKFLOW.replace("brief", "other").replace("../", ""));
        folder.edit("bundle.toml", "1.2.0", "2.0.0-rc.1");
        folder.edit("bundle.toml", "\"LICENSE\"", "\"README\"");
        folder.write("README", "read");
    });
    assert_eq!(diff.version.1.to_string(), "2.0.0-rc.1");
    let WorkflowChange::Changed { version, file, input, plugins } = &diff.workflows["brief"] else {
        panic!()
    };
    assert_eq!((version.1.as_str(), file, plugins.is_empty()), ("3", &true, true));
    assert!(
        matches!(input, Compatibility::Incompatible(why) if why[0].contains("depth")),
        "{input:?}"
    );
    assert!(matches!(&diff.workflows["other"], WorkflowChange::Added { .. }));
    assert_eq!(diff.files["LICENSE"], FileChange::Removed);
    assert_eq!(diff.files["README"], FileChange::Added);
    assert!(diff.plugins.is_empty());
}
