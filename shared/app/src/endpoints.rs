//! A receiver: where it is, whose words it speaks, and what its deliveries keep to.

use std::collections::BTreeSet;

use async_trait::async_trait;
use reelhook_domain::{EndpointId, EndpointPolicy, EndpointState, Receiver};
use sha2::{Digest, Sha256};
use url::Url;

use crate::store::StoreError;

/// One receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// From the URL's hash: the order of URLs does not matter.
    pub id: EndpointId,
    /// `webhook_1`, by its place in the list.
    pub name: String,
    /// Where.
    pub url: Url,
    /// What its deliveries keep to.
    pub policy: EndpointPolicy,
    /// Answers after which a webhook is not tried again.
    pub permanent: BTreeSet<u16>,
}

impl Endpoint {
    /// Whose words it speaks.
    pub fn receiver(&self) -> Receiver {
        receiver(&self.url)
    }
}

/// What is kept of endpoints, for those who care for them.
#[async_trait]
pub trait EndpointDesk: Send + Sync {
    /// What is kept of an endpoint.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn endpoint(&self, id: &EndpointId) -> Result<EndpointState, StoreError>;

    /// Has an endpoint probed at the next delivery, where its circuit is open.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn ask_now(&self, id: &EndpointId) -> Result<(), StoreError>;

    /// Lets an endpoint be asked again: enabled, not paused, its circuit closed, its failures forgotten.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn enable(&self, id: &EndpointId) -> Result<(), StoreError>;
}

/// Domains of Slack's incoming webhooks.
const SLACK: [&str; 2] = ["hooks.slack.com", "hooks.slack-gov.com"];
/// Domains of Discord's webhooks.
const DISCORD: [&str; 2] = ["discord.com", "discordapp.com"];

/// Whose receiver is at a URL, by its host.
pub fn receiver(url: &Url) -> Receiver {
    // A name with a dot at its end is the same name.
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let within = |domain: &&str| host == *domain || host.strip_suffix(domain).is_some_and(|sub| sub.ends_with('.'));
    if SLACK.iter().any(within) {
        Receiver::Slack
    } else if DISCORD.iter().any(within) {
        Receiver::Discord
    } else {
        Receiver::Own
    }
}

/// A URL as people and logs may see it: the path of Slack's and Discord's is the secret itself.
pub fn masked(url: &Url) -> String {
    match receiver(url) {
        Receiver::Own => url.to_string(),
        Receiver::Slack | Receiver::Discord => format!("{}/***", url.origin().ascii_serialization()),
    }
}

/// The id of a URL: `ep_` and the first 16 bytes of its SHA-256.
pub fn endpoint_id(url: &Url) -> EndpointId {
    let digest = Sha256::digest(url.as_str().as_bytes());
    EndpointId::parse(&format!("ep_{}", hex::encode(&digest[..16]))).expect("hex is a valid id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_tell_whose_words_a_receiver_speaks_and_their_paths_are_secret() {
        let check = |url: &str, expected: Receiver, shown: &str| {
            let url = Url::parse(url).unwrap();
            assert_eq!((receiver(&url), masked(&url).as_str()), (expected, shown));
        };
        check("https://hooks.slack.com/services/T0/B0/X", Receiver::Slack, "https://hooks.slack.com/***");
        check("https://HOOKS.slack.com/services/T0", Receiver::Slack, "https://hooks.slack.com/***");
        check("https://discord.com/api/webhooks/1/token", Receiver::Discord, "https://discord.com/***");
        check("https://discord.com/api/webhooks/1/token/slack", Receiver::Discord, "https://discord.com/***");
        check("https://canary.discordapp.com/api/webhooks/1/t", Receiver::Discord, "https://canary.discordapp.com/***");
        check("https://discord.com./api/webhooks/1/t", Receiver::Discord, "https://discord.com./***");
        check("https://notdiscord.com/api/webhooks/1/t", Receiver::Own, "https://notdiscord.com/api/webhooks/1/t");
        check("https://hooks.slack.com.example/x", Receiver::Own, "https://hooks.slack.com.example/x");
        check("https://a.example/discord.com", Receiver::Own, "https://a.example/discord.com");
    }
}
