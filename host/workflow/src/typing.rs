//! What is known of a JSON value before there is one: from schemas, literals and expressions.
//!
//! A [`Type`] describes a set of values kind by kind and may describe more than the set holds,
//! never less: whatever is ruled out by it is ruled out for certain. How far a description can
//! be trusted the other way round is said by [`Sure`]. So "no value fits" is always true where
//! it is said, and "some value does not fit" is said only of what a schema surely allows.

mod algebra;
mod fit;
mod literal;
mod refine;
mod schema;
mod shown;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) use fit::{Fit, Misfit, Weight, kind_words};
pub(crate) use refine::Fact;

/// A set of JSON values. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Type {
    /// Nothing is known: neither promised nor ruled out.
    Unknown,
    Known(Arc<Kinds>),
}

/// A set of values by their kinds: the union of its parts.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Kinds {
    pub(crate) null: May,
    pub(crate) falsehood: May,
    pub(crate) truth: May,
    pub(crate) number: Option<Numbers>,
    pub(crate) text: Option<Texts>,
    pub(crate) list: Option<Lists>,
    pub(crate) object: Option<Objects>,
    /// From a schema that names no `type`: what it allows besides is an oversight more often
    /// than a promise, so that nothing is concluded from it.
    pub(crate) untyped: bool,
}

/// Whether a single value belongs to a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum May {
    #[default]
    No,
    Perhaps,
    Yes,
}

/// How a description relates to the set that it describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sure {
    /// The set is a part of it and may be empty.
    Perhaps,
    /// The set is a part of it and has values.
    Some,
    /// The set is exactly that.
    Exactly,
}

/// Numbers between bounds; infinite bounds are none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Numbers {
    /// Whole ones only, `1.0` among them.
    pub(crate) whole: bool,
    pub(crate) low: f64,
    /// Whether `low` itself is left out.
    pub(crate) low_open: bool,
    pub(crate) high: f64,
    pub(crate) high_open: bool,
    pub(crate) sure: Sure,
}

/// Texts by their characters, or listed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Texts {
    pub(crate) choices: Option<Arc<BTreeSet<Arc<str>>>>,
    pub(crate) min: u64,
    /// `u64::MAX`: no bound.
    pub(crate) max: u64,
    pub(crate) sure: Sure,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lists {
    /// Of the first items.
    pub(crate) first: Vec<Type>,
    /// Of all others.
    pub(crate) item: Type,
    pub(crate) min: u64,
    /// `u64::MAX`: no bound.
    pub(crate) max: u64,
    pub(crate) sure: Sure,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Objects {
    /// Sorted by name.
    pub(crate) fields: Vec<Field>,
    pub(crate) rest: Rest,
    pub(crate) sure: Sure,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: Arc<str>,
    /// Nothing: the field is never there.
    pub(crate) value: Type,
    pub(crate) presence: Presence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Required,
    /// May be left out by who writes it; who reads it finds the schema's `default`.
    Defaulted,
    Optional,
}

/// Fields that are not listed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rest {
    /// There are none.
    Closed,
    /// The schema does not say.
    Open,
    /// The schema allows them.
    Allowed(Type),
}

/// Kinds of values, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KindSet(u8);

impl KindSet {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const NULL: Self = Self(1);
    pub(crate) const BOOL: Self = Self(2);
    pub(crate) const NUMBER: Self = Self(4);
    pub(crate) const TEXT: Self = Self(8);
    pub(crate) const LIST: Self = Self(16);
    pub(crate) const OBJECT: Self = Self(32);
    pub(crate) const ALL: Self = Self(63);

    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Type {
    pub(crate) fn known(kinds: Kinds) -> Self {
        Self::Known(Arc::new(kinds))
    }

    /// No value at all.
    pub(crate) fn never() -> Self {
        Self::known(Kinds::default())
    }

    pub(crate) fn null() -> Self {
        Self::known(Kinds { null: May::Yes, ..Kinds::default() })
    }

    pub(crate) fn bool() -> Self {
        Self::known(Kinds { falsehood: May::Yes, truth: May::Yes, ..Kinds::default() })
    }

    pub(crate) fn this_bool(value: bool) -> Self {
        let [truth, falsehood] = [value, !value].map(|yes| if yes { May::Yes } else { May::No });
        Self::known(Kinds { falsehood, truth, ..Kinds::default() })
    }

    pub(crate) fn number(number: Numbers) -> Self {
        Self::known(Kinds { number: Some(number), ..Kinds::default() })
    }

    pub(crate) fn text(text: Texts) -> Self {
        Self::known(Kinds { text: Some(text), ..Kinds::default() })
    }

    pub(crate) fn list(list: Lists) -> Self {
        Self::known(Kinds { list: Some(list), ..Kinds::default() })
    }

    pub(crate) fn object(object: Objects) -> Self {
        Self::known(Kinds { object: Some(object), ..Kinds::default() })
    }

    pub(crate) fn kinds(&self) -> Option<&Kinds> {
        match self {
            Self::Unknown => None,
            Self::Known(kinds) => Some(kinds),
        }
    }

    pub(crate) fn is_never(&self) -> bool {
        self.kinds().is_some_and(|kinds| kinds.possible().is_empty())
    }

    /// Kinds that its values may be of.
    pub(crate) fn possible(&self) -> KindSet {
        self.kinds().map_or(KindSet::ALL, Kinds::possible)
    }

    /// Kinds that some of its values surely are of.
    pub(crate) fn certain(&self) -> KindSet {
        self.kinds().map_or(KindSet::NONE, Kinds::certain)
    }

    pub(crate) fn as_list(&self) -> Option<&Lists> {
        self.kinds().and_then(|kinds| kinds.list.as_ref())
    }

    pub(crate) fn as_object(&self) -> Option<&Objects> {
        self.kinds().and_then(|kinds| kinds.object.as_ref())
    }
}

impl Kinds {
    pub(crate) fn possible(&self) -> KindSet {
        let pick = |there: bool, kind: KindSet| if there { kind } else { KindSet::NONE };
        pick(self.null != May::No, KindSet::NULL)
            .or(pick(self.falsehood != May::No || self.truth != May::No, KindSet::BOOL))
            .or(pick(self.number.is_some(), KindSet::NUMBER))
            .or(pick(self.text.is_some(), KindSet::TEXT))
            .or(pick(self.list.is_some(), KindSet::LIST))
            .or(pick(self.object.is_some(), KindSet::OBJECT))
    }

    pub(crate) fn certain(&self) -> KindSet {
        if self.untyped {
            return KindSet::NONE;
        }
        let pick = |there: bool, kind: KindSet| if there { kind } else { KindSet::NONE };
        let sure = |sure: Option<Sure>| sure.is_some_and(|sure| sure >= Sure::Some);
        pick(self.null == May::Yes, KindSet::NULL)
            .or(pick(self.falsehood == May::Yes || self.truth == May::Yes, KindSet::BOOL))
            .or(pick(sure(self.number.map(|number| number.sure)), KindSet::NUMBER))
            .or(pick(sure(self.text.as_ref().map(|text| text.sure)), KindSet::TEXT))
            .or(pick(sure(self.list.as_ref().map(|list| list.sure)), KindSet::LIST))
            .or(pick(sure(self.object.as_ref().map(|object| object.sure)), KindSet::OBJECT))
    }
}

impl Numbers {
    pub(crate) const fn any(sure: Sure) -> Self {
        Self {
            whole: false,
            low: f64::NEG_INFINITY,
            low_open: false,
            high: f64::INFINITY,
            high_open: false,
            sure,
        }
    }

    pub(crate) const fn whole(sure: Sure) -> Self {
        Self { whole: true, ..Self::any(sure) }
    }

    pub(crate) fn is_any(&self) -> bool {
        !self.whole && self.low == f64::NEG_INFINITY && self.high == f64::INFINITY
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.low > self.high || (self.low == self.high && (self.low_open || self.high_open))
    }
}

impl Texts {
    pub(crate) const fn any(sure: Sure) -> Self {
        Self { choices: None, min: 0, max: u64::MAX, sure }
    }

    pub(crate) fn is_any(&self) -> bool {
        self.choices.is_none() && self.min == 0 && self.max == u64::MAX
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.min > self.max || self.choices.as_ref().is_some_and(|choices| choices.is_empty())
    }

    /// Whether the bounds allow it; listed choices have been held to them.
    pub(crate) fn allows_length(&self, text: &str) -> bool {
        let length = text.chars().count() as u64;
        (self.min..=self.max).contains(&length)
    }
}

impl Lists {
    pub(crate) fn any(sure: Sure) -> Self {
        Self { first: Vec::new(), item: Type::Unknown, min: 0, max: u64::MAX, sure }
    }

    /// Any number of items of a type.
    pub(crate) const fn of(item: Type, sure: Sure) -> Self {
        Self { first: Vec::new(), item, min: 0, max: u64::MAX, sure }
    }

    pub(crate) fn is_any(&self) -> bool {
        self.first.is_empty() && self.item == Type::Unknown && self.min == 0 && self.max == u64::MAX
    }

    pub(crate) fn item_at(&self, position: usize) -> &Type {
        self.first.get(position).unwrap_or(&self.item)
    }

    /// What any of its items may be.
    pub(crate) fn each(&self) -> Type {
        let others = if self.max <= self.first.len() as u64 { None } else { Some(&self.item) };
        let shown = usize::try_from(self.max).unwrap_or(usize::MAX);
        let all: Vec<&Type> = self.first.iter().take(shown).chain(others).collect();
        match all.split_first() {
            None => Type::never(),
            Some((first, rest)) => rest.iter().fold((*first).clone(), |all, one| all.union(one)),
        }
    }
}

impl Objects {
    pub(crate) const fn any(sure: Sure) -> Self {
        Self { fields: Vec::new(), rest: Rest::Open, sure }
    }

    pub(crate) fn is_any(&self) -> bool {
        self.fields.is_empty() && matches!(self.rest, Rest::Open | Rest::Allowed(Type::Unknown))
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        let found = self.fields.binary_search_by(|field| (*field.name).cmp(name)).ok()?;
        self.fields.get(found)
    }
}

impl Rest {
    /// What a field is that is not listed.
    pub(crate) fn value(&self) -> Type {
        match self {
            Self::Closed => Type::never(),
            Self::Open => Type::Unknown,
            Self::Allowed(value) => value.clone(),
        }
    }
}
