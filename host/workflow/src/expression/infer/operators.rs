//! Operators on two values.

use super::super::node::{Node, Operator};
use super::One;
use crate::definition::{Code, Severity, did_you_mean};
use crate::typing::{KindSet, Lists, Numbers, Sure, Texts, Type, kind_words};

/// An operand with its type.
type Side<'s> = (&'s Node, &'s Type);

impl One<'_, '_> {
    pub(super) fn binary(&mut self, operator: Operator, left: Side<'_>, right: Side<'_>) -> Type {
        match operator {
            Operator::Equal | Operator::NotEqual => {
                if self.never_equal(operator, left, right) {
                    return Type::this_bool(operator == Operator::NotEqual);
                }
                Type::bool()
            }
            Operator::In => {
                self.contained(left, right);
                Type::bool()
            }
            Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual => {
                let ordered = KindSet::BOOL.or(KindSet::NUMBER).or(KindSet::TEXT);
                self.same_kind(operator, "compare", ordered, left, right);
                match ordered_always(operator, left.1, right.1) {
                    Some(result) => Type::this_bool(result),
                    None => Type::bool(),
                }
            }
            Operator::Add => self.sum(left, right),
            Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Remainder => {
                let common = self.same_kind(operator, "work on", KindSet::NUMBER, left, right);
                if common.is_empty() { Type::Unknown } else { calculated(left.1, right.1) }
            }
        }
    }

    fn sum(&mut self, left: Side<'_>, right: Side<'_>) -> Type {
        let added = KindSet::NUMBER.or(KindSet::TEXT).or(KindSet::LIST);
        let common = self.same_kind(Operator::Add, "work on", added, left, right);
        if common == KindSet::NUMBER {
            return calculated(left.1, right.1);
        }
        if common == KindSet::TEXT {
            return Type::text(Texts::any(Sure::Some));
        }
        match (left.1.as_list(), right.1.as_list()) {
            (Some(a), Some(b)) if common == KindSet::LIST => Type::list(Lists {
                first: Vec::new(),
                item: a.each().union(&b.each()),
                min: a.min.saturating_add(b.min),
                max: a.max.saturating_add(b.max),
                sure: Sure::Some,
            }),
            _ => Type::Unknown,
        }
    }

    /// The kinds that both may be of; reports if there is none, or one side may be of another.
    fn same_kind(
        &mut self,
        operator: Operator,
        verb: &str,
        allowed: KindSet,
        left: Side<'_>,
        right: Side<'_>,
    ) -> KindSet {
        let common = left.1.possible().and(right.1.possible()).and(allowed);
        if left.1.is_never() || right.1.is_never() {
            return common;
        }
        let sign = operator.sign();
        if common.is_empty() {
            let [a, b] = [left.1, right.1].map(|of| kind_words(of.possible()));
            let text = !left.1.possible().or(right.1.possible()).and(KindSet::TEXT).is_empty();
            let hint = (operator == Operator::Add && text)
                .then(|| "`string(…)` makes text of a number".to_owned());
            let message = format!("`{sign}` cannot {verb} {a} and {b}");
            self.error("", Code::WrongType, message, hint);
            return common;
        }
        let who = format!("`{sign}`");
        self.expect(left.1, common, left.0, &who);
        self.expect(right.1, common, right.0, &who);
        common
    }

    fn contained(&mut self, left: Side<'_>, right: Side<'_>) {
        let of = right.1;
        if of.possible() == KindSet::TEXT {
            let message = "`in` needs a list or an object, not text".to_owned();
            let hint = "of text ask `….contains(…)`".to_owned();
            return self.error("", Code::WrongType, message, Some(hint));
        }
        self.expect(of, KindSet::LIST.or(KindSet::OBJECT), right.0, "`in`");
        if let (Some(list), true) = (of.as_list(), of.possible() == KindSet::LIST)
            && list.max > 0
            && disjoint(&list.each(), left.1)
        {
            let message = format!("`in` is never true here: the items are {}", list.each());
            self.warn("", Code::NeverTrue, message, near(left.1, &list.each()));
        }
    }

    fn never_equal(&mut self, operator: Operator, left: Side<'_>, right: Side<'_>) -> bool {
        let (a, b) = (left.1, right.1);
        if !disjoint(a, b) || self.is_hindsight(left.0) || self.is_hindsight(right.0) {
            return false;
        }
        let always = operator == Operator::NotEqual;
        let message = format!("`{}` is always {always} here: {a} is never {b}", operator.sign());
        if matches!(left.0, Node::Null) || matches!(right.0, Node::Null) {
            self.say("", Severity::Note, Code::NeverNull, message, None);
        } else {
            self.warn("", Code::NeverEqual, message, near(a, b).or_else(|| near(b, a)));
        }
        true
    }
}

/// Whether no value is in both.
fn disjoint(a: &Type, b: &Type) -> bool {
    if a.is_never() || b.is_never() || *a == Type::Unknown || *b == Type::Unknown {
        return false;
    }
    let common = a.possible().and(b.possible());
    // Whether two objects or lists are equal is not looked into.
    if !common.and(KindSet::LIST.or(KindSet::OBJECT)).is_empty() {
        return false;
    }
    a.intersection(b).is_never()
}

/// What a comparison of numbers gives, where their bounds decide it.
fn ordered_always(operator: Operator, a: &Type, b: &Type) -> Option<bool> {
    let number = |of: &Type| {
        let number = of.kinds().and_then(|kinds| kinds.number);
        number.filter(|_| of.possible() == KindSet::NUMBER)
    };
    let (a, b) = (number(a)?, number(b)?);
    let (less, greater) = (a.high < b.low, a.low > b.high);
    // Larger bounds may have been rounded to be equal.
    let equal = |a: f64, b: f64| a == b && a.abs() < 9_007_199_254_740_992.0;
    let not_greater = less || equal(a.high, b.low);
    let not_less = greater || equal(a.low, b.high);
    match operator {
        Operator::Less if less => Some(true),
        Operator::Less if not_less => Some(false),
        Operator::LessOrEqual if not_greater => Some(true),
        Operator::LessOrEqual if greater => Some(false),
        Operator::Greater if greater => Some(true),
        Operator::Greater if not_greater => Some(false),
        Operator::GreaterOrEqual if not_less => Some(true),
        Operator::GreaterOrEqual if less => Some(false),
        _ => None,
    }
}

/// The listed text that may have been meant.
fn near(written: &Type, known: &Type) -> Option<String> {
    let one = written.kinds()?.text.as_ref()?.choices.as_ref().filter(|texts| texts.len() == 1)?;
    let known = known.kinds()?.text.as_ref()?.choices.as_ref()?;
    did_you_mean(one.first()?, known.iter().map(|text| &**text))
}

fn calculated(a: &Type, b: &Type) -> Type {
    let whole = |of: &Type| of.kinds().and_then(|kinds| kinds.number).is_some_and(|n| n.whole);
    Type::number(Numbers { whole: whole(a) && whole(b), ..Numbers::any(Sure::Some) })
}
