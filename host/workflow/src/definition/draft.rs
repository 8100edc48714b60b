//! A workflow file as it is being written: read as far as it can be, with all that is wrong.

use std::collections::BTreeMap;

use super::check::{self, Checked, Offer, Rest};
use super::problem::Problem;
use super::{Definition, Problems, file};
use crate::Name;
use crate::expression::Place;

/// A file that was read, whatever is wrong with it.
#[derive(Debug)]
pub struct Draft {
    source: String,
    definition: Option<Definition>,
    problems: Vec<Problem>,
    left_out: usize,
    input: Option<Place>,
}

impl Draft {
    /// Reads a workflow file; keeps where its values are.
    #[must_use]
    pub fn read(source: &str) -> Self {
        let file::Read { definition, sink, input } = file::read_source(source, true);
        let (problems, left_out) = sink.into_parts();
        let mut draft = Self { source: source.to_owned(), definition, problems, left_out, input };
        if draft.definition.is_none() && draft.problems.is_empty() {
            draft.problems = Problems::unknown().found().to_vec();
        }
        draft
    }

    /// As far as it can be read: what is wrong with it may have left gaps. `None`: not at all.
    #[must_use]
    pub const fn definition(&self) -> Option<&Definition> {
        self.definition.as_ref()
    }

    /// The definition, for a draft whose check found no error.
    #[must_use]
    pub fn into_definition(self) -> Option<Definition> {
        self.definition
    }

    /// The text that was read.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Everything that is wrong with it, together with `others` that were found elsewhere, in
    /// the order of the file. Plugins without an offer are passed over.
    #[must_use]
    pub fn check(&self, offers: &BTreeMap<Name, Offer>, others: Vec<Problem>) -> Checked {
        let mut checked = match &self.definition {
            Some(definition) => check::check(&self.source, definition, self.input.as_ref(), offers),
            None => Checked::default(),
        };
        checked.add(self.problems.iter().cloned().chain(others), self.left_out);
        checked
    }
}

/// What is wrong with the part of a workflow that a run has yet to do.
pub(crate) fn check_rest(
    source: &str,
    offers: &BTreeMap<Name, Offer>,
    rest: &Rest,
) -> Vec<Problem> {
    let draft = Draft::read(source);
    let mut problems = draft.problems;
    if let Some(definition) = &draft.definition {
        problems.extend(check::check_rest(source, definition, offers, rest));
    }
    problems
}
