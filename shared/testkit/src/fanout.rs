//! The rows that fanout writes, in memory: logs, events, deliveries and counters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use reelhook_app::jobs::admission::AdmissionStore;
use reelhook_app::jobs::reconcile::{Counter, CounterStore};
use reelhook_app::outbox::fanout::{CountStep, FanoutStore, Viewers};
use reelhook_app::outbox::messages::{Delayed, Hints, LiveMessage};
use reelhook_app::outbox::rows::LogRow;
use reelhook_app::store::{Saved, StoreError};
use reelhook_app::webhooks::events::{DueBy, EventRow, EventStore};
use reelhook_domain::{Admission, Delivery, DeliveryId, EventId, LogTally, SlotRow, Slots, Status, Subject, Timestamp};

use crate::deliveries::MemoryDeliveries;
use crate::faults::Faults;
use crate::jobs::MemoryJobs;

/// Logs and counters, beside the jobs' admission item and the deliveries.
///
/// Faults: `put_logs` (for each row), `put_event`, `put_due`, `put_delivery`, `count`, `counter`, `count_jobs`, `suspect`,
/// `mend`; those of the admission item are the jobs'.
pub struct MemoryFanout {
    jobs: Arc<MemoryJobs>,
    deliveries: Arc<MemoryDeliveries>,
    state: Mutex<State>,
    /// Failures to come.
    pub faults: Faults,
}

#[derive(Default)]
struct State {
    logs: BTreeMap<(Subject, u64, usize), LogRow>,
    counted: BTreeSet<EventId>,
    counters: BTreeMap<(String, Status), Counter>,
    log: LogTally,
    watched: bool,
    pushes: Vec<LiveMessage>,
}

impl MemoryFanout {
    /// An empty store over these tables.
    pub fn new(jobs: Arc<MemoryJobs>, deliveries: Arc<MemoryDeliveries>) -> Self {
        Self { jobs, deliveries, state: Mutex::default(), faults: Faults::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The messages in the Live queue.
    pub fn pushes(&self) -> Vec<LiveMessage> {
        self.state().pushes.clone()
    }

    /// All rows of logs, by subject, version and index.
    pub fn logs(&self) -> Vec<LogRow> {
        self.state().logs.values().cloned().collect()
    }

    /// The value of a counter.
    pub fn counted(&self, status: Status, day: &str) -> i64 {
        self.state().counters.get(&(day.to_owned(), status)).map_or(0, |counter| counter.value)
    }

    /// The counted numbers of log lines.
    pub fn log_tally(&self) -> LogTally {
        self.state().log
    }

    /// Sets a counter, as a fault would.
    pub fn set_counter(&self, status: Status, day: &str, value: i64) {
        self.state().counters.entry((day.to_owned(), status)).or_default().value = value;
    }

    /// The sums of all counters, by status.
    pub fn totals(&self) -> BTreeMap<Status, i64> {
        let mut totals = BTreeMap::new();
        for ((_, status), counter) in &self.state().counters {
            *totals.entry(*status).or_default() += counter.value;
        }
        totals
    }
}

#[async_trait]
impl FanoutStore for MemoryFanout {
    async fn put_logs(&self, rows: &[LogRow]) -> Vec<Result<(), StoreError>> {
        tokio::task::yield_now().await;
        let put = |row: &LogRow| {
            let done = self.faults.check_about("put_logs", &row.subject)?;
            self.state().logs.insert((row.subject.clone(), row.version, row.index), row.clone());
            done.answer(())
        };
        rows.iter().map(put).collect()
    }

    async fn remove_logs(&self, subject: &Subject) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check_about("remove_logs", subject)?;
        self.state().logs.retain(|(of, _, _), _| of != subject);
        done.answer(())
    }

    async fn count(&self, steps: &[CountStep]) -> Vec<Result<(), StoreError>> {
        tokio::task::yield_now().await;
        let count = |step: &CountStep| {
            let done = self.faults.check_about("count", &step.id)?;
            let mut state = self.state();
            if state.counted.insert(step.id.clone()) {
                state.log = state.log + step.log;
                if let Some((status, entered)) = step.status {
                    let counter = state.counters.entry((step.day.clone(), status)).or_default();
                    counter.value += if entered { 1 } else { -1 };
                }
            }
            done.answer(())
        };
        steps.iter().map(count).collect()
    }
}

#[async_trait]
impl AdmissionStore for MemoryFanout {
    async fn admission(&self) -> Result<Slots, StoreError> {
        self.jobs.admission().await
    }

    async fn save_admission(&self, changed: &SlotRow) -> Result<Saved<Admission>, StoreError> {
        self.jobs.save_admission(changed).await
    }
}

#[async_trait]
impl EventStore for MemoryFanout {
    async fn put_event(&self, event: &EventRow, deliveries: &[DeliveryId]) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check_about("put_event", &event.id)?;
        self.deliveries.put_event_of(event, deliveries);
        done.answer(())
    }

    async fn put_due(&self, event: &EventRow, deliveries: &[DeliveryId]) -> Result<DueBy, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check_about("put_due", &event.id)?;
        done.answer(self.deliveries.put_due_of(event, deliveries))
    }

    async fn put_delivery(&self, delivery: &Delivery, due_by: DueBy) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done =
            self.faults.check_about("put_delivery", &format!("{}/{}", delivery.event_id, delivery.endpoint_name))?;
        self.deliveries.put_named(delivery, due_by);
        done.answer(())
    }
}

#[async_trait]
impl CounterStore for MemoryFanout {
    async fn counter(&self, status: Status, day: &str) -> Result<Counter, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("counter")?;
        let counter = self.state().counters.get(&(day.to_owned(), status)).copied();
        done.answer(counter.unwrap_or_default())
    }

    async fn count_jobs(&self, status: Status, day: &str) -> Result<i64, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("count_jobs")?;
        let all = self.jobs.all();
        let shown = all.iter().filter(|job| job.status == status && job.deleted_at.is_none());
        done.answer(i64::try_from(shown.filter(|job| job.created_at.day() == day).count()).unwrap())
    }

    async fn suspect(&self, status: Status, day: &str, counted: i64, value: i64) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("suspect")?;
        self.state().counters.entry((day.to_owned(), status)).or_default().suspected = Some((counted, value));
        done.answer(())
    }

    async fn trust(&self, status: Status, day: &str) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("trust")?;
        self.state().counters.entry((day.to_owned(), status)).or_default().suspected = None;
        done.answer(())
    }

    async fn correct(&self, status: Status, day: &str, was: i64, to: i64) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("mend")?;
        let mut state = self.state();
        let counter = state.counters.entry((day.to_owned(), status)).or_default();
        if counter.value == was {
            *counter = Counter { value: to, suspected: None };
        }
        done.answer(())
    }
}

#[async_trait]
impl Viewers for MemoryFanout {
    async fn note(&self, _: Timestamp) -> Result<(), StoreError> {
        self.state().watched = true;
        Ok(())
    }

    async fn any(&self, _: Timestamp) -> Result<bool, StoreError> {
        Ok(self.state().watched)
    }
}

#[async_trait]
impl Hints<LiveMessage> for MemoryFanout {
    async fn send(&self, messages: Vec<Delayed<LiveMessage>>) -> Vec<Result<(), StoreError>> {
        tokio::task::yield_now().await;
        let mut state = self.state();
        let send = |delayed: Delayed<LiveMessage>| {
            state.pushes.push(delayed.message);
            Ok(())
        };
        messages.into_iter().map(send).collect()
    }
}
