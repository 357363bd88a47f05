//! The notification service: an endpoint of the settings that subscribes to completed projects only, with a body of its own.

use std::sync::Arc;
use std::time::Duration;

use reelhook_domain::errors::cause::{Cause, Raise, Resolve};
use reelhook_domain::{Delivery, DisablePolicy, EndpointId, EndpointPolicy, EventId, Timestamp, WebUrl};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::digest::sha256_hex;
use crate::errors::steps::{ErrorChange, ErrorStep};
use crate::views::wire::Time;
use crate::webhooks::endpoints::{Destination, Endpoint, Form, Format, Signers, receiver_url};
use crate::webhooks::events::EventRow;
use crate::webhooks::settings::{BadSetting, BadSettings, Lookup, WebhookSettings, is_field_value};

/// Its settings.
pub const SETTINGS: &[&str] = &[URL, KEY];
/// The setting that has its URL; functions that only write deliveries read it alone.
pub const URL: &str = "NOTIFICATION_SERVICE_URL";
/// The setting that has its key.
const KEY: &str = "NOTIFICATION_API_KEY";
/// Its name in the API and in logs.
const NAME: &str = "notification_service";

/// The notification that a project completed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProjectNotification<'a> {
    /// `project_completed`.
    r#type: &'static str,
    /// The project.
    project_id: &'a str,
    /// Its name.
    project_name: &'a Value,
    /// Its video.
    video_url: &'a Value,
    /// When it completed.
    timestamp: Time,
}

impl WebhookSettings {
    /// Adds the notification service, if NOTIFICATION_SERVICE_URL is set.
    ///
    /// # Errors
    /// [`BadSettings`].
    pub fn with_notification(self, lookup: Lookup<'_>, allow_http: bool) -> Result<Self, BadSettings> {
        let bad = |name, wrong: String| BadSettings(vec![BadSetting { name, wrong }]);
        let Some(text) = lookup(URL) else { return Ok(self) };
        let url = receiver_url(&text, allow_http).map_err(|right| bad(URL, format!("must be {right}")))?;
        let key = lookup(KEY);
        if key.as_deref().is_some_and(|key| !is_field_value(key)) {
            return Err(bad(KEY, "must be visible ASCII".to_owned()));
        }
        let notification = Some(Arc::new(endpoint(url, key, &self)));
        Ok(Self { notification, ..self })
    }
}

/// The endpoint of the notification service. It is never disabled: it gets each completion, and what fails is an error of
/// the errors API.
fn endpoint(url: WebUrl, key: Option<String>, settings: &WebhookSettings) -> Endpoint {
    let policy = EndpointPolicy {
        disable_policy: DisablePolicy { failures: 0, time: Duration::ZERO, min_failures: u64::MAX },
        ..settings.policy
    };
    // The same URL may be in WEBHOOK_URLS, with other webhooks.
    let hash = sha256_hex(format!("{NAME} {}", url.as_str()));
    Endpoint {
        id: EndpointId::parse(&format!("ep_{}", &hash[..32])).expect("hex is a valid id"),
        name: NAME.to_owned(),
        destination: Destination::Web(url),
        policy,
        permanent: settings.permanent.clone(),
        headers: key.map(|key| ("X-API-Key".to_owned(), key)).into_iter().collect(),
        form: Form { format: Format::Standard, ..Form::default() },
        signers: Signers { hmac: settings.secret.clone(), asymmetric: Vec::new() },
    }
}

/// Whether a delivery goes to the notification service. No other endpoint has its name.
pub fn is_notification(delivery: &Delivery) -> bool {
    delivery.endpoint_name == NAME
}

/// Whether an endpoint is the notification service.
pub fn is_service(endpoint: &Endpoint) -> bool {
    endpoint.name == NAME
}

/// The body of a notification.
pub(crate) fn body(event: &EventRow) -> Value {
    json!(ProjectNotification {
        r#type: "project_completed",
        project_id: event.subject.as_str(),
        project_name: &event.data["project_name"],
        video_url: &event.data["video_url"],
        timestamp: event.at.into(),
    })
}

/// The step of the errors API after a notification has ended: a failure raises an error about its project, a success
/// resolves it. None for other deliveries, and for those that have not ended.
pub(crate) fn step(delivery: &Delivery, now: Timestamp) -> Option<ErrorStep> {
    use reelhook_domain::DeliveryStatus::{Delivered, Exhausted, Pending, Stopped};
    let project = delivery.subject.project().filter(|_| is_notification(delivery))?.as_str().to_owned();
    let cause = Cause::NotificationFailed;
    let change = match delivery.status {
        Pending => return None,
        Delivered => ErrorChange::Resolve(Resolve { cause, about: project }),
        Exhausted | Stopped => {
            let reason = delivery.last_result.as_deref().unwrap_or("it was stopped");
            let message = format!("The notification that project {project} completed was not delivered: {reason}");
            let id = delivery.id.to_string();
            let facts = [("project_id", project.as_str()), ("delivery_id", id.as_str()), ("error", reason)];
            let context: Map<String, Value> =
                facts.into_iter().map(|(name, text)| (name.to_owned(), Value::from(text))).collect();
            ErrorChange::Raise(Raise { cause, about: project, message, context })
        }
    };
    // The same for each call about this end, and another one after a replay.
    let id = EventId::parse(&format!("{}.{}.{}", delivery.id, delivery.requested_at().millis(), delivery.attempts));
    Some(ErrorStep { id: id.ok()?, at: now, change })
}

#[cfg(test)]
mod tests {
    use reelhook_domain::{DeliveryStatus, OutboundEvent, ProjectId, Subject};

    use super::*;
    use crate::webhooks::events::delivery_of;
    use crate::webhooks::subscriptions::Subscriptions;

    const NOON: Timestamp = Timestamp(1_704_110_400_000);

    fn settings(pairs: &[(&str, &str)]) -> Result<WebhookSettings, BadSettings> {
        let pairs: Vec<(String, String)> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let lookup = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        WebhookSettings::read(&lookup, false)?.with_notification(&lookup, false)
    }

    fn configured() -> WebhookSettings {
        settings(&[(URL, "https://notify.example/hook"), (KEY, "secret"), ("WEBHOOK_URLS", "https://a.example/x")])
            .unwrap()
    }

    fn event() -> EventRow {
        EventRow {
            id: EventId::parse("proj_1.9.0").unwrap(),
            event: OutboundEvent::ProjectCompleted,
            subject: Subject::Project(ProjectId::parse("proj_1").unwrap()),
            at: NOON,
            data: json!({ "project_name": "Trailer", "video_url": "https://media.example/final.mp4" }).into(),
            callback: None,
            submitted_at: None,
        }
    }

    fn delivery(status: DeliveryStatus) -> Delivery {
        let settings = configured();
        let subscriptions = Subscriptions::new(&settings, Arc::default());
        let to = subscriptions.of(OutboundEvent::ProjectCompleted, NOON).find(|one| one.name == NAME).unwrap();
        let delivery = delivery_of(&event(), to, Duration::ZERO, None);
        Delivery { status, attempts: 4, last_result: Some("status 500 after 4 attempts".to_owned()), ..delivery }
    }

    #[test]
    fn the_service_gets_completed_projects_only() {
        let subscriptions = Subscriptions::new(&configured(), Arc::default());
        for &event in OutboundEvent::ALL {
            let gets = subscriptions.of(event, NOON).any(|subscriber| subscriber.name == NAME);
            assert_eq!(gets, event == OutboundEvent::ProjectCompleted, "{event:?}");
        }
    }

    #[test]
    fn its_key_is_a_header_and_its_id_is_its_own() {
        let settings = settings(&[
            (URL, "https://a.example/x"),
            (KEY, "the-api-key"),
            ("WEBHOOK_URLS", "https://a.example/x"),
            ("WEBHOOK_SECRET_KEY", "sign with this"),
        ])
        .unwrap();
        let service = settings.notification.as_ref().unwrap();
        assert_eq!(service.headers, [("X-API-Key".to_owned(), "the-api-key".to_owned())]);
        assert!(service.signers.hmac.is_some() && service.id != settings.endpoints[0].id);
        assert!(settings.endpoint(&service.id).is_some() && !format!("{settings:?}").contains("the-api-key"));
    }

    #[test]
    fn bad_settings_are_named_and_not_shown() {
        for (pairs, name) in [
            (&[(URL, "http://notify.example")][..], URL),
            (&[(URL, "nonsense")][..], URL),
            (&[(URL, "https://notify.example"), (KEY, "caf\u{e9}")][..], KEY),
        ] {
            let bad = settings(pairs).unwrap_err();
            assert_eq!(bad.0[0].name, name);
            assert!(!bad.to_string().contains("notify.example") && !bad.to_string().contains("caf"), "{bad}");
        }
        assert!(settings(&[(KEY, "alone")]).unwrap().notification.is_none());
    }

    #[test]
    fn the_body_is_that_of_the_contract() {
        let expected = r#"{"type":"project_completed","project_id":"proj_1","project_name":"Trailer","video_url":"https://media.example/final.mp4","timestamp":"2024-01-01T12:00:00.000Z"}"#;
        assert_eq!(body(&event()).to_string(), expected);
    }

    #[test]
    fn a_failure_raises_a_warning_about_the_project_and_a_success_resolves_it() {
        for status in [DeliveryStatus::Exhausted, DeliveryStatus::Stopped] {
            let raised = step(&delivery(status), NOON).unwrap();
            let ErrorChange::Raise(raise) = raised.change else { panic!("a failure is raised") };
            assert_eq!((raise.cause, raise.about.as_str()), (Cause::NotificationFailed, "proj_1"));
            assert_eq!(raise.context["error"], "status 500 after 4 attempts");
        }
        let resolved = step(&delivery(DeliveryStatus::Delivered), NOON).unwrap();
        let expected = Resolve { cause: Cause::NotificationFailed, about: "proj_1".to_owned() };
        assert_eq!(resolved.change, ErrorChange::Resolve(expected));
        assert_eq!(step(&delivery(DeliveryStatus::Pending), NOON), None);
        let other = Delivery { endpoint_name: "webhook_1".to_owned(), ..delivery(DeliveryStatus::Exhausted) };
        assert_eq!(step(&other, NOON), None);
    }

    #[test]
    fn a_repeated_end_is_the_same_step_and_a_replay_another_one() {
        let ended = delivery(DeliveryStatus::Exhausted);
        let id = |delivery: &Delivery| step(delivery, NOON).unwrap().id;
        assert_eq!(id(&ended), id(&ended.clone()));
        let replayed = ended.resend(NOON.after(Duration::from_secs(60)), Duration::ZERO);
        let again = Delivery { status: DeliveryStatus::Exhausted, ..replayed };
        assert_ne!(id(&ended), id(&again));
    }
}
