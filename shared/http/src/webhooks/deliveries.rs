//! Calls about deliveries: filtered lists, details with attempts, and replays.

use reelhook_app::webhooks::deliveries::{DeliveryDetails, DeliveryFilter, DeliveryPage};
use reelhook_domain::{Attempt, Delivery, DeliveryId, DeliveryStatus, JobId, Subject, Timestamp, brief};
use serde_json::{Value, json};

use crate::access::Caller;
use crate::answer::ApiAnswer;
use crate::problem::{Problem, bad};
use crate::request::ApiRequest;
use crate::webhooks::problem::WebhookProblem;

/// Deliveries of one page unless the caller says otherwise.
const LIST: usize = 50;
/// The most deliveries of one page.
const MOST: usize = 100;

/// A call about deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// GET /api/webhooks/deliveries
    List(Box<DeliveryFilter>),
    /// GET /api/webhooks/deliveries/{id}
    One(DeliveryId),
    /// POST /api/webhooks/deliveries/{id}/retry
    Replay(DeliveryId),
}

impl Route {
    /// Reads the route; none if it is not one of these.
    ///
    /// # Errors
    /// [`RequestProblem::BadField`] names a parameter; an id that can't be one is [`WebhookProblem::DeliveryNotFound`].
    pub fn read(request: &ApiRequest) -> Result<Option<Self>, Problem> {
        let id = |text: &str| DeliveryId::parse(text).ok_or(Problem::Webhook(WebhookProblem::DeliveryNotFound));
        Ok(Some(match (request.method.as_str(), &request.segments()[..]) {
            ("GET", ["api", "webhooks", "deliveries"]) => Self::List(Box::new(read_wanted(request)?)),
            ("GET", ["api", "webhooks", "deliveries", one]) => Self::One(id(one)?),
            ("POST", ["api", "webhooks", "deliveries", one, "retry"]) => Self::Replay(id(one)?),
            _ => return Ok(None),
        }))
    }

    /// Logs the caller and the call.
    pub fn note(&self, caller: &Caller) {
        let (operation, delivery_id) = match self {
            Self::List(_) => ("list", None),
            Self::One(id) => ("one", Some(id.to_string())),
            Self::Replay(id) => ("retry", Some(id.to_string())),
        };
        tracing::info!(operation, delivery_id, caller = brief(&caller.fingerprint), "received a call about deliveries");
    }
}

/// The deliveries of a job; `limit` and `cursor` select a page.
///
/// # Errors
/// [`RequestProblem::BadField`].
pub fn of_job(request: &ApiRequest, job: JobId) -> Result<DeliveryFilter, Problem> {
    let before = request.cursor(|cursor| (cursor.len() <= 64 && cursor.is_ascii()).then_some(cursor))?;
    Ok(DeliveryFilter {
        subject: Some(job.into()),
        before,
        limit: request.limit(LIST, MOST)?,
        ..DeliveryFilter::default()
    })
}

fn read_wanted(request: &ApiRequest) -> Result<DeliveryFilter, Problem> {
    let given = |name: &str| request.query(name).filter(|text| !text.is_empty());
    let subject =
        given("jobId").map(|id| Subject::parse(id).map_err(|_| bad("jobId", "the id of a job"))).transpose()?;
    let status = given("status").map(read_status);
    let endpoint = given("endpoint").map(read_endpoint);
    let (from, to) = request.times()?;
    let timed = |cursor: String| {
        let shaped = cursor.len() <= 64 && cursor.is_ascii();
        (shaped && cursor.get(..13)?.parse::<i64>().is_ok()).then_some(cursor)
    };
    Ok(DeliveryFilter {
        subject,
        endpoint: endpoint.transpose()?,
        status: status.transpose()?,
        from,
        to,
        before: request.cursor(timed)?,
        limit: request.limit(LIST, MOST)?,
    })
}

/// Reads the name of a status.
pub(crate) fn read_status(text: &str) -> Result<DeliveryStatus, Problem> {
    let right = || "one of pending, delivered, exhausted, stopped".to_owned();
    DeliveryStatus::parse(text).ok_or_else(|| bad("status", right()))
}

/// An endpoint's id or name.
pub(crate) fn read_endpoint(text: &str) -> Result<String, Problem> {
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let right = || "an endpoint's id, or its name such as webhook_1".to_owned();
    fits.then(|| text.to_owned()).ok_or_else(|| bad("endpoint", right()))
}

/// A page of a list, newest first.
pub fn list_answer(part: &DeliveryPage) -> ApiAnswer {
    let shown: Vec<Value> = part.deliveries.iter().map(summary).collect();
    let mut body = json!({ "success": true, "count": shown.len(), "deliveries": shown });
    if let Some(next) = &part.next {
        body["nextCursor"] = json!(ApiRequest::write_cursor(next));
    }
    if part.partial {
        body["partial"] = json!(true);
    }
    ApiAnswer::json(200, &body)
}

/// A delivery with its event and its attempts.
pub fn delivery_answer(details: &DeliveryDetails) -> ApiAnswer {
    let event = details.event.as_ref().map(|event| json!({ "data": event.data, "timestamp": event.at.to_string() }));
    let attempts: Vec<Value> = details.attempts.iter().map(attempt).collect();
    let body = json!({
        "success": true,
        "delivery": summary(&details.delivery),
        "payload": event,
        "attempts": attempts,
    });
    ApiAnswer::json(200, &body)
}

/// A replayed delivery.
pub fn replay_answer(delivery: &Delivery, now: Timestamp) -> ApiAnswer {
    let body = json!({
        "success": true,
        "message": "Webhook delivery is sent again",
        "delivery": summary(delivery),
        "timestamp": now.to_string(),
    });
    ApiAnswer::json(200, &body)
}

fn summary(of: &Delivery) -> Value {
    let pending = of.status == DeliveryStatus::Pending;
    let next = pending.then(|| of.next_attempt_at.to_string());
    json!({
        "id": of.id.to_string(),
        "jobId": of.subject.as_str(),
        "webhookId": of.endpoint_name,
        "event": of.event.name(),
        "eventId": of.event_id.as_str(),
        "sequence": of.event_id.sequence(of.subject.as_str()),
        "endpointId": of.endpoint_id.as_str(),
        "status": of.status.name(),
        "attempts": of.attempts,
        "waitsFor": of.wait_reason.filter(|_| pending),
        "replay": of.replay,
        "recoveryId": of.recovery,
        "createdAt": of.created_at.to_string(),
        "nextAttemptAt": next,
        "finishedAt": of.finished_at.map(|at| at.to_string()),
        "lastResult": of.last_result,
    })
}

/// An attempt; the result of an unfinished one is unknown.
fn attempt(of: &Attempt) -> Value {
    let result = of.result.as_ref();
    json!({
        "number": of.number,
        "startedAt": of.started_at.to_string(),
        "outcome": match result {
            None => "unknown",
            Some(result) if result.error.is_some() => "no_answer",
            Some(_) => "answered",
        },
        "status": result.map(|result| result.status),
        "error": result.and_then(|result| result.error.as_ref()),
        "firstByteMs": result.and_then(|result| result.first_byte_ms),
        "durationMs": result.map(|result| result.duration_ms),
        "peer": result.and_then(|result| result.peer.as_ref()),
        "response": result.map(|result| result.response.as_str()),
        "responseSha256": result.and_then(|result| result.response_hash.as_ref()),
        "nextAttemptAt": result.and_then(|result| result.next_attempt_at).map(|at| at.to_string()),
        "reason": result.map(|result| result.reason.as_str()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::get_request;

    fn read_list(query: &[(&str, &str)]) -> Result<Option<Route>, Problem> {
        Route::read(&get_request("/api/webhooks/deliveries", query))
    }

    #[test]
    fn every_bad_parameter_is_named() {
        for (field, text) in [
            ("status", "lost"),
            ("endpoint", "a/b"),
            ("from", "then"),
            ("to", "-1"),
            ("limit", "101"),
            ("cursor", "bm90IGEgcGxhY2U"),
            ("jobId", "a b"),
        ] {
            let refused = read_list(&[(field, text)]).unwrap_err();
            assert_eq!(refused.path(), Some(field));
        }
        let unknown = Route::read(&get_request("/api/webhooks/deliveries/no-uuid", &[]));
        assert_eq!(unknown, Err(Problem::Webhook(WebhookProblem::DeliveryNotFound)));
    }

    #[test]
    fn a_list_is_read_whole() {
        let query = [("status", "exhausted"), ("endpoint", "webhook_2"), ("from", "1704067200000"), ("limit", "7")];
        let Ok(Some(Route::List(wanted))) = read_list(&query) else { panic!("no list") };
        assert_eq!((wanted.status, wanted.limit), (Some(DeliveryStatus::Exhausted), 7));
        assert_eq!((wanted.endpoint.as_deref(), wanted.from), (Some("webhook_2"), Some(Timestamp(1_704_067_200_000))));
    }
}
