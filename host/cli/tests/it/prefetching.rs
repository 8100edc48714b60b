//! Components that workers have ready before a step wants them, and whose steps they run: real
//! processes, one of them with a full disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use wfhost_transport::client::{Answer, PrefetchedAt, Request};
use wfhost_transport::codec::CHUNK_BYTES;
use wfhost_transport::{ClientLink, Hub, Target};
use wfhost_workflow::Digest;

use crate::place::{Place, Started, guest_path};
use crate::remote::Server as Local;
use crate::workers::{Server, place, worker};

/// Nothing here takes so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

const GREET: &str = "steps:\n  - id: greet\n    call: p/greet\n    requires: { disk: full }\n    with: { name: Ada }\noutput: \"${steps.greet.greeting}\"\n";

/// Asks the process that holds the folder, as a deploy does.
struct Asker(ClientLink);

impl Asker {
    fn new(place: &Place) -> Self {
        let target = Target::Folder(place.path("data"));
        Self(ClientLink::connect(&Hub::new(), target).unwrap())
    }

    fn ask(&mut self, request: &Request) -> Answer {
        self.0.request(request, PATIENCE).unwrap()
    }

    fn put(&mut self, bytes: &[u8]) -> Digest {
        let (digest, total) = (Digest::of(bytes), bytes.len() as u64);
        let mut offset = 0;
        while offset < total {
            let rest = &bytes[offset as usize..];
            let bytes = rest[..rest.len().min(CHUNK_BYTES as usize)].to_vec();
            match self.ask(&Request::Put { digest, offset, total, bytes }) {
                Answer::Received { next } => offset = next,
                other => panic!("{other:?}"),
            }
        }
        digest
    }

    fn prefetch(&mut self, component: Digest) -> Vec<PrefetchedAt> {
        match self.ask(&Request::Prefetch { components: vec![component] }) {
            Answer::Prefetched(workers) => workers,
            other => panic!("{other:?}"),
        }
    }

    /// Asked until it is as wanted.
    #[track_caller]
    fn when(
        &mut self,
        component: Digest,
        wanted: impl Fn(&[PrefetchedAt]) -> bool,
    ) -> Vec<PrefetchedAt> {
        let started = Instant::now();
        loop {
            let workers = self.prefetch(component);
            if wanted(&workers) {
                return workers;
            }
            assert!(started.elapsed() < PATIENCE, "it never becomes as wanted: {workers:?}");
        }
    }
}

/// A worker whose data folder and cache are on a disk of their own, which is too small for the
/// component. Nobody else sees that disk.
fn full(place: &Place, server: &Server) -> Started {
    fs::create_dir(place.path("small")).unwrap();
    let line =
        "mount -t tmpfs -o size=64k none small && WFHOST_CACHE=$PWD/small/cache exec \"$0\" \"$@\"";
    let worker = ["--data", "small/data", "--name", "full", "--slots", "2", "--label", "disk=full"];
    let join = ["--join", &server.address, "--server-key", &server.key, "--key", "two.key"];
    let inside = ["--mount", "sh", "-c", line, env!("CARGO_BIN_EXE_wfhost"), "worker"];
    let path = ["/usr/bin/unshare", "/bin/unshare"].into_iter().find(|it| Path::new(it).exists());
    let mut started =
        place.start_program(Path::new(path.unwrap()), &[&inside[..], &worker, &join].concat());
    started.wait_for("joined");
    started
}

/// All files of a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let found = entries.flat_map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path) } else { vec![path] }
    });
    found.collect()
}

#[test]
fn a_worker_with_a_full_disk_says_so_leaves_no_half_file_and_goes_on() {
    let place = place();
    let server = Server::start(&place, "tcp://127.0.0.1:0");
    let _roomy = worker(&place, &server, "one");
    let full = full(&place, &server);
    let mut asker = Asker::new(&place);
    let component = asker.put(&fs::read(guest_path("hello")).unwrap());
    let done = |workers: &[PrefetchedAt]| workers.iter().all(PrefetchedAt::is_done);
    let workers = asker.when(component, done);
    let of = |name: &str| workers.iter().find(|at| at.name == name).unwrap();
    assert_eq!((of("one").ready, of("one").failed, of("one").of), (1, 0, 1), "{workers:?}");
    assert_eq!((of("full").ready, of("full").failed), (0, 1), "{workers:?}");
    let error = &of("full").errors[0];
    assert!(error.contains("is not kept") && error.contains("No space left"), "{error}");
    // What was begun is gone.
    let disk = PathBuf::from(format!("/proc/{}/root", full.pid()))
        .join(place.path("small").strip_prefix("/").unwrap());
    assert!(!files(&disk).is_empty());
    for folder in ["data/worker/components", "cache/native", "cache/tmp"] {
        let left = files(&disk.join(folder));
        assert!(left.is_empty(), "{left:?}");
    }
    // Its other work goes on, this component's steps among it.
    let greet = place.workflow("greet.yaml", "hello", GREET);
    assert_eq!(place.wfhost(&["run", &greet]).ok().stdout, "\"Hello, Ada!\"\n");
}

#[test]
fn a_worker_that_dies_while_it_fetches_is_waited_for_by_nobody() {
    let place = place();
    let server = Server::start(&place, "tcp://127.0.0.1:0");
    let dies = worker(&place, &server, "one");
    let mut asker = Asker::new(&place);
    let component = asker.put(&fs::read(guest_path("hello")).unwrap());
    // It is told, and does not come to it.
    dies.signal(Signal::STOP);
    let workers = asker.prefetch(component);
    assert_eq!((workers.len(), workers[0].ready, workers[0].is_done()), (1, 0, false));
    let _stays = worker(&place, &server, "two");
    asker.when(component, |workers| workers.iter().any(|at| at.name == "two" && at.ready == 1));
    dies.signal(Signal::KILL);
    let workers = asker.when(component, |workers| workers.len() == 1);
    assert_eq!((workers[0].name.as_str(), workers[0].ready), ("two", 1));
}

#[test]
fn workers_run_nothing_but_signed_bundles_where_they_are_told_to() {
    const HELLO: &str = "steps:\n  - { id: greet, call: p/greet, with: { name: Ada } }\noutput: \"${steps.greet.greeting}\"\n";
    // By a process of the pool, and by the process that serves.
    for more in [&["--signed-only"][..], &["--signed-only", "--slots", "1"]] {
        let place = Place::new();
        let hello = place.workflow("hello.yaml", "hello", HELLO);
        let server = Local::local(&place, more);
        server.asks(&place, &["run", &hello]).exits(1).says("--signed-only");
    }
}

#[test]
fn a_list_of_trusted_keys_that_cannot_be_used_is_said_at_the_start() {
    let place = Place::new();
    place.write("broken.toml", "[[keys]]\nid = 7\n");
    let join = ["worker", "--join", "tcp://127.0.0.1:1", "--trust"];
    place.wfhost(&[&join[..], &["missing.toml"]].concat()).exits(2).says("missing.toml");
    place.wfhost(&[&join[..], &["broken.toml"]].concat()).exits(2).says("broken.toml:1");
    place.wfhost(&["serve", "--trust", "broken.toml"]).exits(2).says("broken.toml:1");
    // Nothing was made for that.
    fs::create_dir(place.path("data")).unwrap();
    place.write("data/trust.toml", "no list");
    place.wfhost(&["serve"]).exits(2).says("trust.toml");
    place.wfhost(&["serve", "--signed-only", "--allow-unsigned"]).exits(2);
}
