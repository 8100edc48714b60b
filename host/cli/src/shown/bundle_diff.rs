//! What changes from one bundle to another, as JSON for scripts and as lines for people: for
//! `bundle diff` and for the plan of a deploy.
//!
//! What a plugin asks for beyond what it asked for before stands first and is marked in words as
//! well as by its colour.

use serde_json::{Map, Value, json};
use wfhost_bundle::diff::{
    Diff, FileChange, FunctionChange, Functions, GrantChange, LimitChange, PluginChange,
    PluginDiff, WorkflowChange,
};
use wfhost_workflow::{Compatibility, DirMode};

use super::bundle::limit_json;
use crate::output::{Output, Tone};
use crate::sanitise;

/// Digits of a digest, for people.
const DIGITS_SHOWN: usize = 12;

/// Characters of a reason, for people.
const REASON_CHARS_MAX: usize = 300;

/// Reasons of one change, for people.
const REASONS_MAX: usize = 5;

/// Everything, as it is.
pub(crate) fn json(diff: &Diff) -> Value {
    json!({
        "same": diff.is_same,
        "version": pair(&diff.version.0.to_string(), &diff.version.1.to_string()),
        "widened": diff.widened().map(|(plugin, grant)| {
            let mut value = grant_json(grant);
            value["plugin"] = plugin.into();
            value
        }).collect::<Vec<_>>(),
        "broken": diff.broken().map(|(plugin, function, _)| {
            json!({ "plugin": plugin, "function": function })
        }).collect::<Vec<_>>(),
        "plugins": map(&diff.plugins, plugin_json),
        "workflows": map(&diff.workflows, workflow_json),
        "files": map(&diff.files, |change| file_word(*change).into()),
    })
}

fn map<'c, C: 'c>(
    changes: impl IntoIterator<Item = (&'c String, &'c C)>,
    json: impl Fn(&C) -> Value,
) -> Map<String, Value> {
    changes.into_iter().map(|(name, change)| (name.clone(), json(change))).collect()
}

fn pair(before: &str, after: &str) -> Value {
    json!({ "before": before, "after": after })
}

fn plugin_json(change: &PluginChange) -> Value {
    match change {
        PluginChange::Added { version, grants } => json!({
            "change": "added",
            "version": version.to_string(),
            "grants": grants.iter().map(grant_json).collect::<Vec<_>>(),
        }),
        PluginChange::Removed { version } => {
            json!({ "change": "removed", "version": version.to_string() })
        }
        PluginChange::Changed(diff) => json!({
            "change": "changed",
            "version": pair(&diff.version.0.to_string(), &diff.version.1.to_string()),
            "component": diff.component.map(|(before, after)| {
                pair(&before.to_string(), &after.to_string())
            }),
            "functions": match &diff.functions {
                Functions::Unknown => Value::Null,
                Functions::Known(functions) => map(functions, function_json).into(),
            },
            "grants": diff.grants.iter().map(grant_json).collect::<Vec<_>>(),
            "limits": diff.limits.iter().map(limit_change_json).collect::<Vec<_>>(),
            "notes": diff.notes,
        }),
    }
}

fn grant_json(grant: &GrantChange) -> Value {
    json!({
        "dir": grant.guest_path,
        "before": grant.before.map(DirMode::name),
        "after": grant.after.map(DirMode::name),
        "widens": grant.widens(),
    })
}

fn limit_change_json(change: &LimitChange) -> Value {
    let value = |value: Option<u64>| value.map(|value| limit_json(change.limit, value));
    json!({
        "limit": change.limit.name(),
        "before": value(change.before),
        "after": value(change.after),
        "raises": change.raises(),
    })
}

fn function_json(change: &FunctionChange) -> Value {
    match change {
        FunctionChange::Added => json!({ "change": "added", "breaks": false }),
        FunctionChange::Removed => json!({ "change": "removed", "breaks": true }),
        FunctionChange::Changed(compatibility) => json!({
            "change": "changed",
            "breaks": change.breaks(),
            "compatibility": compatibility_word(compatibility),
            "reasons": reasons(compatibility),
        }),
    }
}

fn workflow_json(change: &WorkflowChange) -> Value {
    match change {
        WorkflowChange::Added { version } => json!({ "change": "added", "version": version }),
        WorkflowChange::Removed { version } => json!({ "change": "removed", "version": version }),
        WorkflowChange::Changed { version, file, input, plugins } => json!({
            "change": "changed",
            "version": pair(&version.0, &version.1),
            "file": file,
            "input": compatibility_word(input),
            "input_reasons": reasons(input),
            "plugins": plugins,
        }),
    }
}

const fn compatibility_word(compatibility: &Compatibility) -> &'static str {
    match compatibility {
        Compatibility::Same => "same",
        Compatibility::Compatible => "compatible",
        Compatibility::Unclear => "unclear",
        Compatibility::Incompatible(_) => "incompatible",
    }
}

fn reasons(compatibility: &Compatibility) -> &[String] {
    match compatibility {
        Compatibility::Incompatible(reasons) => reasons,
        Compatibility::Same | Compatibility::Compatible | Compatibility::Unclear => &[],
    }
}

const fn file_word(change: FileChange) -> &'static str {
    match change {
        FileChange::Added => "added",
        FileChange::Removed => "removed",
        FileChange::Changed => "changed",
    }
}

/// A line for each change; what widens stands first.
pub(crate) fn lines(diff: &Diff, output: &Output) -> Vec<String> {
    if diff.is_same {
        return vec!["nothing changes".to_owned()];
    }
    let mut lines = Lines { output, lines: Vec::new() };
    for (plugin, grant) in diff.widened() {
        let text =
            format!("WIDENS: plugin {plugin} asks for {}", sanitise::line(&grant.to_string()));
        lines.push(Sign::Grave, 0, &text);
    }
    for (name, change) in &diff.plugins {
        lines.plugin(name, change);
    }
    for (name, change) in &diff.workflows {
        lines.workflow(name, change);
    }
    for (path, change) in &diff.files {
        let sign = match change {
            FileChange::Added => Sign::Added,
            FileChange::Removed => Sign::Removed,
            FileChange::Changed => Sign::Changed,
        };
        lines.push(sign, 0, &format!("file {path}"));
    }
    if lines.lines.is_empty() {
        lines.push(Sign::Changed, 0, "nothing but what bundle.toml notes");
    }
    lines.lines
}

#[derive(Clone, Copy)]
enum Sign {
    Added,
    Removed,
    Changed,
    /// What somebody should look at.
    Grave,
}

struct Lines<'o> {
    output: &'o Output,
    lines: Vec<String>,
}

impl Lines<'_> {
    fn push(&mut self, sign: Sign, depth: usize, text: &str) {
        let (sign, tone) = match sign {
            Sign::Added => ("+", Some(Tone::Good)),
            Sign::Removed => ("-", Some(Tone::Warn)),
            Sign::Changed => ("~", None),
            Sign::Grave => ("!", Some(Tone::Bad)),
        };
        let text = format!("{sign} {text}");
        let text = tone.map_or_else(|| text.clone(), |tone| self.output.paint(tone, &text));
        self.lines.push(format!("{}{text}", "    ".repeat(depth)));
    }

    fn plugin(&mut self, name: &str, change: &PluginChange) {
        match change {
            PluginChange::Added { version, grants } => {
                self.push(Sign::Added, 0, &format!("plugin {name} {version}"));
                grants.iter().for_each(|grant| self.grant(grant));
            }
            PluginChange::Removed { version } => {
                self.push(Sign::Removed, 0, &format!("plugin {name} {version}"));
            }
            PluginChange::Changed(diff) => {
                let versions = versions(&diff.version.0.to_string(), &diff.version.1.to_string());
                self.push(Sign::Changed, 0, &format!("plugin {name} {versions}"));
                self.plugin_diff(diff);
            }
        }
    }

    fn plugin_diff(&mut self, diff: &PluginDiff) {
        if let Some((before, after)) = diff.component {
            let short = |digest: wfhost_workflow::Digest| digest.hex()[..DIGITS_SHOWN].to_owned();
            let text = format!("component {} → {}", short(before), short(after));
            self.push(Sign::Changed, 1, &text);
        }
        match &diff.functions {
            Functions::Unknown if diff.component.is_some() => {
                self.push(Sign::Changed, 1, "its functions are not known");
            }
            Functions::Unknown => {}
            Functions::Known(functions) => {
                functions.iter().for_each(|(name, change)| self.function(name, change));
            }
        }
        diff.grants.iter().for_each(|grant| self.grant(grant));
        for change in &diff.limits {
            let raised = if change.raises() { " (raised)" } else { "" };
            self.push(Sign::Changed, 1, &format!("limit {change}{raised}"));
        }
        if diff.notes {
            self.push(Sign::Changed, 1, "what its plugin.toml notes");
        }
    }

    fn grant(&mut self, grant: &GrantChange) {
        let text = grant.to_string();
        let text = sanitise::line(&text);
        if grant.widens() {
            self.push(Sign::Grave, 1, &format!("WIDENS: asks for {text}"));
        } else {
            self.push(Sign::Changed, 1, &format!("asks for {text}"));
        }
    }

    fn function(&mut self, name: &str, change: &FunctionChange) {
        let name = sanitise::line(name);
        match change {
            FunctionChange::Added => self.push(Sign::Added, 1, &format!("function {name}")),
            FunctionChange::Removed => {
                let text = format!("function {name} is gone: workflows that call it break");
                self.push(Sign::Grave, 1, &text);
            }
            FunctionChange::Changed(compatibility) => {
                let (sign, said) = said(compatibility, "workflows that call it");
                self.push(sign, 1, &format!("function {name}: {said}"));
            }
        }
    }

    fn workflow(&mut self, name: &str, change: &WorkflowChange) {
        let line = |text: &str| sanitise::line(text).into_owned();
        match change {
            WorkflowChange::Added { version } => {
                self.push(Sign::Added, 0, &format!("workflow {name} {}", line(version)));
            }
            WorkflowChange::Removed { version } => {
                self.push(Sign::Removed, 0, &format!("workflow {name} {}", line(version)));
            }
            WorkflowChange::Changed { version, file, input, plugins } => {
                let versions = versions(&line(&version.0), &line(&version.1));
                self.push(Sign::Changed, 0, &format!("workflow {name} {versions}"));
                if *file {
                    self.push(Sign::Changed, 1, "its file");
                }
                if *input != Compatibility::Same {
                    let (sign, said) = said(input, "who starts it as before");
                    self.push(sign, 1, &format!("its input: {said}"));
                }
                if !plugins.is_empty() {
                    let text = format!("it uses {}", plugins.join(", "));
                    self.push(Sign::Changed, 1, &text);
                }
            }
        }
    }
}

fn versions(before: &str, after: &str) -> String {
    if before == after { before.to_owned() } else { format!("{before} → {after}") }
}

/// What a change means for those that were written before it.
fn said(compatibility: &Compatibility, who: &str) -> (Sign, String) {
    match compatibility {
        Compatibility::Same => (Sign::Changed, "the same".to_owned()),
        Compatibility::Compatible => (Sign::Changed, "compatible".to_owned()),
        Compatibility::Unclear => {
            (Sign::Changed, format!("whether {who} goes on working cannot be told"))
        }
        Compatibility::Incompatible(reasons) => {
            let shown = reasons.iter().take(REASONS_MAX);
            let mut shown: Vec<String> =
                shown.map(|reason| sanitise::line_of(reason, REASON_CHARS_MAX)).collect();
            if reasons.len() > REASONS_MAX {
                shown.push(format!("and {} more", reasons.len() - REASONS_MAX));
            }
            (Sign::Grave, format!("INCOMPATIBLE: {}", shown.join("; ")))
        }
    }
}
