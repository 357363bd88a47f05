//! Recoveries: deliveries of a time range that are counted or sent again, in the background.

use std::time::Duration;

use reelhook_app::webhooks::deliveries::DELIVERY_DAYS;
use reelhook_app::webhooks::recover::RecoveryRequest;
use reelhook_app::webhooks::recovery::{Filter, Recovery, RecoveryId, RecoveryStatus, statuses};
use reelhook_domain::{DeliveryStatus, OutboundEvent, Timestamp, brief};
use serde_json::{Value, json};

use crate::access::Caller;
use crate::answer::ApiAnswer;
use crate::idempotency::key;
use crate::metadata;
use crate::problem::{Problem, RequestProblem, bad};
use crate::request::ApiRequest;
use crate::times;
use crate::webhooks::deliveries::{read_endpoint, read_status};
use crate::webhooks::problem::WebhookProblem;

/// The fields of a request for a recovery.
const FIELDS: [&str; 7] = ["from", "to", "endpoint", "event", "status", "dryRun", "metadata"];
/// A day.
const DAY: Duration = Duration::from_secs(86_400);
/// How far back a recovery may begin: older deliveries do not exist. The extra days are for callers who make a dry run
/// first and then send the same range.
const OLDEST: Duration = Duration::from_secs((DELIVERY_DAYS as u64 + 2) * DAY.as_secs());
/// How far ahead a recovery may end: the end of today lies ahead in every time zone.
const AHEAD: Duration = Duration::from_secs(2 * DAY.as_secs());

/// A call about recoveries.
#[derive(Debug, Clone)]
pub enum Route {
    /// POST /api/webhooks/recover
    Begin(RecoveryRequest),
    /// GET /api/webhooks/recover
    List,
    /// GET /api/webhooks/recover/{id}
    One(RecoveryId),
    /// POST /api/webhooks/recover/{id}/cancel
    Cancel(RecoveryId),
}

impl Route {
    /// Reads the route; none if it is not one of these.
    ///
    /// # Errors
    /// [`Problem`] names what is wrong; an id that can't be one is [`WebhookProblem::RecoveryNotFound`].
    pub fn read(request: &ApiRequest, caller: &Caller, now: Timestamp) -> Result<Option<Self>, Problem> {
        let id = |text: &str| RecoveryId::parse(text).ok_or(Problem::Webhook(WebhookProblem::RecoveryNotFound));
        Ok(Some(match (request.method.as_str(), &request.segments()[..]) {
            ("POST", ["api", "webhooks", "recover"]) => {
                let body = request.json()?;
                check_names(&body)?;
                let dry_run = match &body["dryRun"] {
                    Value::Null => false,
                    Value::Bool(dry_run) => *dry_run,
                    _ => return Err(bad("dryRun", "true or false")),
                };
                let metadata = metadata::read(body.get("metadata"))?;
                let key = key(request, caller)?;
                Self::Begin(RecoveryRequest { filter: read_filter(&body, now)?, dry_run, metadata, key })
            }
            ("GET", ["api", "webhooks", "recover"]) => Self::List,
            ("GET", ["api", "webhooks", "recover", one]) => Self::One(id(one)?),
            ("POST", ["api", "webhooks", "recover", one, "cancel"]) => Self::Cancel(id(one)?),
            _ => return Ok(None),
        }))
    }

    /// Logs the caller and the call.
    pub fn note(&self, caller: &Caller) {
        let caller = brief(&caller.fingerprint);
        match self {
            Self::Begin(RecoveryRequest { filter: Filter { from, to, .. }, dry_run, .. }) => {
                tracing::info!(operation = "begin", %from, %to, dry_run, caller, "received a call about recoveries");
            }
            Self::List => tracing::info!(operation = "list", caller, "received a call about recoveries"),
            Self::One(id) => {
                tracing::info!(
                    operation = "one",
                    recovery_id = id.as_str(),
                    caller,
                    "received a call about recoveries"
                );
            }
            Self::Cancel(id) => {
                tracing::info!(
                    operation = "cancel",
                    recovery_id = id.as_str(),
                    caller,
                    "received a call about recoveries"
                );
            }
        }
    }
}

/// Checks that every field is known: a misspelt one would make the range wider than intended.
fn check_names(body: &Value) -> Result<(), Problem> {
    let unknown = body.as_object().and_then(|body| body.keys().find(|name| !FIELDS.contains(&name.as_str())));
    match unknown {
        Some(name) => Err(Problem::Request(RequestProblem::UnknownField(name.clone(), FIELDS.to_vec()))),
        None => Ok(()),
    }
}

fn read_filter(body: &Value, now: Timestamp) -> Result<Filter, Problem> {
    let time = |name: &'static str| match &body[name] {
        Value::Null => Ok(None),
        value => times::of_json(value).map(Some).ok_or_else(|| bad(name, times::RIGHT)),
    };
    let from = time("from")?.ok_or_else(|| bad("from", format!("the time to begin at: {}", times::RIGHT)))?;
    let to = time("to")?;
    let oldest = now.before(OLDEST);
    // A range that lies entirely before it is empty.
    if from < oldest && to.is_none_or(|to| to >= oldest) {
        return Err(bad("from", "within the last 30 days, since nothing older is kept"));
    }
    if to.is_some_and(|to| to > now.after(AHEAD)) {
        return Err(bad("to", "at most two days ahead; left out it is now"));
    }
    let to = to.unwrap_or(now).min(now);
    if from > to {
        return Err(bad("from", "a time before `to` and before now"));
    }
    let endpoint = match &body["endpoint"] {
        Value::Null => None,
        Value::String(text) => Some(read_endpoint(text)?),
        _ => return Err(bad("endpoint", "an endpoint's id, or its name such as webhook_1")),
    };
    let event = match &body["event"] {
        Value::Null => None,
        event => {
            let found = event.as_str().and_then(OutboundEvent::parse);
            Some(found.ok_or_else(|| bad("event", "an event's name, such as job.completed"))?)
        }
    };
    let status = |value: &Value| match value.as_str() {
        Some(name) => read_status(name),
        None => Err(bad("status", "a status, or a list of them")),
    };
    let wanted = match &body["status"] {
        // By default, deliveries that were not delivered.
        Value::Null => vec![DeliveryStatus::Exhausted, DeliveryStatus::Stopped],
        Value::Array(all) if !all.is_empty() && all.len() <= 8 => all.iter().map(status).collect::<Result<_, _>>()?,
        one => vec![status(one)?],
    };
    Ok(Filter { from, to, endpoint, event, statuses: statuses(wanted) })
}

/// A started recovery: 202 while it is running.
pub fn recovery_answer(recovery: &Recovery) -> ApiAnswer {
    let status = if recovery.status == RecoveryStatus::Running { 202 } else { 200 };
    ApiAnswer::json(status, &json!({ "success": true, "recovery": shown(recovery) }))
}

/// A recovery: 200 whatever its status.
pub fn one_answer(recovery: &Recovery) -> ApiAnswer {
    ApiAnswer::json(200, &json!({ "success": true, "recovery": shown(recovery) }))
}

/// The newest recoveries.
pub fn recoveries_answer(recoveries: &[Recovery]) -> ApiAnswer {
    let shown: Vec<Value> = recoveries.iter().map(shown).collect();
    ApiAnswer::json(200, &json!({ "success": true, "count": shown.len(), "recoveries": shown }))
}

/// A recovery as clients see it.
pub(crate) fn shown(of: &Recovery) -> Value {
    let statuses: Vec<&str> = of.filter.statuses.iter().map(|status| status.name()).collect();
    json!({
        "id": of.id.as_str(),
        "status": of.status,
        "dryRun": of.dry_run,
        "metadata": of.origin.metadata,
        "progress": of.progress(),
        "filter": {
            "from": of.filter.from.to_string(),
            "to": of.filter.to.to_string(),
            "endpoint": of.filter.endpoint,
            "event": of.filter.event.map(OutboundEvent::name),
            "status": statuses,
        },
        "examined": of.examined,
        "matched": of.matched,
        "replayed": of.replayed,
        "underWay": of.under_way,
        "endpointDisabled": of.disabled,
        "createdAt": of.created_at.to_string(),
        "updatedAt": of.updated_at.to_string(),
        "finishedAt": of.finished_at.map(|at| at.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::posting;

    const NOW: Timestamp = Timestamp(1_704_110_400_000);

    fn read(request: &ApiRequest) -> Result<Option<Route>, Problem> {
        Route::read(request, &Caller::known_as("ann"), NOW)
    }

    fn begin(body: Value) -> Result<(Filter, bool), Problem> {
        match read(&posting("/api/webhooks/recover", &body))? {
            Some(Route::Begin(command)) => Ok((command.filter, command.dry_run)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_filter_is_read_whole_and_what_did_not_arrive_is_meant_by_default() {
        let from = NOW.before(Duration::from_secs(1));
        let filter = |statuses: &[DeliveryStatus]| Filter {
            from,
            to: NOW,
            endpoint: None,
            event: None,
            statuses: statuses.to_vec(),
        };
        let plain = filter(&[DeliveryStatus::Exhausted, DeliveryStatus::Stopped]);
        assert_eq!(begin(json!({ "from": from.0 })), Ok((plain, false)));
        let body = json!({
            "from": from.to_string(), "to": "2024-01-01T23:59:59+01:00", "endpoint": "webhook_2", "event": "job.failed",
            "status": ["delivered", "delivered"], "dryRun": true,
        });
        let whole = Filter {
            endpoint: Some("webhook_2".to_owned()),
            event: Some(OutboundEvent::Failed),
            ..filter(&[DeliveryStatus::Delivered])
        };
        assert_eq!(begin(body), Ok((whole, true)), "nothing is recovered that is yet to come");
    }

    #[test]
    fn no_spelling_of_a_time_makes_the_range_wider() {
        let from = NOW.before(Duration::from_secs(60));
        for given in [json!(from.0), json!(from.0 / 1000), json!((from.0 / 1000).to_string()), json!(from.to_string())]
        {
            let (filter, _) = begin(json!({ "from": given, "to": given })).unwrap();
            assert_eq!((filter.from, filter.to), (from, from), "{given}");
        }
        let of_old = begin(json!({ "from": "2023-01-01T00:00:00Z", "to": "2023-01-02T00:00:00Z" })).unwrap();
        assert!(of_old.0.to < NOW.before(300 * DAY), "nothing is there, and nothing else is meant");
        let backwards = begin(json!({ "from": from.0, "to": from.0 - 1 }));
        assert!(backwards.as_ref().is_err_and(|problem| problem.path() == Some("from")), "{backwards:?}");
        for name in ["form", "From", "since", "until", "dry_run", "dryrun", "endpointId", "statuses"] {
            let mut body = json!({ "from": from.0 });
            body[name] = json!(true);
            let Err(Problem::Request(RequestProblem::UnknownField(named, _))) = begin(body) else { panic!("{name}") };
            assert_eq!(named, name);
        }
    }

    #[test]
    fn every_bad_field_is_named() {
        let good = json!({ "from": NOW.0 - 1000 });
        for (field, value) in [
            ("from", Value::Null),
            ("from", json!("yesterday")),
            ("from", json!("")),
            ("from", json!(1)),
            ("from", json!(NOW.0 + 1)),
            ("from", json!(NOW.0 * 1000)),
            ("from", json!(NOW.before(33 * DAY).millis())),
            ("from", json!("2023-10-01T00:00:00Z")),
            ("from", json!("2024-01-01")),
            ("from", json!("2024-01-01T11:59:00")),
            ("to", json!([])),
            ("to", json!("")),
            ("to", json!("2024-01-01")),
            ("to", json!(NOW.0 * 1000)),
            ("to", json!("2042-01-01T12:00:00Z")),
            ("to", json!("12024-01-01T12:00:00Z")),
            ("endpoint", json!("a/b")),
            ("endpoint", json!("")),
            ("event", json!("job.exploded")),
            ("status", json!([])),
            ("status", json!("lost")),
            ("dryRun", json!("yes")),
        ] {
            let mut body = good.clone();
            body[field] = value.clone();
            let refused = begin(body).unwrap_err();
            assert_eq!(refused.path(), Some(field));
        }
        let unknown = read(&crate::request::get_request("/api/webhooks/recover/rec_1", &[]));
        assert_eq!(unknown.unwrap_err(), Problem::Webhook(WebhookProblem::RecoveryNotFound));
    }
}
