//! One call of a function of any component.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::{InstancePre, Val};
use wfhost_workflow::{Failure, FailureKind, Json, Limit, Limits};

use super::decode::{self, Wrong};
use super::encode::{self, Unwritten};
use super::functions::{Function, Signature, Unknown};
use super::value_type::ValueType;
use crate::limits::Held;
use crate::link::Callee;
use crate::state::AttemptState;
use crate::{Plugin, PluginHost, failure};

/// A larger text is converted where it may take its time.
const INLINE_BYTES_MAX: usize = 64 << 10;
/// The same for a value that is written.
const SMALL_VALUES: usize = 1000;
const SMALL_TEXT_BYTES: usize = 4 << 10;

impl PluginHost {
    /// What is wrong with a call of an exported function, without making it: a name that
    /// the component has not, types that JSON cannot carry, or an input of another type.
    /// Says nothing about steps of the step world.
    ///
    /// # Errors
    /// The failure that the call would end with.
    pub fn check_call(&self, plugin: &Plugin, function: &str, input: &Json) -> Result<(), Failure> {
        match plugin.linked.callee(function).map_err(unknown)? {
            Callee::Step(_) => Ok(()),
            Callee::Function(function) => {
                let operator = self.inner.options.operator;
                let held = Held::new(Limits::default(), Duration::MAX, operator, None);
                read(function, input, &held).map(drop)
            }
        }
    }
}

/// A workflow names a function that is not there.
#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
pub(crate) fn unknown(unknown: Unknown) -> Failure {
    Failure::new(FailureKind::Permanent, "unknown-step", unknown.to_string())
}

/// Calls `function` on a fresh instance. `err` of a returned `result` is the failure.
pub(crate) async fn call(
    instance: &InstancePre<AttemptState>,
    function: &Arc<Function>,
    store: &mut Store<AttemptState>,
    input: Json,
    held: &Arc<Held>,
) -> Result<Json, Failure> {
    let signature = function.signature().map_err(|refused| refuse(function.name(), refused))?;
    let arguments = arguments(function, input, held).await?;
    let instance = match instance.instantiate_async(&mut *store).await {
        Ok(instance) => instance,
        Err(error) => return Err(failure::of_call(&error, store, held).await),
    };
    let Some(callee) = instance.get_func(&mut *store, function.export) else {
        let message = format!("the component's function `{}` is gone", function.name());
        return Err(Failure::new(FailureKind::Host, "component", message));
    };
    let mut results = vec![Val::Bool(false); usize::from(signature.result.is_some())];
    if let Err(error) = callee.call_async(&mut *store, &arguments, &mut results).await {
        return Err(failure::of_call(&error, store, held).await);
    }
    output(function, results.pop(), held).await
}

/// Why a function whose types JSON cannot carry is not called.
pub(crate) fn refuse(name: &str, why: impl std::fmt::Display) -> Failure {
    let message = format!("the function `{name}` cannot be a step: {why}");
    Failure::new(FailureKind::Permanent, "no-step", message)
}

async fn arguments(
    function: &Arc<Function>,
    input: Json,
    held: &Arc<Held>,
) -> Result<Vec<Val>, Failure> {
    if input.len_bytes() <= INLINE_BYTES_MAX {
        return read(function, &input, held);
    }
    let (function, held) = (Arc::clone(function), Arc::clone(held));
    unblocked(move || read(&function, &input, &held)).await
}

fn read(function: &Function, input: &Json, held: &Held) -> Result<Vec<Val>, Failure> {
    let signature = function.signature().map_err(|refused| refuse(function.name(), refused))?;
    let max = usize::try_from(held.get(Limit::HostcallFuel)).unwrap_or(usize::MAX);
    decode::arguments(input.as_str(), &signature.parameters, max).map_err(|wrong| match wrong {
        Wrong::Mismatch { .. } => {
            Failure::new(FailureKind::InvalidInput, "invalid-input", wrong.to_string())
        }
        Wrong::TooLarge { .. } => {
            held.over(Limit::HostcallFuel, &format!("the step's input: {wrong}"))
        }
    })
}

async fn output(
    function: &Arc<Function>,
    value: Option<Val>,
    held: &Arc<Held>,
) -> Result<Json, Failure> {
    let Some(value) = value else { return Ok(Json::null()) };
    if is_small(&value, &mut SMALL_VALUES.clone()) {
        return write(function, &value, held);
    }
    let (function, held) = (Arc::clone(function), Arc::clone(held));
    unblocked(move || write(&function, &value, &held)).await
}

/// Whether writing it takes no time that others would miss; `left` values are looked at.
fn is_small(value: &Val, left: &mut usize) -> bool {
    if *left == 0 {
        return false;
    }
    *left -= 1;
    match value {
        Val::List(items) | Val::FixedLengthList(items) | Val::Tuple(items) => {
            items.len() <= *left && items.iter().all(|item| is_small(item, left))
        }
        Val::Map(pairs) => {
            pairs.iter().all(|(key, value)| is_small(key, left) && is_small(value, left))
        }
        Val::Record(fields) => fields.iter().all(|(_, value)| is_small(value, left)),
        Val::String(text) => text.len() <= SMALL_TEXT_BYTES,
        Val::Variant(_, Some(value))
        | Val::Option(Some(value))
        | Val::Result(Ok(Some(value)) | Err(Some(value))) => is_small(value, left),
        _ => true,
    }
}

/// Runs a conversion off the async threads.
async fn unblocked<T: Send + 'static>(
    convert: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(convert).await.unwrap_or_else(|join| {
        let message = format!("the value was not converted: {join}");
        Err(Failure::new(FailureKind::Host, "conversion", message))
    })
}

fn write(function: &Function, value: &Val, held: &Held) -> Result<Json, Failure> {
    let Ok(Signature { result: Some(ty), .. }) = function.signature() else {
        return Ok(Json::null());
    };
    match (ty, value) {
        (ValueType::Result { ok, .. }, Val::Result(Ok(payload))) => {
            json(payload.as_deref(), ok.as_deref(), held)
        }
        (ValueType::Result { err, .. }, Val::Result(Err(payload))) => {
            Err(failed(payload.as_deref(), err.as_deref(), held))
        }
        _ => json(Some(value), Some(ty), held),
    }
}

fn json(value: Option<&Val>, ty: Option<&ValueType>, held: &Held) -> Result<Json, Failure> {
    let (Some(value), Some(ty)) = (value, ty) else { return Ok(Json::null()) };
    let max = usize::try_from(held.get(Limit::Output)).unwrap_or(usize::MAX);
    match encode::json(value, ty, max) {
        Ok(text) => Ok(Json::from_trusted(text)),
        Err(Unwritten::TooLarge) => {
            Err(held.over(Limit::Output, "the step's output has more than that"))
        }
        Err(other @ Unwritten::OtherType) => {
            Err(Failure::new(FailureKind::Host, "conversion", other.to_string()))
        }
    }
}

/// What `err` of a step's result says: the case's name is the code; a text is the message.
fn failed(error: Option<&Val>, ty: Option<&ValueType>, held: &Held) -> Failure {
    let (code, payload) = match (error, ty) {
        (Some(Val::Enum(name)), _) => (name.as_str(), None),
        (Some(Val::Variant(name, payload)), Some(ValueType::Variant(cases))) => {
            let index = cases.names.find(name);
            let ty = index.and_then(|index| cases.payloads[index].as_ref());
            (name.as_str(), payload.as_deref().zip(ty))
        }
        (Some(value), Some(ty)) => ("error", Some((value, ty))),
        (Some(_), None) | (None, _) => ("error", None),
    };
    let message = match payload {
        Some((Val::String(text), _)) => text.clone(),
        Some((value, ty)) => match json(Some(value), Some(ty), held) {
            Ok(json) => json.as_str().to_owned(),
            Err(failure) => return failure,
        },
        None => format!("the function returned the error `{code}`"),
    };
    failure::returned(code, &message)
}
