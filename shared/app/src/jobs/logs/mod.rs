//! Logs of jobs: search over jobs and days with a bound on what it reads, and the archive.

mod archive;
mod ports;
mod search;
mod source;

pub use archive::{Archive, LogPorts, archive, kept};
pub(crate) use ports::PACKED_SPAN;
pub use ports::{Active, ActiveJobs, LOG_SHARDS, Line, LogSources, LogStore, Page, Search, day_place, log_shard};
pub use search::{Found, search};
