//! A simulation of many members: the real scripts in several real Redis servers, without sockets and without waiting.
//!
//! Time is simulated: each call carries its second, as in the tests of the scripts. All calls of a second run at once, and
//! the next second follows as soon as they are done. So what a second costs is real, and how long it takes is not.
//!
//! | module | what it does |
//! |---|---|
//! | `timetable` | the assumptions: sessions, arrivals, lost connections |
//! | `calendar`, `crowd`, `counts`, `names` | the members, what they do when, and what they have done |
//! | `nodes`, `bridges` | Redis servers, and the connections that listen to them |
//! | `call` | the calls, and runs of them through the rules of the app |
//! | `usage`, `memory_by_key`, `slow_scripts` | measurements |
//! | `extrapolation`, `report` | what follows for ten million members |

mod bridges;
mod calendar;
mod call;
mod counts;
mod crowd;
mod extrapolation;
mod memory_by_key;
mod names;
mod nodes;
mod report;
mod slow_scripts;
mod timetable;
mod usage;

use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use fastrand::Rng;
use futures_util::{StreamExt, TryStreamExt, stream};
use rollcall_rooms::Rooms;

pub use self::counts::Counts;
use self::{
    bridges::{Bridges, Timing},
    calendar::{Calendar, Second},
    call::{Service, settings_at},
    crowd::{BridgeNo, Crowd, Event},
    memory_by_key::RoomMemory,
    nodes::{Node, Router},
    slow_scripts::SlowScripts,
    usage::{NodeUsage, Sample, Series},
};
use crate::{
    checks::Check, limits, redis_keys, redis_usage::RedisUsage, report::format_checks as format_results,
};

/// How many calls are under way at once.
const CONCURRENT_CALLS: usize = 256;

/// How many members a bridge holds by default.
const MEMBERS_PER_BRIDGE: u32 = 100_000;

/// How many shards a node holds by default.
const SHARDS_PER_NODE: u64 = 4;

/// The bridge that is killed.
const KILLED_BRIDGE: BridgeNo = 0;

/// The rooms whose memory is read.
const SAMPLED_ROOMS: usize = 500;

/// How often usage is read while no member does anything, in simulated seconds.
const QUIET_INTERVAL: Second = 10;

/// How often the slow log is read, so that Redis forgets nothing, in simulated seconds.
const COLLECT_INTERVAL: Second = 60;

const PROGRESS_INTERVAL: std::time::Duration = std::time::Duration::from_secs(10);

/// The options of a run.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// How many members come.
    #[arg(long, default_value_t = 20_000)]
    pub members: u32,
    /// How many Redis servers share the shards.
    #[arg(long, default_value_t = 4)]
    pub nodes: usize,
    /// How many shards there are; four for each server without this flag.
    #[arg(long)]
    pub shards: Option<u64>,
    /// How many bridges hold the members; one for every 100,000 members, and at least two, without this flag.
    #[arg(long)]
    pub bridges: Option<BridgeNo>,
    /// The seed of all random choices; a random seed, which is printed, without this flag.
    #[arg(long)]
    pub seed: Option<u64>,
}

impl Options {
    fn count_shards(&self) -> u64 {
        self.shards.unwrap_or(self.nodes as u64 * SHARDS_PER_NODE)
    }

    fn count_bridges(&self) -> BridgeNo {
        let default = BridgeNo::try_from(self.members.div_ceil(MEMBERS_PER_BRIDGE)).unwrap_or(BridgeNo::MAX);
        self.bridges.unwrap_or(default).max(2)
    }
}

/// What a run has measured.
pub struct Outcome {
    /// What has happened.
    pub counts: Counts,
    /// Members who were connected when most were, and the memory of all nodes for them.
    connected: usize,
    memory_bytes: u64,
    live_memory: RoomMemory,
    /// After all sessions, when only attendance is left.
    final_memory: RoomMemory,
    sessions: usize,
    bridges: BridgeNo,
    simulated: Second,
    took: std::time::Duration,
    series: Series,
    timing: Timing,
    messages: u64,
    message_bytes: u64,
    redis: Vec<RedisUsage>,
    slow_scripts: SlowScripts,
    /// Keys of members that are left, and rooms that are still listed.
    ghosts: Vec<String>,
}

impl Outcome {
    /// Checks that the replies, the attendance and Redis agree.
    pub fn checks(&self) -> Vec<Check> {
        let Counts { entered, left, stays, attendances, .. } = self.counts;
        vec![
            Check::new(
                "every member who entered has left or was put out",
                format!("{entered} entered, {} stays ended", self.counts.stays_ended()),
                entered == self.counts.stays_ended() && stays.other == 0,
            ),
            Check::new(
                "who left has left by the attendance, too",
                format!("{left} and {}", stays.left),
                left == stays.left,
            ),
            Check::new(
                "every session has an attendance",
                format!("{attendances} of {}", self.sessions),
                attendances == self.sessions as u64,
            ),
            Check::new(
                "no room and no member is left behind",
                format!("{} keys {}", self.ghosts.len(), self.ghosts.first().map_or("", String::as_str)),
                self.ghosts.is_empty(),
            ),
        ]
    }

    /// How many reminders and how many ends have reached bridges.
    pub fn count_timed(&self) -> (u64, u64) {
        (self.timing.reminders.count(), self.timing.ends.count())
    }
}

/// Runs the simulation and prints what it measured. Returns whether all checks passed.
pub async fn run(options: &Options) -> Result<bool> {
    limits::raise_open_files()?;
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    println!(
        "Simulation: {} members, {} shards in {} Redis servers, {} bridges, --seed {seed}",
        options.members,
        options.count_shards(),
        options.nodes,
        options.count_bridges()
    );
    let outcome = simulate(options, seed).await?;
    println!("\n{}", report::format(options, &outcome));
    let checks = outcome.checks();
    println!("\n{}", format_results(&checks));
    Ok(checks.iter().all(|check| check.passed))
}

/// Runs the simulation.
pub async fn simulate(options: &Options, seed: u64) -> Result<Outcome> {
    let shards = options.count_shards();
    ensure!(options.nodes > 0 && shards > 0, "there must be a node and a shard");
    let mut calendar = Calendar::new();
    let bridges = options.count_bridges();
    let crowd = Crowd::plan(options.members, bridges, &mut calendar, Rng::with_seed(seed));
    let nodes = nodes::start(options.nodes).await;
    for bridge in 0..bridges {
        calendar.schedule(Second::from(bridge) % timetable::HEARTBEAT_INTERVAL, Event::Heartbeat(bridge));
    }
    for shard in 0..shards {
        // After each bridge has got its leases.
        calendar.schedule(timetable::HEARTBEAT_INTERVAL, Event::Sweep(shard));
    }
    let run = Run {
        router: Router::connect(&nodes).await,
        bridges: Bridges::connect(bridges, &nodes, shards).await?,
        shards,
        began: Instant::now(),
        printed_at: Instant::now(),
        usage: read_usage(&nodes).await?,
        series: Series::default(),
        slow_scripts: SlowScripts::default(),
        nodes,
        crowd,
        calendar,
    };
    run.execute().await
}

/// A run in progress.
struct Run {
    nodes: Vec<Node>,
    router: Router,
    bridges: Bridges,
    shards: u64,
    crowd: Crowd,
    calendar: Calendar<Event>,
    began: Instant,
    printed_at: Instant,
    /// Of each node, at the end of the last second.
    usage: Vec<NodeUsage>,
    series: Series,
    slow_scripts: SlowScripts,
}

impl Run {
    async fn execute(mut self) -> Result<Outcome> {
        let idle_bytes = self.count_memory();
        self.run_until(timetable::KILLED_AT).await?;
        self.crowd.kill(KILLED_BRIDGE, timetable::KILLED_AT, &mut self.calendar);
        self.bridges.kill(KILLED_BRIDGE);
        self.run_until(timetable::FULLEST_AT).await?;
        let (connected, memory_bytes) =
            (self.crowd.count_connected(), self.count_memory().saturating_sub(idle_bytes));
        let live_memory = self.read_memory().await?;
        let ends_at = self.crowd.ends_at();
        self.run_until(ends_at).await?;
        self.stop_bridges(ends_at).await?;

        let mut redis = Vec::new();
        for node in &mut self.nodes {
            redis.push(RedisUsage::read(&mut node.connection).await?);
        }
        let (messages, message_bytes) = self.bridges.traffic.sums();
        Ok(Outcome {
            counts: self.crowd.counts,
            connected,
            memory_bytes,
            live_memory,
            final_memory: self.read_memory().await?,
            sessions: self.crowd.sessions.len(),
            bridges: self.crowd.count_bridges(),
            simulated: ends_at,
            took: self.began.elapsed(),
            ghosts: self.find_ghosts(ends_at).await?,
            series: self.series,
            timing: self.bridges.traffic.timing(),
            messages,
            message_bytes,
            redis,
            slow_scripts: self.slow_scripts,
        })
    }

    /// Runs all seconds before this one.
    async fn run_until(&mut self, end: Second) -> Result<()> {
        while self.calendar.next_at().is_some_and(|at| at < end) {
            if let Some((now, events)) = self.calendar.take_next() {
                self.run_second(now, events).await?;
            }
        }
        self.slow_scripts.collect(&self.nodes).await
    }

    async fn run_second(&mut self, now: Second, events: Vec<Event>) -> Result<()> {
        let began = Instant::now();
        let events_before = self.crowd.counts.events();
        let mut calls = Vec::new();
        for event in events {
            calls.extend(self.crowd.begin(event, now)?);
        }
        self.bridges.traffic.begin_second();
        let service = self.service(now)?;
        let replies =
            stream::iter(calls).map(|call| service.perform(call)).buffer_unordered(CONCURRENT_CALLS);
        let replies: Vec<_> = replies.try_collect().await?;
        for reply in &replies {
            self.crowd.finish(reply, now, &mut self.calendar);
        }
        self.print_progress(now);
        let events = self.crowd.counts.events() - events_before;
        if events == 0 && !now.is_multiple_of(QUIET_INTERVAL) {
            return Ok(());
        }
        let usage = read_usage(&self.nodes).await?;
        let used = usage.iter().zip(&self.usage).map(|(now, before)| *now - *before).collect();
        self.usage = usage;
        self.series.push(Sample { at: now, events, used, took: began.elapsed() });
        self.bridges.check()?;
        if now.is_multiple_of(COLLECT_INTERVAL) {
            self.slow_scripts.collect(&self.nodes).await?;
        }
        Ok(())
    }

    fn service(&self, now: Second) -> Result<Service<'_>> {
        let rooms = Rooms::new(self.router.clone(), &settings_at(now, self.shards))?;
        Ok(Service { rooms, bridges: &self.bridges, sessions: &self.crowd.sessions })
    }

    /// Lets all bridges stop, and everything that is due happen.
    async fn stop_bridges(&self, now: Second) -> Result<()> {
        let service = self.service(now)?;
        for bridge in (0..self.crowd.count_bridges()).filter(|bridge| self.crowd.is_alive(*bridge)) {
            service.heartbeat(bridge, true).await?;
        }
        for shard in 0..self.shards {
            service.sweep(shard).await?;
        }
        Ok(())
    }

    async fn find_ghosts(&mut self, now: Second) -> Result<Vec<String>> {
        let mut ghosts = Vec::new();
        for node in &mut self.nodes {
            ghosts.extend(redis_keys::find_member_keys(&mut node.connection).await?);
        }
        let listed = self.service(now)?.rooms.list(None, 1).await?;
        ghosts.extend(listed.rooms.iter().map(|room| room.id.to_string()));
        Ok(ghosts)
    }

    fn count_memory(&self) -> u64 {
        self.usage.iter().map(|usage| usage.memory_bytes).sum()
    }

    async fn read_memory(&self) -> Result<RoomMemory> {
        let step = (self.crowd.sessions.len() / SAMPLED_ROOMS).max(1);
        RoomMemory::read(&self.nodes, self.shards, (0..).take(self.crowd.sessions.len()).step_by(step)).await
    }

    fn print_progress(&mut self, now: Second) {
        if self.printed_at.elapsed() >= PROGRESS_INTERVAL {
            self.printed_at = Instant::now();
            println!(
                "{:>5} s  simulated {}  events {}",
                self.began.elapsed().as_secs(),
                report::format_time(now),
                self.crowd.counts.events()
            );
        }
    }
}

async fn read_usage(nodes: &[Node]) -> Result<Vec<NodeUsage>> {
    let mut usage = Vec::new();
    for node in nodes {
        usage.push(NodeUsage::read(&mut node.connection.clone()).await?);
    }
    Ok(usage)
}
