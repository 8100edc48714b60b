//! Union and intersection of types.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{Field, Kinds, Lists, May, Numbers, Objects, Presence, Rest, Sure, Texts, Type};

/// Listed texts of one type: more are taken as any text.
pub(super) const CHOICES_MAX: usize = 1_000;

/// Fields of a type that is made from two: more are not listed.
const FIELDS_MAX: usize = 5_000;

/// How deep two types are combined.
const DEPTH_MAX: usize = 24;

impl Type {
    /// What is in either.
    pub(crate) fn union(&self, other: &Self) -> Self {
        union(self, other, 0)
    }

    /// What is in both.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        intersection(self, other, 0)
    }

    pub(crate) fn or_null(&self) -> Self {
        self.union(&Self::null())
    }

    /// Without `null`.
    pub(crate) fn without_null(&self) -> Self {
        match self {
            Self::Known(kinds) if kinds.null != May::No => {
                Self::known(Kinds { null: May::No, ..(**kinds).clone() })
            }
            _ => self.clone(),
        }
    }

    /// The same description of which nothing is sure: a part of the set is ruled out by
    /// something that a type cannot say.
    pub(crate) fn weakened(&self) -> Self {
        let Self::Known(kinds) = self else { return Self::Unknown };
        let mut kinds = (**kinds).clone();
        for may in [&mut kinds.null, &mut kinds.falsehood, &mut kinds.truth] {
            *may = (*may).min(May::Perhaps);
        }
        let parts = [
            kinds.number.as_mut().map(|number| &mut number.sure),
            kinds.text.as_mut().map(|text| &mut text.sure),
            kinds.list.as_mut().map(|list| &mut list.sure),
            kinds.object.as_mut().map(|object| &mut object.sure),
        ];
        parts.into_iter().flatten().for_each(|sure| *sure = Sure::Perhaps);
        Self::known(kinds)
    }
}

fn union(a: &Type, b: &Type, depth: usize) -> Type {
    let (Type::Known(left), Type::Known(right)) = (a, b) else { return Type::Unknown };
    if Arc::ptr_eq(left, right) {
        return a.clone();
    }
    if depth > DEPTH_MAX {
        return Type::Unknown;
    }
    Type::known(Kinds {
        null: left.null.max(right.null),
        falsehood: left.falsehood.max(right.falsehood),
        truth: left.truth.max(right.truth),
        number: either(left.number.as_ref(), right.number.as_ref(), either_number),
        text: either(left.text.as_ref(), right.text.as_ref(), either_text),
        list: either(left.list.as_ref(), right.list.as_ref(), |a, b| either_list(a, b, depth)),
        object: either(left.object.as_ref(), right.object.as_ref(), |a, b| {
            either_object(a, b, depth)
        }),
        untyped: left.untyped || right.untyped,
    })
}

fn either<T: Clone>(a: Option<&T>, b: Option<&T>, merge: impl Fn(&T, &T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(merge(a, b)),
        (one, other) => one.or(other).cloned(),
    }
}

/// Of a description that covers two others.
fn covering(a: Sure, b: Sure, exact: bool) -> Sure {
    match a.max(b) {
        Sure::Exactly if !exact => Sure::Some,
        sure => sure,
    }
}

fn either_number(a: &Numbers, b: &Numbers) -> Numbers {
    let (low, low_open) = match a.low.total_cmp(&b.low) {
        Ordering::Less => (a.low, a.low_open),
        Ordering::Greater => (b.low, b.low_open),
        Ordering::Equal => (a.low, a.low_open && b.low_open),
    };
    let (high, high_open) = match a.high.total_cmp(&b.high) {
        Ordering::Greater => (a.high, a.high_open),
        Ordering::Less => (b.high, b.high_open),
        Ordering::Equal => (a.high, a.high_open && b.high_open),
    };
    let merged =
        Numbers { whole: a.whole && b.whole, low, low_open, high, high_open, sure: Sure::Exactly };
    // Exact where one of them is the whole.
    let same =
        |of: &Numbers| of.sure == Sure::Exactly && Numbers { sure: merged.sure, ..*of } == merged;
    Numbers { sure: covering(a.sure, b.sure, same(a) || same(b)), ..merged }
}

fn either_text(a: &Texts, b: &Texts) -> Texts {
    let choices = match (&a.choices, &b.choices) {
        (Some(a), Some(b)) if a.len() + b.len() <= CHOICES_MAX => {
            Some(Arc::new(a.union(b).cloned().collect()))
        }
        _ => None,
    };
    let listed = choices.is_some() && a.sure == Sure::Exactly && b.sure == Sure::Exactly;
    let merged =
        Texts { choices, min: a.min.min(b.min), max: a.max.max(b.max), sure: Sure::Exactly };
    let same = |of: &Texts| {
        of.sure == Sure::Exactly
            && (of.choices.is_none(), of.min, of.max)
                == (merged.choices.is_none(), merged.min, merged.max)
            && of.choices.is_none()
    };
    let exact = listed || same(a) || same(b);
    Texts { sure: covering(a.sure, b.sure, exact), ..merged }
}

fn either_list(a: &Lists, b: &Lists, depth: usize) -> Lists {
    if a == b {
        return a.clone();
    }
    let count = a.first.len().max(b.first.len());
    let first = (0..count).map(|at| union(a.item_at(at), b.item_at(at), depth + 1)).collect();
    // An empty list says nothing of its items.
    let item = match (a.max, b.max) {
        (0, _) => b.item.clone(),
        (_, 0) => a.item.clone(),
        _ => union(&a.item, &b.item, depth + 1),
    };
    let sure = covering(a.sure, b.sure, false);
    Lists { first, item, min: a.min.min(b.min), max: a.max.max(b.max), sure }
}

fn either_object(a: &Objects, b: &Objects, depth: usize) -> Objects {
    if a == b {
        return a.clone();
    }
    let sure = covering(a.sure, b.sure, false);
    if a.fields.len() + b.fields.len() > FIELDS_MAX {
        return Objects { sure, ..Objects::any(sure) };
    }
    let fields = both_fields(a, b, |name, left, right| {
        let value = |side: Option<&Field>, of: &Objects| {
            side.map_or_else(|| of.rest.value(), |field| field.value.clone())
        };
        let presence = match (left.map(|f| f.presence), right.map(|f| f.presence)) {
            (Some(Presence::Required), Some(Presence::Required)) => Presence::Required,
            (Some(Presence::Optional) | None, _) | (_, Some(Presence::Optional) | None) => {
                Presence::Optional
            }
            _ => Presence::Defaulted,
        };
        let value = union(&value(left, a), &value(right, b), depth + 1);
        Field { name: Arc::clone(name), value, presence }
    });
    let rest = match (&a.rest, &b.rest) {
        (Rest::Closed, Rest::Closed) => Rest::Closed,
        (Rest::Open, _) | (_, Rest::Open) => Rest::Open,
        (a, b) => Rest::Allowed(union(&a.value(), &b.value(), depth + 1)),
    };
    Objects { fields, rest, sure }
}

/// Walks the names of both, in order.
fn both_fields(
    a: &Objects,
    b: &Objects,
    merge: impl Fn(&Arc<str>, Option<&Field>, Option<&Field>) -> Field,
) -> Vec<Field> {
    let (mut left, mut right) = (a.fields.iter().peekable(), b.fields.iter().peekable());
    let mut fields = Vec::with_capacity(a.fields.len().max(b.fields.len()));
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return fields,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.name.cmp(&b.name),
        };
        let one = (order != Ordering::Greater).then(|| left.next()).flatten();
        let other = (order != Ordering::Less).then(|| right.next()).flatten();
        if let Some(field) = one.or(other) {
            fields.push(merge(&field.name, one, other));
        }
    }
}

fn intersection(a: &Type, b: &Type, depth: usize) -> Type {
    let (left, right) = match (a, b) {
        (Type::Unknown, other) | (other, Type::Unknown) => return other.clone(),
        (Type::Known(left), Type::Known(right)) => (left, right),
    };
    if Arc::ptr_eq(left, right) {
        return a.clone();
    }
    if depth > DEPTH_MAX {
        return a.weakened();
    }
    Type::known(Kinds {
        null: left.null.min(right.null),
        falsehood: left.falsehood.min(right.falsehood),
        truth: left.truth.min(right.truth),
        number: left.number.zip(right.number).and_then(|(a, b)| both_number(&a, &b)),
        text: left.text.as_ref().zip(right.text.as_ref()).and_then(|(a, b)| both_text(a, b)),
        list: left.list.as_ref().zip(right.list.as_ref()).and_then(|(a, b)| both_list(a, b, depth)),
        object: left
            .object
            .as_ref()
            .zip(right.object.as_ref())
            .and_then(|(a, b)| both_object(a, b, depth)),
        untyped: left.untyped && right.untyped,
    })
}

/// Of what two descriptions have in common.
fn common(a: Sure, b: Sure, exact: bool) -> Sure {
    if exact && a == Sure::Exactly && b == Sure::Exactly { Sure::Exactly } else { Sure::Perhaps }
}

fn both_number(a: &Numbers, b: &Numbers) -> Option<Numbers> {
    if a.is_any() && a.sure == Sure::Exactly {
        return Some(*b);
    }
    if b.is_any() && b.sure == Sure::Exactly {
        return Some(*a);
    }
    let (low, low_open) = match a.low.total_cmp(&b.low) {
        Ordering::Greater => (a.low, a.low_open),
        Ordering::Less => (b.low, b.low_open),
        Ordering::Equal => (a.low, a.low_open || b.low_open),
    };
    let (high, high_open) = match a.high.total_cmp(&b.high) {
        Ordering::Less => (a.high, a.high_open),
        Ordering::Greater => (b.high, b.high_open),
        Ordering::Equal => (a.high, a.high_open || b.high_open),
    };
    let whole = a.whole || b.whole;
    let sure = common(a.sure, b.sure, true);
    let merged = Numbers { whole, low, low_open, high, high_open, sure }.tightened();
    (!merged.is_empty()).then_some(merged)
}

impl Numbers {
    /// Bounds of whole numbers are whole.
    pub(super) fn tightened(mut self) -> Self {
        // Beyond this a double has no fractions, and adding one changes nothing.
        const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
        if self.whole && self.low.abs() < WHOLE_MAX {
            let up = self.low.ceil();
            self.low = if self.low_open && up == self.low { up + 1.0 } else { up };
            self.low_open = false;
        }
        if self.whole && self.high.abs() < WHOLE_MAX {
            let down = self.high.floor();
            self.high = if self.high_open && down == self.high { down - 1.0 } else { down };
            self.high_open = false;
        }
        self
    }
}

fn both_text(a: &Texts, b: &Texts) -> Option<Texts> {
    if a.is_any() && a.sure == Sure::Exactly {
        return Some(b.clone());
    }
    if b.is_any() && b.sure == Sure::Exactly {
        return Some(a.clone());
    }
    let (min, max) = (a.min.max(b.min), a.max.min(b.max));
    let bounds = Texts { choices: None, min, max, sure: Sure::Exactly };
    let choices = match (&a.choices, &b.choices) {
        (None, None) => None,
        (Some(one), None) | (None, Some(one)) => {
            Some(one.iter().filter(|text| bounds.allows_length(text)).cloned().collect())
        }
        (Some(one), Some(other)) => Some(
            one.intersection(other).filter(|text| bounds.allows_length(text)).cloned().collect(),
        ),
    };
    let sure = common(a.sure, b.sure, true);
    let merged = Texts { choices: choices.map(Arc::new), min, max, sure };
    (!merged.is_empty()).then_some(merged)
}

fn both_list(a: &Lists, b: &Lists, depth: usize) -> Option<Lists> {
    if a.is_any() && a.sure == Sure::Exactly {
        return Some(b.clone());
    }
    if b.is_any() && b.sure == Sure::Exactly {
        return Some(a.clone());
    }
    let count = a.first.len().max(b.first.len());
    let at = |at: usize| intersection(a.item_at(at), b.item_at(at), depth + 1);
    let mut first: Vec<Type> = (0..count).map(at).collect();
    let item = intersection(&a.item, &b.item, depth + 1);
    let min = a.min.max(b.min);
    let mut max = a.max.min(b.max);
    // A place where nothing can stand ends the list.
    if let Some(end) = first.iter().position(Type::is_never) {
        max = max.min(end as u64);
        first.truncate(end);
    } else if item.is_never() {
        max = max.min(first.len() as u64);
    }
    let sure = common(a.sure, b.sure, true);
    (min <= max).then_some(Lists { first, item, min, max, sure })
}

fn both_object(a: &Objects, b: &Objects, depth: usize) -> Option<Objects> {
    if a.is_any() && a.sure == Sure::Exactly {
        return Some(b.clone());
    }
    if b.is_any() && b.sure == Sure::Exactly {
        return Some(a.clone());
    }
    if a.fields.len() + b.fields.len() > FIELDS_MAX {
        return Some(Objects { sure: Sure::Perhaps, ..a.clone() });
    }
    let fields = both_fields(a, b, |name, left, right| {
        let value = |side: Option<&Field>, of: &Objects| {
            side.map_or_else(|| of.rest.value(), |field| field.value.clone())
        };
        let presences = [left.map(|f| f.presence), right.map(|f| f.presence)];
        let has = |presence| presences.contains(&Some(presence));
        let presence = if has(Presence::Required) {
            Presence::Required
        } else if has(Presence::Defaulted) {
            Presence::Defaulted
        } else {
            Presence::Optional
        };
        let value = intersection(&value(left, a), &value(right, b), depth + 1);
        Field { name: Arc::clone(name), value, presence }
    });
    let impossible = |field: &Field| field.presence == Presence::Required && field.value.is_never();
    if fields.iter().any(impossible) {
        return None;
    }
    let rest = match (&a.rest, &b.rest) {
        (Rest::Closed, _) | (_, Rest::Closed) => Rest::Closed,
        (Rest::Open, other) | (other, Rest::Open) => other.clone(),
        (a, b) => Rest::Allowed(intersection(&a.value(), &b.value(), depth + 1)),
    };
    Some(Objects { fields, rest, sure: common(a.sure, b.sure, true) })
}
