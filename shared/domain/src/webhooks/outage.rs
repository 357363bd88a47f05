//! The stages of an endpoint's outage, each of which is one operational event.

use crate::{EndpointId, EventId, IdError, Timestamp};

/// A stage of an endpoint's outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutageStage {
    /// The endpoint fails: this percentage of its disable policy is used, 1 to 99.
    Warned(u8),
    /// The endpoint is disabled.
    Disabled,
    /// The endpoint accepts webhooks again.
    Recovered,
}

impl OutageStage {
    /// The id of the stage's event: `<endpoint>.<time>.<number>`, the same however often it is notified. `at` is the time
    /// that identifies the stage: the start of the outage, or for [`Self::Disabled`] the time when it was disabled.
    ///
    /// # Errors
    /// [`IdError`] when the endpoint's id is too long.
    pub fn event_id(self, endpoint: &EndpointId, at: Timestamp) -> Result<EventId, IdError> {
        EventId::parse(&format!("{endpoint}.{}.{}", at.millis(), self.number()))
    }

    /// The stage's number in event ids. Numbers are part of stored ids: they never change.
    fn number(self) -> u8 {
        match self {
            Self::Warned(percent) => percent,
            Self::Disabled => 100,
            Self::Recovered => 101,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_ids_keep_their_text() {
        let endpoint = EndpointId::parse("ep_1").unwrap();
        let id = |stage: OutageStage| stage.event_id(&endpoint, Timestamp(1_704_110_400_000)).unwrap().to_string();
        assert_eq!(id(OutageStage::Warned(50)), "ep_1.1704110400000.50");
        assert_eq!(id(OutageStage::Disabled), "ep_1.1704110400000.100");
        assert_eq!(id(OutageStage::Recovered), "ep_1.1704110400000.101");
    }
}
