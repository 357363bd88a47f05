//! Clip jobs as sources of fanout and as what viewers watch, and what the effects of clip jobs become.

use reelhook_domain::{
    ClipEffect, ClipJob, ClipJobId, ClipStatus, ClipsSnapshot, CreditEffect, Live, LiveSnapshot, OutboundEvent,
    OwnerId, Timestamp,
};

use crate::clips::files::key;
use crate::clips::store::NamedSubmission;
use crate::credits::ledger::{Charge, Settlement};
use crate::metrics::life::{EndStatus, Family, Measured, Milestone, notifies_of};
use crate::outbox::fanout::Plan;
use crate::outbox::messages::{Delayed, PieceMessage, WorkMessage};
use crate::outbox::source::{CreditSource, FanoutSource, Owned};
use crate::views::clips::Clips;
use crate::views::view::WebhookView;
use crate::watch::Watched;
use crate::webhooks::events::Callback;

impl Owned for ClipJob {
    fn owner(&self) -> Option<&OwnerId> {
        self.origin.owner.as_ref()
    }
}

impl FanoutSource for ClipJob {
    fn view(&self) -> &'static dyn WebhookView<Self> {
        &Clips
    }

    fn callback(&self, event: OutboundEvent) -> Option<Callback> {
        let url = self.request.callback.clone()?;
        // The end of a job makes the event of its start obsolete.
        let ended =
            matches!(event, OutboundEvent::ClipsCompleted | OutboundEvent::ClipsFailed | OutboundEvent::ClipsCanceled);
        let started = self.emitted.iter().rev().find(|emitted| emitted.event == OutboundEvent::ClipsStarted);
        Some(Callback { url, supersedes: started.filter(|_| ended).map(|emitted| emitted.id.clone()) })
    }

    fn live_snapshot(&self, _events: &[Live]) -> LiveSnapshot {
        LiveSnapshot::Clips(ClipsSnapshot {
            clips_status: self.status,
            clips_progress: self.run.progress,
            stage: self.run.stage.clone(),
            completed: self.run.clips_completed,
            total: self.run.total_clips,
            error: self.error.clone(),
        })
    }

    fn piece_hint(&self) -> Option<PieceMessage> {
        Some(PieceMessage::Clip { job_id: self.id.clone() })
    }

    fn file_prefixes(&self) -> Vec<String> {
        vec![key(&self.id, "")]
    }
}

impl CreditSource for ClipJob {
    fn settlement(&self, effect: &CreditEffect) -> Option<Settlement> {
        let (reservation, charge) = match effect {
            CreditEffect::Settle { reservation, credits, basis } => {
                let job = self.id.uuid().to_owned();
                let description = format!("Clips of job {job}");
                (reservation, Some(Charge { credits: *credits, basis: *basis, job, description }))
            }
            CreditEffect::Release { reservation } => (reservation, None),
        };
        Some(Settlement { account: self.account(), reservation: reservation.clone(), charge, at: self.updated_at })
    }

    fn settlements(&self) -> Vec<Settlement> {
        let at = self.ended_at.unwrap_or(self.updated_at);
        let ends = self.ended_reservations().filter_map(|effect| self.settlement(&effect));
        ends.map(|end| Settlement { at, ..end }).collect()
    }
}

impl Measured for ClipJob {
    fn family(&self) -> Family {
        Family::Clips
    }

    fn milestone(&self) -> Option<Milestone> {
        let first = self.run.attempt == 1;
        let found = [
            (OutboundEvent::ClipsCompleted, Milestone::Ended(EndStatus::Completed)),
            (OutboundEvent::ClipsFailed, Milestone::Ended(EndStatus::Failed)),
            (OutboundEvent::ClipsCanceled, Milestone::Ended(EndStatus::Cancelled)),
        ]
        .into_iter()
        .find(|(event, _)| notifies_of(self, *event))
        .map(|(_, milestone)| milestone);
        found
            .or_else(|| (first && notifies_of(self, OutboundEvent::ClipsStarted)).then_some(Milestone::Started))
            .or_else(|| (self.version == 1).then_some(Milestone::Submitted))
    }

    /// A retry does not say when it was submitted.
    fn submitted_at(&self) -> Option<Timestamp> {
        (self.run.attempt == 1).then_some(self.created_at)
    }

    fn started_at(&self) -> Option<Timestamp> {
        self.started_at
    }

    fn video_seconds(&self) -> Option<f64> {
        let ready = self.clips.iter().filter(|clip| clip.file.is_some());
        let ms: u64 = ready.filter_map(|clip| clip.duration_ms).sum();
        (ms > 0).then_some(ms as f64 / 1e3)
    }
}

impl Watched for ClipJob {
    fn live_version(&self) -> u64 {
        self.live_version
    }

    fn has_ended(&self) -> bool {
        self.status.is_final()
    }

    /// A job that failed or was canceled can be retried, and clips that our renderers cut can be cut again.
    fn is_settled(&self) -> bool {
        self.status == ClipStatus::Succeeded && self.run.engine.own().is_none()
    }

    fn ending(&self) -> Live {
        Live::Clips
    }
}

/// Adds to a plan what an effect of a clip job writes and sends.
pub fn plan(job: &ClipJobId, effect: &ClipEffect, plan: &mut Plan) {
    let job_id = job.clone();
    match effect {
        ClipEffect::Work { delay_s } => {
            plan.work.push(Delayed { message: WorkMessage::Clip { job_id }, delay_s: *delay_s });
        }
        ClipEffect::Index { number, worker_id } => {
            let id = worker_id.as_ref().map_or_else(|| job.external_id(*number), ToString::to_string);
            plan.submissions.push(NamedSubmission { id, job: job_id, number: *number });
        }
        ClipEffect::CancelWork { number } => {
            plan.work.push(Delayed::now(WorkMessage::CancelClip { job_id, number: *number }));
        }
    }
}
