//! What is loaded, and what is not.

use std::sync::Arc;

use wfhost_plugin::Error;
use wfhost_testkit::hostile as made;
use wfhost_workflow::Digest;

use crate::guests::{host, hostile, load, usual};

async fn refused(bytes: &[u8]) -> Error {
    let host = host();
    let shape = usual(&host);
    host.load(Arc::from(bytes), Digest::of(bytes), shape).await.unwrap_err()
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[tokio::test]
async fn what_is_no_wasm_is_refused() {
    for bytes in [b"" as &[u8], b"\0asm", b"#!/bin/sh", b"\0asm\x02\0\0\0"] {
        assert!(matches!(refused(bytes).await, Error::NotWasm));
    }
}

#[tokio::test]
async fn damaged_wasm_is_refused() {
    let component = wat("(component)");
    let error = refused(&[&component[..], b"\x63\x05abcde"].concat()).await;
    assert!(matches!(error, Error::Compile(_)), "{error}");
    let error = refused(&[&wat("(module)")[..], b"\x63\x05abcde"].concat()).await;
    assert!(matches!(error, Error::Componentise(_)), "{error}");
    let guest = hostile("trap");
    for end in [9, 20, guest.len() / 2, guest.len() - 1] {
        refused(&guest[..end]).await;
    }
}

/// The content is another, and nobody looks: the digest is that of one that was refused.
#[tokio::test]
async fn what_was_refused_is_refused_again_without_a_look_at_it() {
    let host = host();
    let (bad, other) = (hostile("wrong_types"), hostile("trap"));
    let shape = usual(&host);
    let (digest, unknown) = (Digest::of(&bad), Digest::of(b"another"));
    for bytes in [&bad, &other] {
        let error = host.load(Arc::clone(bytes), digest, shape).await.unwrap_err();
        assert!(matches!(error, Error::WrongSteps(_)), "{error}");
    }
    // What was only sent wrongly may come again.
    let error = host.load(Arc::clone(&other), unknown, shape).await.unwrap_err();
    assert!(matches!(error, Error::Digest { .. }), "{error}");
    host.load(Arc::from(&b"another"[..]), unknown, shape).await.unwrap_err();
    let error = host.load(other, unknown, shape).await.unwrap_err();
    assert!(matches!(error, Error::NotWasm), "{error}");
}

#[tokio::test]
async fn a_component_without_functions_is_refused() {
    let error = refused(&wat("(module (func (export \"run\")))")).await;
    assert!(matches!(error, Error::NoFunctions { .. } | Error::Componentise(_)), "{error}");
    let error = refused(&wat("(component)")).await;
    assert!(matches!(error, Error::NoFunctions { .. }), "{error}");
}

#[tokio::test]
async fn an_import_that_nobody_offers_is_named() {
    let error = refused(&hostile("foreign_import")).await;
    assert!(matches!(error, Error::Import(_)), "{error}");
    assert!(error.to_string().contains("acme:cloud/servers"), "{error}");
}

/// The engine names the first one only.
#[tokio::test]
async fn every_import_that_nobody_offers_is_named() {
    let error = refused(&wat(r#"(component
            (import "acme:cloud/servers@1.0.0" (instance (export "rent" (func))))
            (import "wasi:cli/environment@0.2.0" (instance
                (export "get-arguments" (func (result (list string))))))
            (import "wasi:cli/exit@0.2.0" (instance (export "leave" (func))))
            (import "wfhost:host/log@0.9.0" (instance (export "write" (func))))
            (import "loose" (func))
            (core module $m (func (export "f")))
            (core instance $i (instantiate $m))
            (func (export "f") (canon lift (core func $i "f"))))"#))
    .await;
    assert!(matches!(error, Error::Import(_)), "{error}");
    let text = error.to_string();
    let (_, named) = text.split_once(": ").unwrap();
    assert_eq!(
        named,
        "acme:cloud/servers@1.0.0 (its `rent`); wasi:cli/exit@0.2.0 (its `leave`); \
         wfhost:host/log@0.9.0 (its `write`); loose"
    );
}

#[tokio::test]
async fn a_component_with_more_memories_than_the_pool_has_is_refused() {
    let memories = "(memory 1)".repeat(9);
    let module =
        format!("(component (core module $m {memories}) (core instance (instantiate $m)))");
    let error = refused(&wat(&module)).await;
    assert!(matches!(error, Error::Compile(_)), "{error}");
}

#[tokio::test]
async fn content_that_is_not_what_its_digest_says_is_refused() {
    let guest = hostile("trap");
    let host = host();
    let error = host.load(guest, Digest::of(b"other"), usual(&host)).await.unwrap_err();
    assert!(matches!(error, Error::Digest { .. }), "{error}");
}

#[tokio::test]
async fn one_component_is_compiled_once_for_all_who_ask() {
    let host = host();
    let guest = hostile("trap");
    let digest = Digest::of(&guest);
    assert!(host.loaded(&digest, usual(&host)).is_none());
    let (one, other) = tokio::join!(load(&host, Arc::clone(&guest)), load(&host, guest));
    assert!(Arc::ptr_eq(&one, &other));
    assert!(Arc::ptr_eq(&one, &host.loaded(&digest, usual(&host)).unwrap()));
    assert_eq!(one.digest(), &digest);
}

#[tokio::test]
async fn a_step_world_of_other_types_is_refused() {
    let error = refused(&hostile("wrong_types")).await;
    assert!(matches!(error, Error::WrongSteps(_)), "{error}");
    assert!(error.to_string().contains("`describe` is not `func() -> list"), "{error}");
}

/// Counted before anything else looks at it.
#[tokio::test]
async fn what_is_made_of_too_much_is_refused_at_once() {
    for (bytes, what) in [
        (made::nested(1000), "17 components and modules within one another"),
        (made::beside(1000), "257 components"),
        (made::functions(1_000_000), "1000003 functions, and at most 250000"),
    ] {
        let error = refused(&bytes).await;
        assert!(matches!(error, Error::Structure(_)), "{error}");
        assert!(error.to_string().contains(what), "{error}");
    }
}

/// The compiler may refuse it or not: it must not take the process with it.
#[tokio::test]
async fn deep_nesting_does_not_end_the_process() {
    for depth in [1000, 100_000] {
        let (open, close) = ("(block ".repeat(depth), ")".repeat(depth));
        let module = wat(&format!("(module (func {open} {close}))"));
        refused(&module).await;
        let component = format!("(component (core module (func {open} {close})))");
        refused(&wat(&component)).await;
    }
    let component = (0..500).fold(wat("(component)"), |inner, _| nested(&inner));
    refused(&component).await;
}

/// A component that holds just `inner`.
fn nested(inner: &[u8]) -> Vec<u8> {
    let mut outer = wat("(component)");
    outer.push(4);
    let mut len = inner.len();
    while len > 0x7f {
        outer.push(u8::try_from(len & 0x7f).unwrap() | 0x80);
        len >>= 7;
    }
    outer.push(u8::try_from(len).unwrap());
    outer.extend(inner);
    outer
}
