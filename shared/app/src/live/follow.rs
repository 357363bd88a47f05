//! Answers a client's messages: it subscribes, unsubscribes, or asks whether the connection is alive.

use reelhook_domain::Timestamp;

use super::connections::{close, send_once};
use super::messages;
use super::ports::{Connection, Followed, LivePorts, OwnerSubscription, Posted, Subscription};
use super::protocol::{self, ClientMessage, Refusal, Target};
use super::push::{Pauses, SETTLED, Why, hint, new_lease, with_lease};
use super::subjects::Current;
use super::topic::Topic;
use crate::outbox::messages::{Delayed, LiveMessage, send_all};
use crate::store::StoreError;
use crate::watch::{Cursor, GAP, STREAM_KEEPS};

/// Subscriptions of a connection at most.
const MOST: usize = 50;
/// Messages of a connection's client in a minute at most: its subscriptions, and then as many again.
const MOST_MESSAGES: u32 = 120;
/// Versions before the present one that a client may have sent again with one message. More count as further messages.
const REPLAYED: u64 = 50;
/// What a position far back counts at most: the longest replay is possible, but not two a minute.
const LONGEST_REPLAY: u32 = MOST_MESSAGES / 2;

/// Answers a message of a client, or closes the connection of one who sends too many.
///
/// # Errors
/// [`StoreError`]: the client was asked to send it again.
pub async fn answer(ports: &LivePorts<'_>, connection: &str, text: &str) -> Result<(), StoreError> {
    let done = counted(ports, connection, text).await;
    if done.is_err() {
        // The gateway sends nothing by itself, and nobody sends again what seems to be under way.
        let answered = send_once(ports, connection, &messages::error(Refusal::Unavailable, ports.clock.now())).await;
        // The first fault is the cause.
        if let Err(error) = answered {
            tracing::warn!(connection, %error, "failed to say that a message failed");
        }
    }
    done
}

async fn counted(ports: &LivePorts<'_>, connection: &str, text: &str) -> Result<(), StoreError> {
    let counted = ports.connections.count(connection, 1, ports.clock.now()).await?;
    let Some(counted) = counted else { return Ok(()) };
    if counted.messages > MOST_MESSAGES {
        return disconnect(ports, &counted.connection.id).await;
    }
    let connection = counted.connection;
    let refusal = match protocol::parse(text) {
        Ok(ClientMessage::Ping) => {
            return send_once(ports, &connection.id, &messages::pong(ports.clock.now())).await.map(drop);
        }
        Ok(ClientMessage::Unsubscribe { target }) => unsubscribe(ports, &connection, &target).await?,
        Ok(ClientMessage::Subscribe { target, cursor }) => subscribe(ports, &connection, &target, cursor).await?,
        Err(refusal) => Some(refusal),
    };
    match refusal {
        None => Ok(()),
        Some(Refusal::TooManyMessages) => disconnect(ports, &connection.id).await,
        Some(refusal) => send_once(ports, &connection.id, &messages::error(refusal, ports.clock.now())).await.map(drop),
    }
}

/// Closes the connection of a client who sends too many messages.
async fn disconnect(ports: &LivePorts<'_>, connection: &str) -> Result<(), StoreError> {
    tracing::info!(connection, "closed a connection, its client sends too many messages");
    send_once(ports, connection, &messages::error(Refusal::TooManyMessages, ports.clock.now())).await?;
    ports.sockets.disconnect(connection).await;
    close(ports, connection).await
}

async fn unsubscribe(
    ports: &LivePorts<'_>,
    connection: &Connection,
    target: &Target,
) -> Result<Option<Refusal>, StoreError> {
    let topics = topics(target);
    let Some(first) = topics.first() else { return Ok(Some(Refusal::NotFound)) };
    for topic in &topics {
        ports.following.unfollow(&connection.id, topic).await?;
    }
    send_once(ports, &connection.id, &messages::unsubscribed(first, ports.clock.now())).await?;
    Ok(None)
}

/// What a client's text may name.
fn topics(target: &Target) -> Vec<Topic> {
    let owner = target.owner().map(Topic::Owner);
    owner.into_iter().chain(target.subjects().into_iter().map(Topic::Subject)).collect()
}

async fn subscribe(
    ports: &LivePorts<'_>,
    connection: &Connection,
    target: &Target,
    cursor: Option<Cursor>,
) -> Result<Option<Refusal>, StoreError> {
    for topic in topics(target) {
        match topic {
            Topic::Owner(_) => return subscribe_to_owner(ports, connection, topic).await,
            Topic::Subject(subject) => {
                let found = ports.subjects.current(&subject).await?;
                if let Some(current) = found.filter(|current| may_follow(connection, current)) {
                    return subscribe_to_subject(ports, connection, current, cursor).await;
                }
            }
        }
    }
    Ok(Some(Refusal::NotFound))
}

/// Whether a connection may follow this. What it may not follow does not exist for it.
fn may_follow(connection: &Connection, current: &Current) -> bool {
    let is_theirs = connection.owner.is_none() || connection.owner == current.owner;
    is_theirs && connection.only.as_ref().is_none_or(|only| *only == current.subject)
}

async fn subscribe_to_owner(
    ports: &LivePorts<'_>,
    connection: &Connection,
    topic: Topic,
) -> Result<Option<Refusal>, StoreError> {
    let Topic::Owner(of) = &topic else { return Ok(Some(Refusal::NotFound)) };
    let is_theirs = connection.owner.as_ref().is_none_or(|owner| owner == of);
    if !is_theirs || connection.only.is_some() {
        return Ok(Some(Refusal::NotFound));
    }
    match ports.following.follow(&connection.id, &topic, MOST).await? {
        Followed::Full => return Ok(Some(Refusal::TooMany)),
        Followed::Missing => return Ok(None),
        Followed::Done => {}
    }
    let now = ports.clock.now();
    let subscription = OwnerSubscription {
        connection: connection.id.clone(),
        of: of.clone(),
        owner: connection.owner.clone(),
        since: now,
    };
    ports.following.put_owner(&subscription).await?;
    // There are no positions that would show what is sent to no viewer until then.
    let message = LiveMessage::Subscribed { connection: connection.id.clone(), owner: of.clone(), since: now };
    send_all(ports.hints, vec![Delayed::after(message, SETTLED)]).await?;
    Ok(None)
}

async fn subscribe_to_subject(
    ports: &LivePorts<'_>,
    connection: &Connection,
    current: Current,
    cursor: Option<Cursor>,
) -> Result<Option<Refusal>, StoreError> {
    let topic = Topic::Subject(current.subject.clone());
    if let Some(cursor) = cursor
        && !may_replay(ports, connection, &current, cursor).await?
    {
        return Ok(Some(Refusal::TooManyMessages));
    }
    match ports.following.follow(&connection.id, &topic, MOST).await? {
        Followed::Full => return Ok(Some(Refusal::TooMany)),
        Followed::Missing => return Ok(None),
        Followed::Done => {}
    }
    let now = ports.clock.now();
    let is_lost = match cursor {
        Some(cursor) => is_lost(ports, &current, cursor, now).await?,
        None => false,
    };
    let cursor = cursor.filter(|_| !is_lost).unwrap_or_else(|| from_now_on(&current));
    let subscription = Subscription {
        connection: connection.id.clone(),
        subject: current.subject.clone(),
        owner: connection.owner.clone(),
        dialect: current.dialect,
        cursor,
        pushed_at: None,
        gap_since: None,
        hinted_until: None,
    };
    let lease = new_lease(ports, now);
    ports.leases.put(&subscription, &lease).await?;
    hint(ports, &connection.id, &current.subject, current.owner.as_ref(), SETTLED).await?;
    if is_lost && send_once(ports, &connection.id, &messages::reset(&current.subject, now)).await? == Posted::Gone {
        return Ok(None);
    }
    if send_once(ports, &connection.id, &messages::subscribed(&topic, Some(cursor), now)).await? == Posted::Gone {
        return Ok(None);
    }
    with_lease(ports, subscription, current.owner.as_ref(), &lease, Why::CatchUp, Pauses::InQueue).await?;
    Ok(None)
}

/// Counts what is sent again after a position, and says whether that may be.
async fn may_replay(
    ports: &LivePorts<'_>,
    connection: &Connection,
    current: &Current,
    cursor: Cursor,
) -> Result<bool, StoreError> {
    let replayed = current.live_version.saturating_sub(cursor.version) / REPLAYED;
    let messages = u32::try_from(replayed).unwrap_or(u32::MAX).min(LONGEST_REPLAY);
    if messages == 0 {
        return Ok(true);
    }
    let counted = ports.connections.count(&connection.id, messages, ports.clock.now()).await?;
    Ok(counted.is_none_or(|counted| counted.messages <= MOST_MESSAGES))
}

/// The position of a viewer without one: the next event, or the end of what has ended.
fn from_now_on(current: &Current) -> Cursor {
    let version = current.live_version;
    Cursor { version: if current.has_ended { version.saturating_sub(1) } else { version }, events: None }
}

/// Whether events after a position are not there any more, or the position was never reached. What is missing for some
/// seconds may still come, and so may what fanout has not written where the item keeps newer events.
async fn is_lost(ports: &LivePorts<'_>, current: &Current, cursor: Cursor, now: Timestamp) -> Result<bool, StoreError> {
    if cursor.version >= current.live_version {
        return Ok(cursor.version > current.live_version);
    }
    let first = ports.live.live_since(&current.subject, cursor.version, 1).await?;
    Ok(match first.first() {
        Some((_, row)) if row.after() <= cursor.version => false,
        Some((version, row)) => {
            let written = ports.live.written_at(&current.subject, *version).await?;
            written.or(row.at()).is_none_or(|since| now > since.after(GAP))
        }
        None => {
            let newest = ports.live.live_since(&current.subject, current.live_version.saturating_sub(1), 1).await?;
            match newest.first() {
                Some((_, row)) => row.at().is_none_or(|at| now > at.after(STREAM_KEEPS)),
                None => now > current.updated_at.after(GAP),
            }
        }
    })
}
