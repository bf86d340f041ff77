//! Decides when the events of one kind are sent, and which of them go together.
//!
//! An event that finds no call of its kind under way is sent at once, alone. Further events wait until a call of the
//! kind ends, or until they fill a call, but no longer than [`LONGEST_WAIT`]. So nothing waits for a batch to fill, and
//! the more there is to do, the less each event costs.

use std::time::Duration;

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    concurrency::{ConcurrencyLimit, Lane},
    queue::{EventQueue, QueuedEvent},
};

/// How long an event waits for the end of a call, which may hang. Calls usually take less.
const LONGEST_WAIT: Duration = Duration::from_millis(10);

/// Sends the events of a queue until the future is dropped. `send` makes one call.
pub(super) async fn run<S, F>(queue: &EventQueue, concurrency: &ConcurrencyLimit, send: S)
where
    S: Fn(Vec<QueuedEvent>) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut calls = JoinSet::new();
    loop {
        wait_until_due(queue, &mut calls).await;
        // Events that are added meanwhile go along.
        let permit = concurrency.acquire(Lane::of(queue.kind)).await;
        let events = queue.take();
        // Nothing is left if the callers have given up.
        if !events.is_empty() {
            let call = send(events);
            calls.spawn(async move {
                call.await;
                drop(permit);
            });
        }
    }
}

/// Waits until events should be sent.
async fn wait_until_due(queue: &EventQueue, calls: &mut JoinSet<()>) {
    loop {
        while calls.try_join_next().is_some() {}
        let Some(since) = queue.waiting_since() else {
            queue.added().await;
            continue;
        };
        if calls.is_empty() || queue.fills_call() || since + LONGEST_WAIT <= Instant::now() {
            return;
        }
        tokio::select! {
            _ = calls.join_next() => return,
            () = sleep_until(since + LONGEST_WAIT) => return,
            // The events may fill a call now.
            () = queue.added() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rollcall_protocol::{
        EventJson,
        event::{EventKind, Leave, Membership},
    };
    use serde_json::value::to_raw_value;
    use tokio::{
        sync::{mpsc, oneshot},
        task::{JoinHandle, yield_now},
    };

    use super::{
        super::{
            concurrency::EXEMPT_CALLS,
            error::AttemptError,
            queue::{ALONE_TIME, MAX_EVENTS, Outcome},
        },
        *,
    };

    const WAIT_LIMIT: Duration = Duration::from_secs(1);

    /// A call that is under way until it is dropped.
    struct Call {
        events: Vec<QueuedEvent>,
        _end: oneshot::Sender<()>,
    }

    impl Call {
        fn ids(&self) -> Vec<&str> {
            self.events.iter().map(|event| event.id.as_str()).collect()
        }

        /// Answers each event with its id.
        fn answer(self) {
            for event in self.events {
                let id = to_raw_value(&event.id).unwrap();
                event.finish(Ok(id));
            }
        }
    }

    struct Fixture {
        queue: Arc<EventQueue>,
        calls: mpsc::UnboundedReceiver<Call>,
        began: Instant,
    }

    impl Fixture {
        fn with_permits(permits: usize) -> Self {
            let queue = Arc::new(EventQueue::new(EventKind::Leave));
            let (begun, calls) = mpsc::unbounded_channel();
            let send = move |events| {
                let (end, ended) = oneshot::channel();
                begun.send(Call { events, _end: end }).ok().unwrap();
                async move { drop(ended.await) }
            };
            let dispatched = Arc::clone(&queue);
            tokio::spawn(async move {
                let concurrency = ConcurrencyLimit::new(permits + EXEMPT_CALLS, 1);
                run(&dispatched, &concurrency, send).await;
            });
            Self { queue, calls, began: Instant::now() }
        }

        /// Sends events, one after the other.
        async fn send(&self, ids: impl IntoIterator<Item = impl ToString>) -> Vec<JoinHandle<Outcome>> {
            let mut sent = Vec::new();
            for id in ids {
                let (queue, id) = (Arc::clone(&self.queue), id.to_string());
                sent.push(tokio::spawn(async move { queue.send(&id, leave(), WAIT_LIMIT).await }));
                yield_now().await;
            }
            sent
        }

        async fn call(&mut self) -> Call {
            self.calls.recv().await.unwrap()
        }

        async fn no_call(&mut self) {
            for _ in 0..10 {
                yield_now().await;
            }
            assert!(self.calls.try_recv().is_err());
        }
    }

    fn leave() -> Arc<EventJson> {
        let id = || "x".parse().unwrap();
        let membership =
            Membership { room_id: "r".parse().unwrap(), user_id: "u".parse().unwrap(), entry_id: id() };
        Arc::new(EventJson::new(&Leave(membership)).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_that_finds_no_call_under_way_goes_at_once_and_alone() {
        let mut fixture = Fixture::with_permits(9);
        for id in ["a", "b"] {
            let sent = fixture.send([id]).await;
            let call = fixture.call().await;
            assert_eq!(call.ids(), [id]);
            call.answer();
            for outcome in sent {
                assert_eq!(outcome.await.unwrap().unwrap().get(), format!("\"{id}\""));
            }
        }
        assert_eq!(fixture.began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_come_during_a_call_go_together_when_it_ends() {
        let mut fixture = Fixture::with_permits(9);
        fixture.send(["a"]).await;
        let first = fixture.call().await;
        fixture.send(["b", "c", "d"]).await;
        fixture.no_call().await;
        drop(first);
        assert_eq!(fixture.call().await.ids(), ["b", "c", "d"]);
        assert_eq!(fixture.began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_holds_others_back_for_a_moment_only() {
        let mut fixture = Fixture::with_permits(9);
        fixture.send(["a"]).await;
        let _hangs = fixture.call().await;
        fixture.send(["b", "c"]).await;
        assert_eq!(fixture.call().await.ids(), ["b", "c"]);
        assert_eq!(fixture.began.elapsed(), LONGEST_WAIT);
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_fill_a_call_do_not_wait() {
        let mut fixture = Fixture::with_permits(9);
        fixture.send(["a"]).await;
        let _under_way = fixture.call().await;
        fixture.send(0..=MAX_EVENTS).await;
        let call = fixture.call().await;
        assert_eq!((call.events.len(), call.events[0].id.as_str()), (MAX_EVENTS, "0"));
        fixture.no_call().await;
        assert_eq!(fixture.began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_wait_for_a_permit_share_the_next_call() {
        let mut fixture = Fixture::with_permits(2);
        fixture.send(["a"]).await;
        let (first, _second) = (fixture.call().await, {
            fixture.send(["b"]).await;
            fixture.call().await
        });
        fixture.send(["c"]).await;
        tokio::time::sleep(2 * LONGEST_WAIT).await;
        fixture.send(["d"]).await;
        fixture.no_call().await;
        drop(first);
        assert_eq!(fixture.call().await.ids(), ["c", "d"]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_that_is_in_no_call_in_time_is_taken_back() {
        let mut fixture = Fixture::with_permits(1);
        fixture.send(["a"]).await;
        let first = fixture.call().await;
        let mut sent = fixture.send(["b"]).await;
        let error = sent.remove(0).await.unwrap().unwrap_err();
        assert!(matches!(*error, AttemptError::Overloaded));
        assert_eq!(fixture.began.elapsed(), WAIT_LIMIT);
        fixture.send(["c"]).await;
        drop(first);
        assert_eq!(fixture.call().await.ids(), ["c"]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_in_a_call_has_the_time_of_the_call() {
        let mut fixture = Fixture::with_permits(1);
        let mut sent = fixture.send(["a"]).await;
        let call = fixture.call().await;
        tokio::time::sleep(2 * WAIT_LIMIT).await;
        call.answer();
        assert!(sent.remove(0).await.unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_whose_caller_gives_up_is_not_sent_and_the_others_are() {
        let mut fixture = Fixture::with_permits(9);
        fixture.send(["a"]).await;
        let first = fixture.call().await;
        let sent = fixture.send(["b", "c", "d"]).await;
        sent[1].abort();
        fixture.no_call().await;
        drop(first);
        assert_eq!(fixture.call().await.ids(), ["b", "d"]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_whose_caller_gives_up_during_a_call_harms_no_other() {
        let mut fixture = Fixture::with_permits(9);
        fixture.send(["a"]).await;
        let first = fixture.call().await;
        let mut sent = fixture.send(["b", "c"]).await;
        drop(first);
        let call = fixture.call().await;
        assert_eq!(call.ids(), ["b", "c"]);
        sent[0].abort();
        fixture.no_call().await;
        call.answer();
        assert_eq!(sent.remove(1).await.unwrap().unwrap().get(), "\"c\"");
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_are_put_back_go_first_and_in_their_order() {
        let mut fixture = Fixture::with_permits(9);
        fixture.send(["a"]).await;
        let mut call = fixture.call().await;
        fixture.send(["b"]).await;
        drop(call);
        call = fixture.call().await;
        fixture.send(["c", "d"]).await;
        drop(std::mem::replace(&mut call, fixture.call().await));
        fixture.send(["e"]).await;
        fixture.queue.put_back(std::mem::take(&mut call.events));
        drop(call);
        assert_eq!(fixture.call().await.ids(), ["c", "d", "e"]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_refused_batch_events_go_alone_for_a_while() {
        let mut fixture = Fixture::with_permits(9);
        fixture.queue.stop_batches();
        fixture.send(["a", "b", "c"]).await;
        let calls = [fixture.call().await, fixture.call().await, fixture.call().await];
        assert_eq!(calls.iter().flat_map(Call::ids).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(fixture.began.elapsed(), Duration::ZERO);
        tokio::time::sleep(ALONE_TIME).await;
        fixture.send(["d", "e"]).await;
        assert_eq!(fixture.call().await.ids(), ["d", "e"]);
    }
}
