//! Which of an endpoint's deliveries go now: its limits are asked once for all of a batch.

use std::sync::Arc;
use std::time::Duration;

use reelhook_domain::{AdmissionRequest, EndpointId, Outcome, SendDecision, WaitReason};

use super::{Change, DeliverPorts, DueDelivery, Group, Ready, notify_disabled, one};
use crate::retry::Retry;
use crate::store::StoreError;
use crate::webhooks::endpoints::cache::ResolvedEndpoint;
use crate::webhooks::endpoints::callback::{self, callback_id};

/// How long settings may differ between functions: each keeps them for five minutes.
const SETTINGS_SPREAD: Duration = Duration::from_secs(600);
/// How long a delivery waits for its endpoint to become known.
const SETTINGS_RETRY: Duration = Duration::from_secs(30);
/// How long a delivery waits for the key that opens its endpoint, until its event is kept no longer.
const SEALED_RETRY: Duration = Duration::from_secs(300);
/// Attempts at admission before a group waits: each conflict means that another invocation is sending to the endpoint.
const ATTEMPTS: u32 = 5;
/// How long it waits then, with as much jitter again.
const CONTENTION_DELAY: Duration = Duration::from_secs(1);

/// Those of a group that go, where there is an endpoint, and those that wait or end.
pub(super) type Sides = (Option<Group>, Vec<Change>);

/// Asks the limits of an endpoint which of its deliveries go.
pub(super) async fn admit(
    ports: &DeliverPorts<'_>,
    id: EndpointId,
    due: Vec<DueDelivery>,
) -> (Result<Sides, StoreError>, Vec<usize>) {
    let indexes = due.iter().map(|due| due.index).collect();
    (decisions(ports, &id, due).await, indexes)
}

async fn decisions(ports: &DeliverPorts<'_>, id: &EndpointId, due: Vec<DueDelivery>) -> Result<Sides, StoreError> {
    let holder = ports.clock.random() as u64;
    let mut state = ports.store.endpoint(id).await?;
    let mut last = None;
    let callback = due.first().and_then(|due| due.event.callback.as_ref());
    let own = callback.filter(|callback| callback_id(&callback.url) == *id);
    let own = own.map(|callback| callback::endpoint(&callback.url, ports.settings));
    let mut retry = Retry::new(ports.clock, ATTEMPTS);
    while retry.attempt().await {
        let known = match &own {
            Some(endpoint) => ResolvedEndpoint::Endpoint(Arc::clone(endpoint)),
            None => ports.find(id, &state).await?,
        };
        let endpoint = match known {
            ResolvedEndpoint::Endpoint(endpoint) => endpoint,
            ResolvedEndpoint::Removed => {
                let gone = |due: DueDelivery| one::end(ports, due.index, &due.delivery, &Outcome::Gone);
                return Ok((None, due.into_iter().map(gone).collect()));
            }
            ResolvedEndpoint::Sealed => {
                let until = ports.clock.now().after(SEALED_RETRY);
                let wait = |due: DueDelivery| {
                    one::defer(ports, due.index, &due.delivery, until, WaitReason::UnknownEndpoint, None)
                };
                return Ok((None, due.into_iter().map(wait).collect()));
            }
            ResolvedEndpoint::Unknown => return Ok((None, due.into_iter().map(|due| unknown(ports, &due)).collect())),
        };
        let now = ports.clock.now();
        let requests: Vec<AdmissionRequest> =
            due.iter().map(|one| one.delivery.admission_request(endpoint.policy.rate, now)).collect();
        let admitted = state.admit(&endpoint.policy, &requests, holder, now);
        if let Some(next) = &admitted.next
            && let Some(now) = ports.store.admit(id, &state, next).await?
        {
            state = now;
            last = Some(endpoint);
            continue;
        }
        if state.disabled_at.is_some() && !state.disable_notified {
            notify_disabled(ports, &endpoint).await;
        }
        let rate = Some(endpoint.policy.rate);
        let mut group = Group {
            endpoint: Arc::clone(&endpoint),
            state,
            holder,
            probe: admitted.probe,
            admitted: admitted.decisions.contains(&SendDecision::Send),
            going: Vec::with_capacity(due.len()),
        };
        let mut waiting = Vec::new();
        for (DueDelivery { index, delivery, event }, decision) in due.into_iter().zip(admitted.decisions) {
            match decision {
                SendDecision::Send => {
                    group.going.push(Ready { index, delivery, event, endpoint: Arc::clone(&endpoint) })
                }
                SendDecision::Wait(until, wait_reason) => {
                    waiting.push(one::defer(ports, index, &delivery, until, wait_reason, rate))
                }
                SendDecision::Stop => waiting.push(one::end(ports, index, &delivery, &Outcome::Disabled)),
            }
        }
        return Ok((Some(group), waiting));
    }
    // So many send to it at this moment that waiting for one's turn would only hold the batch up.
    let now = ports.clock.now();
    let rate = last.map(|endpoint| endpoint.policy.rate);
    let wait = |DueDelivery { index, delivery, .. }: DueDelivery| {
        let until = now.after(CONTENTION_DELAY + CONTENTION_DELAY.mul_f64(3.0 * ports.clock.fraction()));
        let keeps = rate
            .is_some_and(|rate| delivery.admission_request(rate, now).has_reservation && rate.same_window(until, now));
        one::defer(
            ports,
            index,
            &delivery,
            until,
            if keeps { WaitReason::RateLimit } else { WaitReason::Concurrency },
            rate,
        )
    };
    Ok((None, due.into_iter().map(wait).collect()))
}

/// A delivery whose endpoint nobody knows: whoever made it may have read newer settings, which are the same everywhere
/// after a while.
fn unknown(ports: &DeliverPorts<'_>, due: &DueDelivery) -> Change {
    let now = ports.clock.now();
    if now < due.delivery.requested_at().after(SETTINGS_SPREAD) {
        one::defer(ports, due.index, &due.delivery, now.after(SETTINGS_RETRY), WaitReason::UnknownEndpoint, None)
    } else {
        one::end(ports, due.index, &due.delivery, &Outcome::Gone)
    }
}
