//! What placement promises to many workflows at few workers, over thousands of histories.

use wfhost_simulator::{shares, simulate_crowd};

/// Histories of 1,500 attempts.
const HISTORIES: u64 = 300;

#[test]
fn nothing_starves_and_no_slot_is_idle_beside_what_could_use_it() {
    let (mut assigned, mut waiting_max, mut passed_max) = (0, 0, 0);
    for seed in 0..HISTORIES {
        let history =
            simulate_crowd(seed).unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
        assigned += history.assigned;
        waiting_max = waiting_max.max(history.waiting_max);
        passed_max = passed_max.max(history.passed_max);
    }
    #[expect(clippy::print_stdout, reason = "what was covered is for people")]
    {
        println!("{assigned} assigned, at most {waiting_max} waited, passed by {passed_max} times");
    }
    assert!(waiting_max > 100, "a crowd of {waiting_max} shows little");
    assert!(passed_max > 50, "nothing was ever passed by");
}

#[test]
fn workflows_with_more_than_enough_to_do_get_equal_shares_of_the_slots() {
    for lengths in [vec![10, 10, 10], vec![10, 1000], vec![1, 50, 400]] {
        let busy = shares(&lengths, 12, 20_000);
        let (least, most) = (busy.iter().min(), busy.iter().max());
        let (least, most) = (least.copied().unwrap_or(0), most.copied().unwrap_or(0));
        assert!(least * 10 >= most * 9, "{lengths:?}: {busy:?}");
    }
}
