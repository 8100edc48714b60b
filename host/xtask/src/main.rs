//! `cargo xtask`: the developer's tool box, with no shell needed.
//!
//! Depends on no crate, so that building it alone takes seconds and compiles nothing that the
//! host builds with other features. Whatever it installs it names first, with the reason.

mod args;
mod bench;
mod check;
mod clock;
mod demo;
mod failure;
mod faults;
mod fuzz;
mod guests;
mod help;
mod place;
mod process;
mod say;
mod setup;
mod test;

use std::process::ExitCode;

use args::Request;
use failure::Result;

fn main() -> ExitCode {
    if let Some(code) = fuzz::compiler::stand_in() {
        return code;
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let request = match args::parse(&words) {
        Ok(request) => request,
        Err(usage) => {
            say::error(&usage);
            say::note("`cargo xtask --help` lists the commands");
            return ExitCode::from(2);
        }
    };
    match carry_out(request) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say::error(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

fn carry_out(request: Request) -> Result<()> {
    match request {
        Request::Help(text) => {
            say::out(text);
            Ok(())
        }
        Request::Demo { folder } => demo::run(folder.as_deref()),
        Request::Test { arguments } => test::run(&arguments),
        Request::Check { only } => check::run(only),
        Request::Guests { way } => {
            setup::compiler()?;
            guests::build(way)
        }
        Request::JsGuests => guests::js::build(),
        Request::Bench { arguments } => bench::run(&arguments),
        Request::Faults { arguments } => faults::run(&arguments),
        Request::Fuzz(options) => fuzz::run(&options),
    }
}
