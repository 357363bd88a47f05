//! Calls about deliveries: filtered lists, details with attempts, and replays.

use std::borrow::Cow;

use reelhook_app::views::wire::{Time, Yes};
use reelhook_app::webhooks::deliveries::{DeliveryDetails, DeliveryFilter, DeliveryPage, response_hash};
use reelhook_app::webhooks::wire::{
    DeliveryIdText, DeliveryStatusText, EndpointIdText, EventNameText, RecoveryIdText, WaitReasonText,
};
use reelhook_domain::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, EndpointId, JobId, OutboundEvent, Subject, Timestamp, WaitReason,
    brief,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::access::Caller;
use crate::answer::ApiAnswer;
use crate::problem::{Problem, bad};
use crate::request::ApiRequest;
use crate::typed::fields::{Parsed, QueryTime, Whole, with_cursor};
use crate::webhooks::fields::EndpointName;
use crate::webhooks::problem::WebhookProblem;

/// Deliveries of one page unless the caller says otherwise.
const LIST: usize = 50;
/// The most deliveries of one page.
const MOST: i64 = 100;
/// The message of a replayed delivery.
const REPLAYED: &str = "Webhook delivery is sent again";

/// The parameters of the list of deliveries.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = with_cursor)]
pub struct DeliveryListQuery {
    /// Only deliveries about this job or endpoint.
    job_id: Option<Parsed<Subject>>,
    /// Only deliveries to this endpoint, by its id or its name.
    endpoint: Option<Parsed<EndpointName>>,
    /// Only deliveries with this status.
    status: Option<Parsed<DeliveryStatus>>,
    /// Only deliveries that were created at this time or later: RFC 3339 with its zone, or Unix seconds or
    /// milliseconds, from 2000 to 2099. Without `from` and `jobId`, 24 hours before `to`.
    from: Option<QueryTime>,
    /// Only deliveries that were created at this time or before.
    to: Option<QueryTime>,
    /// The maximum number of deliveries in the answer.
    #[schemars(extend("default" = LIST))]
    limit: Option<Whole<1, MOST>>,
}

/// The parameters of the list of a job's deliveries.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(transform = with_cursor)]
pub struct JobDeliveriesQuery {
    /// The maximum number of deliveries in the answer.
    #[schemars(extend("default" = LIST))]
    limit: Option<Whole<1, MOST>>,
}

/// One event on its way to one endpoint.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Delivery")]
pub struct DeliveryView<'a> {
    /// The id of the delivery: `X-StreamGank-Delivery`, and the digits of `webhook-id`.
    #[schemars(with = "DeliveryIdText")]
    id: String,
    /// The job or the endpoint that the event is about; for a triggered event its `job_id`, or else an id of its own.
    job_id: &'a str,
    /// The name of the endpoint: by its place in WEBHOOK_URLS, the id of a registered endpoint, or `webhookUrl` for a
    /// video's own URL.
    #[schemars(extend("examples" = ["webhook_1"]))]
    webhook_id: &'a str,
    /// The event.
    #[schemars(with = "EventNameText")]
    event: OutboundEvent,
    /// The id of the event: `<job>.<version>.<n>`; for an event about webhooks it follows from what happened.
    event_id: &'a str,
    /// `webhook-sequence`: rises with each event of a job or an endpoint; null for a test, `delivery.exhausted`, and a
    /// triggered event with a `job_id`.
    sequence: Option<u64>,
    /// The id of the endpoint.
    #[schemars(with = "EndpointIdText")]
    endpoint_id: &'a EndpointId,
    /// The status.
    #[schemars(with = "DeliveryStatusText")]
    status: DeliveryStatus,
    /// Attempts that were started.
    attempts: u32,
    /// Why a pending delivery waits, if not for its own schedule; waiting does not count as an attempt. `rate`: the
    /// rate limit; `line`: the concurrency limit of the endpoint; `circuit`: the circuit of the endpoint is open, and
    /// only probes are sent; `pause`: the receiver requested a pause; `settings`: the sender's settings do not have the
    /// endpoint, or no ENDPOINT_SECRETS_KEY that decrypts it; then the delivery is checked every five minutes.
    #[schemars(with = "Option<WaitReasonText>")]
    waits_for: Option<WaitReason>,
    /// Whether it was sent again after it had ended, with `webhook-replay: true`.
    replay: bool,
    /// The recovery that sent it again.
    #[schemars(with = "Option<RecoveryIdText>")]
    recovery_id: Option<&'a str>,
    /// When it was created.
    created_at: Time,
    /// When the next attempt is due; null once it has ended.
    next_attempt_at: Option<Time>,
    /// When it ended.
    finished_at: Option<Time>,
    /// The result of the last attempt, in a few words.
    #[schemars(extend("examples" = ["delivered", "status 500, trying again", "ECONNREFUSED after 4 attempts"]))]
    last_result: Option<&'a str>,
}

/// One attempt.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Attempt")]
pub struct AttemptView<'a> {
    /// Counts from 1.
    #[schemars(range(min = 1))]
    number: u32,
    /// When it began.
    started_at: Time,
    /// `unknown`: it has no result, so the receiver may have got the webhook.
    outcome: AttemptOutcome,
    /// The HTTP status; 0 if no response came.
    status: Option<u16>,
    /// The error, if no response came.
    #[schemars(extend("examples" = ["ECONNREFUSED", "ETIMEDOUT"]))]
    error: Option<&'a str>,
    /// Milliseconds until the head of the response.
    first_byte_ms: Option<u64>,
    /// Milliseconds until the end of the response.
    duration_ms: Option<u64>,
    /// The address that was connected to.
    peer: Option<&'a str>,
    /// The start of the response body.
    response: Option<&'a str>,
    /// SHA-256 of the first 16 KiB of the response body.
    response_sha256: Option<Cow<'a, str>>,
    /// When the next attempt is due.
    next_attempt_at: Option<Time>,
    /// Why the delivery continues or ends.
    reason: Option<&'a str>,
}

/// What came of an attempt.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum AttemptOutcome {
    /// A response came.
    Answered,
    /// No response came.
    NoAnswer,
    /// The result is unknown.
    Unknown,
}

/// A page of a list of deliveries.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryList<'a> {
    success: Yes,
    /// The number of deliveries in this answer.
    count: usize,
    /// The deliveries, newest first.
    deliveries: Vec<DeliveryView<'a>>,
    /// The cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// Only if the list stopped at a bound before it found `limit` deliveries: older ones may match.
    #[serde(skip_serializing_if = "Option::is_none")]
    partial: Option<Yes>,
}

/// A delivery with its event and its attempts.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeliveryDetails")]
pub struct DeliveryAnswer<'a> {
    success: Yes,
    /// The delivery.
    delivery: DeliveryView<'a>,
    /// The event; null if it is no longer stored.
    payload: Option<DeliveredEvent<'a>>,
    /// The attempts in their order; only the newest of more than 100.
    attempts: Vec<AttemptView<'a>>,
}

/// The event of a delivery.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct DeliveredEvent<'a> {
    /// The `data` of the webhook.
    #[schemars(with = "Map<String, Value>")]
    data: &'a Value,
    /// When it happened.
    timestamp: Time,
}

/// A delivery that is sent again.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DeliveryRetried<'a> {
    success: Yes,
    #[schemars(extend("const" = REPLAYED))]
    message: &'static str,
    /// The delivery.
    delivery: DeliveryView<'a>,
    /// When it became due.
    timestamp: Time,
}

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
    /// `bad_field` names a parameter; an id that can't be one is [`WebhookProblem::DeliveryNotFound`].
    pub fn read(request: &ApiRequest) -> Result<Option<Self>, Problem> {
        let id = |text: &str| DeliveryId::parse(text).ok_or(Problem::Webhook(WebhookProblem::DeliveryNotFound));
        Ok(Some(match (request.method.as_str(), &request.segments()[..]) {
            ("GET", ["api", "webhooks", "deliveries"]) => Self::List(Box::new(read_filter(request)?)),
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
/// `bad_field`.
pub fn of_job(request: &ApiRequest, job: JobId) -> Result<DeliveryFilter, Problem> {
    let given: JobDeliveriesQuery = request.parameters()?;
    let before = request.cursor(|cursor| (cursor.len() <= 64 && cursor.is_ascii()).then_some(cursor))?;
    let limit = given.limit.map_or(LIST, Whole::get);
    Ok(DeliveryFilter { subject: Some(job.into()), before, limit, ..DeliveryFilter::default() })
}

fn read_filter(request: &ApiRequest) -> Result<DeliveryFilter, Problem> {
    let given: DeliveryListQuery = request.parameters()?;
    let (from, to) = (given.from.map(|from| from.0), given.to.map(|to| to.0));
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(bad("from", "a time before `to`"));
    }
    let timed = |cursor: String| {
        let shaped = cursor.len() <= 64 && cursor.is_ascii();
        (shaped && cursor.get(..13)?.parse::<i64>().is_ok()).then_some(cursor)
    };
    Ok(DeliveryFilter {
        subject: given.job_id.map(|Parsed(subject)| subject),
        endpoint: given.endpoint.map(|Parsed(name)| name.0),
        status: given.status.map(|Parsed(status)| status),
        from,
        to,
        before: request.cursor(timed)?,
        limit: given.limit.map_or(LIST, Whole::get),
    })
}

/// A page of a list, newest first.
pub fn list_answer(part: &DeliveryPage) -> ApiAnswer {
    let list = DeliveryList {
        success: Yes,
        count: part.deliveries.len(),
        deliveries: part.deliveries.iter().map(summary).collect(),
        next_cursor: part.next.as_deref().map(ApiRequest::write_cursor),
        partial: part.partial.then_some(Yes),
    };
    ApiAnswer::json(200, &list)
}

/// A delivery with its event and its attempts.
pub fn delivery_answer(details: &DeliveryDetails) -> ApiAnswer {
    let event = details.event.as_ref();
    let answer = DeliveryAnswer {
        success: Yes,
        delivery: summary(&details.delivery),
        payload: event.map(|event| DeliveredEvent { data: &event.data, timestamp: event.at.into() }),
        attempts: details.attempts.iter().map(attempt).collect(),
    };
    ApiAnswer::json(200, &answer)
}

/// A replayed delivery.
pub fn replay_answer(delivery: &Delivery, now: Timestamp) -> ApiAnswer {
    let delivery = summary(delivery);
    ApiAnswer::json(200, &DeliveryRetried { success: Yes, message: REPLAYED, delivery, timestamp: now.into() })
}

fn summary(of: &Delivery) -> DeliveryView<'_> {
    let pending = of.status == DeliveryStatus::Pending;
    DeliveryView {
        id: of.id.to_string(),
        job_id: of.subject.as_str(),
        webhook_id: &of.endpoint_name,
        event: of.event,
        event_id: of.event_id.as_str(),
        sequence: of.event_id.sequence(of.subject.as_str()),
        endpoint_id: &of.endpoint_id,
        status: of.status,
        attempts: of.attempts,
        waits_for: of.wait_reason.filter(|_| pending),
        replay: of.replay,
        recovery_id: of.recovery.as_deref(),
        created_at: of.created_at.into(),
        next_attempt_at: pending.then(|| of.next_attempt_at.into()),
        finished_at: of.finished_at.map(Time),
        last_result: of.last_result.as_deref(),
    }
}

/// An attempt; the result of an unfinished one is unknown.
fn attempt(of: &Attempt) -> AttemptView<'_> {
    let result = of.result.as_ref();
    AttemptView {
        number: of.number,
        started_at: of.started_at.into(),
        outcome: match result {
            None => AttemptOutcome::Unknown,
            Some(result) if result.error.is_some() => AttemptOutcome::NoAnswer,
            Some(_) => AttemptOutcome::Answered,
        },
        status: result.map(|result| result.status),
        error: result.and_then(|result| result.error.as_deref()),
        first_byte_ms: result.and_then(|result| result.first_byte_ms),
        duration_ms: result.map(|result| result.duration_ms),
        peer: result.and_then(|result| result.peer.as_deref()),
        response: result.map(|result| result.response.as_str()),
        response_sha256: result.and_then(response_hash),
        next_attempt_at: result.and_then(|result| result.next_attempt_at).map(Time),
        reason: result.map(|result| result.reason.as_str()),
    }
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

    #[test]
    fn a_delivery_is_shown_in_the_order_of_the_contract() {
        let delivery: Delivery = serde_json::from_str(concat!(
            r#"{"id":"5f0c2b7e-9d13-5a66-88e1-c07ab2d94f31","event_id":"job_1_a.3.0","event":"job.failed","#,
            r#""job_id":"job_1_a","endpoint_id":"ep_1","endpoint_name":"webhook_1","status":"pending","version":2,"#,
            r#""created_at":1704110400000,"attempts":1,"next_attempt_at":1704110402000,"held":"line"}"#,
        ))
        .unwrap();
        let attempt = Attempt { number: 1, started_at: Timestamp(1_704_110_400_000), result: None };
        let details = DeliveryDetails { delivery, event: None, attempts: vec![attempt] };
        let expected = concat!(
            r#"{"success":true,"delivery":{"id":"5f0c2b7e-9d13-5a66-88e1-c07ab2d94f31","jobId":"job_1_a","#,
            r#""webhookId":"webhook_1","event":"job.failed","eventId":"job_1_a.3.0","sequence":300,"#,
            r#""endpointId":"ep_1","status":"pending","attempts":1,"waitsFor":"line","replay":false,"#,
            r#""recoveryId":null,"createdAt":"2024-01-01T12:00:00.000Z","nextAttemptAt":"2024-01-01T12:00:02.000Z","#,
            r#""finishedAt":null,"lastResult":null},"payload":null,"attempts":[{"number":1,"#,
            r#""startedAt":"2024-01-01T12:00:00.000Z","outcome":"unknown","status":null,"error":null,"#,
            r#""firstByteMs":null,"durationMs":null,"peer":null,"response":null,"responseSha256":null,"#,
            r#""nextAttemptAt":null,"reason":null}]}"#,
        );
        assert_eq!(delivery_answer(&details).body, expected);
    }
}
