//! Registries that stall, or are cut off.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use wfhost_registry::{ComponentToPush, Error, Options, pull_component, push_component};

use crate::liar::{Liar, begun, head, ok, silence, status};
use crate::place::{Place, StopsAtOnce, component, options};

const BYTES: usize = 100_000;

const HALF: usize = BYTES / 2;

fn impatient() -> Options {
    Options { stall_limit: Duration::from_millis(200), ..options() }
}

fn content() -> Vec<u8> {
    component(BYTES)
}

#[track_caller]
fn fails(liar: &Liar, options: &Options) -> Error {
    let place = Place::new();
    place.fails(|| pull_component(&liar.reference(), options, &place.target()))
}

#[test]
fn a_registry_that_stalls_in_the_middle_is_left() {
    let liar = Liar::with_component(&content(), |_, stream| {
        begun(stream, BYTES, &content()[..HALF])?;
        silence(stream)
    });
    let error = fails(&liar, &impatient());
    let limit = Duration::from_millis(200);
    assert!(matches!(error, Error::Stalled { limit: told, .. } if told == limit), "{error:?}");
    assert!(error.hint().unwrap().contains("--stall-timeout"));
}

#[test]
fn a_registry_that_does_not_answer_is_left() {
    let liar = Liar::start(|_, stream| silence(stream));
    let error = fails(&liar, &impatient());
    assert!(matches!(error, Error::Stalled { .. }), "{error:?}");
    let liar = Liar::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-")?;
        silence(stream)
    });
    let error = fails(&liar, &impatient());
    assert!(matches!(error, Error::Stalled { .. }), "{error:?}");
}

#[test]
fn a_registry_that_takes_nothing_is_left() {
    let liar = Liar::start(|request, stream| match request.method.as_str() {
        "HEAD" => status(stream, "404 Not Found", ""),
        "POST" => status(stream, "202 Accepted", "Location: /v2/acme/text/blobs/uploads/1\r\n"),
        _ => silence(stream),
    });
    let place = Place::new();
    let path = place.component(10);
    let component = ComponentToPush::of(&path);
    let error = push_component(&component, &liar.reference(), &impatient()).unwrap_err();
    assert!(matches!(error, Error::Stalled { .. }), "{error:?}");
}

#[test]
fn a_registry_that_drips_does_not_go_on_for_ever() {
    let liar = Liar::with_component(&content(), |_, stream| {
        begun(stream, BYTES, b"")?;
        for byte in content() {
            stream.write_all(&[byte])?;
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    });
    let total_limit = Duration::from_millis(400);
    let error = fails(&liar, &Options { total_limit, ..options() });
    assert!(matches!(error, Error::TookTooLong { limit } if limit == total_limit), "{error:?}");
}

#[test]
fn what_is_stopped_ends_although_the_registry_stalls() {
    let liar = Liar::with_component(&content(), |_, stream| {
        begun(stream, BYTES, &content()[..HALF])?;
        silence(stream)
    });
    let error = fails(&liar, &Options { watch: Arc::new(StopsAtOnce::default()), ..options() });
    assert!(matches!(error, Error::Cancelled), "{error:?}");
}

/// A registry that cuts the file off in the middle so many times; what it does then about a part.
fn cuts(times: usize, parts: bool) -> Liar {
    let cut = AtomicUsize::new(0);
    Liar::with_component(&content(), move |request, stream| {
        let content = content();
        let from = match request.header("range") {
            Some(range) if parts => {
                range.strip_prefix("bytes=").unwrap().trim_end_matches('-').parse().unwrap()
            }
            _ => 0,
        };
        let rest = &content[from..];
        let length = format!("Content-Length: {}\r\n", rest.len());
        if from > 0 {
            let range = format!("{length}Content-Range: bytes {from}-{}/{BYTES}\r\n", BYTES - 1);
            head(stream, "206 Partial Content", &range)?;
        } else {
            head(stream, "200 OK", &length)?;
        }
        let is_cut = cut.fetch_add(1, Ordering::SeqCst) < times;
        stream.write_all(if is_cut { &rest[..rest.len() / 2] } else { rest })
    })
}

#[test]
fn what_is_cut_goes_on_where_it_was_cut() {
    for (times, parts) in [(1, true), (3, true), (1, false), (3, false)] {
        let (liar, place) = (cuts(times, parts), Place::new());
        pull_component(&liar.reference(), &options(), &place.target()).unwrap();
        assert_eq!(std::fs::read(place.target()).unwrap(), content());
        assert_eq!(place.pulled(), ["it"]);
        let asked = liar.asked();
        let second = asked.iter().filter(|request| request.is_blob()).nth(1).unwrap();
        assert_eq!(second.header("range"), Some("bytes=50000-"));
        assert_eq!(liar.blobs_asked(), times + 1);
    }
}

#[test]
fn what_is_cut_again_and_again_is_left() {
    let liar = cuts(usize::MAX, true);
    let error = fails(&liar, &options());
    assert!(matches!(error, Error::Cut { .. }), "{error:?}");
    assert_eq!(liar.blobs_asked(), 4, "as often as the options say");
}

#[test]
fn another_part_than_the_missing_one_is_not_taken() {
    let first = AtomicUsize::new(0);
    let liar = Liar::with_component(&content(), move |_, stream| {
        if first.fetch_add(1, Ordering::SeqCst) == 0 {
            return begun(stream, BYTES, &content()[..HALF]);
        }
        let range =
            format!("Content-Length: {HALF}\r\nContent-Range: bytes 0-{}/{BYTES}\r\n", HALF - 1);
        head(stream, "206 Partial Content", &range)?;
        stream.write_all(&content()[..HALF])
    });
    let error = fails(&liar, &options());
    assert!(matches!(error, Error::Nonsense { .. }), "{error:?}");
}

#[test]
fn a_registry_that_is_busy_is_asked_again() {
    for busy in ["503 Service Unavailable", "429 Too Many Requests", "502 Bad Gateway"] {
        let times = AtomicUsize::new(0);
        let liar = Liar::with_component(&content(), move |_, stream| {
            match times.fetch_add(1, Ordering::SeqCst) {
                0 | 1 => status(stream, busy, "Retry-After: 0\r\n"),
                _ => ok(stream, "", &content()),
            }
        });
        let place = Place::new();
        pull_component(&liar.reference(), &options(), &place.target()).unwrap();
        assert_eq!(liar.blobs_asked(), 3);
    }
    let liar = Liar::start(|_, stream| status(stream, "503 Service Unavailable", ""));
    let error = fails(&liar, &options());
    assert!(matches!(error, Error::Status { status: 503, .. }), "{error:?}");
    assert_eq!(liar.asked().len(), 4);
}

#[test]
fn an_upload_that_is_cut_is_begun_again() {
    let times = AtomicUsize::new(0);
    let liar = Liar::start(move |request, stream| match request.method.as_str() {
        "HEAD" => status(stream, "404 Not Found", ""),
        "POST" => status(stream, "202 Accepted", "Location: /v2/acme/text/blobs/uploads/1\r\n"),
        _ if request.is_blob() && times.fetch_add(1, Ordering::SeqCst) == 0 => Ok(()),
        _ => status(stream, "201 Created", ""),
    });
    let place = Place::new();
    let path = place.component(BYTES);
    push_component(&ComponentToPush::of(&path), &liar.reference(), &options()).unwrap();
    let asked = liar.asked();
    let puts: Vec<_> = asked.iter().filter(|request| request.method == "PUT").collect();
    assert_eq!(puts.len(), 4, "the file twice, the config, the manifest");
    assert_eq!(puts[0].body, puts[1].body);
    assert_eq!(puts[1].body, content());
}
