//! Linearizability: recorded histories of concurrent clients, checked against a sequential model (ADR 73).

mod checker;
mod history;
mod interleave;

pub use checker::{Model, NotLinearizable, assert_linearizable, check};
pub use history::{Operation, Recorder};
pub use interleave::{Turns, interleave};
