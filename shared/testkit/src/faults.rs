//! Failures that a test orders in advance, by the name of the port's operation.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Display;
use std::sync::Mutex;

use reelhook_app::store::StoreError;

/// What becomes of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It goes through.
    Pass,
    /// [`StoreError::Busy`]; nothing is written.
    Busy,
    /// [`StoreError::Refused`]; nothing is written.
    Refuse,
    /// It is written, and the answer gets lost: [`StoreError::Busy`].
    LostAnswer,
}

/// The failures of one fake, and how often each operation was called.
#[derive(Debug, Default)]
pub struct Faults {
    ordered: Mutex<BTreeMap<&'static str, VecDeque<Fault>>>,
    about: Mutex<Vec<(&'static str, String, Fault)>>,
    calls: Mutex<BTreeMap<&'static str, usize>>,
}

impl Faults {
    /// The next calls of `operation`, one after the other; those after them go through.
    pub fn inject(&self, operation: &'static str, faults: impl IntoIterator<Item = Fault>) {
        self.ordered.lock().unwrap().entry(operation).or_default().extend(faults);
    }

    /// The next call of `operation` that is about an id with this text in it: for calls whose order is open.
    pub fn inject_for(&self, operation: &'static str, text: impl Display, fault: Fault) {
        self.about.lock().unwrap().push((operation, text.to_string(), fault));
    }

    /// The next `times` calls of `operation` find the store busy.
    pub fn busy(&self, operation: &'static str, times: usize) {
        self.inject(operation, std::iter::repeat_n(Fault::Busy, times));
    }

    /// The call of `operation` after the next `passed` ones finds the store busy.
    pub fn busy_after(&self, operation: &'static str, passed: usize) {
        self.inject(operation, std::iter::repeat_n(Fault::Pass, passed).chain([Fault::Busy]));
    }

    /// Lets everything through again.
    pub fn clear(&self) {
        self.ordered.lock().unwrap().clear();
        self.about.lock().unwrap().clear();
    }

    /// Calls of `operation` so far, failed ones too.
    pub fn calls(&self, operation: &'static str) -> usize {
        self.calls.lock().unwrap().get(operation).copied().unwrap_or_default()
    }

    /// Counts a call and fails it if that was ordered; whether its answer is to be lost after it was done.
    pub(crate) fn check(&self, operation: &'static str) -> Result<Done, StoreError> {
        self.check_about(operation, &"")
    }

    /// Like [`Self::check`], for a call about one thing.
    pub(crate) fn check_about(&self, operation: &'static str, id: &dyn Display) -> Result<Done, StoreError> {
        *self.calls.lock().unwrap().entry(operation).or_default() += 1;
        let next = self.ordered.lock().unwrap().get_mut(operation).and_then(VecDeque::pop_front);
        match self.take_about(operation, &id.to_string()).or(next).unwrap_or(Fault::Pass) {
            Fault::Pass => Ok(Done { operation, lost: false }),
            Fault::LostAnswer => Ok(Done { operation, lost: true }),
            Fault::Busy => Err(busy(operation)),
            Fault::Refuse => Err(StoreError::Refused { operation, source: "a test says no".into() }),
        }
    }

    fn take_about(&self, operation: &'static str, id: &str) -> Option<Fault> {
        let mut about = self.about.lock().unwrap();
        let place = about.iter().position(|(name, text, _)| *name == operation && id.contains(text.as_str()))?;
        Some(about.remove(place).2)
    }
}

/// A call that was let through.
#[must_use]
pub(crate) struct Done {
    operation: &'static str,
    lost: bool,
}

impl Done {
    /// Answers, unless the answer gets lost.
    pub(crate) fn answer<T>(self, answer: T) -> Result<T, StoreError> {
        if self.lost { Err(busy(self.operation)) } else { Ok(answer) }
    }
}

fn busy(operation: &'static str) -> StoreError {
    StoreError::Busy { operation, source: "a test says later".into() }
}
