//! Calls of operators about webhooks: status, tests, triggered events, and whether a URL can be fetched.

use reelhook_app::Url;
use reelhook_app::idempotency::IdempotencyKey;
use reelhook_app::webhooks::endpoints::receiver_url;
use reelhook_app::webhooks::notify::Notified;
use reelhook_app::webhooks::settings::WebhookSettings;
use reelhook_app::webhooks::triggers::{Tested, Trigger};
use reelhook_app::webhooks::validate::Validated;
use reelhook_domain::{EventId, Timestamp, WebUrl, brief};
use serde_json::{Map, Value, json};

use crate::access::Caller;
use crate::answer::ApiAnswer;
use crate::idempotency::key;
use crate::numbers::inexact;
use crate::problem::{Problem, bad};
use crate::request::ApiRequest;
use crate::routes;
use crate::webhooks::endpoint_fields::URL_LIMIT;
use crate::webhooks::endpoints::EndpointView;
use crate::webhooks::problem::WebhookProblem;

/// The most characters of an event's name.
const NAME_LIMIT: usize = 100;
/// The most bytes of an event's data: with the rest of the event, it fits into an item.
const DATA_LIMIT: usize = 256 * 1024;

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
                let text = read_url(&request.json()?, "Webhook URL is required")?;
                receiver_url(&text, allow_http).map(Self::Test).map_err(|right| bad("url", right))
            }
            ("POST", "/api/webhooks/trigger") => {
                let trigger = read_trigger(&request.json()?, request, &caller)?;
                Ok(Self::Trigger(Box::new(trigger), key(request, &caller)?))
            }
            ("POST", "/api/validate-url") => Ok(Self::Validate(read_url(&request.json()?, "URL is required")?)),
            _ => Err(routes::unknown(request)),
        }
    }
}

fn read_url(body: &Value, missing: &'static str) -> Result<String, Problem> {
    match &body["url"] {
        Value::Null => Err(Problem::Webhook(WebhookProblem::UrlMissing(missing))),
        Value::String(text) if text.trim().is_empty() => Err(Problem::Webhook(WebhookProblem::UrlMissing(missing))),
        Value::String(text) if text.chars().count() <= URL_LIMIT => Ok(text.trim().to_owned()),
        _ => Err(bad("url", format!("a text of at most {URL_LIMIT} characters"))),
    }
}

fn read_trigger(body: &Value, request: &ApiRequest, caller: &Caller) -> Result<Trigger, Problem> {
    let event = match &body["event"] {
        Value::Null => return Err(Problem::Webhook(WebhookProblem::EventMissing)),
        Value::String(name) if name.trim().is_empty() => return Err(Problem::Webhook(WebhookProblem::EventMissing)),
        Value::String(name) if name.chars().count() <= NAME_LIMIT => name.trim().to_owned(),
        _ => return Err(bad("event", format!("a text of at most {NAME_LIMIT} characters"))),
    };
    let data = match &body["data"] {
        Value::Null => None,
        data @ Value::Object(_) if data.to_string().len() <= DATA_LIMIT => Some(data.clone()),
        Value::Object(_) => return Err(Problem::Webhook(WebhookProblem::PayloadTooLarge)),
        _ => return Err(bad("data", "an object")),
    };
    if data.is_some()
        && let Some(path) = inexact(&request.json_text()?, "data")
    {
        let right = "a number of at most 2^53 (9007199254740992), beyond which receivers read another one; \
                     send it as a text";
        return Err(bad(path, right));
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
    let webhooks = json!({
        "active_webhooks": endpoints.iter().filter(|one| one.state.disabled_at.is_none()).count(),
        "total_webhooks": endpoints.len(),
        "total_errors": endpoints.iter().map(|one| one.state.failures).sum::<u64>(),
        "rate_limits": rates,
        "error_counts": errors,
        "config": {
            "max_retries": policy.schedule.retries(),
            "retry_delay": u64::try_from(policy.schedule.wait(1, 0.0).as_millis()).unwrap_or(u64::MAX),
            "rate_limit": format!("{}/{}ms", policy.rate.max, policy.rate.window.as_millis()),
            "secret_configured": settings.secret.is_some(),
        },
        "endpoints": endpoints.iter().map(|one| one.view(now)).collect::<Vec<Value>>(),
    });
    ApiAnswer::json(200, &json!({ "success": true, "webhooks": webhooks, "timestamp": now.to_string() }))
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
    let mut result = json!({
        "success": tested.success,
        "status": tested.status,
        "duration": u64::try_from(tested.duration.as_millis()).unwrap_or(u64::MAX),
        "url": tested.url,
        "message": tested.message,
    });
    if let Some(error) = tested.error {
        result["error"] = json!(error);
    }
    ApiAnswer::json(200, &json!({ "success": true, "test_result": result, "timestamp": now.to_string() }))
}

/// The body of a trigger's answer.
pub fn trigger_body(id: &EventId, results: Notified, now: Timestamp) -> String {
    json!({
        "success": true,
        "message": "Webhook notifications sent",
        "eventId": id.as_str(),
        "results": {
            "total": results.total,
            "successful": results.accepted,
            "failed": results.total - results.accepted,
        },
        "timestamp": now.to_string(),
    })
    .to_string()
}

/// The result of fetching a URL.
pub fn validate_answer(found: &Validated) -> ApiAnswer {
    let details = json!({
        "url": found.url,
        "status": found.status,
        "contentType": found.content_type,
        "redirects": found.redirects,
        "duration": u64::try_from(found.duration.as_millis()).unwrap_or(u64::MAX),
    });
    let body = json!({
        "success": true,
        "valid": found.valid,
        "reason": found.reason,
        "details": details,
        "message": found.reason,
    });
    ApiAnswer::json(200, &body)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

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
}
