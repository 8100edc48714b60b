//! A workflow file from its text to a [`Definition`].

use std::collections::HashMap;

use super::code::Code;
use super::problem::{Problems, Sink, did_you_mean};
use super::read::Reader;
use super::steps::{self, Context};
use super::yaml::{self, Node, NodeValue, Span, shortened};
use super::{Definition, DirGiven, PluginUse, place};
use crate::expression::{Compiler, Names, Place, Template};
use crate::{Determinism, DirMode, Json, Limit, LimitError, Limits, Name, Schema, StepId};

/// Plugins of one workflow: each is loaded for a run.
const PLUGINS_MAX: usize = 64;

/// Directories of one plugin: each is opened for every attempt.
const DIRS_MAX: usize = 16;

/// Bytes of a path: what Linux accepts.
const PATH_BYTES_MAX: usize = 4096;

const TOP: &[&str] =
    &["workflow", "version", "priority", "poison_after", "input", "plugins", "steps", "output"];

pub(super) fn parse(source: &str) -> Result<Definition, Problems> {
    let Read { definition, sink, .. } = read_source(source, false);
    let clean = sink.is_empty();
    match (sink.into_problems(), definition) {
        (None, Some(definition)) if clean => Ok(definition),
        (Some(problems), _) => Err(problems),
        (None, _) => Err(Problems::unknown()),
    }
}

/// What a file gave.
pub(super) struct Read {
    /// With gaps where something is wrong.
    pub(super) definition: Option<Definition>,
    pub(super) sink: Sink,
    /// Where the input's schema is, in a draft.
    pub(super) input: Option<Place>,
}

/// `draft`: keeps places, and reports what is only advice.
pub(super) fn read_source(source: &str, draft: bool) -> Read {
    let mut sink = Sink::default();
    let node = yaml::read(source, &mut sink);
    let reader = Reader::new(source, sink, draft);
    let definition = node.as_ref().and_then(|node| read(&reader, node));
    let input = node.as_ref().filter(|_| draft).and_then(input_place);
    Read { definition, sink: reader.into_sink(), input }
}

fn input_place(node: &Node) -> Option<Place> {
    let NodeValue::Map(entries) = &node.value else { return None };
    entries.iter().find(|(key, _)| key.text == "input").map(|(_, node)| Place::of(node, &[]))
}

/// `None` only if a problem was reported.
fn read(reader: &Reader<'_>, node: &Node) -> Option<Definition> {
    let fields = reader.fields(node, "a workflow", TOP)?;
    let name = match fields.get("workflow") {
        Some(node) => workflow_name(reader, node),
        None => {
            reader.report_hinted(
                head(node),
                "`workflow` is missing",
                Some("`workflow: some_name`".to_owned()),
            );
            None
        }
    };
    let version =
        fields.get("version").map_or_else(|| Some("1".to_owned()), |node| version(reader, node));
    let input = fields.get("input").and_then(|node| input_schema(reader, node));
    let compiler = Compiler::new(reader, reader.is_draft());
    let plugins = fields
        .get("plugins")
        .map_or_else(Vec::new, |node| read_plugins(reader, &compiler, input.as_ref(), node));
    let context = Context { reader, compiler: &compiler, plugins: &plugins, input: input.as_ref() };
    let steps = match fields.get("steps") {
        Some(node) => steps::read(&context, node),
        None => {
            reader.report(head(node), "`steps` is missing");
            None
        }
    };
    let output = match (fields.get("output"), &steps) {
        (Some(node), Some(steps)) => compile_output(&compiler, node, &steps.names, input.as_ref()),
        _ => Template::constant("null"),
    };
    if !fields.has("output") {
        let message = "the workflow has no `output`, so that its runs give null";
        reader.advise(head(node), Code::NoOutput, message, None);
    }
    // The rest of a file without a name or version is checked all the same.
    let unnamed = reader.is_draft().then(|| "unnamed".into());
    Some(Definition {
        name: name.or(unnamed)?,
        version: version.or_else(|| reader.is_draft().then(|| "1".to_owned()))?,
        priority: fields
            .get("priority")
            .map_or_else(Default::default, |node| place::priority(reader, node)),
        poison_after: fields
            .get("poison_after")
            .map_or(place::POISON_AFTER_DEFAULT, |node| place::poison_after(reader, node)),
        input,
        plugins,
        steps: steps?.steps,
        output,
    })
}

/// The first character of a mapping: where something is missing.
fn head(node: &Node) -> Span {
    Span { end: node.span.start, ..node.span }
}

/// Workflow names are not part of expressions, so they may have dashes.
fn workflow_name(reader: &Reader<'_>, node: &Node) -> Option<Name> {
    let text = reader.text(node, "`workflow`")?;
    let valid = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= super::read::NAME_CHARS_MAX
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if !valid {
        reader.report_hinted(
            node.span,
            format!("`{}` is no valid name of a workflow", shortened(text)),
            Some("letters, digits, `-`, `_` and `.`, at most 64".to_owned()),
        );
        return None;
    }
    Some(text.into())
}

fn version(reader: &Reader<'_>, node: &Node) -> Option<String> {
    let text = match &node.value {
        NodeValue::Text(text) => text.clone(),
        NodeValue::Number(_) => node.span.text(reader.source).to_owned(),
        _ => {
            reader.report(node.span, format!("`version` must be text, not {}", node.kind()));
            return None;
        }
    };
    if text.is_empty()
        || text.len() > super::read::NAME_CHARS_MAX
        || text.contains(char::is_control)
    {
        reader.report(node.span, "`version` must have 1 to 64 characters");
        return None;
    }
    Some(text)
}

fn input_schema(reader: &Reader<'_>, node: &Node) -> Option<Schema> {
    if !matches!(node.value, NodeValue::Map(_)) {
        reader.report_hinted(
            node.span,
            format!("`input` must be a JSON Schema, not {}", node.kind()),
            Some("`input: { type: object }`".to_owned()),
        );
        return None;
    }
    match Schema::compile(&Json::from_value(&node.to_json())) {
        Ok(schema) => Some(schema),
        Err(error) => {
            reader.report(node.span, format!("`input`: {error}"));
            None
        }
    }
}

/// Any step may be named: at the end all are done.
fn compile_output(
    compiler: &Compiler<'_>,
    node: &Node,
    names: &HashMap<Name, StepId>,
    input: Option<&Schema>,
) -> Template {
    let names = Names { steps: Some(names), item: None, input, hints: true };
    compiler.compile(node, &names, &mut Vec::new())
}

/// One that is not valid is kept, so that steps can still name it.
fn read_plugins(
    reader: &Reader<'_>,
    compiler: &Compiler<'_>,
    input: Option<&Schema>,
    node: &Node,
) -> Vec<PluginUse> {
    let Some(entries) = reader.map(node, "`plugins`") else { return Vec::new() };
    if entries.len() > PLUGINS_MAX {
        reader.report(node.span, format!("more than {PLUGINS_MAX} plugins"));
        return Vec::new();
    }
    let mut plugins = Vec::with_capacity(entries.len());
    for (key, node) in entries {
        check_alias(reader, &key.text, key.span);
        let mut plugin = PluginUse {
            alias: key.text.as_str().into(),
            path: String::new(),
            dirs: Vec::new(),
            limits: Limits::default(),
            determinism: Determinism::Relaxed,
            concurrency: None,
            at: node.span.at,
        };
        match &node.value {
            NodeValue::Text(path) => plugin_path(reader, path, node.span, &mut plugin),
            _ => full_plugin(reader, compiler, input, node, &mut plugin),
        }
        plugins.push(plugin);
    }
    plugins
}

/// Plugin names are not part of expressions either.
fn check_alias(reader: &Reader<'_>, alias: &str, span: Span) {
    let valid = alias.starts_with(|c: char| c.is_ascii_lowercase())
        && alias.len() <= super::read::NAME_CHARS_MAX
        && alias
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
    if !valid {
        reader.report_hinted(
            span,
            format!("`{}` is no valid name of a plugin", shortened(alias)),
            Some("a small letter, then small letters, digits, `-` and `_`".to_owned()),
        );
    }
}

fn plugin_path(reader: &Reader<'_>, path: &str, span: Span, plugin: &mut PluginUse) {
    let elsewhere = ["oci:", "sha256:", "http:", "https:"];
    if let Some(scheme) = elsewhere.iter().find(|scheme| path.starts_with(**scheme)) {
        reader.report_hinted(
            span,
            format!("plugins by `{scheme}` are not supported by this version"),
            Some("give the path of a component file".to_owned()),
        );
    } else if check_path(reader, path, span, "a plugin's path") {
        path.clone_into(&mut plugin.path);
    }
}

fn check_path(reader: &Reader<'_>, path: &str, span: Span, what: &str) -> bool {
    let complaint = if path.trim().is_empty() {
        format!("{what} is empty")
    } else if path.len() > PATH_BYTES_MAX {
        format!("{what} has more than {PATH_BYTES_MAX} bytes")
    } else if path.contains('\0') {
        format!("{what} holds a NUL character")
    } else {
        return true;
    };
    reader.report(span, complaint);
    false
}

fn full_plugin(
    reader: &Reader<'_>,
    compiler: &Compiler<'_>,
    input: Option<&Schema>,
    node: &Node,
    plugin: &mut PluginUse,
) {
    let known = &["path", "grants", "limits", "determinism", "concurrency"];
    let Some(fields) = reader.fields(node, "a plugin", known) else { return };
    match fields.get("path") {
        Some(node) => {
            if let Some(path) = reader.text(node, "a plugin's path") {
                plugin_path(reader, path, node.span, plugin);
            }
        }
        None => reader.report(head(node), "`path` is missing"),
    }
    if let Some(node) = fields.get("grants")
        && let Some(grants) = reader.fields(node, "grants", &["dirs"])
        && let Some(dirs) = grants.get("dirs").and_then(|node| reader.list(node, "`dirs`"))
    {
        if dirs.len() > DIRS_MAX {
            reader.report(node.span, format!("more than {DIRS_MAX} directories"));
        }
        for node in dirs.iter().take(DIRS_MAX) {
            read_dir(reader, compiler, input, node, &mut plugin.dirs);
        }
    }
    if let Some(node) = fields.get("determinism") {
        match reader.text(node, "`determinism`") {
            Some("strict") => plugin.determinism = Determinism::Strict,
            Some("relaxed") | None => {}
            Some(_) => reader.report(node.span, "`determinism` must be `strict` or `relaxed`"),
        }
    }
    if let Some(node) = fields.get("concurrency") {
        plugin.concurrency = place::concurrency(reader, node);
    }
    if let Some(node) = fields.get("limits") {
        read_limits(reader, node, &mut plugin.limits);
    }
}

fn read_dir(
    reader: &Reader<'_>,
    compiler: &Compiler<'_>,
    input: Option<&Schema>,
    node: &Node,
    dirs: &mut Vec<DirGiven>,
) {
    let Some(fields) = reader.fields(node, "a directory", &["path", "as", "mode"]) else { return };
    let Some(path) = fields.get("path") else {
        return reader.report(head(node), "`path` is missing");
    };
    if let Some(text) = reader.text(path, "a directory's path")
        && !check_path(reader, text, path.span, "a directory's path")
    {
        return;
    }
    let names = Names { steps: None, item: None, input, hints: true };
    let path = compiler.compile(path, &names, &mut Vec::new());
    let Some(guest) = fields.get("as") else {
        return reader.report_hinted(
            head(node),
            "`as` is missing",
            Some("where the plugin sees it, such as `as: /in`".to_owned()),
        );
    };
    let Some(guest_path) = reader.text(guest, "`as`") else { return };
    if !is_guest_path(guest_path) {
        return reader.report_hinted(
            guest.span,
            format!("`{}` is no path in the sandbox", shortened(guest_path)),
            Some("an absolute path without `.` and `..`, such as `/in`".to_owned()),
        );
    }
    if dirs.iter().any(|dir| dir.guest_path == guest_path) {
        return reader.report(guest.span, format!("`{guest_path}` is given twice"));
    }
    let mode = match fields.get("mode").map(|node| (node, reader.text(node, "`mode`"))) {
        None | Some((_, Some("ro"))) => DirMode::ReadOnly,
        Some((_, Some("rw"))) => DirMode::ReadWrite,
        Some((_, None)) => return,
        Some((node, Some(_))) => return reader.report(node.span, "`mode` must be `ro` or `rw`"),
    };
    dirs.push(DirGiven { path, guest_path: guest_path.to_owned(), mode, at: node.span.at });
}

/// `/`, or `/a/b` without empty parts, `.` and `..`.
fn is_guest_path(path: &str) -> bool {
    let Some(parts) = path.strip_prefix('/') else { return false };
    path.len() <= PATH_BYTES_MAX
        && !path.contains(char::is_control)
        && (parts.is_empty()
            || parts.split('/').all(|part| !part.is_empty() && part != "." && part != ".."))
}

static LIMITS: [&str; Limit::COUNT] = {
    let mut names = [""; Limit::COUNT];
    let mut position = 0;
    while position < Limit::COUNT {
        names[position] = Limit::ALL[position].name();
        position += 1;
    }
    names
};

fn read_limits(reader: &Reader<'_>, node: &Node, limits: &mut Limits) {
    let Some(fields) = reader.fields(node, "limits", &LIMITS) else { return };
    for limit in Limit::ALL {
        let Some(node) = fields.get(limit.name()) else { continue };
        let value = match &node.value {
            NodeValue::Text(text) => limit.parse(text),
            NodeValue::Number(number) => {
                number.as_u64().map_or(Err(LimitError::Unit { limit }), |n| limit.from_number(n))
            }
            _ => Err(LimitError::Unit { limit }),
        };
        match value {
            Ok(value) => limits[limit] = value,
            Err(error) => reader.report(node.span, error.to_string()),
        }
    }
}

/// The position of a plugin, or a problem.
pub(super) fn plugin_named(
    reader: &Reader<'_>,
    plugins: &[PluginUse],
    alias: &str,
    span: Span,
) -> Option<usize> {
    let position = plugins.iter().position(|plugin| *plugin.alias == *alias);
    if position.is_none() {
        let known: Vec<&str> = plugins.iter().map(|plugin| &*plugin.alias).collect();
        let hint = did_you_mean(alias, known.iter().copied()).unwrap_or_else(|| {
            if known.is_empty() {
                format!("`plugins: {{ {}: ./some.wasm }}`", shortened(alias))
            } else {
                format!("the file has {}", known.join(", "))
            }
        });
        let message = format!("there is no plugin `{}`", shortened(alias));
        reader.report_coded(span, Code::UnknownName, message, Some(hint));
    }
    position
}
