//! What is true of all jobs and slots: checked at every event.

use std::collections::BTreeMap;

use crate::agenda::Micros;

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

impl std::fmt::Display for Violation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Violation {}

/// Jobs and slots by what they do.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// MaxWorkers.
    pub max: i64,
    /// Jobs that a client has submitted, and that were not refused.
    pub submitted: i64,
    /// Jobs that are being created.
    pub creating: i64,
    /// Jobs that wait.
    pub waiting: i64,
    /// Jobs with a slot.
    pub holding: i64,
    /// Jobs that render, and have no slot any more.
    pub rendering: i64,
    /// Jobs that have ended.
    pub ended: i64,
    /// Jobs whose end `fanout` has processed.
    pub done: i64,
    /// Slots of runs that are over that were not given back yet.
    pub unfreed: i64,
    /// Tokens of launchers that have no job yet.
    pub in_hand: i64,
    /// Tokens of launchers that were killed.
    pub leaked: i64,
    /// Slots in use, as the admission item or rows say.
    pub used: i64,
    /// The longest time by which a job was older than one that started before it.
    pub most_overtaken: Micros,
    leaks: BTreeMap<u32, i64>,
    first: Option<Violation>,
}

impl Ledger {
    /// Nothing has happened yet.
    pub fn new(max_workers: u32) -> Self {
        Self { max: i64::from(max_workers), ..Self::default() }
    }

    /// Notes the first broken rule.
    pub fn violated(&mut self, text: impl FnOnce() -> String) {
        self.first.get_or_insert_with(|| Violation(text()));
    }

    /// Tokens of a bucket are lost with the launcher that took them.
    pub fn leak(&mut self, tokens: i64, bucket: u32) {
        self.in_hand -= tokens;
        self.leaked += tokens;
        *self.leaks.entry(bucket).or_default() += tokens;
    }

    /// Tokens of a bucket come back since its lease has expired: only those that were lost may be left in it.
    pub fn reclaim(&mut self, tokens: i64, bucket: u32) {
        let leaked = self.leaks.remove(&bucket).unwrap_or_default();
        if tokens != leaked {
            self.violated(|| format!("{tokens} tokens came back, but {leaked} were lost with killed launchers"));
        }
        self.used -= tokens;
        self.leaked -= tokens;
    }

    /// No token is left whose lease has expired.
    pub fn all_are_back(&mut self, is_expired: impl Fn(u32) -> bool) {
        let late: i64 = self.leaks.iter().filter(|(bucket, _)| is_expired(**bucket)).map(|(_, tokens)| tokens).sum();
        if late != 0 {
            self.violated(|| format!("{late} tokens of killed launchers did not come back after their lease"));
        }
    }

    /// Checks every rule.
    ///
    /// # Errors
    /// The first [`Violation`].
    pub fn check(&mut self) -> Result<(), Violation> {
        let Self { max, submitted, creating, waiting, holding, rendering, ended, .. } = *self;
        let Self { unfreed, in_hand, leaked, used, .. } = *self;
        if holding > max || used > max {
            self.violated(|| format!("{holding} jobs run and {used} slots are used, at most {max} may be"));
        }
        if submitted != creating + waiting + holding + rendering + ended {
            self.violated(|| {
                format!(
                    "{submitted} jobs were submitted, but {creating} are created, {waiting} wait, {holding} run, \
                     {rendering} render and {ended} have ended"
                )
            });
        }
        if used != holding + unfreed + in_hand + leaked {
            self.violated(|| {
                format!(
                    "{used} slots are used, but {holding} jobs run, {unfreed} slots are not given back, {in_hand} tokens \
                     are in hand and {leaked} are lost"
                )
            });
        }
        self.first.clone().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_checked() {
        let check = |change: fn(&mut Ledger), rule: &str| {
            let mut ledger = Ledger { max: 2, submitted: 3, waiting: 1, holding: 2, used: 2, ..Ledger::default() };
            assert_eq!(ledger.check(), Ok(()));
            change(&mut ledger);
            let error = ledger.check().unwrap_err().to_string();
            assert!(error.contains(rule), "{error}");
        };
        check(|ledger| (ledger.max, ledger.used) = (1, 2), "at most 1 may be");
        check(|ledger| ledger.waiting = 0, "3 jobs were submitted");
        check(|ledger| ledger.used = 1, "1 slots are used, but 2 jobs run");
        check(|ledger| ledger.rendering = 1, "1 render and 0 have ended");
        check(|ledger| ledger.violated(|| "job 1 was started twice".to_owned()), "started twice");
    }

    #[test]
    fn a_token_must_come_back_when_its_lease_has_expired() {
        let mut ledger = Ledger { max: 20, in_hand: 10, used: 10, ..Ledger::default() };
        ledger.leak(10, 7);
        ledger.all_are_back(|bucket| bucket < 7);
        assert_eq!(ledger.check(), Ok(()));
        let mut late = ledger.clone();
        late.all_are_back(|bucket| bucket <= 7);
        assert!(late.check().unwrap_err().0.contains("10 tokens of killed launchers"), "{late:?}");
        ledger.reclaim(10, 7);
        ledger.all_are_back(|bucket| bucket <= 7);
        assert_eq!((ledger.check(), ledger.used), (Ok(()), 0));
    }
}
