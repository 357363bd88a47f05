//! What deliveries say in metrics: their attempts, their ends and their waits.

use reelhook_domain::{AttemptResult, Delivery, DeliveryStatus, Outcome, ResponseClass, Timestamp, WaitReason};

use crate::metrics::life::Family;
use crate::metrics::{MetricName, count, record, time};

/// Records an attempt that has ended at `now`, and the end of its delivery. `submitted_at` is when what the event says is
/// completed was submitted.
pub(crate) fn attempt(
    next: &Delivery,
    outcome: &Outcome,
    result: &AttemptResult,
    submitted_at: Option<Timestamp>,
    now: Timestamp,
) {
    count(MetricName::DeliveryAttempts, [result_of(outcome)]);
    if next.attempts > 1 {
        count(MetricName::DeliveryRetries, []);
    }
    if let Some(ms) = result.first_byte_ms {
        record(MetricName::TimeToFirstByte, ms as f64, []);
    }
    ended(next);
    let family = Family::completed_by(next.event);
    if let (DeliveryStatus::Delivered, false, Some(family), Some(since)) =
        (next.status, next.replay, family, submitted_at)
    {
        time(MetricName::TimeToFirstDelivery, now.since(since), [family.name()]);
    }
}

/// Records the end of a delivery, if it has ended.
pub(crate) fn ended(next: &Delivery) {
    if next.status != DeliveryStatus::Pending {
        count(MetricName::DeliveriesEnded, [next.status.name()]);
    }
}

/// Records that a delivery waits for its endpoint.
pub(crate) fn waits(reason: WaitReason) {
    let reason = match reason {
        WaitReason::RateLimit => "rate_limit",
        WaitReason::Concurrency => "concurrency",
        WaitReason::Circuit => "circuit",
        WaitReason::Pause => "pause",
        WaitReason::UnknownEndpoint => "unknown_endpoint",
    };
    count(MetricName::DeliveryWaits, [reason]);
}

fn result_of(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Answered { class: ResponseClass::Success, .. } => "success",
        Outcome::Answered { class: ResponseClass::Retryable, .. } => "retryable",
        Outcome::Answered { class: ResponseClass::Throttled, .. } => "throttled",
        Outcome::Answered { class: ResponseClass::Rejected, .. } => "rejected",
        Outcome::Answered { class: ResponseClass::Gone, .. } => "gone",
        Outcome::NoAnswer(_) | Outcome::Disabled | Outcome::Gone | Outcome::Empty | Outcome::Superseded => "no_answer",
    }
}
