//! HMAC-SHA256 and "does any of our secrets match", shared by every signature scheme here.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::Choice;

use crate::SigningKeys;

/// HMAC-SHA256 over the parts, one after the other.
pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Whether any secret matches. All are tried, so that the time taken does not tell which one did.
pub(crate) fn any_key(keys: &SigningKeys, matches: impl Fn(&str) -> Choice) -> bool {
    keys.iter().fold(Choice::from(0), |found, secret| found | matches(secret)).into()
}
