//! A small simulation: the counts of replies, of the attendance and of Redis agree at the end. What it measures on a busy
//! machine, with programs that are not optimised, says nothing.

use rollcall_load::simulate::{Options, simulate};

#[tokio::test(flavor = "multi_thread")]
async fn every_member_leaves_or_is_put_out_and_nothing_is_left_behind() {
    let options = Options { members: 400, nodes: 2, shards: Some(2), bridges: Some(2), seed: None };
    let outcome = simulate(&options, 7).await.unwrap();
    for check in outcome.checks() {
        assert!(check.passed, "{}: {}", check.name, check.found);
    }

    let counts = outcome.counts;
    assert!(counts.entered >= 400, "{counts:?}");
    let kinds = [
        ("recovered", counts.recovered),
        ("left", counts.left),
        ("lost", counts.lost),
        ("lost with the killed bridge", counts.lost_with_bridge),
        ("gone after the grace period", counts.stays.grace_expired),
        ("put out at the end", counts.stays.ended),
    ];
    for (kind, count) in kinds {
        assert!(count > 0, "{kind}: {counts:?}");
    }
    let (reminders, ends) = outcome.count_timed();
    assert!(reminders > 0 && ends > 0, "bridges hear of them");
}
