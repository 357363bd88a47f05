//! Calls per minute of one caller, leased in small blocks: each instance takes some of the minute's calls at a time.

use crate::Timestamp;

/// Milliseconds of a window.
const MINUTE_MS: i64 = 60_000;

/// What one instance holds of one caller's calls in one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Which minute, counted from the epoch.
    pub minute: i64,
    /// Leased and not used yet.
    left: u32,
    /// Used here.
    used: u32,
    /// Whether all calls of the minute are leased, here or elsewhere.
    empty: bool,
}

/// How many calls a minute takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimit {
    /// Of one caller, over all instances.
    pub per_minute: u32,
    /// Besides, calls that each instance lets in without counting them elsewhere: for callers who ask seldom.
    pub free: u32,
}

/// What to do with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Let it in.
    Admit,
    /// Lease so many calls, then ask again.
    Lease(u32),
    /// Refuse it; in so many seconds there are calls again.
    Refuse(u64),
}

impl Allowance {
    /// Nothing leased yet in the minute of `now`.
    pub fn new(now: Timestamp) -> Self {
        Self { minute: now.0.div_euclid(MINUTE_MS), left: 0, used: 0, empty: false }
    }

    /// Takes a call.
    ///
    /// A lease is half of what was used here, at least one call and at most a tenth of the limit: a caller who asks
    /// seldom keeps nothing from another instance, and one who asks often costs few writes.
    pub fn take(&mut self, now: Timestamp, limit: CallLimit) -> Step {
        if self.minute != now.0.div_euclid(MINUTE_MS) {
            *self = Self::new(now);
        }
        let free = self.used < limit.free;
        if free || self.left > 0 {
            self.left -= u32::from(!free);
            self.used += 1;
            return Step::Admit;
        }
        if self.empty {
            let end = (self.minute + 1) * MINUTE_MS;
            return Step::Refuse(u64::try_from((end - now.0 + 999) / 1000).unwrap_or(1).max(1));
        }
        Step::Lease((self.used / 2).clamp(1, (limit.per_minute / 10).max(1)))
    }

    /// Notes that of `asked` calls so many were granted; fewer mean that the minute has no more.
    pub fn lease(&mut self, requested: u32, granted: u32) {
        self.left += granted;
        self.empty |= granted < requested;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A minute's counter, as the table has it.
    struct Counter(u32);

    impl Counter {
        fn lease(&mut self, requested: u32, limit: u32) -> u32 {
            let before = self.0;
            self.0 += requested;
            limit.saturating_sub(before).min(requested)
        }
    }

    const LIMIT: CallLimit = CallLimit { per_minute: 100, free: 0 };

    fn call(instance: &mut Allowance, counter: &mut Counter, now: Timestamp, leases: &mut u32) -> bool {
        loop {
            match instance.take(now, LIMIT) {
                Step::Admit => return true,
                Step::Refuse(_) => return false,
                Step::Lease(requested) => {
                    *leases += 1;
                    instance.lease(requested, counter.lease(requested, LIMIT.per_minute));
                }
            }
        }
    }

    #[test]
    fn one_instance_lets_in_exactly_the_limit_with_few_leases() {
        let (now, mut counter, mut leases) = (Timestamp(90_000), Counter(0), 0);
        let mut instance = Allowance::new(now);
        let admitted = (0..500).filter(|_| call(&mut instance, &mut counter, now, &mut leases)).count();
        assert_eq!(admitted, 100);
        assert!(leases <= 20, "{leases} leases for 100 calls");
        assert_eq!(instance.take(now, LIMIT), Step::Refuse(30));
        assert_eq!(instance.take(Timestamp(119_999), LIMIT), Step::Refuse(1));
        assert_eq!(instance.take(Timestamp(120_000), LIMIT), Step::Lease(1), "a new minute");
    }

    #[test]
    fn many_instances_together_let_in_no_more_and_not_much_less() {
        for instances in [2, 7, 30, 100] {
            let (now, mut counter, mut leases) = (Timestamp(0), Counter(0), 0);
            let mut all = vec![Allowance::new(now); instances];
            let admitted =
                (0..1000).filter(|n| call(&mut all[n * 31 % instances], &mut counter, now, &mut leases)).count();
            assert_eq!(admitted, 100, "{instances} instances: in the end every lease is used");
        }
        // Where traffic ends with leases in hand, at most a third of the calls was kept from others.
        let (now, mut counter, mut leases) = (Timestamp(0), Counter(0), 0);
        let mut all = vec![Allowance::new(now); 10];
        let served = (0..60).filter(|n| call(&mut all[n % 10], &mut counter, now, &mut leases)).count();
        assert_eq!(served, 60);
        assert!(counter.0 <= 90, "{} leased for 60 calls", counter.0);
    }

    #[test]
    fn who_asks_seldom_needs_no_lease_where_some_calls_are_free() {
        let limit = CallLimit { per_minute: 600, free: 10 };
        let mut instance = Allowance::new(Timestamp(0));
        let steps: Vec<Step> = (0..11).map(|n| instance.take(Timestamp(n), limit)).collect();
        assert!(steps[..10].iter().all(|step| *step == Step::Admit));
        assert_eq!(steps[10], Step::Lease(5));
    }
}
