//! Guests that would be large files, made from few lines; the same bytes each time.

use std::fmt::Write as _;

use super::embed;

/// A step that answers `null`, and what a function of ours adds to its module.
fn step(added: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
          (memory (export "memory") 8)
          (global $next (mut i32) (i32.const 8192))
          (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
            (local $at i32)
            (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
            (global.set $next (i32.add (local.get $at) (local.get $size)))
            (local.get $at))
          (func (export "wfhost:step/steps@0.1.0#describe") (result i32) (i32.const 48))
          (data (i32.const 16) "\00\00\00\00\00\00\00\00\40\00\00\00\04\00\00\00")
          (data (i32.const 64) "null")
          (func (export "wfhost:step/steps@0.1.0#run") (param i32) (result i32) (i32.const 16))
          {added})"#
    );
    let mut module = wat::parse_str(text).expect("the text is right");
    embed(&mut module).expect("the module is one of the step world");
    module
}

/// A step in a module of `count` functions more.
///
/// # Panics
///
/// Never: the text is right for every count.
#[must_use]
pub fn functions(count: usize) -> Vec<u8> {
    step(&"(func)".repeat(count))
}

/// A component within a component, `depth` deep.
#[must_use]
pub fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(EMPTY.to_vec(), |inner, _| holding(1, &inner))
}

/// A component that holds `count` components.
#[must_use]
pub fn beside(count: usize) -> Vec<u8> {
    holding(count, &EMPTY)
}

const EMPTY: [u8; 8] = *b"\0asm\x0d\0\x01\0";

/// A component that holds `inner` a number of times.
fn holding(count: usize, inner: &[u8]) -> Vec<u8> {
    let mut outer = EMPTY.to_vec();
    for _ in 0..count {
        outer.push(4);
        let mut len = inner.len();
        while len > 0x7f {
            outer.push((len & 0x7f) as u8 | 0x80);
            len >>= 7;
        }
        outer.push(len as u8);
        outer.extend(inner);
    }
    outer
}

/// A step in a module with one function that no compiler likes: `locals` variables that are
/// all alive in each of `blocks` blocks, every one of which changes some of them.
///
/// # Panics
///
/// Never: the text is right for every size.
#[must_use]
pub fn slow_to_compile(locals: usize, blocks: usize) -> Vec<u8> {
    let mut text = String::from("(func (export \"slow\") (param i32) (result i32)");
    for _ in 0..locals {
        text.push_str(" (local i32)");
    }
    for block in 0..blocks {
        let (one, other) = (block * 7 % locals + 1, block * 13 % locals + 1);
        let _written = write!(
            text,
            "(if (i32.and (local.get {one}) (i32.const {block}))
               (then (local.set {other} (i32.add (local.get {one}) (local.get 0))))
               (else (local.set {one} (i32.mul (local.get {other}) (i32.const {block})))))",
        );
    }
    for local in 1..=locals {
        let _written = write!(text, "(local.set 0 (i32.xor (local.get 0) (local.get {local})))");
    }
    text.push_str("(local.get 0))");
    step(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_as_large_as_asked_and_the_same_each_time() {
        assert!(functions(1000).len() > functions(0).len() + 3000);
        assert_eq!(nested(3), nested(3));
        assert!(nested(1000).len() > 8 * 1000);
        assert_eq!(beside(1000).len(), 8 + 1000 * 10);
        assert_eq!(slow_to_compile(10, 10), slow_to_compile(10, 10));
    }
}
