//! Uses everything that the SDK has, so that a test sees it arrive at the host.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wfhost_guest::{Context, Error, Result, export, kv, log, progress, step};

#[derive(Serialize, JsonSchema)]
struct Told {
    run: String,
    workflow: String,
    step: String,
    index: Option<u32>,
    attempt: u32,
    idempotency_key: String,
    trace_parent: Option<String>,
    remaining_ms: u64,
    remaining_ms_after_work: u64,
}

/// What a step is told about itself.
#[step]
fn told(_input: (), context: &Context) -> Told {
    let remaining = context.remaining();
    let mut sum = 0_u64;
    while context.remaining() == remaining {
        sum = std::hint::black_box(sum + 1);
    }
    let ms = |duration: Duration| duration.as_millis().try_into().unwrap_or(u64::MAX);
    Told {
        run: context.run.clone(),
        workflow: context.workflow.clone(),
        step: context.step.clone(),
        index: context.index,
        attempt: context.attempt,
        idempotency_key: context.idempotency_key.clone(),
        trace_parent: context.trace_parent.clone(),
        remaining_ms: ms(remaining),
        remaining_ms_after_work: ms(context.remaining()),
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Way {
    Retryable,
    RetryableAfterMicros(u64),
    Permanent,
    InvalidInput,
    QuestionMark,
    Panic,
}

/// Fails in the way that it is told to.
#[step]
fn fail(way: Way) -> Result<u32> {
    match way {
        Way::Retryable => Err(Error::retryable("a", "again")),
        Way::RetryableAfterMicros(micros) => {
            Err(Error::retryable("b", "later").retry_after(Duration::from_micros(micros)))
        }
        Way::Permanent => Err(Error::permanent("c", "never")),
        Way::InvalidInput => Err(Error::invalid_input("d", "not so")),
        Way::QuestionMark => Ok("x".parse()?),
        Way::Panic => panic!("a panic's words"),
    }
}

/// Writes a line of each level.
#[step]
fn write_log(name: String) -> Result<()> {
    log::trace!("t");
    log::debug!("d");
    log::info!(who = name, list = [1, 2]; "hello {name}");
    log::warn!("w");
    log::error!("e");
    Ok(())
}

/// Reports progress twice.
#[step]
fn report(_input: ()) -> Result<()> {
    progress::report(1, 4, "one");
    progress::report(2, None, "two");
    Ok(())
}

#[derive(Serialize, JsonSchema)]
struct Seen {
    before: Option<u32>,
    after: Option<u32>,
    keys: Vec<String>,
    raw: Option<Vec<u8>>,
}

/// Counts up under `count`, deletes `old`, writes bytes under `raw`.
#[step]
fn store(_input: ()) -> Result<Seen> {
    let before = kv::get("count")?;
    kv::set("count", &(before.unwrap_or(0) + 1))?;
    kv::delete("old")?;
    kv::set_bytes("raw", &[0xff, 0])?;
    Ok(Seen { before, after: kv::get("count")?, keys: kv::keys(""), raw: kv::get_bytes("raw") })
}

/// Stores a value of this many bytes.
#[step]
fn store_bytes(size: usize) -> Result<()> {
    kv::set_bytes("large", &vec![0; size])
}

/// Reads the number under `count` as a text.
#[step]
fn mistake(_input: ()) -> Result<Option<String>> {
    kv::get("count")
}

#[derive(Deserialize, JsonSchema)]
struct Line {
    file: String,
    number: u64,
}

/// Appends its step, index and attempt to a file, and gives back what depends on the number.
#[step]
fn append(input: Line, context: &Context) -> Result<u64> {
    let mut file = OpenOptions::new().create(true).append(true).open(input.file)?;
    let index = context.index.map_or_else(String::new, |index| index.to_string());
    file.write_all(format!("{}[{index}] {}\n", context.step, context.attempt).as_bytes())?;
    Ok(input.number.wrapping_mul(0x9e37_79b9).rotate_left(7) % 1_000_003)
}

#[derive(Serialize, JsonSchema)]
struct Chance {
    now_ns: u64,
    slept_ns: u64,
    random: u64,
    order: Vec<u32>,
    nan: u32,
}

/// All that may differ from one attempt to the next, after a sleep of so many seconds.
#[step]
fn chance(sleep_s: u64) -> Chance {
    let began = Instant::now();
    if sleep_s > 0 {
        thread::sleep(Duration::from_secs(sleep_s));
    }
    let ns = |span: Duration| span.as_nanos().try_into().unwrap_or(u64::MAX);
    let zero = std::hint::black_box(0.0_f32);
    log::info!("asked for everything");
    Chance {
        now_ns: ns(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
        slept_ns: ns(began.elapsed()),
        random: RandomState::new().hash_one(1),
        order: (0..20).collect::<HashSet<u32>>().into_iter().collect(),
        nan: (zero / zero).to_bits(),
    }
}

export!(told, fail, write_log, report, store, store_bytes, mistake, append, chance);
