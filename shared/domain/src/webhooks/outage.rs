//! The stages of an endpoint's outage, each of which is one operational event, and the levels of its warnings.

use strum::VariantArray;

use crate::{EndpointId, EventId, IdError, Timestamp};

/// How much of its disable policy an endpoint has used when its operator is warned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, VariantArray)]
pub enum WarningLevel {
    /// The endpoint fails at all.
    Failing,
    /// Half is used.
    Half,
    /// Three quarters are used.
    ThreeQuarters,
    /// 90 percent are used: the last warning before it is disabled.
    Last,
}

impl WarningLevel {
    /// The level in percent, in the form that stores and wire formats have.
    pub const fn percent(self) -> u8 {
        match self {
            Self::Failing => 1,
            Self::Half => 50,
            Self::ThreeQuarters => 75,
            Self::Last => 90,
        }
    }

    /// The highest level that this percentage reaches; none for 0.
    pub fn reached(percent: u64) -> Option<Self> {
        Self::VARIANTS.iter().copied().rev().find(|level| u64::from(level.percent()) <= percent)
    }
}

/// A stage of an endpoint's outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutageStage {
    /// The endpoint fails, and its operator is warned at this level.
    Warned(WarningLevel),
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
            Self::Warned(level) => level.percent(),
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
        assert_eq!(id(OutageStage::Warned(WarningLevel::Half)), "ep_1.1704110400000.50");
        assert_eq!(id(OutageStage::Disabled), "ep_1.1704110400000.100");
        assert_eq!(id(OutageStage::Recovered), "ep_1.1704110400000.101");
    }

    #[test]
    fn each_percentage_reaches_the_highest_level_below_it() {
        for &level in WarningLevel::VARIANTS {
            assert_eq!(WarningLevel::reached(u64::from(level.percent())), Some(level));
        }
        let expected = [(0, None), (49, Some(1)), (74, Some(50)), (89, Some(75)), (1000, Some(90))];
        for (percent, level) in expected {
            assert_eq!(WarningLevel::reached(percent).map(WarningLevel::percent), level, "{percent}");
        }
    }
}
