//! What the effects of a version write and send, as values.

use reelhook_domain::{Delivery, DeliveryId, EventId, LogTally, Status, Subject};

use crate::clips::store::NamedSubmission;
use crate::credits::ledger::Settlement;
use crate::errors::steps::ErrorStep;
use crate::outbox::messages::{Delayed, PieceMessage, Push, WorkMessage};
use crate::outbox::rows::LogRow;
use crate::projects::lookup::Lookup;
use crate::webhooks::events::EventRow;

/// What the effects of one version write and send.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// Rows of the aggregate's log.
    pub logs: Vec<LogRow>,
    /// Webhook events that have at least one recipient.
    pub events: Vec<EventRow>,
    /// Their deliveries.
    pub deliveries: Vec<Delivery>,
    /// Changes of the counters.
    pub counts: Vec<CountStep>,
    /// Admission slots to free; if jobs may wait for them, a hint to start follows.
    pub slots: Vec<String>,
    /// Slots of scenes to free.
    pub scene_slots: Vec<String>,
    /// Errors to raise and to resolve.
    pub errors: Vec<ErrorStep>,
    /// What finds a project by the id of a scene or a task.
    pub lookups: Vec<Lookup>,
    /// What finds a clip job by an id of its worker.
    pub submissions: Vec<NamedSubmission>,
    /// Reservations of credits that end.
    pub credits: Vec<Settlement>,
    /// Hints for the launcher.
    pub work: Vec<Delayed<WorkMessage>>,
    /// Hints for renderers.
    pub pieces: Vec<Delayed<PieceMessage>>,
    /// Live events that viewers may follow over WebSocket connections.
    pub pushes: Vec<Push>,
    /// Files to remove.
    pub removed: Vec<String>,
    /// What to remove of an aggregate that was deleted.
    pub purge: Option<Purge>,
}

impl Plan {
    /// The ids of the deliveries of one of its events.
    pub(super) fn deliveries_of(&self, event: &EventRow) -> Vec<DeliveryId> {
        let deliveries = self.deliveries.iter().filter(|delivery| delivery.event_id == event.id);
        deliveries.map(|delivery| delivery.id).collect()
    }
}

/// What to remove of an aggregate that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purge {
    /// The aggregate, whose log goes.
    pub subject: Subject,
    /// The prefixes of its files.
    pub prefixes: Vec<String>,
}

/// A change of the counters, which is counted once per id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountStep {
    /// The effect's id.
    pub id: EventId,
    /// The day on which the job was created.
    pub day: String,
    /// A final status that the job entered (true) or left.
    pub status: Option<(Status, bool)>,
    /// The change of the numbers of log lines.
    pub log: LogTally,
}
