//! The aggregate: what every versioned thing has in common. Load, decide, save and fanout depend only on this trait.

use std::fmt;

use crate::{Effect, Emitted, Job, Recorded, Subject, Timestamp};

/// What an event does to an aggregate.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision<A: Aggregate = Job> {
    /// Save this version, the successor of the last one, with its outbox.
    Apply(Box<A>),
    /// The event changes nothing, and that is correct.
    Ignore(A::Ignored),
    /// The aggregate refuses the command.
    Reject(A::Rejected),
}

/// A value that is stored as one item, changes one version at a time, and carries its effects in an outbox.
pub trait Aggregate: Clone + fmt::Debug + Send + Sync + Sized + 'static {
    /// The id that identifies it within its kind.
    type Id: Clone + fmt::Debug + fmt::Display + Send + Sync;
    /// What can happen to it.
    type Event: fmt::Debug + Send + Sync;
    /// The times and limits that its kind keeps to.
    type Policy: Send + Sync;
    /// Why an event changes nothing.
    type Ignored: fmt::Debug + Clone + PartialEq + Send + Sync;
    /// Why a command is refused.
    type Rejected: fmt::Debug + Clone + PartialEq + Send + Sync;

    /// Its id.
    fn id(&self) -> &Self::Id;

    /// Its kind and id. Event ids begin with it.
    fn subject(&self) -> Subject;

    /// The version. Each change raises it by one.
    fn version(&self) -> u64;

    /// When this version was made.
    fn updated_at(&self) -> Timestamp;

    /// Whether it is deleted: readers no longer see it.
    fn is_deleted(&self) -> bool;

    /// The effects of this version, in order.
    fn outbox(&self) -> &[Effect];

    /// The last webhook events that its versions caused.
    fn emitted(&self) -> &[Emitted];

    /// The W3C `traceparent` of the request that created it.
    fn traceparent(&self) -> Option<&str>;

    /// The event that the due sweep found it due.
    fn tick() -> Self::Event;

    /// Decides what `event` does at `now`; pure.
    fn decide(&self, event: &Self::Event, now: Timestamp, policy: &Self::Policy) -> Decision<Self>;
}

/// An aggregate whose item may keep what its versions logged and showed, until it is packed into rows. If it does not, the
/// lines and live events of each version become rows.
pub trait HistorySource: Aggregate {
    /// Whether the item keeps it.
    fn keeps_history(&self) -> bool {
        false
    }

    /// What the item keeps and no version has packed yet, by versions, the oldest first.
    fn unpacked(&self) -> Vec<Recorded> {
        Vec::new()
    }

    /// An older function has written this version without the history of the version `before`: takes it from there, and
    /// packs it.
    fn restore_history(&mut self, _before: &Self) {}
}
