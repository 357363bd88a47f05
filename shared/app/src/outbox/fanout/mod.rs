//! Fanout: plans the outbox of a version as rows and messages, and applies the plans.
//!
//! Every id follows from the version, so a replay changes nothing.

mod apply;
mod pack;
mod plan;
mod ports;
mod steps;

pub use apply::{FanoutError, apply_plans};
pub(crate) use plan::plan_emitted;
pub use plan::{AnyVersion, notifies, plan};
pub use ports::{FanoutPorts, FanoutStore, FileStore, Viewers};
pub use steps::{CountStep, Plan, Purge};
