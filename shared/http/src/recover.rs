//! Recoveries: deliveries of a time range that are counted or sent once more, in the background.

use reelhook_app::recover::{Filter, Recovery, RecoveryId, RecoveryStatus, Wish, statuses};
use reelhook_domain::{DeliveryStatus, OutboundEvent, Timestamp, brief};
use serde_json::{Value, json};

use crate::access::Caller;
use crate::answer::ApiAnswer;
use crate::deliveries::{read_endpoint, read_status, status_name};
use crate::generate::key;
use crate::problem::Problem;
use crate::request::{ApiRequest, read_time};

/// What is asked of recoveries.
#[derive(Debug, Clone)]
pub enum Asked {
    /// POST /api/webhooks/recover
    Begin(Wish),
    /// GET /api/webhooks/recover
    List,
    /// GET /api/webhooks/recover/{id}
    One(RecoveryId),
    /// POST /api/webhooks/recover/{id}/cancel
    Cancel(RecoveryId),
}

impl Asked {
    /// Reads the route; none where it is another's.
    ///
    /// # Errors
    /// [`Problem`] names what is wrong; an id that can't be one is [`Problem::RecoveryNotFound`].
    pub fn read(request: &ApiRequest, caller: &Caller, now: Timestamp) -> Result<Option<Self>, Problem> {
        let id = |text: &str| RecoveryId::parse(text).ok_or(Problem::RecoveryNotFound);
        Ok(Some(match (request.method.as_str(), &request.segments()[..]) {
            ("POST", ["api", "webhooks", "recover"]) => {
                let body = request.json()?;
                let dry_run = match &body["dryRun"] {
                    Value::Null => false,
                    Value::Bool(dry_run) => *dry_run,
                    _ => return Err(bad("dryRun", "true or false")),
                };
                let key = key(request)?.map(|key| (caller.fingerprint.clone(), key));
                Self::Begin(Wish { filter: read_filter(&body, now)?, dry_run, key })
            }
            ("GET", ["api", "webhooks", "recover"]) => Self::List,
            ("GET", ["api", "webhooks", "recover", one]) => Self::One(id(one)?),
            ("POST", ["api", "webhooks", "recover", one, "cancel"]) => Self::Cancel(id(one)?),
            _ => return Ok(None),
        }))
    }

    /// Logs who asks for what.
    pub fn note(&self, caller: &Caller) {
        let caller = brief(&caller.fingerprint);
        match self {
            Self::Begin(Wish { filter: Filter { from, to, .. }, dry_run, .. }) => {
                tracing::info!(asked = "begin", %from, %to, dry_run, caller, "took a call about recoveries");
            }
            Self::List => tracing::info!(asked = "list", caller, "took a call about recoveries"),
            Self::One(id) => {
                tracing::info!(asked = "one", recovery_id = id.as_str(), caller, "took a call about recoveries");
            }
            Self::Cancel(id) => {
                tracing::info!(asked = "cancel", recovery_id = id.as_str(), caller, "took a call about recoveries");
            }
        }
    }
}

fn bad(field: &'static str, right: &str) -> Problem {
    Problem::BadField { field, right: right.to_owned() }
}

fn read_filter(body: &Value, now: Timestamp) -> Result<Filter, Problem> {
    let time = |name: &'static str| {
        let found = match &body[name] {
            Value::Null => return Ok(None),
            Value::String(text) => read_time(text),
            Value::Number(ms) => ms.as_i64().and_then(|ms| read_time(&ms.to_string())),
            _ => None,
        };
        found.map(Some).ok_or_else(|| bad(name, "an RFC 3339 time or Unix milliseconds"))
    };
    let from = time("from")?.ok_or_else(|| bad("from", "the time to begin at, RFC 3339 or Unix milliseconds"))?;
    let to = time("to")?.unwrap_or(now).min(now);
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
        // What did not arrive.
        Value::Null => vec![DeliveryStatus::Exhausted, DeliveryStatus::Stopped],
        Value::Array(all) if !all.is_empty() && all.len() <= 8 => all.iter().map(status).collect::<Result<_, _>>()?,
        one => vec![status(one)?],
    };
    Ok(Filter { from, to, endpoint, event, statuses: statuses(wanted) })
}

/// How a recovery stands: 202 while it goes on.
pub fn recovery_answer(recovery: &Recovery) -> ApiAnswer {
    let status = if recovery.status == RecoveryStatus::Running { 202 } else { 200 };
    ApiAnswer::json(status, &json!({ "success": true, "recovery": shown(recovery) }))
}

/// A recovery as somebody looks at it: 200 however it stands.
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
    let statuses: Vec<&str> = of.filter.statuses.iter().map(|status| status_name(*status)).collect();
    json!({
        "id": of.id.as_str(),
        "status": of.status,
        "dryRun": of.dry_run,
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

    fn read(request: &ApiRequest) -> Result<Option<Asked>, Problem> {
        Asked::read(request, &Caller { fingerprint: "ann".to_owned() }, NOW)
    }

    fn begin(body: Value) -> Result<(Filter, bool), Problem> {
        match read(&posting("/api/webhooks/recover", &body))? {
            Some(Asked::Begin(wish)) => Ok((wish.filter, wish.dry_run)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_filter_is_read_whole_and_what_did_not_arrive_is_meant_by_default() {
        let from = Timestamp(NOW.0 - 1000);
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
            "from": from.to_string(), "to": "2030-01-01T00:00:00Z", "endpoint": "webhook_2", "event": "job.failed",
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
    fn every_bad_field_is_named() {
        let good = json!({ "from": 1 });
        for (field, value) in [
            ("from", Value::Null),
            ("from", json!("yesterday")),
            ("from", json!(NOW.0 + 1)),
            ("to", json!([])),
            ("endpoint", json!("a/b")),
            ("event", json!("job.exploded")),
            ("status", json!([])),
            ("status", json!("lost")),
            ("dryRun", json!("yes")),
        ] {
            let mut body = good.clone();
            body[field] = value.clone();
            let Err(Problem::BadField { field: named, .. }) = begin(body) else { panic!("{field}: {value}") };
            assert_eq!(named, field);
        }
        let unknown = read(&crate::request::asking("/api/webhooks/recover/rec_1", &[]));
        assert_eq!(unknown.unwrap_err(), Problem::RecoveryNotFound);
    }
}
