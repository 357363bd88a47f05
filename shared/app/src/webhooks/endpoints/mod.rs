//! A webhook endpoint: its destination, the kind of its receiver, and its policy.

pub mod cache;
pub mod callback;
pub mod policies;
pub mod receiver;
pub mod recent;
pub mod registrations;
pub mod rotation;
pub mod secrets;

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;
use reelhook_domain::{EndpointId, EndpointPolicy, EndpointState, Timestamp, WebUrl};
use reelhook_signing::{PrivateKey, SigningKeys};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::digest::sha256_hex;
use crate::store::StoreError;
use crate::views::Dialect;
use crate::webhooks::endpoints::receiver::ReceiverKind;

/// A webhook endpoint; `Debug` hides what is secret.
#[derive(Clone)]
pub struct Endpoint {
    /// Follows from the URL's hash for an endpoint of the settings, so that the order of URLs does not matter; else
    /// random.
    pub id: EndpointId,
    /// `webhook_1` for the first one in the settings, and so on; the id of a registered endpoint.
    pub name: String,
    /// Where its webhooks go.
    pub destination: Destination,
    /// The policy of its deliveries.
    pub policy: EndpointPolicy,
    /// HTTP statuses after which a webhook is not retried.
    pub permanent: BTreeSet<u16>,
    /// Additional headers of its webhooks.
    pub headers: Vec<(String, String)>,
    /// How its bodies are written.
    pub form: Form,
    /// What its webhooks are signed with.
    pub signers: Signers,
}

/// Where webhooks go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Destination {
    /// An HTTP server.
    Web(WebUrl),
    /// A queue of SQS.
    Queue(Arn),
    /// An event bus of EventBridge.
    Bus(Arn),
}

/// An Amazon Resource Name (`arn:partition:service:region:account:resource`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Arn(String);

impl Arn {
    /// Reads the ARN of a resource of a service; none if the text is not one.
    pub fn parse(text: &str, service: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let [arn, partition, of, region, account, resource] = parts[..] else { return None };
        let word = |text: &str, more: &[u8]| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
        };
        let fits =
            arn == "arn" && of == service && word(partition, b"-") && word(region, b"-") && word(resource, b"-_./");
        let fits =
            fits && account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 256;
        fits.then(|| Self(text.to_owned()))
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its region, account and resource.
    pub fn parts(&self) -> (&str, &str, &str) {
        let mut parts = self.0.split(':').skip(3);
        let mut next = || parts.next().unwrap_or_default();
        (next(), next(), next())
    }
}

/// How bodies are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Form {
    /// How much data the bodies contain.
    pub payload: Payload,
    /// The dialect of the bodies.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub dialect: Dialect,
    /// Whether everything but ASCII is escaped, for receivers that serialize the body again before they verify it.
    pub ascii: bool,
    /// The format of bodies and headers.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub format: Format,
}

fn is_usual<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The format of webhooks: their body and their headers. Chat services and clients' own URLs have forms of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "WebhookFormat")]
pub enum Format {
    /// The payload of Standard Webhooks, `{type, timestamp, data}`, with the headers of the standard.
    Standard,
    /// The envelope and the headers of seed 001. Registrations that were stored without a format have it.
    #[default]
    StreamGank,
}

/// How much data a body contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "WebhookPayload")]
pub enum Payload {
    /// All of it.
    #[default]
    Full,
    /// The ids, and where the rest can be read.
    Thin,
}

/// What webhooks are signed with; empty means unsigned.
#[derive(Debug, Clone, Default)]
pub struct Signers {
    /// The secrets shared with the receiver.
    pub hmac: Option<SigningKeys>,
    /// Private keys; the receiver has their public keys.
    pub asymmetric: Vec<PrivateKey>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({}, {}, {:?})", self.id, self.destination.server(), self.policy)
    }
}

impl Endpoint {
    /// The kind of its receiver, which decides the form of its webhooks.
    pub fn receiver(&self) -> ReceiverKind {
        match &self.destination {
            Destination::Web(url) => receiver(url),
            Destination::Queue(_) | Destination::Bus(_) => ReceiverKind::Own,
        }
    }

    /// Its destination as operators and logs may see it.
    pub fn shown(&self) -> String {
        self.destination.shown()
    }
}

impl Destination {
    /// What other endpoints may learn of it: no more of a URL than its server.
    pub fn server(&self) -> String {
        match self {
            Self::Web(url) => format!("{}/***", url.origin().ascii_serialization()),
            Self::Queue(arn) | Self::Bus(arn) => arn.as_str().to_owned(),
        }
    }

    /// The form that operators and logs may see.
    pub fn shown(&self) -> String {
        match self {
            Self::Web(url) => masked(url),
            Self::Queue(arn) | Self::Bus(arn) => arn.as_str().to_owned(),
        }
    }
}

/// Reads the URL of a receiver; `allow_http` says whether webhooks may go to http URLs.
///
/// # Errors
/// What would be right.
pub fn receiver_url(text: &str, allow_http: bool) -> Result<WebUrl, &'static str> {
    Url::parse(text).map_err(|_| right_url(allow_http)).and_then(|url| check_receiver(url, allow_http))
}

/// Checks that webhooks may go to a parsed URL.
///
/// # Errors
/// What would be right.
pub fn check_receiver(url: Url, allow_http: bool) -> Result<WebUrl, &'static str> {
    if url.scheme() == "http" && !allow_http {
        return Err(right_url(allow_http));
    }
    let url = WebUrl::try_from(url).map_err(|_| right_url(allow_http))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL without a user or password; put them into an Authorization header");
    }
    Ok(url)
}

fn right_url(allow_http: bool) -> &'static str {
    if allow_http { "an http or https URL" } else { "an https URL (or set ALLOW_HTTP_WEBHOOKS)" }
}

/// Stores the states of endpoints, for operators.
#[async_trait]
pub trait EndpointStateStore: Send + Sync {
    /// The state of an endpoint.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn endpoint(&self, id: &EndpointId) -> Result<EndpointState, StoreError>;

    /// Lets the next delivery probe an endpoint whose circuit is open.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn request_probe(&self, id: &EndpointId) -> Result<(), StoreError>;

    /// Enables an endpoint: it is not paused, its circuit is closed and its failures are reset.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn enable(&self, id: &EndpointId) -> Result<(), StoreError>;

    /// Disables an endpoint, with the reason that operators see; `notified` means that subscribers need no notification. A
    /// disabled endpoint stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn disable(&self, id: &EndpointId, reason: &str, now: Timestamp, notified: bool) -> Result<(), StoreError>;
}

/// Domains of Slack's incoming webhooks.
const SLACK: [&str; 2] = ["hooks.slack.com", "hooks.slack-gov.com"];
/// Domains of Discord's webhooks.
const DISCORD: [&str; 2] = ["discord.com", "discordapp.com"];

/// The kind of receiver at a URL, by its host.
pub fn receiver(url: &Url) -> ReceiverKind {
    // A trailing dot does not change a host name.
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let within = |domain: &&str| host == *domain || host.strip_suffix(domain).is_some_and(|sub| sub.ends_with('.'));
    if SLACK.iter().any(within) {
        ReceiverKind::Slack
    } else if DISCORD.iter().any(within) {
        ReceiverKind::Discord
    } else {
        ReceiverKind::Own
    }
}

/// A URL as operators and logs may see it: the path of Slack's and Discord's URLs is a secret.
pub fn masked(url: &Url) -> String {
    match receiver(url) {
        ReceiverKind::Own => url.to_string(),
        ReceiverKind::Slack | ReceiverKind::Discord => format!("{}/***", url.origin().ascii_serialization()),
    }
}

/// The id of a URL: `ep_` and the first 16 bytes of its SHA-256.
pub fn endpoint_id(url: &Url) -> EndpointId {
    let hash = sha256_hex(url.as_str());
    EndpointId::parse(&format!("ep_{}", &hash[..32])).expect("hex is a valid id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_tell_whose_words_a_receiver_speaks_and_their_paths_are_secret() {
        let check = |url: &str, expected: ReceiverKind, shown: &str| {
            let url = Url::parse(url).unwrap();
            assert_eq!((receiver(&url), masked(&url).as_str()), (expected, shown));
        };
        check("https://hooks.slack.com/services/T0/B0/X", ReceiverKind::Slack, "https://hooks.slack.com/***");
        check("https://HOOKS.slack.com/services/T0", ReceiverKind::Slack, "https://hooks.slack.com/***");
        check("https://discord.com/api/webhooks/1/token", ReceiverKind::Discord, "https://discord.com/***");
        check("https://discord.com/api/webhooks/1/token/slack", ReceiverKind::Discord, "https://discord.com/***");
        check(
            "https://canary.discordapp.com/api/webhooks/1/t",
            ReceiverKind::Discord,
            "https://canary.discordapp.com/***",
        );
        check("https://discord.com./api/webhooks/1/t", ReceiverKind::Discord, "https://discord.com./***");
        check("https://notdiscord.com/api/webhooks/1/t", ReceiverKind::Own, "https://notdiscord.com/api/webhooks/1/t");
        check("https://hooks.slack.com.example/x", ReceiverKind::Own, "https://hooks.slack.com.example/x");
        check("https://a.example/discord.com", ReceiverKind::Own, "https://a.example/discord.com");
    }
}
