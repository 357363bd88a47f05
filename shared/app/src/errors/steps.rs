//! Raising and resolving errors, each step once, whatever is repeated.

use async_trait::async_trait;
use reelhook_domain::errors::cause::{Raise, Resolve};
use reelhook_domain::{EventId, Timestamp};

use crate::store::StoreError;

/// A step of an error, which counts once per id.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorStep {
    /// The effect's id, or an id of its own where no outbox carries the step.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What happens to the error.
    pub change: ErrorChange,
}

/// What happens to an error.
#[derive(Debug, Clone, PartialEq)]
pub enum ErrorChange {
    /// It is raised.
    Raise(Raise),
    /// Its cause has ended.
    Resolve(Resolve),
}

/// Applies steps of errors.
#[async_trait]
pub trait ErrorSteps: Send + Sync {
    /// Applies a step; applying it again does nothing but finish what an earlier call left undone.
    ///
    /// # Errors
    /// [`StoreError`]; the same call may be repeated.
    async fn apply(&self, step: &ErrorStep) -> Result<(), StoreError>;
}
