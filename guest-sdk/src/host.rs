//! The host's side: its imports inside a component, the thread's [`crate::testing::Host`] elsewhere.

#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::testing::imports::*;
#[cfg(target_family = "wasm")]
pub(crate) use wasm::*;

#[cfg(target_family = "wasm")]
mod wasm {
    use crate::bindings::wfhost::host::{kv, log, progress};
    use crate::log::{Field, Level};
    use crate::{Error, Result};

    pub(crate) fn log(level: Level, message: &str, fields: Vec<Field<'_>>) {
        let level = match level {
            Level::Trace => log::Level::Trace,
            Level::Debug => log::Level::Debug,
            Level::Info => log::Level::Info,
            Level::Warn => log::Level::Warn,
            Level::Error => log::Level::Error,
        };
        let field =
            |field: Field<'_>| log::Field { name: field.name.to_owned(), value: field.value };
        let fields: Vec<log::Field> = fields.into_iter().map(field).collect();
        log::write(level, message, &fields);
    }

    pub(crate) fn progress(done: u64, total: u64, message: &str) {
        progress::report(done, total, message);
    }

    pub(crate) fn kv_get(key: &str) -> Option<Vec<u8>> {
        kv::get(key)
    }

    pub(crate) fn kv_set(key: &str, value: &[u8]) -> Result<()> {
        kv::set(key, value).map_err(refused)
    }

    pub(crate) fn kv_delete(key: &str) -> Result<()> {
        kv::delete(key).map_err(refused)
    }

    pub(crate) fn kv_keys(prefix: &str) -> Vec<String> {
        kv::keys(prefix)
    }

    fn refused(error: kv::Error) -> Error {
        match error {
            kv::Error::TooLarge(message) => Error::permanent("kv-too-large", message),
        }
    }
}
