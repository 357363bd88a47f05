//! One job: submissions with one key, reads, commands, claims and reports of concurrent clients.

use async_trait::async_trait;
use reelhook_app::change::{AggregateStore, ChangeError, Changed, change};
use reelhook_app::idempotency::IdempotencyKey;
use reelhook_app::jobs::submit::{Submission, Submitted, submit_as};
use reelhook_app::store::{Saved, StoreError};
use reelhook_domain::{Event, Job, JobId, NewJob, Policy, Status, StepStatus, WebUrl};
use reelhook_testkit::linear::{Model, Operation, Recorder, Turns, assert_linearizable, check, interleave};
use reelhook_testkit::{MemoryJobs, NOON, World, a_new_job, policy, started, step};

use super::{Client, inject, seeds};

/// A call about the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    /// A submission of this client; all have one key.
    Submit(usize),
    Read,
    Cancel,
    Retry,
    Complete,
    Delete,
    Claim,
    /// The worker accepted the run of this attempt.
    Started(u32),
    /// The first step of the run of this attempt.
    Step(u32),
    /// The run of this attempt failed for good.
    Failed(u32),
}

/// What a client sees of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    version: u64,
    status: Status,
    deleted: bool,
}

impl Seen {
    fn of(job: &Job) -> Self {
        Self { version: job.version, status: job.status, deleted: job.deleted_at.is_some() }
    }
}

/// The answer to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// The client whose submission made the job.
    MadeBy(usize),
    Found(Seen),
    Applied(Seen),
    Ignored(Seen),
    Rejected(Seen),
    NotFound,
    /// Other writers were always faster: the call changed nothing.
    Contended,
}

/// Where the job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    Waiting,
    Claimed,
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl Phase {
    fn status(self) -> Status {
        match self {
            Self::Waiting | Self::Claimed => Status::Pending,
            Self::Running => Status::Processing,
            Self::Completed => Status::Completed,
            Self::Failed => Status::Failed,
            Self::Cancelled => Status::Cancelled,
        }
    }

    fn is_under_way(self) -> bool {
        matches!(self, Self::Waiting | Self::Claimed | Self::Running)
    }
}

/// The job as its clients may think of it: one call after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Sequential {
    made_by: usize,
    version: u64,
    phase: Phase,
    attempt: u32,
    /// Whether the worker has accepted the run.
    accepted: bool,
    /// Whether the run has reported its first step.
    stepped: bool,
    /// Whether a person has retried the job; a repeat soon after has the same result.
    retried: bool,
    deleted: bool,
}

/// What a call does.
enum Does {
    /// It changes the job, which then is in this phase.
    Applies(Phase),
    Ignored,
    Rejected,
}

impl Sequential {
    fn new(made_by: usize) -> Self {
        Self {
            made_by,
            version: 1,
            phase: Phase::Waiting,
            attempt: 1,
            accepted: false,
            stepped: false,
            retried: false,
            deleted: false,
        }
    }

    fn seen(&self) -> Seen {
        Seen { version: self.version, status: self.phase.status(), deleted: self.deleted }
    }

    /// What a call does to a job that is not deleted.
    fn does(&self, call: Call) -> Does {
        let may_report = |attempt: u32| attempt == self.attempt && self.phase.is_under_way();
        match (call, self.phase) {
            (Call::Cancel, phase) if phase.is_under_way() => Does::Applies(Phase::Cancelled),
            (Call::Cancel, Phase::Cancelled) => Does::Ignored,
            (Call::Retry, Phase::Failed) => Does::Applies(Phase::Waiting),
            (Call::Retry, _) if self.retried => Does::Ignored,
            (Call::Complete, Phase::Running) => Does::Applies(Phase::Completed),
            (Call::Delete, phase) if !phase.is_under_way() => Does::Applies(phase),
            (Call::Cancel | Call::Retry | Call::Complete | Call::Delete, _) => Does::Rejected,
            (Call::Claim, Phase::Waiting) => Does::Applies(Phase::Claimed),
            (Call::Started(attempt), _) if may_report(attempt) && !(self.phase == Phase::Running && self.accepted) => {
                Does::Applies(Phase::Running)
            }
            (Call::Step(attempt), _) if may_report(attempt) && !self.stepped => Does::Applies(Phase::Running),
            (Call::Failed(attempt), _) if may_report(attempt) => Does::Applies(Phase::Failed),
            (Call::Claim | Call::Started(_) | Call::Step(_) | Call::Failed(_), _) => Does::Ignored,
            (Call::Submit(_) | Call::Read, _) => unreachable!("they change no job"),
        }
    }

    /// The job after a call, and the answer.
    fn after(&self, call: Call) -> (Self, Answer) {
        let is_command = matches!(call, Call::Cancel | Call::Retry | Call::Complete | Call::Delete);
        match call {
            Call::Submit(_) => return (*self, Answer::MadeBy(self.made_by)),
            Call::Read => return (*self, Answer::Found(self.seen())),
            _ if self.deleted && is_command => return (*self, Answer::NotFound),
            _ if self.deleted => return (*self, Answer::Ignored(self.seen())),
            _ => {}
        }
        match self.does(call) {
            Does::Ignored => (*self, Answer::Ignored(self.seen())),
            Does::Rejected => (*self, Answer::Rejected(self.seen())),
            Does::Applies(phase) => {
                let mut next = Self { version: self.version + 1, phase, ..*self };
                match call {
                    Call::Retry => {
                        let attempt = self.attempt + 1;
                        next = Self { attempt, accepted: false, stepped: false, retried: true, ..next };
                    }
                    Call::Started(_) => next.accepted = true,
                    Call::Step(_) => next.stepped = true,
                    Call::Delete => next.deleted = true,
                    _ => {}
                }
                (next, Answer::Applied(next.seen()))
            }
        }
    }
}

/// The job, or none before the first submission.
struct OneJob;

impl Model for OneJob {
    type State = Option<Sequential>;
    type Call = Call;
    type Answer = Answer;

    fn start(&self) -> Self::State {
        None
    }

    fn after(&self, state: &Self::State, call: &Call, answer: Option<&Answer>) -> Vec<Self::State> {
        let (next, expected) = match (state, *call) {
            (None, Call::Submit(client)) => (Some(Sequential::new(client)), Answer::MadeBy(client)),
            (None, _) => (None, Answer::NotFound),
            (Some(job), call) => {
                let (next, expected) = job.after(call);
                (Some(next), expected)
            }
        };
        match answer {
            Some(Answer::Contended) => vec![*state],
            Some(answer) if *answer != expected => Vec::new(),
            Some(_) | None => vec![next],
        }
    }
}

/// What clients share.
struct Shared<'a, S> {
    store: &'a S,
    jobs: &'a MemoryJobs,
    world: &'a World,
    policy: &'a Policy,
    id: &'a JobId,
}

impl<S: AggregateStore<Job>> Shared<'_, S> {
    /// The answer to a call; none if the store failed, so that the call may have had its effect.
    async fn call(&self, call: Call) -> Option<Answer> {
        let event = match call {
            Call::Submit(client) => return self.submit(client).await,
            Call::Read => {
                let found = self.store.load(self.id).await.ok()?;
                return Some(found.map_or(Answer::NotFound, |job| Answer::Found(Seen::of(&job))));
            }
            Call::Cancel => Event::Cancel,
            Call::Retry => Event::Retry,
            Call::Complete => Event::Complete { video_url: WebUrl::parse("https://cdn.example/1.mp4").unwrap() },
            Call::Delete => Event::Delete,
            Call::Claim => Event::Claim,
            Call::Started(attempt) => started(attempt),
            Call::Step(attempt) => step(attempt, 1, StepStatus::Started, None),
            Call::Failed(attempt) => Event::RunFailed { attempt, error: "No movies found".to_owned() },
        };
        match change(self.store, self.world, self.policy, self.id, &event).await {
            Ok(Changed::Applied(job)) => Some(Answer::Applied(Seen::of(&job))),
            Ok(Changed::Ignored(_, job)) => Some(Answer::Ignored(Seen::of(&job))),
            Ok(Changed::Rejected(_, job)) => Some(Answer::Rejected(Seen::of(&job))),
            Ok(Changed::NotFound) => Some(Answer::NotFound),
            Err(ChangeError::Contended(_)) => Some(Answer::Contended),
            Err(ChangeError::Store(_)) => None,
        }
    }

    async fn submit(&self, client: usize) -> Option<Answer> {
        let NewJob { kind, request, plan, origin, usage, .. } = a_new_job(1);
        let key = Some(IdempotencyKey::new("caller", "one key", "one body"));
        let submission = Submission { kind, request, plan, origin, key, usage };
        let made = submit_as(self.jobs, NOON, self.policy, self.id.clone(), submission, |_| client.to_string()).await;
        match made.ok()? {
            Submitted::Answer(text) => Some(Answer::MadeBy(text.parse().unwrap())),
            Submitted::KeyReused => unreachable!("all clients send one body"),
        }
    }
}

/// The calls of a client: most of them meet those of the others.
fn calls(client: usize, turns: &mut Turns) -> Vec<Call> {
    let mut calls = if client == 0 || turns.below(2) == 0 { vec![Call::Submit(client)] } else { Vec::new() };
    for _ in 0..5 {
        let attempt = 1 + u32::try_from(turns.below(2)).unwrap();
        calls.push(match turns.below(10) {
            0 => Call::Submit(client),
            1 | 2 => Call::Read,
            3 => Call::Cancel,
            4 => Call::Retry,
            5 => Call::Complete,
            6 => Call::Delete,
            7 => Call::Claim,
            8 => {
                if turns.below(2) == 0 {
                    Call::Started(attempt)
                } else {
                    Call::Step(attempt)
                }
            }
            _ => Call::Failed(attempt),
        });
    }
    calls
}

/// The history of four clients of a store.
fn history<S: AggregateStore<Job>>(store: &S, jobs: &MemoryJobs, turns: &mut Turns) -> Vec<Operation<Call, Answer>> {
    let (world, policy, recorder) = (World::default(), policy(), Recorder::default());
    let id = a_new_job(1).id;
    let shared = Shared { store, jobs, world: &world, policy: &policy, id: &id };
    let planned: Vec<Vec<Call>> = (0..4).map(|client| calls(client, turns)).collect();
    let mut clients: Vec<Client<'_>> = Vec::new();
    for (client, calls) in planned.into_iter().enumerate() {
        let (shared, recorder) = (&shared, &recorder);
        clients.push(Box::pin(async move {
            for call in calls {
                recorder.record(client, call, shared.call(call)).await;
            }
        }));
    }
    interleave(turns, clients);
    recorder.history()
}

#[test]
fn a_job_is_linearizable() {
    for seed in seeds() {
        let (jobs, mut turns) = (MemoryJobs::default(), Turns::new(seed));
        let history = history(&jobs, &jobs, &mut turns);
        assert_linearizable(&OneJob, &history, &format!("seed {seed}"));
    }
}

#[test]
fn a_job_is_linearizable_when_calls_fail_and_answers_get_lost() {
    let mut lost = 0;
    for seed in seeds() {
        let (jobs, mut turns) = (MemoryJobs::default(), Turns::new(seed));
        inject(&jobs.faults, &mut turns, &["load", "save", "record", "insert_with_key"]);
        let history = history(&jobs, &jobs, &mut turns);
        lost += history.iter().filter(|operation| operation.answer.is_none()).count();
        assert_linearizable(&OneJob, &history, &format!("seed {seed}"));
    }
    assert!(lost > 0, "some answers get lost");
}

/// A store that saves whatever comes, as one without conditions does.
struct Careless<'a>(&'a MemoryJobs);

#[async_trait]
impl AggregateStore<Job> for Careless<'_> {
    async fn load(&self, id: &JobId) -> Result<Option<Job>, StoreError> {
        self.0.load(id).await
    }

    async fn save(&self, next: &Job) -> Result<Saved<Job>, StoreError> {
        tokio::task::yield_now().await;
        self.0.put(next);
        Ok(Saved::Done)
    }
}

#[test]
fn a_store_without_conditions_is_found_out() {
    let is_found_out = |seed: u64| {
        let (jobs, mut turns) = (MemoryJobs::default(), Turns::new(seed));
        check(&OneJob, &history(&Careless(&jobs), &jobs, &mut turns)).is_err()
    };
    let found = (0..100).filter(|seed| is_found_out(*seed)).count();
    assert!(found > 10, "{found} of 100 histories show that versions were lost");
}
