//! Projects as sources of fanout and as what viewers watch, and what the effects of projects become.

use reelhook_domain::projects::effect::ProjectEffect;
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::task::TaskRef;
use reelhook_domain::{
    Live, LiveSnapshot, OutboundEvent, OwnerId, ProjectId, ProjectSnapshot, SceneId, SceneSnapshot, Timestamp,
};

use crate::metrics::life::{EndStatus, Family, Measured, Milestone, notifies_of};
use crate::outbox::fanout::Plan;
use crate::outbox::messages::{Delayed, PieceMessage, WorkMessage};
use crate::outbox::source::{CreditSource, FanoutSource, Owned};
use crate::projects::links;
use crate::projects::lookup::Lookup;
use crate::views::scenes::Scenes;
use crate::views::view::WebhookView;
use crate::watch::Watched;

impl Owned for Project {
    fn owner(&self) -> Option<&OwnerId> {
        self.origin.owner.as_ref()
    }
}

impl FanoutSource for Project {
    fn view(&self) -> &'static dyn WebhookView<Self> {
        &Scenes
    }

    fn live_snapshot(&self, events: &[Live]) -> LiveSnapshot {
        let shown = events.iter().filter_map(|event| match event {
            Live::Scene { id } => self.scene(id),
            Live::Project
            | Live::Job
            | Live::Step { .. }
            | Live::Render { .. }
            | Live::RenderCompleted
            | Live::RenderFailed
            | Live::Clip { .. }
            | Live::Clips => None,
        });
        let scenes = shown.map(|scene| {
            let (status, attempt, progress) = (scene.status(), scene.attempt, scene.progress());
            (scene.id.clone(), SceneSnapshot { status, attempt, progress })
        });
        LiveSnapshot::Project(ProjectSnapshot {
            project_status: self.status(),
            project_progress: self.progress(),
            error: self.error().map(str::to_owned),
            scenes: scenes.collect(),
        })
    }

    fn piece_hint(&self) -> Option<PieceMessage> {
        Some(PieceMessage::Project { project_id: self.id.clone() })
    }

    fn file_prefixes(&self) -> Vec<String> {
        vec![links::key(&self.id, "")]
    }
}

impl CreditSource for Project {}

impl Measured for Project {
    fn family(&self) -> Family {
        Family::Project
    }

    /// A project is submitted when it is started: before, it is a draft.
    fn milestone(&self) -> Option<Milestone> {
        [
            (OutboundEvent::ProjectStarted, Milestone::Submitted),
            (OutboundEvent::ProjectCompleted, Milestone::Ended(EndStatus::Completed)),
            (OutboundEvent::ProjectFailed, Milestone::Ended(EndStatus::Failed)),
            (OutboundEvent::ProjectCancelled, Milestone::Ended(EndStatus::Cancelled)),
        ]
        .into_iter()
        .find(|(event, _)| notifies_of(self, *event))
        .map(|(_, milestone)| milestone)
    }

    fn submitted_at(&self) -> Option<Timestamp> {
        self.started_at
    }

    fn started_at(&self) -> Option<Timestamp> {
        self.started_at
    }

    fn video_seconds(&self) -> Option<f64> {
        let ms = self.video.as_ref()?.video.duration_ms?;
        Some(ms as f64 / 1e3)
    }
}

impl Watched for Project {
    fn live_version(&self) -> u64 {
        self.live_version
    }

    fn has_ended(&self) -> bool {
        self.status().is_final()
    }

    /// A command can continue every project: scenes of a completed one may be generated again.
    fn is_settled(&self) -> bool {
        false
    }

    fn ending(&self) -> Live {
        Live::Project
    }
}

/// Adds to a plan what an effect of a project writes and sends.
pub fn plan(project: &ProjectId, effect: &ProjectEffect, plan: &mut Plan) {
    let project_id = project.clone();
    match effect {
        ProjectEffect::Tasks { delay_s } => {
            plan.work.push(Delayed { message: WorkMessage::Tasks { project_id }, delay_s: *delay_s });
        }
        ProjectEffect::StartScenes { delay_s } => {
            let message = WorkMessage::StartScenes { projects: vec![project_id] };
            plan.work.push(Delayed { message, delay_s: *delay_s });
        }
        ProjectEffect::FreeSlot { slot } => {
            plan.scene_slots.push(slot.clone());
            plan.work.push(Delayed::now(WorkMessage::start_scenes()));
        }
        ProjectEffect::IndexScenes { scenes } => {
            let scenes = scenes.iter().filter_map(|scene| SceneId::parse(scene).ok());
            plan.lookups.extend(scenes.map(|scene| Lookup::Scene { scene, project: project.clone() }));
            plan.work.push(Delayed::now(WorkMessage::ApplyEarly { project_id }));
        }
        ProjectEffect::IndexTask { stage, id, task } => {
            plan.lookups.extend(TaskRef::parse(task).map(|task| Lookup::Task {
                stage: *stage,
                id: id.clone(),
                project: project.clone(),
                task,
            }));
            plan.work.push(Delayed::now(WorkMessage::ApplyEarly { project_id }));
        }
        ProjectEffect::CancelTask { stage, id } => {
            plan.work.push(Delayed::now(WorkMessage::CancelTask { project_id, stage: *stage, id: id.clone() }));
        }
    }
}
