//! The operations and webhooks of each family.

mod jobs;

use crate::operation::{Operation, Webhook};

/// The operations of all families, in the order of the description.
pub fn operations() -> Vec<Operation> {
    [jobs::operations()].into_iter().flatten().collect()
}

/// The webhooks of all families.
pub fn webhooks() -> Vec<Webhook> {
    Vec::new()
}
