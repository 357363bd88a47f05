//! The webhooks that are sent: every part of one is derived from its number, so nothing is stored.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use reelhook_app::Url;
use reelhook_app::outbox::messages::DeliveryMessage;
use reelhook_app::retention::Days;
use reelhook_app::webhooks::endpoints::endpoint_id;
use reelhook_app::webhooks::events::{DueBy, EventRow};
use reelhook_app::webhooks::wire::StreamGankEnvelope;
use reelhook_aws::items::packed::StoredForm;
use reelhook_aws::items::shards::EndedShards;
use reelhook_aws::webhooks::rows::{delivery_item, event_items};
use reelhook_domain::{Delivery, DeliveryId, EndpointId, EventId, JobId, OutboundEvent, Subject, Timestamp};
use reelhook_signing::js_json;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::items::stored;

/// Secret of the signatures, used only on loopback.
pub const SECRET: &str = "the-secret-of-a-benchmark-on-loopback";
/// Type of every event.
pub const EVENT: OutboundEvent = OutboundEvent::Completed;

const ENDPOINT_NAME: &str = "webhook_1";
const WRITE_ID: &str = "5f0c2b7e9d134a66";
/// A version 8 UUID, whose bits are free to use (RFC 9562), with room for a number.
const FIRST: u128 = 0x7265_656c_686f_8b00_8000_0000_0000_0000;

/// Webhooks to one receiver, all with bodies of the same size.
#[derive(Debug, Clone)]
pub struct Webhooks {
    endpoint: EndpointId,
    made_at: Timestamp,
    data: Value,
}

impl Webhooks {
    /// Webhooks to `url` with bodies of `body_bytes` bytes, created now and checked with the types that parse them.
    ///
    /// # Errors
    /// When the size is too small, or our own types do not parse the items.
    pub fn new(url: &Url, body_bytes: usize) -> anyhow::Result<Self> {
        let mut webhooks = Self { endpoint: endpoint_id(url), made_at: now(), data: data("") };
        let minimum = webhooks.body().len();
        ensure!(body_bytes >= minimum, "a body must have at least {minimum} bytes (got {body_bytes})");
        webhooks.data = data(&"x".repeat(body_bytes - minimum));
        webhooks.check().context("the stand-ins' items differ from those of the Deliveries table")?;
        Ok(webhooks)
    }

    /// The body, which all webhooks share.
    pub fn body(&self) -> String {
        js_json::to_string(&json!(StreamGankEnvelope::new(EVENT.name(), &self.data, self.made_at, ENDPOINT_NAME)))
    }

    /// The queue message of a delivery.
    pub fn message(&self, number: u64) -> DeliveryMessage {
        DeliveryMessage::of(delivery_id(number), event_id(number))
    }

    /// The item of the Deliveries table with this key, if there is one.
    pub fn item(&self, key: &Value) -> Option<Value> {
        let (kind, id) = key["pk"]["S"].as_str()?.split_once('#')?;
        match (kind, key["sk"]["S"].as_str()?) {
            ("delivery", "delivery") => self.delivery_item(number_of(DeliveryId::parse(id)?)?),
            ("events", number) => self.event_item(id, number),
            _ => None,
        }
    }

    fn delivery_item(&self, number: u64) -> Option<Value> {
        let delivery: Delivery = serde_json::from_value(self.delivery(number)).ok()?;
        let (form, shards) = (StoredForm::Compressed, EndedShards::default());
        Some(stored(&delivery_item(&delivery, DueBy::Itself, WRITE_ID, form, shards, Days::MONTH)))
    }

    fn event_item(&self, job: &str, number: &str) -> Option<Value> {
        let event = serde_json::from_value(self.event(&format!("{job}.{number}"), job).ok()?).ok()?;
        // The dispatcher does not read which deliveries it names.
        let named = [DeliveryId(Uuid::nil())];
        event_items(&event, &named, EndedShards::default(), Days::MONTH).first().map(stored)
    }

    /// A due delivery without attempts.
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

    fn event(&self, id: &str, job: &str) -> anyhow::Result<Value> {
        let id = EventId::parse(id).ok().context("an event's id")?;
        let subject = Subject::parse(job).ok().context("a job's id")?;
        let data = self.data.clone().into();
        Ok(json!(EventRow { id, event: EVENT, subject, at: self.made_at, data, callback: None, submitted_at: None }))
    }

    fn check(&self) -> anyhow::Result<()> {
        let id = event_id(0);
        let delivery: Delivery = serde_json::from_value(self.delivery(0)).context("parse a delivery")?;
        let event: EventRow =
            serde_json::from_value(self.event(id.as_str(), job_id(0).as_str())?).context("parse an event")?;
        ensure!(delivery.check(now()).is_ok(), "the delivery cannot be sent now");
        ensure!(delivery.event_id == event.id && delivery.subject == event.subject, "delivery and event do not match");
        let item = |key: Value| self.item(&key).with_context(|| format!("there is no item {key}"));
        item(json!({ "pk": { "S": format!("delivery#{}", delivery.id) }, "sk": { "S": "delivery" } }))?;
        item(json!({ "pk": { "S": format!("events#{}", event.subject) }, "sk": { "S": "21.1" } }))?;
        Ok(())
    }
}

/// The delivery with this number.
pub fn delivery_id(number: u64) -> DeliveryId {
    DeliveryId(Uuid::from_u128(FIRST + u128::from(number)))
}

/// The event of the delivery with this number.
pub fn event_id(number: u64) -> EventId {
    EventId::of(&job_id(number), 21, 1)
}

/// The job of the event with this number.
pub fn job_id(number: u64) -> JobId {
    JobId::timed(Timestamp(1_704_110_400_000), u128::from(number))
}

/// This machine's clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn number_of(id: DeliveryId) -> Option<u64> {
    u64::try_from(id.0.as_u128().checked_sub(FIRST)?).ok()
}

/// The data of a completed job, with `filling` in its parameters.
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
    fn bodies_have_the_requested_size_and_items_can_be_parsed() {
        let url = Url::parse("http://127.0.0.1:4600/hooks/load").unwrap();
        assert_eq!(Webhooks::new(&url, 1400).unwrap().body().len(), 1400);
        assert!(Webhooks::new(&url, 10).unwrap_err().to_string().contains("at least"));
    }

    #[test]
    fn an_id_contains_its_number() {
        for number in [0, 1, 20_000, u64::MAX] {
            assert_eq!(number_of(delivery_id(number)), Some(number));
        }
        assert_eq!(number_of(DeliveryId(Uuid::nil())), None);
    }
}
