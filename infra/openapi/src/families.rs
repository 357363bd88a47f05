//! The operations and webhooks of each family.

mod callbacks;
mod events;
mod jobs;
mod live;
mod logs;
mod queue;
mod renders;
mod webhooks;

use crate::operation::{Operation, Webhook};

/// The operations of all families, in the order of the description.
pub fn operations() -> Vec<Operation> {
    [
        jobs::operations(),
        live::operations(),
        queue::operations(),
        renders::operations(),
        logs::operations(),
        callbacks::operations(),
        webhooks::operations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The webhooks of all families.
pub fn webhooks() -> Vec<Webhook> {
    [jobs::webhooks(), events::webhooks()].into_iter().flatten().collect()
}
