//! Secrets of registered endpoints: each comes with a key pair, and several sign at once while they rotate.

use std::time::Duration;

use reelhook_domain::{EndpointId, Timestamp};
use reelhook_signing::{PrivateKey, standard};
use serde::{Deserialize, Serialize};

use crate::clock::ClockAndRandom;
use crate::idempotency::{IdempotencyKey, check, digest};
use crate::store::StoreError;
use crate::webhooks::endpoints::registrations::{Changed, RegistrationPorts, change};

/// Secrets of one endpoint that may be valid at once.
pub const MOST_SECRETS: usize = 8;

/// A secret and a key pair that came to an endpoint together.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSecret {
    /// `sec_` and 32 hexadecimal digits.
    pub id: String,
    /// `whsec_…`.
    pub secret: String,
    /// What the key pair is made from, as hexadecimal digits.
    pub seed: String,
    /// Since when.
    pub created_at: Timestamp,
    /// The request that made it, where that had a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// Until when it signs, once a newer one is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl EndpointSecret {
    /// A new one with these bits as its id, and the receiver's own secret where there is one.
    pub(crate) fn new(clock: &dyn ClockAndRandom, id: u128, secret: Option<String>) -> Self {
        let (shared, seed) = (random_bytes(clock), random_bytes(clock));
        Self {
            id: format!("sec_{id:032x}"),
            secret: secret.unwrap_or_else(|| standard::secret_of(&shared)),
            seed: hex::encode(seed),
            created_at: clock.now(),
            request: None,
            expires_at: None,
        }
    }

    /// Whether it still signs.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|until| until > now)
    }

    /// The key pair that came with it.
    pub fn key(&self) -> Option<PrivateKey> {
        let mut seed = [0; 32];
        hex::decode_to_slice(&self.seed, &mut seed).ok()?;
        PrivateKey::from_seed(&seed)
    }
}

impl std::fmt::Debug for EndpointSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EndpointSecret({})", self.id)
    }
}

/// A request that had an Idempotency-Key, as hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Of its caller and key.
    pub key: String,
    /// Of what its body says.
    pub body: String,
}

/// A public key that verifies an endpoint's webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// That of its secret.
    pub id: String,
    /// `whpk_…`.
    pub key: String,
    /// Until when it verifies new webhooks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// How secrets change places; `Debug` hides the secret.
#[derive(Clone)]
pub struct Rotation {
    /// The receiver's own new secret.
    pub secret: Option<String>,
    /// How long those before it go on signing beside it.
    pub grace: Duration,
    /// The request's Idempotency-Key.
    pub key: Option<IdempotencyKey>,
}

impl std::fmt::Debug for Rotation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rotation({:?})", self.grace)
    }
}

/// Why there is no new secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRotated {
    /// As many secrets are valid as may be; the next of them ends then.
    TooMany(Option<Timestamp>),
    /// The key was used with another body.
    KeyReused,
}

/// Gives an endpoint a new secret, which signs at once, beside those that it has. A repeat with the same key changes
/// nothing.
///
/// # Errors
/// [`StoreError`]; inside, [`NotRotated`].
pub async fn rotate(
    ports: &RegistrationPorts<'_>,
    id: &EndpointId,
    rotation: Rotation,
) -> Result<Result<Changed, NotRotated>, StoreError> {
    let now = ports.clock.now();
    let key = rotation.key.as_ref();
    let request = key.map(|key| Request { key: key_id(&key.caller, key), body: key.body_hash.clone() });
    let secret = EndpointSecret::new(ports.clock, ports.clock.random(), rotation.secret);
    let new = EndpointSecret { request, ..secret };
    let until = now.after(rotation.grace);
    change(ports, id, None, |_, private| {
        if let Some(first) = key.and_then(|key| first_rotation(&private.secrets, key)) {
            return check(key, Some(&first.body)).map_err(|_| NotRotated::KeyReused);
        }
        for secret in &mut private.secrets {
            secret.expires_at = Some(secret.expires_at.map_or(until, |ends| ends.min(until)));
        }
        private.secrets.retain(|secret| secret.is_live(now));
        if private.secrets.len() >= MOST_SECRETS {
            return Err(NotRotated::TooMany(private.secrets.iter().filter_map(|secret| secret.expires_at).min()));
        }
        private.secrets.insert(0, new.clone());
        Ok(())
    })
    .await
}

/// The request that made one of these secrets with this key.
fn first_rotation<'a>(secrets: &'a [EndpointSecret], key: &IdempotencyKey) -> Option<&'a Request> {
    key.callers().find_map(|caller| {
        let id = key_id(&caller, key);
        secrets.iter().filter_map(|secret| secret.request.as_ref()).find(|request| request.key == id)
    })
}

/// A caller and its key as they are stored beside a secret, as hex.
fn key_id(caller: &str, key: &IdempotencyKey) -> String {
    format!("{:032x}", key.derived_id(caller, 0))
}

/// 32 bytes that nobody can guess, of twice 128.
fn random_bytes(clock: &dyn ClockAndRandom) -> [u8; 32] {
    digest(&[&clock.random().to_be_bytes(), &clock.random().to_be_bytes()])
}
