//! The operations and webhooks of each family.

mod callbacks;
mod catalogue;
mod clips;
mod credits;
mod errors;
mod events;
mod jobs;
mod live;
mod logs;
mod pages;
mod projects;
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
        projects::operations(),
        clips::operations(),
        credits::operations(),
        live::operations(),
        queue::operations(),
        renders::operations(),
        logs::operations(),
        catalogue::operations(),
        callbacks::operations(),
        webhooks::operations(),
        errors::operations(),
        service::operations(),
        pages::operations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The webhooks of all families.
pub fn webhooks() -> Vec<Webhook> {
    [jobs::webhooks(), projects::webhooks(), clips::webhooks(), errors::webhooks(), events::webhooks()]
        .into_iter()
        .flatten()
        .collect()
}
