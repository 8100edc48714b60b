//! What `--help` says, as it is: a change of the command line is seen in a review.

use crate::place::Place;

fn help_of(command: &[&str]) -> String {
    let mut arguments = command.to_vec();
    arguments.push("--help");
    let outcome = Place::new().wfhost(&arguments).ok();
    assert_eq!(outcome.stderr, "");
    outcome.stdout
}

macro_rules! help {
    ($($name:ident: [$($word:literal),*];)*) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(help_of(&[$($word),*]));
        }
    )*};
}

help! {
    wfhost: [];
    run: ["run"];
    start: ["start"];
    resume: ["resume"];
    check: ["check"];
    runs: ["runs"];
    runs_list: ["runs", "list"];
    runs_show: ["runs", "show"];
    runs_watch: ["runs", "watch"];
    runs_events: ["runs", "events"];
    runs_logs: ["runs", "logs"];
    runs_output: ["runs", "output"];
    runs_retry: ["runs", "retry"];
    runs_release: ["runs", "release"];
    runs_cancel: ["runs", "cancel"];
    runs_rm: ["runs", "rm"];
    workers: ["workers"];
    workers_list: ["workers", "list"];
    workers_show: ["workers", "show"];
    workers_drain: ["workers", "drain"];
    workers_remove: ["workers", "remove"];
    workers_scale: ["workers", "scale"];
    plugin_call: ["plugin", "call"];
    plugin_inspect: ["plugin", "inspect"];
    bundle_pack: ["bundle", "pack"];
    bundle_inspect: ["bundle", "inspect"];
    bundle_verify: ["bundle", "verify"];
    bundle_diff: ["bundle", "diff"];
    bundle_unpack: ["bundle", "unpack"];
    bundle_sign: ["bundle", "sign"];
    bundle_keygen: ["bundle", "keygen"];
    cache_list: ["cache", "list"];
    cache_clear: ["cache", "clear"];
    limits: ["limits"];
}

#[test]
fn the_version_names_what_must_fit_together() {
    let long = Place::new().wfhost(&["--version"]).ok().stdout;
    let lines: Vec<&str> = long.lines().collect();
    assert_eq!(lines[0], concat!("wfhost ", env!("CARGO_PKG_VERSION")));
    assert!(lines[1].starts_with("protocol ") && lines[2].starts_with("store "), "{long}");
    assert_eq!(Place::new().wfhost(&["-V"]).ok().stdout.lines().count(), 1);
}

#[test]
fn completions_are_for_the_shell_asked_for() {
    let place = Place::new();
    assert!(place.wfhost(&["completions", "bash"]).ok().stdout.contains("_wfhost()"));
    assert!(place.wfhost(&["completions", "zsh"]).ok().stdout.starts_with("#compdef wfhost"));
    place.wfhost(&["completions", "cmd"]).exits(2);
}
