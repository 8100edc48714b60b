//! Workflows of the guest `witness`, and what their runs must give.

use serde_json::{Value, json};
use wfhost_transport::client::{Request, Start};
use wfhost_workflow::{Determinism, Digest, DirGrant, DirMode, Json, Limits, PinnedPlugin, RunId};

use crate::clock;
use crate::history::Wanted;

/// The shape of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A step, so many at once that take its result, and one after them.
    Diamond { wide: u64 },
    /// So many at once.
    Fan { wide: u64 },
    /// One that only a worker with the label `park` may take.
    Parked,
}

/// One run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) shape: Shape,
    /// How long each step takes.
    pub(crate) ms: u64,
    pub(crate) number: u64,
    /// Bytes that each input is larger by.
    pub(crate) pad: usize,
}

impl Job {
    pub(crate) const fn new(shape: Shape, ms: u64, number: u64) -> Self {
        Self { shape, ms, number, pad: 0 }
    }

    /// The workflow file.
    pub(crate) fn definition(&self) -> String {
        let with = |number: &str| {
            format!(
                "{{ ms: \"${{input.ms}}\", number: \"${{{number}}}\", pad: \"${{input.pad}}\" }}"
            )
        };
        let list = |wide: u64| format!("{:?}", (0..wide).collect::<Vec<_>>());
        let (name, steps, output) = match self.shape {
            Shape::Diamond { wide } => (
                format!("diamond{wide}"),
                format!(
                    "  - {{ id: first, call: w/work, with: {} }}\n  - {{ id: fan, map: {}, as: n, at_once: {wide}, call: w/work, with: {} }}\n  - {{ id: last, call: w/work, with: {} }}\n",
                    with("input.number"),
                    list(wide),
                    with("steps.first + n"),
                    with(&format!("steps.fan[{}]", wide - 1)),
                ),
                "steps.last",
            ),
            Shape::Fan { wide } => (
                format!("fan{wide}"),
                format!(
                    "  - {{ id: fan, map: {}, as: n, at_once: {wide}, call: w/work, with: {} }}\n",
                    list(wide),
                    with("input.number + n"),
                ),
                "steps.fan",
            ),
            Shape::Parked => (
                "parked".to_owned(),
                format!(
                    "  - {{ id: parked, requires: {{ park: \"true\" }}, call: w/work, with: {} }}\n",
                    with("input.number"),
                ),
                "steps.parked",
            ),
        };
        format!(
            "workflow: {name}\npoison_after: 100\ninput:\n  type: object\n  required: [ms, number, pad]\n  properties: {{ ms: {{ type: integer }}, number: {{ type: integer }}, pad: {{ type: string }} }}\nplugins:\n  w: {{ path: w.wasm }}\nsteps:\n{steps}output: \"${{{output}}}\"\n"
        )
    }

    pub(crate) fn wanted(&self) -> Wanted {
        let output = match self.shape {
            Shape::Diamond { wide } => json!(work(work(work(self.number) + wide - 1))),
            Shape::Fan { wide } => {
                (0..wide).map(|n| work(self.number + n)).collect::<Vec<_>>().into()
            }
            Shape::Parked => json!(work(self.number)),
        };
        Wanted { input: self.input(), output, acknowledged: false }
    }

    fn input(&self) -> Value {
        json!({ "ms": self.ms, "number": self.number, "pad": "x".repeat(self.pad) })
    }

    /// What starts it as run `run`, with its workflow's text and the component in the store.
    pub(crate) fn start(&self, run: RunId, component: Digest) -> Request {
        let dirs = vec![DirGrant {
            host_path: "@marks".to_owned(),
            guest_path: "/marks".to_owned(),
            mode: DirMode::ReadWrite,
        }];
        let plugin = PinnedPlugin {
            alias: "w".into(),
            digest: component,
            dirs,
            limits: Limits::default(),
            determinism: Determinism::Relaxed,
            plugin: None,
        };
        Request::Start(Box::new(Start {
            run,
            definition: Digest::of(self.definition().as_bytes()),
            input: Json::from_value(&self.input()),
            plugins: vec![plugin],
        }))
    }
}

/// What the guest computes.
pub(crate) const fn work(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9) % 1_000_003
}

/// Never given out before.
pub(crate) fn new_run(random: &mut fastrand::Rng) -> RunId {
    RunId::new(clock::wall(), random.u128(..))
}

#[cfg(test)]
mod tests {
    use wfhost_workflow::Definition;

    use super::*;

    #[test]
    fn every_shape_is_a_workflow() {
        for shape in [Shape::Diamond { wide: 4 }, Shape::Fan { wide: 8 }, Shape::Parked] {
            let text = Job::new(shape, 1, 2).definition();
            if let Err(problems) = Definition::parse(&text) {
                panic!("{}\n{text}", problems.render("it", &text));
            }
        }
    }
}
