//! A client's own URL that is told of its video: an endpoint that nobody configured, with rules of its own.

use std::sync::Arc;
use std::time::Duration;

use reelhook_domain::{Dialect, DisablePolicy, EndpointId, EndpointPolicy, Schedule, Timestamp};
use sha2::{Digest, Sha256};
use url::Url;

use crate::webhooks::endpoints::{Destination, Endpoint, Form, Signers};
use crate::webhooks::settings::WebhookSettings;
use crate::webhooks::subscriptions::Subscriber;

/// What people know it as.
const NAME: &str = "webhookUrl";
/// The whole of one try.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What ids of clients' URLs begin with.
const PREFIX: &str = "cb_";

/// Whether an endpoint is a client's URL.
pub fn is_callback(id: &EndpointId) -> bool {
    id.as_str().starts_with(PREFIX)
}

/// The id of a client's URL: not the one that it would have as an endpoint of the settings, whose words are others.
pub fn callback_id(url: &str) -> EndpointId {
    let digest = Sha256::digest(url.as_bytes());
    EndpointId::parse(&format!("{PREFIX}{}", hex::encode(&digest[..16]))).expect("hex is a valid id")
}

/// Who is told at a client's URL.
pub fn subscriber(url: &str) -> Subscriber {
    Subscriber { id: callback_id(url), name: NAME.to_owned(), events: Default::default(), since: Timestamp(0) }
}

/// The endpoint at a client's URL; none where the text is no URL, which was refused when it came.
pub fn endpoint(url: &str, settings: &WebhookSettings) -> Option<Arc<Endpoint>> {
    let policy = EndpointPolicy {
        schedule: Schedule::Short,
        timeout: TIMEOUT,
        // A client's URL is nobody's to enable again: it is never disabled, and nobody else is told that it fails.
        disable_policy: DisablePolicy { failures: 0, time: Duration::ZERO, min_failures: u64::MAX },
        ..settings.policy
    };
    Some(Arc::new(Endpoint {
        id: callback_id(url),
        name: NAME.to_owned(),
        destination: Destination::Web(Url::parse(url).ok()?),
        policy,
        permanent: settings.permanent.clone(),
        headers: Vec::new(),
        form: Form { dialect: Dialect::VidBuilder, ..Form::default() },
        signers: Signers { hmac: settings.secret.clone(), asymmetric: Vec::new() },
    }))
}
