//! The hex HMAC-SHA256 over the exact body bytes that seeds 001 to 004 send and check.

use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use crate::mac::{any_key, hmac_sha256};
use crate::{SigningKeys, Verified, VerifyError};

const PREFIX: &str = "sha256=";

/// `X-StreamGank-Signature`: `sha256=` and [`hex_signature`].
pub fn signature(body: &[u8], keys: &SigningKeys) -> String {
    format!("{PREFIX}{}", hex_signature(body, keys))
}

/// `X-Webhook-Signature` of VidBuilder: the bare lowercase hex HMAC-SHA256 of the body. The key is the UTF-8 bytes of the
/// newest secret, also where it reads `whsec_…`: receivers of this header use the text as it is.
pub fn hex_signature(body: &[u8], keys: &SigningKeys) -> String {
    hex::encode(hmac_sha256(keys.newest().expose_secret().as_bytes(), &[body]))
}

/// Checks a header of either form, in either case of hex, against any of the secrets. `raw` is the body as it came,
/// before any parsing.
///
/// # Errors
/// `Missing` for an empty header, `Malformed` when it is not 32 bytes of hex, `Mismatch` when no secret made it.
pub fn verify_hex<'a>(raw: &'a [u8], header: &str, keys: &SigningKeys) -> Result<Verified<&'a [u8]>, VerifyError> {
    let header = header.trim();
    if header.is_empty() {
        return Err(VerifyError::Missing);
    }
    let digits = header.strip_prefix(PREFIX).unwrap_or(header);
    let mut given = [0; 32];
    hex::decode_to_slice(digits, &mut given).map_err(|_| VerifyError::Malformed)?;
    if !any_key(keys, |secret| hmac_sha256(secret.as_bytes(), &[raw]).ct_eq(&given)) {
        return Err(VerifyError::Mismatch);
    }
    Ok(Verified::new(raw))
}
