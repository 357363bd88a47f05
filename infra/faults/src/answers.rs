//! Answers of services that did not do, or say that they did not do, what was asked.

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::call::{Call, Service};
use crate::fault::Fault;

/// Why a transaction is throttled at one of its items: by an on-demand table, and by one with provisioned throughput.
const REASONS: [(&str, &str); 2] = [
    ("ThrottlingError", "Throughput exceeds the current capacity of your table or index"),
    ("ProvisionedThroughputExceeded", "The level of configured provisioned throughput for the table was exceeded"),
];

/// The answer to a call that meets a fault without being carried out, or whose success is not reported.
pub fn refusal(fault: Fault, call: &Call, request: &Value, detail: u64) -> Response {
    match fault {
        Fault::Unavailable => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Fault::Throttled => throttled(call, request, detail),
        Fault::Conflict => conflict(&call.operation, request, detail),
        // Processing an upload may take minutes, so S3 sends the status before it knows the outcome.
        Fault::ErrorInside => s3(200, "InternalError", "We encountered an internal error. Please try again."),
        Fault::Internal
        | Fault::FailedAfterwards
        | Fault::Slow
        | Fault::LostAnswer
        | Fault::Partly
        | Fault::StaleIndex => internal(call.service),
    }
}

fn internal(service: Service) -> Response {
    match service {
        Service::DynamoDb => {
            dynamodb(500, json!({ "__type": of_dynamodb("InternalServerError"), "message": "failed" }))
        }
        Service::S3 => s3(500, "InternalError", "We encountered an internal error. Please try again."),
        Service::Sqs | Service::Ssm | Service::EventBridge | Service::Other => {
            aws_json(500, json!({ "__type": "InternalFailure", "message": "failed" }))
        }
    }
}

fn throttled(call: &Call, request: &Value, detail: u64) -> Response {
    let code = match call.service {
        // Half of the throttled transactions name the throttled item, as a table or an index with little capacity does.
        Service::DynamoDb if call.operation.starts_with("Transact") && detail.is_multiple_of(2) => {
            let (code, message) = REASONS[(detail / 2 % 2) as usize];
            return cancelled(request, detail / 4, code, message);
        }
        Service::DynamoDb => {
            let codes = ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"];
            let code = of_dynamodb(codes[(detail % 3) as usize]);
            return dynamodb(
                400,
                json!({ "__type": code, "message": "Rate of requests exceeds the allowed throughput" }),
            );
        }
        Service::S3 => return s3(503, "SlowDown", "Please reduce your request rate."),
        Service::Sqs => "com.amazonaws.sqs#RequestThrottled",
        Service::Ssm | Service::EventBridge => "ThrottlingException",
        // It may speak another protocol, in which a body of JSON means nothing.
        Service::Other => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    aws_json(400, json!({ "__type": code, "message": "Rate exceeded" }))
}

fn conflict(operation: &str, request: &Value, detail: u64) -> Response {
    let message = "Transaction is ongoing for the item";
    if operation.starts_with("Transact") {
        return cancelled(request, detail, "TransactionConflict", message);
    }
    dynamodb(400, json!({ "__type": of_dynamodb("TransactionConflictException"), "message": message }))
}

/// A cancelled transaction, one of whose items has this reason.
fn cancelled(request: &Value, detail: u64, code: &str, message: &str) -> Response {
    let items = request["TransactItems"].as_array().map_or(1, Vec::len).max(1);
    let place = (detail % items as u64) as usize;
    let reason =
        |item| if item == place { json!({ "Code": code, "Message": message }) } else { json!({ "Code": "None" }) };
    let reasons: Vec<Value> = (0..items).map(reason).collect();
    let codes: Vec<&str> = reasons.iter().filter_map(|reason| reason["Code"].as_str()).collect();
    let text =
        format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{}]", codes.join(", "));
    let kind = of_dynamodb("TransactionCanceledException");
    dynamodb(400, json!({ "__type": kind, "Message": text, "CancellationReasons": reasons }))
}

fn of_dynamodb(code: &str) -> String {
    format!("com.amazonaws.dynamodb.v20120810#{code}")
}

/// An answer of DynamoDB.
pub fn dynamodb(status: u16, body: Value) -> Response {
    answer(status, "application/x-amz-json-1.0", body.to_string())
}

/// An answer in JSON of another service.
pub fn aws_json(status: u16, body: Value) -> Response {
    answer(status, "application/x-amz-json-1.1", body.to_string())
}

fn s3(status: u16, code: &str, message: &str) -> Response {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    answer(status, "application/xml", xml)
}

fn answer(status: u16, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(fault: Fault, service: Service, operation: &str, request: Value, detail: u64) -> (u16, String) {
        let call = Call { function: "worker".to_owned(), service, operation: operation.to_owned() };
        let response = refusal(fault, &call, &request, detail);
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_cancelled_transaction_names_the_item() {
        let check = async |fault, detail, expected: [&str; 3]| {
            let request = json!({ "TransactItems": [{ "Put": {} }, { "Update": {} }, { "Put": {} }] });
            let (status, body) = refused(fault, Service::DynamoDb, "TransactWriteItems", request, detail).await;
            assert_eq!(status, 400);
            let body: Value = serde_json::from_str(&body).unwrap();
            let reasons = body["CancellationReasons"].as_array().unwrap();
            let codes: Vec<&str> = reasons.iter().map(|one| one["Code"].as_str().unwrap()).collect();
            assert_eq!(codes, expected);
        };
        check(Fault::Conflict, 4, ["None", "TransactionConflict", "None"]).await;
        check(Fault::Throttled, 4, ["None", "ThrottlingError", "None"]).await;
        check(Fault::Throttled, 10, ["None", "None", "ProvisionedThroughputExceeded"]).await;
    }

    #[tokio::test]
    async fn an_upload_in_parts_fails_after_its_status() {
        let (status, body) = refused(Fault::ErrorInside, Service::S3, "COMPLETE", Value::Null, 0).await;
        assert!(status == 200 && body.contains("<Error><Code>InternalError</Code>"), "{status} {body}");
    }

    #[tokio::test]
    async fn each_service_throttles_in_its_own_words() {
        for (service, status, word) in [
            (Service::DynamoDb, 400, "ProvisionedThroughputExceededException"),
            (Service::Sqs, 400, "RequestThrottled"),
            (Service::Ssm, 400, "ThrottlingException"),
            (Service::S3, 503, "<Code>SlowDown</Code>"),
        ] {
            let (found, body) = refused(Fault::Throttled, service, "PutItem", json!({}), 0).await;
            assert_eq!(found, status, "{body}");
            assert!(body.contains(word), "{body}");
        }
    }

    #[tokio::test]
    async fn a_service_that_is_unavailable_says_nothing_else() {
        let answer = refused(Fault::Unavailable, Service::DynamoDb, "GetItem", json!({}), 0).await;
        assert_eq!(answer, (503, String::new()));
    }
}
