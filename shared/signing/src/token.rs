//! Signed tokens: claims and their MAC as one text, for URLs and cookies. They authorize their bearers without a lookup.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::mac::hmac_sha256;
use crate::{SigningKeys, Verified, VerifyError};

/// 192 bits; base64 of 24 bytes has no left-over bits.
const MAC_BYTES: usize = 24;

/// What the bearer of a token may do, for one purpose of tokens.
pub trait Claims {
    /// The purpose. It is part of the MAC's domain separator, so that no token of another purpose and no other signature
    /// of ours is valid as a token.
    const PURPOSE: &'static str;
    /// Longer tokens are rejected unread.
    const MAX_BYTES: usize;

    /// The token without its MAC: a version and fields of letters, digits, `-` and `_`, joined by `.`.
    fn shown(&self) -> String;

    /// What the MAC covers, but the token does not show.
    fn hidden(&self) -> Option<&[u8]> {
        None
    }
}

/// The text of a token, which is a secret: `Debug` hides it.
#[derive(Debug, Clone)]
pub struct SignedToken(SecretString);

impl SignedToken {
    /// The token for these claims under the newest secret, the same each time.
    pub fn mint<C: Claims>(claims: &C, keys: &SigningKeys) -> Self {
        let text = text(claims, keys.newest().expose_secret());
        debug_assert!(text.len() <= C::MAX_BYTES, "a {} token of {} bytes", C::PURPOSE, text.len());
        Self(SecretString::from(text))
    }

    /// The text for a URL or a cookie: letters, digits, `-`, `_` and `.` only.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Finds out for which claims a token was minted under any of the secrets. `possible` gets the fields before the MAC and
/// returns the claims that may have been written so, none if the fields are malformed. A token has one spelling: only the
/// exact text that [`SignedToken::mint`] creates is accepted.
pub(crate) fn verify<C: Claims>(
    token: &str,
    keys: &SigningKeys,
    possible: impl FnOnce(&[&str]) -> Option<Vec<C>>,
) -> Result<Verified<C>, VerifyError> {
    if token.is_empty() {
        return Err(VerifyError::Missing);
    }
    if token.len() > C::MAX_BYTES {
        return Err(VerifyError::Malformed);
    }
    let (shown, _mac) = token.rsplit_once('.').ok_or(VerifyError::Malformed)?;
    let fields: Vec<&str> = shown.split('.').collect();
    let matches = |claims: &C| keys.any(|secret| text(claims, secret).as_bytes().ct_eq(token.as_bytes()));
    // All claims are tested, so that the time does not reveal which ones match.
    let possible = possible(&fields).ok_or(VerifyError::Malformed)?.into_iter();
    let found = possible.fold(None, |found, claims| if matches(&claims) { Some(claims) } else { found });
    found.map(Verified::new).ok_or(VerifyError::Mismatch)
}

/// Rejects claims that have expired; both times are in Unix seconds.
pub(crate) fn check_expiry(expires: i64, now: i64) -> Result<(), VerifyError> {
    if expires <= now { Err(VerifyError::TooOld) } else { Ok(()) }
}

fn text<C: Claims>(claims: &C, secret: &str) -> String {
    let shown = claims.shown();
    let mut signed = vec![b"reelhook ".as_slice(), C::PURPOSE.as_bytes(), b" token\n", shown.as_bytes()];
    if let Some(hidden) = claims.hidden() {
        signed.extend([b"\n".as_slice(), hidden]);
    }
    let mac = hmac_sha256(secret.as_bytes(), &signed);
    format!("{shown}.{}", URL_SAFE_NO_PAD.encode(&mac[..MAC_BYTES]))
}
