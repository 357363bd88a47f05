//! What every store can answer with.

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Too much at once, or not reachable: the same call may go through later.
    #[error("store is busy during `{operation}`")]
    Busy {
        /// What was asked.
        operation: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The same call will not go through later: a permission, a missing table, a bug.
    #[error("store refused `{operation}`")]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An item that can't be read.
    #[error("item of `{operation}` can't be read: {reason}")]
    Unreadable {
        /// What was asked.
        operation: &'static str,
        /// Why.
        reason: String,
    },
}

impl StoreError {
    /// Whether the same call may go through later.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Busy { .. } => true,
            Self::Refused { .. } | Self::Unreadable { .. } => false,
        }
    }

    /// The same failure for each of `count` things that one call was about.
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

/// What a conditional write gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Saved<T> {
    /// It was written.
    Done,
    /// Someone else wrote first; this is what they wrote, if it could be read.
    Conflict(Option<Box<T>>),
}
