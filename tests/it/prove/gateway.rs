//! What the gateways of AWS do and the emulator does not: OPTIONS reaches functions, and headers are renamed.

use reqwest::Method;
use serde_json::{Value, json};

use super::hostile::Hostile;
use crate::stack::{API_FUNCTIONS, Stack};

/// An event of an HTTP API as its `$default` route gets it.
fn event(method: &str, path: &str, headers: Value) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": headers,
        "requestContext": {
            "accountId": "123456789012", "apiId": "sample0000", "requestId": "SampleRequest945=",
            "domainName": "sample0000.execute-api.us-east-1.amazonaws.com", "domainPrefix": "sample0000",
            "http": {
                "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7",
                "userAgent": "curl/8.5.0",
            },
            "routeKey": "$default", "stage": "$default", "time": "01/Jan/2024:12:00:00 +0000",
            "timeEpoch": 1_704_110_400_000_u64,
        },
        "isBase64Encoded": false,
    })
}

#[tokio::test]
async fn options_that_reach_a_function_need_no_key_and_change_nothing() {
    let stack = Stack::attach().await;
    let paths =
        ["/api/generate", "/api/job/job_1_a", "/api/v1/projects", "/ai-clipping-agent/jobs", "/dashboard", "/nothing"];
    for function in API_FUNCTIONS {
        for path in paths {
            for headers in [
                json!({ "host": "sample0000.execute-api.us-east-1.amazonaws.com" }),
                json!({
                    "host": "sample0000.execute-api.us-east-1.amazonaws.com", "origin": "https://other.example",
                    "access-control-request-method": "POST",
                }),
            ] {
                let (answer, error) = stack.aws.invoke(function, &event("OPTIONS", path, headers)).await;
                assert_eq!(error, None, "{function} {path}: {answer}");
                let status = answer["statusCode"].as_u64();
                assert!(matches!(status, Some(200 | 204)), "{function} {path}: {answer}");
            }
        }
    }
}

#[tokio::test]
async fn clients_need_no_header_that_the_gateway_renames() {
    Hostile::from_environment().set(&json!({})).await;
    let stack = Stack::attach().await;
    let refused = stack.http.get(format!("{}/api/queue/status", stack.api)).send().await.expect("an answer");
    assert_eq!(refused.status(), 401);
    let headers = refused.headers();
    assert!(headers.contains_key("x-amzn-remapped-www-authenticate") && !headers.contains_key("www-authenticate"));
    // What clients are told to use comes through.
    let job = stack.submit("step_ms=5").await;
    stack.until_status(&job, "completed").await;
    for path in [format!("/api/job/{job}"), "/api/queue/status".to_owned(), "/dashboard".to_owned()] {
        let get = stack.request(Method::GET, &path).send().await.expect("an answer");
        let head = stack.request(Method::HEAD, &path).send().await.expect("an answer");
        assert_eq!((get.status().as_u16(), head.status()), (200, get.status()), "{path}");
        assert_eq!(head.headers().get("content-type"), get.headers().get("content-type"), "{path}");
        assert_eq!(head.bytes().await.expect("nothing"), "", "{path}");
    }
    let etag = stack.request(Method::GET, &format!("/api/job/{job}")).send().await.expect("an answer");
    let etag = etag.headers()["etag"].clone();
    let again = stack.request(Method::GET, &format!("/api/job/{job}")).header("if-none-match", etag);
    assert_eq!(again.send().await.expect("an answer").status(), 304);
}
