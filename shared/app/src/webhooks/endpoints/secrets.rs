//! Secrets of registered endpoints: each comes with a key pair, and several are valid at once during a rotation.

use reelhook_domain::Timestamp;
use reelhook_signing::{PrivateKey, standard};
use serde::{Deserialize, Serialize};

use crate::clock::ClockAndRandom;
use crate::idempotency::digest;

/// The most secrets of one endpoint that may be valid at once.
pub const MOST_SECRETS: usize = 8;

/// A secret and a key pair, made together.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSecret {
    /// `sec_` and 32 hexadecimal digits.
    pub id: String,
    /// `whsec_…`.
    pub secret: String,
    /// The seed of the key pair, as hexadecimal digits.
    pub seed: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The request that made it, if that had an Idempotency-Key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// When it stops signing; set once a newer secret exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl EndpointSecret {
    /// A new one with these bits as its id and, if given, the receiver's own secret.
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

    /// Whether it signs at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|until| until > now)
    }

    /// Its key pair; none if the stored seed is malformed.
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

/// A request with an Idempotency-Key, as hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Hash of its caller and key.
    pub key: String,
    /// Hash of its body.
    pub body: String,
}

/// A public key that verifies an endpoint's webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// The id of its secret.
    pub id: String,
    /// `whpk_…`.
    pub key: String,
    /// When it stops verifying new webhooks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// 32 unpredictable bytes, from two random numbers of 128 bits.
fn random_bytes(clock: &dyn ClockAndRandom) -> [u8; 32] {
    digest(&[&clock.random().to_be_bytes(), &clock.random().to_be_bytes()])
}
