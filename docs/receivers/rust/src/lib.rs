//! Says whether a webhook is ours: Standard Webhooks 1.0.0, `v1` (HMAC-SHA256) and `v1a` (ed25519). Made to be copied.

use std::error::Error;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::signature::{ED25519, ED25519_PUBLIC_KEY_LEN, UnparsedPublicKey};
use sha2::Sha256;

/// How many seconds a webhook may be older or newer than our clock says (Standard Webhooks 1.0.0 leaves it open; the
/// libraries take five minutes).
pub const TOLERANCE_SECONDS: u64 = 300;

/// A header may be long; we send sixteen tokens at most.
const MAX_TOKENS: usize = 32;

/// Secrets come padded or not, as the libraries take them.
const SECRET_ENCODING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A webhook as it came.
#[derive(Clone, Copy)]
pub struct Webhook<'a> {
    /// The header `webhook-id`; empty where it is missing, like the next two.
    pub id: &'a str,
    /// The header `webhook-timestamp`: whole seconds since 1970.
    pub timestamp: &'a str,
    /// The header `webhook-signature`: tokens between blanks, `v1,<base64>` and `v1a,<base64>`.
    pub signature: &'a str,
    /// The body's raw bytes, before any parsing.
    pub body: &'a [u8],
}

/// What a receiver accepts. Has at least one key.
#[derive(Clone)]
pub struct Keys {
    hmac: Vec<Vec<u8>>,
    ed25519: Vec<UnparsedPublicKey<Vec<u8>>>,
}

impl Keys {
    /// Reads secrets (`whsec_` and base64, or any other text) and public keys (`whpk_` and base64). One of either kind
    /// has to fit a webhook: give only what you accept.
    ///
    /// # Errors
    /// `BadKey` where there is none, where a secret is empty or no secret, or a public key is not readable.
    pub fn parse(secrets: &[&str], public_keys: &[&str]) -> Result<Self, BadKey> {
        let hmac = secrets.iter().map(|secret| hmac_key(secret)).collect::<Result<Vec<_>, _>>()?;
        let ed25519 = public_keys.iter().map(|key| ed25519_key(key)).collect::<Result<Vec<_>, _>>()?;
        if hmac.is_empty() && ed25519.is_empty() {
            return Err(BadKey);
        }
        Ok(Self { hmac, ed25519 })
    }
}

/// Whether one of the keys signed this webhook, at a time that is at most `tolerance_seconds` away from `now_seconds`.
///
/// # Errors
/// Says why not.
pub fn verify(webhook: Webhook<'_>, keys: &Keys, now_seconds: u64, tolerance_seconds: u64) -> Result<(), Refused> {
    let Webhook { id, timestamp, signature, body } = webhook;
    if id.is_empty() || timestamp.is_empty() || signature.is_empty() {
        return Err(Refused::Missing);
    }
    if id.contains('.') || timestamp.len() > 15 || !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refused::Malformed);
    }
    let seconds: u64 = timestamp.parse().map_err(|_| Refused::Malformed)?;
    if now_seconds.abs_diff(seconds) > tolerance_seconds {
        return Err(if seconds < now_seconds { Refused::TooOld } else { Refused::TooNew });
    }

    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let macs: Vec<Hmac<Sha256>> = keys.hmac.iter().map(|key| hmac_sha256(key, &signed)).collect();
    let tokens = signature.split(' ').take(MAX_TOKENS).filter_map(|token| token.split_once(','));
    for (version, encoded) in tokens {
        // What is not base64 can't match.
        let given = STANDARD.decode(encoded).unwrap_or_default();
        let fits = match version {
            // In constant time.
            "v1" => macs.iter().any(|mac| mac.clone().verify_slice(&given).is_ok()),
            "v1a" => keys.ed25519.iter().any(|key| key.verify(&signed, &given).is_ok()),
            _ => false,
        };
        if fits {
            return Ok(());
        }
    }
    Err(Refused::Mismatch)
}

/// `whsec_` and base64 stand for those bytes; any other text for itself.
fn hmac_key(secret: &str) -> Result<Vec<u8>, BadKey> {
    if secret.is_empty() || secret == "whsec_" || secret.starts_with("whpk_") || secret.starts_with("whsk_") {
        return Err(BadKey);
    }
    let decoded = secret.strip_prefix("whsec_").and_then(|encoded| SECRET_ENCODING.decode(encoded).ok());
    Ok(decoded.filter(|key| !key.is_empty()).unwrap_or_else(|| secret.as_bytes().to_vec()))
}

fn ed25519_key(text: &str) -> Result<UnparsedPublicKey<Vec<u8>>, BadKey> {
    let key = text.strip_prefix("whpk_").and_then(|encoded| STANDARD.decode(encoded).ok()).ok_or(BadKey)?;
    if key.len() != ED25519_PUBLIC_KEY_LEN {
        return Err(BadKey);
    }
    Ok(UnparsedPublicKey::new(&ED25519, key))
}

fn hmac_sha256(key: &[u8], signed: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length").chain_update(signed)
}

/// Why a webhook is not accepted. For the log: the sender only learns that it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// One of the three headers is missing.
    Missing,
    /// The id has a `.`, or the timestamp is no number of seconds.
    Malformed,
    /// It was signed too long ago.
    TooOld,
    /// It was signed too far in the future.
    TooNew,
    /// None of the keys made one of the signatures for this content.
    Mismatch,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "a header of the signature is missing",
            Self::Malformed => "the id or the timestamp is malformed",
            Self::TooOld => "the webhook is too old",
            Self::TooNew => "the webhook is from the future",
            Self::Mismatch => "the signature does not match",
        })
    }
}

impl Error for Refused {}

/// There is no secret and no public key, or one that can't be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadKey;

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no secret and no public key, or one that is not readable")
    }
}

impl Error for BadKey {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Vector {
        name: String,
        id: Option<String>,
        timestamp: Option<String>,
        signature: Option<String>,
        body_base64: String,
        secrets: Vec<String>,
        public_keys: Vec<String>,
        now: u64,
        tolerance: Option<u64>,
        expect: String,
    }

    fn found(vector: &Vector) -> &'static str {
        let secrets: Vec<&str> = vector.secrets.iter().map(String::as_str).collect();
        let public_keys: Vec<&str> = vector.public_keys.iter().map(String::as_str).collect();
        let Ok(keys) = Keys::parse(&secrets, &public_keys) else {
            return "bad_key";
        };
        let body = STANDARD.decode(&vector.body_base64).unwrap();
        let webhook = Webhook {
            id: vector.id.as_deref().unwrap_or_default(),
            timestamp: vector.timestamp.as_deref().unwrap_or_default(),
            signature: vector.signature.as_deref().unwrap_or_default(),
            body: &body,
        };
        match verify(webhook, &keys, vector.now, vector.tolerance.unwrap_or(TOLERANCE_SECONDS)) {
            Ok(()) => "accept",
            Err(Refused::Missing) => "missing",
            Err(Refused::Malformed) => "malformed",
            Err(Refused::TooOld) => "too_old",
            Err(Refused::TooNew) => "too_new",
            Err(Refused::Mismatch) => "mismatch",
        }
    }

    #[test]
    fn each_vector_is_judged_as_the_other_languages_do() {
        let vectors: Vec<Vector> = serde_json::from_str(include_str!("../../vectors.json")).unwrap();
        let wrong = vectors.iter().filter(|vector| found(vector) != vector.expect);
        let wrong: Vec<String> =
            wrong.map(|vector| format!("{}: {}, not {}", vector.name, found(vector), vector.expect)).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(vectors.len() > 40, "only {} vectors", vectors.len());
    }

    #[test]
    fn errors_are_sentences_without_content() {
        assert_eq!(Refused::Mismatch.to_string(), "the signature does not match");
        let Err(error) = Keys::parse(&["whpk_secret"], &[]) else {
            panic!("a public key was taken for a secret");
        };
        assert_eq!(error.to_string(), "no secret and no public key, or one that is not readable");
    }
}
