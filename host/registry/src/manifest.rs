//! Manifests: what we write, and what of those that we read is ours.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wfhost_bundle::Bundle;
use wfhost_workflow::Digest;

use crate::error::Kind;

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
pub(crate) const WASM_LAYER: &str = "application/wasm";
pub(crate) const BUNDLE: &str = "application/vnd.wfhost.bundle.v1";
pub(crate) const BUNDLE_CONFIG: &str = "application/vnd.wfhost.bundle.config.v1+json";
pub(crate) const TITLE: &str = "org.opencontainers.image.title";
pub(crate) const VERSION: &str = "org.opencontainers.image.version";
pub(crate) const DESCRIPTION: &str = "org.opencontainers.image.description";
pub(crate) const BUNDLE_DIGEST: &str = "vnd.wfhost.bundle.digest";

const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const IMAGE_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// What we ask for: the others too, so that a registry says what it has instead of that it has
/// nothing.
pub(crate) const ACCEPT: [&str; 4] = [MANIFEST, IMAGE_INDEX, DOCKER_MANIFEST, DOCKER_LIST];

/// The list of what belongs together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    schema_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// A content, by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Descriptor {
    pub(crate) fn of(media_type: &str, content: &[u8]) -> Self {
        Self::new(media_type, Digest::of(content), content.len() as u64)
    }

    pub(crate) fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        let media_type = media_type.to_owned();
        Self { media_type, digest, size, annotations: BTreeMap::new() }
    }
}

/// What a bundle's config says, for whoever lists a registry: nothing is read from it here.
#[derive(Serialize)]
struct BundleConfig<'b> {
    name: &'b str,
    version: String,
    digest: Digest,
}

/// The config and the manifest of a bundle.
pub(crate) fn of_bundle(bundle: &Bundle, file: Digest, size: u64) -> (Vec<u8>, Manifest) {
    let (name, version) = (bundle.manifest.name.as_str(), bundle.manifest.version.to_string());
    let config = json(&BundleConfig { name, version: version.clone(), digest: bundle.digest() });
    let mut layer = Descriptor::new(BUNDLE, file, size);
    // What other tools call the file that they make of it.
    layer.annotations.insert(TITLE.to_owned(), format!("{name}-{version}.wfb"));
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(MANIFEST.to_owned()),
        artifact_type: Some(BUNDLE.to_owned()),
        config: Descriptor::of(BUNDLE_CONFIG, &config),
        layers: vec![layer],
        annotations: [
            (TITLE.to_owned(), name.to_owned()),
            (VERSION.to_owned(), version),
            (BUNDLE_DIGEST.to_owned(), bundle.digest().to_string()),
        ]
        .into(),
    };
    (config, manifest)
}

/// The manifest of a component.
pub(crate) fn of_component(
    config: &[u8],
    component: Digest,
    size: u64,
    annotations: BTreeMap<String, String>,
) -> Manifest {
    Manifest {
        schema_version: 2,
        media_type: Some(MANIFEST.to_owned()),
        // The guidance for WebAssembly has none: the config's type says it.
        artifact_type: None,
        config: Descriptor::of(WASM_CONFIG, config),
        layers: vec![Descriptor::new(WASM_LAYER, component, size)],
        annotations,
    }
}

pub(crate) fn json(value: &impl Serialize) -> Vec<u8> {
    // Structs of texts and numbers: nothing in them can fail.
    serde_json::to_vec(value).unwrap_or_default()
}

/// What of a manifest says what it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    schema_version: Option<serde_json::Value>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<HeadConfig>,
    manifests: Option<serde::de::IgnoredAny>,
    layers: Option<Vec<HeadConfig>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeadConfig {
    media_type: Option<String>,
}

/// A manifest that is of no use.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is something else.
    Kind { found: String, known: Option<Kind> },
    /// It is nothing.
    Nonsense(String),
}

/// Reads a manifest of the wanted kind, with its one layer.
pub(crate) fn read(bytes: &[u8], wanted: Kind) -> Result<(Manifest, Descriptor), Unfit> {
    let head: Head = serde_json::from_slice(bytes)
        .map_err(|error| Unfit::Nonsense(format!("its manifest is none: {error}")))?;
    let (found, known) = head.kind();
    if known != Some(wanted) {
        return Err(Unfit::Kind { found, known });
    }
    let manifest: Manifest = serde_json::from_slice(bytes)
        .map_err(|error| Unfit::Nonsense(format!("its manifest is damaged: {error}")))?;
    let [layer] = manifest.layers.as_slice() else {
        let count = manifest.layers.len();
        return Err(Unfit::Nonsense(format!(
            "the manifest of {wanted} lists {count} files, not one"
        )));
    };
    let layer = layer.clone();
    let expected = match wanted {
        Kind::Bundle => BUNDLE,
        Kind::Component => WASM_LAYER,
    };
    if layer.media_type != expected {
        let is = short(&layer.media_type);
        return Err(Unfit::Kind {
            found: format!("something with a file of type {is}"),
            known: None,
        });
    }
    Ok((manifest, layer))
}

impl Head {
    /// In words, and whether it is one of ours.
    fn kind(&self) -> (String, Option<Kind>) {
        let of = |text: &Option<String>| text.clone().unwrap_or_default();
        let media_type = of(&self.media_type);
        let config = self.config.as_ref().map(|config| of(&config.media_type)).unwrap_or_default();
        let text = match (media_type.as_str(), config.as_str()) {
            (IMAGE_INDEX, _) => "a list of images (an OCI image index)",
            (DOCKER_LIST, _) => "a list of docker images",
            (DOCKER_MANIFEST, _) => "a docker image",
            _ if self.manifests.is_some() => "a list of images (an OCI image index)",
            _ if self.schema_version != Some(2.into()) => "a manifest in an old or unknown form",
            ("" | MANIFEST, IMAGE_CONFIG) => "a container image",
            ("" | MANIFEST, WASM_CONFIG) => {
                return (Kind::Component.to_string(), Some(Kind::Component));
            }
            ("" | MANIFEST, BUNDLE_CONFIG) => {
                return (Kind::Bundle.to_string(), Some(Kind::Bundle));
            }
            _ => {
                let types = [media_type, of(&self.artifact_type), config];
                let layers = self.layers.iter().flatten().map(|layer| of(&layer.media_type));
                let named = types.into_iter().filter(|name| name != MANIFEST).chain(layers);
                let named = named.map(|name| short(&name)).find(|name| !name.is_empty());
                return (format!("something of type {}", named.unwrap_or_default()), None);
            }
        };
        (text.to_owned(), None)
    }
}

fn short(text: &str) -> String {
    text.chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn manifest(config: &str, layers: &[&str]) -> String {
        let one = |kind: &str| format!(r#"{{"mediaType":"{kind}","digest":"{DIGEST}","size":3}}"#);
        let layers: Vec<String> = layers.iter().map(|kind| one(kind)).collect();
        let config = one(config);
        format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{}]}}"#, layers.join(","))
    }

    fn refused(text: &str) -> String {
        match read(text.as_bytes(), Kind::Component).expect_err(text) {
            Unfit::Kind { found, .. } => found,
            Unfit::Nonsense(what) => what,
        }
    }

    #[test]
    fn a_component_is_one_file_of_wasm() {
        let text = manifest(WASM_CONFIG, &[WASM_LAYER]);
        let (_, layer) = read(text.as_bytes(), Kind::Component).expect("a component");
        assert_eq!((layer.digest.to_string().as_str(), layer.size), (DIGEST, 3));
        let unfit = read(text.as_bytes(), Kind::Bundle).expect_err("no bundle");
        assert_eq!(
            unfit,
            Unfit::Kind { found: "a component".to_owned(), known: Some(Kind::Component) }
        );
    }

    #[test]
    fn what_is_something_else_is_named() {
        let image = manifest(IMAGE_CONFIG, &["application/vnd.oci.image.layer.v1.tar+gzip"]);
        assert_eq!(refused(&image), "a container image");
        let index = format!(r#"{{"schemaVersion":2,"mediaType":"{IMAGE_INDEX}","manifests":[]}}"#);
        assert_eq!(refused(&index), "a list of images (an OCI image index)");
        assert_eq!(
            refused(r#"{"schemaVersion":2,"manifests":[]}"#),
            "a list of images (an OCI image index)"
        );
        let docker = format!(r#"{{"schemaVersion":2,"mediaType":"{DOCKER_MANIFEST}"}}"#);
        assert_eq!(refused(&docker), "a docker image");
        let list = format!(r#"{{"schemaVersion":2,"mediaType":"{DOCKER_LIST}"}}"#);
        assert_eq!(refused(&list), "a list of docker images");
        assert_eq!(
            refused(r#"{"schemaVersion":1,"fsLayers":[]}"#),
            "a manifest in an old or unknown form"
        );
        assert_eq!(refused(&manifest("x/y", &[])), "something of type x/y");
        assert_eq!(refused(&manifest(BUNDLE_CONFIG, &[BUNDLE])), "a bundle");
        assert_eq!(refused(&manifest(WASM_CONFIG, &["a/b"])), "something with a file of type a/b");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in [
            String::new(),
            "{".to_owned(),
            "[]".to_owned(),
            "[".repeat(100_000),
            manifest(WASM_CONFIG, &[]),
            manifest(WASM_CONFIG, &[WASM_LAYER, WASM_LAYER]),
            manifest(WASM_CONFIG, &[WASM_LAYER]).replace("sha256:", "sha512:"),
            manifest(WASM_CONFIG, &[WASM_LAYER]).replace(":3", ":-3"),
            manifest(WASM_CONFIG, &[WASM_LAYER]).replace(":3", ":1e99"),
        ] {
            let short = &text[..text.len().min(200)];
            assert!(
                matches!(read(text.as_bytes(), Kind::Component), Err(Unfit::Nonsense(_))),
                "{short}"
            );
        }
    }
}
