//! The Connections table in memory, with the conditions that DynamoDB would check.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use reelhook_app::live::ports::{
    Connection, ConnectionSlots, Connections, Counted, Followed, Follower, FollowerPage, Following, Lease, Leased,
    Leases, OwnerSubscription, Pool, Released, Subscription,
};
use reelhook_app::live::topic::Topic;
use reelhook_app::store::StoreError;
use reelhook_domain::{OwnerId, Subject, Timestamp};

/// The number of followers in a page: few, so that tests read several pages.
const PAGE: usize = 3;

/// A subscription's row.
#[derive(Debug, Clone)]
enum Row {
    Subject { subscription: Subscription, lease: Option<Lease>, asked: bool, via: Option<OwnerId> },
    Owner(OwnerSubscription),
}

#[derive(Debug, Default)]
struct State {
    connections: BTreeMap<String, (Connection, BTreeSet<String>)>,
    /// By connection and topic.
    rows: BTreeMap<(String, String), Row>,
    /// By connection: a minute, and the messages in it.
    counted: BTreeMap<String, (i64, u32)>,
    /// By pool and connection: when the slot ends.
    slots: BTreeMap<String, BTreeMap<String, Timestamp>>,
    /// How many calls fail from now on.
    failing: u32,
}

/// Connections and what they follow.
#[derive(Debug, Default)]
pub struct MemoryConnections(Mutex<State>);

impl MemoryConnections {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    async fn enter(&self) {
        tokio::task::yield_now().await;
    }

    /// Whether a connection is stored.
    pub fn is_open(&self, id: &str) -> bool {
        self.state().connections.contains_key(id)
    }

    /// Lets the next calls that count messages fail.
    pub fn fail(&self, calls: u32) {
        self.state().failing = calls;
    }

    /// The number of all rows of subscriptions.
    pub fn subscriptions(&self) -> usize {
        self.state().rows.len()
    }
}

fn key(connection: &str, topic: &Topic) -> (String, String) {
    (connection.to_owned(), topic.key())
}

fn row_key(connection: &str, subject: &Subject) -> (String, String) {
    (connection.to_owned(), subject.to_string())
}

#[async_trait]
impl Connections for MemoryConnections {
    async fn open(&self, connection: &Connection) -> Result<(), StoreError> {
        self.enter().await;
        let mut state = self.state();
        state.connections.insert(connection.id.clone(), (connection.clone(), BTreeSet::new()));
        Ok(())
    }

    async fn find(&self, id: &str) -> Result<Option<Connection>, StoreError> {
        self.enter().await;
        Ok(self.state().connections.get(id).map(|(connection, _)| connection.clone()))
    }

    async fn remove(&self, id: &str) -> Result<(), StoreError> {
        self.enter().await;
        let mut state = self.state();
        state.connections.remove(id);
        state.rows.retain(|(connection, _), _| connection != id);
        Ok(())
    }

    async fn count(&self, id: &str, messages: u32, now: Timestamp) -> Result<Option<Counted>, StoreError> {
        self.enter().await;
        let mut state = self.state();
        if state.failing > 0 {
            state.failing -= 1;
            return Err(StoreError::Busy { operation: "count messages", source: "busy".into() });
        }
        let Some((connection, _)) = state.connections.get(id).cloned() else { return Ok(None) };
        let minute = now.window_index(Duration::from_secs(60));
        let counted = state.counted.entry(id.to_owned()).or_default();
        if counted.0 < minute {
            *counted = (minute, 0);
        }
        counted.1 += messages;
        Ok(Some(Counted { connection, messages: counted.1 }))
    }

    async fn follows_since(&self, id: &str, owner: &OwnerId) -> Result<Option<Timestamp>, StoreError> {
        self.enter().await;
        Ok(match self.state().rows.get(&key(id, &Topic::Owner(owner.clone()))) {
            Some(Row::Owner(subscription)) => Some(subscription.since),
            Some(Row::Subject { .. }) | None => None,
        })
    }
}

#[async_trait]
impl ConnectionSlots for MemoryConnections {
    async fn acquire(
        &self,
        pool: &Pool,
        connection: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        self.enter().await;
        let mut state = self.state();
        let slots = state.slots.entry(pool.name.clone()).or_default();
        slots.retain(|_, end| *end > now);
        let is_free = slots.len() < pool.most;
        if is_free {
            slots.insert(connection.to_owned(), until);
        }
        Ok(is_free)
    }

    async fn release(&self, pool: &Pool, connection: &str) {
        self.enter().await;
        if let Some(slots) = self.state().slots.get_mut(&pool.name) {
            slots.remove(connection);
        }
    }
}

#[async_trait]
impl Following for MemoryConnections {
    async fn follow(&self, id: &str, topic: &Topic, most: usize) -> Result<Followed, StoreError> {
        self.enter().await;
        let mut state = self.state();
        let Some((_, topics)) = state.connections.get_mut(id) else { return Ok(Followed::Missing) };
        if topics.len() >= most && !topics.contains(&topic.key()) {
            return Ok(Followed::Full);
        }
        topics.insert(topic.key());
        Ok(Followed::Done)
    }

    async fn unfollow(&self, id: &str, topic: &Topic) -> Result<(), StoreError> {
        self.enter().await;
        let mut state = self.state();
        let Some((_, topics)) = state.connections.get_mut(id) else { return Ok(()) };
        topics.remove(&topic.key());
        let left = topics.clone();
        let follows_owner = left.iter().any(|key| Topic::is_owner(key));
        match topic {
            Topic::Owner(owner) => state.rows.retain(|(connection, key), row| {
                let of_another = matches!(row, Row::Subject { via: Some(via), .. } if via != owner);
                connection != id || left.contains(key) || of_another
            }),
            Topic::Subject(_) if follows_owner => {}
            Topic::Subject(_) => {
                state.rows.remove(&key(id, topic));
            }
        }
        Ok(())
    }

    async fn put_new(&self, subscription: &Subscription, via: &OwnerId) -> Result<(), StoreError> {
        let row =
            Row::Subject { subscription: subscription.clone(), lease: None, asked: false, via: Some(via.clone()) };
        let key = row_key(&subscription.connection, &subscription.subject);
        self.enter().await;
        self.state().rows.entry(key).or_insert(row);
        Ok(())
    }

    async fn put_owner(&self, subscription: &OwnerSubscription) -> Result<(), StoreError> {
        let topic = Topic::Owner(subscription.of.clone());
        self.enter().await;
        self.state().rows.insert(key(&subscription.connection, &topic), Row::Owner(subscription.clone()));
        Ok(())
    }

    async fn followers(&self, topic: &Topic, after: Option<&str>) -> Result<FollowerPage, StoreError> {
        self.enter().await;
        let state = self.state();
        let wanted = topic.key();
        let found = state
            .rows
            .iter()
            .filter(|((connection, key), _)| *key == wanted && after.is_none_or(|after| connection.as_str() > after));
        let follower = |((connection, _), row): (&(String, String), &Row)| match row {
            Row::Subject { .. } => Follower { connection: connection.clone(), owner: None, since: None },
            Row::Owner(of) => {
                Follower { connection: connection.clone(), owner: of.owner.clone(), since: Some(of.since) }
            }
        };
        let mut followers: Vec<Follower> = found.take(PAGE + 1).map(follower).collect();
        let more = followers.len() > PAGE;
        followers.truncate(PAGE);
        let next = followers.last().filter(|_| more).map(|last| last.connection.clone());
        Ok(FollowerPage { followers, next })
    }
}

#[async_trait]
impl Leases for MemoryConnections {
    async fn put(&self, subscription: &Subscription, lease: &Lease) -> Result<(), StoreError> {
        let row =
            Row::Subject { subscription: subscription.clone(), lease: Some(lease.clone()), asked: false, via: None };
        self.enter().await;
        self.state().rows.insert(row_key(&subscription.connection, &subscription.subject), row);
        Ok(())
    }

    async fn subscription(&self, connection: &str, subject: &Subject) -> Result<Option<Subscription>, StoreError> {
        self.enter().await;
        Ok(match self.state().rows.get(&row_key(connection, subject)) {
            Some(Row::Subject { subscription, .. }) => Some(subscription.clone()),
            Some(Row::Owner(_)) | None => None,
        })
    }

    async fn lease(
        &self,
        connection: &str,
        subject: &Subject,
        wanted: &Lease,
        now: Timestamp,
    ) -> Result<Leased, StoreError> {
        self.enter().await;
        let mut state = self.state();
        let Some(Row::Subject { subscription, lease, asked, .. }) = state.rows.get_mut(&row_key(connection, subject))
        else {
            return Ok(Leased::Missing);
        };
        if lease.as_ref().is_some_and(|held| held.holder != wanted.holder && held.until >= now) {
            *asked = true;
            return Ok(Leased::Held);
        }
        (*lease, *asked) = (Some(wanted.clone()), false);
        Ok(Leased::Yes(Box::new(subscription.clone())))
    }

    async fn release(&self, next: &Subscription, held: &Lease) -> Result<Released, StoreError> {
        self.enter().await;
        let mut state = self.state();
        let Some(Row::Subject { subscription, lease, asked, .. }) =
            state.rows.get_mut(&row_key(&next.connection, &next.subject))
        else {
            return Ok(Released::Lost);
        };
        if lease.as_ref().is_none_or(|now| now.holder != held.holder) {
            return Ok(Released::Lost);
        }
        *subscription = next.clone();
        if std::mem::take(asked) {
            return Ok(Released::Again);
        }
        *lease = None;
        Ok(Released::Done)
    }
}
