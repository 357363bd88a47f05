//! Whether a history is linearizable: whether its calls have an order in which a sequential object gives their answers, and
//! in which a call that was answered before another one began comes first (Herlihy and Wing, "Linearizability: A Correctness
//! Condition for Concurrent Objects"). The search is that of Wing and Gong, and remembers where it failed, as Lowe describes
//! ("Testing for linearizability").

use std::collections::HashSet;
use std::fmt::{self, Debug};
use std::hash::Hash;

use super::history::Operation;

/// A sequential object.
pub trait Model {
    /// Its state.
    type State: Clone + Eq + Hash;
    /// What clients call.
    type Call: Debug;
    /// What they are answered.
    type Answer: Debug;

    /// The state before all calls.
    fn start(&self) -> Self::State;

    /// The states to which a call leads that is answered so; none if the object can't answer so in this state. Without an
    /// answer, the states to which the call may lead.
    fn after(&self, state: &Self::State, call: &Self::Call, answer: Option<&Self::Answer>) -> Vec<Self::State>;

    /// The states to which the object may go without a call, such as when other functions work on it.
    fn by_itself(&self, _state: &Self::State) -> Vec<Self::State> {
        Vec::new()
    }
}

/// A history that no sequential execution explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotLinearizable {
    /// The longest order of calls that the model allows, as places in the history.
    pub longest: Vec<usize>,
}

impl fmt::Display for NotLinearizable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no order of these calls gives their answers; the longest that does is {:?}", self.longest)
    }
}

impl std::error::Error for NotLinearizable {}

/// An order of a history's calls, as places in the history, in which the model gives all answers. Calls without an answer may
/// be missing in it.
///
/// # Errors
/// [`NotLinearizable`] if there is none.
pub fn check<M: Model>(model: &M, history: &[Operation<M::Call, M::Answer>]) -> Result<Vec<usize>, NotLinearizable> {
    let mut search = Search { model, history, seen: HashSet::new(), order: Vec::new(), longest: Vec::new() };
    let mut done = vec![false; history.len()];
    if search.finds(&mut done, &model.start()) {
        Ok(search.order)
    } else {
        Err(NotLinearizable { longest: search.longest })
    }
}

/// Asserts that a history is linearizable.
///
/// # Panics
/// With the history, if it is not.
pub fn assert_linearizable<M: Model>(model: &M, history: &[Operation<M::Call, M::Answer>], context: &str) {
    let Err(error) = check(model, history) else { return };
    let mut text = format!("{context}: {error}\n");
    for (number, operation) in history.iter().enumerate() {
        let Operation { client, call, answer, began, ended } = operation;
        let ended = if answer.is_some() { ended.to_string() } else { "never".to_owned() };
        text.push_str(&format!("{number:>4}  client {client}  {began:>4} to {ended:>5}  {call:?} -> {answer:?}\n"));
    }
    panic!("{text}");
}

struct Search<'a, M: Model> {
    model: &'a M,
    history: &'a [Operation<M::Call, M::Answer>],
    /// The calls that came before, and the state to which they led: the search goes on from it once.
    seen: HashSet<(Vec<bool>, M::State)>,
    order: Vec<usize>,
    longest: Vec<usize>,
}

impl<M: Model> Search<'_, M> {
    /// Whether the calls that are not done have an order from this state on; it is then in `order`.
    fn finds(&mut self, done: &mut Vec<bool>, state: &M::State) -> bool {
        if self.order.len() > self.longest.len() {
            self.longest.clone_from(&self.order);
        }
        let history = self.history;
        let open = || history.iter().zip(done.iter()).filter(|(_, done)| !**done).map(|(operation, _)| operation);
        if open().all(|operation| operation.answer.is_none()) {
            return true;
        }
        // What begins after an answer comes after the call that got it.
        let first_answer = open().map(|operation| operation.ended).min().unwrap_or(u64::MAX);
        if !self.seen.insert((done.clone(), state.clone())) {
            return false;
        }
        for (number, operation) in history.iter().enumerate() {
            if done[number] || operation.began > first_answer {
                continue;
            }
            done[number] = true;
            self.order.push(number);
            for next in self.model.after(state, &operation.call, operation.answer.as_ref()) {
                if self.finds(done, &next) {
                    return true;
                }
            }
            self.order.pop();
            done[number] = false;
        }
        let model = self.model;
        model.by_itself(state).iter().any(|next| self.finds(done, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A register that is 0 at first.
    struct Register;

    #[derive(Debug, Clone, Copy)]
    enum Call {
        Write(u8),
        Read,
    }

    impl Model for Register {
        type State = u8;
        type Call = Call;
        type Answer = u8;

        fn start(&self) -> u8 {
            0
        }

        fn after(&self, state: &u8, call: &Call, answer: Option<&u8>) -> Vec<u8> {
            match (*call, answer) {
                (Call::Write(value), _) => vec![value],
                (Call::Read, Some(read)) if read != state => Vec::new(),
                (Call::Read, _) => vec![*state],
            }
        }
    }

    fn operation(call: Call, answer: Option<u8>, (began, ended): (u64, u64)) -> Operation<Call, u8> {
        Operation { client: 0, call, answer, began, ended }
    }

    fn write(value: u8, times: (u64, u64)) -> Operation<Call, u8> {
        operation(Call::Write(value), Some(value), times)
    }

    fn read(value: u8, times: (u64, u64)) -> Operation<Call, u8> {
        operation(Call::Read, Some(value), times)
    }

    #[test]
    fn calls_at_the_same_time_may_have_either_order() {
        assert_eq!(check(&Register, &[write(1, (1, 4)), read(0, (2, 3))]), Ok(vec![1, 0]));
        assert_eq!(check(&Register, &[write(1, (1, 4)), read(1, (2, 3))]), Ok(vec![0, 1]));
        assert_eq!(check::<Register>(&Register, &[]), Ok(Vec::new()));
    }

    #[test]
    fn a_read_after_a_write_sees_it() {
        assert!(check(&Register, &[write(1, (1, 2)), read(0, (3, 4))]).is_err());
        let back_again = [write(1, (1, 8)), read(1, (2, 3)), read(0, (4, 5))];
        assert_eq!(check(&Register, &back_again), Err(NotLinearizable { longest: vec![0, 1] }));
        let other = [write(1, (1, 6)), write(2, (2, 7)), read(2, (3, 4)), read(1, (8, 9))];
        assert_eq!(check(&Register, &other), Ok(vec![1, 2, 0, 3]));
    }

    #[test]
    fn a_call_without_an_answer_may_happen_at_any_time_or_never() {
        let lost = operation(Call::Write(1), None, (1, u64::MAX));
        assert!(check(&Register, &[lost.clone(), read(0, (2, 3))]).is_ok());
        assert!(check(&Register, &[lost.clone(), read(0, (2, 3)), read(1, (4, 5))]).is_ok());
        assert!(check(&Register, &[lost, read(1, (2, 3)), read(0, (4, 5))]).is_err());
    }

    #[test]
    #[should_panic(expected = "no order of these calls gives their answers")]
    fn an_assertion_shows_the_history() {
        assert_linearizable(&Register, &[read(3, (1, 2))], "a register");
    }
}
