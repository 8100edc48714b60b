//! The command as its users meet it: the built binary, its output and its exit codes.

mod checking;
mod crash;
mod help;
mod held;
mod interrupting;
mod permissions;
mod place;
mod plugin_call;
mod running;
mod runs;
mod usage;
