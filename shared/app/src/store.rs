//! The errors and results that all stores have in common.

/// The error of a store operation.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store throttles, or can't be reached; the same call may succeed later.
    #[error("store is busy during `{operation}`")]
    Busy {
        /// The operation.
        operation: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store refused the call, for example for a missing permission or table; the same call will fail again.
    #[error("store refused `{operation}`")]
    Refused {
        /// The operation.
        operation: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A stored item can't be parsed.
    #[error("item of `{operation}` can't be read: {reason}")]
    Unreadable {
        /// The operation.
        operation: &'static str,
        /// The reason.
        reason: String,
    },
}

impl StoreError {
    /// Whether the same call may succeed later.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Busy { .. } => true,
            Self::Refused { .. } | Self::Unreadable { .. } => false,
        }
    }

    /// Copies the error for each of the `count` items of one call.
    pub fn for_each(self, count: usize) -> Vec<Self> {
        (0..count).map(|_| self.copy()).collect()
    }

    /// The same error, with the text of its cause.
    pub(crate) fn copy(&self) -> Self {
        match *self {
            Self::Busy { operation, ref source } => Self::Busy { operation, source: source.to_string().into() },
            Self::Refused { operation, ref source } => Self::Refused { operation, source: source.to_string().into() },
            Self::Unreadable { operation, ref reason } => Self::Unreadable { operation, reason: reason.clone() },
        }
    }
}

/// The result of a conditional write.
#[derive(Debug, Clone, PartialEq)]
pub enum Saved<T> {
    /// The item was written.
    Done,
    /// Another writer was first; this is its item, if it could be read.
    Conflict(Option<Box<T>>),
}
