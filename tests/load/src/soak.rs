//! A whole run: the start, the crowd, the measuring, the end.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Result;
use clap::Args;
use fastrand::Rng;
use tokio::{
    task::JoinSet,
    time::{Instant, interval},
};

use crate::{
    checks::{self, Check},
    client::Client,
    counters::Counters,
    harness::{Harness, Settings},
    limits,
    memory::Samples,
    open_rooms::OpenRooms,
    operators, redis_keys,
    report::{self, Measured},
    world::World,
};

/// How many sockets there are without a flag, if the limits allow them.
const SOCKETS: usize = 8000;

/// How many clients share a room without a flag.
const CLIENTS_PER_ROOM: usize = 20;

/// Short, so that it often runs out in a run.
const GRACE: Duration = Duration::from_secs(5);

/// How often a client is asked whether it is there, and how long it may take to answer. Longer than slow readers
/// take, shorter than silent sockets stay.
const PING: Duration = Duration::from_secs(8);

/// The lease, as in `spin.toml`, and the interval of sweeps, with what a busy machine may add.
const LEASE_AND_SWEEP: Duration = Duration::from_secs(15 + 1 + 30);

/// How long the crowd may take to come.
const COMING_LIMIT: Duration = Duration::from_secs(300);

/// How long a room lives on average; half of the run, if that is shorter.
const ROOM_LIFE: Duration = Duration::from_secs(300);

const LINE_EVERY_SECONDS: u64 = 5;

/// What a run is like.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// How long the crowd stays once it has come, in minutes.
    #[arg(long, default_value_t = 10.0)]
    pub minutes: f64,
    /// How many sockets are held at once; as many as the limits of open files allow, if that is less.
    #[arg(long, default_value_t = SOCKETS)]
    pub sockets: usize,
    /// How many rooms are open at once; without it, one for every 20 sockets.
    #[arg(long)]
    pub rooms: Option<usize>,
    /// How many clients do something each second: enter, go, come back.
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
    /// How many bridges there are.
    #[arg(long, default_value_t = 2)]
    pub bridges: usize,
    /// What all choices follow from; without it, a new one, which is printed.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// A run that is under way.
struct Run {
    harness: Harness,
    world: Arc<World>,
    seed: u64,
    began: Instant,
    idle_kib: Vec<u64>,
    samples: Vec<Samples>,
    most_held: usize,
}

/// Runs it. Returns whether everything was found good.
pub async fn run(options: &Options, binary: PathBuf, folder: PathBuf) -> Result<bool> {
    let sockets = sockets_allowed(options.sockets)?;
    let rooms = options.rooms.unwrap_or(sockets.div_ceil(CLIENTS_PER_ROOM)).max(1);
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    let length = Duration::from_secs_f64(options.minutes * 60.0);
    println!("Soak: {sockets} sockets in {rooms} rooms for {} s, --seed {seed}", length.as_secs());

    let settings = Settings { binary, folder, bridges: options.bridges.max(1), grace: GRACE, ping: PING };
    let harness = Harness::start(&settings).await?;
    let dwell = Duration::from_secs_f64(f64::from(u32::try_from(sockets)?) / options.rate.max(0.1));
    let addresses = harness.bridges.iter().map(|bridge| bridge.address).collect();
    let counters = Counters::new(harness.bridges.len())?;
    let secrets = Arc::clone(&harness.secrets);
    let world = Arc::new(World::new(addresses, OpenRooms::new(rooms), counters, secrets, [dwell, PING * 3]));
    operators::define_rooms(&harness.api, &world).await?;
    let idle_kib = resident_kib(&harness)?;
    let run = Run { harness, world, seed, began: Instant::now(), idle_kib, samples: vec![], most_held: 0 };
    run.play(sockets, length).await
}

impl Run {
    async fn play(mut self, sockets: usize, length: Duration) -> Result<bool> {
        let mut crowd = JoinSet::new();
        for number in 0..sockets {
            crowd.spawn(Client::new(Arc::clone(&self.world), number, self.seed).live());
        }
        let mut operators = JoinSet::new();
        let (api, world) = (&self.harness.api, &self.world);
        let room_life = ROOM_LIFE.min(length / 2);
        let rng = || Rng::with_seed(self.seed.rotate_left(32));
        operators.spawn(operators::replace_rooms(api.clone(), Arc::clone(world), rng(), room_life));
        operators.spawn(operators::send_notices(api.clone(), Arc::clone(world), rng()));

        let has_come = |run: &Self| run.world.counters.held() * 100 >= sockets * 95;
        self.watch(COMING_LIMIT, has_come).await?;
        // Of the crowd that is there, and not of the one that comes.
        self.world.counters.forget_latencies();
        self.samples = vec![Samples::default(); self.harness.bridges.len()];
        let (began, events) = (Instant::now(), self.world.counters.events.get());
        self.watch(length, |_| false).await?;
        let events_per_second = events_per_second(self.world.counters.events.get() - events, began.elapsed());

        println!("Everybody goes.");
        self.world.over.cancel();
        while let Some(done) = operators.join_next().await {
            done??;
        }
        crowd.join_all().await;
        self.check(sockets, events_per_second).await
    }

    /// Tells how it goes, until the time is over or something is so.
    async fn watch(&mut self, limit: Duration, is_enough: impl Fn(&Self) -> bool) -> Result<()> {
        let end = Instant::now() + limit;
        let mut seconds = interval(Duration::from_secs(1));
        let mut second = 0_u64;
        while Instant::now() < end && !is_enough(self) {
            seconds.tick().await;
            self.harness.check()?;
            self.most_held = self.most_held.max(self.world.counters.held());
            let resident = resident_kib(&self.harness)?;
            for (samples, kib) in self.samples.iter_mut().zip(&resident) {
                samples.push(*kib);
            }
            if second.is_multiple_of(LINE_EVERY_SECONDS) {
                let names = self.harness.bridges.iter().map(|bridge| bridge.process.name.clone());
                let memory: Vec<_> = names.zip(resident).collect();
                println!("{}", report::line(self.began.elapsed(), &self.world.counters, &memory));
            }
            second += 1;
        }
        Ok(())
    }

    async fn check(&mut self, sockets: usize, events_per_second: f64) -> Result<bool> {
        let counters = &self.world.counters;
        let measured = self.measured()?;
        let mut redis = self.harness.redis.connection().await;
        let limit = PING * 2 + GRACE + LEASE_AND_SWEEP;
        let ghosts = checks::check_ghosts(&self.harness.api, &mut redis, limit).await?;
        let scripts = redis_keys::scripts_run(&mut redis).await?;
        self.harness.check()?;

        let mut checks: Vec<Check> = checks::check_faults(counters);
        checks.push(checks::check_crowd(self.most_held, sockets));
        checks.extend(measured.iter().zip(&self.samples).map(|(it, of)| checks::check_memory(&it.name, of)));
        checks.extend(ghosts);
        println!("\n{}", report::summary(counters, &measured, scripts, events_per_second));
        for fault in counters.faults() {
            println!("fault: {fault}");
        }
        println!("\n{}", report::format_checks(&checks));
        Ok(checks.iter().all(|check| check.is_ok))
    }

    fn measured(&self) -> Result<Vec<Measured>> {
        let bridges = self.harness.bridges.iter().zip(&self.world.counters.sockets);
        bridges
            .zip(self.idle_kib.iter().zip(&self.samples))
            .map(|((bridge, sockets), (&idle_kib, samples))| {
                Ok(Measured {
                    name: bridge.process.name.clone(),
                    idle_kib,
                    peak_kib: bridge.process.memory()?.peak_kib,
                    sockets: sockets.most(),
                    late_quarters_kib: samples.late_quarters(),
                })
            })
            .collect()
    }
}

fn sockets_allowed(wanted: usize) -> Result<usize> {
    let open_files = limits::raise_open_files()?;
    let allowed = limits::sockets_within(open_files);
    if allowed < wanted {
        println!("Limited to {allowed} sockets: a process may open {open_files} files here (ulimit -Hn)");
    }
    Ok(wanted.min(allowed))
}

fn resident_kib(harness: &Harness) -> Result<Vec<u64>> {
    harness.bridges.iter().map(|bridge| Ok(bridge.process.memory()?.resident_kib)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "events of one run are far below 2^52")]
fn events_per_second(events: u64, during: Duration) -> f64 {
    events as f64 / during.as_secs_f64()
}
