//! Names, units, defaults and bounds.

use super::LimitUnit::{self, Bytes, Count, Milliseconds, PowerOfTwoBytes};
use super::{Limit, LimitSpec};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What the pool of sandboxes holds for one component.
const MEMORIES_MAX: u64 = 8;
const TABLES_MAX: u64 = 64;
const TABLE_ELEMENTS_MAX: u64 = TABLES_MAX << 20;
const INSTANCES_MAX: u64 = 128;

/// Thirty days, the longest timeout of a step.
const SPAN_MS_MAX: u64 = 30 * 24 * 3_600_000;
const SIZE_MAX: u64 = 64 * GIB;

const fn row(
    name: &'static str,
    unit: LimitUnit,
    default: u64,
    (least, largest): (u64, u64),
    docs: &'static str,
) -> LimitSpec {
    LimitSpec { name, unit, default, least, largest, docs }
}

/// In the order of [`Limit`].
pub(super) const TABLE: [LimitSpec; Limit::COUNT] = [
    // Room for a Python or JavaScript guest at ordinary work.
    row("memory", Bytes, 512 * MIB, (1, 32 * GIB), "all linear memories together"),
    row("memories", Count, MEMORIES_MAX, (1, MEMORIES_MAX), "linear memories"),
    row(
        "table_elements",
        Count,
        400_000,
        (1, TABLE_ELEMENTS_MAX),
        "elements of all tables together",
    ),
    row("tables", Count, TABLES_MAX, (1, TABLES_MAX), "tables"),
    row(
        "instances",
        Count,
        INSTANCES_MAX,
        (1, INSTANCES_MAX),
        "core instances that a component is made of",
    ),
    row(
        "stack",
        PowerOfTwoBytes,
        MIB,
        (128 * KIB, 8 * MIB),
        "the guest's call stack; a power of two",
    ),
    // The step has a timeout of its own; this one can only shorten it.
    row(
        "timeout",
        Milliseconds,
        SPAN_MS_MAX,
        (1, SPAN_MS_MAX),
        "wall clock of an attempt, whatever its step's timeout is",
    ),
    row(
        "cpu_time",
        Milliseconds,
        600_000,
        (1, SPAN_MS_MAX),
        "time in which the guest computes; waiting does not count",
    ),
    // About as much as `cpu_time` of instructions.
    row(
        "fuel",
        Count,
        1_000_000_000_000,
        (1, 1 << 60),
        "instructions, where determinism is strict",
    ),
    row(
        "hostcall_fuel",
        Bytes,
        128 * MIB,
        (1, SIZE_MAX),
        "what a guest hands the host in one call",
    ),
    row("random", Bytes, 16 * MIB, (1, SIZE_MAX), "random bytes of an attempt"),
    // Each may be a descriptor of the process, of which it may have as few as 1024.
    row("handles", Count, 256, (1, 4096), "files, streams and timers held at once"),
    row("open_files", Count, 128, (1, 1024), "files and directories open at once"),
    row("log", Bytes, MIB, (1, GIB), "all log lines, with standard output and error"),
    row("log_rate", Count, 10_000, (1, 10_000_000), "log lines in one second"),
    row("output", Bytes, 16 * MIB, (1, SIZE_MAX), "the output's JSON text"),
    row("input", Bytes, 64 * MIB, (1, SIZE_MAX), "the input's JSON text"),
    row("kv_value", Bytes, 64 * KIB, (1, SIZE_MAX), "one value of the run's key-value store"),
    row("kv_total", Bytes, MIB, (1, SIZE_MAX), "all keys and values of the run's key-value store"),
    row("written", Bytes, GIB, (1, 1 << 50), "bytes written into granted directories"),
    row(
        "made_files",
        Count,
        10_000,
        (1, 100_000_000),
        "files, directories and links made in granted directories",
    ),
];
