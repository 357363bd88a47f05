//! A project on the way to its next version: the effects that several events share, and the end of every change.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::due;
use crate::errors::cause::{Cause, Raise, Resolve};
use crate::outbox::effect::whole_seconds;
use crate::outbox::hint::next_hint;
use crate::projects::effect::ProjectEffect;
use crate::projects::policy::ProjectPolicy;
use crate::projects::project::{Phase, Project};
use crate::projects::reasons::{Ignored, Rejected};
use crate::projects::scene::Scene;
use crate::projects::task::{Task, TaskRef};
use crate::{Effect, Emitted, Live, OutboundEvent, Recipients, RenderId, SceneId, Timestamp, brief};

/// Bytes of an outbox at most.
const OUTBOX: usize = 32 * 1024;
/// Bytes of an outbox that are left to hints and to the live event of the project.
const TAIL: usize = 1024;
/// Bytes of effects after which a change ends no further tasks: the due sweep ends the others.
const ROOM: usize = 20 * 1024;
/// Bytes that the end of a task adds with the end of the change: the free slot and the live event of its scene.
const ENDED_TASK: usize = 512;

/// Why an event does not change a project.
pub(super) enum Refusal {
    /// That is correct.
    Ignored(Ignored),
    /// The command is refused.
    Rejected(Rejected),
}

impl From<Ignored> for Refusal {
    fn from(reason: Ignored) -> Self {
        Self::Ignored(reason)
    }
}

impl From<Rejected> for Refusal {
    fn from(reason: Rejected) -> Self {
        Self::Rejected(reason)
    }
}

/// Whether an event changes a project.
pub(super) type Outcome = Result<(), Refusal>;

/// Facts about an error.
#[derive(Default)]
pub(super) struct Facts<'a> {
    /// The scene, unless the error is about it.
    pub scene: Option<&'a SceneId>,
    /// The service's id of the task.
    pub task: Option<&'a RenderId>,
    /// The reason in the words of the service; empty for none.
    pub error: &'a str,
}

/// A project that is being changed.
pub(super) struct Change<'a> {
    pub project: Project,
    pub before: &'a Project,
    pub now: Timestamp,
    pub policy: &'a ProjectPolicy,
    effects: Vec<Effect>,
    /// The size of the effects, and of those that follow with the end of the change.
    bytes: usize,
    reserved: usize,
    /// Hints that pieces wait for renderers.
    draws: u32,
    /// When the first of the new waiting videos may be submitted.
    starts: Option<Timestamp>,
}

impl<'a> Change<'a> {
    pub fn of(before: &'a Project, now: Timestamp, policy: &'a ProjectPolicy) -> Self {
        let (project, effects) = (before.clone(), Vec::new());
        Self { project, before, now, policy, effects, bytes: 2, reserved: 0, draws: 0, starts: None }
    }

    pub fn then(&mut self, effect: impl Into<Effect>) {
        let effect = effect.into();
        self.bytes += size(&effect);
        self.effects.push(effect);
    }

    /// Whether nothing has changed so far.
    pub fn is_unchanged(&self) -> bool {
        self.effects.is_empty() && self.project == *self.before
    }

    /// Whether the outbox has room for the end of another task.
    pub fn has_room(&self) -> bool {
        self.bytes + self.reserved < ROOM
    }

    /// A task ends in this change.
    pub fn reserve(&mut self) {
        self.reserved += ENDED_TASK;
    }

    /// The index of a scene.
    pub fn index_of(&self, scene: &SceneId) -> Result<usize, Refusal> {
        self.project.index_of(scene).ok_or_else(|| Rejected::NoScene(scene.clone()).into())
    }

    /// The task that a reference names, as long as it is under way.
    pub fn current(&self, task: &TaskRef) -> Result<&Task, Refusal> {
        if self.project.status().is_final() {
            return Err(Ignored::FinalProject.into());
        }
        self.project.task(task).ok_or_else(|| self.gone(task).into())
    }

    /// Like [`Self::current`], to change it.
    pub fn current_mut(&mut self, task: &TaskRef) -> Result<&mut Task, Refusal> {
        self.current(task)?;
        self.project.task_mut(task).ok_or_else(|| Ignored::Stale.into())
    }

    /// Why a task is not under way: it has ended in the present run, or it is of another one.
    fn gone(&self, task: &TaskRef) -> Ignored {
        let run = match task.scene() {
            Some(scene) => self.project.scene(scene).map(|scene| scene.attempt),
            None => self.project.stitch.as_ref().map(|stitch| stitch.generation),
        };
        if run == Some(task.run) { Ignored::Repeated } else { Ignored::Stale }
    }

    /// Notifies subscribers about the project, or about one of its scenes.
    pub fn notify(&mut self, event: OutboundEvent, scene: Option<&SceneId>) {
        let about = scene.map(ToString::to_string);
        self.then(Effect::Notify { event, to: Some(Recipients::Subscribers), about });
    }

    /// Raises an error about a scene, or about the project.
    pub fn raise(&mut self, cause: Cause, about: Option<&SceneId>, message: String, facts: Facts<'_>) {
        let Facts { scene, task, error } = facts;
        let facts = [
            ("project_id", Some(self.project.id.to_string())),
            ("scene_id", scene.or(about).map(ToString::to_string)),
            ("task_id", task.map(ToString::to_string)),
            ("error", (!error.is_empty()).then(|| brief(error))),
        ];
        let facts = facts.into_iter().filter_map(|(name, fact)| Some((name.to_owned(), Value::String(fact?))));
        let context: Map<String, Value> = facts.collect();
        self.then(Effect::RaiseError(Raise { cause, about: self.about(about), message, context }));
    }

    /// The error of this cause about a scene, or about the project, has no cause any more.
    pub fn resolve(&mut self, cause: Cause, scene: Option<&SceneId>) {
        self.then(Effect::ResolveError(Resolve { cause, about: self.about(scene) }));
    }

    /// The scene or the task that an early callback named is known now.
    pub fn resolve_unknown(&mut self, about: &str) {
        self.then(Effect::ResolveError(Resolve { cause: Cause::UnknownScene, about: about.to_owned() }));
    }

    fn about(&self, scene: Option<&SceneId>) -> String {
        match scene {
            Some(scene) => format!("{}/{scene}", self.project.id),
            None => self.project.id.to_string(),
        }
    }

    /// A new piece waits for a renderer, from `ready_at` on.
    pub fn draw(&mut self, ready_at: Timestamp) {
        if ready_at <= self.now {
            self.draws += 1;
        } else {
            self.then(Effect::Draw { hints: 1, delay_s: whole_seconds(ready_at.wait_from(self.now)) });
        }
    }

    /// A video waits for a slot, from `ready_at` on.
    pub fn start(&mut self, ready_at: Timestamp) {
        self.starts = Some(self.starts.map_or(ready_at, |at| at.min(ready_at)));
    }

    /// Fails the project for good.
    pub fn fail(&mut self, error: String) {
        self.project.phase = Phase::Failed(error);
        self.project.ended_at = Some(self.now);
        self.notify(OutboundEvent::ProjectFailed, None);
    }

    /// Ends the change: version, slots, hints, due time and outbox follow from the new state of the project.
    pub fn finish(mut self) -> Project {
        self.project.version += 1;
        self.project.updated_at = self.now;
        self.free_slots();
        self.hint();
        self.show_live();
        self.project.due_at = due::due_at(&self.project, self.now, self.policy);
        let (id, version) = (&self.project.id, self.project.version);
        Emitted::record(&mut self.project.emitted, &self.effects, id, version, self.now);
        self.project.outbox = self.effects;
        self.project
    }

    /// Frees the slots of the videos that no service works on any more.
    fn free_slots(&mut self) {
        let held: BTreeSet<String> = self.project.slots().collect();
        let freed: Vec<String> = self.before.slots().filter(|slot| !held.contains(slot)).collect();
        for slot in freed {
            self.then(ProjectEffect::FreeSlot { slot });
        }
    }

    /// Sends hints to renderers and to the launcher.
    fn hint(&mut self) {
        if self.draws > 0 {
            self.then(Effect::Draw { hints: self.draws, delay_s: 0 });
        }
        if let Some(at) = self.starts.filter(|_| self.project.waits_for_slot()) {
            self.then(ProjectEffect::StartScenes { delay_s: whole_seconds(at.wait_from(self.now)) });
        }
        let Some(next) = self.project.next_work() else {
            self.project.hinted_at = None;
            return;
        };
        if let Some((at, delay_s)) = next_hint(next, self.project.hinted_at, self.now) {
            self.project.hinted_at = Some(at);
            self.then(ProjectEffect::Tasks { delay_s });
        }
    }

    /// Shows viewers the scenes that changed, as far as the outbox has room, and the project.
    fn show_live(&mut self) {
        if self.project.deleted_at.is_some() {
            return;
        }
        let before: BTreeMap<&SceneId, &Scene> = self.before.scenes.iter().map(|scene| (&scene.id, scene)).collect();
        let changed = self
            .project
            .scenes
            .iter()
            .filter(|scene| before.get(&scene.id).is_none_or(|before| !look_alike(before, scene)));
        let mut room = OUTBOX.saturating_sub(TAIL + self.bytes);
        let mut events = Vec::new();
        for scene in changed {
            let event = Live::Scene { id: scene.id.clone() };
            let Some(left) = room.checked_sub(size(&event)) else { break };
            room = left;
            events.push(event);
        }
        if self.shows_project() {
            events.push(Live::Project);
        }
        if !events.is_empty() {
            let after = std::mem::replace(&mut self.project.live_version, self.project.version);
            self.then(Effect::Live { events, after });
        }
    }

    /// Whether the project as a whole looks different.
    fn shows_project(&self) -> bool {
        let ids = |project: &Project| project.scenes.iter().map(|scene| scene.id.clone()).collect::<Vec<_>>();
        let (before, after) = (self.before, &self.project);
        (before.status(), before.progress()) != (after.status(), after.progress())
            || before.spec != after.spec
            || before.video != after.video
            || before.phase != after.phase
            || ids(before) != ids(after)
    }
}

/// Whether viewers see no difference between two versions of a scene.
fn look_alike(one: &Scene, other: &Scene) -> bool {
    let state = |scene: &Scene| (scene.status(), scene.attempt, scene.progress(), scene.stale, scene.chosen);
    let frames = |scene: &Scene| scene.takes.iter().filter(|take| take.last_frame.is_some()).count();
    state(one) == state(other)
        && (one.takes.len(), frames(one)) == (other.takes.len(), frames(other))
        && one.notes == other.notes
        && one.spec == other.spec
}

/// The size of a stored effect or event, with the comma that follows it.
fn size(stored: &impl serde::Serialize) -> usize {
    serde_json::to_vec(stored).map_or(0, |json| json.len() + 1)
}
