//! What is written and never used.

use std::collections::HashSet;

use super::super::{Code, Severity, StepKind};
use super::Check;
use super::feeds::is_useful;
use crate::definition::Problem;
use crate::expression::{Parts, Place, Template};

impl Check<'_> {
    pub(super) fn structure(&mut self, input: Option<&Place>) {
        let mut templates: Vec<&Template> = Vec::new();
        for step in &self.definition.steps {
            templates.extend(&step.gates);
            match &step.kind {
                StepKind::Call(call) => templates.push(&call.with),
                StepKind::Map(map) => templates.extend([&map.items, &map.call.with]),
                StepKind::Set(value) => templates.push(value),
                StepKind::Parallel(_) => {}
            }
        }
        templates.push(&self.definition.output);
        let dirs = self.definition.plugins.iter().flat_map(|plugin| &plugin.dirs);
        templates.extend(dirs.map(|dir| &dir.path));
        self.unused_results(&templates);
        self.unused_plugins();
        if let Some(input) = input {
            self.unused_input(&templates, input);
        }
    }

    fn unused_results(&mut self, templates: &[&Template]) {
        let mut used: HashSet<usize> = templates
            .iter()
            .flat_map(|template| template.steps())
            .map(crate::StepId::position)
            .collect();
        for step in &self.definition.steps {
            if let StepKind::Parallel(branches) = &step.kind {
                used.extend(branches.iter().map(|branch| branch.last.position()));
            }
        }
        for (position, step) in self.definition.steps.iter().enumerate() {
            let Some(view) = self.steps.get(position) else { continue };
            if used.contains(&position) || view.never || !is_useful(&view.gives) {
                continue;
            }
            let message = format!("the result of step `{}` is never used", step.name);
            let length = u32::try_from(step.name.chars().count()).unwrap_or(1).max(1);
            let problem = Problem { length, ..Problem::new(step.at, message) };
            self.report(problem, Severity::Note, Code::UnusedResult);
        }
    }

    fn unused_plugins(&mut self) {
        // A step that could not be read may have called it.
        let unread = |kind: &StepKind| matches!(kind, StepKind::Parallel(b) if b.is_empty());
        if self.definition.steps.iter().any(|step| unread(&step.kind)) {
            return;
        }
        let used: HashSet<usize> = self
            .definition
            .steps
            .iter()
            .filter_map(|step| step.kind.call())
            .map(|call| call.plugin)
            .collect();
        for (position, plugin) in self.definition.plugins.iter().enumerate() {
            if !used.contains(&position) {
                let message = format!("no step calls plugin `{}`", plugin.alias);
                let problem = Problem::new(plugin.at, message);
                self.report(problem, Severity::Warning, Code::UnusedPlugin);
            }
        }
    }

    fn unused_input(&mut self, templates: &[&Template], input: &Place) {
        let mut used: HashSet<&str> = HashSet::new();
        for template in templates {
            if template.place().is_some_and(|place| place.broken) {
                return;
            }
            for field in template.input_fields() {
                let Some(field) = field else { return };
                used.insert(field);
            }
        }
        let Parts::Object(keywords) = &input.parts else { return };
        let properties = keywords.iter().find(|(name, ..)| &**name == "properties");
        let Some((.., Place { parts: Parts::Object(properties), .. })) = properties else { return };
        for (name, key, _) in properties {
            if !used.contains(&**name) {
                let message = format!("no expression uses `input.{name}`");
                let problem = key.problem(self.source, message);
                self.report(problem, Severity::Note, Code::UnusedInput);
            }
        }
    }
}
