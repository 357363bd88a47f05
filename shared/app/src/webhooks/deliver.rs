//! Sending what is due: claim, ask the endpoint's limits, sign, send, note what came of it (contract.md).
//!
//! A batch makes few calls: one to load, one for each endpoint's limits, one to claim, and one for all tries that end
//! while the one before is under way. No try waits for another endpoint's.

mod admit;
mod answer;
mod chat;
pub(crate) mod message;
mod one;
mod superseded;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_channel::mpsc;
use futures_util::future::{join, join_all};
use futures_util::stream::StreamExt;
use reelhook_domain::{
    ATTEMPT_MARGIN, Attempt, BatchOutcome, Delivery, DeliveryId, EndpointHealth, EndpointId, EndpointReport,
    EndpointState, EventId, NotSendable, Outcome, Timestamp,
};

use crate::clock::ClockAndRandom;
use crate::outbox::messages::{Delayed, DeliveryMessage, Hints, hint_at_deliveries};
use crate::store::{Saved, StoreError};
use crate::webhooks::endpoints::cache::{EndpointCache, EndpointCachePorts, ResolvedEndpoint};
use crate::webhooks::endpoints::registrations::{RegistrationStore, Vault};
use crate::webhooks::endpoints::{Endpoint, EndpointStateStore};
use crate::webhooks::events::{EventRow, EventStore};
use crate::webhooks::notify::NotifyPorts;
use crate::webhooks::operational::{self, OperationalEvent, OperationalPorts};
use crate::webhooks::settings::WebhookSettings;
use crate::webhooks::transport::WebhookTransport;

use admit::admit;
pub(crate) use chat::ChatText;
pub use message::is_reserved_header;
use one::SendResult;

/// Waits up to this long also get a hint; longer ones are found by the sweep.
const LONGEST_HINT: Duration = Duration::from_secs(900);
/// A message that comes so much too early was delayed in whole seconds by another clock: it is sent again.
const EARLY_MS: i64 = 2000;
/// Ends of tries that are saved at once.
const SAVED_AT_ONCE: usize = 25;

/// A delivery with its event, which may be gone before it; none where the delivery is missing, an error where one can't
/// be read.
pub type Loaded = Result<Option<(Delivery, Option<EventRow>)>, StoreError>;

/// Where deliveries change.
#[async_trait]
pub trait SaveDeliveries: Send + Sync {
    /// Replaces deliveries, each one version on, in as few calls as fit; one answer for each, in order.
    async fn save_all(&self, deliveries: &[Delivery]) -> Vec<Result<Saved<Delivery>, StoreError>>;
}

/// Where deliveries are kept.
#[async_trait]
pub trait DeliveryStore: SaveDeliveries + EndpointStateStore + EventStore {
    /// Reads deliveries with their events, consistently, in as few calls as fit; in order.
    ///
    /// # Errors
    /// [`StoreError`] when none could be read.
    async fn load(&self, ids: &[(DeliveryId, EventId)]) -> Result<Vec<Loaded>, StoreError>;

    /// Writes rows of tries that are not the newest any more, in as few calls as fit.
    ///
    /// # Errors
    /// [`StoreError`]; writing them again writes the same.
    async fn keep(&self, attempts: &[(DeliveryId, Attempt)]) -> Result<(), StoreError>;

    /// Saves who may be sent, if the endpoint still is as it was; else how it is now.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn admit(
        &self,
        id: &EndpointId,
        was: &EndpointState,
        next: &EndpointState,
    ) -> Result<Option<EndpointState>, StoreError>;

    /// Adds what a batch saw of an endpoint: how it stands now.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn report(&self, id: &EndpointId, report: &EndpointReport) -> Result<EndpointState, StoreError>;

    /// Notes that an endpoint's operator was warned; whether nobody else had noted that before.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn warn(&self, id: &EndpointId, percent: u8) -> Result<bool, StoreError>;

    /// Disables an endpoint that still has so many failures; whether nobody else had disabled it.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn auto_disable(
        &self,
        id: &EndpointId,
        failures: u64,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Notes that everybody who wants to know was told that an endpoint is failing since then, whether it still is; or that
    /// it recovered.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn mark_failing_notified(&self, id: &EndpointId, since: Option<Timestamp>) -> Result<bool, StoreError>;

    /// Notes that everybody who wants to know was told that an endpoint is disabled.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn mark_disabled_notified(&self, id: &EndpointId) -> Result<(), StoreError>;
}

/// What sending needs.
pub struct DeliverPorts<'a> {
    /// Deliveries and endpoints.
    pub store: &'a dyn DeliveryStore,
    /// The Deliveries queue.
    pub hints: &'a dyn Hints<DeliveryMessage>,
    /// Registered endpoints.
    pub registrations: &'a dyn RegistrationStore,
    /// Those that were met before.
    pub endpoint_cache: &'a EndpointCache,
    /// ENDPOINT_SECRETS_KEY; without one, registered endpoints get nothing.
    pub vault: Option<&'a Vault>,
    /// Brings webhooks to their receivers.
    pub transport: &'a dyn WebhookTransport,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// WEBHOOK_* settings.
    pub settings: &'a WebhookSettings,
    /// How much later than its hint a delivery is due for the sweep.
    pub grace: Duration,
}

impl DeliverPorts<'_> {
    fn operational(&self) -> OperationalPorts<'_> {
        OperationalPorts {
            notify: NotifyPorts { store: self.store, hints: self.hints, grace: self.grace },
            subscribers: self.registrations,
            settings: self.settings,
        }
    }

    async fn find(&self, id: &EndpointId, state: &EndpointState) -> Result<ResolvedEndpoint, StoreError> {
        let ports = EndpointCachePorts { store: self.registrations, vault: self.vault, settings: self.settings };
        self.endpoint_cache.find(&ports, id, state, self.clock.now()).await
    }
}

/// A delivery whose time has come.
struct DueDelivery {
    index: usize,
    delivery: Delivery,
    event: EventRow,
}

/// A delivery that may be sent now, with all that it takes.
struct Ready {
    index: usize,
    delivery: Delivery,
    event: EventRow,
    endpoint: Arc<Endpoint>,
}

/// A delivery's next version, before it is saved.
struct Change {
    index: usize,
    next: Delivery,
    /// When its endpoint may be asked again.
    hint: Option<Timestamp>,
}

/// The deliveries of a batch that go to one endpoint.
struct Group {
    endpoint: Arc<Endpoint>,
    state: EndpointState,
    holder: u64,
    probe: bool,
    /// Whether slots were taken, which have to be given back.
    admitted: bool,
    going: Vec<Ready>,
}

/// Answers to a batch's messages, in order. An error means: give this message again.
type Results = Vec<Result<(), StoreError>>;

/// Works off a batch of hints; one answer for each, in order. An error means: give this message again.
pub async fn deliver(ports: &DeliverPorts<'_>, hints: &[(DeliveryId, EventId)]) -> Results {
    let mut results: Results = hints.iter().map(|_| Ok(())).collect();
    let (ready, mut changes, early) = match ports.store.load(hints).await {
        Ok(loaded) => select_due(ports, hints, loaded, &mut results),
        Err(error) => return error.for_each(hints.len()).into_iter().map(Err).collect(),
    };
    superseded::stop(ports, ready.values().flatten()).await;
    let mut groups = Vec::with_capacity(ready.len());
    for (admitted, indexes) in join_all(ready.into_iter().map(|(id, group)| admit(ports, id, group))).await {
        match admitted {
            Ok((group, waiting)) => {
                changes.extend(waiting);
                groups.extend(group);
            }
            Err(error) => fail(&mut results, &indexes, error),
        }
    }
    claim(ports, &mut groups, &mut changes, &mut results).await;
    hint_at_deliveries(ports.hints, early).await;
    let (sender, ended) = mpsc::unbounded();
    let tries = async move {
        join_all(groups.into_iter().map(|group| send_group(ports, group, sender.clone()))).await;
        drop(sender);
    };
    let ends = async {
        let mut ended = ended.ready_chunks(SAVED_AT_ONCE);
        while let Some(chunk) = ended.next().await {
            finish(ports, chunk, &mut results).await;
        }
    };
    join(tries, ends).await;
    results
}

/// A batch: what may be sent, by endpoint; what ends or waits without being sent; messages that came too early.
type Sorted = (BTreeMap<EndpointId, Vec<DueDelivery>>, Vec<Change>, Vec<Delayed<DeliveryMessage>>);

/// Parts what may be sent from what may not.
fn select_due(
    ports: &DeliverPorts<'_>,
    hints: &[(DeliveryId, EventId)],
    loaded: Vec<Loaded>,
    results: &mut Results,
) -> Sorted {
    let mut ready: BTreeMap<EndpointId, Vec<DueDelivery>> = BTreeMap::new();
    let (mut changes, mut early) = (Vec::new(), Vec::new());
    let mut seen: Vec<DeliveryId> = Vec::with_capacity(hints.len());
    let now = ports.clock.now();
    for (index, entry) in loaded.into_iter().enumerate() {
        let (delivery, event) = match entry {
            Ok(Some(found)) => found,
            Ok(None) => {
                tracing::warn!(delivery_id = %hints[index].0, "a hint for a delivery that does not exist");
                continue;
            }
            Err(error) => {
                results[index] = Err(error);
                continue;
            }
        };
        if seen.contains(&delivery.id) {
            continue;
        }
        seen.push(delivery.id);
        match delivery.check(now) {
            Ok(()) => {}
            Err(NotSendable::NotDue(until)) if until.0 - now.0 <= EARLY_MS => {
                early.extend(hint_at(&delivery, until, now));
                continue;
            }
            Err(NotSendable::Final | NotSendable::NotDue(_) | NotSendable::Leased(_)) => continue,
        }
        let Some(event) = event else {
            changes.push(one::end(ports, index, &delivery, &Outcome::Empty));
            continue;
        };
        ready.entry(delivery.endpoint_id.clone()).or_default().push(DueDelivery { index, delivery, event });
    }
    (ready, changes, early)
}

/// Tells that an endpoint is disabled, and notes that; where that fails, whoever meets it next tries again.
async fn notify_disabled(ports: &DeliverPorts<'_>, endpoint: &Endpoint) {
    let told = async {
        let state = ports.store.endpoint(&endpoint.id).await?;
        let Some(at) = state.disabled_at.filter(|_| !state.disable_notified) else { return Ok(()) };
        let reason = state.disabled_reason.unwrap_or_default();
        operational::notify_subscribers(
            &ports.operational(),
            OperationalEvent::Disabled(endpoint, at, &reason),
            ports.clock.now(),
        )
        .await?;
        ports.store.mark_disabled_notified(&endpoint.id).await
    };
    let told: Result<(), StoreError> = told.await;
    if let Err(error) = told {
        tracing::warn!(endpoint_id = %endpoint.id, %error, "that an endpoint is disabled was not told yet");
    }
}

/// Claims what goes and saves what waits; what was not claimed is taken out of its group.
async fn claim(ports: &DeliverPorts<'_>, groups: &mut [Group], changes: &mut Vec<Change>, results: &mut Results) {
    let now = ports.clock.now();
    // The newest try so far gives way to the one that begins.
    let earlier = groups.iter().flat_map(|group| &group.going);
    let earlier: Vec<(DeliveryId, Attempt)> =
        earlier.filter_map(|ready| Some((ready.delivery.id, ready.delivery.last.clone()?))).collect();
    if !earlier.is_empty()
        && let Err(error) = ports.store.keep(&earlier).await
    {
        let mut indexes = Vec::with_capacity(earlier.len());
        for group in &mut *groups {
            let again = group.going.extract_if(.., |ready| ready.delivery.last.is_some());
            indexes.extend(again.map(|ready| ready.index));
        }
        fail(results, &indexes, error);
    }
    for group in &mut *groups {
        for ready in &mut group.going {
            let next = ready.delivery.begin(now, now.after(group.endpoint.policy.timeout + ATTEMPT_MARGIN));
            ready.delivery = next.clone();
            changes.push(Change { index: ready.index, next, hint: None });
        }
    }
    if changes.is_empty() {
        return;
    }
    let next: Vec<Delivery> = changes.iter().map(|change| change.next.clone()).collect();
    let mut later = Vec::new();
    let mut claimed = vec![false; results.len()];
    for (change, saved) in changes.iter().zip(ports.store.save_all(&next).await) {
        match saved {
            Ok(Saved::Done) => {
                claimed[change.index] = true;
                later.extend(change.hint.and_then(|until| hint_at(&change.next, until, now)));
            }
            // Somebody else is at it.
            Ok(Saved::Conflict(_)) => {}
            Err(error) => results[change.index] = Err(error),
        }
    }
    for group in groups {
        group.going.retain(|ready| claimed[ready.index]);
    }
    hint_at_deliveries(ports.hints, later).await;
}

/// What came of a try, on its way to be saved.
type Ended = mpsc::UnboundedSender<SendResult>;

/// Makes the tries of one endpoint at once, and tells the endpoint's state what came of them.
async fn send_group(ports: &DeliverPorts<'_>, group: Group, ended: Ended) {
    let Group { endpoint, state, holder, probe, admitted, going } = group;
    if !admitted {
        return;
    }
    let count = u64::try_from(going.len()).unwrap_or(1).max(1);
    // Webhooks about webhooks cause none about their receiver: nothing circles.
    let notifies = going.iter().any(|ready| !ready.delivery.event.is_operational());
    let tries = going.into_iter().map(|ready| async {
        let sent = one::send(ports, ready).await;
        let (seen, took) = (sent.seen, sent.took);
        // The other end is only gone when the whole batch is.
        let _ = ended.unbounded_send(sent);
        (seen, took)
    });
    let mut seen = BatchOutcome::default();
    let mut took = Duration::ZERO;
    for (one, duration) in join_all(tries).await {
        seen.accepted += one.accepted;
        seen.failed += one.failed;
        seen.overloaded |= one.overloaded;
        seen.pause_until = seen.pause_until.max(one.pause_until);
        took += duration;
    }
    seen.latency_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX) / count;
    let now = ports.clock.now();
    let report = state.report(&endpoint.policy, holder, &seen, probe, now);
    if let Err(error) = record_outcome(ports, &endpoint, &report, notifies, now).await {
        // Nobody loses a delivery by it, and a slot that is not given back ends by itself.
        tracing::warn!(endpoint_id = %endpoint.id, %error, "what an endpoint answered was not noted");
    }
}

/// Notes what a batch saw, and warns of or disables an endpoint that has failed for too long; `tells` says whether others
/// are told of a warning.
async fn record_outcome(
    ports: &DeliverPorts<'_>,
    endpoint: &Endpoint,
    report: &EndpointReport,
    notifies: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let state = ports.store.report(&endpoint.id, report).await?;
    let (endpoint_id, name, failures) = (&endpoint.id, &endpoint.name, state.failures);
    let health = state.assess_health(&endpoint.policy, now);
    if notifies {
        notify_health_change(ports, endpoint, &state, &health, now).await?;
    }
    match health {
        EndpointHealth::Healthy => {}
        EndpointHealth::Warn(percent) => {
            if ports.store.warn(&endpoint.id, percent).await? {
                tracing::warn!(%endpoint_id, endpoint = name, failures, percent,
                    "an endpoint fails and will be disabled unless it takes a webhook");
            }
        }
        EndpointHealth::Disable(reason) => {
            if ports.store.auto_disable(&endpoint.id, failures, &reason, now).await? {
                tracing::error!(%endpoint_id, endpoint = name, failures, reason, "an endpoint was disabled");
                notify_disabled(ports, endpoint).await;
            }
        }
    }
    Ok(())
}

/// Tells that an endpoint fails, or that it does not any more, where that was not told yet. What is told is noted after it
/// was told: who dies in between tells the same again, which does no harm.
async fn notify_health_change(
    ports: &DeliverPorts<'_>,
    endpoint: &Endpoint,
    state: &EndpointState,
    health: &EndpointHealth,
    now: Timestamp,
) -> Result<(), StoreError> {
    if state.disabled_at.is_some() {
        // That says more.
        return Ok(());
    }
    let warning = match health {
        EndpointHealth::Warn(percent) => Some(*percent),
        // The webhooks before were about webhooks, so that nobody was told of their warning.
        EndpointHealth::Healthy => (state.warned > 0 && state.outage_notified_since.is_none()).then_some(state.warned),
        EndpointHealth::Disable(_) => None,
    };
    let mut recovered = state.outage_notified_since.filter(|_| state.failures == 0);
    if let Some(percent) = warning {
        operational::notify_subscribers(&ports.operational(), OperationalEvent::Failing(endpoint, state, percent), now)
            .await?;
        let since = state.failing_since.unwrap_or(now);
        // It may have taken a webhook meanwhile, and whoever saw that had nothing to tell of yet.
        let still = ports.store.mark_failing_notified(&endpoint.id, Some(since)).await?;
        recovered = recovered.or((!still).then_some(since));
    }
    if let Some(since) = recovered {
        operational::notify_subscribers(&ports.operational(), OperationalEvent::Recovered(endpoint, since), now)
            .await?;
        ports.store.mark_failing_notified(&endpoint.id, None).await?;
    }
    Ok(())
}

/// Saves what came of tries.
async fn finish(ports: &DeliverPorts<'_>, ended: Vec<SendResult>, results: &mut Results) {
    let mut changes = Vec::with_capacity(ended.len());
    for sent in ended {
        match sent.end {
            Ok(change) => changes.push(change),
            Err(error) => results[sent.index] = Err(error),
        }
    }
    let next: Vec<Delivery> = changes.iter().map(|change| change.next.clone()).collect();
    if next.is_empty() {
        return;
    }
    let now = ports.clock.now();
    let (mut later, mut late) = (Vec::new(), Vec::new());
    for (change, saved) in changes.into_iter().zip(ports.store.save_all(&next).await) {
        match saved {
            Ok(Saved::Done) => later.extend(change.hint.and_then(|until| hint_at(&change.next, until, now))),
            Ok(Saved::Conflict(_)) => late.extend(change.next.last.map(|attempt| (change.next.id, attempt))),
            Err(error) => results[change.index] = Err(error),
        }
    }
    hint_at_deliveries(ports.hints, later).await;
    if late.is_empty() {
        return;
    }
    // Another one took over and left these tries as unknown.
    tracing::warn!(count = late.len(), "leases ran out during tries, others took over");
    if let Err(error) = ports.store.keep(&late).await {
        tracing::warn!(%error, "what came of tries that took too long was not noted");
    }
}

fn fail(results: &mut Results, indexes: &[usize], error: StoreError) {
    for (index, error) in indexes.iter().zip(error.for_each(indexes.len())) {
        results[*index] = Err(error);
    }
}

/// A hint for `until`, when that is soon enough for a queue.
fn hint_at(delivery: &Delivery, until: Timestamp, now: Timestamp) -> Option<Delayed<DeliveryMessage>> {
    let wait = until.wait_from(now);
    (wait <= LONGEST_HINT).then(|| Delayed {
        message: DeliveryMessage::Deliver { delivery_id: delivery.id, event_id: delivery.event_id.clone() },
        delay_s: u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(900),
    })
}
