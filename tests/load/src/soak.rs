//! A whole run: ramp-up, load, ramp-down, checks.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Result;
use clap::Args;
use fastrand::Rng;
use tokio::{
    task::JoinSet,
    time::{Instant, interval},
};

use crate::{
    checks,
    harness::{AppPlace, Harness, Settings},
    limits,
    memory::Samples,
    metrics::Metrics,
    open_rooms::OpenRooms,
    redis_usage::RedisUsage,
    report::{self, BridgeReport},
    scenario,
    shared::Shared,
    virtual_user::VirtualUser,
};

const DEFAULT_SOCKETS: usize = 8000;

/// The default number of sockets for each room.
const SOCKETS_PER_ROOM: usize = 20;

/// Short, so that grace periods often end during a run.
const GRACE: Duration = Duration::from_secs(5);

/// How often the bridge pings a client, and how long the client may take to answer. Longer than slow readers pause,
/// shorter than silent clients keep their sockets.
const PING: Duration = Duration::from_secs(8);

/// The lease and the interval of sweeps, as in `spin.toml`, and a reserve for a busy machine.
const LEASE_AND_SWEEP: Duration = Duration::from_secs(15 + 1 + 30);

const RAMP_UP_TIMEOUT: Duration = Duration::from_secs(300);

/// The mean life of a room; at most half of the run.
const ROOM_LIFE: Duration = Duration::from_secs(300);

const PROGRESS_INTERVAL_SECONDS: u64 = 5;

/// The options of a run.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// How long the load lasts after the ramp-up, in minutes.
    #[arg(long, default_value_t = 10.0)]
    pub minutes: f64,
    /// How many sockets are open at once; fewer if the limit of open files does not allow as many.
    #[arg(long, default_value_t = DEFAULT_SOCKETS)]
    pub sockets: usize,
    /// How many rooms are open at once; one for every 20 sockets without this flag.
    #[arg(long)]
    pub rooms: Option<usize>,
    /// How many clients join, leave or reconnect each second.
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
    /// How many bridges run.
    #[arg(long, default_value_t = 2)]
    pub bridges: usize,
    /// The seed of all random choices; a random seed, which is printed, without this flag.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// A run in progress.
struct Run {
    harness: Harness,
    shared: Arc<Shared>,
    seed: u64,
    began: Instant,
    idle_kib: Vec<u64>,
    /// The memory under load, by bridge.
    samples: Vec<Samples>,
    max_open_sockets: usize,
}

/// Runs the load test. Returns whether all checks passed.
pub async fn run(options: &Options, binary: PathBuf, folder: PathBuf) -> Result<bool> {
    let sockets = limit_sockets(options.sockets)?;
    let rooms = options.rooms.unwrap_or(sockets.div_ceil(SOCKETS_PER_ROOM)).max(1);
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    let length = Duration::from_secs_f64(options.minutes * 60.0);
    println!("Soak: {sockets} sockets in {rooms} rooms for {} s, --seed {seed}", length.as_secs());

    let app = AppPlace::OwnProcess;
    let settings =
        Settings { binary, folder, app, bridges: options.bridges.max(1), grace: GRACE, ping: PING };
    let harness = Harness::start(&settings).await?;
    let mean_stay = Duration::from_secs_f64(f64::from(u32::try_from(sockets)?) / options.rate.max(0.1));
    let shared = Arc::new(Shared::new(
        harness.bridges.iter().map(|bridge| bridge.address).collect(),
        OpenRooms::new(rooms),
        Metrics::new(harness.bridges.len())?,
        Arc::clone(&harness.secrets),
        [mean_stay, PING * 3],
    ));
    scenario::define_rooms(&harness.api, &shared).await?;
    let idle_kib = resident_kib(&harness)?;
    let began = Instant::now();
    let run = Run { harness, shared, seed, began, idle_kib, samples: vec![], max_open_sockets: 0 };
    run.execute(sockets, length).await
}

impl Run {
    async fn execute(mut self, sockets: usize, length: Duration) -> Result<bool> {
        let users = self.spawn_users(sockets);
        let mut operators = self.spawn_operators(length);
        self.ramp_up(sockets).await?;
        let events_per_second = self.measure(length).await?;

        self.shared.stop_operators.cancel();
        while let Some(outcome) = operators.join_next().await {
            outcome??;
        }
        println!("Stopping all clients.");
        self.shared.stop.cancel();
        users.join_all().await;
        self.check(sockets, events_per_second).await
    }

    fn spawn_users(&self, count: usize) -> JoinSet<()> {
        let mut users = JoinSet::new();
        for number in 0..count {
            users.spawn(VirtualUser::new(Arc::clone(&self.shared), number, self.seed).run());
        }
        users
    }

    fn spawn_operators(&self, length: Duration) -> JoinSet<Result<()>> {
        let mut operators = JoinSet::new();
        let (api, shared) = (&self.harness.api, &self.shared);
        let room_life = ROOM_LIFE.min(length / 2);
        let rng = || Rng::with_seed(self.seed.rotate_left(32));
        operators.spawn(scenario::rotate_rooms(api.clone(), Arc::clone(shared), rng(), room_life));
        operators.spawn(scenario::send_notices(api.clone(), Arc::clone(shared), rng()));
        operators
    }

    /// Waits until nearly all sockets are open.
    async fn ramp_up(&mut self, sockets: usize) -> Result<()> {
        let is_complete = |run: &Self| run.shared.metrics.open_sockets() * 100 >= sockets * 95;
        self.monitor(RAMP_UP_TIMEOUT, is_complete).await
    }

    /// Measures the load without the ramp-up. Returns the events per second.
    async fn measure(&mut self, length: Duration) -> Result<f64> {
        self.shared.metrics.reset_join_latency();
        self.samples = vec![Samples::default(); self.harness.bridges.len()];
        let (began, events) = (Instant::now(), self.shared.metrics.events.get());
        self.monitor(length, |_| false).await?;
        Ok(events_per_second(self.shared.metrics.events.get() - events, began.elapsed()))
    }

    /// Samples the memory and prints progress, until the timeout or until `is_complete`.
    async fn monitor(&mut self, timeout: Duration, is_complete: impl Fn(&Self) -> bool) -> Result<()> {
        let end = Instant::now() + timeout;
        let mut seconds = interval(Duration::from_secs(1));
        let mut second = 0_u64;
        while Instant::now() < end && !is_complete(self) {
            seconds.tick().await;
            self.harness.check()?;
            self.max_open_sockets = self.max_open_sockets.max(self.shared.metrics.open_sockets());
            let resident_kib = resident_kib(&self.harness)?;
            for (samples, kib) in self.samples.iter_mut().zip(&resident_kib) {
                samples.push(*kib);
            }
            if second.is_multiple_of(PROGRESS_INTERVAL_SECONDS) {
                self.print_progress(resident_kib);
            }
            second += 1;
        }
        Ok(())
    }

    fn print_progress(&self, resident_kib: Vec<u64>) {
        let names = self.harness.bridges.iter().map(|bridge| bridge.process.name.clone());
        let memory_kib: Vec<_> = names.zip(resident_kib).collect();
        println!("{}", report::format_progress(self.began.elapsed(), &self.shared.metrics, &memory_kib));
    }

    /// Runs the checks and prints the report. Returns whether all checks passed.
    async fn check(&mut self, sockets: usize, events_per_second: f64) -> Result<bool> {
        let metrics = &self.shared.metrics;
        let bridges = self.bridge_reports()?;
        let mut redis = self.harness.redis.connection().await;
        let removal_timeout = PING * 2 + GRACE + LEASE_AND_SWEEP;
        let ghosts = checks::check_ghosts(&self.harness.api, &mut redis, removal_timeout).await?;
        let scripts_run = RedisUsage::read(&mut redis).await?.scripts;
        self.harness.check()?;

        let mut checks = checks::check_violations(metrics);
        checks.push(checks::check_open_sockets(self.max_open_sockets, sockets));
        let memory = bridges.iter().zip(&self.samples);
        checks.extend(memory.map(|(bridge, samples)| checks::check_memory(&bridge.name, samples)));
        checks.extend(ghosts);
        println!("\n{}", report::format_summary(metrics, &bridges, scripts_run, events_per_second));
        for description in metrics.violation_descriptions() {
            println!("violation: {description}");
        }
        println!("\n{}", report::format_checks(&checks));
        Ok(checks.iter().all(|check| check.passed))
    }

    fn bridge_reports(&self) -> Result<Vec<BridgeReport>> {
        let bridges = self.harness.bridges.iter().zip(&self.shared.metrics.sockets);
        bridges
            .zip(self.idle_kib.iter().zip(&self.samples))
            .map(|((bridge, sockets), (&idle_kib, samples))| {
                Ok(BridgeReport {
                    name: bridge.process.name.clone(),
                    idle_kib,
                    peak_kib: bridge.process.memory()?.peak_kib,
                    max_sockets: sockets.max(),
                    last_quarters_kib: samples.last_quarters(),
                })
            })
            .collect()
    }
}

/// Lowers the number of sockets to what the limit of open files allows.
fn limit_sockets(wanted: usize) -> Result<usize> {
    let open_files = limits::raise_open_files()?;
    let allowed = limits::max_sockets(open_files);
    if allowed < wanted {
        println!("Limited to {allowed} sockets: a process may open {open_files} files here (ulimit -Hn)");
    }
    Ok(wanted.min(allowed))
}

fn resident_kib(harness: &Harness) -> Result<Vec<u64>> {
    harness.bridges.iter().map(|bridge| Ok(bridge.process.memory()?.resident_kib)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "events of one run are far below 2^52")]
fn events_per_second(events: u64, duration: Duration) -> f64 {
    events as f64 / duration.as_secs_f64()
}
