//! Calls that arrive twice, three times, minutes late, or after newer calls of the same user.

use rollcall_protocol::ErrorCode;

use crate::fixture::{Fixture, MINUTE, member_ids};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Delivery {
    Join(&'static str),
    Leave(&'static str),
    Disconnect(&'static str),
}

use Delivery::{Disconnect, Join, Leave};

async fn deliver(room: &Fixture, delivery: Delivery) -> Option<Result<(), ErrorCode>> {
    match delivery {
        Join(entry) => return Some(room.join(entry).await.map(|_| ())),
        Leave(entry) => room.leave(entry).await,
        Disconnect(entry) => room.disconnect(entry).await,
    }
    None
}

/// Calls of Kim's bridge: Kim enters, loses the connection, comes back with another entry, and leaves.
const LIFE: [Delivery; 4] = [Join("kim/1"), Disconnect("kim/1"), Join("kim/2"), Leave("kim/2")];

#[tokio::test]
async fn each_event_delivered_three_times_in_a_row_has_one_effect() {
    let mut room = Fixture::start().await;
    room.join("ben/1").await.unwrap();
    room.events().await;
    for delivery in LIFE {
        for _ in 0..3 {
            deliver(&room, delivery).await;
        }
    }
    let names = room.event_names().await;
    let [entered, lost, back, left] = names.as_slice() else { panic!("{names:?}") };
    assert_eq!([entered, left], ["room:participantsChanged"; 2]);
    assert_eq!([lost, back], ["room:participantReconnecting", "room:participantReconnected"]);
}

/// After each call, copies of all calls so far, in every order.
#[tokio::test]
async fn copies_of_older_events_change_nothing_in_whatever_order_they_come() {
    for now in 1..=LIFE.len() {
        for order in permutations(&LIFE[..now]) {
            let mut room = Fixture::start().await;
            room.join("ben/1").await.unwrap();
            for delivery in &LIFE[..now] {
                deliver(&room, *delivery).await;
            }
            // The entry of the last call is current; a copy of a current join gets the ack of the first.
            let before = member_ids(&room.join("ben/1").await.unwrap());
            room.events().await;
            for delivery in order {
                let answer = deliver(&room, delivery).await;
                let is_current = delivery == LIFE[now - 1];
                assert!(answer.is_none_or(
                    |answer| answer == if is_current { Ok(()) } else { Err(ErrorCode::EntryClosed) }
                ));
            }
            assert_eq!(room.event_names().await, [""; 0]);
            assert_eq!(member_ids(&room.join("ben/1").await.unwrap()), before);
        }
    }
}

#[tokio::test]
async fn nine_minutes_later_copies_still_change_nothing() {
    let mut room = Fixture::start().await;
    room.join("ben/1").await.unwrap();
    for delivery in LIFE {
        deliver(&room, delivery).await;
    }
    room.events().await;
    room.at(9 * MINUTE);
    for delivery in LIFE {
        deliver(&room, delivery).await;
    }
    assert_eq!(room.event_names().await, [""; 0]);
}

#[tokio::test]
async fn an_event_that_overtakes_its_own_join_keeps_the_ghost_out() {
    for overtaking in [Leave("kim/1"), Disconnect("kim/1")] {
        let mut room = Fixture::start().await;
        room.join("ben/1").await.unwrap();
        room.events().await;
        deliver(&room, overtaking).await;
        assert_eq!(room.join("kim/1").await.unwrap_err(), ErrorCode::EntryClosed);
        assert_eq!(room.event_names().await, [""; 0]);
        room.join("kim/2").await.unwrap();
    }
}

fn permutations(deliveries: &[Delivery]) -> Vec<Vec<Delivery>> {
    let [first, rest @ ..] = deliveries else { return vec![Vec::new()] };
    let mut all = Vec::new();
    for shorter in permutations(rest) {
        for place in 0..=shorter.len() {
            let mut longer = shorter.clone();
            longer.insert(place, *first);
            all.push(longer);
        }
    }
    all
}
