//! The compiler is a process of its own: what it may do, and what happens when it ends badly.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use wfhost_plugin::compile::{CompileOptions, CompilerProgram};
use wfhost_plugin::{Error, HostOptions, PluginHost};
use wfhost_workflow::{Digest, DurationMs, Limits};

use crate::place::{Outcome, Place, guest_path};

fn number(bytes: &mut Vec<u8>, mut value: usize) {
    while value > 0x7f {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn section(bytes: &mut Vec<u8>, id: u8, content: &[u8]) {
    bytes.push(id);
    number(bytes, content.len());
    bytes.extend_from_slice(content);
}

/// A small component with one function of so many blocks, each of which uses three of 500 locals:
/// the register allocator takes seconds and gigabytes for 20,000 of them.
fn slow_to_compile(blocks: usize) -> Vec<u8> {
    const LOCALS: usize = 500;
    let mut code = vec![1];
    number(&mut code, LOCALS);
    code.push(0x7e);
    for block in 0..blocks {
        let local = |factor: usize, more: usize| (block * factor + more) % LOCALS;
        code.push(0x20); // local.get
        number(&mut code, local(7, 3));
        code.extend_from_slice(&[0xa7, 0x04, 0x40, 0x20]); // i32.wrap_i64, if, local.get
        number(&mut code, local(13, 5));
        code.push(0x20); // local.get
        number(&mut code, local(31, 1));
        code.extend_from_slice(&[0x7e, 0x21]); // i64.mul, local.set
        number(&mut code, local(7, 3));
        code.push(0x0b); // end
    }
    code.extend_from_slice(&[0x20, 0, 0x0b]);
    let mut functions = vec![1];
    number(&mut functions, code.len());
    functions.extend_from_slice(&code);
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    section(&mut module, 1, &[1, 0x60, 0, 1, 0x7e]);
    section(&mut module, 3, &[1, 0]);
    section(&mut module, 10, &functions);
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    section(&mut component, 1, &module);
    component
}

fn compiled(options: CompileOptions, component: &[u8]) -> Error {
    let program = CompilerProgram {
        program: PathBuf::from(env!("CARGO_BIN_EXE_wfhost")),
        arguments: vec!["compile-component".into()],
    };
    let compile = CompileOptions { program: Some(program), nice: 0, ..options };
    let host =
        PluginHost::new(HostOptions { slots: 1, compile, ..HostOptions::default() }).unwrap();
    let shape = host.shape(&Limits::default(), false);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(host.load(Arc::from(component), Digest::of(component), shape)).unwrap_err()
}

#[test]
fn a_compiler_is_held_to_its_time_and_memory() {
    let slow = slow_to_compile(20_000);
    let usual = CompileOptions::default;
    let error = compiled(CompileOptions { wall: DurationMs(100), ..usual() }, &slow);
    assert!(matches!(error, Error::CompileTime { kind: "wall", .. }), "{error}");
    assert!(error.to_string().contains("more than 100ms of wall time"), "{error}");
    let error = compiled(CompileOptions { cpu: DurationMs(1000), ..usual() }, &slow);
    assert!(matches!(error, Error::CompileTime { kind: "processor", .. }), "{error}");
    let error = compiled(CompileOptions { memory_bytes: 300 << 20, ..usual() }, &slow);
    assert!(matches!(error, Error::CompileMemory { .. }), "{error}");
    assert!(error.to_string().contains("more than 300 MB of memory"), "{error}");
}

#[test]
fn the_operator_says_what_compiling_may_take() {
    let place = Place::new();
    let slow = slow_file(&place);
    let call = |config: &str| {
        let config = place.write("config.toml", config).display().to_string();
        place.wfhost(&["plugin", "call", &slow, "f", "--config", &config])
    };
    call("compile.memory = \"300MiB\"").exits(3).says("more than 300 MB of memory");
    call("compile.wall_time = \"50ms\"").exits(3).says("`wall_time` of `[compile]`");
    call("compile.memroy = 1").exits(2).says("did you mean `memory`?");
}

#[test]
fn what_a_compiler_refuses_is_told_as_without_one() {
    let refused = |bytes: &[u8]| compiled(CompileOptions::default(), bytes);
    assert!(matches!(refused(b"#!/bin/sh"), Error::NotWasm));
    assert!(matches!(refused(b"\0asm\x0d\0\x01\0\x63\x05abcde"), Error::Compile(_)));
    assert!(matches!(refused(b"\0asm\x01\0\0\0\x63\x05abcde"), Error::Componentise(_)));
    let large = vec![0; (128 << 20) + 1];
    assert!(matches!(refused(&large), Error::TooLarge { .. }));
}

#[test]
fn a_compiler_that_cannot_be_started_is_said() {
    let program = CompilerProgram { program: "/nowhere/wfhost".into(), arguments: Vec::new() };
    let compile = CompileOptions { program: Some(program), ..CompileOptions::default() };
    let host =
        PluginHost::new(HostOptions { slots: 1, compile, ..HostOptions::default() }).unwrap();
    let shape = host.shape(&Limits::default(), false);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bytes: &[u8] = b"\0asm";
    let error =
        runtime.block_on(host.load(Arc::from(bytes), Digest::of(bytes), shape)).unwrap_err();
    assert!(matches!(error, Error::CompilerStart(_)), "{error}");
}

/// Some other program in the compiler's place: it may say anything.
fn answered(script: &str) -> Error {
    let program =
        CompilerProgram { program: "/bin/sh".into(), arguments: vec!["-c".into(), script.into()] };
    let compile = CompileOptions { program: Some(program), ..CompileOptions::default() };
    let host =
        PluginHost::new(HostOptions { slots: 1, compile, ..HostOptions::default() }).unwrap();
    let shape = host.shape(&Limits::default(), false);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bytes: &[u8] = b"\0asm";
    runtime.block_on(host.load(Arc::from(bytes), Digest::of(bytes), shape)).unwrap_err()
}

#[test]
fn an_answer_that_makes_no_sense_is_an_error() {
    let huge = r#"echo '{"made":{"facts":0,"native":99999999999}}'; yes"#;
    let many = "yes | head -c 100000 | tr -d '\\n'";
    let noisy = "yes noise | head -c 1000000 >&2; echo the last words >&2; exit 3";
    for script in ["exit 0", "echo nonsense", huge, many, noisy] {
        let error = answered(script);
        assert!(matches!(error, Error::CompilerPanic(_)), "{script}: {error}");
    }
    let error = answered(noisy).to_string();
    assert!(error.len() < 2000, "{error}");
    let error = answered("kill -SEGV $$");
    assert!(matches!(error, Error::CompilerDied { signal: 11, .. }), "{error}");
}

/// The child of a process, once it has one that has come so far that `ready` says yes.
fn child_of(pid: u32, ready: impl Fn(u32) -> bool) -> u32 {
    loop {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let child = tasks.flatten().find_map(|task| {
            let children = fs::read_to_string(task.path().join("children")).ok()?;
            children.split_whitespace().next()?.parse().ok()
        });
        if let Some(child) = child
            && ready(child)
        {
            return child;
        }
        std::thread::yield_now();
    }
}

/// It has lowered its priority, so it is past everything but the compiling.
fn is_confined(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
    after_name.split_whitespace().nth(16) == Some("19")
        && !limits.contains("Max cpu time              unlimited")
}

fn is_gone(pid: u32) -> bool {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    !String::from_utf8_lossy(&command).contains("compile-component")
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

/// A component that compiles for long enough to be looked at.
fn slow_file(place: &Place) -> String {
    let path = place.path("slow.wasm");
    fs::write(&path, slow_to_compile(20_000)).unwrap();
    path.display().to_string()
}

#[test]
fn a_compiler_has_nothing_of_its_host() {
    let place = Place::new();
    let slow = slow_file(&place);
    // A file that the shell left open.
    let script = "exec 9</etc/passwd; exec \"$0\" plugin call \"$1\" f";
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_wfhost"), &slow]);
    let mut wfhost = shell
        .env("WFHOST_CACHE", place.path("cache"))
        .env("WFHOST_DATA", place.path("data"))
        .env("SECRET", "of the host")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let child = child_of(wfhost.id(), is_confined);
    let of = |file: &str| fs::read_to_string(format!("/proc/{child}/{file}")).unwrap();
    assert_eq!(of("environ"), "");
    assert_eq!(fs::read_link(format!("/proc/{child}/cwd")).unwrap(), PathBuf::from("/"));
    let mut open: Vec<String> = fs::read_dir(format!("/proc/{child}/fd"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    open.sort();
    assert_eq!(open, ["0", "1", "2"]);
    let limits = of("limits");
    for limit in ["Max core file size        0", "Max file size             0"] {
        assert!(limits.contains(limit), "{limits}");
    }
    assert!(of("status").contains("NoNewPrivs:\t1"));
    wfhost.kill().unwrap();
    wfhost.wait().unwrap();
    while !is_gone(child) {
        std::thread::yield_now();
    }
}

#[test]
fn a_compiler_that_dies_fails_its_component_alone() {
    let place = Place::new();
    let slow = slow_file(&place);
    let wfhost = place.start(&["plugin", "call", &slow, "f"]);
    kill(child_of(wfhost.pid(), is_confined));
    wfhost.end().exits(3).says("the compiler died of signal 9");
    let hello = guest_path("hello").display().to_string();
    place.wfhost(&["plugin", "call", &hello, "greet", "{\"name\":\"Ada\"}"]).ok();
}

#[test]
fn a_host_that_dies_takes_its_compiler_with_it_and_leaves_no_lock() {
    let place = Place::new();
    let hello = guest_path("hello").display().to_string();
    let slow = slow_file(&place);
    let wfhost = place.start(&["plugin", "call", &slow, "f"]);
    let child = child_of(wfhost.pid(), is_confined);
    wfhost.signal(Signal::KILL);
    wfhost.end();
    while !is_gone(child) {
        std::thread::yield_now();
    }
    assert_eq!(fs::read_dir(place.path("cache/native")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(place.path("cache/locks")).unwrap().count(), 1, "it is left, not held");
    // The same component's turn is free: another compiler starts at once.
    let next = place.start(&["plugin", "call", &slow, "f"]);
    child_of(next.pid(), is_confined);
    drop(next);
    let greet = ["plugin", "call", &hello, "greet", "{\"name\":\"Ada\"}"];
    place.wfhost(&greet).ok();
}

#[test]
fn the_compilers_command_is_hidden_and_refuses_nonsense() {
    let place = Place::new();
    assert!(!place.wfhost(&["--help"]).ok().stdout.contains("compile-component"));
    place.wfhost_reading(&["compile-component"], "{\"nonsense\":1}\n").exits(5);
    let outcome: Outcome = place.wfhost(&["compile-component"]);
    assert_ne!(outcome.code, Some(0));
}
