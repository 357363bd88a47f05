//! A client's own URL that is notified of its video or its clips: an endpoint that is not configured, with a policy of its own.

use std::sync::Arc;
use std::time::Duration;

use reelhook_domain::{DisablePolicy, EndpointId, EndpointPolicy, Schedule, Timestamp, WebUrl};

use crate::digest::sha256_hex;
use crate::views::Dialect;
use crate::webhooks::endpoints::{Destination, Endpoint, Form, Format, Signers};
use crate::webhooks::settings::WebhookSettings;
use crate::webhooks::subscriptions::Subscriber;

/// Its name in the API and in logs.
const NAME: &str = "webhookUrl";
/// The timeout of one attempt.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The prefix of the ids of clients' URLs.
const PREFIX: &str = "cb_";

/// Whether an endpoint is a client's URL.
pub fn is_callback(id: &EndpointId) -> bool {
    id.as_str().starts_with(PREFIX)
}

/// The id of a client's URL. It differs from the id of the same URL in the settings, whose dialect is different.
pub fn callback_id(url: &WebUrl) -> EndpointId {
    let hash = sha256_hex(url.as_written());
    EndpointId::parse(&format!("{PREFIX}{}", &hash[..32])).expect("hex is a valid id")
}

/// A client's URL as a subscriber.
pub fn subscriber(url: &WebUrl) -> Subscriber {
    Subscriber { id: callback_id(url), name: NAME.to_owned(), events: Default::default(), since: Timestamp::EPOCH }
}

/// The endpoint at a client's URL.
pub fn endpoint(url: &WebUrl, settings: &WebhookSettings) -> Arc<Endpoint> {
    let policy = EndpointPolicy {
        schedule: Schedule::Short,
        timeout: TIMEOUT,
        // No operator can enable a client's URL again: it is never disabled, and subscribers are not notified that it
        // fails.
        disable_policy: DisablePolicy { failures: 0, time: Duration::ZERO, min_failures: u64::MAX },
        ..settings.policy
    };
    Arc::new(Endpoint {
        id: callback_id(url),
        name: NAME.to_owned(),
        destination: Destination::Web(url.clone()),
        policy,
        permanent: settings.permanent.clone(),
        headers: Vec::new(),
        // Webhooks about other aggregates than videos are standard ones.
        form: Form { dialect: Dialect::VidBuilder, format: Format::Standard, ..Form::default() },
        signers: Signers { hmac: settings.secret.clone(), asymmetric: Vec::new() },
    })
}
