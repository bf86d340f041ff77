//! How many events a second a service takes before clients have to wait.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use tokio::time::{Instant, sleep_until};

use super::{
    crowd::{Crowd, Step},
    rooms::Rooms,
    service::Service,
};

/// The latency that 99 of 100 events have to keep, in milliseconds.
const LIMIT_MS: f64 = 100.0;

/// The first rate that is tried, in events per second.
const FIRST_RATE: f64 = 250.0;

/// How often the interval between a rate that is kept and one that is not is halved.
const HALVINGS: usize = 2;

/// How many steps a member takes at one rate. Rollcall takes 40 at once from a socket, and 20 joins from a user.
const MAX_STEPS: f64 = 30.0;

/// Finds the highest rate of events, evenly spread, at which the service keeps the limit. Doubles the rate, and then
/// searches between the last two. Returns zero if it does not keep even the first, and at most the rate at which members
/// would exceed the limits of a client.
pub async fn find(crowd: &mut Crowd, service: &Service, trial: Duration) -> Result<f64> {
    #[expect(clippy::cast_precision_loss, reason = "members are far fewer than 2^52")]
    let max_rate = MAX_STEPS * crowd.size() as f64 / trial.as_secs_f64();
    let mut kept = 0.0;
    let mut rate = FIRST_RATE;
    let mut number = 0;
    let mut keeps = async |rate| {
        number += 1;
        // Other rooms each time: a user may enter one room only so often.
        let rooms = Rooms::define(service.api(), &format!("capacity-{number}"), crowd.size()).await?;
        anyhow::Ok(run(crowd, &rooms, rate, trial).await? <= LIMIT_MS)
    };
    loop {
        if rate > max_rate {
            return Ok(kept);
        }
        if !keeps(rate).await? {
            break;
        }
        kept = rate;
        rate *= 2.0;
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(kept, rate);
        if keeps(middle).await? {
            kept = middle;
        } else {
            rate = middle;
        }
    }
    Ok(kept)
}

/// Makes the members join and leave in turn. Returns the 99th percentile of how late the acks came, in milliseconds.
async fn run(crowd: &mut Crowd, rooms: &Rooms, rate: f64, trial: Duration) -> Result<f64> {
    let interval = Duration::from_secs_f64(1.0 / rate);
    let (began, size) = (Instant::now(), crowd.size());
    let mut due = began;
    let mut count = 0;
    while due < began + trial {
        // Returns at once where it is late, so the rate does not depend on the service.
        sleep_until(due).await;
        let is_join = (count / size).is_multiple_of(2);
        let step = if is_join { Step::Join(Arc::clone(rooms.of(count % size))) } else { Step::Leave };
        crowd.start_step(count % size, step, due)?;
        due += interval;
        count += 1;
    }
    let p99 = crowd.wait_for_acks(count).await?.quantile_ms(0.99);

    let in_rooms = (0..size).filter(|number| (count.saturating_sub(*number)).div_ceil(size) % 2 == 1);
    let leaving: Vec<usize> = in_rooms.collect();
    for &number in &leaving {
        crowd.start_step(number, Step::Leave, Instant::now())?;
    }
    crowd.wait_for_acks(leaving.len()).await?;
    crowd.settle().await;
    Ok(p99)
}
