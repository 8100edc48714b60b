//! What plugins ask for against what the workflow gives.

use super::super::{Code, PluginUse, Severity};
use super::{Check, Offer};
use crate::DirMode;
use crate::definition::Problem;

impl Check<'_> {
    pub(super) fn grants(&mut self) {
        let (definition, offers) = (self.definition, self.offers);
        for plugin in &definition.plugins {
            if let Some(offer) = offers.get(&plugin.alias) {
                self.grants_of(plugin, offer);
            }
        }
    }

    fn grants_of(&mut self, plugin: &PluginUse, offer: &Offer) {
        let Some(asks) = &offer.asks else { return };
        let alias = &plugin.alias;
        for ask in asks {
            let path = &ask.guest_path;
            let Some(given) = plugin.dirs.iter().find(|dir| dir.guest_path == *path) else {
                let mode = ask.mode.name();
                let message = format!(
                    "plugin `{alias}` asks for a directory as {path} ({mode}), and gets none"
                );
                let hint = format!("grants: {{ dirs: [{{ path: …, as: {path}, mode: {mode} }}] }}");
                let problem = Problem::new(plugin.at, message).hinted(Some(hint));
                self.report(problem, Severity::Warning, Code::GrantNotGiven);
                continue;
            };
            let (code, severity, message) = match (ask.mode, given.mode) {
                (DirMode::ReadWrite, DirMode::ReadOnly) => (
                    Code::GrantLess,
                    Severity::Note,
                    format!("plugin `{alias}` asks to change {path}, and may only read it"),
                ),
                (DirMode::ReadOnly, DirMode::ReadWrite) => (
                    Code::GrantMore,
                    Severity::Note,
                    format!("plugin `{alias}` asks only to read {path}: `mode: ro` is enough"),
                ),
                (DirMode::ReadOnly, DirMode::ReadOnly)
                | (DirMode::ReadWrite, DirMode::ReadWrite) => continue,
            };
            self.report(Problem::new(given.at, message), severity, code);
        }
        for given in &plugin.dirs {
            let path = &given.guest_path;
            if asks.iter().all(|ask| ask.guest_path != *path) {
                let mode = given.mode.name();
                let message =
                    format!("plugin `{alias}` does not ask for {path}, so that a run is denied");
                let hint = format!(
                    "in its plugin.toml, under [grants]: dirs = [{{ as = \"{path}\", mode = \"{mode}\" }}]"
                );
                let problem = Problem::new(given.at, message).hinted(Some(hint));
                self.report(problem, Severity::Error, Code::GrantNotAsked);
            }
        }
        if offer.uses_files == Some(true) && asks.is_empty() && plugin.dirs.is_empty() {
            let message = format!("plugin `{alias}` may use files, and asks for no directory");
            self.report(Problem::new(plugin.at, message), Severity::Note, Code::GrantUnused);
        }
    }
}
