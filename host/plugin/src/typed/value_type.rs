//! A WIT value type as conversions use it: made once a function, from wasmtime's.
//!
//! wasmtime shares the parts of a type and a tree repeats them, so its size is bounded:
//! what a stranger can write in a kilobyte may have a million nodes as a tree.

use std::collections::HashMap;

use wasmtime::component::Type;

use super::path::Path;

/// Nodes of one function's types together.
const NODES_MAX: usize = 20_000;
/// Deeper than any JSON that this host takes.
const DEPTH_MAX: usize = 100;
/// Fewer names than this are compared one by one.
const INDEXED_NAMES_MIN: usize = 8;

/// A type whose values JSON can carry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ValueType {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    Char,
    String,
    /// `list<u8>`.
    Bytes,
    List(Box<Self>),
    FixedList(Box<Self>, usize),
    Map(Box<(Self, Self)>),
    Record(Fields),
    Tuple(Vec<Self>),
    Variant(Cases),
    Enum(Names),
    /// `wrapped` where the inner type is an option as well: `{"some": …}`.
    Option {
        inner: Box<Self>,
        wrapped: bool,
    },
    Result {
        ok: Option<Box<Self>>,
        err: Option<Box<Self>>,
    },
    Flags(Names),
}

/// Names in the type's order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Names {
    list: Vec<String>,
    /// Empty where the list is short.
    index: HashMap<String, usize>,
}

impl Names {
    pub(crate) fn new(list: Vec<String>) -> Self {
        let index = if list.len() < INDEXED_NAMES_MIN {
            HashMap::new()
        } else {
            list.iter().cloned().enumerate().map(|(index, name)| (name, index)).collect()
        };
        Self { list, index }
    }

    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        if self.index.is_empty() {
            self.list.iter().position(|known| known == name)
        } else {
            self.index.get(name).copied()
        }
    }

    pub(crate) fn list(&self) -> &[String] {
        &self.list
    }
}

/// The fields of a record, or the parameters of a function.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fields {
    pub(crate) names: Names,
    pub(crate) types: Vec<ValueType>,
}

impl Fields {
    pub(crate) fn new(fields: Vec<(String, ValueType)>) -> Self {
        let (names, types) = fields.into_iter().unzip();
        Self { names: Names::new(names), types }
    }
}

/// The cases of a variant, each with or without a payload.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cases {
    pub(crate) names: Names,
    pub(crate) payloads: Vec<Option<ValueType>>,
}

/// Why JSON cannot carry a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{place} {what}, which JSON cannot carry")]
    NotAValue { place: String, what: &'static str },
    #[error("its types have more than {NODES_MAX} parts")]
    TooLarge,
    #[error("its types are nested more than {DEPTH_MAX} deep")]
    TooDeep,
}

/// Makes [`ValueType`]s of one function.
#[derive(Default)]
pub(crate) struct Maker {
    nodes: usize,
}

impl Maker {
    /// The type at `path`, which says where a refused part is.
    pub(crate) fn make(&mut self, ty: &Type, path: &Path<'_>) -> Result<ValueType, Refused> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(Refused::TooLarge);
        }
        if path.depth() > DEPTH_MAX {
            return Err(Refused::TooDeep);
        }
        Ok(match ty {
            Type::Bool => ValueType::Bool,
            Type::S8 => ValueType::S8,
            Type::U8 => ValueType::U8,
            Type::S16 => ValueType::S16,
            Type::U16 => ValueType::U16,
            Type::S32 => ValueType::S32,
            Type::U32 => ValueType::U32,
            Type::S64 => ValueType::S64,
            Type::U64 => ValueType::U64,
            Type::Float32 => ValueType::F32,
            Type::Float64 => ValueType::F64,
            Type::Char => ValueType::Char,
            Type::String => ValueType::String,
            Type::Own(_) => return Err(not_a_value(path, "a resource's handle")),
            Type::Borrow(_) => return Err(not_a_value(path, "a borrowed resource")),
            Type::Future(_) => return Err(not_a_value(path, "a future")),
            Type::Stream(_) => return Err(not_a_value(path, "a stream")),
            Type::ErrorContext => return Err(not_a_value(path, "an error-context")),
            Type::List(_)
            | Type::FixedLengthList(_)
            | Type::Map(_)
            | Type::Record(_)
            | Type::Tuple(_)
            | Type::Variant(_)
            | Type::Enum(_)
            | Type::Option(_)
            | Type::Result(_)
            | Type::Flags(_) => self.compound(ty, path)?,
        })
    }

    fn compound(&mut self, ty: &Type, path: &Path<'_>) -> Result<ValueType, Refused> {
        Ok(match ty {
            Type::List(list) if list.ty() == Type::U8 => ValueType::Bytes,
            Type::List(list) => ValueType::List(self.boxed(&list.ty(), &path.any())?),
            Type::FixedLengthList(list) => {
                let len = usize::try_from(list.len()).map_err(|_overflow| Refused::TooLarge)?;
                ValueType::FixedList(self.boxed(&list.ty(), &path.any())?, len)
            }
            Type::Map(map) => {
                let key = self.make(&map.key(), &path.any())?;
                ValueType::Map(Box::new((key, self.make(&map.value(), &path.any())?)))
            }
            Type::Record(record) => {
                let fields = record.fields().map(|field| {
                    Ok((field.name.to_owned(), self.make(&field.ty, &path.field(field.name))?))
                });
                ValueType::Record(Fields::new(fields.collect::<Result<_, _>>()?))
            }
            Type::Tuple(tuple) => {
                let items = tuple.types().enumerate();
                let items = items.map(|(index, ty)| self.make(&ty, &path.index(index)));
                ValueType::Tuple(items.collect::<Result<_, _>>()?)
            }
            Type::Variant(variant) => {
                let (mut names, mut payloads) = (Vec::new(), Vec::new());
                for case in variant.cases() {
                    names.push(case.name.to_owned());
                    payloads.push(match case.ty {
                        Some(ty) => Some(self.make(&ty, &path.field(case.name))?),
                        None => None,
                    });
                }
                ValueType::Variant(Cases { names: self.names(names)?, payloads })
            }
            Type::Enum(names) => ValueType::Enum(self.names(owned(names.names()))?),
            Type::Flags(names) => ValueType::Flags(self.names(owned(names.names()))?),
            Type::Option(option) => {
                let inner = self.boxed(&option.ty(), &path.inside())?;
                let wrapped = matches!(*inner, ValueType::Option { .. });
                ValueType::Option { inner, wrapped }
            }
            Type::Result(result) => {
                let mut payload = |ty: Option<Type>, name| {
                    ty.map(|ty| self.boxed(&ty, &path.field(name))).transpose()
                };
                let ok = payload(result.ok(), "ok")?;
                ValueType::Result { ok, err: payload(result.err(), "err")? }
            }
            // `make` has the others.
            _ => return Err(not_a_value(path, "a type that this host does not know")),
        })
    }

    fn boxed(&mut self, ty: &Type, path: &Path<'_>) -> Result<Box<ValueType>, Refused> {
        self.make(ty, path).map(Box::new)
    }

    /// Names count as nodes: an enum can have ten thousand.
    fn names(&mut self, list: Vec<String>) -> Result<Names, Refused> {
        self.nodes = self.nodes.saturating_add(list.len());
        if self.nodes > NODES_MAX { Err(Refused::TooLarge) } else { Ok(Names::new(list)) }
    }
}

fn owned<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    names.map(str::to_owned).collect()
}

fn not_a_value(path: &Path<'_>, what: &'static str) -> Refused {
    Refused::NotAValue { place: format!("`{path}` is"), what }
}
