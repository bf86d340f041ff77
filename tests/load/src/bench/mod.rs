//! The benchmark: Rollcall and a service in its place do the same for the same clients, in turn.
//!
//! | module | what it does |
//! |---|---|
//! | `variant`, `node_service`, `service` | runs what is compared |
//! | `crowd`, `socket_member`, `colyseus_member`, `rooms`, `probe` | the clients |
//! | `usage`, `capacity`, `commands`, `ceiling`, `round` | measures |
//! | `metric`, `document` | compares, and formats the results |

mod capacity;
mod ceiling;
mod colyseus_member;
mod commands;
mod crowd;
mod document;
mod metric;
mod node_service;
mod probe;
mod rooms;
mod round;
mod service;
mod socket_member;
mod usage;
mod variant;

use std::{path::PathBuf, time::Duration};

use anyhow::Result;
use clap::Args;
use tokio::time::Instant;

pub use self::{
    commands::Command,
    metric::{Metric, Values},
    round::{Effort, Measured},
    variant::Variant,
};

use crate::{
    harness::{AppPlace, Settings},
    limits,
};

/// What a full run measures.
const FULL: Effort =
    Effort { rounds: 3, members: 1000, warm_up_cycles: 2, cycles: 6, trial: Duration::from_secs(1) };

/// What `--quick` measures.
const QUICK: Effort =
    Effort { rounds: 2, members: 300, warm_up_cycles: 1, cycles: 3, trial: Duration::from_millis(500) };

/// The defaults of the app and of the bridge, which the reference has, too.
const GRACE: Duration = Duration::from_secs(30);
const PING: Duration = Duration::from_secs(25);

const CEILING_LENGTH: Duration = Duration::from_secs(2);

/// The options of a run.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// Measure less, in less than two minutes.
    #[arg(long)]
    quick: bool,
    /// Measure the app in the installed `spin`, too.
    #[arg(long)]
    spin: bool,
    /// Replace the figures in this file.
    #[arg(long)]
    write: Option<PathBuf>,
}

/// Measures all variants, and prints how they compare.
pub async fn run(options: &Options, binary: PathBuf, folder: PathBuf) -> Result<()> {
    limits::raise_open_files()?;
    let machine = document::describe_machine();
    let effort = if options.quick { QUICK } else { FULL };
    let mut variants = vec![
        Variant::Reference,
        Variant::Colyseus,
        Variant::Rollcall(AppPlace::InBridge),
        Variant::Rollcall(AppPlace::OwnProcess),
    ];
    if options.spin {
        variants.push(Variant::Rollcall(AppPlace::Spin));
    }
    let results = compare(&variants, effort, binary, folder).await?;
    let scripts_per_second = ceiling::measure(CEILING_LENGTH).await?;
    let description = describe(options, effort, &machine, scripts_per_second);
    let (events, commands) = (document::format_table(&results), document::format_commands(&results));
    let report = format!("{events}\n\n{description}\n\n{commands}");
    println!("\n{report}");
    match &options.write {
        Some(file) => document::write(file, &report),
        None => Ok(()),
    }
}

/// Measures variants in turn. Returns the medians of each.
pub async fn compare(
    variants: &[Variant],
    effort: Effort,
    binary: PathBuf,
    folder: PathBuf,
) -> Result<Vec<(Variant, Measured)>> {
    let app = AppPlace::InBridge;
    let settings = Settings { binary, folder, app, bridges: 1, grace: GRACE, ping: PING };
    let began = Instant::now();
    let mut rounds = vec![Vec::new(); variants.len()];
    for round in 1..=effort.rounds {
        for (variant, rounds) in variants.iter().zip(&mut rounds) {
            let seconds = began.elapsed().as_secs();
            println!("{seconds:>4} s  round {round} of {}: {}", effort.rounds, variant.name());
            rounds.push(round::measure(*variant, &settings, effort).await?);
        }
    }
    Ok(variants.iter().copied().zip(rounds.iter().map(|rounds| round::medians(rounds))).collect())
}

fn describe(options: &Options, effort: Effort, machine: &str, scripts_per_second: f64) -> String {
    format!(
        "`cargo xtask bench{} --write` on {machine}: medians of {} rounds in turn, {} members in rooms of {}. \
         In parentheses: how many times better than the first column. The same Redis alone runs \
         {scripts_per_second:.0} scripts of one command per second.",
        if options.quick { " --quick" } else { "" },
        effort.rounds,
        effort.members,
        rooms::MEMBERS_PER_ROOM,
    )
}
