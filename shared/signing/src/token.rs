//! Callback tokens (`/w/<token>`) in URLs that we hand out: they authenticate callers that send no header, without a lookup.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::mac::hmac_sha256;
use crate::{SigningKeys, Verified, VerifyError};

/// The version of tokens that are for a whole run.
const OF_RUN: &str = "t1";
/// The version of tokens that are for one part of a run.
const OF_PART: &str = "t2";

/// The domain separator of the MAC, so that no signature of a body or a webhook is valid as a token.
const DOMAIN: &[u8] = b"reelhook callback token\n";

/// 192 bits; base64 of 24 bytes has no left-over bits.
const MAC_BYTES: usize = 24;

/// Longest token that is verified: a job id and a part of 340 bytes together fit in it.
const MAX_TOKEN_BYTES: usize = 512;

/// What the bearer of a token may report on: a run of a job, or one part of that run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The job (or other aggregate) that callbacks are about; not empty, up to 340 bytes together with the part.
    pub job_id: String,
    /// The run of that job; the receiver of the callback must check that it is the current one.
    pub attempt: u32,
    /// The part of the run, a short id such as that of a scene or a stage; not empty. A token of a part is valid for that
    /// part only, neither for another one nor for the run.
    pub part: Option<String>,
}

impl Claims {
    /// The claims on a whole run.
    pub fn of_run(job_id: impl Into<String>, attempt: u32) -> Self {
        Self { job_id: job_id.into(), attempt, part: None }
    }

    /// The claims on one part of this run.
    #[must_use]
    pub fn with_part(self, part: impl Into<String>) -> Self {
        Self { part: Some(part.into()), ..self }
    }
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

/// The token for these claims under the newest secret, the same each time: `t1.<job id>.<attempt>.<mac>`, of a part
/// `t2.<job id>.<attempt>.<part>.<mac>`.
pub fn mint(claims: &Claims, keys: &SigningKeys) -> CallbackToken {
    let text = token_text(claims, keys.newest().expose_secret());
    debug_assert!(text.len() <= MAX_TOKEN_BYTES, "a token of {} bytes", text.len());
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
    let known = keys.any(|secret| token_text(&claims, secret).as_bytes().ct_eq(token.as_bytes()));
    if !known {
        return Err(VerifyError::Mismatch);
    }
    Ok(Verified::new(claims))
}

/// What a text claims. Verification writes these claims as a token again, so another spelling of them is refused.
fn unverified_claims(token: &str) -> Option<Claims> {
    let parts: Vec<&str> = token.split('.').collect();
    let (job_id, attempt, part) = match parts[..] {
        [OF_RUN, job_id, attempt, _mac] => (job_id, attempt, None),
        [OF_PART, job_id, attempt, part, _mac] => (job_id, attempt, Some(decoded(part)?)),
        _ => return None,
    };
    Some(Claims { job_id: decoded(job_id)?, attempt: attempt.parse().ok()?, part })
}

/// A text that is not empty, from its base64url.
fn decoded(text: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    (!text.is_empty()).then_some(text)
}

fn token_text(claims: &Claims, secret: &str) -> String {
    let (job_id, attempt) = (URL_SAFE_NO_PAD.encode(&claims.job_id), claims.attempt);
    let signed = match &claims.part {
        None => format!("{OF_RUN}.{job_id}.{attempt}"),
        Some(part) => format!("{OF_PART}.{job_id}.{attempt}.{}", URL_SAFE_NO_PAD.encode(part)),
    };
    let mac = hmac_sha256(secret.as_bytes(), &[DOMAIN, signed.as_bytes()]);
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&mac[..MAC_BYTES]))
}
