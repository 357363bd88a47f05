//! The kind of a receiver: the form of its webhooks, and what its responses mean (docs/contract/webhooks.md, Chat
//! services).

use reelhook_domain::ResponseClass;

/// The kind of a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiverKind {
    /// A receiver of our own webhooks, which are signed.
    Own,
    /// Slack's incoming webhooks.
    Slack,
    /// Discord's webhooks.
    Discord,
}

impl ReceiverKind {
    /// What a response status means.
    pub fn classify(self, status: u16) -> ResponseClass {
        match (self, status) {
            (_, 200..=299) => ResponseClass::Success,
            (_, 410) => ResponseClass::Gone,
            (Self::Slack | Self::Discord, 429) => ResponseClass::Throttled,
            (Self::Own, _) => ResponseClass::Retryable,
            // 400 is a bad payload; 403 and 404 are a channel, app or webhook that is gone or read-only.
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
    fn a_status_means_what_the_service_documents() {
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
