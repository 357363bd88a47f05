//! Signatures and secrets: signs what we send to receivers, verifies what workers send, and proves each verification by
//! a type.

pub mod asymmetric;
mod claims;
pub mod js_json;
pub mod jwt;
mod keys;
mod mac;
mod seal;
pub mod standard;
pub mod streamgank;
mod token;
mod verified;

pub use asymmetric::PrivateKey;
pub use claims::{ClipClaims, RunClaims, SessionClaims, StreamClaims, SubjectClaims, TaskClaims};
pub use keys::{SigningKeys, fingerprint, former_fingerprints, hash_key, same_hash, same_secret};
pub use seal::{SealError, SealingKeys};
pub use token::{Claims, SignedToken};
pub use verified::{Verified, VerifyError};
