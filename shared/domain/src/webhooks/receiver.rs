//! Whose words a receiver speaks, and what its answers mean (contract.md, Outbound webhooks; facts.md, Slack, Discord).

/// Whose words a receiver speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiverKind {
    /// Ours: a signed envelope.
    Own,
    /// Slack's incoming webhooks.
    Slack,
    /// Discord's webhooks.
    Discord,
}

/// What an answer means for the delivery and its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseClass {
    /// The receiver took it.
    Success,
    /// Not now: try again.
    Retryable,
    /// Too many at once, for everybody: wait as it says, which is no fault of this delivery.
    Throttled,
    /// This message will never be taken.
    Rejected,
    /// The receiver wants no more: the endpoint is disabled.
    Gone,
}

impl ReceiverKind {
    /// What a status means.
    pub fn classify(self, status: u16) -> ResponseClass {
        match (self, status) {
            (_, 200..=299) => ResponseClass::Success,
            (_, 410) => ResponseClass::Gone,
            (Self::Slack | Self::Discord, 429) => ResponseClass::Throttled,
            (Self::Own, _) => ResponseClass::Retryable,
            // A bad payload; a channel, app or hook that is gone or may not be written to.
            (Self::Slack, 400) => ResponseClass::Rejected,
            (Self::Slack, 403 | 404) => ResponseClass::Gone,
            (Self::Discord, 400 | 403 | 413) => ResponseClass::Rejected,
            (Self::Discord, 401 | 404) => ResponseClass::Gone,
            (Self::Slack | Self::Discord, _) => ResponseClass::Retryable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_means_its_own_things_by_its_answers() {
        use ResponseClass::{Gone, Rejected, Retryable, Success, Throttled};
        let check = |status, expected: [ResponseClass; 3]| {
            let all = [ReceiverKind::Own, ReceiverKind::Slack, ReceiverKind::Discord];
            assert_eq!(all.map(|receiver| receiver.classify(status)), expected, "{status}");
        };
        check(200, [Success, Success, Success]);
        check(204, [Success, Success, Success]);
        check(302, [Retryable, Retryable, Retryable]);
        check(400, [Retryable, Rejected, Rejected]);
        check(401, [Retryable, Retryable, Gone]);
        check(403, [Retryable, Gone, Rejected]);
        check(404, [Retryable, Gone, Gone]);
        check(410, [Gone, Gone, Gone]);
        check(413, [Retryable, Retryable, Rejected]);
        check(429, [Retryable, Throttled, Throttled]);
        check(503, [Retryable, Retryable, Retryable]);
    }
}
