//! Stage 5, record: ends attempts and saves the next versions of their deliveries.

use std::time::Duration;

use futures_channel::mpsc::UnboundedReceiver;
use futures_util::stream::StreamExt;
use reelhook_domain::{AttemptResult, Delivery, DeliveryStatus, Outcome, ResponseClass, Timestamp};

use super::answer;
use super::notices::{note_notification, notify_disabled, notify_exhausted};
use super::ports::DeliverPorts;
use super::types::{Change, Finished, Results, Sent};
use crate::digest::sha256_hex;
use crate::outbound::{OutboundError, OutboundResponse};
use crate::outbox::messages::hint_at_deliveries;
use crate::store::{Saved, StoreError};
use crate::webhooks::endpoints::Endpoint;

/// Attempts that are saved in one call.
const SAVED_AT_ONCE: usize = 25;

/// Ends an attempt: the delivery's next version, after everything that must happen before it is saved.
pub(super) async fn finish(ports: &DeliverPorts<'_>, endpoint: &Endpoint, sent: Sent) -> Finished {
    let Sent { index, delivery, answer, outcome, result, took, ended_at } = sent;
    // An accepted webhook needs no jitter, which saves a system call.
    let jitter = if result.accepted > 0 { 0.0 } else { ports.clock.fraction() };
    let (mut next, reason) = delivery.finish(&outcome, ended_at, &endpoint.policy.schedule, jitter, ports.grace);
    let next_due = (next.status == DeliveryStatus::Pending).then_some(next.next_attempt_at);
    let attempt = AttemptResult { reason, next_attempt_at: next_due, ..attempt_result(&answer, took) };
    log(endpoint, &next, &answer, &attempt, ended_at);
    if let Some(last) = &mut next.last {
        last.result = Some(attempt);
    }
    let prepared = follow_up(ports, endpoint, &next, &outcome, ended_at).await;
    Finished { index, change: prepared.map(|()| Change { index, next, next_due }) }
}

/// Saves attempts as they end, all that are ready in one call.
pub(super) async fn save(ports: &DeliverPorts<'_>, finished: UnboundedReceiver<Finished>, results: &mut Results) {
    let mut finished = finished.ready_chunks(SAVED_AT_ONCE);
    while let Some(chunk) = finished.next().await {
        save_chunk(ports, chunk, results).await;
    }
}

async fn save_chunk(ports: &DeliverPorts<'_>, finished: Vec<Finished>, results: &mut Results) {
    let mut changes = Vec::with_capacity(finished.len());
    for finished in finished {
        match finished.change {
            Ok(change) => changes.push(change),
            Err(error) => results[finished.index] = Err(error),
        }
    }
    let next: Vec<Delivery> = changes.iter().map(|change| change.next.clone()).collect();
    if next.is_empty() {
        return;
    }
    let now = ports.clock.now();
    let (mut hints, mut late) = (Vec::new(), Vec::new());
    for (change, saved) in changes.into_iter().zip(ports.deliveries.save_all(&next).await) {
        match saved {
            Ok(Saved::Done) => hints.extend(change.hint(now)),
            Ok(Saved::Conflict(_)) => late.extend(change.next.last.map(|attempt| (change.next.id, attempt))),
            Err(error) => results[change.index] = Err(error),
        }
    }
    hint_at_deliveries(ports.hints, hints).await;
    if late.is_empty() {
        return;
    }
    // The invocation that claimed such a delivery next has kept this attempt without a result.
    tracing::warn!(count = late.len(), "leases expired during attempts, other invocations claimed the deliveries");
    if let Err(error) = ports.attempts.keep(&late).await {
        tracing::warn!(%error, "results of attempts that outlived their leases not saved");
    }
}

/// Does what must happen before an attempt is saved, so that a crash does not lose it.
async fn follow_up(
    ports: &DeliverPorts<'_>,
    endpoint: &Endpoint,
    next: &Delivery,
    outcome: &Outcome,
    now: Timestamp,
) -> Result<(), StoreError> {
    if let Outcome::Answered { status, class: ResponseClass::Gone, .. } = outcome {
        let reason = format!("the receiver answered {status}");
        ports.endpoints.disable(&endpoint.id, &reason, now, false).await?;
        tracing::error!(endpoint_id = %endpoint.id, endpoint = endpoint.name, reason, "endpoint disabled");
        notify_disabled(ports, endpoint).await;
    }
    if next.status == DeliveryStatus::Exhausted {
        notify_exhausted(ports, endpoint, next, now).await?;
    }
    note_notification(ports, next, now).await
}

fn attempt_result(answer: &Result<OutboundResponse, OutboundError>, took: Duration) -> AttemptResult {
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
            result.response_hash = Some(sha256_hex(&response.body));
            result.response = answer::text(response);
        }
        Err(error) => result.error = Some(error.code().to_owned()),
    }
    result
}

/// Logs an attempt with the sentences of the contract (seed 001), and with fields to search by.
fn log(
    endpoint: &Endpoint,
    delivery: &Delivery,
    answer: &Result<OutboundResponse, OutboundError>,
    attempt: &AttemptResult,
    now: Timestamp,
) {
    let name = &delivery.endpoint_name;
    let (ms, status, attempts) = (attempt.duration_ms, attempt.status, delivery.counted().max(1));
    let (delivery_id, event_id, job_id) = (delivery.id, &delivery.event_id, &delivery.subject);
    if delivery.status == DeliveryStatus::Delivered {
        tracing::info!(%delivery_id, %event_id, %job_id, status, duration_ms = ms, traceparent = delivery.traceparent,
            "Webhook delivered successfully: {name} ({ms}ms, status: {status})");
        return;
    }
    let problem = match answer {
        Ok(_) => format!("Request failed with status code {status}"),
        Err(error) => error.to_string(),
    };
    let code = attempt.error.clone().unwrap_or_else(|| problem.clone());
    if delivery.status == DeliveryStatus::Pending {
        let wait = delivery.next_attempt_at.millis_since(now);
        let total = endpoint.policy.schedule.retries() + 1;
        tracing::warn!(%delivery_id, %event_id, %job_id, status, duration_ms = ms, traceparent = delivery.traceparent,
            "Webhook delivery failed (attempt {attempts}/{total}): {name} - {problem}. Retrying in {wait}ms...");
    } else {
        tracing::error!(%delivery_id, %event_id, %job_id, endpoint = name, status, duration_ms = ms,
            traceparent = delivery.traceparent, "Webhook delivery failed after {attempts} attempts: {code}");
    }
}
