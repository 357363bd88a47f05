//! Cutoffs of clears: which jobs they hide, and how many they leave to be shown.

use std::collections::BTreeMap;

use reelhook_domain::*;

use crate::story::{NOON, Story};

/// A job that ended with this status at noon.
fn ended(status: Status) -> Job {
    let mut job = Story::completed().job;
    let at = |of: Status| (of == status).then_some(NOON);
    job.status = status;
    job.run.times.completed_at = at(Status::Completed);
    job.run.times.failed_at = at(Status::Failed);
    job.run.times.cancelled_at = at(Status::Cancelled);
    job
}

/// Whether a job is hidden by cutoffs that are so many milliseconds after noon.
fn hides(job: &Job, all: Option<i64>, failed: Option<i64>) -> bool {
    let at = |after: i64| Timestamp(NOON.millis() + after);
    ClearCutoffs { all: all.map(at), failed: failed.map(at), ..ClearCutoffs::default() }.hides(job)
}

#[test]
fn what_had_ended_or_waited_at_the_cutoff_is_hidden() {
    for job in [ended(Status::Completed), ended(Status::Cancelled), Story::waiting().job] {
        assert!(hides(&job, Some(0), None) && hides(&job, Some(1), None), "{:?}", job.status);
        assert!(!hides(&job, Some(-1), None) && !hides(&job, None, None), "{:?}", job.status);
        assert!(!hides(&job, None, Some(1)), "{:?} has not failed", job.status);
    }
}

#[test]
fn failed_jobs_are_hidden_by_the_later_of_both_cutoffs() {
    let failed = ended(Status::Failed);
    assert!(hides(&failed, Some(0), None) && hides(&failed, None, Some(0)));
    assert!(hides(&failed, Some(-1), Some(0)) && hides(&failed, Some(0), Some(-1)));
    assert!(!hides(&failed, Some(-1), Some(-1)) && !hides(&failed, None, None));
}

#[test]
fn what_runs_is_never_hidden() {
    for job in [Story::processing().job, Story::rendering().job] {
        assert!(!hides(&job, Some(1_000_000_000), Some(1_000_000_000)), "{:?}", job.status);
    }
}

#[test]
fn hidden_jobs_that_are_still_counted_are_not_shown() {
    let cutoffs = ClearCutoffs { hidden: BTreeMap::from([(Status::Failed, 3)]), ..ClearCutoffs::default() };
    assert_eq!((cutoffs.shown(Status::Failed, 5), cutoffs.shown(Status::Failed, 2)), (2, 0));
    assert_eq!(cutoffs.shown(Status::Completed, 5), 5);
}

#[test]
fn cutoffs_are_empty_if_they_have_none_and_hide_nothing() {
    let empty = ClearCutoffs::default;
    assert!(empty().is_empty());
    assert!(!ClearCutoffs { all: Some(NOON), ..empty() }.is_empty());
    assert!(!ClearCutoffs { failed: Some(NOON), ..empty() }.is_empty());
    assert!(!ClearCutoffs { hidden: BTreeMap::from([(Status::Failed, 1)]), ..empty() }.is_empty());
}

#[test]
fn a_row_has_numbers_once_its_arrangement_has() {
    assert!(!Admission::default().has_numbers());
    let layout = Layout { numbers: true, ..Layout::default() };
    assert!(Admission { layout, ..Admission::default() }.has_numbers());
}
