//! Runs of all mutants, several at once.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
};

use anyhow::{Result, bail};
use rollcall_lua::Sources;

use super::{
    mutant::Mutant,
    suites::{Outcome, Suites},
};

/// The folder in which each worker has its scripts.
const FOLDER: &str = "target/mutants";

/// A mutant, and how its run ended.
pub struct Trial {
    mutant: Mutant,
    outcome: Outcome,
}

/// A folder of scripts, one of which may be a mutant.
struct Workspace<'a> {
    folder: PathBuf,
    sources: &'a Sources,
}

impl<'a> Workspace<'a> {
    fn create(sources: &'a Sources, number: usize) -> Result<Self> {
        let folder = Path::new(FOLDER).join(number.to_string());
        fs::create_dir_all(folder.join("include"))?;
        let workspace = Self { folder, sources };
        sources.files().try_for_each(|file| workspace.restore(file))?;
        Ok(workspace)
    }

    fn restore(&self, file: &str) -> Result<()> {
        Ok(fs::write(self.folder.join(file), self.sources.text(file).unwrap_or_default())?)
    }

    fn test(&self, suites: &Suites, mutant: &Mutant) -> Result<Outcome> {
        fs::write(self.folder.join(&mutant.file), &mutant.text)?;
        let outcome = suites.run(&self.folder, &mutant.file);
        self.restore(&mutant.file)?;
        outcome
    }
}

/// Tests all mutants on as many cores as there are.
pub fn run(sources: &Sources, mutants: Vec<Mutant>) -> Result<Vec<Trial>> {
    fs::create_dir_all(FOLDER)?;
    let suites = Suites::build(Path::new(FOLDER), &Workspace::create(sources, 0)?.folder)?;
    let workers = thread::available_parallelism()?.get();
    println!("Test: {} mutants, {workers} at once", mutants.len());
    let (queue, trials) = (Mutex::new(mutants.into_iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        let worker = |number| {
            let workspace = Workspace::create(sources, number)?;
            while let Some(mutant) = take(&queue) {
                let outcome = workspace.test(&suites, &mutant)?;
                report(&mutant, &outcome);
                push(&trials, Trial { mutant, outcome });
            }
            Ok(())
        };
        let workers: Vec<_> = (0..workers).map(|number| scope.spawn(move || worker(number))).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| bail!("a worker panicked")))
    })?;
    Ok(trials.into_inner().unwrap_or_default())
}

fn take(queue: &Mutex<impl Iterator<Item = Mutant>>) -> Option<Mutant> {
    queue.lock().ok()?.next()
}

fn push(trials: &Mutex<Vec<Trial>>, trial: Trial) {
    if let Ok(mut trials) = trials.lock() {
        trials.push(trial);
    }
}

fn report(mutant: &Mutant, outcome: &Outcome) {
    match outcome {
        Outcome::Caught { by } => println!("{mutant}  caught by {by}\n"),
        Outcome::Survived => println!("{mutant}  SURVIVED\n"),
    }
}

/// Prints the survivors and the score. Returns whether every mutant was caught.
pub fn summarize(trials: &[Trial]) -> bool {
    let survivors: Vec<&Trial> = trials.iter().filter(|trial| trial.outcome == Outcome::Survived).collect();
    println!("Survived:\n");
    survivors.iter().for_each(|trial| println!("{}", trial.mutant));
    let mut files: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for Trial { mutant, outcome } in trials {
        let (caught, survived) = files.entry(&mutant.file).or_default();
        *(if *outcome == Outcome::Survived { survived } else { caught }) += 1;
    }
    println!("{:<26} {:>7} {:>9}", "", "caught", "survived");
    for (file, (caught, survived)) in files {
        println!("{file:<26} {caught:>7} {survived:>9}");
    }
    let caught = trials.len() - survivors.len();
    println!("\n{caught} of {} mutants caught, {:.1} %", trials.len(), percent(caught, trials.len()));
    survivors.is_empty()
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}
