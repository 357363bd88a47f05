//! The data of webhooks about webhooks, and of tests.

use reelhook_domain::{Delivery, EndpointId, EndpointState, OutboundEvent, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::views::wire::Time;
use crate::webhooks::endpoints::Endpoint;
use crate::webhooks::wire::{DeliveryIdText, EndpointIdText, EventNameText, WebhookIdText};

/// The endpoint that an event is about.
#[derive(Debug, Serialize, JsonSchema)]
struct AboutEndpoint<'a> {
    /// The id of the endpoint.
    #[schemars(with = "EndpointIdText")]
    endpoint_id: &'a EndpointId,
    /// Its name.
    endpoint: &'a str,
    /// Its server only, since the rest of a URL may be a secret; the ARN of a queue or an event bus.
    #[schemars(extend("examples" = ["https://partner.example/***"]))]
    url: String,
}

impl<'a> From<&'a Endpoint> for AboutEndpoint<'a> {
    fn from(of: &'a Endpoint) -> Self {
        Self { endpoint_id: &of.id, endpoint: &of.name, url: of.destination.server() }
    }
}

/// An endpoint that fails. New members may be added.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EndpointFailingData<'a> {
    #[serde(flatten)]
    about: AboutEndpoint<'a>,
    /// Consecutive failed attempts.
    #[schemars(range(min = 1))]
    failures: u64,
    /// When the first of them failed.
    failing_since: Option<Time>,
    /// How much of the disable policy is used, in percent.
    #[schemars(range(min = 0, max = 100))]
    patience_used_percent: u64,
    /// When a failed attempt disables it; null if its disable policy has no limit of time.
    disables_at: Option<Time>,
    /// The same as a sentence.
    message: String,
}

impl<'a> EndpointFailingData<'a> {
    pub(super) fn new(endpoint: &'a Endpoint, state: &EndpointState, now: Timestamp) -> Self {
        let limit = endpoint.policy.disable_policy.time;
        let ends = state.failing_since.filter(|_| !limit.is_zero()).map(|since| since.after(limit));
        let failures = state.failures;
        Self {
            about: endpoint.into(),
            failures,
            failing_since: state.failing_since.map(Time),
            patience_used_percent: state.disable_progress(&endpoint.policy, now),
            disables_at: ends.map(Time),
            message: format!("Webhook endpoint {} fails: the last {failures} attempts failed", endpoint.name),
        }
    }
}

/// An endpoint that was disabled. New members may be added.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EndpointDisabledData<'a> {
    #[serde(flatten)]
    about: AboutEndpoint<'a>,
    /// When it was disabled.
    disabled_at: Time,
    /// Why.
    #[schemars(extend("examples" = ["the receiver answered 410", "1000 consecutive attempts failed"]))]
    reason: &'a str,
    /// The same as a sentence.
    message: String,
}

impl<'a> EndpointDisabledData<'a> {
    pub(super) fn new(endpoint: &'a Endpoint, at: Timestamp, reason: &'a str) -> Self {
        Self {
            about: endpoint.into(),
            disabled_at: at.into(),
            reason,
            message: format!("Webhook endpoint {} was disabled: {reason}", endpoint.name),
        }
    }
}

/// An endpoint that accepts webhooks again. New members may be added.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EndpointRecoveredData<'a> {
    #[serde(flatten)]
    about: AboutEndpoint<'a>,
    /// When the outage began.
    failing_since: Time,
    /// When it accepted a webhook.
    recovered_at: Time,
    /// The same as a sentence.
    message: String,
}

impl<'a> EndpointRecoveredData<'a> {
    pub(super) fn new(endpoint: &'a Endpoint, since: Timestamp, now: Timestamp) -> Self {
        Self {
            about: endpoint.into(),
            failing_since: since.into(),
            recovered_at: now.into(),
            message: format!("Webhook endpoint {} accepts webhooks again", endpoint.name),
        }
    }
}

/// An exhausted webhook. New members may be added.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DeliveryExhaustedData<'a> {
    #[serde(flatten)]
    about: AboutEndpoint<'a>,
    /// The id of the delivery.
    #[schemars(with = "DeliveryIdText")]
    delivery_id: String,
    /// The `webhook-id` of the delivery.
    #[schemars(with = "WebhookIdText")]
    webhook_id: String,
    /// The event of the webhook.
    #[schemars(with = "EventNameText")]
    event: OutboundEvent,
    /// What the event is about.
    job_id: &'a str,
    /// Attempts that were started.
    attempts: u32,
    /// The result of the last attempt, in a few words.
    reason: Option<&'a str>,
    /// The same as a sentence.
    message: String,
}

impl<'a> DeliveryExhaustedData<'a> {
    pub(super) fn new(endpoint: &'a Endpoint, delivery: &'a Delivery) -> Self {
        let (event, attempts, name) = (delivery.event.name(), delivery.attempts, &endpoint.name);
        Self {
            about: endpoint.into(),
            delivery_id: delivery.id.to_string(),
            webhook_id: delivery.id.webhook_id(),
            event: delivery.event,
            job_id: delivery.subject.as_str(),
            attempts,
            reason: delivery.last_result.as_deref(),
            message: format!("Webhook {event} to {name} was given up after {attempts} attempts"),
        }
    }
}

/// A test. New members may be added.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TestData<'a> {
    /// That it is a test.
    pub message: &'a str,
    /// The endpoint; absent from the test of a URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "EndpointIdText")]
    pub endpoint_id: Option<&'a EndpointId>,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reelhook_domain::WarningLevel;
    use serde_json::json;

    use super::*;
    use crate::webhooks::operational::{OperationalEvent, event};
    use crate::webhooks::previews::example_endpoint;
    use crate::webhooks::settings::WebhookSettings;

    const NOON: Timestamp = Timestamp(1_704_110_400_000);
    const ABOUT: &str = r#""endpoint_id":"ep_00112233445566778899aabbccddeeff","endpoint":"webhook_1","url":"https://receiver.example/***""#;

    #[test]
    fn the_data_has_its_members_in_the_order_of_the_contract() {
        let settings = WebhookSettings::read(&|_| None, false).unwrap();
        let endpoint = example_endpoint(&settings);
        let since = NOON.before(Duration::from_secs(600));
        let state = EndpointState { failures: 12, failing_since: Some(since), ..EndpointState::default() };
        let failing = OperationalEvent::Failing(&endpoint, &state, WarningLevel::Failing);
        for (cause, rest) in [
            (
                OperationalEvent::Disabled(&endpoint, NOON, "gone"),
                r#""disabled_at":"2024-01-01T12:00:00.000Z","reason":"gone","message":"Webhook endpoint webhook_1 was disabled: gone""#,
            ),
            (
                OperationalEvent::Recovered(&endpoint, since),
                r#""failing_since":"2024-01-01T11:50:00.000Z","recovered_at":"2024-01-01T12:00:00.000Z","message":"Webhook endpoint webhook_1 accepts webhooks again""#,
            ),
        ] {
            assert_eq!(event(cause, NOON).unwrap().data.to_string(), format!("{{{ABOUT},{rest}}}"));
        }
        let data = event(failing, NOON).unwrap().data;
        let names: Vec<&str> = data.as_object().unwrap().keys().map(String::as_str).collect();
        let own = ["failures", "failing_since", "patience_used_percent", "disables_at", "message"];
        assert_eq!(names[3..], own);
        assert_eq!((&data["failures"], &data["failing_since"]), (&json!(12), &json!(since.to_string())));
    }

    #[test]
    fn the_test_of_a_url_names_no_endpoint() {
        assert_eq!(json!(TestData { message: "m", endpoint_id: None }).to_string(), r#"{"message":"m"}"#);
    }
}
