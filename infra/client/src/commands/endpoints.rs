//! `reelhook endpoints`: where webhooks go.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use reelhook_terminal::arguments::{Pair, parse_duration};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::api::{Api, Call};
use crate::commands::deliveries;
use crate::failure::Failure;
use crate::input::{Id, object};
use crate::output::{Output, table, text};

/// Additional help for --help.
pub const EXAMPLES: &str = "\
Examples:
  reelhook endpoints add https://shop.example/hooks --event 'job.*' --event 'video.*' --description Shop
  reelhook endpoints update ep_5f0c2b7e9d134a6688e1c07ab2d94f31 --set '{\"payload\": \"thin\"}'
  reelhook endpoints test ep_5f0c2b7e9d134a6688e1c07ab2d94f31
  reelhook endpoints rotate-secret ep_5f0c2b7e9d134a6688e1c07ab2d94f31 --grace 2h
  reelhook endpoints secret ep_5f0c2b7e9d134a6688e1c07ab2d94f31
  reelhook endpoints remove ep_5f0c2b7e9d134a6688e1c07ab2d94f31";

/// The routes of endpoints.
const ENDPOINTS: &str = "/api/webhooks/endpoints";
/// How long the first attempt of a test may take: an endpoint has 30 s at most, and then its row is written.
const TEST_TIMEOUT: Duration = Duration::from_secs(45);
/// How often the delivery of a test is read.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// What is done with endpoints.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List all endpoints with their health
    List,
    /// Show one endpoint
    Show {
        /// Id or name of the endpoint
        id: Id,
    },
    /// Register an endpoint. Its first webhook is a test
    Add {
        /// URL that gets the webhooks; https, or http where the stack allows it
        #[arg(value_name = "URL")]
        target: String,
        #[command(flatten)]
        fields: Fields,
        /// File with a secret of yours, `whsec_…`; without it one is made
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
        /// A text that makes a repeat find the endpoint that the first request registered
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
    },
    /// Change an endpoint; what is not named stays
    Update {
        /// Id or name of the endpoint
        id: Id,
        /// Another URL that gets the webhooks
        #[arg(long, value_name = "URL")]
        target: Option<String>,
        #[command(flatten)]
        fields: Fields,
    },
    /// Delete an endpoint; deliveries that wait are stopped
    Remove {
        /// Id or name of the endpoint
        id: Id,
    },
    /// Enable an endpoint again, and send what waits for it
    Enable {
        /// Id or name of the endpoint
        id: Id,
    },
    /// Send a test webhook, and wait for its first attempt
    Test {
        /// Id or name of the endpoint
        id: Id,
    },
    /// Print the secrets that are valid now, newest first
    Secret {
        /// Id or name of the endpoint
        id: Id,
    },
    /// Give an endpoint a new secret, and keep the earlier ones for a while. `secret` prints it
    RotateSecret {
        /// Id or name of the endpoint
        id: Id,
        /// How long the earlier secrets stay valid, such as 2h; by default a day
        #[arg(long, value_name = "TIME", value_parser = parse_duration)]
        grace: Option<Duration>,
        /// File with a secret of yours, `whsec_…`; without it one is made
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
    },
}

/// Members of an endpoint.
#[derive(Clone, Debug, Default, Args)]
pub struct Fields {
    /// An event or a group, such as `job.*`; may be repeated
    #[arg(long = "event", value_name = "EVENT")]
    events: Vec<String>,
    /// A description for people
    #[arg(long)]
    description: Option<String>,
    /// A text of your own that is kept with the endpoint; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    metadata: Vec<Pair>,
    /// Whether it gets webhooks
    #[arg(long, value_name = "BOOL")]
    enabled: Option<bool>,
    /// Any other members as a JSON object, such as '{"timeoutMs": 5000}'; null gives the default back
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    set: Option<Map<String, Value>>,
}

fn json_object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("expected a JSON object: {error}"))
}

impl Fields {
    fn members(&self) -> Map<String, Value> {
        let mut members = self.set.clone().unwrap_or_default();
        if !self.events.is_empty() {
            members.insert("events".to_owned(), json!(self.events));
        }
        if let Some(description) = &self.description {
            members.insert("description".to_owned(), json!(description));
        }
        if let Some(enabled) = self.enabled {
            members.insert("enabled".to_owned(), json!(enabled));
        }
        if !self.metadata.is_empty() {
            members.insert("metadata".to_owned(), Value::Object(object(&self.metadata)));
        }
        members
    }
}

/// Runs one of the commands.
pub async fn run(api: &Api, output: &Output, command: &Command) -> Result<(), Failure> {
    match command {
        Command::List => list(api, output).await,
        Command::Show { id } => {
            let answer = api.get(of(id, "")).await?;
            output.result(&answer, || described(&answer["endpoint"]))
        }
        Command::Add { target, fields, secret_file, idempotency_key } => {
            let mut body = fields.members();
            body.insert("url".to_owned(), json!(target));
            if let Some(secret) = secret(secret_file.as_ref())? {
                body.insert("secret".to_owned(), json!(secret));
            }
            let key = idempotency_key.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
            let answer = api.send(Call::create(ENDPOINTS, Value::Object(body), &key)).await?.body;
            output.result(&answer, || {
                let id = text(&answer["endpoint"]["id"]);
                let mut lines = described(&answer["endpoint"]);
                lines.push(format!("  `reelhook endpoints secret {id}` prints its secret"));
                lines
            })
        }
        Command::Update { id, target, fields } => {
            let mut body = fields.members();
            if let Some(target) = target {
                body.insert("url".to_owned(), json!(target));
            }
            if body.is_empty() {
                return Err(Failure::Usage("nothing to change: name a member, or use --set".to_owned()));
            }
            let answer = api.send(Call::patch(of(id, ""), Value::Object(body))).await?.body;
            output.result(&answer, || described(&answer["endpoint"]))
        }
        Command::Remove { id } => {
            let answer = api.send(Call::delete(of(id, ""))).await?.body;
            output.result(&answer, || vec![format!("{} is deleted", text(&answer["id"]))])
        }
        Command::Enable { id } => {
            let answer = api.send(Call::post(of(id, "/enable"), json!({})).repeatable()).await?.body;
            output.result(&answer, || described(&answer["endpoint"]))
        }
        Command::Test { id } => test(api, output, id).await,
        Command::Secret { id } => {
            let answer = api.get(of(id, "/secret")).await?;
            output.result(&answer, || {
                let secrets = answer["secrets"].as_array().into_iter().flatten();
                secrets.map(|secret| text(&secret["secret"])).collect()
            })
        }
        Command::RotateSecret { id, grace, secret_file } => {
            let mut body = Map::new();
            if let Some(secret) = secret(secret_file.as_ref())? {
                body.insert("secret".to_owned(), json!(secret));
            }
            if let Some(grace) = grace {
                body.insert("graceSeconds".to_owned(), json!(grace.as_secs()));
            }
            let key = Uuid::new_v4().to_string();
            let call = Call::create(of(id, "/secret/rotate"), Value::Object(body), &key);
            let answer = without_secrets(api.send(call).await?.body);
            output.result(&answer, || {
                let secrets = answer["secrets"].as_array().into_iter().flatten();
                secrets.map(|secret| format!("{}  valid until {}", text(&secret["id"]), ends(secret))).collect()
            })
        }
    }
}

/// A path of an endpoint.
fn of(id: &Id, rest: &str) -> String {
    format!("{ENDPOINTS}/{}{rest}", id.as_str())
}

/// Reads a secret from a file: other users can see command lines.
fn secret(file: Option<&PathBuf>) -> Result<Option<String>, Failure> {
    let Some(file) = file else { return Ok(None) };
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| Failure::Usage(format!("{} can't be read: {error}", file.display())))?;
    Ok(Some(text.trim().to_owned()))
}

/// The answer of a rotation without the values of secrets: nobody asked for them.
fn without_secrets(mut answer: Value) -> Value {
    for secret in answer["secrets"].as_array_mut().into_iter().flatten() {
        if let Some(secret) = secret.as_object_mut() {
            secret.remove("secret");
        }
    }
    answer
}

fn ends(secret: &Value) -> String {
    secret["expiresAt"].as_str().map_or_else(|| "it is replaced".to_owned(), str::to_owned)
}

async fn list(api: &Api, output: &Output) -> Result<(), Failure> {
    let (mut all, mut cursor): (Vec<Value>, Option<String>) = (Vec::new(), None);
    loop {
        let mut answer = api.send(Call::get(ENDPOINTS).with("cursor", cursor)).await?.body;
        if let Some(found) = answer["endpoints"].as_array_mut() {
            all.append(found);
        }
        cursor = answer["nextCursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    output.result(&json!({ "count": all.len(), "endpoints": all }), || {
        let row = |endpoint: &Value| {
            let of = |name: &str| text(&endpoint[name]);
            let health = &endpoint["health"];
            vec![of("id"), text(&health["status"]), text(&health["score"]), of("events"), target(endpoint)]
        };
        table(&["id", "health", "score", "events", "target"], &all.iter().map(row).collect::<Vec<_>>())
    })
}

/// Where an endpoint's webhooks go.
fn target(endpoint: &Value) -> String {
    match endpoint["url"].is_string() {
        true => text(&endpoint["url"]),
        false => text(&endpoint["arn"]),
    }
}

/// An endpoint in lines.
fn described(endpoint: &Value) -> Vec<String> {
    let mut lines = vec![format!("{}  {}", text(&endpoint["id"]), target(endpoint))];
    let members = ["description", "enabled", "events", "format", "payload", "signatures", "schedule", "timeoutMs"];
    let shown = members.iter().filter(|name| !endpoint[**name].is_null());
    lines.extend(shown.map(|name| format!("  {name:<14}{}", text(&endpoint[*name]))));
    let health = &endpoint["health"];
    if health.is_object() {
        lines.push(format!("  {:<14}{}, score {}", "health", text(&health["status"]), text(&health["score"])));
    }
    if health["disabledReason"].is_string() {
        lines.push(format!("  {:<14}{}", "disabled", text(&health["disabledReason"])));
    }
    lines
}

/// Sends a test, and waits for its first attempt.
async fn test(api: &Api, output: &Output, id: &Id) -> Result<(), Failure> {
    let key = Uuid::new_v4().to_string();
    let answer = api.send(Call::create(of(id, "/test"), json!({}), &key)).await?.body;
    let delivery = answer["deliveryId"].as_str().and_then(|id| id.parse::<Id>().ok());
    let delivery = delivery.ok_or_else(|| Failure::Unavailable("the answer has no `deliveryId`".to_owned()))?;
    let deadline = Instant::now() + TEST_TIMEOUT;
    loop {
        let found = deliveries::read(api, &delivery).await?;
        match found["attempts"].as_array().into_iter().flatten().find(|attempt| attempt["outcome"] != "unknown") {
            Some(attempt) => {
                output.result(&found, || vec![deliveries::attempt(attempt)])?;
                let is_delivered = attempt["status"].as_u64().is_some_and(|status| (200..300).contains(&status));
                let failed = || Failure::Ended(format!("{} did not take the test webhook", id.as_str()));
                return if is_delivered { Ok(()) } else { Err(failed()) };
            }
            None if Instant::now() > deadline => {
                let waits = text(&found["delivery"]["waitsFor"]);
                let delivery = delivery.as_str();
                let sentence = format!("the test webhook {delivery} has no result yet (waits for: {waits})");
                return Err(Failure::Unfinished(sentence));
            }
            None => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_precede_the_object() {
        let fields = Fields {
            events: vec!["job.*".to_owned()],
            description: Some("Shop".to_owned()),
            metadata: vec![Pair("tenant".to_owned(), "acme".to_owned())],
            enabled: Some(false),
            set: Some(json_object(r#"{"payload": "thin", "description": "x", "timeoutMs": null}"#).unwrap()),
        };
        let expected = json!({ "payload": "thin", "description": "Shop", "timeoutMs": null, "events": ["job.*"],
            "enabled": false, "metadata": { "tenant": "acme" } });
        assert_eq!(Value::Object(fields.members()), expected);
        assert!(Fields::default().members().is_empty());
        assert!(json_object("[]").is_err());
    }

    #[test]
    fn a_rotation_shows_no_secret() {
        let answer =
            json!({ "success": true, "secrets": [{ "id": "sec_1", "secret": "whsec_AAAA", "expiresAt": null }] });
        let shown = without_secrets(answer);
        assert_eq!(shown, json!({ "success": true, "secrets": [{ "id": "sec_1", "expiresAt": null }] }));
    }
}
