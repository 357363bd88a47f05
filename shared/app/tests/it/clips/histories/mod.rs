//! Generated histories of clip jobs and their credits, from requests through fanout, launcher and worker: submissions,
//! retries, cancellations, reports and replays, with calls of the store that fail or whose answers get lost. What is
//! reserved, earned and spent adds up at any time, and no attempt is charged twice.

mod genesis;
mod history;
mod steps;

use proptest::collection::vec;
use proptest::prelude::*;

use genesis::Genesis;
use history::History;
use steps::{a_failure, a_step};

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn credits_add_up_and_no_attempt_is_charged_twice(
        (has_worker, limited) in (prop::bool::weighted(0.7), any::<bool>()),
        fates in vec(0..Genesis::FATES, 1..20),
        steps in vec((a_step(), a_failure()), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut history = History::new(has_worker, limited, Genesis::new(fates));
            for (step, failure) in steps {
                history.meet(&step, failure).await;
                history.invariant_it_adds_up();
            }
            history.end().await;
        });
    }
}
