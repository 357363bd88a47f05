//! The one place in which a project changes: `decide(project, event, now, policy)`, without I/O.

mod advance;
mod budget;
mod change;
mod commands;
mod due;
mod edits;
mod generate;
mod launches;
mod outcomes;
mod pieces;
mod reports;
mod size;
mod tasks;
mod timers;

use crate::pieces::Pieces;
use crate::projects::effect::ProjectEffect;
use crate::projects::event::{Event, NewScene};
use crate::projects::graph;
use crate::projects::policy::ProjectPolicy;
use crate::projects::project::{MAX_BYTES, MAX_SCENES, Phase, Project, ProjectSpec};
use crate::projects::reasons::{Ignored, Rejected};
use crate::{Aggregate, Decision, Effect, Emitted, HistorySource, Origin, ProjectId, Subject, Timestamp};
use change::{Change, Outcome, Refusal};

/// A project that a client creates.
#[derive(Debug, Clone, PartialEq)]
pub struct NewProject {
    /// The id.
    pub id: ProjectId,
    /// What the client said about it.
    pub spec: ProjectSpec,
    /// Its scenes; those without a number get their place as their number.
    pub scenes: Vec<NewScene>,
    /// Where it came from.
    pub origin: Origin,
}

/// Creates a project: version 1, a draft, with its scenes in the natural order of their numbers.
///
/// # Errors
/// [`Rejected::TooManyScenes`], [`Rejected::TooLarge`] and [`Rejected::Graph`].
pub fn create(new: NewProject, now: Timestamp, policy: &ProjectPolicy) -> Result<Project, Rejected> {
    if new.scenes.len() > MAX_SCENES {
        return Err(Rejected::TooManyScenes);
    }
    let mut scenes = Vec::new();
    let ids: Vec<String> = new.scenes.iter().map(|scene| scene.id.to_string()).collect();
    for scene in new.scenes {
        edits::insert(&mut scenes, scene);
    }
    if size::bytes(&new.spec, &scenes) > MAX_BYTES {
        return Err(Rejected::TooLarge);
    }
    graph::check(&scenes).map_err(Rejected::Graph)?;
    let outbox = if ids.is_empty() { vec![] } else { vec![ProjectEffect::IndexScenes { scenes: ids }.into()] };
    Ok(Project {
        id: new.id,
        version: 1,
        spec: new.spec,
        origin: new.origin,
        created_at: now,
        updated_at: now,
        started_at: None,
        ended_at: None,
        deleted_at: None,
        phase: Phase::Draft,
        scenes,
        removed_attempts: 0,
        stitch: None,
        generations: 0,
        video: None,
        pieces: Pieces::new(Vec::new(), now, &policy.pieces()),
        spent: 0,
        served_at: now,
        hinted_at: None,
        due_at: None,
        live_version: 0,
        emitted: Vec::new(),
        outbox,
    })
}

/// Decides what `event` does to `project` at `now`.
///
/// Contract: docs/contract/scenes.md. Each `Apply` is the next version, and only an `Apply` has effects.
pub fn decide(project: &Project, event: &Event, now: Timestamp, policy: &ProjectPolicy) -> Decision<Project> {
    let mut change = Change::of(project, now, policy);
    let outcome = match project.deleted_at {
        None => apply(&mut change, event).and_then(|()| size::check(&change, event)),
        Some(_) => apply_to_deleted(&mut change, event),
    };
    match outcome {
        Ok(()) => {
            advance::advance(&mut change);
            Decision::Apply(Box::new(change.finish()))
        }
        Err(Refusal::Ignored(reason)) => Decision::Ignore(reason),
        Err(Refusal::Rejected(reason)) => Decision::Reject(reason),
    }
}

fn apply(change: &mut Change<'_>, event: &Event) -> Outcome {
    match event {
        Event::Start => commands::start(change),
        Event::Cancel => commands::cancel(change),
        Event::Stitch => commands::stitch(change),
        Event::Delete => commands::delete(change),
        Event::Generate { scenes, cascade } => generate::generate(change, scenes, *cascade),
        Event::Retry { scene } => generate::retry(change, scene.as_ref()),
        Event::Edit(patch) => edits::edit(change, patch),
        Event::AddScenes(scenes) => edits::add_scenes(change, scenes),
        Event::EditScene { scene, patch } => edits::edit_scene(change, scene, patch),
        Event::RemoveScene(scene) => edits::remove_scene(change, scene),
        Event::ClaimTask(task) => launches::claim(change, task),
        Event::Submitted { task, id, status_url } => launches::submitted(change, task, id, status_url.as_ref()),
        Event::SubmissionRefused { task, error, wait, permanent } => {
            launches::refused(change, task, error, *wait, *permanent)
        }
        Event::SubmissionLost { task } => launches::lost(change, task),
        Event::LookedUp { task, found, answered } => launches::looked_up(change, task, found.as_ref(), *answered),
        Event::Reported { task, id, report, polled, early } => {
            reports::reported(change, task, id.as_ref(), report, *polled)?;
            if let Some(about) = early {
                change.resolve_unknown(about);
            }
            Ok(())
        }
        Event::ClaimPiece => pieces::claim(change),
        Event::PieceProgressed { claim, units } => pieces::progressed(change, *claim, *units),
        Event::PieceDone { claim, output } => pieces::done(change, *claim, output),
        Event::PieceFailed { claim, error, permanent } => pieces::failed(change, *claim, error, *permanent),
        Event::Tick => timers::tick(change),
    }
}

/// A deleted project only cancels what is still under way.
fn apply_to_deleted(change: &mut Change<'_>, event: &Event) -> Outcome {
    match event {
        Event::Start
        | Event::Cancel
        | Event::Stitch
        | Event::Delete
        | Event::Generate { .. }
        | Event::Retry { .. }
        | Event::Edit(_)
        | Event::AddScenes(_)
        | Event::EditScene { .. }
        | Event::RemoveScene(_) => Err(Rejected::Deleted.into()),
        Event::ClaimTask(_)
        | Event::Submitted { .. }
        | Event::SubmissionRefused { .. }
        | Event::SubmissionLost { .. }
        | Event::LookedUp { .. }
        | Event::Reported { .. }
        | Event::ClaimPiece
        | Event::PieceProgressed { .. }
        | Event::PieceDone { .. }
        | Event::PieceFailed { .. } => Err(Ignored::FinalProject.into()),
        Event::Tick => timers::tick(change),
    }
}

impl HistorySource for Project {}

impl Aggregate for Project {
    type Id = ProjectId;
    type Event = Event;
    type Policy = ProjectPolicy;
    type Ignored = Ignored;
    type Rejected = Rejected;

    fn id(&self) -> &ProjectId {
        &self.id
    }

    fn subject(&self) -> Subject {
        Subject::Project(self.id.clone())
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    fn outbox(&self) -> &[Effect] {
        &self.outbox
    }

    fn emitted(&self) -> &[Emitted] {
        &self.emitted
    }

    fn traceparent(&self) -> Option<&str> {
        self.origin.traceparent.as_deref()
    }

    fn tick() -> Event {
        Event::Tick
    }

    fn decide(&self, event: &Event, now: Timestamp, policy: &ProjectPolicy) -> Decision<Self> {
        decide(self, event, now, policy)
    }
}
