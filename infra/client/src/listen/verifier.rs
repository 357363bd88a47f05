//! Finds which secrets and keys signed a webhook: each one is verified separately.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reelhook_receiver::{Keys, Refused, TOLERANCE_SECONDS, Webhook, verify};
use reelhook_terminal::ui;
use serde_json::Value;
use sha2::Sha256;

/// Minimum time between two reads of published keys: anybody can send signatures that match none.
const REREAD_INTERVAL: Duration = Duration::from_secs(60);

/// The result of verifying a webhook.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The keys that match, for example `v1 by secret 1`.
    SignedBy(Vec<String>),
    /// No key matches.
    Refused(Refused),
    /// No secret or key was given.
    NoKeys,
}

/// A key with its name.
pub struct NamedKey {
    name: String,
    keys: Keys,
}

/// Public keys that are published at a URL.
pub struct PublishedKeys {
    read: Box<dyn Fn() -> anyhow::Result<Vec<NamedKey>> + Send + Sync>,
    cached: Mutex<CachedKeys>,
}

struct CachedKeys {
    keys: Vec<NamedKey>,
    /// When a webhook last caused a read.
    reread: Option<Instant>,
}

impl PublishedKeys {
    /// Reads the keys for the first time.
    pub fn new(read: impl Fn() -> anyhow::Result<Vec<NamedKey>> + Send + Sync + 'static) -> anyhow::Result<Self> {
        let cached = Mutex::new(CachedKeys { keys: read()?, reread: None });
        Ok(Self { read: Box::new(read), cached })
    }
}

/// Parses the response of GET /.well-known/webhook-keys.json.
///
/// # Errors
/// Names an invalid key.
pub fn published_keys(document: &Value) -> anyhow::Result<Vec<NamedKey>> {
    let keys = document["keys"].as_array().context("the response has no array `keys`")?;
    let named_key = |key: &Value| {
        let text = |member: &str| key[member].as_str().unwrap_or("?").to_owned();
        let name = format!("v1a by {} of {}", text("kid"), text("endpointId"));
        let keys = Keys::parse(&[], &[&text("whpk")]).with_context(|| format!("invalid key `{}`", text("kid")))?;
        Ok(NamedKey { name, keys })
    };
    keys.iter().map(named_key).collect()
}

/// Verifies webhooks with secrets and public keys.
pub struct Verifier {
    secrets: Vec<String>,
    given: Vec<NamedKey>,
    published: Option<PublishedKeys>,
}

impl Verifier {
    /// Parses secrets and keys; empty ones are ignored.
    ///
    /// # Errors
    /// Names an invalid secret or key by its number.
    pub fn new(secrets: &[String], public_keys: &[String], published: Option<PublishedKeys>) -> anyhow::Result<Self> {
        let trimmed = |texts: &[String]| -> Vec<String> {
            texts.iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
        };
        let (secrets, public_keys) = (trimmed(secrets), trimmed(public_keys));
        let mut given = Vec::new();
        for (number, secret) in (1..).zip(&secrets) {
            let keys = Keys::parse(&[secret], &[]).ok().with_context(|| format!("secret {number} is invalid"))?;
            given.push(NamedKey { name: format!("v1 by secret {number}"), keys });
        }
        for (number, key) in (1..).zip(&public_keys) {
            let keys = Keys::parse(&[], &[key]).ok();
            let keys = keys.with_context(|| format!("public key {number} must be `whpk_` and base64 of 32 bytes"))?;
            given.push(NamedKey { name: format!("v1a by key {number}"), keys });
        }
        Ok(Self { secrets, given, published })
    }

    /// The number of secrets and of public keys.
    pub fn counts(&self) -> (usize, usize) {
        let published = self.published.as_ref().map_or(0, |published| lock(published).keys.len());
        (self.secrets.len(), self.given.len() - self.secrets.len() + published)
    }

    /// Verifies a webhook. If no key matches, published keys are read again: a new one may be in use.
    pub fn verify(&self, webhook: Webhook<'_>, now_seconds: u64) -> Verdict {
        let verdict = self.check(webhook, now_seconds);
        let may_be_new = matches!(verdict, Verdict::NoKeys | Verdict::Refused(Refused::Mismatch));
        if may_be_new && webhook.signature.contains("v1a,") && self.read_again() {
            return self.check(webhook, now_seconds);
        }
        verdict
    }

    fn check(&self, webhook: Webhook<'_>, now_seconds: u64) -> Verdict {
        let published = self.published.as_ref().map(lock);
        let all = self.given.iter().chain(published.iter().flat_map(|cached| &cached.keys));
        let (mut names, mut refused) = (Vec::new(), None);
        for named_key in all {
            match verify(webhook, &named_key.keys, now_seconds, TOLERANCE_SECONDS) {
                Ok(()) => names.push(named_key.name.clone()),
                Err(cause) => refused = Some(cause),
            }
        }
        match (names.is_empty(), refused) {
            (false, _) => Verdict::SignedBy(names),
            (true, Some(cause)) => Verdict::Refused(cause),
            (true, None) => Verdict::NoKeys,
        }
    }

    /// Reads the published keys again, unless that happened recently. Returns whether it did.
    fn read_again(&self) -> bool {
        let Some(published) = &self.published else {
            return false;
        };
        let mut cached = lock(published);
        if cached.reread.is_some_and(|at| at.elapsed() < REREAD_INTERVAL) {
            return false;
        }
        cached.reread = Some(Instant::now());
        match (published.read)() {
            Ok(keys) => cached.keys = keys,
            Err(error) => ui::say(format!("Failed to read the public keys again: {error:#}")),
        }
        true
    }

    /// The number of the secret that made `X-StreamGank-Signature`, the hex HMAC of the body under the secret's text.
    pub fn streamgank_secret(&self, header: &str, body: &[u8]) -> Option<usize> {
        let given = hex::decode(header.strip_prefix("sha256=").unwrap_or(header)).ok()?;
        let matches = |secret: &String| {
            let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
            mac.chain_update(body).verify_slice(&given).is_ok()
        };
        self.secrets.iter().position(matches).map(|index| index + 1)
    }
}

fn lock(published: &PublishedKeys) -> std::sync::MutexGuard<'_, CachedKeys> {
    published.cached.lock().unwrap_or_else(PoisonError::into_inner)
}
