//! The Jobs table in memory: jobs, the stream of their versions, idempotency records, the admission item and parked
//! callbacks.

mod ports;
mod reports;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

use reelhook_app::idempotency::IdempotencyRecord;
use reelhook_app::jobs::renders::Callback;
use reelhook_app::store::Saved;
use reelhook_app::views::streamgank::QueueCounts;
use reelhook_domain::{
    Admission, Decision, Event, Job, JobId, Policy, RenderId, Service, SlotRow, Slots, Status, Timestamp, decide,
};

use crate::faults::Faults;

/// A hook that runs right before a call and may change the store like another writer.
type Hook = Box<dyn FnOnce(&MemoryJobs) + Send>;

/// The jobs, behind the ports that load, change, start, list and render them.
///
/// Faults and hooks go by the ports' names: `load`, `save`, `queue_counts`, `insert`, `record`, `insert_with_key`,
/// `admission`, `ready`, `claim`, `jobs_of`, `park`, `parked`, `may_hint`, `page`, `save_admission`.
#[derive(Default)]
pub struct MemoryJobs {
    state: Mutex<State>,
    hooks: Mutex<BTreeMap<&'static str, VecDeque<Hook>>>,
    /// The injected faults.
    pub faults: Faults,
}

struct State {
    jobs: BTreeMap<JobId, Job>,
    /// The jobs as the index of waiting jobs has them, while it lags.
    indexed: Option<BTreeMap<JobId, Job>>,
    stream: Vec<Job>,
    records: BTreeMap<(String, String), IdempotencyRecord>,
    /// The rows of slots; never none.
    rows: Vec<Admission>,
    parked: BTreeMap<(&'static str, RenderId), (Callback, Timestamp)>,
    hinted: BTreeMap<(&'static str, RenderId), Timestamp>,
    hide_conflicts: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            jobs: BTreeMap::new(),
            indexed: None,
            stream: Vec::new(),
            records: BTreeMap::new(),
            rows: vec![Admission::default()],
            parked: BTreeMap::new(),
            hinted: BTreeMap::new(),
            hide_conflicts: false,
        }
    }
}

impl State {
    /// The slots.
    fn slots(&self) -> Slots {
        let mut rows = self.rows.clone();
        rows.resize(rows.len().max(rows[0].layout.all()), Admission::default());
        Slots::read(rows).expect("rows that belong together")
    }

    /// Writes rows, if each is one version on.
    fn write_rows(&mut self, changed: &[SlotRow]) -> bool {
        let version = |number: usize| self.rows.get(number).map_or(0, |row| row.version);
        let is_next = changed.iter().all(|changed| version(changed.number) + 1 == changed.row.version);
        for SlotRow { number, row } in changed.iter().filter(|_| is_next) {
            let rows = self.rows.len().max(number + 1);
            self.rows.resize(rows, Admission::default());
            self.rows[*number] = row.clone();
        }
        is_next
    }

    fn write(&mut self, job: &Job) {
        self.stream.push(job.clone());
        self.jobs.insert(job.id.clone(), job.clone());
    }

    /// Replaces a job if the stored version is its predecessor.
    fn replace(&mut self, job: &Job) -> Saved<Job> {
        match self.jobs.get(&job.id) {
            Some(stored) if stored.version + 1 == job.version => {
                self.write(job);
                Saved::Done
            }
            Some(stored) if !self.hide_conflicts => Saved::Conflict(Some(Box::new(stored.clone()))),
            Some(_) | None => Saved::Conflict(None),
        }
    }
}

impl MemoryJobs {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Yields to other tasks and runs the hook of this call.
    async fn enter(&self, operation: &'static str) {
        tokio::task::yield_now().await;
        let hook = self.hooks.lock().unwrap().get_mut(operation).and_then(VecDeque::pop_front);
        if let Some(hook) = hook {
            hook(self);
        }
    }

    /// Runs `hook` right before the next call of `operation`. Each hook runs once.
    pub fn before(&self, operation: &'static str, hook: impl FnOnce(&Self) + Send + 'static) {
        self.hooks.lock().unwrap().entry(operation).or_default().push_back(Box::new(hook));
    }

    /// Makes another writer touch the job right before each of the next `times` saves.
    pub fn conflict(&self, id: &JobId, times: usize) {
        for _ in 0..times {
            let id = id.clone();
            self.before("save", move |jobs| jobs.touch(&id));
        }
    }

    /// Sets whether conflicts lack the other writer's item, as after a failed read.
    pub fn hide_conflicts(&self, hide: bool) {
        self.state().hide_conflicts = hide;
    }

    /// Lets the index of waiting jobs lag: it has the jobs as they are now, until it does not lag any more.
    pub fn let_index_lag(&self, lags: bool) {
        let mut state = self.state();
        state.indexed = lags.then(|| state.jobs.clone());
    }

    /// Stores a job as it is and appends its version to the stream.
    pub fn put(&self, job: &Job) {
        self.state().write(job);
    }

    /// Removes a job, as TTL does.
    pub fn remove(&self, id: &JobId) {
        self.state().jobs.remove(id);
    }

    /// Writes the next version of a job, unchanged and without effects, like a migration.
    pub fn touch(&self, id: &JobId) {
        let mut job = self.get(id);
        job.version += 1;
        job.outbox.clear();
        self.put(&job);
    }

    /// Applies an event to a job immediately, like another function, and returns whether it changed the job.
    pub fn apply(&self, id: &JobId, event: &Event, now: Timestamp, policy: &Policy) -> bool {
        let Decision::Apply(next) = decide(&self.get(id), event, now, policy) else { return false };
        self.put(&next);
        true
    }

    /// Claims a job with a slot, like a launcher that crashes then.
    ///
    /// # Panics
    /// When no job has this id, or it can't be claimed.
    pub fn leave_claimed(&self, id: &JobId, now: Timestamp, policy: &Policy) {
        let slot = self.get(id).next_slot();
        assert!(self.apply(id, &Event::Claim, now, policy), "`{id}` can't be claimed");
        let lease = now.after(policy.claim_lease + policy.processing_timeout);
        self.change_admission(|admission| {
            admission.active.insert(slot, lease);
        });
    }

    /// A job.
    ///
    /// # Panics
    /// When no job has this id.
    pub fn get(&self, id: &JobId) -> Job {
        self.state().jobs.get(id).unwrap_or_else(|| panic!("no job `{id}`")).clone()
    }

    /// All jobs, by id.
    pub fn all(&self) -> Vec<Job> {
        self.state().jobs.values().cloned().collect()
    }

    /// Every written version, in order, with its outbox.
    pub fn stream(&self) -> Vec<Job> {
        self.state().stream.clone()
    }

    /// The versions on the stream after the first `from`.
    pub fn stream_from(&self, from: usize) -> Vec<Job> {
        self.state().stream[from..].to_vec()
    }

    /// The number of versions on the stream.
    pub fn stream_len(&self) -> usize {
        self.state().stream.len()
    }

    /// The jobs that are due at `now`, without deleted ones. Of jobs that wait, the index knows those that hold a slot: the
    /// sweep sends hints for the others.
    pub fn due_until(&self, now: Timestamp) -> Vec<(Timestamp, JobId)> {
        let state = self.state();
        let slots = state.slots();
        let holders = slots.holders(now);
        let waits = |job: &Job| job.status == Status::Pending && !holders.contains(&job.id);
        let found = state.jobs.values().filter(|job| job.deleted_at.is_none() && !waits(job));
        found.filter_map(|job| Some((job.due_at.filter(|due| *due <= now)?, job.id.clone()))).collect()
    }

    /// The first row of slots.
    pub fn admission_item(&self) -> Admission {
        self.state().rows[0].clone()
    }

    /// The slots.
    pub fn slots(&self) -> Slots {
        self.state().slots()
    }

    /// Arranges the slots in this number of rows, with names.
    pub fn arrange(&self, rows: usize) {
        self.arrange_with(rows, false);
    }

    /// Arranges the slots in this number of rows, with numbers or names.
    pub fn arrange_with(&self, rows: usize, numbers: bool) {
        let mut state = self.state();
        if let Some(first) = state.slots().arranged(rows, numbers) {
            state.write_rows(&[first]);
        }
        let behind = state.slots().behind();
        state.write_rows(&behind);
    }

    /// Writes a row of slots, like another function.
    ///
    /// # Panics
    /// When the row is not one version on.
    pub fn write_row(&self, row: &SlotRow) {
        assert!(self.state().write_rows(std::slice::from_ref(row)), "row {} has changed", row.number);
    }

    /// Writes the next version of a row of slots, unchanged.
    pub fn touch_row(&self, number: usize) {
        self.state().rows[number].version += 1;
    }

    /// Frees slots in whichever rows they are, like fanout.
    pub fn free_slots(&self, slots: &[&str]) {
        let mut state = self.state();
        let rows = state.slots().into_rows();
        let released: Vec<SlotRow> = rows.iter().filter_map(|row| row.released(slots)).collect();
        state.write_rows(&released);
    }

    /// Writes the next version of the first row of slots, like an operator.
    pub fn change_admission(&self, change: impl FnOnce(&mut Admission)) {
        let mut state = self.state();
        change(&mut state.rows[0]);
        state.rows[0].version += 1;
    }

    /// The parked callback of a render.
    pub fn parked_callback(&self, render: &RenderId) -> Option<Callback> {
        let task = (Service::Creatomate.name(), render.clone());
        self.state().parked.get(&task).map(|(callback, _)| callback.clone())
    }

    /// The number of jobs by status.
    pub fn counts(&self) -> QueueCounts {
        let state = self.state();
        let count = |status: Status| {
            let shown = state.jobs.values().filter(|job| job.status == status && job.deleted_at.is_none());
            u64::try_from(shown.count()).unwrap()
        };
        QueueCounts {
            pending: count(Status::Pending),
            processing: count(Status::Processing),
            rendering: count(Status::Rendering),
            completed: count(Status::Completed),
            failed: count(Status::Failed),
            cancelled: count(Status::Cancelled),
        }
    }
}
