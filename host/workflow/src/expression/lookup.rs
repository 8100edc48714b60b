//! Cutting values out of JSON text without making a tree of the rest.

use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Segment {
    Field(Box<str>),
    Item(usize),
}

/// The places of a value that are wanted, as a tree of their paths.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// The slots that get this value itself.
    slots: Vec<usize>,
    fields: Vec<(Box<str>, Self)>,
    items: Vec<(usize, Self)>,
}

impl Wanted {
    pub(crate) fn add(&mut self, path: &[Segment], slot: usize) {
        match path.split_first() {
            None => self.slots.push(slot),
            Some((Segment::Field(name), rest)) => {
                child(&mut self.fields, name.clone()).add(rest, slot);
            }
            Some((Segment::Item(index), rest)) => child(&mut self.items, *index).add(rest, slot),
        }
    }

    fn has_children(&self) -> bool {
        !self.fields.is_empty() || !self.items.is_empty()
    }

    /// Finds everything that is wanted in one pass; `found` gets byte ranges of `text` by slot.
    /// What is not there is left as it is; of repeated fields the last counts.
    pub(crate) fn find(
        &self,
        text: &str,
        found: &mut [Option<Range<usize>>],
    ) -> Result<(), serde_json::Error> {
        for &slot in &self.slots {
            found[slot] = Some(0..text.len());
        }
        if !self.has_children() {
            return Ok(());
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        Walk { wanted: self, text, found }.children(&mut reader)
    }

    /// Forgets what an earlier field of the same name held.
    fn clear(&self, found: &mut [Option<Range<usize>>]) {
        for &slot in &self.slots {
            found[slot] = None;
        }
        for (_, child) in &self.fields {
            child.clear(found);
        }
        for (_, child) in &self.items {
            child.clear(found);
        }
    }
}

fn child<K: PartialEq>(children: &mut Vec<(K, Wanted)>, key: K) -> &mut Wanted {
    let position = children.iter().position(|(k, _)| *k == key).unwrap_or_else(|| {
        children.push((key, Wanted::default()));
        children.len() - 1
    });
    &mut children[position].1
}

struct Walk<'w, 't> {
    wanted: &'w Wanted,
    text: &'t str,
    found: &'w mut [Option<Range<usize>>],
}

impl<'t> Walk<'_, 't> {
    fn children<D: Deserializer<'t>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }

    fn child<'s>(&'s mut self, wanted: &'s Wanted) -> Walk<'s, 't> {
        Walk { wanted, text: self.text, found: self.found }
    }
}

impl<'t> DeserializeSeed<'t> for Walk<'_, 't> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, reader: D) -> Result<(), D::Error> {
        if self.wanted.slots.is_empty() {
            return self.children(reader);
        }
        let raw: &'t RawValue = serde::Deserialize::deserialize(reader)?;
        let start = raw.get().as_ptr() as usize - self.text.as_ptr() as usize;
        for &slot in &self.wanted.slots {
            self.found[slot] = Some(start..start + raw.get().len());
        }
        if self.wanted.has_children() {
            let mut inner = serde_json::Deserializer::from_str(raw.get());
            self.children(&mut inner).map_err(serde::de::Error::custom)?;
        }
        Ok(())
    }
}

/// Values that are neither lists nor objects have nothing that could be wanted.
impl<'t> Visitor<'t> for Walk<'_, 't> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'t>>(mut self, mut entries: A) -> Result<(), A::Error> {
        let wanted = self.wanted;
        while let Some(position) = entries.next_key_seed(KeyOf(&wanted.fields))? {
            match position.and_then(|p| wanted.fields.get(p)) {
                Some((_, child)) => {
                    child.clear(self.found);
                    entries.next_value_seed(self.child(child))?;
                }
                None => {
                    entries.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'t>>(mut self, mut items: A) -> Result<(), A::Error> {
        let wanted = self.wanted;
        let mut index = 0;
        loop {
            let child = wanted.items.iter().find(|(wanted, _)| *wanted == index);
            let more = match child {
                Some((_, child)) => items.next_element_seed(self.child(child))?.is_some(),
                None => items.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                return Ok(());
            }
            index += 1;
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Reads a key as its position among the wanted fields, without keeping it.
struct KeyOf<'w>(&'w [(Box<str>, Wanted)]);

impl<'t> DeserializeSeed<'t> for KeyOf<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'t>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyOf<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|(name, _)| **name == *key))
    }
}

/// What is found where a path ends too early, for a message: walks the text once more.
pub(crate) fn explain_missing(text: &str, root: &str, path: &[Segment]) -> String {
    let Ok(tree) = serde_json::from_str::<serde_json::Value>(text) else {
        return format!("`{root}` is nested too deeply to be read");
    };
    let mut at = root.to_owned();
    let mut value = &tree;
    for segment in path {
        let next = match segment {
            Segment::Field(name) => value.as_object().and_then(|object| object.get(&**name)),
            Segment::Item(index) => value.as_array().and_then(|list| list.get(*index)),
        };
        let Some(next) = next else { return super::access::missing(&at, value, segment) };
        push_segment(&mut at, segment);
        value = next;
    }
    format!("`{at}` is missing")
}

/// Writes a path as expressions write it.
pub(crate) fn push_segment(path: &mut String, segment: &Segment) {
    match segment {
        Segment::Field(name) if is_plain_name(name) => {
            path.push('.');
            path.push_str(name);
        }
        Segment::Field(name) => path.push_str(&format!("[{name:?}]")),
        Segment::Item(index) => path.push_str(&format!("[{index}]")),
    }
}

fn is_plain_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The texts of a list's items.
pub(crate) fn items(list: &str) -> Result<Vec<&str>, serde_json::Error> {
    let items: Vec<&RawValue> = serde_json::from_str(list)?;
    Ok(items.into_iter().map(RawValue::get).collect())
}
