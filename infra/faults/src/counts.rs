//! What was injected: how many calls met which fault, by service, and a log of the latest ones.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::call::Call;
use crate::fault::Fault;

/// Entries of the log at most: the oldest one makes room for a new one.
const LOGGED: usize = 100_000;

/// Counts since the settings were set.
#[derive(Debug, Default, Serialize)]
pub struct Counts {
    /// The calls of functions.
    calls: u64,
    /// Those that met a fault, by its name.
    met: BTreeMap<&'static str, u64>,
    by_service: BTreeMap<&'static str, OfService>,
    /// Of the calls that met a fault, those that could have met this one.
    could_meet: BTreeMap<&'static str, u64>,
    /// The latest faults, in order.
    log: VecDeque<Met>,
    /// Older ones, which the log has no more.
    forgotten: u64,
}

/// The counts of one service.
#[derive(Debug, Default, Serialize)]
struct OfService {
    calls: u64,
    /// Repeats of a write that were refused, since the first one had been carried out without an answer.
    failed_on_own_write: u64,
    /// The calls that met a fault, by its name.
    #[serde(flatten)]
    met: BTreeMap<&'static str, u64>,
}

/// A call that met a fault.
#[derive(Debug, Serialize)]
struct Met {
    /// Unix time in milliseconds.
    at: u64,
    /// The function that made the call.
    function: String,
    fault: &'static str,
}

impl Counts {
    /// Counts a call.
    pub fn call(&mut self, call: &Call) {
        self.calls += 1;
        self.of(call).calls += 1;
    }

    /// Counts the faults of which a call meets one.
    pub fn could_meet(&mut self, faults: &[Fault]) {
        for fault in faults {
            *self.could_meet.entry(fault.name()).or_default() += 1;
        }
    }

    /// Counts a fault that a call meets at this time, in Unix milliseconds.
    pub fn met(&mut self, call: &Call, fault: Fault, at: u64) {
        let fault = fault.name();
        *self.met.entry(fault).or_default() += 1;
        *self.of(call).met.entry(fault).or_default() += 1;
        if self.log.len() == LOGGED {
            self.log.pop_front();
            self.forgotten += 1;
        }
        self.log.push_back(Met { at, function: call.function.clone(), fault });
    }

    /// Counts a repeat that was refused because of its own first write.
    pub fn failed_on_own_write(&mut self, call: &Call) {
        self.of(call).failed_on_own_write += 1;
    }

    fn of(&mut self, call: &Call) -> &mut OfService {
        self.by_service.entry(call.service.name()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::call::Service;

    use super::*;

    fn call(service: Service) -> Call {
        Call { function: "reelhook-fanout".to_owned(), service, operation: "any".to_owned() }
    }

    #[test]
    fn faults_are_counted_by_service() {
        let mut counts = Counts::default();
        for service in [Service::Ssm, Service::DynamoDb, Service::DynamoDb] {
            counts.call(&call(service));
        }
        counts.could_meet(&[Fault::Slow, Fault::Throttled]);
        counts.met(&call(Service::Ssm), Fault::Throttled, 7);
        counts.could_meet(&[Fault::LostAnswer, Fault::Slow]);
        counts.met(&call(Service::DynamoDb), Fault::LostAnswer, 8);
        counts.failed_on_own_write(&call(Service::DynamoDb));
        let expected = json!({
            "calls": 3, "met": { "lost_answer": 1, "throttled": 1 },
            "by_service": {
                "DynamoDB": { "calls": 2, "failed_on_own_write": 1, "lost_answer": 1 },
                "SSM": { "calls": 1, "failed_on_own_write": 0, "throttled": 1 },
            },
            "could_meet": { "lost_answer": 1, "slow": 2, "throttled": 1 },
            "forgotten": 0,
            "log": [
                { "at": 7, "function": "reelhook-fanout", "fault": "throttled" },
                { "at": 8, "function": "reelhook-fanout", "fault": "lost_answer" },
            ],
        });
        assert_eq!(serde_json::to_value(&counts).unwrap(), expected);
    }

    #[test]
    fn the_log_keeps_the_latest_faults_and_says_how_many_it_has_forgotten() {
        let mut counts = Counts::default();
        for at in 0..=LOGGED as u64 {
            counts.met(&call(Service::Sqs), Fault::Slow, at);
        }
        assert_eq!((counts.log.len(), counts.forgotten), (LOGGED, 1));
        assert_eq!((counts.log[0].at, counts.log[LOGGED - 1].at), (1, LOGGED as u64));
    }
}
