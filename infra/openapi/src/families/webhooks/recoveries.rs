//! Recoveries: deliveries of a time range that are sent again.

use reelhook_app::webhooks::wire::RecoveryIdText;
use reelhook_http::webhooks::recover::{RecoveryAnswer, RecoveryBody, RecoveryList};

use crate::operation::{Operation, operation};

/// The operations about recoveries.
pub fn operations() -> Vec<Operation> {
    let recovery = |route, id, summary| {
        operation("webhooks", route, id, summary)
            .path::<RecoveryIdText>("id", "The recovery")
            .codes(&["recovery_not_found"])
    };
    vec![
        operation(
            "webhooks",
            "POST /api/webhooks/recover",
            "recoverDeliveries",
            "Send all deliveries of a time range again, or count them",
        )
        .about(
            "Deliveries are sent oldest first. Each keeps its `webhook-id`, and has `webhook-replay: true` if it had \
             ended. Deliveries with an attempt under way are not sent again, and deliveries to a disabled or deleted \
             endpoint are not sent. An endpoint whose circuit is open is probed at once. Work that takes longer than \
             5 s continues in the background.",
        )
        .idempotent(
            "The same key and body of a caller start one recovery, as long as it is kept (30 days), and get its state; \
             another body gets 422",
        )
        .body::<RecoveryBody>()
        .answer::<RecoveryAnswer>(200, "The recovery has ended")
        .answer::<RecoveryAnswer>(202, "The recovery continues; `GET /api/webhooks/recover/{id}` returns its progress")
        .codes(&["unknown_field"]),
        operation("webhooks", "GET /api/webhooks/recover", "listRecoveries", "List the newest recoveries")
            .answer::<RecoveryList>(200, "At most 20 recoveries, newest first"),
        recovery("GET /api/webhooks/recover/{id}", "getRecovery", "Get a recovery and its progress")
            .answer::<RecoveryAnswer>(200, "The recovery"),
        recovery("POST /api/webhooks/recover/{id}/cancel", "cancelRecovery", "Cancel a recovery")
            .about("Deliveries that it has sent stay sent. A recovery that has ended stays as it is.")
            .answer::<RecoveryAnswer>(200, "The recovery"),
    ]
}
