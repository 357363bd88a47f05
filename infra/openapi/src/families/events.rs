//! Webhooks about videos and about webhooks. Those about jobs are with the jobs.

use reelhook_app::views::vidbuilder::{VideoCompletedData, VideoFailedData, VideoStartedData};
use reelhook_app::webhooks::operational::data::{
    DeliveryExhaustedData, EndpointDisabledData, EndpointFailingData, EndpointRecoveredData, TestData,
};

use crate::operation::{SchemaOf, Webhook, schema_of};

/// The webhooks about videos, endpoints and deliveries, and tests.
pub fn webhooks() -> Vec<Webhook> {
    let all: [(&str, &str, SchemaOf); 8] = [
        ("video.started", "A video is being made", schema_of::<VideoStartedData>),
        ("video.completed", "A video is ready", schema_of::<VideoCompletedData>),
        ("video.failed", "A video can't be made, or was cancelled", schema_of::<VideoFailedData>),
        ("endpoint.failing", "An endpoint fails", schema_of::<EndpointFailingData>),
        ("endpoint.disabled", "An endpoint was disabled", schema_of::<EndpointDisabledData>),
        ("endpoint.recovered", "An endpoint accepts webhooks again", schema_of::<EndpointRecoveredData>),
        (
            "delivery.exhausted",
            "A delivery is exhausted: every attempt failed, or a response was final",
            schema_of::<DeliveryExhaustedData>,
        ),
        ("webhook.test", "A test, or the first webhook of a registered endpoint", schema_of::<TestData>),
    ];
    all.map(|(event, about, data)| Webhook { event, about, data }).into()
}
