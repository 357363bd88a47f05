//! Stage 5, record: ends attempts and saves the next versions of their deliveries.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_channel::mpsc::UnboundedReceiver;
use futures_util::future::{Either, select};
use futures_util::stream::StreamExt;
use reelhook_domain::{AttemptResult, Delivery, DeliveryId, DeliveryStatus, Outcome, ResponseClass, Timestamp};

use super::answer;
use super::notices::{note_notification, notify_disabled, notify_exhausted};
use super::ports::DeliverPorts;
use super::types::{Change, Failures, Finished, Sent};
use crate::digest::sha256_hex;
use crate::metrics::{MetricName, count, deliveries};
use crate::outbound::{OutboundError, OutboundResponse};
use crate::outbox::messages::{Delayed, DeliveryMessage, hint_at_deliveries};
use crate::store::{Saved, StoreError};
use crate::webhooks::endpoints::Endpoint;
use crate::webhooks::events::{DueTogether, hint};

/// Attempts that are saved at the same time: those of ten messages with ten deliveries each.
const SAVED_AT_ONCE: usize = 100;
/// How long the result of an attempt waits for those of others, which usually end at the same time.
const LINGER: Duration = Duration::from_millis(20);
/// The version of a delivery that was saved once: it was written with the first one.
const FIRST_SAVE: u64 = 2;

/// Ends an attempt: the delivery's next version, after everything that must happen before it is saved.
pub(super) async fn finish(ports: &DeliverPorts<'_>, endpoint: &Endpoint, sent: Sent) -> Result<Change, StoreError> {
    let Sent { index, delivery, answer, outcome, result, took, ended_at, submitted_at } = sent;
    // An accepted webhook needs no jitter, which saves a system call.
    let jitter = if result.accepted > 0 { 0.0 } else { ports.clock.fraction() };
    let (mut next, reason) = delivery.finish(&outcome, ended_at, &endpoint.policy.schedule, jitter, ports.grace);
    let next_due = (next.status == DeliveryStatus::Pending).then_some(next.next_attempt_at);
    let attempt = AttemptResult { reason, next_attempt_at: next_due, ..attempt_result(&answer, took) };
    log(endpoint, &next, &answer, &attempt, ended_at);
    deliveries::attempt(&next, &outcome, &attempt, submitted_at, ended_at);
    if let Some(last) = &mut next.last {
        last.result = Some(attempt);
    }
    follow_up(ports, endpoint, &next, &outcome, ended_at).await?;
    Ok(Change { index, next, next_due })
}

/// Saves attempts as they end: usually all of a batch in one call, and never later than [`LINGER`] after they have ended and
/// the call before is over. Then the rows are removed by which those that were saved for the first time were due together.
pub(super) async fn save(
    ports: &DeliverPorts<'_>,
    mut finished: UnboundedReceiver<Finished>,
    mut due_together: Vec<DueTogether>,
) -> Failures {
    let (mut failures, mut first_saved) = (Failures::new(), BTreeSet::new());
    while let Some(first) = finished.next().await {
        let chunk = gather(ports, first, &mut finished).await;
        first_saved.extend(save_chunk(ports, chunk, &mut failures).await);
    }
    due_together.retain(|together| together.deliveries.iter().all(|id| first_saved.contains(id)));
    if !due_together.is_empty()
        && let Err(error) = ports.deliveries.remove_due(&due_together).await
    {
        tracing::warn!(%error, "rows of what was due were not removed, the due sweep will remove them");
    }
    failures
}

/// The attempts that are saved together with this one.
async fn gather(
    ports: &DeliverPorts<'_>,
    first: Finished,
    finished: &mut UnboundedReceiver<Finished>,
) -> Vec<Finished> {
    let mut chunk = vec![first];
    let mut over = ports.timer.after(LINGER);
    while chunk.len() < SAVED_AT_ONCE {
        match select(finished.next(), over).await {
            Either::Left((Some(next), waits)) => {
                chunk.push(next);
                over = waits;
            }
            Either::Left((None, _)) | Either::Right(_) => break,
        }
    }
    chunk
}

/// Saves these attempts in one call; the deliveries that were saved for the first time.
async fn save_chunk(ports: &DeliverPorts<'_>, finished: Vec<Finished>, failures: &mut Failures) -> Vec<DeliveryId> {
    let mut changes = Vec::with_capacity(finished.len());
    for Finished { index, change, recorded } in finished {
        match change {
            Ok(change) => changes.push((change, recorded)),
            // Dropping `recorded` says that it is not.
            Err(error) => failures.push((index, error)),
        }
    }
    if changes.is_empty() {
        return Vec::new();
    }
    let now = ports.clock.now();
    let next: Vec<&Delivery> = changes.iter().map(|(change, _)| &change.next).collect();
    let saved = ports.deliveries.save_all(&next).await;
    let (mut hints, mut first_saved) = (Vec::new(), Vec::new());
    for ((change, recorded), saved) in changes.into_iter().zip(saved) {
        let result = match saved {
            Ok(Saved::Done) => {
                hints.extend(change.hint(now));
                if change.next.version == FIRST_SAVE {
                    first_saved.push(change.next.id);
                }
                Ok(())
            }
            Ok(Saved::Conflict(theirs)) => {
                save_late(ports, &change.next, theirs.as_deref()).await.map(|hint| hints.extend(hint))
            }
            Err(error) => Err(error),
        };
        match result {
            // The receiver waits for it until the batch ends.
            Ok(()) => drop(recorded.send(true)),
            Err(error) => failures.push((change.index, error)),
        }
    }
    hint_at_deliveries(ports.hints, hints).await;
    first_saved
}

/// Records an attempt whose delivery was changed while it was in progress: by request, or by an invocation that has begun
/// the next attempt because this one outlived its lease. If the delivery is due, its hint came during the attempt and was
/// left to it: here is another one.
async fn save_late(
    ports: &DeliverPorts<'_>,
    ended: &Delivery,
    theirs: Option<&Delivery>,
) -> Result<Option<Delayed<DeliveryMessage>>, StoreError> {
    let busy = || StoreError::Busy { operation: "record attempt", source: "the delivery changed each time".into() };
    let (id, Some(attempt)) = (ended.id, &ended.last) else { return Ok(None) };
    let theirs = theirs.ok_or_else(busy)?;
    let Some(next) = theirs.with_late(ended) else {
        tracing::warn!(delivery_id = %id, "lease expired during an attempt, another invocation began the next one");
        // That invocation has kept this attempt without a result.
        ports.attempts.keep(&[(id, attempt.clone())]).await?;
        return Ok(None);
    };
    if let Some(earlier) = &theirs.last {
        ports.attempts.keep(&[(id, earlier.clone())]).await?;
    }
    match ports.deliveries.save_all(&[&next]).await.pop().ok_or_else(busy)?? {
        Saved::Done => Ok(next.check(ports.clock.now()).is_ok().then(|| hint(&next))),
        Saved::Conflict(_) => Err(busy()),
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
        count(MetricName::EndpointsDisabled, []);
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
            result.response = answer::text(response);
            // The hash of what is shown as it came follows from the text.
            let is_shown = result.response.as_bytes() == response.body;
            result.response_hash = (!is_shown).then(|| sha256_hex(&response.body));
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
    let trace = delivery.trace();
    let trace_id = trace.trace_id();
    if delivery.status == DeliveryStatus::Delivered {
        tracing::info!(%delivery_id, %event_id, %job_id, status, duration_ms = ms, trace_id,
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
        tracing::warn!(%delivery_id, %event_id, %job_id, status, duration_ms = ms, trace_id,
            "Webhook delivery failed (attempt {attempts}/{total}): {name} - {problem}. Retrying in {wait}ms...");
    } else {
        tracing::error!(%delivery_id, %event_id, %job_id, endpoint = name, status, duration_ms = ms,
            trace_id, "Webhook delivery failed after {attempts} attempts: {code}");
    }
}
