//! Work that an external service does for us: its id there, and the times at which the service is polled.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::{RenderId, Timestamp, WebUrl};

/// A service that works for us under an id of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Service {
    /// Creatomate, which renders videos.
    #[default]
    Creatomate,
}

impl Service {
    /// The name in keys and logs.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// The status of a render at a render service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RenderStatus {
    /// Accepted.
    Planned,
    /// Waiting for a machine.
    Waiting,
    /// Transcribing audio.
    Transcribing,
    /// Drawing frames.
    Rendering,
    /// Done.
    Succeeded,
    /// Failed or cancelled.
    Failed,
    /// An unknown status, which is only shown.
    Other(String),
}

/// The state of a render.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderState {
    /// The status.
    pub status: RenderStatus,
    /// The URL of the video; it is only used after a success.
    pub url: Option<WebUrl>,
    /// Why the render failed.
    pub error: Option<String>,
}

impl RenderState {
    /// Whether the render has ended. A success without a URL does not count.
    pub fn is_end(&self) -> bool {
        match self.status {
            RenderStatus::Succeeded => self.url.is_some(),
            RenderStatus::Failed => true,
            RenderStatus::Planned
            | RenderStatus::Waiting
            | RenderStatus::Transcribing
            | RenderStatus::Rendering
            | RenderStatus::Other(_) => false,
        }
    }
}

/// Polls that confirm a reported end before the schedule takes over again.
const CONFIRMATIONS: u8 = 8;
/// The time after which a poll without a response is repeated.
pub(crate) const POLL_LEASE: Duration = Duration::from_secs(30);

/// A task at an outside service. A callback only makes the next poll early: polling alone brings every task to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalTask {
    /// Where it is worked on.
    pub service: Service,
    /// The service's id for it.
    pub id: RenderId,
    /// The status that was last shown.
    pub status: Option<RenderStatus>,
    /// The polls of the service; none while nothing waits for the task's end.
    pub polls: Option<Polls>,
}

/// The polls of a task: a schedule, and the confirmation of an end that a callback reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Polls {
    /// The start of the schedule; none while only a reported end is being confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Scheduled polls that were made.
    #[serde(rename = "checks")]
    pub made: u8,
    /// Polls that tried to confirm a reported end; 0 when none was reported.
    pub confirming: u8,
    /// The time of the next poll.
    pub next_at: Timestamp,
}

/// What has to be done when a poll is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuePoll {
    /// Poll the service to confirm the reported end.
    Confirm,
    /// The reported end could not be confirmed: the schedule continues.
    Unconfirmed,
    /// Make the scheduled poll of this number.
    Scheduled(u8),
    /// The last scheduled poll found no end: the deadline has passed.
    DeadlinePassed,
}

impl ExternalTask {
    /// A task that was submitted under this id.
    pub fn new(service: Service, id: RenderId) -> Self {
        Self { service, id, status: None, polls: None }
    }

    /// Starts the schedule: polls at these times from now on, the last of which is the deadline. A confirmation under way
    /// goes on.
    pub(crate) fn begin_polls(&mut self, now: Timestamp, schedule: &[Duration]) {
        let first = now.after(schedule[0]);
        let confirming = self.polls.as_ref().filter(|polls| polls.confirming > 0);
        self.polls = Some(Polls {
            since: Some(now),
            made: 0,
            confirming: confirming.map_or(0, |polls| polls.confirming),
            next_at: confirming.map_or(first, |polls| polls.next_at.min(first)),
        });
    }

    /// Whether a reported end is being confirmed.
    pub fn is_confirming(&self) -> bool {
        self.polls.as_ref().is_some_and(|polls| polls.confirming > 0)
    }

    /// Schedules confirmation `number` of a reported end, after `delay`.
    pub(crate) fn confirm(&mut self, number: u8, delay: Duration, now: Timestamp) {
        let next_at = now.after(delay + POLL_LEASE);
        let (since, made) = self.polls.as_ref().map_or((None, 0), |polls| (polls.since, polls.made));
        self.polls = Some(Polls { since, made, confirming: number, next_at });
    }

    /// The number of the next confirmation, if one is under way and may go on.
    pub(crate) fn next_confirmation(&self) -> Option<u8> {
        let confirming = self.polls.as_ref()?.confirming;
        (confirming > 0 && confirming < CONFIRMATIONS).then_some(confirming + 1)
    }

    /// Ends a confirmation: back to the schedule; without one the polls end.
    pub(crate) fn stop_confirming(&mut self, now: Timestamp, schedule: &[Duration]) {
        self.polls = self.polls.take().and_then(|polls| {
            let since = polls.since?;
            let next = schedule.get(usize::from(polls.made)).unwrap_or(&schedule[schedule.len() - 1]);
            let next_at = since.after(*next).max(now.after(POLL_LEASE));
            Some(Polls { since: Some(since), made: polls.made, confirming: 0, next_at })
        });
    }

    /// Another task replaces this one: a reported end of the old one does not count for it. Polls that only confirmed
    /// that end are removed.
    pub(crate) fn forget_confirmation(&mut self) {
        self.status = None;
        self.polls = self.polls.take().filter(|polls| polls.since.is_some());
        if let Some(polls) = &mut self.polls {
            polls.confirming = 0;
        }
    }

    /// What a due poll is, with the polls moved on; none while there are no polls.
    pub(crate) fn poll(&mut self, now: Timestamp, schedule: &[Duration]) -> Option<DuePoll> {
        let polls = self.polls.as_mut()?;
        if polls.confirming >= CONFIRMATIONS {
            self.stop_confirming(now, schedule);
            return Some(DuePoll::Unconfirmed);
        }
        if polls.confirming > 0 {
            polls.confirming += 1;
            polls.next_at = now.after(POLL_LEASE);
            return Some(DuePoll::Confirm);
        }
        if usize::from(polls.made) >= schedule.len() {
            return Some(DuePoll::DeadlinePassed);
        }
        let since = *polls.since.get_or_insert(now);
        polls.made += 1;
        polls.next_at = schedule.get(usize::from(polls.made)).map_or(now.after(POLL_LEASE), |next| since.after(*next));
        Some(DuePoll::Scheduled(polls.made))
    }
}
