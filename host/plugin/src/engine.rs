//! The engine's configuration and its pool: the one place that decides about both.

use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    WasmBacktraceDetails,
};
use wfhost_workflow::Limit;

use crate::{Error, Shape};

/// What one component may need of the pool. Python and JavaScript guests are components
/// of many core modules with large tables.
const CORE_INSTANCES_PER_COMPONENT: u32 = largest(Limit::Instances);
const MEMORIES_PER_COMPONENT: u32 = largest(Limit::Memories);
const TABLES_PER_COMPONENT: u32 = largest(Limit::Tables);
const INSTANCE_BYTES_MAX: usize = 64 << 20;
const TABLE_ELEMENTS_MAX: usize = 1 << 20;

#[expect(clippy::cast_possible_truncation, reason = "checked; `try_from` is not const")]
const fn largest(limit: Limit) -> u32 {
    let largest = limit.spec().largest;
    assert!(largest <= u32::MAX as u64, "the pool counts in 32 bits");
    largest as u32
}

/// Kept mapped and cleared by writing zeros when an instance ends, which is cheaper than
/// giving the pages back as long as a guest touches few of them.
const MEMORY_KEEP_RESIDENT_BYTES: usize = 128 << 10;
const TABLE_KEEP_RESIDENT_BYTES: usize = 16 << 10;
/// Slots whose pages are given back in one go. Those of guests that touch little are cleared
/// and never wait for it; more than one of the others, and a bomb's memory stays with this
/// process until as many have followed it.
const DECOMMIT_BATCH: usize = 1;

/// Beside the guest's frames on its stack, for host functions.
const HOST_STACK_BYTES: usize = 1 << 20;

/// Tasks of a concurrent component that are under way at once have a stack each.
const STACKS_PER_CONCURRENT: u32 = 8;

/// Of a back-trace: each is looked up in the guest's debug information.
const FRAMES_MAX: usize = 16;

/// What a memory may grow to, from the largest that is wanted to the smallest that is
/// still of use where the address space is short.
const MEMORY_RESERVATIONS: [u64; 3] = [4 << 30, 1 << 30, 256 << 20];

/// What native code hangs on and a host may choose: a compiler is told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Codegen {
    /// Accesses below it need no check.
    reservation_bytes: u64,
    /// Whether the same input gives the same bytes.
    strict: bool,
    /// Whether guests may be concurrent.
    #[serde(default)]
    concurrent: bool,
}

impl Codegen {
    /// What one memory can grow to, where that is less than a guest can ask for.
    pub(crate) fn room_bytes(&self) -> u64 {
        let is_whole = self.reservation_bytes >= MEMORY_RESERVATIONS[0];
        if is_whole { u64::MAX } else { self.reservation_bytes }
    }

    /// A short name of letters and digits.
    pub(crate) fn shape(&self) -> String {
        let strict = if self.strict { "s" } else { "" };
        let concurrent = if self.concurrent { "c" } else { "" };
        format!("m{}{strict}{concurrent}", self.reservation_bytes >> 20)
    }
}

/// An engine, and how many instances its pool holds at once.
pub(crate) struct Pooled {
    pub(crate) engine: Engine,
    pub(crate) codegen: Codegen,
    pub(crate) slots: u32,
}

/// Makes an engine of this shape for `slots` instances at once, with smaller memories and then fewer
/// slots where this process may not reserve enough address space.
pub(crate) fn pooled(slots: u32, shape: Shape, core_dumps: bool) -> Result<Pooled, Error> {
    let mut slots = slots.max(1);
    loop {
        let mut last = String::new();
        for reservation in MEMORY_RESERVATIONS {
            let Shape { strict, concurrent, .. } = shape;
            let codegen = Codegen { reservation_bytes: reservation, strict, concurrent };
            match Engine::new(config(slots, &codegen, shape).coredump_on_trap(core_dumps)) {
                Ok(engine) => return Ok(Pooled { engine, codegen, slots }),
                Err(error) => {
                    tracing::debug!(slots, reservation, %error, "the pool does not fit");
                    last = format!("{error:#}");
                }
            }
        }
        if slots == 1 {
            return Err(Error::Engine(last));
        }
        slots /= 2;
    }
}

/// Everything that native code hangs on: the same in a host and in its compiler.
pub(crate) fn codegen_config(codegen: &Codegen) -> Config {
    let mut config = Config::new();
    config
        // Where determinism is strict, a guest is stopped by counting and not by a clock.
        .epoch_interruption(!codegen.strict)
        .consume_fuel(codegen.strict)
        .cranelift_nan_canonicalization(codegen.strict)
        .relaxed_simd_deterministic(codegen.strict)
        // Costs each call of a guest that is not concurrent a fifth more.
        .concurrency_support(codegen.concurrent)
        .cranelift_opt_level(OptLevel::Speed)
        .memory_init_cow(true)
        .memory_reservation(codegen.reservation_bytes)
        // Source lines come from the guest's own debug sections, of which only so much is
        // kept as can be read quickly.
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .wasm_backtrace_max_frames(NonZeroUsize::new(FRAMES_MAX));
    config
}

fn config(slots: u32, codegen: &Codegen, shape: Shape) -> Config {
    let mut config = codegen_config(codegen);
    let mut pool = pool(slots, codegen.reservation_bytes);
    if codegen.concurrent {
        pool.total_stacks(slots.saturating_mul(STACKS_PER_CONCURRENT));
    }
    let stack = usize::try_from(shape.stack_bytes).unwrap_or(usize::MAX);
    config
        .max_wasm_stack(stack)
        .async_stack_size(stack.saturating_add(HOST_STACK_BYTES))
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

fn pool(slots: u32, reservation: u64) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(CORE_INSTANCES_PER_COMPONENT))
        .total_memories(slots.saturating_mul(MEMORIES_PER_COMPONENT))
        .total_tables(slots.saturating_mul(TABLES_PER_COMPONENT))
        .total_stacks(slots)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_memories_per_module(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_tables_per_module(TABLES_PER_COMPONENT)
        .max_component_instance_size(INSTANCE_BYTES_MAX)
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_memory_size(usize::try_from(reservation).unwrap_or(usize::MAX))
        .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT_BYTES)
        .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES)
        .decommit_batch_size(DECOMMIT_BATCH)
        .pagemap_scan(Enabled::Auto);
    pool
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::EngineId;

    #[test]
    fn a_host_and_its_compiler_agree_on_native_code() {
        let id = |config: &Config| EngineId::of(&Engine::new(config).unwrap());
        let with = |reservation_bytes, strict, concurrent, stack_bytes| {
            let codegen = Codegen { reservation_bytes, strict, concurrent };
            let of_host = id(&config(1, &codegen, Shape { strict, stack_bytes, concurrent }));
            assert_eq!(of_host, id(&codegen_config(&codegen)));
            of_host
        };
        let of_host = |bytes, strict, stack| with(bytes, strict, false, stack);
        let ids = MEMORY_RESERVATIONS.map(|bytes| of_host(bytes, false, 1 << 20));
        assert!(ids[0] != ids[1] && ids[1] != ids[2], "it hangs on the reservation");
        assert!(ids[0] == of_host(MEMORY_RESERVATIONS[0], false, 8 << 20), "not on the stack");
        assert!(ids[0] != of_host(MEMORY_RESERVATIONS[0], true, 1 << 20), "on determinism");
        assert!(ids[0] != with(MEMORY_RESERVATIONS[0], false, true, 1 << 20), "on concurrency");
    }
}
