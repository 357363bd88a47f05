//! What is true of all jobs and slots: checked at every event.

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
    /// Slots in use, as the admission item or rows say.
    pub used: i64,
    /// The longest time by which a job was older than one that started before it.
    pub most_overtaken: Micros,
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

    /// Checks every rule.
    ///
    /// # Errors
    /// The first [`Violation`].
    pub fn check(&mut self) -> Result<(), Violation> {
        let Self { max, submitted, creating, waiting, holding, rendering, ended, .. } = *self;
        let Self { unfreed, used, .. } = *self;
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
        if used != holding + unfreed {
            self.violated(|| {
                format!("{used} slots are used, but {holding} jobs run and {unfreed} slots are not given back")
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
}
