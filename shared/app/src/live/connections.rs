//! The life of a connection: it is opened and closed, is shown that it is alive, and asked to reconnect before the
//! gateway closes it.

use std::time::Duration;

use reelhook_domain::Timestamp;

use super::messages;
use super::ports::{Connection, LivePorts, Pool, Posted};
use super::topic::Topic;
use crate::outbox::messages::{Delayed, LiveMessage, send_all};
use crate::store::StoreError;

/// The time between heartbeats. The gateway closes a connection that is idle for 10 minutes.
const BEAT: Duration = Duration::from_secs(8 * 60);
/// The age at which a connection is asked to reconnect. The gateway closes one that is 2 hours old.
const OLD: Duration = Duration::from_secs(110 * 60);
/// The longest time that clients wait before they reconnect, so that not all do it at once.
const SPREAD: Duration = Duration::from_secs(60);
/// How long what is stored of a connection is kept: longer than the gateway keeps the connection.
pub const KEPT: Duration = Duration::from_secs(130 * 60);
/// Open connections of an owner at most; also with operators' tokens for one subject.
const MOST: usize = 50;
/// Open connections of operators at most, all together.
const MOST_OF_OPERATORS: usize = 500;

/// The outcome of opening a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// It is stored.
    Done,
    /// The limit of open connections is reached: it is to be refused.
    TooMany,
}

/// Stores a new connection if there is a slot for it. Nothing is sent over it, since the gateway has not accepted it yet.
///
/// # Errors
/// [`StoreError`]: the connection is to be refused.
pub async fn connect(ports: &LivePorts<'_>, connection: &Connection) -> Result<Opened, StoreError> {
    let (pool, now) = (pool(connection), ports.clock.now());
    if !ports.slots.acquire(&pool, &connection.id, now, now.after(KEPT)).await? {
        tracing::info!(
            connection = connection.id,
            most = pool.most,
            "refused a connection, the limit of open ones is reached"
        );
        return Ok(Opened::TooMany);
    }
    let opened = open(ports, connection, now).await;
    if opened.is_err() {
        // The gateway does not report the end of a connection that it did not open.
        ports.slots.release(&pool, &connection.id).await;
    }
    opened.map(|()| Opened::Done)
}

async fn open(ports: &LivePorts<'_>, connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
    ports.viewers.note(now).await?;
    ports.connections.open(connection).await?;
    send_all(ports.hints, vec![next_beat(&connection.id, BEAT)]).await
}

/// The pool of a connection. One with an operator's token for one subject takes no slot of the operators.
fn pool(connection: &Connection) -> Pool {
    match (&connection.owner, &connection.only) {
        (Some(owner), _) => Pool { name: Topic::Owner(owner.clone()).key(), most: MOST },
        (None, Some(subject)) => Pool { name: format!("subject:{subject}"), most: MOST },
        (None, None) => Pool { name: "operators".to_owned(), most: MOST_OF_OPERATORS },
    }
}

/// Removes a connection that is closed, with all its subscriptions and its slot. If the gateway does not report the
/// end, the next message finds that it is gone.
///
/// # Errors
/// [`StoreError`].
pub async fn close(ports: &LivePorts<'_>, id: &str) -> Result<(), StoreError> {
    if let Some(connection) = ports.connections.find(id).await? {
        ports.slots.release(&pool(&connection), id).await;
    }
    ports.connections.remove(id).await
}

fn next_beat(connection: &str, after: Duration) -> Delayed<LiveMessage> {
    Delayed::after(LiveMessage::Beat { connection: connection.to_owned() }, after)
}

/// When the next heartbeat of a connection is due; none if it is asked to reconnect now.
fn until_next(connected_at: Timestamp, now: Timestamp) -> Option<Duration> {
    let left = connected_at.after(OLD).wait_from(now);
    // SQS delays messages by whole seconds.
    (left >= Duration::from_secs(1)).then_some(left.min(BEAT))
}

/// Sends a heartbeat and plans the next one, or asks the client to reconnect. Ends with the connection.
///
/// # Errors
/// [`StoreError`].
pub(super) async fn beat(ports: &LivePorts<'_>, id: &str) -> Result<(), StoreError> {
    let Some(connection) = ports.connections.find(id).await? else { return Ok(()) };
    let now = ports.clock.now();
    ports.viewers.note(now).await?;
    let next = until_next(connection.connected_at, now);
    let text = match next {
        Some(_) => messages::heartbeat(now),
        None => messages::reconnect(SPREAD.mul_f64(ports.clock.fraction()), now),
    };
    match (send_once(ports, id, &text).await?, next) {
        (Posted::Gone, _) | (_, None) => Ok(()),
        (Posted::Done | Posted::Failed(_), Some(after)) => send_all(ports.hints, vec![next_beat(id, after)]).await,
    }
}

/// Sends a message that is sent once: if it fails the client does without it. A connection that is closed is removed.
///
/// # Errors
/// [`StoreError`].
pub(super) async fn send_once(ports: &LivePorts<'_>, connection: &str, text: &str) -> Result<Posted, StoreError> {
    let posted = ports.sockets.post(connection, text).await;
    match &posted {
        Posted::Done => {}
        Posted::Gone => close(ports, connection).await?,
        Posted::Failed(error) => tracing::info!(connection, error, "a message could not be sent"),
    }
    Ok(posted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heartbeats_come_every_eight_minutes_until_the_connection_is_old() {
        let minutes = |count: i64| Timestamp(count * 60_000);
        let next = |now: i64| until_next(minutes(0), minutes(now)).map(|time| time.as_secs() / 60);
        assert_eq!([0, 8, 104, 109, 110, 118].map(next), [Some(8), Some(8), Some(6), Some(1), None, None]);
    }
}
