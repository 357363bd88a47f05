//! Stage 4, send: makes the request of a claimed delivery, and classifies the answer.

use std::time::Duration;

use reelhook_domain::{BatchOutcome, MAX_RETRY_AFTER, Outcome, ResponseClass, Timestamp, retry_after};

use super::message;
use super::ports::DeliverPorts;
use super::types::{DueDelivery, Sent};
use crate::outbound::{OutboundError, OutboundResponse};
use crate::webhooks::endpoints::Endpoint;
use crate::webhooks::endpoints::callback::is_callback;
use crate::webhooks::endpoints::receiver::ReceiverKind;
use crate::webhooks::notification::is_service;

/// Makes the attempt that was claimed.
pub(super) async fn send(ports: &DeliverPorts<'_>, endpoint: &Endpoint, due: DueDelivery) -> Sent {
    let DueDelivery { index, delivery, event } = due;
    let receiver = endpoint.receiver();
    let began_at = ports.clock.now();
    let webhook = message::webhook(&delivery, &event, endpoint, began_at);
    let answer = ports.transport.deliver(webhook).await;
    let ended_at = ports.clock.now();
    let outcome = outcome(endpoint, &answer, receiver, ended_at);
    let quota_reset = answer.as_ref().ok().and_then(|response| quota_reset(response, receiver));
    let result = result(&outcome, quota_reset, ended_at);
    Sent {
        index,
        delivery,
        answer,
        outcome,
        result,
        took: ended_at.since(began_at),
        ended_at,
        submitted_at: event.submitted_at,
    }
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

/// What a response means: by its status, unless the operator or the receiver declares it final.
fn classify(endpoint: &Endpoint, response: &OutboundResponse, receiver: ReceiverKind) -> ResponseClass {
    match receiver.classify(response.status) {
        // What cannot be enabled again is not disabled: only this webhook is rejected.
        ResponseClass::Gone if stays_enabled(endpoint) => ResponseClass::Rejected,
        ResponseClass::Retryable if receiver == ReceiverKind::Own => {
            match response.header("webhook-delivery").map(str::trim) {
                Some("disable") if stays_enabled(endpoint) => ResponseClass::Rejected,
                Some("disable") => ResponseClass::Gone,
                Some("abort-message") => ResponseClass::Rejected,
                _ if endpoint.permanent.contains(&response.status) => ResponseClass::Rejected,
                _ => ResponseClass::Retryable,
            }
        }
        class => class,
    }
}

/// Whether no receiver can disable an endpoint: a client's URL or the notification service.
fn stays_enabled(endpoint: &Endpoint) -> bool {
    is_callback(&endpoint.id) || is_service(endpoint)
}

/// The wait that a response requests: by Retry-After, or in the body of Discord's 429.
fn requested_wait(response: &OutboundResponse, receiver: ReceiverKind, now: Timestamp) -> Option<Duration> {
    let by_header = response.header("retry-after").and_then(|header| retry_after(header, now));
    let seconds = || response.json()?["retry_after"].as_f64();
    let by_body = (receiver == ReceiverKind::Discord && response.status == 429).then(seconds).flatten();
    by_header.max(by_body.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()))
}

/// The time until Discord's rate limit resets, if this request used it up (X-RateLimit-*).
fn quota_reset(response: &OutboundResponse, receiver: ReceiverKind) -> Option<Duration> {
    let number = |name: &str| response.header(name).and_then(|text| text.trim().parse::<f64>().ok());
    let used_up = receiver == ReceiverKind::Discord && number("x-ratelimit-remaining") == Some(0.0);
    used_up.then(|| number("x-ratelimit-reset-after"))?.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

/// What an attempt means for its endpoint; a pause lasts no longer than a day.
fn result(outcome: &Outcome, quota_reset: Option<Duration>, now: Timestamp) -> BatchOutcome {
    let (accepted, overloaded, requested) = match outcome {
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
    let pause_until = requested.max(quota_reset).map(|wait| now.after(wait.min(MAX_RETRY_AFTER)));
    BatchOutcome { accepted: u32::from(accepted), failed: u32::from(!accepted), overloaded, pause_until, latency_ms: 0 }
}
