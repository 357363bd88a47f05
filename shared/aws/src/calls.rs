//! Observes the AWS operations that a function calls: logs them under the target `aws_calls`, by which tests count them, and
//! counts retries and throttles (`crate::metrics`).

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::{Value, json};
use tracing::{Level, debug, enabled};

use crate::metrics::count_attempt;

/// Longer texts are logged as their length: keys are shorter, and contents do not belong in a log.
const LONGEST: usize = 100;

/// Writes one line for each attempt of a call: service, operation, for DynamoDB keys and sizes of the request, and for SQS
/// the queue. It counts attempts, too: the SDK asks each interceptor some twenty times in a call, so there is one.
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
        let body = context.request().body().bytes();
        let request = match service {
            "DynamoDB" => body.and_then(outline),
            "SQS" => body.and_then(queue),
            _ => None,
        };
        let request = request.map(|request| request.to_string());
        debug!(target: "aws_calls", service, operation, request, "AWS call");
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        count_attempt(context, config);
        Ok(())
    }
}

/// A request with each long text replaced by its length in bytes.
fn outline(body: &[u8]) -> Option<Value> {
    let mut request = serde_json::from_slice(body).ok()?;
    shorten(&mut request);
    Some(request)
}

/// Only the queue of a request to SQS.
fn queue(body: &[u8]) -> Option<Value> {
    let request: Value = serde_json::from_slice(body).ok()?;
    Some(json!({ "QueueUrl": request.get("QueueUrl")? }))
}

fn shorten(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > LONGEST => *value = text.len().into(),
        Value::Array(values) => values.iter_mut().for_each(shorten),
        Value::Object(members) => {
            members.iter_mut().filter(|(name, _)| !names_only(name)).for_each(|(_, value)| shorten(value));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether a member has names of attributes only: values of statements and expressions are in members of their own.
fn names_only(member: &str) -> bool {
    member == "Statement" || member.ends_with("Expression")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_leave_only_their_length() {
        let body = format!(r#"{{"TableName":"Jobs","Item":{{"id":{{"S":"j"}},"body":{{"S":"{}"}}}}}}"#, "é".repeat(51));
        let expected = json!({ "TableName": "Jobs", "Item": { "id": { "S": "j" }, "body": { "S": 102 } } });
        assert_eq!(outline(body.as_bytes()), Some(expected));
    }

    #[test]
    fn statements_and_expressions_are_logged_whole() {
        let expression = format!("SET {}", ["#a = :a"; 20].join(", "));
        let request = json!({ "UpdateExpression": expression, "Statements": [{ "Statement": expression }] });
        assert_eq!(outline(request.to_string().as_bytes()), Some(request));
    }

    #[test]
    fn a_message_leaves_only_its_queue() {
        let body = br#"{"QueueUrl":"https://sqs.example/1/Work","Entries":[{"Id":"0","MessageBody":"{}"}]}"#;
        assert_eq!(queue(body), Some(json!({ "QueueUrl": "https://sqs.example/1/Work" })));
        assert_eq!(queue(b"{}"), None);
    }
}
