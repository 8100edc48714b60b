//! Expansions are pinned by files; refusals by their words and the place they point at.

use std::path::Path;

use proc_macro2::TokenStream;

use super::{expand, try_expand};

fn tokens(source: &str) -> TokenStream {
    source.parse().expect("a test's source has balanced brackets")
}

/// Compares the expansion, as rustfmt would write it, with `tests/expansions/<name>.rs`.
/// `UPDATE_EXPANSIONS=1` writes the files anew.
#[track_caller]
fn expands(name: &str, arguments: &str, item: &str) {
    let file =
        syn::parse2(expand(tokens(arguments), &tokens(item))).expect("the expansion is Rust");
    let expanded = prettyplease::unparse(&file);
    let pinned = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/expansions/{name}.rs"));
    if std::env::var_os("UPDATE_EXPANSIONS").is_some() {
        std::fs::write(&pinned, &expanded).expect("the expansion is written");
    }
    let pinned = std::fs::read_to_string(&pinned).expect("the pinned expansion is there");
    assert_eq!(expanded, pinned, "the expansion has changed: UPDATE_EXPANSIONS=1 writes it anew");
}

/// The refusal's words, below the marked part of the item's first line.
#[track_caller]
fn refused(item: &str, marked: &str, message: &str) {
    let error = try_expand(TokenStream::new(), &tokens(item)).expect_err("a refusal");
    assert_eq!((underlined(&error, item).as_str(), error.to_string().as_str()), (marked, message));
}

/// As [`refused`], for a mistake in the attribute's arguments.
#[track_caller]
fn arguments_refused(arguments: &str, marked: &str, message: &str) {
    let error = try_expand(tokens(arguments), &tokens("fn greet(input: Input) -> Output {}"))
        .expect_err("a refusal");
    assert_eq!(
        (underlined(&error, arguments).as_str(), error.to_string().as_str()),
        (marked, message)
    );
}

/// Carets below what the error's span covers of the source's first line.
fn underlined(error: &syn::Error, source: &str) -> String {
    let (start, end) = (error.span().start(), error.span().end());
    assert_eq!(start.line, 1, "the span begins in the first line of {source:?}");
    let width = source.lines().next().map_or(0, |line| line.chars().count());
    let end = if end.line == 1 { end.column } else { width };
    format!("{}{}", " ".repeat(start.column), "^".repeat(end - start.column))
}

#[test]
fn plain_answer() {
    expands(
        "plain-answer",
        "",
        "
        /// Says hello.
        ///
        /// In *English*.
        #[step_follows(here)]
        fn greet(Input { name }: Input) -> Output { Output { name } }
        ",
    );
}

#[test]
fn result_and_context_by_reference() {
    expands(
        "result-and-context",
        "",
        "pub(crate) fn split_words(input: Vec<String>, context: &Context) -> Result<Vec<Word>, MyError> { todo() }",
    );
}

#[test]
fn context_by_value_and_a_name_and_cfg() {
    expands(
        "name-and-cfg",
        r#"name = "type""#,
        r#"
        #[cfg(feature = "extra")]
        pub fn r#type(input: (), context: Context) -> wfhost_guest::Result<()> { Ok(()) }
        "#,
    );
}

#[test]
fn a_refused_function_stays_beside_the_error() {
    expands("refused", "", "async fn greet(input: Input) -> Output { Output }");
}

const PARAMETERS: &str = "a step takes one input, and `&Context` after it if it needs it";

#[test]
fn wrong_number_of_parameters() {
    refused("fn greet() -> Output {}", "        ^^", PARAMETERS);
    refused(
        "fn greet(a: A, context: &Context, b: B) -> Output {}",
        "                                  ^^^^",
        PARAMETERS,
    );
}

#[test]
fn a_method() {
    let message = "a step is a plain function, not a method";
    refused("fn greet(&self, input: Input) -> Output {}", "         ^^^^^", message);
    refused("fn greet(self) -> Output {}", "         ^^^^", message);
}

#[test]
fn parameters_that_cannot_be_read_from_json() {
    refused(
        "fn greet(input: &str) -> Output {}",
        "                ^^^^",
        "a step owns its input: take the type without `&` (`String` for `&str`)",
    );
    refused(
        "fn greet(input: impl Serialize) -> Output {}",
        "                ^^^^^^^^^^^^^^",
        "name the type of the input: its schema comes from it",
    );
    refused(
        "fn greet(input: Input, context: &mut Context) -> Output {}",
        "                                 ^^^",
        "the context is taken as `&Context` or `Context`",
    );
}

#[test]
fn qualifiers() {
    refused(
        "async fn greet(input: Input) -> Output {}",
        "^^^^^",
        "a step is not `async`: it has its sandbox to itself and may block",
    );
    refused(
        "pub unsafe fn greet(input: Input) -> Output {}",
        "    ^^^^^^",
        "a step is not `unsafe`: its caller is the host",
    );
    refused(
        "extern \"C\" fn greet(input: Input) -> Output {}",
        "^^^^^^^^^^",
        "a step is a Rust function; `#[step]` makes it callable from outside",
    );
}

#[test]
fn generics() {
    let message = "a step is not generic: its schemas come from its types";
    refused("fn greet<T: Name>(input: T) -> Output {}", "        ^^^^^^^^^", message);
    refused("fn greet<'a>(input: Input<'a>) -> Output {}", "        ^^^^", message);
    refused(
        "fn greet(input: Input) -> Output where Input: Name {}",
        "                                 ^^^^^^^^^^^^^^^^^",
        message,
    );
}

#[test]
fn answers() {
    refused(
        "fn greet(input: Input) {}",
        "   ^^^^^^^^^^^^^^^^^^^",
        "a step gives an answer: add its type (`-> Result<()>` if all there is to tell is success)",
    );
    refused(
        "fn greet(input: Input) -> impl Serialize {}",
        "                          ^^^^^^^^^^^^^^",
        "name the type of the answer: its schema comes from it",
    );
    refused(
        "fn greet(input: Input) -> &'static str {}",
        "                          ^^^^^^^^^^^^",
        "a step gives its answer away: return the type without `&`",
    );
}

#[test]
fn other_items() {
    let message = "`#[step]` goes on a function";
    refused("struct Greet { name: String }", "^^^^^^^^^^^^^^^^^^^^^^^^^^^^^", message);
    refused("mod steps {}", "^^^^^^^^^^^^", message);
}

#[test]
fn a_syntax_error_is_the_compilers_own() {
    let error = try_expand(TokenStream::new(), &tokens("fn greet(input) -> Output {}"))
        .expect_err("a refusal");
    assert!(error.to_string().starts_with("expected"), "{error}");
}

#[test]
fn names() {
    let usage = "`#[step]` takes nothing but `name = \"…\"`";
    arguments_refused("retries = 3", "^^^^^^^", usage);
    arguments_refused("name", "^^^^", usage);
    arguments_refused(
        "name = greet",
        "       ^^^^^",
        "the name is a string, such as `\"split-words\"`",
    );
    let rule = "cannot be a step's name: it is lower-case letters and digits, in words that begin with a letter, \
                with `-` between them; give it one with `#[step(name = \"…\")]`";
    arguments_refused("name = \"Split\"", "       ^^^^^^^", &format!("`Split` {rule}"));
    arguments_refused("name = \"\"", "       ^^", &format!("`` {rule}"));
    arguments_refused("name = \"a--b\"", "       ^^^^^^", &format!("`a--b` {rule}"));
    refused("fn readAll(input: Input) -> Output {}", "   ^^^^^^^", &format!("`readAll` {rule}"));
    refused("fn _greet(input: Input) -> Output {}", "   ^^^^^^", &format!("`-greet` {rule}"));
}
