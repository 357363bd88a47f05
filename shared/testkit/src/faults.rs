//! Faults that a test injects in advance, by the name of the port's operation.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Display;
use std::sync::Mutex;

use reelhook_app::store::StoreError;

/// The outcome of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call succeeds.
    Pass,
    /// The call fails with [`StoreError::Busy`] and writes nothing.
    Busy,
    /// The call fails with [`StoreError::Refused`] and writes nothing.
    Refuse,
    /// The call writes, but its answer is lost: it fails with [`StoreError::Busy`].
    LostAnswer,
}

/// The injected faults of one fake, and the number of calls of each operation.
#[derive(Debug, Default)]
pub struct Faults {
    ordered: Mutex<BTreeMap<&'static str, VecDeque<Fault>>>,
    about: Mutex<Vec<(&'static str, String, Fault)>>,
    calls: Mutex<BTreeMap<&'static str, usize>>,
}

impl Faults {
    /// Sets the outcomes of the next calls of `operation`, in order; later calls succeed.
    pub fn inject(&self, operation: &'static str, faults: impl IntoIterator<Item = Fault>) {
        self.ordered.lock().unwrap().entry(operation).or_default().extend(faults);
    }

    /// Sets the outcome of the next call of `operation` about an id that contains `text`, for calls in any order.
    pub fn inject_for(&self, operation: &'static str, text: impl Display, fault: Fault) {
        self.about.lock().unwrap().push((operation, text.to_string(), fault));
    }

    /// Makes the next `times` calls of `operation` fail as busy.
    pub fn busy(&self, operation: &'static str, times: usize) {
        self.inject(operation, std::iter::repeat_n(Fault::Busy, times));
    }

    /// Makes the call of `operation` after the next `passed` ones fail as busy.
    pub fn busy_after(&self, operation: &'static str, passed: usize) {
        self.inject(operation, std::iter::repeat_n(Fault::Pass, passed).chain([Fault::Busy]));
    }

    /// Removes all faults.
    pub fn clear(&self) {
        self.ordered.lock().unwrap().clear();
        self.about.lock().unwrap().clear();
    }

    /// The number of calls of `operation` so far, including failed ones.
    pub fn calls(&self, operation: &'static str) -> usize {
        self.calls.lock().unwrap().get(operation).copied().unwrap_or_default()
    }

    /// Counts a call and applies its fault. The result knows whether the answer is lost.
    pub(crate) fn check(&self, operation: &'static str) -> Result<Done, StoreError> {
        self.check_about(operation, &"")
    }

    /// Like [`Self::check`], for a call about one id.
    pub(crate) fn check_about(&self, operation: &'static str, id: &dyn Display) -> Result<Done, StoreError> {
        *self.calls.lock().unwrap().entry(operation).or_default() += 1;
        let next = self.ordered.lock().unwrap().get_mut(operation).and_then(VecDeque::pop_front);
        match self.take_about(operation, &id.to_string()).or(next).unwrap_or(Fault::Pass) {
            Fault::Pass => Ok(Done { operation, lost: false }),
            Fault::LostAnswer => Ok(Done { operation, lost: true }),
            Fault::Busy => Err(busy(operation)),
            Fault::Refuse => Err(StoreError::Refused { operation, source: "injected by a test".into() }),
        }
    }

    fn take_about(&self, operation: &'static str, id: &str) -> Option<Fault> {
        let mut about = self.about.lock().unwrap();
        let index = about.iter().position(|(name, text, _)| *name == operation && id.contains(text.as_str()))?;
        Some(about.remove(index).2)
    }
}

/// A call that may proceed.
#[must_use]
pub(crate) struct Done {
    operation: &'static str,
    lost: bool,
}

impl Done {
    /// Returns the answer, unless it is lost.
    pub(crate) fn answer<T>(self, answer: T) -> Result<T, StoreError> {
        if self.lost { Err(busy(self.operation)) } else { Ok(answer) }
    }
}

fn busy(operation: &'static str) -> StoreError {
    StoreError::Busy { operation, source: "injected by a test".into() }
}
