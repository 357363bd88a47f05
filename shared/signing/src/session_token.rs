//! Session tokens: a browser that signed in with a key sends one in a cookie, which is valid as long as that key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::mac::{any_key, hmac_sha256};
use crate::{SigningKeys, Verified, VerifyError};

const VERSION: &str = "c1";
/// Precedes the signed text, so that nothing else that we sign can serve as a token.
const DOMAIN: &[u8] = b"reelhook session token\n";
/// 192 bits, and base64 of 24 bytes has no left-over bits.
const MAC_BYTES: usize = 24;
/// Longest token that is verified, in bytes.
const MAX_TOKEN_BYTES: usize = 128;

/// The token `c1.<expiry>.<mac>` under the newest secret; `expires` is in Unix seconds.
///
/// The MAC covers the hash of the key with which its bearer signed in. The token itself does not contain that key.
pub fn mint(key: &[u8; 32], expires: i64, keys: &SigningKeys) -> SecretString {
    SecretString::from(text(key, expires, keys.newest().expose_secret()))
}

/// The one of the `known` keys (as hashes) that a token was made for, if it is still valid at `now` (Unix seconds).
/// Only the exact text that [`mint`] wrote is accepted. A token is invalid once its key is not known any more.
///
/// # Errors
/// `Missing` for an empty text, `Malformed` when it is no token, `TooOld` when its time is over, `Mismatch` when no secret
/// made it for a known key.
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
    // All are tried, so that the time taken does not tell which one it is.
    let key = known.iter().fold(None, |found, key| {
        let made = any_key(keys, |secret| text(key, expires, secret).as_bytes().ct_eq(token.as_bytes()));
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
