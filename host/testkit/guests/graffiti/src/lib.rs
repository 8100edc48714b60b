//! Puts what a terminal would act on into every text that a guest can say: log lines, progress,
//! standard output and error, failures, outputs, docs, names, schemas, WIT.

use std::io::Write as _;
use std::time::Duration;

wit_bindgen::generate!({
    inline: "package test:graffiti;
        interface walls {
            /// Its docs are in the section below.
            spray: func(on: string) -> result<string, string>;
        }
        world graffiti {
            include wfhost:step/step@0.1.0;
            export walls;
        }",
    path: "../../../../wit",
    world: "test:graffiti/graffiti",
    generate_all,
});

use exports::test::graffiti::walls;
use exports::wfhost::step::steps;
use wfhost::host::{kv, log, progress};
use wfhost::step::types::{Context, Description, Error, Failure, RetryableFailure};

/// A title, a cleared screen, a line over the one before, reordered and hidden text, a colour by
/// one control character, a mark of the host's own, and a line that looks like the host's.
const PAINT: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\rOWNED\u{202e}\u{9b}31m\u{fdd2}\u{7f}\u{2028}\u{200b}\nerror: forged";

/// Docs of `walls`, as tools carry them. JSON's escapes make the same characters of it.
#[used]
#[unsafe(link_section = "package-docs")]
static DOCS: [u8; 227] = *b"\x01{\"interfaces\":{\"walls\":{\"docs\":\"\\u001b]0;owned\\u0007\\u001b[2J\\rOWNED\\u202e\",\"funcs\":{\"spray\":\"\\u001b]0;owned\\u0007\\u001b[2J\\rOWNED\\u202e\\u009b31m\\ufdd2\\u007f\\u2028\\u200b\\nerror: forged\"}}},\"docs\":\"\\u001b]0;owned\\u0007\\rOWNED\"}";

struct Graffiti;

impl steps::Guest for Graffiti {
    fn describe() -> Vec<Description> {
        let any = "true".to_owned();
        let text = json(PAINT);
        let schema = format!(
            "{{\"type\":\"object\",\"title\":{text},\"description\":{text},\"required\":[{text}],\
             \"properties\":{{{text}:{{\"enum\":[{text}]}}}}}}"
        );
        let step = |name: &str, input: &str| Description {
            name: name.to_owned(),
            docs: PAINT.to_owned(),
            input_schema: input.to_owned(),
            output_schema: any.clone(),
        };
        vec![
            step("paint", &any),
            step("blame", &any),
            step("again", &any),
            step("panic", &any),
            step("linger", &any),
            step("picky", &schema),
            // Blanks and control characters are refused in names; this is neither.
            step("s\u{202e}\u{fdd2}", &any),
        ]
    }

    fn run(name: String, _context: Context, _input: String) -> Result<String, Error> {
        say();
        let (code, message) = (PAINT.to_owned(), PAINT.to_owned());
        match name.as_str() {
            "blame" => Err(Error::Permanent(Failure { code, message })),
            "again" => Err(Error::Retryable(RetryableFailure { code, message, after_ms: Some(1) })),
            "panic" => panic!("{PAINT}"),
            "linger" => {
                // Long enough for a live view to show its progress.
                std::thread::sleep(Duration::from_millis(700));
                Ok("null".to_owned())
            }
            _ => Ok(format!("{{{0}:{0}}}", json(PAINT))),
        }
    }
}

impl walls::Guest for Graffiti {
    fn spray(on: String) -> Result<String, String> {
        say();
        if on == "ok" { Ok(PAINT.to_owned()) } else { Err(PAINT.to_owned()) }
    }
}

/// Everywhere but in what is returned.
fn say() {
    let field = |name: &str, value: String| log::Field { name: name.to_owned(), value };
    log::write(
        log::Level::Warn,
        PAINT,
        &[field(PAINT, json(PAINT)), field("raw", PAINT.to_owned())],
    );
    progress::report(1, 2, PAINT);
    println!("{PAINT}");
    eprintln!("{PAINT}");
    let mut out = std::io::stdout();
    for part in [&b"split \xe6"[..], b"\xbc", b"\xa2 and broken \xff\xe6\n"] {
        let _told = out.write_all(part).and_then(|()| out.flush());
    }
    let _told = kv::set(PAINT, b"x");
}

/// A JSON string; what JSON need not escape stays as it is.
fn json(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

export!(Graffiti);
