//! `plugin inspect` for people: sections, each as short as it can be.

use std::collections::{BTreeMap, BTreeSet};

use wfhost_plugin::facts::{ComponentFacts, FunctionFacts, Import, Kind, Offer};
use wfhost_workflow::Json;

use super::grants::{self, Disagreement};
use super::{Inspected, Steps};
use crate::output::{Output, Tone};
use crate::sanitise::line;
use crate::schema_text;

/// Where there is no terminal, lines stay whole up to this.
const COLUMNS_ELSEWHERE: usize = 120;
const LABEL_COLUMNS: usize = 10;
/// A schema in short; `--output json` has all of it.
const SCHEMA_CHARS_MAX: usize = 400;
const DOCS_LINES_MAX: usize = 12;

pub(super) fn of(inspected: &Inspected, output: &Output) -> String {
    let columns = output.stdout_columns().map_or(COLUMNS_ELSEWHERE, usize::from);
    let mut page = Page { output, columns, text: String::new() };
    page.head(inspected);
    page.steps(&inspected.steps);
    page.functions(inspected);
    page.imports(&inspected.facts);
    page.grants(inspected);
    page.producers(&inspected.facts);
    page.text.trim_end().to_owned()
}

struct Page<'a> {
    output: &'a Output,
    columns: usize,
    text: String,
}

impl Page<'_> {
    fn head(&mut self, inspected: &Inspected) {
        let Inspected { path, facts, manifest, .. } = inspected;
        self.title(&line(&path.display().to_string()));
        let kind = match facts.kind {
            Kind::Component => "component",
            Kind::CoreModule => "core module that carries its WIT",
        };
        self.row("is", &format!("{kind}, {}", size(facts.bytes)));
        self.row("digest", &facts.digest.to_string());
        if let Some(manifest) = manifest {
            let (name, version) = (line(&manifest.name), line(&manifest.version));
            let file = manifest.path.display().to_string();
            self.row("plugin", &format!("{name} {version} ({})", line(&file)));
        }
        let about = &facts.about;
        let texts = [
            ("name", &about.name),
            ("version", &about.version),
            ("for", &about.description),
            ("authors", &about.authors),
            ("licence", &about.licenses),
            ("source", &about.source),
            ("revision", &about.revision),
            ("homepage", &about.homepage),
        ];
        for (label, text) in texts {
            if let Some(text) = text {
                self.row(label, &line(text));
            }
        }
        self.row("inside", &inside(facts));
        if let Some(version) = &facts.step_world {
            self.row("world", &format!("wfhost:step {}", line(version)));
        }
        if !facts.wasi.is_empty() {
            let versions: Vec<_> = facts.wasi.iter().map(|version| line(version)).collect();
            self.row("wasi", &versions.join(", "));
        }
        self.docs(0, &facts.docs);
    }

    fn steps(&mut self, steps: &Steps) {
        match steps {
            Steps::NoStepWorld => {}
            Steps::Described(steps) => {
                self.section("STEPS", "it describes them itself");
                for (n, step) in steps.iter().enumerate() {
                    self.space(n);
                    self.item(&line(&step.name));
                    self.docs(4, &step.docs);
                    self.schemas(&[("in", &step.input_schema), ("out", &step.output_schema)]);
                }
                if steps.is_empty() {
                    self.put(2, 2, "none");
                }
            }
            Steps::Unknown(message) => {
                self.section("STEPS", "it describes them itself");
                let message = format!("not known: {}", line(message));
                self.put_in(Tone::Bad, 2, 4, &message);
            }
        }
    }

    fn functions(&mut self, inspected: &Inspected) {
        let functions = &inspected.facts.functions;
        if functions.is_empty() {
            if matches!(inspected.steps, Steps::NoStepWorld) {
                self.section("FUNCTIONS", "");
                self.put(2, 2, "none: no workflow can call it");
            }
            return;
        }
        self.section("FUNCTIONS", "");
        for (n, function) in functions.iter().enumerate() {
            self.space(n);
            self.function(function);
        }
    }

    fn function(&mut self, function: &FunctionFacts) {
        self.item(&line(&function.name));
        self.put(4, 8, &line(&function.signature));
        self.docs(4, &function.docs);
        if let Some(why) = &function.refused {
            let why = format!("cannot be called: {}", line(why));
            self.put_in(Tone::Warn, 4, 8, &why);
            return;
        }
        let mut schemas = vec![("in", &function.input_schema), ("out", &function.output_schema)];
        schemas.extend(function.error_schema.as_ref().map(|error| ("err", error)));
        self.schemas(&schemas);
    }

    fn imports(&mut self, facts: &ComponentFacts) {
        self.section("IMPORTS", "");
        if facts.imports.is_empty() {
            self.put(2, 2, "none");
        }
        let mut groups: BTreeMap<(u8, String), Vec<&Import>> = BTreeMap::new();
        for import in &facts.imports {
            let key = match &import.offer {
                Offer::Never { because } => (0, because.clone()),
                Offer::Denied { because } => (1, because.clone()),
                Offer::ByGrant { grant } => (2, grant.clone()),
                Offer::Always => (3, String::new()),
            };
            groups.entry(key).or_default().push(import);
        }
        for ((rank, why), imports) in groups {
            let (tone, heading) = match rank {
                0 => (
                    Tone::Bad,
                    format!("no host offers it, so it cannot be loaded ({})", line(&why)),
                ),
                1 => (Tone::Warn, format!("every call is denied ({})", line(&why))),
                2 => {
                    (Tone::Busy, format!("empty without {why} in plugin.toml and in the workflow"))
                }
                _ => (Tone::Good, "always there".to_owned()),
            };
            self.put_in(tone, 2, 4, &heading);
            for text in packages(&imports) {
                self.put(4, 8, &text);
            }
        }
    }

    fn grants(&mut self, inspected: &Inspected) {
        let found = grants::compare(&inspected.facts, inspected.manifest.as_ref());
        let dirs = inspected.manifest.as_ref().map_or(&[][..], |manifest| &manifest.dirs);
        if dirs.is_empty() && found.is_empty() {
            return;
        }
        self.section("GRANTS", "");
        for dir in dirs {
            let text = format!("asks for {} ({})", line(&dir.guest_path), dir.mode.name());
            self.put(2, 4, &text);
        }
        for found in found {
            let text = match found {
                Disagreement::NotNeeded(key) => {
                    format!("asked but not needed: {key}; it imports nothing of wasi:filesystem")
                }
                Disagreement::NotAsked(key) => format!(
                    "needed but not asked: {key}; it imports wasi:filesystem and will see no file"
                ),
            };
            self.put_in(Tone::Warn, 2, 4, &text);
        }
    }

    fn producers(&mut self, facts: &ComponentFacts) {
        if facts.producers.is_empty() {
            return;
        }
        self.section("MADE BY", "");
        let mut fields: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for producer in &facts.producers {
            let text = format!("{} {}", line(&producer.name), line(&producer.version));
            fields.entry(&producer.field).or_default().push(text.trim_end().to_owned());
        }
        for (field, tools) in fields {
            self.put(2, 4, &format!("{}: {}", line(field), tools.join(", ")));
        }
    }

    /// What goes in and comes out, and then the types that are named there, each once.
    fn schemas(&mut self, schemas: &[(&str, &Json)]) {
        let mut told = BTreeSet::new();
        let mut named = Vec::new();
        for (label, schema) in schemas {
            let short = schema_text::short(schema, SCHEMA_CHARS_MAX);
            self.put_labelled(4, &format!("{label:<4}"), &short.text);
            // What goes in and what comes out differ in little; JSON has both.
            let name = |text: &str| text.split(" = ").next().unwrap_or_default().to_owned();
            named.extend(short.named.into_iter().filter(|text| told.insert(name(text))));
        }
        for text in named {
            self.put(8, 12, &text);
        }
    }

    /// Docs by their paragraphs; long ones are cut.
    fn docs(&mut self, indent: usize, docs: &str) {
        if docs.trim().is_empty() {
            return;
        }
        let paragraphs = paragraphs(docs);
        for text in paragraphs.iter().take(DOCS_LINES_MAX) {
            self.put(indent, indent, &line(text));
        }
        if paragraphs.len() > DOCS_LINES_MAX {
            self.put(indent, indent, "…");
        }
    }

    /// Between the items of a section.
    fn space(&mut self, n: usize) {
        if n > 0 {
            self.text.push('\n');
        }
    }

    fn title(&mut self, text: &str) {
        self.text.push_str(&self.output.paint(Tone::Strong, text));
        self.text.push('\n');
    }

    fn section(&mut self, name: &str, note: &str) {
        self.text.push('\n');
        self.text.push_str(&self.output.paint(Tone::Strong, name));
        if !note.is_empty() {
            self.text.push_str(&self.output.paint(Tone::Dim, &format!("  {note}")));
        }
        self.text.push('\n');
    }

    fn item(&mut self, name: &str) {
        self.text.push_str("  ");
        self.text.push_str(&self.output.paint(Tone::Busy, name));
        self.text.push('\n');
    }

    fn row(&mut self, label: &str, text: &str) {
        self.put_labelled(2, &format!("{label:<LABEL_COLUMNS$}"), text);
    }

    fn put_labelled(&mut self, indent: usize, label: &str, text: &str) {
        let hanging = indent + label.chars().count();
        let mut lines = wrapped(text, self.columns.saturating_sub(hanging)).into_iter();
        self.text.push_str(&" ".repeat(indent));
        self.text.push_str(&self.output.paint(Tone::Dim, label));
        self.text.push_str(&lines.next().unwrap_or_default());
        self.text.push('\n');
        for text in lines {
            self.text.push_str(&format!("{}{text}\n", " ".repeat(hanging)));
        }
    }

    /// Wrapped; lines after the first are indented by `hanging`.
    fn put(&mut self, indent: usize, hanging: usize, text: &str) {
        for text in self.indented(indent, hanging, text) {
            self.text.push_str(text.trim_end());
            self.text.push('\n');
        }
    }

    fn put_in(&mut self, tone: Tone, indent: usize, hanging: usize, text: &str) {
        for text in self.indented(indent, hanging, text) {
            self.text.push_str(&self.output.paint(tone, &text));
            self.text.push('\n');
        }
    }

    fn indented(&self, indent: usize, hanging: usize, text: &str) -> Vec<String> {
        let width = self.columns.saturating_sub(hanging.max(indent));
        let indents = std::iter::once(indent).chain(std::iter::repeat(hanging));
        let lines = wrapped(text, width);
        lines
            .into_iter()
            .zip(indents)
            .map(|(text, by)| format!("{}{text}", " ".repeat(by)))
            .collect()
    }
}

fn inside(facts: &ComponentFacts) -> String {
    let count = |count: u32, what: &str, many: &str| {
        format!("{count} {}", if count == 1 { what } else { many })
    };
    let mut parts = vec![
        count(facts.core_modules, "core module", "core modules"),
        count(facts.memories, "memory", "memories"),
    ];
    if facts.components > 0 {
        parts.push(count(facts.components, "inner component", "inner components"));
    }
    parts.join(", ")
}

/// Interfaces of a package on one line: `wasi:io@0.2.6: error, poll, streams`.
fn packages(imports: &[&Import]) -> Vec<String> {
    let mut packages: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for import in imports {
        let (package, interface) = match import.interface.split_once('/') {
            Some((package, interface)) => (package, interface),
            None => (import.interface.as_str(), ""),
        };
        let version = import.version.as_deref().map(|version| format!("@{version}"));
        let package = format!("{package}{}", version.unwrap_or_default());
        packages.entry(package).or_default().push(interface.to_owned());
    }
    packages
        .into_iter()
        .map(|(package, interfaces)| {
            let text = format!("{package}: {}", interfaces.join(", "));
            line(text.trim_end_matches([' ', ':'])).into_owned()
        })
        .collect()
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 3] = ["KiB", "MiB", "GiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let (mut tenths, mut unit) = (bytes * 10 / 1024, 0);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// Lines that were broken for the width of a source file, whole again. What does not begin
/// with a letter, such as an item of a list, stays a line of its own.
fn paragraphs(docs: &str) -> Vec<String> {
    let mut paragraphs: Vec<String> = Vec::new();
    for text in docs.trim().lines() {
        let goes_on = text.starts_with(char::is_alphanumeric);
        match paragraphs.last_mut().filter(|last| goes_on && !last.is_empty()) {
            Some(last) => {
                last.push(' ');
                last.push_str(text.trim_end());
            }
            None => paragraphs.push(text.trim_end().to_owned()),
        }
    }
    paragraphs
}

/// Lines of at most `width` characters, broken at blanks where there are any.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    // A brace that closes may stand in the margin.
    let width = width.saturating_sub(2).max(20);
    let (mut lines, mut current, mut len) = (Vec::new(), String::new(), 0);
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        let margin = if word.first() == Some(&'}') { 2 } else { 0 };
        if len > 0 && len + 1 + word.len() > width + margin {
            lines.push(std::mem::take(&mut current));
            len = 0;
        }
        while word.len() > width {
            let rest = word.split_off(width);
            lines.push(word.into_iter().collect());
            word = rest;
        }
        if len > 0 {
            current.push(' ');
            len += 1;
        }
        len += word.len();
        current.extend(word);
    }
    lines.push(current);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_blanks_and_words_that_are_too_long_anywhere() {
        let text = "aaaa bbbb cccc dddd eeee ffff";
        assert_eq!(wrapped(text, 22), ["aaaa bbbb cccc dddd", "eeee ffff"]);
        let word = "x".repeat(45);
        let lens: Vec<_> = wrapped(&format!("a {word}"), 22).iter().map(String::len).collect();
        assert_eq!(lens, [1, 20, 20, 5]);
        assert_eq!(wrapped("", 22), [""]);
        assert_eq!(wrapped("aaaa bbbb cccc ddddd }", 22), ["aaaa bbbb cccc ddddd }"]);
    }

    #[test]
    fn docs_are_broken_for_the_terminal_and_not_for_their_source() {
        let docs = "One and\ntwo.\n\nThree:\n- four\n- five\n  six\n";
        assert_eq!(paragraphs(docs), ["One and two.", "", "Three:", "- four", "- five", "  six"]);
    }

    #[test]
    fn sizes_have_the_unit_that_fits() {
        let check = |bytes, text: &str| assert_eq!(size(bytes), text);
        check(1023, "1023 bytes");
        check(1024, "1.0 KiB");
        check(72_900, "71.1 KiB");
        check(12 << 20, "12.0 MiB");
        check(u64::MAX / 16, "1073741823.9 GiB");
    }
}
