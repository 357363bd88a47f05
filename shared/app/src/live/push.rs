//! Sends live events to those who follow them: in order, at most once a second and subscription, the end at once.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use reelhook_domain::{OwnerId, Subject, Timestamp};

use super::connections::{beat, close, send_once};
use super::messages::{Event, events, subscribed};
use super::ports::{Follower, Lease, Leased, LivePorts, Posted, Released, Subscription};
use super::positions::{is_behind, position_at};
use super::reads::SharedReads;
use super::topic::Topic;
use crate::outbox::messages::{Delayed, LiveMessage, Push, send_all};
use crate::store::StoreError;
use crate::watch::{ROWS, Watch};

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
/// The size of a batch after which others wait in the queue: no invocation waits then, so that it gets on.
const FULL_BATCH: usize = 10;

/// What to do with the events that a viewer has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// There are none.
    Nothing,
    /// Send them.
    Send,
    /// Send them then, with what will have happened.
    Wait(Timestamp),
}

/// The end of the pause after the last push, if it lasts.
fn pause_after(pushed_at: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    pushed_at.map(|at| at.after(PAUSE)).filter(|end| now < *end)
}

/// Whether events are sent now, or at the end of the pause after the last push. Several that came together are one push.
fn step(events: &[Event], pause: Option<Timestamp>) -> Step {
    if events.is_empty() {
        return Step::Nothing;
    }
    match pause {
        Some(end) if !events.iter().any(|event| event.ends) => Step::Wait(end),
        Some(_) | None => Step::Send,
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

/// Where the time between two pushes is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pauses {
    /// In this invocation, without a lease, for what is left of it: a delay of the queue is a whole second.
    Here,
    /// In the queue, by a hint.
    InQueue,
}

/// What was done for a viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Served {
    /// All that is to be done now.
    Done,
    /// Nothing until this time, when this invocation serves the viewer again.
    Pausing(Timestamp),
    /// Nothing: there is no such subscription.
    Missing,
}

/// The rest of the work on a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// None.
    None,
    /// There may be new events, which wait for the end of the pause after the last push.
    Pausing(Timestamp),
    /// There may be more events, after a while.
    Later,
    /// A message could not be sent.
    Failed,
    /// Its connection is closed.
    Gone,
}

/// Works on a batch of messages; one result for each, in order.
pub async fn process(ports: &LivePorts<'_>, messages: &[LiveMessage]) -> Vec<Result<(), StoreError>> {
    let reads = SharedReads::new(ports.live);
    let ports = &LivePorts { live: &reads, ..*ports };
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
    let pauses = if messages.len() < FULL_BATCH { Pauses::Here } else { Pauses::InQueue };
    match message {
        LiveMessage::Push(push) => {
            let (first, terminal) = first_of(messages, push);
            // Of several messages about one subject the first one speaks for all.
            if first != index {
                return Ok(());
            }
            push_to_all(ports, &push.subject, push.owner.as_ref(), Why::Event { terminal }, pauses).await
        }
        LiveMessage::CatchUp { connection, subject, owner } => {
            if !is_behind(ports, connection, subject).await? {
                return Ok(());
            }
            match serve(ports, connection, subject, owner.as_ref(), Why::CatchUp, pauses).await? {
                Served::Pausing(until) => serve_at(ports, connection, subject, owner.as_ref(), until).await,
                Served::Done | Served::Missing => Ok(()),
            }
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
    why: Why,
    pauses: Pauses,
) -> Result<(), StoreError> {
    let followers = followers(ports, subject, owner).await?;
    let serve_first = |follower: Follower| async move {
        let served = of_topic(ports, subject, owner, &follower, why, pauses).await;
        (follower.connection, served)
    };
    let serving: Vec<_> = followers.into_values().map(serve_first).collect();
    let serving = futures_util::stream::iter(serving).buffer_unordered(AT_ONCE);
    let serve_later = |(connection, served): (String, Result<Served, StoreError>)| async move {
        match served? {
            Served::Pausing(until) => serve_at(ports, &connection, subject, owner, until).await,
            Served::Done | Served::Missing => Ok(()),
        }
    };
    // One who waits for a pause takes no other's turn, and waits for no other.
    let done: Vec<Result<(), StoreError>> = serving.map(serve_later).buffer_unordered(usize::MAX).collect().await;
    done.into_iter().collect()
}

/// Serves a viewer when its pause has ended. If something was sent meanwhile, the next pause is waited for in the queue.
async fn serve_at(
    ports: &LivePorts<'_>,
    connection: &str,
    subject: &Subject,
    owner: Option<&OwnerId>,
    at: Timestamp,
) -> Result<(), StoreError> {
    ports.clock.wait(at.wait_from(ports.clock.now())).await;
    serve(ports, connection, subject, owner, Why::CatchUp, Pauses::InQueue).await.map(drop)
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
    pauses: Pauses,
) -> Result<Served, StoreError> {
    ports.in_time()?;
    let connection = &follower.connection;
    let served = serve(ports, connection, subject, owner, why, pauses).await?;
    if served != Served::Missing {
        return Ok(served);
    }
    // One who follows the owner gets a subscription with the first event of each subject.
    let (Some(since), Some(via)) = (follower.since, owner) else { return Ok(Served::Missing) };
    let Some(current) = ports.subjects.current(subject).await? else { return Ok(Served::Missing) };
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
        return Ok(Served::Missing);
    }
    ports.following.put_new(&subscription, via).await?;
    serve(ports, connection, subject, owner, why, pauses).await
}

/// An owner's connection sees what is the owner's; an operator's sees all.
pub(super) fn may_see(subscription: &Subscription, owner: Option<&OwnerId>) -> bool {
    subscription.owner.is_none() || subscription.owner.as_ref() == owner
}

/// A new lease from `now` on.
pub(super) fn new_lease(ports: &LivePorts<'_>, now: Timestamp) -> Lease {
    Lease { holder: format!("{:032x}", ports.clock.random()), until: now.after(LEASE) }
}

/// Sends a subscription's new events.
async fn serve(
    ports: &LivePorts<'_>,
    connection: &str,
    subject: &Subject,
    owner: Option<&OwnerId>,
    why: Why,
    pauses: Pauses,
) -> Result<Served, StoreError> {
    let now = ports.clock.now();
    let lease = new_lease(ports, now);
    match ports.leases.lease(connection, subject, &lease, now).await? {
        Leased::Missing => Ok(Served::Missing),
        Leased::Held => {
            // The holder finds the mark when it gives the lease back, unless its function crashes before.
            if why == Why::CatchUp {
                hint(ports, connection, subject, owner, LEASE_ENDED).await?;
            }
            Ok(Served::Done)
        }
        Leased::Yes(subscription) => {
            let until = with_lease(ports, *subscription, owner, &lease, why, pauses).await?;
            Ok(until.map_or(Served::Done, Served::Pausing))
        }
    }
}

/// Sends a leased subscription's new events, and gives the lease back, also after an error. If another invocation
/// requested it meanwhile, the events are read again, now or after a hint. Returns the end of a pause after which this
/// invocation serves the viewer again.
pub(super) async fn with_lease(
    ports: &LivePorts<'_>,
    mut subscription: Subscription,
    owner: Option<&OwnerId>,
    lease: &Lease,
    mut why: Why,
    pauses: Pauses,
) -> Result<Option<Timestamp>, StoreError> {
    if !may_see(&subscription, owner) {
        tracing::warn!(connection = subscription.connection, subject = %subscription.subject, "a viewer may not see it");
        let topic = Topic::Subject(subscription.subject.clone());
        return ports.following.unfollow(&subscription.connection, &topic).await.map(|()| None);
    }
    let stop = lease.until.before(GIVING_BACK).min(ports.last_start);
    let mut pausing = None;
    loop {
        let is_slow = match send_new(ports, &mut subscription, why, stop).await {
            Ok(Rest::Gone) => return close(ports, &subscription.connection).await.map(|()| None),
            Ok(Rest::None) => Ok(false),
            // This invocation is the hint.
            Ok(Rest::Pausing(until)) if pauses == Pauses::Here && until < ports.last_start => {
                let now = ports.clock.now();
                if !is_hinted(&subscription, now) {
                    note_hint(&mut subscription, now, until.wait_from(now));
                    pausing = Some(until);
                }
                Ok(false)
            }
            Ok(Rest::Pausing(_) | Rest::Later) => {
                hint_once(ports, &mut subscription, owner, PAUSE).await.map(|()| false)
            }
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
            return is_slow.map(|_| pausing);
        }
        // The request may have been about the end.
        why = Why::Event { terminal: true };
    }
}

/// Whether a hint at a subscription is under way.
fn is_hinted(subscription: &Subscription, now: Timestamp) -> bool {
    subscription.hinted_until.is_some_and(|until| now < until)
}

/// Notes that a hint is under way for this time, of which half is left to clocks that differ.
fn note_hint(subscription: &mut Subscription, now: Timestamp, time: Duration) {
    subscription.hinted_until = Some(now.after(time / 2));
}

/// Hints at a subscription, unless a hint is under way.
async fn hint_once(
    ports: &LivePorts<'_>,
    subscription: &mut Subscription,
    owner: Option<&OwnerId>,
    time: Duration,
) -> Result<(), StoreError> {
    let now = ports.clock.now();
    if !is_hinted(subscription, now) {
        hint(ports, &subscription.connection, &subscription.subject, owner, time).await?;
        note_hint(subscription, now, time);
    }
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
        // The pages of one push follow each other at once.
        let pause = pause_after(of.pushed_at.filter(|_| sent == 0), now);
        if let Some(end) = pause
            && why == (Why::Event { terminal: false })
        {
            return Ok(Rest::Pausing(end));
        }
        let mut watch = Watch::at(of.subject.clone(), of.dialect, of.cursor, of.gap_since);
        let unseen = watch.unseen(ports.live, now).await?;
        of.gap_since = watch.gap_since();
        let new: Vec<Event> = unseen.iter().flat_map(|unseen| events(&of.subject, of.dialect, unseen, now)).collect();
        match step(&new, pause) {
            // A row is missing, and may still come.
            Step::Nothing if of.gap_since.is_some() => return Ok(Rest::Later),
            Step::Nothing => return Ok(Rest::None),
            Step::Wait(end) => return Ok(Rest::Pausing(end)),
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
    use crate::watch::Cursor;

    fn event(ends: bool) -> Event {
        Event { cursor: Cursor { version: 1, events: Some(1) }, text: "{}".to_owned(), ends }
    }

    #[test]
    fn a_push_waits_for_a_second_after_the_last_one_unless_something_ends() {
        let (progress, end) = ([event(false), event(false)], [event(false), event(true)]);
        let (last, soon) = (Some(Timestamp(1000)), Timestamp(1999));
        let step = |events: &[Event], last, now| step(events, pause_after(last, now));
        assert_eq!(step(&[], last, soon), Step::Nothing);
        assert_eq!(step(&progress, None, soon), Step::Send);
        assert_eq!(step(&progress, last, soon), Step::Wait(Timestamp(2000)));
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
