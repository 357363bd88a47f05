//! Signatures and secrets: signs what we send to receivers, verifies what workers send, and proves each verification by
//! a type.

pub mod asymmetric;
pub mod js_json;
mod keys;
mod mac;
mod seal;
pub mod session_token;
pub mod standard;
pub mod stream_token;
pub mod streamgank;
pub mod token;
mod verified;

pub use asymmetric::PrivateKey;
pub use keys::{SigningKeys, fingerprint, former_fingerprints, hash_key, same_hash, same_secret};
pub use seal::{SealError, SealingKeys};
pub use token::{CallbackToken, Claims};
pub use verified::{Verified, VerifyError};
