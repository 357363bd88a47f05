//! HMAC-SHA256 and the test against several secrets, for every signature scheme of this crate.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::Choice;

use crate::SigningKeys;

/// The HMAC-SHA256 of the concatenated parts.
pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Whether any secret matches. All of them are tested, so that the time does not reveal which one matches.
pub(crate) fn any_secret(keys: &SigningKeys, matches: impl Fn(&str) -> Choice) -> bool {
    keys.iter().fold(Choice::from(0), |found, secret| found | matches(secret)).into()
}
