//! The Clips table in memory: clip jobs, the stream of their versions, their credits, and what the Counters table has of
//! them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

use reelhook_app::idempotency::IdempotencyRecord;
use reelhook_domain::clips::event::Event;
use reelhook_domain::credits::account::Account;
use reelhook_domain::credits::ledger::{Balance, Entry};
use reelhook_domain::{Aggregate, ClipJob, ClipJobId, ClipPolicy, Decision, Timestamp};

use crate::faults::Faults;

/// A hook that runs right before a call and may change the store like another writer.
type Hook = Box<dyn FnOnce(&MemoryClips) + Send>;

/// The clip jobs, behind the ports that create, list, load and change them, find them by other ids, and keep the ledger.
///
/// Faults and hooks go by the ports' names: `insert`, `save_attempt`, `record`, `remember_key`, `page`, `with_request`,
/// `due`, `load`, `save`, `remember`, `submission`, `balance`, `entries`, `add`, `settle`.
#[derive(Default)]
pub struct MemoryClips {
    state: Mutex<State>,
    hooks: Mutex<BTreeMap<&'static str, VecDeque<Hook>>>,
    /// The injected faults.
    pub faults: Faults,
}

#[derive(Default)]
pub(super) struct State {
    pub jobs: BTreeMap<ClipJobId, ClipJob>,
    pub stream: Vec<ClipJob>,
    pub submissions: BTreeMap<String, (ClipJobId, u32)>,
    pub records: BTreeMap<(String, String), IdempotencyRecord>,
    pub balances: BTreeMap<Account, Balance>,
    /// The entries, each with the version of the balance that it made.
    pub entries: BTreeMap<Account, Vec<(u64, Entry)>>,
    pub reservations: BTreeMap<(Account, String), u64>,
}

impl State {
    pub fn write(&mut self, job: &ClipJob) {
        self.stream.push(job.clone());
        self.jobs.insert(job.id.clone(), job.clone());
    }

    /// Whether a version is the successor of the stored one.
    pub fn follows(&self, job: &ClipJob) -> bool {
        self.jobs.get(&job.id).is_some_and(|stored| stored.version + 1 == job.version)
    }

    /// The record of an idempotency key that is there already.
    pub fn known_record(&self, record: &IdempotencyRecord, now: Timestamp) -> Option<IdempotencyRecord> {
        let known = self.records.get(&(record.caller.clone(), record.key.clone()));
        known.filter(|known| known.expires_at > now).cloned()
    }

    /// Stores the record of an idempotency key.
    pub fn keep_record(&mut self, record: &IdempotencyRecord) {
        self.records.insert((record.caller.clone(), record.key.clone()), record.clone());
    }
}

impl MemoryClips {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Yields to other tasks and runs the hook of this call.
    pub(super) async fn enter(&self, operation: &'static str) {
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

    /// Stores a job as it is and appends its version to the stream.
    pub fn put(&self, job: &ClipJob) {
        self.state().write(job);
    }

    /// Stores a job with the record of its request's key, like a faster request.
    pub fn put_with_record(&self, job: &ClipJob, record: &IdempotencyRecord) {
        let mut state = self.state();
        state.write(job);
        state.keep_record(record);
    }

    /// Applies an event to a job immediately, like another function, and returns whether it changed the job.
    pub fn apply(&self, id: &ClipJobId, event: &Event, now: Timestamp, policy: &ClipPolicy) -> bool {
        let Decision::Apply(next) = self.get(id).decide(event, now, policy) else { return false };
        self.put(&next);
        true
    }

    /// A job.
    ///
    /// # Panics
    /// When no job has this id.
    pub fn get(&self, id: &ClipJobId) -> ClipJob {
        self.state().jobs.get(id).unwrap_or_else(|| panic!("no clip job `{id}`")).clone()
    }

    /// All jobs, by id.
    pub fn all(&self) -> Vec<ClipJob> {
        self.state().jobs.values().cloned().collect()
    }

    /// Every written version, in order, with its outbox.
    pub fn stream(&self) -> Vec<ClipJob> {
        self.state().stream.clone()
    }

    /// The versions that were written after the first `from`, in order.
    pub fn stream_from(&self, from: usize) -> Vec<ClipJob> {
        self.state().stream[from..].to_vec()
    }

    /// The entries of an account, the oldest first.
    pub fn entries_of(&self, account: &Account) -> Vec<Entry> {
        let state = self.state();
        state.entries.get(account).into_iter().flatten().map(|(_, entry)| entry.clone()).collect()
    }

    /// The balance of an account.
    pub fn balance_of(&self, account: &Account) -> Balance {
        self.state().balances.get(account).copied().unwrap_or_default()
    }

    /// The credits of the open reservations of an account, by their ids.
    pub fn reservations_of(&self, account: &Account) -> BTreeMap<String, u64> {
        let state = self.state();
        let open = state.reservations.iter().filter(|((of, _), _)| of == account);
        open.map(|((_, id), credits)| (id.clone(), *credits)).collect()
    }
}
