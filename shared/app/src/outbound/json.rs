//! What the JSON bodies of requests to outside services have in common.

use serde_json::{Value, json};

/// A length in seconds, as a whole number where it is one.
pub(crate) fn seconds(millis: u64) -> Value {
    if millis.is_multiple_of(1000) { json!(millis / 1000) } else { json!(millis as f64 / 1000.0) }
}

/// The object without the members that are null.
pub(crate) fn without_nulls(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, member| !member.is_null());
    }
    value
}
