//! One round: everything that is measured of one variant.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use tokio::time::Instant;

use super::{
    capacity,
    commands::{self, Command, Costs},
    crowd::{Crowd, Step},
    metric::{self, Metric, Values},
    probe::Probe,
    rooms::Rooms,
    service::Service,
    usage::Usage,
    variant::{ClientKind, Variant},
};
use crate::{harness::Settings, latencies::Latencies};

/// How much is measured in a round.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// How many rounds each variant has.
    pub rounds: usize,
    /// How many members there are.
    pub members: usize,
    /// How often all of them join and leave before the measurement. Compilers at run time do their work then.
    pub warm_up_cycles: usize,
    /// How often all of them join and leave while it is measured. Rollcall lets a user enter a room 20 times at once.
    pub cycles: usize,
    /// How long each rate of events is tried.
    pub trial: Duration,
}

/// How many members come and go before memory is measured.
const FIRST_MEMBERS: usize = 100;

/// What a round has measured of a variant.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// All figures of joins, leaves and memory.
    pub values: Values,
    /// What commands cost; nothing of services that have none.
    pub costs: Costs,
}

/// The medians of several rounds.
pub fn medians(rounds: &[Measured]) -> Measured {
    let values: Vec<Values> = rounds.iter().map(|round| round.values.clone()).collect();
    let of = |command| {
        let costs: Vec<Values> =
            rounds.iter().filter_map(|round| round.costs.get(&command).cloned()).collect();
        (!costs.is_empty()).then(|| (command, metric::medians(&costs)))
    };
    Measured { values: metric::medians(&values), costs: Command::ALL.into_iter().filter_map(of).collect() }
}

/// Starts a variant with a Redis of its own, and measures it.
pub async fn measure(variant: Variant, settings: &Settings, effort: Effort) -> Result<Measured> {
    let Measured { mut values, mut costs } = Measured::default();
    let mut service = Service::start(variant, settings).await?;
    let rooms = Rooms::define(service.api(), "room", effort.members).await?;
    let client = variant.main_client();
    let mut probe = Probe::new(&service, client, rooms.of(0))?;
    drop(probe.enter().await?);

    let idle_kib = service.resident_kib()?;
    values.insert(Metric::Idle, to_f64(idle_kib) / 1024.0);
    let (mut crowd, per_socket) = fill(&service, &rooms, client, effort.members).await?;
    values.insert(client.memory_metric(), per_socket);
    crowd.step_in_groups(|_| Step::Leave).await?;

    for _ in 0..effort.warm_up_cycles {
        join_and_leave(&mut crowd, &rooms).await?;
    }
    values.extend(measure_cycles(&service, &mut crowd, &rooms, effort.cycles).await?);
    values.insert(Metric::Capacity, capacity::find(&mut crowd, &service, effort.trial).await?);
    if matches!(variant, Variant::Rollcall(_)) {
        costs = commands::measure(&service, &mut crowd, &rooms).await?;
    }

    // The client that comes back was in the room when the process died.
    let _connection = probe.enter().await?;
    let killed = Instant::now();
    service.kill_gateway().await?;
    let (restarted, back) = tokio::join!(service.restart_gateway(), async {
        probe.enter().await?;
        anyhow::Ok(killed.elapsed())
    });
    restarted?;
    values.insert(Metric::Back, back?.as_secs_f64() * 1000.0);
    drop((crowd, service));

    if let Some(client) = variant.further_client() {
        let service = Service::start(variant, settings).await?;
        let rooms = Rooms::define(service.api(), "room", effort.members).await?;
        drop(Probe::new(&service, client, rooms.of(0))?.enter().await?);
        let (_, per_socket) = fill(&service, &rooms, client, effort.members).await?;
        values.insert(client.memory_metric(), per_socket);
    }
    Ok(Measured { values, costs })
}

/// Lets all members join. Returns the memory of each, in KiB. A few come and go before, so that what a service allocates
/// only once does not count.
async fn fill(service: &Service, rooms: &Rooms, client: ClientKind, members: usize) -> Result<(Crowd, f64)> {
    let mut first = Crowd::connect(service, client, members.min(FIRST_MEMBERS)).await?;
    join_and_leave(&mut first, rooms).await?;
    drop(first);

    let before = service.resident_kib()?;
    let mut crowd = Crowd::connect(service, client, members).await?;
    crowd.step_in_groups(|member| Step::Join(Arc::clone(rooms.of(member)))).await?;
    crowd.settle().await;
    let kib = service.resident_kib()?.saturating_sub(before);
    Ok((crowd, to_f64(kib) / to_f64(members as u64)))
}

/// All members join and leave at once, again and again.
async fn measure_cycles(
    service: &Service,
    crowd: &mut Crowd,
    rooms: &Rooms,
    cycles: usize,
) -> Result<Values> {
    let mut redis = service.redis().await;
    let (mut joins, mut busy) = (Latencies::new()?, Duration::ZERO);
    let before = Usage::read(service, &mut redis, crowd).await?;
    for _ in 0..cycles {
        let (latencies, took) = join_and_leave(crowd, rooms).await?;
        joins.add(&latencies)?;
        busy += took;
    }
    let events = 2.0 * to_f64(joins.count());
    let mut values = Usage::read(service, &mut redis, crowd).await?.per_event_since(&before, events);
    values.extend([
        (Metric::EventsPerSecond, events / busy.as_secs_f64()),
        (Metric::JoinP50, joins.quantile_ms(0.5)),
        (Metric::JoinP99, joins.quantile_ms(0.99)),
    ]);
    Ok(values)
}

/// Returns the latencies of the joins, and how long joins and leaves took together.
async fn join_and_leave(crowd: &mut Crowd, rooms: &Rooms) -> Result<(Latencies, Duration)> {
    let began = Instant::now();
    let joins = crowd.step_together(|member| Step::Join(Arc::clone(rooms.of(member)))).await?;
    let joined = began.elapsed();
    // Leaves before the events of the joins would save those events.
    crowd.settle().await;
    let began = Instant::now();
    crowd.step_together(|_| Step::Leave).await?;
    let left = began.elapsed();
    crowd.settle().await;
    Ok((joins, joined + left))
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^52")]
pub(super) fn to_f64(count: u64) -> f64 {
    count as f64
}
