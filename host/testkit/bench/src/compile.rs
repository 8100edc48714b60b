//! Compiling a component of 12 MB beside trivial steps, and loading what was made of it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wfhost_plugin::cache::CacheOptions;
use wfhost_plugin::compile::{CompileOptions, CompilerProgram};
use wfhost_plugin::{HostOptions, Plugin, PluginHost};
use wfhost_workflow::{Digest, Limits};

use crate::call::invocation;
use crate::report::Row;
use crate::stats::{Times, ratio, us};
use crate::{clock, machine};

/// What makes this program a compiler.
pub(crate) const COMPILER: &str = "--compile-component";

const GUEST: &str = "js-words";
/// Of each: alone, then while the component is compiled.
const ROUNDS: usize = 3;
const ALONE: Duration = Duration::from_secs(4);
/// Between two steps, where they do not follow each other at once.
const PAUSE: Duration = Duration::from_millis(1);
const LOADS: usize = 40;

const SET_UP: &str = "the bench's host is set up";

pub(crate) fn measure() -> Vec<Row> {
    let Some(component) = guest() else {
        let missing = "the guest is not built: `cargo xtask guests js` needs Node and npm";
        return vec![Row::info("compile of a JavaScript component", missing)];
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect(SET_UP);
    runtime.block_on(async move {
        let measured = tokio::spawn(async move {
            let mut rows = beside_steps(&component).await;
            rows.extend(loads(&component).await);
            rows
        });
        measured.await.expect("the measurement does not panic")
    })
}

fn guest() -> Option<Arc<[u8]>> {
    let file =
        wfhost_testkit::guest::workspace().join("target/guests").join(format!("{GUEST}.wasm"));
    std::fs::read(file).ok().map(Arc::from)
}

fn host(cache: Option<&Path>) -> PluginHost {
    let program = CompilerProgram {
        program: std::env::current_exe().expect(SET_UP),
        arguments: vec![COMPILER.into()],
    };
    let compile = CompileOptions {
        program: Some(program),
        cache: cache.map(|folder| CacheOptions::new(folder.to_path_buf())),
        ..CompileOptions::default()
    };
    PluginHost::new(HostOptions { slots: 4, compile, ..HostOptions::default() }).expect(SET_UP)
}

async fn load(host: &PluginHost, component: &Arc<[u8]>, digest: Digest) -> Arc<Plugin> {
    let shape = host.shape(&Limits::default(), false);
    host.load(Arc::clone(component), digest, shape).await.expect("the component loads")
}

/// How steps follow each other, with what came of it.
struct Pace {
    name: &'static str,
    pause: Option<Duration>,
    alone: Times,
    beside: Times,
}

async fn beside_steps(component: &Arc<[u8]>) -> Vec<Row> {
    let trivial: Arc<[u8]> = wfhost_testkit::guest::content("bench-steps").into();
    let steps = host(None);
    let plugin = load(&steps, &trivial, Digest::of(&trivial)).await;
    let mut variant = 0;
    let mut compiles = Times::default();
    let pace =
        |name, pause| Pace { name, pause, alone: Times::default(), beside: Times::default() };
    let mut paces = [pace("one after the other", None), pace("one a millisecond", Some(PAUSE))];
    for _ in 0..ROUNDS {
        for pace in &mut paces {
            let until = clock::now() + ALONE;
            run_while(&steps, &plugin, pace.pause, || clock::now() < until, &mut pace.alone).await;
            let compiling = Arc::new(AtomicBool::new(true));
            variant += 1;
            let component = another(component, variant);
            let (done, host, digest) =
                (Arc::clone(&compiling), steps.clone(), Digest::of(&component));
            let compile = tokio::spawn(async move {
                let started = clock::now();
                load(&host, &component, digest).await;
                done.store(false, Ordering::SeqCst);
                started.elapsed()
            });
            let going_on = || compiling.load(Ordering::SeqCst);
            run_while(&steps, &plugin, pace.pause, going_on, &mut pace.beside).await;
            compiles.add(compile.await.expect("the compile does not panic"));
        }
    }
    let mut rows: Vec<Row> = paces.iter_mut().map(Pace::row).collect();
    rows.push(Row::info(
        "  the compile itself, with native code sent back and loaded, p50",
        format!("{:.1} s", compiles.p50().as_secs_f64()),
    ));
    rows
}

/// The same component with one custom section more, so that it is not known yet.
fn another(component: &[u8], variant: u8) -> Arc<[u8]> {
    [component, &[0, 3, 1, b'v', variant]].concat().into()
}

async fn run_while(
    steps: &PluginHost,
    plugin: &Arc<Plugin>,
    pause: Option<Duration>,
    going_on: impl Fn() -> bool,
    times: &mut Times,
) {
    while going_on() {
        let started = clock::now();
        steps.run(plugin, invocation()).await.expect("the step succeeds");
        times.add(started.elapsed());
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
    }
}

impl Pace {
    fn row(&mut self) -> Row {
        let (alone, beside) = (self.alone.percentile(0.99), self.beside.percentile(0.99));
        let ratio = ratio(beside, alone);
        Row::new(
            format!("trivial steps {}, p99, beside the compile of 12 MB of JavaScript", self.name),
            format!("{ratio:.2}× ({} / {})", us(beside), us(alone)),
            "≤ 2×",
            ratio <= 2.0,
        )
    }
}

async fn loads(component: &Arc<[u8]>) -> Vec<Row> {
    std::fs::create_dir_all(machine::host_folder()).expect(SET_UP);
    let place = tempfile::tempdir_in(machine::host_folder()).expect(SET_UP);
    let cache = place.path().join("cache");
    let digest = Digest::of(component);
    drop(load(&host(Some(&cache)), component, digest).await);
    let mut times = Times::default();
    for _ in 0..LOADS {
        let host = host(Some(&cache));
        let started = clock::now();
        let plugin = load(&host, component, digest).await;
        times.add(started.elapsed());
        drop(plugin);
    }
    let p50 = times.p50();
    vec![
        Row::new(
            "its cached native code: open, MAC, map, deserialise, link, p50",
            us(p50),
            "≤ 10 ms",
            p50 <= Duration::from_millis(10),
        ),
        Row::info("  the same, p90", us(times.percentile(0.9))),
    ]
}
