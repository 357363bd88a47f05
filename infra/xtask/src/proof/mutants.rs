//! `cargo xtask mutants`: cargo-mutants on the crates whose tests must notice every change, its score, and its survivors.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::workspace::Workspace;
use crate::{json, process, setup, ui};

/// Additional help for `--help`.
pub const ABOUT: &str = "\
A mutant is a small change of the code: another operator, another result, a statement left out. It is caught if a test
fails. If the tests take too long, it counts as not caught, and is named: it may never end, or the machine was busy. The
score, the part that is caught of those that compile, must be 90 % at least, and each survivor must be explained in
infra/survivors.json. An explanation of what no longer survives fails a whole run.
All mutants take many hours: `--shard 1/8` to `8/8` make parts of them, and `--report` counts all parts. A part that was
interrupted fails it.";

/// The crates, with their names in Cargo.toml.
const PACKAGES: [&str; 3] = ["reelhook-domain", "reelhook-signing", "reelhook-outbound"];
/// The explanations of survivors.
const SURVIVORS: &str = "infra/survivors.json";
/// The least part of mutants that must be caught, in percent.
const LEAST: f64 = 90.0;
/// Exit statuses of cargo-mutants after all mutants were tested: all caught, some missed, some timed out.
const TESTED: [i32; 3] = [0, 2, 3];

/// The options of the command.
#[derive(Clone, Debug, clap::Args)]
pub struct Mutants {
    /// Only this crate: `domain`, `signing` or `outbound`; may be repeated
    #[arg(long, value_name = "CRATE")]
    only: Vec<String>,
    /// Only a part, such as 1/8
    #[arg(long, value_name = "PART/PARTS", value_parser = Shard::parse)]
    shard: Option<Shard>,
    /// Test nothing; count what earlier runs have found
    #[arg(long, conflicts_with_all = ["only", "shard"])]
    report: bool,
}

/// A part of the mutants.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shard {
    part: u32,
    parts: u32,
}

impl Shard {
    fn parse(text: &str) -> Result<Self, String> {
        let read = |number: &str| number.parse::<u32>().ok();
        let numbers = text.split_once('/').and_then(|(part, parts)| read(part).zip(read(parts)));
        match numbers {
            Some((part, parts)) if (1..=parts).contains(&part) => Ok(Self { part, parts }),
            _ => Err("a part is such as 1/8: its number, and that of all parts".to_owned()),
        }
    }
}

/// A survivor that is explained.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Explained {
    /// Its file and what was changed, without line and column.
    mutant: String,
    /// How many there are in this file.
    #[serde(default = "one")]
    times: usize,
    /// Why no test can or should notice it.
    reason: String,
}

fn one() -> usize {
    1
}

/// Tests the mutants, or counts what was found.
pub fn run(workspace: &Workspace, options: &Mutants) -> anyhow::Result<()> {
    let directory = workspace.local().join("mutants");
    if options.report {
        let names = runs(&directory);
        let paths: Vec<PathBuf> = names.iter().map(|name| directory.join(name)).collect();
        return conclude(workspace, &outcomes(&paths)?, is_whole(&names));
    }
    let packages = packages(&options.only)?;
    let program = setup::mutants(workspace)?;
    let name = run_name(&options.only, options.shard);
    for other in runs(&directory).iter().filter(|other| !belong_together(other, &name)) {
        let path = directory.join(other);
        fs::remove_dir_all(&path).with_context(|| format!("remove {}", path.display()))?;
    }
    let output = directory.join(&name);
    fs::create_dir_all(&output).with_context(|| format!("create {}", output.display()))?;
    // cargo-mutants finds cargo by CARGO, which `cargo run` sets.
    let mut command = workspace.command(program);
    command.args(["mutants", "--profile", "mutants", "--no-shuffle", "--colors", "never"]);
    command.arg("--output").arg(&output);
    for package in &packages {
        command.arg("--package").arg(package);
    }
    if let Some(Shard { part, parts }) = options.shard {
        // It counts parts from 0.
        command.args(["--shard", &format!("{}/{parts}", part - 1)]);
    }
    let status = process::status(&mut command)?;
    if !status.code().is_some_and(|code| TESTED.contains(&code)) {
        bail!("cargo-mutants failed ({status}): see the lines above");
    }
    conclude(workspace, &outcomes(&[output])?, is_whole(&[name]))
}

/// The name of a run's directory: `all`, the crates, or the part and the number of parts.
fn run_name(only: &[String], shard: Option<Shard>) -> String {
    let crates = if only.is_empty() { "all".to_owned() } else { only.join("-and-") };
    match shard {
        Some(Shard { part, parts }) => format!("{crates}-{part}-of-{parts}"),
        None => crates,
    }
}

/// The directories of runs.
fn runs(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Whether `--report` may add up two runs: they are parts of the same mutants.
fn belong_together(one: &str, another: &str) -> bool {
    let parted = |name: &str| {
        let (rest, parts) = name.rsplit_once("-of-")?;
        Some((rest.rsplit_once('-')?.0.to_owned(), parts.to_owned()))
    };
    parted(one).is_some() && parted(one) == parted(another)
}

/// Whether these runs have tested all mutants of all crates.
fn is_whole(runs: &[String]) -> bool {
    let parts = |parts: usize| (1..=parts).all(|part| runs.contains(&format!("all-{part}-of-{parts}")));
    runs == ["all"] || (!runs.is_empty() && parts(runs.len()))
}

/// The packages to test.
fn packages(only: &[String]) -> anyhow::Result<Vec<&'static str>> {
    let named = |package: &str, name: &String| package.strip_prefix("reelhook-") == Some(name.as_str());
    if let Some(unknown) = only.iter().find(|name| !PACKAGES.iter().any(|package| named(package, name))) {
        bail!("unknown crate `{unknown}`: the crates are {}", PACKAGES.join(", "));
    }
    let chosen = PACKAGES.into_iter();
    Ok(chosen.filter(|package| only.is_empty() || only.iter().any(|name| named(package, name))).collect())
}

/// What has become of the mutants.
#[derive(Clone, Debug, Default, PartialEq)]
struct Outcomes {
    caught: usize,
    /// The names of those whose tests took too long.
    timed_out: Vec<String>,
    /// Those that do not compile count neither way.
    unviable: usize,
    /// Survivors, by file and change, with their number and a place of one of them.
    missed: BTreeMap<String, (usize, String)>,
}

impl Outcomes {
    /// Adds the mutants.json of a run of cargo-mutants, which lists all of its mutants before the first is tested, and its
    /// outcomes.json, which it writes after each of them.
    fn add(&mut self, mutants: &Value, report: &Value) -> anyhow::Result<()> {
        let (all, mut tested) = (mutants.as_array().context("mutants.json is no list")?.len(), 0);
        for outcome in report["outcomes"].as_array().context("outcomes.json has no outcomes")? {
            let Some(mutant) = outcome["scenario"].get("Mutant") else { continue };
            let name = mutant["name"].as_str().context("a mutant has no name")?;
            tested += 1;
            match outcome["summary"].as_str() {
                Some("CaughtMutant") => self.caught += 1,
                Some("Timeout") => self.timed_out.push(name.to_owned()),
                Some("Unviable") => self.unviable += 1,
                Some("MissedMutant") => {
                    let (key, place) = named(name).with_context(|| format!("a mutant has another name: {name}"))?;
                    self.missed.entry(key).or_insert((0, place)).0 += 1;
                }
                other => bail!("a mutant has the outcome {}", other.unwrap_or("none")),
            }
        }
        anyhow::ensure!(tested == all, "{tested} of {all} mutants are tested: run it again");
        Ok(())
    }

    fn survivors(&self) -> usize {
        self.missed.values().map(|(times, _)| times).sum()
    }

    /// The mutants that compile.
    fn tested(&self) -> usize {
        self.caught + self.timed_out.len() + self.survivors()
    }

    /// The part that was caught, in percent.
    fn score(&self) -> f64 {
        let tested = self.tested();
        if tested == 0 { 100.0 } else { 100.0 * self.caught as f64 / tested as f64 }
    }
}

/// `a.rs:12:5: replace f` as `a.rs: replace f`, which changes of other lines leave as it is, and as `a.rs:12:5`.
fn named(name: &str) -> Option<(String, String)> {
    let (place, change) = name.split_once(": ")?;
    let (file, _) = place.split_once(':')?;
    Some((format!("{file}: {change}"), place.to_owned()))
}

/// All outcomes of runs, by their directories. Each must have tested all of its mutants.
fn outcomes(runs: &[PathBuf]) -> anyhow::Result<Outcomes> {
    anyhow::ensure!(!runs.is_empty(), "no mutants were tested: run `cargo xtask mutants`");
    let mut found = Outcomes::default();
    for run in runs {
        let read = |name: &str| json::read(&run.join("mutants.out").join(name));
        let add = |found: &mut Outcomes| found.add(&read("mutants.json")?, &read("outcomes.json")?);
        add(&mut found).with_context(|| format!("{} is not complete", run.display()))?;
    }
    Ok(found)
}

/// Prints the score and what is wrong, and fails if something is.
fn conclude(workspace: &Workspace, outcomes: &Outcomes, is_whole: bool) -> anyhow::Result<()> {
    let path = workspace.root.join(SURVIVORS);
    let explained: Vec<Explained> =
        serde_json::from_value(json::read(&path)?).with_context(|| format!("read {}", path.display()))?;
    let Outcomes { unviable, timed_out, .. } = outcomes;
    let (score, tested, survivors) = (outcomes.score(), outcomes.tested(), outcomes.survivors());
    println!(
        "{score:.1} % of {tested} mutants are caught; {survivors} survive, {} timed out, {unviable} do not compile",
        timed_out.len()
    );
    for name in timed_out {
        ui::say(format!("timed out: {name}"));
    }
    let mut problems = problems(outcomes, &explained, is_whole);
    if score < LEAST {
        problems.push(format!("the score is below {LEAST} %"));
    }
    for problem in &problems {
        ui::say(problem);
    }
    anyhow::ensure!(problems.is_empty(), "{} problems with mutants", problems.len());
    Ok(())
}

/// Survivors without an explanation, and in a whole run explanations without a survivor.
fn problems(outcomes: &Outcomes, explained: &[Explained], is_whole: bool) -> Vec<String> {
    let known: BTreeMap<&str, usize> = explained.iter().map(|one| (one.mutant.as_str(), one.times)).collect();
    let unexplained = outcomes
        .missed
        .iter()
        .filter(|(mutant, (times, _))| known.get(mutant.as_str()).is_none_or(|most| times > most));
    let mut problems: Vec<String> =
        unexplained.map(|(mutant, (times, place))| format!("not explained: {mutant} ({times}, at {place})")).collect();
    for Explained { mutant, times, reason } in explained {
        let found = outcomes.missed.get(mutant).map_or(0, |(found, _)| *found);
        if is_whole && found < *times {
            problems.push(format!("{found} of {times} survive: {mutant} ({reason})"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(outcomes: &[(&str, &str)]) -> Value {
        let mutants = outcomes
            .iter()
            .map(|(name, summary)| json!({ "scenario": { "Mutant": { "name": name } }, "summary": summary }));
        let baseline = json!({ "scenario": "Baseline", "summary": "Success" });
        json!({ "outcomes": std::iter::once(baseline).chain(mutants).collect::<Vec<_>>() })
    }

    /// The mutants.json of a run with so many mutants.
    fn mutants(count: usize) -> Value {
        json!(vec![json!({ "package": "reelhook-domain" }); count])
    }

    fn outcomes() -> Outcomes {
        let mut outcomes = Outcomes::default();
        let report = report(&[
            ("a.rs:1:2: replace f -> bool with true", "CaughtMutant"),
            ("a.rs:2:2: replace f -> bool with false", "Timeout"),
            ("a.rs:9:1: replace < with <= in g", "MissedMutant"),
            ("a.rs:8:1: replace < with <= in g", "MissedMutant"),
            ("b.rs:3:1: replace h with ()", "Unviable"),
        ]);
        outcomes.add(&mutants(5), &report).unwrap();
        outcomes
    }

    fn explained(mutant: &str, times: usize) -> Explained {
        Explained { mutant: mutant.to_owned(), times, reason: "it is the same".to_owned() }
    }

    #[test]
    fn the_score_counts_what_compiles() {
        let outcomes = outcomes();
        assert_eq!((outcomes.caught, outcomes.survivors(), outcomes.unviable), (1, 2, 1));
        // A busy machine makes no better score.
        assert_eq!(outcomes.timed_out, ["a.rs:2:2: replace f -> bool with false"]);
        assert!((outcomes.score() - 25.0).abs() < 1e-9);
        assert!((Outcomes::default().score() - 100.0).abs() < 1e-9);
    }

    #[test]
    fn a_run_that_was_interrupted_is_not_whole() {
        let report = report(&[("a.rs:1:2: replace f -> bool with true", "CaughtMutant")]);
        assert!(Outcomes::default().add(&mutants(1), &report).is_ok());
        let error = Outcomes::default().add(&mutants(2), &report).unwrap_err();
        assert_eq!(error.to_string(), "1 of 2 mutants are tested: run it again");
        assert!(super::outcomes(&[]).is_err());
        assert!(super::outcomes(&[PathBuf::from("/no/such/run")]).is_err());
    }

    #[test]
    fn each_survivor_is_explained_as_often_as_there_are() {
        let key = "a.rs: replace < with <= in g";
        assert!(problems(&outcomes(), &[explained(key, 2)], true).is_empty());
        assert_eq!(problems(&outcomes(), &[], true), [format!("not explained: {key} (2, at a.rs:9:1)")]);
        assert_eq!(problems(&outcomes(), &[explained(key, 1)], true).len(), 1);
    }

    #[test]
    fn what_no_longer_survives_is_named_in_a_whole_run() {
        let known = [explained("a.rs: replace < with <= in g", 2), explained("gone.rs: replace i with ()", 1)];
        let stale = problems(&outcomes(), &known, true);
        assert_eq!(stale, ["0 of 1 survive: gone.rs: replace i with () (it is the same)"]);
        assert!(problems(&outcomes(), &known, false).is_empty());
    }

    #[test]
    fn an_outcome_that_is_not_known_is_no_success() {
        let mut outcomes = Outcomes::default();
        assert!(outcomes.add(&mutants(1), &report(&[("a.rs:1:2: replace f", "Failure")])).is_err());
    }

    #[test]
    fn runs_of_all_parts_are_whole() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(run_name(&[], None), "all");
        assert_eq!(run_name(&names(&["domain"]), Some(Shard { part: 1, parts: 2 })), "domain-1-of-2");
        let whole: [&[&str]; 2] = [&["all"], &["all-1-of-2", "all-2-of-2"]];
        let partial: [&[&str]; 4] = [&[], &["domain"], &["all-1-of-2"], &["domain-1-of-1"]];
        assert!(whole.iter().all(|runs| is_whole(&names(runs))));
        assert!(!partial.iter().any(|runs| is_whole(&names(runs))));
        assert!(belong_together("all-1-of-8", "all-2-of-8"));
        for other in ["all", "all-1-of-4", "domain-2-of-8"] {
            assert!(!belong_together(other, "all-2-of-8"), "{other}");
        }
        assert!(!belong_together("all", "all"));
    }

    #[test]
    fn parts_and_crates_are_read() {
        assert_eq!(Shard::parse("8/8"), Ok(Shard { part: 8, parts: 8 }));
        for text in ["0/8", "9/8", "1", "a/b"] {
            assert!(Shard::parse(text).is_err(), "{text}");
        }
        assert_eq!(packages(&["signing".to_owned()]).unwrap(), ["reelhook-signing"]);
        assert_eq!(packages(&[]).unwrap(), PACKAGES);
        assert!(packages(&["render".to_owned()]).is_err());
    }

    #[test]
    fn the_explanations_of_this_checkout_are_read() {
        let path = Workspace::find().unwrap().root.join(SURVIVORS);
        let explained: Vec<Explained> = serde_json::from_value(json::read(&path).unwrap()).unwrap();
        for one in explained {
            assert!(one.times > 0 && !one.reason.is_empty(), "{one:?}");
            let file = one.mutant.split_once(": ").expect("a file and a change").0;
            assert!(Workspace::find().unwrap().root.join(file).is_file(), "{file}");
        }
    }
}
