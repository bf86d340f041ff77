//! The outgoing queue of one client.
//!
//! A queue takes every message. The task that fills a queue first checks whether the queue is full, and waits until it is
//! not: so no burst closes a client only because the task that writes has had no turn yet. A client whose queue stays full
//! for too long is too slow.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

/// How much may wait for one client.
#[derive(Debug, Clone, Copy)]
pub struct QueueLimits {
    /// From this many bytes on, the queue is full.
    pub max_bytes: usize,
    /// How long the oldest message may wait in a full queue.
    pub max_age: Duration,
}

/// The client's queue was full for too long, because the client does not read fast enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSlow;

/// A message to a client.
#[derive(Debug)]
pub struct Outgoing {
    /// The frame. Clients that get the same message share its bytes.
    pub frame: Message,
    /// When the event in the message arrived, for messages whose way is measured.
    pub received_at: Option<std::time::Instant>,
}

impl From<Message> for Outgoing {
    fn from(frame: Message) -> Self {
        Self { frame, received_at: None }
    }
}

/// The outgoing queue of one client.
#[derive(Debug)]
pub struct Queue {
    limits: QueueLimits,
    state: Mutex<State>,
    /// Notified when the queue is no longer full.
    has_capacity: Notify,
    /// Cancelled when nothing more is taken; what waits is still written.
    closed: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<(Instant, Outgoing)>,
    bytes: usize,
    /// Wakes the task that writes.
    writer: Option<Waker>,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            state: Mutex::default(),
            has_capacity: Notify::new(),
            closed: CancellationToken::new(),
        }
    }

    /// Adds a message, even if the queue is full. Returns how many messages waited already. A closed queue takes nothing.
    pub fn push(&self, message: Outgoing) -> usize {
        let mut state = self.state();
        let depth = state.messages.len();
        if !self.is_closed() {
            state.bytes += size(&message);
            state.messages.push_back((Instant::now(), message));
            state.wake_writer();
        }
        depth
    }

    /// Whether the task that fills the queue has to wait.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.state().bytes >= self.limits.max_bytes
    }

    /// Waits until the queue is not full.
    ///
    /// # Errors
    ///
    /// [`TooSlow`] if the oldest message has waited too long.
    pub async fn wait_for_capacity(&self) -> Result<(), TooSlow> {
        loop {
            let has_capacity = self.has_capacity.notified();
            let Some(oldest) = self.full_since() else { return Ok(()) };
            let limit = oldest + self.limits.max_age;
            if limit <= Instant::now() {
                return Err(TooSlow);
            }
            tokio::select! {
                () = has_capacity => {}
                () = sleep_until(limit) => {}
            }
        }
    }

    /// When the oldest message of a full queue came.
    fn full_since(&self) -> Option<Instant> {
        let state = self.state();
        let is_full = state.bytes >= self.limits.max_bytes;
        state.messages.front().filter(|_| is_full).map(|(since, _)| *since)
    }

    /// Takes the next message. `None` means that the queue is closed and empty. One task at a time may wait.
    pub fn poll_pop(&self, cx: &mut Context<'_>) -> Poll<Option<Outgoing>> {
        let mut state = self.state();
        match state.messages.pop_front() {
            Some((_, message)) => {
                let was_full = state.bytes >= self.limits.max_bytes;
                state.bytes -= size(&message);
                if was_full && state.bytes < self.limits.max_bytes {
                    self.has_capacity.notify_waiters();
                }
                if state.messages.is_empty() {
                    // A queue that was long once would keep its memory.
                    state.messages.shrink_to(KEPT_PLACES);
                }
                Poll::Ready(Some(message))
            }
            None if self.is_closed() => Poll::Ready(None),
            None => {
                state.await_by(cx.waker());
                Poll::Pending
            }
        }
    }

    /// Takes nothing more. What waits is still written.
    pub fn close(&self) {
        let mut state = self.state();
        self.closed.cancel();
        state.wake_writer();
    }

    /// Waits until the queue is closed.
    pub async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// Waits until the queue is closed and the client has had time to take the rest.
    pub async fn close_deadline(&self) {
        self.closed().await;
        sleep(LAST_MESSAGES_LIMIT).await;
    }

    fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// Drops what waits.
    pub fn clear(&self) {
        let mut state = self.state();
        (state.messages, state.bytes) = (VecDeque::new(), 0);
        drop(state);
        self.has_capacity.notify_waiters();
    }

    /// Wakes the task that waits for the next message, because another state that the task checks has changed.
    pub fn wake_writer(&self) {
        self.state().wake_writer();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a client may take for the rest after its queue was closed.
const LAST_MESSAGES_LIMIT: Duration = Duration::from_secs(5);

/// Places that an empty queue keeps.
const KEPT_PLACES: usize = 4;

impl State {
    fn wake_writer(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }

    fn await_by(&mut self, waker: &Waker) {
        match &mut self.writer {
            Some(writer) if writer.will_wake(waker) => {}
            writer => *writer = Some(waker.clone()),
        }
    }
}

fn size(message: &Outgoing) -> usize {
    message.frame.len() + size_of::<(Instant, Outgoing)>()
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::FutureExt;

    use super::*;

    const LIMITS: QueueLimits = QueueLimits { max_bytes: 1_000, max_age: Duration::from_secs(10) };

    fn text(text: &str) -> Outgoing {
        Message::text(text).into()
    }

    async fn pop(queue: &Queue) -> Option<Outgoing> {
        poll_fn(|cx| queue.poll_pop(cx)).await
    }

    fn popped(queue: &Queue) -> Option<String> {
        let message = pop(queue).now_or_never().flatten()?;
        Some(message.frame.into_text().unwrap().to_string())
    }

    #[tokio::test]
    async fn messages_come_out_in_order() {
        let queue = Queue::new(LIMITS);
        assert_eq!(queue.push(text("a")), 0);
        assert_eq!(queue.push(text("b")), 1);
        assert_eq!((popped(&queue).unwrap(), popped(&queue).unwrap()), ("a".into(), "b".into()));
        assert!(pop(&queue).now_or_never().is_none(), "it waits");
    }

    #[tokio::test]
    async fn a_closed_queue_is_emptied_and_takes_nothing_more() {
        let queue = Queue::new(LIMITS);
        queue.push(text("a"));
        queue.close();
        queue.push(text("b"));
        assert_eq!(popped(&queue).as_deref(), Some("a"));
        assert!(pop(&queue).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_that_fills_a_queue_waits_until_the_queue_has_capacity() {
        let queue = Queue::new(LIMITS);
        queue.wait_for_capacity().await.unwrap();
        queue.push(text(&"x".repeat(1_000)));
        assert!(queue.is_full());
        let (waited, ()) = tokio::join!(queue.wait_for_capacity(), async {
            tokio::time::sleep(Duration::from_secs(9)).await;
            popped(&queue);
        });
        assert_eq!(waited, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_too_little_for_too_long_is_too_slow() {
        let (queue, began) = (Queue::new(LIMITS), Instant::now());
        queue.push(text(&"x".repeat(1_000)));
        assert_eq!(queue.wait_for_capacity().await, Err(TooSlow));
        assert_eq!(began.elapsed(), LIMITS.max_age);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_keeps_taking_is_not_too_slow_even_if_the_queue_stays_full() {
        let queue = Queue::new(LIMITS);
        let fill = || queue.push(text(&"x".repeat(600)));
        fill();
        fill();
        let keep_full = async {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_secs(5)).await;
                popped(&queue);
                fill();
            }
            queue.clear();
        };
        let watch = async {
            while queue.is_full() {
                queue.wait_for_capacity().await?;
                tokio::task::yield_now().await;
            }
            Ok::<_, TooSlow>(())
        };
        let (watched, ()) = tokio::join!(watch, keep_full);
        assert_eq!(watched, Ok(()));
    }

    #[tokio::test]
    async fn a_wait_ends_when_the_queue_is_cleared() {
        let queue = Queue::new(LIMITS);
        queue.push(text(&"x".repeat(1_000)));
        let (waited, ()) = tokio::join!(queue.wait_for_capacity(), async { queue.clear() });
        assert_eq!(waited, Ok(()));
        assert!(pop(&queue).now_or_never().is_none(), "nothing waits");
    }
}
