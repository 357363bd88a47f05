//! JSON Web Tokens of owners (RFC 7519). The settings fix the algorithm; a token never chooses it (ADR 46).

mod verifier;

use std::fmt;
use std::str::FromStr;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;

use crate::{SigningKeys, Verified, VerifyError};

/// The maximum length of a token, in bytes; a longer one is rejected unread.
const TOKEN_LIMIT: usize = 8 * 1024;
/// The maximum number of keys of a set that are read.
const KEYS: usize = 64;
/// The minimum length of a secret, in bytes (RFC 7518, 3.2): a shorter one may be found from one token.
const SECRET_BYTES: usize = 32;
/// How far the issuer's clock and ours may differ, in seconds.
const LEEWAY_S: f64 = 60.0;

/// The algorithm of all tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JwtAlgorithm {
    /// HMAC-SHA256 with a shared secret.
    #[default]
    Hs256,
    /// RSA (PKCS #1 v1.5) with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl JwtAlgorithm {
    /// Whether a published key verifies the tokens, and not a secret.
    pub fn is_asymmetric(self) -> bool {
        match self {
            Self::Hs256 => false,
            Self::Rs256 | Self::Es256 => true,
        }
    }

    fn of_token(self) -> Algorithm {
        match self {
            Self::Hs256 => Algorithm::HS256,
            Self::Rs256 => Algorithm::RS256,
            Self::Es256 => Algorithm::ES256,
        }
    }

    fn of_key(self) -> KeyAlgorithm {
        match self {
            Self::Hs256 => KeyAlgorithm::HS256,
            Self::Rs256 => KeyAlgorithm::RS256,
            Self::Es256 => KeyAlgorithm::ES256,
        }
    }
}

impl FromStr for JwtAlgorithm {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "HS256" => Ok(Self::Hs256),
            "RS256" => Ok(Self::Rs256),
            "ES256" => Ok(Self::Es256),
            _ => Err("must be `HS256`, `RS256` or `ES256`"),
        }
    }
}

impl fmt::Display for JwtAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        })
    }
}

/// What a token must say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JwtRules {
    /// The `alg` of every token.
    pub algorithm: JwtAlgorithm,
    /// The required `iss`; none if any is accepted.
    pub issuer: Option<String>,
    /// The required `aud`; none if any is accepted.
    pub audience: Option<String>,
}

impl JwtRules {
    fn validation(&self) -> Validation {
        let mut validation = Validation::new(self.algorithm.of_token());
        // The claims are compared with the time of the request, in `Claims::check`.
        validation.validate_exp = false;
        validation.validate_aud = self.audience.is_some();
        let mut required = vec!["exp", "sub"];
        if let Some(issuer) = &self.issuer {
            required.push("iss");
            validation.set_issuer(&[issuer]);
        }
        if let Some(audience) = &self.audience {
            required.push("aud");
            validation.set_audience(&[audience]);
        }
        validation.set_required_spec_claims(&required);
        validation
    }
}

/// The keys that verify tokens.
#[derive(Debug, Clone)]
pub struct JwtKeys(Keys);

#[derive(Debug, Clone)]
enum Keys {
    /// Shared secrets, newest first.
    Secrets(Vec<DecodingKey>),
    /// The keys of a JWK Set.
    Published(Vec<PublishedKey>),
}

/// A key of a JWK Set (RFC 7517).
#[derive(Debug, Clone)]
struct PublishedKey {
    id: Option<String>,
    key: DecodingKey,
}

/// A JWK Set whose keys are read one by one, because one that we do not understand must not hide the others.
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl JwtKeys {
    /// The keys of secrets; none if one of them has fewer than 32 bytes.
    pub fn of_secrets(secrets: &SigningKeys) -> Option<Self> {
        verifier::install();
        let key = |secret: &str| {
            if secret.len() < SECRET_BYTES {
                return None;
            }
            DecodingKey::from_secret(secret.as_bytes()).ok()
        };
        secrets.iter().map(key).collect::<Option<Vec<DecodingKey>>>().map(|keys| Self(Keys::Secrets(keys)))
    }

    /// The keys of a JWK Set that may verify signatures of this algorithm; none if the text is not a JWK Set.
    pub fn of_set(json: &[u8], algorithm: JwtAlgorithm) -> Option<Self> {
        verifier::install();
        let set: KeySet = serde_json::from_slice(json).ok()?;
        let keys = set.keys.into_iter().take(KEYS).filter_map(|key| PublishedKey::read(key, algorithm));
        Some(Self(Keys::Published(keys.collect())))
    }

    /// Whether there is a key that may have signed this token, according to its `kid`. False for a text that is not a
    /// token.
    pub fn has_key_of(&self, token: &str) -> bool {
        header_key_id(token).is_ok_and(|id| self.candidates(id.as_deref()).next().is_some())
    }

    /// The keys that a token with this `kid` may be signed with. A token without one fits a set of one key.
    fn candidates<'a>(&'a self, id: Option<&'a str>) -> Box<dyn Iterator<Item = &'a DecodingKey> + 'a> {
        match &self.0 {
            Keys::Secrets(keys) => Box::new(keys.iter()),
            Keys::Published(keys) => {
                let is_only = keys.len() == 1;
                let fits = move |known: &&PublishedKey| match id {
                    Some(id) => known.id.as_deref() == Some(id),
                    None => is_only,
                };
                Box::new(keys.iter().filter(fits).map(|known| &known.key))
            }
        }
    }
}

impl PublishedKey {
    fn read(json: Value, algorithm: JwtAlgorithm) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(json).ok()?;
        let signs = jwk.common.public_key_use.as_ref().is_none_or(|of| *of == PublicKeyUse::Signature);
        let is_of_algorithm = jwk.common.key_algorithm.is_none_or(|of| of == algorithm.of_key());
        let has_parameters = match (algorithm, &jwk.algorithm) {
            (JwtAlgorithm::Rs256, AlgorithmParameters::RSA(_)) => true,
            (JwtAlgorithm::Es256, AlgorithmParameters::EllipticCurve(point)) => point.curve == EllipticCurve::P256,
            (JwtAlgorithm::Hs256 | JwtAlgorithm::Rs256 | JwtAlgorithm::Es256, _) => false,
        };
        if !(signs && is_of_algorithm && has_parameters) {
            return None;
        }
        Some(Self { key: DecodingKey::from_jwk(&jwk).ok()?, id: jwk.common.key_id })
    }
}

/// What a token says, besides what the rules require.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
}

impl Claims {
    /// Rejects a token before and after its time, with a tolerance of a minute; `now` is in Unix seconds.
    fn check(self, now: i64) -> Result<Verified<JwtClaims>, VerifyError> {
        let now = now as f64;
        if now >= self.exp + LEEWAY_S {
            return Err(VerifyError::TooOld);
        }
        if self.nbf.is_some_and(|from| now < from - LEEWAY_S) {
            return Err(VerifyError::TooNew);
        }
        Ok(Verified::new(JwtClaims { subject: self.sub }))
    }
}

/// The claims of a valid token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtClaims {
    /// `sub`: who the token is about. The caller must check its length and its characters.
    pub subject: String,
}

/// Verifies a token at `now` (Unix seconds): its signature with any key that it may be signed with, its issuer, its
/// audience and its times.
///
/// # Errors
/// `Missing` for an empty text, `Malformed` if it is longer than 8 KiB or not a token, `TooOld` after its `exp`, `TooNew`
/// before its `nbf`, `Mismatch` for a token of another algorithm, key, issuer or audience, or without `sub` or `exp`.
pub fn verify(token: &str, keys: &JwtKeys, rules: &JwtRules, now: i64) -> Result<Verified<JwtClaims>, VerifyError> {
    if token.is_empty() {
        return Err(VerifyError::Missing);
    }
    let id = header_key_id(token)?;
    let validation = rules.validation();
    let mut candidates = keys.candidates(id.as_deref());
    let claims = candidates.find_map(|key| decode::<Claims>(token, key, &validation).ok().map(|found| found.claims));
    claims.ok_or(VerifyError::Mismatch)?.check(now)
}

/// The `kid` of a token, before its signature is verified.
fn header_key_id(token: &str) -> Result<Option<String>, VerifyError> {
    if token.len() > TOKEN_LIMIT {
        return Err(VerifyError::Malformed);
    }
    decode_header(token).map(|header| header.kid).map_err(|_| VerifyError::Malformed)
}
