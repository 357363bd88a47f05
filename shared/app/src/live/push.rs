//! Sends live events to those who follow them: in order, at most once a second and subscription, the end at once.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use reelhook_domain::{OwnerId, Subject, Timestamp};

use super::connections::{beat, close, send_once};
use super::messages::{Event, events, subscribed};
use super::ports::{Follower, Lease, Leased, LivePorts, Posted, Released, Subscription};
use super::topic::Topic;
use crate::outbox::messages::{Delayed, LiveMessage, Push, send_all};
use crate::store::StoreError;
use crate::watch::{Cursor, ROWS, Watch};

/// The shortest time between two pushes of a subscription, unless something ends.
const PAUSE: Duration = Duration::from_secs(1);
/// When a message that could not be sent is sent again.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// When a new subscription is settled: every instance of fanout knows that there are viewers, and the index of
/// subscriptions has it.
pub(super) const SETTLED: Duration = Duration::from_secs(2);
/// How long a lease lasts.
const LEASE: Duration = Duration::from_secs(20);
/// The end of a lease in which nothing is sent: for a last message, a hint and the position, while the store is slow.
const GIVING_BACK: Duration = Duration::from_secs(12);
/// When a lease that is held now has ended at the latest.
const LEASE_ENDED: Duration = Duration::from_secs(LEASE.as_secs() + 1);
/// Viewers that are served at once: one who is slow delays no other.
const AT_ONCE: usize = 200;
/// Messages that one push sends at most, however quick they are.
const AT_MOST: usize = 500;

/// What to do with the events that a viewer has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// There are none.
    Nothing,
    /// Send them.
    Send,
    /// Send them later, with what will have happened by then.
    Wait,
}

/// Whether events are sent now. Several that came together are one push.
fn step(events: &[Event], pushed_at: Option<Timestamp>, now: Timestamp) -> Step {
    if events.is_empty() {
        Step::Nothing
    } else if events.iter().any(|event| event.ends) || pushed_at.is_none_or(|at| now >= at.after(PAUSE)) {
        Step::Send
    } else {
        Step::Wait
    }
}

/// Why a subscription is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Something happened; whether it was the end.
    Event {
        /// Whether it was the end.
        terminal: bool,
    },
    /// A client has just subscribed, or may have missed something.
    CatchUp,
}

/// The rest of the work on a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// None.
    None,
    /// There may be more events, after a pause.
    Later,
    /// A message could not be sent.
    Failed,
    /// Its connection is closed.
    Gone,
}

/// Works on a batch of messages; one result for each, in order.
pub async fn process(ports: &LivePorts<'_>, messages: &[LiveMessage]) -> Vec<Result<(), StoreError>> {
    let work = messages.iter().enumerate();
    join_all(work.map(|(index, message)| async move { process_one(ports, messages, index, message).await })).await
}

async fn process_one(
    ports: &LivePorts<'_>,
    messages: &[LiveMessage],
    index: usize,
    message: &LiveMessage,
) -> Result<(), StoreError> {
    ports.in_time()?;
    match message {
        LiveMessage::Push(push) => {
            let (first, terminal) = first_of(messages, push);
            // Of several messages about one subject the first one speaks for all.
            if first != index {
                return Ok(());
            }
            push_to_all(ports, &push.subject, push.owner.as_ref(), terminal).await
        }
        LiveMessage::CatchUp { connection, subject, owner } => {
            serve(ports, connection, subject, owner.as_ref(), Why::CatchUp).await.map(drop)
        }
        LiveMessage::Subscribed { connection, owner, since } => confirm(ports, connection, owner, *since).await,
        LiveMessage::Beat { connection } => beat(ports, connection).await,
    }
}

/// Confirms to a viewer that it follows an owner, unless that has ended, or began anew.
async fn confirm(ports: &LivePorts<'_>, connection: &str, owner: &OwnerId, since: Timestamp) -> Result<(), StoreError> {
    if ports.connections.follows_since(connection, owner).await? != Some(since) {
        return Ok(());
    }
    let text = subscribed(&Topic::Owner(owner.clone()), None, ports.clock.now());
    send_once(ports, connection, &text).await.map(drop)
}

/// The index of the first message about the subject of this one, and whether one of them is about its end.
fn first_of(messages: &[LiveMessage], push: &Push) -> (usize, bool) {
    let mut same = messages.iter().enumerate().filter_map(|(index, message)| match message {
        LiveMessage::Push(other) if other.subject == push.subject => Some((index, other.terminal)),
        _ => None,
    });
    let (first, terminal) = same.next().unwrap_or((0, push.terminal));
    (first, terminal || same.any(|(_, terminal)| terminal))
}

/// Sends a subject's new events to all who follow it or its owner.
async fn push_to_all(
    ports: &LivePorts<'_>,
    subject: &Subject,
    owner: Option<&OwnerId>,
    terminal: bool,
) -> Result<(), StoreError> {
    let why = Why::Event { terminal };
    let followers = followers(ports, subject, owner).await?;
    let serving = followers.into_values();
    let serving: Vec<_> =
        serving.map(|follower| async move { of_topic(ports, subject, owner, &follower, why).await }).collect();
    let results: Vec<_> = futures_util::stream::iter(serving).buffer_unordered(AT_ONCE).collect().await;
    results.into_iter().collect()
}

/// Those who follow a subject or its owner, by their connections.
async fn followers(
    ports: &LivePorts<'_>,
    subject: &Subject,
    owner: Option<&OwnerId>,
) -> Result<BTreeMap<String, Follower>, StoreError> {
    let topics = [Some(Topic::Subject(subject.clone())), owner.cloned().map(Topic::Owner)];
    let mut found = BTreeMap::new();
    for topic in topics.into_iter().flatten() {
        let mut after: Option<String> = None;
        loop {
            ports.in_time()?;
            let page = ports.following.followers(&topic, after.as_deref()).await?;
            // One who follows both is found with the owner last.
            found.extend(page.followers.into_iter().map(|follower| (follower.connection.clone(), follower)));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(found)
}

/// Serves one who follows a subject or its owner.
async fn of_topic(
    ports: &LivePorts<'_>,
    subject: &Subject,
    owner: Option<&OwnerId>,
    follower: &Follower,
    why: Why,
) -> Result<(), StoreError> {
    ports.in_time()?;
    let connection = &follower.connection;
    if serve(ports, connection, subject, owner, why).await? {
        return Ok(());
    }
    // One who follows the owner gets a subscription with the first event of each subject.
    let (Some(since), Some(via)) = (follower.since, owner) else { return Ok(()) };
    let Some(current) = ports.subjects.current(subject).await? else { return Ok(()) };
    let subscription = Subscription {
        connection: connection.clone(),
        subject: subject.clone(),
        owner: follower.owner.clone(),
        dialect: current.dialect,
        cursor: position_at(ports, subject, since).await?,
        pushed_at: None,
        gap_since: None,
        hinted_until: None,
    };
    if !may_see(&subscription, current.owner.as_ref()) {
        return Ok(());
    }
    ports.following.put_new(&subscription, via).await?;
    serve(ports, connection, subject, owner, why).await.map(drop)
}

/// The last position before a time.
async fn position_at(ports: &LivePorts<'_>, subject: &Subject, since: Timestamp) -> Result<Cursor, StoreError> {
    let mut version = 0;
    loop {
        let rows = ports.live.live_since(subject, version, ROWS).await?;
        let found = rows.len();
        for (next, row) in rows {
            if row.at().is_some_and(|at| at >= since) {
                return Ok(Cursor { version, events: None });
            }
            version = next;
        }
        if found < usize::try_from(ROWS).unwrap_or(usize::MAX) {
            return Ok(Cursor { version, events: None });
        }
    }
}

/// An owner's connection sees what is the owner's; an operator's sees all.
pub(super) fn may_see(subscription: &Subscription, owner: Option<&OwnerId>) -> bool {
    subscription.owner.is_none() || subscription.owner.as_ref() == owner
}

/// A new lease from `now` on.
pub(super) fn new_lease(ports: &LivePorts<'_>, now: Timestamp) -> Lease {
    Lease { holder: format!("{:032x}", ports.clock.random()), until: now.after(LEASE) }
}

/// Sends a subscription's new events; false if there is no such subscription.
async fn serve(
    ports: &LivePorts<'_>,
    connection: &str,
    subject: &Subject,
    owner: Option<&OwnerId>,
    why: Why,
) -> Result<bool, StoreError> {
    let now = ports.clock.now();
    let lease = new_lease(ports, now);
    match ports.leases.lease(connection, subject, &lease, now).await? {
        Leased::Missing => Ok(false),
        Leased::Held => {
            // The holder finds the mark when it gives the lease back, unless its function crashes before.
            if why == Why::CatchUp {
                hint(ports, connection, subject, owner, LEASE_ENDED).await?;
            }
            Ok(true)
        }
        Leased::Yes(subscription) => with_lease(ports, *subscription, owner, &lease, why).await.map(|()| true),
    }
}

/// Sends a leased subscription's new events, and gives the lease back, also after an error. If another invocation
/// requested it meanwhile, the events are read again, now or after a hint.
pub(super) async fn with_lease(
    ports: &LivePorts<'_>,
    mut subscription: Subscription,
    owner: Option<&OwnerId>,
    lease: &Lease,
    mut why: Why,
) -> Result<(), StoreError> {
    if !may_see(&subscription, owner) {
        tracing::warn!(connection = subscription.connection, subject = %subscription.subject, "a viewer may not see it");
        let topic = Topic::Subject(subscription.subject.clone());
        return ports.following.unfollow(&subscription.connection, &topic).await;
    }
    let stop = lease.until.before(GIVING_BACK).min(ports.last_start);
    loop {
        let is_slow = match send_new(ports, &mut subscription, why, stop).await {
            Ok(Rest::Gone) => return close(ports, &subscription.connection).await,
            Ok(Rest::None) => Ok(false),
            Ok(Rest::Later) => hint_once(ports, &mut subscription, owner, PAUSE).await.map(|()| false),
            Ok(Rest::Failed) => hint_once(ports, &mut subscription, owner, RETRY_AFTER).await.map(|()| true),
            Err(error) => Err(error),
        };
        // A slow viewer is not served again at once, whatever happened meanwhile.
        let is_over = !matches!(is_slow, Ok(false)) || ports.clock.now() >= stop;
        let mut released = ports.leases.release(&subscription, lease).await?;
        while is_over && released == Released::Again {
            // The request may have come with the hint that was under way.
            hint_once(ports, &mut subscription, owner, RETRY_AFTER).await?;
            released = ports.leases.release(&subscription, lease).await?;
        }
        if released != Released::Again {
            return is_slow.map(drop);
        }
        // The request may have been about the end.
        why = Why::Event { terminal: true };
    }
}

/// Hints at a subscription, unless a hint is under way. Half of the time is left to clocks that differ.
async fn hint_once(
    ports: &LivePorts<'_>,
    subscription: &mut Subscription,
    owner: Option<&OwnerId>,
    time: Duration,
) -> Result<(), StoreError> {
    let now = ports.clock.now();
    if subscription.hinted_until.is_some_and(|until| now < until) {
        return Ok(());
    }
    hint(ports, &subscription.connection, &subscription.subject, owner, time).await?;
    subscription.hinted_until = Some(now.after(time / 2));
    Ok(())
}

/// Hints at a subscription after a time.
pub(super) async fn hint(
    ports: &LivePorts<'_>,
    connection: &str,
    subject: &Subject,
    owner: Option<&OwnerId>,
    time: Duration,
) -> Result<(), StoreError> {
    let message =
        LiveMessage::CatchUp { connection: connection.to_owned(), subject: subject.clone(), owner: owner.cloned() };
    send_all(ports.hints, vec![Delayed::after(message, time)]).await
}

/// Sends a subscription's new events until `stop`.
async fn send_new(ports: &LivePorts<'_>, of: &mut Subscription, why: Why, stop: Timestamp) -> Result<Rest, StoreError> {
    let mut sent = 0;
    loop {
        let now = ports.clock.now();
        if now >= stop {
            return Ok(Rest::Later);
        }
        let pausing = of.pushed_at.is_some_and(|at| now < at.after(PAUSE));
        if pausing && sent == 0 && why == (Why::Event { terminal: false }) {
            return Ok(Rest::Later);
        }
        let mut watch = Watch::at(of.subject.clone(), of.dialect, of.cursor, of.gap_since);
        let unseen = watch.unseen(ports.live, now).await?;
        of.gap_since = watch.gap_since();
        let new: Vec<Event> = unseen.iter().flat_map(|unseen| events(&of.subject, of.dialect, unseen, now)).collect();
        // The pages of one push follow each other at once.
        match step(&new, of.pushed_at.filter(|_| sent == 0), now) {
            // A row is missing, and may still come.
            Step::Nothing if of.gap_since.is_some() => return Ok(Rest::Later),
            Step::Nothing => return Ok(Rest::None),
            Step::Wait => return Ok(Rest::Later),
            Step::Send => {}
        }
        for event in new {
            if ports.clock.now() >= stop {
                return Ok(Rest::Later);
            }
            match ports.sockets.post(&of.connection, &event.text).await {
                Posted::Done => (of.cursor, of.pushed_at) = (event.cursor, Some(now)),
                Posted::Gone => return Ok(Rest::Gone),
                Posted::Failed(error) => {
                    tracing::info!(connection = of.connection, error, "a message could not be sent, it is sent later");
                    return Ok(Rest::Failed);
                }
            }
            sent += 1;
        }
        of.cursor = watch.cursor();
        if unseen.len() < usize::try_from(ROWS).unwrap_or(usize::MAX) {
            let waits = of.gap_since.is_some();
            return Ok(if waits { Rest::Later } else { Rest::None });
        }
        if sent >= AT_MOST {
            return Ok(Rest::Later);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(ends: bool) -> Event {
        Event { cursor: Cursor { version: 1, events: Some(1) }, text: "{}".to_owned(), ends }
    }

    #[test]
    fn a_push_waits_for_a_second_after_the_last_one_unless_something_ends() {
        let (progress, end) = ([event(false), event(false)], [event(false), event(true)]);
        let (last, soon) = (Some(Timestamp(1000)), Timestamp(1999));
        assert_eq!(step(&[], last, soon), Step::Nothing);
        assert_eq!(step(&progress, None, soon), Step::Send);
        assert_eq!(step(&progress, last, soon), Step::Wait);
        assert_eq!(step(&progress, last, Timestamp(2000)), Step::Send);
        assert_eq!(step(&end, last, soon), Step::Send);
    }

    #[test]
    fn the_first_message_of_a_batch_speaks_for_all_about_its_subject() {
        let push = |id: &str, terminal| Push { subject: Subject::parse(id).unwrap(), owner: None, terminal };
        let messages: Vec<LiveMessage> = [("job_1", false), ("job_2", false), ("job_1", true), ("job_1", false)]
            .map(|(id, terminal)| LiveMessage::Push(push(id, terminal)))
            .into();
        assert_eq!(first_of(&messages, &push("job_1", false)), (0, true));
        assert_eq!(first_of(&messages, &push("job_2", false)), (1, false));
    }
}
