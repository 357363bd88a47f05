//! The ceilings of version 0.2, each with all other limits lifted.

use super::run;
use crate::agenda::SECOND;
use crate::design::Design;
use crate::limits::{Limit, Limits};
use crate::load::{Arrivals, Faults, Load};

/// The jobs a second that start and end if twice as many are submitted as are expected.
fn ceiling(limits: &[Limit], expected: std::ops::RangeInclusive<f64>) {
    let load = Load {
        limits: Limits::only(limits),
        warm_up: 30 * SECOND,
        measured: 20 * SECOND,
        drain: 0,
        ..Load::steady(expected.end() * 1.6, 2 * SECOND)
    };
    let outcome = run(Design::of_today(), load);
    let throughput = outcome.throughput;
    assert!(expected.contains(&throughput), "{throughput} is not in {expected:?}: {:?}", outcome.stops);
    assert_eq!(outcome.stops.most(), Some(limits[0]), "{:?}", outcome.stops);
}

#[test]
fn the_launchers_loop_starts_about_35() {
    ceiling(&[Limit::Launcher], 31.0..=39.0);
}

#[test]
fn the_admission_item_is_written_for_40_to_60() {
    ceiling(&[Limit::Admission], 38.0..=62.0);
}

#[test]
fn the_apis_throttle_allows_about_60() {
    ceiling(&[Limit::Api], 50.0..=62.0);
}

#[test]
fn one_partition_of_active_jobs_takes_125() {
    ceiling(&[Limit::ActiveIndex], 115.0..=130.0);
}

#[test]
fn log_rows_by_day_take_200() {
    ceiling(&[Limit::LogIndex], 185.0..=210.0);
}

#[test]
fn reads_of_submissions_allow_240() {
    ceiling(&[Limit::SubmitReads], 225.0..=260.0);
}

#[test]
fn the_row_of_ended_jobs_takes_500_and_fewer_with_conflicts() {
    ceiling(&[Limit::EndedCounts], 470.0..=520.0);
    ceiling(&[Limit::EndedConflicts, Limit::EndedCounts], 30.0..=90.0);
}

#[test]
fn jobs_by_status_take_500() {
    ceiling(&[Limit::StatusIndex], 470.0..=520.0);
}

#[test]
fn deliveries_by_day_take_1000() {
    ceiling(&[Limit::DeliveryIndex], 940.0..=1_040.0);
}

#[test]
fn a_sweep_releases_3200_claims_a_minute() {
    let faults = Faults { kill_after_claim: 1.0, ..Faults::default() };
    let load = Load {
        faults,
        limits: Limits::only(&[]),
        arrivals: Arrivals::Backlog { jobs: 15_000, others: 0 },
        warm_up: 0,
        measured: 200 * SECOND,
        drain: 0,
        ..Load::steady(1.0, SECOND)
    };
    assert_eq!(run(Design::sharded(16), load).counts.most_swept, 3_200);
}

#[test]
fn slots_are_rate_times_run_time() {
    let load = Load {
        max_workers: 40,
        limits: Limits::only(&[Limit::Slots]),
        warm_up: 30 * SECOND,
        measured: 60 * SECOND,
        drain: 0,
        ..Load::steady(10.0, 8 * SECOND)
    };
    let throughput = run(Design::of_today(), load).throughput;
    assert!((4.2..=5.0).contains(&throughput), "{throughput}: 40 slots of 8 s and what it takes to free them");
}
