//! Recovery: every delivery of a time range that a filter fits is counted, or sent once more, however many there are.
//!
//! A recovery is a row with a cursor. Whoever works on it takes a page, changes its deliveries, and saves the cursor on
//! condition that nobody else did. A page that is taken twice, after a crash say, finds its own mark on what it had done.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use reelhook_domain::{Delivery, DeliveryId, DeliveryStatus, EndpointId, OutboundEvent, Timestamp};
use serde::{Deserialize, Serialize};

use crate::clock::ClockAndRandom;
use crate::idempotency::{IdempotencyKey, check};
use crate::outbox::messages::{DeliveryMessage, Hints, hint_at_deliveries};
use crate::retry::Retry;
use crate::store::{Saved, StoreError};
use crate::webhooks::deliveries::{
    DAY_MS, DELIVERY_DAYS, DELIVERY_SHARDS, DeliveryQueries, ListedDelivery, goes_to, time_of,
};
use crate::webhooks::endpoints::{Endpoint, EndpointStateStore};
use crate::webhooks::notify::hint;

/// Deliveries that are looked at before the cursor is saved.
const PAGE: usize = 100;
/// Who works on a recovery and is not heard of for so long has died.
pub const RECOVERY_LEASE: Duration = Duration::from_secs(30);
/// Attempts to cancel, before that is left to the next call.
const ATTEMPTS: u32 = 10;

/// A recovery's id: `rec_` and 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecoveryId(String);

impl RecoveryId {
    /// The id of these bits.
    pub fn of(bits: u128) -> Self {
        Self(format!("rec_{bits:032x}"))
    }

    /// Reads an id; none where it can't be one.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("rec_")?;
        let fits =
            digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        fits.then(|| Self(text.to_owned()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which deliveries are recovered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Made at this time or later.
    pub from: Timestamp,
    /// Made at this time or before.
    pub to: Timestamp,
    /// To this endpoint, by its id or its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// That tell of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<OutboundEvent>,
    /// That stand so.
    pub statuses: Vec<DeliveryStatus>,
}

impl Filter {
    fn matches(&self, delivery: &Delivery, id: &RecoveryId) -> bool {
        let marked = delivery.recovery.as_deref() == Some(id.as_str());
        self.endpoint.as_ref().is_none_or(|name| goes_to(delivery, name))
            && self.event.is_none_or(|event| event == delivery.event)
            && (marked || self.statuses.contains(&delivery.status))
    }
}

/// How a recovery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecoveryStatus {
    /// It goes on.
    Running,
    /// It has looked at everything.
    Done,
    /// A person ended it.
    Cancelled,
}

/// A recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// Its id.
    pub id: RecoveryId,
    /// Which deliveries.
    pub filter: Filter,
    /// Whether it only counts.
    pub dry_run: bool,
    /// SHA-256 of what the request says, as hex, where that had an Idempotency-Key.
    #[serde(rename = "asked", default, skip_serializing_if = "Option::is_none")]
    pub request_hash: Option<String>,
    /// How it stands.
    pub status: RecoveryStatus,
    /// Rises by one with each change.
    pub version: u64,
    /// When a person asked for it.
    pub created_at: Timestamp,
    /// When it came forward last.
    pub updated_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// By which somebody has to go on with it; none when it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// The place that it has come to.
    pub cursor: String,
    /// Deliveries that it looked at.
    pub examined: u64,
    /// Those of them that the filter fits.
    pub matched: u64,
    /// Those of these that are sent once more.
    pub replayed: u64,
    /// Those that are not, since a try was under way.
    pub under_way: u64,
    /// Those that are not, since their endpoint is disabled.
    pub disabled: u64,
}

impl Recovery {
    /// How far it has come in its time range, in percent.
    pub fn progress(&self) -> u8 {
        let whole = (self.filter.to.0 - self.filter.from.0).max(1);
        let done = (time_of(&self.cursor) - self.filter.from.0).clamp(0, whole);
        match self.status {
            RecoveryStatus::Done => 100,
            RecoveryStatus::Running | RecoveryStatus::Cancelled => {
                u8::try_from(done * 100 / whole).unwrap_or(99).min(99)
            }
        }
    }

    fn next(&self, now: Timestamp) -> Self {
        Self { version: self.version + 1, updated_at: now, ..self.clone() }
    }

    fn end(&mut self, status: RecoveryStatus, now: Timestamp) {
        self.status = status;
        self.finished_at = Some(now);
        self.due_at = None;
    }
}

/// Where recoveries are kept.
#[async_trait]
pub trait RecoveryStore: Send + Sync {
    /// Writes a new one; whether there was none with its id.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn insert(&self, recovery: &Recovery) -> Result<bool, StoreError>;

    /// Reads one, consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn recovery(&self, id: &RecoveryId) -> Result<Option<Recovery>, StoreError>;

    /// Replaces one, one version on; whether nobody else had.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn save_recovery(&self, recovery: &Recovery) -> Result<bool, StoreError>;

    /// The newest ones; eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn newest_recoveries(&self, limit: usize) -> Result<Vec<Recovery>, StoreError>;

    /// Those that somebody has to go on with, the longest overdue first; eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn due_recoveries(&self, now: Timestamp) -> Result<Vec<RecoveryId>, StoreError>;
}

/// What recovering needs.
pub struct RecoverPorts<'a> {
    /// Recoveries.
    pub store: &'a dyn RecoveryStore,
    /// Deliveries.
    pub deliveries: &'a dyn DeliveryQueries,
    /// Endpoints.
    pub endpoints: &'a dyn EndpointStateStore,
    /// The Deliveries queue.
    pub hints: &'a dyn Hints<DeliveryMessage>,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// How much later than its hint a delivery is due for the sweep.
    pub grace: Duration,
}

/// What a person asks for.
#[derive(Debug, Clone)]
pub struct RecoveryRequest {
    /// Which deliveries.
    pub filter: Filter,
    /// Whether they are only counted.
    pub dry_run: bool,
    /// The request's Idempotency-Key.
    pub key: Option<IdempotencyKey>,
}

/// What came of a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// The recovery, or the one that the same key began before.
    Recovery(Box<Recovery>),
    /// The key was used with another body.
    KeyReused,
}

/// Begins a recovery and works on it for `budget`; what is left goes on in the background. A repeat with the same key
/// begins no other.
///
/// # Errors
/// [`StoreError`] when it could not be begun; a later fault is only logged, the background tries again.
pub async fn begin(
    ports: &RecoverPorts<'_>,
    requested: RecoveryRequest,
    budget: Duration,
) -> Result<Started, StoreError> {
    let RecoveryRequest { filter, dry_run, key } = requested;
    let now = ports.clock.now();
    if let Some(key) = &key {
        for caller in key.callers() {
            let id = RecoveryId::of(key.derived_recovery_id(&caller));
            if let Some(first) = ports.store.recovery(&id).await? {
                return Ok(repeated(first, Some(key)));
            }
        }
    }
    // Nothing older is kept.
    let from = filter.from.max(Timestamp(now.0 - (DELIVERY_DAYS + 1) * DAY_MS));
    let recovery = Recovery {
        id: match &key {
            Some(key) => RecoveryId::of(key.derived_recovery_id(&key.caller)),
            None => RecoveryId::of(ports.clock.random()),
        },
        cursor: format!("{:013}", from.0),
        filter: Filter { from, to: filter.to.max(from), ..filter },
        dry_run,
        request_hash: key.as_ref().map(|key| key.body_hash.clone()),
        status: RecoveryStatus::Running,
        version: 1,
        created_at: now,
        updated_at: now,
        finished_at: None,
        due_at: Some(now.after(RECOVERY_LEASE)),
        examined: 0,
        matched: 0,
        replayed: 0,
        under_way: 0,
        disabled: 0,
    };
    if !ports.store.insert(&recovery).await? {
        let missing = || StoreError::Busy { operation: "begin recovery", source: "it was there and is not".into() };
        let first = ports.store.recovery(&recovery.id).await?.ok_or_else(missing)?;
        return Ok(repeated(first, key.as_ref()));
    }
    let later = work(ports, &recovery.id, now.after(budget), true).await.unwrap_or_else(|error| {
        tracing::warn!(%error, recovery = recovery.id.as_str(), "a recovery goes on in the background");
        None
    });
    Ok(Started::Recovery(Box::new(later.unwrap_or(recovery))))
}

/// What a key gives that began a recovery before.
fn repeated(first: Recovery, key: Option<&IdempotencyKey>) -> Started {
    match check(key, first.request_hash.as_deref()) {
        Ok(()) => Started::Recovery(Box::new(first)),
        Err(_) => Started::KeyReused,
    }
}

/// Lets an endpoint be asked again, and sends what waits for it now: a recovery of its pending deliveries.
///
/// # Errors
/// [`StoreError`]; doing it again does no harm.
pub async fn enable(ports: &RecoverPorts<'_>, endpoint: &Endpoint, budget: Duration) -> Result<Recovery, StoreError> {
    let before = ports.endpoints.endpoint(&endpoint.id).await?;
    ports.endpoints.enable(&endpoint.id).await?;
    let now = ports.clock.now();
    let since = before.failing_since.into_iter().chain(before.disabled_at).min().unwrap_or(now);
    let filter = Filter {
        // Whatever waits was made within its schedule before, or within the day that an answer may excuse.
        from: Timestamp(since.0 - DAY_MS - i64::try_from(endpoint.policy.schedule.length().as_millis()).unwrap_or(0)),
        to: now,
        endpoint: Some(endpoint.id.to_string()),
        event: None,
        statuses: vec![DeliveryStatus::Pending],
    };
    match begin(ports, RecoveryRequest { filter, dry_run: false, key: None }, budget).await? {
        Started::Recovery(recovery) => Ok(*recovery),
        Started::KeyReused => Err(StoreError::Busy { operation: "enable endpoint", source: "there is no key".into() }),
    }
}

/// Goes on with every recovery that nobody works on, until `until`; how many it worked on.
///
/// # Errors
/// [`StoreError`] of the first that failed; it is due again.
pub async fn resume_all(ports: &RecoverPorts<'_>, until: Timestamp) -> Result<usize, StoreError> {
    let due = ports.store.due_recoveries(ports.clock.now()).await?;
    let (mut worked_on, mut failed) = (0, None);
    for id in &due {
        if ports.clock.now() >= until {
            break;
        }
        match resume(ports, id, until).await {
            Ok(_) => worked_on += 1,
            // It does not keep the others back.
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(worked_on), Err)
}

/// Works on a recovery until `until`, page by page: how it stands then, none where there is no such.
///
/// # Errors
/// [`StoreError`]; the page is done again later, which does no harm.
pub async fn resume(
    ports: &RecoverPorts<'_>,
    id: &RecoveryId,
    until: Timestamp,
) -> Result<Option<Recovery>, StoreError> {
    work(ports, id, until, false).await
}

async fn work(
    ports: &RecoverPorts<'_>,
    id: &RecoveryId,
    until: Timestamp,
    probe: bool,
) -> Result<Option<Recovery>, StoreError> {
    let Some(mut recovery) = ports.store.recovery(id).await? else { return Ok(None) };
    let mut endpoints = EndpointChecks { takes: BTreeMap::new(), probe };
    while recovery.status == RecoveryStatus::Running {
        let mut next = page(ports, &recovery, &mut endpoints).await?;
        let now = ports.clock.now();
        let stop = next.status == RecoveryStatus::Running && now >= until;
        if next.status == RecoveryStatus::Running {
            // Whoever stops here lets the next one begin.
            next.due_at = Some(if stop { now } else { now.after(RECOVERY_LEASE) });
        }
        if !ports.store.save_recovery(&next).await? {
            // Somebody else works on it, or a person ended it.
            return ports.store.recovery(id).await;
        }
        recovery = next;
        if stop {
            break;
        }
    }
    Ok(Some(recovery))
}

/// Ends a recovery; what it has sent stays sent. None where there is no such.
///
/// # Errors
/// [`StoreError`].
pub async fn cancel(ports: &RecoverPorts<'_>, id: &RecoveryId) -> Result<Option<Recovery>, StoreError> {
    let mut retry = Retry::new(ports.clock, ATTEMPTS);
    while retry.attempt().await {
        let Some(recovery) = ports.store.recovery(id).await? else { return Ok(None) };
        if recovery.status != RecoveryStatus::Running {
            return Ok(Some(recovery));
        }
        let now = ports.clock.now();
        let mut next = recovery.next(now);
        next.end(RecoveryStatus::Cancelled, now);
        if ports.store.save_recovery(&next).await? {
            return Ok(Some(next));
        }
    }
    Err(StoreError::Busy { operation: "cancel recovery", source: "it came forward each time".into() })
}

/// Endpoints that were met.
struct EndpointChecks {
    /// Whether each takes anything.
    takes: BTreeMap<EndpointId, bool>,
    /// Whether one whose circuit is open is probed at once: a person who begins a recovery says that it is mended, the
    /// background says nothing.
    probe: bool,
}

/// Looks at the next deliveries: the recovery after them, not saved yet.
async fn page(
    ports: &RecoverPorts<'_>,
    recovery: &Recovery,
    checks: &mut EndpointChecks,
) -> Result<Recovery, StoreError> {
    let now = ports.clock.now();
    let mut next = recovery.next(now);
    let day = time_of(&recovery.cursor).div_euclid(DAY_MS);
    let found = of_day_after(ports.deliveries, Timestamp(day * DAY_MS), &recovery.cursor).await?;
    let behind = format!("{:013}", recovery.filter.to.0 + 1);
    let ids: Vec<DeliveryId> = found.iter().take_while(|(place, _)| *place < behind).map(|(_, id)| *id).collect();
    next.examined += ids.len() as u64;
    let deliveries = ports.deliveries.load_all(&ids).await?;
    let mut again = Vec::new();
    for delivery in deliveries.iter().filter(|one| recovery.filter.matches(one, &recovery.id)) {
        next.matched += 1;
        if recovery.dry_run {
            continue;
        }
        if delivery.recovery.as_deref() == Some(recovery.id.as_str()) {
            // From a time when this page was done before.
            next.replayed += 1;
        } else if delivery.lease_until.is_some_and(|lease| lease > now) {
            next.under_way += 1;
        } else if !takes(ports, &delivery.endpoint_id, checks).await? {
            next.disabled += 1;
        } else {
            again.push(delivery.resend(now, ports.grace).recovered_by(recovery.id.as_str()));
        }
    }
    let (sent, conflicts) = send(ports, &again).await?;
    next.replayed += sent;
    next.under_way += conflicts;
    match found.last() {
        Some((last, _)) if found.len() >= PAGE && ids.len() == found.len() => next.cursor.clone_from(last),
        _ => next.cursor = format!("{:013}", (day + 1) * DAY_MS),
    }
    if next.cursor >= behind {
        next.end(RecoveryStatus::Done, now);
    }
    Ok(next)
}

/// Whether an endpoint takes anything.
async fn takes(ports: &RecoverPorts<'_>, id: &EndpointId, checks: &mut EndpointChecks) -> Result<bool, StoreError> {
    if let Some(known) = checks.takes.get(id) {
        return Ok(*known);
    }
    let state = ports.endpoints.endpoint(id).await?;
    let takes = state.disabled_at.is_none() && state.removed_at.is_none();
    if takes && checks.probe {
        ports.endpoints.request_probe(id).await?;
    }
    checks.takes.insert(id.clone(), takes);
    Ok(takes)
}

/// Saves and hints; how many are sent, and how many somebody else changed at the same moment.
async fn send(ports: &RecoverPorts<'_>, again: &[Delivery]) -> Result<(u64, u64), StoreError> {
    if again.is_empty() {
        return Ok((0, 0));
    }
    let (mut sent, mut conflicts) = (Vec::with_capacity(again.len()), 0);
    for (delivery, saved) in again.iter().zip(ports.deliveries.save_all(again).await) {
        match saved? {
            Saved::Done => sent.push(hint(delivery)),
            // Another one works on the same page.
            Saved::Conflict(Some(theirs)) if theirs.recovery == delivery.recovery => sent.push(hint(delivery)),
            Saved::Conflict(_) => conflicts += 1,
        }
    }
    let count = sent.len() as u64;
    hint_at_deliveries(ports.hints, sent).await;
    Ok((count, conflicts))
}

/// The next deliveries of a day after a place, oldest first.
async fn of_day_after(
    deliveries: &dyn DeliveryQueries,
    day: Timestamp,
    after: &str,
) -> Result<Vec<ListedDelivery>, StoreError> {
    let day = day.day();
    let shards = (0..DELIVERY_SHARDS).map(|shard| deliveries.of_day_after(&day, shard, after, PAGE));
    let mut found: Vec<ListedDelivery> = try_join_all(shards).await?.into_iter().flatten().collect();
    found.sort();
    found.truncate(PAGE);
    Ok(found)
}

/// Statuses without repeats, in order.
pub fn statuses(all: impl IntoIterator<Item = DeliveryStatus>) -> Vec<DeliveryStatus> {
    let mut unique = Vec::new();
    for status in all {
        if !unique.contains(&status) {
            unique.push(status);
        }
    }
    unique
}
