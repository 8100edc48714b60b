//! A worker's end: one dealer.
//!
//! A connection that is lost is made again by libzmq; one that is silent is given up by its worker,
//! with [`WorkerLink::reconnect`].

use std::time::Duration;

use crate::codec::{self, DecodeError, WORKER_FRAME_BYTES_MAX};
use crate::message::{FromWorker, ToWorker};
use crate::socket::{Bounds, Curve, Dealer, Wait, wait};
use crate::waker::Bell;
use crate::{Endpoint, Error, Hub, SendError, Waker, has_curve};

const BOUNDS: Bounds =
    Bounds { send_queue: 1024, receive_queue: 4096, frame_bytes_max: WORKER_FRAME_BYTES_MAX };

/// Per `poll`, so that results are sent while messages arrive.
const EVENTS_MAX: usize = 256;

/// What a [`WorkerLink`] has received.
#[derive(Debug)]
pub enum WorkerEvent {
    /// The coordinator said something.
    Message(ToWorker),
    /// The coordinator sent what is no message for this program.
    BadMessage(DecodeError),
    /// Somebody called [`Waker::wake`].
    Woken,
}

/// Where a worker's coordinator is.
#[derive(Debug, Clone)]
pub struct Coordinator {
    /// Its address.
    pub endpoint: Endpoint,
    /// Over the network: the keys of both ends. Without them nothing is encrypted.
    pub curve: Option<Curve>,
}

impl Coordinator {
    /// On this machine.
    #[must_use]
    pub const fn local(endpoint: Endpoint) -> Self {
        Self { endpoint, curve: None }
    }
}

/// A worker's link to its coordinator; lives on the worker's thread.
pub struct WorkerLink {
    dealer: Dealer,
    bell: Bell,
    frame: Vec<u8>,
    hub: Hub,
    coordinator: Coordinator,
}

impl WorkerLink {
    /// Connects. Returns at once, also if nobody listens yet: what is sent waits.
    ///
    /// # Errors
    /// If the address is not one.
    pub fn connect(hub: &Hub, coordinator: Coordinator) -> Result<(Self, Waker), Error> {
        let Coordinator { endpoint, curve } = &coordinator;
        if curve.is_some() && !has_curve() {
            return Err(Error::NoCurve { endpoint: endpoint.to_string() });
        }
        if curve.is_none() && !endpoint.is_loopback() {
            return Err(Error::Insecure { endpoint: endpoint.to_string() });
        }
        let (bell, waker) = Bell::new()?;
        let dealer = Dealer::connect(hub, endpoint, BOUNDS, curve.as_ref())?;
        Ok((Self { dealer, bell, frame: Vec::new(), hub: hub.clone(), coordinator }, waker))
    }

    /// Gives the connection up, with what waits on it, and makes another one: the cable may be
    /// cut without either end having been told.
    ///
    /// # Errors
    /// If libzmq refuses another socket.
    pub fn reconnect(&mut self) -> Result<(), Error> {
        let Coordinator { endpoint, curve } = &self.coordinator;
        self.dealer = Dealer::connect(&self.hub, endpoint, BOUNDS, curve.as_ref())?;
        Ok(())
    }

    /// Where the coordinator is.
    #[must_use]
    pub const fn coordinator(&self) -> &Coordinator {
        &self.coordinator
    }

    /// Makes `poll` return, from any thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.bell.waker()
    }

    /// Whether the coordinator is in this process: then its silence is no cut cable.
    #[must_use]
    pub const fn is_inproc(&self) -> bool {
        self.coordinator.endpoint.is_inproc()
    }

    /// Adds what is there to `events`; if there is nothing, waits until there is, at most
    /// `timeout` (`None`: for ever). May return early with nothing. Bounded per call.
    ///
    /// # Errors
    /// Only if the operating system or libzmq refuses what should work: the link is then useless.
    pub fn poll(
        &mut self,
        timeout: Option<Duration>,
        events: &mut Vec<WorkerEvent>,
    ) -> Result<(), Error> {
        let before = events.len();
        self.drain(events)?;
        if events.len() > before || timeout == Some(Duration::ZERO) {
            return Ok(());
        }
        if self.bell.before_wait() {
            let sockets = [&self.dealer as &dyn Wait];
            let rung = wait(sockets, Some(self.bell.descriptor()), timeout);
            self.bell.after_wait(matches!(rung, Ok(true)));
            rung?;
        }
        self.drain(events)
    }

    /// Sends to the coordinator; never blocks.
    ///
    /// # Errors
    /// [`SendError::Full`] if the coordinator does not read, or if it is in this process and gone:
    /// try again, or give up after a while.
    pub fn send(&mut self, message: &FromWorker) -> Result<(), SendError> {
        codec::encode(message, &mut self.frame)?;
        self.dealer.send(&mut self.frame)
    }

    fn drain(&mut self, events: &mut Vec<WorkerEvent>) -> Result<(), Error> {
        for _ in 0..EVENTS_MAX {
            let Some(frame) = self.dealer.receive()? else { break };
            let message = if frame.alone { codec::decode(&frame) } else { Err(DecodeError::Parts) };
            events.push(match message {
                Ok(message) => WorkerEvent::Message(message),
                Err(error) => WorkerEvent::BadMessage(error),
            });
        }
        if self.bell.take() {
            events.push(WorkerEvent::Woken);
        }
        Ok(())
    }
}

impl std::fmt::Debug for WorkerLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerLink").field("coordinator", &self.coordinator).finish_non_exhaustive()
    }
}
