//! Stage 2, admit: decides which of one endpoint's deliveries are sent now, and claims their attempts, with one admission.

use std::sync::Arc;
use std::time::Duration;

use reelhook_domain::{
    AdmissionRequest, EndpointId, EndpointState, Outcome, SendDecision, Slot, Timestamp, WaitReason,
};

use super::claims;
use super::notices::{note_found_key, note_lost_key, notify_disabled};
use super::ports::DeliverPorts;
use super::types::{Change, DueDelivery, EndpointBatch, EndpointSlot, Failures, failures_of};
use crate::retry::Retry;
use crate::store::StoreError;
use crate::webhooks::endpoints::Endpoint;
use crate::webhooks::endpoints::cache::ResolvedEndpoint;
use crate::webhooks::endpoints::callback::{self, callback_id};
use crate::webhooks::endpoints::recent::RecentSlot;

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

/// The deliveries to one endpoint after its admission; one that another batch attempts is in none of these.
#[derive(Default)]
pub(super) struct Decided {
    /// Those that are sent, if any.
    pub batch: Option<EndpointBatch>,
    /// The next versions of those that wait or end.
    pub changes: Vec<Change>,
    /// Those whose messages come again.
    pub failures: Failures,
}

/// The deliveries to one endpoint before its admission.
struct Wanted {
    id: EndpointId,
    due: Vec<DueDelivery>,
    state: EndpointState,
    /// This instance's last slot there.
    recent: Option<RecentSlot>,
    /// Whether the deliveries were read after every attempt was recorded that is not among the claims of `state`.
    is_current: bool,
    failures: Failures,
}

/// Admits deliveries, which were read after `loaded_at`, to one endpoint; `state` is its state if that was read ahead.
pub(super) async fn admit(
    ports: &DeliverPorts<'_>,
    id: EndpointId,
    due: Vec<DueDelivery>,
    state: Option<EndpointState>,
    loaded_at: Timestamp,
) -> Decided {
    let indexes: Vec<usize> = due.iter().map(|due| due.index).collect();
    let decided = async {
        let state = match state {
            Some(state) => state,
            None => ports.endpoints.endpoint(&id).await?,
        };
        let recent = ports.endpoint_cache.recent.take(&id, ports.clock.now());
        let is_own = recent.is_some_and(|recent| recent.revision == state.revision);
        let is_current = is_own || state.is_quiet_since(loaded_at);
        let decided =
            decide(ports, Wanted { id: id.clone(), due, state, recent, is_current, failures: Failures::new() }).await?;
        if let (None, Some(recent)) = (&decided.batch, recent) {
            // The slot was not replaced.
            ports.endpoint_cache.recent.give_back(&id, recent, ports.clock.now());
        }
        Ok::<Decided, StoreError>(decided)
    };
    match decided.await {
        Ok(decided) => decided,
        Err(error) => Decided { failures: failures_of(indexes, error), ..Decided::default() },
    }
}

async fn decide(ports: &DeliverPorts<'_>, mut wanted: Wanted) -> Result<Decided, StoreError> {
    let holder = wanted.recent.map_or_else(|| ports.clock.random() as u64, |recent| recent.holder);
    let mut last = None;
    let mut retry = Retry::new(ports.clock, ATTEMPTS);
    while retry.attempt().await {
        if !wanted.is_current {
            wanted.due = claims::read_again(ports, wanted.due).await?;
            wanted.is_current = true;
        }
        let Wanted { id, due, state, failures, .. } = &mut wanted;
        claims::drop_claimed(ports, state, due, failures).await;
        if due.is_empty() {
            return Ok(wanted.with(Vec::new()));
        }
        let endpoint = match resolve(ports, id, state, due).await? {
            ResolvedEndpoint::Endpoint(endpoint) => endpoint,
            ResolvedEndpoint::Removed => {
                return Ok(wanted.each(|due| Change::stop(ports, due.index, due.delivery, &Outcome::Gone)));
            }
            ResolvedEndpoint::Sealed => {
                note_lost_key(ports, id, ports.clock.now()).await;
                let until = ports.clock.now().after(SEALED_RETRY);
                let reason = WaitReason::UnknownEndpoint;
                return Ok(wanted.each(|due| Change::wait(ports, due.index, &due.delivery, until, reason, None)));
            }
            ResolvedEndpoint::Unknown => return Ok(wanted.each(|due| unknown(ports, due))),
        };
        let now = ports.clock.now();
        // Some of them waited because the endpoint was unknown or its secrets did not open.
        if due.iter().any(|due| due.delivery.wait_reason == Some(WaitReason::UnknownEndpoint)) {
            note_found_key(ports, id, now).await?;
        }
        let requests: Vec<AdmissionRequest> =
            due.iter().map(|due| due.delivery.admission_request(endpoint.policy.rate, now)).collect();
        let admitted = state.admit(&endpoint.policy, &requests, holder, now);
        if !claims::keep_earlier(ports, due, &admitted.decisions, failures).await {
            continue;
        }
        if let Some(next) = &admitted.next
            && let Some(stored) = ports.admission.admit(id, state, next).await?
        {
            wanted.state = stored;
            wanted.is_current = false;
            last = Some(endpoint);
            continue;
        }
        if state.disabled_at.is_some() && !state.disable_notified {
            notify_disabled(ports, &endpoint).await;
        }
        let taken = admitted.next.and_then(|next| {
            let slot = next.concurrency.slots.into_iter().find(|slot| slot.holder == holder)?;
            Some((slot, next.revision))
        });
        let batches = wanted.recent.map_or(0, |recent| recent.batches) + 1;
        let batch = |slot: Slot, revision, due: Vec<DueDelivery>, state| EndpointBatch {
            slot: EndpointSlot {
                endpoint: Arc::clone(&endpoint),
                state,
                slot,
                revision,
                batches,
                probe: admitted.probe,
                must_report: admitted.must_report,
            },
            due,
        };
        let Wanted { due, state, failures, .. } = wanted;
        let (sent, changes) = divide(ports, &endpoint, due, admitted.decisions, now);
        let sent = taken.filter(|_| !sent.is_empty()).map(|(slot, revision)| batch(slot, revision, sent, state));
        return Ok(Decided { batch: sent, changes, failures });
    }
    // The last conflict may have been with a batch that attempts some of them.
    claims::drop_claimed(ports, &wanted.state, &mut wanted.due, &mut wanted.failures).await;
    Ok(wanted.each(|due| contended(ports, last.as_deref(), &due)))
}

impl Wanted {
    /// None of the deliveries is sent; with what becomes of them.
    fn with(self, changes: Vec<Change>) -> Decided {
        Decided { batch: None, changes, failures: self.failures }
    }

    /// None of the deliveries is sent, and this becomes of each.
    fn each(mut self, change: impl Fn(DueDelivery) -> Change) -> Decided {
        let changes = std::mem::take(&mut self.due).into_iter().map(change).collect();
        self.with(changes)
    }
}

/// The endpoint of these deliveries.
async fn resolve(
    ports: &DeliverPorts<'_>,
    id: &EndpointId,
    state: &EndpointState,
    due: &[DueDelivery],
) -> Result<ResolvedEndpoint, StoreError> {
    match client_url(ports, id, due) {
        Some(endpoint) => Ok(ResolvedEndpoint::Endpoint(endpoint)),
        None => ports.resolve(id, state).await,
    }
}

/// The endpoint at a client's own URL, if these deliveries go to one.
fn client_url(ports: &DeliverPorts<'_>, id: &EndpointId, due: &[DueDelivery]) -> Option<Arc<Endpoint>> {
    let callback = due.first()?.event.callback.as_ref()?;
    if callback_id(&callback.url) != *id {
        return None;
    }
    Some(callback::endpoint(&callback.url, ports.settings))
}

/// Divides deliveries into those that are sent, with the attempts that begin, and the next versions of the others.
fn divide(
    ports: &DeliverPorts<'_>,
    endpoint: &Endpoint,
    due: Vec<DueDelivery>,
    decisions: Vec<SendDecision>,
    now: Timestamp,
) -> (Vec<DueDelivery>, Vec<Change>) {
    let rate = Some(endpoint.policy.rate);
    let mut sent = Vec::with_capacity(due.len());
    let mut others = Vec::new();
    for (due, decision) in due.into_iter().zip(decisions) {
        match decision {
            SendDecision::Send => sent.push(DueDelivery { delivery: due.delivery.begin(now), ..due }),
            SendDecision::Wait(until, wait_reason) => {
                others.push(Change::wait(ports, due.index, &due.delivery, until, wait_reason, rate));
            }
            SendDecision::Stop => others.push(Change::stop(ports, due.index, due.delivery, &Outcome::Disabled)),
        }
    }
    (sent, others)
}

/// Lets a delivery wait because other invocations changed the endpoint's state at each attempt.
fn contended(ports: &DeliverPorts<'_>, endpoint: Option<&Endpoint>, due: &DueDelivery) -> Change {
    let now = ports.clock.now();
    let rate = endpoint.map(|endpoint| endpoint.policy.rate);
    let until = now.after(CONTENTION_DELAY + CONTENTION_DELAY.mul_f64(3.0 * ports.clock.fraction()));
    let keeps_reservation = rate
        .is_some_and(|rate| due.delivery.admission_request(rate, now).has_reservation && rate.same_window(until, now));
    let reason = if keeps_reservation { WaitReason::RateLimit } else { WaitReason::Concurrency };
    Change::wait(ports, due.index, &due.delivery, until, reason, rate)
}

/// Decides about a delivery whose endpoint is unknown: the function that created it may have read newer settings, which
/// all functions have after a while.
fn unknown(ports: &DeliverPorts<'_>, due: DueDelivery) -> Change {
    let now = ports.clock.now();
    if now < due.delivery.requested_at().after(SETTINGS_SPREAD) {
        let until = now.after(SETTINGS_RETRY);
        Change::wait(ports, due.index, &due.delivery, until, WaitReason::UnknownEndpoint, None)
    } else {
        Change::stop(ports, due.index, due.delivery, &Outcome::Gone)
    }
}
