//! Functions: what they take, and what they give.

use super::super::functions::{Function, SIGNATURES};
use super::super::node::Node;
use super::One;
use crate::definition::Code;
use crate::typing::{KindSet, Lists, Numbers, Sure, Texts, Type};

impl One<'_, '_> {
    pub(super) fn call(&mut self, function: Function, arguments: &[Node]) -> Type {
        let given: Vec<Type> = arguments.iter().map(|argument| self.infer(argument)).collect();
        if function == Function::Contains
            && given.first().is_some_and(|of| of.possible() == KindSet::LIST)
        {
            let message = "`contains` needs text, not a list".to_owned();
            let hint = "of a list ask `value in list`".to_owned();
            self.error("", Code::WrongType, message, Some(hint));
            return Type::bool();
        }
        let name = SIGNATURES.iter().find(|s| s.function == function).map_or("?", |s| s.name);
        let who = format!("`{name}`");
        for (position, (of, node)) in given.iter().zip(arguments).enumerate() {
            self.expect(of, takes(function, position), node, &who);
        }
        if let (Function::Join, Some(list)) = (function, given.first().and_then(Type::as_list))
            && list.min > 0
            && list.each().possible().and(KindSet::TEXT).is_empty()
        {
            let message = format!("`join` needs a list of text, not of {}", list.each());
            self.error("", Code::WrongType, message, None);
        }
        let text = || Type::text(Texts::any(Sure::Some));
        match function {
            Function::Size => size(&given),
            Function::Contains
            | Function::StartsWith
            | Function::EndsWith
            | Function::Matches
            | Function::ToBool => Type::bool(),
            Function::ToText
            | Function::LowerAscii
            | Function::UpperAscii
            | Function::Trim
            | Function::Join
            | Function::Replace => text(),
            Function::ToInt => Type::number(Numbers::whole(Sure::Some)),
            Function::ToUint => Type::number(Numbers { low: 0.0, ..Numbers::whole(Sure::Some) }),
            Function::ToDouble => Type::number(Numbers::any(Sure::Some)),
            Function::Dyn => Type::Unknown,
            Function::Split => Type::list(Lists::of(text(), Sure::Some)),
        }
    }
}

const fn takes(function: Function, position: usize) -> KindSet {
    match (function, position) {
        (Function::Size, _) => KindSet::TEXT.or(KindSet::LIST).or(KindSet::OBJECT),
        (Function::ToText, _) => KindSet::TEXT.or(KindSet::BOOL).or(KindSet::NUMBER),
        (Function::ToInt | Function::ToUint | Function::ToDouble, _) => {
            KindSet::NUMBER.or(KindSet::TEXT)
        }
        (Function::ToBool, _) => KindSet::BOOL.or(KindSet::TEXT),
        (Function::Dyn, _) => KindSet::ALL,
        (Function::Join, 0) => KindSet::LIST,
        (
            Function::Contains
            | Function::StartsWith
            | Function::EndsWith
            | Function::Matches
            | Function::LowerAscii
            | Function::UpperAscii
            | Function::Trim
            | Function::Split
            | Function::Join
            | Function::Replace,
            _,
        ) => KindSet::TEXT,
    }
}

#[expect(clippy::cast_precision_loss, reason = "bounds are doubles")]
fn size(given: &[Type]) -> Type {
    let (low, high) = match given.first().and_then(Type::kinds) {
        Some(kinds) if kinds.possible() == KindSet::LIST => {
            kinds.list.as_ref().map_or((0, u64::MAX), |list| (list.min, list.max))
        }
        _ => (0, u64::MAX),
    };
    let high = if high == u64::MAX { f64::INFINITY } else { high as f64 };
    Type::number(Numbers { low: low as f64, high, ..Numbers::whole(Sure::Some) })
}
