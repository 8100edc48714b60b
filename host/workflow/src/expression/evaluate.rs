//! Walking an expression's nodes, with every step counted.

use super::access;
use super::cost;
use super::evaluation::Evaluation;
use super::node::{Loop, LoopKind, Node, Operator, Program};
use super::value::{List, Map, Text, Value};
use super::{BUILT_BYTES_MAX, COST_MAX, Error};

/// Why a node gave nothing.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// `false && …` and its like may make it irrelevant.
    Failed(String),
    /// A bound: ends the evaluation whatever stands around it.
    Fatal(Error),
}

pub(super) type Outcome<'e> = Result<Value<'e>, Fault>;

/// Bytes that a list or map takes for each of its parts.
const PART_BYTES: usize = std::mem::size_of::<Value<'_>>();

/// What is charged for a message that names what was there instead.
const MESSAGE_COST: u64 = 50;

pub(super) struct Evaluator<'e> {
    evaluation: &'e Evaluation<'e>,
    program: &'e Program,
    locals: Vec<Value<'e>>,
    cost: u64,
    built_bytes: usize,
}

impl<'e> Evaluator<'e> {
    pub(super) const fn new(evaluation: &'e Evaluation<'e>, program: &'e Program) -> Self {
        Self { evaluation, program, locals: Vec::new(), cost: 0, built_bytes: 0 }
    }

    /// Estimates, then evaluates.
    pub(super) fn run(mut self) -> Result<Value<'e>, Error> {
        let estimate = cost::estimate(self.evaluation, &self.program.root)?;
        if estimate > COST_MAX {
            return Err(self.too_costly(estimate));
        }
        self.value(&self.program.root).map_err(|fault| match fault {
            Fault::Failed(message) => self.program.failed(message),
            Fault::Fatal(error) => error,
        })
    }

    fn too_costly(&self, estimate: u64) -> Error {
        Error::TooCostly { expression: self.program.shown(), estimate, limit: COST_MAX }
    }

    /// Counts work beyond a node's own.
    pub(super) fn work(&mut self, units: u64) -> Result<(), Fault> {
        self.cost = self.cost.saturating_add(units);
        if self.cost > COST_MAX {
            return Err(Fault::Fatal(self.too_costly(self.cost)));
        }
        Ok(())
    }

    /// Counts memory, before it is taken.
    pub(super) fn build(&mut self, bytes: usize) -> Result<(), Fault> {
        self.built_bytes = self.built_bytes.saturating_add(bytes);
        if self.built_bytes > BUILT_BYTES_MAX {
            let what = format!("what `{}` builds", self.program.shown());
            return Err(Fault::Fatal(Error::TooLarge { what, limit: BUILT_BYTES_MAX }));
        }
        self.work(bytes as u64 / 64)
    }

    fn failed<T>(&mut self, message: String) -> Result<T, Fault> {
        self.work(MESSAGE_COST)?;
        Err(Fault::Failed(message))
    }

    pub(super) fn value(&mut self, node: &'e Node) -> Outcome<'e> {
        self.work(1)?;
        match node {
            Node::Null => Ok(Value::Null),
            Node::Bool(value) => Ok(Value::Bool(*value)),
            Node::Int(value) => Ok(Value::Int(*value)),
            Node::Uint(value) => Ok(Value::Uint(*value)),
            Node::Double(value) => Ok(Value::Double(*value)),
            Node::Text(text) => Ok(Value::Text(Text::Borrowed(text))),
            Node::Slot(slot) => self.slot(*slot),
            Node::HasSlot(slot) => {
                self.evaluation.has(*slot).map(Value::Bool).map_err(Fault::Fatal)
            }
            Node::Local(local) => self
                .locals
                .get(*local)
                .cloned()
                .ok_or_else(|| Fault::Failed("a variable has no value".to_owned())),
            Node::Field { of, name } => self.field(of, name),
            Node::HasField { of, name } => self.has_field(of, name),
            Node::Index { of, index } => self.index(of, index),
            Node::List(items) => {
                self.build(items.len() * PART_BYTES)?;
                let items = items.iter().map(|item| self.value(item));
                Ok(Value::list(items.collect::<Result<_, _>>()?))
            }
            Node::Map(entries) => self.map(entries),
            Node::And(left, right) => self.logical(left, right, false),
            Node::Or(left, right) => self.logical(left, right, true),
            Node::Not(of) => Ok(Value::Bool(!self.bool(of, "`!`")?)),
            Node::Negate(of) => self.negate(of),
            Node::If { condition, then, otherwise } => {
                let chosen = if self.bool(condition, "`?`")? { then } else { otherwise };
                self.value(chosen)
            }
            Node::Binary { operator, left, right } => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.binary(*operator, &left, &right)
            }
            Node::Call { function, arguments } => {
                let arguments = arguments.iter().map(|argument| self.value(argument));
                let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
                self.call(*function, &arguments)
            }
            Node::Matches { text, pattern } => {
                let text = self.value(text)?;
                self.matches(&text, pattern)
            }
            Node::Loop(a_loop) => self.run_loop(a_loop),
        }
    }

    fn slot(&mut self, slot: usize) -> Outcome<'e> {
        match self.evaluation.tree(slot) {
            Ok(tree) => Ok(Value::of(tree)),
            Err(Error::Missing { message }) => self.failed(message),
            Err(other) => Err(Fault::Fatal(other)),
        }
    }

    /// A boolean, or a failure that names who wants it.
    fn bool(&mut self, node: &'e Node, who: &str) -> Result<bool, Fault> {
        match self.value(node)? {
            Value::Bool(value) => Ok(value),
            other => self.failed(format!("{who} needs true or false, not {}", other.kind())),
        }
    }

    /// `&&` and `||`: a side that decides hides a failure of the other.
    fn logical(&mut self, left: &'e Node, right: &'e Node, deciding: bool) -> Outcome<'e> {
        let who = if deciding { "`||`" } else { "`&&`" };
        let left = match self.bool(left, who) {
            Ok(value) if value == deciding => return Ok(Value::Bool(deciding)),
            Err(Fault::Fatal(error)) => return Err(Fault::Fatal(error)),
            other => other,
        };
        let right = self.bool(right, who)?;
        if right == deciding {
            return Ok(Value::Bool(deciding));
        }
        left.map(Value::Bool)
    }

    fn field(&mut self, of: &'e Node, name: &'e str) -> Outcome<'e> {
        let value = self.value(of)?;
        let Value::Map(map) = &value else {
            return self.failed(format!("{} has no field `{name}`", value.kind()));
        };
        match map.get(name) {
            Some(value) => Ok(value),
            None => self.missing_key(map, name),
        }
    }

    fn missing_key(&mut self, map: &Map<'e>, name: &str) -> Outcome<'e> {
        let keys: Vec<Text<'e>> = map.iter().map(|(key, _)| key).take(100).collect();
        let message = access::missing_field("the object", name, keys.iter().map(Text::as_str));
        self.failed(message)
    }

    /// Null has no fields, so that the result of a skipped step can be asked.
    fn has_field(&mut self, of: &'e Node, name: &str) -> Outcome<'e> {
        match self.value(of)? {
            Value::Map(map) => Ok(Value::Bool(map.get(name).is_some())),
            Value::Null => Ok(Value::Bool(false)),
            other => self.failed(format!("{} has no fields, `{name}` is asked", other.kind())),
        }
    }

    fn index(&mut self, of: &'e Node, index: &'e Node) -> Outcome<'e> {
        let (value, index) = (self.value(of)?, self.value(index)?);
        match (&value, &index) {
            (Value::Map(map), Value::Text(name)) => match map.get(name.as_str()) {
                Some(value) => Ok(value),
                None => self.missing_key(map, name.as_str()),
            },
            (Value::List(list), index) if index.as_double().is_some() => {
                let position = as_position(index);
                match position.and_then(|position| list.get(position)) {
                    Some(value) => Ok(value),
                    None => {
                        let index = index.as_double().unwrap_or(f64::NAN);
                        self.failed(access::missing_item("the list", index, list.len()))
                    }
                }
            }
            _ => self.failed(format!("{} cannot be indexed by {}", value.kind(), index.kind())),
        }
    }

    fn map(&mut self, entries: &'e [(Node, Node)]) -> Outcome<'e> {
        self.build(entries.len() * 2 * PART_BYTES)?;
        let mut map: Vec<(Text<'e>, Value<'e>)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let key = match self.value(key)? {
                Value::Text(key) => key,
                other => return self.failed(format!("a key must be text, not {}", other.kind())),
            };
            self.work(map.len() as u64 / 16)?;
            if map.iter().any(|(known, _)| known.as_str() == key.as_str()) {
                let key = access::quoted(key.as_str());
                return self.failed(format!("key `{key}` is there twice"));
            }
            let value = self.value(value)?;
            map.push((key, value));
        }
        Ok(Value::Map(Map::Built(map.into())))
    }

    fn binary(&mut self, operator: Operator, left: &Value<'e>, right: &Value<'e>) -> Outcome<'e> {
        match operator {
            Operator::Equal => self.equal(left, right).map(Value::Bool),
            Operator::NotEqual => self.equal(left, right).map(|equal| Value::Bool(!equal)),
            Operator::In => self.contains(right, left),
            Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual => self.ordered(operator, left, right),
            Operator::Add
            | Operator::Subtract
            | Operator::Multiply
            | Operator::Divide
            | Operator::Remainder => self.arithmetic(operator, left, right),
        }
    }

    fn equal(&mut self, left: &Value<'e>, right: &Value<'e>) -> Result<bool, Fault> {
        left.equals(right, &mut |units| self.work(units))
    }

    /// `value in container`.
    fn contains(&mut self, container: &Value<'e>, value: &Value<'e>) -> Outcome<'e> {
        match (container, value) {
            (Value::List(list), value) => {
                for item in list.iter() {
                    if self.equal(&item, value)? {
                        return Ok(Value::Bool(true));
                    }
                }
                Ok(Value::Bool(false))
            }
            (Value::Map(map), Value::Text(key)) => Ok(Value::Bool(map.get(key.as_str()).is_some())),
            (Value::Map(_), _) => Ok(Value::Bool(false)),
            (Value::Text(_), _) => {
                self.failed("`in` needs a list or an object: of text ask `.contains(…)`".to_owned())
            }
            _ => self.failed(format!("`in` needs a list or an object, not {}", container.kind())),
        }
    }

    fn run_loop(&mut self, a_loop: &'e Loop) -> Outcome<'e> {
        let range = match self.value(&a_loop.range)? {
            Value::List(list) => list,
            Value::Map(map) => {
                self.build(map.len() * PART_BYTES)?;
                let keys = map.iter().map(|(key, _)| Value::Text(key)).collect();
                List::Built(std::rc::Rc::new(keys))
            }
            other => {
                let message = format!("{} cannot be gone through", other.kind());
                return self.failed(message);
            }
        };
        let depth = self.locals.len();
        let result = match a_loop.kind {
            LoopKind::All => self.decide(a_loop, &range, false),
            LoopKind::Exists => self.decide(a_loop, &range, true),
            LoopKind::ExistsOne => self.exists_one(a_loop, &range),
            LoopKind::Filter => self.filter(a_loop, &range),
            LoopKind::Map => self.map_list(a_loop, &range),
        };
        self.locals.truncate(depth);
        result
    }

    /// Evaluates a node with the loop's variable set.
    fn with(&mut self, item: Value<'e>, node: &'e Node) -> Outcome<'e> {
        self.locals.push(item);
        let value = self.value(node);
        self.locals.pop();
        value
    }

    fn holds(&mut self, item: Value<'e>, node: &'e Node) -> Result<bool, Fault> {
        match self.with(item, node)? {
            Value::Bool(value) => Ok(value),
            other => {
                self.failed(format!("the condition must be true or false, not {}", other.kind()))
            }
        }
    }

    /// `all` and `exists`: an item that decides hides failures of others.
    fn decide(&mut self, a_loop: &'e Loop, range: &List<'e>, deciding: bool) -> Outcome<'e> {
        let mut failure = None;
        for item in range.iter() {
            match self.holds(item, &a_loop.body) {
                Ok(value) if value == deciding => return Ok(Value::Bool(deciding)),
                Ok(_) => {}
                Err(Fault::Failed(message)) => failure = failure.or(Some(message)),
                Err(fatal) => return Err(fatal),
            }
        }
        failure.map_or(Ok(Value::Bool(!deciding)), |message| Err(Fault::Failed(message)))
    }

    fn exists_one(&mut self, a_loop: &'e Loop, range: &List<'e>) -> Outcome<'e> {
        let mut found = 0_usize;
        for item in range.iter() {
            found += usize::from(self.holds(item, &a_loop.body)?);
        }
        Ok(Value::Bool(found == 1))
    }

    fn filter(&mut self, a_loop: &'e Loop, range: &List<'e>) -> Outcome<'e> {
        let mut kept = Vec::new();
        for item in range.iter() {
            if self.holds(item.clone(), &a_loop.body)? {
                self.build(PART_BYTES)?;
                kept.push(item);
            }
        }
        Ok(Value::list(kept))
    }

    fn map_list(&mut self, a_loop: &'e Loop, range: &List<'e>) -> Outcome<'e> {
        let mut results = Vec::new();
        for item in range.iter() {
            if let Some(filter) = &a_loop.filter
                && !self.holds(item.clone(), filter)?
            {
                continue;
            }
            self.build(PART_BYTES)?;
            results.push(self.with(item, &a_loop.body)?);
        }
        Ok(Value::list(results))
    }
}

/// A list's position: a whole number, also where JSON wrote it as `1.0`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked before"
)]
fn as_position(index: &Value<'_>) -> Option<usize> {
    match index {
        Value::Double(value) if value.fract() == 0.0 && (0.0..1e15).contains(value) => {
            Some(*value as usize)
        }
        other => usize::try_from(other.as_whole()?).ok(),
    }
}
