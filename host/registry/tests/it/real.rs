//! To a real registry and back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use wfhost_registry::{
    ComponentToPush, Error, Kind, pull_bundle, pull_component, push_bundle, push_component,
};
use wfhost_testkit::registry::Registry;
use wfhost_workflow::Digest;

use crate::place::{COMPONENT, Place, options, reference};

fn stored(registry: &Registry, digest: &str) -> Value {
    serde_json::from_slice(&registry.stored(digest)).unwrap()
}

#[test]
fn a_component_goes_there_and_back_in_the_form_that_wkg_reads() {
    let (registry, place) = (Registry::start(), Place::new());
    let path = place.component(200_000);
    let (exports, imports) = (["wasi:cli/run@0.2.0".to_owned()], ["f".to_owned()]);
    let component = ComponentToPush {
        exports: &exports,
        imports: &imports,
        author: Some("A Team"),
        name: Some("text"),
        version: Some("1.0.0"),
        ..ComponentToPush::of(&path)
    };
    let at = reference(&registry.reference("acme/text:1.0.0"));
    let pushed = push_component(&component, &at, &options()).unwrap();
    let sent = fs::read(&path).unwrap();
    let digest = Digest::of(&sent);

    // Byte by byte what `wkg oci push` makes, but for the time, which is fixed here.
    let config = format!(
        "{{\"created\":\"1970-01-01T00:00:00Z\",\"author\":\"A Team\",\"architecture\":\"wasm\",\
         \"os\":\"wasip2\",\"layerDigests\":[\"{digest}\"],\"component\":{{\"exports\":\
         [\"wasi:cli/run@0.2.0\"],\"imports\":[\"f\"],\"target\":null}}}}"
    );
    let config_digest = Digest::of(config.as_bytes());
    let manifest = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\
         \"config\":{{\"mediaType\":\"application/vnd.wasm.config.v0+json\",\
         \"digest\":\"{config_digest}\",\"size\":{}}},\"layers\":[{{\"mediaType\":\
         \"application/wasm\",\"digest\":\"{digest}\",\"size\":200000}}],\"annotations\":\
         {{\"org.opencontainers.image.title\":\"text\",\
         \"org.opencontainers.image.version\":\"1.0.0\"}}}}",
        config.len()
    );
    let text = |digest: Digest| String::from_utf8(registry.stored(&digest.to_string())).unwrap();
    assert_eq!(text(pushed.manifest), manifest);
    assert_eq!(text(config_digest), config);

    let pulled = pull_component(&at, &options(), &place.target()).unwrap();
    assert_eq!(fs::read(place.target()).unwrap(), sent);
    assert_eq!((pulled.digest, pulled.bytes), (digest, 200_000));
    assert_eq!(pulled.pinned, pushed.pinned);
    assert_eq!(place.pulled(), ["it"]);
    let mode = fs::metadata(place.target()).unwrap().permissions().mode() & 0o777;
    let usual = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, usual, "as any other new file");
}

#[test]
fn a_bundle_goes_there_and_back_with_its_signatures() {
    let (registry, place) = (Registry::start(), Place::new());
    let path = place.bundle("1.2.0");
    let at = reference(&registry.reference("acme/my-agents:1.2.0"));
    let (pushed, bundle) = push_bundle(&path, &at, &options()).unwrap();

    let manifest = stored(&registry, &pushed.manifest.to_string());
    let digest = bundle.digest().to_string();
    assert_eq!(manifest["artifactType"], "application/vnd.wfhost.bundle.v1");
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wfhost.bundle.config.v1+json");
    assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.wfhost.bundle.v1");
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
    let annotations = json!({
        "org.opencontainers.image.title": "my-agents",
        "org.opencontainers.image.version": "1.2.0",
        "vnd.wfhost.bundle.digest": digest,
    });
    assert_eq!(manifest["annotations"], annotations);
    let config = stored(&registry, manifest["config"]["digest"].as_str().unwrap());
    assert_eq!(config, json!({ "name": "my-agents", "version": "1.2.0", "digest": digest }));

    let pulled = pull_bundle(&at, &options(), &place.target()).unwrap();
    assert_eq!(fs::read(place.target()).unwrap(), fs::read(&path).unwrap());
    assert_eq!(pulled.bundle.digest(), bundle.digest());
    assert_eq!(pulled.bundle.signatures.keys().count(), 1);
    assert_eq!(pulled.pinned.to_string(), format!("{at}@{}", pushed.manifest));
}

#[test]
fn a_pinned_reference_is_that_one_for_ever() {
    let (registry, place) = (Registry::start(), Place::new());
    let at = reference(&registry.reference("acme/my-agents:latest"));
    let (first, _) = push_bundle(&place.bundle("1.0.0"), &at, &options()).unwrap();
    let (second, _) = push_bundle(&place.bundle("1.1.0"), &at, &options()).unwrap();
    let version = |pinned| {
        let pulled = pull_bundle(pinned, &options(), &place.target()).unwrap();
        pulled.bundle.manifest.version.to_string()
    };
    assert_eq!(version(&first.pinned), "1.0.0");
    assert_eq!(version(&second.pinned), "1.1.0");
    assert_eq!(version(&at), "1.1.0", "the tag was moved");
    let untagged = reference(&registry.reference("acme/my-agents"));
    assert_eq!(version(&untagged), "1.1.0", "`latest` is meant");

    let unknown = at.pinned(Digest::of(b"another"));
    let error = place.fails(|| pull_bundle(&unknown, &options(), &place.target()));
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
}

#[test]
fn what_is_sent_must_have_the_digest_that_the_reference_names() {
    let (registry, place) = (Registry::start(), Place::new());
    let path = place.component(10);
    let at = reference(&registry.reference("a/b:t"));
    let component = ComponentToPush::of(&path);
    let other = at.pinned(Digest::of(b"another"));
    let error = push_component(&component, &other, &options()).unwrap_err();
    assert!(matches!(error, Error::Digest { what: "the manifest", .. }), "{error:?}");
    let error = place.fails(|| pull_component(&at, &options(), &place.target()));
    assert!(matches!(error, Error::NotFound { .. }), "nothing was sent: {error:?}");

    let pushed = push_component(&component, &at, &options()).unwrap();
    let again = push_component(&component, &pushed.pinned, &options()).unwrap();
    assert!(again.was_there && !pushed.was_there);
    assert_eq!(again.manifest, pushed.manifest);
}

#[test]
fn what_is_not_there_is_said() {
    let (registry, place) = (Registry::start(), Place::new());
    let path = place.component(10);
    let at = reference(&registry.reference("a/b:there"));
    push_component(&ComponentToPush::of(&path), &at, &options()).unwrap();
    for name in ["a/b:other", "a/c:there"] {
        let unknown = reference(&registry.reference(name));
        let error = place.fails(|| pull_component(&unknown, &options(), &place.target()));
        assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
        assert!(error.to_string().starts_with(&unknown.to_string()), "{error}");
    }
}

#[test]
fn one_kind_is_not_taken_for_the_other() {
    let (registry, place) = (Registry::start(), Place::new());
    let component = reference(&registry.reference("a/component"));
    let path = place.component(10);
    push_component(&ComponentToPush::of(&path), &component, &options()).unwrap();
    let error = place.fails(|| pull_bundle(&component, &options(), &place.target()));
    let is_component = matches!(error, Error::WrongKind { known: Some(Kind::Component), .. });
    assert!(is_component && error.hint().unwrap().contains("plugin pull"), "{error:?}");

    let bundle = reference(&registry.reference("a/bundle"));
    push_bundle(&place.bundle("1.0.0"), &bundle, &options()).unwrap();
    let error = place.fails(|| pull_component(&bundle, &options(), &place.target()));
    let is_bundle = matches!(error, Error::WrongKind { known: Some(Kind::Bundle), .. });
    assert!(is_bundle && error.hint().unwrap().contains("bundle pull"), "{error:?}");
}

#[test]
fn what_is_no_bundle_or_component_is_not_sent() {
    let (registry, place) = (Registry::start(), Place::new());
    let at = reference(&registry.reference("a/b"));
    let path = place.path("text");
    fs::write(&path, "something").unwrap();
    let error = push_component(&ComponentToPush::of(&path), &at, &options()).unwrap_err();
    assert!(matches!(error, Error::NoComponent { .. }), "{error:?}");
    let error = push_bundle(&path, &at, &options()).unwrap_err();
    assert!(matches!(error, Error::Bundle(_)), "{error:?}");
    // A bundle of which a byte of a file has changed.
    let bundle = place.bundle("1.0.0");
    let mut bytes = fs::read(&bundle).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&bundle, bytes).unwrap();
    let error = push_bundle(&bundle, &at, &options()).unwrap_err();
    assert!(matches!(error, Error::Bundle(_)), "{error:?}");
    for path in [place.path("nothing"), place.path("pulled")] {
        let error = push_bundle(&path, &at, &options()).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
    }
    let error = place.fails(|| pull_bundle(&at, &options(), &place.target()));
    assert!(matches!(error, Error::NotFound { .. }), "nothing was sent: {error:?}");
}

#[test]
fn a_registry_whose_storage_is_damaged_is_found_out() {
    let (registry, place) = (Registry::start(), Place::new());
    let at = reference(&registry.reference("a/b"));
    let path = place.component(1_000);
    let pushed = push_component(&ComponentToPush::of(&path), &at, &options()).unwrap();
    let mut other = fs::read(&path).unwrap();
    other[500] ^= 1;
    registry.damage(&pushed.digest.to_string(), &other);
    let error = place.fails(|| pull_component(&at, &options(), &place.target()));
    assert!(matches!(error, Error::Digest { what: "the file", .. }), "{error:?}");
}

#[test]
fn where_nothing_can_be_written_nothing_is() {
    let (registry, place) = (Registry::start(), Place::new());
    let at = reference(&registry.reference("a/b"));
    fs::write(place.path("c.wasm"), COMPONENT).unwrap();
    let path = place.path("c.wasm");
    push_component(&ComponentToPush::of(&path), &at, &options()).unwrap();
    for target in [place.path("pulled"), place.path("nowhere/it"), place.path("c.wasm/it")] {
        let error = pull_component(&at, &options(), &target).unwrap_err();
        assert!(matches!(error, Error::Io { doing: "write", .. }), "{error:?}");
    }
    assert!(place.pulled().is_empty());
}
