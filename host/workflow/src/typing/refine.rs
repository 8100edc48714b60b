//! What a condition that held says of the values it looked at.

use std::sync::Arc;

use super::{Field, Kinds, Lists, Objects, Presence, Rest, Sure, Type};
use crate::expression::Segment;

/// What is known of a value below a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fact {
    /// It is there, and may be null.
    Present,
    /// It is there and is not null.
    NotNull,
}

impl Type {
    /// The values for which the fact holds. Never gives nothing: a fact that cannot hold makes
    /// what it speaks of unknown, since what hangs on it does not happen.
    pub(crate) fn refined(&self, path: &[Segment], fact: Fact) -> Self {
        let Some((segment, below)) = path.split_first() else {
            return match fact {
                Fact::Present => self.clone(),
                Fact::NotNull => {
                    let rest = self.without_null();
                    if rest.is_never() { Self::Unknown } else { rest }
                }
            };
        };
        let Self::Known(kinds) = self else { return Self::Unknown };
        match segment {
            Segment::Field(name) => match &kinds.object {
                Some(object) => Self::known(Kinds {
                    object: Some(with_field(object, name, below, fact)),
                    ..Kinds::default()
                }),
                None => Self::Unknown,
            },
            Segment::Item(position) => match &kinds.list {
                Some(list) => Self::known(Kinds {
                    list: Some(with_item(list, *position, below, fact)),
                    ..Kinds::default()
                }),
                None => Self::Unknown,
            },
        }
    }
}

fn with_field(object: &Objects, name: &str, below: &[Segment], fact: Fact) -> Objects {
    let mut object = object.clone();
    let found = object.fields.binary_search_by(|field| (*field.name).cmp(name));
    match found {
        Ok(at) => {
            let field = &mut object.fields[at];
            let value = field.value.refined(below, fact);
            field.value = if value.is_never() { Type::Unknown } else { value };
            field.presence = Presence::Required;
        }
        Err(at) => {
            let value = match &object.rest {
                Rest::Closed | Rest::Open => Type::Unknown,
                Rest::Allowed(value) => value.refined(below, fact),
            };
            let field = Field { name: Arc::from(name), value, presence: Presence::Required };
            object.fields.insert(at, field);
        }
    }
    object.sure = object.sure.min(Sure::Some);
    object
}

fn with_item(list: &Lists, position: usize, below: &[Segment], fact: Fact) -> Lists {
    let mut list = list.clone();
    let end = position as u64 + 1;
    list.min = list.min.max(end);
    if list.max < end {
        list.max = u64::MAX;
        list.item = Type::Unknown;
    }
    if let Some(item) = list.first.get_mut(position) {
        *item = item.refined(below, fact);
    }
    list.sure = list.sure.min(Sure::Some);
    list
}
