//! Reads rooms again of which events may have been missed, and sends a snapshot to the sessions in them.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context;
use rollcall_protocol::{
    RoomId,
    event::{MAX_ENTRIES, Read},
    fanout::Envelope,
    server::ServerEvent,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::{sync::Notify, time::sleep};

use super::{
    encoded::EncodedEvent,
    hub::Hub,
    update::{RoomSnapshot, RoomUpdate},
};
use crate::app::{self, App};

/// How many rooms are read at the same time, so that the bridges do not overload the app when Redis comes back.
const CONCURRENCY: usize = 8;

/// Pause after a failure, in addition to the retries of the call itself.
const PAUSE: Duration = Duration::from_secs(1);

/// The rooms that need a resync.
#[derive(Default)]
pub(crate) struct ResyncQueue {
    queue: Mutex<Queue>,
    added: Notify,
}

/// When Redis comes back, all rooms wait at the same time, and every session of each may request a resync.
#[derive(Default)]
struct Queue {
    order: VecDeque<RoomId>,
    rooms: HashSet<RoomId>,
}

impl ResyncQueue {
    /// Requests a resync of rooms. A room that waits already is read once.
    pub(crate) fn request(&self, rooms: impl IntoIterator<Item = RoomId>) {
        let Queue { order, rooms: known } = &mut *self.queue();
        for room in rooms {
            if known.insert(room.clone()) {
                order.push_back(room);
                self.added.notify_one();
            }
        }
    }

    async fn next(&self) -> RoomId {
        loop {
            if let Some(room) = self.take() {
                // One notification wakes one worker only, so each worker wakes the next.
                self.added.notify_one();
                return room;
            }
            self.added.notified().await;
        }
    }

    fn take(&self) -> Option<RoomId> {
        let mut queue = self.queue();
        let room = queue.order.pop_front()?;
        queue.rooms.remove(&room);
        Some(room)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while it holds the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the rooms of the queue.
pub(crate) struct Resync {
    pub(crate) queue: Arc<ResyncQueue>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) app: Arc<App>,
}

impl Resync {
    /// Reads rooms until the future is dropped.
    pub(crate) async fn run(self) {
        let workers = std::iter::repeat_with(|| self.work()).take(CONCURRENCY);
        futures_util::future::join_all(workers).await;
    }

    async fn work(&self) {
        loop {
            let room = self.queue.next().await;
            if let Err(error) = self.read(&room).await {
                tracing::warn!(room_id = %room, error = format!("{error:#}"), "room.not_read");
                sleep(PAUSE).await;
                self.queue.request([room]);
            }
        }
    }

    async fn read(&self, room: &RoomId) -> anyhow::Result<()> {
        // The generation comes first: the snapshot includes every event of earlier generations.
        let Some((generation, entries)) = self.hub.entries(room) else { return Ok(()) };
        let mut gone = HashSet::new();
        let mut chunks = entries.chunks(MAX_ENTRIES);
        // A session that is about to join has no entry yet, and may miss events like the others.
        let mut entries = chunks.next().unwrap_or_default();
        let state = loop {
            let read = Read { room_id: room.clone(), entries: entries.to_vec() };
            let snapshot = self.app.deliver(&read, &app::new_event_id()).await?;
            gone.extend(snapshot.gone);
            match chunks.next() {
                Some(next) => entries = next,
                None => break snapshot.room,
            }
        };
        let state = state.map(state_event).transpose()?;
        let snapshot = RoomSnapshot { state, gone, generation };
        self.hub.broadcast(room, &RoomUpdate::Snapshot(Arc::new(snapshot)));
        Ok(())
    }
}

/// Wraps a room's state as the event `room:state`.
fn state_event(data: Box<RawValue>) -> anyhow::Result<EncodedEvent> {
    #[derive(Deserialize)]
    struct Position {
        epoch: u64,
        seq: u64,
    }

    let Position { epoch, seq } = serde_json::from_str(data.get()).context("a room's state")?;
    let event = ServerEvent::State.as_str().to_owned();
    Ok(EncodedEvent::new(Envelope {
        event,
        epoch,
        seq,
        except: None,
        only: None,
        document: None,
        closes: false,
        data,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_room_that_waits_is_read_once() {
        let queue = ResyncQueue::default();
        let rooms = ["a", "b", "a"].map(|id| id.parse::<RoomId>().unwrap());
        queue.request(rooms.clone());
        assert_eq!((queue.next().await, queue.next().await), (rooms[0].clone(), rooms[1].clone()));
        assert_eq!(queue.take(), None);
        queue.request([rooms[0].clone()]);
        assert_eq!(queue.next().await, rooms[0], "a later request counts again");
    }
}
