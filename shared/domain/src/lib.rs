//! The pure heart of Reelhook: jobs, deliveries and admission as values, and the rules that change them.
//!
//! Nothing here does I/O, reads a clock or draws a random number: times, jitter and ids are arguments.

mod admission;
mod admit;
mod allowance;
pub mod coverage;
mod decide;
mod delivery;
pub mod drawing;
mod effect;
pub mod emphasis;
mod endpoint;
mod event;
mod failure;
pub mod film;
mod ids;
mod job;
mod outbound_event;
mod policy;
mod rate;
mod receiver;
mod schedule;
mod shown;
mod text;
mod time;

pub use admission::{Admission, ClearCutoffs, NoSlot};
pub use admit::{AdmissionRequest, Admitted, SendDecision, WaitReason};
pub use allowance::{Allowance, CallLimit, Step};
pub use decide::{Decision, Ignored, NewJob, Rejected, create, decide};
pub use delivery::{Attempt, AttemptResult, Delivery, DeliveryStatus, MAX_RETRY_AFTER, NotSendable, Outcome};
pub use effect::{Effect, Emitted, Live, LogLevel, LogTally};
pub use endpoint::{
    ATTEMPT_MARGIN, BatchOutcome, Circuit, ConcurrencyChange, DisablePolicy, EndpointHealth, EndpointPolicy,
    EndpointReport, EndpointState, Slot,
};
pub use event::{Event, RenderState, RenderStatus, StepStatus, StepUpdate};
pub use failure::{Advice, FailureClass, classify};
pub use ids::{DeliveryId, EndpointId, EventId, IdError, JobId, RenderId};
pub use job::{Claim, Dialect, Job, RenderWatch, Start, Status, StepRecord};
pub use outbound_event::{EventFilter, EventGroup, EventPattern, OutboundEvent};
pub use policy::{Policy, PolicyError};
pub use rate::{RateLimit, RateWindow};
pub use receiver::{ReceiverKind, ResponseClass};
pub use schedule::{Schedule, retry_after};
pub use shown::step_shown;
pub use text::{brief, cut, steers};
pub use time::Timestamp;
