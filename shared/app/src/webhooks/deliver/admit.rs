//! Stage 2, admit: decides which deliveries are sent now, with one admission for each endpoint of the batch.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use reelhook_domain::{AdmissionRequest, EndpointId, Outcome, SendDecision, WaitReason};

use super::notices::{note_found_key, note_lost_key, notify_disabled};
use super::ports::DeliverPorts;
use super::types::{Change, DueDelivery, EndpointBatch, EndpointSlot, Results, fail};
use crate::retry::Retry;
use crate::store::StoreError;
use crate::webhooks::endpoints::Endpoint;
use crate::webhooks::endpoints::cache::ResolvedEndpoint;
use crate::webhooks::endpoints::callback::{self, callback_id};

/// How long settings may differ between functions: each function caches them for five minutes.
const SETTINGS_SPREAD: Duration = Duration::from_secs(600);
/// How long a delivery to an unknown endpoint waits before the settings are read again.
const SETTINGS_RETRY: Duration = Duration::from_secs(30);
/// How long a delivery waits for the key of its endpoint's secrets, again and again until its event expires.
const SEALED_RETRY: Duration = Duration::from_secs(300);
/// Attempts at an admission before its deliveries wait: each conflict is another invocation that sends to the endpoint.
const ATTEMPTS: u32 = 5;
/// How long the deliveries wait then, plus up to three times that in jitter.
const CONTENTION_DELAY: Duration = Duration::from_secs(1);

/// The deliveries that are sent to an endpoint, if any, and the next versions of those that wait or end.
type Decided = (Option<EndpointBatch>, Vec<Change>);

/// Admits deliveries to their endpoints, concurrently; those that wait or end are added to `changes`.
pub(super) async fn admit(
    ports: &DeliverPorts<'_>,
    due: BTreeMap<EndpointId, Vec<DueDelivery>>,
    changes: &mut Vec<Change>,
    results: &mut Results,
) -> Vec<EndpointBatch> {
    let mut batches = Vec::with_capacity(due.len());
    for (decided, indexes) in join_all(due.into_iter().map(|(id, due)| admit_to(ports, id, due))).await {
        match decided {
            Ok((batch, others)) => {
                changes.extend(others);
                batches.extend(batch);
            }
            Err(error) => fail(results, &indexes, error),
        }
    }
    batches
}

/// Admits deliveries to one endpoint; with the messages that named them.
async fn admit_to(
    ports: &DeliverPorts<'_>,
    id: EndpointId,
    due: Vec<DueDelivery>,
) -> (Result<Decided, StoreError>, Vec<usize>) {
    let indexes = due.iter().map(|due| due.index).collect();
    (decide(ports, &id, due).await, indexes)
}

async fn decide(ports: &DeliverPorts<'_>, id: &EndpointId, due: Vec<DueDelivery>) -> Result<Decided, StoreError> {
    let holder = ports.clock.random() as u64;
    let mut state = ports.endpoints.endpoint(id).await?;
    let mut last = None;
    let client_url = client_url(ports, id, &due);
    let mut retry = Retry::new(ports.clock, ATTEMPTS);
    while retry.attempt().await {
        let resolved = match &client_url {
            Some(endpoint) => ResolvedEndpoint::Endpoint(Arc::clone(endpoint)),
            None => ports.resolve(id, &state).await?,
        };
        let endpoint = match resolved {
            ResolvedEndpoint::Endpoint(endpoint) => endpoint,
            ResolvedEndpoint::Removed => {
                let gone = |due: &DueDelivery| Change::stop(ports, due.index, &due.delivery, &Outcome::Gone);
                return Ok((None, due.iter().map(gone).collect()));
            }
            ResolvedEndpoint::Sealed => {
                note_lost_key(ports, id, ports.clock.now()).await;
                let until = ports.clock.now().after(SEALED_RETRY);
                let wait = |due: &DueDelivery| {
                    Change::wait(ports, due.index, &due.delivery, until, WaitReason::UnknownEndpoint, None)
                };
                return Ok((None, due.iter().map(wait).collect()));
            }
            ResolvedEndpoint::Unknown => return Ok((None, due.iter().map(|due| unknown(ports, due)).collect())),
        };
        let now = ports.clock.now();
        // Some of them waited because the endpoint was unknown or its secrets did not open.
        if due.iter().any(|due| due.delivery.wait_reason == Some(WaitReason::UnknownEndpoint)) {
            note_found_key(ports, id, now).await?;
        }
        let requests: Vec<AdmissionRequest> =
            due.iter().map(|due| due.delivery.admission_request(endpoint.policy.rate, now)).collect();
        let admitted = state.admit(&endpoint.policy, &requests, holder, now);
        if let Some(next) = &admitted.next
            && let Some(stored) = ports.admission.admit(id, &state, next).await?
        {
            state = stored;
            last = Some(endpoint);
            continue;
        }
        if state.disabled_at.is_some() && !state.disable_notified {
            notify_disabled(ports, &endpoint).await;
        }
        let slot = EndpointSlot { endpoint, state, holder, probe: admitted.probe };
        return Ok(divide(ports, slot, due, admitted.decisions));
    }
    Ok((None, contended(ports, last.as_deref(), &due)))
}

/// The endpoint at a client's own URL, if these deliveries go to one.
fn client_url(ports: &DeliverPorts<'_>, id: &EndpointId, due: &[DueDelivery]) -> Option<Arc<Endpoint>> {
    let callback = due.first()?.event.callback.as_ref()?;
    if callback_id(&callback.url) != *id {
        return None;
    }
    Some(callback::endpoint(&callback.url, ports.settings))
}

/// Divides deliveries by their decisions.
fn divide(
    ports: &DeliverPorts<'_>,
    slot: EndpointSlot,
    due: Vec<DueDelivery>,
    decisions: Vec<SendDecision>,
) -> Decided {
    let rate = Some(slot.endpoint.policy.rate);
    let mut sent = Vec::with_capacity(due.len());
    let mut others = Vec::new();
    for (due, decision) in due.into_iter().zip(decisions) {
        match decision {
            SendDecision::Send => sent.push(due),
            SendDecision::Wait(until, wait_reason) => {
                others.push(Change::wait(ports, due.index, &due.delivery, until, wait_reason, rate));
            }
            SendDecision::Stop => others.push(Change::stop(ports, due.index, &due.delivery, &Outcome::Disabled)),
        }
    }
    let batch = (!sent.is_empty()).then_some(EndpointBatch { slot, due: sent });
    (batch, others)
}

/// Lets deliveries wait because other invocations changed the endpoint's state at each attempt.
fn contended(ports: &DeliverPorts<'_>, endpoint: Option<&Endpoint>, due: &[DueDelivery]) -> Vec<Change> {
    let now = ports.clock.now();
    let rate = endpoint.map(|endpoint| endpoint.policy.rate);
    let wait = |due: &DueDelivery| {
        let until = now.after(CONTENTION_DELAY + CONTENTION_DELAY.mul_f64(3.0 * ports.clock.fraction()));
        let keeps_reservation = rate.is_some_and(|rate| {
            due.delivery.admission_request(rate, now).has_reservation && rate.same_window(until, now)
        });
        let reason = if keeps_reservation { WaitReason::RateLimit } else { WaitReason::Concurrency };
        Change::wait(ports, due.index, &due.delivery, until, reason, rate)
    };
    due.iter().map(wait).collect()
}

/// Decides about a delivery whose endpoint is unknown: the function that created it may have read newer settings, which
/// all functions have after a while.
fn unknown(ports: &DeliverPorts<'_>, due: &DueDelivery) -> Change {
    let now = ports.clock.now();
    if now < due.delivery.requested_at().after(SETTINGS_SPREAD) {
        let until = now.after(SETTINGS_RETRY);
        Change::wait(ports, due.index, &due.delivery, until, WaitReason::UnknownEndpoint, None)
    } else {
        Change::stop(ports, due.index, &due.delivery, &Outcome::Gone)
    }
}
