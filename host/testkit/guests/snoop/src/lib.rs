//! Asks the host everything that a guest may ask, and tells what it heard: the test looks
//! through it for anything that belongs to the host.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};

use wfhost_guest::{Context, export, kv, step};

mod asked {
    wit_bindgen::generate!({
        path: "wit",
        world: "snoop",
        generate_all,
    });
}

use asked::wasi::cli::environment;
use asked::wasi::clocks::{monotonic_clock, wall_clock};
use asked::wasi::filesystem::{preopens, types as files};
use asked::wasi::random::insecure_seed;
use asked::wasi::sockets::{instance_network, ip_name_lookup};

/// What was asked, and what came back.
type Heard = BTreeMap<String, String>;

/// Where a host keeps things that are not a guest's.
const PATHS: [&str; 16] = [
    "/",
    ".",
    "..",
    "/in",
    "/in/",
    "/in/..",
    "/in/../",
    "/in/../secret-beside.txt",
    "/in/link-out",
    "/in/link-beside",
    "/etc/passwd",
    "/etc/hostname",
    "/proc/self/environ",
    "/proc/self/maps",
    "/home",
    "/in/none",
];

/// Everything but memory.
#[step]
fn look(_input: (), context: &Context) -> Heard {
    let mut heard = Heard::new();
    of_itself(&mut heard, context);
    of_files(&mut heard);
    of_streams(&mut heard);
    of_network(&mut heard);
    of_kv(&mut heard);
    heard
}

/// How many bytes its memory grows to.
#[step]
fn grow(_input: ()) -> u64 {
    while core::arch::wasm32::memory_grow(0, 16) != usize::MAX {}
    while core::arch::wasm32::memory_grow(0, 1) != usize::MAX {}
    core::arch::wasm32::memory_size(0) as u64 * 65_536
}

fn of_itself(heard: &mut Heard, context: &Context) {
    tell(heard, "context", context);
    tell(heard, "environment", environment::get_environment());
    tell(heard, "arguments", environment::get_arguments());
    tell(heard, "initial cwd", environment::initial_cwd());
    tell(heard, "std vars", std::env::vars().collect::<Vec<_>>());
    tell(heard, "std args", std::env::args().collect::<Vec<_>>());
    tell(heard, "std cwd", std::env::current_dir());
    tell(heard, "std exe", std::env::current_exe());
    tell(heard, "processors", std::thread::available_parallelism());
    tell(heard, "monotonic", monotonic_clock::now());
    tell(heard, "monotonic resolution", monotonic_clock::resolution());
    tell(heard, "wall resolution", wall_clock::resolution());
    tell(heard, "seed", insecure_seed::insecure_seed());
    let mut input = String::new();
    let read = std::io::stdin().read_to_string(&mut input);
    tell(heard, "stdin", (read, input));
}

fn of_files(heard: &mut Heard) {
    for path in PATHS {
        let names = fs::read_dir(path)
            .map(|dir| dir.map(|entry| entry.map(|entry| entry.path())).collect::<Vec<_>>());
        tell(heard, &format!("list {path}"), names);
        tell(heard, &format!("read {path}"), fs::read_to_string(path));
        tell(heard, &format!("link {path}"), fs::read_link(path));
        tell(heard, &format!("canonical {path}"), fs::canonicalize(path));
        tell(heard, &format!("metadata {path}"), fs::metadata(path).map(|found| found.len()));
        tell(heard, &format!("write {path}"), fs::write(path, "x"));
        tell(heard, &format!("make {path}"), fs::create_dir(path));
        tell(heard, &format!("remove {path}"), fs::remove_file(path));
        tell(heard, &format!("rename {path}"), fs::rename(path, "/in/renamed"));
        tell(heard, &format!("hard link {path}"), fs::hard_link(path, "/in/linked"));
    }
    let mut open = fs::File::open("/in/inside.txt");
    if let Ok(file) = &mut open {
        tell(heard, "write to what is open for reading", file.write(b"x"));
    }
    tell(heard, "open", open.map(|_| ()));
}

/// Errors of streams are the one place where the host's words come as they are.
fn of_streams(heard: &mut Heard) {
    for (n, (directory, path)) in preopens::get_directories().into_iter().enumerate() {
        tell(heard, &format!("preopen {n}"), &path);
        let stream = directory.read_via_stream(0);
        tell(heard, &format!("stream of directory {n}"), stream.as_ref().map(|_| ()));
        if let Ok(stream) = stream {
            loop {
                match stream.blocking_read(64) {
                    Ok(bytes) => tell(heard, &format!("bytes of directory {n}"), bytes.len()),
                    Err(asked::wasi::io::streams::StreamError::LastOperationFailed(error)) => {
                        tell(heard, &format!("error {n}"), error.to_debug_string());
                        tell(heard, &format!("code {n}"), files::filesystem_error_code(&error));
                        break;
                    }
                    Err(other) => {
                        tell(heard, &format!("end {n}"), other);
                        break;
                    }
                }
            }
        }
    }
}

fn of_network(heard: &mut Heard) {
    let network = instance_network::instance_network();
    for name in ["localhost", "ip6-localhost", "host.docker.internal", "169.254.169.254", "::1"] {
        let found = ip_name_lookup::resolve_addresses(&network, name)
            .map(|stream| (0..4).map(|_| stream.resolve_next_address()).collect::<Vec<_>>());
        tell(heard, &format!("lookup {name}"), found);
        tell(
            heard,
            &format!("std lookup {name}"),
            (name, 80).to_socket_addrs().map(|found| found.collect::<Vec<_>>()),
        );
    }
    tell(heard, "connect", TcpStream::connect("127.0.0.1:22").map(|_| ()));
    tell(heard, "listen", TcpListener::bind("0.0.0.0:0").and_then(|it| it.local_addr()));
    tell(heard, "udp", UdpSocket::bind("0.0.0.0:0").and_then(|it| it.local_addr()));
}

fn of_kv(heard: &mut Heard) {
    tell(heard, "keys", kv::keys(""));
    tell(heard, "long key", kv::set_bytes(&"k".repeat(1 << 20), b"x"));
    tell(heard, "long value", kv::set_bytes("k", &vec![0; 16 << 20]));
    tell(heard, "empty key", kv::set_bytes("", b"x"));
}

fn tell(heard: &mut Heard, what: &str, answer: impl Debug) {
    heard.insert(what.to_owned(), format!("{answer:?}"));
}

export!(look, grow);
