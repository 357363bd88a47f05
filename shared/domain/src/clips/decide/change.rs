//! A clip job on the way to its next version: the effects that several events share, and the end of every change.

use serde_json::Map;

use super::{bounds, due};
use crate::clips::effect::ClipEffect;
use crate::clips::job::{ClipJob, ClipPiece};
use crate::clips::policy::ClipPolicy;
use crate::clips::reasons::{Ignored, Rejected};
use crate::clips::run::WorkerRun;
use crate::clips::status::ClipStatus;
use crate::errors::cause::{Cause, Raise, Resolve};
use crate::outbox::hint::next_hint;
use crate::pieces::Piece;
use crate::{Effect, Emitted, Live, OutboundEvent, Recipients, Timestamp, brief};

/// The units of a piece: renderers report percent.
pub(super) const PERCENT: u32 = 100;
/// Pieces of one job on which renderers work at once, so that pieces of others get their turn.
pub(super) const AT_ONCE: usize = 8;
/// Viewers see each such step of the progress, in percent.
const SHOWN_STEP: u8 = 10;

/// Why an event does not change a job.
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

/// Whether an event changes a job.
pub(super) type Outcome = Result<(), Refusal>;

/// A job that is being changed.
pub(super) struct Change<'a> {
    pub job: ClipJob,
    pub before: &'a ClipJob,
    pub now: Timestamp,
    pub policy: &'a ClipPolicy,
    effects: Vec<Effect>,
    /// The pieces that were added.
    opened: usize,
    /// The clips that are there since this change.
    ready: Vec<u32>,
}

impl<'a> Change<'a> {
    pub fn of(before: &'a ClipJob, now: Timestamp, policy: &'a ClipPolicy) -> Self {
        Self { job: before.clone(), before, now, policy, effects: Vec::new(), opened: 0, ready: Vec::new() }
    }

    pub fn then(&mut self, effect: impl Into<Effect>) {
        self.effects.push(effect.into());
    }

    /// Whether its present attempt is under way.
    pub fn is_active(&self) -> bool {
        !self.job.status.is_final()
    }

    /// The run whose present submission has this number, as long as it is under way.
    pub fn submission(&self, number: u32) -> Result<&WorkerRun, Refusal> {
        let run = self.job.run.engine.worker().filter(|run| run.number == number).ok_or(Ignored::Stale)?;
        if self.is_active() { Ok(run) } else { Err(Ignored::Ended.into()) }
    }

    /// Like [`Self::submission`], to change it.
    pub fn submission_mut(&mut self, number: u32) -> Result<&mut WorkerRun, Refusal> {
        self.submission(number)?;
        self.job.run.engine.worker_mut().ok_or_else(|| Ignored::Stale.into())
    }

    /// The attempt is under way at the worker or at a renderer.
    pub fn begin_running(&mut self) {
        if self.job.status == ClipStatus::Queued {
            self.job.status = ClipStatus::Running;
            self.job.started_at = Some(self.now);
        }
    }

    /// Raises the progress; within an attempt it never falls.
    pub fn progress(&mut self, percent: u8) {
        self.job.run.progress = self.job.run.progress.max(percent.min(100));
    }

    /// Says what the job does at present.
    pub fn stage(&mut self, stage: &str) {
        self.job.run.stage = bounds::text(stage, bounds::STAGE);
    }

    /// Counts the clips that are there; within an attempt the number never falls.
    pub fn count_clips(&mut self) {
        let ready = u32::try_from(self.job.ready_clips()).unwrap_or(u32::MAX);
        self.job.run.clips_completed = self.job.run.clips_completed.max(ready);
    }

    /// Shows viewers a clip that is there.
    pub fn show(&mut self, clip: u32) {
        self.ready.push(clip);
    }

    /// A clip is there, before its job has ended or because it was cut again: subscribers are notified.
    pub fn publish(&mut self, clip: u32) {
        self.show(clip);
        self.notify(OutboundEvent::ClipReady, Some(clip));
    }

    /// Notifies subscribers about the job, or about one of its clips.
    pub fn notify(&mut self, event: OutboundEvent, clip: Option<u32>) {
        let to = match self.job.request.callback {
            Some(_) => Recipients::SubscribersAndCallback,
            None => Recipients::Subscribers,
        };
        self.then(Effect::Notify { event, to: Some(to), about: clip.map(|index| index.to_string()) });
    }

    /// Raises an error about the job.
    pub fn raise(&mut self, cause: Cause, message: String, error: &str) {
        let about = self.job.id.uuid().to_owned();
        let mut context = Map::new();
        context.insert("job_id".to_owned(), about.clone().into());
        context.insert("attempt".to_owned(), self.job.run.attempt.into());
        context.insert("error".to_owned(), brief(error).into());
        self.then(Effect::RaiseError(Raise { cause, about, message, context }));
    }

    /// The error of this cause about the job has no cause any more.
    pub fn resolve(&mut self, cause: Cause) {
        self.then(Effect::ResolveError(Resolve { cause, about: self.job.id.uuid().to_owned() }));
    }

    /// Adds a piece; the aftermath comes after all others.
    pub fn open(&mut self, task: ClipPiece) {
        let (now, policy) = (self.now, self.policy.pieces());
        let mut list = std::mem::take(&mut self.job.pieces.list);
        let aftermath = list.iter().position(|piece| piece.task.is_aftermath()).unwrap_or(list.len());
        let place = if task.is_aftermath() { list.len() } else { aftermath };
        list.insert(place, Piece::new(task, PERCENT));
        self.job.pieces.begin_stage(list, now, &policy);
        self.opened += 1;
    }

    /// Ends the change: version, hints, due time and outbox follow from the new state of the job.
    pub fn finish(mut self) -> ClipJob {
        self.job.version += 1;
        self.job.updated_at = self.now;
        self.hint();
        self.show_live();
        self.job.due_at = due::due_at(&self.job, self.policy);
        let (id, version) = (&self.job.id, self.job.version);
        Emitted::record(&mut self.job.emitted, &self.effects, id, version, self.now);
        self.job.outbox = self.effects;
        self.job
    }

    /// Sends hints to renderers and to the launcher.
    fn hint(&mut self) {
        let draws = self.draws();
        if draws > 0 {
            self.then(Effect::Draw { hints: draws, delay_s: 0 });
        }
        let Some(next) = self.job.next_work() else {
            self.job.hinted_at = None;
            return;
        };
        if let Some((at, delay_s)) = next_hint(next, self.job.hinted_at, self.now) {
            self.job.hinted_at = Some(at);
            self.then(ClipEffect::Work { delay_s });
        }
    }

    /// New hints for renderers. Each piece has one, but only so many at once: the others get theirs when pieces have ended.
    fn draws(&self) -> u32 {
        let (before, after) = (self.before.pieces.list.len(), self.job.pieces.list.len());
        let ended = (before + self.opened).saturating_sub(after);
        let hinted = before.min(AT_ONCE).saturating_sub(ended);
        u32::try_from(after.min(AT_ONCE).saturating_sub(hinted)).unwrap_or(0)
    }

    /// Shows viewers the clips that are there since this change, each change of the status and each step of the progress.
    fn show_live(&mut self) {
        let mut events: Vec<Live> = self.ready.drain(..).map(|index| Live::Clip { index }).collect();
        let run = &mut self.job.run;
        let has_risen = run.progress / SHOWN_STEP > run.shown_progress / SHOWN_STEP;
        if has_risen || self.before.status != self.job.status || self.before.error != self.job.error {
            run.shown_progress = run.progress;
            events.push(Live::Clips);
        }
        if !events.is_empty() {
            let after = std::mem::replace(&mut self.job.live_version, self.job.version);
            self.then(Effect::Live { events, after });
        }
    }
}
