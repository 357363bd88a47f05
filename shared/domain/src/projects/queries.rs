//! What others ask of a project: its tasks, what is to be done about them, and the files that they need.

use crate::projects::graph;
use crate::projects::media::File;
use crate::projects::policy::ProjectPolicy;
use crate::projects::project::{Phase, Project, ProjectPiece};
use crate::projects::scene::{Scene, SceneSpec, SceneState};
use crate::projects::stitch::{Input, NodeState, Takes};
use crate::projects::task::{Stage, Target, Task, TaskRef, TaskState, TaskWork};
use crate::{RenderId, SceneId, Timestamp};

/// The share of the scenes in the progress of a project, in percent; the stitch has the rest.
const SCENES_SHARE: usize = 90;
/// The progress before the end at most.
const UNFINISHED: u8 = 99;

impl Project {
    /// The tasks under way, each with its reference: those of the scenes in order, then those of the stitch.
    pub fn tasks(&self) -> impl Iterator<Item = (TaskRef, &Task)> {
        let of_scenes = self.scenes.iter().filter_map(|scene| {
            let (target, task) = match &scene.state {
                SceneState::Generating(task) => (Target::Video(scene.id.clone()), task),
                SceneState::Generated(task) => (Target::Frame(scene.id.clone()), task),
                SceneState::Draft
                | SceneState::Ready
                | SceneState::FrameFailed { .. }
                | SceneState::Verified
                | SceneState::Approved
                | SceneState::Rejected
                | SceneState::Revision => return None,
            };
            Some((TaskRef { target, run: scene.attempt, number: task.number }, task))
        });
        of_scenes.chain(self.stitch.iter().flat_map(|stitch| stitch.tasks()))
    }

    /// The task that a reference names; none unless its run and number are the present ones.
    pub fn task(&self, task: &TaskRef) -> Option<&Task> {
        let found = match &task.target {
            Target::Video(scene) | Target::Frame(scene) => {
                self.scene(scene).filter(|scene| scene.attempt == task.run)?.task(task.stage())?
            }
            Target::Stitch(node) => self.stitch.as_ref().filter(|stitch| stitch.generation == task.run)?.task(*node)?,
        };
        (found.number == task.number).then_some(found)
    }

    /// Like [`Self::task`], to change it.
    pub(super) fn task_mut(&mut self, task: &TaskRef) -> Option<&mut Task> {
        let found = match &task.target {
            Target::Video(scene) | Target::Frame(scene) => {
                let scene = self.scenes.iter_mut().find(|found| found.id == *scene)?;
                if scene.attempt != task.run {
                    return None;
                }
                scene.task_mut(task.stage())?
            }
            Target::Stitch(node) => {
                self.stitch.as_mut().filter(|stitch| stitch.generation == task.run)?.task_mut(*node)?
            }
        };
        if found.number == task.number { Some(found) } else { None }
    }

    /// The present task of this stage that the service knows under this id.
    pub fn task_ref_by_id(&self, stage: Stage, id: &RenderId) -> Option<TaskRef> {
        self.tasks().find(|(task, found)| task.stage() == stage && found.id() == Some(id)).map(|(task, _)| task)
    }

    /// The submission under way that a report about a scene, or about the stitch, means which has this id of the service or
    /// none. An id that is not the known one belongs to another submission, and a task that waits has not been submitted.
    pub fn open_submission(&self, stage: Stage, scene: Option<&SceneId>, id: Option<&RenderId>) -> Option<TaskRef> {
        if let Some(task) = id.and_then(|id| self.task_ref_by_id(stage, id)).filter(|task| task.scene() == scene) {
            return Some(task);
        }
        let mut possible = self.tasks().filter(|(task, found)| {
            let waits = matches!(found.state, TaskState::Waiting { .. });
            task.stage() == stage && task.scene() == scene && !waits && (id.is_none() || found.id().is_none())
        });
        let (first, _) = possible.next()?;
        possible.next().is_none().then_some(first)
    }

    /// Whether an id of the service which is not known may be that of an earlier submission than this one, whose id is not
    /// known either: nothing but the submission's name or token then says which of them is meant.
    pub fn may_be_of_earlier(&self, task: &TaskRef, id: Option<&RenderId>) -> bool {
        let is_first = task.run <= 1 && task.number <= 1;
        id.is_some() && !is_first && self.task(task).is_some_and(|found| found.id().is_none())
    }

    /// The index of the scene whose video a task may still make although the attempt has failed: it is paid for.
    pub(super) fn late_video(&self, task: &TaskRef) -> Option<usize> {
        let Target::Video(scene) = &task.target else { return None };
        let index = self.index_of(scene)?;
        let scene = &self.scenes[index];
        (scene.attempt == task.run && scene.awaits_late_video()).then_some(index)
    }

    /// Whether nobody waits for what a service makes of a task under this id: the task is not under way, or under another
    /// id, or the project has stopped. A video whose attempt has failed is kept when it comes late, and what has made a take or the present stitch is not unwanted, because a cancellation
    /// could remove its files.
    pub fn is_unwanted(&self, task: &TaskRef, id: &RenderId) -> bool {
        let is_stopped = self.deleted_at.is_some() || matches!(self.phase, Phase::Failed(_) | Phase::Cancelled);
        let is_made = match &task.target {
            Target::Video(scene) | Target::Frame(scene) => {
                let takes = self.scene(scene).map(|scene| scene.takes.as_slice()).unwrap_or_default();
                takes.iter().any(|take| take.attempt == task.run)
            }
            Target::Stitch(_) => !is_stopped && task.run == self.generations,
        };
        let is_awaited = match self.task(task) {
            Some(found) => !is_stopped && found.id().is_none_or(|known| known == id),
            None => self.late_video(task).is_some() && self.deleted_at.is_none() && self.phase != Phase::Cancelled,
        };
        !is_made && !is_awaited
    }

    /// What the launcher does now: submissions of frames and stitches, look-ups, and polls. Videos that wait for slots are
    /// not in it ([`Self::next_video`]).
    pub fn work(&self, now: Timestamp, policy: &ProjectPolicy) -> Vec<TaskWork> {
        if self.phase != Phase::Running {
            return Vec::new();
        }
        let work = self.tasks().filter_map(|(task, found)| match &found.state {
            TaskState::Waiting { .. } if task.stage() == Stage::Video => None,
            TaskState::Waiting { .. } => found.can_be_claimed(now).then_some(TaskWork::Submit(task)),
            TaskState::Unclear { next_at: Some(at), .. }
                if *at <= now && policy.stage(task.stage()).backend.has_list() =>
            {
                Some(TaskWork::LookUp(task))
            }
            TaskState::Submitted { id, next_at, .. } if *next_at <= now => Some(TaskWork::Poll(task, id.clone())),
            TaskState::Unclear { .. } | TaskState::Submitted { .. } | TaskState::Submitting { .. } | TaskState::Own => {
                None
            }
        });
        work.collect()
    }

    /// The waiting video that gets the next slot: the first in order that may be submitted now and that the budget allows.
    pub fn next_video(&self, now: Timestamp, policy: &ProjectPolicy) -> Option<TaskRef> {
        if self.phase != Phase::Running {
            return None;
        }
        let scene = self.scenes.iter().find(|scene| {
            scene.task(Stage::Video).is_some_and(|task| {
                let is_paid = task.deadline.is_some() || self.can_pay(policy.video_cost(&scene.spec));
                task.can_be_claimed(now) && is_paid
            })
        })?;
        let number = scene.task(Stage::Video)?.number;
        Some(TaskRef { target: Target::Video(scene.id.clone()), run: scene.attempt, number })
    }

    /// The key in the admission item of the slot that a video holds; none if it holds none. It has the number of the
    /// claim, so that the late end of one claim does not free the slot of the next.
    pub fn slot(&self, task: &TaskRef) -> Option<String> {
        self.held_slot(task, self.task(task)?)
    }

    /// The keys of the slots that its videos hold.
    pub fn slots(&self) -> impl Iterator<Item = String> {
        self.tasks().filter_map(move |(task, found)| self.held_slot(&task, found))
    }

    fn held_slot(&self, task: &TaskRef, found: &Task) -> Option<String> {
        let is_at_service = match found.state {
            TaskState::Submitting { .. } | TaskState::Unclear { .. } | TaskState::Submitted { .. } => true,
            TaskState::Waiting { .. } | TaskState::Own => false,
        };
        let holds = task.stage() == Stage::Video && is_at_service;
        holds.then(|| match found.claims {
            // It was claimed before claims were counted.
            0 => format!("{}.{task}", self.id),
            claim => format!("{}.{task}.{claim}", self.id),
        })
    }

    /// Whether a video of it waits for a slot.
    pub fn waits_for_slot(&self) -> bool {
        self.waits_for_slot_since().is_some()
    }

    /// Its place among the projects that wait for slots, the earliest first: when it last got one, or the time before which
    /// none of its videos may be submitted; none if no video waits.
    pub fn waits_for_slot_since(&self) -> Option<Timestamp> {
        let ready_at = self.videos_ready_at()?;
        Some(if ready_at > self.updated_at { ready_at } else { self.served_at })
    }

    /// The first time at which a waiting video may be submitted; none if none waits.
    pub(super) fn videos_ready_at(&self) -> Option<Timestamp> {
        if self.phase != Phase::Running {
            return None;
        }
        let waiting = self.scenes.iter().filter_map(|scene| scene.task(Stage::Video));
        waiting.filter_map(Task::ready_at).min()
    }

    /// Its progress, 0 to 100.
    pub fn progress(&self) -> u8 {
        if self.phase == Phase::Completed {
            return 100;
        }
        let scenes: usize = self.scenes.iter().map(|scene| usize::from(scene.progress())).sum();
        let stitch = self.stitch.as_ref().map_or(0, |stitch| usize::from(stitch.progress()));
        let scenes = scenes / self.scenes.len().max(1) * SCENES_SHARE;
        u8::try_from((scenes + stitch * (100 - SCENES_SHARE)) / 100).unwrap_or(100).min(UNFINISHED)
    }

    /// The scene that a running project waits for, and which only a person continues; none while anything is under way.
    pub fn waiting_for(&self) -> Option<&Scene> {
        let is_idle = self.phase == Phase::Running
            && self.tasks().next().is_none()
            && graph::startable(&self.scenes).is_empty()
            && self.verified_takes().is_none();
        let waits = |scene: &&Scene| matches!(scene.state, SceneState::Draft | SceneState::Rejected);
        self.scenes.iter().filter(|_| is_idle).find(waits)
    }

    /// The project without what a list does not show, which takes most of its memory: what its scenes say, takes that do
    /// not count, and what it causes. It must not be saved.
    pub fn abridged(mut self) -> Self {
        for scene in &mut self.scenes {
            let take = scene.take().cloned();
            scene.takes = take.into_iter().collect();
            scene.spec = SceneSpec::default();
            scene.notes = String::new();
        }
        self.pieces.list = Vec::new();
        Self { emitted: Vec::new(), outbox: Vec::new(), ..self }
    }

    /// The files that a node of the stitch joins, in order; none unless all are there.
    pub fn inputs(&self, node: u16) -> Option<Vec<File>> {
        let stitch = self.stitch.as_ref()?;
        let file = |input: &Input| match input {
            Input::Take(take) => {
                let (scene, attempt) = stitch.takes.get(usize::from(*take))?;
                self.take_file(scene, *attempt)
            }
            Input::Node(node) => match &stitch.nodes.get(usize::from(*node))?.state {
                NodeState::Done(video) => Some(video.file.clone()),
                NodeState::Blocked | NodeState::Running(_) => None,
            },
        };
        stitch.nodes.get(usize::from(node))?.inputs.iter().map(file).collect()
    }

    fn take_file(&self, scene: &SceneId, attempt: u32) -> Option<File> {
        let take = self.scene(scene)?.takes.iter().find(|take| take.attempt == attempt)?;
        Some(take.video.file.clone())
    }

    /// The first frame of a scene: the last frame of the take that counts of the scene that it depends on, else the client's.
    pub fn first_frame_of(&self, scene: &SceneId) -> Option<File> {
        let index = self.index_of(scene)?;
        let before = graph::dependency(&self.scenes, index).and_then(|before| self.scenes[before].take());
        let client = || self.scenes[index].spec.first_frame.clone().map(File::outside);
        before.and_then(|take| take.last_frame.clone()).or_else(client)
    }

    /// The scene and the attempt whose last frame is the first frame of a scene now; none if that is the client's, or none.
    pub(super) fn frame_giver(&self, index: usize) -> Option<(SceneId, u32)> {
        let before = &self.scenes[graph::dependency(&self.scenes, index)?];
        let take = before.take().filter(|take| take.last_frame.is_some())?;
        Some((before.id.clone(), take.attempt))
    }

    /// The first frame that the present attempt of a scene was given.
    pub(super) fn given_frame(&self, scene: &Scene) -> Option<File> {
        match &scene.given {
            Some((giver, attempt)) => {
                let take = self.scene(giver)?.takes.iter().find(|take| take.attempt == *attempt)?;
                take.last_frame.clone()
            }
            None => scene.spec.first_frame.clone().map(File::outside),
        }
    }

    /// The piece that a renderer claimed under this number.
    pub fn claimed_piece(&self, claim: u32) -> Option<&ProjectPiece> {
        self.pieces.claimed(claim).map(|index| &self.pieces.list[index].task)
    }

    /// The takes of all scenes in order; none unless there are scenes and all of them are verified.
    pub fn verified_takes(&self) -> Option<Takes> {
        let take = |scene: &Scene| {
            let take = scene.take().filter(|_| scene.is_verified())?;
            Some((scene.id.clone(), take.attempt))
        };
        if self.scenes.is_empty() { None } else { self.scenes.iter().map(take).collect() }
    }

    /// Whether the budget allows a cost in millionths of a dollar, beside what was spent.
    pub fn can_pay(&self, cost: u64) -> bool {
        cost == 0 || self.spec.budget.is_none_or(|budget| self.spent.saturating_add(cost) <= budget)
    }

    /// The index of the scene with this id.
    pub(super) fn index_of(&self, scene: &SceneId) -> Option<usize> {
        self.scenes.iter().position(|found| found.id == *scene)
    }

    /// The reference of the task for which our renderers have a piece; none for copies, and for what is not under way.
    pub(super) fn task_of_piece(&self, piece: &ProjectPiece) -> Option<TaskRef> {
        let (target, run) = match piece {
            ProjectPiece::Card { scene, attempt } => (Target::Video(scene.clone()), *attempt),
            ProjectPiece::LastFrame { scene, attempt } => (Target::Frame(scene.clone()), *attempt),
            ProjectPiece::Concat { generation } => (Target::Stitch(0), *generation),
            ProjectPiece::Copy { .. } | ProjectPiece::CopyFinal { .. } => return None,
        };
        let is_own = |(task, found): &(TaskRef, &Task)| {
            task.target == target && task.run == run && found.state == TaskState::Own
        };
        self.tasks().find(is_own).map(|(task, _)| task)
    }

    /// The time at which the launcher next has something to do; none if it has nothing.
    pub(super) fn next_work(&self) -> Option<Timestamp> {
        if self.phase != Phase::Running {
            return None;
        }
        let at = |(task, found): (TaskRef, &Task)| match found.state {
            TaskState::Waiting { ready_at } => (task.stage() != Stage::Video).then_some(ready_at),
            TaskState::Unclear { next_at, .. } => next_at,
            TaskState::Submitted { next_at, .. } => Some(next_at),
            TaskState::Submitting { .. } | TaskState::Own => None,
        };
        self.tasks().filter_map(at).min()
    }
}
