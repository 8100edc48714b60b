//! A peer that says what it likes: what shows that a server refuses it. No program is one.

use std::time::Duration;

use crate::socket::{Bounds, Curve, Dealer, Wait, wait};
use crate::{Endpoint, Error, Hub, SendError};

/// Nothing is bounded on this side: the other one is looked at.
const BOUNDS: Bounds =
    Bounds { send_queue: 100_000, receive_queue: 100_000, frame_bytes_max: 1 << 30 };

/// Frames as they are, over a connection as any other.
pub struct RawPeer {
    dealer: Dealer,
}

impl RawPeer {
    /// Connects, also without keys; with a routing id of its own choice, if it has one.
    ///
    /// # Errors
    /// If the address is not one, or libzmq refuses another socket.
    pub fn connect(
        hub: &Hub,
        endpoint: &Endpoint,
        curve: Option<&Curve>,
        name: Option<&[u8]>,
    ) -> Result<Self, Error> {
        Ok(Self { dealer: Dealer::connect_named(hub, endpoint, BOUNDS, curve, name)? })
    }

    /// Sends one message of these frames; never blocks.
    ///
    /// # Errors
    /// [`SendError::Full`] as long as too much waits.
    pub fn send(&self, frames: &[&[u8]]) -> Result<(), SendError> {
        self.dealer.send_parts(frames)
    }

    /// The first frame of the next message; `None` if there is none within `timeout`.
    ///
    /// # Errors
    /// If libzmq fails.
    pub fn receive(&self, timeout: Duration) -> Result<Option<Vec<u8>>, Error> {
        if let Some(frame) = self.dealer.receive()? {
            return Ok(Some(frame.to_vec()));
        }
        wait([&self.dealer as &dyn Wait], None, Some(timeout))?;
        Ok(self.dealer.receive()?.map(|frame| frame.to_vec()))
    }
}

impl std::fmt::Debug for RawPeer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RawPeer")
    }
}
