//! Recovery: counts or replays every delivery of a time range that a filter matches, however many there are.
//!
//! A recovery is a row with a cursor. A worker takes a page, changes its deliveries, and saves the cursor on condition
//! that no other worker did. A page that is processed twice, after a crash for example, finds its own marks on deliveries.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use reelhook_domain::{Delivery, DeliveryId, DeliveryStatus, EndpointId, EndpointState, Metadata, Timestamp};

use crate::clock::ClockAndRandom;
use crate::idempotency::{IdempotencyKey, check};
use crate::outbox::messages::{DeliveryMessage, Hints, hint_at_deliveries};
use crate::retry::Retry;
use crate::store::{Saved, StoreError};
use crate::webhooks::deliveries::{DAY, DeliveryQueries, ListedDelivery, MILLISECOND, time_of};
use crate::webhooks::endpoints::{Endpoint, EndpointStateStore};
use crate::webhooks::events::hint;
use crate::webhooks::recovery::{Filter, Recovery, RecoveryId, RecoveryOrigin, RecoveryStatus};

/// Deliveries of a page, after which the cursor is saved.
const PAGE: usize = 100;
/// How long a worker's claim on a recovery lasts without progress.
pub const RECOVERY_LEASE: Duration = Duration::from_secs(30);
/// Attempts to cancel within one call.
const ATTEMPTS: u32 = 10;

/// Stores recoveries.
#[async_trait]
pub trait RecoveryStore: Send + Sync {
    /// Writes a new recovery; false if its id exists.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn insert(&self, recovery: &Recovery) -> Result<bool, StoreError>;

    /// Reads one, consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn recovery(&self, id: &RecoveryId) -> Result<Option<Recovery>, StoreError>;

    /// Replaces a recovery by its next version; false if another writer changed it first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn save_recovery(&self, recovery: &Recovery) -> Result<bool, StoreError>;

    /// The newest ones; eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn newest_recoveries(&self, limit: usize) -> Result<Vec<Recovery>, StoreError>;

    /// The recoveries that are due, the longest overdue first; eventually consistent.
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

/// A request for a recovery.
#[derive(Debug, Clone)]
pub struct RecoveryRequest {
    /// Its deliveries.
    pub filter: Filter,
    /// Whether they are only counted.
    pub dry_run: bool,
    /// The caller's metadata.
    pub metadata: Metadata,
    /// The request's Idempotency-Key.
    pub key: Option<IdempotencyKey>,
}

/// The result of [`begin`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// The recovery, or the one that the same key began earlier.
    Recovery(Box<Recovery>),
    /// The Idempotency-Key was used with another body.
    KeyReused,
}

/// Begins a recovery and works on it for `budget`; the due sweep does the rest. A repeat with the same key begins no
/// second one.
///
/// # Errors
/// [`StoreError`] when it could not be written; a later error is only logged, and the due sweep retries.
pub async fn begin(
    ports: &RecoverPorts<'_>,
    requested: RecoveryRequest,
    budget: Duration,
) -> Result<Started, StoreError> {
    let RecoveryRequest { filter, dry_run, metadata, key } = requested;
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
    let from = filter.from.max(now.before(ports.deliveries.index().kept.duration() + DAY));
    let recovery = Recovery {
        id: match &key {
            Some(key) => RecoveryId::of(key.derived_recovery_id(&key.caller)),
            None => RecoveryId::of(ports.clock.random()),
        },
        cursor: format!("{:013}", from.millis()),
        filter: Filter { from, to: filter.to.max(from), ..filter },
        dry_run,
        origin: RecoveryOrigin { request_hash: key.as_ref().map(|key| key.body_hash.clone()), metadata },
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
        let missing = || StoreError::Busy { operation: "begin recovery", source: "it existed and was removed".into() };
        let first = ports.store.recovery(&recovery.id).await?.ok_or_else(missing)?;
        return Ok(repeated(first, key.as_ref()));
    }
    let later = work(ports, &recovery.id, now.after(budget), true).await.unwrap_or_else(|error| {
        tracing::warn!(%error, recovery = recovery.id.as_str(), "recovery interrupted, the due sweep will resume it");
        None
    });
    Ok(Started::Recovery(Box::new(later.unwrap_or(recovery))))
}

/// The result of a repeated key: the recovery that its first request began.
fn repeated(first: Recovery, key: Option<&IdempotencyKey>) -> Started {
    match check(key, first.origin.request_hash.as_deref()) {
        Ok(()) => Started::Recovery(Box::new(first)),
        Err(_) => Started::KeyReused,
    }
}

/// Enables an endpoint, and sends its pending deliveries now, by a recovery.
///
/// # Errors
/// [`StoreError`]; it can be repeated.
pub async fn enable(ports: &RecoverPorts<'_>, endpoint: &Endpoint, budget: Duration) -> Result<Recovery, StoreError> {
    let before = ports.endpoints.endpoint(&endpoint.id).await?;
    ports.endpoints.enable(&endpoint.id).await?;
    let now = ports.clock.now();
    let since = before.failing_since.into_iter().chain(before.disabled_at).min().unwrap_or(now);
    let filter = Filter {
        // Pending deliveries were created within their schedule before, or within the day of uncounted attempts.
        from: since.before(DAY + endpoint.policy.schedule.length()),
        to: now,
        endpoint: Some(endpoint.id.to_string()),
        event: None,
        statuses: vec![DeliveryStatus::Pending],
    };
    let requested = RecoveryRequest { filter, dry_run: false, metadata: Metadata::default(), key: None };
    match begin(ports, requested, budget).await? {
        Started::Recovery(recovery) => Ok(*recovery),
        Started::KeyReused => Err(StoreError::Busy { operation: "enable endpoint", source: "there is no key".into() }),
    }
}

/// Resumes every recovery without a worker, until `until`; how many it worked on.
///
/// # Errors
/// [`StoreError`] of the first one that failed; it stays due.
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

/// Works on a recovery until `until`, page by page: the recovery after that; none if it does not exist.
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
    let mut endpoints = EndpointChecks { states: BTreeMap::new(), met: BTreeSet::new(), probe };
    while recovery.status == RecoveryStatus::Running {
        let mut next = page(ports, &recovery, &mut endpoints).await?;
        let now = ports.clock.now();
        let stop = next.status == RecoveryStatus::Running && now >= until;
        if next.status == RecoveryStatus::Running {
            // A worker that stops makes the recovery due at once for the next one.
            next.due_at = Some(if stop { now } else { now.after(RECOVERY_LEASE) });
        }
        if !ports.store.save_recovery(&next).await? {
            // Another worker changed it, or a person cancelled it.
            return ports.store.recovery(id).await;
        }
        recovery = next;
        if stop {
            break;
        }
    }
    Ok(Some(recovery))
}

/// Ends a recovery; deliveries that it has sent stay sent. None if it does not exist.
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
    /// The states of those of this page: attempts that begin later are claimed in newer ones.
    states: BTreeMap<EndpointId, EndpointState>,
    /// All of them.
    met: BTreeSet<EndpointId>,
    /// Whether an endpoint with an open circuit is probed immediately: an operator who begins a recovery implies that it
    /// works again, the due sweep does not.
    probe: bool,
}

/// Processes the next page of deliveries: the recovery after it, not saved yet.
async fn page(
    ports: &RecoverPorts<'_>,
    recovery: &Recovery,
    checks: &mut EndpointChecks,
) -> Result<Recovery, StoreError> {
    let now = ports.clock.now();
    let mut next = recovery.next(now);
    let day = time_of(&recovery.cursor).start_of_day();
    let found = of_day_after(ports.deliveries, day, &recovery.cursor).await?;
    let behind = format!("{:013}", recovery.filter.to.after(MILLISECOND).millis());
    let ids: Vec<DeliveryId> = found.iter().take_while(|(place, _)| *place < behind).map(|(_, id)| *id).collect();
    next.examined += ids.len() as u64;
    let deliveries = ports.deliveries.load_all(&ids).await?;
    checks.states.clear();
    let mut replays = Vec::new();
    for delivery in deliveries.iter().filter(|one| recovery.filter.matches(one, &recovery.id)) {
        next.matched += 1;
        if recovery.dry_run {
            continue;
        }
        if delivery.recovery.as_deref() == Some(recovery.id.as_str()) {
            // This page was processed before.
            next.replayed += 1;
            continue;
        }
        let endpoint = state(ports, &delivery.endpoint_id, checks).await?;
        if delivery.is_in_progress(endpoint, now) {
            next.under_way += 1;
        } else if !takes(endpoint) {
            next.disabled += 1;
        } else {
            replays.push(delivery.resend(now, ports.grace).recovered_by(recovery.id.as_str()));
        }
    }
    let (sent, conflicts) = send(ports, &replays).await?;
    next.replayed += sent;
    next.under_way += conflicts;
    match found.last() {
        Some((last, _)) if found.len() >= PAGE && ids.len() == found.len() => next.cursor.clone_from(last),
        _ => next.cursor = format!("{:013}", day.after(DAY).millis()),
    }
    if next.cursor >= behind {
        next.end(RecoveryStatus::Done, now);
    }
    Ok(next)
}

/// The state of an endpoint when this page met it first.
async fn state<'a>(
    ports: &RecoverPorts<'_>,
    id: &EndpointId,
    checks: &'a mut EndpointChecks,
) -> Result<&'a EndpointState, StoreError> {
    if !checks.states.contains_key(id) {
        let state = ports.endpoints.endpoint(id).await?;
        if checks.met.insert(id.clone()) && takes(&state) && checks.probe {
            ports.endpoints.request_probe(id).await?;
        }
        checks.states.insert(id.clone(), state);
    }
    Ok(&checks.states[id])
}

/// Whether an endpoint takes webhooks.
fn takes(endpoint: &EndpointState) -> bool {
    endpoint.disabled_at.is_none() && endpoint.removed_at.is_none()
}

/// Saves deliveries and sends hints for them: how many are sent, and how many another writer changed at the same time.
async fn send(ports: &RecoverPorts<'_>, replays: &[Delivery]) -> Result<(u64, u64), StoreError> {
    if replays.is_empty() {
        return Ok((0, 0));
    }
    let (mut sent, mut conflicts) = (Vec::with_capacity(replays.len()), 0);
    for (delivery, saved) in replays.iter().zip(ports.deliveries.save_all(&replays.iter().collect::<Vec<_>>()).await) {
        match saved? {
            Saved::Done => sent.push(hint(delivery)),
            // Another worker processes the same page.
            Saved::Conflict(Some(theirs)) if theirs.recovery == delivery.recovery => sent.push(hint(delivery)),
            Saved::Conflict(_) => conflicts += 1,
        }
    }
    let count = sent.len() as u64;
    hint_at_deliveries(ports.hints, sent).await;
    Ok((count, conflicts))
}

/// The next deliveries of a day after a cursor, oldest first.
async fn of_day_after(
    deliveries: &dyn DeliveryQueries,
    day: Timestamp,
    after: &str,
) -> Result<Vec<ListedDelivery>, StoreError> {
    let day = day.day();
    let shards = (0..deliveries.index().shards).map(|shard| deliveries.of_day_after(&day, shard, after, PAGE));
    let mut found: Vec<ListedDelivery> = try_join_all(shards).await?.into_iter().flatten().collect();
    found.sort();
    // One that an older version created may be in two shards: in its own, and in that of its event.
    found.dedup();
    found.truncate(PAGE);
    Ok(found)
}
