//! Rules that hold whatever fails, and runs that break them.

use super::run;
use crate::agenda::SECOND;
use crate::design::{Design, ORDER};
use crate::load::{Faults, Load};
use crate::scenario::{RUN_TIME, Shares};

fn faulty(rate: f64, run_time: u64) -> Load {
    Load {
        faults: Faults { kill_after_claim: 0.02, kill_after_request: 0.02, replay: 0.02, duplicate: 0.05, rolls: 1.0 },
        measured: 30 * SECOND,
        drain: 1_500 * SECOND,
        ..Load::steady(rate, run_time)
    }
}

#[test]
fn every_job_ends_once_whatever_is_killed_or_repeated() {
    for (design, rate) in [
        (Design::before(), 8.0),
        (Design::as_built(1), 20.0),
        (Design::as_built(4), 100.0),
        (Design::as_built(16), 200.0),
    ] {
        let outcome = run(design, faulty(rate, 10 * SECOND));
        let counts = outcome.counts;
        assert!(outcome.is_drained, "{}: {counts:?}", design.name);
        assert!(counts.kills > 0 && counts.replays > 0 && counts.released > 0 && counts.duplicates > 0, "{counts:?}");
    }
}

#[test]
fn a_run_is_the_same_for_the_same_seed() {
    let outcome = |seed| run(Design::as_built(4), Load { seed, ..faulty(50.0, 5 * SECOND) });
    let (first, second, other) = (outcome(1), outcome(1), outcome(2));
    assert_eq!((first.waits.clone(), first.counts.events), (second.waits, second.counts.events));
    assert_ne!(first.waits, other.waits);
}

#[test]
fn slots_are_never_exceeded_where_they_are_scarce() {
    let load = Load { max_workers: 103, ..faulty(40.0, 10 * SECOND) };
    for design in [Design::as_built(1), Design::as_built(4)] {
        let outcome = run(design, load);
        assert!(outcome.throughput > 5.0 && outcome.is_drained, "{}: {}", design.name, outcome.throughput);
    }
}

#[test]
fn nobody_is_overtaken_by_more_than_the_bound_and_the_delay_of_the_index() {
    let rate = 100.0;
    let outcome = run(Design::as_built(16), Load { max_workers: 5 * rate as u32, ..Load::steady(rate, 10 * SECOND) });
    assert!(outcome.most_overtaken <= ORDER + SECOND, "{}", outcome.most_overtaken);
}

#[test]
fn an_owner_with_one_job_waits_at_most_two_service_times_behind_ten_thousand() {
    let shares = Shares::measure(1).unwrap_or_else(|violation| panic!("{violation}"));
    assert!(shares.is_fair(), "{:?}", shares.by_owner);
    assert!(shares.by_time.is_none_or(|wait| wait > 2 * RUN_TIME), "{:?}", shares.by_time);
}

/// What docs/scale.md claims, at a rate that a test has time for: each shard takes an equal part of it.
#[test]
fn four_shards_start_more_jobs_a_second_than_one_can() {
    let at = |shards, rate| {
        let load = Load { measured: 20 * SECOND, ..Load::steady(rate, 5 * SECOND) };
        run(Design::as_built(shards), load)
    };
    let (one, four) = (at(1, 300.0), at(4, 300.0));
    assert!(!one.keeps_up(300.0) && one.throughput < 200.0, "{}", one.throughput);
    assert!(four.keeps_up(300.0), "{} a second, p99 {:?}, {:?}", four.throughput, four.wait(99), four.stops);
}
