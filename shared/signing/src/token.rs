//! Callback tokens (`/w/<token>`): who calls without a header is known by the URL that we handed out, without a lookup.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::mac::{any_key, hmac_sha256};
use crate::{SigningKeys, Verified, VerifyError};

const VERSION: &str = "t1";

/// Comes first in what is signed, so that no signature over a body or a webhook can serve as a token.
const DOMAIN: &[u8] = b"reelhook callback token\n";

/// 192 bits, and base64 of 24 bytes has no left-over bits.
const MAC_BYTES: usize = 24;

/// Longest token that is looked at: room for ids of more than 340 bytes.
const MAX_TOKEN_BYTES: usize = 512;

/// What a token vouches for: its bearer may report on this run of this job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The job (or other aggregate) that callbacks are about; up to 340 bytes, not empty.
    pub job_id: String,
    /// The run of that job; that an older one changes nothing is for the caller to see to.
    pub attempt: u32,
}

/// A token's text, which is a secret: `Debug` hides it.
#[derive(Debug, Clone)]
pub struct CallbackToken(SecretString);

impl CallbackToken {
    /// The text for the URL: letters, digits, `-`, `_` and `.` only.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// The token for these claims under the newest secret: `t1.<job id>.<attempt>.<mac>`, the same each time.
pub fn mint(claims: &Claims, keys: &SigningKeys) -> CallbackToken {
    let text = token_text(claims, keys.newest().expose_secret());
    debug_assert!(text.len() <= MAX_TOKEN_BYTES, "a job id of {} bytes", claims.job_id.len());
    CallbackToken(SecretString::from(text))
}

/// Reads a token that any of the secrets made. A token has one spelling: anything else than what [`mint`] wrote is
/// refused.
///
/// # Errors
/// `Missing` for an empty text, `Malformed` when it is longer than 512 bytes or not of a token's form, `Mismatch` when no
/// secret made it.
pub fn verify(token: &str, keys: &SigningKeys) -> Result<Verified<Claims>, VerifyError> {
    if token.is_empty() {
        return Err(VerifyError::Missing);
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Err(VerifyError::Malformed);
    }
    let claims = unverified_claims(token).ok_or(VerifyError::Malformed)?;
    let known = any_key(keys, |secret| token_text(&claims, secret).as_bytes().ct_eq(token.as_bytes()));
    if !known {
        return Err(VerifyError::Mismatch);
    }
    Ok(Verified::new(claims))
}

/// What a text claims. That it is spelt as [`mint`] spells it is checked with the MAC, by writing it again.
fn unverified_claims(token: &str) -> Option<Claims> {
    let parts: Vec<&str> = token.split('.').collect();
    let [VERSION, job_id, attempt, _mac] = parts[..] else { return None };
    let job_id = String::from_utf8(URL_SAFE_NO_PAD.decode(job_id).ok()?).ok()?;
    let attempt = attempt.parse().ok()?;
    if job_id.is_empty() { None } else { Some(Claims { job_id, attempt }) }
}

fn token_text(claims: &Claims, secret: &str) -> String {
    let signed = format!("{VERSION}.{}.{}", URL_SAFE_NO_PAD.encode(&claims.job_id), claims.attempt);
    let mac = hmac_sha256(secret.as_bytes(), &[DOMAIN, signed.as_bytes()]);
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&mac[..MAC_BYTES]))
}
