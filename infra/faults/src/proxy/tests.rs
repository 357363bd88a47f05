//! The proxy between callers and a stub of the emulator.

use axum::http::Request;
use serde_json::json;

use super::*;

/// Calls of each kind that a campaign makes.
const ROUNDS: u64 = 80;
/// Attempts of an SDK.
const ATTEMPTS: u32 = 4;
/// All faults that take no time.
const FAULTS: [&str; 9] = [
    "lost_answer",
    "failed_afterwards",
    "internal",
    "unavailable",
    "throttled",
    "conflict",
    "partly",
    "stale_index",
    "error_inside",
];
/// Service, target and URI of calls.
const CALLS: [(&str, &str, &str); 8] = [
    ("dynamodb", "DynamoDB_20120810.PutItem", "/"),
    ("dynamodb", "DynamoDB_20120810.TransactWriteItems", "/"),
    ("dynamodb", "DynamoDB_20120810.Query", "/"),
    ("dynamodb", "DynamoDB_20120810.BatchExecuteStatement", "/"),
    ("sqs", "AmazonSQS.SendMessageBatch", "/"),
    ("ssm", "AmazonSSM.GetParametersByPath", "/"),
    ("events", "AWSEvents.PutEvents", "/"),
    ("s3", "", "/bucket/key?uploadId=u"),
];

/// The targets and bodies of what the stub was asked, in order.
type Asked = Arc<Mutex<Vec<(String, Bytes)>>>;

/// The status and the body of an answer; none if the connection was closed.
type Answer = Option<(u16, String)>;

/// Answers for the emulator. A put has a condition that holds once.
async fn carry_out(State(asked): State<Asked>, request: axum::extract::Request) -> Response {
    let (request, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_BODY).await.unwrap();
    if request.uri.path() == SETTINGS {
        return Json(json!({})).into_response();
    }
    let target = request.headers.get("x-amz-target").map(|target| target.to_str().unwrap().to_owned());
    let call = (target.unwrap_or_default(), body);
    let mut asked = asked.lock().unwrap();
    let is_refused = call.0.ends_with("PutItem") && asked.contains(&call);
    asked.push(call);
    if is_refused {
        let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
        return dynamodb(400, json!({ "__type": kind, "message": "The conditional request failed" }));
    }
    dynamodb(200, json!({}))
}

async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A proxy in front of a stub, and what the stub is asked.
async fn start() -> (Upstream, Asked) {
    let asked = Asked::default();
    let (listener, emulator) = bind().await;
    let stub = Router::new().fallback(carry_out).with_state(Arc::clone(&asked));
    tokio::spawn(async move { axum::serve(listener, stub).await });
    let (listener, proxy) = bind().await;
    let service = routes(emulator).into_make_service_with_connect_info::<Connection>();
    tokio::spawn(async move { axum::serve(FaultyListener(listener), service).await });
    (Upstream(proxy), asked)
}

/// The answer to one attempt.
async fn attempt(proxy: Upstream, (service, target, uri): (&str, &str, &str), body: &Value) -> Answer {
    let scope =
        format!("AWS4-HMAC-SHA256 Credential=ASIA1/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host");
    let request = Request::post(uri)
        .header("host", "aws.example")
        .header("authorization", scope)
        .header("user-agent", "aws-sdk-rust/1.3 exec-env/AWS_Lambda_reelhook-fanout")
        .header("x-amz-target", target);
    let (request, ()) = request.body(()).unwrap().into_parts();
    let (answer, body) = proxy.send(request, Bytes::from(body.to_string())).await.ok()?;
    Some((answer.status.as_u16(), String::from_utf8(body.to_vec()).unwrap()))
}

/// Makes the same calls each time, and repeats each as an SDK does; returns the answers.
async fn campaign(proxy: Upstream) -> Vec<Answer> {
    let mut answers = Vec::new();
    for number in 0..ROUNDS {
        let body = json!({
            "TableName": "Jobs", "IndexName": "by-due", "number": number, "TransactItems": [{}, {}],
            "Statements": [{}, {}], "Entries": [{ "Id": "0" }, { "Id": "1" }],
        });
        for call in CALLS {
            for _ in 0..ATTEMPTS {
                let answer = attempt(proxy, call, &body).await;
                let is_last = answer.as_ref().is_some_and(|(status, _)| *status < 500);
                answers.push(answer);
                if is_last {
                    break;
                }
            }
        }
    }
    answers
}

async fn settings(proxy: Upstream, method: Method, body: &str) -> Value {
    let request = Request::builder().method(method).uri(SETTINGS).header("host", "faults.example");
    let (request, ()) = request.body(()).unwrap().into_parts();
    let (answer, body) = proxy.send(request, Bytes::from(body.to_owned())).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    serde_json::from_slice(&body).unwrap()
}

/// What a campaign with a seed meets: the answers, what the stub was asked, and the counts.
async fn met(seed: u64) -> (Vec<Answer>, Vec<(String, Bytes)>, Value) {
    let (proxy, asked) = start().await;
    settings(proxy, Method::PUT, &json!({ "seed": seed, "percent": 40, "only": FAULTS }).to_string()).await;
    let answers = campaign(proxy).await;
    let mut counts = settings(proxy, Method::GET, "").await;
    for met in counts["log"].as_array_mut().unwrap() {
        assert!(met["at"].take().as_u64() > Some(0));
    }
    let asked = asked.lock().unwrap().clone();
    (answers, asked, counts)
}

#[tokio::test]
async fn the_same_seed_gives_the_same_calls_the_same_faults() {
    let (first, second, other) = (met(5).await, met(5).await, met(6).await);
    assert_eq!(first, second);
    assert_ne!((&first.0, &first.2["log"]), (&other.0, &other.2["log"]));
    let counts = &first.2;
    for fault in FAULTS {
        assert!(counts["met"][fault].as_u64() > Some(0), "{fault}: {}", counts["met"]);
    }
    let all: u64 = FAULTS.iter().filter_map(|fault| counts["met"][fault].as_u64()).sum();
    assert_eq!(counts["log"].as_array().map(Vec::len), usize::try_from(all).ok());
    assert_eq!(counts["log"][0]["function"], "reelhook-fanout");
}

#[tokio::test]
async fn new_settings_are_answered_with_what_was_injected_until_then() {
    let (proxy, _) = start().await;
    settings(proxy, Method::PUT, &json!({ "seed": 5, "percent": 40, "only": FAULTS }).to_string()).await;
    campaign(proxy).await;
    let shown = settings(proxy, Method::GET, "").await;
    assert!(shown["log"].as_array().is_some_and(|log| !log.is_empty()), "{}", shown["met"]);
    assert_eq!(settings(proxy, Method::PUT, "{}").await, shown);
    let after = settings(proxy, Method::GET, "").await;
    assert_eq!((&after["calls"], &after["log"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn each_service_meets_its_own_faults() {
    let (_, _, counts) = met(5).await;
    let services = &counts["by_service"];
    for service in ["DynamoDB", "SQS", "SSM", "EventBridge", "S3"] {
        assert!(services[service]["throttled"].as_u64() > Some(0), "{service}: {services}");
    }
    assert!(services["S3"]["error_inside"].as_u64() > Some(0), "{services}");
    // A put whose answer was lost is refused when it is repeated.
    assert!(services["DynamoDB"]["failed_on_own_write"].as_u64() > Some(0), "{services}");
}

#[test]
fn a_shortened_body_keeps_its_length_and_its_meaning() {
    let short = padded(&json!({ "a": 1 }), 12).expect("it is shorter");
    assert_eq!((short.len(), serde_json::from_slice::<Value>(&short).unwrap()), (12, json!({ "a": 1 })));
    assert_eq!(padded(&json!({ "a": 1 }), 3), None);
}

#[test]
fn some_slow_answers_are_too_late() {
    let late = (0..1000).filter(|detail| delay(*detail) >= Duration::from_millis(LONG_DELAY_MS)).count();
    assert_eq!(late, 250);
}
