use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use super::*;

type Entering = Pin<Box<dyn Future<Output = Result<Place, Failure>> + Send>>;

fn admission(slots: u32, budget: u64) -> Admission {
    Admission::new(slots, AdmissionOptions { memory_bytes: Some(budget), ..Default::default() })
}

fn enter(admission: &Admission, bytes: u64) -> Entering {
    let admission = admission.clone();
    Box::pin(async move { admission.enter(bytes, |_| {}).await })
}

async fn poll(entering: &mut Entering) -> Option<Place> {
    match poll_fn(|context| Poll::Ready(entering.as_mut().poll(context))).await {
        Poll::Ready(place) => Some(place.unwrap()),
        Poll::Pending => None,
    }
}

fn taken(admission: &Admission) -> (u32, u64) {
    let state = admission.shared.state();
    (state.running, state.granted_bytes)
}

#[tokio::test]
async fn memory_and_slots_are_granted_up_to_their_sums() {
    let admission = admission(2, 100);
    let first = poll(&mut enter(&admission, 60)).await.unwrap();
    let mut too_large = enter(&admission, 41);
    assert!(poll(&mut too_large).await.is_none(), "60 + 41 > 100");
    drop(first);
    let second = poll(&mut too_large).await.unwrap();
    let third = poll(&mut enter(&admission, 59)).await.unwrap();
    let mut no_slot = enter(&admission, 0);
    assert!(poll(&mut no_slot).await.is_none(), "both slots are taken");
    drop((second, third));
    drop(poll(&mut no_slot).await.unwrap());
    assert_eq!(taken(&admission), (0, 0));
}

#[tokio::test]
async fn a_large_one_is_not_overtaken() {
    let admission = admission(8, 100);
    let small = poll(&mut enter(&admission, 10)).await.unwrap();
    let mut large = enter(&admission, 95);
    assert!(poll(&mut large).await.is_none());
    let mut behind = enter(&admission, 10);
    assert!(poll(&mut behind).await.is_none(), "it would fit, and came later");
    drop(small);
    let large = poll(&mut large).await.unwrap();
    assert!(poll(&mut behind).await.is_none());
    drop(large);
    poll(&mut behind).await.unwrap();
}

#[tokio::test]
async fn one_that_is_larger_than_the_budget_runs_alone() {
    let admission = admission(8, 100);
    let small = poll(&mut enter(&admission, 1)).await.unwrap();
    let mut huge = enter(&admission, 1000);
    assert!(poll(&mut huge).await.is_none());
    drop(small);
    let huge = poll(&mut huge).await.unwrap();
    assert!(poll(&mut enter(&admission, 1)).await.is_none());
    drop(huge);
    assert_eq!(taken(&admission), (0, 0));
}

#[tokio::test]
async fn one_that_stops_waiting_lets_the_next_in() {
    let admission = admission(8, 100);
    let small = poll(&mut enter(&admission, 10)).await.unwrap();
    let mut large = enter(&admission, 100);
    assert!(poll(&mut large).await.is_none());
    let mut behind = enter(&admission, 10);
    assert!(poll(&mut behind).await.is_none());
    drop(large);
    poll(&mut behind).await.unwrap();
    // One that was let in and never looked gives its place back.
    let mut whole = enter(&admission, 100);
    assert!(poll(&mut whole).await.is_none());
    drop(small);
    drop(whole);
    assert_eq!(taken(&admission), (0, 0));
}

#[tokio::test]
async fn the_queue_is_bounded_in_length_and_in_time() {
    let options = AdmissionOptions {
        memory_bytes: Some(100),
        queue_max: 1,
        patience: Duration::from_millis(20),
    };
    let admission = Admission::new(1, options);
    let _place = poll(&mut enter(&admission, 64)).await.unwrap();
    let mut waits = enter(&admission, 64);
    assert!(poll(&mut waits).await.is_none());
    let full = enter(&admission, 64).await.err().unwrap();
    assert_eq!((full.kind, full.code.as_str()), (FailureKind::Host, "queue_full"));
    let late = waits.await.err().unwrap();
    assert_eq!((late.kind, late.code.as_str()), (FailureKind::Host, "queue_deadline"));
    for part in ["a slot and 64B of memory", "20ms", "1 of 1 slots", "64B of 100B", "[pool]"] {
        assert!(late.message.contains(part), "{part} is not in: {}", late.message);
    }
}
