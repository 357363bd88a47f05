//! Live updates over WebSocket connections (docs/contract/live.md, WebSocket): who follows what, and what is sent when.

pub mod connections;
pub mod follow;
pub mod messages;
pub mod ports;
mod positions;
pub mod protocol;
pub mod push;
mod reads;
pub mod subjects;
pub mod topic;
