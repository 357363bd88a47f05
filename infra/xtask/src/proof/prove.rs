//! `cargo xtask prove`: runs a campaign of kills and faults on a hostile stack, and writes its line into docs/proof.md.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use clap::ValueEnum as _;
use serde_json::Value;

use crate::bench::document;
use crate::checks::end_to_end_binary;
use crate::instance::Instance;
use crate::up::{self, Started};
use crate::workspace::Workspace;
use crate::{json, process, profile, ui};

/// Additional help for `--help`.
pub const ABOUT: &str = "\
The stack has a proxy between functions and the emulator (infra/faults), which injects faults by the seed. Jobs, videos,
projects and clip jobs are submitted until the time is over, while people give commands and clients read. Then the faults
end. Within five minutes, or as many after the last command to a project that failed, everything must have ended. Each
event must have arrived once, nothing may be made twice, and slots, counters and credits must add up (docs/proof.md);
otherwise the command fails, and writes nothing. Two campaigns with the same seed meet the same faults at the same
calls.";

/// The document, and the name of its table.
const DOCUMENT: (&str, &str) = ("docs/proof.md", "campaigns");
/// The head of the table.
const HEAD: &str = "\
| campaign | seed | minutes | kills | calls of AWS | with a fault | deliveries | twice, late, disordered or cut | \
jobs, videos, projects, clip jobs | failed with a reason | commands of a person | answers 5xx | all ended after |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
";
/// How long a campaign is as a check.
const SHORT_SECONDS: u64 = 20;

/// A campaign with its seed and length.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The campaign
    #[arg(value_enum)]
    campaign: Campaign,
    /// Seed of kills and faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long work is submitted
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    minutes: u64,
}

/// What happens while work runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Campaign {
    /// Functions are killed
    Kills,
    /// One of a hundred calls of AWS meets a fault
    #[value(name = "faults-1")]
    Faults1,
    /// Five of a hundred
    #[value(name = "faults-5")]
    Faults5,
    /// Twenty of a hundred
    #[value(name = "faults-20")]
    Faults20,
    /// Functions are killed, and five of a hundred calls meet a fault
    Both,
}

impl Campaign {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn percent(self) -> u8 {
        match self {
            Self::Kills => 0,
            Self::Faults1 => 1,
            Self::Faults5 | Self::Both => 5,
            Self::Faults20 => 20,
        }
    }

    fn kills(self) -> bool {
        matches!(self, Self::Kills | Self::Both)
    }
}

/// Runs a campaign, and writes what came of it into the document.
pub fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let program = end_to_end_binary(workspace)?;
    let mut started = stack(workspace)?;
    let minutes = options.minutes;
    let result = campaign(workspace, &mut started, &program, (options.campaign, options.seed, minutes * 60))?;
    let line = line(options, &result);
    let path = workspace.root.join(DOCUMENT.0);
    let page = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let old = document::section(&page, DOCUMENT.1).unwrap_or_default();
    document::write(&path, DOCUMENT.1, &table(old, &line))?;
    ui::say(format!("{line}\nThe line is in {}.", DOCUMENT.0));
    Ok(())
}

/// Runs what needs the hostile stack, and short campaigns on it.
pub fn shortly(workspace: &Workspace) -> anyhow::Result<()> {
    let program = end_to_end_binary(workspace)?;
    let mut started = stack(workspace)?;
    let mut command = test_command(workspace, &started, &program, "prove::gateway::");
    process::run(&mut command, "the tests of the gateway")?;
    for kind in [Campaign::Kills, Campaign::Faults5, Campaign::Both] {
        campaign(workspace, &mut started, &program, (kind, u64::from(std::process::id()), SHORT_SECONDS))?;
    }
    Ok(())
}

/// Starts the hostile stack.
fn stack(workspace: &Workspace) -> anyhow::Result<Started> {
    let options = profile::for_tests(workspace, true)?;
    up::start(workspace, Instance::new(workspace, "prove")?, &options)
}

/// The command that runs the tests whose names contain `name`.
fn test_command(workspace: &Workspace, started: &Started, program: &Path, name: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["--test-threads=1", "--show-output", name]);
    command.current_dir(workspace.root.join("tests"));
    command.env("REELHOOK_RUN", started.instance.run_file());
    command
}

/// Runs a campaign of this seed for so many seconds, and returns what came of it.
fn campaign(
    workspace: &Workspace,
    started: &mut Started,
    program: &Path,
    (kind, seed, seconds): (Campaign, u64, u64),
) -> anyhow::Result<Value> {
    let (name, written) = (kind.name(), started.instance.path("campaign.json"));
    ui::say(format!("Campaign {name} with seed {seed}, {seconds} s ..."));
    let mut command = test_command(workspace, started, program, "prove::everything_ends_and_adds_up");
    command.env("PROVE_SEED", seed.to_string()).env("PROVE_SECONDS", seconds.to_string());
    command.env("PROVE_PERCENT", kind.percent().to_string()).env("PROVE_KILLS", u8::from(kind.kills()).to_string());
    command.env("PROVE_RESULT", &written);
    process::run(&mut command, &format!("the campaign {name} with seed {seed}"))
        .with_context(|| format!("see the logs in {}", started.instance.directory.display()))?;
    started.check()?;
    json::read(&written)
}

/// The line of a campaign.
fn line(options: &Options, result: &Value) -> String {
    let number = |name: &str| result[name].as_u64().unwrap_or_default();
    let work = ["jobs", "videos", "projects", "clips"].map(|name| number(name).to_string()).join(", ");
    let cells = [
        options.campaign.name(),
        options.seed.to_string(),
        options.minutes.to_string(),
        number("kills").to_string(),
        number("calls").to_string(),
        number("met").to_string(),
        number("deliveries").to_string(),
        number("disturbed").to_string(),
        work,
        number("failed").to_string(),
        number("commands").to_string(),
        number("server_errors").to_string(),
        format!("{} s", number("recovered_s")),
    ];
    format!("| {} |", cells.join(" | "))
}

/// The table with a line, instead of an older one of the same campaign, seed and length.
fn table(old: &str, line: &str) -> String {
    let key = |line: &str| line.split(" | ").take(3).map(str::to_owned).collect::<Vec<_>>();
    let mut lines: Vec<&str> = old.lines().skip(2).filter(|other| key(other) != key(line)).collect();
    lines.push(line);
    lines.sort_unstable();
    lines.iter().fold(HEAD.to_owned(), |text, line| format!("{text}{line}\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn options(campaign: Campaign, seed: u64) -> Options {
        Options { campaign, seed, minutes: 10 }
    }

    #[test]
    fn a_line_replaces_an_older_one_of_the_same_campaign() {
        let result = |kills: u64| json!({ "kills": kills, "jobs": 3, "videos": 1, "projects": 2, "clips": 4 });
        let first = table("", &line(&options(Campaign::Kills, 1), &result(900)));
        let second = table(&first, &line(&options(Campaign::Kills, 2), &result(950)));
        let third = table(&second, &line(&options(Campaign::Kills, 1), &result(1000)));
        assert_eq!(third.lines().count(), 4, "{third}");
        assert!(third.contains("| kills | 1 | 10 | 1000 |") && third.contains("| kills | 2 | 10 | 950 |"), "{third}");
        assert!(third.contains("| 3, 1, 2, 4 |") && !third.contains("| 900 |"), "{third}");
    }

    #[test]
    fn the_document_has_the_table() {
        let path = Workspace::find().unwrap().root.join(DOCUMENT.0);
        let page = fs::read_to_string(path).unwrap();
        let section = document::section(&page, DOCUMENT.1).expect("the markers of the table");
        assert!(section.starts_with(HEAD), "{section}");
    }

    #[test]
    fn campaigns_have_names() {
        let names: Vec<String> = Campaign::value_variants().iter().map(|campaign| campaign.name()).collect();
        assert_eq!(names, ["kills", "faults-1", "faults-5", "faults-20", "both"]);
    }
}
