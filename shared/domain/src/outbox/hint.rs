//! Hints for the launcher: an early one on its way makes another one useless.

use std::time::Duration;

use crate::Timestamp;
use crate::outbox::effect::whole_seconds;

/// A hint that arrives so soon is not overtaken by another one.
const SOON: Duration = Duration::from_secs(1);

/// The next hint for the launcher, and its delay in seconds, when it next has work at `next`; none if the hint on its way,
/// for `hinted`, is early enough.
pub(crate) fn next_hint(next: Timestamp, hinted: Option<Timestamp>, now: Timestamp) -> Option<(Timestamp, u32)> {
    let soon = now.after(SOON);
    let at = match hinted {
        // The launcher works on this hint: it does more than one thing with it, and the next hint is for what is left.
        Some(hinted) if hinted <= now => next.max(soon),
        Some(hinted) if hinted <= soon || hinted <= next => return None,
        Some(_) | None => next.max(now),
    };
    let delay_s = whole_seconds(at.wait_from(now));
    Some((now.after(Duration::from_secs(delay_s.into())), delay_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn at(seconds: i64) -> Timestamp {
        Timestamp(NOW.0 + seconds * 1000)
    }

    #[test]
    fn a_hint_is_sent_unless_an_early_one_is_on_its_way() {
        let check = |next: i64, hinted: Option<i64>, expected: Option<u32>| {
            let hint = next_hint(at(next), hinted.map(at), NOW);
            assert_eq!(hint.map(|(_, delay)| delay), expected, "{next} {hinted:?}");
            assert_eq!(hint.map(|(at, _)| at), expected.map(|delay| at(delay.into())));
        };
        check(0, None, Some(0));
        check(-5, None, Some(0));
        check(20, None, Some(20));
        check(20, Some(30), Some(20));
        check(0, Some(30), Some(0));
        check(20, Some(20), None);
        check(20, Some(10), None);
        check(0, Some(1), None);
        check(0, Some(0), Some(1));
        check(0, Some(-100), Some(1));
        check(20, Some(-1), Some(20));
        check(5000, None, Some(900));
    }
}
