use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use wfhost_workflow::run::RunStatus;
use wfhost_workflow::{DurationMs, RunId};

use super::*;

const NONE: &BTreeMap<Digest, u64> = &BTreeMap::new();

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// A version of `name` with these workflows; its digest follows from name and version.
fn version(name: &str, number: &str, workflows: &[&str]) -> DeployedVersion {
    let workflow = |it: &&str| DeployedWorkflow {
        name: (*it).into(),
        version: "1".to_owned(),
        definition: digest(&format!("{name} {number} {it}")),
        plugins: Vec::new(),
        gives_dirs: false,
    };
    let id = digest(&format!("{name} {number}"));
    DeployedVersion {
        digest: id,
        version: number.parse().unwrap(),
        deployed_at: TimestampMs(1),
        after: None,
        pinned: false,
        signatures: digest("signatures"),
        contracts: digest("contracts"),
        signers: Vec::new(),
        detail: Arc::new(Detail {
            workflows: workflows.iter().map(workflow).collect(),
            contents: vec![id],
            ..Detail::default()
        }),
    }
}

fn deploy(name: &str, number: &str) -> Deploy {
    let version = version(name, number, &[&format!("{name}-work")]);
    Deploy { name: name.to_owned(), version, over: None, downgrade: None, canary: None }
}

fn change(deploy: Deploy) -> Change {
    Change::Deploy(Box::new(deploy))
}

/// What is deployed after these, each of which is taken.
fn after(changes: impl IntoIterator<Item = Change>) -> Catalogue {
    let mut catalogue = Catalogue::default();
    for change in changes {
        catalogue = taken(&catalogue, change);
    }
    catalogue
}

fn taken(catalogue: &Catalogue, change: Change) -> Catalogue {
    catalogue.changed(change, TimestampMs(7), NONE, &Tally::default()).unwrap()
}

fn refused(catalogue: &Catalogue, change: Change) -> Refused {
    catalogue.changed(change, TimestampMs(7), NONE, &Tally::default()).unwrap_err()
}

fn active(catalogue: &Catalogue, name: &str) -> String {
    catalogue.bundle(name).unwrap().active_text()
}

fn roll_back(to: Option<&str>) -> Change {
    Change::Rollback { name: "a".to_owned(), to: to.map(str::to_owned) }
}

fn run(n: u64) -> RunId {
    RunId::new(TimestampMs(n), n.into())
}

fn tried(percent: &str) -> Option<CanaryAsk> {
    Some(CanaryAsk { share: percent.parse().unwrap(), abort_over: None, runs_min: 1 })
}

#[test]
fn what_is_deployed_is_what_new_runs_get() {
    let first = after([change(deploy("a", "1.0.0"))]);
    let both = taken(&first, change(deploy("a", "1.1.0")));
    let got = |catalogue: &Catalogue, version| {
        let found = catalogue.resolve("a-work", version, run(1)).unwrap();
        found.version.version.to_string()
    };
    assert_eq!(got(&first, None), "1.0.0");
    assert_eq!(got(&both, None), "1.1.0");
    assert_eq!(got(&both, Some("1.0.0")), "1.0.0");
    let beginning = digest("a 1.0.0").hex()[..8].to_owned();
    assert_eq!(got(&both, Some(&beginning)), "1.0.0");
    assert!(matches!(
        both.resolve("a-wor", None, run(1)),
        Err(NotFound::Workflow { near: Some(_), .. })
    ));
    assert!(matches!(both.resolve("a-work", Some("9.0.0"), run(1)), Err(NotFound::Version(_))));
    assert_eq!(both.resolve("a/a-work", None, run(1)).unwrap().bundle.name, "a");
    assert!(both.resolve("b/a-work", None, run(1)).is_err());
    // Deployed once more, nothing is another.
    assert_eq!(taken(&both, change(deploy("a", "1.1.0"))), both);
}

#[test]
fn two_that_saw_the_same_do_not_both_deploy() {
    let first = after([change(deploy("a", "1.0.0"))]);
    let seen = Some(Some(digest("a 1.0.0")));
    let one = taken(&first, change(Deploy { over: seen, ..deploy("a", "1.1.0") }));
    let other = Deploy { over: seen, ..deploy("a", "1.2.0") };
    assert!(matches!(refused(&one, change(other)), Refused::Overtaken { .. }));
    let over_nothing = Deploy { over: Some(None), ..deploy("a", "1.2.0") };
    assert!(matches!(refused(&one, change(over_nothing)), Refused::Overtaken { .. }));
}

#[test]
fn an_older_version_is_deployed_only_by_its_name() {
    let new = after([change(deploy("a", "2.0.0"))]);
    let older = |downgrade: Option<&str>| {
        let downgrade = downgrade.map(str::to_owned);
        change(Deploy { downgrade, ..deploy("a", "1.9.0") })
    };
    assert!(matches!(refused(&new, older(None)), Refused::Downgrade { .. }));
    assert!(matches!(refused(&new, older(Some("1.8.0"))), Refused::OtherDowngrade { .. }));
    assert_eq!(active(&taken(&new, older(Some("1.9.0"))), "a"), "1.9.0");
    // A pre-release is older than its release.
    assert!(matches!(refused(&new, change(deploy("a", "2.0.0-rc.1"))), Refused::Downgrade { .. }));
}

#[test]
fn one_version_has_one_content() {
    let first = after([change(deploy("a", "1.0.0"))]);
    let mut other = deploy("a", "1.0.0");
    other.version.digest = digest("something else");
    assert!(matches!(refused(&first, change(other)), Refused::SameVersion { .. }));
    let mut signed_anew = deploy("a", "1.0.0");
    signed_anew.version.signatures = digest("more signatures");
    let signed_anew = taken(&first, change(signed_anew));
    let bundle = signed_anew.bundle("a").unwrap();
    assert_eq!((bundle.versions.len(), bundle.revision), (1, 2));
    assert_eq!(bundle.versions[0].signatures, digest("more signatures"));
}

#[test]
fn a_workflow_belongs_to_one_bundle() {
    let first = after([change(deploy("a", "1.0.0"))]);
    let mut thief = deploy("b", "1.0.0");
    thief.version = version("b", "1.0.0", &["b-work", "a-work"]);
    match refused(&first, change(thief)) {
        Refused::WorkflowTaken { workflow, by } => assert_eq!((&*workflow, &*by), ("a-work", "a")),
        other => panic!("{other:?}"),
    }
    // Also by what a rollback brings back.
    let mut without = deploy("a", "1.1.0");
    without.version = version("a", "1.1.0", &["other"]);
    let mut heir = deploy("b", "1.0.0");
    heir.version = version("b", "1.0.0", &["a-work"]);
    let moved = taken(&taken(&first, change(without)), change(heir));
    assert!(matches!(refused(&moved, roll_back(None)), Refused::WorkflowTaken { .. }));
}

#[test]
fn a_rollback_goes_back_and_again_further_back() {
    let three = after(["1.0.0", "1.1.0", "1.2.0"].map(|number| change(deploy("a", number))));
    let one_back = taken(&three, roll_back(None));
    assert_eq!(active(&one_back, "a"), "1.1.0");
    let two_back = taken(&one_back, roll_back(None));
    assert_eq!(active(&two_back, "a"), "1.0.0");
    assert!(matches!(refused(&two_back, roll_back(None)), Refused::NothingBefore { .. }));
    assert_eq!(active(&taken(&two_back, roll_back(Some("1.2.0"))), "a"), "1.2.0");
    let last = two_back.bundle("a").unwrap().history.last().unwrap().clone();
    assert_eq!((last.what, last.version), (Done::RolledBack, digest("a 1.0.0")));
    assert!(matches!(refused(&three, roll_back(Some("3.0.0"))), Refused::NoVersion { .. }));
    let nobody = Change::Rollback { name: "aa".to_owned(), to: None };
    assert!(matches!(refused(&three, nobody), Refused::NoBundle { .. }));
}

#[test]
fn a_share_of_the_runs_gets_what_is_tried() {
    let trying = after([
        change(deploy("a", "1.0.0")),
        change(Deploy { canary: tried("10%"), ..deploy("a", "1.1.0") }),
    ]);
    let got = |n| trying.resolve("a-work", None, run(n)).unwrap().version.version.to_string();
    let tried_by = (0..10_000).filter(|n| got(*n) == "1.1.0").count();
    assert!((850..1150).contains(&tried_by), "{tried_by}");
    assert!((0..100).all(|n| got(n) == got(n)));
    assert!(matches!(refused(&trying, change(deploy("a", "1.2.0"))), Refused::Trying { .. }));
    let name = || "a".to_owned();
    let promoted = taken(&trying, Change::Promote { name: name() });
    assert_eq!(active(&promoted, "a"), "1.1.0");
    assert!(promoted.bundle("a").unwrap().canary.is_none());
    assert_eq!(active(&taken(&promoted, roll_back(None)), "a"), "1.0.0");
    for ended in [Change::Abort { name: name(), why: String::new() }, roll_back(None)] {
        let ended = taken(&trying, ended);
        assert_eq!(active(&ended, "a"), "1.0.0");
        assert_eq!(ended.bundle("a").unwrap().canary, None);
        assert!(matches!(refused(&ended, Change::Promote { name: name() }), Refused::NotTrying(_)));
    }
    let first = Deploy { canary: tried("10%"), ..deploy("b", "1.0.0") };
    assert!(matches!(refused(&trying, change(first)), Refused::NothingBeside(_)));
    // Deployed without a share, it is for all.
    assert_eq!(active(&taken(&trying, change(deploy("a", "1.1.0"))), "a"), "1.1.0");
}

#[test]
fn a_workflow_that_only_the_tried_version_has_is_started_from_it() {
    let mut new = Deploy { canary: tried("1%"), ..deploy("a", "1.1.0") };
    new.version = version("a", "1.1.0", &["new"]);
    let trying = after([change(deploy("a", "1.0.0")), change(new)]);
    let got = |name| trying.resolve(name, None, run(3)).unwrap().version.version.to_string();
    assert_eq!((got("new").as_str(), got("a-work").as_str()), ("1.1.0", "1.0.0"));
}

#[test]
fn what_fails_too_often_is_given_up() {
    let ask = CanaryAsk {
        share: "10%".parse().unwrap(),
        abort_over: Some("20%".parse().unwrap()),
        runs_min: 5,
    };
    let ended = |status| Ended { status, took: DurationMs(10) };
    let id = digest("v");
    let mut tally = Tally::default();
    // What it did before counts for nothing.
    (0..9).for_each(|_| tally.ended(id, ended(RunStatus::Failed)));
    let canary = Canary { version: id, ask, since: TimestampMs(0), before: tally.of(id) };
    let mut next = |status| {
        tally.ended(id, ended(status));
        canary.verdict(&tally.of(id))
    };
    assert_eq!(next(RunStatus::Failed), Verdict::GoOn);
    (0..3).for_each(|_| assert_eq!(next(RunStatus::Succeeded), Verdict::GoOn));
    (0..5).for_each(|_| assert_eq!(next(RunStatus::Cancelled), Verdict::GoOn));
    // 1 of 5 is not more than 20 %, 2 of 6 are.
    assert_eq!(next(RunStatus::Succeeded), Verdict::GoOn);
    assert_eq!(next(RunStatus::Failed), Verdict::Abort { failed: 2, ended: 6 });
    let never = Canary { ask: CanaryAsk { abort_over: None, ..ask }, ..canary.clone() };
    assert_eq!(never.verdict(&tally.of(id)), Verdict::GoOn);
}

#[test]
fn shares_are_written_as_people_write_them() {
    for (text, shown) in [
        ("10%", "10%"),
        ("0.5%", "0.5%"),
        ("0.01%", "0.01%"),
        ("100%", "100%"),
        ("12.50%", "12.5%"),
    ] {
        assert_eq!(text.parse::<Share>().unwrap().to_string(), shown);
    }
    for wrong in ["10", "0%", "101%", "-1%", "1.234%", "%", ".5%", "1e1%", "100.01%", "0.00%"] {
        assert!(wrong.parse::<Share>().is_err(), "{wrong}");
    }
    assert!((0..1000).all(|n| "100%".parse::<Share>().unwrap().holds(run(n))));
}

#[test]
fn what_is_needed_is_not_removed() {
    let mut catalogue =
        after(["1.0.0", "1.1.0", "1.2.0"].map(|number| change(deploy("a", number))));
    let remove =
        |version: &str| Change::Remove { name: "a".to_owned(), version: Some(version.to_owned()) };
    let why = |catalogue: &Catalogue, version: &str, open| {
        let change = remove(version);
        match catalogue.changed(change, TimestampMs(7), open, &Tally::default()) {
            Err(Refused::Needed { why, .. }) => why,
            other => panic!("{other:?}"),
        }
    };
    let open = BTreeMap::from([(digest("a 1.0.0"), 2)]);
    assert_eq!(why(&catalogue, "1.2.0", NONE), "is active");
    assert_eq!(why(&catalogue, "1.0.0", &open), "has 2 open runs");
    let pin = |pinned| Change::Pin { name: "a".to_owned(), version: "1.1.0".to_owned(), pinned };
    catalogue = taken(&catalogue, pin(true));
    assert_eq!(why(&catalogue, "1.1.0", NONE), "is pinned");
    catalogue = taken(&taken(&catalogue, pin(false)), remove("1.1.0"));
    assert_eq!(catalogue.bundle("a").unwrap().versions.len(), 2);
    let all = Change::Remove { name: "a".to_owned(), version: None };
    let held = catalogue.changed(all.clone(), TimestampMs(7), &open, &Tally::default());
    assert!(matches!(held, Err(Refused::Needed { .. })));
    assert_eq!(taken(&catalogue, all), Catalogue::default());
}

/// A store of notes, as a host keeps them.
#[derive(Default)]
struct Notes(BTreeMap<String, (Vec<u8>, Vec<Digest>)>);

impl Notes {
    fn write(&mut self, writes: Vec<NoteWrite>) {
        for NoteWrite { name, value } in writes {
            match value {
                Some(value) => drop(self.0.insert(name, value)),
                None => assert!(self.0.remove(&name).is_some(), "{name} was not there"),
            }
        }
    }

    fn read(&self) -> Result<(Catalogue, Tally), Unreadable> {
        let notes = self.0.iter();
        Catalogue::read(notes.map(|(name, (bytes, refs))| (name.as_str(), &**bytes, &**refs)))
    }
}

#[test]
fn damaged_notes_are_named() {
    let mut notes = Notes::default();
    let catalogue = after([change(deploy("a", "1.0.0"))]);
    notes.write(catalogue.written(&Catalogue::default()));
    assert_eq!(notes.read().unwrap().0, catalogue);
    let version = format!("version/a/{}", digest("a 1.0.0").hex());
    let kept = notes.0.remove(&version).unwrap();
    assert!(matches!(notes.read(), Err(Unreadable::Missing { .. })));
    notes.0.insert(version.clone(), (b"{\"format\":2}".to_vec(), Vec::new()));
    assert!(matches!(notes.read(), Err(Unreadable::Format { found: 2, .. })));
    notes.0.insert(version.clone(), (b"{".to_vec(), Vec::new()));
    assert!(matches!(notes.read(), Err(Unreadable::Form { .. })));
    notes.0.insert(version, kept);
    notes.0.insert("of/somebody-else".to_owned(), (b"?".to_vec(), Vec::new()));
    assert_eq!(notes.read().unwrap().0, catalogue);
}

/// Something that somebody does, by small numbers.
#[derive(Debug, Clone)]
enum Step {
    Deploy { bundle: u8, number: u8, canary: bool },
    Rollback { bundle: u8, to: Option<u8> },
    Promote { bundle: u8 },
    Abort { bundle: u8 },
    Pin { bundle: u8, number: u8, pinned: bool },
    Remove { bundle: u8, number: Option<u8> },
    Collect { keep_last: usize },
    Start { bundle: u8 },
    End { at: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let (bundle, number) = (0..3_u8, 0..12_u8);
    let both = (bundle.clone(), number.clone());
    prop_oneof![
        6 => (both.clone(), any::<bool>())
            .prop_map(|((bundle, number), canary)| Step::Deploy { bundle, number, canary }),
        2 => (bundle.clone(), proptest::option::of(number.clone()))
            .prop_map(|(bundle, to)| Step::Rollback { bundle, to }),
        1 => bundle.clone().prop_map(|bundle| Step::Promote { bundle }),
        1 => bundle.clone().prop_map(|bundle| Step::Abort { bundle }),
        2 => (both, any::<bool>())
            .prop_map(|((bundle, number), pinned)| Step::Pin { bundle, number, pinned }),
        2 => (bundle.clone(), proptest::option::of(number))
            .prop_map(|(bundle, number)| Step::Remove { bundle, number }),
        3 => (0..5_usize).prop_map(|keep_last| Step::Collect { keep_last }),
        4 => bundle.prop_map(|bundle| Step::Start { bundle }),
        2 => (0..8_usize).prop_map(|at| Step::End { at }),
    ]
}

fn name_of(bundle: u8) -> String {
    format!("b{bundle}")
}

fn number_of(number: u8) -> String {
    format!("1.{number}.0")
}

fn change_of(step: &Step) -> Option<Change> {
    Some(match step {
        Step::Deploy { bundle, number, canary } => {
            let number = number_of(*number);
            change(Deploy {
                downgrade: Some(number.clone()),
                canary: tried("50%").filter(|_| *canary),
                ..deploy(&name_of(*bundle), &number)
            })
        }
        Step::Rollback { bundle, to } => {
            Change::Rollback { name: name_of(*bundle), to: to.map(number_of) }
        }
        Step::Promote { bundle } => Change::Promote { name: name_of(*bundle) },
        Step::Abort { bundle } => Change::Abort { name: name_of(*bundle), why: String::new() },
        Step::Pin { bundle, number, pinned } => {
            Change::Pin { name: name_of(*bundle), version: number_of(*number), pinned: *pinned }
        }
        Step::Remove { bundle, number } => {
            Change::Remove { name: name_of(*bundle), version: number.map(number_of) }
        }
        Step::Collect { keep_last } => Change::Collect { keep_last: *keep_last },
        Step::Start { .. } | Step::End { .. } => return None,
    })
}

/// What must be there after a collection, told from before it in the plainest way.
fn needed(before: &Catalogue, open: &BTreeMap<Digest, u64>, keep_last: usize) -> BTreeSet<Digest> {
    let mut needed: BTreeSet<Digest> = open.keys().copied().collect();
    for bundle in before.bundles() {
        needed.insert(bundle.active);
        needed.extend(bundle.canary.as_ref().map(|canary| canary.version));
        let before = bundle.version(bundle.active).and_then(|active| active.after);
        needed.extend(before.filter(|before| bundle.version(*before).is_some()));
        needed.extend(bundle.versions.iter().filter(|it| it.pinned).map(|it| it.digest));
        needed.extend(bundle.versions.iter().rev().take(keep_last).map(|it| it.digest));
    }
    needed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is done in whatever order: nothing that an open run, a pin, a trial or the last
    /// few need is gone, what is stored is what there is, and the invariants hold.
    #[test]
    fn nothing_that_is_needed_goes(steps in proptest::collection::vec(step(), 1..60)) {
        let (mut catalogue, mut notes) = (Catalogue::default(), Notes::default());
        let mut open: Vec<Digest> = Vec::new();
        let count = |open: &[Digest]| {
            let mut counts = BTreeMap::new();
            open.iter().for_each(|digest| *counts.entry(*digest).or_insert(0) += 1);
            counts
        };
        for (n, step) in (0..).zip(&steps) {
            match step {
                Step::Start { bundle } => {
                    let workflow = format!("{}-work", name_of(*bundle));
                    let found = catalogue.resolve(&workflow, None, run(n));
                    open.extend(found.ok().map(|found| found.version.digest));
                }
                Step::End { at } if *at < open.len() => drop(open.remove(*at)),
                Step::End { .. } => {}
                _ => {}
            }
            let Some(change) = change_of(step) else { continue };
            let counts = count(&open);
            let now = TimestampMs(n);
            let Ok(next) = catalogue.changed(change, now, &counts, &Tally::default()) else {
                continue;
            };
            if let Step::Collect { keep_last } = step {
                let kept: BTreeSet<Digest> = next.bundles()
                    .flat_map(|bundle| bundle.versions.iter().map(|version| version.digest))
                    .collect();
                for digest in needed(&catalogue, &counts, *keep_last) {
                    prop_assert!(kept.contains(&digest), "{digest} is gone after {step:?}");
                }
            }
            notes.write(next.written(&catalogue));
            catalogue = next;
            prop_assert_eq!(&notes.read().unwrap().0, &catalogue);
            for bundle in catalogue.bundles() {
                prop_assert!(bundle.version(bundle.active).is_some());
                let tried = bundle.canary.as_ref();
                prop_assert!(tried.is_none_or(|it| bundle.version(it.version).is_some()));
                prop_assert!(tried.is_none_or(|it| it.version != bundle.active));
            }
            for digest in counts.keys() {
                let mut all = catalogue.bundles().filter_map(|bundle| bundle.version(*digest));
                prop_assert!(all.next().is_some(), "an open run lost its version by {step:?}");
            }
        }
    }
}
