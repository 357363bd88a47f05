//! Jobs as sources of fanout and as what viewers watch, and the hints that the effects of jobs become.

use std::collections::BTreeMap;

use async_trait::async_trait;
use reelhook_domain::{
    Effect, Job, JobEffect, JobId, JobKind, Live, LiveSnapshot, OutboundEvent, OwnerId, Status, Subject, Timestamp,
};

use crate::change::AggregateStore;
use crate::metrics::life::{EndStatus, Family, Measured, Milestone};
use crate::outbox::messages::{Delayed, PieceMessage, WorkMessage};
use crate::outbox::rows::{StoredLive, live_of};
use crate::outbox::source::{CreditSource, FanoutSource, Owned};
use crate::store::StoreError;
use crate::views;
use crate::views::view::WebhookView;
use crate::watch::{LiveStore, STREAM_KEEPS, Watched};
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
        self.live_snapshot(events)
    }

    fn piece_hint(&self) -> Option<PieceMessage> {
        Some(PieceMessage::Draw { job_id: self.id.clone(), attempt: self.run.attempt })
    }

    fn file_prefixes(&self) -> Vec<String> {
        ["details", "logs", "films"].map(|folder| format!("{folder}/{}/", self.id)).into()
    }
}

impl CreditSource for Job {}

impl Measured for Job {
    fn family(&self) -> Family {
        match self.kind {
            JobKind::Workflow => Family::Workflow,
            JobKind::Video => Family::Video,
        }
    }

    /// The launcher measures starts: most versions that start a job need nothing of fanout.
    fn milestone(&self) -> Option<Milestone> {
        let entered = self.outbox.iter().find_map(|effect| match effect {
            Effect::Count { status, entered: true, .. } => Some(*status),
            _ => None,
        });
        match entered {
            Some(Status::Completed) => Some(Milestone::Ended(EndStatus::Completed)),
            Some(Status::Failed) => Some(Milestone::Ended(EndStatus::Failed)),
            Some(Status::Cancelled) => Some(Milestone::Ended(EndStatus::Cancelled)),
            Some(Status::Pending | Status::Processing | Status::Rendering) => None,
            None => (self.version == 1).then_some(Milestone::Submitted),
        }
    }

    fn submitted_at(&self) -> Option<Timestamp> {
        Some(self.retries.by_hand_at.unwrap_or(self.created_at))
    }

    fn started_at(&self) -> Option<Timestamp> {
        self.run.times.started_at
    }

    fn video_seconds(&self) -> Option<f64> {
        let videos = self.videos().len();
        self.plan().filter(|_| videos > 0).map(|plan| plan.seconds() * videos as f64)
    }
}

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

/// Live events: those of a job are on its item until they are packed into rows, those of all others are in rows. Where rows
/// lag, later events wait for them, as they do where each version has a row.
pub struct KeptLive<R, J> {
    /// The rows.
    pub rows: R,
    /// The jobs.
    pub jobs: J,
}

#[async_trait]
impl<R: LiveStore, J: AggregateStore<Job>> LiveStore for KeptLive<R, J> {
    async fn live_since(
        &self,
        subject: &Subject,
        after: u64,
        limit: i32,
    ) -> Result<Vec<(u64, StoredLive)>, StoreError> {
        let job = match subject.job() {
            Some(id) => self.jobs.load(id).await?,
            None => None,
        };
        let Some(job) = job else { return self.rows.live_since(subject, after, limit).await };
        let kept = live_of(&job.kept(), after);
        let mut found: BTreeMap<u64, StoredLive> = BTreeMap::new();
        if after < job.kept_since() {
            // The item was read first, so that no version is missed that is packed meanwhile.
            found.extend(self.rows.live_since(subject, after, limit).await?);
            let reached = found.last_key_value().map_or(after, |(version, _)| *version);
            let comes = |at: Timestamp| job.updated_at <= at.after(STREAM_KEEPS);
            if kept.first().is_some_and(|(_, first)| first.after() > reached && first.at().is_some_and(comes)) {
                // Fanout has not written yet what was packed before that: a viewer that saw the later events now would
                // never see those between.
                return Ok(found.into_iter().collect());
            }
        }
        found.extend(kept);
        Ok(found.into_iter().take(usize::try_from(limit).unwrap_or_default()).collect())
    }

    /// What the item keeps was written when its version was made.
    async fn written_at(&self, subject: &Subject, version: u64) -> Result<Option<Timestamp>, StoreError> {
        let job = match subject.job() {
            Some(id) => self.jobs.load(id).await?,
            None => None,
        };
        let kept = job.and_then(|job| job.kept().iter().find(|of| of.version == version).map(|of| of.at));
        match kept {
            Some(at) => Ok(Some(at)),
            None => self.rows.written_at(subject, version).await,
        }
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
