//! The proof that a signature was checked, and the reasons why it was not accepted.

use std::fmt;

/// A value whose signature or token was checked; only this crate can make one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, to look at.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// The value, without the proof.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Hides the value: request bodies are not logged.
impl<T> fmt::Debug for Verified<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verified(..)")
    }
}

/// Why a signature or token was not accepted. For logs: a caller only learns that it was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// There is no signature, timestamp, id or token to check.
    #[error("the signature is missing")]
    Missing,
    /// It has not the form that its scheme asks for.
    #[error("the signature is malformed")]
    Malformed,
    /// It has the right form, and none of our secrets made it for this content.
    #[error("the signature does not match")]
    Mismatch,
    /// It was made longer ago than the tolerance allows.
    #[error("the signature is too old")]
    TooOld,
    /// Its timestamp is further ahead of our clock than the tolerance allows.
    #[error("the signature is from the future")]
    TooNew,
}
