//! Sending webhooks: the request, the outcome of each response, crashes in between, and the rate limit.

mod chat;
mod contention;
mod crashes;
mod limits;
mod outcomes;
mod request;
mod standard;

use reelhook_app::store::StoreError;
use reelhook_app::webhooks::deliver::deliver;
use reelhook_domain::{Delivery, DeliveryId, EventId};
use reelhook_testkit::{Stack, a_delivery};

/// Settings of one receiver.
const ONE: (&str, &str) = ("WEBHOOK_URLS", "https://receiver.example/hook?key=1");

/// A stack with one delivery that is due, and that delivery.
fn with_one(settings: &[(&str, &str)]) -> (Stack, Delivery) {
    let stack = Stack::with(&[&[ONE], settings].concat(), 3);
    let delivery = add(&stack, 1);
    (stack, delivery)
}

/// Adds delivery number `n` to the first endpoint.
fn add(stack: &Stack, n: u32) -> Delivery {
    use reelhook_app::clock::ClockAndRandom;
    let (delivery, event) = a_delivery(n, &stack.settings.endpoints[0], stack.world.now());
    stack.deliveries.put_event(&event);
    stack.deliveries.put_delivery(&delivery);
    delivery
}

fn hint(delivery: &Delivery) -> (DeliveryId, EventId) {
    (delivery.id, delivery.event_id.clone())
}

/// Runs the dispatcher on one hint.
async fn send(stack: &Stack, delivery: &Delivery) -> Result<(), StoreError> {
    deliver(&stack.deliver_ports(), &[hint(delivery)]).await.remove(0)
}
