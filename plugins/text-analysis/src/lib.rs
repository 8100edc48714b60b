//! The analyses of the plugin `text`: what a text is about, how it feels, what it says in short.
//!
//! Plain functions from text to values: no clock, no randomness, no wasm, and no IO but in
//! [`folder`]. The same text
//! gives the same answer on every machine: ties are broken by order or by name, and figures are
//! rounded before they are compared. Every function takes any text (empty, one word, one line of
//! a megabyte, no sentences, any script) without panicking, in time that grows about linearly.
//! The rules and word lists are for English.

pub mod document;
pub mod entities;
pub mod folder;
pub mod layout;
pub mod markup;
pub mod rake;
pub mod readability;
pub mod report;
pub mod sentences;
pub mod sentiment;
pub mod similarity;
pub mod textrank;
pub mod topics;
pub mod words;

/// `value` with so many decimals, and never a negative zero.
fn round(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale + 0.0
}
