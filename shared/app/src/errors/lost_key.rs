//! An endpoint whose secrets no key opens: an error of our own, which is resolved when they open again.

use std::time::Duration;

use reelhook_domain::errors::cause::{Cause, Raise, Resolve};
use reelhook_domain::{EndpointId, EventId, Timestamp};
use serde_json::{Map, Value};

use crate::errors::steps::{ErrorChange, ErrorStep};

/// A lost key is one occurrence in this time, however many deliveries wait for it.
const WINDOW: Duration = Duration::from_secs(300);

/// No key opens the secrets of this endpoint.
pub fn lost(endpoint: &EndpointId, now: Timestamp) -> ErrorStep {
    let message = format!(
        "No key opens the secrets of endpoint {endpoint}, so its webhooks wait: add its former key to \
         ENDPOINT_SECRETS_KEY, or rotate the secrets of the endpoint"
    );
    let context: Map<String, Value> =
        [("endpoint_id".to_owned(), Value::from(endpoint.as_str()))].into_iter().collect();
    let change = ErrorChange::Raise(Raise { cause: Cause::LostKey, about: endpoint.to_string(), message, context });
    let id = EventId::parse(&format!("key.{endpoint}.{}.lost", now.window_index(WINDOW)));
    ErrorStep { id: id.expect("an endpoint's id and a number are an id"), at: now, change }
}

/// The secrets of this endpoint open again.
pub fn found(endpoint: &EndpointId, now: Timestamp) -> ErrorStep {
    let change = ErrorChange::Resolve(Resolve { cause: Cause::LostKey, about: endpoint.to_string() });
    // Each end of a loss counts: there may be several in one window.
    let id = EventId::parse(&format!("key.{endpoint}.{}.found", now.millis()));
    ErrorStep { id: id.expect("an endpoint's id and a number are an id"), at: now, change }
}
