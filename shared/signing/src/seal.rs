//! Encryption of secrets at rest with AES-256-GCM. The key is stored elsewhere, and each ciphertext is bound to its
//! owner.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest, Sha256};

use crate::SigningKeys;

const VERSION: &str = "a1";
/// The domain separator of key derivation, so that the same secret elsewhere gives another key.
const DOMAIN: &[u8] = b"reelhook sealing key\n";

/// Why a sealed text can't be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The text is not of the form that [`SealingKeys::seal`] returns.
    #[error("sealed text is malformed")]
    Malformed,
    /// None of the keys sealed it.
    #[error("sealed text was made with an unknown key")]
    UnknownKey,
    /// It was altered, or belongs to another owner.
    #[error("sealed text was altered, or belongs to another owner")]
    Changed,
}

/// Keys for sealing, newest first: the newest one seals, any of them opens.
pub struct SealingKeys(Vec<(String, LessSafeKey)>);

impl SealingKeys {
    /// Derives keys from secrets, which must have enough entropy.
    pub fn new(texts: &SigningKeys) -> Self {
        let key = |text: &str| {
            let bytes = Sha256::new().chain_update(DOMAIN).chain_update(text).finalize();
            // The identifier is a hash of the key; it reveals nothing about the key.
            let id = hex::encode(&Sha256::digest(bytes)[..4]);
            let key = UnboundKey::new(&AES_256_GCM, &bytes).expect("AES-256 takes a key of 32 bytes");
            (id, LessSafeKey::new(key))
        };
        Self(texts.iter().map(key).collect())
    }

    /// Seals a text that belongs to `owner`. Never use the same `random` twice, because the nonce is derived from it.
    pub fn seal(&self, text: &str, owner: &str, random: u128) -> String {
        let (id, key) = &self.0[0];
        let nonce: [u8; NONCE_LEN] = Sha256::digest(random.to_be_bytes())[..NONCE_LEN].try_into().expect("12 bytes");
        let mut bytes = text.as_bytes().to_vec();
        let sealed = key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(owner), &mut bytes);
        sealed.expect("a text is shorter than AES-GCM's limit");
        format!("{VERSION}.{id}.{}.{}", STANDARD.encode(nonce), STANDARD.encode(bytes))
    }

    /// Whether the newest key sealed this text.
    pub fn is_current(&self, sealed: &str) -> bool {
        sealed.split('.').nth(1) == Some(self.0[0].0.as_str())
    }

    /// Opens a text that was sealed for `owner`.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(&self, sealed: &str, owner: &str) -> Result<String, SealError> {
        let parts: Vec<&str> = sealed.split('.').collect();
        let [VERSION, id, nonce, bytes] = parts[..] else { return Err(SealError::Malformed) };
        let decode = |text: &str| STANDARD.decode(text).map_err(|_| SealError::Malformed);
        let (_, key) = self.0.iter().find(|(known, _)| known == id).ok_or(SealError::UnknownKey)?;
        let nonce: [u8; NONCE_LEN] = decode(nonce)?.try_into().map_err(|_| SealError::Malformed)?;
        let mut bytes = decode(bytes)?;
        let opened = key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(owner), &mut bytes);
        let opened = opened.map_err(|_| SealError::Changed)?;
        String::from_utf8(opened.to_vec()).map_err(|_| SealError::Malformed)
    }
}

impl std::fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealingKeys({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> SealingKeys {
        SealingKeys::new(&SigningKeys::parse(text).unwrap())
    }

    #[test]
    fn sealed_text_opens_only_unchanged_for_its_owner_and_with_its_key() {
        let sealed = keys("old").seal("whsec_a secret", "ep_1", 1);
        assert!(!sealed.contains("whsec"));
        let open = |sealed: &str, owner: &str, texts: &str| keys(texts).open(sealed, owner);
        assert_eq!(open(&sealed, "ep_1", "new,old").as_deref(), Ok("whsec_a secret"));
        assert!(keys("old").is_current(&sealed) && !keys("new,old").is_current(&sealed));
        assert_eq!(open(&sealed, "ep_2", "old"), Err(SealError::Changed));
        assert_eq!(open(&sealed, "ep_1", "new"), Err(SealError::UnknownKey));
        assert_eq!(open("whsec_a secret", "ep_1", "old"), Err(SealError::Malformed));
        let mut changed = sealed.clone().into_bytes();
        let last = changed.len() - 5;
        changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
        assert_eq!(open(std::str::from_utf8(&changed).unwrap(), "ep_1", "old"), Err(SealError::Changed));
        assert_ne!(keys("old").seal("whsec_a secret", "ep_1", 2), sealed, "another nonce");
        assert_eq!(format!("{:?}", keys("old,new")), "SealingKeys(2)");
    }
}
