//! Arithmetic and order.
//!
//! One rule is wider than CEL's: JSON has one kind of number, so an operation on a whole
//! number and a double is done on doubles instead of failing.

use super::evaluate::{Evaluator, Fault, Outcome};
use super::node::{Node, Operator};
use super::value::{List, Value};

impl<'e> Evaluator<'e> {
    pub(super) fn negate(&mut self, of: &'e Node) -> Outcome<'e> {
        let negated = match self.value(of)? {
            Value::Int(value) => value.checked_neg().map(Value::Int),
            Value::Double(value) => Some(Value::Double(-value)),
            other => return Err(Fault::Failed(format!("`-` cannot negate {}", other.kind()))),
        };
        negated.ok_or_else(|| overflow("-"))
    }

    pub(super) fn ordered(
        &mut self,
        operator: Operator,
        left: &Value<'e>,
        right: &Value<'e>,
    ) -> Outcome<'e> {
        let Some(order) = left.compare(right) else {
            return Err(mismatch(operator, left, right, "compare"));
        };
        if let (Value::Text(left), Value::Text(right)) = (left, right) {
            self.work(left.as_str().len().min(right.as_str().len()) as u64 / 64)?;
        }
        Ok(Value::Bool(match operator {
            Operator::Less => order.is_lt(),
            Operator::LessOrEqual => order.is_le(),
            Operator::Greater => order.is_gt(),
            _ => order.is_ge(),
        }))
    }

    pub(super) fn arithmetic(
        &mut self,
        operator: Operator,
        left: &Value<'e>,
        right: &Value<'e>,
    ) -> Outcome<'e> {
        match (left, right) {
            (Value::Int(left), Value::Int(right)) => {
                whole(operator, (*left).into(), (*right).into()).and_then(|result| {
                    i64::try_from(result).map(Value::Int).map_err(|_| overflow(operator.sign()))
                })
            }
            (Value::Text(left), Value::Text(right)) if operator == Operator::Add => {
                let (left, right) = (left.as_str(), right.as_str());
                self.build(left.len() + right.len())?;
                Ok(Value::text([left, right].concat()))
            }
            (Value::List(left), Value::List(right)) if operator == Operator::Add => {
                self.join_lists(left, right)
            }
            _ => self.mixed(operator, left, right),
        }
    }

    /// Numbers of two kinds, or large ones.
    fn mixed(&self, operator: Operator, left: &Value<'e>, right: &Value<'e>) -> Outcome<'e> {
        if let (Some(a), Some(b)) = (left.as_whole(), right.as_whole()) {
            let result = whole(operator, a, b)?;
            // A number above 2^63 is unsigned in JSON; so is what is made with it.
            let unsigned = u64::try_from(result).map(Value::Uint);
            return unsigned
                .or_else(|_| i64::try_from(result).map(Value::Int))
                .map_err(|_| overflow(operator.sign()));
        }
        let (Some(a), Some(b)) = (left.as_double(), right.as_double()) else {
            return Err(mismatch(operator, left, right, "work on"));
        };
        match operator {
            Operator::Add => Ok(Value::Double(a + b)),
            Operator::Subtract => Ok(Value::Double(a - b)),
            Operator::Multiply => Ok(Value::Double(a * b)),
            Operator::Divide => Ok(Value::Double(a / b)),
            _ => Err(Fault::Failed("`%` needs whole numbers".to_owned())),
        }
    }

    fn join_lists(&mut self, left: &List<'e>, right: &List<'e>) -> Outcome<'e> {
        let parts = left.len() + right.len();
        self.work(parts as u64)?;
        self.build(parts * std::mem::size_of::<Value<'_>>())?;
        Ok(Value::list(left.iter().chain(right.iter()).collect()))
    }
}

/// Cannot overflow: both are 64-bit numbers.
fn whole(operator: Operator, left: i128, right: i128) -> Result<i128, Fault> {
    match operator {
        Operator::Add => Ok(left + right),
        Operator::Subtract => Ok(left - right),
        Operator::Multiply => left.checked_mul(right).ok_or_else(|| overflow("*")),
        Operator::Divide | Operator::Remainder if right == 0 => {
            Err(Fault::Failed("division by zero".to_owned()))
        }
        Operator::Divide => Ok(left / right),
        _ => Ok(left % right),
    }
}

fn overflow(sign: &str) -> Fault {
    Fault::Failed(format!("the result of `{sign}` is too large for a whole number"))
}

fn mismatch(operator: Operator, left: &Value<'_>, right: &Value<'_>, verb: &str) -> Fault {
    let (sign, left, right) = (operator.sign(), left.kind(), right.kind());
    Fault::Failed(format!("`{sign}` cannot {verb} {left} and {right}"))
}
