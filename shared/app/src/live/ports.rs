//! The ports of live updates over WebSocket connections, and the rows that they hold.

use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::{OwnerId, Subject, Timestamp};

use crate::clock::ClockAndRandom;
use crate::live::subjects::Subjects;
use crate::live::topic::Topic;
use crate::outbox::fanout::Viewers;
use crate::outbox::messages::{Hints, LiveMessage};
use crate::store::StoreError;
use crate::views::Dialect;
use crate::watch::{Cursor, LiveStore};

/// A WebSocket connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The gateway's id.
    pub id: String,
    /// Whose it is; none for an operator's.
    pub owner: Option<OwnerId>,
    /// The only subject that it may follow, if its token was issued for one.
    pub only: Option<Subject>,
    /// When it was opened.
    pub connected_at: Timestamp,
}

/// A connection with the messages that its client sent in the present minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The connection.
    pub connection: Connection,
    /// The number of messages.
    pub messages: u32,
}

/// Connections of which a limited number is open at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Whose they are.
    pub name: String,
    /// The limit.
    pub most: usize,
}

/// A connection's subscription to a job, a project or a clip job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The connection.
    pub connection: String,
    /// What it follows.
    pub subject: Subject,
    /// Whose the connection is; none for an operator's.
    pub owner: Option<OwnerId>,
    /// The dialect in which the events are rendered.
    pub dialect: Dialect,
    /// The viewer's position.
    pub cursor: Cursor,
    /// When events were last sent.
    pub pushed_at: Option<Timestamp>,
    /// Since when a missing row has held back the rows after it.
    pub gap_since: Option<Timestamp>,
    /// Until when a hint for it is under way.
    pub hinted_until: Option<Timestamp>,
}

/// A connection's subscription to everything of an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerSubscription {
    /// The connection.
    pub connection: String,
    /// The owner that it follows.
    pub of: OwnerId,
    /// Whose the connection is; none for an operator's.
    pub owner: Option<OwnerId>,
    /// Events from here on are sent.
    pub since: Timestamp,
}

/// The exclusive right to send a subscription's events for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The holder: a random text.
    pub holder: String,
    /// Until when.
    pub until: Timestamp,
}

/// The outcome of requesting a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leased {
    /// The lease is the caller's; the subscription as it is now.
    Yes(Box<Subscription>),
    /// Another invocation has the lease, and will find that there are new events.
    Held,
    /// There is no such subscription.
    Missing,
}

/// The outcome of saving a subscription and giving its lease back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// It is saved, and the lease is given back.
    Done,
    /// It is saved, and the lease is kept: there may be new events.
    Again,
    /// The lease is another's, or the subscription is gone.
    Lost,
}

/// The outcome of following a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// It is among what the connection follows.
    Done,
    /// The connection follows as much as it may.
    Full,
    /// There is no such connection.
    Missing,
}

/// A page of those who follow a topic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FollowerPage {
    /// Their connections; for an owner, with the connections' owners and since when.
    pub followers: Vec<Follower>,
    /// The connection after which the next page begins; none if this is the last.
    pub next: Option<String>,
}

/// A connection that follows a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follower {
    /// The connection.
    pub connection: String,
    /// Whose the connection is; only for an owner's topic.
    pub owner: Option<OwnerId>,
    /// Since when it follows; only for an owner's topic.
    pub since: Option<Timestamp>,
}

/// Stores connections.
#[async_trait]
pub trait Connections: Send + Sync {
    /// Stores a new connection.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn open(&self, connection: &Connection) -> Result<(), StoreError>;

    /// Reads a connection consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn find(&self, id: &str) -> Result<Option<Connection>, StoreError>;

    /// Counts messages of a connection's client in the minute of `now`; none if there is no such connection.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn count(&self, id: &str, messages: u32, now: Timestamp) -> Result<Option<Counted>, StoreError>;

    /// Since when a connection follows an owner, read consistently; none if it does not.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn follows_since(&self, id: &str, owner: &OwnerId) -> Result<Option<Timestamp>, StoreError>;

    /// Removes a connection with all its subscriptions; removing it again does nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn remove(&self, id: &str) -> Result<(), StoreError>;
}

/// Limits how many connections are open at the same time.
#[async_trait]
pub trait ConnectionSlots: Send + Sync {
    /// Claims a slot of a pool for a connection until `until`, if one is free.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn acquire(
        &self,
        pool: &Pool,
        connection: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Releases the slot of a connection; one that cannot be released expires.
    async fn release(&self, pool: &Pool, connection: &str);
}

/// Stores what connections follow.
#[async_trait]
pub trait Following: Send + Sync {
    /// Adds a topic to what a connection follows, unless these are `most` others.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn follow(&self, id: &str, topic: &Topic, most: usize) -> Result<Followed, StoreError>;

    /// Removes a topic from what a connection follows, with its subscription. A subject of an owner whom the connection
    /// follows keeps its subscription. With an owner go the subscriptions that came of following them.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn unfollow(&self, id: &str, topic: &Topic) -> Result<(), StoreError>;

    /// Stores a subscription to everything of an owner.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_owner(&self, subscription: &OwnerSubscription) -> Result<(), StoreError>;

    /// Stores a subscription unless there is one. It came of following this owner, and goes with that.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_new(&self, subscription: &Subscription, via: &OwnerId) -> Result<(), StoreError>;

    /// Those who follow a topic; eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn followers(&self, topic: &Topic, after: Option<&str>) -> Result<FollowerPage, StoreError>;
}

/// Stores subscriptions under leases: one process at a time sends a subscription's events.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Stores a subscription, in place of the one before, with a lease on it.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put(&self, subscription: &Subscription, lease: &Lease) -> Result<(), StoreError>;

    /// Reads a subscription consistently, also while another has its lease.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn subscription(&self, connection: &str, subject: &Subject) -> Result<Option<Subscription>, StoreError>;

    /// Asks for the lease of a subscription.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn lease(
        &self,
        connection: &str,
        subject: &Subject,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<Leased, StoreError>;

    /// Saves a subscription and gives its lease back, unless another invocation requested it meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn release(&self, subscription: &Subscription, lease: &Lease) -> Result<Released, StoreError>;
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// The gateway has it.
    Done,
    /// The connection is closed.
    Gone,
    /// It could not be sent in time; the reason.
    Failed(String),
}

/// Sends messages over connections.
#[async_trait]
pub trait Sockets: Send + Sync {
    /// Sends a message; waits two seconds at most.
    async fn post(&self, connection: &str, text: &str) -> Posted;

    /// Closes a connection; a failure is only logged.
    async fn disconnect(&self, connection: &str);
}

/// The time that must be left for a message of two seconds, a hint and a position.
const LEAST_LEFT: Duration = Duration::from_secs(10);

/// The time after which an invocation that Lambda ends at `deadline` begins and sends nothing.
pub fn last_start(deadline: Option<Timestamp>) -> Timestamp {
    deadline.map_or(Timestamp(i64::MAX), |deadline| deadline.before(LEAST_LEFT))
}

/// The ports of live updates over WebSocket connections.
#[derive(Clone, Copy)]
pub struct LivePorts<'a> {
    /// Connections.
    pub connections: &'a dyn Connections,
    /// What they follow.
    pub following: &'a dyn Following,
    /// Their subscriptions under leases.
    pub leases: &'a dyn Leases,
    /// How many may be open.
    pub slots: &'a dyn ConnectionSlots,
    /// The open connections.
    pub sockets: &'a dyn Sockets,
    /// Jobs, projects and clip jobs.
    pub subjects: &'a dyn Subjects,
    /// Live events.
    pub live: &'a dyn LiveStore,
    /// Whether there are viewers.
    pub viewers: &'a dyn Viewers,
    /// The Live queue.
    pub hints: &'a dyn Hints<LiveMessage>,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The time after which this invocation begins and sends nothing ([`last_start`]): it could be ended before it has
    /// saved what it sent.
    pub last_start: Timestamp,
}

impl LivePorts<'_> {
    /// Whether enough time is left to begin something.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if not, so that the message comes again.
    pub(super) fn in_time(&self) -> Result<(), StoreError> {
        if self.clock.now() < self.last_start {
            return Ok(());
        }
        let source = "too little time is left in this invocation".into();
        Err(StoreError::Busy { operation: "work on live message", source })
    }
}
