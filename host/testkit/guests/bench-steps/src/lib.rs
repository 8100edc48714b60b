//! Steps that do as little as the bench wants.

use std::hint::black_box;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wfhost_guest::{Error, Result, export, step};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Text {
    text: String,
}

/// Gives back what it gets.
#[step]
fn echo(input: Text) -> Text {
    input
}

#[derive(Deserialize, JsonSchema)]
struct Work {
    rounds: u64,
}

#[derive(Serialize, JsonSchema)]
struct Worked {
    state: u64,
}

/// Computes: a fixed number of rounds of xorshift, which no compiler can shorten.
#[step]
fn work(input: Work) -> Worked {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..input.rounds {
        state ^= state << 13;
        state ^= state >> 7;
        state = black_box(state ^ (state << 17));
    }
    Worked { state }
}

/// Fails, and is worth another attempt.
#[step]
fn fail(_input: Text) -> Result<Text> {
    Err(Error::retryable("always", "it always fails"))
}

export!(echo, work, fail);
