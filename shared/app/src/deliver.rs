//! Sending what is due: claim, reserve a place in the limit, sign, send, write down what came of it (contract.md).

mod chat;
pub(crate) mod message;
mod one;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use reelhook_domain::{Attempt, Delivery, DeliveryId, EndpointId, EventId, NotNow, Outcome, RateWindow, Timestamp};
use reelhook_signing::SigningKeys;

use crate::ambient::Ambient;
use crate::endpoints::{Endpoint, WebhookSettings};
use crate::fanout::EventRow;
use crate::messages::{Delayed, DeliveryMessage, Hints};
use crate::outbound::HttpSender;
use crate::store::{Saved, StoreError};

pub(crate) use chat::ChatText;

/// Waits up to this long also get a hint; longer ones are found by the sweep.
const LONGEST_HINT: Duration = Duration::from_secs(900);
/// How long settings may differ between functions: each keeps them for five minutes.
const SETTINGS_SPREAD: Duration = Duration::from_secs(600);
/// How long a delivery waits for its endpoint to become known.
const SETTINGS_RETRY: Duration = Duration::from_secs(30);
/// Conflicts in a row before reserving places is left to the next try.
const TRIES: usize = 20;

/// What is kept of an endpoint beside its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EndpointState {
    /// When a 410 disabled it.
    pub disabled_at: Option<Timestamp>,
    /// Its places in the rate limit.
    pub window: RateWindow,
    /// It asked for nothing before then.
    pub paused_until: Option<Timestamp>,
    /// Failed tries since the last one that it took.
    pub failures: u64,
}

/// What a batch learned about an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Learned {
    /// Tries that failed.
    pub failed: u64,
    /// Whether it took one.
    pub took: bool,
    /// It asks for nothing before then.
    pub pause_until: Option<Timestamp>,
}

/// A delivery with its event, which may be gone before it; none where the delivery is missing, an error where one can't
/// be read.
pub type Loaded = Result<Option<(Delivery, Option<EventRow>)>, StoreError>;

/// Where deliveries are kept.
#[async_trait]
pub trait DeliveryStore: Send + Sync {
    /// Reads deliveries with their events, consistently, in as few calls as fit; in order.
    ///
    /// # Errors
    /// [`StoreError`] when none could be read.
    async fn load(&self, ids: &[(DeliveryId, EventId)]) -> Result<Vec<Loaded>, StoreError>;

    /// Replaces a delivery, one version on, and writes its attempt's row, both or none.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn begin(&self, delivery: &Delivery, attempt: &Attempt) -> Result<Saved<Delivery>, StoreError>;

    /// Completes an attempt's row.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn complete(&self, attempt: &Attempt) -> Result<(), StoreError>;

    /// Replaces a delivery, one version on.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn save(&self, delivery: &Delivery) -> Result<Saved<Delivery>, StoreError>;

    /// What is kept of an endpoint.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn endpoint(&self, id: &EndpointId) -> Result<EndpointState, StoreError>;

    /// Replaces an endpoint's window if it is still `old`; whether it was.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn reserve(&self, id: &EndpointId, old: RateWindow, new: RateWindow) -> Result<bool, StoreError>;

    /// Adds to what is kept of an endpoint: one that took a delivery has no failures any more.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn learn(&self, id: &EndpointId, learned: Learned) -> Result<(), StoreError>;

    /// Disables an endpoint, with the reason that people see.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn disable(&self, id: &EndpointId, reason: &str, now: Timestamp) -> Result<(), StoreError>;
}

/// What sending needs.
pub struct DeliverPorts<'a> {
    /// Deliveries and endpoints.
    pub store: &'a dyn DeliveryStore,
    /// The Deliveries queue.
    pub hints: &'a dyn Hints<DeliveryMessage>,
    /// The guarded client.
    pub http: &'a dyn HttpSender,
    /// Clock and randomness.
    pub ambient: &'a dyn Ambient,
    /// WEBHOOK_* settings.
    pub settings: &'a WebhookSettings,
    /// WEBHOOK_SECRET_KEY; without one, nothing is signed.
    pub secret: Option<&'a SigningKeys>,
    /// How much later than its hint a delivery is due for the sweep.
    pub grace: Duration,
}

/// A delivery that may be sent now, with all that it takes.
struct Ready<'a> {
    index: usize,
    delivery: Delivery,
    event: EventRow,
    endpoint: &'a Endpoint,
}

/// Works off a batch of hints; one answer for each, in order. An error means: give this message again.
pub async fn deliver(ports: &DeliverPorts<'_>, hints: &[(DeliveryId, EventId)]) -> Vec<Result<(), StoreError>> {
    let loaded = match ports.store.load(hints).await {
        Ok(loaded) => loaded,
        Err(error) => return error.for_each(hints.len()).into_iter().map(Err).collect(),
    };
    let mut results: Vec<Result<(), StoreError>> = hints.iter().map(|_| Ok(())).collect();
    let mut by_endpoint: BTreeMap<EndpointId, Vec<Ready<'_>>> = BTreeMap::new();
    let mut seen: Vec<DeliveryId> = Vec::with_capacity(hints.len());
    let mut later = Vec::new();
    let now = ports.ambient.now();
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
            Err(NotNow::Final | NotNow::Early(_) | NotNow::Leased(_)) => continue,
        }
        let Some(event) = event else {
            results[index] = one::end(ports, &delivery, &Outcome::Empty).await;
            continue;
        };
        match ports.settings.endpoint(&delivery.endpoint_id) {
            Some(endpoint) => {
                let key = delivery.endpoint_id.clone();
                by_endpoint.entry(key).or_default().push(Ready { index, delivery, event, endpoint });
            }
            // Whoever made the delivery may have read newer settings: they are the same everywhere after a while.
            None if now < delivery.wanted_since().after(SETTINGS_SPREAD) => {
                let until = now.after(SETTINGS_RETRY);
                match one::postpone(ports, &delivery, until).await {
                    Ok(hint) => later.extend(hint),
                    Err(error) => results[index] = Err(error),
                }
            }
            None => results[index] = one::end(ports, &delivery, &Outcome::Gone).await,
        }
    }
    let groups = by_endpoint.into_values().map(|group| deliver_to_endpoint(ports, group));
    for (index, result) in join_all(groups).await.into_iter().flatten() {
        match result {
            Ok(Some(hint)) => later.push(hint),
            Ok(None) => {}
            Err(error) => results[index] = Err(error),
        }
    }
    // The sweep finds them by `due_at` all the same: a hint that can't be sent is only logged.
    for error in ports_send(ports, later).await {
        tracing::warn!(error = %error, "a delayed hint was not sent, the sweep will act");
    }
    results
}

async fn ports_send(ports: &DeliverPorts<'_>, later: Vec<Delayed<DeliveryMessage>>) -> Vec<StoreError> {
    if later.is_empty() {
        return Vec::new();
    }
    ports.hints.send(later).await.into_iter().filter_map(Result::err).collect()
}

/// One answer per delivery: its place in the batch, and a hint to send, if any.
type Answer = (usize, Result<Option<Delayed<DeliveryMessage>>, StoreError>);

async fn deliver_to_endpoint(ports: &DeliverPorts<'_>, group: Vec<Ready<'_>>) -> Vec<Answer> {
    let id = group[0].delivery.endpoint_id.clone();
    let now = ports.ambient.now();
    // A place whose window has passed, say over an outage, is taken anew.
    let holds_place =
        |delivery: &Delivery| delivery.reserved && ports.settings.rate.still_holds(delivery.next_attempt_at, now);
    let waiting = group.iter().filter(|ready| !holds_place(&ready.delivery)).count();
    let (state, places) = match places(ports, &id, waiting, now).await {
        Ok(found) => found,
        Err(error) => {
            let errors = error.for_each(group.len());
            return group.iter().zip(errors).map(|(ready, error)| (ready.index, Err(error))).collect();
        }
    };
    let mut places = places.into_iter();
    // Reserving took its time: a place at once is one that has come by now.
    let now = ports.ambient.now();
    let learned = Mutex::new(Learned::default());
    let learned = &learned;
    let answers = join_all(group.into_iter().map(|ready| {
        let place = if holds_place(&ready.delivery) { now } else { places.next().unwrap_or(now) };
        async move {
            let index = ready.index;
            let result = if state.disabled_at.is_some() {
                one::end(ports, &ready.delivery, &Outcome::Disabled).await.map(|()| None)
            } else if let Some(until) = state.paused_until.filter(|until| *until > now) {
                one::pause(ports, &ready.delivery, until).await
            } else if place > now {
                one::defer(ports, &ready.delivery, place).await
            } else {
                one::send(ports, ready, learned).await
            };
            (index, result)
        }
    }))
    .await;
    let learned = *learned.lock().expect("nobody panics with it");
    let news = learned.failed > 0 || learned.pause_until.is_some() || (learned.took && state.failures > 0);
    if news && let Err(error) = ports.store.learn(&id, learned).await {
        // Nobody loses a delivery by it.
        tracing::warn!(endpoint_id = %id, %error, "what an endpoint answered was not counted");
    }
    answers
}

/// How the endpoint stands and, where it takes anything now, a place in its limit for each of `count` deliveries.
async fn places(
    ports: &DeliverPorts<'_>,
    id: &EndpointId,
    count: usize,
    now: Timestamp,
) -> Result<(EndpointState, Vec<Timestamp>), StoreError> {
    for _ in 0..TRIES {
        let state = ports.store.endpoint(id).await?;
        if count == 0 || state.disabled_at.is_some() || state.paused_until.is_some_and(|until| until > now) {
            return Ok((state, Vec::new()));
        }
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let (window, places) = state.window.reserve(count, ports.ambient.now(), ports.settings.rate);
        if ports.store.reserve(id, state.window, window).await? {
            return Ok((state, places));
        }
    }
    Err(StoreError::Busy { operation: "reserve places", source: "others reserved first each time".into() })
}

/// A hint for `until`, when that is soon enough for a queue.
fn hint_at(delivery: &Delivery, until: Timestamp, now: Timestamp) -> Option<Delayed<DeliveryMessage>> {
    let wait = until.wait_from(now);
    (wait <= LONGEST_HINT).then(|| Delayed {
        message: DeliveryMessage::Deliver { delivery_id: delivery.id, event_id: delivery.event_id.clone() },
        delay_s: u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(900),
    })
}
