//! Frames: what goes in comes out, and no bytes do harm.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use wfhost_transport::client::{
    Answer, BundleChange, Canary, Deploy, PrefetchedAt, Refusal, Request, Seen, Start,
    StartDeployed,
};
use wfhost_transport::codec::{
    CHUNK_BYTES, DecodeError, EncodeError, Framed, Kind, LAYOUT, decode, decode_answer,
    decode_request, encode, encode_answer, encode_request,
};
use wfhost_transport::message::{
    BundleOrigin, Dispatch, FromWorker, Held, Hello, LogLevel, LogLine, Outcome, PREFETCH_MAX,
    Payload, Progress, ToWorker, Token,
};
use wfhost_workflow::{
    Attempt, AttemptId, Digest, DirGrant, DirMode, DurationMs, Failure, FailureKind, Json, Limits,
    Revision, RunId, StepId, TaskId, run::KvWrite,
};

fn attempt() -> impl Strategy<Value = AttemptId> {
    (any::<[u8; 16]>(), any::<u32>(), option::of(any::<u32>()), any::<u32>()).prop_map(
        |(mut run, step, index, attempt)| {
            // A ULID's text has 130 bits, and the first character of a valid one stays below 8.
            run[0] &= 0x7f;
            let task = TaskId { step: StepId(step), index };
            AttemptId { run: RunId::from_bytes(run), task, attempt: Attempt(attempt) }
        },
    )
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::from_bytes)
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        ".{0,40}".prop_map(serde_json::Value::from),
    ];
    let tree = leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            vec((".{0,8}", inner), 0..6).prop_map(|fields| fields.into_iter().collect()),
        ]
    });
    tree.prop_map(|value| Json::from_value(&value))
}

fn kv() -> impl Strategy<Value = Vec<KvWrite>> {
    let write = (".{0,20}", option::of(vec(any::<u8>(), 0..50)))
        .prop_map(|(key, value)| KvWrite { key, value });
    vec(write, 0..4)
}

fn failure() -> impl Strategy<Value = Failure> {
    let kind = proptest::sample::select(&FailureKind::ALL[..]);
    (kind, ".{0,20}", ".{0,80}", option::of(any::<u64>())).prop_map(
        |(kind, code, message, after)| Failure {
            kind,
            code,
            message,
            retry_after: after.map(DurationMs),
        },
    )
}

fn log_line() -> impl Strategy<Value = LogLine> {
    let level = proptest::sample::select(vec![
        LogLevel::Trace,
        LogLevel::Debug,
        LogLevel::Info,
        LogLevel::Warn,
        LogLevel::Error,
    ]);
    (any::<u64>(), level, ".{0,80}", vec((".{0,8}", ".{0,8}"), 0..3))
        .prop_map(|(at_ms, level, message, fields)| LogLine { at_ms, level, message, fields })
}

fn token() -> impl Strategy<Value = Token> {
    any::<[u8; 16]>().prop_map(Token)
}

fn hello() -> impl Strategy<Value = Hello> {
    let held = (attempt(), token()).prop_map(|(attempt, token)| Held { attempt, token });
    let labels = proptest::collection::btree_map(".{0,9}", ".{0,9}", 0..3);
    let texts = (".{0,20}", ".{0,9}");
    let components = vec(digest(), 0..3);
    let numbers = any::<(u64, u32, Option<u32>)>();
    (any::<u16>(), texts, numbers, labels, components, vec(held, 0..4)).prop_map(
        |(protocol, (name, version), (instance, slots, managed), labels, components, running)| {
            Hello {
                protocol,
                name,
                version,
                instance,
                connection: instance / 3,
                slots,
                labels,
                components,
                running,
                managed,
            }
        },
    )
}

fn from_worker() -> impl Strategy<Value = FromWorker> {
    let progress = (any::<u64>(), any::<u64>(), ".{0,40}")
        .prop_map(|(done, total, message)| Progress { done, total, message });
    let outcome = prop_oneof![
        (payload(), kv()).prop_map(|(output, kv)| Outcome::Succeeded { output, kv }),
        failure().prop_map(Outcome::Failed),
    ];
    prop_oneof![
        hello().prop_map(|hello| FromWorker::Hello(Box::new(hello))),
        Just(FromWorker::Heartbeat),
        (attempt(), token(), outcome).prop_map(|(attempt, token, outcome)| FromWorker::Ended {
            attempt,
            token,
            outcome
        }),
        (attempt(), vec(log_line(), 0..4))
            .prop_map(|(attempt, lines)| FromWorker::Log { attempt, lines }),
        (attempt(), progress)
            .prop_map(|(attempt, progress)| FromWorker::Progress { attempt, progress }),
        (digest(), any::<u64>(), any::<u32>())
            .prop_map(|(digest, offset, len)| FromWorker::Fetch { digest, offset, len }),
        (attempt(), any::<u64>())
            .prop_map(|(attempt, at_most_ms)| FromWorker::Waiting { attempt, at_most_ms }),
        (attempt(), any::<u64>(), any::<u64>(), vec(any::<u8>(), 0..100)).prop_map(
            |(attempt, offset, total, bytes)| FromWorker::Chunk { attempt, offset, total, bytes }
        ),
        (digest(), option::of(".{0,60}"))
            .prop_map(|(component, error)| FromWorker::Prefetched { component, error }),
        Just(FromWorker::Draining),
        Just(FromWorker::Goodbye),
    ]
}

fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        json().prop_map(Payload::Inline),
        (digest(), any::<u64>()).prop_map(|(digest, len)| Payload::Reference { digest, len }),
    ]
}

fn dispatch() -> impl Strategy<Value = Dispatch> {
    let input = payload();
    let dirs = vec(
        (".{0,20}", ".{0,20}", any::<bool>()).prop_map(|(host_path, guest_path, writes)| {
            let mode = if writes { DirMode::ReadWrite } else { DirMode::ReadOnly };
            DirGrant { host_path, guest_path, mode }
        }),
        0..3,
    );
    let names = (".{1,20}", ".{1,20}", ".{0,40}", ".{0,40}", option::of(".{0,60}"));
    let origin =
        (digest(), digest()).prop_map(|(bundle, signatures)| BundleOrigin { bundle, signatures });
    let component = (digest(), option::of(origin));
    (attempt(), names, component, input, any::<u64>(), dirs, kv()).prop_map(
        |(attempt, names, (component, origin), input, timeout_ms, dirs, kv)| {
            let (workflow, step, function, idempotency_key, trace_parent) = names;
            Dispatch {
                attempt,
                token: Token([9; 16]),
                workflow: workflow.into(),
                step: step.into(),
                plugin: Some("p".into()),
                component,
                origin,
                function,
                input,
                timeout_ms,
                idempotency_key,
                trace_parent,
                limits: Limits::default(),
                determinism: wfhost_workflow::Determinism::Strict,
                dirs,
                kv,
            }
        },
    )
}

fn to_worker() -> impl Strategy<Value = ToWorker> {
    prop_oneof![
        (any::<u16>(), any::<u64>())
            .prop_map(|(protocol, heartbeat_ms)| ToWorker::Welcome { protocol, heartbeat_ms }),
        ".{0,80}".prop_map(|reason| ToWorker::Refused { reason }),
        dispatch().prop_map(|dispatch| ToWorker::Dispatch(Box::new(dispatch))),
        (attempt(), token()).prop_map(|(attempt, token)| ToWorker::Cancel { attempt, token }),
        (digest(), any::<u64>(), any::<u64>(), vec(any::<u8>(), 0..400)).prop_map(
            |(digest, offset, total, bytes)| ToWorker::Chunk { digest, offset, total, bytes }
        ),
        (attempt(), any::<u64>(), any::<u32>())
            .prop_map(|(attempt, offset, len)| ToWorker::Fetch { attempt, offset, len }),
        attempt().prop_map(|attempt| ToWorker::Taken { attempt }),
        vec(digest(), 0..5).prop_map(|components| ToWorker::Prefetch { components }),
        Just(ToWorker::Heartbeat),
        Just(ToWorker::Drain),
        Just(ToWorker::Identify),
    ]
}

fn frame_of<M: Framed>(message: &M) -> Vec<u8> {
    let mut frame = vec![1, 2, 3];
    encode(message, &mut frame).unwrap();
    frame
}

proptest! {
    #[test]
    fn what_a_worker_says_comes_back(message in from_worker()) {
        prop_assert_eq!(decode::<FromWorker>(&frame_of(&message)).unwrap(), message);
    }

    #[test]
    fn what_a_worker_is_told_comes_back(message in to_worker()) {
        prop_assert_eq!(decode::<ToWorker>(&frame_of(&message)).unwrap(), message);
    }

    #[test]
    fn requests_and_answers_come_back(id in any::<u64>(), prefix in ".{0,30}", output in json()) {
        let mut frame = Vec::new();
        let request = Request::Find { prefix };
        encode_request(id, &request, &mut frame).unwrap();
        let (of, found) = decode_request(&frame);
        prop_assert_eq!((of, found.unwrap()), (Some(id), request));
        let answer = Answer::Output(output);
        encode_answer(id, &answer, &mut frame).unwrap();
        let (of, found) = decode_answer(&frame);
        prop_assert_eq!((of, found.unwrap()), (Some(id), answer));
    }

    #[test]
    fn any_bytes_are_taken(bytes in vec(any::<u8>(), 0..600)) {
        // Refused or, very rarely, understood: never a panic.
        let _one = decode::<FromWorker>(&bytes);
        let _two = decode::<ToWorker>(&bytes);
        let _three = decode_request(&bytes);
        let _four = decode_answer(&bytes);
    }

    #[test]
    fn any_bytes_behind_a_header_are_taken(
        kind in proptest::sample::select(&Kind::ALL[..]),
        bytes in vec(any::<u8>(), 0..600),
    ) {
        let mut frame = vec![LAYOUT, kind as u8];
        frame.extend_from_slice(&bytes);
        let _one = decode::<FromWorker>(&frame);
        let _two = decode::<ToWorker>(&frame);
        let _three = decode_request(&frame);
        let _four = decode_answer(&frame);
    }

    #[test]
    fn a_damaged_frame_is_taken(message in to_worker(), at in any::<usize>(), byte in any::<u8>()) {
        let mut frame = frame_of(&message);
        let at = at % frame.len();
        frame[at] = byte;
        let _any = decode::<ToWorker>(&frame);
        prop_assert!(decode::<ToWorker>(&frame[..at]).is_err(), "a part is no message");
    }
}

/// A header and a body.
fn raw(kind: Kind, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![LAYOUT, kind as u8];
    frame.extend_from_slice(body);
    frame
}

fn shape(result: Result<FromWorker, DecodeError>) -> &'static str {
    match result {
        Err(DecodeError::Shape(what)) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_kind_has_its_own_byte() {
    for kind in Kind::ALL {
        assert_eq!(Kind::of_byte(kind as u8), Some(kind));
    }
    assert_eq!(Kind::of_byte(0), None);
}

#[test]
fn a_frame_longer_than_its_kind_may_be_is_refused_before_it_is_read() {
    let long = vec![0xc1; 5 << 10];
    let refused = decode::<FromWorker>(&raw(Kind::WorkerHeartbeat, &long)).unwrap_err();
    assert!(matches!(refused, DecodeError::TooLarge { bytes_max: 4096, .. }), "{refused}");
}

#[test]
fn a_message_that_its_receiver_would_refuse_is_not_sent() {
    let attempt = AttemptId {
        run: RunId::from_bytes([1; 16]),
        task: TaskId::of(StepId(0)),
        attempt: Attempt::FIRST,
    };
    let written = KvWrite { key: "k".to_owned(), value: Some(vec![0; 9 << 20]) };
    let output = Payload::Inline(Json::null());
    let outcome = Outcome::Succeeded { output, kv: vec![written] };
    let refused =
        encode(&FromWorker::Ended { attempt, token: Token::default(), outcome }, &mut Vec::new())
            .unwrap_err();
    assert!(matches!(refused, EncodeError::TooLarge { .. }), "{refused}");
}

#[test]
fn what_has_more_values_than_its_receiver_takes_is_not_sent() {
    let attempt = AttemptId {
        run: RunId::from_bytes([1; 16]),
        task: TaskId::of(StepId(0)),
        attempt: Attempt::FIRST,
    };
    let kv = vec![KvWrite { key: String::new(), value: None }; 60_000];
    let message = FromWorker::Ended {
        attempt,
        token: Token::default(),
        outcome: Outcome::Succeeded { output: Payload::Inline(Json::null()), kv },
    };
    let refused = encode(&message, &mut Vec::new()).unwrap_err();
    assert!(matches!(refused, EncodeError::Shape("too many values")), "{refused}");
}

#[test]
fn deep_nesting_is_refused_without_recursion() {
    let body = vec![0x91; 900 << 10];
    assert_eq!(shape(decode(&raw(Kind::Log, &body))), "nested too deeply");
}

#[test]
fn many_small_values_are_refused() {
    // An array of a million empty arrays: each would take far more memory than its byte.
    let mut body = vec![0xdd, 0x00, 0x0f, 0x42, 0x40];
    body.resize(5 + 1_000_000, 0x90);
    assert_eq!(shape(decode(&raw(Kind::Ended, &body))), "too many values");
}

#[test]
fn a_promise_of_four_billion_values_is_refused() {
    assert_eq!(
        shape(decode(&raw(Kind::Log, &[0xdd, 0xff, 0xff, 0xff, 0xff]))),
        "ends within a value"
    );
    assert_eq!(
        shape(decode(&raw(Kind::Log, &[0xdf, 0xff, 0xff, 0xff, 0xff]))),
        "ends within a value"
    );
    assert_eq!(
        shape(decode(&raw(Kind::Log, &[0xdb, 0xff, 0xff, 0xff, 0xff, 0x41]))),
        "ends within a value"
    );
}

#[test]
fn bytes_after_the_message_are_refused() {
    let mut frame = frame_of(&FromWorker::Heartbeat);
    frame.push(0xc0);
    assert_eq!(shape(decode(&frame)), "bytes after the end");
}

#[test]
fn a_kind_that_does_not_fit_is_refused() {
    let mut frame = frame_of(&FromWorker::Heartbeat);
    frame[1] = Kind::Ended as u8;
    assert!(matches!(decode::<FromWorker>(&frame), Err(DecodeError::Kind(3))));
    assert!(matches!(decode::<FromWorker>(&[LAYOUT, 200]), Err(DecodeError::Kind(200))));
}

#[test]
fn what_is_meant_for_the_other_side_is_refused() {
    let frame = frame_of(&ToWorker::Drain);
    assert!(matches!(decode::<FromWorker>(&frame), Err(DecodeError::Value(_))));
}

#[test]
fn another_version_is_named() {
    assert!(matches!(decode::<FromWorker>(&[9, 1, 0xc0]), Err(DecodeError::Layout(9))));
    let mut frame = Vec::new();
    encode_request(7, &Request::Find { prefix: String::new() }, &mut frame).unwrap();
    frame[2] = 77;
    let (id, found) = decode_request(&frame);
    assert_eq!(id, Some(7), "the client can be told");
    assert!(matches!(found, Err(DecodeError::Protocol(77))));
}

#[test]
fn a_start_and_a_refusal_come_back() {
    let start = Start {
        run: RunId::from_bytes([3; 16]),
        definition: Digest::of(b"text"),
        input: Json::null(),
        plugins: Vec::new(),
    };
    let mut frame = Vec::new();
    for request in [
        Request::Start(Box::new(start)),
        Request::StartDeployed(Box::new(StartDeployed {
            run: RunId::from_bytes([3; 16]),
            workflow: "team/brief".to_owned(),
            version: Some("1.2.0".to_owned()),
            input: Json::null(),
        })),
        Request::Deploy(Box::new(Deploy {
            bundle: Digest::of(b"bundle"),
            signatures: Digest::of(b"signatures"),
            contracts: Digest::of(b"contracts"),
            over: Some(Seen::Version(Digest::of(b"before"))),
            downgrade: None,
            canary: Some(Canary { share: 1000, abort_over: Some(500), runs_min: 20 }),
            plan: true,
        })),
        Request::ChangeBundle {
            name: "team".to_owned(),
            change: BundleChange::Rollback { to: None },
        },
        Request::Get { digest: Digest::of(b"a"), offset: 7, len: CHUNK_BYTES },
        Request::Events { run: RunId::from_bytes([3; 16]), after: Revision(4), limit: 5 },
        Request::Has { digests: vec![Digest::of(b"a"), Digest::of(b"b")] },
        Request::Prefetch { components: vec![Digest::of(b"a"); PREFETCH_MAX] },
        Request::Put {
            digest: Digest::of(b"text"),
            offset: u64::MAX,
            total: u64::MAX,
            bytes: vec![0xff; CHUNK_BYTES as usize],
        },
    ] {
        encode_request(1, &request, &mut frame).unwrap();
        assert_eq!(decode_request(&frame).1.unwrap(), request);
    }
    let at = PrefetchedAt {
        worker: "local-1".to_owned(),
        name: "one".to_owned(),
        ready: 1,
        failed: 1,
        of: 3,
        errors: vec!["no room".to_owned()],
    };
    assert!(!at.is_done() && PrefetchedAt { of: 2, ..at.clone() }.is_done());
    for answer in
        [Answer::Refused(Refusal::NotFound("no such run".to_owned())), Answer::Prefetched(vec![at])]
    {
        encode_answer(2, &answer, &mut frame).unwrap();
        assert_eq!(decode_answer(&frame).1.unwrap(), answer);
    }
}

#[test]
fn as_many_components_as_a_worker_keeps_fit_into_a_message() {
    let components = vec![Digest::of(b"a"); PREFETCH_MAX];
    let message = ToWorker::Prefetch { components };
    assert_eq!(decode::<ToWorker>(&frame_of(&message)).unwrap(), message);
}
