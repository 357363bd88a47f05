//! Stream tokens: an EventSource or a WebSocket of another origin can't send headers, so its URL contains a token for
//! one subject.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::mac::hmac_sha256;
use crate::{SigningKeys, VerifyError};

const VERSION: &str = "s1";
/// The domain separator of the MAC, so that no other signature of ours is valid as a token.
const DOMAIN: &[u8] = b"reelhook stream token\n";
/// 192 bits; base64 of 24 bytes has no left-over bits.
const MAC_BYTES: usize = 24;
/// Longer tokens are rejected unread.
const MAX_TOKEN_BYTES: usize = 512;

/// Creates the token `s1.<subject>.<expiry>.<mac>` under the newest secret; `expires` is in Unix seconds.
pub fn mint(subject: &str, expires: i64, keys: &SigningKeys) -> SecretString {
    SecretString::from(text(subject, expires, keys.newest().expose_secret()))
}

/// Verifies that a token is for this subject and still valid at `now` (Unix seconds).
///
/// # Errors
/// `Missing` for an empty text, `Malformed` for a text that is not a token, `TooOld` for an expired token, `Mismatch`
/// if it is for another subject or no secret made it.
pub fn verify(token: &str, subject: &str, now: i64, keys: &SigningKeys) -> Result<(), VerifyError> {
    if token.is_empty() {
        return Err(VerifyError::Missing);
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Err(VerifyError::Malformed);
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [VERSION, _, expires, _] = parts[..] else { return Err(VerifyError::Malformed) };
    let expires: i64 = expires.parse().map_err(|_| VerifyError::Malformed)?;
    if !keys.any(|secret| text(subject, expires, secret).as_bytes().ct_eq(token.as_bytes())) {
        return Err(VerifyError::Mismatch);
    }
    if expires <= now { Err(VerifyError::TooOld) } else { Ok(()) }
}

fn text(subject: &str, expires: i64, secret: &str) -> String {
    let signed = format!("{VERSION}.{}.{expires}", URL_SAFE_NO_PAD.encode(subject));
    let mac = hmac_sha256(secret.as_bytes(), &[DOMAIN, signed.as_bytes()]);
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&mac[..MAC_BYTES]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_valid_for_its_subject_until_it_expires() {
        let keys = |text: &str| SigningKeys::parse(text).unwrap();
        let token = mint("job:job_1", 1000, &keys("old"));
        let token = token.expose_secret();
        let check = |subject: &str, now: i64, secrets: &str| verify(token, subject, now, &keys(secrets));
        assert_eq!(check("job:job_1", 999, "new,old"), Ok(()));
        assert_eq!(check("job:job_1", 1000, "old"), Err(VerifyError::TooOld));
        assert_eq!(check("job:job_2", 1, "old"), Err(VerifyError::Mismatch));
        assert_eq!(check("job:job_1", 1, "new"), Err(VerifyError::Mismatch));
        assert_eq!(verify("", "job:job_1", 1, &keys("old")), Err(VerifyError::Missing));
        let longer = token.replace(".1000.", ".9000.");
        assert_eq!(verify(&longer, "job:job_1", 1, &keys("old")), Err(VerifyError::Mismatch));
        assert_eq!(verify("t1.a.1.b", "job:job_1", 1, &keys("old")), Err(VerifyError::Malformed));
    }
}
