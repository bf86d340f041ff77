//! Reads rooms once more of which events may have been missed, and tells the sessions in them how things are.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context;
use rollcall_protocol::{
    RoomId,
    client::Ack,
    event::{BridgeEvent, MAX_SEATS, Read, Reading},
    fanout::Envelope,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::{sync::Notify, time::sleep};
use uuid::Uuid;

use crate::{
    gateway::Gateway,
    hub::{self, Delivery, Notice},
};

/// How many rooms are read at once, so that the app is not stormed by every bridge when Redis comes back.
const AT_ONCE: usize = 8;

/// How long to wait after a failure, on top of the patience of the calls themselves.
const PAUSE: Duration = Duration::from_secs(1);

/// The rooms that are to be read.
#[derive(Default)]
pub(crate) struct Rereads {
    waiting: Mutex<Waiting>,
    asked: Notify,
}

/// When Redis comes back, all rooms wait at once, and every session of each may ask for it.
#[derive(Default)]
struct Waiting {
    queue: VecDeque<RoomId>,
    rooms: HashSet<RoomId>,
}

impl Rereads {
    /// Asks for rooms to be read; one that waits already is read once.
    pub(crate) fn ask(&self, rooms: impl IntoIterator<Item = RoomId>) {
        let Waiting { queue, rooms: known } = &mut *self.waiting();
        for room in rooms {
            if known.insert(room.clone()) {
                queue.push_back(room);
                self.asked.notify_one();
            }
        }
    }

    async fn next(&self) -> RoomId {
        loop {
            if let Some(room) = self.take() {
                // A notification is kept for one waiter alone.
                self.asked.notify_one();
                return room;
            }
            self.asked.notified().await;
        }
    }

    fn take(&self) -> Option<RoomId> {
        let mut waiting = self.waiting();
        let room = waiting.queue.pop_front()?;
        waiting.rooms.remove(&room);
        Some(room)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it holds the lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads rooms until the process ends.
pub(crate) async fn run(gateway: Arc<Gateway>) {
    let readers = std::iter::repeat_with(|| read_on(&gateway)).take(AT_ONCE);
    futures_util::future::join_all(readers).await;
}

async fn read_on(gateway: &Gateway) {
    loop {
        let room = gateway.rereads.next().await;
        if let Err(error) = read(gateway, &room).await {
            tracing::warn!(room_id = %room, error = format!("{error:#}"), "room.not_read");
            sleep(PAUSE).await;
            gateway.rereads.ask([room]);
        }
    }
}

async fn read(gateway: &Gateway, room: &RoomId) -> anyhow::Result<()> {
    // Before anything is read, as what came over an earlier connection must be in it.
    let connection = gateway.hub.connection();
    let Some(seats) = gateway.hub.seats(room) else { return Ok(()) };
    let mut gone = HashSet::new();
    let mut chunks = seats.chunks(MAX_SEATS);
    // Whoever is about to enter has no seat, and may miss events like the others.
    let mut seats = chunks.next().unwrap_or_default();
    let state = loop {
        let event = BridgeEvent::Read(Read { room_id: room.clone(), seats: seats.to_vec() });
        let Ack(answer) = gateway.app.deliver::<Reading>(&event, &Uuid::now_v7().to_string()).await?;
        let reading = answer?;
        gone.extend(reading.gone);
        match chunks.next() {
            Some(next) => seats = next,
            None => break reading.room,
        }
    };
    let state = state.map(delivery).transpose()?;
    gateway.hub.publish(room, &Notice::Reading(Arc::new(hub::Reading { state, gone, connection })));
    Ok(())
}

fn delivery(data: Box<RawValue>) -> anyhow::Result<Delivery> {
    #[derive(Deserialize)]
    struct Position {
        epoch: u64,
        seq: u64,
    }

    let Position { epoch, seq } = serde_json::from_str(data.get()).context("a room's state")?;
    let event = "room:state".to_owned();
    Ok(Delivery::new(Envelope { event, epoch, seq, except: None, only: None, closes: false, data }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_room_that_waits_is_read_once() {
        let rereads = Rereads::default();
        let rooms = ["a", "b", "a"].map(|id| id.parse::<RoomId>().unwrap());
        rereads.ask(rooms.clone());
        assert_eq!((rereads.next().await, rereads.next().await), (rooms[0].clone(), rooms[1].clone()));
        assert_eq!(rereads.take(), None);
        rereads.ask([rooms[0].clone()]);
        assert_eq!(rereads.next().await, rooms[0], "and once more when it is asked for again");
    }
}
