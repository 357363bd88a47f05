//! Standard Webhooks 1.0.0 (`webhook-id`, `webhook-timestamp`, `webhook-signature`), symmetric scheme `v1`.

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use subtle::ConstantTimeEq;

use crate::mac::hmac_sha256;
use crate::{SigningKeys, Verified, VerifyError};

const SECRET_PREFIX: &str = "whsec_";
const VERSION: &str = "v1";
/// The bytes of one token: `v1,` and the base64 of 32 bytes.
const TOKEN_BYTES: usize = 47;
const TOLERANCE_SECONDS: i64 = 300;

/// Secrets are decoded as leniently as by the official libraries: padding is optional, left-over bits are ignored.
const SECRET_ENCODING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Creates the `webhook-signature` header: one `v1,<base64>` for each secret, newest first. `id` must not be empty or
/// contain a `.`, because the scheme joins id, timestamp and body with a `.`.
pub fn sign(id: &str, timestamp_seconds: i64, body: &[u8], keys: &SigningKeys) -> String {
    debug_assert!(is_message_id(id), "`{id}` is not a message id");
    let timestamp = timestamp_seconds.to_string();
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    let mut tokens = String::with_capacity(TOKEN_BYTES);
    for key in keys.keys() {
        if !tokens.is_empty() {
            tokens.push(' ');
        }
        tokens.extend([VERSION, ","]);
        STANDARD.encode_string(key.by_bytes(key_bytes).mac(&parts), &mut tokens);
    }
    tokens
}

/// Verifies the three headers with any of the secrets. `body` must be the received bytes, before any parsing; tokens of
/// other versions are ignored.
///
/// # Errors
/// `Missing` for an empty header, `Malformed` for an id with a `.` or a timestamp that is not a whole number, `TooOld`
/// and `TooNew` if the timestamp is more than 300 s from `now_seconds`, `Mismatch` if no secret made any of the tokens.
pub fn verify<'a>(
    id: &str,
    timestamp: &str,
    signature_header: &str,
    body: &'a [u8],
    keys: &SigningKeys,
    now_seconds: i64,
) -> Result<Verified<&'a [u8]>, VerifyError> {
    check_headers(id, timestamp, signature_header, now_seconds)?;
    let known = keys.any(|secret| {
        let expected = encoded_mac(secret, id, timestamp, body);
        v1_tokens(signature_header).fold(0.into(), |found, given| found | given.as_bytes().ct_eq(expected.as_bytes()))
    });
    if !known {
        return Err(VerifyError::Mismatch);
    }
    Ok(Verified::new(body))
}

/// Checks that the three headers are present, well-formed and recent.
pub(crate) fn check_headers(id: &str, timestamp: &str, signatures: &str, now_seconds: i64) -> Result<(), VerifyError> {
    if id.is_empty() || timestamp.is_empty() || signatures.is_empty() {
        return Err(VerifyError::Missing);
    }
    if !is_message_id(id) {
        return Err(VerifyError::Malformed);
    }
    check_age(parse_timestamp(timestamp)?, now_seconds)
}

/// The bytes that every scheme of Standard Webhooks signs: `{id}.{timestamp}.{body}`.
pub(crate) fn signed_bytes(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}

/// Whether a text is a secret in the form of Standard Webhooks: `whsec_` and the padded base64 of 24 to 64 bytes. The
/// libraries of all receivers can read it.
pub fn is_secret(text: &str) -> bool {
    let decoded = text.strip_prefix(SECRET_PREFIX).and_then(|encoded| STANDARD.decode(encoded).ok());
    decoded.is_some_and(|key| (24..=64).contains(&key.len()))
}

/// Encodes these bytes as a secret of Standard Webhooks.
pub fn secret_of(bytes: &[u8; 32]) -> String {
    format!("{SECRET_PREFIX}{}", STANDARD.encode(bytes))
}

fn is_message_id(id: &str) -> bool {
    !id.is_empty() && !id.contains('.')
}

fn parse_timestamp(timestamp: &str) -> Result<i64, VerifyError> {
    if !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(VerifyError::Malformed);
    }
    timestamp.parse().map_err(|_| VerifyError::Malformed)
}

fn check_age(timestamp: i64, now_seconds: i64) -> Result<(), VerifyError> {
    let age = now_seconds.saturating_sub(timestamp);
    if age > TOLERANCE_SECONDS {
        return Err(VerifyError::TooOld);
    }
    if age < -TOLERANCE_SECONDS {
        return Err(VerifyError::TooNew);
    }
    Ok(())
}

fn v1_tokens(header: &str) -> impl Iterator<Item = &str> {
    header
        .split(' ')
        .filter_map(|token| token.split_once(','))
        .filter_map(|(version, mac)| (version == VERSION).then_some(mac))
}

fn encoded_mac(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> String {
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    STANDARD.encode(hmac_sha256(&key_bytes(secret), &parts))
}

/// The key of a secret: the decoded bytes of a `whsec_…` secret of any length (the libraries do not enforce the
/// specified 24 to 64 bytes either), else the UTF-8 bytes of the whole text.
fn key_bytes(secret: &str) -> Vec<u8> {
    secret
        .strip_prefix(SECRET_PREFIX)
        .and_then(|encoded| SECRET_ENCODING.decode(encoded).ok())
        .filter(|key| !key.is_empty())
        .unwrap_or_else(|| secret.as_bytes().to_vec())
}
