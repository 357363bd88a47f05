//! The Projects table in memory: projects, the stream of their versions, and what the Counters table and the bucket have
//! of projects.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

use reelhook_app::circuit::{ServiceCircuit, ServiceKey};
use reelhook_app::idempotency::IdempotencyRecord;
use reelhook_app::projects::lookup::SceneOwner;
use reelhook_app::projects::store::EarlyCallback;
use reelhook_domain::projects::effect::ProjectEffect;
use reelhook_domain::projects::event::Event;
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::task::{Stage, TaskRef};
use reelhook_domain::{Admission, Aggregate, Decision, Effect, ProjectId, RenderId, SceneId, Timestamp};

use crate::faults::Faults;

/// A hook that runs right before a call and may change the store like another writer.
type Hook = Box<dyn FnOnce(&MemoryProjects) + Send>;

/// The projects, behind the ports that create, list, load, change and start them, find them by other ids, and keep early
/// callbacks, circuits and long texts.
///
/// Faults and hooks go by the ports' names: `insert`, `insert_with_key`, `record`, `remember_key`, `page`, `page_at`,
/// `count`, `due`, `load`, `save`, `admission`, `save_admission`, `waiting`, `claim`, `remember`, `of_scene`, `of_task`,
/// `park`, `parked`, `circuit`, `save_circuit`, `put_text`, `text`.
#[derive(Default)]
pub struct MemoryProjects {
    state: Mutex<State>,
    hooks: Mutex<BTreeMap<&'static str, VecDeque<Hook>>>,
    /// The injected faults.
    pub faults: Faults,
}

#[derive(Default)]
pub(super) struct State {
    pub projects: BTreeMap<ProjectId, Project>,
    pub stream: Vec<Project>,
    pub admission: Admission,
    pub scenes: BTreeMap<SceneId, SceneOwner>,
    pub tasks: BTreeMap<(Stage, RenderId), (ProjectId, TaskRef)>,
    pub early: BTreeMap<(Stage, String), (EarlyCallback, bool)>,
    pub circuits: BTreeMap<ServiceKey, ServiceCircuit>,
    pub texts: BTreeMap<String, String>,
    pub records: BTreeMap<(String, String), IdempotencyRecord>,
    pub stale_waiting: Option<Vec<ProjectId>>,
}

impl State {
    pub fn write(&mut self, project: &Project) {
        self.stream.push(project.clone());
        self.projects.insert(project.id.clone(), project.clone());
    }

    /// Whether a version is the successor of the stored one.
    pub fn follows(&self, project: &Project) -> bool {
        self.projects.get(&project.id).is_some_and(|stored| stored.version + 1 == project.version)
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

    /// Projects with a video that waits for a slot, the one first that waits longest.
    pub fn waiting(&self) -> Vec<ProjectId> {
        let shown = self.projects.values().filter(|project| project.deleted_at.is_none());
        let mut waiting: Vec<_> =
            shown.filter_map(|project| Some((project.waits_for_slot_since()?, project.id.clone()))).collect();
        waiting.sort();
        waiting.into_iter().map(|(_, id)| id).collect()
    }
}

impl MemoryProjects {
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

    /// Stores a project as it is and appends its version to the stream.
    pub fn put(&self, project: &Project) {
        self.state().write(project);
    }

    /// Applies an event to a project immediately, like another function, and returns whether it changed the project.
    pub fn apply(&self, id: &ProjectId, event: &Event, now: Timestamp, policy: &ProjectPolicy) -> bool {
        let Decision::Apply(next) = self.get(id).decide(event, now, policy) else { return false };
        self.put(&next);
        true
    }

    /// A project.
    ///
    /// # Panics
    /// When no project has this id.
    pub fn get(&self, id: &ProjectId) -> Project {
        self.state().projects.get(id).unwrap_or_else(|| panic!("no project `{id}`")).clone()
    }

    /// All projects, by id.
    pub fn all(&self) -> Vec<Project> {
        self.state().projects.values().cloned().collect()
    }

    /// Every written version, in order, with its outbox.
    pub fn stream(&self) -> Vec<Project> {
        self.state().stream.clone()
    }

    /// The admission item of the scenes.
    pub fn admission_item(&self) -> Admission {
        self.state().admission.clone()
    }

    /// Frees the slots that the versions on the stream gave up, as fanout does.
    pub fn free_slots(&self) {
        let mut state = self.state();
        let effects = state.stream.iter().flat_map(|version| &version.outbox);
        let slots: Vec<String> = effects
            .filter_map(|effect| match effect {
                Effect::Project(ProjectEffect::FreeSlot { slot }) => Some(slot.clone()),
                _ => None,
            })
            .collect();
        let slots: Vec<&str> = slots.iter().map(String::as_str).collect();
        if let Some(freed) = state.admission.free(&slots) {
            state.admission = freed;
        }
    }

    /// Freezes the list of waiting projects, as an index that lags behind; or lets it follow again.
    pub fn freeze_waiting(&self, frozen: bool) {
        let mut state = self.state();
        state.stale_waiting = frozen.then(|| state.waiting());
    }

    /// The circuit of a service.
    pub fn circuit_of(&self, service: impl Into<ServiceKey>) -> ServiceCircuit {
        self.state().circuits.get(&service.into()).cloned().unwrap_or_default()
    }

    /// Stores a circuit as it is.
    pub fn put_circuit(&self, service: impl Into<ServiceKey>, circuit: ServiceCircuit) {
        self.state().circuits.insert(service.into(), circuit);
    }
}
