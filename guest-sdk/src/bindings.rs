//! The one file with generated bindings, and the way between WIT's types and the SDK's.

use crate::{Error, ErrorKind, Steps};

#[allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    reason = "generated from wit/; the canonical ABI works with raw memory"
)]
mod generated {
    wit_bindgen::generate!({
        path: "../wit",
        world: "step",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_component",
        default_bindings_module: "wfhost_guest::__private::bindings",
    });
}

pub use generated::*;

use generated::exports::wfhost::step::steps::Guest;
use generated::wfhost::step::types;
pub(crate) use generated::wfhost::step::types::Context as WitContext;

/// What `export!` implements: the steps of the component.
pub trait Component {
    /// The steps.
    const STEPS: Steps;
}

impl<C: Component> Guest for C {
    fn describe() -> Vec<types::Description> {
        let describe = |step: crate::Description| types::Description {
            name: step.name,
            docs: step.docs,
            input_schema: step.input_schema,
            output_schema: step.output_schema,
        };
        C::STEPS.describe().into_iter().map(describe).collect()
    }

    fn run(name: String, context: types::Context, input: String) -> Result<String, types::Error> {
        C::STEPS.run(&name, context.into(), &input).map_err(Into::into)
    }
}

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        let (code, message) = (error.code().to_owned(), error.message().to_owned());
        match error.kind() {
            ErrorKind::Retryable => {
                let after_ms = error.after_ms();
                Self::Retryable(types::RetryableFailure { code, message, after_ms })
            }
            ErrorKind::Permanent => Self::Permanent(types::Failure { code, message }),
            ErrorKind::InvalidInput => Self::InvalidInput(types::Failure { code, message }),
        }
    }
}
