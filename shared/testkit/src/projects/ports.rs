//! The ports of projects, with the conditions that DynamoDB would check.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reelhook_app::change::AggregateStore;
use reelhook_app::circuit::{Circuits, ServiceCircuit, ServiceKey};
use reelhook_app::jobs::admission::AdmissionStore;
use reelhook_app::jobs::claims::Claimed;
use reelhook_app::projects::lookup::{Lookup, SceneOwner};
use reelhook_app::projects::store::{EarlyCallback, EarlyCallbacks, Lookups, ProjectFiles, SceneSlots};
use reelhook_app::store::{Saved, StoreError};
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::task::{Stage, TaskRef};
use reelhook_domain::{Admission, ProjectId, RenderId, SceneId, SlotRow, Slots, Timestamp};

use super::table::MemoryProjects;

/// The time for which a callback is kept.
const KEPT: Duration = Duration::from_secs(3600);

#[async_trait]
impl AggregateStore<Project> for MemoryProjects {
    async fn load(&self, id: &ProjectId) -> Result<Option<Project>, StoreError> {
        self.enter("load").await;
        let done = self.faults.check_about("load", id)?;
        let project = self.state().projects.get(id).cloned();
        done.answer(project)
    }

    async fn save(&self, project: &Project) -> Result<Saved<Project>, StoreError> {
        self.enter("save").await;
        let done = self.faults.check_about("save", &project.id)?;
        let mut state = self.state();
        if !state.follows(project) {
            let theirs = state.projects.get(&project.id).cloned().map(Box::new);
            return done.answer(Saved::Conflict(theirs));
        }
        state.write(project);
        done.answer(Saved::Done)
    }
}

#[async_trait]
impl AdmissionStore for MemoryProjects {
    async fn admission(&self) -> Result<Slots, StoreError> {
        self.enter("admission").await;
        self.faults.check("admission")?.answer(self.admission_item().into())
    }

    async fn save_admission(&self, changed: &SlotRow) -> Result<Saved<Admission>, StoreError> {
        self.enter("save_admission").await;
        let done = self.faults.check("save_admission")?;
        let mut state = self.state();
        let SlotRow { row, .. } = changed;
        if state.admission.version + 1 != row.version {
            let theirs = Box::new(state.admission.clone());
            return done.answer(Saved::Conflict(Some(theirs)));
        }
        state.admission = row.clone();
        done.answer(Saved::Done)
    }
}

#[async_trait]
impl SceneSlots for MemoryProjects {
    async fn waiting(&self, limit: usize) -> Result<Vec<ProjectId>, StoreError> {
        self.enter("waiting").await;
        let done = self.faults.check("waiting")?;
        let state = self.state();
        let mut waiting = state.stale_waiting.clone().unwrap_or_else(|| state.waiting());
        waiting.truncate(limit);
        done.answer(waiting)
    }

    async fn claim(&self, project: &Project, admission: &Admission) -> Result<Claimed, StoreError> {
        self.enter("claim").await;
        let done = self.faults.check("claim")?;
        let mut state = self.state();
        if !state.follows(project) || state.admission.version + 1 != admission.version {
            return done.answer(Claimed::Conflict);
        }
        state.write(project);
        state.admission = admission.clone();
        done.answer(Claimed::Done)
    }
}

#[async_trait]
impl Lookups for MemoryProjects {
    async fn remember(&self, lookups: &[Lookup]) -> Result<(), StoreError> {
        self.enter("remember").await;
        let done = self.faults.check("remember")?;
        let mut state = self.state();
        for lookup in lookups {
            match lookup {
                Lookup::Scene { scene, project } => {
                    let only = SceneOwner::One(project.clone());
                    let owner = state.scenes.entry(scene.clone()).or_insert_with(|| only.clone());
                    if *owner != only {
                        *owner = SceneOwner::Several;
                    }
                }
                Lookup::Task { stage, id, project, task } => {
                    let found = (project.clone(), task.clone());
                    state.tasks.entry((*stage, id.clone())).or_insert(found);
                }
            }
        }
        done.answer(())
    }

    async fn of_scene(&self, scene: &SceneId) -> Result<Option<SceneOwner>, StoreError> {
        self.enter("of_scene").await;
        let done = self.faults.check("of_scene")?;
        let found = self.state().scenes.get(scene).cloned();
        done.answer(found)
    }

    async fn of_task(&self, stage: Stage, id: &RenderId) -> Result<Option<(ProjectId, TaskRef)>, StoreError> {
        self.enter("of_task").await;
        let done = self.faults.check("of_task")?;
        let found = self.state().tasks.get(&(stage, id.clone())).cloned();
        done.answer(found)
    }
}

#[async_trait]
impl EarlyCallbacks for MemoryProjects {
    async fn park(&self, callback: &EarlyCallback, ends: bool) -> Result<(), StoreError> {
        self.enter("park").await;
        let done = self.faults.check("park")?;
        let mut state = self.state();
        let about = match callback.stage {
            Stage::Video | Stage::Frame => callback.scene.as_ref().map(|scene| format!("scene#{scene}")),
            Stage::Stitch => callback.project.as_ref().map(|project| format!("project#{project}")),
        };
        let task = callback.task.as_ref().map(|task| format!("task#{task}"));
        for id in about.into_iter().chain(task) {
            let key = (callback.stage, id);
            let is_kept = state.early.get(&key).is_some_and(|(_, kept_ends)| *kept_ends && !ends);
            if !is_kept {
                state.early.insert(key, (callback.clone(), ends));
            }
        }
        done.answer(())
    }

    async fn parked(
        &self,
        stitch: Option<&ProjectId>,
        scenes: &[SceneId],
        tasks: &[(Stage, RenderId)],
        now: Timestamp,
    ) -> Result<Vec<EarlyCallback>, StoreError> {
        self.enter("parked").await;
        let done = self.faults.check("parked")?;
        let of_scenes =
            scenes.iter().flat_map(|scene| [Stage::Video, Stage::Frame].map(|stage| (stage, format!("scene#{scene}"))));
        let of_stitch = stitch.map(|project| (Stage::Stitch, format!("project#{project}")));
        let keys = of_stitch
            .into_iter()
            .chain(of_scenes)
            .chain(tasks.iter().map(|(stage, id)| (*stage, format!("task#{id}"))));
        let state = self.state();
        let mut found: Vec<EarlyCallback> = Vec::new();
        for (callback, _) in keys.filter_map(|key| state.early.get(&key)) {
            if callback.at.after(KEPT) > now && !found.contains(callback) {
                found.push(callback.clone());
            }
        }
        found.sort_by_key(|callback| callback.at);
        done.answer(found)
    }
}

#[async_trait]
impl Circuits for MemoryProjects {
    async fn circuit(&self, service: ServiceKey) -> Result<ServiceCircuit, StoreError> {
        self.enter("circuit").await;
        self.faults.check("circuit")?.answer(self.circuit_of(service))
    }

    async fn save_circuit(
        &self,
        service: ServiceKey,
        circuit: &ServiceCircuit,
    ) -> Result<Saved<ServiceCircuit>, StoreError> {
        self.enter("save_circuit").await;
        let done = self.faults.check("save_circuit")?;
        let mut state = self.state();
        let stored = state.circuits.get(&service).cloned().unwrap_or_default();
        if stored.version + 1 != circuit.version {
            return done.answer(Saved::Conflict(Some(Box::new(stored))));
        }
        state.circuits.insert(service, circuit.clone());
        done.answer(Saved::Done)
    }
}

#[async_trait]
impl ProjectFiles for MemoryProjects {
    async fn put_text(&self, key: &str, text: Bytes) -> Result<(), StoreError> {
        self.enter("put_text").await;
        let done = self.faults.check("put_text")?;
        let text = String::from_utf8(text.to_vec()).expect("a text is UTF-8");
        self.state().texts.insert(key.to_owned(), text);
        done.answer(())
    }

    async fn text(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.enter("text").await;
        let done = self.faults.check("text")?;
        let text = self.state().texts.get(key).cloned();
        done.answer(text)
    }
}
