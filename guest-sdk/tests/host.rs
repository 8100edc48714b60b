//! What steps do with the host, seen through the stand-in.

use serde_json::json;
use wfhost_guest::log::Level;
use wfhost_guest::{Error, kv, log, progress, testing};

#[test]
fn log_lines_have_levels_and_fields() {
    let host = testing::Host::fresh();
    let name = "Ada";
    log::trace!("a {name} {}", 1);
    log::debug!("b");
    log::info!(who = name, count = 1 + 1; "c {}", 3);
    log::warn!(list = [1, 2],; "d");
    log::error!(nothing = f64::NAN; "e");
    log::write(Level::Info, "f", vec![log::field("key with spaces", &json!({"a": 1}))]);

    let lines = host.log();
    let told: Vec<(Level, &str)> =
        lines.iter().map(|line| (line.level, line.message.as_str())).collect();
    assert_eq!(
        told,
        [
            (Level::Trace, "a Ada 1"),
            (Level::Debug, "b"),
            (Level::Info, "c 3"),
            (Level::Warn, "d"),
            (Level::Error, "e"),
            (Level::Info, "f"),
        ]
    );
    let fields: Vec<_> = lines.iter().map(|line| json!(line.fields)).collect();
    assert_eq!(
        fields,
        [
            json!({}),
            json!({}),
            json!({"who": "Ada", "count": 2}),
            json!({"list": [1, 2]}),
            json!({"nothing": null}),
            json!({"key with spaces": {"a": 1}}),
        ]
    );
}

#[test]
fn only_the_newest_progress_counts() {
    let host = testing::Host::fresh();
    assert_eq!(host.progress(), None);
    progress::report(1, 3, "one");
    progress::report(2, None, "two");
    let newest = host.progress().expect("a report");
    assert_eq!((newest.done, newest.total, newest.message.as_str()), (2, None, "two"));
    progress::report(3, 3, "three");
    assert_eq!(host.progress().and_then(|report| report.total), Some(3));
}

#[test]
fn stored_values_have_types() {
    let host = testing::Host::fresh();
    assert_eq!(kv::get::<u32>("count"), Ok(None));
    host.set("count", &1);
    assert_eq!(kv::get("count"), Ok(Some(1)));
    kv::set("count", &(1, "a")).expect("a write");
    assert_eq!(host.get("count"), Some((1, "a".to_owned())));
    assert_eq!(
        kv::get::<u32>("count"),
        Err(Error::permanent("kv-type", "invalid type: sequence, expected u32 at line 1 column 0"))
    );
    kv::set_bytes("raw", &[0xff]).expect("a write");
    assert_eq!(kv::get_bytes("raw"), Some(vec![0xff]));
    kv::set("counter", &2).expect("a write");
    assert_eq!(kv::keys("count"), ["count", "counter"]);
    kv::delete("count").expect("a write");
    kv::delete("count").expect("deleting twice");
    assert_eq!(kv::keys(""), ["counter", "raw"]);
}

#[test]
fn refused_writes_are_permanent_failures() {
    let host = testing::Host::fresh();
    host.refuse_writes("the value is over 1 MiB");
    let refused = Err(Error::permanent("kv-too-large", "the value is over 1 MiB"));
    assert_eq!(kv::set("a", &1), refused);
    assert_eq!(kv::set_bytes("a", &[1]), refused);
    assert_eq!(kv::delete("a"), refused);
    assert_eq!(host.get::<u32>("a"), None);
}

#[test]
fn a_fresh_host_has_forgotten() {
    let host = testing::Host::fresh();
    log::info!("a");
    host.set("a", &1);
    progress::report(1, None, "");
    let host = testing::Host::fresh();
    assert_eq!((host.log(), host.progress(), kv::keys("")), (vec![], None, vec![]));
}
