//! `cargo xtask faults`: breaks real processes, and looks whether what was promised holds.
//!
//! A row of the table is a file of `rows/`; all of them have one checker, `checker.rs`.

mod checker;
mod client;
mod clock;
mod cluster;
mod failure;
mod history;
mod marks;
mod net;
mod options;
mod process;
mod report;
mod rows;
mod store;
mod tools;
mod work;

use std::process::ExitCode;

use failure::Result;
use options::{Options, Output};
use report::{Outcome, err, out};
use rows::{ROWS, Row};
use tools::Tools;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let options = match Options::parse(&words) {
        Ok(options) => options,
        Err(usage) => {
            err(&format!("error: {usage}\n"));
            return ExitCode::from(2);
        }
    };
    if options.list {
        for Row { name, fault, must_hold, .. } in ROWS {
            out(&format!("{name}\n    {fault}\n    {must_hold}\n"));
        }
        return ExitCode::SUCCESS;
    }
    match carry_out(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            err(&format!("error: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn carry_out(options: &Options) -> Result<bool> {
    let mut tools = Tools::find(&options.root, &options.bins)?;
    tools.once = options.once;
    tools.times = options.times;
    tools.seed = options.seed.unwrap_or(tools.seed);
    err(&format!("faults: --seed {}\n", tools.seed));
    let chosen = ROWS.iter().filter(|row| options.is_chosen(row.name));
    let mut held = 0;
    let mut rows = 0;
    let began = clock::now();
    for row in chosen {
        rows += 1;
        err(&format!("faults: {} …\n", row.name));
        let began = clock::now();
        let outcome = if row.root && !rustix::process::geteuid().is_root() {
            None
        } else {
            Some((row.carry_out)(&tools))
        };
        let took = began.elapsed().as_secs();
        held += usize::from(said(row, outcome, options, took));
    }
    let took = began.elapsed().as_secs();
    err(&format!("faults: {held} of {rows} rows hold ({took} s)\n"));
    Ok(held == rows)
}

/// Says what became of a row; whether it holds.
fn said(row: &Row, outcome: Option<Result<Outcome>>, options: &Options, took: u64) -> bool {
    let Row { name, fault, must_hold, .. } = row;
    let outcome = match outcome {
        None => {
            let why = "skipped: it makes network namespaces, which only root may";
            match options.output {
                Output::Text => out(&format!("{name}: {why}\n")),
                Output::Json => {
                    out(&format!("{}\n", serde_json::json!({ "row": name, "skipped": why })));
                }
            }
            return true;
        }
        Some(Ok(outcome)) => outcome,
        Some(Err(failure)) => {
            let mut outcome = Outcome::new(0);
            outcome.claim("it can be carried out", false, failure.to_string());
            outcome
        }
    };
    let held = outcome.held(options.once);
    match options.output {
        Output::Json => out(&format!("{}\n", report::value(name, &outcome, options.once))),
        Output::Text => {
            let word = if held { "held" } else { "NOT HELD" };
            let times = outcome.repetitions;
            out(&format!(
                "{name}: {word} ({times} times, {took} s)\n    fault: {fault}\n    must hold: {must_hold}\n"
            ));
            out(&report::text(&outcome, options.once));
        }
    }
    held
}
