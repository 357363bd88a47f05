//! Callback tokens (`/w/<token>`): authenticate callers that send no header by the URL that we gave them, without a
//! lookup.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::mac::{any_secret, hmac_sha256};
use crate::{SigningKeys, Verified, VerifyError};

const VERSION: &str = "t1";

/// The domain separator of the MAC, so that no signature of a body or a webhook is valid as a token.
const DOMAIN: &[u8] = b"reelhook callback token\n";

/// 192 bits; base64 of 24 bytes has no left-over bits.
const MAC_BYTES: usize = 24;

/// Longer tokens are rejected unread. There is room for ids of more than 340 bytes.
const MAX_TOKEN_BYTES: usize = 512;

/// The claims of a token: its bearer may report on this run of this job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The job (or other aggregate) that the callbacks belong to; 1 to 340 bytes.
    pub job_id: String,
    /// The run of that job. The caller must ignore callbacks of an earlier run.
    pub attempt: u32,
}

/// The text of a token, which is a secret: `Debug` hides it.
#[derive(Debug, Clone)]
pub struct CallbackToken(SecretString);

impl CallbackToken {
    /// The text for the URL: letters, digits, `-`, `_` and `.` only.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Creates the token `t1.<job id>.<attempt>.<mac>` for these claims under the newest secret. Equal claims give equal
/// tokens.
pub fn mint(claims: &Claims, keys: &SigningKeys) -> CallbackToken {
    let text = token_text(claims, keys.newest().expose_secret());
    debug_assert!(text.len() <= MAX_TOKEN_BYTES, "a job id of {} bytes", claims.job_id.len());
    CallbackToken(SecretString::from(text))
}

/// Verifies a token with any of the secrets. A token has one spelling: only the exact text that [`mint`] created is
/// accepted.
///
/// # Errors
/// `Missing` for an empty text, `Malformed` if it is longer than 512 bytes or not of a token's form, `Mismatch` if no
/// secret made it.
pub fn verify(token: &str, keys: &SigningKeys) -> Result<Verified<Claims>, VerifyError> {
    if token.is_empty() {
        return Err(VerifyError::Missing);
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Err(VerifyError::Malformed);
    }
    let claims = unverified_claims(token).ok_or(VerifyError::Malformed)?;
    let known = any_secret(keys, |secret| token_text(&claims, secret).as_bytes().ct_eq(token.as_bytes()));
    if !known {
        return Err(VerifyError::Mismatch);
    }
    Ok(Verified::new(claims))
}

/// Parses the claims of a token. The MAC is compared over the reserialized claims, which enforces the canonical
/// spelling.
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
