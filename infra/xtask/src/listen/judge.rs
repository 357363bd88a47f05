//! Which of our secrets and keys signed a webhook: each is asked alone, so that it can be told.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reelhook_receiver::{Keys, Refused, TOLERANCE_SECONDS, Webhook, verify};
use serde_json::Value;
use sha2::Sha256;

use crate::ui;

/// How often published keys are read again, at most: anybody can send what does not match.
const REREAD: Duration = Duration::from_secs(60);

/// What was found of a signature.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// These made it, for example `v1 by secret 1`.
    By(Vec<String>),
    /// None did.
    Refused(Refused),
    /// There is nothing to hold it against.
    NoKeys,
}

/// One key with its name.
pub struct Known {
    name: String,
    keys: Keys,
}

/// Public keys that stand somewhere.
pub struct Published {
    read: Box<dyn Fn() -> anyhow::Result<Vec<Known>> + Send + Sync>,
    found: Mutex<Found>,
}

struct Found {
    keys: Vec<Known>,
    /// When they were last read because of a webhook.
    reread: Option<Instant>,
}

impl Published {
    /// Reads the keys for the first time.
    pub fn new(read: impl Fn() -> anyhow::Result<Vec<Known>> + Send + Sync + 'static) -> anyhow::Result<Self> {
        let found = Mutex::new(Found { keys: read()?, reread: None });
        Ok(Self { read: Box::new(read), found })
    }
}

/// Keys from the answer of GET /.well-known/webhook-keys.json.
///
/// # Errors
/// Names what is no key.
pub fn published_keys(answer: &Value) -> anyhow::Result<Vec<Known>> {
    let keys = answer["keys"].as_array().context("the answer has no list `keys`")?;
    let known = |key: &Value| {
        let text = |member: &str| key[member].as_str().unwrap_or("?").to_owned();
        let name = format!("v1a by {} of {}", text("kid"), text("endpointId"));
        let keys = Keys::parse(&[], &[&text("whpk")]).with_context(|| format!("the key `{}`", text("kid")))?;
        Ok(Known { name, keys })
    };
    keys.iter().map(known).collect()
}

/// Holds webhooks against secrets and public keys.
pub struct Judge {
    secrets: Vec<String>,
    given: Vec<Known>,
    published: Option<Published>,
}

impl Judge {
    /// Reads what was given; empty texts do not count.
    ///
    /// # Errors
    /// Says which is no key, by its number.
    pub fn new(secrets: &[String], public_keys: &[String], published: Option<Published>) -> anyhow::Result<Self> {
        let trimmed = |texts: &[String]| -> Vec<String> {
            texts.iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
        };
        let (secrets, public_keys) = (trimmed(secrets), trimmed(public_keys));
        let mut given = Vec::new();
        for (number, secret) in (1..).zip(&secrets) {
            let keys = Keys::parse(&[secret], &[]).ok().with_context(|| format!("secret {number} can't be one"))?;
            given.push(Known { name: format!("v1 by secret {number}"), keys });
        }
        for (number, key) in (1..).zip(&public_keys) {
            let keys = Keys::parse(&[], &[key]).ok();
            let keys = keys.with_context(|| format!("public key {number} is not `whpk_` and base64 of 32 bytes"))?;
            given.push(Known { name: format!("v1a by key {number}"), keys });
        }
        Ok(Self { secrets, given, published })
    }

    /// How many secrets and public keys there are.
    pub fn counts(&self) -> (usize, usize) {
        let published = self.published.as_ref().map_or(0, |published| locked(published).keys.len());
        (self.secrets.len(), self.given.len() - self.secrets.len() + published)
    }

    /// Who signed; where none did that is known, published keys are read again, as another may be in use by now.
    pub fn verify(&self, webhook: Webhook<'_>, now_seconds: u64) -> Verdict {
        let verdict = self.look(webhook, now_seconds);
        let may_be_new = matches!(verdict, Verdict::NoKeys | Verdict::Refused(Refused::Mismatch));
        if may_be_new && webhook.signature.contains("v1a,") && self.read_again() {
            return self.look(webhook, now_seconds);
        }
        verdict
    }

    fn look(&self, webhook: Webhook<'_>, now_seconds: u64) -> Verdict {
        let published = self.published.as_ref().map(locked);
        let all = self.given.iter().chain(published.iter().flat_map(|found| &found.keys));
        let (mut by, mut refused) = (Vec::new(), None);
        for known in all {
            match verify(webhook, &known.keys, now_seconds, TOLERANCE_SECONDS) {
                Ok(()) => by.push(known.name.clone()),
                Err(why) => refused = Some(why),
            }
        }
        match (by.is_empty(), refused) {
            (false, _) => Verdict::By(by),
            (true, Some(why)) => Verdict::Refused(why),
            (true, None) => Verdict::NoKeys,
        }
    }

    /// Whether the published keys were read anew.
    fn read_again(&self) -> bool {
        let Some(published) = &self.published else {
            return false;
        };
        let mut found = locked(published);
        if found.reread.is_some_and(|at| at.elapsed() < REREAD) {
            return false;
        }
        found.reread = Some(Instant::now());
        match (published.read)() {
            Ok(keys) => found.keys = keys,
            Err(error) => ui::say(format!("The public keys could not be read again: {error:#}")),
        }
        true
    }

    /// Which secret made `X-StreamGank-Signature`, by its number: the hex HMAC of the body under the secret's text.
    pub fn streamgank(&self, header: &str, body: &[u8]) -> Option<usize> {
        let given = hex::decode(header.strip_prefix("sha256=").unwrap_or(header)).ok()?;
        let made = |secret: &String| {
            let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
            mac.chain_update(body).verify_slice(&given).is_ok()
        };
        self.secrets.iter().position(made).map(|place| place + 1)
    }
}

fn locked(published: &Published) -> std::sync::MutexGuard<'_, Found> {
    published.found.lock().unwrap_or_else(PoisonError::into_inner)
}
