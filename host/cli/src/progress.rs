//! What is seen of a run while it goes on: a live view on a terminal, plain lines elsewhere.

mod lines;
mod live;

use wfhost_transport::client::RunView;

use crate::output::Output;
use lines::Lines;
use live::Live;

/// Shows views of one run; each view may leave out any number of changes before it.
pub(crate) enum Progress {
    /// Nothing (`-q`).
    Silent,
    /// A line a change.
    Lines(Lines),
    /// Finished steps scroll away above the ones that run.
    Live(Box<Live>),
}

impl Progress {
    /// What fits the terminal and the options.
    pub(crate) fn for_output(output: &Output) -> Self {
        if output.is_quiet() {
            Self::Silent
        } else if output.can_be_live() {
            Self::Live(Box::new(Live::new(output)))
        } else {
            Self::lines(output)
        }
    }

    pub(crate) fn lines(output: &Output) -> Self {
        Self::Lines(Lines::new(output))
    }

    pub(crate) fn show(&mut self, view: &RunView) {
        match self {
            Self::Silent => {}
            Self::Lines(lines) => lines.show(view),
            Self::Live(live) => live.show(view),
        }
    }

    /// Takes a live view off the terminal.
    pub(crate) fn end(&mut self) {
        match self {
            Self::Silent | Self::Lines(_) => {}
            Self::Live(live) => live.end(),
        }
    }
}
