//! Changes of aggregates of any kind: load, decide, save on condition of the version, and retry after a conflict.

use async_trait::async_trait;
use reelhook_domain::{Aggregate, Decision, Job, Subject};
use strum::IntoStaticStr;

use crate::clock::ClockAndRandom;
use crate::retry::Retry;
use crate::store::{Saved, StoreError};

/// Attempts at a change; each conflict means that another writer succeeded.
const ATTEMPTS: u32 = 12;

/// Stores one kind of aggregates.
#[async_trait]
pub trait AggregateStore<A: Aggregate>: Send + Sync {
    /// Reads an aggregate with strong consistency. A deleted one is returned, an expired one is not.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn load(&self, id: &A::Id) -> Result<Option<A>, StoreError>;

    /// Replaces an aggregate if the stored version is the one before. A repetition of the same write counts as done.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn save(&self, next: &A) -> Result<Saved<A>, StoreError>;
}

/// The outcome of a change.
#[derive(Debug, Clone, PartialEq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Changed<A: Aggregate = Job> {
    /// The event was applied; the saved aggregate.
    Applied(Box<A>),
    /// The event was ignored for this reason; the unchanged aggregate.
    Ignored(A::Ignored, Box<A>),
    /// The command was refused; the unchanged aggregate.
    Rejected(A::Rejected, Box<A>),
    /// There is no such aggregate, or it was deleted.
    NotFound,
}

impl<A: Aggregate> Changed<A> {
    /// The name for logs.
    pub fn name(&self) -> &'static str {
        self.into()
    }
}

/// Why a change failed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another writer changed the aggregate during each attempt.
    #[error("`{0}` was changed by another writer during each attempt")]
    Contended(Subject),
}

impl From<ChangeError> for StoreError {
    /// A change that other writers prevented may succeed later.
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Store(error) => error,
            contended @ ChangeError::Contended(_) => {
                Self::Busy { operation: "change job", source: contended.to_string().into() }
            }
        }
    }
}

/// Applies `event` to the aggregate `id`.
///
/// # Errors
/// [`ChangeError`] if the store fails or every attempt ends in a conflict.
pub async fn change<A: Aggregate, S: AggregateStore<A> + ?Sized>(
    store: &S,
    clock: &dyn ClockAndRandom,
    policy: &A::Policy,
    id: &A::Id,
    event: &A::Event,
) -> Result<Changed<A>, ChangeError> {
    let Some(loaded) = store.load(id).await? else {
        return Ok(Changed::NotFound);
    };
    change_loaded(store, clock, policy, loaded, event).await
}

/// Like [`change`], for an aggregate that was just read.
///
/// # Errors
/// As [`change`].
pub async fn change_loaded<A: Aggregate, S: AggregateStore<A> + ?Sized>(
    store: &S,
    clock: &dyn ClockAndRandom,
    policy: &A::Policy,
    loaded: A,
    event: &A::Event,
) -> Result<Changed<A>, ChangeError> {
    let (id, subject) = (loaded.id().clone(), loaded.subject());
    let (mut known, mut retry) = (Some(loaded), Retry::new(clock, ATTEMPTS));
    while retry.attempt().await {
        let current = match known.take() {
            Some(known) => known,
            None => match store.load(&id).await? {
                Some(loaded) => loaded,
                None => return Ok(Changed::NotFound),
            },
        };
        let next = match current.decide(event, clock.now(), policy) {
            Decision::Apply(next) => next,
            Decision::Ignore(reason) => return Ok(Changed::Ignored(reason, Box::new(current))),
            Decision::Reject(_) if current.is_deleted() => return Ok(Changed::NotFound),
            Decision::Reject(reason) => return Ok(Changed::Rejected(reason, Box::new(current))),
        };
        known = match store.save(&next).await? {
            Saved::Done => return Ok(Changed::Applied(next)),
            // After a longer wait the other writer's version may be outdated.
            Saved::Conflict(theirs) => theirs.filter(|_| retry.made() == 1).map(|theirs| *theirs),
        };
    }
    Err(ChangeError::Contended(subject))
}
