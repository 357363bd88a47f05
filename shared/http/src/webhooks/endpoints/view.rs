//! An endpoint and its health as the API shows them.

use std::collections::BTreeSet;
use std::sync::Arc;

use reelhook_app::views::wire::{MetadataText, Time};
use reelhook_app::webhooks::endpoints::policies::ScheduleName;
use reelhook_app::webhooks::endpoints::receiver::ReceiverKind;
use reelhook_app::webhooks::endpoints::registrations::Registration;
use reelhook_app::webhooks::endpoints::{Destination, Endpoint, Format, Payload};
use reelhook_app::webhooks::wire::{EndpointIdText, EventPatternText};
use reelhook_domain::{EndpointId, EndpointState, EventFilter, Metadata, Timestamp, WarningLevel};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::webhooks::fields::{Concurrency, EndpointType, HIDDEN, RateMax, SignatureKind, TimeoutMs, WindowMs};
use crate::webhooks::ms;

/// The destination of webhooks, its events and settings, and its health.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookEndpoint<'a> {
    /// The id of the endpoint.
    #[schemars(with = "EndpointIdText")]
    id: &'a EndpointId,
    /// The name: by its place in WEBHOOK_URLS, or the id of a registered endpoint.
    #[schemars(extend("examples" = ["webhook_1", "ep_5f0c2b7e9d134a6688e1c07ab2d94f31"]))]
    name: &'a str,
    /// `settings`: it is configured in WEBHOOK_URLS, and can only be enabled, disabled, tested and previewed here;
    /// `api`: it is registered.
    source: EndpointSource,
    /// A description for people.
    #[schemars(length(max = 200))]
    description: Option<&'a str>,
    /// The caller's own data.
    #[schemars(with = "MetadataText")]
    metadata: Metadata,
    /// The type: `sqs` and `eventbridge` only if the stack names the ARN.
    r#type: EndpointType,
    /// The URL; at Slack and Discord without its path, which is a secret; null if it has an ARN.
    url: Option<String>,
    /// The ARN of the queue or the event bus.
    arn: Option<&'a str>,
    /// The events that it gets; WEBHOOK_EVENTS for an endpoint of WEBHOOK_URLS.
    #[schemars(with = "Vec<EventPatternText>")]
    events: Vec<String>,
    /// Whether webhooks are sent to it.
    enabled: bool,
    /// Additional headers of its webhooks, without their values; only for the type `http`.
    #[schemars(extend("additionalProperties" = { "const": HIDDEN }))]
    headers: Map<String, Value>,
    /// `thin`: only ids, the status and where the rest can be read.
    payload: Payload,
    /// `standard`: the payload of Standard Webhooks; `streamgank`: StreamGank's envelope and headers.
    format: Format,
    /// Whether everything but ASCII is escaped in the body.
    ascii_json: bool,
    /// The kinds of signatures in `webhook-signature`: none without a secret, at Slack and Discord, and on event buses.
    #[schemars(extend("uniqueItems" = true))]
    signatures: Vec<SignatureKind>,
    /// When a failed webhook is retried.
    schedule: ScheduleName,
    /// The maximum number of attempts after the first.
    retries: u32,
    /// The timeout of one attempt.
    #[schemars(with = "TimeoutMs")]
    timeout_ms: u64,
    /// The maximum number of concurrent attempts.
    #[schemars(with = "Concurrency")]
    concurrency: u32,
    /// The rate limit.
    rate_limit: RateLimitView,
    /// HTTP statuses after which a webhook is not retried.
    #[schemars(inner(range(min = 400, max = 499)))]
    permanent_statuses: &'a BTreeSet<u16>,
    /// When it was registered; null for an endpoint of WEBHOOK_URLS.
    created_at: Option<Time>,
    /// When its registration last changed; null for an endpoint of WEBHOOK_URLS.
    updated_at: Option<Time>,
    /// Rises by one with each change; null for an endpoint of WEBHOOK_URLS.
    #[schemars(range(min = 1))]
    version: Option<u64>,
    /// Its health.
    health: EndpointHealth<'a>,
}

/// Where an endpoint is configured.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum EndpointSource {
    /// It is registered.
    Api,
    /// It is configured in the settings.
    Settings,
}

/// Sends per window.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RateLimit")]
struct RateLimitView {
    /// Sends per window.
    #[schemars(with = "RateMax")]
    max: u32,
    /// The window, in milliseconds.
    #[schemars(with = "WindowMs")]
    window_ms: u64,
}

/// The health of an endpoint.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct EndpointHealth<'a> {
    /// The percentage of recent successful attempts, less 10 while it fails and 10 while it is slow; at most 10 while
    /// its circuit is open, 0 if it is disabled.
    #[schemars(range(min = 0, max = 100))]
    score: u32,
    /// The first that is true. `circuit_open`: it had too many consecutive failures and is only probed; `paused`: it
    /// requested a pause; `failing`: its last attempt failed.
    status: HealthStatus,
    /// The percentage of successful ones among about the last twenty attempts; null before the first.
    #[schemars(range(min = 0, max = 100))]
    recent_success_percent: Option<u32>,
    /// Failed attempts since the last webhook that it accepted.
    failures: u64,
    /// When the first of these failed.
    failing_since: Option<Time>,
    /// When it was disabled.
    disabled_at: Option<Time>,
    /// Why it was disabled.
    #[schemars(extend("examples" = [
        "the receiver answered 410",
        "1000 consecutive attempts failed",
        "every attempt since 2024-01-01T12:00:00.000Z failed",
        "disabled by its operator",
    ]))]
    disabled_reason: Option<&'a str>,
    /// A failed attempt after this time disables it (WEBHOOK_DISABLE_AFTER), if it accepts no webhook before and has
    /// enough consecutive failures to open its circuit; null while it does not fail, and once it is disabled.
    disables_at: Option<Time>,
    /// The percentage of the disable policy's limits that the last warning was about: 1 as soon as it fails, then 50,
    /// 75 and 90; 0 while it is healthy. `endpoint.failing` is sent for it once a webhook about a job has failed.
    #[schemars(extend("enum" = [0, 1, 50, 75, 90]))]
    warned_percent: u8,
    /// When one webhook probes it, while its circuit is open; null if that may happen at once.
    next_probe_at: Option<Time>,
    /// It requested no webhooks before this time.
    paused_until: Option<Time>,
    /// The smoothed duration of its attempts, in milliseconds; null before the first.
    #[schemars(range(min = 1))]
    latency_ms: Option<u64>,
    /// Attempts under way.
    under_way: u32,
    /// The current limit of concurrent attempts; at most `concurrency`.
    #[schemars(range(min = 1))]
    concurrency_now: u32,
}

/// The state that counts most for the health of an endpoint.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum HealthStatus {
    /// It is disabled.
    Disabled,
    /// Its circuit is open.
    CircuitOpen,
    /// It requested a pause.
    Paused,
    /// Its last attempt failed.
    Failing,
    /// None of these.
    Healthy,
}

/// An endpoint, its state and its registration.
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
    pub fn view(&self, now: Timestamp) -> WebhookEndpoint<'_> {
        let Self { endpoint, state, events, registration } = self;
        let registration = registration.as_ref();
        let (url, arn) = match &endpoint.destination {
            Destination::Web(_) => (Some(endpoint.shown()), None),
            Destination::Queue(arn) | Destination::Bus(arn) => (None, Some(arn.as_str())),
        };
        let policy = &endpoint.policy;
        WebhookEndpoint {
            id: &endpoint.id,
            name: &endpoint.name,
            source: if registration.is_some() { EndpointSource::Api } else { EndpointSource::Settings },
            description: registration.and_then(|one| one.choices.description.as_deref()),
            metadata: registration.map(|one| one.choices.metadata.clone()).unwrap_or_default(),
            r#type: EndpointType::of(&endpoint.destination),
            url,
            arn,
            events: events.names(),
            enabled: state.disabled_at.is_none(),
            headers: endpoint.headers.iter().map(|(name, _)| (name.clone(), json!(HIDDEN))).collect(),
            payload: endpoint.form.payload,
            format: endpoint.form.format,
            ascii_json: endpoint.form.ascii,
            signatures: signatures(endpoint, registration.is_some_and(|one| one.choices.asymmetric)),
            schedule: ScheduleName::of(&policy.schedule),
            retries: policy.schedule.retries(),
            timeout_ms: ms(policy.timeout),
            concurrency: policy.concurrency,
            rate_limit: RateLimitView { max: policy.rate.max, window_ms: ms(policy.rate.window) },
            permanent_statuses: &endpoint.permanent,
            created_at: registration.map(|one| one.created_at.into()),
            updated_at: registration.map(|one| one.updated_at.into()),
            version: registration.map(|one| one.version),
            health: health(endpoint, state, now),
        }
    }

    /// Its version as an entity tag, if it is registered.
    pub(super) fn tag(&self) -> Option<String> {
        self.registration.as_ref().map(|one| format!("\"{}\"", one.version))
    }
}

/// The signatures of its webhooks: those to chat services and event buses have none.
fn signatures(endpoint: &Endpoint, asymmetric: bool) -> Vec<SignatureKind> {
    let unsigned = endpoint.receiver() != ReceiverKind::Own || matches!(endpoint.destination, Destination::Bus(_));
    let kinds = [(SignatureKind::V1, endpoint.signers.hmac.is_some()), (SignatureKind::V1a, asymmetric)];
    kinds.into_iter().filter(|(_, there)| *there && !unsigned).map(|(kind, _)| kind).collect()
}

fn health<'a>(endpoint: &Endpoint, state: &'a EndpointState, now: Timestamp) -> EndpointHealth<'a> {
    let policy = &endpoint.policy;
    let ahead = |at: Option<Timestamp>| at.filter(|at| *at > now).map(Time);
    let open = state.is_open(policy);
    let status = match state {
        _ if state.disabled_at.is_some() => HealthStatus::Disabled,
        _ if open => HealthStatus::CircuitOpen,
        _ if ahead(state.paused_until).is_some() => HealthStatus::Paused,
        _ if state.failures > 0 => HealthStatus::Failing,
        _ => HealthStatus::Healthy,
    };
    let since = state.failing_since.filter(|_| state.failures > 0);
    let limit = policy.disable_policy.time;
    let disables = since.filter(|_| state.disabled_at.is_none() && !limit.is_zero()).map(|since| since.after(limit));
    let live = state.concurrency.slots.iter().filter(|slot| slot.busy_until > now);
    EndpointHealth {
        score: state.health(policy),
        status,
        recent_success_percent: state.success_permille.map(|permille| permille / 10),
        failures: state.failures,
        failing_since: since.map(Time),
        disabled_at: state.disabled_at.map(Time),
        disabled_reason: state.disabled_reason.as_deref(),
        disables_at: disables.map(Time),
        warned_percent: state.warned.map_or(0, WarningLevel::percent),
        next_probe_at: ahead(state.circuit.until.filter(|_| open)),
        paused_until: ahead(state.paused_until),
        latency_ms: (state.latency_ms > 0).then_some(state.latency_ms),
        under_way: live.map(|slot| slot.attempts).sum(),
        concurrency_now: state.concurrency_limit(policy),
    }
}

#[cfg(test)]
mod tests {
    use reelhook_app::webhooks::endpoints::Form;
    use reelhook_app::webhooks::previews::example_endpoint;
    use reelhook_app::webhooks::settings::WebhookSettings;
    use reelhook_domain::EventPattern;

    use super::*;

    #[test]
    fn a_configured_endpoint_is_shown_in_the_order_of_the_contract() {
        let settings = WebhookSettings::read(&|_| None, false).unwrap();
        let endpoint = Endpoint {
            headers: vec![("X-Team".to_owned(), "x-token".to_owned())],
            permanent: BTreeSet::from([410, 404]),
            form: Form::default(),
            ..example_endpoint(&settings)
        };
        let events = EventFilter::new(EventPattern::parse("job.*"));
        let shown =
            EndpointView { endpoint: Arc::new(endpoint), state: EndpointState::default(), events, registration: None };
        let text = json!(shown.view(Timestamp(1_704_110_400_000))).to_string();
        let beginning = r#"{"id":"ep_00112233445566778899aabbccddeeff","name":"webhook_1","source":"settings","description":null,"metadata":{},"type":"http","url":"https://receiver.example/webhooks","arn":null,"events":["job.*"],"enabled":true,"headers":{"X-Team":"***"},"payload":"full","format":"streamgank","asciiJson":false,"signatures":[],"schedule":"#;
        assert!(text.starts_with(beginning), "{text}");
        let end = r#""permanentStatuses":[404,410],"createdAt":null,"updatedAt":null,"version":null,"health":{"score":100,"status":"healthy","recentSuccessPercent":null,"failures":0,"failingSince":null,"disabledAt":null,"disabledReason":null,"disablesAt":null,"warnedPercent":0,"nextProbeAt":null,"pausedUntil":null,"latencyMs":null,"underWay":0,"concurrencyNow":"#;
        assert!(text.contains(end), "{text}");
        let members: Map<String, Value> = serde_json::from_str(&text).unwrap();
        let names: Vec<&str> = members.keys().map(String::as_str).skip_while(|name| *name != "schedule").collect();
        assert_eq!(names[..5], ["schedule", "retries", "timeoutMs", "concurrency", "rateLimit"]);
    }
}
