//! Digests as text: ids, keys and tags that follow from contents.

use sha2::{Digest, Sha256};

/// The SHA-256 of these bytes in lowercase hexadecimal digits, two for each byte.
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(bytes))
}
