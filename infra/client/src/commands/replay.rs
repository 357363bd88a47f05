//! `reelhook replay`: one delivery, or all of a time range.

use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use reelhook_terminal::ui;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::api::{Api, Call};
use crate::commands::deliveries::DELIVERIES;
use crate::failure::Failure;
use crate::input::{Id, Moment};
use crate::output::{Output, text};

/// Additional help for --help.
pub const EXAMPLES: &str = "\
Examples:
  reelhook replay 3506d615-026b-5c56-ad5b-7db47bf6fb98
  reelhook replay --from 6h --endpoint ep_5f0c2b7e9d134a6688e1c07ab2d94f31 --dry-run
  reelhook replay --from 2026-11-21T00:00:00Z --to 2026-11-22T00:00:00Z --event job.completed --status exhausted";

/// The routes of recoveries.
const RECOVER: &str = "/api/webhooks/recover";
/// How often the progress of a recovery is read.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// What is sent again.
#[derive(Debug, Args)]
pub struct Options {
    /// Id of a delivery
    #[arg(required_unless_present = "from", conflicts_with_all = ["from", "to", "endpoint", "event", "statuses", "dry_run"])]
    delivery: Option<Id>,
    /// All since then: how long ago, such as 6h, or a time such as 2026-11-22T04:00:00Z; as long as deliveries are kept
    #[arg(long, value_name = "TIME")]
    from: Option<Moment>,
    /// Until then, by default now
    #[arg(long, value_name = "TIME", requires = "from")]
    to: Option<Moment>,
    /// Only those to this endpoint, by its id or name
    #[arg(long, value_name = "ID", requires = "from")]
    endpoint: Option<Id>,
    /// Only this event
    #[arg(long, value_name = "EVENT", requires = "from")]
    event: Option<String>,
    /// Only those with this status, by default `exhausted` and `stopped`; may be repeated
    #[arg(long = "status", requires = "from", value_parser = ["pending", "delivered", "exhausted", "stopped"])]
    statuses: Vec<String>,
    /// Only count them
    #[arg(long, requires = "from")]
    dry_run: bool,
    /// Return at once; the recovery goes on
    #[arg(long, requires = "from")]
    detach: bool,
}

/// Sends again what is named.
pub async fn run(api: &Api, output: &Output, options: &Options) -> Result<(), Failure> {
    if let Some(id) = &options.delivery {
        // A repeat within 10 s gets the same answer.
        let call = Call::post(format!("{DELIVERIES}/{}/retry", id.as_str()), json!({})).repeatable();
        let answer = api.send(call).await?.body;
        return output.result(&answer, || vec![format!("{} is sent again", id.as_str())]);
    }
    let key = Uuid::new_v4().to_string();
    let answer = api.send(Call::create(RECOVER, Value::Object(options.range()), &key)).await?.body;
    let ended = match options.detach {
        true => answer,
        false => until_ended(api, output, answer).await?,
    };
    output.result(&ended, || described(&ended["recovery"]))?;
    match ended["recovery"]["status"] == "cancelled" {
        true => Err(Failure::Ended(format!("the recovery {} was cancelled", text(&ended["recovery"]["id"])))),
        false => Ok(()),
    }
}

impl Options {
    fn range(&self) -> Map<String, Value> {
        let id = |id: &Option<Id>| json!(id.as_ref().map(Id::as_str));
        let moment = |time: &Option<Moment>| json!(time.as_ref().map(Moment::as_str));
        let statuses = if self.statuses.is_empty() { Value::Null } else { json!(self.statuses) };
        let members = [
            ("from", moment(&self.from)),
            ("to", moment(&self.to)),
            ("endpoint", id(&self.endpoint)),
            ("event", json!(self.event)),
            ("status", statuses),
            ("dryRun", if self.dry_run { json!(true) } else { Value::Null }),
        ];
        let given = members.into_iter().filter(|(_, value)| !value.is_null());
        given.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Waits for the end of a recovery.
async fn until_ended(api: &Api, output: &Output, mut answer: Value) -> Result<Value, Failure> {
    let id = answer["recovery"]["id"].as_str().and_then(|id| id.parse::<Id>().ok());
    let id = id.ok_or_else(|| Failure::Unavailable("the answer has no recovery".to_owned()))?;
    let (id, address) = (id.as_str(), api.address());
    output.when_interrupted(format!("The recovery {id} goes on; POST {address}{RECOVER}/{id}/cancel ends it."));
    let bar = if output.is_json() { ProgressBar::hidden() } else { ui::percent_bar() };
    while answer["recovery"]["status"] == "running" {
        bar.set_position(answer["recovery"]["progress"].as_u64().unwrap_or_default());
        bar.set_message(format!("{} sent again", text(&answer["recovery"]["replayed"])));
        tokio::time::sleep(POLL_INTERVAL).await;
        answer = api.get(format!("{RECOVER}/{id}")).await?;
    }
    bar.finish_and_clear();
    Ok(answer)
}

fn described(recovery: &Value) -> Vec<String> {
    let of = |name: &str| text(&recovery[name]);
    let sent = match recovery["dryRun"] == true {
        true => "none sent, as --dry-run wants".to_owned(),
        false => format!("{} sent again", of("replayed")),
    };
    vec![format!("{} {}: {} examined, {} matched, {sent}", of("id"), of("status"), of("examined"), of("matched"))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_what_is_given() {
        let options = Options {
            delivery: None,
            from: Some("2026-11-22T04:00:00Z".parse().unwrap()),
            to: None,
            endpoint: Some("webhook_2".parse().unwrap()),
            event: None,
            statuses: vec!["exhausted".to_owned()],
            dry_run: true,
            detach: false,
        };
        let expected =
            json!({ "from": "2026-11-22T04:00:00Z", "endpoint": "webhook_2", "status": ["exhausted"], "dryRun": true });
        assert_eq!(Value::Object(options.range()), expected);
    }

    #[test]
    fn a_recovery_is_shown_on_a_line() {
        let recovery =
            json!({ "id": "rec_1", "status": "done", "dryRun": false, "examined": 120, "matched": 14, "replayed": 12 });
        assert_eq!(described(&recovery), ["rec_1 done: 120 examined, 14 matched, 12 sent again"]);
    }
}
