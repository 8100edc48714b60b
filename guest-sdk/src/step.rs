//! A component's steps: what `#[step]` makes of a function and how one is found and run.

use crate::{Context, Error, Result};

/// One step, made by [`#[step]`](macro@crate::step).
#[derive(Debug, Clone, Copy)]
pub struct Step {
    #[doc(hidden)]
    pub name: &'static str,
    #[doc(hidden)]
    pub docs: &'static str,
    #[doc(hidden)]
    pub input_schema: fn() -> String,
    #[doc(hidden)]
    pub output_schema: fn() -> String,
    #[doc(hidden)]
    pub run: fn(Context, &str) -> Result<String>,
}

/// What [`#[step]`](macro@crate::step) implements, on a type with the function's name.
pub trait StepFunction {
    /// The step.
    const STEP: Step;
}

/// A step as a component describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// The name that a workflow calls it by.
    pub name: String,
    /// Markdown for people: the function's doc comment.
    pub docs: String,
    /// JSON Schema (draft 2020-12) of the input.
    pub input_schema: String,
    /// JSON Schema (draft 2020-12) of the output.
    pub output_schema: String,
}

/// The steps of one component, made by [`steps!`](crate::steps).
#[derive(Debug, Clone, Copy)]
pub struct Steps(&'static [Step]);

impl Steps {
    /// The steps, in this order.
    ///
    /// # Panics
    /// If two have one name; [`export!`](crate::export) finds that while compiling.
    #[must_use]
    pub const fn new(steps: &'static [Step]) -> Self {
        let mut later = 1;
        while later < steps.len() {
            let mut earlier = 0;
            while earlier < later {
                assert!(!same(steps[earlier].name, steps[later].name), "two steps have one name");
                earlier += 1;
            }
            later += 1;
        }
        Self(steps)
    }

    /// What the component says about itself.
    #[must_use]
    pub fn describe(&self) -> Vec<Description> {
        self.0.iter().map(private::describe).collect()
    }

    /// Runs one attempt of the step `name` on a JSON text and answers with one.
    ///
    /// # Errors
    /// The step's own; `invalid-input` where `input` does not have the step's type; permanent,
    /// `unknown-step`, where there is no such step.
    pub fn run(&self, name: &str, context: Context, input: &str) -> Result<String> {
        match self.0.iter().find(|step| step.name == name) {
            Some(step) => (step.run)(context, input),
            None => Err(self.unknown(name)),
        }
    }

    fn unknown(&self, name: &str) -> Error {
        let known: Vec<String> = self.0.iter().map(|step| format!("`{}`", step.name)).collect();
        Error::permanent(
            "unknown-step",
            format!("there is no step `{name}`; there is {}", known.join(", ")),
        )
    }
}

/// `==` for texts, while compiling.
const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// The [`Steps`] of the named functions, to call them as the host does:
///
/// ```
/// use wfhost_guest::{step, steps, testing};
///
/// /// Doubles a number.
/// #[step]
/// fn double(number: u32) -> u32 {
///     number * 2
/// }
///
/// let steps = steps![double];
/// assert_eq!(steps.run("double", testing::context(), "21").unwrap(), "42");
/// assert_eq!(steps.describe()[0].docs, "Doubles a number.");
/// ```
#[macro_export]
macro_rules! steps {
    ($($step:path),+ $(,)?) => {
        $crate::Steps::new(const { &[$(<$step as $crate::StepFunction>::STEP),+] })
    };
}

/// Makes the named `#[step]` functions the component's steps. Once in a crate.
///
/// ```
/// use wfhost_guest::{export, step};
///
/// #[step]
/// fn up(text: String) -> String {
///     text.to_uppercase()
/// }
///
/// export!(up);
/// ```
///
/// Two steps of one name do not compile:
///
/// ```compile_fail
/// # use wfhost_guest::{export, step};
/// # #[step]
/// # fn up(text: String) -> String { text }
/// export!(up, up);
/// ```
#[macro_export]
macro_rules! export {
    ($($step:path),+ $(,)?) => {
        const _: () = {
            static STEPS: $crate::Steps = $crate::steps![$($step),+];
            $crate::__export!(STEPS);
        };
    };
}

/// Outside of wasm there is nothing to export, but the steps count as used.
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($steps:ident) => {
        const _: &$crate::Steps = &$steps;
    };
}

#[cfg(target_family = "wasm")]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($steps:ident) => {
        struct Exported;

        impl $crate::__private::Component for Exported {
            const STEPS: $crate::Steps = $steps;
        }

        $crate::__private::export_component!(Exported with_types_in $crate::__private::bindings);
    };
}

/// What the code that `#[step]` makes is built from.
pub(crate) mod private {
    use schemars::generate::SchemaSettings;
    use schemars::{JsonSchema, Schema};
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::{Description, Step};
    use crate::{Error, Result};

    /// A step's `Result`, whatever its error type.
    pub trait Fallible {
        /// The answer if it goes well.
        type Output;

        #[doc(hidden)]
        fn into_result(self) -> Result<Self::Output>;
    }

    impl<T, E: Into<Error>> Fallible for std::result::Result<T, E> {
        type Output = T;

        fn into_result(self) -> Result<T> {
            self.map_err(Into::into)
        }
    }

    /// The input as the step's own type.
    pub fn parse<T: DeserializeOwned>(input: &str) -> Result<T> {
        serde_json::from_str(input)
            .map_err(|error| Error::invalid_input("invalid-input", error.to_string()))
    }

    /// The output as JSON text.
    pub fn answer<T: Serialize>(output: &T) -> Result<String> {
        serde_json::to_string(output).map_err(|error| {
            Error::permanent(
                "invalid-output",
                format!("the output cannot be written as JSON: {error}"),
            )
        })
    }

    /// The output of a step that may fail, as JSON text.
    pub fn fallible_answer<R: Fallible<Output: Serialize>>(result: R) -> Result<String> {
        answer(&result.into_result()?)
    }

    /// What `T` accepts.
    pub fn schema_of_input<T: JsonSchema>() -> String {
        let settings = SchemaSettings::draft2020_12().for_deserialize();
        text(&settings.into_generator().into_root_schema_for::<T>())
    }

    /// What `T` is written as.
    pub fn schema_of_output<T: JsonSchema>() -> String {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        text(&settings.into_generator().into_root_schema_for::<T>())
    }

    fn text(schema: &Schema) -> String {
        schema.as_value().to_string()
    }

    pub(crate) fn describe(step: &Step) -> Description {
        Description {
            name: step.name.to_owned(),
            docs: step.docs.to_owned(),
            input_schema: (step.input_schema)(),
            output_schema: (step.output_schema)(),
        }
    }
}
