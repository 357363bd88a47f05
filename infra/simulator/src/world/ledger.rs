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
    /// Jobs that have ended.
    pub ended: i64,
    /// Slots of jobs that have ended that were not given back yet.
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

    /// Checks every rule.
    ///
    /// # Errors
    /// The first [`Violation`].
    pub fn check(&mut self) -> Result<(), Violation> {
        let Self { max, submitted, creating, waiting, holding, ended, unfreed, in_hand, leaked, used, .. } = *self;
        if holding > max || used > max {
            self.violated(|| format!("{holding} jobs run and {used} slots are used, at most {max} may be"));
        }
        if submitted != creating + waiting + holding + ended {
            self.violated(|| {
                format!("{submitted} jobs were submitted, but {creating} are created, {waiting} wait, {holding} run and {ended} have ended")
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
        check(|ledger| ledger.violated(|| "job 1 was started twice".to_owned()), "started twice");
    }
}
