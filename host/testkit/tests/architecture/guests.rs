//! Every guest is there for something.

use std::collections::BTreeSet;
use std::fs;

use toml::Table;
use wfhost_testkit::guest::workspace;

use crate::sources::{files, read};

#[test]
fn every_hostile_guest_is_named_by_a_test() {
    let tests = tests();
    let folder = workspace().join("host/testkit/guests");
    let texts = files(&folder, &["wat"])
        .into_iter()
        .filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned()));
    for guest in packages("host/testkit/guests").into_iter().chain(texts) {
        assert!(tests.contains(&format!("\"{guest}\"")), "no test names the guest \"{guest}\"");
    }
}

#[test]
fn every_plugin_is_used_by_a_test_or_an_example() {
    let examples: String =
        files(&workspace().join("examples"), &["yaml"]).iter().map(|file| read(file)).collect();
    let tests = tests();
    for plugin in packages("plugins") {
        assert!(
            examples.contains(&format!("/{plugin}.wasm"))
                || tests.contains(&format!("\"{plugin}\"")),
            "neither a test nor an example uses the plugin `{plugin}`"
        );
    }
}

/// Every test's source: files of tests and measurements, and what is below `#[cfg(test)]`.
fn tests() -> String {
    let host = workspace().join("host");
    files(&host, &["rs"])
        .iter()
        .filter(|file| !file.starts_with(host.join("testkit/guests")))
        .map(|file| {
            let text = read(file);
            let of_tests = file
                .components()
                .any(|part| ["tests", "bench"].iter().any(|own| part.as_os_str() == *own));
            match text.split_once("#[cfg(test)]") {
                _ if of_tests => text,
                Some((_, tests)) => tests.to_owned(),
                None => String::new(),
            }
        })
        .collect()
}

/// The packages right below the folder that make components.
fn packages(folder: &str) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(workspace().join(folder)) else { return BTreeSet::new() };
    entries
        .filter_map(|entry| {
            let manifest = entry.expect("a readable folder").path().join("Cargo.toml");
            let manifest: Table = fs::read_to_string(manifest).ok()?.parse().expect("a manifest");
            let kinds = manifest.get("lib")?.get("crate-type")?.as_array()?;
            kinds.iter().any(|kind| kind.as_str() == Some("cdylib")).then_some(())?;
            Some(manifest.get("package")?.get("name")?.as_str()?.to_owned())
        })
        .collect()
}
