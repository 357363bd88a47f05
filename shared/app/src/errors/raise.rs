//! Applies steps of errors: each once, with the webhook event that follows when an error opens or is resolved.
//!
//! A step's marker is saved with the error, in one transaction, and keeps what the step caused. A caller that dies before
//! the event is written repeats the step, finds the marker, and writes the same event under the same id.

use async_trait::async_trait;
use reelhook_domain::errors::error::ErrorRow;
use reelhook_domain::{EventId, OutboundEvent, Subject, Timestamp, brief};
use serde_json::json;

use crate::clock::ClockAndRandom;
use crate::errors::steps::{ErrorChange, ErrorStep, ErrorSteps};
use crate::errors::store::{Caused, ErrorStore, SavedStep, group};
use crate::errors::view::ErrorEventData;
use crate::metrics::{MetricName, count};
use crate::retry::Retry;
use crate::store::StoreError;
use crate::webhooks::events::EventRow;
use crate::webhooks::notify::{NotifyPorts, notify};
use crate::webhooks::settings::WebhookSettings;
use crate::webhooks::subscriptions::{Subscribers, Subscriptions};

/// Attempts at one step: each conflict is another writer that changed the same error.
const ATTEMPTS: u32 = 20;

/// What applying steps needs.
pub struct RaisePorts<'a> {
    /// Errors.
    pub errors: &'a dyn ErrorStore,
    /// Webhook events, deliveries and hints.
    pub notify: NotifyPorts<'a>,
    /// Registered endpoints.
    pub subscribers: &'a dyn Subscribers,
    /// WEBHOOK_* settings.
    pub settings: &'a WebhookSettings,
    /// Clock and random source.
    pub clock: &'a dyn ClockAndRandom,
}

#[async_trait]
impl ErrorSteps for RaisePorts<'_> {
    async fn apply(&self, step: &ErrorStep) -> Result<(), StoreError> {
        match save(self.errors, self.clock, step).await? {
            Some(caused) => announce(self, &caused, step.at).await,
            None => Ok(()),
        }
    }
}

/// Saves a step once; the answer is what it caused, now or when it was saved before.
async fn save(
    errors: &dyn ErrorStore,
    clock: &dyn ClockAndRandom,
    step: &ErrorStep,
) -> Result<Option<Caused>, StoreError> {
    let (cause, about) = match &step.change {
        ErrorChange::Raise(raise) => (raise.cause, &raise.about),
        ErrorChange::Resolve(resolve) => (resolve.cause, &resolve.about),
    };
    let group = group(cause, about);
    let mut retry = Retry::new(clock, ATTEMPTS);
    while retry.attempt().await {
        let stored = errors.error(&group).await?;
        let Some((next, event)) = decide(stored.as_ref(), step, clock.now()) else {
            // If the step resolved the error before, its event may be missing.
            return if stored.is_some() { errors.caused_by(&step.id).await } else { Ok(None) };
        };
        let was = stored.map(|stored| stored.version);
        match errors.save_step(&step.id, was, &next, event).await? {
            SavedStep::Done => {
                note(&next, event);
                return Ok(event.map(|event| Caused { event, error: next }));
            }
            SavedStep::Before(caused) => return Ok(caused.map(|caused| *caused)),
            SavedStep::Conflict => {}
        }
    }
    Err(StoreError::Busy { operation: "apply a step of an error", source: "the error changed on each attempt".into() })
}

/// The error after a step, and the event that follows; none if nothing changes.
fn decide(stored: Option<&ErrorRow>, step: &ErrorStep, now: Timestamp) -> Option<(ErrorRow, Option<OutboundEvent>)> {
    let seen = stored.filter(|stored| !stored.is_gone(now));
    match &step.change {
        ErrorChange::Raise(raise) => {
            let next = match (seen, stored) {
                (Some(error), _) => error.raised_again(raise, step.at, now),
                // The row of an error that readers no longer see goes on with its version.
                (None, Some(gone)) => {
                    let new = ErrorRow::raised(raise, step.at, now);
                    ErrorRow { version: gone.version + 1, ..new }
                }
                (None, None) => ErrorRow::raised(raise, step.at, now),
            };
            let opens = seen.is_none_or(|error| error.openings < next.openings);
            Some((next, (opens && raise.cause.has_events()).then_some(OutboundEvent::ErrorRaised)))
        }
        ErrorChange::Resolve(_) => {
            let next = seen?.resolved(step.at, now)?;
            let event = next.cause.has_events().then_some(OutboundEvent::ErrorResolved);
            Some((next, event))
        }
    }
}

/// Logs a step that opened or resolved an error.
fn note(error: &ErrorRow, event: Option<OutboundEvent>) {
    let (error_id, cause, about) = (&error.id, error.cause.name(), brief(&error.about));
    match event {
        Some(OutboundEvent::ErrorResolved) => {
            tracing::info!(error_id, cause, about, "error resolved");
        }
        Some(_) => {
            tracing::warn!(error_id, cause, about, opening = error.openings, "error raised");
            count(MetricName::ErrorsRaised, [cause]);
        }
        None => {}
    }
}

/// Writes the webhook event of a step and its deliveries.
async fn announce(ports: &RaisePorts<'_>, caused: &Caused, at: Timestamp) -> Result<(), StoreError> {
    let row = event(caused.event, &caused.error, at, ports.clock.now());
    let subscriptions = Subscriptions::new(ports.settings, ports.subscribers.subscribers().await?);
    let notified = notify(&ports.notify, &row, subscriptions.of(row.event, at), None).await?;
    if notified.accepted < notified.total {
        let source = "not every delivery was written".into();
        return Err(StoreError::Busy { operation: "notify subscribers of an error", source });
    }
    Ok(())
}

/// A webhook event about an error; its id follows from the error and its opening.
pub(crate) fn event(event: OutboundEvent, error: &ErrorRow, at: Timestamp, now: Timestamp) -> EventRow {
    let index = usize::from(event == OutboundEvent::ErrorResolved);
    EventRow {
        id: EventId::of(&error.id, u64::from(error.openings), index),
        event,
        subject: Subject::Error(error.id.clone()),
        at,
        data: json!(ErrorEventData::new(error, now)).into(),
        callback: None,
        submitted_at: None,
    }
}
