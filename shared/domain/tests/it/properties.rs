//! Generated lives of a job: the invariants hold after every event, for all events in any order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::{Index, select};
use reelhook_domain::*;

use crate::invariants::*;
use crate::story::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn every_generated_job_keeps_the_invariants(
        pause in any::<bool>(),
        max_retries in 0_u32..4,
        opening in select(OPENINGS),
        moves in prop::collection::vec((gap(), a_move()), 1..50),
    ) {
        let mut life = Life::new(Policy { max_retries, ..policy() }, pause);
        for happens in opening {
            life.meet(0, happens);
        }
        for (wait_ms, happens) in moves {
            life.meet(wait_ms, &happens);
        }
        life.ends_by_the_sweep_alone();
    }
}

/// The progress of a life before random events start, so that late states are as frequent as early ones.
const OPENINGS: &[&[Move]] = &[
    &[],
    &[Move::Claim, Move::Started { run: Run::Present, worker: 0 }],
    &[Move::Claim, Move::Report { run: Some(Run::Present), sequence: 1, report: WITH_ID }],
    &[Move::Claim, Move::Report { run: Some(Run::Present), sequence: 1, report: LAST_WITH_ID }],
    &[
        Move::Claim,
        Move::Report { run: Some(Run::Present), sequence: 1, report: LAST_WITH_ID },
        Move::Sweep,
        Move::Sweep,
        Move::Sweep,
        Move::Sweep,
        Move::Sweep,
    ],
];
const WITH_ID: Said = Said { number: 7, status: StepStatus::Completed, render: Some(0), ..Said::STEP };
const LAST_WITH_ID: Said = Said { number: 8, status: StepStatus::Completed, render: Some(0), ..Said::STEP };

/// The run of a callback, relative to the job's run at its arrival.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Run {
    Present,
    Older,
}

/// An event, before its run and its time are known.
#[derive(Debug, Clone)]
enum Move {
    Claim,
    Started {
        run: Run,
        worker: u8,
    },
    Deferred {
        run: Run,
        wait_s: Option<u64>,
    },
    RunFailed {
        run: Run,
        error: &'static str,
    },
    Report {
        run: Option<Run>,
        sequence: i64,
        report: Said,
    },
    Reported {
        run: Run,
        render: u8,
        state: RenderState,
        confirmable: bool,
    },
    Checked {
        run: Run,
        render: u8,
        state: Option<RenderState>,
        check: u8,
    },
    Cancel,
    Clear,
    Retry,
    Complete,
    Monitor,
    LogArchived,
    Delete,
    Tick,
    /// The clock advances to the due time of the job, and the sweep runs.
    Sweep,
    /// One of the events so far is repeated unchanged.
    Again(Index),
}

/// A report, before its run and sequence are known.
#[derive(Debug, Clone, Copy)]
struct Said {
    number: u8,
    status: StepStatus,
    key: Option<u8>,
    render: Option<u8>,
    video: bool,
    error: Option<&'static str>,
    workflow_failed: bool,
}

impl Said {
    const STEP: Self = Self {
        number: 0,
        status: StepStatus::Started,
        key: None,
        render: None,
        video: false,
        error: None,
        workflow_failed: false,
    };
}

/// Milliseconds until the next event: bursts, a worker's pace, and long pauses.
fn gap() -> impl Strategy<Value = i64> {
    prop_oneof![2 => Just(0_i64), 4 => 1_i64..5_000, 3 => 5_000_i64..120_000, 1 => 120_000_i64..3_600_000]
}

fn run() -> impl Strategy<Value = Run> {
    prop_oneof![5 => Just(Run::Present), 1 => Just(Run::Older)]
}

/// A render, nearly always the same one.
fn which() -> impl Strategy<Value = u8> {
    prop_oneof![6 => Just(0_u8), 1 => Just(1_u8)]
}

fn error() -> impl Strategy<Value = &'static str> {
    select(&["boom", "too many requests", "not enough movies", "no movies found", "connection reset"][..])
}

fn a_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        5 => Just(Move::Claim),
        3 => (run(), 0_u8..2).prop_map(|(run, worker)| Move::Started { run, worker }),
        2 => (run(), prop::option::of(0_u64..5_000)).prop_map(|(run, wait_s)| Move::Deferred { run, wait_s }),
        1 => (run(), error()).prop_map(|(run, error)| Move::RunFailed { run, error }),
        12 => (prop::option::weighted(0.9, run()), -2_i64..6, said())
            .prop_map(|(run, sequence, report)| Move::Report { run, sequence, report }),
        6 => (run(), which(), render_state(), any::<bool>())
            .prop_map(|(run, render, state, confirmable)| Move::Reported { run, render, state, confirmable }),
        6 => (run(), which(), prop::option::weighted(0.8, render_state()), 0_u8..6)
            .prop_map(|(run, render, state, check)| Move::Checked { run, render, state, check }),
        1 => Just(Move::Cancel),
        1 => Just(Move::Clear),
        3 => Just(Move::Retry),
        1 => Just(Move::Complete),
        1 => Just(Move::Monitor),
        1 => Just(Move::LogArchived),
        1 => Just(Move::Delete),
        3 => Just(Move::Tick),
        6 => Just(Move::Sweep),
        6 => any::<Index>().prop_map(Move::Again),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    use StepStatus::{Completed, Failed, RenderReady, Started};
    let status = prop_oneof![5 => Just(Started), 5 => Just(Completed), 1 => Just(Failed), 2 => Just(RenderReady)];
    let render = prop::option::weighted(0.4, which());
    let key = prop::option::of(0_u8..3);
    (0_u8..=8, status, key, render, prop::bool::weighted(0.1), prop::option::of(error()), prop::bool::weighted(0.05))
        .prop_map(|(number, status, key, render, video, error, workflow_failed)| Said {
            number,
            status,
            key,
            render,
            video,
            error,
            workflow_failed,
        })
}

/// Any status with or without a URL: the service sends URLs with other statuses than `succeeded` as well.
fn render_state() -> impl Strategy<Value = RenderState> {
    use RenderStatus::*;
    let words = vec![Planned, Waiting, Transcribing, Rendering, Succeeded, Succeeded, Failed, Other("odd".to_owned())];
    (select(words), any::<bool>()).prop_map(|(status, url)| RenderState {
        status,
        url: url.then(|| web_url(VIDEO)),
        error: None,
    })
}

/// A job, and the accounts of its effects.
struct Life {
    story: Story,
    past: Vec<Event>,
    /// All slots that were claimed.
    taken: BTreeSet<String>,
    /// Claimed slots that are not freed yet.
    open: BTreeSet<String>,
    /// The sum of the Count effects of each final state.
    counts: BTreeMap<Status, i32>,
    /// Written log lines, and their counts.
    log: (LogTally, LogTally),
    /// Applied reports, each with its run.
    applied: Vec<(u32, StepUpdate)>,
}

impl Life {
    fn new(policy: Policy, pause: bool) -> Self {
        let story = Story::with(policy, pause);
        let nothing = BTreeSet::new();
        let log = (story.job.ledger.log, LogTally::default());
        let taken = nothing.clone();
        Self { story, past: vec![], taken, open: nothing, counts: BTreeMap::new(), log, applied: vec![] }
    }

    fn meet(&mut self, wait_ms: i64, happens: &Move) {
        self.story.now = Timestamp(self.story.now.0 + wait_ms);
        if let (Move::Sweep, Some(due)) = (happens, self.story.job.due_at) {
            self.story.now = self.story.now.max(due);
        }
        if let Some(event) = self.event(happens) {
            self.happen(event);
        }
    }

    fn event(&self, happens: &Move) -> Option<Event> {
        let job = &self.story.job;
        let attempt = |run: Run| if run == Run::Present { job.run.attempt } else { job.run.attempt - 1 };
        // A run has its own render, and sometimes a second one.
        let render_of = |run: Run, which: u8| render(&format!("render_{}_{which}", attempt(run)));
        Some(match happens {
            Move::Claim => Event::Claim,
            Move::Started { run, worker } => Event::Started {
                attempt: attempt(*run),
                worker_id: Some(format!("worker_{worker}")),
                cancel_url: Some(web_url(CANCEL_URL)),
            },
            Move::Deferred { run, wait_s } => deferred(attempt(*run), *wait_s),
            Move::RunFailed { run, error } => run_failed(attempt(*run), error),
            Move::Report { run, sequence, report } => {
                let mut update =
                    plain(report.number, report.status, steps_of(job).last_sequence.unwrap_or(0) + sequence);
                update.key = report.key.map(|key| key.to_string());
                update.render_id = report.render.map(|which| render_of(run.unwrap_or(Run::Present), which));
                update.video_url = report.video.then(|| web_url(VIDEO));
                update.error = report.error.map(str::to_owned);
                update.workflow_failed = report.workflow_failed;
                Event::Step { attempt: run.map(attempt), update }
            }
            Move::Reported { run, render, state, confirmable } => Event::RenderReported {
                render: render_of(*run, *render),
                state: state.clone(),
                confirmable: *confirmable,
            },
            Move::Checked { run, render, state, check } => {
                Event::RenderChecked { render: render_of(*run, *render), state: state.clone(), check: *check }
            }
            Move::Cancel => Event::Cancel,
            Move::Clear => Event::Clear { until: self.story.now },
            Move::Retry => Event::Retry,
            Move::Complete => complete(),
            Move::Monitor => Event::Monitor,
            Move::LogArchived => Event::LogArchived,
            Move::Delete => Event::Delete,
            Move::Tick | Move::Sweep => Event::Tick,
            Move::Again(_) if self.past.is_empty() => return None,
            Move::Again(which) => which.get(&self.past).clone(),
        })
    }

    fn happen(&mut self, event: Event) {
        let before = self.story.job.clone();
        let decision = self.story.decide(&event);
        invariant_an_older_attempt_changes_nothing(&before, &event, &decision);
        invariant_the_outbox_is_replaced(&self.story, &event, &decision);
        if let Decision::Apply(after) = decision {
            let now = self.story.now;
            invariant_a_final_state_absorbs_every_callback(&before, &event, &after);
            invariant_progress_never_falls_within_an_attempt(&before, &after);
            invariant_each_change_is_one_version(&before, &after, now);
            invariant_the_history_is_whole_until_it_is_packed(&before, &after);
            invariant_attempt_and_retries_rise_together(&before, &after);
            invariant_emitted_matches_the_notifications(&before, &after, now);
            invariant_the_video_is_notified_once(&before, &after);
            invariant_times_and_error_fit_the_status(&after);
            invariant_no_text_names_an_earlier_step(&after);
            self.invariant_a_report_applies_once(&event, before.run.attempt);
            self.story.job = *after;
            self.invariant_each_slot_is_freed_once(&before);
            self.invariant_counts_say_what_the_job_is();
            self.invariant_the_log_of_an_ended_job_is_counted();
        }
        invariant_what_is_not_final_is_due(&self.story.job);
        invariant_a_due_job_moves_on(&self.story);
        self.past.push(event);
    }

    /// Every job that is not waiting ends without another callback.
    fn ends_by_the_sweep_alone(mut self) {
        for _ in 0..40 {
            match self.story.job.status {
                Status::Pending if self.story.job.run.start.claim.is_none() => return,
                Status::Completed | Status::Failed | Status::Cancelled => return,
                Status::Pending | Status::Processing | Status::Rendering => self.meet(0, &Move::Sweep),
            }
        }
        panic!("the sweep does not end this job: {:#?}", self.story.job);
    }

    fn invariant_a_report_applies_once(&mut self, event: &Event, attempt: u32) {
        let Event::Step { update, .. } = event else { return };
        let same = |(run, other): &&(u32, StepUpdate)| {
            let identity = |step: &StepUpdate| (step.number, step.status, step.sequence, step.key.clone());
            *run == attempt && identity(other) == identity(update)
        };
        assert_eq!(self.applied.iter().find(same), None, "this report was applied before");
        self.applied.push((attempt, update.clone()));
    }

    fn invariant_each_slot_is_freed_once(&mut self, before: &Job) {
        let job = &self.story.job;
        if let Some(claim) = &job.run.start.claim {
            let slot_is_allowed = match job.status {
                Status::Pending | Status::Processing => true,
                Status::Rendering | Status::Completed | Status::Failed | Status::Cancelled => false,
            };
            assert!(slot_is_allowed, "a {} job holds the slot {}", job.status.name(), claim.slot);
            if before.run.start.claim.as_ref() != Some(claim) {
                assert!(self.taken.insert(claim.slot.clone()), "the slot {} is taken a second time", claim.slot);
                self.open.insert(claim.slot.clone());
            }
        }
        for effect in &job.outbox {
            if let Effect::FreeSlot { slot } = effect {
                assert!(self.open.remove(slot), "the slot {slot} was not claimed, or was freed before");
            }
        }
        let held: BTreeSet<String> = job.run.start.claim.iter().map(|claim| claim.slot.clone()).collect();
        assert_eq!(self.open, held, "claimed slots that were not freed, and the slot of the job");
    }

    fn invariant_counts_say_what_the_job_is(&mut self) {
        let job = &self.story.job;
        for effect in &job.outbox {
            if let Effect::Count { status, day, entered } = effect {
                assert_eq!(*day, job.created_at.day());
                *self.counts.entry(*status).or_default() += if *entered { 1 } else { -1 };
            }
        }
        for &status in Status::ALL {
            let counted = self.counts.get(&status).copied().unwrap_or(0);
            let is_so = status.is_final() && job.status == status && job.deleted_at.is_none();
            assert_eq!(counted, i32::from(is_so), "{} in the counters", status.name());
        }
    }

    fn invariant_the_log_of_an_ended_job_is_counted(&mut self) {
        let job = &self.story.job;
        let (written, counted) = &mut self.log;
        for effect in &job.outbox {
            match effect {
                Effect::Log { level, message, details, .. } => {
                    match level {
                        LogLevel::Info => written.info += 1,
                        LogLevel::Success => written.success += 1,
                        LogLevel::Warning => written.warning += 1,
                        LogLevel::Error => written.error += 1,
                    }
                    let facts = if details.is_null() { 0 } else { details.to_string().len() };
                    written.bytes += (message.len() + facts) as i64;
                }
                Effect::CountLog { log, .. } => *counted = *counted + *log,
                _ => {}
            }
        }
        assert_eq!(LogTally { archived: 0, ..job.ledger.log }, *written, "log lines that the job has counted");
        if job.deleted_at.is_some() {
            assert!(counted.is_empty(), "{counted:?} of a deleted job");
        } else if job.status.is_final() {
            assert_eq!(*counted, job.ledger.log);
        }
    }
}
