//! A step that leaves a mark of each of its attempts, so that what really ran can be compared with
//! what was recorded.

use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wfhost_guest::{Context, Result, export, step};

/// Where the marks go, if the directory is granted.
const MARKS: &str = "/marks";

#[derive(Serialize, Deserialize, JsonSchema)]
struct Work {
    /// How long it takes.
    ms: u64,
    number: u64,
    /// Makes the input larger.
    #[serde(default)]
    pad: String,
}

/// Takes its time, and gives what depends on the number alone.
#[step]
fn work(input: Work, context: &Context) -> Result<u64> {
    let mark = fs::exists(MARKS)?.then(|| Mark::new(context));
    if let Some(mark) = &mark {
        mark.write("start", &serde_json::to_string(&input)?)?;
    }
    if input.ms > 0 {
        thread::sleep(Duration::from_millis(input.ms));
    }
    if let Some(mark) = &mark {
        mark.write("end", "")?;
    }
    Ok(input.number.wrapping_mul(0x9e37_79b9) % 1_000_003)
}

/// A file of this execution's own: two of one attempt would be two files.
struct Mark(PathBuf);

impl Mark {
    fn new(context: &Context) -> Self {
        let index = context.index.map_or_else(|| "-".to_owned(), |index| index.to_string());
        let own = RandomState::new().hash_one(0);
        let Context { run, step, attempt, .. } = context;
        Self(Path::new(MARKS).join(format!("{run}~{step}~{index}~{attempt}~{own:016x}")))
    }

    fn write(&self, what: &str, more: &str) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0)?;
        file.write_all(format!("{what} {} {more}\n", now.as_nanos()).as_bytes())?;
        Ok(())
    }
}

export!(work);
