//! Secrets that are valid at once, so that they can rotate, and comparisons that take the same time whatever they find.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::mac;

/// How many secrets count: a rotation needs two, and each one lengthens every `webhook-signature` header.
const MAX_KEYS: usize = 8;

/// Comes first in what a fingerprint is made from, so that nothing else that we sign is one.
const FINGERPRINT_DOMAIN: &[u8] = b"reelhook caller fingerprint\n";
/// 64 bits: enough to tell callers apart.
const FINGERPRINT_BYTES: usize = 8;

/// One to eight secrets, newest first: the newest signs, any of them verifies. Never empty.
#[derive(Debug, Clone)]
pub struct SigningKeys(Vec<SecretString>);

impl SigningKeys {
    /// Reads a comma-separated list, newest first. Blanks around an entry and empty entries do not count; beyond eight,
    /// the oldest do not. `None` when nothing is left.
    pub fn parse(text: &str) -> Option<Self> {
        Self::new(text.split(',').map(|entry| entry.trim().to_owned()).collect())
    }

    /// Takes secrets as they are, newest first, under the same rules for empty ones and for more than eight.
    pub fn new(secrets: Vec<String>) -> Option<Self> {
        let kept: Vec<SecretString> =
            secrets.into_iter().filter(|secret| !secret.is_empty()).take(MAX_KEYS).map(SecretString::from).collect();
        if kept.is_empty() { None } else { Some(Self(kept)) }
    }

    /// The secret that signs.
    pub fn newest(&self) -> &SecretString {
        &self.0[0]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(ExposeSecret::expose_secret)
    }
}

/// Whether `given` is one of the secrets. Digests are compared, so that the time taken does not tell their lengths.
pub fn same_secret(given: &str, expected: &SigningKeys) -> bool {
    let given = hash_key(given);
    mac::any_key(expected, |secret| given.ct_eq(&hash_key(secret)))
}

/// SHA-256 of an API key or a password, the form in which they are compared. A password could be guessed from it, so it
/// never leaves the process: [`fingerprint`] does.
pub fn hash_key(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// What stands for a caller in rows and logs: 16 hexadecimal digits of an HMAC over the hash of its key, under the newest
/// secret. Who has no secret can't guess the key from it, however weak the key is.
pub fn fingerprint(key: &[u8; 32], keys: &SigningKeys) -> String {
    keyed_fingerprint(key, keys.newest().expose_secret())
}

/// What stood for the same caller before: its fingerprints under the older secrets, and the one of version 0.1.0, which is
/// not keyed and so belongs in no row or log. For looking up what was remembered of a caller then.
pub fn former_fingerprints(key: &[u8; 32], keys: &SigningKeys) -> Vec<String> {
    let older = keys.iter().skip(1).map(|secret| keyed_fingerprint(key, secret));
    older.chain([hex::encode(&key[..FINGERPRINT_BYTES])]).collect()
}

fn keyed_fingerprint(key: &[u8; 32], secret: &str) -> String {
    hex::encode(&mac::hmac_sha256(secret.as_bytes(), &[FINGERPRINT_DOMAIN, key])[..FINGERPRINT_BYTES])
}

/// Whether two stored hashes are the same, in constant time.
pub fn same_hash(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.ct_eq(other).into()
}
