//! What everything that changes in versions has in common: load, decide, save and fanout know only this.

use std::fmt;

use crate::{Effect, Emitted, Job, Policy, Subject, Timestamp};

/// What an event does to an aggregate.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision<A: Aggregate = Job> {
    /// Save this version, one on from the last, with its outbox.
    Apply(Box<A>),
    /// Nothing changes, and that is right.
    Ignore(A::Ignored),
    /// A command that the aggregate refuses.
    Reject(A::Rejected),
}

/// A thing that is stored whole, changes one version at a time, and carries its effects in an outbox.
pub trait Aggregate: Clone + fmt::Debug + Send + Sync + Sized + 'static {
    /// How it is identified among its kind.
    type Id: Clone + fmt::Debug + fmt::Display + Send + Sync;
    /// What can happen to it.
    type Event: fmt::Debug + Send + Sync;
    /// Why an event changes nothing.
    type Ignored: fmt::Debug + Clone + PartialEq + Send + Sync;
    /// Why a command is refused.
    type Rejected: fmt::Debug + Clone + PartialEq + Send + Sync;

    /// Its id.
    fn id(&self) -> &Self::Id;

    /// Its kind and id, which event ids begin with.
    fn subject(&self) -> Subject;

    /// Rises by one with each change.
    fn version(&self) -> u64;

    /// When this version was made.
    fn updated_at(&self) -> Timestamp;

    /// Whether readers no longer see it.
    fn is_deleted(&self) -> bool;

    /// What this version wants done, in order.
    fn outbox(&self) -> &[Effect];

    /// The last webhook events that its versions caused.
    fn emitted(&self) -> &[Emitted];

    /// The W3C trace that it began in.
    fn traceparent(&self) -> Option<&str>;

    /// Decides what `event` does at `now`; pure.
    fn decide(&self, event: &Self::Event, now: Timestamp, policy: &Policy) -> Decision<Self>;
}
