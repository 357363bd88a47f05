//! The rate limit of API calls: each instance leases a caller's calls of the minute in small blocks.

use std::time::Duration;

use crate::Timestamp;

/// The length of a window.
const MINUTE: Duration = Duration::from_secs(60);

/// One instance's lease on one caller's calls in one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// The minute, counted from the epoch.
    pub minute: i64,
    /// Leased calls that are not used yet.
    left: u32,
    /// Calls that this instance admitted.
    used: u32,
    /// Whether instances have leased all calls of the minute.
    exhausted: bool,
}

/// The limit on a caller's calls per minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimit {
    /// Calls of one caller per minute, summed over all instances.
    pub per_minute: u32,
    /// Additional calls that each instance admits without a lease, so that rare callers cost no write.
    pub free: u32,
}

/// The decision about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Admit the call.
    Admit,
    /// Lease this many calls, then decide again.
    Lease(u32),
    /// Refuse the call; the next window begins in this many seconds.
    Refuse(u64),
}

impl Allowance {
    /// An allowance for the minute of `now`, with nothing leased yet.
    pub fn new(now: Timestamp) -> Self {
        Self { minute: minute_of(now), left: 0, used: 0, exhausted: false }
    }

    /// Decides about a call.
    ///
    /// A lease is half of the calls used so far, at least one call and at most a tenth of the limit: a rare caller does
    /// not hold calls that another instance needs, and a frequent caller costs few writes.
    pub fn take(&mut self, now: Timestamp, limit: CallLimit) -> Step {
        if self.minute != minute_of(now) {
            *self = Self::new(now);
        }
        let free = self.used < limit.free;
        if free || self.left > 0 {
            self.left -= u32::from(!free);
            self.used += 1;
            return Step::Admit;
        }
        if self.exhausted {
            let wait = Timestamp::start_of_window(self.minute + 1, MINUTE).wait_from(now);
            return Step::Refuse(u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(1).max(1));
        }
        Step::Lease((self.used / 2).clamp(1, (limit.per_minute / 10).max(1)))
    }

    /// Records a lease. Fewer `granted` than `requested` calls mean that the minute's calls are exhausted.
    pub fn lease(&mut self, requested: u32, granted: u32) {
        self.left += granted;
        self.exhausted |= granted < requested;
    }
}

fn minute_of(now: Timestamp) -> i64 {
    now.window_index(MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stands in for the counter of a minute in the table.
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
    fn one_instance_admits_exactly_the_limit_with_few_leases() {
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
    fn many_instances_together_admit_at_most_the_limit_and_not_much_less() {
        for instances in [2, 7, 30, 100] {
            let (now, mut counter, mut leases) = (Timestamp::EPOCH, Counter(0), 0);
            let mut all = vec![Allowance::new(now); instances];
            let admitted =
                (0..1000).filter(|n| call(&mut all[n * 31 % instances], &mut counter, now, &mut leases)).count();
            assert_eq!(admitted, 100, "{instances} instances: in the end every lease is used");
        }
        // When traffic ends, unused leases hold back at most a third of the calls.
        let (now, mut counter, mut leases) = (Timestamp::EPOCH, Counter(0), 0);
        let mut all = vec![Allowance::new(now); 10];
        let served = (0..60).filter(|n| call(&mut all[n % 10], &mut counter, now, &mut leases)).count();
        assert_eq!(served, 60);
        assert!(counter.0 <= 90, "{} leased for 60 calls", counter.0);
    }

    #[test]
    fn a_rare_caller_needs_no_lease_when_some_calls_are_free() {
        let limit = CallLimit { per_minute: 600, free: 10 };
        let mut instance = Allowance::new(Timestamp::EPOCH);
        let steps: Vec<Step> = (0..11).map(|n| instance.take(Timestamp(n), limit)).collect();
        assert!(steps[..10].iter().all(|step| *step == Step::Admit));
        assert_eq!(steps[10], Step::Lease(5));
    }
}
