//! Generated lives of a clip job: the invariants hold after every event, for all events in any order, and from every state a
//! worker and renderers that cooperate lead to an end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use reelhook_domain::clips::event::{Event, LookedUp, ReportKind, ReportedClip, WorkerOutput, WorkerReport};
use reelhook_domain::clips::request::{ClipRequest, Source};
use reelhook_domain::*;
use serde_json::json;

use super::invariants::*;
use super::story::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 384, ..ProptestConfig::default() })]

    #[test]
    fn every_generated_job_keeps_the_invariants(
        request in a_request(),
        policies in prop::collection::vec(a_policy(), 1..3),
        moves in prop::collection::vec((gap(), a_move()), 1..60),
    ) {
        let mut life = Life::new(request, policies);
        for (wait_ms, happens) in moves {
            life.meet(wait_ms, &happens);
        }
        life.ends_where_all_cooperate();
    }
}

/// An event, before the submission, the piece and the time that it is about are known.
#[derive(Debug, Clone)]
enum Move {
    Cancel,
    Delete,
    Retry(u64),
    Recut(u32, u64),
    ClaimSubmission,
    Accepted {
        older: bool,
    },
    Refused {
        wait_s: u64,
        permanent: bool,
    },
    Lost,
    LookUp(Answer),
    Report {
        older: bool,
        names_id: bool,
        report: Box<WorkerReport>,
        polled: bool,
    },
    PollFailed {
        missing: bool,
    },
    ClaimPiece,
    Progress(Index, u32),
    PieceDone(Index),
    NotCovered(Index),
    PieceFailed(Index, bool),
    Tick,
    /// The clock advances to the due time of the job, and the sweep runs.
    Sweep,
    /// All who are asked cooperate once.
    Cooperate,
    /// The settings change: another engine makes the next attempt.
    Policy,
    /// One of the events so far is repeated unchanged.
    Again(Index),
}

/// The answer to a look-up.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Found,
    Missing,
    Unanswered,
}

fn gap() -> impl Strategy<Value = i64> {
    prop_oneof![4 => Just(0_i64), 4 => 1_i64..5_000, 4 => 5_000_i64..90_000, 1 => 90_000_i64..3_600_000]
}

fn a_policy() -> impl Strategy<Value = ClipPolicy> {
    (prop::bool::weighted(0.7), 1_u32..4, 0_u32..3, 1_u32..5).prop_map(
        |(has_worker, lookups, resubmissions, refusals)| ClipPolicy {
            has_worker,
            lookups,
            resubmissions,
            refusals,
            ..own()
        },
    )
}

fn a_request() -> impl Strategy<Value = ClipRequest> {
    let source = select(vec![
        Source::File(url("talk.mp4")),
        Source::Page(url("watch")),
        Source::Upload("uploads/talk.mp4".to_owned()),
    ]);
    let ranges = select(vec![vec![], vec![range(0, 60), range(90, 300)], vec![range(700, 900)]]);
    (source, ranges, prop::option::of(1_u32..60), any::<bool>()).prop_map(|(source, ranges, count, has_callback)| {
        let callback = has_callback.then(|| url("hook"));
        ClipRequest { source, ranges, count, callback, ..request() }
    })
}

fn a_clip() -> impl Strategy<Value = ReportedClip> {
    (0_u32..8, any::<bool>(), any::<bool>(), prop::bool::weighted(0.1), any::<bool>()).prop_map(
        |(index, has_file, is_ours, is_huge, has_length)| {
            let file = if is_ours { stored(&format!("{index}.mp4")) } else { outside(&format!("clip_{index}.mp4")) };
            let huge = |text: &str, most: usize| text.repeat(if is_huge { most } else { 1 });
            ReportedClip {
                index,
                file: has_file.then_some(file),
                duration_ms: has_length.then_some(45_000),
                summary: Some(huge("é", 5000)),
                tags: vec![huge("t", 200); if is_huge { 40 } else { 1 }],
                score_basis: [("motion".to_owned(), json!(0.5)), (huge("x", 3000), json!(1))].into_iter().collect(),
                ..ReportedClip::default()
            }
        },
    )
}

fn an_output() -> impl Strategy<Value = WorkerOutput> {
    let clips = prop_oneof![
        1 => Just(Vec::<ReportedClip>::new()),
        5 => prop::collection::vec(a_clip(), 1..5),
        1 => a_clip().prop_map(|clip| (0..80).map(|index| ReportedClip { index, ..clip.clone() }).collect::<Vec<_>>()),
    ];
    (clips, prop::option::of(1_u64..1_000_000), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(clips, source_ms, has_transcript, has_plan, is_unusable)| WorkerOutput {
            clips,
            source_ms,
            transcript: has_transcript.then(|| outside("transcript.json")),
            plan: has_plan.then(|| outside("plan.json")),
            unusable: if is_unusable { vec!["/etc/x".repeat(100); 9] } else { vec![] },
        },
    )
}

fn a_report() -> impl Strategy<Value = WorkerReport> {
    let kind = prop_oneof![
        2 => Just(ReportKind::Queued),
        6 => Just(ReportKind::Running),
        5 => Just(ReportKind::Completed),
        2 => Just(ReportKind::Failed),
        1 => Just(ReportKind::Canceled),
    ];
    let number = || prop::option::of(0_u32..9);
    let progress = prop::option::of(0_u8..=120);
    (kind, progress, number(), number(), prop::option::of(an_output()), any::<bool>()).prop_map(
        |(kind, progress, clips_completed, total_clips, output, has_text)| WorkerReport {
            kind,
            progress,
            stage: has_text.then(|| "Rendering ".repeat(40)),
            clips_completed,
            total_clips,
            error: has_text.then(|| "no video ".repeat(200)),
            output: output.map(Box::new),
        },
    )
}

fn a_move() -> impl Strategy<Value = Move> {
    let command = prop_oneof![
        3 => Just(Move::Cancel),
        1 => prop::bool::weighted(0.2).prop_map(|deletes| if deletes { Move::Delete } else { Move::Cancel }),
        6 => (0_u64..100).prop_map(Move::Retry),
        3 => (0_u32..6, 0_u64..620).prop_map(|(clip, start_s)| Move::Recut(clip, start_s)),
        1 => Just(Move::Policy),
    ];
    let launch = prop_oneof![
        5 => Just(Move::ClaimSubmission),
        5 => prop::bool::weighted(0.1).prop_map(|older| Move::Accepted { older }),
        2 => (0_u64..100, prop::bool::weighted(0.2)).prop_map(|(wait_s, permanent)| Move::Refused { wait_s, permanent }),
        3 => Just(Move::Lost),
        4 => select(vec![Answer::Found, Answer::Missing, Answer::Missing, Answer::Unanswered]).prop_map(Move::LookUp),
        3 => prop::bool::weighted(0.7).prop_map(|missing| Move::PollFailed { missing }),
    ];
    let report = (prop::bool::weighted(0.1), any::<bool>(), a_report(), any::<bool>()).prop_map(
        |(older, names_id, report, polled)| Move::Report { older, names_id, report: Box::new(report), polled },
    );
    let piece = prop_oneof![
        5 => Just(Move::ClaimPiece),
        2 => (any::<Index>(), 0_u32..150).prop_map(|(claim, units)| Move::Progress(claim, units)),
        6 => any::<Index>().prop_map(Move::PieceDone),
        1 => any::<Index>().prop_map(Move::NotCovered),
        2 => (any::<Index>(), prop::bool::weighted(0.4)).prop_map(|(claim, permanent)| Move::PieceFailed(claim, permanent)),
    ];
    prop_oneof![
        3 => command,
        5 => launch,
        6 => report,
        6 => piece,
        1 => Just(Move::Tick),
        3 => Just(Move::Sweep),
        3 => Just(Move::Cooperate),
        2 => any::<Index>().prop_map(Move::Again),
    ]
}

/// A job, and the accounts of what happened to it.
struct Life {
    story: Story,
    policies: Vec<ClipPolicy>,
    past: Vec<Event>,
    /// The charges of the reservations that have ended.
    ends: BTreeMap<String, u64>,
    /// The clips of the present attempt that subscribers were notified of before its end.
    published: BTreeSet<String>,
}

impl Life {
    fn new(request: ClipRequest, policies: Vec<ClipPolicy>) -> Self {
        let story = Story::new(request, policies[0].clone());
        Self { story, policies, past: vec![], ends: BTreeMap::new(), published: BTreeSet::new() }
    }

    fn meet(&mut self, wait_ms: i64, happens: &Move) {
        self.story.now = Timestamp(self.story.now.0 + wait_ms);
        match happens {
            Move::Sweep => {
                if let Some(due) = self.story.job.due_at {
                    self.story.now = self.story.now.max(due);
                }
                self.happen(Event::Tick);
            }
            Move::Cooperate => self.cooperate(),
            Move::Policy => {
                self.policies.rotate_left(1);
                self.story.policy = self.policies[0].clone();
            }
            other => {
                if let Some(event) = self.event(other) {
                    self.happen(event);
                }
            }
        }
    }

    /// The event that a move is at present; none if there is nothing that it could be about.
    fn event(&self, happens: &Move) -> Option<Event> {
        let job = &self.story.job;
        let number = job.run.engine.worker().map_or(1, |run| run.number);
        let claims: Vec<u32> = job.pieces.list.iter().filter_map(|piece| Some(piece.claim.as_ref()?.number)).collect();
        let claim = |index: &Index| (!claims.is_empty()).then(|| *index.get(&claims));
        let older = |is_older: bool| if is_older { number - 1 } else { number };
        Some(match happens {
            Move::Cancel => Event::Cancel,
            Move::Delete => Event::Delete,
            Move::Retry(reserved) => Event::Retry { reserved: *reserved },
            Move::Recut(index, start_s) => Event::Recut { index: *index, range: range(*start_s, start_s + 10) },
            Move::ClaimSubmission => Event::ClaimSubmission,
            Move::Accepted { older: is_older } => {
                let number = older(*is_older);
                Event::Submitted { number, id: worker_id(number) }
            }
            Move::Refused { wait_s, permanent } => {
                let wait = Some(Duration::from_secs(*wait_s));
                Event::SubmissionRefused { number, error: "busy".repeat(500), wait, permanent: *permanent }
            }
            Move::Lost => Event::SubmissionLost { number },
            Move::LookUp(answer) => {
                let found = match answer {
                    Answer::Found => LookedUp::Found(worker_id(number)),
                    Answer::Missing => LookedUp::Missing,
                    Answer::Unanswered => LookedUp::Unanswered,
                };
                Event::LookedUp { number, found }
            }
            Move::Report { older: is_older, names_id, report, polled } => {
                let number = older(*is_older);
                Event::Reported {
                    number,
                    id: names_id.then(|| worker_id(number)),
                    report: report.clone(),
                    polled: *polled,
                }
            }
            Move::PollFailed { missing } => Event::PollFailed { number, missing: *missing },
            Move::ClaimPiece => Event::ClaimPiece,
            Move::Progress(index, units) => Event::PieceProgressed { claim: claim(index)?, units: *units },
            Move::PieceDone(index) => {
                let claim = claim(index)?;
                Event::PieceDone { claim, output: Box::new(made(job.claimed_piece(claim)?)) }
            }
            Move::NotCovered(index) => Event::NotCovered { claim: claim(index)?, source_ms: SOURCE_MS, available: 0 },
            Move::PieceFailed(index, permanent) => {
                Event::PieceFailed { claim: claim(index)?, error: "boom".repeat(500), permanent: *permanent }
            }
            Move::Again(index) => (!self.past.is_empty()).then(|| index.get(&self.past).clone())?,
            Move::Tick | Move::Sweep | Move::Cooperate | Move::Policy => Event::Tick,
        })
    }

    fn happen(&mut self, event: Event) {
        let decision = self.story.decide(&event);
        if let Decision::Apply(after) = decision {
            let before = std::mem::replace(&mut self.story.job, *after);
            let (after, now) = (&self.story.job, self.story.now);
            invariant_each_change_is_one_version(&before, after, now);
            invariant_nothing_falls_within_an_attempt(&before, after);
            invariant_a_final_state_absorbs_every_report(&before, &event, &self.story);
            invariant_each_reservation_ends_once(&mut self.ends, &self.story);
            invariant_no_effect_names_a_stale_submission(&before, &self.story);
            invariant_pieces_are_of_the_present(after);
            invariant_a_job_is_small(after);
            invariant_an_end_counts_once(&self.story, &event);
            self.invariant_a_clip_is_published_once(&before);
        }
        invariant_what_is_under_way_is_due(&self.story.job);
        invariant_a_due_job_moves_on(&self.story);
        self.past.push(event);
    }

    /// Before the end of an attempt, subscribers are notified of each clip once.
    fn invariant_a_clip_is_published_once(&mut self, before: &ClipJob) {
        if before.run.attempt != self.story.job.run.attempt {
            self.published.clear();
        }
        if before.status.is_final() {
            return;
        }
        for (event, about) in self.story.notified() {
            if let (OutboundEvent::ClipReady, Some(about)) = (event, about) {
                assert!(self.published.insert(about.to_owned()), "clip {about} is published twice");
            }
        }
    }

    /// What is asked for is done, one event after the other.
    fn cooperate(&mut self) {
        if let (Some((number, _)), Some(event)) = (self.story.work(), self.story.asked()) {
            let is_submission = matches!(event, Event::ClaimSubmission);
            self.happen(event);
            if is_submission {
                self.happen(Event::Submitted { number, id: worker_id(number) });
            }
        }
        self.happen(Event::ClaimPiece);
        let claims = self.story.job.pieces.claims;
        if let Some(output) = self.story.job.claimed_piece(claims).map(made) {
            self.happen(Event::PieceDone { claim: claims, output: Box::new(output) });
        }
        self.meet(0, &Move::Sweep);
    }

    fn ends_where_all_cooperate(mut self) {
        for _ in 0..400 {
            if self.story.job.due_at.is_none() {
                assert!(self.story.job.status.is_final(), "this job waits for nothing: {:#?}", self.story.job);
                return;
            }
            self.cooperate();
        }
        panic!("this job never ends: {:#?}", self.story.job);
    }
}
