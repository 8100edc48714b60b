//! The nodes of an expression: literals, fields, conditions and loops.

use std::sync::Arc;

use super::super::lookup::{Segment, push_segment};
use super::super::node::{Loop, LoopKind, Node};
use super::{Base, One};
use crate::definition::Code;
use crate::typing::{KindSet, Lists, May, Numbers, Objects, Sure, Texts, Type, kind_words};

impl One<'_, '_> {
    pub(super) fn infer(&mut self, node: &Node) -> Type {
        self.all.work += 1;
        match node {
            Node::Null => Type::null(),
            Node::Bool(value) => Type::this_bool(*value),
            #[expect(clippy::cast_precision_loss, reason = "bounds are doubles")]
            Node::Int(value) => Type::this_number(*value as f64),
            #[expect(clippy::cast_precision_loss, reason = "bounds are doubles")]
            Node::Uint(value) => Type::this_number(*value as f64),
            Node::Double(value) => Type::this_number(*value),
            Node::Text(text) => Type::this_text(text),
            Node::HasSlot(_) => self.has(node),
            Node::HasField { of, .. } => {
                let value = self.infer(of);
                self.expect(&value, KindSet::OBJECT.or(KindSet::NULL), of, "`has`");
                self.has(node)
            }
            Node::Slot(_) | Node::Local(_) | Node::Field { .. } | Node::Index { .. } => {
                self.path_or_part(node)
            }
            Node::List(items) => Type::these(items.iter().map(|item| self.infer(item)).collect()),
            Node::Map(entries) => self.map(entries),
            Node::And(left, right) => self.logical(left, right, false),
            Node::Or(left, right) => self.logical(left, right, true),
            Node::Not(of) => {
                let value = self.infer(of);
                self.expect(&value, KindSet::BOOL, of, "`!`");
                fixed(&value).map_or_else(Type::bool, |value| Type::this_bool(!value))
            }
            Node::Negate(of) => {
                let value = self.infer(of);
                self.expect(&value, KindSet::NUMBER, of, "`-`");
                let whole = value.kinds().and_then(|k| k.number).is_some_and(|n| n.whole);
                Type::number(Numbers { whole, ..Numbers::any(Sure::Some) })
            }
            Node::If { condition, then, otherwise } => self.choice(condition, then, otherwise),
            Node::Binary { operator, left, right } => {
                let (a, b) = (self.infer(left), self.infer(right));
                self.binary(*operator, (left, &a), (right, &b))
            }
            Node::Call { function, arguments } => self.call(*function, arguments),
            Node::Matches { text, .. } => {
                let value = self.infer(text);
                self.expect(&value, KindSet::TEXT, text, "`matches`");
                Type::bool()
            }
            Node::Loop(a_loop) => self.run_loop(a_loop),
        }
    }

    fn path_or_part(&mut self, node: &Node) -> Type {
        if let Some((base, path)) = self.path_of(node) {
            return self.follow(node, &base, &path);
        }
        match node {
            Node::Field { of, name } => {
                let value = self.infer(of);
                self.access(&value, &Segment::Field(name.clone()), "the value")
            }
            Node::Index { of, index } => self.index(of, index),
            _ => Type::Unknown,
        }
    }

    fn index(&mut self, of: &Node, index: &Node) -> Type {
        let (value, by) = (self.infer(of), self.infer(index));
        let (kinds, by) = (value.possible(), by.possible());
        let fits =
            |of: KindSet, with: KindSet| !kinds.and(of).is_empty() && !by.and(with).is_empty();
        let known = !kinds.is_empty() && !by.is_empty();
        if known && !fits(KindSet::LIST, KindSet::NUMBER) && !fits(KindSet::OBJECT, KindSet::TEXT) {
            let message = format!("{} cannot be indexed by {}", kind_words(kinds), kind_words(by));
            self.error("", Code::WrongType, message, None);
            return Type::Unknown;
        }
        self.expect(&value, KindSet::LIST.or(KindSet::OBJECT), of, "`[…]`");
        match (value.as_list(), value.as_object()) {
            (Some(list), None) => list.each(),
            _ => Type::Unknown,
        }
    }

    fn has(&mut self, node: &Node) -> Type {
        let Some((base, path)) = self.path_of(node) else { return Type::bool() };
        if self.peek(node, &base, &path).is_some() {
            return Type::bool();
        }
        // What may have been meant is found by looking without `has`.
        let before = self.all.found.len();
        self.follow(node, &base, &path);
        let hint = self.all.found.drain(before..).next_back().and_then(|problem| problem.hint);
        self.warn("", Code::NeverTrue, "`has(…)` is never true here".to_owned(), hint);
        Type::this_bool(false)
    }

    fn map(&mut self, entries: &[(Node, Node)]) -> Type {
        let mut fields = Vec::with_capacity(entries.len());
        let mut listed = true;
        for (key, value) in entries {
            let name = self.infer(key);
            self.expect(&name, KindSet::TEXT, key, "a key");
            let value = self.infer(value);
            match key {
                Node::Text(name) => fields.push((Arc::clone(name), value)),
                _ => listed = false,
            }
        }
        if listed { Type::with_fields(fields) } else { Type::object(Objects::any(Sure::Some)) }
    }

    /// `&&` and `||`: one side counts only where the other does not decide, whatever its order.
    fn logical(&mut self, left: &Node, right: &Node, deciding: bool) -> Type {
        let who = if deciding { "`||`" } else { "`&&`" };
        let (of_left, of_right) = (self.known_if(left, !deciding), self.known_if(right, !deciding));
        let before = self.all.found.len();
        let a = self.infer_in_hindsight(left, of_right);
        let between = self.all.found.len();
        let b = self.infer_knowing(right, of_left);
        // Where one side decides, what the other gives does not count, even if it fails.
        if fixed(&a) == Some(deciding) {
            self.all.found.truncate(between);
        }
        if fixed(&b) == Some(deciding) {
            self.all.found.drain(before..between);
        }
        self.expect(&a, KindSet::BOOL, left, who);
        self.expect(&b, KindSet::BOOL, right, who);
        match (fixed(&a), fixed(&b)) {
            (Some(value), _) | (_, Some(value)) if value == deciding => Type::this_bool(deciding),
            (Some(_), Some(_)) => Type::this_bool(!deciding),
            _ => Type::bool(),
        }
    }

    fn choice(&mut self, condition: &Node, then: &Node, otherwise: &Node) -> Type {
        let value = self.infer(condition);
        self.expect(&value, KindSet::BOOL, condition, "`?`");
        let (if_true, if_false) = (self.known_if(condition, true), self.known_if(condition, false));
        let decided = fixed(&value);
        // A part that is never evaluated is not wrong.
        let mut branch = |node: &Node, known, wanted: bool| {
            let before = self.all.found.len();
            let of = self.infer_knowing(node, known);
            if decided == Some(!wanted) {
                self.all.found.truncate(before);
            }
            of
        };
        let a = branch(then, if_true, true);
        let b = branch(otherwise, if_false, false);
        match decided {
            Some(true) => a,
            Some(false) => b,
            None => a.union(&b),
        }
    }

    fn run_loop(&mut self, a_loop: &Loop) -> Type {
        let range = self.infer(&a_loop.range);
        let who = match a_loop.kind {
            LoopKind::All => "`all`",
            LoopKind::Exists => "`exists`",
            LoopKind::ExistsOne => "`exists_one`",
            LoopKind::Filter => "`filter`",
            LoopKind::Map => "`map`",
        };
        self.expect(&range, KindSet::LIST.or(KindSet::OBJECT), &a_loop.range, who);
        let keys = Type::text(Texts::any(Sure::Some));
        let (item, min, max) = match (range.as_list(), range.as_object()) {
            (Some(list), None) => (list.each(), list.min, list.max),
            (None, Some(_)) => (keys, 0, u64::MAX),
            _ => (Type::Unknown, 0, u64::MAX),
        };
        let local = self.locals.len();
        self.locals.push((item.clone(), a_loop.variable.clone()));
        let before = self.all.known.len();
        if let Some(filter) = &a_loop.filter {
            let value = self.infer(filter);
            self.expect(&value, KindSet::BOOL, filter, "the condition of `map`");
            let known = self.known_if(filter, true);
            self.all.known.extend(known);
        }
        let body = self.infer(&a_loop.body);
        self.all.known.truncate(before);
        if a_loop.kind != LoopKind::Map {
            self.expect(&body, KindSet::BOOL, &a_loop.body, who);
        }
        let of = match a_loop.kind {
            LoopKind::All | LoopKind::Exists | LoopKind::ExistsOne => Type::bool(),
            LoopKind::Filter => {
                let item = self.refined_item(&item, local, &a_loop.body);
                Type::list(Lists { max, ..Lists::of(item, Sure::Some) })
            }
            LoopKind::Map => {
                let min = if a_loop.filter.is_some() { 0 } else { min };
                Type::list(Lists { min, max, ..Lists::of(body, Sure::Some) })
            }
        };
        self.locals.pop();
        // A later variable may have this one's number.
        self.all.known.retain(|known| !matches!(known.base, Base::Local(at) if at >= local));
        of
    }

    /// Reports a value that is not, or may not be, of the kinds that something needs.
    pub(super) fn expect(&mut self, of: &Type, allowed: KindSet, node: &Node, who: &str) {
        if of.is_never() {
            return;
        }
        let written = self.written(node);
        let at = written.as_deref();
        let wanted = kind_words(allowed);
        if of.possible().and(allowed).is_empty() {
            let found = kind_words(of.possible());
            let hint = wrong_kind_hint(of.possible(), allowed, at);
            let message = format!("{who} needs {wanted}, not {found}");
            return self.error(at.unwrap_or(""), Code::WrongType, message, hint);
        }
        let others = of.certain().without(allowed);
        if !others.is_empty() {
            let found = kind_words(others);
            let what = at.map_or_else(|| "it".to_owned(), |at| format!("`{at}`"));
            let only_null = others == KindSet::NULL;
            let code = if only_null { Code::MayBeNull } else { Code::MayBeWrongType };
            let hint = at.filter(|_| only_null).map(|at| format!("test it before: `{at} != null`"));
            let message = format!("{who} needs {wanted}, and {what} may be {found}");
            self.warn(at.unwrap_or(""), code, message, hint);
        }
    }

    /// A path as the file has it.
    fn written(&self, node: &Node) -> Option<String> {
        match node {
            Node::Slot(slot) => {
                let slot = self.plan.slots.get(*slot)?;
                let mut written = slot.root_name.to_string();
                slot.path.iter().for_each(|part| push_segment(&mut written, part));
                Some(written)
            }
            Node::Local(local) => self.locals.get(*local).map(|(_, name)| name.to_string()),
            Node::Field { of, name } => {
                let mut written = self.written(of)?;
                push_segment(&mut written, &Segment::Field(name.clone()));
                Some(written)
            }
            _ => None,
        }
    }
}

fn wrong_kind_hint(found: KindSet, allowed: KindSet, at: Option<&str>) -> Option<String> {
    let at = at.unwrap_or("…");
    if found == KindSet::TEXT && !allowed.and(KindSet::LIST).is_empty() {
        return Some(format!("`{at}.split(\",\")` makes a list of text"));
    }
    if found == KindSet::TEXT && allowed == KindSet::NUMBER {
        return Some(format!("`double({at})` makes a number of text"));
    }
    (found == KindSet::NUMBER && allowed == KindSet::TEXT)
        .then(|| format!("`string({at})` makes text of a number"))
}

/// The only boolean that it can be.
pub(crate) fn fixed(of: &Type) -> Option<bool> {
    let kinds = of.kinds()?;
    (of.possible() == KindSet::BOOL).then_some(())?;
    match (kinds.falsehood, kinds.truth) {
        (May::No, _) => Some(true),
        (_, May::No) => Some(false),
        _ => None,
    }
}
