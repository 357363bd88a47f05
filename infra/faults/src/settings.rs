//! Which faults are injected, and which were.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::Call;
use crate::chance;
use crate::counts::Counts;
use crate::fault::{self, Fault};
use crate::repeats::{self, Write};

/// Which faults are injected. By default there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The same seed gives the same faults.
    pub seed: u64,
    /// How many of a hundred calls meet a fault.
    pub percent: u8,
    /// The names of the faults; all if there are none.
    pub only: Vec<String>,
}

/// The settings, and what was injected since they were set.
#[derive(Debug, Default, Serialize)]
pub struct Injected {
    settings: Settings,
    #[serde(flatten)]
    counts: Counts,
    /// The calls of each function and operation.
    #[serde(skip)]
    numbers: HashMap<(String, String), u64>,
    /// Writes that were carried out, and whose callers do not know.
    #[serde(skip)]
    unanswered: HashSet<Write>,
}

impl Injected {
    /// Nothing yet, with these settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// What the next call meets, at this Unix time in milliseconds, and its detail. Counts the call.
    pub fn next(&mut self, call: &Call, request: &Value, at: u64) -> Option<(Fault, u64)> {
        let name = call.name();
        let number = self.numbers.entry((call.function.clone(), name.clone())).or_default();
        let (seed, percent) = (self.settings.seed, self.settings.percent);
        let drawn = chance::draw(seed, percent, &call.function, &name, *number);
        *number += 1;
        self.counts.call(call);
        let drawn = drawn?;
        let mut faults = fault::possible(call, request);
        faults.retain(|fault| {
            self.settings.only.is_empty() || self.settings.only.iter().any(|name| name == fault.name())
        });
        let chosen = *faults.get(usize::try_from(drawn.kind).unwrap_or(usize::MAX) % faults.len().max(1))?;
        self.counts.could_meet(&faults);
        self.counts.met(call, chosen, at);
        Some((chosen, drawn.detail))
    }

    /// Remembers a write that was carried out and whose answer does not reach its caller.
    pub fn lost(&mut self, write: Option<Write>) {
        self.unanswered.extend(write);
    }

    /// Counts an answer that reaches its caller, if it refuses a write since that was carried out before.
    pub fn answered(&mut self, call: &Call, write: Option<Write>, answer: &[u8]) {
        let is_repeat = write.is_some_and(|write| self.unanswered.remove(&write));
        if is_repeat && repeats::is_refused(answer) {
            self.counts.failed_on_own_write(call);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::call::Service;

    use super::*;

    fn call(function: &str) -> Call {
        Call { function: function.to_owned(), service: Service::DynamoDb, operation: "PutItem".to_owned() }
    }

    fn met(injected: &mut Injected, function: &str) -> Vec<Option<(Fault, u64)>> {
        (0..200).map(|_| injected.next(&call(function), &Value::Null, 0)).collect()
    }

    fn settings(only: &[&str]) -> Settings {
        Settings { seed: 3, percent: 20, only: only.iter().map(|name| (*name).to_owned()).collect() }
    }

    #[test]
    fn calls_of_other_functions_change_no_decision() {
        let mut alone = Injected::new(settings(&[]));
        let mut together = Injected::new(settings(&[]));
        let expected = met(&mut alone, "fanout");
        let found: Vec<_> = (0..200)
            .map(|_| {
                together.next(&call("worker"), &Value::Null, 0);
                together.next(&call("fanout"), &Value::Null, 0)
            })
            .collect();
        assert_eq!(found, expected);
        assert!(expected.iter().flatten().count() > 10);
    }

    #[test]
    fn only_the_named_faults_are_injected() {
        let mut injected = Injected::new(settings(&["conflict"]));
        let found = met(&mut injected, "fanout");
        assert!(found.iter().flatten().count() > 10);
        assert!(found.iter().flatten().all(|(fault, _)| *fault == Fault::Conflict));
        let mut none = Injected::new(settings(&["stale_index"]));
        assert!(met(&mut none, "fanout").iter().all(Option::is_none), "no put reads an index");
    }

    #[test]
    fn a_repeat_that_is_refused_because_of_its_own_write_is_counted_once() {
        let mut injected = Injected::default();
        let (one, refused) = (call("fanout"), br#"{"__type":"x#ConditionalCheckFailedException"}"#);
        let write = Write::of(&one, b"{}");
        let counted = |injected: &Injected| {
            let counts = serde_json::to_value(injected).unwrap();
            counts["by_service"]["DynamoDB"]["failed_on_own_write"].as_u64().unwrap_or(0)
        };
        injected.answered(&one, write, refused);
        assert_eq!(counted(&injected), 0, "another's write has changed the item");
        injected.lost(write);
        injected.answered(&one, Write::of(&one, b"other"), refused);
        assert_eq!(counted(&injected), 0);
        injected.answered(&one, write, refused);
        injected.answered(&one, write, refused);
        assert_eq!(counted(&injected), 1);
        injected.lost(write);
        injected.answered(&one, write, b"{}");
        assert_eq!(counted(&injected), 1, "it was carried out twice");
    }

    #[test]
    fn without_settings_nothing_is_injected() {
        let mut injected = Injected::default();
        assert!(met(&mut injected, "fanout").iter().all(Option::is_none));
        let counted = serde_json::to_value(&injected).unwrap();
        assert_eq!((&counted["calls"], &counted["met"]), (&serde_json::json!(200), &serde_json::json!({})));
    }
}
