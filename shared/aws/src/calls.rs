//! Logs the AWS operations that a function calls, under the target `aws_calls`; tests count them.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::Value;
use tracing::{Level, debug, enabled};

/// Longer texts are logged as their length: keys are shorter, and contents do not belong in a log.
const LONGEST: usize = 100;

/// Writes one line for each attempt of a call: service, operation and, for DynamoDB, keys and sizes of the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Calls;

impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "Calls"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if !enabled!(target: "aws_calls", Level::DEBUG) {
            return Ok(());
        }
        let Some(call) = config.load::<Metadata>() else { return Ok(()) };
        let (service, operation) = (call.service(), call.name());
        let body = context.request().body().bytes().filter(|_| service == "DynamoDB");
        let request = body.and_then(outline).map(|request| request.to_string());
        debug!(target: "aws_calls", service, operation, request, "AWS call");
        Ok(())
    }
}

/// A request with each long text replaced by its length in bytes.
fn outline(body: &[u8]) -> Option<Value> {
    let mut request = serde_json::from_slice(body).ok()?;
    shorten(&mut request);
    Some(request)
}

fn shorten(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > LONGEST => *value = text.len().into(),
        Value::Array(values) => values.iter_mut().for_each(shorten),
        // A statement has attribute names only; its values are in a member of their own.
        Value::Object(members) => {
            members.iter_mut().filter(|(name, _)| *name != "Statement").for_each(|(_, value)| shorten(value));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_leave_only_their_length() {
        let body = format!(r#"{{"TableName":"Jobs","Item":{{"id":{{"S":"j"}},"body":{{"S":"{}"}}}}}}"#, "é".repeat(51));
        let expected = serde_json::json!({ "TableName": "Jobs", "Item": { "id": { "S": "j" }, "body": { "S": 102 } } });
        assert_eq!(outline(body.as_bytes()), Some(expected));
    }
}
