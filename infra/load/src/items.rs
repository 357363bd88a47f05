//! Items in DynamoDB's JSON, and the deliveries in them, whose stored form is compressed.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reelhook_aws::webhooks::rows::read_delivery;
use serde_json::{Value, json};

/// An item in DynamoDB's JSON.
pub fn stored(item: &HashMap<String, AttributeValue>) -> Value {
    item.iter().map(|(name, value)| (name.clone(), value_of(value))).collect()
}

/// The delivery whose `body` these bytes are, in base64, as JSON.
pub fn delivery(body: &str) -> Option<Value> {
    let body = AttributeValue::B(Blob::new(STANDARD.decode(body).ok()?));
    let delivery = read_delivery("read a write", &[("body".to_owned(), body)].into()).ok()?;
    serde_json::to_value(delivery).ok()
}

fn value_of(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(bool) => json!({ "BOOL": bool }),
        AttributeValue::Null(_) => json!({ "NULL": true }),
        AttributeValue::B(bytes) => json!({ "B": STANDARD.encode(bytes) }),
        AttributeValue::L(values) => json!({ "L": values.iter().map(value_of).collect::<Vec<Value>>() }),
        AttributeValue::M(members) => json!({ "M": stored(members) }),
        other => unreachable!("no item of ours has {other:?}"),
    }
}
