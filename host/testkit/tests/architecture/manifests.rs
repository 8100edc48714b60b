//! The workspace's manifests, as far as the rules look at them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use toml::{Table, Value};
use wfhost_testkit::guest::workspace;

/// A package of the workspace.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) manifest: Table,
}

impl Member {
    /// What it is built with, tests aside: name and how the manifest names it.
    pub(crate) fn dependencies(&self) -> BTreeMap<String, Value> {
        self.tables(&["dependencies", "build-dependencies"])
    }

    /// Every dependency, those of tests too.
    pub(crate) fn all_dependencies(&self) -> BTreeMap<String, Value> {
        self.tables(&["dependencies", "build-dependencies", "dev-dependencies"])
    }

    fn tables(&self, kinds: &[&str]) -> BTreeMap<String, Value> {
        let targets = self.manifest.get("target").and_then(Value::as_table);
        let of_targets = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
        std::iter::once(&self.manifest)
            .chain(of_targets)
            .flat_map(|table| kinds.iter().filter_map(|&kind| table.get(kind)))
            .filter_map(Value::as_table)
            .flatten()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

/// The root's manifest.
pub(crate) fn root() -> Table {
    read(&workspace())
}

/// All packages of the workspace.
pub(crate) fn members() -> Vec<Member> {
    let root = root();
    let folders = root["workspace"]["members"].as_array().expect("a list of folders");
    folders
        .iter()
        .map(|folder| workspace().join(folder.as_str().expect("a folder's name")))
        .map(|folder| {
            let manifest = read(&folder);
            let name = manifest["package"]["name"].as_str().expect("a name").to_owned();
            Member { name, manifest }
        })
        .collect()
}

fn read(folder: &Path) -> Table {
    let file = folder.join("Cargo.toml");
    let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    text.parse().unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}
