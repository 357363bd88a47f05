//! Deliveries: lists, details and replays.

use reelhook_app::views::wire::JobIdText;
use reelhook_app::webhooks::wire::DeliveryIdText;
use reelhook_http::webhooks::deliveries::{
    DeliveryAnswer, DeliveryList, DeliveryListQuery, DeliveryRetried, JobDeliveriesQuery,
};

use crate::operation::{Operation, operation};

/// The operations about deliveries.
pub fn operations() -> Vec<Operation> {
    let delivery = |route, id, summary| {
        operation("webhooks", route, id, summary)
            .path::<DeliveryIdText>("id", "The delivery: `X-StreamGank-Delivery`")
            .codes(&["delivery_not_found"])
    };
    vec![
        operation("jobs", "GET /api/job/{id}/deliveries", "listJobDeliveries", "List the webhook deliveries of a job")
            .path::<JobIdText>("id", "The job")
            .query::<JobDeliveriesQuery>()
            .answer::<DeliveryList>(200, "A page of deliveries, newest first")
            .codes(&["job_not_found"]),
        operation("webhooks", "GET /api/webhooks/deliveries", "listDeliveries", "List deliveries, newest first")
            .query::<DeliveryListQuery>()
            .answer::<DeliveryList>(200, "A page of deliveries"),
        delivery("GET /api/webhooks/deliveries/{id}", "getDelivery", "Get a delivery with its attempts")
            .answer::<DeliveryAnswer>(200, "The delivery"),
        delivery("POST /api/webhooks/deliveries/{id}/retry", "retryDelivery", "Send a delivery again, or earlier")
            .about(
                "It keeps its `webhook-id`. A delivery that had ended starts its schedule again and has \
                 `webhook-replay: true`; a pending one is sent at once.",
            )
            .answer::<DeliveryRetried>(200, "The delivery is due now")
            .codes(&["endpoint_not_found", "delivery_under_way", "endpoint_disabled"]),
    ]
}
