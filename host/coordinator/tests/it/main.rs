//! The coordinator with a real link and a store in memory, and workers that do as they are told.

mod failing;
mod requests;
mod runs;
mod setting;
mod workers;
