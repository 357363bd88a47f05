//! A clip job under test: its clock and policy, a worker and renderers that cooperate, and what the last change caused.

use std::time::Duration;

use reelhook_domain::clips::clip::{PlannedClip, SourceFacts};
use reelhook_domain::clips::decide::{create, decide};
use reelhook_domain::clips::event::{
    Event, LookedUp, PieceOutput, ReportKind, ReportedClip, WorkerOutput, WorkerReport,
};
use reelhook_domain::clips::job::ClipPiece;
use reelhook_domain::clips::queries::ClipWork;
use reelhook_domain::clips::reasons::{Ignored, Rejected};
use reelhook_domain::clips::request::{ClipRequest, Layout, Range, Source};
use reelhook_domain::clips::run::{WorkerRun, WorkerState};
use reelhook_domain::credits::price::Basis;
use reelhook_domain::errors::cause::Cause;
use reelhook_domain::projects::media::File;
use reelhook_domain::*;
use serde_json::Map;

pub const START: Timestamp = Timestamp(1_704_110_400_000);
/// The length of the source: 10 minutes, which cost 100 credits.
pub const SOURCE_MS: u64 = 600_000;
/// What jobs under test reserve.
pub const RESERVED: u64 = 10;
/// The id of the job, as clients know it.
pub const UUID: &str = "0b0e7a3c-5f0e-4f43-9a53-0f7a6c2b4d11";

/// Our own renderers cut.
pub fn own() -> ClipPolicy {
    ClipPolicy::default()
}

/// A worker cuts.
pub fn worker() -> ClipPolicy {
    ClipPolicy { has_worker: true, ..own() }
}

pub fn url(name: &str) -> WebUrl {
    WebUrl::parse(&format!("https://files.example/{name}")).unwrap()
}

/// A file at the worker.
pub fn outside(name: &str) -> File {
    File::outside(url(name))
}

pub fn stored(name: &str) -> File {
    File::stored(format!("clips/{UUID}/{name}"))
}

/// The source is a file.
pub fn request() -> ClipRequest {
    ClipRequest::of(Source::File(url("talk.mp4")))
}

/// A range in seconds.
pub fn range(start_s: u64, end_s: u64) -> Range {
    Range { start_ms: start_s * 1000, end_ms: end_s * 1000 }
}

pub fn new_job(request: ClipRequest) -> NewClipJob {
    NewClipJob { id: ClipJobId::parse(UUID).unwrap(), request, origin: Origin::default(), reserved: RESERVED }
}

/// A job and its time.
#[derive(Debug, Clone)]
pub struct Story {
    pub job: ClipJob,
    pub now: Timestamp,
    pub policy: ClipPolicy,
}

impl Story {
    pub fn new(request: ClipRequest, policy: ClipPolicy) -> Self {
        Self { job: create(new_job(request), START, &policy), now: START, policy }
    }

    /// A job that waits for the worker.
    pub fn waiting() -> Self {
        Self::new(request(), worker())
    }

    /// A job that the worker has accepted.
    pub fn submitted() -> Self {
        let mut story = Self::waiting();
        story.submit();
        story
    }

    /// A job whose answer was lost.
    pub fn unclear() -> Self {
        let mut story = Self::waiting();
        story.apply(Event::ClaimSubmission);
        story.apply(Event::SubmissionLost { number: 1 });
        story
    }

    /// A job of our own renderers.
    pub fn own() -> Self {
        Self::new(request(), own())
    }

    /// A job of our own renderers with so many planned clips.
    pub fn planned(clips: u32) -> Self {
        let mut story = Self::own();
        story.perform();
        story.claim();
        story.done(plan(clips));
        story
    }

    /// A job of our own renderers with so many clips.
    pub fn cut(clips: u32) -> Self {
        let mut story = Self::planned(clips);
        for _ in 0..clips {
            story.perform();
        }
        story
    }

    pub fn wait(&mut self, seconds: u64) -> &mut Self {
        self.now = self.now.after(Duration::from_secs(seconds));
        self
    }

    pub fn decide(&self, event: &Event) -> Decision<ClipJob> {
        decide(&self.job, event, self.now, &self.policy)
    }

    /// Applies an event that has to change the job.
    #[track_caller]
    pub fn apply(&mut self, event: Event) -> &ClipJob {
        match self.decide(&event) {
            Decision::Apply(job) => self.job = *job,
            other => panic!("{event:?} should change this job, but: {other:?}"),
        }
        &self.job
    }

    #[track_caller]
    pub fn ignored(&self, event: Event) -> Ignored {
        match self.decide(&event) {
            Decision::Ignore(reason) => reason,
            other => panic!("{event:?} should change nothing, but: {other:?}"),
        }
    }

    #[track_caller]
    pub fn rejected(&self, event: Event) -> Rejected {
        match self.decide(&event) {
            Decision::Reject(reason) => reason,
            other => panic!("{event:?} should be refused, but: {other:?}"),
        }
    }

    /// Advances to the time at which the job is due, and sweeps.
    #[track_caller]
    pub fn sweep(&mut self) -> &ClipJob {
        self.now = self.now.max(self.job.due_at.expect("the job is due some time"));
        self.apply(Event::Tick)
    }

    #[track_caller]
    pub fn run(&self) -> &WorkerRun {
        self.job.run.engine.worker().expect("a run at the worker")
    }

    #[track_caller]
    pub fn is_waiting(&self) -> bool {
        matches!(self.run().state, WorkerState::Waiting { .. })
    }

    /// The launcher claims the submission, and the worker accepts it.
    #[track_caller]
    pub fn submit(&mut self) {
        self.apply(Event::ClaimSubmission);
        let number = self.run().number;
        self.apply(Event::Submitted { number, id: worker_id(number) });
    }

    /// A webhook about the present submission.
    #[track_caller]
    pub fn report(&mut self, report: WorkerReport) -> &ClipJob {
        let number = self.run().number;
        self.apply(webhook(number, report))
    }

    /// A renderer claims a piece.
    #[track_caller]
    pub fn claim(&mut self) -> ClipPiece {
        self.apply(Event::ClaimPiece);
        self.job.claimed_piece(self.job.pieces.claims).expect("a claimed piece").clone()
    }

    /// The piece that was claimed last is done.
    #[track_caller]
    pub fn done(&mut self, output: PieceOutput) -> &ClipJob {
        let claim = self.job.pieces.claims;
        self.apply(Event::PieceDone { claim, output: Box::new(output) })
    }

    /// The piece that was claimed last can't be done.
    #[track_caller]
    pub fn fail(&mut self, error: &str) -> &ClipJob {
        let claim = self.job.pieces.claims;
        self.apply(Event::PieceFailed { claim, error: error.to_owned(), permanent: true })
    }

    /// A renderer claims a piece and makes what it is for.
    #[track_caller]
    pub fn perform(&mut self) -> ClipPiece {
        let piece = self.claim();
        self.done(made(&piece));
        piece
    }

    /// What the launcher does now.
    pub fn work(&self) -> Option<(u32, ClipWork)> {
        self.job.work(self.now)
    }

    /// The event of what is asked of the worker now, which answers; none if nothing is due.
    pub fn asked(&self) -> Option<Event> {
        let (number, work) = self.work()?;
        Some(match work {
            ClipWork::Submit => Event::ClaimSubmission,
            ClipWork::LookUp => Event::LookedUp { number, found: LookedUp::Missing },
            ClipWork::Poll(id) => {
                let report = Box::new(completed(2));
                Event::Reported { number, id: Some(id), report, polled: true }
            }
        })
    }

    /// The webhook events of the last change, each with the clip that it is about.
    pub fn notified(&self) -> Vec<(OutboundEvent, Option<&str>)> {
        let events = self.job.outbox.iter().filter_map(|effect| match effect {
            Effect::Notify { event, about, .. } => Some((*event, about.as_deref())),
            _ => None,
        });
        events.collect()
    }

    /// What the last change showed to viewers.
    pub fn shown(&self) -> Vec<Live> {
        let shown = self.job.outbox.iter().filter_map(|effect| match effect {
            Effect::Live { events, .. } => Some(events.clone()),
            _ => None,
        });
        shown.flatten().collect()
    }

    /// The errors that the last change raised.
    pub fn raised(&self) -> Vec<Cause> {
        let raised = self.job.outbox.iter().filter_map(|effect| match effect {
            Effect::RaiseError(raise) => {
                assert_eq!(raise.about, UUID);
                Some(raise.cause)
            }
            _ => None,
        });
        raised.collect()
    }

    /// The errors that the last change resolved.
    pub fn resolved(&self) -> Vec<Cause> {
        let resolved = self.job.outbox.iter().filter_map(|effect| match effect {
            Effect::ResolveError(resolve) => Some(resolve.cause),
            _ => None,
        });
        resolved.collect()
    }

    /// The effects of the last change that only clip jobs have.
    pub fn effects(&self) -> Vec<ClipEffect> {
        let effects = self.job.outbox.iter().filter_map(|effect| match effect {
            Effect::Clips(effect) => Some(effect.clone()),
            _ => None,
        });
        effects.collect()
    }

    /// The effects of the last change on the ledger.
    pub fn credits(&self) -> Vec<CreditEffect> {
        let effects = self.job.outbox.iter().filter_map(|effect| match effect {
            Effect::Credits(effect) => Some(effect.clone()),
            _ => None,
        });
        effects.collect()
    }

    /// The hints of the last change that pieces wait for renderers.
    pub fn draws(&self) -> Vec<(u32, u32)> {
        let draws = self.job.outbox.iter().filter_map(|effect| match effect {
            Effect::Draw { hints, delay_s } => Some((*hints, *delay_s)),
            _ => None,
        });
        draws.collect()
    }

    /// The pieces that wait for renderers or are claimed.
    pub fn pieces(&self) -> Vec<ClipPiece> {
        self.job.pieces.list.iter().map(|piece| piece.task.clone()).collect()
    }

    /// Whether each clip, in order, is there.
    pub fn ready(&self) -> Vec<bool> {
        self.job.clips.iter().map(|clip| clip.is_ready()).collect()
    }
}

/// The id under which the worker knows a submission.
pub fn worker_id(number: u32) -> RenderId {
    RenderId::parse(&format!("w-{number}")).unwrap()
}

pub fn report(kind: ReportKind) -> WorkerReport {
    WorkerReport::of(kind)
}

pub fn running(progress: u8) -> WorkerReport {
    WorkerReport { progress: Some(progress), ..report(ReportKind::Running) }
}

/// The worker made so many clips, each of 30 seconds, and names no length of the source.
pub fn made_clips(clips: u32) -> WorkerOutput {
    WorkerOutput { clips: (0..clips).map(reported_clip).collect(), ..WorkerOutput::default() }
}

pub fn reported_clip(index: u32) -> ReportedClip {
    ReportedClip {
        index,
        file: Some(outside(&format!("clip_{index:02}.mp4"))),
        duration_ms: Some(30_000),
        summary: Some(format!("Clip {index}")),
        ..ReportedClip::default()
    }
}

pub fn with_output(kind: ReportKind, output: WorkerOutput) -> WorkerReport {
    WorkerReport { output: Some(Box::new(output)), ..report(kind) }
}

/// The worker ends with so many clips, out of a source of 10 minutes.
pub fn completed(clips: u32) -> WorkerReport {
    with_output(ReportKind::Completed, WorkerOutput { source_ms: Some(SOURCE_MS), ..made_clips(clips) })
}

pub fn failed(error: &str) -> WorkerReport {
    WorkerReport { error: Some(error.to_owned()), ..report(ReportKind::Failed) }
}

/// A webhook with the worker's id.
pub fn webhook(number: u32, report: WorkerReport) -> Event {
    Event::Reported { number, id: Some(worker_id(number)), report: Box::new(report), polled: false }
}

/// The answer to a poll.
pub fn polled(number: u32, report: WorkerReport) -> Event {
    Event::Reported { number, id: Some(worker_id(number)), report: Box::new(report), polled: true }
}

pub fn source() -> SourceFacts {
    SourceFacts {
        duration_ms: SOURCE_MS,
        width: 1920,
        height: 1080,
        fps: (30_000, 1001),
        sound: true,
        key: format!("clips/{UUID}/source.mp4"),
    }
}

/// A plan of so many clips, each of 20 seconds.
pub fn plan(clips: u32) -> PieceOutput {
    let clip = |index: u32| PlannedClip {
        range: range(u64::from(index) * 20, u64::from(index) * 20 + 20),
        score: 1.0 / f64::from(index + 1),
        basis: Map::new(),
        layout: Layout::Original,
    };
    PieceOutput::Planned { clips: (0..clips).map(clip).collect(), plan: stored("plan.json") }
}

/// What a renderer makes of a piece.
pub fn made(piece: &ClipPiece) -> PieceOutput {
    match piece {
        ClipPiece::Probe => PieceOutput::Probed(source()),
        ClipPiece::Plan => plan(3),
        ClipPiece::Cut { index, cut } => {
            PieceOutput::Cut { file: stored(&format!("{index}-{cut}.mp4")), duration_ms: 20_000, score: None }
        }
        ClipPiece::CopyClip { index } => PieceOutput::Copied(stored(&format!("{index}.mp4"))),
        ClipPiece::CopyTranscript => PieceOutput::Copied(stored("transcript.json")),
        ClipPiece::CopyPlan => PieceOutput::Copied(stored("plan.json")),
        ClipPiece::Measure => PieceOutput::Measured(SOURCE_MS),
    }
}

/// The reservation of an attempt.
pub fn reservation(attempt: u32) -> String {
    format!("clip_{UUID}.{attempt}")
}

pub fn settled(attempt: u32, credits: u64, basis: Basis) -> CreditEffect {
    CreditEffect::Settle { reservation: reservation(attempt), credits, basis }
}

pub fn released(attempt: u32) -> CreditEffect {
    CreditEffect::Release { reservation: reservation(attempt) }
}
