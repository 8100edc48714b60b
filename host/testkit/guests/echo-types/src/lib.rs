//! Gives back a value of every WIT type, and fails in every way that a function can.

#[allow(unsafe_code, clippy::all, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "echo" });
}

use bindings::exports::test::echo::{arithmetic, files, values};

struct Echo;

impl bindings::Guest for Echo {
    fn greet(name: String) -> String {
        format!("Hello, {name}!")
    }

    fn echo_text(text: String) -> bindings::Text {
        bindings::Text { text }
    }

    fn print(text: String) {
        println!("{text}");
    }
}

impl values::Guest for Echo {
    fn echo(all: values::Everything) -> values::Everything {
        all
    }

    fn echo_list(all: Vec<values::Everything>) -> Vec<values::Everything> {
        all
    }
}

impl arithmetic::Guest for Echo {
    fn divide(a: i32, b: i32) -> Result<i32, arithmetic::Reason> {
        match a.checked_div(b) {
            Some(quotient) => Ok(quotient),
            None if b == 0 => Err(arithmetic::Reason::ByZero),
            None => Err(arithmetic::Reason::Overflow),
        }
    }

    fn parse(text: String) -> Result<u32, String> {
        text.parse().map_err(|error| format!("`{text}`: {error}"))
    }

    fn fail(how: arithmetic::Trouble) -> Result<(), arithmetic::Trouble> {
        Err(how)
    }
}

struct File(String);

impl files::Guest for Echo {
    type File = File;

    fn rename(_file: files::FileBorrow<'_>, _name: String) {}

    fn count() -> u32 {
        3
    }
}

impl files::GuestFile for File {
    fn new(name: String) -> Self {
        Self(name)
    }

    fn name(&self) -> String {
        self.0.clone()
    }
}

bindings::export!(Echo with_types_in bindings);
