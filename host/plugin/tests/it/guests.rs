//! Guests from `host/testkit/guests`, and calling them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wfhost_plugin::{
    Completion, HostOptions, Invocation, LogLevel, Plugin, PluginHost, Shape, StepContext, StepSink,
};
use wfhost_testkit::{guest, hostile};
use wfhost_workflow::{
    Attempt, Digest, DirGrant, DirMode, DurationMs, Failure, FailureKind, Json, Limits, RunId,
    TimestampMs,
};

/// Long enough for any guest that ends by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The timeout of guests that do not.
pub(crate) const SHORT: Duration = Duration::from_millis(60);

/// A hostile guest as a core module that carries its WIT, or a component.
pub(crate) fn hostile(name: &str) -> Arc<[u8]> {
    Arc::from(wfhost_testkit::hostile::guest(name))
}

/// Keeps all that guests say.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) lines: Mutex<Vec<(LogLevel, String)>>,
    pub(crate) progress: Mutex<Vec<(u64, u64, usize)>>,
}

impl StepSink for Said {
    fn log(&self, level: LogLevel, message: String, _fields: Vec<(String, String)>) {
        self.lines.lock().unwrap().push((level, message));
    }

    fn progress(&self, done: u64, total: u64, message: String) {
        self.progress.lock().unwrap().push((done, total, message.len()));
    }
}

/// A call, with what most tests leave as it is.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) function: &'static str,
    pub(crate) input: Json,
    pub(crate) dirs: Vec<DirGrant>,
    pub(crate) limits: Limits,
    pub(crate) timeout: Duration,
    pub(crate) kv: BTreeMap<String, Vec<u8>>,
    pub(crate) said: Arc<Said>,
}

impl Default for Call {
    fn default() -> Self {
        Self {
            function: "run",
            input: Json::null(),
            dirs: Vec::new(),
            limits: Limits::default(),
            timeout: PATIENCE,
            kv: BTreeMap::new(),
            said: Arc::default(),
        }
    }
}

impl Call {
    pub(crate) fn invocation(self) -> Invocation {
        Invocation {
            function: self.function.to_owned(),
            context: StepContext {
                run: RunId::new(TimestampMs(1_700_000_000_000), 7),
                workflow: "test".into(),
                step: "step".into(),
                index: Some(3),
                attempt: Attempt::FIRST,
                idempotency_key: "key".to_owned(),
                trace_parent: None,
            },
            input: self.input,
            dirs: self.dirs,
            alias: Some("guest".into()),
            limits: self.limits,
            timeout: self.timeout,
            kv: Arc::new(self.kv),
            sink: self.said,
        }
    }
}

pub(crate) fn host() -> PluginHost {
    PluginHost::new(options()).unwrap()
}

pub(crate) fn options() -> HostOptions {
    HostOptions {
        slots: 2,
        describe_timeout: DurationMs(u64::try_from(SHORT.as_millis()).unwrap()),
        ..HostOptions::default()
    }
}

/// A folder that the guest may read.
pub(crate) fn seen(folder: &Path) -> DirGrant {
    let (host_path, guest_path) = (folder.to_str().unwrap().to_owned(), "/in".to_owned());
    DirGrant { host_path, guest_path, mode: DirMode::ReadOnly }
}

/// The shape of what nobody set anything for.
pub(crate) fn usual(host: &PluginHost) -> Shape {
    host.shape(&Limits::default(), false)
}

pub(crate) async fn load(host: &PluginHost, bytes: Arc<[u8]>) -> Arc<Plugin> {
    let digest = Digest::of(&bytes);
    host.load(bytes, digest, usual(host)).await.unwrap()
}

pub(crate) async fn hello(host: &PluginHost) -> Arc<Plugin> {
    load(host, Arc::from(guest::content("hello"))).await
}

/// Calls a guest where the same input must give the same bytes.
pub(crate) async fn run_strict(
    host: &PluginHost,
    guest: Arc<[u8]>,
    call: Call,
) -> Result<Completion, Failure> {
    let digest = Digest::of(&guest);
    let plugin = host.load(guest, digest, host.shape(&call.limits, true)).await.unwrap();
    host.run(&plugin, call.invocation()).await
}

/// Calls a hostile guest in a host of its own.
pub(crate) async fn run(name: &str, call: Call) -> Result<Completion, Failure> {
    let host = host();
    let plugin = load(&host, hostile(name)).await;
    host.run(&plugin, call.invocation()).await
}

/// Calls a hostile guest, which must fail in just this way.
#[track_caller]
pub(crate) fn failed(
    result: Result<Completion, Failure>,
    kind: FailureKind,
    code: &str,
    message: &str,
) {
    let failure = result.expect_err("the guest must fail");
    assert_eq!((failure.kind, failure.code.as_str()), (kind, code), "{failure}");
    assert!(failure.message.contains(message), "`{message}` is not in: {failure}");
}

/// Guests that are not tested here: `cargo xtask bench` and `cargo xtask faults` call them.
const ELSEWHERE: [&str; 3] = ["bench-steps", "timed-steps", "witness"];

/// A guest that no test names would be dead weight, and a hole where a test was meant.
#[test]
fn every_hostile_guest_has_a_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let read = |file: std::fs::DirEntry| std::fs::read_to_string(file.path()).unwrap();
    let tests: String = std::fs::read_dir(tests).unwrap().map(|file| read(file.unwrap())).collect();
    let mut guests = 0;
    for file in std::fs::read_dir(hostile::folder()).unwrap() {
        let file = file.unwrap().path();
        let is_guest = file.extension().is_some_and(|extension| extension == "wat")
            || file.join("Cargo.toml").is_file();
        if !is_guest {
            continue;
        }
        let name = file.file_stem().unwrap().to_str().unwrap();
        if ELSEWHERE.contains(&name) {
            continue;
        }
        assert!(tests.contains(&format!("\"{name}\"")), "no test names the guest `{name}`");
        guests += 1;
    }
    assert!(guests > 20, "only {guests} guests in {}", hostile::folder().display());
}
