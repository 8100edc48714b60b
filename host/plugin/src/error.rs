//! Why a component cannot be loaded, told apart by what can be done about it.

use wfhost_workflow::Digest;

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
    /// It has no steps in the way that this host calls them.
    #[error(
        "the component does not export {interface} (it exports: {}); \
         components without the step world cannot be called yet",
        if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") }
    )]
    NoSteps {
        /// What a step component exports.
        interface: &'static str,
        /// What this one exports.
        exports: Vec<String>,
    },
    /// What a component is cannot be read from its bytes.
    #[error("the component cannot be described: {0}")]
    Facts(#[from] crate::facts::Unreadable),
    /// The compiling thread panicked.
    #[error("the compiler panicked on this component")]
    CompilerPanic,
}
