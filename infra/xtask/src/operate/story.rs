//! `cargo xtask story`: what happened to one job, project, clip job or delivery, as a timeline for a terminal.

use std::io::{ErrorKind, Write as _};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Target;
use crate::instance::Instance;
use crate::ui::Colours;
use crate::visible;
use crate::workspace::Workspace;

/// Additional help.
pub const ABOUT: &str = "\
Examples:
  cargo xtask story job_1795900134477_3d6bc8b9fb08e0c164172e4b181d2b9c
  cargo xtask story --delivery 7c4bd0e4-77a4-5b0f-8f4e-0d8c7a2f4a11 --aws-stack reelhook
  cargo xtask story clip_0b0e7a3c-5f0e-4f43-9a53-0f7a6c2b4d11 --json | jq '.entries[] | select(.level == \"error\")'

On AWS it queries the functions' log groups with CloudWatch Logs Insights, for the time in which something happened.";

/// The widest column of sources, in characters.
const SOURCE: usize = 18;
/// Characters of the facts beside an entry.
const FACTS: usize = 240;

/// What is told, and how.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Id of a job, a project or a clip job
    #[arg(required_unless_present = "delivery", conflicts_with = "delivery")]
    id: Option<String>,
    /// Id of a delivery, whose story is told instead
    #[arg(long, value_name = "ID")]
    delivery: Option<String>,
    /// Print JSON, with all facts of each entry
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// A story, as infra/local/commands/story makes it.
#[derive(Debug, Deserialize)]
struct Story {
    /// Facts about what the story is about.
    of: Map<String, Value>,
    /// What it waits for.
    now: Vec<Waits>,
    /// What happened, the oldest first.
    entries: Vec<Entry>,
    /// What could not be read.
    missing: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Waits {
    what: String,
    text: String,
}

#[derive(Debug, Deserialize)]
struct Entry {
    /// RFC 3339, with milliseconds.
    at: String,
    /// The same in Unix milliseconds.
    ms: i64,
    source: String,
    level: String,
    text: String,
    /// What else is known.
    #[serde(flatten)]
    facts: Map<String, Value>,
}

/// Prints the story.
pub fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let Options { id, delivery, json, target } = options;
    let id = delivery.as_ref().or(id.as_ref()).context("no id was given")?;
    let mut arguments = vec!["story"];
    arguments.extend(delivery.as_ref().map(|_| "--delivery"));
    let log = function_log(workspace, target)?;
    if let Some(log) = &log {
        arguments.extend(["--function-log", log.as_str()]);
    }
    arguments.extend(["--", id.as_str()]);
    let told = target.stack(workspace)?.call("reading the story", &arguments, "")?;
    if *json {
        return write(&format!("{}\n", visible::json(&told)));
    }
    let story: Story = serde_json::from_value(told).context("the story has another form than expected")?;
    write(&text(&story, Colours::of_stdout()))
}

/// The file with the functions' lines; none on AWS.
fn function_log(workspace: &Workspace, target: &Target) -> anyhow::Result<Option<String>> {
    if target.aws_stack.is_some() {
        return Ok(None);
    }
    let run = Instance::new(workspace, &target.instance)?.must_run()?;
    let path = run.function_log.into_os_string().into_string();
    path.map(Some).map_err(|path| anyhow::anyhow!("the path {} is not UTF-8", path.to_string_lossy()))
}

fn write(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // The reader of the pipe has closed it.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("print the story"),
    }
}

/// The story for a terminal. All of its texts may be of callers, workers and receivers.
fn text(story: &Story, colours: Colours) -> String {
    let mut lines = heading(&story.of, colours);
    let began = story.entries.first().map_or(0, |entry| entry.ms);
    let widest = story.entries.iter().map(|entry| entry.source.chars().count()).max().unwrap_or_default();
    let mut day = "";
    for entry in &story.entries {
        let (date, _) = entry.at.split_once('T').unwrap_or((entry.at.as_str(), ""));
        if date != day {
            day = date;
            lines.push(String::new());
            lines.push(colours.bold(&visible::line(date)));
        }
        lines.push(line(entry, began, widest.min(SOURCE), colours));
    }
    if !story.now.is_empty() {
        lines.extend([String::new(), colours.bold("Now")]);
        let waits = |waits: &Waits| visible::line(&format!("  {}: {}", waits.what, waits.text));
        lines.extend(story.now.iter().map(waits));
    }
    if !story.missing.is_empty() {
        lines.extend([String::new(), colours.yellow("Missing")]);
        lines.extend(story.missing.iter().map(|missing| visible::line(&format!("  {missing}"))));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// What the story is about: its status first, and then each fact that is known.
fn heading(of: &Map<String, Value>, colours: Colours) -> Vec<String> {
    let fact = |name: &str| of.get(name).and_then(Value::as_str).unwrap_or_default();
    let what = visible::line(&format!("{} {}", fact("kind"), fact("id")));
    let error = Some(fact("error")).filter(|error| !error.is_empty()).map(|error| format!(": {error}"));
    let status = visible::line(&format!("{}{}", fact("status"), error.unwrap_or_default()));
    let status = match fact("status") {
        "completed" | "succeeded" | "delivered" => colours.green(&status),
        "failed" | "exhausted" => colours.red(&status),
        _ => colours.yellow(&status),
    };
    let told = ["kind", "id", "status", "error", "created_ms"];
    let rest = of.iter().filter(|(name, value)| !told.contains(&name.as_str()) && !value.is_null());
    let rest = rest.map(|(name, value)| visible::line(&format!("  {name} {}", plain(value))));
    [format!("{}  {status}", colours.bold(&what))].into_iter().chain(rest).collect()
}

/// An entry: time of day, time since the first one, source, what happened, and what else is known of it.
fn line(entry: &Entry, began: i64, width: usize, colours: Colours) -> String {
    let time = entry.at.split_once('T').map_or("", |(_, time)| time.trim_end_matches('Z'));
    let since = since(entry.ms.saturating_sub(began));
    let place = visible::line(&format!("{time} {since:>10}  {:<width$}", entry.source));
    let text = visible::line(&entry.text);
    let text = match entry.level.as_str() {
        "error" => colours.red(&text),
        "warning" => colours.yellow(&text),
        "success" => colours.green(&text),
        _ => text,
    };
    let facts = visible::line(&facts(&entry.facts));
    format!("{}  {text}{}", colours.dim(&place), colours.dim(&facts))
}

/// The facts of an entry that its text does not have, each after a blank.
fn facts(facts: &Map<String, Value>) -> String {
    let nested = ["fields", "details"].into_iter().filter_map(|name| facts.get(name)?.as_object()).flatten();
    let own = facts.iter().filter(|(_, value)| !value.is_object() && !value.is_array());
    let all: String = own.chain(nested).map(|(name, value)| format!(" {name}={}", plain(value))).collect();
    let end = all.char_indices().nth(FACTS);
    match end {
        Some((end, _)) => format!("{}…", &all[..end]),
        None => all,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `+0.250 s`, `+12.0 min`, `+1.5 h`.
fn since(ms: i64) -> String {
    match ms {
        ..600_000 => format!("+{:.3} s", ms as f64 / 1e3),
        600_000..36_000_000 => format!("+{:.1} min", ms as f64 / 60e3),
        _ => format!("+{:.1} h", ms as f64 / 3600e3),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told() -> Value {
        json!({
            "of": { "kind": "job", "id": "job_1", "status": "failed", "error": "no sound", "version": 3,
                    "created_ms": 1_704_110_400_000_i64, "owner": null, "trace_id": "4bf92f" },
            "now": [{ "what": "delivery d1", "text": "attempt 2 at noon" }],
            "entries": [
                { "at": "2024-01-01T12:00:00.000Z", "ms": 1_704_110_400_000_i64, "source": "log", "level": "info",
                  "text": "Job added to the queue", "version": 1 },
                { "at": "2024-01-01T12:00:01.250Z", "ms": 1_704_110_401_250_i64, "source": "Render", "level": "error",
                  "text": "The run ended\u{1b}[2K", "fields": { "claim": 1, "note": "a\nb" } },
                { "at": "2024-01-02T00:00:00.000Z", "ms": 1_704_153_600_000_i64, "source": "delivery",
                  "level": "success", "text": "delivered", "delivery_ids": ["d1"] },
            ],
            "missing": ["the functions' lines"],
        })
    }

    #[test]
    fn a_story_reads_as_a_timeline() {
        let story: Story = serde_json::from_value(told()).unwrap();
        let expected = "\
job job_1  failed: no sound
  version 3
  trace_id 4bf92f

2024-01-01
12:00:00.000   +0.000 s  log       Job added to the queue version=1
12:00:01.250   +1.250 s  Render    The run ended\\u{1b}[2K claim=1 note=a\\nb

2024-01-02
00:00:00.000    +12.0 h  delivery  delivered

Now
  delivery d1: attempt 2 at noon

Missing
  the functions' lines
";
        assert_eq!(text(&story, Colours::PLAIN), expected);
    }

    #[test]
    fn times_since_the_beginning_stay_short() {
        let check = |ms: i64, expected: &str| assert_eq!(since(ms), expected);
        check(0, "+0.000 s");
        check(599_999, "+599.999 s");
        check(720_000, "+12.0 min");
        check(43_200_000, "+12.0 h");
    }

    #[test]
    fn many_facts_are_cut() {
        let many = json!({ "version": 1, "details": { "long": "é".repeat(1000) } });
        let shown = facts(many.as_object().unwrap());
        assert_eq!(shown.chars().count(), FACTS + 1);
        assert!(shown.starts_with(" version=1 long=é") && shown.ends_with('…'), "{shown}");
    }
}
