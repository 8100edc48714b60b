//! Frames of the wire, both directions, workers' and clients'.
//!
//! Bytes: no frame does harm, and what is understood is the same after it was encoded again.
//! Values: what can be encoded is understood as the same.

use std::fmt::Debug;

use wfhost_transport::EncodeError;
use wfhost_transport::client::{Answer, Request};
use wfhost_transport::codec::{
    Framed, decode, decode_answer, decode_request, encode, encode_answer, encode_request,
};
use wfhost_transport::message::{FromWorker, ToWorker};

use crate::given::Given;
use crate::made::make;

/// The first byte says what the others are.
pub(crate) fn run(bytes: &[u8]) {
    let mut given = Given::new(bytes);
    match given.below(8) {
        0 => frame::<FromWorker>(given.rest()),
        1 => frame::<ToWorker>(given.rest()),
        2 => request_frame(given.rest()),
        3 => answer_frame(given.rest()),
        4 => made::<FromWorker>(&mut given),
        5 => made::<ToWorker>(&mut given),
        6 => {
            let id = given.number();
            if let Some(request) = make::<Request>(&mut given) {
                request_comes_back(id, &request);
            }
        }
        _ => {
            let id = given.number();
            if let Some(answer) = make::<Answer>(&mut given) {
                answer_comes_back(id, &answer);
            }
        }
    }
}

fn frame<M: Framed + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(message) = decode::<M>(bytes) {
        comes_back(&message);
    }
}

fn made<M: Framed + PartialEq + Debug>(given: &mut Given<'_>) {
    if let Some(message) = make::<M>(given) {
        comes_back(&message);
    }
}

fn request_frame(bytes: &[u8]) {
    let (id, request) = decode_request(bytes);
    if let Ok(request) = request {
        request_comes_back(id.expect("the header was read"), &request);
    }
}

fn answer_frame(bytes: &[u8]) {
    let (id, answer) = decode_answer(bytes);
    if let Ok(answer) = answer {
        answer_comes_back(id.expect("the header was read"), &answer);
    }
}

/// Whether there is a frame to look at. Too long is no fault: what was read had no names in it,
/// or was made longer than its kind may be.
fn sent(encoded: Result<(), EncodeError>) -> bool {
    match encoded {
        Ok(()) => true,
        Err(EncodeError::TooLarge { .. } | EncodeError::Shape(_)) => false,
        Err(error @ EncodeError::Value(_)) => panic!("a message has no form: {error:?}"),
    }
}

fn comes_back<M: Framed + PartialEq + Debug>(message: &M) {
    let mut frame = Vec::new();
    if sent(encode(message, &mut frame)) {
        let again = decode::<M>(&frame);
        assert!(matches!(&again, Ok(again) if again == message), "{message:?} became {again:?}");
    }
}

fn request_comes_back(id: u64, request: &Request) {
    let mut frame = Vec::new();
    if sent(encode_request(id, request, &mut frame)) {
        let (of, again) = decode_request(&frame);
        let same = of == Some(id) && matches!(&again, Ok(again) if again == request);
        assert!(same, "{id} {request:?} became {of:?} {again:?}");
    }
}

fn answer_comes_back(id: u64, answer: &Answer) {
    let mut frame = Vec::new();
    if sent(encode_answer(id, answer, &mut frame)) {
        let (of, again) = decode_answer(&frame);
        let same = of == Some(id) && matches!(&again, Ok(again) if again == answer);
        assert!(same, "{id} {answer:?} became {of:?} {again:?}");
    }
}
