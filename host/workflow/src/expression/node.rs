//! A CEL expression as it is evaluated: names resolved to slots and locals.

use std::sync::Arc;

use regex::Regex;

use super::functions::Function;

/// One expression.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) root: Node,
    /// As written, for messages.
    pub(super) source: Box<str>,
    /// Each slot that it names, once.
    pub(super) slots: Vec<usize>,
}

impl Program {
    pub(super) fn slots(&self) -> impl Iterator<Item = usize> {
        self.slots.iter().copied()
    }

    /// The expression on one line, not too long.
    pub(super) fn shown(&self) -> String {
        let line = self.source.split_whitespace().collect::<Vec<_>>().join(" ");
        match line.char_indices().nth(80) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line,
        }
    }

    pub(super) fn failed(&self, message: String) -> super::Error {
        super::Error::Failed { expression: self.shown(), message }
    }
}

/// A node's depth below its root is at most [`super::EXPRESSION_DEPTH_MAX`].
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Arc<str>),
    Slot(usize),
    HasSlot(usize),
    /// The variable of the comprehension that is this many from the outermost.
    Local(usize),
    Field {
        of: Box<Self>,
        name: Box<str>,
    },
    HasField {
        of: Box<Self>,
        name: Box<str>,
    },
    Index {
        of: Box<Self>,
        index: Box<Self>,
    },
    List(Vec<Self>),
    Map(Vec<(Self, Self)>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Negate(Box<Self>),
    If {
        condition: Box<Self>,
        then: Box<Self>,
        otherwise: Box<Self>,
    },
    Binary {
        operator: Operator,
        left: Box<Self>,
        right: Box<Self>,
    },
    /// A method's receiver is the first argument.
    Call {
        function: Function,
        arguments: Vec<Self>,
    },
    /// `matches` with a pattern that is known when the definition is read.
    Matches {
        text: Box<Self>,
        pattern: Box<Regex>,
    },
    Loop(Box<Loop>),
}

/// `list.exists(x, …)` and its like.
#[derive(Debug)]
pub(super) struct Loop {
    /// The variable's name, for messages.
    pub(super) variable: Box<str>,
    pub(super) kind: LoopKind,
    pub(super) range: Node,
    /// Of `map` with three arguments.
    pub(super) filter: Option<Node>,
    pub(super) body: Node,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoopKind {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}

impl Operator {
    /// As it is written.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
        }
    }
}
