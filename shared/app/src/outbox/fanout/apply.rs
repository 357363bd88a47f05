//! Applies plans: writes rows first, then sends messages, and stops before the first plan that fails.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;
use futures_util::future::{try_join, try_join_all};
use reelhook_domain::{Delivery, DeliveryId, EventId, SlotRow, TraceParent, rows_of};

use super::ports::FanoutPorts;
use super::steps::{Plan, Purge};
use crate::clock::ClockAndRandom;
use crate::jobs::admission::AdmissionStore;
use crate::outbox::messages::{Delayed, LiveMessage, Push, WorkMessage};
use crate::retry::Retry;
use crate::store::{Saved, StoreError};
use crate::webhooks::events::{ABANDONED, DueBy, EventRow, WRITES_AT_ONCE, hints};

/// Attempts to free slots before the batch is retried.
const ATTEMPTS: u32 = 20;

/// The first plan that could not be applied; those before it are done.
#[derive(Debug, thiserror::Error)]
#[error("effects of record {index} could not be applied")]
pub struct FanoutError {
    /// The plan's index.
    pub index: usize,
    /// Why it could not be applied.
    #[source]
    pub source: StoreError,
}

/// Applies plans, rows before messages, and stops before the first that fails.
///
/// # Errors
/// [`FanoutError`]: that plan and all after it have to be applied again, which is idempotent.
pub async fn apply_plans(ports: &FanoutPorts<'_>, plans: &[Plan]) -> Result<(), FanoutError> {
    let mut progress = Progress { until: plans.len(), failure: None };
    let logs = owned(&plans[..progress.until], |plan| plan.logs.clone());
    if !logs.1.is_empty() {
        progress.note(&logs.0, ports.store.put_logs(&logs.1).await);
    }
    // Viewers wait for nothing but the rows that they read. If a later stage fails, they are hinted at again.
    let pushed = push(ports, &plans[..progress.until]).await;

    let events = each(&plans[..progress.until], |plan| &plan.events);
    let writes = events.map(|(index, event)| async move {
        let deliveries = plans[index].deliveries_of(event);
        (index, put_event(ports, event, &deliveries).await)
    });
    let written: Vec<_> = futures_util::stream::iter(writes).buffered(WRITES_AT_ONCE).collect().await;
    let events = each(&plans[..progress.until], |plan| &plan.events).zip(&written);
    let due_by = events.filter_map(|((_, event), (_, written))| Some((&event.id, *written.as_ref().ok()?)));
    let due_by: BTreeMap<&EventId, DueBy> = due_by.collect();
    progress.note_each(written.into_iter().map(|(index, written)| (index, written.map(drop))).collect());

    let deliveries = each(&plans[..progress.until], |plan| &plan.deliveries);
    let writes = deliveries.map(|(index, delivery)| {
        let due_by = due_by.get(&delivery.event_id).copied().unwrap_or(DueBy::Itself);
        async move { (index, ports.store.put_delivery(delivery, due_by).await) }
    });
    progress.note_each(futures_util::stream::iter(writes).buffered(WRITES_AT_ONCE).collect().await);
    log_events(&plans[..progress.until]);

    let counts = owned(&plans[..progress.until], |plan| plan.counts.clone());
    if !counts.1.is_empty() {
        progress.note(&counts.0, ports.store.count(&counts.1).await);
    }

    let mut jobs_wait = false;
    if let Some((first, slots)) = freed(&plans[..progress.until], |plan| &plan.slots) {
        let freed = free_slots(ports.store, ports.clock, &slots).await;
        jobs_wait = freed.as_ref().is_ok_and(|jobs_wait| *jobs_wait);
        progress.note(&[first], vec![freed.map(drop)]);
    }
    if let Some((first, slots)) = freed(&plans[..progress.until], |plan| &plan.scene_slots) {
        progress.note(&[first], vec![free_slots(ports.scene_slots, ports.clock, &slots).await.map(drop)]);
    }

    for (index, plan) in plans[..progress.until].iter().enumerate() {
        if !plan.lookups.is_empty() {
            progress.note(&[index], vec![ports.lookups.remember(&plan.lookups).await]);
        }
    }

    for (index, named) in each(&plans[..progress.until], |plan| &plan.submissions) {
        progress.note(&[index], vec![ports.submissions.remember(&named.id, &named.job, named.number).await]);
    }

    // One after the other: each settlement changes the balance of an account.
    for (index, settlement) in each(&plans[..progress.until], |plan| &plan.credits) {
        progress.note(&[index], vec![ports.ledger.settle(settlement).await]);
    }

    // One after the other: a resolution must not overtake what raised the error.
    for (index, step) in each(&plans[..progress.until], |plan| &plan.errors) {
        if index >= progress.until {
            break;
        }
        progress.note(&[index], vec![ports.errors.apply(step).await]);
    }

    for (index, plan) in plans[..progress.until].iter().enumerate() {
        if !plan.removed.is_empty() {
            progress.note(&[index], vec![ports.files.remove(&plan.removed).await]);
        }
        if let Some(purged) = &plan.purge {
            progress.note(&[index], vec![purge(ports, purged).await]);
        }
    }

    let work = owned(&plans[..progress.until], |plan| work_hints(plan, jobs_wait));
    if !work.1.is_empty() {
        progress.note(&work.0, ports.work.send(work.1).await);
    }
    let pieces = owned(&plans[..progress.until], |plan| plan.pieces.clone());
    if !pieces.1.is_empty() {
        progress.note(&pieces.0, ports.pieces.send(pieces.1).await);
    }
    let hints = owned(&plans[..progress.until], |plan| hints(&plan.deliveries));
    if !hints.1.is_empty() {
        progress.note(&hints.0, ports.deliveries.send(hints.1).await);
    }
    progress.note(&pushed.0, pushed.1);
    progress.end()
}

/// Sends what viewers wait for; the index of a plan and the result of each message.
async fn push(ports: &FanoutPorts<'_>, plans: &[Plan]) -> (Vec<usize>, Vec<Result<(), StoreError>>) {
    let (owners, pushes) = newest_pushes(plans);
    if pushes.is_empty() || !is_watched(ports).await {
        return (Vec::new(), Vec::new());
    }
    (owners, ports.live.send(pushes).await)
}

/// Writes an event with the names of its deliveries, and makes these due; how the due sweep finds them.
async fn put_event(ports: &FanoutPorts<'_>, event: &EventRow, deliveries: &[DeliveryId]) -> Result<DueBy, StoreError> {
    if event.at.after(ABANDONED / 2) < ports.clock.now() {
        return ports.store.put_event(event, deliveries).await.map(|()| DueBy::Itself);
    }
    let (event_put, due_put) = (ports.store.put_event(event, deliveries), ports.store.put_due(event, deliveries));
    try_join(event_put, due_put).await.map(|((), due_by)| due_by)
}

/// Whether there are viewers; assumed if it can't be known.
async fn is_watched(ports: &FanoutPorts<'_>) -> bool {
    ports.viewers.any(ports.clock.now()).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "failed to read whether there are viewers, live hints are sent");
        true
    })
}

/// One message for each subject with live events, with the index of the last plan that has some.
fn newest_pushes(plans: &[Plan]) -> (Vec<usize>, Vec<Delayed<LiveMessage>>) {
    let mut newest: Vec<(usize, Push)> = Vec::new();
    for (index, push) in each(plans, |plan| &plan.pushes) {
        match newest.iter_mut().find(|(_, known)| known.subject == push.subject) {
            Some((last, known)) => {
                known.terminal |= push.terminal;
                *last = index;
            }
            None => newest.push((index, push.clone())),
        }
    }
    newest.into_iter().map(|(index, push)| (index, Delayed::now(LiveMessage::Push(push)))).unzip()
}

/// Logs the sentence of seed 001, with the ids that lead from the subject to its deliveries.
fn log_events(plans: &[Plan]) {
    for plan in plans {
        for event in &plan.events {
            let deliveries: Vec<String> = plan.deliveries_of(event).iter().map(ToString::to_string).collect();
            let trace = plan.deliveries.iter().find(|delivery| delivery.event_id == event.id).map(Delivery::trace);
            let trace_id = trace.as_ref().map(TraceParent::trace_id);
            tracing::info!(job_id = %event.subject, event_id = %event.id, delivery_ids = deliveries.join(" "), trace_id,
                "Sending webhook notifications for event: {} to {} endpoints", event.event.name(), deliveries.len());
        }
    }
}

/// The parts of all plans, each with the index of its plan.
fn each<'a, T: 'a>(plans: &'a [Plan], part: impl Fn(&'a Plan) -> &'a Vec<T>) -> impl Iterator<Item = (usize, &'a T)> {
    plans.iter().enumerate().flat_map(move |(index, plan)| part(plan).iter().map(move |item| (index, item)))
}

/// Like [`each`], as two lists for a call that takes all parts at once.
fn owned<T>(plans: &[Plan], part: impl Fn(&Plan) -> Vec<T>) -> (Vec<usize>, Vec<T>) {
    plans.iter().enumerate().flat_map(|(index, plan)| part(plan).into_iter().map(move |item| (index, item))).unzip()
}

/// The hints of one plan for the launcher, without those that others cover. A freed slot causes one only if jobs may wait for
/// it.
fn work_hints(plan: &Plan, jobs_wait: bool) -> Vec<Delayed<WorkMessage>> {
    let freed = (jobs_wait && !plan.slots.is_empty()).then(|| Delayed::now(WorkMessage::start()));
    let covers = |one: &Delayed<WorkMessage>, other: &Delayed<WorkMessage>| {
        one.delay_s == other.delay_s && one.message.covers(&other.message)
    };
    let mut hints: Vec<Delayed<WorkMessage>> = Vec::with_capacity(plan.work.len() + 1);
    for message in freed.iter().chain(&plan.work) {
        if !hints.iter().any(|known| covers(known, message)) {
            hints.retain(|known| !covers(message, known));
            hints.push(message.clone());
        }
    }
    hints
}

async fn purge(ports: &FanoutPorts<'_>, purge: &Purge) -> Result<(), StoreError> {
    ports.store.remove_logs(&purge.subject).await?;
    ports.files.remove(&purge.prefixes).await
}

/// The slots that plans free, and the first plan that frees one; none if no plan does.
fn freed(plans: &[Plan], part: impl Fn(&Plan) -> &Vec<String>) -> Option<(usize, Vec<&str>)> {
    let first = plans.iter().position(|plan| !part(plan).is_empty())?;
    Some((first, plans.iter().flat_map(&part).map(String::as_str).collect()))
}

/// Frees slots, and returns whether jobs may wait for them; those that are free already are skipped. Only the rows that
/// granted them are read, or all if one of them has a name. Each row is written by itself, so that rows with other slots do
/// not conflict.
async fn free_slots<S: AdmissionStore + ?Sized>(
    store: &S,
    clock: &dyn ClockAndRandom,
    slots: &[&str],
) -> Result<bool, StoreError> {
    let mut retry = Retry::new(clock, ATTEMPTS);
    let (mut numbers, mut saved) = (rows_of(slots), Vec::new());
    while retry.attempt().await {
        let known = match &numbers {
            Some(numbers) => store.some_rows(numbers).await?,
            None => store.admission().await?.into_rows(),
        };
        let released: Vec<SlotRow> = known.iter().filter_map(|row| row.released(slots)).collect();
        let results = try_join_all(released.iter().map(|row| store.save_admission(row))).await?;
        let mut left = BTreeSet::new();
        for (row, result) in released.into_iter().zip(results) {
            if result == Saved::Done {
                saved.push(row);
            } else {
                left.insert(row.number);
            }
        }
        if !left.is_empty() {
            numbers = Some(left);
            continue;
        }
        // A launcher that notes that jobs wait reads all rows after that, so the note is read after the slots were freed.
        let first = match &saved[..] {
            [] => known.into_iter().find(|row| row.number == 0),
            [row] => Some(row.clone()).filter(|row| row.number == 0),
            _ => None,
        };
        let first = match first {
            Some(first) => Some(first),
            None => store.some_rows(&[0].into()).await?.into_iter().next(),
        };
        return Ok(first.is_some_and(|first| first.row.may_wait(clock.now())));
    }
    Err(StoreError::Busy { operation: "free slots", source: "their rows changed during each attempt".into() })
}

/// How many plans of a batch are applied so far, and the first failure.
struct Progress {
    until: usize,
    failure: Option<StoreError>,
}

impl Progress {
    fn note(&mut self, owners: &[usize], results: Vec<Result<(), StoreError>>) {
        for (owner, result) in owners.iter().zip(results) {
            if let Err(error) = result
                && *owner < self.until
            {
                self.until = *owner;
                self.failure = Some(error);
            }
        }
    }

    fn note_each(&mut self, results: Vec<(usize, Result<(), StoreError>)>) {
        for (owner, result) in results {
            self.note(&[owner], vec![result]);
        }
    }

    fn end(self) -> Result<(), FanoutError> {
        match self.failure {
            Some(source) => Err(FanoutError { index: self.until, source }),
            None => Ok(()),
        }
    }
}
