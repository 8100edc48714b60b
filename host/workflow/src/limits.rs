//! What an attempt may use: every limit with its name, unit, default and bounds.
//!
//! A limit has one name: the key in workflow files and in the operator's configuration,
//! the code of the failure of who goes over it, and the label of its counter. What holds
//! is the lowest of what was set; what nobody set is the default.

mod settings;
mod table;
mod text;

use std::fmt;
use std::ops::{Index, IndexMut};
use std::str::FromStr;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use settings::{LimitSettings, LimitSource, OperatorLimits};
pub use text::LimitError;

/// One thing that is limited. New ones go last: a message names them by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// All linear memories of the instance together.
    Memory,
    /// Linear memories.
    Memories,
    /// Elements of all tables together.
    TableElements,
    /// Tables.
    Tables,
    /// Core instances that a component is made of.
    Instances,
    /// The guest's call stack.
    Stack,
    /// Wall clock of an attempt.
    Timeout,
    /// Time in which the guest computes.
    CpuTime,
    /// Instructions, where determinism is strict.
    Fuel,
    /// What a guest hands the host in one call.
    HostcallFuel,
    /// Random bytes of an attempt.
    Random,
    /// Handles of files, streams and timers at once.
    Handles,
    /// Files and directories open at once.
    OpenFiles,
    /// All log lines of an attempt.
    Log,
    /// Log lines in one second.
    LogRate,
    /// The output's JSON text.
    Output,
    /// The input's JSON text.
    Input,
    /// One value of the run's key-value store.
    KvValue,
    /// All keys and values of the run's key-value store.
    KvTotal,
    /// Bytes written into granted directories.
    Written,
    /// Files, directories and links made in granted directories.
    MadeFiles,
}

/// How a limit's value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitUnit {
    /// A size, such as `64MiB`.
    Bytes,
    /// A size that is a power of two.
    PowerOfTwoBytes,
    /// A span in milliseconds, such as `30s`.
    Milliseconds,
    /// A number.
    Count,
}

/// A row of the table of limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitSpec {
    /// Its name everywhere.
    pub name: &'static str,
    /// How it is written.
    pub unit: LimitUnit,
    /// What holds where nobody set it.
    pub default: u64,
    /// The smallest that can be set.
    pub least: u64,
    /// The largest that can be set.
    pub largest: u64,
    /// One line for people.
    pub docs: &'static str,
}

impl Limit {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// All, in the order of messages and lists.
    pub const ALL: [Self; 21] = [
        Self::Memory,
        Self::Memories,
        Self::TableElements,
        Self::Tables,
        Self::Instances,
        Self::Stack,
        Self::Timeout,
        Self::CpuTime,
        Self::Fuel,
        Self::HostcallFuel,
        Self::Random,
        Self::Handles,
        Self::OpenFiles,
        Self::Log,
        Self::LogRate,
        Self::Output,
        Self::Input,
        Self::KvValue,
        Self::KvTotal,
        Self::Written,
        Self::MadeFiles,
    ];

    /// Its row of the table.
    #[must_use]
    pub const fn spec(self) -> LimitSpec {
        table::TABLE[self as usize]
    }

    /// Its name everywhere.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.spec().name
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No limit has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no limit `{0}`")]
pub struct UnknownLimit(pub String);

impl FromStr for Limit {
    type Err = UnknownLimit;

    fn from_str(text: &str) -> Result<Self, UnknownLimit> {
        Self::ALL
            .into_iter()
            .find(|limit| limit.name() == text)
            .ok_or_else(|| UnknownLimit(text.to_owned()))
    }
}

/// What one attempt may use at most: a value for every limit.
///
/// Written by name for people and by position in messages; what is missing is the default.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Limits([u64; Limit::COUNT]);

impl Limits {
    /// The same with one value changed.
    #[must_use]
    pub fn with(mut self, limit: Limit, value: u64) -> Self {
        self[limit] = value;
        self
    }

    /// The lower of both, limit by limit.
    #[must_use]
    pub fn lowered(mut self, settings: &LimitSettings) -> Self {
        for (limit, value) in settings.iter() {
            self[limit] = self[limit].min(value);
        }
        self
    }

    /// Every limit with its value, in the table's order.
    pub fn iter(&self) -> impl Iterator<Item = (Limit, u64)> + '_ {
        Limit::ALL.into_iter().map(|limit| (limit, self[limit]))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self(Limit::ALL.map(|limit| limit.spec().default))
    }
}

impl Index<Limit> for Limits {
    type Output = u64;

    fn index(&self, limit: Limit) -> &u64 {
        &self.0[limit as usize]
    }
}

impl IndexMut<Limit> for Limits {
    fn index_mut(&mut self, limit: Limit) -> &mut u64 {
        &mut self.0[limit as usize]
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(limit, value)| (limit.name(), value))).finish()
    }
}

impl Serialize for Limits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            let mut map = serializer.serialize_map(Some(Limit::COUNT))?;
            for (limit, value) in self.iter() {
                map.serialize_entry(limit.name(), &value)?;
            }
            map.end()
        } else {
            let mut seq = serializer.serialize_seq(Some(Limit::COUNT))?;
            for value in &self.0 {
                seq.serialize_element(value)?;
            }
            seq.end()
        }
    }
}

impl<'de> Deserialize<'de> for Limits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LimitsVisitor)
    }
}

struct LimitsVisitor;

impl<'de> Visitor<'de> for LimitsVisitor {
    type Value = Limits;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("limits by name or by position")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Limits, A::Error> {
        let mut limits = Limits::default();
        while let Some(name) = map.next_key::<String>()? {
            match name.parse::<Limit>() {
                Ok(limit) => limits[limit] = map.next_value()?,
                // Of a newer version.
                Err(UnknownLimit(_)) => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(limits)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Limits, A::Error> {
        let mut limits = Limits::default();
        for limit in Limit::ALL {
            let Some(value) = seq.next_element()? else { return Ok(limits) };
            limits[limit] = value;
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_makes_sense() {
        for (position, limit) in Limit::ALL.into_iter().enumerate() {
            let spec = limit.spec();
            assert_eq!(limit as usize, position, "{limit} is out of order");
            assert!(spec.least <= spec.default && spec.default <= spec.largest, "{limit}");
            assert!(spec.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{limit}");
            assert_eq!(spec.name.parse(), Ok(limit));
            assert!(!spec.docs.is_empty());
            for value in [spec.least, spec.default, spec.largest] {
                assert_eq!(limit.parse(&limit.show(value)), Ok(value), "{limit}");
            }
        }
        assert_eq!("memry".parse::<Limit>(), Err(UnknownLimit("memry".to_owned())));
    }

    #[test]
    fn the_lower_wins_and_nothing_is_raised() {
        let mut settings = LimitSettings::default();
        settings.set(Limit::Memory, 10);
        settings.set(Limit::Output, u64::MAX);
        let limits = Limits::default().with(Limit::Input, 5).lowered(&settings);
        assert_eq!(limits[Limit::Memory], 10);
        assert_eq!(limits[Limit::Output], Limit::Output.spec().default);
        assert_eq!(limits[Limit::Input], 5);
    }

    #[test]
    fn limits_are_written_by_name_for_people_and_read_with_gaps() {
        let limits = Limits::default().with(Limit::KvTotal, 3);
        let text = serde_json::to_string(&limits).unwrap();
        assert!(text.contains("\"kv_total\":3"), "{text}");
        assert_eq!(serde_json::from_str::<Limits>(&text).unwrap(), limits);
        let few: Limits = serde_json::from_str(r#"{"kv_total":3,"unheard_of":[1]}"#).unwrap();
        assert_eq!(few, limits);
        let short: Limits = serde_json::from_str("[7]").unwrap();
        assert_eq!(short, Limits::default().with(Limit::Memory, 7));
        let long = format!("{:?}", [9; Limit::COUNT + 2]);
        assert_eq!(serde_json::from_str::<Limits>(&long).unwrap()[Limit::KvTotal], 9);
    }
}
