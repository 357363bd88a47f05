//! Jobs as sources of fanout and as what viewers watch, and the hints that the effects of jobs become.

use std::collections::BTreeMap;

use reelhook_domain::{Job, JobEffect, JobId, JobSnapshot, Live, LiveSnapshot, OutboundEvent, OwnerId, Status};

use crate::outbox::messages::{Delayed, PieceMessage, WorkMessage};
use crate::outbox::source::{CreditSource, FanoutSource, Owned};
use crate::views;
use crate::views::view::WebhookView;
use crate::watch::Watched;
use crate::webhooks::events::Callback;

impl Owned for Job {
    fn owner(&self) -> Option<&OwnerId> {
        self.origin.owner.as_ref()
    }
}

impl FanoutSource for Job {
    fn view(&self) -> &'static dyn WebhookView<Self> {
        views::of_jobs(self.kind)
    }

    fn callback(&self, event: OutboundEvent) -> Option<Callback> {
        let url = self.request.callback.clone()?;
        // The end of a video makes the event of its start obsolete.
        let ended = matches!(event, OutboundEvent::VideoCompleted | OutboundEvent::VideoFailed);
        let started = self.emitted.iter().find(|emitted| emitted.event == OutboundEvent::VideoStarted);
        Some(Callback { url, supersedes: started.filter(|_| ended).map(|emitted| emitted.id.clone()) })
    }

    fn live_snapshot(&self, events: &[Live]) -> LiveSnapshot {
        let shows = |one: fn(&Live) -> bool| events.iter().any(one);
        let shows_error = shows(|event| matches!(event, Live::Job | Live::RenderFailed));
        let shows_video = shows(|event| matches!(event, Live::RenderCompleted));
        let shows_render = shows(|event| matches!(event, Live::Step { .. }));
        let steps = self.run.engine.steps();
        let mut step_details = BTreeMap::new();
        for event in events {
            if let Live::Step { number, details: true, .. } = event
                && let Some(details) = steps.and_then(|steps| steps.records.get(number)?.details.as_ref())
            {
                step_details.insert(*number, details.clone());
            }
        }
        LiveSnapshot::Job(JobSnapshot {
            status: self.status,
            progress: self.run.progress,
            current_step: self.run.caption.clone(),
            video_url: self.run.video_url.clone().filter(|_| shows_video),
            error: self.run.error.clone().filter(|_| shows_error),
            render_id: self.render_id().cloned().filter(|_| shows_render),
            step_details,
        })
    }

    fn piece_hint(&self) -> Option<PieceMessage> {
        Some(PieceMessage::Draw { job_id: self.id.clone(), attempt: self.run.attempt })
    }

    fn file_prefixes(&self) -> Vec<String> {
        ["details", "logs", "films"].map(|folder| format!("{folder}/{}/", self.id)).into()
    }
}

impl CreditSource for Job {}

impl Watched for Job {
    fn live_version(&self) -> u64 {
        self.ledger.live_version
    }

    fn has_ended(&self) -> bool {
        self.status.is_final()
    }

    fn is_settled(&self) -> bool {
        match self.status {
            Status::Completed => self.run.engine.steps().is_none() || self.run.video_url.is_some(),
            Status::Cancelled => true,
            Status::Failed | Status::Pending | Status::Processing | Status::Rendering => false,
        }
    }

    fn ending(&self) -> Live {
        Live::Job
    }
}

/// The hint that an effect of a job becomes.
pub fn hint(job: &JobId, effect: &JobEffect) -> Delayed<WorkMessage> {
    let job_id = job.clone();
    match effect {
        JobEffect::CheckRender { render, check, delay_s } => Delayed {
            message: WorkMessage::CheckRender { job_id, render: render.clone(), check: *check },
            delay_s: *delay_s,
        },
        JobEffect::ApplyParked { render } => Delayed::now(WorkMessage::ApplyParked { job_id, render: render.clone() }),
        JobEffect::CancelWorker { attempt, url } => {
            Delayed::now(WorkMessage::CancelWorker { job_id, attempt: *attempt, url: url.clone() })
        }
    }
}
