//! The list of parts that a bundle may carry (SBOM): that it is one, in which format, and how many
//! parts it names. What it says of them is believed by nobody here.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::bounds::TEXT_CHARS_MAX;
use crate::path::BundlePath;
use crate::tree::TreeEntry;

/// A bundle's list of parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sbom {
    /// Where and what the file is.
    pub file: TreeEntry,
    /// In which format.
    pub format: SbomFormat,
    /// The format's version, as the file says.
    pub version: String,
    /// How many parts it names.
    pub components: usize,
    /// The file as it is.
    pub text: String,
}

/// A format that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SbomFormat {
    /// CycloneDX.
    CycloneDx,
    /// SPDX.
    Spdx,
}

/// A file that is no list of parts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SbomError {
    /// Not JSON, or not as the format has it.
    #[error("it is no {format} document: {problem}")]
    Text {
        /// Which format its name says.
        format: &'static str,
        /// What is wrong, with line and column.
        problem: String,
    },
    /// JSON, and of another format than its name says.
    #[error("it is no {format} document: {expected} is missing")]
    Format {
        /// Which format its name says.
        format: &'static str,
        /// What such a document has.
        expected: &'static str,
    },
}

impl SbomFormat {
    /// As its makers write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CycloneDx => "CycloneDX",
            Self::Spdx => "SPDX",
        }
    }

    /// How files of it end.
    #[must_use]
    pub const fn ending(self) -> &'static str {
        match self {
            Self::CycloneDx => ".cdx.json",
            Self::Spdx => ".spdx.json",
        }
    }

    /// By the file's name, so that it is known before its content is there.
    #[must_use]
    pub fn of(path: &BundlePath) -> Option<Self> {
        [Self::CycloneDx, Self::Spdx].into_iter().find(|it| path.as_str().ends_with(it.ending()))
    }
}

#[derive(Deserialize)]
struct CycloneDx {
    #[serde(rename = "bomFormat", default)]
    format: String,
    #[serde(rename = "specVersion", default)]
    version: String,
    #[serde(default)]
    components: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    components: Vec<Self>,
}

#[derive(Deserialize)]
struct Spdx {
    /// Version 2.
    #[serde(rename = "spdxVersion", default)]
    version: String,
    #[serde(default)]
    packages: Vec<IgnoredAny>,
    /// Version 3 is JSON-LD.
    #[serde(rename = "@context", default)]
    context: Context,
    #[serde(rename = "@graph", default)]
    graph: Vec<Element>,
}

#[derive(Deserialize, Default)]
#[serde(untagged)]
enum Context {
    One(String),
    Several(Vec<Self>),
    #[default]
    None,
    Other(IgnoredAny),
}

#[derive(Deserialize)]
struct Element {
    #[serde(rename = "type", default)]
    kind: String,
}

impl Sbom {
    pub(crate) fn read(
        file: TreeEntry,
        format: SbomFormat,
        text: String,
    ) -> Result<Self, SbomError> {
        let read = match format {
            SbomFormat::CycloneDx => cyclone_dx(&text),
            SbomFormat::Spdx => spdx(&text),
        };
        let name = format.name();
        let (version, components) = read.map_err(|error| SbomError::Text {
            format: name,
            problem: error.to_string().chars().take(TEXT_CHARS_MAX).collect(),
        })?;
        let expected = match format {
            SbomFormat::CycloneDx => "`bomFormat` with `specVersion`",
            SbomFormat::Spdx => "`spdxVersion`, or `@context` of SPDX 3",
        };
        let version = version.ok_or(SbomError::Format { format: name, expected })?;
        Ok(Self { file, format, version, components, text })
    }
}

/// The version, if it is one of that format, and how many parts there are.
type Parts = (Option<String>, usize);

fn cyclone_dx(text: &str) -> Result<Parts, serde_json::Error> {
    let document: CycloneDx = serde_json::from_str(text)?;
    let known = document.format == "CycloneDX" && is_version(&document.version);
    Ok((known.then_some(document.version), parts(&document.components)))
}

/// Bounded by the parser's depth.
fn parts(components: &[Part]) -> usize {
    components.iter().map(|part| 1 + parts(&part.components)).sum()
}

fn spdx(text: &str) -> Result<Parts, serde_json::Error> {
    let document: Spdx = serde_json::from_str(text)?;
    if let Some(version) = document.version.strip_prefix("SPDX-").filter(|it| is_version(it)) {
        return Ok((Some(version.to_owned()), document.packages.len()));
    }
    let packages = document.graph.iter().filter(|element| element.kind == "software_Package");
    Ok((version_of(&document.context), packages.count()))
}

/// `https://spdx.org/rdf/3.0.1/spdx-context.jsonld`.
fn version_of(context: &Context) -> Option<String> {
    match context {
        Context::One(url) => {
            let (_, rest) = url.split_once("//spdx.org/rdf/")?;
            let version = rest.split('/').next()?;
            is_version(version).then(|| version.to_owned())
        }
        Context::Several(all) => all.iter().find_map(version_of),
        Context::None | Context::Other(_) => None,
    }
}

fn is_version(text: &str) -> bool {
    (1..=16).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit() || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<(&'static str, String, usize), SbomError> {
        let path = BundlePath::new(name).unwrap();
        let format = SbomFormat::of(&path).unwrap();
        let entry = TreeEntry::of(path, text.as_bytes());
        Sbom::read(entry, format, text.to_owned())
            .map(|sbom| (sbom.format.name(), sbom.version, sbom.components))
    }

    #[test]
    fn both_formats_are_read_and_their_parts_counted() {
        let check = |name, text, format, version: &str, count| {
            assert_eq!(read(name, text).unwrap(), (format, version.to_owned(), count));
        };
        let nested = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","x":[{}],
            "components":[{"name":"a","components":[{"name":"b"}]},{}]}"#;
        check("a.cdx.json", nested, "CycloneDX", "1.6", 3);
        check(
            "a.cdx.json",
            r#"{"bomFormat":"CycloneDX","specVersion":"1.4"}"#,
            "CycloneDX",
            "1.4",
            0,
        );
        check("a.spdx.json", r#"{"spdxVersion":"SPDX-2.3","packages":[{},{}]}"#, "SPDX", "2.3", 2);
        let third = r#"{"@context":["x","https://spdx.org/rdf/3.0.1/spdx-context.jsonld"],
            "@graph":[{"type":"software_Package"},{"type":"Person"}]}"#;
        check("a.spdx.json", third, "SPDX", "3.0.1", 1);
    }

    #[test]
    fn anything_else_is_refused() {
        let check = |name, text: &str, words: &str| {
            let said = read(name, text).unwrap_err().to_string();
            assert!(said.contains(words), "{said}");
        };
        check("a.cdx.json", "{", "line 1");
        check("a.cdx.json", "{}", "`bomFormat`");
        check("a.cdx.json", r#"{"spdxVersion":"SPDX-2.3"}"#, "CycloneDX");
        check("a.cdx.json", r#"{"bomFormat":"CycloneDX","specVersion":"new"}"#, "specVersion");
        check(
            "a.cdx.json",
            r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":7}"#,
            "line 1",
        );
        check("a.spdx.json", r#"{"bomFormat":"CycloneDX","specVersion":"1.6"}"#, "SPDX");
        check("a.spdx.json", r#"{"@context":{"a":7}}"#, "SPDX");
        let deep = format!("{{\"@context\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        check("a.spdx.json", &deep, "recursion");
    }

    #[test]
    fn the_name_says_the_format() {
        let of = |name: &str| SbomFormat::of(&BundlePath::new(name).unwrap());
        assert_eq!(of("a/sbom.cdx.json"), Some(SbomFormat::CycloneDx));
        assert_eq!(of("sbom.spdx.json"), Some(SbomFormat::Spdx));
        assert_eq!(of("sbom.json"), None);
    }
}
