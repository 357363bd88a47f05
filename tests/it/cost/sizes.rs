//! Sizes of items, as DynamoDB counts them.

use serde_json::{Map, Value};

/// What DynamoDB adds to each item and to each entry of an index for storage, in bytes.
pub const OVERHEAD: f64 = 100.0;

/// How many units of this many KB a size is.
pub fn kilobytes(size: f64, unit: f64) -> f64 {
    (size / (1024.0 * unit)).ceil().max(1.0)
}

/// The size of an item in a logged request, where a number stands for a long text's length.
pub fn size(item: &Map<String, Value>) -> f64 {
    let length = |of: &Value| of.as_u64().or_else(|| Some(of.as_str()?.len() as u64));
    let value = |value: &Value| match (&value["S"], &value["B"], &value["N"]) {
        (Value::Null, Value::Null, Value::String(number)) => number.len() as u64 / 2 + 2,
        // Bytes are sent as base64.
        (Value::Null, bytes, _) => length(bytes).map_or(1, |base64| base64 / 4 * 3),
        (text, ..) => length(text).expect("a text or its length"),
    };
    item.iter().map(|(name, of)| (name.len() as u64 + value(of)) as f64).sum()
}
