//! A recovery as it is stored: which deliveries it sends again, and how far it has come.

use reelhook_domain::{Delivery, DeliveryStatus, Metadata, OutboundEvent, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::webhooks::deliveries::{goes_to, time_of};

/// A recovery's id: `rec_` and 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecoveryId(String);

impl RecoveryId {
    /// The id of these bits.
    pub fn of(bits: u128) -> Self {
        Self(format!("rec_{bits:032x}"))
    }

    /// Reads an id; none if the text is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("rec_")?;
        let fits =
            digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        fits.then(|| Self(text.to_owned()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Selects the deliveries of a recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Created at this time or later.
    pub from: Timestamp,
    /// Created at this time or before.
    pub to: Timestamp,
    /// To this endpoint, by its id or its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// With this event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<OutboundEvent>,
    /// With one of these statuses.
    pub statuses: Vec<DeliveryStatus>,
}

impl Filter {
    pub(crate) fn matches(&self, delivery: &Delivery, id: &RecoveryId) -> bool {
        let marked = delivery.recovery.as_deref() == Some(id.as_str());
        self.endpoint.as_ref().is_none_or(|name| goes_to(delivery, name))
            && self.event.is_none_or(|event| event == delivery.event)
            && (marked || self.statuses.contains(&delivery.status))
    }
}

/// The status of a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RecoveryStatus {
    /// Some deliveries are still to be examined.
    Running,
    /// All deliveries were examined.
    Done,
    /// An operator cancelled it.
    Cancelled,
}

/// The part of its request that a recovery keeps without acting on it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RecoveryOrigin {
    /// SHA-256 of the request's content as hex, if that had an Idempotency-Key.
    #[serde(rename = "asked", default, skip_serializing_if = "Option::is_none")]
    pub request_hash: Option<String>,
    /// The caller's metadata.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
}

/// A recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// Its id.
    pub id: RecoveryId,
    /// Its deliveries.
    pub filter: Filter,
    /// Whether it only counts.
    pub dry_run: bool,
    /// What else its request said.
    #[serde(flatten)]
    pub origin: RecoveryOrigin,
    /// Its status.
    pub status: RecoveryStatus,
    /// Rises by one with each change.
    pub version: u64,
    /// When it was requested.
    pub created_at: Timestamp,
    /// When it last progressed.
    pub updated_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// When the due sweep resumes it; none once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// The cursor of the last examined delivery.
    pub cursor: String,
    /// Deliveries that were examined.
    pub examined: u64,
    /// Examined deliveries that the filter matches.
    pub matched: u64,
    /// Matching deliveries that are sent again.
    pub replayed: u64,
    /// Matching deliveries that are not sent again because an attempt was in progress.
    pub under_way: u64,
    /// Matching deliveries that are not sent again because their endpoint is disabled.
    pub disabled: u64,
}

impl Recovery {
    /// The part of its time range that was examined, in percent.
    pub fn progress(&self) -> u8 {
        let whole = self.filter.to.millis_since(self.filter.from).max(1);
        let done = time_of(&self.cursor).millis_since(self.filter.from).clamp(0, whole);
        match self.status {
            RecoveryStatus::Done => 100,
            RecoveryStatus::Running | RecoveryStatus::Cancelled => {
                u8::try_from(done * 100 / whole).unwrap_or(99).min(99)
            }
        }
    }

    pub(crate) fn next(&self, now: Timestamp) -> Self {
        Self { version: self.version + 1, updated_at: now, ..self.clone() }
    }

    pub(crate) fn end(&mut self, status: RecoveryStatus, now: Timestamp) {
        self.status = status;
        self.finished_at = Some(now);
        self.due_at = None;
    }
}

/// These statuses in order, each once.
pub fn statuses(all: impl IntoIterator<Item = DeliveryStatus>) -> Vec<DeliveryStatus> {
    let mut unique = Vec::new();
    for status in all {
        if !unique.contains(&status) {
            unique.push(status);
        }
    }
    unique
}
