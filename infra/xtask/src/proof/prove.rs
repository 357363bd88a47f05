//! `cargo xtask prove`: runs a campaign of kills and faults on a hostile stack, and writes its line into docs/proof.md.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use clap::ValueEnum as _;
use serde_json::Value;

use crate::bench::document;
use crate::checks::end_to_end;
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

/// The document.
const DOCUMENT: &str = "docs/proof.md";
/// The table of campaigns: its name in the document, and its head.
const CAMPAIGNS: (&str, &str) = (
    "campaigns",
    "\
| campaign | seed | minutes | kills | calls of AWS | with a fault | deliveries | twice, late, disordered or cut | \
jobs, videos, projects, clip jobs | failed with a reason | commands of a person | answers 5xx | all ended after |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
",
);
/// The table of what the calls of each service met.
const SERVICES: (&str, &str) = (
    "services",
    "\
| campaign | seed | minutes | service | calls | met | repeats refused after their own write |
|---|---|---|---|---|---|---|
",
);
/// The table of which functions were killed.
const KILLED: (&str, &str) = (
    "killed",
    "\
| campaign | seed | minutes | kills of each function, and those that ended an invocation |
|---|---|---|---|
",
);
/// The member of a service's counts that is no fault: repeats that were refused, since the first one had been done.
const OWN_WRITES: &str = "failed_on_own_write";
/// Calls of a hundred that meet a fault while histories are recorded for linearizability.
const LINEAR_PERCENT: u8 = 5;
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
    let program = end_to_end::build(workspace)?;
    let mut started = stack(workspace)?;
    let minutes = options.minutes;
    let result = campaign(workspace, &mut started, &program, (options.campaign, options.seed, minutes * 60))?;
    let (line, services, killed) = (line(options, &result), services(options, &result), killed(options, &result));
    let path = workspace.root.join(DOCUMENT);
    let page = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    for ((name, head), lines) in
        [(CAMPAIGNS, std::slice::from_ref(&line)), (KILLED, killed.as_slice()), (SERVICES, services.as_slice())]
    {
        let old = document::section(&page, name).unwrap_or_default();
        document::write(&path, name, &table(head, old, lines))?;
    }
    let others: Vec<String> = [killed, services].concat();
    ui::say(format!("{line}\n{}\nThe lines are in {DOCUMENT}.", others.join("\n")));
    Ok(())
}

/// Runs what needs the hostile stack, and short campaigns on it.
pub fn shortly(workspace: &Workspace) -> anyhow::Result<()> {
    let program = end_to_end::build(workspace)?;
    let mut started = stack(workspace)?;
    for (tests, what) in [
        ("prove::gateway::", "the tests of the gateway"),
        ("prove::causes::", "the tests of what causes an answer of 5xx"),
        ("prove::disturbance::", "the tests of what counts as a kill"),
        ("prove::routes::", "the tests of which function serves a request"),
        ("prove::signatures::", "the tests of what receivers have verified"),
    ] {
        process::run(&mut test_command(workspace, &started, &program, tests)?, what)?;
    }
    let mut command = test_command(workspace, &started, &program, "linear::")?;
    command.env("LINEAR_PERCENT", LINEAR_PERCENT.to_string());
    process::run(&mut command, "the tests of linearizability under faults")?;
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

/// The command that runs one test, or those of a module, whose name ends in `::`. An error if there is none.
fn test_command(workspace: &Workspace, started: &Started, program: &Path, name: &str) -> anyhow::Result<Command> {
    let filter = if name.ends_with("::") { vec![name] } else { vec!["--exact", name] };
    let mut list = Command::new(program);
    list.args(["--list", "--format=terse"]).args(&filter);
    let listed = process::output(&mut list, b"", "the list of tests")?;
    anyhow::ensure!(has_test(&listed, name), "{} has no test `{name}`", program.display());
    Ok(end_to_end::tests(workspace, started, program, &filter))
}

/// Whether a list of tests, one in each line, has this one, or one of this module.
fn has_test(listed: &str, name: &str) -> bool {
    let mut tests = listed.lines().filter_map(|line| line.strip_suffix(": test"));
    tests.any(|test| if name.ends_with("::") { test.starts_with(name) } else { test == name })
}

/// Runs a campaign of this seed for so many seconds, and returns what came of it.
fn campaign(
    workspace: &Workspace,
    started: &mut Started,
    program: &Path,
    (kind, seed, seconds): (Campaign, u64, u64),
) -> anyhow::Result<Value> {
    let (name, written) = (kind.name(), started.instance.path("campaign.json"));
    if written.exists() {
        fs::remove_file(&written).context("remove what came of the campaign before")?;
    }
    ui::say(format!("Campaign {name} with seed {seed}, {seconds} s ..."));
    let mut command = test_command(workspace, started, program, "prove::everything_ends_and_adds_up")?;
    command.env("PROVE_SEED", seed.to_string()).env("PROVE_SECONDS", seconds.to_string());
    command.env("PROVE_PERCENT", kind.percent().to_string()).env("PROVE_KILLS", u8::from(kind.kills()).to_string());
    command.env("PROVE_RESULT", &written);
    process::run(&mut command, &format!("the campaign {name} with seed {seed}"))
        .with_context(|| format!("see the logs in {}", started.instance.directory.display()))?;
    started.check()?;
    let result = json::read(&written)?;
    let has_counts = ["by_service", "by_delivery", "killed"].iter().all(|member| result[member].is_object());
    anyhow::ensure!(has_counts, "{} does not say what met which fault and what was killed", written.display());
    Ok(result)
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

/// The line of how often each function was killed in a campaign; none without kills.
fn killed(options: &Options, result: &Value) -> Vec<String> {
    if !options.campaign.kills() {
        return Vec::new();
    }
    let counts = result["killed"].as_object().into_iter().flatten();
    let counts: Vec<String> =
        counts.map(|(function, of)| format!("{function} {} ({})", of["all"], of["interrupted"])).collect();
    let (campaign, seed, minutes) = (options.campaign.name(), options.seed, options.minutes);
    vec![format!("| {campaign} | {seed} | {minutes} | {} |", counts.join(", "))]
}

/// The lines of what each service met in a campaign; none without faults. The last one is that of batches of messages and
/// stream records.
fn services(options: &Options, result: &Value) -> Vec<String> {
    if options.campaign.percent() == 0 {
        return Vec::new();
    }
    let number = |count: &Value| count.as_u64().unwrap_or_default();
    let line = |name: &str, calls: u64, met: &Value, own_writes: &str| {
        let met: Vec<String> = met
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(kind, count)| !["calls", OWN_WRITES].contains(&kind.as_str()) && number(count) > 0)
            .map(|(kind, count)| format!("{} {count}", kind.replace('_', " ")))
            .collect();
        let cells = [
            options.campaign.name(),
            options.seed.to_string(),
            options.minutes.to_string(),
            name.to_owned(),
            calls.to_string(),
            met.join(", "),
            own_writes.to_owned(),
        ];
        format!("| {} |", cells.join(" | "))
    };
    let of_services = result["by_service"].as_object().into_iter().flatten();
    let mut lines: Vec<String> = of_services
        .map(|(name, met)| line(name, number(&met["calls"]), met, &number(&met[OWN_WRITES]).to_string()))
        .collect();
    lines.push(line("batches delivered", number(&result["deliveries"]), &result["by_delivery"], ""));
    lines
}

/// A table with lines of a campaign, instead of older ones of the same campaign, seed and length.
fn table(head: &str, old: &str, new: &[String]) -> String {
    let key = |line: &str| line.split(" | ").take(3).map(str::to_owned).collect::<Vec<_>>();
    let is_old = |line: &&str| new.iter().all(|other| key(other) != key(line));
    let mut lines: Vec<&str> = old.lines().skip(2).filter(is_old).collect();
    lines.extend(new.iter().map(String::as_str));
    lines.sort_unstable();
    lines.iter().fold(head.to_owned(), |text, line| format!("{text}{line}\n"))
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
        let with = |old: &str, seed: u64, kills: u64| {
            table(CAMPAIGNS.1, old, &[line(&options(Campaign::Kills, seed), &result(kills))])
        };
        let first = with("", 1, 900);
        let second = with(&first, 2, 950);
        let third = with(&second, 1, 1000);
        assert_eq!(third.lines().count(), 4, "{third}");
        assert!(third.contains("| kills | 1 | 10 | 1000 |") && third.contains("| kills | 2 | 10 | 950 |"), "{third}");
        assert!(third.contains("| 3, 1, 2, 4 |") && !third.contains("| 900 |"), "{third}");
    }

    #[test]
    fn each_service_has_a_line_with_what_it_met() {
        let result = |throttled: u64| {
            json!({
                "by_service": {
                    "DynamoDB": { "calls": 90, "failed_on_own_write": 3, "lost_answer": 4, "slow": 1 },
                    "SSM": { "calls": 7, "failed_on_own_write": 0, "throttled": throttled },
                },
                "deliveries": 50, "by_delivery": { "cut": 0, "disorder": 2, "twice": 6 },
            })
        };
        let with = |old: &str, seed: u64, throttled: u64| {
            table(SERVICES.1, old, &services(&options(Campaign::Both, seed), &result(throttled)))
        };
        let first = with("", 1, 1);
        let second = with(&with(&first, 2, 1), 1, 2);
        assert!(first.contains("| both | 1 | 10 | DynamoDB | 90 | lost answer 4, slow 1 | 3 |\n"), "{first}");
        assert!(first.contains("| both | 1 | 10 | SSM | 7 | throttled 1 | 0 |\n"), "{first}");
        assert!(first.contains("| both | 1 | 10 | batches delivered | 50 | disorder 2, twice 6 |  |\n"), "{first}");
        assert_eq!((first.lines().count(), second.lines().count()), (5, 8), "{second}");
        assert!(second.contains("| both | 1 | 10 | SSM | 7 | throttled 2 | 0 |\n"), "{second}");
        assert!(services(&options(Campaign::Kills, 1), &result(1)).is_empty());
    }

    #[test]
    fn a_campaign_with_kills_has_a_line_of_what_was_killed() {
        let result = json!({
            "killed": { "fanout": { "all": 12, "interrupted": 4 }, "live": { "all": 3, "interrupted": 0 } },
        });
        let lines = table(KILLED.1, "", &killed(&options(Campaign::Kills, 1), &result));
        assert!(lines.ends_with("|\n| kills | 1 | 10 | fanout 12 (4), live 3 (0) |\n"), "{lines}");
        assert!(killed(&options(Campaign::Faults5, 1), &result).is_empty());
    }

    #[test]
    fn a_name_that_no_test_has_is_none() {
        let listed = "prove::gateway::one: test\nprove::everything_ends_and_adds_up: test\n";
        for name in ["prove::gateway::", "prove::gateway::one", "prove::everything_ends_and_adds_up"] {
            assert!(has_test(listed, name), "{name}");
        }
        for name in ["gateway::", "prove::gateway", "prove::everything_ends", "linear::"] {
            assert!(!has_test(listed, name), "{name}");
        }
        assert!(!has_test("", "prove::gateway::"));
    }

    #[test]
    fn the_document_has_the_tables() {
        let path = Workspace::find().unwrap().root.join(DOCUMENT);
        let page = fs::read_to_string(path).unwrap();
        for (name, head) in [CAMPAIGNS, KILLED, SERVICES] {
            let section = document::section(&page, name).expect("the markers of the table");
            assert!(section.starts_with(head), "{section}");
        }
    }

    #[test]
    fn campaigns_have_names() {
        let names: Vec<String> = Campaign::value_variants().iter().map(|campaign| campaign.name()).collect();
        assert_eq!(names, ["kills", "faults-1", "faults-5", "faults-20", "both"]);
    }
}
