//! The port to stored jobs.

use reelhook_domain::Job;

use crate::change::AggregateStore;

/// Stores jobs.
pub trait JobStore: AggregateStore<Job> {}

impl<S: AggregateStore<Job>> JobStore for S {}
