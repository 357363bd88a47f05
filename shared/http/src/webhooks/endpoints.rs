//! Calls about webhook endpoints: registrations, changes, secrets, tests and previews.

use std::sync::Arc;
use std::time::Duration;

use reelhook_app::idempotency::IdempotencyKey;
use reelhook_app::webhooks::endpoints::policies::ScheduleName;
use reelhook_app::webhooks::endpoints::receiver::ReceiverKind;
use reelhook_app::webhooks::endpoints::registrations::{Choices, Opened, Private, Registration, RegistrationRequest};
use reelhook_app::webhooks::endpoints::rotation::Rotation;
use reelhook_app::webhooks::endpoints::secrets::{EndpointSecret, PublicKey};
use reelhook_app::webhooks::endpoints::{Destination, Endpoint, Payload};
use reelhook_app::webhooks::previews::Preview;
use reelhook_app::webhooks::recovery::Recovery;
use reelhook_domain::{DeliveryId, EndpointId, EndpointState, EventFilter, OutboundEvent, Timestamp, WarningLevel};
use reelhook_signing::{asymmetric::jwk_x, standard};
use serde_json::{Map, Value, json};

use crate::access::Caller;
use crate::answer::ApiAnswer;
use crate::idempotency::key;
use crate::metadata;
use crate::numbers::whole;
use crate::problem::{Problem, RequestProblem, bad};
use crate::request::ApiRequest;
use crate::webhooks::endpoint_fields::{DestinationRules, Fields, HIDDEN, check_names, enabled, kind_of};
use crate::webhooks::problem::WebhookProblem;
use crate::webhooks::recover::shown;

/// Endpoints of one page of a list.
const LIST: usize = 100;
/// How long earlier secrets stay valid by default, and at most, in seconds.
const GRACE: (u64, u64) = (24 * 3600, 30 * 24 * 3600);

/// A call about endpoints; one is named by its id, or as `webhook_1`.
#[derive(Debug, Clone)]
pub enum Route {
    /// GET /api/webhooks/endpoints: a page of the list, after this cursor.
    List(usize, Option<String>),
    /// POST /api/webhooks/endpoints
    Register(Box<RegistrationRequest>),
    /// GET /api/webhooks/endpoints/{id}
    One(String),
    /// PATCH /api/webhooks/endpoints/{id}
    Change(String, Patch),
    /// DELETE /api/webhooks/endpoints/{id}
    Remove(String),
    /// POST /api/webhooks/endpoints/{id}/enable
    Enable(String),
    /// POST /api/webhooks/endpoints/{id}/test: with a key, the same test each time.
    Test(String, Option<IdempotencyKey>),
    /// GET /api/webhooks/endpoints/{id}/preview: of one event, or of all.
    Preview(String, Option<OutboundEvent>),
    /// GET /api/webhooks/endpoints/{id}/secret
    Secrets(String),
    /// POST /api/webhooks/endpoints/{id}/secret/rotate
    Rotate(String, Box<Rotation>),
    /// GET /api/webhooks/event-types
    EventTypes,
}

/// A change of an endpoint; `Debug` hides what is secret.
#[derive(Clone)]
pub struct Patch {
    body: Map<String, Value>,
    reach: DestinationRules,
    /// The version that the caller saw.
    pub seen: Option<u64>,
    /// The new value of `enabled`.
    pub enabled: Option<bool>,
}

impl Route {
    /// Reads the route; none if it is not one of these.
    ///
    /// # Errors
    /// [`Problem`] names what is wrong.
    pub fn read(request: &ApiRequest, caller: &Caller, reach: &DestinationRules) -> Result<Option<Self>, Problem> {
        let segments = request.segments();
        let (method, rest) = match (&segments[..], request.method.as_str()) {
            (["api", "webhooks", "event-types"], "GET") => return Ok(Some(Self::EventTypes)),
            (["api", "webhooks", "endpoints", rest @ ..], method) => (method, rest),
            _ => return Ok(None),
        };
        let keyed = || key(request, caller);
        Ok(Some(match (method, rest) {
            ("GET", []) => {
                let cursor = |cursor: String| (cursor.len() <= 64 && cursor.is_ascii()).then_some(cursor);
                Self::List(request.limit(LIST, LIST)?, request.cursor(cursor)?)
            }
            ("POST", []) => Self::Register(Box::new(read_registration(request, reach, keyed()?)?)),
            ("GET", [one]) => Self::One((*one).to_owned()),
            ("PATCH", [one]) => Self::Change((*one).to_owned(), read_patch(request, reach)?),
            ("DELETE", [one]) => Self::Remove((*one).to_owned()),
            ("POST", [one, "enable"]) => Self::Enable((*one).to_owned()),
            ("POST", [one, "test"]) => Self::Test((*one).to_owned(), keyed()?),
            ("GET", [one, "preview"]) => Self::Preview((*one).to_owned(), read_event(request)?),
            ("GET", [one, "secret"]) => Self::Secrets((*one).to_owned()),
            ("POST", [one, "secret", "rotate"]) => {
                Self::Rotate((*one).to_owned(), Box::new(read_rotation(request, keyed()?)?))
            }
            _ => return Ok(None),
        }))
    }
}

fn object(request: &ApiRequest) -> Result<Map<String, Value>, Problem> {
    match request.json()? {
        Value::Object(body) => Ok(body),
        _ => Err(Problem::Request(RequestProblem::NoObject)),
    }
}

fn read_registration(
    request: &ApiRequest,
    reach: &DestinationRules,
    key: Option<IdempotencyKey>,
) -> Result<RegistrationRequest, Problem> {
    let body = object(request)?;
    check_names(&body, &["secret"])?;
    let mut fields = Fields::default();
    fields.merge(&body, reach)?;
    let destination =
        fields.destination.ok_or(Problem::Webhook(WebhookProblem::UrlMissing("Webhook URL is required")))?;
    Ok(RegistrationRequest {
        choices: Choices { metadata: metadata::read(body.get("metadata"))?, ..fields.choices },
        destination,
        headers: fields.headers,
        secret: read_secret(&body)?,
        enabled: enabled(&body)?.unwrap_or(true),
        key,
    })
}

fn read_patch(request: &ApiRequest, reach: &DestinationRules) -> Result<Patch, Problem> {
    let body = object(request)?;
    check_names(&body, &[])?;
    // Errors that do not depend on the endpoint are reported before it is read.
    let seen = match request.header("if-match").map(str::trim) {
        None | Some("*") => None,
        Some(tag) => {
            Some(tag.trim_matches('"').parse().map_err(|_| Problem::Webhook(WebhookProblem::VersionMismatch))?)
        }
    };
    Ok(Patch { enabled: enabled(&body)?, body, reach: reach.clone(), seen })
}

impl std::fmt::Debug for Patch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Patch({:?})", self.body.keys().collect::<Vec<_>>())
    }
}

impl Patch {
    /// Whether it changes anything but whether the endpoint is enabled.
    pub fn changes_fields(&self) -> bool {
        self.body.keys().any(|name| name != "enabled")
    }

    /// Applies the change.
    ///
    /// # Errors
    /// [`Problem`] names the field.
    pub fn apply(&self, choices: &mut Choices, private: &mut Private) -> Result<(), Problem> {
        let destination = Some(private.destination.clone());
        let mut fields = Fields { choices: choices.clone(), destination, headers: private.headers.clone() };
        fields.merge(&self.body, &self.reach)?;
        *choices =
            Choices { metadata: metadata::merge(&choices.metadata, self.body.get("metadata"))?, ..fields.choices };
        private.headers = fields.headers;
        private.destination = fields.destination.unwrap_or_else(|| private.destination.clone());
        Ok(())
    }
}

fn read_event(request: &ApiRequest) -> Result<Option<OutboundEvent>, Problem> {
    let right = || bad("event", "an event's name, such as job.completed");
    let given = request.query("event").filter(|name| !name.is_empty());
    given.map(|name| OutboundEvent::parse(name).ok_or_else(right)).transpose()
}

fn read_secret(body: &Map<String, Value>) -> Result<Option<String>, Problem> {
    let right = || bad("secret", "`whsec_` and the base64 of 24 to 64 bytes; leave it out to have one made");
    match body.get("secret") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(secret)) if standard::is_secret(secret) => Ok(Some(secret.clone())),
        Some(_) => Err(right()),
    }
}

fn read_rotation(request: &ApiRequest, key: Option<IdempotencyKey>) -> Result<Rotation, Problem> {
    let body = match request.json_or_nothing()? {
        Value::Object(body) => body,
        _ => Map::new(),
    };
    const FIELDS: [&str; 2] = ["secret", "graceSeconds"];
    if let Some(name) = body.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(Problem::Request(RequestProblem::UnknownField(name.clone(), FIELDS.to_vec())));
    }
    let right = || bad("graceSeconds", format!("a whole number from 0 to {}", GRACE.1));
    let grace = match body.get("graceSeconds") {
        None | Some(Value::Null) => GRACE.0,
        Some(value) => {
            let grace = whole(value).and_then(|grace| u64::try_from(grace).ok());
            grace.filter(|grace| *grace <= GRACE.1).ok_or_else(right)?
        }
    };
    Ok(Rotation { secret: read_secret(&body)?, grace: Duration::from_secs(grace), key })
}

/// An endpoint as the API shows it.
#[derive(Debug, Clone)]
pub struct EndpointView {
    /// The endpoint.
    pub endpoint: Arc<Endpoint>,
    /// Its state.
    pub state: EndpointState,
    /// Which events it gets.
    pub events: EventFilter,
    /// Its registration; none for an endpoint of the settings.
    pub registration: Option<Registration>,
}

impl EndpointView {
    /// All its fields except private ones.
    pub fn view(&self, now: Timestamp) -> Value {
        let Self { endpoint, state, events, registration } = self;
        let (url, arn) = match &endpoint.destination {
            Destination::Web(_) => (Some(endpoint.shown()), None),
            Destination::Queue(arn) | Destination::Bus(arn) => (None, Some(arn.as_str())),
        };
        let headers = endpoint.headers.iter().map(|(name, _)| (name.clone(), json!(HIDDEN)));
        let asymmetric = registration.as_ref().is_some_and(|one| one.choices.asymmetric);
        let policy = &endpoint.policy;
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        json!({
            "id": endpoint.id.as_str(),
            "name": endpoint.name,
            "source": if registration.is_some() { "api" } else { "settings" },
            "description": registration.as_ref().and_then(|one| one.choices.description.clone()),
            "metadata": registration.as_ref().map(|one| one.choices.metadata.clone()).unwrap_or_default(),
            "type": kind_of(&endpoint.destination),
            "url": url,
            "arn": arn,
            "events": events.names(),
            "enabled": state.disabled_at.is_none(),
            "headers": headers.collect::<Map<String, Value>>(),
            "payload": match endpoint.form.payload {
                Payload::Full => "full",
                Payload::Thin => "thin",
            },
            "format": endpoint.form.format,
            "asciiJson": endpoint.form.ascii,
            "signatures": signatures(endpoint, asymmetric),
            "schedule": ScheduleName::of(&policy.schedule).name(),
            "retries": policy.schedule.retries(),
            "timeoutMs": ms(policy.timeout),
            "concurrency": policy.concurrency,
            "rateLimit": { "max": policy.rate.max, "windowMs": ms(policy.rate.window) },
            "permanentStatuses": endpoint.permanent,
            "createdAt": registration.as_ref().map(|one| one.created_at.to_string()),
            "updatedAt": registration.as_ref().map(|one| one.updated_at.to_string()),
            "version": registration.as_ref().map(|one| one.version),
            "health": health(endpoint, state, now),
        })
    }

    /// Its version as an entity tag, if it is registered.
    fn tag(&self) -> Option<String> {
        self.registration.as_ref().map(|one| format!("\"{}\"", one.version))
    }
}

/// The signatures of its webhooks: those to chat services and event buses have none.
fn signatures(endpoint: &Endpoint, asymmetric: bool) -> Vec<&'static str> {
    let unsigned = endpoint.receiver() != ReceiverKind::Own || matches!(endpoint.destination, Destination::Bus(_));
    let names = [("v1", endpoint.signers.hmac.is_some()), ("v1a", asymmetric)];
    names.into_iter().filter(|(_, there)| *there && !unsigned).map(|(name, _)| name).collect()
}

/// Its health.
fn health(endpoint: &Endpoint, state: &EndpointState, now: Timestamp) -> Value {
    let policy = &endpoint.policy;
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let ahead = |at: Option<Timestamp>| time(at.filter(|at| *at > now));
    let open = state.is_open(policy);
    let status = match state {
        _ if state.disabled_at.is_some() => "disabled",
        _ if open => "circuit_open",
        _ if ahead(state.paused_until).is_some() => "paused",
        _ if state.failures > 0 => "failing",
        _ => "healthy",
    };
    let until =
        |until: Timestamp| (!policy.disable_policy.time.is_zero()).then(|| until.after(policy.disable_policy.time));
    json!({
        "score": state.health(policy),
        "status": status,
        "recentSuccessPercent": state.success_permille.map(|permille| permille / 10),
        "failures": state.failures,
        "failingSince": time(state.failing_since.filter(|_| state.failures > 0)),
        "disabledAt": time(state.disabled_at),
        "disabledReason": state.disabled_reason,
        "disablesAt": time(state.failing_since.filter(|_| state.disabled_at.is_none() && state.failures > 0).and_then(until)),
        "warnedPercent": state.warned.map_or(0, WarningLevel::percent),
        "nextProbeAt": ahead(state.circuit.until.filter(|_| open)),
        "pausedUntil": ahead(state.paused_until),
        "latencyMs": (state.latency_ms > 0).then_some(state.latency_ms),
        "underWay": state.concurrency.slots.iter().filter(|slot| slot.until > now).map(|slot| slot.attempts).sum::<u32>(),
        "concurrencyNow": state.concurrency_limit(policy),
    })
}

/// A page of the list, and the cursor of the next one.
pub fn list_answer(endpoints: &[EndpointView], next: Option<&str>, now: Timestamp) -> ApiAnswer {
    let shown: Vec<Value> = endpoints.iter().map(|one| one.view(now)).collect();
    let mut body = json!({ "success": true, "count": shown.len(), "endpoints": shown });
    if let Some(next) = next {
        body["nextCursor"] = json!(ApiRequest::write_cursor(next));
    }
    ApiAnswer::json(200, &body)
}

fn with_tag(answer: ApiAnswer, of: &EndpointView) -> ApiAnswer {
    match of.tag() {
        Some(tag) => answer.header("etag", tag),
        None => answer,
    }
}

/// A new endpoint, and the test that was sent to it.
pub fn registered_answer(of: &EndpointView, test: Option<DeliveryId>, now: Timestamp) -> ApiAnswer {
    let body = json!({
        "success": true,
        "message": "Webhook endpoint registered",
        "endpoint": of.view(now),
        "test": test.map(|id| json!({ "deliveryId": id.to_string() })),
    });
    let answer = ApiAnswer::json(201, &body).header("location", format!("/api/webhooks/endpoints/{}", of.endpoint.id));
    with_tag(answer, of)
}

/// One endpoint.
pub fn one_answer(of: &EndpointView, now: Timestamp) -> ApiAnswer {
    with_tag(ApiAnswer::json(200, &json!({ "success": true, "endpoint": of.view(now) })), of)
}

/// A changed endpoint.
pub fn changed_answer(of: &EndpointView, now: Timestamp) -> ApiAnswer {
    let body = json!({ "success": true, "message": "Webhook endpoint changed", "endpoint": of.view(now) });
    with_tag(ApiAnswer::json(200, &body), of)
}

/// A removed endpoint.
pub fn removed_answer(id: &EndpointId, now: Timestamp) -> ApiAnswer {
    let body = json!({
        "success": true,
        "message": "Webhook endpoint deleted",
        "id": id.as_str(),
        "deletedAt": now.to_string(),
    });
    ApiAnswer::json(200, &body)
}

/// An enabled endpoint, and the recovery of its pending deliveries.
pub fn enable_answer(of: &EndpointView, woken: &Recovery, now: Timestamp) -> ApiAnswer {
    let body = json!({
        "success": true,
        "message": "Webhook endpoint is enabled",
        "endpoint": of.view(now),
        "recovery": shown(woken),
    });
    ApiAnswer::json(200, &body)
}

/// A test was sent.
pub fn test_answer(delivery: DeliveryId) -> ApiAnswer {
    let body =
        json!({ "success": true, "message": "A test webhook is on its way", "deliveryId": delivery.to_string() });
    ApiAnswer::json(202, &body)
}

/// The webhooks that an endpoint would get.
pub fn preview_answer(previews: &[Preview]) -> ApiAnswer {
    let shown = previews.iter().map(|preview| {
        let headers = preview.headers.iter().map(|(name, value)| (name.clone(), json!(value)));
        json!({
            "event": preview.event.name(),
            "headers": headers.collect::<Map<String, Value>>(),
            "body": preview.body,
        })
    });
    no_store(ApiAnswer::json(200, &json!({ "success": true, "previews": shown.collect::<Vec<Value>>() })))
}

/// An endpoint's secrets, newest first.
pub fn secrets_answer(of: &Opened, message: &str, now: Timestamp) -> ApiAnswer {
    let asymmetric = of.registration.choices.asymmetric;
    let shown = |secret: &EndpointSecret| {
        json!({
            "id": secret.id,
            "secret": secret.secret,
            "publicKey": secret.key().filter(|_| asymmetric).map(|key| key.public()),
            "createdAt": secret.created_at.to_string(),
            "expiresAt": secret.expires_at.map(|at| at.to_string()),
        })
    };
    let live: Vec<Value> = of.private.secrets.iter().filter(|secret| secret.is_live(now)).map(shown).collect();
    no_store(ApiAnswer::json(200, &json!({ "success": true, "message": message, "secrets": live })))
}

fn no_store(answer: ApiAnswer) -> ApiAnswer {
    answer.header("cache-control", "no-store")
}

/// Every event, with an example of its data.
pub fn event_types_answer(example: impl Fn(OutboundEvent) -> Value) -> ApiAnswer {
    let types = OutboundEvent::ALL.iter().copied().map(|event| {
        json!({
            "name": event.name(),
            "group": event.group().name(),
            "description": event.description(),
            "example": example(event),
        })
    });
    ApiAnswer::json(200, &json!({ "success": true, "eventTypes": types.collect::<Vec<Value>>() }))
}

/// Whether this is GET /.well-known/webhook-keys.json, and of which endpoint.
pub fn read_keys_request(request: &ApiRequest) -> Option<Option<&str>> {
    let is_keys_route =
        matches!((request.method.as_str(), request.path.as_str()), ("GET", "/.well-known/webhook-keys.json"));
    is_keys_route.then(|| request.query("endpointId").filter(|id| !id.is_empty()))
}

/// Public keys of endpoints as a JSON Web Key Set (RFC 7517, RFC 8037), with the form of Standard Webhooks beside it.
pub fn keys_answer<'a>(keys: impl Iterator<Item = (&'a EndpointId, &'a PublicKey)>, now: Timestamp) -> ApiAnswer {
    let shown = |(endpoint, key): (&EndpointId, &PublicKey)| {
        let x = jwk_x(&key.key)?;
        let live = key.expires_at.is_none_or(|until| until > now);
        live.then(|| {
            json!({
                "kid": key.id,
                "endpointId": endpoint.as_str(),
                "kty": "OKP",
                "crv": "Ed25519",
                "alg": "EdDSA",
                "use": "sig",
                "x": x,
                "whpk": key.key,
                "expiresAt": key.expires_at.map(|at| at.to_string()),
            })
        })
    };
    let keys: Vec<Value> = keys.filter_map(shown).collect();
    ApiAnswer::json(200, &json!({ "keys": keys })).header("cache-control", "public, max-age=60")
}

#[cfg(test)]
mod tests {
    use reelhook_domain::Timestamp;

    use super::*;

    #[test]
    fn keys_that_verify_are_listed_in_both_forms_and_those_whose_time_is_over_are_not() {
        let id = EndpointId::parse("ep_1").unwrap();
        let key = |id: &str, expires_at: Option<i64>| PublicKey {
            id: id.to_owned(),
            // RFC 8037, A.2.
            key: "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=".to_owned(),
            expires_at: expires_at.map(Timestamp),
        };
        let keys = [key("sec_1", None), key("sec_2", Some(2000)), key("sec_3", Some(1000))];
        let answer = keys_answer(keys.iter().map(|key| (&id, key)), Timestamp(1000));
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let expected = |kid: &str, expires_at: Value| {
            json!({ "kid": kid, "endpointId": "ep_1", "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "whpk": keys[0].key, "expiresAt": expires_at })
        };
        let until = json!(Timestamp(2000).to_string());
        assert_eq!(body["keys"], json!([expected("sec_1", Value::Null), expected("sec_2", until)]));
    }
}
