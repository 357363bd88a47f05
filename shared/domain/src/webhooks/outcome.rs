//! The outcome of an attempt, and what a response means for the delivery and its endpoint.

use std::time::Duration;

/// What a response means for the delivery and its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseClass {
    /// The receiver accepted the webhook.
    Success,
    /// The receiver did not accept the webhook now: it is sent again.
    Retryable,
    /// The receiver is overloaded for all senders: the delivery waits as requested, and the attempt does not count.
    Throttled,
    /// The receiver will never accept this webhook.
    Rejected,
    /// The receiver wants no further webhooks: the endpoint is disabled.
    Gone,
}

/// The outcome of an attempt, or the reason why nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A response came.
    Answered {
        /// HTTP status.
        status: u16,
        /// What the response means.
        class: ResponseClass,
        /// The wait that the response requested.
        retry_after: Option<Duration>,
    },
    /// No response came; with the error's code.
    NoAnswer(&'static str),
    /// The endpoint is disabled; nothing was sent.
    Disabled,
    /// The endpoint is no longer configured; nothing was sent.
    Gone,
    /// The event's row has expired; nothing was sent.
    Empty,
    /// A later event replaces this one; nothing more is sent.
    Superseded,
}
