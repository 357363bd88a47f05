//! Fakes of every port in memory, builders, and a whole stack in virtual time: what tests of use cases stand on.
//!
//! The fakes keep the ports' promises (conditions on versions, put-if-absent, one answer per message) and yield inside
//! each call, so that futures that run at once really interleave. Failures are ordered by a test, never by chance.

mod builders;
mod deliveries;
mod details;
mod due;
mod fanout;
mod faults;
mod films;
mod http;
mod jobs;
mod log_lines;
mod queue;
mod recoveries;
mod registrations;
mod slots;
mod stack;
mod triggers;
mod world;

pub use builders::{
    a_delivery, a_film, a_new_job, claimed, keys, lived, make_job, policy, run, started, step, webhook_settings,
    worker_settings,
};
pub use deliveries::MemoryDeliveries;
pub use details::MemoryDetails;
pub use due::MemoryDue;
pub use fanout::MemoryFanout;
pub use faults::{Fault, Faults};
pub use films::{MemoryCatalog, MemoryObjectStore, NeverElapses};
pub use http::{Answer, ScriptedHttp, body_of, header, headers, response, with_header};
pub use jobs::MemoryJobs;
pub use log_lines::{CapturedLog, log_lines};
pub use queue::{MemoryQueue, Queued};
pub use recoveries::MemoryRecoveries;
pub use slots::MemorySlots;
pub use stack::Stack;
pub use triggers::MemoryTriggers;
pub use world::{NOON, World};
