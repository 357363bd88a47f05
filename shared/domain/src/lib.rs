//! Reelhook's domain: jobs, deliveries and admission as values, and the rules that change them.
//!
//! Nothing here does I/O, reads a clock or generates a random number: times, jitter and ids are arguments.

mod aggregate;
mod allowance;
mod caller_limits;
pub mod clips;
pub mod credits;
pub mod errors;
mod ids;
pub mod jobs;
mod metadata;
pub mod outbox;
pub mod pieces;
pub mod projects;
mod subject;
mod text;
mod time;
mod trace;
pub mod videos;
mod web_url;
pub mod webhooks;

pub use aggregate::{Aggregate, Decision, HistorySource};
pub use allowance::{Allowance, CallLimit, Step};
pub use caller_limits::{CallerLimits, KeyLimits, KeyLimitsError};
pub use clips::decide::NewClipJob;
pub use clips::effect::ClipEffect;
pub use clips::job::ClipJob;
pub use clips::policy::ClipPolicy;
pub use clips::status::ClipStatus;
pub use credits::effect::CreditEffect;
pub use ids::{ClipJobId, DeliveryId, EndpointId, EventId, IdError, JobId, OwnerId, ProjectId, RenderId, SceneId};
pub use jobs::activity::{Activity, Captions, Incomplete};
pub use jobs::admission::{Admission, ClearCutoffs, Layout, NoSlot};
pub use jobs::decide::{NewJob, create, decide};
pub use jobs::effect::JobEffect;
pub use jobs::event::{Event, StepUpdate};
pub use jobs::failure::{Advice, FailureClass, classify};
pub use jobs::job::{Job, Ledger, Origin, Request, Retries};
pub use jobs::kind::JobKind;
pub use jobs::policy::{Policy, PolicyError};
pub use jobs::reasons::{Ignored, Rejected};
pub use jobs::run::{Claim, Engine, ExternalRun, NoRetry, PiecesRun, Run, RunTimes, Start, StepRecord, Steps, Worker};
pub use jobs::slots::fair::{FairShares, FairSharesError, Lane, Priority};
pub use jobs::slots::{Holders, SlotRow, Slots, Taken, TornRows, rows_of};
pub use jobs::status::{Status, StepStatus};
pub use jobs::task::{ExternalTask, Polls, RenderState, RenderStatus, Service};
pub use jobs::usage::{Footprint, Usage};
pub use metadata::{InvalidMetadata, Metadata};
pub use outbox::effect::{Effect, Emitted, Recipients};
pub use outbox::history::{History, Recorded, RecordedLine, RecordedLive};
pub use outbox::live::{ClipsSnapshot, JobSnapshot, Live, LiveSnapshot, ProjectSnapshot, SceneSnapshot};
pub use outbox::log::{LogEvent, LogLevel, LogTally};
pub use projects::decide::NewProject;
pub use projects::effect::ProjectEffect;
pub use projects::policy::ProjectPolicy;
pub use projects::project::{Project, ProjectStatus};
pub use subject::Subject;
pub use text::{brief, cut, steers};
pub use time::Timestamp;
pub use trace::TraceParent;
pub use web_url::{NotWebUrl, WebUrl};
pub use webhooks::admit::{AdmissionRequest, Admitted, SendDecision, WaitReason};
pub use webhooks::attempt::{Attempt, AttemptResult};
pub use webhooks::delivery::{Delivery, DeliveryStatus, MAX_RETRY_AFTER, NotSendable};
pub use webhooks::endpoint::{
    ATTEMPT_MARGIN, BatchOutcome, Circuit, CircuitState, Concurrency, ConcurrencyChange, DisablePolicy, EndpointPolicy,
    EndpointReport, EndpointState, HealthVerdict,
};
pub use webhooks::outage::{OutageStage, WarningLevel};
pub use webhooks::outbound_event::{EventFilter, EventGroup, EventPattern, OutboundEvent};
pub use webhooks::outcome::{Outcome, ResponseClass};
pub use webhooks::rate::{RateLimit, RateWindow};
pub use webhooks::schedule::{Schedule, retry_after};
pub use webhooks::slot::{AttemptClaim, ClaimedAttempt, Slot};
