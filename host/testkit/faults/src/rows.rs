//! The rows of the table of faults.

mod crash_points;
mod cut;
mod descriptors;
mod hostile;
mod kill_coordinator;
mod kill_worker;
mod netem;
mod rolling;
mod stop;
mod timeout;

use crate::failure::Result;
use crate::report::Outcome;
use crate::tools::Tools;

/// One row.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) fault: &'static str,
    pub(crate) must_hold: &'static str,
    /// It makes network namespaces.
    pub(crate) root: bool,
    pub(crate) carry_out: fn(&Tools) -> Result<Outcome>,
}

/// All of them, in the order.
pub(crate) const ROWS: &[Row] = &[
    kill_worker::ROW,
    stop::ROW,
    kill_coordinator::ROW,
    cut::ROW,
    netem::ROW,
    rolling::ROW,
    crash_points::ROW,
    timeout::ROW,
    hostile::ROW,
    descriptors::ROW,
];
