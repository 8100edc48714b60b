//! Value → JSON → value, over generated types.

use proptest::prelude::*;
use proptest::test_runner::TestRng;
use wasmtime::component::Val;
use wfhost_workflow::Json;

use super::super::value_type::ValueType;
use super::{decode, encode, signatures};

/// A WIT type, to be written down.
#[derive(Debug, Clone)]
enum Wit {
    Plain(&'static str),
    List(Box<Self>),
    FixedList(Box<Self>, u32),
    Map(&'static str, Box<Self>),
    Option(Box<Self>),
    Result(Option<Box<Self>>, Option<Box<Self>>),
    Tuple(Vec<Self>),
    Record(Vec<Self>),
    Variant(Vec<Option<Self>>),
    Enum(usize),
    Flags(usize),
}

const PLAIN: [&str; 13] =
    ["bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "f32", "f64", "char", "string"];
const KEYS: [&str; 4] = ["string", "u64", "char", "bool"];

fn wit() -> impl Strategy<Value = Wit> {
    let leaf = prop_oneof![
        8 => prop::sample::select(&PLAIN[..]).prop_map(Wit::Plain),
        1 => (1_usize..40).prop_map(Wit::Enum),
        // More than 32 flags are no type that a component may have.
        1 => (1_usize..33).prop_map(Wit::Flags),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let some = || inner.clone().prop_map(Box::new);
        let payload = || prop::option::of(some());
        prop_oneof![
            some().prop_map(Wit::List),
            (some(), 1_u32..5).prop_map(|(item, len)| Wit::FixedList(item, len)),
            (prop::sample::select(&KEYS[..]), some()).prop_map(|(key, value)| Wit::Map(key, value)),
            some().prop_map(Wit::Option),
            (payload(), payload()).prop_map(|(ok, err)| Wit::Result(ok, err)),
            prop::collection::vec(inner.clone(), 1..5).prop_map(Wit::Tuple),
            prop::collection::vec(inner.clone(), 1..12).prop_map(Wit::Record),
            prop::collection::vec(prop::option::of(inner.clone()), 1..12).prop_map(Wit::Variant),
        ]
    })
}

impl Wit {
    /// The type's name; what has to be declared first goes to `items`.
    fn write(&self, items: &mut Vec<String>) -> String {
        let fields = |names: usize| {
            (0..names).map(|index| format!("n{index}")).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Plain(name) => (*name).to_owned(),
            Self::List(item) => format!("list<{}>", item.write(items)),
            Self::FixedList(item, len) => format!("list<{}, {len}>", item.write(items)),
            Self::Map(key, value) => format!("map<{key}, {}>", value.write(items)),
            Self::Option(inner) => format!("option<{}>", inner.write(items)),
            Self::Result(ok, err) => {
                let mut payload = |ty: &Option<Box<Self>>| {
                    ty.as_ref().map_or_else(|| "_".to_owned(), |ty| ty.write(items))
                };
                match (payload(ok), payload(err)) {
                    (ok, err) if ok == "_" && err == "_" => "result".to_owned(),
                    (ok, err) if err == "_" => format!("result<{ok}>"),
                    (ok, err) => format!("result<{ok}, {err}>"),
                }
            }
            Self::Tuple(types) => {
                let types: Vec<_> = types.iter().map(|ty| ty.write(items)).collect();
                format!("tuple<{}>", types.join(", "))
            }
            Self::Record(types) => {
                let fields = types.iter().enumerate();
                let fields: Vec<_> =
                    fields.map(|(index, ty)| format!("n{index}: {}", ty.write(items))).collect();
                declare(items, "record", &fields.join(", "))
            }
            Self::Variant(cases) => {
                let cases = cases.iter().enumerate().map(|(index, ty)| match ty {
                    Some(ty) => format!("n{index}({})", ty.write(items)),
                    None => format!("n{index}"),
                });
                let cases = cases.collect::<Vec<_>>().join(", ");
                declare(items, "variant", &cases)
            }
            Self::Enum(names) => declare(items, "enum", &fields(*names)),
            Self::Flags(names) => declare(items, "flags", &fields(*names)),
        }
    }
}

fn declare(items: &mut Vec<String>, kind: &str, parts: &str) -> String {
    let name = format!("t{}", items.len());
    items.push(format!("{kind} {name} {{ {parts} }}"));
    name
}

fn below(rng: &mut TestRng, max: u64) -> u64 {
    rng.next_u64() % max.max(1)
}

/// A number, if the type is one.
fn number(ty: &ValueType, rng: &mut TestRng) -> Option<Val> {
    macro_rules! integer {
        ($val:ident, $ty:ty) => {{
            let extremes = [<$ty>::MIN, <$ty>::MAX, 0, 1, <$ty>::MAX - 1];
            match below(rng, 8) {
                index @ 0..=4 => Val::$val(extremes[index as usize]),
                _ => Val::$val(rng.next_u64() as $ty),
            }
        }};
    }
    macro_rules! float {
        ($val:ident, $ty:ident, $from:expr) => {{
            let extremes = [
                0.0,
                -0.0,
                $ty::NAN,
                $ty::INFINITY,
                $ty::NEG_INFINITY,
                $ty::MAX,
                $ty::MIN,
                $ty::MIN_POSITIVE,
                $ty::from_bits(1),
                $ty::EPSILON,
                0.1,
            ];
            match below(rng, 20) {
                index @ 0..=10 => Val::$val(extremes[index as usize]),
                _ => Val::$val($ty::from_bits($from)),
            }
        }};
    }
    Some(match ty {
        ValueType::Bool => Val::Bool(rng.next_u64().is_multiple_of(2)),
        ValueType::S8 => integer!(S8, i8),
        ValueType::U8 => integer!(U8, u8),
        ValueType::S16 => integer!(S16, i16),
        ValueType::U16 => integer!(U16, u16),
        ValueType::S32 => integer!(S32, i32),
        ValueType::U32 => integer!(U32, u32),
        ValueType::S64 => integer!(S64, i64),
        ValueType::U64 => integer!(U64, u64),
        ValueType::F32 => float!(Float32, f32, rng.next_u32()),
        ValueType::F64 => float!(Float64, f64, rng.next_u64()),
        _ => return None,
    })
}

/// A value of the type, often an extreme one.
fn value(ty: &ValueType, rng: &mut TestRng) -> Val {
    if let Some(number) = number(ty, rng) {
        return number;
    }
    let size = |rng: &mut TestRng| usize::try_from(below(rng, 4)).unwrap_or(0);
    let all = |types: &[ValueType], rng: &mut TestRng| {
        types.iter().map(|ty| value(ty, rng)).collect::<Vec<_>>()
    };
    let payload = |ty: Option<&ValueType>, rng: &mut TestRng| ty.map(|ty| Box::new(value(ty, rng)));
    let pick = |names: &[String], rng: &mut TestRng| {
        usize::try_from(below(rng, names.len() as u64)).unwrap_or(0)
    };
    match ty {
        ValueType::Char => Val::Char(character(rng)),
        ValueType::String => {
            let len = below(rng, 9);
            Val::String((0..len).map(|_| character(rng)).collect())
        }
        ValueType::Bytes => {
            let len = below(rng, 9);
            Val::List((0..len).map(|_| Val::U8(rng.next_u32() as u8)).collect())
        }
        ValueType::List(item) => Val::List((0..size(rng)).map(|_| value(item, rng)).collect()),
        ValueType::FixedList(item, len) => {
            Val::FixedLengthList((0..*len).map(|_| value(item, rng)).collect())
        }
        ValueType::Map(types) => {
            Val::Map((0..size(rng)).map(|_| (value(&types.0, rng), value(&types.1, rng))).collect())
        }
        ValueType::Record(fields) => {
            let values = all(&fields.types, rng);
            Val::Record(fields.names.list().iter().cloned().zip(values).collect())
        }
        ValueType::Tuple(types) => Val::Tuple(all(types, rng)),
        ValueType::Variant(cases) => {
            let index = pick(cases.names.list(), rng);
            let name = cases.names.list()[index].clone();
            Val::Variant(name, payload(cases.payloads[index].as_ref(), rng))
        }
        ValueType::Enum(names) => {
            let index = pick(names.list(), rng);
            Val::Enum(names.list()[index].clone())
        }
        ValueType::Option { inner, .. } => {
            let some = !rng.next_u64().is_multiple_of(3);
            Val::Option(some.then(|| Box::new(value(inner, rng))))
        }
        ValueType::Result { ok, err } => Val::Result(if rng.next_u64().is_multiple_of(2) {
            Ok(payload(ok.as_deref(), rng))
        } else {
            Err(payload(err.as_deref(), rng))
        }),
        ValueType::Flags(names) => {
            let held = names.list().iter().filter(|_| rng.next_u64().is_multiple_of(2));
            Val::Flags(held.cloned().collect())
        }
        // `number` has them.
        _ => unreachable!("{ty:?}"),
    }
}

fn character(rng: &mut TestRng) -> char {
    const EXTREMES: [char; 10] = [
        '\0',
        '"',
        '\\',
        '\u{1f}',
        '\u{7f}',
        '\u{d7ff}',
        '\u{e000}',
        '\u{10ffff}',
        '\u{2028}',
        '/',
    ];
    match rng.next_u32() % 20 {
        index @ 0..=9 => EXTREMES[index as usize],
        10..15 => char::from_u32(rng.next_u32() % 0x11_0000).unwrap_or('\u{fffd}'),
        _ => 'a',
    }
}

/// Values of each type that are tried.
const VALUES: usize = 24;

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_value_is_the_same_after_json(
        types in prop::collection::vec(wit(), 1..5),
        seed in any::<[u8; 32]>(),
    ) {
        let mut items = Vec::new();
        let parameters = types.iter().enumerate();
        let parameters: Vec<_> = parameters
            .map(|(index, ty)| format!("p{index}: {}", ty.write(&mut items)))
            .collect();
        items.push(format!("f: func({});", parameters.join(", ")));
        let mut signatures = signatures(&items.join("\n"));
        let signature = signatures.remove(0).unwrap();
        let fields = &signature.parameters;
        let mut rng = TestRng::from_seed(prop::test_runner::RngAlgorithm::ChaCha, &seed);
        for _ in 0..VALUES {
            let values: Vec<_> = fields.types.iter().map(|ty| value(ty, &mut rng)).collect();
            let text = encode::arguments(&values, fields, usize::MAX).unwrap();
            prop_assert!(Json::parse(&text).is_ok(), "{text}");
            let again = decode::arguments(&text, fields, usize::MAX)
                .map_err(|wrong| TestCaseError::fail(format!("{wrong}: {text}")))?;
            prop_assert_eq!(&again, &values, "{}", text);
            let rewritten = encode::arguments(&again, fields, usize::MAX).unwrap();
            prop_assert_eq!(rewritten, text);
        }
    }

    /// Any JSON at all is a value or an error.
    #[test]
    fn no_text_makes_a_conversion_panic(ty in wit(), texts in prop::collection::vec(".{0,40}", 8)) {
        let mut items = Vec::new();
        let name = ty.write(&mut items);
        items.push(format!("f: func(v: {name});"));
        let mut signatures = signatures(&items.join("\n"));
        let signature = signatures.remove(0).unwrap();
        for text in texts {
            for text in [text.clone(), format!("{{\"v\":{text}}}"), format!("{{\"v\":[{text}")] {
                let _read = decode::arguments(&text, &signature.parameters, 1 << 20);
            }
        }
    }
}
