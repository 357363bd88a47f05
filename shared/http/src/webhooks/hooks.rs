//! Calls of operators about webhooks: status, tests, triggered events, and whether a URL can be fetched.

use reelhook_app::Url;
use reelhook_app::idempotency::IdempotencyKey;
use reelhook_app::views::wire::{Time, Yes};
use reelhook_app::webhooks::endpoints::receiver_url;
use reelhook_app::webhooks::notify::Notified;
use reelhook_app::webhooks::settings::WebhookSettings;
use reelhook_app::webhooks::triggers::{Tested, Trigger};
use reelhook_app::webhooks::validate::Validated;
use reelhook_domain::{EventId, Timestamp, WebUrl, brief};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::access::Caller;
use crate::answer::ApiAnswer;
use crate::idempotency::key;
use crate::problem::{Problem, bad};
use crate::request::ApiRequest;
use crate::routes;
use crate::typed::fields::{Text, blank_is_absent};
use crate::typed::numbers::inexact;
use crate::webhooks::endpoints::{EndpointView, WebhookEndpoint};
use crate::webhooks::fields::{Checked, EventData, URL_LIMIT};
use crate::webhooks::ms;
use crate::webhooks::problem::WebhookProblem;

/// The most characters of an event's name.
const NAME_LIMIT: usize = 100;
/// The most bytes of an event's data: with the rest of the event, it fits into an item.
const DATA_LIMIT: usize = 256 * 1024;
/// The message of a triggered event.
const TRIGGERED: &str = "Webhook notifications sent";

/// A URL.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("required" = ["url"]))]
pub struct UrlRequest {
    /// The URL.
    #[serde(default, deserialize_with = "blank_is_absent")]
    #[schemars(with = "Text<URL_LIMIT>", length(min = 1))]
    url: Option<Text<URL_LIMIT>>,
}

/// An event to send.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("required" = ["event"]))]
pub struct TriggerRequest {
    /// The name of the event. An event that no endpoint subscribes to is sent to none.
    #[serde(default, deserialize_with = "blank_is_absent")]
    #[schemars(with = "Text<NAME_LIMIT>", length(min = 1))]
    event: Option<Text<NAME_LIMIT>>,
    /// The data of the event, at most 256 KiB; `{message, timestamp, manual: true}` by default. Numbers up to 2^53;
    /// send larger ones as texts.
    data: Option<Checked<EventData>>,
}

/// The status of outbound webhooks.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WebhookStatus<'a> {
    success: Yes,
    /// The numbers.
    webhooks: WebhookNumbers<'a>,
    /// When they were read.
    timestamp: Time,
}

/// The numbers of outbound webhooks.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct WebhookNumbers<'a> {
    /// Endpoints that are not disabled.
    active_webhooks: usize,
    /// Endpoints that are configured or registered.
    total_webhooks: usize,
    /// The sum of `error_counts`.
    total_errors: u64,
    /// Sends in the current window, by the name of the endpoint.
    #[schemars(extend("additionalProperties" = { "type": "integer", "minimum": 0 }))]
    rate_limits: Map<String, Value>,
    /// Failed attempts since the last success, by the name of the endpoint.
    #[schemars(extend("additionalProperties" = { "type": "integer", "minimum": 0 }))]
    error_counts: Map<String, Value>,
    /// The settings.
    config: WebhookConfig,
    /// The endpoints: those of WEBHOOK_URLS in their order, then registered ones, newest first.
    endpoints: Vec<WebhookEndpoint<'a>>,
}

/// The settings of outbound webhooks.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct WebhookConfig {
    /// The maximum number of attempts after the first.
    max_retries: u32,
    /// Milliseconds until the first retry.
    retry_delay: u64,
    /// Sends per window.
    #[schemars(extend("pattern" = "^[0-9]+/[0-9]+ms$", "examples" = ["100/60000ms"]))]
    rate_limit: String,
    /// Whether WEBHOOK_SECRET_KEY is set.
    secret_configured: bool,
}

/// A test of a URL.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WebhookTested<'a> {
    success: Yes,
    /// The result.
    test_result: TestResult<'a>,
    /// When it ended.
    timestamp: Time,
}

/// The result of a test.
#[derive(Debug, Serialize, JsonSchema)]
struct TestResult<'a> {
    /// Whether the receiver accepted it.
    success: bool,
    /// The HTTP status; 0 if no response came.
    #[schemars(range(min = 0, max = 599))]
    status: u16,
    /// Milliseconds.
    duration: u64,
    /// The URL; at Slack and Discord without its path, which is a secret.
    url: &'a str,
    /// The result as a sentence.
    message: &'a str,
    /// Only if no response came: `ENOTFOUND`, `ECONNREFUSED`, `ECONNRESET`, `ETIMEDOUT`, and others.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

/// An event that was triggered.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Triggered<'a> {
    success: Yes,
    #[schemars(extend("const" = TRIGGERED))]
    message: &'static str,
    /// The id of the event: `eventId` of its deliveries.
    event_id: &'a str,
    /// The numbers of its deliveries.
    results: TriggerResults,
    /// When it happened.
    timestamp: Time,
}

/// The numbers of an event's deliveries.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct TriggerResults {
    /// Endpoints that subscribe to the event.
    total: usize,
    /// Deliveries that were accepted.
    successful: usize,
    /// Deliveries that were not accepted.
    failed: usize,
}

/// The result of fetching a URL.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UrlChecked<'a> {
    success: Yes,
    /// Whether the page was fetched.
    valid: bool,
    /// The result as a sentence.
    reason: &'a str,
    /// What was fetched.
    details: FetchedUrl<'a>,
    /// The same as `reason`.
    message: &'a str,
}

/// A fetched URL.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
struct FetchedUrl<'a> {
    /// The URL that the last redirect led to.
    url: Option<&'a str>,
    /// The HTTP status; null if no response came.
    status: Option<u16>,
    /// The media type.
    content_type: Option<&'a str>,
    /// The number of redirects.
    #[schemars(range(min = 0, max = 4))]
    redirects: usize,
    /// Milliseconds.
    duration: u64,
}

/// A call.
#[derive(Debug, Clone)]
pub enum Route {
    /// GET /api/webhooks/status
    Status,
    /// POST /api/webhooks/test
    Test(WebUrl),
    /// POST /api/webhooks/trigger
    Trigger(Box<Trigger>, Option<IdempotencyKey>),
    /// POST /api/validate-url
    Validate(String),
}

impl Route {
    /// Reads the route; `allow_http` says whether webhooks may go to http URLs.
    ///
    /// # Errors
    /// [`Problem`] names what is wrong.
    pub fn read(request: &ApiRequest, caller: Caller, allow_http: bool) -> Result<Self, Problem> {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/api/webhooks/status") => Ok(Self::Status),
            ("POST", "/api/webhooks/test") => {
                let text = read_url(request, "Webhook URL is required")?;
                receiver_url(&text, allow_http).map(Self::Test).map_err(|right| bad("url", right))
            }
            ("POST", "/api/webhooks/trigger") => {
                let trigger = read_trigger(request, &caller)?;
                Ok(Self::Trigger(Box::new(trigger), key(request, &caller)?))
            }
            ("POST", "/api/validate-url") => Ok(Self::Validate(read_url(request, "URL is required")?)),
            _ => Err(routes::unknown(request)),
        }
    }
}

fn read_url(request: &ApiRequest, missing: &'static str) -> Result<String, Problem> {
    let given: UrlRequest = request.body()?;
    given.url.and_then(Text::filled).ok_or(Problem::Webhook(WebhookProblem::UrlMissing(missing)))
}

fn read_trigger(request: &ApiRequest, caller: &Caller) -> Result<Trigger, Problem> {
    let given: TriggerRequest = request.body()?;
    let event = given.event.and_then(Text::filled).ok_or(Problem::Webhook(WebhookProblem::EventMissing))?;
    let data = given.data.map(|Checked(data)| Value::Object(data.0));
    if let Some(data) = &data {
        if data.to_string().len() > DATA_LIMIT {
            return Err(Problem::Webhook(WebhookProblem::PayloadTooLarge));
        }
        if let Some(path) = inexact(&request.json_text()?, "data") {
            let right = "a number of at most 2^53 (9007199254740992), beyond which receivers read another one; \
                         send it as a text";
            return Err(bad(path, right));
        }
    }
    Ok(Trigger { event, data, caller: caller.fingerprint.clone(), traceparent: request.traceparent() })
}

/// The status of each endpoint, those of the settings first.
pub fn status_answer(settings: &WebhookSettings, endpoints: &[EndpointView], now: Timestamp) -> ApiAnswer {
    let policy = &settings.policy;
    let (mut rates, mut errors) = (Map::new(), Map::new());
    for EndpointView { endpoint, state, .. } in endpoints {
        rates.insert(endpoint.name.clone(), json!(endpoint.policy.rate.used(state.window, now)));
        errors.insert(endpoint.name.clone(), json!(state.failures));
    }
    let webhooks = WebhookNumbers {
        active_webhooks: endpoints.iter().filter(|one| one.state.disabled_at.is_none()).count(),
        total_webhooks: endpoints.len(),
        total_errors: endpoints.iter().map(|one| one.state.failures).sum(),
        rate_limits: rates,
        error_counts: errors,
        config: WebhookConfig {
            max_retries: policy.schedule.retries(),
            retry_delay: ms(policy.schedule.wait(1, 0.0)),
            rate_limit: format!("{}/{}ms", policy.rate.max, policy.rate.window.as_millis()),
            secret_configured: settings.secret.is_some(),
        },
        endpoints: endpoints.iter().map(|one| one.view(now)).collect(),
    };
    ApiAnswer::json(200, &WebhookStatus { success: Yes, webhooks, timestamp: now.into() })
}

/// Logs a test that was sent.
pub fn note_test(caller: &str, url: &Url, tested: &Tested) {
    let (caller, host) = (brief(caller), url.host_str().map(brief));
    tracing::info!(caller, host, status = tested.status, "tested a webhook");
}

/// Logs a triggered event.
pub fn note_trigger(trigger: &Trigger) {
    let (caller, event) = (brief(&trigger.caller), brief(&trigger.event));
    tracing::info!(caller, event, "an event was triggered manually");
}

/// The result of a test.
pub fn test_answer(tested: &Tested, now: Timestamp) -> ApiAnswer {
    let test_result = TestResult {
        success: tested.success,
        status: tested.status,
        duration: ms(tested.duration),
        url: &tested.url,
        message: &tested.message,
        error: tested.error,
    };
    ApiAnswer::json(200, &WebhookTested { success: Yes, test_result, timestamp: now.into() })
}

/// The body of a trigger's answer.
pub fn trigger_body(id: &EventId, results: Notified, now: Timestamp) -> String {
    let answer = Triggered {
        success: Yes,
        message: TRIGGERED,
        event_id: id.as_str(),
        results: TriggerResults {
            total: results.total,
            successful: results.accepted,
            failed: results.total - results.accepted,
        },
        timestamp: now.into(),
    };
    json!(answer).to_string()
}

/// The result of fetching a URL.
pub fn validate_answer(found: &Validated) -> ApiAnswer {
    let details = FetchedUrl {
        url: found.url.as_deref(),
        status: found.status,
        content_type: found.content_type.as_deref(),
        redirects: found.redirects,
        duration: ms(found.duration),
    };
    let (valid, reason) = (found.valid, found.reason.as_str());
    ApiAnswer::json(200, &UrlChecked { success: Yes, valid, reason, details, message: reason })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::request::posting;

    #[test]
    fn what_was_not_counted_is_left_out() {
        let found = Validated {
            valid: true,
            reason: "The URL is valid and can be reached".to_owned(),
            url: Some("https://streamgank.com/".to_owned()),
            status: Some(200),
            content_type: None,
            redirects: 0,
            duration: Duration::from_millis(5),
        };
        let body: Value = serde_json::from_str(&validate_answer(&found).body).unwrap();
        assert_eq!(body.get("moviesCount"), None, "pages write `Found null items`");
        assert_eq!((&body["valid"], &body["message"]), (&json!(true), &body["reason"]));
    }

    #[test]
    fn an_error_names_the_path_of_the_field() {
        let refused = |path: &str, body: &Value| {
            let problem = Route::read(&posting(path, body), Caller::known_as("ann"), false).unwrap_err();
            (problem.parts().1, problem.path().map(str::to_owned))
        };
        for path in ["/api/webhooks/test", "/api/validate-url"] {
            for missing in [json!({}), json!({ "url": null }), json!({ "url": " " })] {
                assert_eq!(refused(path, &missing), ("url_missing", None), "{path}: {missing}");
            }
            for wrong in [json!(5), json!(["https://a.example/"]), json!("x".repeat(URL_LIMIT + 1))] {
                let found = refused(path, &json!({ "url": wrong }));
                assert_eq!(found, ("bad_field", Some("url".to_owned())), "{path}: {wrong}");
            }
        }
        for (body, code, named) in [
            (json!({ "event": " " }), "event_missing", None),
            (json!({ "event": "x".repeat(NAME_LIMIT + 1) }), "bad_field", Some("event")),
            (json!({ "event": "job.completed", "data": [1] }), "bad_field", Some("data")),
            (json!({ "event": "job.completed", "data": { "x": "y".repeat(DATA_LIMIT) } }), "payload_too_large", None),
        ] {
            assert_eq!(refused("/api/webhooks/trigger", &body), (code, named.map(str::to_owned)));
        }
    }

    #[test]
    fn answers_have_their_members_in_the_order_of_the_contract() {
        let now = Timestamp(1_704_110_400_000);
        let id = EventId::parse("trigger_1.1.0").unwrap();
        let triggered = r#"{"success":true,"message":"Webhook notifications sent","eventId":"trigger_1.1.0","results":{"total":2,"successful":1,"failed":1},"timestamp":"2024-01-01T12:00:00.000Z"}"#;
        assert_eq!(trigger_body(&id, Notified { total: 2, accepted: 1 }, now), triggered);
        let tested = Tested {
            success: false,
            status: 0,
            duration: Duration::from_millis(7),
            url: "https://a.example/".to_owned(),
            message: "no answer".to_owned(),
            error: Some("ETIMEDOUT"),
        };
        let expected = r#"{"success":true,"test_result":{"success":false,"status":0,"duration":7,"url":"https://a.example/","message":"no answer","error":"ETIMEDOUT"},"timestamp":"2024-01-01T12:00:00.000Z"}"#;
        assert_eq!(test_answer(&tested, now).body, expected);
    }
}
