//! Conversions between DynamoDB attributes and values.

pub(crate) mod origin;
pub mod packed;
pub(crate) mod pieces;
pub mod shards;

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_app::store::StoreError;
use reelhook_domain::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A DynamoDB item.
pub type Item = HashMap<String, AttributeValue>;

/// The version of the items' schema.
pub(crate) const SCHEMA: i64 = 1;
/// The version of the schema of items that keep a history. The filter of the stream in the template names it.
pub(crate) const SCHEMA_WITH_HISTORY: i64 = 2;

/// The attribute of an outbox. The filter of the stream lets records that have it through.
pub(crate) const OUTBOX: &str = "outbox";
pub(crate) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(crate) fn n(number: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(crate) fn b(bytes: Vec<u8>) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

/// A TTL attribute: whole seconds, `days` after `at`.
pub(crate) fn ttl(at: Timestamp, days: i64) -> AttributeValue {
    n(at.seconds() + days * 24 * 3600)
}

pub(crate) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

pub(crate) fn number(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// An aggregate as JSON text: DynamoDB's own maps preserve neither the order of keys nor every number.
pub(crate) fn json<T: Serialize>(value: &T) -> AttributeValue {
    s(serde_json::to_string(value).expect("our own types are JSON"))
}

/// Reads an aggregate from its attribute.
pub(crate) fn read<T: DeserializeOwned>(operation: &'static str, item: &Item, name: &str) -> Result<T, StoreError> {
    let text = text(item, name)
        .ok_or_else(|| StoreError::Unreadable { operation, reason: format!("attribute `{name}` is missing") })?;
    serde_json::from_str(text)
        .map_err(|error| StoreError::Unreadable { operation, reason: format!("attribute `{name}`: {error}") })
}

/// Whether a stored form leaves a value out, since it has the default.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Whether an item has expired: DynamoDB removes expired items late.
pub(crate) fn is_expired(item: &Item, now: Timestamp) -> bool {
    number(item, "expires_at").is_some_and(|at| at <= now.seconds())
}
