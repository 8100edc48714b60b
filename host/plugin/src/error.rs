//! Why a component cannot be loaded, told apart by what can be done about it.

use wfhost_workflow::{Digest, DurationMs};

/// The host or a component cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine cannot be made on this machine.
    #[error("cannot set up the wasm engine: {0}")]
    Engine(String),
    /// A thread cannot be started.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// The content is not what its digest says.
    #[error("the content is {found}, not {wanted}")]
    Digest {
        /// What was asked for.
        wanted: Digest,
        /// What the bytes are.
        found: Digest,
    },
    /// The file is over the size that this host compiles.
    #[error("the component has {bytes} bytes; at most {max} are accepted")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// It is made of more parts than this host compiles; which, and how many.
    #[error(
        "the component is made of too much: {0}; no compiler's output has that many: \
         split it, or take out what is not used"
    )]
    Structure(String),
    /// Neither a component nor a core module.
    #[error("not a WebAssembly component or module (the file begins with neither's header)")]
    NotWasm,
    /// A core module that cannot become a component.
    #[error("a core module that does not make a component: {0}")]
    Componentise(String),
    /// Not valid, or beyond what the pool can hold.
    #[error("the component does not compile: {0}")]
    Compile(String),
    /// It imports what this host does not offer.
    #[error("the component imports what this host does not offer: {0}")]
    Import(String),
    /// It exports no function, so that nothing in it can be called.
    #[error(
        "the component exports no function (it exports: {})",
        if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") }
    )]
    NoFunctions {
        /// What it exports.
        exports: Vec<String>,
    },
    /// It exports the step world's interface in another form.
    #[error(
        "the component exports wfhost:step/steps@0.1.0, but not as this host knows it: {0}; \
         build it against this host's `wit` folder"
    )]
    WrongSteps(String),
    /// What a component is cannot be read from its bytes.
    #[error("the component cannot be described: {0}")]
    Facts(#[from] crate::facts::Unreadable),
    /// The compiler was stopped at a bound on its time.
    #[error(
        "compiling the component took more than {max} of {kind} time; if it is worth more, \
         raise `{kind}_time` of `[compile]` in the configuration"
    )]
    CompileTime {
        /// Which time: `wall` or `processor`.
        kind: &'static str,
        /// The bound.
        max: DurationMs,
    },
    /// The compiler was refused more memory.
    #[error(
        "compiling the component took more than {} MB of memory; if it is worth more, raise \
         `memory` of `[compile]` in the configuration",
        max >> 20
    )]
    CompileMemory {
        /// The bound, in bytes.
        max: u64,
    },
    /// The compiler's process was ended by a signal.
    #[error(
        "the compiler died of signal {signal} on this component{}{said}{}",
        if said.is_empty() { "" } else { ": " },
        if *signal == 9 { " (is the machine out of memory?)" } else { "" }
    )]
    CompilerDied {
        /// Its number.
        signal: i32,
        /// The end of what it said.
        said: String,
    },
    /// The compiler's process cannot be started.
    #[error("cannot start the compiler")]
    CompilerStart(#[source] std::io::Error),
    /// The compiler gave up, which is its own fault.
    #[error("the compiler panicked on this component{}{_0}", if _0.is_empty() { "" } else { ": " })]
    CompilerPanic(String),
}

/// A longer text is not kept: whoever made the component may have chosen it.
const KEPT_BYTES_MAX: usize = 16 << 10;

impl Error {
    /// The same once more, where it is the component that is refused, and not what happened
    /// on the way to it.
    pub(crate) fn refusal(&self) -> Option<Self> {
        let kept = |text: &String| (text.len() <= KEPT_BYTES_MAX).then(|| text.clone());
        match self {
            Self::TooLarge { bytes, max } => Some(Self::TooLarge { bytes: *bytes, max: *max }),
            Self::NotWasm => Some(Self::NotWasm),
            Self::Structure(text) => kept(text).map(Self::Structure),
            Self::Componentise(text) => kept(text).map(Self::Componentise),
            Self::Compile(text) => kept(text).map(Self::Compile),
            Self::Import(text) => kept(text).map(Self::Import),
            Self::WrongSteps(text) => kept(text).map(Self::WrongSteps),
            Self::NoFunctions { exports } => {
                let is_short = exports.iter().map(String::len).sum::<usize>() <= KEPT_BYTES_MAX;
                is_short.then(|| Self::NoFunctions { exports: exports.clone() })
            }
            Self::Engine(_)
            | Self::Thread(_)
            | Self::Digest { .. }
            | Self::Facts(_)
            | Self::CompileTime { .. }
            | Self::CompileMemory { .. }
            | Self::CompilerDied { .. }
            | Self::CompilerStart(_)
            | Self::CompilerPanic(_) => None,
        }
    }
}
