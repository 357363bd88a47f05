//! Histories: what concurrent clients called and were answered, and in which order calls and answers happened.

use std::sync::{Mutex, PoisonError};

/// One call of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation<C, A> {
    /// The client's number. A client makes one call after the other.
    pub client: usize,
    /// The call.
    pub call: C,
    /// The answer; none if it was lost, so that nobody knows whether the call had an effect.
    pub answer: Option<A>,
    /// When the call was made.
    pub began: u64,
    /// When the answer came; `u64::MAX` without one.
    pub ended: u64,
}

/// Records the calls of concurrent clients.
#[derive(Debug)]
pub struct Recorder<C, A>(Mutex<State<C, A>>);

#[derive(Debug)]
struct State<C, A> {
    /// Counts calls and answers: only their order matters.
    now: u64,
    operations: Vec<Operation<C, A>>,
}

impl<C, A> State<C, A> {
    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }
}

impl<C, A> Default for Recorder<C, A> {
    fn default() -> Self {
        Self(Mutex::new(State { now: 0, operations: Vec::new() }))
    }
}

impl<C, A> Recorder<C, A> {
    /// Records a call of a client and its answer; `run` makes the call, and returns none if the answer is lost.
    pub async fn record(&self, client: usize, call: C, run: impl Future<Output = Option<A>>) {
        let number = {
            let mut state = self.state();
            let began = state.tick();
            state.operations.push(Operation { client, call, answer: None, began, ended: u64::MAX });
            state.operations.len() - 1
        };
        if let Some(answer) = run.await {
            let mut state = self.state();
            let ended = state.tick();
            let operation = &mut state.operations[number];
            (operation.answer, operation.ended) = (Some(answer), ended);
        }
    }

    /// The history, in the order of the calls.
    pub fn history(self) -> Vec<Operation<C, A>> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).operations
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State<C, A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
