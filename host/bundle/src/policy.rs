//! What an operator lets deployed bundles be given.
//!
//! ```toml
//! [[allow]]
//! bundles = ["team-*"]
//! dirs = ["@in:ro", "@scratch:rw"]
//! ```
//!
//! A directory is a name that workers have for one of theirs: what it is there, each worker's
//! operator decides. Without a line that allows it, nothing is given.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;
use wfhost_workflow::definition::PluginUse;
use wfhost_workflow::{DirGrant, DirMode};

use crate::bounds::NAME_CHARS_MAX;
use crate::contents::{Bundle, BundledWorkflow};
use crate::grants::{self, GivenDir};
use crate::keys::{self, KeyError};
use crate::{toml_text, trust};

/// Some thousand lines.
const POLICY_BYTES_MAX: u64 = 1 << 20;

/// What may be given, to whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// What it is called in messages.
    source: String,
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    bundles: Vec<String>,
    dirs: Vec<AllowedName>,
}

/// A directory of workers that may be given.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AllowedName {
    /// As workers call it, without `@`.
    name: String,
    mode: DirMode,
    line: usize,
}

/// Something that a bundle would be given, and must not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {what}: {why}")]
pub struct PolicyDenial {
    /// The line that gives it: `workflows/brief.yaml:6:20`.
    pub at: String,
    /// What it is.
    pub what: String,
    /// Why not, with the line of the policy if one comes near.
    pub why: String,
    /// The line that would allow it.
    pub remedy: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    allow: Vec<Allow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allow {
    bundles: Vec<String>,
    #[serde(default)]
    dirs: Vec<Spanned<String>>,
}

impl Policy {
    /// Reads the text of a policy that is called `source` in messages.
    ///
    /// # Errors
    /// What is wrong with it, with the line.
    pub fn parse(source: &str, text: &str) -> Result<Self, String> {
        let file: File = toml_text::parse(text).map_err(|wrong| wrong.shown)?;
        let mut rules = Vec::new();
        for Allow { bundles, dirs } in file.allow {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.*?".contains(c);
            let odd = |name: &&String| {
                name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(plain)
            };
            if let Some(odd) = bundles.iter().find(odd) {
                let odd: String = odd.chars().take(80).collect();
                return Err(format!("`{odd}` is no name of bundles, with `*` or `?`"));
            }
            let dirs = dirs.into_iter().map(|dir| AllowedName::read(&dir, text));
            rules.push(Rule { bundles, dirs: dirs.collect::<Result<_, _>>()? });
        }
        Ok(Self { source: source.to_owned(), rules })
    }

    /// Reads a policy's file.
    ///
    /// # Errors
    /// If it is none, or if anybody but its owner can write it.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let (text, mode) = keys::read_text(path, POLICY_BYTES_MAX)?;
        if mode & 0o022 != 0 {
            let wanted = mode & !0o022;
            return Err(KeyError::Open { path: path.to_owned(), what: "written", mode, wanted });
        }
        let source = path.file_name().unwrap_or_default().to_string_lossy();
        Self::parse(&source, &text).map_err(|problem| KeyError::Content {
            path: path.to_owned(),
            line: 1,
            problem,
        })
    }

    /// Whether all that a bundle's workflows give can be given. What comes from a run's input is
    /// decided when that is known.
    ///
    /// # Errors
    /// Everything that cannot.
    pub fn check(&self, bundle: &Bundle) -> Result<(), Vec<PolicyDenial>> {
        let name = &bundle.manifest.name;
        let mut denials = Vec::new();
        for workflow in &bundle.workflows {
            for (used, component) in workflow.definition.plugins.iter().zip(&workflow.components) {
                let asks = bundle.plugin_of(&component.path).map(|it| &*it.manifest.dirs);
                let asks = asks.unwrap_or_default();
                for dir in &used.dirs {
                    let asked = asks.iter().find(|ask| ask.guest_path == dir.guest_path);
                    let constant = dir.path.constant_text().map(serde_json::from_str::<String>);
                    let Some(Ok(path)) = constant else { continue };
                    let mode = asked.map_or(dir.mode, |ask| lower(ask.mode, dir.mode));
                    let given = GivenDir {
                        host_path: path.into(),
                        guest_path: dir.guest_path.clone(),
                        mode,
                    };
                    denials.extend(self.denial(name, workflow, used, &given, dir.at));
                }
            }
        }
        if denials.is_empty() { Ok(()) } else { Err(denials) }
    }

    fn denial(
        &self,
        name: &str,
        workflow: &BundledWorkflow,
        used: &PluginUse,
        given: &GivenDir,
        at: wfhost_workflow::definition::Location,
    ) -> Option<PolicyDenial> {
        let (why, remedy) = self.allows(name, &given.host_path, given.mode).err()?;
        let path = given.host_path.display();
        Some(PolicyDenial {
            at: format!("{}:{}:{}", workflow.file.path, at.line, at.column),
            what: format!("plugin `{}` is given {path} ({})", used.alias, given.mode.name()),
            why,
            remedy,
        })
    }

    /// What a plugin of a deployed bundle gets of what it is given.
    ///
    /// # Errors
    /// The first that it does not get, with what would allow it.
    pub fn grants(
        &self,
        bundle: &str,
        alias: &str,
        asks: &[wfhost_workflow::DirAsk],
        given: &[GivenDir],
    ) -> Result<Vec<DirGrant>, (String, String)> {
        for dir in given {
            // Said before anything looks at a path of this machine.
            if !grants::is_by_name(&dir.host_path) {
                let what = given_text(alias, dir);
                let (why, remedy) = not_by_name(&dir.host_path);
                return Err((format!("{what}: {why}"), remedy));
            }
        }
        let granted = grants::decide(alias, asks, given, &[])
            .map_err(|denial| (denial.to_string(), denial.remedy()))?;
        for (dir, grant) in given.iter().zip(&granted) {
            self.allows(bundle, &dir.host_path, grant.mode)
                .map_err(|(why, remedy)| (format!("{}: {why}", given_text(alias, dir)), remedy))?;
        }
        Ok(granted)
    }

    /// Whether bundles of this name may be given it; else why not, and what to write.
    fn allows(&self, bundle: &str, path: &Path, mode: DirMode) -> Result<(), (String, String)> {
        let text = path.to_string_lossy();
        let Some(named) = text.strip_prefix('@') else { return Err(not_by_name(path)) };
        let name = named.split('/').next().unwrap_or_default();
        let source = if self.source.is_empty() { "policy.toml" } else { &self.source };
        let remedy = format!(
            "in {source}: [[allow]] bundles = [\"{bundle}\"], dirs = [\"@{name}:{}\"]",
            mode.name()
        );
        let rules = self.rules.iter();
        let of_bundle =
            rules.filter(|rule| rule.bundles.iter().any(|it| trust::matches(it, bundle)));
        let mut of_name = of_bundle.flat_map(|rule| &rule.dirs).filter(|dir| dir.name == name);
        let Some(first) = of_name.next() else {
            return Err((format!("no line of {source} allows it"), remedy));
        };
        if first.mode.permits(mode) || of_name.any(|dir| dir.mode.permits(mode)) {
            return Ok(());
        }
        Err((format!("{source}:{} allows reading only", first.line), remedy))
    }
}

fn given_text(alias: &str, dir: &GivenDir) -> String {
    format!("plugin `{alias}` does not get {} as {}", dir.host_path.display(), dir.guest_path)
}

fn not_by_name(path: &Path) -> (String, String) {
    let why = format!(
        "a deployed workflow gives directories by the names that workers have, not by paths such as {}",
        path.display()
    );
    (why, "in the workflow, `path: \"@in\"`, and `wfhost worker --dir in=PATH`".to_owned())
}

fn lower(one: DirMode, other: DirMode) -> DirMode {
    if one.permits(other) { other } else { one }
}

impl AllowedName {
    fn read(written: &Spanned<String>, text: &str) -> Result<Self, String> {
        let before = text.get(..written.span().start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let value = written.get_ref();
        let wrong = || {
            let value: String = value.chars().take(80).collect();
            format!("line {line}: `{value}` is no directory of workers, such as `@in:ro`")
        };
        let named = value.strip_prefix('@').ok_or_else(wrong)?;
        let (name, mode) = named.split_once(':').unwrap_or((named, "ro"));
        let mode = match mode {
            "ro" => DirMode::ReadOnly,
            "rw" => DirMode::ReadWrite,
            _ => return Err(wrong()),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || !name.chars().all(plain) {
            return Err(wrong());
        }
        Ok(Self { name: name.to_owned(), mode, line })
    }
}

#[cfg(test)]
mod tests {
    use wfhost_workflow::DirAsk;

    use super::*;

    const TEXT: &str = "[[allow]]\nbundles = [\"team-*\"]\ndirs = [\n  \"@in:ro\",\n  \"@out:rw\",\n]\n\
                        [[allow]]\nbundles = [\"team-a\"]\ndirs = [\"@in:rw\"]\n";

    fn grant(bundle: &str, path: &str, mode: DirMode) -> Result<DirMode, String> {
        let policy = Policy::parse("policy.toml", TEXT).unwrap();
        let asks = [DirAsk { guest_path: "/in".to_owned(), mode: DirMode::ReadWrite }];
        let given = [GivenDir { host_path: path.into(), guest_path: "/in".to_owned(), mode }];
        let granted = policy.grants(bundle, "t", &asks, &given);
        granted.map(|grants| grants[0].mode).map_err(|(why, remedy)| format!("{why} | {remedy}"))
    }

    #[test]
    fn what_no_line_allows_is_denied_with_the_line_that_comes_near() {
        use DirMode::{ReadOnly as Ro, ReadWrite as Rw};
        assert_eq!(grant("team-b", "@in/2026", Ro), Ok(Ro));
        assert_eq!(grant("team-b", "@out", Rw), Ok(Rw));
        assert_eq!(grant("team-a", "@in", Rw), Ok(Rw));
        let denied = |bundle, path, mode, why: &str| {
            let denial = grant(bundle, path, mode).unwrap_err();
            assert!(denial.contains(why), "{denial}");
        };
        denied("team-b", "@in", Rw, "policy.toml:4 allows reading only");
        denied("team-b", "@in", Rw, "dirs = [\"@in:rw\"]");
        denied("other", "@in", Ro, "no line of policy.toml allows it");
        denied("team-b", "@inner", Ro, "no line of policy.toml allows it");
        denied("team-b", "/etc", Ro, "by the names that workers have");
    }

    #[test]
    fn what_a_plugin_asks_for_bounds_what_it_gets() {
        let policy = Policy::parse("p", TEXT).unwrap();
        let asks = [DirAsk { guest_path: "/in".to_owned(), mode: DirMode::ReadOnly }];
        let given = |guest: &str| {
            let guest_path = guest.to_owned();
            [GivenDir { host_path: "@in".into(), guest_path, mode: DirMode::ReadWrite }]
        };
        // Asked for reading only, it is given no more, and no more need be allowed.
        let granted = policy.grants("team-b", "t", &asks, &given("/in")).unwrap();
        assert_eq!(granted[0].mode, DirMode::ReadOnly);
        assert!(policy.grants("team-b", "t", &asks, &given("/other")).is_err());
    }

    #[test]
    fn mistakes_are_named() {
        let wrong = |text: &str, part: &str| {
            let error = Policy::parse("p", text).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        wrong("[[alow]]\n", "did you mean `allow`?");
        wrong("[[allow]]\nbundle = []\n", "did you mean `bundles`?");
        wrong("[[allow]]\nbundles = [\"a/b\"]\n", "`a/b` is no name");
        wrong("[[allow]]\nbundles = [\"a\"]\ndirs = [\"/etc\"]\n", "line 3");
        wrong("[[allow]]\nbundles = [\"a\"]\ndirs = [\"@in\",\n\"@x:wx\"]\n", "line 4");
        assert_eq!(Policy::parse("p", "").unwrap().rules, []);
    }
}
