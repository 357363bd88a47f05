//! What happens in a history: requests, reports, work of our functions, time, and failures of the store.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use reelhook_testkit::Fault;

use super::genesis::Said;

/// What happens. Jobs, owners and keys are few, so that much happens to each.
#[derive(Debug, Clone)]
pub enum Step {
    /// An operator adds credits to the account of an owner, or to the operator's.
    Add { owned: bool, request: u8, credits: u64 },
    /// An owner, or an operator, submits a job with a range of so many minutes; 0 for none.
    Submit { owned: bool, key: Option<u8>, minutes: u64, reuse: bool },
    /// A person retries a job.
    Retry(Index),
    /// A person cancels a job.
    Cancel(Index),
    /// A person deletes a job.
    Delete(Index),
    /// The worker reports on the present submission, or on the one before.
    Report { job: Index, older: bool, said: Said },
    /// The launcher processes the visible hints.
    Launch,
    /// A renderer processes a piece.
    Render { job: Index, fails: bool },
    /// So many seconds pass, and the due sweep runs.
    Wait(u64),
    /// Fanout processes at most so many new records of the stream.
    Follow(usize),
    /// Fanout processes at most so many records again, from any that it has processed.
    Replay(Index, usize),
}

/// Any step.
pub fn a_step() -> impl Strategy<Value = Step> {
    let add = (any::<bool>(), 0_u8..6, 0_u64..200);
    let submit = (any::<bool>(), prop::option::of(0_u8..4), select(vec![0_u64, 0, 1, 3]), any::<bool>());
    let said = select(vec![
        Said::Progress,
        Said::Clips(None),
        Said::Clips(Some(30)),
        Said::Clips(Some(600)),
        Said::NoClips,
        Said::Failed,
        Said::Canceled,
    ]);
    let report = (any::<Index>(), prop::bool::weighted(0.2), said);
    prop_oneof![
        3 => add.prop_map(|(owned, request, credits)| Step::Add { owned, request, credits }),
        5 => submit.prop_map(|(owned, key, minutes, reuse)| Step::Submit { owned, key, minutes, reuse }),
        4 => any::<Index>().prop_map(Step::Retry),
        2 => any::<Index>().prop_map(Step::Cancel),
        1 => any::<Index>().prop_map(Step::Delete),
        5 => report.prop_map(|(job, older, said)| Step::Report { job, older, said }),
        5 => Just(Step::Launch),
        4 => (any::<Index>(), prop::bool::weighted(0.2)).prop_map(|(job, fails)| Step::Render { job, fails }),
        3 => prop_oneof![5 => 1_u64..120, 1 => 120_u64..40_000].prop_map(Step::Wait),
        6 => (1_usize..12).prop_map(Step::Follow),
        3 => (any::<Index>(), 1_usize..12).prop_map(|(from, records)| Step::Replay(from, records)),
    ]
}

/// A failure of the store during a step: of each operation, the call after so many others.
#[derive(Debug, Clone, Copy)]
pub struct Failure {
    pub fault: Fault,
    pub after: usize,
}

/// A failure during a step, or none.
pub fn a_failure() -> impl Strategy<Value = Option<Failure>> {
    let failure = (select(vec![Fault::Busy, Fault::LostAnswer]), 0_usize..3);
    prop::option::weighted(0.5, failure.prop_map(|(fault, after)| Failure { fault, after }))
}
