//! One delivery: its try from the attempt's row to what came of it.

use std::sync::Mutex;
use std::time::Duration;

use reelhook_domain::{
    AttemptResult, Delivery, DeliveryStatus, Judgement, LONGEST_RETRY_AFTER, Outcome, Receiver, Timestamp, retry_after,
};

use super::{DeliverPorts, Learned, Ready, hint_at, message};
use sha2::{Digest, Sha256};

use crate::messages::{Delayed, DeliveryMessage};
use crate::outbound::{OutboundError, OutboundResponse};
use crate::store::{Saved, StoreError};

/// How much longer than the try itself its lease is.
const LEASE_MARGIN: Duration = Duration::from_secs(5);
/// Characters of the response that are kept.
const KEPT_RESPONSE: usize = 1024;

type Later = Option<Delayed<DeliveryMessage>>;

/// Ends a delivery without sending it.
pub(super) async fn end(ports: &DeliverPorts<'_>, delivery: &Delivery, outcome: &Outcome) -> Result<(), StoreError> {
    let now = ports.ambient.now();
    let (next, reason) = delivery.finish(outcome, now, &ports.settings.schedule, 0.0, ports.grace);
    if ports.store.save(&next).await? == Saved::Done {
        tracing::warn!(delivery_id = %next.id, endpoint = next.endpoint_name, reason, "delivery stopped");
    }
    Ok(())
}

/// Lets a delivery wait for its place in the rate limit.
pub(super) async fn defer(
    ports: &DeliverPorts<'_>,
    delivery: &Delivery,
    place: Timestamp,
) -> Result<Later, StoreError> {
    let (name, max) = (&delivery.endpoint_name, ports.settings.rate.max);
    tracing::warn!(delivery_id = %delivery.id, until = %place,
        "Rate limit exceeded for webhook {name}: {}/{max}", u64::from(max) + 1);
    wait(ports, &delivery.defer(place, true, ports.grace), place).await
}

/// Lets a delivery wait for its endpoint, which these settings do not know.
pub(super) async fn postpone(
    ports: &DeliverPorts<'_>,
    delivery: &Delivery,
    until: Timestamp,
) -> Result<Later, StoreError> {
    tracing::warn!(delivery_id = %delivery.id, endpoint = delivery.endpoint_name, %until,
        "the endpoint is not among the settings, they may be older than the delivery");
    wait(ports, &delivery.defer(until, false, ports.grace), until).await
}

/// Lets a delivery wait until its endpoint wants to be asked again.
pub(super) async fn pause(
    ports: &DeliverPorts<'_>,
    delivery: &Delivery,
    until: Timestamp,
) -> Result<Later, StoreError> {
    tracing::info!(delivery_id = %delivery.id, endpoint = delivery.endpoint_name, %until, "the endpoint asked to wait");
    wait(ports, &delivery.defer(until, false, ports.grace), until).await
}

async fn wait(ports: &DeliverPorts<'_>, next: &Delivery, until: Timestamp) -> Result<Later, StoreError> {
    match ports.store.save(next).await? {
        Saved::Done => Ok(hint_at(next, until, ports.ambient.now())),
        Saved::Conflict(_) => Ok(None),
    }
}

/// Makes one try, and notes what it says about the endpoint.
pub(super) async fn send(
    ports: &DeliverPorts<'_>,
    ready: Ready<'_>,
    learned: &Mutex<Learned>,
) -> Result<Later, StoreError> {
    let began = ports.ambient.now();
    let lease = began.after(ports.settings.timeout + LEASE_MARGIN);
    let (delivery, mut attempt) = ready.delivery.begin(began, lease);
    if let Saved::Conflict(_) = ports.store.begin(&delivery, &attempt).await? {
        // Somebody else is at it.
        return Ok(None);
    }
    let receiver = ready.endpoint.receiver();
    let request = message::request(&delivery, &ready.event, ready.endpoint, ports.settings, ports.secret, began);
    let answer = ports.http.send(request).await;

    let now = ports.ambient.now();
    let outcome = outcome(ports, &answer, receiver, now);
    note(learned, &outcome, answer.as_ref().ok().and_then(|response| quota_ends(response, receiver)), now);
    let jitter = ports.ambient.fraction();
    let (next, reason) = delivery.finish(&outcome, now, &ports.settings.schedule, jitter, ports.grace);
    let goes_on = next.status == DeliveryStatus::Pending;
    let took = Duration::from_millis(u64::try_from(now.0 - began.0).unwrap_or(0));
    let mut result = result(&answer, took);
    result.reason = reason;
    result.next_attempt_at = goes_on.then_some(next.next_attempt_at);
    log(ports, &next, &answer, &result, goes_on);
    attempt.result = Some(result);

    ports.store.complete(&attempt).await?;
    if let Outcome::Answered { status, judgement: Judgement::Unwanted, .. } = outcome {
        ports.store.disable(&next.endpoint_id, &format!("the receiver answered {status}"), now).await?;
    }
    match ports.store.save(&next).await? {
        Saved::Done if goes_on => Ok(hint_at(&next, next.next_attempt_at, now)),
        Saved::Done => Ok(None),
        Saved::Conflict(_) => {
            tracing::warn!(delivery_id = %next.id, "the lease ran out during a try, another one took over");
            Ok(None)
        }
    }
}

fn outcome(
    ports: &DeliverPorts<'_>,
    answer: &Result<OutboundResponse, OutboundError>,
    receiver: Receiver,
    now: Timestamp,
) -> Outcome {
    match answer {
        Ok(response) => Outcome::Answered {
            status: response.status,
            judgement: judge(ports, response, receiver),
            retry_after: wait_asked(response, receiver, now),
        },
        Err(error) => Outcome::NoAnswer(error.code()),
    }
}

/// What a response means: by its status, unless the operator or the receiver says that it is final.
fn judge(ports: &DeliverPorts<'_>, response: &OutboundResponse, receiver: Receiver) -> Judgement {
    match receiver.judge(response.status) {
        Judgement::Later if receiver == Receiver::Own => match response.header("webhook-delivery").map(str::trim) {
            Some("disable") => Judgement::Unwanted,
            Some("abort-message") => Judgement::Refused,
            _ if ports.settings.permanent.contains(&response.status) => Judgement::Refused,
            _ => Judgement::Later,
        },
        judgement => judgement,
    }
}

/// How long a response asks to wait: by Retry-After, or in the body of Discord's 429.
fn wait_asked(response: &OutboundResponse, receiver: Receiver, now: Timestamp) -> Option<Duration> {
    let by_header = response.header("retry-after").and_then(|header| retry_after(header, now));
    let said = || serde_json::from_slice::<serde_json::Value>(&response.body).ok()?["retry_after"].as_f64();
    let by_body = (receiver == Receiver::Discord && response.status == 429).then(said).flatten();
    by_header.max(by_body.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()))
}

/// How long Discord takes nothing more, where this was the last that its limit lets through (X-RateLimit-*).
fn quota_ends(response: &OutboundResponse, receiver: Receiver) -> Option<Duration> {
    let number = |name: &str| response.header(name).and_then(|text| text.trim().parse::<f64>().ok());
    let used_up = receiver == Receiver::Discord && number("x-ratelimit-remaining") == Some(0.0);
    used_up.then(|| number("x-ratelimit-reset-after"))?.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

/// Adds a try to what the batch learned; nobody is asked to wait for more than a day.
fn note(learned: &Mutex<Learned>, outcome: &Outcome, quota_ends: Option<Duration>, now: Timestamp) {
    let mut learned = learned.lock().expect("nobody panics with it");
    let asked = match outcome {
        Outcome::Answered { status: 429, retry_after, .. } => *retry_after,
        Outcome::Answered { .. } | Outcome::NoAnswer(_) | Outcome::Disabled | Outcome::Gone | Outcome::Empty => None,
    };
    match outcome {
        Outcome::Answered { judgement: Judgement::Taken, .. } => learned.took = true,
        Outcome::Answered { .. } | Outcome::NoAnswer(_) => learned.failed += 1,
        Outcome::Disabled | Outcome::Gone | Outcome::Empty => {}
    }
    let until = asked.max(quota_ends).map(|wait| now.after(wait.min(LONGEST_RETRY_AFTER)));
    learned.pause_until = learned.pause_until.max(until);
}

fn result(answer: &Result<OutboundResponse, OutboundError>, took: Duration) -> AttemptResult {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut result = AttemptResult {
        status: 0,
        error: None,
        first_byte_ms: None,
        duration_ms: ms(took),
        peer: None,
        response_hash: None,
        response: String::new(),
        next_attempt_at: None,
        reason: String::new(),
    };
    match answer {
        Ok(response) => {
            result.status = response.status;
            result.first_byte_ms = Some(ms(response.first_byte));
            result.duration_ms = ms(response.total);
            result.peer = response.peer.map(|peer| peer.to_string());
            result.response_hash = Some(hex::encode(Sha256::digest(&response.body)));
            result.response = String::from_utf8_lossy(&response.body).chars().take(KEPT_RESPONSE).collect();
        }
        Err(error) => result.error = Some(error.code().to_owned()),
    }
    result
}

/// The sentences of seed 001, with fields to search by.
fn log(
    ports: &DeliverPorts<'_>,
    delivery: &Delivery,
    answer: &Result<OutboundResponse, OutboundError>,
    result: &AttemptResult,
    goes_on: bool,
) {
    let name = &delivery.endpoint_name;
    let (ms, status, attempts) = (result.duration_ms, result.status, delivery.counted().max(1));
    let (delivery_id, event_id, job_id) = (delivery.id, &delivery.event_id, &delivery.job_id);
    if delivery.status == DeliveryStatus::Delivered {
        tracing::info!(%delivery_id, %event_id, %job_id, status, duration_ms = ms, traceparent = delivery.traceparent,
            "Webhook delivered successfully: {name} ({ms}ms, status: {status})");
        return;
    }
    let problem = match answer {
        Ok(_) => format!("Request failed with status code {status}"),
        Err(error) => error.to_string(),
    };
    let code = result.error.clone().unwrap_or_else(|| problem.clone());
    if goes_on {
        let wait = delivery.next_attempt_at.0 - ports.ambient.now().0;
        let total = ports.settings.schedule.retries() + 1;
        tracing::warn!(%delivery_id, %event_id, %job_id, status, duration_ms = ms, traceparent = delivery.traceparent,
            "Webhook delivery failed (attempt {attempts}/{total}): {name} - {problem}. Retrying in {wait}ms...");
    } else {
        tracing::error!(%delivery_id, %event_id, %job_id, endpoint = name, status, duration_ms = ms,
            traceparent = delivery.traceparent, "Webhook delivery failed after {attempts} attempts: {code}");
    }
}
