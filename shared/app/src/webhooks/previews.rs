//! Previews of webhooks: an example of each event, and the webhook that an endpoint would get.

use std::time::Duration;

use reelhook_domain::{EndpointId, EndpointState, EventGroup, EventId, OutboundEvent, Timestamp, WarningLevel, WebUrl};
use reelhook_signing::SigningKeys;
use url::Url;

use crate::clips::examples as clip_examples;
use crate::errors::raise;
use crate::errors::view as errors;
use crate::files::links::FileLinks;
use crate::jobs::examples;
use crate::outbox::source::FanoutSource;
use crate::projects::examples as project_examples;
use crate::webhooks::deliver::message::webhook;
use crate::webhooks::endpoints::{Destination, Endpoint, Form, Format, Signers};
use crate::webhooks::events::{EventRow, delivery_of};
use crate::webhooks::operational::{self, OperationalEvent};
use crate::webhooks::settings::WebhookSettings;
use crate::webhooks::subscriptions::Subscriber;
use crate::webhooks::transport::OutboundWebhook;
use crate::webhooks::triggers;

/// A minute.
const MINUTE: Duration = Duration::from_secs(60);

/// The webhook that an endpoint would get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The event.
    pub event: OutboundEvent,
    /// HTTP headers, or the attributes of a message; the values of the endpoint's own headers are hidden.
    pub headers: Vec<(String, String)>,
    /// The exact body.
    pub body: String,
}

/// A made-up endpoint for examples.
pub fn example_endpoint(settings: &WebhookSettings) -> Endpoint {
    Endpoint {
        id: EndpointId::parse("ep_00112233445566778899aabbccddeeff").expect("an id"),
        name: "webhook_1".to_owned(),
        destination: Destination::Web(WebUrl::parse("https://receiver.example/webhooks").expect("a URL")),
        policy: settings.policy,
        permanent: settings.permanent.clone(),
        headers: Vec::new(),
        form: Form { format: Format::Standard, ..Form::default() },
        signers: Signers::default(),
    }
}

/// The webhook that this endpoint would get now for an event.
pub fn preview(endpoint: &Endpoint, event: OutboundEvent, now: Timestamp) -> Preview {
    let example = example(endpoint, event, now);
    let delivery = delivery_of(&example, &Subscriber::only(endpoint), Duration::ZERO, None);
    let (mut headers, body) = match webhook(&delivery, &example, endpoint, now) {
        OutboundWebhook::Web(request) => (request.headers, String::from_utf8_lossy(&request.body).into_owned()),
        OutboundWebhook::Cloud(webhook) => (webhook.attributes, webhook.body),
    };
    for (name, value) in &mut headers {
        if endpoint.headers.iter().any(|(own, given)| own.eq_ignore_ascii_case(name) && given == value) {
            "***".clone_into(value);
        }
    }
    Preview { event, headers, body }
}

/// An example of an event: about something that it happened to, or about this endpoint.
pub fn example(endpoint: &Endpoint, event: OutboundEvent, now: Timestamp) -> EventRow {
    let since = now.before(10 * MINUTE);
    match event.group() {
        EventGroup::Job | EventGroup::Video => row_of(&examples::job(event, since), event, None),
        EventGroup::Project => row_of(&project_examples::project(event, since), event, None),
        EventGroup::Scene => {
            let project = project_examples::project(event, since);
            row_of(&project, event, project.scenes.first().map(|scene| scene.id.as_str()))
        }
        EventGroup::Clips => {
            let about = (event == OutboundEvent::ClipReady).then_some("0");
            row_of(&clip_examples::job(event, since), event, about)
        }
        EventGroup::Error => of_errors(event, since, now),
        EventGroup::Endpoint | EventGroup::Delivery | EventGroup::Webhook => of_webhooks(endpoint, event, since, now),
    }
}

/// An example of an event about an error.
fn of_errors(event: OutboundEvent, since: Timestamp, now: Timestamp) -> EventRow {
    let raised = errors::example(since);
    let resolved = raised.resolved(now, now).filter(|_| event == OutboundEvent::ErrorResolved);
    raise::event(event, &resolved.unwrap_or(raised), now, now)
}

/// An example of an event about webhooks.
fn of_webhooks(endpoint: &Endpoint, event: OutboundEvent, since: Timestamp, now: Timestamp) -> EventRow {
    let failing = EndpointState { failures: 12, failing_since: Some(since), ..EndpointState::default() };
    let caused = |cause: OperationalEvent<'_>| operational::event(cause, now);
    let row = match event {
        OutboundEvent::EndpointFailing => caused(OperationalEvent::Failing(endpoint, &failing, WarningLevel::Failing)),
        OutboundEvent::EndpointDisabled => {
            caused(OperationalEvent::Disabled(endpoint, now, "1000 consecutive attempts failed"))
        }
        OutboundEvent::EndpointRecovered => caused(OperationalEvent::Recovered(endpoint, since)),
        OutboundEvent::DeliveryExhausted => {
            let completed = OutboundEvent::Completed;
            let row = row_of(&examples::job(completed, since), completed, None);
            let mut delivery = delivery_of(&row, &Subscriber::only(endpoint), Duration::ZERO, None);
            delivery.attempts = endpoint.policy.schedule.retries() + 1;
            delivery.last_result = Some(format!("status 500 after {} attempts", delivery.attempts));
            caused(OperationalEvent::Exhausted(endpoint, &delivery))
        }
        _ => Some(triggers::test_event(&endpoint.id, endpoint.form.format, now, 0)),
    };
    row.expect("an example has good ids")
}

/// The event of an aggregate's last version, about a part of it or about the whole.
fn row_of<A: FanoutSource>(of: &A, event: OutboundEvent, about: Option<&str>) -> EventRow {
    let (subject, at) = (of.subject(), of.updated_at());
    // Links look like those of a stack, and open nothing.
    let base = Url::parse("https://reelhook.example/").expect("a URL");
    let keys = SigningKeys::parse("the secret of examples").expect("a secret");
    let links = FileLinks { base: &base, keys: &keys };
    let (id, data) = (EventId::of(&subject, of.version(), 0), of.view().webhook_data(of, event, about, at, links));
    EventRow { id, event, subject, at, data: data.into(), callback: None, submitted_at: None }
}
