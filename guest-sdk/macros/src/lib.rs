//! The attribute of `wfhost-guest`; use it from there.

mod step;

use proc_macro::TokenStream;

/// Makes a function a step of the component.
///
/// ```text
/// /// Says hello.
/// #[step]
/// fn greet(input: Input) -> Result<Output, Error> { … }
/// ```
///
/// - The first parameter is the input: any owned type with serde's `Deserialize` and schemars'
///   `JsonSchema`. A second one, `&Context` or `Context`, may follow.
/// - The answer is any type with `Serialize` and `JsonSchema`, or a `Result` of one, whose error
///   turns into `wfhost_guest::Error`.
/// - The step's name is the function's, with `-` for `_`; `#[step(name = "…")]` gives another.
/// - The doc comment is what people read about the step, and the types' doc comments go into
///   its schemas.
///
/// The function itself stays as it is and can be called, for example by a test. Beside it comes a
/// type of the same name and visibility, which `export!` and `steps!` take.
#[proc_macro_attribute]
pub fn step(arguments: TokenStream, item: TokenStream) -> TokenStream {
    step::expand(arguments.into(), &item.into()).into()
}
