//! The webhooks that are sent: everything about one follows from its number, so nothing has to be kept.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use reelhook_app::Url;
use reelhook_app::outbox::messages::DeliveryMessage;
use reelhook_app::views::streamgank::envelope;
use reelhook_app::webhooks::endpoints::endpoint_id;
use reelhook_app::webhooks::events::EventRow;
use reelhook_domain::{Delivery, DeliveryId, EndpointId, EventId, JobId, OutboundEvent, Timestamp};
use reelhook_signing::js_json;
use serde_json::{Value, json};
use uuid::Uuid;

/// What webhooks are signed with: never used for anything but loopback.
pub const SECRET: &str = "the-secret-of-a-benchmark-on-loopback";
/// The kind of all events.
pub const EVENT: OutboundEvent = OutboundEvent::Completed;

const ENDPOINT_NAME: &str = "webhook_1";
/// A version 8 UUID, one that everybody makes as they like (RFC 9562), with room for a number.
const FIRST: u128 = 0x7265_656c_686f_8b00_8000_0000_0000_0000;

/// Webhooks to one receiver, all with bodies of the same size.
#[derive(Debug, Clone)]
pub struct Webhooks {
    endpoint: EndpointId,
    made_at: Timestamp,
    data: Value,
}

impl Webhooks {
    /// Webhooks to `url` whose bodies have `body_bytes` bytes, made now; checked with the types that read them.
    ///
    /// # Errors
    /// When the size is too small, or our own types do not read what the stand-ins answer.
    pub fn new(url: &Url, body_bytes: usize) -> anyhow::Result<Self> {
        let mut webhooks = Self { endpoint: endpoint_id(url), made_at: now(), data: data("") };
        let least = webhooks.body().len();
        ensure!(body_bytes >= least, "a body has at least {least} bytes, not {body_bytes}");
        webhooks.data = data(&"x".repeat(body_bytes - least));
        webhooks.check().context("the items of the stand-in are not those of the Deliveries table any more")?;
        Ok(webhooks)
    }

    /// The body of each of them.
    pub fn body(&self) -> String {
        js_json::to_string(&envelope(EVENT.name(), self.data.clone(), self.made_at, ENDPOINT_NAME))
    }

    /// What stands in the queue.
    pub fn message(&self, number: u64) -> DeliveryMessage {
        DeliveryMessage::Deliver { delivery_id: delivery_id(number), event_id: event_id(number) }
    }

    /// The item of the Deliveries table with this key, if there is one.
    pub fn item(&self, key: &Value) -> Option<Value> {
        let (kind, id) = key["pk"]["S"].as_str()?.split_once('#')?;
        match (kind, key["sk"]["S"].as_str()?) {
            ("delivery", "delivery") => self.delivery_item(number_of(DeliveryId::parse(id)?)?),
            ("event", "event") => Some(self.event_item(id)),
            _ => None,
        }
    }

    fn delivery_item(&self, number: u64) -> Option<Value> {
        let (id, event) = (delivery_id(number), event_id(number));
        let due = self.made_at.0 + 60_000;
        Some(json!({
            "pk": { "S": format!("delivery#{id}") },
            "sk": { "S": "delivery" },
            "schema": { "N": "1" },
            "version": { "N": "1" },
            "write_id": { "S": id.0.simple().to_string() },
            "event_id": { "S": event.as_str() },
            "job_id": { "S": job_id(number).as_str() },
            "place": { "S": format!("{:013}.{id}", self.made_at.0) },
            "day_shard": { "S": format!("{}#0", self.made_at.day()) },
            "body": { "S": self.delivery(number).to_string() },
            "expires_at": { "N": (self.made_at.seconds() + 90 * 86_400).to_string() },
            "due_shard": { "S": "due#0" },
            "due_at": { "N": due.to_string() },
        }))
    }

    fn event_item(&self, id: &str) -> Value {
        let job = id.split('.').next().unwrap_or_default();
        json!({
            "pk": { "S": format!("event#{id}") },
            "sk": { "S": "event" },
            "schema": { "N": "1" },
            "job_id": { "S": job },
            "body": { "S": self.event(id, job).to_string() },
            "expires_at": { "N": (self.made_at.seconds() + 95 * 86_400).to_string() },
        })
    }

    /// A delivery that nobody tried yet and that is due.
    fn delivery(&self, number: u64) -> Value {
        json!({
            "id": delivery_id(number).to_string(),
            "event_id": event_id(number).as_str(),
            "event": EVENT.name(),
            "job_id": job_id(number).as_str(),
            "endpoint_id": self.endpoint.as_str(),
            "endpoint_name": ENDPOINT_NAME,
            "status": "pending",
            "version": 1,
            "created_at": self.made_at.0,
            "attempts": 0,
            "next_attempt_at": self.made_at.0,
            "due_at": self.made_at.0 + 60_000,
        })
    }

    fn event(&self, id: &str, job: &str) -> Value {
        json!({ "id": id, "event": EVENT.name(), "job_id": job, "at": self.made_at.0, "data": self.data })
    }

    fn check(&self) -> anyhow::Result<()> {
        let id = event_id(0);
        let delivery: Delivery = serde_json::from_value(self.delivery(0)).context("read a delivery")?;
        let event: EventRow =
            serde_json::from_value(self.event(id.as_str(), job_id(0).as_str())).context("an event")?;
        ensure!(delivery.check(now()).is_ok(), "the delivery is not one to be sent now");
        ensure!(delivery.event_id == event.id && delivery.subject == event.subject, "delivery and event do not fit");
        let item = |key: Value| self.item(&key).with_context(|| format!("there is no item {key}"));
        item(json!({ "pk": { "S": format!("delivery#{}", delivery.id) }, "sk": { "S": "delivery" } }))?;
        item(json!({ "pk": { "S": format!("event#{}", event.id) }, "sk": { "S": "event" } }))?;
        Ok(())
    }
}

/// The delivery with this number.
pub fn delivery_id(number: u64) -> DeliveryId {
    DeliveryId(Uuid::from_u128(FIRST + u128::from(number)))
}

/// The event that it tells of.
pub fn event_id(number: u64) -> EventId {
    EventId::of(&job_id(number), 21, 1)
}

/// The job that the event is of.
pub fn job_id(number: u64) -> JobId {
    JobId::streamgank(Timestamp(1_704_110_400_000), u128::from(number))
}

/// This machine's clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn number_of(id: DeliveryId) -> Option<u64> {
    u64::try_from(id.0.as_u128().checked_sub(FIRST)?).ok()
}

/// What a job that is done tells of itself, with `filling` in its parameters.
fn data(filling: &str) -> Value {
    json!({
        "job_id": job_id(0).as_str(),
        "status": "completed",
        "created_at": "2024-01-01T12:00:00.000Z",
        "started_at": "2024-01-01T12:00:01.250Z",
        "completed_at": "2024-01-01T12:02:35.750Z",
        "failed_at": null,
        "parameters": { "country": "US", "platform": "Netflix", "genre": "Horror", "contentType": "Film", "note": filling },
        "progress": 100,
        "current_step": "Video rendering completed",
        "video_url": "https://cdn.example.com/renders/4f1c9a52-7d3e-4b8a-9c61-2e5f0a7b3d18.mp4",
        "creatomate_id": "4f1c9a52-7d3e-4b8a-9c61-2e5f0a7b3d18",
        "error": null,
        "retry_count": 0,
        "processing_duration_ms": 154_500,
        "duration": "2m 34s",
        "metadata": { "country": "US", "platform": "Netflix" },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_the_size_that_was_asked_for_and_items_are_those_that_we_read() {
        let url = Url::parse("http://127.0.0.1:4600/hooks/load").unwrap();
        assert_eq!(Webhooks::new(&url, 1400).unwrap().body().len(), 1400);
        assert!(Webhooks::new(&url, 10).unwrap_err().to_string().contains("at least"));
    }

    #[test]
    fn a_number_comes_back_from_its_id() {
        for number in [0, 1, 20_000, u64::MAX] {
            assert_eq!(number_of(delivery_id(number)), Some(number));
        }
        assert_eq!(number_of(DeliveryId(Uuid::nil())), None);
    }
}
