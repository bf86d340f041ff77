//! Mutation tests: each rule of the scripts is changed in turn, and some test should fail.
//!
//! | file | what it holds |
//! |---|---|
//! | `lua` | mutations of Lua code |
//! | `mutant` | one changed script |
//! | `equivalents` | mutants that no test can catch, with the reason |
//! | `suites` | the suites that mutants run against, in their order |
//! | `program` | a test program, and a run of it until its first failure |
//! | `catchers` | tests that have caught mutants of a file |
//! | `trials` | runs of all mutants, several at once |
//! | `crates` | mutants of Rust code, by cargo-mutants |

mod catchers;
mod crates;
mod equivalents;
mod lua;
mod mutant;
mod program;
mod suites;
mod trials;

use std::path::Path;

use anyhow::{Result, bail};
use clap::Args;
use rollcall_lua::Sources;

use self::{equivalents::Equivalents, mutant::Mutant};

const SCRIPTS: &str = "crates/rooms/src/scripts";

/// Options of `cargo xtask mutants`.
#[derive(Args)]
pub struct Mutants {
    /// Change only these files, such as `join.lua` and `include/room.lua`, or `shard.rs` with `--rust`.
    #[arg(long, num_args = 1..)]
    file: Vec<String>,
    /// List the mutants and test nothing.
    #[arg(long)]
    list: bool,
    /// Change the Rust code of `crates/rooms` and `crates/protocol` instead of the scripts; takes hours.
    #[arg(long)]
    rust: bool,
    /// Test only a part of the mutants of Rust code, such as the first of twenty: `0/20`.
    #[arg(long, requires = "rust")]
    shard: Option<String>,
}

/// Tests all mutants. Returns whether each of them was caught.
pub fn run(options: &Mutants) -> Result<bool> {
    if options.rust {
        return crates::run(options);
    }
    let sources = Sources::read(Path::new(SCRIPTS))?;
    let equivalents = Equivalents::read()?;
    let mut mutants = find_mutants(&sources);
    equivalents.ensure_each_is_in(&mutants)?;
    mutants.retain(|mutant| !equivalents.has(mutant));
    if !options.file.is_empty() {
        mutants.retain(|mutant| options.file.contains(&mutant.file));
    }
    if mutants.is_empty() {
        bail!("there is no such file in {SCRIPTS}");
    }
    if options.list {
        mutants.iter().for_each(|mutant| println!("{mutant}"));
        println!("{} mutants", mutants.len());
        return Ok(true);
    }
    let outcomes = trials::run(&sources, mutants)?;
    Ok(trials::summarize(&outcomes))
}

fn find_mutants(sources: &Sources) -> Vec<Mutant> {
    let texts = sources.files().filter_map(|file| Some((file, sources.text(file)?)));
    texts.flat_map(|(file, text)| Mutant::all_of(file, text)).collect()
}
