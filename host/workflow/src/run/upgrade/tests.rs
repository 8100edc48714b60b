//! What an upgrade keeps, begins and refuses.

mod story;

use super::*;
use crate::run::{Effect, Input, RunStatus};
use crate::{Contract, Json, TaskId};
use story::{NOW, Story, outcome, text_of, version};

const AB: &str = "
 - { id: a, call: p/f }
 - { id: b, call: p/f, with: { a: \"${steps.a}\" } }";
const A_THEN_MAP: &str = "
 - { id: a, call: p/f }
 - { id: m, map: \"${steps.a}\", at_once: 2, call: p/f }";

/// An upgrade that is taken: what is dispatched by it.
#[track_caller]
fn taken(old: &str, acts: &str, new: &str, dispatched: &str) -> Story {
    let mut story = Story::new(old, acts);
    if let Err(rejection) = story.upgrade(new) {
        panic!("{rejection}");
    }
    assert_eq!(story.dispatched(), dispatched);
    story
}

#[track_caller]
fn refused(old: &str, acts: &str, new: &str, reason: &str) {
    refused_version(old, acts, version(new), reason);
}

#[track_caller]
fn refused_version(old: &str, acts: &str, new: Upgrade, reason: &str) {
    let mut story = Story::new(old, acts);
    let before = story.run.snapshot();
    assert_eq!(
        story.run.check_upgrade(&new).err(),
        story.take(Input::Upgrade(Box::new(new.clone()))).err()
    );
    let rejection = story.take(Input::Upgrade(Box::new(new))).expect_err("it is refused");
    assert!(rejection.to_string().contains(reason), "{rejection}");
    assert_eq!(story.run.snapshot(), before);
}

#[test]
fn what_has_begun_is_tried_again_with_a_number_above_all_others() {
    taken(AB, "", AB, "a@2");
    taken(AB, "a!x", AB, "a@3");
    taken(AB, "a!x a+", AB, "b@3");
    // In backoff it waits to the end of it.
    let mut story = taken(AB, "a-", AB, "");
    story.happens("~");
    assert_eq!(story.dispatched(), "a@2");
    // One that is kept stays kept.
    let mut story = taken(AB, "a!x a!y a!z", AB, "");
    assert_eq!(story.run.quarantined().count(), 1);
    story.take(Input::Release { task: None }).unwrap();
    assert_eq!(story.dispatched(), "a@4");
    // Items too, and the next ones.
    let mut story = taken(A_THEN_MAP, "a=[1,2,3,4] m[0]! m[1]+", A_THEN_MAP, "m[0]@3 m[2]@3");
    story.happens("m[2]+");
    assert_eq!(story.dispatched(), "m[3]@3");
    story.happens("m[0]+ m[3]+");
    assert_eq!(story.run.step_output("m").unwrap().as_str(), "[3,1,3,3]");
}

#[test]
fn attempts_of_before_are_withdrawn_by_their_old_ids() {
    let moved = "
 - { id: z, call: p/f, needs: [] }
 - { id: a, call: p/f, needs: [] }
 - { id: b, call: p/f, needs: [a] }";
    let mut story = taken(AB, "", moved, "a@2 z@2");
    let old = TaskId::of(StepId(0));
    assert_eq!(story.effects[0], Effect::Withdraw { task: old, attempt: Attempt::FIRST });
    // Position 0 is another step now; what `a` gave there is not its.
    for attempt in [0, 1] {
        let outcome = outcome("+", Attempt(attempt));
        let late = Input::AttemptEnded { task: old, attempt: Attempt(attempt), outcome };
        assert_eq!(story.run.apply(NOW, late).err(), Some(Rejection::StaleAttempt));
    }
    story.happens("z+ a+ b+");
    assert_eq!(story.run.status(), RunStatus::Succeeded);
}

#[test]
fn a_kept_step_takes_no_late_result_for_another() {
    let old = "
 - { id: x, call: p/f, needs: [] }
 - { id: y, call: p/f, needs: [] }";
    let swapped = "
 - { id: y, call: p/f, needs: [] }
 - { id: x, call: p/f, needs: [] }";
    let mut story = taken(old, "x!a x!b x!c y!a y!b y!c", swapped, "");
    let late = Input::AttemptEnded {
        task: TaskId::of(StepId(0)),
        attempt: Attempt(3),
        outcome: outcome("=\"of-x\"", Attempt(3)),
    };
    assert_eq!(story.run.apply(NOW, late).err(), Some(Rejection::StaleAttempt));
    // What is held against them went along.
    let kept: Vec<_> =
        story.run.quarantined().map(|(task, workers)| (task, workers.len())).collect();
    assert_eq!(kept, [(TaskId::of(StepId(0)), 3), (TaskId::of(StepId(1)), 3)]);
    story.take(Input::Release { task: None }).unwrap();
    assert_eq!(story.dispatched(), "y@4 x@4");
}

#[test]
fn failures_of_before_do_not_count() {
    let twice = |id: &str| {
        format!(
            "\n - {{ id: {id}, call: p/f, retry: {{ attempts: 2, backoff: {{ first: 1ms }} }} }}"
        )
    };
    let mut story = Story::new(&twice("a"), "a- ~");
    story.upgrade(&twice("a")).unwrap();
    story.happens("a-");
    assert_eq!(story.run.status(), RunStatus::Running);
    story.happens("~ a-");
    assert_eq!(story.run.status(), RunStatus::Failed);
    let again = story.upgrade(&twice("a"));
    assert_eq!(again, Err(Rejection::RunOver));
}

#[test]
fn what_is_over_keeps_its_result_whatever_its_text_is_now() {
    let new = "
 - { id: a, call: p/other, with: { x: 1 } }
 - { id: b, call: p/f, with: { a: \"${steps.a}\" } }
output: \"${[steps.a, steps.b]}\"";
    let mut story = taken(AB, "a=7 b!", new, "b@3");
    story.happens("b+");
    assert_eq!(story.run.output().unwrap().as_str(), "[7,3]");
    // Skipped steps stay skipped, and their `when` is not asked again.
    let skips = |when: &str| {
        format!(
            "
 - {{ id: a, when: \"${{{when}}}\", call: p/f }}
 - {{ id: b, call: p/f }}"
        )
    };
    taken(&skips("input.n > 1"), "", &skips("input.n > 0"), "b@2");
}

#[test]
fn what_has_not_begun_may_change_appear_and_vanish() {
    let new = "
 - { id: a, call: p/f }
 - { id: c, call: p/g }
 - { id: d, call: p/g, needs: [] }";
    let mut story = taken(AB, "", new, "a@2 d@2");
    story.happens("a+");
    assert_eq!(story.dispatched(), "c@2");
    // What was to come is gone.
    let mut story = taken(AB, "", "\n - { id: a, call: p/f }", "a@2");
    story.happens("a+");
    assert_eq!(story.run.status(), RunStatus::Succeeded);
}

#[test]
fn steps_that_have_begun_must_be_there_and_of_their_kind() {
    refused(
        AB,
        "",
        " - { id: b, call: p/f }",
        "step `a` has begun, and the new version has no step",
    );
    refused(
        AB,
        "a+",
        " - { id: b, call: p/f }",
        "step `a` is done, and the new version has no step",
    );
    let set = "\n - { id: a, set: 1 }\n - { id: b, call: p/f }";
    refused(AB, "", set, "step `a` has begun as a `call`, and in the new version it is a `set`");
    refused(AB, "a+", set, "step `a` is done as a `call`, and in the new version it is a `set`");
}

#[test]
fn steps_that_have_begun_must_need_nothing_more() {
    let more = "
 - { id: z, call: p/f }
 - { id: a, call: p/f }
 - { id: b, call: p/f }";
    refused(AB, "", more, "step `a` has begun, and in the new version it needs step `z`");
    refused(AB, "a+", more, "step `a` is done, and in the new version it needs step `z`");
    let between = "
 - { id: a, call: p/f }
 - { id: z, call: p/f }
 - { id: b, call: p/f }";
    taken(AB, "", between, "a@2");
    refused(AB, "a+", between, "step `b` has begun, and in the new version it needs step `z`");
}

#[test]
fn an_open_map_must_keep_its_list() {
    let of = |list: &str| {
        format!(
            "
 - {{ id: a, call: p/f }}
 - {{ id: m, map: \"${{{list}}}\", at_once: 2, call: p/f }}"
        )
    };
    let acts = "a=[1,2,3] m[0]+";
    taken(&of("steps.a"), acts, &of("steps.a.filter(n, n > 0)"), "m[1]@2 m[2]@2");
    refused(
        &of("steps.a"),
        acts,
        &of("steps.a.filter(n, n > 1)"),
        "step `m` has begun with its list",
    );
    // Also where nothing of it is tried just now.
    refused(&of("steps.a"), "a=[1] m[0]-", &of("[2]"), "step `m` has begun with its list");
}

#[test]
fn a_map_takes_up_how_many_may_run_at_once() {
    let at_once = |n: u32| {
        format!(
            "
 - {{ id: m, map: [1, 2, 3, 4], at_once: {n}, call: p/f }}"
        )
    };
    taken(&at_once(1), "", &at_once(3), "m[0]@2 m[1]@2 m[2]@2");
    // Those that have begun are not kept back.
    let mut story = taken(&at_once(3), "", &at_once(1), "m[0]@2 m[1]@2 m[2]@2");
    story.happens("m[0]+ m[1]+");
    assert_eq!(story.dispatched(), "");
    story.happens("m[2]+");
    assert_eq!(story.dispatched(), "m[3]@2");
}

#[test]
fn the_whole_must_fit() {
    let other = |change: fn(&mut Upgrade)| {
        let mut other = version(AB);
        change(&mut other);
        other
    };
    let text = text_of(AB).replace("workflow: w", "workflow: v");
    let renamed = Upgrade {
        definition: Arc::new(Definition::parse(&text).unwrap()),
        digest: Digest::of(text.as_bytes()),
        text: text.into(),
        ..version(AB)
    };
    refused_version(AB, "", renamed, "the run is of workflow `w`, and this is `v`");
    refused_version(AB, "", other(|it| it.plugins.clear()), "instead of `p`");
    refused_version(
        AB,
        "",
        other(|it| it.text = "".into()),
        "is not the one that its digest names",
    );
    let schema = "input: { type: object, required: [m] }\n---";
    refused(AB, "", &format!("{schema}{AB}"), "the run's input does not fit the new version");
    taken(AB, "", &format!("input: {{ type: object, required: [n] }}\n---{AB}"), "a@2");
}

#[test]
fn what_is_yet_to_do_must_fit_what_is_there() {
    let uses = |expression: &str| {
        format!(
            "
 - {{ id: a, call: p/f }}
 - {{ id: b, call: p/f }}
 - {{ id: c, set: \"${{{expression}}}\" }}"
        )
    };
    let acts = "a={\"x\":1,\"kind\":\"old\"}";
    let gone = "step `c`: `steps.a` has no `y`";
    refused(&uses("1"), acts, &uses("steps.a.y"), gone);
    taken(&uses("1"), acts, &uses("steps.a.x + 1"), "b@2");
    // What this run never gets to is not held against it.
    taken(&uses("1"), acts, &uses("has(steps.a.y) ? steps.a.y : 0"), "b@2");
    taken(&uses("1"), acts, &uses("steps.a.kind == 'new' && steps.a.y > 1"), "b@2");
    taken(&uses("1"), acts, &uses("steps.a.y > 1 && steps.a.kind == 'new'"), "b@2");
    taken(&uses("1"), acts, &uses("steps.a.kind == 'new' ? steps.a.y : 1"), "b@2");
    taken(&uses("1"), acts, &uses("input.n > 1 ? steps.a.y : 1"), "b@2");
    // And nothing is known of what is not there yet.
    taken(&uses("1"), acts, &uses("steps.b.y"), "b@2");
}

#[test]
fn calls_that_remain_must_fit_the_new_contracts() {
    let contract = Contract {
        name: "f".to_owned(),
        docs: String::new(),
        input_schema: Json::parse(
            r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#,
        )
        .unwrap(),
        output_schema: Json::parse(r#"{"type":"string"}"#).unwrap(),
    };
    let offer = Offer { contracts: Some(vec![contract].into()), ..Offer::default() };
    let offering =
        |steps: &str| Upgrade { offers: [("p".into(), offer.clone())].into(), ..version(steps) };
    let old = "
 - { id: a, call: p/f }
 - { id: b, call: p/f, with: { a: \"${steps.a}\" } }
 - { id: c, call: p/f, with: { a: \"${steps.b}\" } }";
    refused_version(old, "a=1", offering(old), "step `b`: `a` must be text, not a number");
    let mut story = Story::new(old, "a=\"text\"");
    story.take(Input::Upgrade(Box::new(offering(old)))).unwrap();
    refused_version(old, "", offering(old), "step `a`: `a` is required, and missing");
    let gone = old.replace("id: c, call: p/f", "id: c, call: p/g");
    refused_version(old, "a=\"text\"", offering(&gone), "step `c`: plugin `p` has no function `g`");
    // What is over was called before.
    let old_is_over = old.replace("id: a, call: p/f", "id: a, call: p/g");
    let mut story = Story::new(old, "a=\"text\"");
    story.take(Input::Upgrade(Box::new(offering(&old_is_over)))).unwrap();
}

#[test]
fn a_run_that_would_fail_at_once_is_not_upgraded() {
    let uses = |with: &str| {
        format!(
            "
 - {{ id: a, call: p/f }}
 - {{ id: b, call: p/f, with: \"${{{with}}}\" }}"
        )
    };
    refused(
        &uses("1"),
        "a=[]",
        &uses("steps.a.map(n, n)[0]"),
        "the run would fail at once: step `b`",
    );
}

#[test]
fn results_say_which_version_they_are_of() {
    let later = format!("{A_THEN_MAP}\n - {{ id: z, set: 1 }}");
    let mut story = Story::new(A_THEN_MAP, "a=[1,2,3] m[0]+");
    assert_eq!(story.provenance(), "a:0 m:0x1");
    assert_eq!(story.run.snapshot().to_bytes()[0], 1);
    story.upgrade(&later).unwrap();
    assert_eq!(story.provenance(), "a:0 m:0x1+1");
    story.happens("m[1]+");
    story.upgrade(A_THEN_MAP).unwrap();
    story.upgrade(&later).unwrap();
    assert_eq!(story.run.eras().len(), 4);
    assert_eq!(story.provenance(), "a:0 m:0x1+1x1+3");
    story.happens("m[2]+");
    assert_eq!(story.provenance(), "a:0 m:0x1+1x1+3x1 z:3");
    let eras = story.run.eras();
    let since: Vec<u64> = eras.iter().map(|era| era.since.0).collect();
    assert_eq!(since, [1, 4, 6, 7]);
    assert_eq!(eras[0].definition, version(A_THEN_MAP).digest);
    assert_eq!(story.run.summary().upgrades, 3);
    // A program that knows no upgrades passes it over.
    assert_eq!(story.run.snapshot().to_bytes()[0], 2);
}

#[test]
fn a_run_is_upgraded_so_often_and_no_more() {
    let mut story = Story::new(AB, "");
    for _ in 0..UPGRADES_MAX {
        let upgraded = story.run.apply(NOW, Input::Upgrade(Box::new(version(AB))));
        assert!(upgraded.is_ok());
    }
    let more = story.run.apply(NOW, Input::Upgrade(Box::new(version(AB))));
    assert_eq!(more.err(), Some(Rejection::CannotUpgrade(vec![UpgradeProblem::TooOften])));
}
