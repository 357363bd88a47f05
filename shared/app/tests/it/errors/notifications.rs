//! Errors about deliveries: notifications that were not delivered, and endpoints whose secrets no key opens.

use std::time::Duration;

use reelhook_app::clock::ClockAndRandom as _;
use reelhook_app::webhooks::deliver::{DeliverPorts, deliver};
use reelhook_app::webhooks::endpoints::Destination;
use reelhook_app::webhooks::endpoints::cache::EndpointCache;
use reelhook_app::webhooks::endpoints::registrations::{Choices, Registered, RegistrationRequest, Vault, register};
use reelhook_app::webhooks::events::{EventRow, delivery_of};
use reelhook_app::webhooks::subscriptions::{Subscriber, Subscriptions};
use reelhook_domain::errors::cause::Cause;
use reelhook_domain::{
    DeliveryId, DeliveryStatus, EndpointId, EventFilter, EventId, EventPattern, OutboundEvent, ProjectId, Subject,
    WebUrl,
};
use reelhook_testkit::{NOON, Stack, body_of, header, response};
use serde_json::json;

use super::memory::MemoryErrors;
use super::ports;

/// The event that a project completed.
fn completed() -> EventRow {
    EventRow {
        id: EventId::parse("proj_1.9.0").unwrap(),
        event: OutboundEvent::ProjectCompleted,
        subject: Subject::Project(ProjectId::parse("proj_1").unwrap()),
        at: NOON,
        data: json!({ "project_id": "proj_1", "project_name": "Trailer", "video_url": "https://media.example/v.mp4" })
            .into(),
        callback: None,
        submitted_at: None,
    }
}

/// Writes the event and its delivery to a subscriber.
fn write(stack: &Stack, to: &Subscriber) -> DeliveryId {
    let event = completed();
    let delivery = delivery_of(&event, to, Duration::ZERO, None);
    stack.deliveries.put_event(&event);
    stack.deliveries.put_delivery(&delivery);
    delivery.id
}

/// Sends a delivery with this vault; the registered endpoints are opened anew.
async fn send(stack: &Stack, errors: &MemoryErrors, id: DeliveryId, vault: Option<&Vault>) {
    let (steps, cache) = (ports(stack, errors), EndpointCache::default());
    let ports = DeliverPorts { errors: &steps, vault, endpoint_cache: &cache, ..stack.deliver_ports() };
    for result in deliver(&ports, &[(id, completed().id)]).await {
        result.unwrap();
    }
}

/// A stack with a notification service that gets one attempt.
fn with_service() -> (Stack, DeliveryId) {
    let settings = [
        ("NOTIFICATION_SERVICE_URL", "https://notify.example/completed"),
        ("NOTIFICATION_API_KEY", "the key"),
        ("WEBHOOK_MAX_RETRIES", "0"),
    ];
    let stack = Stack::with(&settings, 3);
    let subscriptions = Subscriptions::new(&stack.settings, Default::default());
    let service = subscriptions.of(OutboundEvent::ProjectCompleted, NOON).next().cloned().expect("the service");
    let id = write(&stack, &service);
    (stack, id)
}

#[tokio::test]
async fn a_notification_is_signed_and_has_its_key_and_body() {
    let (stack, id) = with_service();
    let errors = MemoryErrors::default();
    send(&stack, &errors, id, None).await;
    let request = stack.http.requests().remove(0);
    let expected = json!({
        "type": "project_completed", "project_id": "proj_1", "project_name": "Trailer",
        "video_url": "https://media.example/v.mp4", "timestamp": "2024-01-01T12:00:00.000Z",
    });
    assert_eq!(body_of(&request), expected);
    assert_eq!(header(&request, "x-api-key"), "the key");
    assert!(header(&request, "webhook-signature").starts_with("v1,"));
    assert_eq!(stack.deliveries.get(id).status, DeliveryStatus::Delivered);
    assert!(errors.all().is_empty());
}

#[tokio::test]
async fn a_notification_that_fails_is_a_warning_until_a_later_one_succeeds() {
    let (stack, id) = with_service();
    let errors = MemoryErrors::default();
    stack.http.script(|_| Ok(response(410, "")));
    send(&stack, &errors, id, None).await;
    assert_eq!(stack.deliveries.get(id).status, DeliveryStatus::Exhausted, "the service is not disabled");
    let error = errors.only();
    assert_eq!((error.cause, error.about.as_str()), (Cause::NotificationFailed, "proj_1"));
    assert_eq!(error.context["delivery_id"], id.to_string());
    stack.world.advance_s(60);
    let again = stack.deliveries.get(id).resend(stack.world.now(), Duration::ZERO);
    stack.deliveries.overwrite(&again);
    stack.http.script(|_| Ok(response(200, "")));
    send(&stack, &errors, id, None).await;
    assert_eq!(errors.only().resolved_at, Some(stack.world.now()));
}

#[tokio::test]
async fn a_lost_key_is_an_error_until_the_endpoint_s_secrets_open_again() {
    let stack = Stack::with(&[], 3);
    let errors = MemoryErrors::default();
    let requested = RegistrationRequest {
        choices: Choices { events: EventFilter::new(EventPattern::parse("*")), ..Choices::default() },
        destination: Destination::Web(WebUrl::parse("https://partner.example/").unwrap()),
        headers: Vec::new(),
        secret: None,
        enabled: true,
        key: None,
    };
    let Registered::Done(opened) = register(&stack.registration_ports(), requested).await.unwrap() else {
        panic!("full")
    };
    let endpoint: EndpointId = opened.registration.id;
    let events = EventFilter::new(EventPattern::parse("*"));
    let id = write(&stack, &Subscriber { name: endpoint.to_string(), id: endpoint.clone(), events, since: NOON });
    let other = Vault::parse("another key").unwrap();
    send(&stack, &errors, id, Some(&other)).await;
    let error = errors.only();
    assert_eq!((error.cause, error.about.as_str()), (Cause::LostKey, endpoint.as_str()));
    assert_eq!(stack.deliveries.get(id).status, DeliveryStatus::Pending);
    stack.world.advance_s(300);
    send(&stack, &errors, id, Some(&other)).await;
    assert_eq!(errors.only().occurrences, 2);
    stack.world.advance_s(300);
    send(&stack, &errors, id, Some(&stack.vault)).await;
    assert_eq!(stack.deliveries.get(id).status, DeliveryStatus::Delivered);
    assert_eq!(errors.only().resolved_at, Some(stack.world.now()));
}
