//! Session tokens: the cookie of a browser that signed in with a key, valid at most as long as that key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::mac::hmac_sha256;
use crate::{SigningKeys, Verified, VerifyError};

const VERSION: &str = "c1";
/// The domain separator of the MAC, so that no other signature of ours is valid as a token.
const DOMAIN: &[u8] = b"reelhook session token\n";
/// 192 bits; base64 of 24 bytes has no left-over bits.
const MAC_BYTES: usize = 24;
/// Longer tokens are rejected unread.
const MAX_TOKEN_BYTES: usize = 128;

/// Creates the token `c1.<expiry>.<mac>` under the newest secret; `expires` is in Unix seconds.
///
/// The MAC covers the hash of the key of the caller that signed in. The token itself reveals nothing about that key.
pub fn mint(key: &[u8; 32], expires: i64, keys: &SigningKeys) -> SecretString {
    SecretString::from(text(key, expires, keys.newest().expose_secret()))
}

/// Verifies a token at `now` (Unix seconds), and returns which of the `known` keys (as hashes) it was made for. A token
/// has one spelling, and is invalid once its key is not known any more.
///
/// # Errors
/// `Missing` for an empty text, `Malformed` for a text that is not a token, `TooOld` for an expired token, `Mismatch`
/// if no secret made it for a known key.
pub fn verify(
    token: &str,
    known: &[[u8; 32]],
    now: i64,
    keys: &SigningKeys,
) -> Result<Verified<[u8; 32]>, VerifyError> {
    if token.is_empty() {
        return Err(VerifyError::Missing);
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Err(VerifyError::Malformed);
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [VERSION, expires, _] = parts[..] else { return Err(VerifyError::Malformed) };
    let expires: i64 = expires.parse().map_err(|_| VerifyError::Malformed)?;
    // All keys are tested, so that the time does not reveal which one matches.
    let key = known.iter().fold(None, |found, key| {
        let made = keys.any(|secret| text(key, expires, secret).as_bytes().ct_eq(token.as_bytes()));
        if made { Some(*key) } else { found }
    });
    let key = key.ok_or(VerifyError::Mismatch)?;
    if expires <= now { Err(VerifyError::TooOld) } else { Ok(Verified::new(key)) }
}

fn text(key: &[u8; 32], expires: i64, secret: &str) -> String {
    let signed = format!("{VERSION}.{expires}");
    let mac = hmac_sha256(secret.as_bytes(), &[DOMAIN, signed.as_bytes(), b"\n", key]);
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&mac[..MAC_BYTES]))
}
