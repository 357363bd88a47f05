//! `reelhook deliveries`: what was sent, and each of its attempts.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::api::{Api, Call};
use crate::failure::Failure;
use crate::input::{Id, Moment};
use crate::output::{Output, table, text};

/// Additional help for --help.
pub const EXAMPLES: &str = "\
Examples:
  reelhook deliveries list --status exhausted --from 2h
  reelhook deliveries list --job job_1795900134477_3d6bc8b9fb08e0c164172e4b181d2b9c
  reelhook deliveries list --endpoint ep_5f0c2b7e9d134a6688e1c07ab2d94f31 --limit 1000 --json
  reelhook deliveries show 3506d615-026b-5c56-ad5b-7db47bf6fb98";

/// The routes of deliveries.
pub const DELIVERIES: &str = "/api/webhooks/deliveries";
/// A page has at most this many.
const PAGE: usize = 100;

/// What is done with deliveries.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List deliveries, newest first; without `--from`, those of the last day
    List(Filter),
    /// Show a delivery with its content and each of its attempts
    Show {
        /// Id of the delivery
        id: Id,
    },
}

/// Which deliveries are listed.
#[derive(Debug, Args)]
pub struct Filter {
    /// Only those about this job, video, project or clip job
    #[arg(long, value_name = "ID")]
    job: Option<Id>,
    /// Only those to this endpoint, by its id or name
    #[arg(long, value_name = "ID")]
    endpoint: Option<Id>,
    /// Only those with this status
    #[arg(long, value_parser = ["pending", "delivered", "exhausted", "stopped"])]
    status: Option<String>,
    /// From then on: how long ago, such as 2h, or a time such as 2026-11-22T04:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<Moment>,
    /// Until then
    #[arg(long, value_name = "TIME")]
    to: Option<Moment>,
    /// At most this many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

/// Runs one of the commands.
pub async fn run(api: &Api, output: &Output, command: &Command) -> Result<(), Failure> {
    match command {
        Command::List(filter) => list(api, output, filter).await,
        Command::Show { id } => {
            let found = read(api, id).await?;
            output.result(&found, || described(&found))
        }
    }
}

/// A delivery with its attempts.
pub async fn read(api: &Api, id: &Id) -> Result<Value, Failure> {
    api.get(format!("{DELIVERIES}/{}", id.as_str())).await
}

/// Prints a page as soon as it is there: as JSON, one delivery a line.
async fn list(api: &Api, output: &Output, filter: &Filter) -> Result<(), Failure> {
    let id = |id: &Option<Id>| id.as_ref().map(|id| id.as_str().to_owned());
    let moment = |time: &Option<Moment>| time.as_ref().map(|time| time.as_str().to_owned());
    let mut left = filter.limit as usize;
    let mut cursor: Option<String> = None;
    let mut is_first = true;
    while left > 0 {
        let call = Call::get(DELIVERIES)
            .with("jobId", id(&filter.job))
            .with("endpoint", id(&filter.endpoint))
            .with("status", filter.status.clone())
            .with("from", moment(&filter.from))
            .with("to", moment(&filter.to))
            .with("limit", Some(left.min(PAGE).to_string()))
            .with("cursor", cursor);
        let answer = api.send(call).await?.body;
        let found = answer["deliveries"].as_array().map(Vec::as_slice).unwrap_or_default();
        if output.is_json() {
            found.iter().try_for_each(|delivery| output.result(delivery, Vec::new))?;
        } else {
            let rows: Vec<Vec<String>> = found.iter().map(row).collect();
            let lines = table(&["id", "status", "attempts", "event", "endpoint", "last result"], &rows);
            output.result(&Value::Null, || lines.into_iter().skip(usize::from(!is_first)).collect())?;
        }
        is_first = false;
        left = left.saturating_sub(found.len());
        cursor = answer["nextCursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            if answer["partial"] == true {
                output.say("The API stopped reading before the end: name a shorter time with --from and --to.");
            }
            break;
        }
    }
    Ok(())
}

fn row(delivery: &Value) -> Vec<String> {
    ["id", "status", "attempts", "event", "webhookId", "lastResult"].map(|name| text(&delivery[name])).to_vec()
}

/// A delivery in lines.
fn described(found: &Value) -> Vec<String> {
    let delivery = &found["delivery"];
    let members = [
        ("event", "event"),
        ("about", "jobId"),
        ("endpoint", "endpointId"),
        ("status", "status"),
        ("waits for", "waitsFor"),
        ("created", "createdAt"),
        ("next attempt", "nextAttemptAt"),
        ("ended", "finishedAt"),
    ];
    let mut lines = vec![text(&delivery["id"])];
    let shown = members.into_iter().filter(|(_, name)| !delivery[*name].is_null());
    lines.extend(shown.map(|(title, name)| format!("  {title:<14}{}", text(&delivery[name]))));
    let attempts = found["attempts"].as_array().into_iter().flatten();
    lines.extend(attempts.map(|one| format!("  {}", attempt(one))));
    lines
}

/// An attempt on a line.
pub fn attempt(attempt: &Value) -> String {
    let result = match (attempt["outcome"].as_str(), attempt["error"].as_str()) {
        (Some("answered"), _) => format!("answered {}", text(&attempt["status"])),
        (Some("no_answer"), error) => format!("no answer: {}", error.unwrap_or("-")),
        (_, _) => "its result is not known".to_owned(),
    };
    let number = text(&attempt["number"]);
    let mut line = format!("attempt {number} at {}: {result}", text(&attempt["startedAt"]));
    if let Some(ms) = attempt["durationMs"].as_u64() {
        line.push_str(&format!(", {ms} ms"));
    }
    if let Some(response) = attempt["response"].as_str().filter(|response| !response.is_empty()) {
        line.push_str(&format!(", {}", json!(response.chars().take(200).collect::<String>())));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_shown_on_a_line() {
        // As in docs/contract/endpoints.md, Deliveries.
        let answered = json!({ "number": 1, "startedAt": "2024-01-01T12:05:30.500Z", "outcome": "answered", "status": 500,
            "error": null, "durationMs": 41, "response": "out of\norder" });
        let expected = "attempt 1 at 2024-01-01T12:05:30.500Z: answered 500, 41 ms, \"out of\\norder\"";
        assert_eq!(attempt(&answered), expected);
        let lost = json!({ "number": 2, "startedAt": "t", "outcome": "no_answer", "status": 0, "error": "ETIMEDOUT" });
        assert_eq!(attempt(&lost), "attempt 2 at t: no answer: ETIMEDOUT");
        assert_eq!(
            attempt(&json!({ "number": 3, "startedAt": "t", "outcome": "unknown" })),
            "attempt 3 at t: its result is not known"
        );
    }
}
