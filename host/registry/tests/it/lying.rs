//! Registries that say what is not so.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wfhost_registry::bounds::{COMPONENT_BYTES_MAX, MANIFEST_BYTES_MAX};
use wfhost_registry::{
    ComponentToPush, Error, Options, pull_bundle, pull_component, push_component,
};
use wfhost_workflow::Digest;

use crate::liar::{Liar, Request, chunk, chunked, head, manifest, manifest_of, ok, status};
use crate::place::{Place, as_user, component, options, reference};

type Answered = std::io::Result<()>;

const BYTES: usize = 100_000;

/// What pulling a component of [`BYTES`] bytes gives when the file is answered so.
#[track_caller]
fn told(
    blob: impl Fn(&Request, &mut TcpStream) -> Answered + Send + Sync + 'static,
) -> (Error, Liar) {
    told_with(&options(), blob)
}

#[track_caller]
fn told_with(
    options: &Options,
    blob: impl Fn(&Request, &mut TcpStream) -> Answered + Send + Sync + 'static,
) -> (Error, Liar) {
    let liar = Liar::with_component(&component(BYTES), blob);
    let place = Place::new();
    let error = place.fails(|| pull_component(&liar.reference(), options, &place.target()));
    (error, liar)
}

#[track_caller]
fn pull_manifest(
    manifest: impl Fn(&Request, &mut TcpStream) -> Answered + Send + Sync + 'static,
) -> (Error, Liar) {
    let (liar, place) = (Liar::start(manifest), Place::new());
    let error = place.fails(|| pull_component(&liar.reference(), &options(), &place.target()));
    (error, liar)
}

#[test]
fn other_bytes_than_the_digest_says() {
    let mut other = component(BYTES);
    other[BYTES - 1] ^= 1;
    let (error, liar) = told(move |_, stream| ok(stream, "", &other));
    let wanted = Digest::of(&component(BYTES));
    assert!(matches!(error, Error::Digest { wanted: told, .. } if told == wanted), "{error:?}");
    assert_eq!(liar.blobs_asked(), 1, "a lie is not asked for again");
}

#[test]
fn more_bytes_than_declared() {
    let longer = component(BYTES + 1);
    let (error, _) = told(move |_, stream| ok(stream, "", &longer));
    assert!(matches!(error, Error::Size { found: 100_001, .. }), "{error:?}");
    let longer = component(BYTES + 1);
    let (error, _) = told(move |_, stream| chunked(stream, &[&longer[..BYTES], &longer[BYTES..]]));
    assert!(matches!(error, Error::Size { declared: 100_000, .. }), "{error:?}");
}

#[test]
fn fewer_bytes_than_declared() {
    let shorter = component(BYTES - 1);
    let (error, _) = told(move |_, stream| ok(stream, "", &shorter));
    assert!(matches!(error, Error::Size { found: 99_999, .. }), "{error:?}");
    let shorter = component(BYTES - 1);
    let (error, liar) = told(move |_, stream| chunked(stream, &[&shorter]));
    assert!(matches!(error, Error::Size { found: 99_999, .. }), "{error:?}");
    assert_eq!(liar.blobs_asked(), 1, "it ended as it should, so it was not cut");
}

#[test]
fn bytes_without_end() {
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    let (error, liar) = told(move |_, stream| {
        head(stream, "200 OK", "Transfer-Encoding: chunked\r\n")?;
        loop {
            chunk(stream, &[7; 1_000])?;
            count.fetch_add(1_000, Ordering::SeqCst);
        }
    });
    assert!(matches!(error, Error::Size { .. }), "{error:?}");
    drop(liar);
    // Sockets buffer some megabytes; it would have sent as long as somebody reads.
    assert!(sent.load(Ordering::SeqCst) < 64 << 20);
}

#[test]
fn a_size_that_is_over_every_bound_is_not_fetched() {
    for size in [(COMPONENT_BYTES_MAX + 1).to_string(), u64::MAX.to_string()] {
        let text = manifest_of(Digest::of(b""), &size);
        let (error, liar) = pull_manifest(move |_, stream| ok(stream, "", text.as_bytes()));
        assert!(matches!(error, Error::TooLarge { what: "the file", .. }), "{error:?}");
        assert_eq!(liar.blobs_asked(), 0);
    }
}

#[test]
fn another_manifest_than_the_pinned_one() {
    let content = component(BYTES);
    let liar = Liar::with_component(&content.clone(), move |_, stream| ok(stream, "", &content));
    let place = Place::new();
    let pinned = liar.reference().pinned(Digest::of(b"what was reviewed"));
    let error = place.fails(|| pull_component(&pinned, &options(), &place.target()));
    assert!(matches!(error, Error::Digest { what: "the manifest", .. }), "{error:?}");
    assert_eq!(liar.blobs_asked(), 0, "nothing of it is fetched");

    let right = Digest::of(manifest(&component(BYTES)).as_bytes());
    let pulled = pull_component(&liar.reference().pinned(right), &options(), &place.target());
    assert_eq!(pulled.unwrap().manifest, right);
}

#[test]
fn another_manifest_than_its_own_header_says() {
    let header = format!("Docker-Content-Digest: {}\r\n", Digest::of(b"another"));
    let text = manifest(&component(BYTES));
    let (error, _) = pull_manifest(move |_, stream| ok(stream, &header, text.as_bytes()));
    assert!(matches!(error, Error::Digest { what: "the manifest", .. }), "{error:?}");
}

#[test]
fn a_manifest_without_end() {
    let (error, _) = pull_manifest(|_, stream| {
        head(stream, "200 OK", "Transfer-Encoding: chunked\r\n")?;
        loop {
            chunk(stream, &[b' '; 100_000])?;
        }
    });
    let is_bounded = matches!(error, Error::TooLarge { bytes_max: MANIFEST_BYTES_MAX, .. });
    assert!(is_bounded, "{error:?}");
}

#[test]
fn what_is_no_component_is_named() {
    let index = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    let docker =
        r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json"}"#;
    for (text, says) in [
        (index, "a list of images (an OCI image index), and not a component"),
        (docker, "a docker image, and not a component"),
        (r#"{"schemaVersion":1}"#, "a manifest in an old or unknown form"),
    ] {
        let (error, liar) = pull_manifest(move |_, stream| ok(stream, "", text.as_bytes()));
        assert!(matches!(error, Error::WrongKind { .. }), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
        let accepts = liar.asked()[0].header("accept").unwrap().to_owned();
        assert!(accepts.contains("image.index"), "else a registry says it has nothing: {accepts}");
    }
}

#[test]
fn answers_that_make_no_sense() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: ftp://x/\r\nContent-Length: 0\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
    ] {
        let (error, _) = pull_manifest(move |_, stream| stream.write_all(answer.as_bytes()));
        assert!(matches!(error, Error::Nonsense { .. }), "{answer}: {error:?}");
    }
}

#[test]
fn headers_without_end() {
    let (error, _) = pull_manifest(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
        loop {
            stream.write_all(&[b'x'; 1_000])?;
        }
    });
    assert!(matches!(error, Error::Nonsense { .. }), "{error:?}");
}

#[test]
fn a_bundle_that_is_none() {
    let content = b"this is no bundle".to_vec();
    let text = manifest(&content)
        .replace(
            "application/vnd.wasm.config.v0+json",
            "application/vnd.wfhost.bundle.config.v1+json",
        )
        .replace("application/wasm", "application/vnd.wfhost.bundle.v1");
    let liar = Liar::start(move |request, stream| {
        ok(stream, "", if request.is_blob() { &content } else { text.as_bytes() })
    });
    let place = Place::new();
    let error = place.fails(|| pull_bundle(&liar.reference(), &options(), &place.target()));
    assert!(matches!(error, Error::Bundle(_)), "{error:?}");
}

#[test]
fn a_manifest_that_names_another_bundle_than_it_holds() {
    let place = Place::new();
    let content = std::fs::read(place.bundle("1.0.0")).unwrap();
    let annotated =
        format!(r#"],"annotations":{{"vnd.wfhost.bundle.digest":"{}"}}}}"#, Digest::of(b"another"));
    let text = manifest(&content)
        .replace(
            "application/vnd.wasm.config.v0+json",
            "application/vnd.wfhost.bundle.config.v1+json",
        )
        .replace("application/wasm", "application/vnd.wfhost.bundle.v1")
        .replace("]}", &annotated);
    let liar = Liar::start(move |request, stream| {
        ok(stream, "", if request.is_blob() { &content } else { text.as_bytes() })
    });
    let error = place.fails(|| pull_bundle(&liar.reference(), &options(), &place.target()));
    assert!(matches!(error, Error::Nonsense { .. }), "{error:?}");
}

#[test]
fn a_registry_does_not_send_us_into_our_own_network() {
    for to in ["http://169.254.169.254/latest", "http://10.0.0.1:80/x", "https://10.0.0.1/x"] {
        let location = format!("Location: {to}\r\n");
        let (error, _) = told(move |_, stream| status(stream, "307 Moved", &location));
        assert!(matches!(error, Error::Redirect { .. }), "{to}: {error:?}");
    }
    let (error, liar) = told(|request, stream| {
        status(stream, "307 Moved", &format!("Location: {}\r\n", request.path))
    });
    assert!(matches!(error, Error::Nonsense { .. }), "{error:?}");
    assert!(liar.blobs_asked() < 10, "redirects have an end");
}

#[test]
fn who_is_redirected_to_is_not_told_who_we_are() {
    let content = component(BYTES);
    let storage = Liar::start(move |_, stream| ok(stream, "", &component(BYTES)));
    let to = format!("Location: http://{}/storage\r\n", storage.address());
    let text = manifest(&content);
    let registry = Liar::start(move |request, stream| match request.header("authorization") {
        None => status(stream, "401 Unauthorized", "WWW-Authenticate: Basic realm=x\r\n"),
        Some(_) if request.is_blob() => status(stream, "307 Moved", &to),
        Some(_) => ok(stream, "", text.as_bytes()),
    });
    let place = Place::new();
    let options = as_user("team", "secret");
    pull_component(&registry.reference(), &options, &place.target()).unwrap();
    assert_eq!(std::fs::read(place.target()).unwrap(), content);
    let asked = storage.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].header("authorization"), None, "the password stays here");
}

/// A registry that wants a token from `realm`, and the token that it takes.
fn with_token(realm: String, token: &'static str) -> Liar {
    let content = component(BYTES);
    let text = manifest(&content);
    Liar::start(move |request, stream| match request.header("authorization") {
        Some(given) if given == format!("Bearer {token}") => {
            ok(stream, "", if request.is_blob() { &content } else { text.as_bytes() })
        }
        _ => {
            let wants = format!("WWW-Authenticate: Bearer realm=\"{realm}\",service=\"s p\"\r\n");
            status(stream, "401 Unauthorized", &wants)
        }
    })
}

#[test]
fn a_token_is_asked_for_where_the_registry_says() {
    let tokens = Liar::start(|_, stream| ok(stream, "", br#"{"token":"tok.en"}"#));
    let registry = with_token(format!("http://{}/token?x=1", tokens.address()), "tok.en");
    let place = Place::new();
    pull_component(&registry.reference(), &as_user("u", "p"), &place.target()).unwrap();
    let asked = tokens.asked();
    assert_eq!(asked.len(), 1, "one token is enough");
    assert_eq!(asked[0].path, "/token?x=1&scope=repository%3Aacme%2Ftext%3Apull&service=s%20p");
    assert_eq!(asked[0].header("authorization"), Some("Basic dTpw"));
}

#[test]
fn tokens_that_are_none() {
    let huge = format!(r#"{{"token":"{}"}}"#, "x".repeat(1 << 20));
    for given in [r#"{"token":"a\r\nX-Evil: 1"}"#, r#"{"token":""}"#, "{}", "tok", &huge] {
        let answer = given.to_owned();
        let tokens = Liar::start(move |_, stream| ok(stream, "", answer.as_bytes()));
        let registry = with_token(format!("http://{}/t", tokens.address()), "tok.en");
        let place = Place::new();
        let error = place
            .fails(|| pull_component(&registry.reference(), &as_user("u", "p"), &place.target()));
        let short = &given[..given.len().min(40)];
        let is_told = matches!(error, Error::Nonsense { .. } | Error::TooLarge { .. });
        assert!(is_told, "{short}: {error:?}");
    }
}

#[test]
fn a_password_is_not_sent_into_our_own_network_for_a_token() {
    let registry = with_token("http://169.254.169.254/token".to_owned(), "tok.en");
    let place = Place::new();
    let error =
        place.fails(|| pull_component(&registry.reference(), &as_user("u", "p"), &place.target()));
    assert!(matches!(error, Error::Redirect { .. }), "{error:?}");
}

#[test]
fn a_registry_that_wants_a_login_again_and_again_gets_it_once() {
    let (error, liar) = told_with(&as_user("u", "p"), |_, stream| {
        status(stream, "401 Unauthorized", "WWW-Authenticate: Basic realm=x\r\n")
    });
    assert!(matches!(error, Error::Unauthorized { had_login: true, .. }), "{error:?}");
    assert_eq!(liar.blobs_asked(), 2);
}

#[test]
fn a_refusal_is_told_with_the_words_of_the_registry() {
    let (error, _) = told(|_, stream| {
        let body = r#"{"errors":[{"code":"DENIED","message":"not for you"}]}"#;
        head(stream, "403 Forbidden", &format!("Content-Length: {}\r\n", body.len()))?;
        stream.write_all(body.as_bytes())
    });
    assert!(
        matches!(&error, Error::Denied { message, .. } if message == "not for you"),
        "{error:?}"
    );
}

#[test]
fn an_upload_is_not_sent_into_our_own_network() {
    let liar = Liar::start(|request, stream| match request.method.as_str() {
        "HEAD" => status(stream, "404 Not Found", ""),
        _ => status(stream, "202 Accepted", "Location: http://10.0.0.1/upload\r\n"),
    });
    let place = Place::new();
    let path = place.component(10);
    let component = ComponentToPush::of(&path);
    let error = push_component(&component, &liar.reference(), &options()).unwrap_err();
    assert!(matches!(error, Error::Redirect { .. }), "{error:?}");
}

#[test]
fn a_registry_that_says_it_took_another_manifest() {
    let header = format!("Docker-Content-Digest: {}\r\n", Digest::of(b"another"));
    let liar = Liar::start(move |request, stream| match request.method.as_str() {
        "HEAD" => status(stream, "200 OK", ""),
        _ => status(stream, "201 Created", &header),
    });
    let place = Place::new();
    let path = place.component(10);
    let component = ComponentToPush::of(&path);
    let error = push_component(&component, &liar.reference(), &options()).unwrap_err();
    assert!(matches!(error, Error::Digest { what: "the manifest", .. }), "{error:?}");
    let put = liar.asked().pop().unwrap();
    let told = Digest::of(&put.body);
    assert!(matches!(error, Error::Digest { wanted, .. } if wanted == told));
}

#[test]
fn elsewhere_than_on_this_machine_plain_http_is_not_spoken() {
    let place = Place::new();
    // Nobody listens at this port of a name that is this machine's all the same.
    let at = reference("oci://127.0.0.1.nip.invalid:1/a/b");
    let error = place.fails(|| pull_component(&at, &options(), &place.target()));
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    // By an address that is no loopback, the first bytes are those of TLS.
    let liar = Liar::start(|_, stream| ok(stream, "", b"{}"));
    let port = liar.address().rsplit(':').next().unwrap().to_owned();
    let at = reference(&format!("oci://0.0.0.0:{port}/a/b"));
    let hurried = Options { attempts: 1, ..options() };
    let error = place.fails(|| pull_component(&at, &hurried, &place.target()));
    assert!(liar.asked().iter().all(|request| request.method != "GET"), "{:?}", liar.asked());
    assert!(matches!(error, Error::Tls { .. } | Error::Cut { .. }), "{error:?}");
    let insecure = Options { insecure: true, ..hurried };
    let error = place.fails(|| pull_component(&at, &insecure, &place.target()));
    assert!(matches!(error, Error::WrongKind { .. }), "it was asked: {error:?}");
}
