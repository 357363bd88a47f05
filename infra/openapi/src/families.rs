//! The operations and webhooks of each family.

mod callbacks;
mod catalogue;
mod events;
mod jobs;
mod live;
mod logs;
mod pages;
mod queue;
mod renders;
mod service;
mod videos;
mod webhooks;

use crate::operation::{Operation, Webhook};

/// The operations of all families, in the order of the description.
pub fn operations() -> Vec<Operation> {
    [
        jobs::operations(),
        videos::operations(),
        live::operations(),
        queue::operations(),
        renders::operations(),
        logs::operations(),
        catalogue::operations(),
        callbacks::operations(),
        webhooks::operations(),
        service::operations(),
        pages::operations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The webhooks of all families.
pub fn webhooks() -> Vec<Webhook> {
    [jobs::webhooks(), events::webhooks()].into_iter().flatten().collect()
}
