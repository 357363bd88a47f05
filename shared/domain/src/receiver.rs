//! Whose words a receiver speaks, and what its answers mean (contract.md, Outbound webhooks; facts.md, Slack, Discord).

/// Whose words a receiver speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// Ours: a signed envelope.
    Own,
    /// Slack's incoming webhooks.
    Slack,
    /// Discord's webhooks.
    Discord,
}

/// What an answer means for the delivery and its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// The receiver took it.
    Taken,
    /// Not now: try again.
    Later,
    /// Too many at once, for everybody: wait as it says, which is no fault of this delivery.
    Busy,
    /// This message will never be taken.
    Refused,
    /// The receiver wants no more: the endpoint is disabled.
    Unwanted,
}

impl Receiver {
    /// What a status means.
    pub fn judge(self, status: u16) -> Judgement {
        match (self, status) {
            (_, 200..=299) => Judgement::Taken,
            (_, 410) => Judgement::Unwanted,
            (Self::Slack | Self::Discord, 429) => Judgement::Busy,
            (Self::Own, _) => Judgement::Later,
            // A bad payload; a channel, app or hook that is gone or may not be written to.
            (Self::Slack, 400) => Judgement::Refused,
            (Self::Slack, 403 | 404) => Judgement::Unwanted,
            (Self::Discord, 400 | 403 | 413) => Judgement::Refused,
            (Self::Discord, 401 | 404) => Judgement::Unwanted,
            (Self::Slack | Self::Discord, _) => Judgement::Later,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_means_its_own_things_by_its_answers() {
        use Judgement::{Busy, Later, Refused, Taken, Unwanted};
        let check = |status, expected: [Judgement; 3]| {
            let all = [Receiver::Own, Receiver::Slack, Receiver::Discord];
            assert_eq!(all.map(|receiver| receiver.judge(status)), expected, "{status}");
        };
        check(200, [Taken, Taken, Taken]);
        check(204, [Taken, Taken, Taken]);
        check(302, [Later, Later, Later]);
        check(400, [Later, Refused, Refused]);
        check(401, [Later, Later, Unwanted]);
        check(403, [Later, Unwanted, Refused]);
        check(404, [Later, Unwanted, Unwanted]);
        check(410, [Unwanted, Unwanted, Unwanted]);
        check(413, [Later, Later, Refused]);
        check(429, [Later, Busy, Busy]);
        check(503, [Later, Later, Later]);
    }
}
