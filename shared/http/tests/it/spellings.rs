//! Whole numbers as `10`, `10.0` and `"10"`, wherever callers write one.

use lambda_http::Body;
use reelhook_domain::Timestamp;
use reelhook_http::access::Caller;
use reelhook_http::jobs::step::{self, Reporter};
use reelhook_http::jobs::{logs, queue};
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_http::videos::routes::read_upload;
use reelhook_http::webhooks::endpoint_fields::DestinationRules;
use reelhook_http::webhooks::endpoints;
use serde_json::{Value, json};

use crate::support::{get_request, request, text};

fn posted(path: &str, body: &Value) -> ApiRequest {
    request("POST", path, &[("content-type", "application/json")], Body::Text(body.to_string()))
}

fn read_route(path: &str, body: &Value) -> Result<Option<endpoints::Route>, Problem> {
    let rules = DestinationRules { allow_http: true, destinations: Vec::new(), region: "us-east-1".to_owned() };
    endpoints::Route::read(&posted(path, body), &Caller::known_as("ann"), &rules)
}

#[test]
fn in_queries() {
    let limit = |query: &str| -> Result<usize, Problem> {
        match queue::Route::read(&get_request("/api/queue/jobs", query))? {
            Some(queue::Route::List { limit, .. }) => Ok(limit),
            other => panic!("{query}: {other:?}"),
        }
    };
    for query in ["limit=10", "limit=10.0", "limit=%2010", "limit=+10", "limit=1e1"] {
        assert_eq!(limit(query), Ok(10), "{query}");
    }
    for query in ["limit=", "", "other=5"] {
        assert_eq!(limit(query), Ok(200), "{query}");
    }
    for query in ["limit=10.5", "limit=ten", "limit=0.0", "limit=501", "limit=-1", "limit=NaN", "limit=1e300"] {
        assert!(limit(query).as_ref().is_err_and(|problem| problem.path() == Some("limit")), "{query}");
    }
}

#[test]
fn a_plus_in_a_query_is_a_space_but_in_a_zone() {
    let search = |query: &str| match logs::Route::read(&get_request("/api/logs/search", query)) {
        Ok(logs::Route::Search(search, _)) => search,
        other => panic!("{query}: {other:?}"),
    };
    assert_eq!(search("messageContains=step+1").contains.as_deref(), Some("step 1"));
    assert_eq!(search("messageContains=1%2B1&level=").contains.as_deref(), Some("1+1"));
    let noon = Some(Timestamp(1_704_110_400_000));
    for from in ["2024-01-01T14:00:00+02:00", "2024-01-01T14:00:00%2B02:00", "1704110400", "1704110400000.0"] {
        assert_eq!(search(&format!("from={from}")).from, noon, "{from}");
    }
}

#[test]
fn in_endpoints() {
    for (timeout, max) in [(json!(5000), json!(7)), (json!(5000.0), json!("7")), (json!("5000"), json!("7.0"))] {
        let body = json!({
            "url": "https://a.example/", "timeoutMs": timeout, "rateLimit": { "max": max },
            "permanentStatuses": [410.0, "404"],
        });
        let Ok(Some(endpoints::Route::Register(command))) = read_route("/api/webhooks/endpoints", &body) else {
            panic!("{body}")
        };
        let policy = command.choices.policy;
        assert_eq!((policy.timeout, policy.rate_limit_max), (Some(5000), Some(7)), "{body}");
        assert_eq!(policy.permanent_statuses.map(Vec::from_iter), Some(vec![404, 410]));
    }
    for timeout in [json!(5000.5), json!("5 s"), json!(""), json!(true), json!(1e300), json!("-5000")] {
        let body = json!({ "url": "https://a.example/", "timeoutMs": timeout });
        let problem = read_route("/api/webhooks/endpoints", &body).unwrap_err();
        assert!(problem.path() == Some("timeoutMs"), "{body}");
    }
    for grace in [json!(60), json!(60.0), json!("60")] {
        let rotated = read_route("/api/webhooks/endpoints/ep_1/secret/rotate", &json!({ "graceSeconds": grace }));
        let Ok(Some(endpoints::Route::Rotate(_, rotation))) = rotated else { panic!("{grace}") };
        assert_eq!(rotation.grace.as_secs(), 60);
    }
}

#[test]
fn in_uploads_and_reports() {
    for size in [json!(5), json!(5.0), json!("5")] {
        let body = json!({ "contentType": "image/png", "size": size });
        assert_eq!(read_upload(&text(&[], body.to_string().as_bytes()), 1).map(|upload| upload.bytes), Ok(5));
    }
    for (number, duration, seconds) in
        [(json!(3), json!(12.5), Some(12.5)), (json!(3.0), json!("12.5"), Some(12.5)), (json!("3"), Value::Null, None)]
    {
        let body = json!({ "job_id": "job_1_a", "step_number": number, "status": "started", "duration": duration });
        let report =
            step::read(&posted("/api/webhooks/step-update", &body), &Reporter::Trusted, Timestamp::EPOCH).unwrap();
        assert_eq!((report.update.number, report.update.duration), (3, seconds));
    }
    let body = json!({ "job_id": "job_1_a", "step_number": 3, "status": "started", "duration": "NaN" });
    assert!(step::read(&posted("/api/webhooks/step-update", &body), &Reporter::Trusted, Timestamp::EPOCH).is_err());
}
