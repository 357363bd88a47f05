//! Concurrent clients of one job and of one account, on fakes that interleave at each of their calls: their histories are
//! linearizable (ADR 73).

mod jobs;
mod ledger;

use std::pin::Pin;

use reelhook_testkit::linear::Turns;
use reelhook_testkit::{Fault, Faults};

/// Histories of one test, each with a seed of its own.
const HISTORIES: u64 = 300;

/// A client that makes its calls one after the other.
type Client<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// The seeds of a test: some hundred, or as many as the variable REELHOOK_HISTORIES says.
fn seeds() -> std::ops::Range<u64> {
    let given = std::env::var("REELHOOK_HISTORIES");
    0..given.map_or(HISTORIES, |text| text.parse().expect("REELHOOK_HISTORIES is a number"))
}

/// Lets one call in eight fail: half of these have written before.
fn inject(faults: &Faults, turns: &mut Turns, operations: &[&'static str]) {
    for &operation in operations {
        let outcomes = (0..40).map(|_| match turns.below(16) {
            0 => Fault::Busy,
            1 => Fault::LostAnswer,
            _ => Fault::Pass,
        });
        faults.inject(operation, outcomes.collect::<Vec<Fault>>());
    }
}
