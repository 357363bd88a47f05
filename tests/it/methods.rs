//! HEAD is answered as GET on every route, an unsupported method gets 405 with the supported ones, and neither HEAD nor
//! OPTIONS changes anything.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::AttributeValue;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::stack::{API_FUNCTIONS, JsonText, Stack, read};

/// Headers that are equal for GET and HEAD, even if other requests happen between the two.
const SHARED: [&str; 5] = ["content-type", "cache-control", "etag", "content-security-policy", "location"];

/// The tables without those for counters and for viewers.
const TABLES: [&str; 9] = [
    "JobsTable",
    "ProjectsTable",
    "ClipsTable",
    "CreditsTable",
    "ErrorsTable",
    "JobEventsTable",
    "DeliveriesTable",
    "EndpointsTable",
    "CatalogTable",
];
/// Tables in which even a request that is refused may count.
const COUNTING: [&str; 2] = ["CountersTable", "ConnectionsTable"];
/// Functions that get OPTIONS for one path.
const FUNCTIONS_OF_A_PATH: usize = 3;

fn shared(response: &Response) -> Vec<Option<String>> {
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().expect("ASCII").to_owned());
    SHARED.map(header).into()
}

#[tokio::test]
async fn head_answers_as_get_without_the_body() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5").await;
    stack.until_status(&job, "completed").await;
    stack.webhook("main", &job, "job.completed").await;
    let described: Value =
        serde_json::from_str(include_str!("../../functions/pages/openapi/openapi.json")).expect("JSON");
    let mut checked = 0;
    for (path, operations) in described["paths"].as_object().expect("paths") {
        if !operations["get"].is_object() {
            continue;
        }
        let path = path.replace("{id}", &job).replace("{country}", "US").replace("{creatomateId}", "no-such-render");
        let path = path.replace("{name}", "corp-1");
        let get = stack.request(Method::GET, &path).send().await.expect("an answer");
        let began = Instant::now();
        let head = stack.request(Method::HEAD, &path).send().await.expect("an answer");
        assert_eq!(head.status(), get.status(), "{path}");
        assert_eq!(shared(&head), shared(&get), "{path}");
        assert!(began.elapsed() < Duration::from_secs(20), "{path}: no event is waited for");
        assert_eq!(head.bytes().await.expect("nothing"), "", "{path}");
        checked += 1;
    }
    assert!(checked > 35, "{checked}");
}

#[tokio::test]
async fn head_has_the_content_length_and_requires_the_key_as_get_does() {
    let stack = Stack::open().await;
    for path in ["/assets/style.css", "/api/music-tracks/corp-1", "/openapi.json"] {
        let get = stack.request(Method::GET, path).send().await.expect("an answer");
        let head = stack.request(Method::HEAD, path).send().await.expect("an answer");
        let length = head.headers()["content-length"].to_str().expect("digits").to_owned();
        assert_eq!(length, get.bytes().await.expect("a file").len().to_string(), "{path}");
    }
    for path in ["/api/queue/jobs", "/api/download/x", "/api/music-tracks/corp-1?token=s1.x", "/api/job/job_1_a"] {
        let head = stack.http.head(format!("{}{path}", stack.api)).send().await.expect("an answer");
        assert_eq!(head.status(), 401, "{path}");
        assert!(head.headers().contains_key("www-authenticate"), "{path}");
    }
    // The head of a stream arrives immediately, also on the Function URL.
    let stream = format!("{}/api/queue/status/stream", stack.aws.stream_url());
    let head = stack.http.head(stream).header("x-api-key", &stack.key).send().await.expect("an answer");
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["content-type"], "text/event-stream; charset=utf-8");
}

#[tokio::test]
async fn an_unsupported_method_gets_the_supported_ones() {
    let stack = Stack::open().await;
    for (method, path, allow) in [
        (Method::GET, "/api/generate", "POST, OPTIONS"),
        (Method::PUT, "/api/generate", "POST, OPTIONS"),
        (Method::POST, "/api/job/job_1_a", "GET, HEAD, OPTIONS"),
        (Method::DELETE, "/api/download/x", "GET, HEAD, OPTIONS"),
        (Method::PUT, "/api/webhooks/endpoints/ep_1", "GET, HEAD, PATCH, DELETE, OPTIONS"),
        (Method::POST, "/dashboard", "GET, HEAD, OPTIONS"),
        (Method::POST, "/assets/style.css", "GET, HEAD, OPTIONS"),
        (Method::POST, "/health", "GET, HEAD, OPTIONS"),
    ] {
        let request = stack.request(method.clone(), path).json_text(&json!({}));
        let response = request.send().await.expect("an answer");
        assert_eq!(response.headers()["allow"], allow, "{method} {path}");
        let (status, answer) = read(response).await;
        assert_eq!((status, &answer["code"]), (405, &json!("method_not_allowed")), "{method} {path}");
    }
    let (status, answer) = read(stack.request(Method::PUT, "/api/nothing").send().await.expect("an answer")).await;
    assert_eq!((status, &answer["code"]), (404, &json!("unknown_route")));
    let url = format!("{}/api/job/job_1_a", stack.aws.stream_url());
    let response = stack.http.put(url).header("x-api-key", &stack.key).send().await.expect("an answer");
    assert_eq!(response.headers()["allow"], "GET, HEAD, OPTIONS");
}

/// The paths of the description, for a job.
fn described_paths(job: &str) -> Vec<String> {
    let described: Value =
        serde_json::from_str(include_str!("../../functions/pages/openapi/openapi.json")).expect("JSON");
    let segment = |segment: &str| match segment {
        "{id}" => job.to_owned(),
        other if other.starts_with('{') => "x".to_owned(),
        other => other.to_owned(),
    };
    let paths = described["paths"].as_object().expect("paths").keys();
    paths.map(|path| path.split('/').map(segment).collect::<Vec<_>>().join("/")).collect()
}

/// A value of an item as text; members of maps are in order.
fn written(value: &AttributeValue) -> String {
    match value {
        AttributeValue::L(values) => format!("{:?}", values.iter().map(written).collect::<Vec<_>>()),
        AttributeValue::M(members) => {
            let members: BTreeMap<&String, String> = members.iter().map(|(name, one)| (name, written(one))).collect();
            format!("{members:?}")
        }
        other => format!("{other:?}"),
    }
}

/// The items of tables as texts, with the time at which each may be removed, in Unix seconds.
async fn items(stack: &Stack, tables: &[&str]) -> BTreeMap<String, Option<u64>> {
    let mut found = BTreeMap::new();
    for table in tables {
        let mut start = None;
        loop {
            let scan = stack.aws.dynamodb.scan().table_name(stack.aws.output(table)).consistent_read(true);
            let page = scan.set_exclusive_start_key(start).send().await.expect("items");
            for item in page.items() {
                let ends = item.get("expires_at").and_then(|ends| ends.as_n().ok()?.parse().ok());
                let members: BTreeMap<&String, String> = item.iter().map(|(name, one)| (name, written(one))).collect();
                found.insert(format!("{table} {members:?}"), ends);
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
    }
    found
}

/// The items of tables when nothing changes them any more.
async fn items_at_rest(stack: &Stack, tables: &[&str]) -> BTreeMap<String, Option<u64>> {
    stack.assert_only_hints_wait().await;
    let last = RefCell::new(BTreeMap::new());
    let rest = || async {
        let found = items(stack, tables).await;
        let before = last.replace(found.clone());
        (before == found).then_some(found)
    };
    stack.eventually("a stack at rest", rest).await
}

/// Asserts that items are those of before, apart from those that have expired since.
async fn assert_unchanged(stack: &Stack, tables: &[&str], before: &BTreeMap<String, Option<u64>>) {
    stack.assert_queues_empty().await;
    let after = items(stack, tables).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let made: Vec<&String> = after.keys().filter(|item| !before.contains_key(*item)).collect();
    let removed = before.iter().filter(|(item, ends)| !after.contains_key(*item) && ends.is_none_or(|at| at > now));
    let removed: Vec<&String> = removed.map(|(item, _)| item).collect();
    assert!(made.is_empty() && removed.is_empty(), "made: {made:#?}, removed: {removed:#?}");
}

#[tokio::test]
async fn options_change_nothing() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5").await;
    stack.until_status(&job, "completed").await;
    stack.webhook("main", &job, "job.completed").await;
    let tables = [&TABLES[..], &COUNTING[..]].concat();
    let before = items_at_rest(&stack, &tables).await;
    // With a `$default` route, functions of an HTTP API get them.
    for (number, path) in described_paths(&job).into_iter().enumerate() {
        for function in (0..FUNCTIONS_OF_A_PATH).map(|more| API_FUNCTIONS[(number + 5 * more) % API_FUNCTIONS.len()]) {
            let event = json!({
                "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
                "headers": {
                    "host": "sample0000.execute-api.us-east-1.amazonaws.com", "origin": "https://other.example",
                    "access-control-request-method": "POST",
                },
                "requestContext": {
                    "accountId": "123456789012", "apiId": "sample0000", "requestId": "SampleRequest945=",
                    "domainName": "sample0000.execute-api.us-east-1.amazonaws.com", "domainPrefix": "sample0000",
                    "http": {
                        "method": "OPTIONS", "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7",
                        "userAgent": "curl/8.5.0",
                    },
                    "routeKey": "$default", "stage": "$default", "time": "01/Jan/2024:12:00:00 +0000",
                    "timeEpoch": 1_704_110_400_000_u64,
                },
                "isBase64Encoded": false,
            });
            let (answer, error) = stack.aws.invoke(function, &event).await;
            assert_eq!(error, None, "{function} {path}: {answer}");
            assert!(matches!(answer["statusCode"].as_u64(), Some(200 | 204)), "{function} {path}: {answer}");
        }
    }
    assert_unchanged(&stack, &tables, &before).await;
}

#[tokio::test]
async fn head_changes_nothing() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5").await;
    stack.until_status(&job, "completed").await;
    stack.webhook("main", &job, "job.completed").await;
    let before = items_at_rest(&stack, &TABLES).await;
    for path in described_paths(&job) {
        let answer = stack.request(Method::HEAD, &path).send().await.expect("an answer");
        assert_eq!(answer.bytes().await.expect("nothing"), "", "{path}");
    }
    assert_unchanged(&stack, &TABLES, &before).await;
}
