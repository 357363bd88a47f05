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
        let (busy, operation, text) = match &self {
            Self::Busy { operation, source } => (true, *operation, source.to_string()),
            Self::Refused { operation, source } => (false, *operation, source.to_string()),
            Self::Unreadable { operation, reason } => (false, *operation, reason.clone()),
        };
        let copy = || {
            let source = text.clone().into();
            if busy { Self::Busy { operation, source } } else { Self::Refused { operation, source } }
        };
        (0..count).map(|_| copy()).collect()
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
