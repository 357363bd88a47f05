//! Deliveries for operators: lists by subject, endpoint, status and time, details with attempts, and replays.

use std::borrow::Cow;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use reelhook_domain::{
    Attempt, AttemptResult, Delivery, DeliveryId, DeliveryStatus, EndpointState, Subject, Timestamp,
};

use crate::clock::ClockAndRandom;
use crate::digest::sha256_hex;
use crate::outbox::messages::{DeliveryMessage, Hints, hint_at_deliveries};
use crate::outbox::sweep::hash;
use crate::retention::Days;
use crate::retry::Retry;
use crate::store::{Saved, StoreError};
use crate::webhooks::deliver::SaveDeliveries;
use crate::webhooks::endpoints::EndpointStateStore;
use crate::webhooks::events::{EventRow, hint};

/// The number of partitions of a day's deliveries, unless a store has more.
pub const DELIVERY_SHARDS: u32 = 4;
/// Deliveries that are read in one call.
const PAGE: usize = 100;
/// The most reads of one list.
const READS: usize = 20;
/// Attempts at a replay within one call.
const ATTEMPTS: u32 = 10;
/// A repeated replay within this time gets the first one's answer.
const REPEAT: Duration = Duration::from_secs(10);
/// A day.
pub(crate) const DAY: Duration = Duration::from_secs(86_400);
/// The resolution of cursors.
pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);

/// The partition of a delivery among those of its day, which has so many.
pub fn delivery_shard(id: DeliveryId, shards: u32) -> u32 {
    hash(&id.to_string()) % shards
}

/// The cursor of a delivery: lists sort by time, then by id.
pub fn delivery_cursor(delivery: &Delivery) -> String {
    format!("{:013}.{}", delivery.created_at.millis(), delivery.id)
}

/// A delivery's cursor and id.
pub type ListedDelivery = (String, DeliveryId);

/// A delivery with its event and its attempts.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryDetails {
    /// The delivery.
    pub delivery: Delivery,
    /// Its event.
    pub event: Option<EventRow>,
    /// Its attempts in order; only the newest ones of very many.
    pub attempts: Vec<Attempt>,
}

/// Where deliveries are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryIndex {
    /// The number of partitions of a day's deliveries that may have some.
    pub shards: u32,
    /// How long deliveries are kept. DynamoDB removes them late, and no list has them then.
    pub kept: Days,
}

/// Reads deliveries.
#[async_trait]
pub trait DeliveryQueries: SaveDeliveries {
    /// Where they are listed.
    fn index(&self) -> DeliveryIndex {
        DeliveryIndex { shards: DELIVERY_SHARDS, kept: Days::default() }
    }

    /// Deliveries about a subject before a cursor, newest first; eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn of_subject(
        &self,
        subject: &Subject,
        before: &str,
        limit: usize,
    ) -> Result<Vec<ListedDelivery>, StoreError>;

    /// Deliveries of a shard of a day before a cursor, newest first; eventually consistent. Another shard may have some of
    /// them, too.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn of_day(
        &self,
        day: &str,
        shard: u32,
        before: &str,
        limit: usize,
    ) -> Result<Vec<ListedDelivery>, StoreError>;

    /// Deliveries of a shard of a day after a cursor, oldest first; eventually consistent. Another shard may have some of
    /// them, too.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn of_day_after(
        &self,
        day: &str,
        shard: u32,
        after: &str,
        limit: usize,
    ) -> Result<Vec<ListedDelivery>, StoreError>;

    /// A delivery with its event and its attempts.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn details(&self, id: DeliveryId) -> Result<Option<DeliveryDetails>, StoreError>;
}

/// A delivery with its event and its attempts; one that is in progress, or whose end is unknown, is among them.
///
/// # Errors
/// [`StoreError`].
pub async fn details(
    deliveries: &dyn DeliveryQueries,
    endpoints: &dyn EndpointStateStore,
    id: DeliveryId,
) -> Result<Option<DeliveryDetails>, StoreError> {
    let Some(mut details) = deliveries.details(id).await? else { return Ok(None) };
    if details.delivery.status == DeliveryStatus::Pending {
        let state = endpoints.endpoint(&details.delivery.endpoint_id).await?;
        details.add_claimed(&state);
    }
    Ok(Some(details))
}

impl DeliveryDetails {
    /// Adds the attempts that are claimed in the slots of the endpoint and not recorded.
    pub fn add_claimed(&mut self, state: &EndpointState) {
        // Whether they are still in progress makes no difference here: none has a result.
        while let Some(claimed) = state.claimed(&self.delivery, Timestamp::EPOCH) {
            self.delivery = self.delivery.clone().with_claimed(&claimed);
            self.delivery.wait_reason = None;
            // The next batch may have given it a row already.
            self.attempts = self.delivery.all_attempts(std::mem::take(&mut self.attempts));
        }
    }
}

/// SHA-256 of a response's body as far as it was read, in hexadecimal; none if no response came.
pub fn response_hash(result: &AttemptResult) -> Option<Cow<'_, str>> {
    match &result.response_hash {
        Some(hash) => Some(hash.into()),
        None => (result.status != 0).then(|| sha256_hex(&result.response).into()),
    }
}

/// Selects deliveries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliveryFilter {
    /// About this job, endpoint or trigger.
    pub subject: Option<Subject>,
    /// To this endpoint, by its id or its name.
    pub endpoint: Option<String>,
    /// With this status.
    pub status: Option<DeliveryStatus>,
    /// Created at this time or later.
    pub from: Option<Timestamp>,
    /// Created at this time or before.
    pub to: Option<Timestamp>,
    /// Before this cursor, with which an earlier page ended.
    pub before: Option<String>,
    /// The most deliveries of the page.
    pub limit: usize,
}

impl DeliveryFilter {
    fn matches(&self, delivery: &Delivery) -> bool {
        self.subject.as_ref().is_none_or(|subject| *subject == delivery.subject)
            && self.endpoint.as_ref().is_none_or(|name| goes_to(delivery, name))
            && self.status.is_none_or(|status| status == delivery.status)
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliveryPage {
    /// Newest first.
    pub deliveries: Vec<Delivery>,
    /// The cursor of the next page, with older deliveries.
    pub next: Option<String>,
    /// Whether the page ended because of the limit on reads, and not because it was full.
    pub partial: bool,
}

/// Lists deliveries, newest first; without a subject, those of the last 24 hours unless `from` is given. It examines no
/// more than 2,000 deliveries, however many there are.
///
/// # Errors
/// [`StoreError`].
pub async fn list(
    deliveries: &dyn DeliveryQueries,
    wanted: &DeliveryFilter,
    now: Timestamp,
) -> Result<DeliveryPage, StoreError> {
    let to = wanted.to.unwrap_or(now).min(now.after(DAY));
    let usual = if wanted.subject.is_some() { Timestamp::EPOCH } else { to.before(DAY) };
    let from = wanted.from.unwrap_or(usual).max(now.before(deliveries.index().kept.duration()));
    let (first, behind) = (format!("{:013}", from.millis()), format!("{:013}", to.after(MILLISECOND).millis()));
    let mut before = wanted.before.clone().filter(|before| *before < behind).unwrap_or(behind);
    let mut part = DeliveryPage::default();
    // That of the list: a delivery that a repeat has created may be younger than its event.
    let mut last_cursor = None;
    for _ in 0..READS {
        if before <= first {
            return Ok(part);
        }
        // A cursor with an id lies within its millisecond, a cursor without one before it.
        let newest = if before.len() == first.len() { time_of(&before).before(MILLISECOND) } else { time_of(&before) };
        let day = newest.start_of_day();
        let found = match &wanted.subject {
            Some(subject) => deliveries.of_subject(subject, &before, PAGE).await?,
            None => of_day(deliveries, day, &before).await?,
        };
        let full = found.len() >= PAGE;
        let ids: Vec<DeliveryId> = found.iter().take_while(|(cursor, _)| *cursor >= first).map(|(_, id)| *id).collect();
        for delivery in deliveries.load_all(&ids).await? {
            if wanted.matches(&delivery) {
                if part.deliveries.len() >= wanted.limit {
                    part.next = last_cursor;
                    return Ok(part);
                }
                last_cursor = found.iter().find(|(_, id)| *id == delivery.id).map(|(cursor, _)| cursor.clone());
                part.deliveries.push(delivery);
            }
        }
        match (found.last(), &wanted.subject) {
            (Some((last, _)), _) if full => before.clone_from(last),
            (_, Some(_)) => return Ok(part),
            (_, None) => before = format!("{:013}", day.millis()),
        }
    }
    Ok(DeliveryPage { next: Some(before), partial: true, ..part })
}

async fn of_day(
    deliveries: &dyn DeliveryQueries,
    day: Timestamp,
    before: &str,
) -> Result<Vec<ListedDelivery>, StoreError> {
    let day = day.day();
    let shards = (0..deliveries.index().shards).map(|shard| deliveries.of_day(&day, shard, before, PAGE));
    let mut found: Vec<ListedDelivery> = try_join_all(shards).await?.into_iter().flatten().collect();
    found.sort_by(|one, other| other.cmp(one));
    // One that an older version created may be in two shards: in its own, and in that of its event.
    found.dedup();
    found.truncate(PAGE);
    Ok(found)
}

/// Whether a delivery goes to the endpoint with this id or name.
pub(crate) fn goes_to(delivery: &Delivery, endpoint: &str) -> bool {
    endpoint == delivery.endpoint_name || endpoint == delivery.endpoint_id.as_str()
}

/// The time of a cursor; the epoch if it has none.
pub(crate) fn time_of(cursor: &str) -> Timestamp {
    cursor.get(..13).and_then(|ms| ms.parse().ok()).map_or(Timestamp::EPOCH, Timestamp)
}

/// What [`replay`] needs.
pub struct ReplayPorts<'a> {
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

/// The result of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// It is sent again, or sooner.
    Due(Box<Delivery>),
    /// An attempt is in progress.
    InProgress(Box<Delivery>),
    /// Its endpoint is disabled.
    Disabled,
    /// Its endpoint's registration was removed.
    Removed,
    /// There is no such delivery.
    NotFound,
}

/// Sends a delivery again, or sooner, with the same id; a repeat within 10 s changes nothing.
///
/// # Errors
/// [`StoreError`].
pub async fn replay(ports: &ReplayPorts<'_>, id: DeliveryId) -> Result<Replayed, StoreError> {
    let mut retry = Retry::new(ports.clock, ATTEMPTS);
    while retry.attempt().await {
        // Without its event there is nothing to send.
        let Some(DeliveryDetails { delivery, event: Some(_), .. }) = ports.deliveries.details(id).await? else {
            return Ok(Replayed::NotFound);
        };
        let now = ports.clock.now();
        if delivery.replayed_at.is_some_and(|at| now.since(at) < REPEAT) {
            return Ok(Replayed::Due(Box::new(delivery)));
        }
        let endpoint = ports.endpoints.endpoint(&delivery.endpoint_id).await?;
        if delivery.is_in_progress(&endpoint, now) {
            return Ok(Replayed::InProgress(Box::new(delivery)));
        }
        if endpoint.removed_at.is_some() {
            return Ok(Replayed::Removed);
        }
        if endpoint.disabled_at.is_some() {
            return Ok(Replayed::Disabled);
        }
        let next = delivery.resend(now, ports.grace);
        let missing = || StoreError::Busy { operation: "replay delivery", source: "no answer".into() };
        let saved = ports.deliveries.save_all(&[&next]).await.pop().ok_or_else(missing)??;
        if saved == Saved::Done {
            ports.endpoints.request_probe(&next.endpoint_id).await?;
            hint_at_deliveries(ports.hints, vec![hint(&next)]).await;
            return Ok(Replayed::Due(Box::new(next)));
        }
    }
    Err(StoreError::Busy { operation: "replay delivery", source: "the delivery changed each time".into() })
}
