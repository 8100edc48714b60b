//! Bundles: deployed, started from, gone back from, tried, refused.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use wfhost_bundle::trust::{TrustFile, TrustPolicy, Unsigned};
use wfhost_bundle::{BundlePath, Signatures, SigningKey, Tree, TreeEntry};
use wfhost_checkpoint::{Content, memory};
use wfhost_coordinator::{DeployOptions, Recovery};
use wfhost_transport::client::{
    Answer, BundleChange, Canary, Deploy, Refusal, Request, Seen, ShownBundle, StartDeployed,
    Started,
};
use wfhost_workflow::run::RunStatus;
use wfhost_workflow::{Contract, Digest, DirMode, Json, OperatorLimits, RunId, TimestampMs};

use crate::setting::{ScriptedWorker, Setting};

/// A team with a key, and a server that trusts it.
struct Team {
    folder: tempfile::TempDir,
    key: SigningKey,
    setting: Setting,
}

/// What a version of the bundle is made from.
#[derive(Clone, Copy)]
struct Made<'m> {
    version: &'m str,
    /// What the workflow gives its plugin.
    grants: &'m str,
    /// The function that its step calls.
    function: &'m str,
}

const PLAIN: Made<'static> = Made { version: "1.0.0", grants: "{}", function: "run" };

impl Team {
    fn new() -> Self {
        Self::with(Unsigned::Refused, 10)
    }

    fn with(unsigned: Unsigned, keep_last: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::generate("team").unwrap();
        write(&folder.path().join("trust.toml"), &trusted(&key, ""));
        let file = TrustFile::open(&folder.path().join("trust.toml")).unwrap();
        let options = DeployOptions {
            trust: TrustPolicy { file: Some(file), unsigned },
            policy: Some(folder.path().join("policy.toml")),
            limits: OperatorLimits::default(),
            keep_last,
        };
        let content = Content::memory();
        let store = memory(content.clone());
        let setting = Setting::recovering(store, content, Recovery::All, Arc::new(options));
        Self { folder, key, setting }
    }

    fn restart(self) -> Self {
        Self { setting: self.setting.restart_serving(), ..self }
    }

    /// Puts all that a version is made of into the content store.
    fn made(&self, made: Made<'_>) -> Deploy {
        let Made { version, grants, function } = made;
        let component = format!("the component of {version}");
        let contract = Contract {
            name: "run".to_owned(),
            docs: String::new(),
            input_schema: Json::parse("{}").unwrap(),
            output_schema: Json::parse("{}").unwrap(),
        };
        let offered = BTreeMap::from([(Digest::of(component.as_bytes()), [contract])]);
        let files = [
            ("bundle.toml", format!(
                "name = \"team\"\nversion = \"{version}\"\nplugins = [\"p\"]\nworkflows = [\"w.yaml\"]\n"
            )),
            ("p/p.wasm", component),
            ("p/plugin.toml", "name = \"p\"\nversion = \"2.0.0\"\n[grants]\ndirs = [{ as = \"/in\", mode = \"rw\" }]\n[limits]\nmemory = \"1MiB\"\n".to_owned()),
            ("w.yaml", format!(
                "workflow: brief\nversion: 3\nplugins:\n  p: {{ path: p/p.wasm, grants: {grants} }}\nsteps:\n  - {{ id: a, call: p/{function}, with: {{ v: '{version}' }} }}\n"
            )),
        ];
        let put = |text: &str| self.setting.content.put(text.as_bytes()).unwrap();
        let entry = |(path, text): &(&str, String)| {
            put(text);
            TreeEntry::of(BundlePath::new(path).unwrap(), text.as_bytes())
        };
        let tree = Tree::new(files.iter().map(entry)).unwrap();
        let mut signatures = Signatures::none();
        signatures.sign(tree.digest(), &self.key).unwrap();
        Deploy {
            bundle: put(tree.text()),
            signatures: put(&signatures.to_string()),
            contracts: put(&serde_json::to_string(&offered).unwrap()),
            over: None,
            downgrade: None,
            canary: None,
            plan: false,
        }
    }

    fn deploy(&self, deploy: Deploy) -> Result<ShownBundle, Refusal> {
        shown(self.setting.ask(Request::Deploy(Box::new(deploy))))
    }

    fn deployed(&self, version: &str) -> ShownBundle {
        self.deploy(self.made(Made { version, ..PLAIN })).unwrap()
    }

    fn change(&self, change: BundleChange) -> Result<ShownBundle, Refusal> {
        shown(self.setting.ask(Request::ChangeBundle { name: "team".to_owned(), change }))
    }

    fn start(&self, number: u128, version: Option<&str>) -> Result<Started, Refusal> {
        let wanted = StartDeployed {
            run: run(number),
            workflow: "brief".to_owned(),
            version: version.map(str::to_owned),
            input: Json::parse("{}").unwrap(),
        };
        match self.setting.ask(Request::StartDeployed(Box::new(wanted))) {
            Answer::Started(Some(started)) => Ok(*started),
            Answer::Refused(refusal) => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    fn bundle(&self) -> ShownBundle {
        shown(self.setting.ask(Request::Bundle { name: "team".to_owned() })).unwrap()
    }

    fn active(&self) -> String {
        let bundle = self.bundle();
        let active = bundle.versions.iter().find(|version| version.digest == bundle.active);
        active.unwrap().version.clone()
    }

    fn versions(&self) -> Vec<String> {
        self.bundle().versions.into_iter().map(|version| version.version).collect()
    }
}

fn write(path: &Path, text: &str) {
    let draft = path.with_extension("draft");
    std::fs::write(&draft, text).unwrap();
    std::fs::rename(&draft, path).unwrap();
}

fn trusted(key: &SigningKey, more: &str) -> String {
    let id = key.id();
    format!("[[keys]]\nid = \"{id}\"\ncomment = \"the team\"\ndeploys = [\"team\"]\n{more}")
}

fn run(number: u128) -> RunId {
    RunId::new(TimestampMs(1_700_000_000_000), number)
}

fn shown(answer: Answer) -> Result<ShownBundle, Refusal> {
    match answer {
        Answer::Bundle(bundle) => Ok(*bundle),
        Answer::Refused(refusal) => Err(refusal),
        other => panic!("{other:?}"),
    }
}

fn text_of(refused: Result<ShownBundle, Refusal>) -> String {
    refused.unwrap_err().to_string()
}

/// Which version's step a worker is given.
fn given(worker: &mut ScriptedWorker) -> (RunId, String) {
    let dispatch = worker.dispatch();
    worker.succeed(dispatch.attempt, "1");
    let component = dispatch.component;
    let version = ["1.0.0", "1.1.0", "1.2.0"]
        .into_iter()
        .find(|version| component == Digest::of(format!("the component of {version}").as_bytes()));
    (dispatch.attempt.run, version.expect("a component of the team's").to_owned())
}

#[test]
fn what_is_deployed_is_started_by_its_name_and_open_runs_keep_what_they_began_with() {
    let team = Team::new();
    assert!(matches!(team.start(1, None), Err(Refusal::NotFound(_))));
    let first = team.deployed("1.0.0");
    assert_eq!((first.name.as_str(), first.versions.len()), ("team", 1));
    assert_eq!(first.versions[0].signers[0].comment, "the team");
    let started = team.start(1, None).unwrap();
    assert_eq!((&*started.workflow, &*started.version), ("brief", "3"));
    assert_eq!((&*started.origin.bundle, &*started.origin.version), ("team", "1.0.0"));
    // A run waits for its worker while another version comes.
    team.deployed("1.1.0");
    let started = team.start(2, None).unwrap();
    assert_eq!(started.origin.version, "1.1.0");
    team.start(3, Some("1.0.0")).unwrap();
    let open = |team: &Team| -> Vec<u64> {
        team.bundle().versions.iter().map(|version| version.counts.open).collect()
    };
    assert_eq!(open(&team), [2, 1]);
    let team = team.restart();
    assert_eq!(open(&team), [2, 1]);
    assert_eq!(team.active(), "1.1.0");
    let mut worker = team.setting.worker(4);
    let given: BTreeMap<_, _> = (0..3).map(|_| given(&mut worker)).collect();
    let wanted = [(run(1), "1.0.0"), (run(2), "1.1.0"), (run(3), "1.0.0")];
    assert_eq!(given, wanted.map(|(run, version)| (run, version.to_owned())).into());
    for number in 1..=3 {
        assert_eq!(team.setting.ended(run(number)).0, RunStatus::Succeeded);
    }
    let pinned = &team.setting.view(run(2)).plugins[0];
    assert_eq!(pinned.plugin.as_ref().unwrap().version, "2.0.0");
    assert_eq!(pinned.limits[wfhost_workflow::Limit::Memory], 1 << 20);
    // Started twice with one id, it is one run.
    let again = StartDeployed {
        run: run(2),
        workflow: "brief".to_owned(),
        version: None,
        input: Json::parse("{}").unwrap(),
    };
    let again = team.setting.ask(Request::StartDeployed(Box::new(again)));
    assert_eq!(again, Answer::Started(None));
}

#[test]
fn a_plan_changes_nothing_and_needs_no_components() {
    let team = Team::new();
    let made = team.made(PLAIN);
    let plan = team.deploy(Deploy { plan: true, ..made.clone() }).unwrap();
    assert_eq!(plan.active, made.bundle);
    let none = team.setting.ask(Request::Bundles);
    assert_eq!(none, Answer::Bundles(Vec::new()));
}

#[test]
fn two_that_planned_over_the_same_do_not_both_deploy() {
    let team = Team::new();
    let one = Deploy { over: Some(Seen::Nothing), ..team.made(PLAIN) };
    let other =
        Deploy { over: Some(Seen::Nothing), ..team.made(Made { version: "1.1.0", ..PLAIN }) };
    let both: Vec<_> = std::thread::scope(|scope| {
        let team = &team;
        let threads = [one, other].map(|deploy| scope.spawn(move || team.deploy(deploy)));
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let refused: Vec<_> = both.iter().filter_map(|it| it.as_ref().err()).collect();
    assert!(matches!(refused[..], [Refusal::WrongState(_)]), "{both:?}");
    assert_eq!(team.versions().len(), 1);
}

#[test]
fn what_may_not_be_deployed_says_why() {
    let team = Team::new();
    let made = team.made(PLAIN);
    let unsigned = team.setting.content.put(Signatures::none().to_string().as_bytes()).unwrap();
    let refused = team.deploy(Deploy { signatures: unsigned, ..made.clone() });
    assert!(
        matches!(&refused, Err(Refusal::Denied(why)) if why.contains("not signed")),
        "{refused:?}"
    );
    // Signatures of another bundle.
    let other = team.made(Made { version: "1.1.0", ..PLAIN });
    let refused = team.deploy(Deploy { signatures: other.signatures, ..made.clone() });
    assert!(matches!(refused, Err(Refusal::Invalid(_))), "{refused:?}");
    // Not sent.
    let lost = Digest::of(b"nowhere");
    assert!(text_of(team.deploy(Deploy { bundle: lost, ..made.clone() })).contains("not in the"));
    // A workflow that calls what no plugin offers.
    let calls = team.made(Made { function: "fly", ..PLAIN });
    let refused = text_of(team.deploy(calls));
    assert!(refused.contains("w.yaml") && refused.contains("fly"), "{refused}");
    // Older than what is active.
    team.deploy(other).unwrap();
    let refused = text_of(team.deploy(made.clone()));
    assert!(refused.contains("--downgrade 1.0.0"), "{refused}");
    team.deploy(Deploy { downgrade: Some("1.0.0".to_owned()), ..made }).unwrap();
    assert_eq!(team.active(), "1.0.0");
}

#[test]
fn a_revoked_key_starts_no_more_runs_and_another_signature_lets_them() {
    let mut team = Team::new();
    team.deployed("1.0.0");
    team.start(1, None).unwrap();
    let trust = team.folder.path().join("trust.toml");
    let revoked = format!("[[revoked]]\nid = \"{}\"\nreason = \"lost\"\n", team.key.id());
    write(&trust, &trusted(&team.key, &revoked));
    let refused = team.start(2, None).unwrap_err();
    assert!(matches!(&refused, Refusal::Denied(why) if why.contains("revoked: lost")), "{refused}");
    assert!(team.bundle().versions[0].refused.as_ref().unwrap().contains("revoked"));
    // Open runs go on.
    let mut worker = team.setting.worker(1);
    given(&mut worker);
    assert_eq!(team.setting.ended(run(1)).0, RunStatus::Succeeded);
    // The same bundle, signed by another key.
    let former = std::mem::replace(&mut team.key, SigningKey::generate("new").unwrap());
    let both = trusted(&former, &trusted(&team.key, &revoked));
    write(&trust, &both);
    team.deployed("1.0.0");
    assert_eq!(team.start(2, None).unwrap().origin.signers.len(), 1);
}

#[test]
fn a_directory_is_given_as_far_as_the_policy_allows() {
    let team = Team::new();
    let grants = "{ dirs: [ { path: '@in', as: /in, mode: rw } ] }";
    let made = team.made(Made { grants, ..PLAIN });
    let refused = text_of(team.deploy(made.clone()));
    assert!(refused.contains("w.yaml:4:") && refused.contains("policy.toml"), "{refused}");
    let policy = team.folder.path().join("policy.toml");
    let allow = |mode| format!("[[allow]]\nbundles = [\"team\"]\ndirs = [\"@in:{mode}\"]\n");
    write(&policy, &allow("ro"));
    let refused = text_of(team.deploy(made.clone()));
    assert!(refused.contains("policy.toml:3 allows reading only"), "{refused}");
    write(&policy, &allow("rw"));
    team.deploy(made).unwrap();
    team.start(1, None).unwrap();
    let dirs = &team.setting.view(run(1)).plugins[0].dirs;
    assert_eq!((dirs[0].host_path.as_str(), dirs[0].mode), ("@in", DirMode::ReadWrite));
    // What is deployed is asked again at each start.
    write(&policy, &allow("ro"));
    assert!(matches!(team.start(2, None), Err(Refusal::Denied(_))));
}

#[test]
fn a_version_that_is_tried_and_fails_is_given_up_by_itself() {
    let team = Team::new();
    team.deployed("1.0.0");
    let canary = Canary { share: 10_000, abort_over: Some(5_000), runs_min: 2 };
    let made = team.made(Made { version: "1.1.0", ..PLAIN });
    let tried = team.deploy(Deploy { canary: Some(canary), ..made }).unwrap();
    assert_eq!(tried.canary.as_ref().unwrap().ask, canary);
    assert_eq!(team.active(), "1.0.0");
    let mut worker = team.setting.worker(1);
    for number in 1..=2 {
        assert_eq!(team.start(number, None).unwrap().origin.version, "1.1.0");
        let dispatch = worker.dispatch();
        let failure = wfhost_workflow::Failure::new(
            wfhost_workflow::FailureKind::Permanent,
            "broken",
            "it is broken",
        );
        worker.end(dispatch.attempt, wfhost_transport::message::Outcome::Failed(failure));
        assert_eq!(team.setting.ended(run(number)).0, RunStatus::Failed);
    }
    // Stored before it is answered: whoever asks after that sees it.
    let bundle = team.bundle();
    let last = bundle.history.last().unwrap();
    assert_eq!((last.what.as_str(), last.why.as_str()), ("aborted", "2 of 2 runs failed"));
    assert_eq!(bundle.canary, None);
    assert_eq!(team.start(3, None).unwrap().origin.version, "1.0.0");
    let counts = bundle.versions[1].counts;
    assert_eq!((counts.started, counts.failed), (2, 2));
    // Counted also by who comes next.
    let team = team.restart();
    assert_eq!(team.bundle().versions[1].counts, counts);
}

#[test]
fn going_back_is_one_step_and_old_versions_go_when_nothing_needs_them() {
    let team = Team::with(Unsigned::Refused, 1);
    team.deployed("1.0.0");
    team.start(1, None).unwrap();
    team.deployed("1.1.0");
    team.deployed("1.2.0");
    // The first has an open run, the second is what a rollback goes back to.
    assert_eq!(team.versions(), ["1.0.0", "1.1.0", "1.2.0"]);
    let back = team.change(BundleChange::Rollback { to: None }).unwrap();
    assert_eq!(back.history.last().unwrap().what, "rolled-back");
    assert_eq!(team.active(), "1.1.0");
    let needed = team.change(BundleChange::Remove { version: Some("1.0.0".to_owned()) });
    assert!(text_of(needed).contains("has 1 open run"));
    let mut worker = team.setting.worker(1);
    given(&mut worker);
    assert_eq!(team.setting.ended(run(1)).0, RunStatus::Succeeded);
    team.change(BundleChange::Pin { version: "1.2.0".to_owned(), pinned: true }).unwrap();
    team.change(BundleChange::Remove { version: Some("1.0.0".to_owned()) }).unwrap();
    assert_eq!(team.versions(), ["1.1.0", "1.2.0"]);
    let team = team.restart();
    assert_eq!(team.versions(), ["1.1.0", "1.2.0"]);
    let pinned = team.change(BundleChange::Remove { version: Some("1.2.0".to_owned()) });
    assert!(text_of(pinned).contains("is pinned"));
}
