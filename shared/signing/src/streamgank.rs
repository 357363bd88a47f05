//! The hexadecimal HMAC-SHA256 over the exact body bytes, as seeds 001 to 004 send and verify it.

use subtle::ConstantTimeEq;

use crate::mac::hmac_sha256;
use crate::{SigningKeys, Verified, VerifyError};

const PREFIX: &str = "sha256=";

/// The value of `X-StreamGank-Signature`: `sha256=` and [`hex_signature`].
pub fn signature(body: &[u8], keys: &SigningKeys) -> String {
    format!("{PREFIX}{}", hex_signature(body, keys))
}

/// The value of VidBuilder's `X-Webhook-Signature`: the HMAC-SHA256 of the body in lowercase hexadecimal digits. The
/// key is the UTF-8 text of the newest secret, even if it starts with `whsec_`: receivers of this header use the text
/// unchanged.
pub fn hex_signature(body: &[u8], keys: &SigningKeys) -> String {
    keys.keys().next().map(|key| hex::encode(key.by_text().mac(&[body]))).unwrap_or_default()
}

/// Verifies a header of either form, in upper or lower case, with any of the secrets. `raw` must be the received bytes,
/// before any parsing.
///
/// # Errors
/// `Missing` for an empty header, `Malformed` if it is not 32 bytes in hexadecimal, `Mismatch` if no secret made it.
pub fn verify_hex<'a>(raw: &'a [u8], header: &str, keys: &SigningKeys) -> Result<Verified<&'a [u8]>, VerifyError> {
    let header = header.trim();
    if header.is_empty() {
        return Err(VerifyError::Missing);
    }
    let digits = header.strip_prefix(PREFIX).unwrap_or(header);
    let mut given = [0; 32];
    hex::decode_to_slice(digits, &mut given).map_err(|_| VerifyError::Malformed)?;
    if !keys.any(|secret| hmac_sha256(secret.as_bytes(), &[raw]).ct_eq(&given)) {
        return Err(VerifyError::Mismatch);
    }
    Ok(Verified::new(raw))
}
