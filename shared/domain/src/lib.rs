//! The pure heart of Reelhook: jobs, deliveries and admission as values, and the rules that change them.
//!
//! Nothing here does I/O, reads a clock or draws a random number: times, jitter and ids are arguments.

mod aggregate;
mod allowance;
mod ids;
pub mod jobs;
pub mod outbox;
mod subject;
mod text;
mod time;
pub mod videos;
pub mod webhooks;

pub use aggregate::{Aggregate, Decision};
pub use allowance::{Allowance, CallLimit, Step};
pub use ids::{DeliveryId, EndpointId, EventId, IdError, JobId, RenderId};
pub use jobs::admission::{Admission, ClearCutoffs, NoSlot};
pub use jobs::decide::{Ignored, NewJob, Rejected, create, decide};
pub use jobs::event::{Event, RenderState, RenderStatus, StepStatus, StepUpdate};
pub use jobs::failure::{Advice, FailureClass, classify};
pub use jobs::job::{Claim, Dialect, Job, RenderWatch, Start, Status, StepRecord};
pub use jobs::policy::{Policy, PolicyError};
pub use jobs::shown::step_shown;
pub use jobs::task::Service;
pub use outbox::effect::{Effect, Emitted, Live, LogLevel, LogTally};
pub use subject::Subject;
pub use text::{brief, cut, steers};
pub use time::Timestamp;
pub use webhooks::admit::{AdmissionRequest, Admitted, SendDecision, WaitReason};
pub use webhooks::delivery::{Attempt, AttemptResult, Delivery, DeliveryStatus, MAX_RETRY_AFTER, NotSendable, Outcome};
pub use webhooks::endpoint::{
    ATTEMPT_MARGIN, BatchOutcome, Circuit, ConcurrencyChange, DisablePolicy, EndpointHealth, EndpointPolicy,
    EndpointReport, EndpointState, Slot,
};
pub use webhooks::outbound_event::{EventFilter, EventGroup, EventPattern, OutboundEvent};
pub use webhooks::rate::{RateLimit, RateWindow};
pub use webhooks::receiver::{ReceiverKind, ResponseClass};
pub use webhooks::schedule::{Schedule, retry_after};
