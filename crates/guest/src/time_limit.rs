//! A time limit for components on a schedule.
//!
//! The cron trigger runs on a Spin without the interface that waits for a time beside other work. So the work is polled
//! again and again, with short pauses in which the whole instance sleeps: it has nothing else to do.

use std::{
    pin::pin,
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use rollcall_rooms::Error;

use crate::variables;

/// A reply of Redis takes about as long.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Limits work to the component's variable `redis_timeout_ms`. Whatever Redis has not done by then, the next run does.
pub async fn within_time_limit<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let limit_ms = variables::redis_timeout_ms().await?;
    within(Duration::from_millis(limit_ms), work)
        .await
        .unwrap_or_else(|| Err(Error::Unavailable(format!("not done within {limit_ms} ms"))))
}

/// Does work, or returns none after the limit.
async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let start = Instant::now();
    let mut pause = SHORTEST_PAUSE;
    let mut work = pin!(work);
    std::future::poll_fn(move |cx| {
        if let Poll::Ready(result) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(result));
        }
        if start.elapsed() >= limit {
            return Poll::Ready(None);
        }
        thread::sleep(pause);
        pause = (2 * pause).min(LONGEST_PAUSE);
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn, ready};

    use futures_util::FutureExt;

    use super::*;

    /// Polls as an executor does whose task wakes itself each time.
    fn run<T>(work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            if let Some(result) = work.as_mut().now_or_never() {
                return result;
            }
        }
    }

    #[test]
    fn work_that_ends_returns_its_result() {
        let mut polls = 0;
        let work = poll_fn(|_| {
            polls += 1;
            if polls == 5 { Poll::Ready(7) } else { Poll::Pending }
        });
        assert_eq!(run(within(Duration::from_secs(60), work)), Some(7));
        assert_eq!(run(within(Duration::ZERO, ready(7))), Some(7));
    }

    #[test]
    fn work_that_never_ends_is_given_up() {
        assert_eq!(run(within(Duration::from_millis(20), pending::<()>())), None);
    }
}
