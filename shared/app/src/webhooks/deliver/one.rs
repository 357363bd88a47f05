//! One delivery: its try, from the request to what came of it.

use std::time::Duration;

use reelhook_domain::{
    AttemptResult, BatchOutcome, Delivery, DeliveryStatus, MAX_RETRY_AFTER, Outcome, RateLimit, ResponseClass,
    Timestamp, WaitReason, retry_after,
};
use sha2::{Digest, Sha256};

use super::{Change, DeliverPorts, Ready, answer, message};
use crate::outbound::{OutboundError, OutboundResponse};
use crate::store::StoreError;
use crate::webhooks::endpoints::Endpoint;
use crate::webhooks::endpoints::callback::is_callback;
use crate::webhooks::endpoints::receiver::ReceiverKind;
use crate::webhooks::operational::{OperationalEvent, notify_subscribers};

/// What came of a try.
pub(super) struct SendResult {
    /// The message that it answers.
    pub index: usize,
    /// What it says about the endpoint.
    pub seen: BatchOutcome,
    /// How long it took.
    pub took: Duration,
    /// The delivery's next version.
    pub end: Result<Change, StoreError>,
}

/// Ends a delivery without sending it.
pub(super) fn end(ports: &DeliverPorts<'_>, index: usize, delivery: &Delivery, outcome: &Outcome) -> Change {
    let schedule = &ports.settings.policy.schedule;
    let (next, reason) = delivery.finish(outcome, ports.clock.now(), schedule, 0.0, ports.grace);
    tracing::warn!(delivery_id = %next.id, endpoint = next.endpoint_name, reason, "delivery stopped");
    Change { index, next, hint: None }
}

/// Lets a delivery wait without using up a try; `rate` is its endpoint's limit, where that is known.
pub(super) fn defer(
    ports: &DeliverPorts<'_>,
    index: usize,
    delivery: &Delivery,
    until: Timestamp,
    wait_reason: WaitReason,
    rate: Option<RateLimit>,
) -> Change {
    let (delivery_id, name) = (delivery.id, &delivery.endpoint_name);
    match wait_reason {
        // One that has a place and waits for a slot was told so before.
        WaitReason::RateLimit if delivery.wait_reason != Some(WaitReason::RateLimit) => {
            let max = rate.map_or(0, |rate| rate.max);
            let next = u64::from(max) + 1;
            tracing::warn!(%delivery_id, %until, "Rate limit exceeded for webhook {name}: {next}/{max}");
        }
        WaitReason::UnknownEndpoint => tracing::warn!(%delivery_id, endpoint = name, %until,
            "the endpoint is not known: settings are older than the delivery, or a key is missing"),
        WaitReason::RateLimit | WaitReason::Concurrency | WaitReason::Circuit | WaitReason::Pause => {
            tracing::info!(%delivery_id, endpoint = name, %until, ?wait_reason, "a delivery waits for its endpoint");
        }
    }
    Change { index, next: delivery.defer(until, wait_reason, ports.grace), hint: Some(until) }
}

/// Makes the try that was begun, and says what follows.
pub(super) async fn send(ports: &DeliverPorts<'_>, ready: Ready) -> SendResult {
    let Ready { index, delivery, event, endpoint } = ready;
    let endpoint = &*endpoint;
    let receiver = endpoint.receiver();
    let began = ports.clock.now();
    let webhook = message::webhook(&delivery, &event, endpoint, began);
    let answer = ports.transport.deliver(webhook).await;

    let now = ports.clock.now();
    let outcome = outcome(endpoint, &answer, receiver, now);
    let seen = seen(&outcome, answer.as_ref().ok().and_then(|response| quota_ends(response, receiver)), now);
    // Only who goes on needs chance, which costs a call of the system.
    let jitter = if seen.accepted > 0 { 0.0 } else { ports.clock.fraction() };
    let (mut next, reason) = delivery.finish(&outcome, now, &endpoint.policy.schedule, jitter, ports.grace);
    let goes_on = next.status == DeliveryStatus::Pending;
    let took = Duration::from_millis(u64::try_from(now.0 - began.0).unwrap_or(0));
    let mut result = result(&answer, took);
    result.reason = reason;
    result.next_attempt_at = goes_on.then_some(next.next_attempt_at);
    log(endpoint, &next, &answer, &result, now);
    if let Some(last) = &mut next.last {
        last.result = Some(result);
    }
    let hint = goes_on.then_some(next.next_attempt_at);
    let follows = follow_up(ports, endpoint, &next, &outcome, now).await;
    SendResult { index, seen, took, end: follows.map(|()| Change { index, next, hint }) }
}

/// What has to be done about an end before it is saved, so that it is not forgotten.
async fn follow_up(
    ports: &DeliverPorts<'_>,
    endpoint: &Endpoint,
    next: &Delivery,
    outcome: &Outcome,
    now: Timestamp,
) -> Result<(), StoreError> {
    if let Outcome::Answered { status, class: ResponseClass::Gone, .. } = outcome {
        let reason = format!("the receiver answered {status}");
        ports.store.disable(&endpoint.id, &reason, now, false).await?;
        tracing::error!(endpoint_id = %endpoint.id, endpoint = endpoint.name, reason, "an endpoint was disabled");
        super::notify_disabled(ports, endpoint).await;
    }
    if next.status == DeliveryStatus::Exhausted {
        notify_subscribers(&ports.operational(), OperationalEvent::Exhausted(endpoint, next), now).await?;
    }
    Ok(())
}

fn outcome(
    endpoint: &Endpoint,
    answer: &Result<OutboundResponse, OutboundError>,
    receiver: ReceiverKind,
    now: Timestamp,
) -> Outcome {
    match answer {
        Ok(response) => Outcome::Answered {
            status: response.status,
            class: classify(endpoint, response, receiver),
            retry_after: requested_wait(response, receiver, now),
        },
        Err(error) => Outcome::NoAnswer(error.code()),
    }
}

/// What a response means: by its status, unless the operator or the receiver says that it is final.
fn classify(endpoint: &Endpoint, response: &OutboundResponse, receiver: ReceiverKind) -> ResponseClass {
    match receiver.classify(response.status) {
        // Nobody could enable a client's URL again: only this webhook is unwanted there.
        ResponseClass::Gone if is_callback(&endpoint.id) => ResponseClass::Rejected,
        ResponseClass::Retryable if receiver == ReceiverKind::Own => {
            match response.header("webhook-delivery").map(str::trim) {
                Some("disable") if is_callback(&endpoint.id) => ResponseClass::Rejected,
                Some("disable") => ResponseClass::Gone,
                Some("abort-message") => ResponseClass::Rejected,
                _ if endpoint.permanent.contains(&response.status) => ResponseClass::Rejected,
                _ => ResponseClass::Retryable,
            }
        }
        class => class,
    }
}

/// How long a response asks to wait: by Retry-After, or in the body of Discord's 429.
fn requested_wait(response: &OutboundResponse, receiver: ReceiverKind, now: Timestamp) -> Option<Duration> {
    let by_header = response.header("retry-after").and_then(|header| retry_after(header, now));
    let said = || response.json()?["retry_after"].as_f64();
    let by_body = (receiver == ReceiverKind::Discord && response.status == 429).then(said).flatten();
    by_header.max(by_body.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()))
}

/// How long Discord takes nothing more, where this was the last that its limit lets through (X-RateLimit-*).
fn quota_ends(response: &OutboundResponse, receiver: ReceiverKind) -> Option<Duration> {
    let number = |name: &str| response.header(name).and_then(|text| text.trim().parse::<f64>().ok());
    let used_up = receiver == ReceiverKind::Discord && number("x-ratelimit-remaining") == Some(0.0);
    used_up.then(|| number("x-ratelimit-reset-after"))?.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

/// What a try says about its endpoint; nobody is asked to wait for more than a day.
fn seen(outcome: &Outcome, quota_ends: Option<Duration>, now: Timestamp) -> BatchOutcome {
    let (took, overloaded, requested) = match outcome {
        Outcome::Answered { class: ResponseClass::Success, .. } => (true, false, None),
        Outcome::Answered { status: 429 | 503, retry_after, .. } => (false, true, *retry_after),
        Outcome::Answered { status: 502 | 504, .. } => (false, true, None),
        Outcome::Answered { .. }
        | Outcome::NoAnswer(_)
        | Outcome::Disabled
        | Outcome::Gone
        | Outcome::Empty
        | Outcome::Superseded => (false, false, None),
    };
    let pause_until = requested.max(quota_ends).map(|wait| now.after(wait.min(MAX_RETRY_AFTER)));
    BatchOutcome { accepted: u32::from(took), failed: u32::from(!took), overloaded, pause_until, latency_ms: 0 }
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
            result.response = answer::text(response);
        }
        Err(error) => result.error = Some(error.code().to_owned()),
    }
    result
}

/// The sentences of seed 001, with fields to search by.
fn log(
    endpoint: &Endpoint,
    delivery: &Delivery,
    answer: &Result<OutboundResponse, OutboundError>,
    result: &AttemptResult,
    now: Timestamp,
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
    if delivery.status == DeliveryStatus::Pending {
        let wait = delivery.next_attempt_at.0 - now.0;
        let total = endpoint.policy.schedule.retries() + 1;
        tracing::warn!(%delivery_id, %event_id, %job_id, status, duration_ms = ms, traceparent = delivery.traceparent,
            "Webhook delivery failed (attempt {attempts}/{total}): {name} - {problem}. Retrying in {wait}ms...");
    } else {
        tracing::error!(%delivery_id, %event_id, %job_id, endpoint = name, status, duration_ms = ms,
            traceparent = delivery.traceparent, "Webhook delivery failed after {attempts} attempts: {code}");
    }
}
