//! Which faults are injected, and which were.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::Call;
use crate::chance;
use crate::fault::{self, Fault};

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
    /// The calls of functions.
    calls: u64,
    /// Those that met a fault, by its name.
    met: BTreeMap<&'static str, u64>,
    /// The calls of each function and operation.
    #[serde(skip)]
    numbers: HashMap<(String, String), u64>,
}

impl Injected {
    /// Nothing yet, with these settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// What the next call meets, and its detail. Counts the call.
    pub fn next(&mut self, call: &Call, request: &Value) -> Option<(Fault, u64)> {
        let name = call.name();
        let number = self.numbers.entry((call.function.clone(), name.clone())).or_default();
        let (seed, percent) = (self.settings.seed, self.settings.percent);
        let drawn = chance::draw(seed, percent, &call.function, &name, *number);
        *number += 1;
        self.calls += 1;
        let drawn = drawn?;
        let mut faults = fault::possible(call, request);
        faults.retain(|fault| {
            self.settings.only.is_empty() || self.settings.only.iter().any(|name| name == fault.name())
        });
        let chosen = *faults.get(usize::try_from(drawn.kind).unwrap_or(usize::MAX) % faults.len().max(1))?;
        *self.met.entry(chosen.name()).or_default() += 1;
        Some((chosen, drawn.detail))
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
        (0..200).map(|_| injected.next(&call(function), &Value::Null)).collect()
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
                together.next(&call("worker"), &Value::Null);
                together.next(&call("fanout"), &Value::Null)
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
    fn without_settings_nothing_is_injected() {
        let mut injected = Injected::default();
        assert!(met(&mut injected, "fanout").iter().all(Option::is_none));
        let counted = serde_json::to_value(&injected).unwrap();
        assert_eq!((&counted["calls"], &counted["met"]), (&serde_json::json!(200), &serde_json::json!({})));
    }
}
