//! Lost connections that the app is to be told of. However long it takes: as long as this bridge lives, its lease keeps
//! their members present.
//!
//! One call at a time tells of all that wait, so a connection that is lost alone is told of at once, and what is lost
//! meanwhile goes together.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBuilder};
use rollcall_protocol::{
    EventId, Refusal,
    batch::MAX_BATCH_EVENTS,
    client::{Ack, Done},
    event::{BridgeEvent, Membership},
    id::InvalidId,
};
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};
use uuid::Uuid;

use crate::{
    app::{App, Unanswered},
    telemetry::{
        metrics::{self, WaitingDisconnect},
        trace::Origin,
    },
};

/// While so many wait, nobody enters a room through this bridge: it would promise to tell of their losses, too. Beside
/// these, each socket that was there already can lose what it holds and what it was about to enter.
const MAX_WAITING: usize = 10_000;

/// A connection that was lost.
pub(crate) struct Loss {
    pub(crate) id: EventId,
    pub(crate) event: BridgeEvent,
    /// What it was lost in.
    pub(crate) origin: Origin,
    is_withdrawn: Arc<AtomicBool>,
    /// Whether it is told of in a call of its own, because a call with others was refused.
    is_alone: bool,
    _waiting: WaitingDisconnect,
}

/// A loss that was reported.
pub(crate) struct Report(Arc<AtomicBool>);

impl Report {
    /// The app knows by another way.
    pub(crate) fn withdraw(self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The losses that the app has not been told of.
pub(crate) struct Losses {
    waiting: Mutex<VecDeque<Loss>>,
    /// How many there are, with those that a call is telling of.
    untold: watch::Sender<usize>,
    reported: Notify,
}

impl Default for Losses {
    fn default() -> Self {
        Self { waiting: Mutex::default(), untold: watch::Sender::new(0), reported: Notify::new() }
    }
}

impl Losses {
    /// Sees to it that the app is told that the connection behind a membership is lost.
    pub(crate) fn report(&self, membership: Membership) -> Result<Report, InvalidId> {
        let is_withdrawn = Arc::new(AtomicBool::new(false));
        let loss = Loss {
            id: EventId::new(Uuid::now_v7().to_string())?,
            event: BridgeEvent::Disconnect(membership),
            origin: Origin::here(),
            is_withdrawn: Arc::clone(&is_withdrawn),
            is_alone: false,
            _waiting: metrics::disconnect_waiting(),
        };
        self.untold.send_modify(|untold| *untold += 1);
        self.waiting().push_back(loss);
        self.reported.notify_one();
        Ok(Report(is_withdrawn))
    }

    /// Whether so many wait that there should be no more.
    pub(crate) fn are_too_many(&self) -> bool {
        *self.untold.borrow() >= MAX_WAITING
    }

    /// How many the app has not been told of.
    pub(crate) fn untold(&self) -> usize {
        *self.untold.borrow()
    }

    /// Waits until the app has been told of all.
    pub(crate) async fn all_told(&self) {
        // The sender lives as long as this.
        let _ = self.untold.subscribe().wait_for(|&untold| untold == 0).await;
    }

    /// Waits for losses, and takes as many as one call may tell of.
    async fn next(&self) -> Vec<Loss> {
        loop {
            let taken = self.take();
            if !taken.is_empty() {
                return taken;
            }
            self.reported.notified().await;
        }
    }

    fn take(&self) -> Vec<Loss> {
        let mut waiting = self.waiting();
        let mut taken: Vec<Loss> = Vec::new();
        while taken.len() < MAX_BATCH_EVENTS
            && let Some(loss) = waiting.pop_front()
        {
            if loss.is_withdrawn.load(Ordering::Relaxed) {
                self.settled(1);
            } else if loss.is_alone && !taken.is_empty() {
                waiting.push_front(loss);
                break;
            } else {
                let is_alone = loss.is_alone;
                taken.push(loss);
                if is_alone {
                    break;
                }
            }
        }
        taken
    }

    /// Lets those wait again that the app has not been told of, behind the others.
    fn put_back(&self, losses: impl IntoIterator<Item = Loss>) {
        self.waiting().extend(losses);
    }

    fn settled(&self, count: usize) {
        self.untold.send_modify(|untold| *untold -= count);
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Loss>> {
        // Nothing panics while it holds the lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the app of losses until the process ends.
pub(crate) async fn run(losses: Arc<Losses>, app: Arc<App>) {
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(2))
        .without_max_times()
        .with_jitter();
    let mut next_pauses = pauses.build();
    loop {
        let taken = losses.next().await;
        let all = taken.len();
        let left = tell(&app, taken).await;
        let is_progress = left.len() < all;
        losses.settled(all - left.len());
        losses.put_back(left);
        if is_progress {
            next_pauses = pauses.build();
        } else {
            sleep(next_pauses.next().unwrap_or_default()).await;
        }
    }
}

/// Tells the app of losses once. Returns those that it is to be told of again.
async fn tell(app: &App, losses: Vec<Loss>) -> Vec<Loss> {
    match app.tell_of(&losses).await {
        Ok(Ack(Ok(told))) => {
            let mut acks: HashMap<EventId, Ack<Done>> =
                told.outcomes.into_iter().map(|outcome| (outcome.id, outcome.ack)).collect();
            losses.into_iter().filter(|loss| !is_told(loss, acks.remove(&loss.id))).collect()
        }
        // The app takes no batches, or there is one among them that spoils it for the others.
        Ok(Ack(Err(refusal))) => {
            tracing::error!(losses = losses.len(), %refusal, "disconnects.refused");
            losses.into_iter().map(|loss| Loss { is_alone: true, ..loss }).collect()
        }
        // Logged where it happened.
        Err(Unanswered::Overloaded | Unanswered::Away | Unanswered::Unknown) => losses,
    }
}

/// Whether the app is told, by its answer. Without one, there was no place in the call.
fn is_told(loss: &Loss, ack: Option<Ack<Done>>) -> bool {
    let Some(Ack(outcome)) = ack else { return false };
    let (request_id, code) = (loss.id.as_str(), outcome.err().map(|Refusal { code, .. }| code));
    match code {
        Some(code) if code.may_retry() => {
            tracing::warn!(request_id, %code, "disconnect.delayed");
            false
        }
        code => {
            tracing::debug!(request_id, code = code.map(|code| code.as_str()), "disconnect.delivered");
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn membership(user: usize) -> Membership {
        Membership {
            room_id: "r".parse().unwrap(),
            user_id: format!("user-{user}").parse().unwrap(),
            entry_id: "entry".parse().unwrap(),
        }
    }

    fn with(count: usize) -> (Losses, Vec<Report>) {
        let losses = Losses::default();
        let reports = (0..count).map(|user| losses.report(membership(user)).unwrap()).collect();
        (losses, reports)
    }

    #[test]
    fn a_call_takes_all_that_wait_up_to_its_bound_and_those_who_came_first() {
        let (losses, _reports) = with(MAX_BATCH_EVENTS + 1);
        let first = losses.take();
        assert_eq!(first.len(), MAX_BATCH_EVENTS);
        assert_eq!(first[0].event, BridgeEvent::Disconnect(membership(0)));
        assert_eq!(losses.take().len(), 1);
        assert!(losses.take().is_empty());
        assert_eq!(losses.untold(), MAX_BATCH_EVENTS + 1, "taken is not told");
    }

    #[test]
    fn what_was_withdrawn_is_not_told() {
        let (losses, mut reports) = with(2);
        reports.remove(0).withdraw();
        let taken = losses.take();
        assert_eq!((taken.len(), losses.untold()), (1, 1));
    }

    #[test]
    fn what_spoils_a_batch_is_told_alone() {
        let (losses, _reports) = with(3);
        let taken = losses.take().into_iter().map(|loss| Loss { is_alone: true, ..loss });
        losses.put_back(taken);
        losses.report(membership(3)).unwrap();
        assert_eq!([(); 4].map(|()| losses.take().len()), [1, 1, 1, 1]);
    }

    #[tokio::test]
    async fn all_is_told_when_nothing_waits_any_more() {
        let (losses, _reports) = with(1);
        let taken = losses.next().await;
        assert!(futures_util::FutureExt::now_or_never(losses.all_told()).is_none());
        losses.settled(taken.len());
        losses.all_told().await;
    }
}
