//! A job's webhook deliveries, as its page lists them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reelhook_domain::{Delivery, DeliveryStatus};
use serde_json::{Value, json};

use crate::answer::ApiAnswer;
use crate::problem::Problem;
use crate::request::ApiRequest;

/// Deliveries of one part of the list.
const LIST: usize = 50;
/// Deliveries of one part at most.
const MOST: usize = 100;

/// Which part of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPart {
    /// At most so many.
    pub limit: usize,
    /// Those before this place.
    pub before: Option<String>,
}

impl ListPart {
    /// Reads `limit` and `cursor`.
    ///
    /// # Errors
    /// [`Problem::BadField`].
    pub fn read(request: &ApiRequest) -> Result<Self, Problem> {
        let before = request.cursor(|place| (place.len() <= 64).then_some(place))?;
        Ok(Self { limit: request.limit(LIST, MOST)?, before })
    }
}

/// The list's answer, newest first.
pub fn deliveries_answer(deliveries: &[Delivery], next: Option<&str>) -> ApiAnswer {
    let shown: Vec<Value> = deliveries.iter().map(summary).collect();
    let mut body = json!({ "success": true, "count": shown.len(), "deliveries": shown });
    if let Some(next) = next {
        body["nextCursor"] = json!(URL_SAFE_NO_PAD.encode(next));
    }
    ApiAnswer::json(200, &body)
}

fn summary(of: &Delivery) -> Value {
    let status = match of.status {
        DeliveryStatus::Pending => "pending",
        DeliveryStatus::Delivered => "delivered",
        DeliveryStatus::Exhausted => "exhausted",
        DeliveryStatus::Stopped => "stopped",
    };
    let next = (of.status == DeliveryStatus::Pending).then(|| of.next_attempt_at.to_string());
    json!({
        "id": of.id.to_string(),
        "webhookId": of.endpoint_name,
        "event": of.event.name(),
        "eventId": of.event_id.as_str(),
        "endpointId": of.endpoint_id.as_str(),
        "status": status,
        "attempts": of.attempts,
        "createdAt": of.created_at.to_string(),
        "nextAttemptAt": next,
        "finishedAt": of.finished_at.map(|at| at.to_string()),
        "lastResult": of.last_result,
    })
}
