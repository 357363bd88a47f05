//! Reads records of a stream as versions of aggregates, and classifies those that are none.

use std::time::Duration;

use aws_lambda_events::event::dynamodb::EventRecord;
use reelhook_app::outbox::fanout::AnyVersion;
use reelhook_app::outbox::source::FanoutSource;
use reelhook_app::store::StoreError;
use reelhook_domain::{Effect, HistorySource, Job, Timestamp};

use crate::items::packed::{effect_kinds, newer_dictionary};
use crate::items::{Item, SCHEMA, SCHEMA_WITH_HISTORY, b, n, number, s};

/// How long a record with an effect or a dictionary that is unknown waits for a newer version of the function.
const UNKNOWN_WAIT: Duration = Duration::from_secs(15 * 60);

/// A record of the stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Record<A: ?Sized = Job> {
    /// A new version, with its outbox.
    Version(Box<A>),
    /// A record without effects: a removal, a migration, or a version with an empty outbox.
    Nothing,
    /// A record with an effect or a dictionary that a newer version of the function may know, and the reason.
    TooNew(String),
    /// A record that can never be processed, and the reason.
    Poison(String),
}

impl<A: FanoutSource> Record<A> {
    /// The record, with a version of any kind.
    pub fn of_any(self) -> Record<dyn AnyVersion> {
        match self {
            Self::Version(version) => Record::Version(version),
            Self::Nothing => Record::Nothing,
            Self::TooNew(reason) => Record::TooNew(reason),
            Self::Poison(reason) => Record::Poison(reason),
        }
    }
}

/// The id of the item that a record is about.
pub fn id(record: &EventRecord) -> Option<&str> {
    match record.change.keys.get("id")? {
        serde_dynamo::AttributeValue::S(id) => Some(id),
        _ => None,
    }
}

/// Reads a record; `decode` reads the aggregates of its table.
pub fn read<A: HistorySource>(
    record: &EventRecord,
    now: Timestamp,
    decode: impl Fn(&'static str, &Item) -> Result<A, StoreError>,
) -> Record<A> {
    let new = plain(&record.change.new_image);
    if record.event_name == "REMOVE" || new.is_empty() {
        return Record::Nothing;
    }
    let old = plain(&record.change.old_image);
    let (Some(version), before) = (number(&new, "version"), number(&old, "version").unwrap_or(0)) else {
        return Record::Poison("the item has no version".to_owned());
    };
    if version <= before {
        return Record::Nothing;
    }
    // An older function, which knows no history, has written this version.
    let lost_history = number(&new, "schema") == Some(SCHEMA) && number(&old, "schema") == Some(SCHEMA_WITH_HISTORY);
    let newer = |reason: String| {
        let written = Timestamp(record.change.approximate_creation_date_time.timestamp_millis());
        if now.since(written) < UNKNOWN_WAIT { Record::TooNew(reason) } else { Record::Poison(reason) }
    };
    if let Some(name) = newer_dictionary(&new) {
        return newer(format!("the body names the unknown dictionary {name}"));
    }
    let kinds = match effect_kinds(&new) {
        Ok(Some(kinds)) => kinds,
        Ok(None) if lost_history => Vec::new(),
        Ok(None) => return Record::Nothing,
        Err(error) => return Record::Poison(format!("the outbox can't be read: {error}")),
    };
    if let Some(kind) = kinds.iter().flatten().find(|kind| !Effect::is_known(kind)) {
        return newer(format!("the outbox holds an effect of the unknown kind `{kind}`"));
    }
    let mut version = match decode("read stream record", &new) {
        Ok(version) => version,
        Err(error) => return Record::Poison(error.to_string()),
    };
    if lost_history {
        match decode("read stream record", &old) {
            Ok(before) => version.restore_history(&before),
            Err(error) => return Record::Poison(error.to_string()),
        }
    }
    if version.outbox().is_empty() {
        return Record::Nothing;
    }
    Record::Version(Box::new(version))
}

/// The texts, numbers and bytes of an image; nothing else of it is read.
fn plain(image: &serde_dynamo::Item) -> Item {
    let mut item = Item::new();
    for (name, value) in image.iter() {
        match value {
            serde_dynamo::AttributeValue::S(text) => item.insert(name.clone(), s(text)),
            serde_dynamo::AttributeValue::N(text) => item.insert(name.clone(), n(text)),
            serde_dynamo::AttributeValue::B(bytes) => item.insert(name.clone(), b(bytes.clone())),
            _ => None,
        };
    }
    item
}
