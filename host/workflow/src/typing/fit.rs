//! Whether the values of one type are accepted by another.

use std::collections::HashMap;
use std::sync::Arc;

use super::{
    Field, KindSet, Kinds, Lists, May, Numbers, Objects, Presence, Rest, Sure, Texts, Type,
};

/// Pairs of types that one comparison looks at; beyond that nothing is said.
const PAIRS_MAX: u32 = 4_000;

const DEPTH_MAX: usize = 32;

/// Results that are kept: steps often give the same to the same.
const KNOWN_MAX: usize = 50_000;

/// Why values are not accepted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Misfit {
    /// Below the value: `.documents[].name`; empty for itself.
    pub(crate) path: String,
    /// "must be text, not a number".
    pub(crate) message: String,
    pub(crate) weight: Weight,
}

/// How much of it is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// Some value is out of bounds.
    Bounds,
    /// Some value is of another shape.
    Some,
    /// No value is accepted.
    Every,
}

/// Compares types, within a budget for all comparisons together.
#[derive(Debug, Default)]
pub(crate) struct Fit {
    /// Results by the addresses of both; the types are held, so that addresses stay theirs.
    known: HashMap<(usize, usize), (Type, Type, Outcome)>,
    pairs: u32,
}

#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    /// Every value is accepted.
    Fits,
    /// Nothing certain can be said.
    Unclear,
    Misfit(Misfit),
}

impl Outcome {
    fn of(weight: Weight, message: String) -> Self {
        Self::Misfit(Misfit { path: String::new(), message, weight })
    }

    const fn weight(&self) -> Option<Weight> {
        match self {
            Self::Misfit(misfit) => Some(misfit.weight),
            Self::Fits | Self::Unclear => None,
        }
    }

    /// Of a part of the value.
    fn at(self, part: &str) -> Self {
        match self {
            Self::Misfit(misfit) => {
                Self::Misfit(Misfit { path: format!("{part}{}", misfit.path), ..misfit })
            }
            other => other,
        }
    }

    /// The same where not every value has the part.
    fn lessened(self, certain: bool) -> Self {
        match self {
            Self::Misfit(misfit) if certain => {
                let weight = misfit.weight.min(Weight::Some);
                Self::Misfit(Misfit { weight, ..misfit })
            }
            Self::Misfit(_) => Self::Unclear,
            other => other,
        }
    }
}

impl Fit {
    /// What is certain to be refused of `given`'s values where `wanted` is asked for.
    pub(crate) fn misfit(&mut self, given: &Type, wanted: &Type) -> Option<Misfit> {
        self.pairs = 0;
        match self.compare(given, wanted, 0) {
            Outcome::Misfit(misfit) => Some(misfit),
            Outcome::Fits | Outcome::Unclear => None,
        }
    }

    /// Whether every value of `given` is accepted; `false`: nothing certain can be said.
    pub(crate) fn accepts(&mut self, given: &Type, wanted: &Type) -> Result<bool, Misfit> {
        self.pairs = 0;
        match self.compare(given, wanted, 0) {
            Outcome::Misfit(misfit) => Err(misfit),
            Outcome::Fits => Ok(true),
            Outcome::Unclear => Ok(false),
        }
    }

    fn compare(&mut self, given: &Type, wanted: &Type, depth: usize) -> Outcome {
        let (Type::Known(from), Type::Known(to)) = (given, wanted) else { return Outcome::Unclear };
        let key = (Arc::as_ptr(from) as usize, Arc::as_ptr(to) as usize);
        if let Some((_, _, outcome)) = self.known.get(&key) {
            return outcome.clone();
        }
        self.pairs += 1;
        if self.pairs > PAIRS_MAX || depth > DEPTH_MAX {
            return Outcome::Unclear;
        }
        let outcome = self.kinds(from, to, wanted, depth);
        if self.pairs <= PAIRS_MAX && self.known.len() < KNOWN_MAX {
            self.known.insert(key, (given.clone(), wanted.clone(), outcome.clone()));
        }
        outcome
    }

    fn kinds(&mut self, from: &Kinds, to: &Kinds, wanted: &Type, depth: usize) -> Outcome {
        let possible = from.possible();
        if possible.is_empty() {
            return Outcome::Fits;
        }
        let accepted = to.possible();
        if possible.and(accepted).is_empty() {
            let found = kind_words(possible);
            return Outcome::of(Weight::Every, format!("must be {}, not {found}", words(wanted)));
        }
        let certain = from.certain();
        let mut outcomes = Vec::new();
        let missing = possible.without(accepted);
        if !missing.is_empty() {
            let sure = missing.and(certain);
            outcomes.push(if sure.is_empty() {
                Outcome::Unclear
            } else {
                let found = kind_words(sure);
                Outcome::of(Weight::Some, format!("must be {}, and may be {found}", words(wanted)))
            });
        }
        let mut add = |kind: KindSet, outcome: Outcome| {
            if possible.and(accepted).and(kind).is_empty() {
                return;
            }
            // Of several kinds one may fail as a whole without the others.
            let alone = possible == kind;
            let sure = !certain.and(kind).is_empty();
            outcomes.push(match outcome.weight() {
                Some(Weight::Every) if alone => outcome,
                Some(_) => outcome.lessened(sure),
                None => outcome,
            });
        };
        add(KindSet::NULL, null(from, to));
        add(KindSet::BOOL, bools(from, to));
        if let (Some(from), Some(to)) = (&from.number, &to.number) {
            add(KindSet::NUMBER, numbers(from, to));
        }
        if let (Some(from), Some(to)) = (&from.text, &to.text) {
            add(KindSet::TEXT, texts(from, to));
        }
        if let (Some(from), Some(to)) = (&from.list, &to.list) {
            let outcome = self.lists(from, to, depth);
            add(KindSet::LIST, outcome);
        }
        if let (Some(from), Some(to)) = (&from.object, &to.object) {
            let outcome = self.objects(from, to, depth);
            add(KindSet::OBJECT, outcome);
        }
        worst(outcomes)
    }

    fn lists(&mut self, from: &Lists, to: &Lists, depth: usize) -> Outcome {
        let exact = from.sure == Sure::Exactly;
        if from.max < to.min {
            return Outcome::of(Weight::Every, format!("must have at least {}", items(to.min)));
        }
        if from.min > to.max {
            return Outcome::of(Weight::Every, format!("must have at most {}", items(to.max)));
        }
        let mut outcomes = vec![sure_of(to.sure)];
        if from.min < to.min {
            let message = format!("must have at least {}, and may have fewer", items(to.min));
            outcomes.push(Outcome::of(Weight::Bounds, message).lessened(exact));
        }
        if from.max > to.max {
            let message = format!("must have at most {}, and may have more", items(to.max));
            outcomes.push(Outcome::of(Weight::Bounds, message).lessened(exact));
        }
        let positions = from.first.len().max(to.first.len());
        for position in 0..=positions {
            if from.max <= position as u64 || to.max <= position as u64 {
                break;
            }
            let compared = self.compare(from.item_at(position), to.item_at(position), depth + 1);
            let part = if position < positions { format!("[{position}]") } else { "[]".to_owned() };
            let there = from.min > position as u64;
            // Whether a list has this item, where it need not, is known of exact lists only.
            let may_be_there = exact || there && from.sure >= Sure::Some;
            outcomes.push(match compared.weight() {
                Some(Weight::Every) if there => compared.at(&part),
                Some(_) => compared.at(&part).lessened(may_be_there),
                None => compared,
            });
        }
        worst(outcomes)
    }

    fn objects(&mut self, from: &Objects, to: &Objects, depth: usize) -> Outcome {
        let exact = from.sure == Sure::Exactly;
        let mut outcomes = vec![sure_of(to.sure)];
        for field in &to.fields {
            if field.presence == Presence::Required {
                outcomes.push(required(from, field, exact));
            }
        }
        for field in &from.fields {
            if field.value.is_never() {
                continue;
            }
            let there = field.presence == Presence::Required;
            let (wanted, listed) = match to.field(&field.name) {
                Some(wanted) => (wanted.value.clone(), true),
                None => (to.rest.value(), false),
            };
            let compared = if wanted.is_never() {
                Outcome::of(Weight::Every, "is not allowed".to_owned())
            } else if !listed && to.rest == Rest::Open {
                Outcome::Fits
            } else {
                self.compare(&field.value, &wanted, depth + 1)
            };
            let compared = compared.at(&format!(".{}", field.name));
            outcomes.push(match compared.weight() {
                Some(Weight::Every) if there => compared,
                Some(_) => compared.lessened(exact || there && from.sure >= Sure::Some),
                None => compared,
            });
        }
        if let Rest::Allowed(rest) = &from.rest {
            outcomes.push(self.rest(rest, from, to, depth).lessened(exact));
        } else if from.rest == Rest::Open {
            outcomes.push(Outcome::Unclear);
        }
        worst(outcomes)
    }

    /// Of fields that the giver does not list.
    fn rest(&mut self, rest: &Type, from: &Objects, to: &Objects, depth: usize) -> Outcome {
        let others = match &to.rest {
            _ if rest.is_never() => Outcome::Fits,
            Rest::Closed => {
                Outcome::of(Weight::Bounds, "must not have other fields, and may have".to_owned())
            }
            Rest::Open => Outcome::Fits,
            Rest::Allowed(wanted) => self.compare(rest, wanted, depth + 1).at(".*"),
        };
        let not_listed = |field: &&Field| from.field(&field.name).is_none();
        let optional = to.fields.iter().filter(not_listed);
        let mut outcomes = vec![others];
        for field in optional {
            let compared = self.compare(rest, &field.value, depth + 1);
            outcomes.push(compared.at(&format!(".{}", field.name)).lessened(true));
        }
        worst(outcomes)
    }
}

/// The gravest; two of the same weight are told by the first.
fn worst(outcomes: Vec<Outcome>) -> Outcome {
    let unclear = outcomes.contains(&Outcome::Unclear);
    let gravest = outcomes.into_iter().filter(|outcome| outcome.weight().is_some()).fold(
        None,
        |gravest: Option<Outcome>, one| match gravest {
            Some(known) if known.weight() >= one.weight() => Some(known),
            _ => Some(one),
        },
    );
    gravest.unwrap_or(if unclear { Outcome::Unclear } else { Outcome::Fits })
}

/// What a description allows is accepted only as far as the description is exact.
fn sure_of(sure: Sure) -> Outcome {
    if sure == Sure::Exactly { Outcome::Fits } else { Outcome::Unclear }
}

fn null(from: &Kinds, to: &Kinds) -> Outcome {
    match (from.null, to.null) {
        (May::No, _) | (_, May::Yes) => Outcome::Fits,
        _ => Outcome::Unclear,
    }
}

fn bools(from: &Kinds, to: &Kinds) -> Outcome {
    let pairs = [(from.falsehood, to.falsehood, "false"), (from.truth, to.truth, "true")];
    let given = pairs.iter().filter(|(from, ..)| *from != May::No);
    let refused: Vec<_> = given.clone().filter(|(_, to, _)| *to == May::No).collect();
    if let Some((from, _, word)) = refused.first() {
        if refused.len() == given.count() {
            return Outcome::of(Weight::Every, format!("must not be {word}"));
        }
        let message = format!("must not be {word}, and may be");
        return Outcome::of(Weight::Some, message).lessened(*from == May::Yes);
    }
    if given.into_iter().any(|(_, to, _)| *to == May::Perhaps) {
        return Outcome::Unclear;
    }
    Outcome::Fits
}

fn numbers(from: &Numbers, to: &Numbers) -> Outcome {
    let wanted = || words(&Type::number(*to));
    let below = from.high < to.low || from.high == to.low && (from.high_open || to.low_open);
    let above = from.low > to.high || from.low == to.high && (from.low_open || to.high_open);
    let single = from.low == from.high;
    let fraction = single && from.low.fract() != 0.0 && to.whole;
    if below || above || fraction {
        let found = words(&Type::number(*from));
        return Outcome::of(Weight::Every, format!("must be {}, not {found}", wanted()));
    }
    let exact = from.sure == Sure::Exactly;
    // Between two whole numbers there is always a fraction, if there are two.
    if to.whole && !from.whole && !single {
        let message = format!("must be {}, and may have a fraction", wanted());
        return Outcome::of(Weight::Some, message).lessened(exact);
    }
    let low = from.low < to.low || from.low == to.low && to.low_open && !from.low_open;
    let high = from.high > to.high || from.high == to.high && to.high_open && !from.high_open;
    if low || high {
        let side = if low { "smaller" } else { "larger" };
        let message = format!("must be {}, and may be {side}", wanted());
        return Outcome::of(Weight::Bounds, message).lessened(exact);
    }
    sure_of(to.sure)
}

fn texts(from: &Texts, to: &Texts) -> Outcome {
    let wanted = || words(&Type::text(to.clone()));
    let exact = from.sure == Sure::Exactly;
    if let Some(given) = &from.choices {
        let refused = |text: &&Arc<str>| match &to.choices {
            Some(wanted) => !wanted.contains(*text),
            None => !to.allows_length(text),
        };
        let count = given.iter().filter(refused).count();
        let Some(first) = given.iter().find(refused) else { return sure_of(to.sure) };
        let first = words(&Type::this_text(first));
        return if count == given.len() {
            let found = if given.len() == 1 { first } else { words(&Type::text(from.clone())) };
            Outcome::of(Weight::Every, format!("must be {}, not {found}", wanted()))
        } else {
            let message = format!("must be {}, and may be {first}", wanted());
            Outcome::of(Weight::Some, message).lessened(exact)
        };
    }
    if let Some(choices) = &to.choices {
        if !choices.iter().any(|text| from.allows_length(text)) {
            return Outcome::of(Weight::Every, format!("must be {}", wanted()));
        }
        let message = format!("must be {}, and may be other text", wanted());
        return Outcome::of(Weight::Bounds, message).lessened(exact);
    }
    if from.max < to.min || from.min > to.max {
        return Outcome::of(Weight::Every, format!("must be {}", wanted()));
    }
    if from.min < to.min || from.max > to.max {
        let side = if from.min < to.min { "shorter" } else { "longer" };
        let message = format!("must be {}, and may be {side}", wanted());
        return Outcome::of(Weight::Bounds, message).lessened(exact);
    }
    sure_of(to.sure)
}

fn required(from: &Objects, field: &Field, exact: bool) -> Outcome {
    let part = format!(".{}", field.name);
    match from.field(&field.name) {
        Some(given) if given.value.is_never() => {}
        Some(given) if given.presence == Presence::Optional => {
            return Outcome::of(Weight::Some, "is required, and may be missing".to_owned())
                .at(&part)
                .lessened(exact);
        }
        Some(_) => return Outcome::Fits,
        None if from.rest == Rest::Closed => {}
        None => {
            return Outcome::of(Weight::Some, "is required, and may be missing".to_owned())
                .at(&part)
                .lessened(exact);
        }
    }
    Outcome::of(Weight::Every, "is required, and missing".to_owned()).at(&part)
}

fn items(count: u64) -> String {
    if count == 1 { "1 item".to_owned() } else { format!("{count} items") }
}

/// A type with its article, for a sentence.
pub(crate) fn words(of: &Type) -> String {
    let shown = of.to_string();
    let plain = ["text", "true", "false", "null", "anything", "nothing", "{", "\""];
    let digit = shown.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    if digit || plain.iter().any(|word| shown.starts_with(word)) {
        return shown;
    }
    let article = if shown.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {shown}")
}

/// "text, a list or null".
pub(crate) fn kind_words(kinds: KindSet) -> String {
    let all = [
        (KindSet::TEXT, "text"),
        (KindSet::NUMBER, "a number"),
        (KindSet::BOOL, "true or false"),
        (KindSet::LIST, "a list"),
        (KindSet::OBJECT, "an object"),
        (KindSet::NULL, "null"),
    ];
    let named: Vec<&str> = all
        .into_iter()
        .filter(|(kind, _)| !kinds.and(*kind).is_empty())
        .map(|(_, word)| word)
        .collect();
    match named.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => "nothing".to_owned(),
    }
}
