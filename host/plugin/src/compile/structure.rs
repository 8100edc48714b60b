//! What a component is made of, counted before anything else looks at it.
//!
//! A few bytes can describe what takes minutes and gigabytes to validate and compile. The
//! bounds are several times what the largest guests have that are known (JavaScript and
//! Python: some 40,000 functions, modules three deep). Reads headers only: what is wrong
//! inside of them is for the compiler to say.

use wasmparser::{Encoding, Parser, Payload};

use crate::Error;

/// Functions of all modules: with code, and imported.
const FUNCTIONS_MAX: u64 = 250_000;
/// Core modules.
const MODULES_MAX: u64 = 256;
/// Components, with the outermost.
const COMPONENTS_MAX: u64 = 256;
/// Components and modules within one another.
const DEPTH_MAX: u64 = 16;
/// Types of all modules and components.
const TYPES_MAX: u64 = 100_000;
/// Instances of modules and components.
const INSTANCES_MAX: u64 = 2_000;
/// Everything that is imported, exported, lifted, lowered or renamed.
const ITEMS_MAX: u64 = 200_000;
/// Globals, tables, memories, tags, and segments of data and elements.
const PARTS_MAX: u64 = 500_000;
/// One function's code.
const BODY_BYTES_MAX: u64 = 4 << 20;

/// Refuses what has more of anything than a bound says. Leaves what cannot be read to the
/// compiler, whose message names the place.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Error> {
    let mut found = Found::default();
    for payload in Parser::new(0).parse_all(bytes) {
        let Ok(payload) = payload else { return Ok(()) };
        found.add(&payload);
        found.check()?;
    }
    Ok(())
}

#[derive(Default)]
struct Found {
    depth: u64,
    deepest: u64,
    functions: u64,
    modules: u64,
    components: u64,
    types: u64,
    instances: u64,
    items: u64,
    parts: u64,
    largest_body: u64,
}

impl Found {
    fn add(&mut self, payload: &Payload<'_>) {
        match payload {
            Payload::Version { encoding, .. } => {
                self.depth += 1;
                self.deepest = self.deepest.max(self.depth);
                match encoding {
                    Encoding::Module => self.modules += 1,
                    Encoding::Component => self.components += 1,
                }
            }
            Payload::End(_) => self.depth = self.depth.saturating_sub(1),
            Payload::FunctionSection(section) => self.functions += u64::from(section.count()),
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                let len = range.end.saturating_sub(range.start) as u64;
                self.largest_body = self.largest_body.max(len);
            }
            Payload::TypeSection(section) => self.types += u64::from(section.count()),
            Payload::CoreTypeSection(section) => self.types += u64::from(section.count()),
            Payload::ComponentTypeSection(section) => self.types += u64::from(section.count()),
            Payload::InstanceSection(section) => self.instances += u64::from(section.count()),
            Payload::ComponentInstanceSection(section) => {
                self.instances += u64::from(section.count());
            }
            Payload::ImportSection(section) => self.items += u64::from(section.count()),
            Payload::ExportSection(section) => self.items += u64::from(section.count()),
            Payload::ComponentImportSection(section) => self.items += u64::from(section.count()),
            Payload::ComponentExportSection(section) => self.items += u64::from(section.count()),
            Payload::ComponentAliasSection(section) => self.items += u64::from(section.count()),
            Payload::ComponentCanonicalSection(section) => {
                self.items += u64::from(section.count());
            }
            Payload::TableSection(section) => self.parts += u64::from(section.count()),
            Payload::MemorySection(section) => self.parts += u64::from(section.count()),
            Payload::TagSection(section) => self.parts += u64::from(section.count()),
            Payload::GlobalSection(section) => self.parts += u64::from(section.count()),
            Payload::ElementSection(section) => self.parts += u64::from(section.count()),
            Payload::DataSection(section) => self.parts += u64::from(section.count()),
            // The rest has no count, or one that another has too.
            _ => {}
        }
    }

    fn check(&self) -> Result<(), Error> {
        let bounds = [
            (self.deepest, DEPTH_MAX, "components and modules within one another"),
            (self.components, COMPONENTS_MAX, "components"),
            (self.modules, MODULES_MAX, "core modules"),
            (self.functions, FUNCTIONS_MAX, "functions"),
            (self.types, TYPES_MAX, "types"),
            (self.instances, INSTANCES_MAX, "instances"),
            (self.items, ITEMS_MAX, "imports, exports and aliases"),
            (self.parts, PARTS_MAX, "globals, tables, memories and segments"),
            (self.largest_body, BODY_BYTES_MAX, "bytes of code in one function"),
        ];
        match bounds.into_iter().find(|(found, max, _)| found > max) {
            Some((found, max, what)) => {
                Err(Error::Structure(format!("{found} {what}, and at most {max} are accepted")))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use wfhost_testkit::hostile;

    use super::*;

    #[track_caller]
    fn refused(bytes: &[u8], what: &str) {
        let error = check(bytes).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
        assert!(error.to_string().contains("split it"), "{error}");
    }

    #[test]
    fn too_many_of_anything_are_refused_by_name() {
        refused(&hostile::nested(1000), "17 components and modules within one another");
        refused(&hostile::beside(1000), "257 components");
        refused(&hostile::functions(1_000_000), "1000003 functions");
        let text = |part: &str, count: usize| {
            wat::parse_str(format!("(component {})", part.repeat(count))).unwrap()
        };
        refused(&text("(core module)", 300), "257 core modules");
        refused(&text("(type (func))", 100_001), "100001 types");
        let many =
            format!("(component (component $c) {})", "(instance (instantiate $c))".repeat(2_001));
        refused(&wat::parse_str(many).unwrap(), "2001 instances");
    }

    #[test]
    fn what_is_usual_is_let_through_and_so_is_what_cannot_be_read() {
        check(&wfhost_testkit::guest::content("hello")).unwrap();
        check(&hostile::nested(10)).unwrap();
        check(&hostile::functions(100_000)).unwrap();
        check(b"\0asm\x01\0\0\0\x63\x05abcde").unwrap();
        check(b"").unwrap();
    }
}
