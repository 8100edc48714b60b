//! Fields and items: what is there, may be missing, or cannot be.

use super::super::access::quoted;
use super::super::lookup::{Segment, push_segment};
use super::super::node::Node;
use super::{Base, One};
use crate::definition::{Code, Severity, did_you_mean};
use crate::typing::{KindSet, Objects, Presence, Rest, Sure, Type, kind_words};

/// Names that a hint lists.
const LISTED_NAMES_MAX: usize = 8;

impl One<'_, '_> {
    /// The path that a node is, if it is one.
    pub(super) fn path_of(&self, node: &Node) -> Option<(Base, Vec<Segment>)> {
        match node {
            Node::Slot(slot) | Node::HasSlot(slot) => {
                let slot = self.plan.slots.get(*slot)?;
                let root = self.plan.roots.get(slot.root)?.root.clone();
                Some((Base::Root(root), slot.path.clone()))
            }
            Node::Local(local) => Some((Base::Local(*local), Vec::new())),
            Node::Field { of, name } | Node::HasField { of, name } => {
                let (base, mut path) = self.path_of(of)?;
                path.push(Segment::Field(name.clone()));
                Some((base, path))
            }
            Node::Index { of, index } => {
                let segment = match &**index {
                    Node::Text(name) => Segment::Field((&**name).into()),
                    Node::Int(position) => Segment::Item(usize::try_from(*position).ok()?),
                    _ => return None,
                };
                let (base, mut path) = self.path_of(of)?;
                path.push(segment);
                Some((base, path))
            }
            _ => None,
        }
    }

    /// What is found there, with everything reported that may go wrong on the way.
    pub(super) fn follow(&mut self, node: &Node, base: &Base, path: &[Segment]) -> Type {
        let (mut value, mut shown) = self.begin(node, base);
        for segment in path {
            if value == Type::Unknown {
                return value;
            }
            value = self.access(&value, segment, &shown);
            push_segment(&mut shown, segment);
        }
        value
    }

    /// The same without a report; `None`: it is certainly not there.
    pub(super) fn peek(&self, node: &Node, base: &Base, path: &[Segment]) -> Option<Type> {
        let (mut value, _) = self.begin(node, base);
        for segment in path {
            value = match (&value, segment) {
                (Type::Unknown, _) => return Some(Type::Unknown),
                (Type::Known(kinds), Segment::Field(name)) => {
                    let object = kinds.object.as_ref()?;
                    let field = object.field(name);
                    field.map_or_else(|| object.rest.value(), |field| field.value.clone())
                }
                (Type::Known(kinds), Segment::Item(position)) => {
                    let list = kinds.list.as_ref()?;
                    if list.max <= *position as u64 {
                        return None;
                    }
                    list.item_at(*position).clone()
                }
            };
            if value.is_never() {
                return None;
            }
        }
        Some(value)
    }

    /// A root's or variable's type with what is known of it, and its name.
    fn begin(&self, node: &Node, base: &Base) -> (Type, String) {
        let value = match base {
            Base::Root(root) => (self.all.roots)(root),
            Base::Local(local) => {
                self.locals.get(*local).map_or(Type::Unknown, |(of, _)| of.clone())
            }
        };
        let known = self.all.known.iter().filter(|known| known.base == *base);
        let value = known.fold(value, |value, known| value.refined(&known.path, known.fact));
        let name = match (base, innermost(node)) {
            (Base::Local(local), _) => self.locals.get(*local).map_or("", |(_, name)| name),
            (Base::Root(_), Node::Slot(slot) | Node::HasSlot(slot)) => {
                self.plan.slots.get(*slot).map_or("", |slot| &slot.root_name)
            }
            (Base::Root(_), _) => "the value",
        };
        (value, name.to_owned())
    }

    /// One step of a path.
    pub(super) fn access(&mut self, of: &Type, segment: &Segment, shown: &str) -> Type {
        self.all.work += 1;
        match segment {
            Segment::Field(name) => self.field(of, name, shown),
            Segment::Item(position) => self.item(of, *position, shown),
        }
    }

    fn field(&mut self, of: &Type, name: &str, shown: &str) -> Type {
        let Type::Known(kinds) = of else { return Type::Unknown };
        if of.is_never() {
            return Type::never();
        }
        let mut at = shown.to_owned();
        push_segment(&mut at, &Segment::Field(name.into()));
        let Some(object) = &kinds.object else {
            let found = kind_words(of.possible());
            let hint = (of.possible() == KindSet::LIST).then(|| {
                format!(
                    "of all items: `{shown}.map(item, item.{name})`; of one: `{shown}[0].{name}`"
                )
            });
            let message = format!("`{shown}` is {found}, and has no field `{}`", quoted(name));
            self.error(&at, Code::WrongType, message, hint);
            return Type::Unknown;
        };
        self.may_be_other(of, KindSet::OBJECT, shown, &at, "no fields");
        match object.field(name) {
            Some(field) if !field.value.is_never() => {
                let sure = object.sure >= Sure::Some && !kinds.untyped;
                if field.presence == Presence::Optional && sure {
                    let message = format!("`{at}` may be missing");
                    let hint = format!("`has({at}) ? {at} : …`");
                    self.warn(&at, Code::MayBeMissing, message, Some(hint));
                }
                field.value.clone()
            }
            found => self.unlisted(object, found.is_some(), name, (shown, &at)),
        }
    }

    /// A field that the schema does not name.
    fn unlisted(
        &mut self,
        object: &Objects,
        excluded: bool,
        name: &str,
        (shown, at): (&str, &str),
    ) -> Type {
        let names = || object.fields.iter().filter(|f| !f.value.is_never()).map(|f| &*f.name);
        let near = did_you_mean(name, names());
        let message = format!("`{shown}` has no `{}`", quoted(name));
        match &object.rest {
            Rest::Allowed(value) if !excluded => return value.clone(),
            Rest::Open if !excluded && near.is_none() => {
                if names().next().is_some() && object.sure >= Sure::Some {
                    let message = format!("{message} that its schema names");
                    self.warn(at, Code::UnlistedField, message, listed(names()));
                }
                return Type::Unknown;
            }
            Rest::Closed | Rest::Open | Rest::Allowed(_) => {}
        }
        self.error(at, Code::UnknownField, message, near.or_else(|| listed(names())));
        Type::Unknown
    }

    fn item(&mut self, of: &Type, position: usize, shown: &str) -> Type {
        let Type::Known(kinds) = of else { return Type::Unknown };
        if of.is_never() {
            return Type::never();
        }
        let at = format!("{shown}[{position}]");
        let Some(list) = &kinds.list else {
            let message = format!("`{shown}` is {}, and has no items", kind_words(of.possible()));
            self.error(&at, Code::WrongType, message, None);
            return Type::Unknown;
        };
        self.may_be_other(of, KindSet::LIST, shown, &at, "no items");
        if list.max <= position as u64 {
            let message = format!("`{shown}` has no item {position}: it has at most {}", list.max);
            self.error(&at, Code::UnknownItem, message, None);
            return Type::Unknown;
        }
        if list.min <= position as u64 && list.sure == Sure::Exactly && !kinds.untyped {
            let hint = format!("`size({shown}) > {position} ? {at} : …`");
            let message = format!("`{shown}` may have no item {position}");
            self.say(&at, Severity::Note, Code::MayBeMissingItem, message, Some(hint));
        }
        list.item_at(position).clone()
    }

    /// Says that a value may be of a kind that does not have what is asked of it.
    fn may_be_other(&mut self, of: &Type, wanted: KindSet, shown: &str, at: &str, has: &str) {
        let others = of.certain().without(wanted);
        if others.is_empty() {
            return;
        }
        let found = kind_words(others);
        let only_null = others == KindSet::NULL;
        let code = if only_null { Code::MayBeNull } else { Code::MayBeWrongType };
        let hint = only_null.then(|| format!("test it before: `{shown} != null`"));
        self.warn(at, code, format!("`{shown}` may be {found}, which has {has}"), hint);
    }
}

fn innermost(node: &Node) -> &Node {
    match node {
        Node::Field { of, .. } | Node::HasField { of, .. } | Node::Index { of, .. } => {
            innermost(of)
        }
        other => other,
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut names: Vec<&str> = names.take(LISTED_NAMES_MAX + 1).collect();
    if names.is_empty() {
        return None;
    }
    if names.len() > LISTED_NAMES_MAX {
        names.truncate(LISTED_NAMES_MAX);
        names.push("…");
    }
    Some(format!("it has {}", names.join(", ")))
}
