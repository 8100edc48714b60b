//! The engines of a host: one for each shape of attempt, made when it is first needed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::Linker;
use wasmtime::{Store, UpdateDeadline};
use wfhost_workflow::{Failure, FailureKind, Limit, Limits};

use crate::compile::Target;
use crate::epoch::Epochs;
use crate::limits::Held;
use crate::state::AttemptState;
use crate::{Error, engine, link};

/// What of an attempt its engine decides about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Whether the same input gives the same bytes.
    pub(crate) strict: bool,
    /// The guest's stack: a power of two, so that there are only a few shapes.
    pub(crate) stack_bytes: u64,
    /// Whether guests may be concurrent: `async func`, which costs every call.
    pub(crate) concurrent: bool,
}

impl Shape {
    /// The shape of an attempt that is held to `limits`: its stack is never larger.
    #[must_use]
    pub fn of(limits: &Limits, strict: bool) -> Self {
        let spec = Limit::Stack.spec();
        let stack = limits[Limit::Stack].clamp(spec.least, spec.largest);
        Self { strict, stack_bytes: 1 << stack.ilog2(), concurrent: false }
    }

    /// The same for a component that is concurrent in itself.
    pub(crate) const fn concurrent(self) -> Self {
        Self { concurrent: true, ..self }
    }

    /// Whether the same input gives the same bytes.
    #[must_use]
    pub const fn is_strict(self) -> bool {
        self.strict
    }
}

/// An engine with its pool, and what is linked for its guests.
pub(crate) struct Shaped {
    pub(crate) shape: Shape,
    /// The engine, as the compiler knows it.
    pub(crate) target: Target,
    pub(crate) linker: Linker<AttemptState>,
    /// Stands before the pool, in which one instance too many would be an error.
    slots: Arc<Semaphore>,
}

/// Instructions after which a guest yields where nothing may depend on a clock: some
/// milliseconds.
const FUEL_TICK: u64 = 10_000_000;

impl Shaped {
    /// Waits for a free place in the pool.
    pub(crate) async fn slot(&self) -> Result<OwnedSemaphorePermit, Failure> {
        Arc::clone(&self.slots).acquire_owned().await.map_err(|_closed| {
            Failure::new(FailureKind::Host, "closed", "the plugin host is closed")
        })
    }

    /// A store whose guest yields now and then and is held to its limits.
    pub(crate) fn store(
        &self,
        state: AttemptState,
        held: &Held,
    ) -> Result<Store<AttemptState>, Failure> {
        let mut store = Store::new(&self.target.engine, state);
        store.data_mut().meter.set_room(self.target.codegen.room_bytes());
        store.limiter(|state| &mut state.meter);
        let hostcall_fuel = held.get(Limit::HostcallFuel);
        store.set_hostcall_fuel(usize::try_from(hostcall_fuel).unwrap_or(usize::MAX));
        // Resources of the guest's own cost the host as much as ours do. One of them is counted
        // in each component that has it or lends it, so there are more of these than of ours.
        let handles = held.get(Limit::Handles).saturating_mul(4);
        store.set_max_component_handles(usize::try_from(handles).unwrap_or(usize::MAX));
        if self.shape.strict {
            let fuelled = store
                .set_fuel(held.get(Limit::Fuel))
                .and_then(|()| store.fuel_async_yield_interval(Some(FUEL_TICK)));
            fuelled.map_err(|error| {
                Failure::new(FailureKind::Host, "engine", format!("no fuel to be had: {error}"))
            })?;
        } else {
            store.set_epoch_deadline(1);
            store.epoch_deadline_callback(|_store| {
                Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
            });
        }
        Ok(store)
    }
}

/// All engines of a host.
pub(crate) struct Shapes {
    slots: u32,
    core_dumps: bool,
    epochs: Epochs,
    made: Mutex<HashMap<Shape, Arc<Shaped>>>,
}

impl Shapes {
    /// For at most `slots` attempts at once in each.
    pub(crate) fn new(slots: u32, core_dumps: bool) -> Result<Self, Error> {
        Ok(Self { slots, core_dumps, epochs: Epochs::start()?, made: Mutex::default() })
    }

    pub(crate) const fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    /// The engine of this shape. Takes some milliseconds the first time.
    pub(crate) fn get(&self, shape: Shape) -> Result<Arc<Shaped>, Error> {
        // Held while an engine is made, so that no address space is reserved twice.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shaped) = made.get(&shape) {
            return Ok(Arc::clone(shaped));
        }
        let pooled = engine::pooled(self.slots, shape, self.core_dumps)?;
        if pooled.slots < self.slots {
            let (asked, got) = (self.slots, pooled.slots);
            tracing::warn!(asked, got, "fewer slots: the address space is limited (ulimit -v)");
        }
        let engine = pooled.engine;
        let linker = link::linker(&engine).map_err(|error| Error::Engine(format!("{error:#}")))?;
        if !shape.strict {
            self.epochs.add(&engine);
        }
        let slots = Arc::new(Semaphore::new(pooled.slots as usize));
        let target = Target::new(engine, pooled.codegen);
        let shaped = Arc::new(Shaped { shape, target, linker, slots });
        made.insert(shape, Arc::clone(&shaped));
        Ok(shaped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_never_larger_than_its_limit_and_there_are_few_of_them() {
        let shape = |stack| Shape::of(&Limits::default().with(Limit::Stack, stack), false);
        assert_eq!(shape(1 << 20).stack_bytes, 1 << 20);
        assert_eq!(shape((1 << 21) - 1).stack_bytes, 1 << 20);
        assert_eq!(shape(0).stack_bytes, 128 << 10);
        assert_eq!(shape(u64::MAX).stack_bytes, 8 << 20);
    }
}
