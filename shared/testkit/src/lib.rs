//! In-memory fakes of every port, builders, and a whole stack in virtual time, for tests of use cases.
//!
//! The fakes honour the contracts of the ports (conditions on versions, put-if-absent, one answer per message) and
//! yield inside each call, so that concurrent futures really interleave. Tests inject failures; none is random.

mod builders;
mod callbacks;
mod clips;
mod deliveries;
mod details;
mod due;
mod errors;
mod fanout;
mod faults;
mod films;
mod fuzz;
mod http;
mod jobs;
pub mod linear;
mod live;
mod observed;
mod projects;
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
pub use callbacks::{MemoryCalls, a_running_project, a_scene, a_stitch, a_take, a_task};
pub use clips::{ClipStack, MemoryClips, a_clip_job, clipping_worker};
pub use deliveries::MemoryDeliveries;
pub use details::MemoryDetails;
pub use due::MemoryDue;
pub use errors::MemorySteps;
pub use fanout::MemoryFanout;
pub use faults::{Fault, Faults};
pub use films::{MemoryCatalog, MemoryObjectStore, NeverElapses};
pub use fuzz::{fuzz, fuzz_bodies, fuzz_json};
pub use http::{Answer, ScriptedHttp, body_of, header, headers, response, with_header};
pub use jobs::MemoryJobs;
pub use live::{MemoryConnections, MemoryLive, MemorySockets, MemoryViewers};
pub use observed::log_lines::{CapturedLog, log_lines};
pub use observed::metrics::recorded_by;
pub use projects::{MemoryProjects, SceneStack, a_project, project_policy, services};
pub use queue::{MemoryQueue, Queued};
pub use recoveries::MemoryRecoveries;
pub use slots::MemorySlots;
pub use stack::Stack;
pub use triggers::MemoryTriggers;
pub use world::{NOON, World};
