//! Sets of secrets that are valid at the same time, for rotation, and comparisons in constant time.

use std::sync::OnceLock;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::mac::{self, MacKey};

/// The maximum number of secrets. A rotation needs two, and each one lengthens every `webhook-signature` header.
const MAX_KEYS: usize = 8;

/// The domain separator of fingerprints: it prevents any other MAC of ours from being one.
const FINGERPRINT_DOMAIN: &[u8] = b"reelhook caller fingerprint\n";
/// 64 bits are enough to distinguish callers.
const FINGERPRINT_BYTES: usize = 8;

/// One to eight secrets, newest first: the newest one signs, any of them verifies.
#[derive(Debug, Clone)]
pub struct SigningKeys(Vec<SigningKey>);

/// A secret, with the keys of signatures that were derived from it.
#[derive(Debug, Clone)]
pub(crate) struct SigningKey {
    secret: SecretString,
    by_text: OnceLock<MacKey>,
    by_bytes: OnceLock<MacKey>,
}

impl SigningKey {
    /// The key that is the UTF-8 text of the secret.
    pub fn by_text(&self) -> &MacKey {
        self.by_text.get_or_init(|| MacKey::new(self.secret.expose_secret().as_bytes()))
    }

    /// The key whose bytes `decode` reads from the text, always in the same way.
    pub fn by_bytes(&self, decode: impl FnOnce(&str) -> Vec<u8>) -> &MacKey {
        self.by_bytes.get_or_init(|| MacKey::new(&decode(self.secret.expose_secret())))
    }
}

impl SigningKeys {
    /// Parses a comma-separated list, newest first. White space around an entry and empty entries are ignored, and so
    /// are the oldest entries beyond eight. Returns `None` if nothing is left.
    pub fn parse(text: &str) -> Option<Self> {
        Self::new(text.split(',').map(|entry| entry.trim().to_owned()).collect())
    }

    /// Takes secrets unchanged, newest first. Empty ones and the oldest ones beyond eight are ignored.
    pub fn new(secrets: Vec<String>) -> Option<Self> {
        let key = |secret| SigningKey {
            secret: SecretString::from(secret),
            by_text: OnceLock::new(),
            by_bytes: OnceLock::new(),
        };
        let kept: Vec<SigningKey> =
            secrets.into_iter().filter(|secret| !secret.is_empty()).take(MAX_KEYS).map(key).collect();
        if kept.is_empty() { None } else { Some(Self(kept)) }
    }

    /// The secret for signing.
    pub fn newest(&self) -> &SecretString {
        &self.0[0].secret
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.keys().map(|key| key.secret.expose_secret())
    }

    /// The keys, newest first.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &SigningKey> {
        self.0.iter()
    }

    /// Whether any secret matches. All of them are tested, so that the time does not reveal which one matches.
    pub(crate) fn any(&self, matches: impl Fn(&str) -> Choice) -> bool {
        self.iter().fold(Choice::from(0), |found, secret| found | matches(secret)).into()
    }
}

/// Whether `given` is one of the secrets. Digests are compared, so that the time reveals no length.
pub fn same_secret(given: &str, expected: &SigningKeys) -> bool {
    let given = hash_key(given);
    expected.any(|secret| given.ct_eq(&hash_key(secret)))
}

/// The SHA-256 of an API key or a password, in which form they are compared. A password could be guessed from it, so it
/// never leaves the process; rows and logs contain a [`fingerprint`] instead.
pub fn hash_key(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// Identifies a caller in rows and logs: 16 hexadecimal digits of an HMAC over the hash of its key, under the newest
/// secret. Without the secret the key can't be guessed from it, however weak the key is.
pub fn fingerprint(key: &[u8; 32], keys: &SigningKeys) -> String {
    keyed_hash(key, keys.newest().expose_secret())
}

/// The former fingerprints of a caller: those under the older secrets, and the one of version 0.1.0, which is not keyed
/// and thus must not be stored or logged. They serve to find records of the caller from that time.
pub fn former_fingerprints(key: &[u8; 32], keys: &SigningKeys) -> Vec<String> {
    let older = keys.iter().skip(1).map(|secret| keyed_hash(key, secret));
    older.chain([hex::encode(&key[..FINGERPRINT_BYTES])]).collect()
}

fn keyed_hash(key: &[u8; 32], secret: &str) -> String {
    hex::encode(&mac::hmac_sha256(secret.as_bytes(), &[FINGERPRINT_DOMAIN, key])[..FINGERPRINT_BYTES])
}

/// Compares two stored hashes in constant time.
pub fn same_hash(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.ct_eq(other).into()
}
