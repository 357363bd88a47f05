//! Which versions fanout has to process: those with an effect that something outside of the item waits for.

use reelhook_domain::Effect;

use crate::outbox::source::FanoutSource;

/// What a version needs of fanout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FanoutNeed {
    /// Nothing: the item keeps what the version logged and showed, until a later version packs it into rows.
    Nothing,
    /// Hints for viewers, if there are any.
    Viewers,
    /// Rows, webhooks or messages.
    Effects,
}

/// What a version needs of fanout.
pub fn fanout_need<A: FanoutSource>(of: &A) -> FanoutNeed {
    let keeps_history = of.keeps_history();
    of.outbox().iter().map(|effect| need_of(effect, keeps_history)).max().unwrap_or(FanoutNeed::Nothing)
}

fn need_of(effect: &Effect, keeps_history: bool) -> FanoutNeed {
    match effect {
        Effect::Log { .. } if keeps_history => FanoutNeed::Nothing,
        Effect::Live { .. } if keeps_history => FanoutNeed::Viewers,
        _ => FanoutNeed::Effects,
    }
}

#[cfg(test)]
mod tests {
    use reelhook_domain::{Live, LogEvent, LogLevel};
    use serde_json::Value;

    use super::*;

    fn log() -> Effect {
        let (event, message) = (LogEvent::Note, "m".to_owned());
        Effect::Log { event, level: LogLevel::Info, message, details: Value::Null }
    }

    fn live() -> Effect {
        Effect::Live { events: vec![Live::Job], after: 1 }
    }

    #[test]
    fn what_the_item_keeps_needs_no_fanout_unless_viewers_wait_for_it() {
        assert_eq!(need_of(&log(), true), FanoutNeed::Nothing);
        assert_eq!(need_of(&live(), true), FanoutNeed::Viewers);
        assert_eq!(need_of(&log(), false), FanoutNeed::Effects, "it becomes a row");
        assert_eq!(need_of(&live(), false), FanoutNeed::Effects, "it becomes a row");
    }

    #[test]
    fn every_other_effect_needs_fanout() {
        for effect in [
            Effect::Start { delay_s: 0 },
            Effect::FreeSlot { slot: "a.1.1".to_owned() },
            Effect::Draw { hints: 1, delay_s: 0 },
            Effect::Purge,
        ] {
            assert_eq!(need_of(&effect, true), FanoutNeed::Effects, "{effect:?}");
        }
        assert_eq!(
            [log(), live(), Effect::Purge].iter().map(|effect| need_of(effect, true)).max(),
            Some(FanoutNeed::Effects)
        );
    }
}
