//! A walk over the sections of a binary, at any depth: counts, names, tools.
//!
//! Every section's length is held against the bytes that are there, so that what reads them
//! afterwards need not believe a length either.

use std::collections::BTreeSet;

use wasm_metadata::{ComponentNames, ModuleNames, Producers};

use super::Unreadable;
use super::model::{About, Kind, Producer};
use crate::Error;
use crate::compile::{COMPONENT_HEADER, CORE_HEADER};

/// Components in components.
const DEPTH_MAX: usize = 100;
const PRODUCERS_MAX: usize = 256;
/// One text about the component.
const TEXT_BYTES_MAX: usize = 4096;
/// All sections of docs together.
const DOCS_BYTES_MAX: usize = 4 << 20;

/// Names the section that WIT's doc comments travel in.
pub(super) const DOCS_SECTION: &str = "package-docs";

const CUSTOM: u8 = 0;
const CORE_MODULE: u8 = 1;
const CORE_MEMORY: u8 = 5;
const COMPONENT: u8 = 4;

/// What the sections say.
pub(super) struct Sections<'a> {
    pub(super) kind: Kind,
    pub(super) about: About,
    pub(super) producers: Vec<Producer>,
    pub(super) core_modules: u32,
    pub(super) components: u32,
    pub(super) memories: u32,
    /// What is in the sections of docs.
    pub(super) docs: Vec<&'a [u8]>,
    /// Where their names are.
    pub(super) docs_names: Vec<usize>,
}

struct Walk<'a> {
    whole: &'a [u8],
    found: Sections<'a>,
    producers: BTreeSet<Producer>,
    docs_bytes: usize,
}

impl<'a> Sections<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let kind = if bytes.starts_with(&COMPONENT_HEADER) {
            Kind::Component
        } else if bytes.starts_with(&CORE_HEADER) {
            Kind::CoreModule
        } else {
            return Err(Error::NotWasm);
        };
        let found = Self {
            kind,
            about: About::default(),
            producers: Vec::new(),
            core_modules: u32::from(kind == Kind::CoreModule),
            components: 0,
            memories: 0,
            docs: Vec::new(),
            docs_names: Vec::new(),
        };
        let mut walk = Walk { whole: bytes, found, producers: BTreeSet::new(), docs_bytes: 0 };
        walk.binary(0, bytes.len(), 0)?;
        walk.found.producers = walk.producers.into_iter().collect();
        Ok(walk.found)
    }
}

impl<'a> Walk<'a> {
    /// The component or module from `at` to `end`.
    fn binary(&mut self, at: usize, end: usize, depth: usize) -> Result<(), Unreadable> {
        if depth > DEPTH_MAX {
            return Err(Unreadable::TooMany { what: "components nested deeper", max: DEPTH_MAX });
        }
        let is_core = self.whole.get(at..end).is_some_and(|inner| inner.starts_with(&CORE_HEADER));
        let mut at = at + CORE_HEADER.len();
        while at < end {
            let id = self.whole[at];
            let Some((len, body)) = leb(&self.whole[..end], at + 1) else { return Err(cut(at)) };
            let Some(next) = body.checked_add(len).filter(|next| *next <= end) else {
                return Err(cut(at));
            };
            match id {
                CUSTOM => self.custom(body, next, depth),
                CORE_MEMORY if is_core => {
                    let count = leb(&self.whole[..next], body).map_or(0, |(count, _)| count);
                    self.found.memories = self
                        .found
                        .memories
                        .saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
                }
                CORE_MODULE if !is_core => {
                    self.found.core_modules += 1;
                    self.binary(body, next, depth + 1)?;
                }
                COMPONENT if !is_core => {
                    self.found.components += 1;
                    self.binary(body, next, depth + 1)?;
                }
                _ => {}
            }
            at = next;
        }
        Ok(())
    }

    /// A section that does not parse says nothing; the rest is as good without it.
    fn custom(&mut self, body: usize, end: usize, depth: usize) {
        let whole = self.whole;
        let Some((len, name_at)) = leb(&whole[..end], body) else { return };
        let Some(data_at) = name_at.checked_add(len).filter(|at| *at <= end) else { return };
        let (name, data) = (&whole[name_at..data_at], &whole[data_at..end]);
        let about = &mut self.found.about;
        match name {
            b"producers" => self.producers(data),
            name if name == DOCS_SECTION.as_bytes() => {
                self.found.docs_names.push(name_at);
                self.docs_bytes = self.docs_bytes.saturating_add(data.len());
                if self.docs_bytes <= DOCS_BYTES_MAX {
                    self.found.docs.push(data);
                }
            }
            _ if depth > 0 => {}
            b"component-name" => {
                let names = ComponentNames::from_bytes(data, 0).ok();
                keep(&mut about.name, names.and_then(|names| names.get_name().cloned()));
            }
            b"name" => {
                let names = ModuleNames::from_bytes(data, 0).ok();
                keep(&mut about.name, names.and_then(|names| names.get_name().cloned()));
            }
            b"version" => keep(&mut about.version, text(data)),
            b"description" => keep(&mut about.description, text(data)),
            b"authors" => keep(&mut about.authors, text(data)),
            b"licenses" => keep(&mut about.licenses, text(data)),
            b"source" => keep(&mut about.source, text(data)),
            b"revision" => keep(&mut about.revision, text(data)),
            b"homepage" => keep(&mut about.homepage, text(data)),
            _ => {}
        }
    }

    fn producers(&mut self, data: &[u8]) {
        let Ok(producers) = Producers::from_bytes(data, 0) else { return };
        for (field, values) in producers.iter() {
            for (name, version) in values.iter() {
                if self.producers.len() == PRODUCERS_MAX {
                    return;
                }
                let [field, name, version] = [field, name, version].map(|text| bounded(text));
                self.producers.insert(Producer { field, name, version });
            }
        }
    }
}

/// The first one counts.
fn keep(place: &mut Option<String>, text: Option<String>) {
    if place.is_none() {
        *place = text.map(|text| bounded(&text));
    }
}

fn text(data: &[u8]) -> Option<String> {
    std::str::from_utf8(data).ok().map(str::to_owned)
}

fn bounded(text: &str) -> String {
    crate::failure::bounded(text, TEXT_BYTES_MAX)
}

fn cut(at: usize) -> Unreadable {
    Unreadable::Invalid(format!("a section at offset 0x{at:x} goes beyond its end"))
}

/// An unsigned LEB128 number of 32 bits, and where it ends.
fn leb(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut value = 0_u64;
    for (n, byte) in bytes.get(at..)?.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, at + n + 1));
        }
    }
    None
}
