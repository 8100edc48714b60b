//! The run's key-value store as one attempt sees it: the run's values at dispatch, with
//! the attempt's own writes over them. The writes leave only with a completion.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use wfhost_workflow::run::KvWrite;
use wfhost_workflow::{Limit, Limits};

use crate::bindings::kv;
use crate::state::AttemptState;

/// A key is a name, not a value.
const KEY_BYTES_MAX: usize = 512;

/// What an attempt reads and writes.
pub(crate) struct Kv {
    base: Arc<BTreeMap<String, Vec<u8>>>,
    /// `None` deletes.
    writes: BTreeMap<String, Option<Vec<u8>>>,
    /// Bytes of all keys and values; summed up at the first write.
    total: Option<u64>,
    value_bytes_max: u64,
    total_bytes_max: u64,
    refused: Option<Limit>,
}

impl Kv {
    pub(crate) fn new(base: Arc<BTreeMap<String, Vec<u8>>>, limits: &Limits) -> Self {
        Self {
            base,
            writes: BTreeMap::new(),
            total: None,
            value_bytes_max: limits[Limit::KvValue],
            total_bytes_max: limits[Limit::KvTotal],
            refused: None,
        }
    }

    /// The limit that the last refused write was over.
    pub(crate) const fn refused(&self) -> Option<Limit> {
        self.refused
    }

    pub(crate) fn into_writes(self) -> Vec<KvWrite> {
        self.writes.into_iter().map(|(key, value)| KvWrite { key, value }).collect()
    }

    fn get(&self, key: &str) -> Option<&Vec<u8>> {
        match self.writes.get(key) {
            Some(written) => written.as_ref(),
            None => self.base.get(key),
        }
    }

    fn put(&mut self, key: String, value: Option<Vec<u8>>) -> Result<(), String> {
        if key.len() > KEY_BYTES_MAX {
            return Err(format!("the key has {} bytes of at most {KEY_BYTES_MAX}", key.len()));
        }
        let len = value.as_ref().map_or(0, Vec::len) as u64;
        if len > self.value_bytes_max {
            let max = self.value_bytes_max;
            self.refused = Some(Limit::KvValue);
            return Err(format!("the value has {len} bytes of at most {max} (kv_value)"));
        }
        let entry = |value: Option<&Vec<u8>>| value.map_or(0, |old| (key.len() + old.len()) as u64);
        let sum = || self.base.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum();
        let total = self.total.unwrap_or_else(sum) - entry(self.get(&key)) + entry(value.as_ref());
        // A delete may always go through: it is how a guest gets below the limit again.
        if value.is_some() && total > self.total_bytes_max {
            let max = self.total_bytes_max;
            self.refused = Some(Limit::KvTotal);
            return Err(format!("the run's values take {total} bytes of {max} (kv_total)"));
        }
        // Deleting what is not there must cost nothing, or deletes would be unbounded.
        if value.is_some() || self.base.contains_key(&key) {
            self.writes.insert(key, value);
        } else {
            self.writes.remove(&key);
        }
        self.total = Some(total);
        Ok(())
    }

    fn keys(&self, prefix: &str) -> Vec<String> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let mut keys: Vec<&String> = self
            .base
            .range::<str, _>(from)
            .map(|(key, _)| key)
            .take_while(|key| key.starts_with(prefix))
            .filter(|key| !self.writes.contains_key(*key))
            .collect();
        keys.extend(
            self.writes
                .range::<str, _>(from)
                .take_while(|(key, _)| key.starts_with(prefix))
                .filter_map(|(key, value)| value.is_some().then_some(key)),
        );
        keys.sort_unstable();
        keys.into_iter().cloned().collect()
    }
}

impl kv::Host for AttemptState {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(self.kv.get(&key).cloned())
    }

    fn set(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), kv::Error>> {
        Ok(self.kv.put(key, Some(value)).map_err(kv::Error::TooLarge))
    }

    fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), kv::Error>> {
        Ok(self.kv.put(key, None).map_err(kv::Error::TooLarge))
    }

    fn keys(&mut self, prefix: String) -> wasmtime::Result<Vec<String>> {
        Ok(self.kv.keys(&prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kv(base: &[(&str, &str)]) -> Kv {
        let base = base.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()));
        let limits = Limits::default().with(Limit::KvValue, 8).with(Limit::KvTotal, 20);
        Kv::new(Arc::new(base.collect()), &limits)
    }

    fn put(kv: &mut Kv, key: &str, value: &str) -> Result<(), String> {
        kv.put(key.to_owned(), Some(value.as_bytes().to_vec()))
    }

    #[test]
    fn reads_see_the_attempts_own_writes_over_the_runs_values() {
        let mut kv = kv(&[("a/1", "old"), ("a/2", "x"), ("b", "y")]);
        put(&mut kv, "a/1", "new").unwrap();
        put(&mut kv, "a/0", "z").unwrap();
        kv.put("a/2".to_owned(), None).unwrap();
        assert_eq!(kv.get("a/1").unwrap(), b"new");
        assert_eq!(kv.get("a/2"), None);
        assert_eq!(kv.keys("a/"), ["a/0", "a/1"]);
        assert_eq!(kv.keys(""), ["a/0", "a/1", "b"]);
        let writes = kv.into_writes();
        let writes: Vec<_> =
            writes.iter().map(|write| (write.key.as_str(), write.value.is_some())).collect();
        assert_eq!(writes, [("a/0", true), ("a/1", true), ("a/2", false)]);
    }

    #[test]
    fn sizes_are_bounded_and_the_message_names_the_setting() {
        let mut kv = kv(&[("a", "12345678")]);
        assert!(put(&mut kv, "b", "123456789").unwrap_err().contains("kv_value"));
        put(&mut kv, "b", "12345678").unwrap();
        assert!(put(&mut kv, "c", "1234").unwrap_err().contains("kv_total"));
        put(&mut kv, "b", "1").unwrap();
        put(&mut kv, "c", "1234").unwrap();
        assert!(put(&mut kv, &"k".repeat(600), "").unwrap_err().contains("key"));
    }

    #[test]
    fn deletes_of_nothing_leave_nothing_behind() {
        let mut kv = kv(&[]);
        for number in 0..100 {
            kv.put(format!("k{number}"), None).unwrap();
        }
        assert!(kv.into_writes().is_empty());
    }
}
