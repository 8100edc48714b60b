//! JSON values from the fuzzer's bytes.

use serde_json::{Map, Number, Value};

use crate::given::Given;

/// Fields that the fixed scopes and definitions name, and some that they don't.
const KEYS: [&str; 12] =
    ["a", "b", "list", "text", "n", "name", "id", "items", "type", "x y", "\"", "$ref"];

/// A JSON value, nested at most `depth` deep.
pub fn json(given: &mut Given<'_>, depth: usize) -> Value {
    match given.below(if depth == 0 { 6 } else { 9 }) {
        0 => Value::Null,
        1 => Value::from(given.byte() & 1 == 1),
        2 => Value::from(given.number()),
        3 => Value::from((given.number() as i64).wrapping_neg()),
        4 => Number::from_f64(given.float()).map_or(Value::Null, Value::Number),
        5 => Value::from(given.text(40)),
        6 => Value::from(given.one_of(&KEYS)),
        7 => (0..given.count(20)).map(|_| json(given, depth - 1)).collect(),
        _ => Value::Object(object(given, depth)),
    }
}

fn object(given: &mut Given<'_>, depth: usize) -> Map<String, Value> {
    (0..given.count(20))
        .map(|_| {
            let key =
                if given.once_in(6) { given.text(12) } else { given.one_of(&KEYS).to_owned() };
            (key, json(given, depth - 1))
        })
        .collect()
}
