//! The proof that a signature was verified, and the reasons for a rejection.

use std::fmt;

/// A value whose signature or token was verified. Only this crate can create one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns a reference to the value.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// Returns the value without the proof.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Hides the value, because request bodies must not be logged.
impl<T> fmt::Debug for Verified<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verified(..)")
    }
}

/// Why a signature or token was rejected. The reason is for logs; the caller only learns of the rejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// There is no signature, timestamp, id or token.
    #[error("the signature is missing")]
    Missing,
    /// The signature or token is not of the form that its scheme requires.
    #[error("the signature is malformed")]
    Malformed,
    /// The signature or token is well-formed, but none of our secrets made it for this content.
    #[error("the signature does not match")]
    Mismatch,
    /// The timestamp is older than the tolerance allows, or the token has expired.
    #[error("the signature is too old")]
    TooOld,
    /// The timestamp is further ahead of our clock than the tolerance allows.
    #[error("the timestamp of the signature is in the future")]
    TooNew,
}
