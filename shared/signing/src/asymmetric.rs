//! Standard Webhooks 1.0.0, asymmetric scheme `v1a` (ed25519): receivers have a public key, with which they can't sign.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::standard::{check_headers, signed_bytes};
use crate::{Verified, VerifyError};

const PUBLIC_PREFIX: &str = "whpk_";
const VERSION: &str = "v1a";

/// A private key for signing; `Debug` shows only its public key.
#[derive(Clone)]
pub struct PrivateKey(Arc<Ed25519KeyPair>);

impl PrivateKey {
    /// Creates the key from these 32 secret bytes; `None` if they can't be a key.
    pub fn from_seed(seed: &[u8; 32]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().map(|pair| Self(Arc::new(pair)))
    }

    /// The public key: `whpk_` and base64.
    pub fn public(&self) -> String {
        format!("{PUBLIC_PREFIX}{}", STANDARD.encode(self.0.public_key().as_ref()))
    }

    /// Signs `{id}.{timestamp}.{body}`; the result is `v1a,<base64>`. `id` must not be empty or contain a `.`.
    pub fn sign(&self, id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
        let signature = self.0.sign(&signed_bytes(id, &timestamp_seconds.to_string(), body));
        format!("{VERSION},{}", STANDARD.encode(signature.as_ref()))
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivateKey({})", self.public())
    }
}

/// The `x` of a public key's JSON Web Key (RFC 8037); `None` if the text is not a `whpk_…` key.
pub fn jwk_x(public: &str) -> Option<String> {
    public_bytes(public).map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}

/// Verifies the three headers with any of the public keys (`whpk_…`). `body` must be the received bytes, before any
/// parsing; tokens of other versions are ignored.
///
/// # Errors
/// See [`crate::standard::verify`].
pub fn verify<'a>(
    id: &str,
    timestamp: &str,
    signature_header: &str,
    body: &'a [u8],
    public_keys: &[String],
    now_seconds: i64,
) -> Result<Verified<&'a [u8]>, VerifyError> {
    check_headers(id, timestamp, signature_header, now_seconds)?;
    let signed = signed_bytes(id, timestamp, body);
    let tokens = signature_header.split(' ').filter_map(|token| token.split_once(','));
    let mut signatures =
        tokens.filter(|(version, _)| *version == VERSION).filter_map(|(_, text)| STANDARD.decode(text).ok());
    let keys: Vec<Vec<u8>> = public_keys.iter().filter_map(|key| public_bytes(key)).collect();
    let known = signatures.any(|signature| {
        keys.iter().any(|key| UnparsedPublicKey::new(&ED25519, key).verify(&signed, &signature).is_ok())
    });
    if known { Ok(Verified::new(body)) } else { Err(VerifyError::Mismatch) }
}

fn public_bytes(public: &str) -> Option<Vec<u8>> {
    STANDARD.decode(public.strip_prefix(PUBLIC_PREFIX)?).ok().filter(|bytes| bytes.len() == 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_704_110_400;

    #[test]
    fn a_signature_matches_rfc_8032_and_verifies_only_with_its_key() {
        // RFC 8032, 7.1, test 1: seed and public key.
        let seed: [u8; 32] = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
            .unwrap()
            .try_into()
            .unwrap();
        let key = PrivateKey::from_seed(&seed).unwrap();
        let expected = hex::decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
        assert_eq!(key.public(), format!("whpk_{}", STANDARD.encode(expected)));
        let other = PrivateKey::from_seed(&[7; 32]).unwrap();
        let header = format!("v1,AAAA {} {}", other.sign("msg_1", NOW, b"body"), key.sign("msg_1", NOW, b"body"));
        let check = |id: &str, body: &'static [u8], keys: &[&PrivateKey], now: i64| {
            let keys: Vec<String> = keys.iter().map(|key| key.public()).collect();
            verify(id, &NOW.to_string(), &header, body, &keys, now).map(drop)
        };
        assert_eq!(check("msg_1", b"body", &[&key], NOW), Ok(()));
        assert_eq!(check("msg_1", b"body", &[&other], NOW + 300), Ok(()));
        assert_eq!(
            check("msg_1", b"body", &[&PrivateKey::from_seed(&[8; 32]).unwrap()], NOW),
            Err(VerifyError::Mismatch)
        );
        assert_eq!(check("msg_1", b"Body", &[&key], NOW), Err(VerifyError::Mismatch));
        assert_eq!(check("msg_2", b"body", &[&key], NOW), Err(VerifyError::Mismatch));
        assert_eq!(check("msg_1", b"body", &[], NOW), Err(VerifyError::Mismatch));
        assert_eq!(check("msg_1", b"body", &[&key], NOW + 301), Err(VerifyError::TooOld));
        assert_eq!(jwk_x(&key.public()).unwrap(), "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "RFC 8037, A.2");
        assert_eq!(jwk_x("whsec_AAAA"), None);
        assert_eq!(format!("{key:?}"), format!("PrivateKey({})", key.public()), "and nothing of the seed");
        assert_eq!(jwk_x(&format!("whpk_{}", STANDARD.encode([7; 31]))), None, "31 bytes are no key");
    }
}
