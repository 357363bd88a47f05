//! The ceilings of version 0.2, each with all other limits lifted.

use super::run;
use crate::agenda::SECOND;
use crate::design::{Design, Fanout};
use crate::limits::{Limit, Limits};
use crate::load::{Arrivals, Faults, Load};
use crate::scenario::CEILINGS;

#[test]
fn each_ceiling_of_version_0_2_is_what_follows_from_the_code() {
    let differing: Vec<String> = CEILINGS
        .iter()
        .filter_map(|ceiling| {
            let outcome = ceiling.measure(1).unwrap_or_else(|violation| panic!("{violation}"));
            let is_met = ceiling.is_met(outcome.throughput);
            let stops = outcome.stops;
            let name = ceiling.limits[0].name();
            (!is_met).then(|| format!("{name}: {:.1} of {:?}, {stops:?}", outcome.throughput, ceiling.expected))
        })
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn counters_in_shards_keep_up_where_one_row_does_not() {
    let load = Load {
        limits: Limits::only(&[Limit::EndedConflicts, Limit::EndedCounts]),
        warm_up: 30 * SECOND,
        measured: 20 * SECOND,
        drain: 0,
        ..Load::steady(1_000.0, 2 * SECOND)
    };
    let built = Design::as_built(16);
    let one_by_one = Fanout { counters: 1, counted_together: 1, ..built.fanout };
    let one_row = run(Design { fanout: one_by_one, ..built }, load).throughput;
    let sharded = run(built, load).throughput;
    assert!(one_row < 100.0 && sharded > 900.0, "{one_row} and {sharded}");
}

#[test]
fn a_sweep_releases_3200_claims_a_minute() {
    let faults = Faults { kill_after_claim: 1.0, ..Faults::default() };
    let load = Load {
        faults,
        limits: Limits::only(&[]),
        arrivals: Arrivals::Backlog { jobs: 25_000, others: 0 },
        warm_up: 0,
        measured: 200 * SECOND,
        drain: 0,
        ..Load::steady(1.0, SECOND)
    };
    assert_eq!(run(Design::before(), load).counts.most_swept, 3_200);
}

#[test]
fn slots_are_rate_times_run_time() {
    let load = Load {
        max_workers: 40,
        limits: Limits::only(&[Limit::Slots, Limit::Admission]),
        warm_up: 30 * SECOND,
        measured: 60 * SECOND,
        drain: 0,
        ..Load::steady(10.0, 8 * SECOND)
    };
    let throughput = run(Design::before(), load).throughput;
    assert!((4.2..=5.0).contains(&throughput), "{throughput}: 40 slots of 8 s and what it takes to free them");
}
