//! A history: the stack, what happens to it, and what holds at any time.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::repeat_n;
use std::sync::Mutex;

use proptest::sample::Index;
use reelhook_app::change::{ChangeError, Changed, change};
use reelhook_app::clips::raise::report_piece;
use reelhook_app::clips::reports::{Inbound, ReportPorts, Submission, receive};
use reelhook_app::clips::requests::create::{CreatePorts, Created, NewClips, create_job};
use reelhook_app::clips::requests::retry::retry_job;
use reelhook_app::clips::store::AttemptPorts;
use reelhook_app::credits::requests::{AddPorts, NewCredits, add};
use reelhook_app::idempotency::IdempotencyKey;
use reelhook_app::outbox::messages::WorkMessage;
use reelhook_app::outbox::sweep::Due;
use reelhook_domain::clips::clip::{PlannedClip, SourceFacts};
use reelhook_domain::clips::event::{Event, PieceOutput};
use reelhook_domain::clips::job::ClipPiece;
use reelhook_domain::clips::request::{ClipRequest, Layout, Range};
use reelhook_domain::credits::account::Account;
use reelhook_domain::credits::ledger::{Balance, Entry, EntryKind};
use reelhook_domain::projects::media::File;
use reelhook_domain::{ClipJob, ClipJobId, CreditEffect, Effect, Origin, OwnerId};
use reelhook_testkit::{Fault, MemoryClips, NOON, Stack, a_clip_job};
use serde_json::Map;

use super::genesis::{Genesis, Said};
use super::steps::{Failure, Step};

/// The operations of the store that fail.
const OPERATIONS: [&str; 9] =
    ["insert", "save_attempt", "load", "save", "settle", "add", "record", "remember_key", "remember"];

/// A stack without receivers of webhooks, and where its functions are.
pub struct History {
    stack: Stack,
    /// Whether an account must have the credits that it reserves.
    limited: bool,
    /// The records of the stream that fanout has processed.
    position: usize,
    /// The hints that the launcher has received.
    hints: Vec<WorkMessage>,
}

impl History {
    /// An empty stack with this worker. Without one, our own renderers cut.
    pub fn new(has_worker: bool, limited: bool, genesis: Genesis) -> Self {
        let mut stack = Stack::with(&[], 3);
        stack.clips.policy.has_worker = has_worker;
        let genesis = Mutex::new(genesis);
        stack.http.script(move |request| genesis.lock().unwrap().answer(request));
        Self { stack, limited, position: 0, hints: Vec::new() }
    }

    /// A step. If it fails, the caller asks again, as clients, queues and streams do.
    pub async fn meet(&mut self, step: &Step, failure: Option<Failure>) {
        if let Some(Failure { fault, after }) = failure {
            for operation in OPERATIONS {
                self.jobs().faults.inject(operation, repeat_n(Fault::Pass, after).chain([fault]));
            }
        }
        let is_done = self.take(step).await;
        self.jobs().faults.clear();
        assert!(is_done || failure.is_some(), "{step:?} fails");
        if !is_done {
            assert!(self.take(step).await, "{step:?} fails when it is repeated");
        }
    }

    /// Takes a step, and returns whether it succeeded.
    async fn take(&mut self, step: &Step) -> bool {
        match *step {
            Step::Add { owned, request, credits } => self.add(&account(owned), request, credits).await,
            Step::Submit { owned, key, minutes, reuse } => self.submit(owner(owned), key, minutes, reuse).await,
            Step::Launch => self.launch().await,
            Step::Wait(seconds) => {
                self.wait(seconds).await;
                true
            }
            Step::Follow(records) => self.follow(records).await,
            Step::Replay(from, records) => self.replay(from, records).await,
            Step::Retry(at)
            | Step::Cancel(at)
            | Step::Delete(at)
            | Step::Report { job: at, .. }
            | Step::Render { job: at, .. } => {
                let all = self.jobs().all();
                if all.is_empty() { true } else { self.take_with(step, at.get(&all)).await }
            }
        }
    }

    /// Takes a step with a job, and returns whether it succeeded.
    async fn take_with(&self, step: &Step, job: &ClipJob) -> bool {
        match *step {
            Step::Retry(_) => self.retry(job).await,
            Step::Cancel(_) => self.apply(&job.id, &Event::Cancel).await.is_ok(),
            Step::Delete(_) => self.apply(&job.id, &Event::Delete).await.is_ok(),
            Step::Report { older, said, .. } => self.report(job, older, said).await,
            Step::Render { fails, .. } => self.render(job, fails).await,
            Step::Add { .. }
            | Step::Submit { .. }
            | Step::Launch
            | Step::Wait(_)
            | Step::Follow(_)
            | Step::Replay(..) => panic!("{step:?} is about no job"),
        }
    }

    fn jobs(&self) -> &MemoryClips {
        &self.stack.clips.jobs
    }

    fn of_attempts(&self) -> AttemptPorts<'_> {
        AttemptPorts {
            attempts: self.jobs(),
            jobs: self.jobs(),
            clock: &*self.stack.world,
            policy: &self.stack.clips.policy,
            limited: self.limited,
        }
    }

    async fn apply(&self, id: &ClipJobId, event: &Event) -> Result<Changed<ClipJob>, ChangeError> {
        change(self.jobs(), &*self.stack.world, &self.stack.clips.policy, id, event).await
    }

    async fn add(&self, account: &Account, request: u8, credits: u64) -> bool {
        let ports = AddPorts { ledger: self.jobs(), keys: self.jobs(), clock: &*self.stack.world };
        let key = IdempotencyKey::new("root", format!("add {request}"), format!("{account} {credits}"));
        let (kind, description) = (EntryKind::Purchase, String::new());
        let new = NewCredits { account: account.clone(), kind, credits, description, key: Some(key) };
        add(&ports, new).await.is_ok()
    }

    async fn submit(&self, owner: Option<OwnerId>, key: Option<u8>, minutes: u64, reuse: bool) -> bool {
        let policy = &self.stack.clips.policy;
        let ports = CreatePorts {
            attempts: self.jobs(),
            jobs: self.jobs(),
            list: self.jobs(),
            clock: &*self.stack.world,
            policy,
            limited: self.limited,
        };
        let ranges = (minutes > 0).then_some(Range { start_ms: 0, end_ms: minutes * 60_000 });
        let request = ClipRequest { ranges: ranges.into_iter().collect(), ..a_clip_job(1, NOON, policy).request };
        let body = format!("{owner:?} {minutes} {reuse}");
        let key = key.map(|key| IdempotencyKey::new("caller", format!("submit {key}"), body));
        let origin = Origin { owner, ..Origin::default() };
        match create_job(&ports, NewClips { request, reuse, origin, key }).await {
            Ok(Created::Job(job)) => {
                let available = self.jobs().balance_of(&job.account()).available();
                assert!(!self.limited || available >= 0, "{available} credits are left");
                true
            }
            Ok(Created::Insufficient { balance, needed }) => {
                assert!(
                    self.limited && i64::try_from(needed).unwrap() > balance.available(),
                    "{needed} of {balance:?}"
                );
                true
            }
            Ok(Created::Existing(_) | Created::Repeated(_) | Created::KeyReused) => true,
            Ok(refused @ (Created::PageUnreadable | Created::TooManyRanges(_))) => panic!("refused: {refused:?}"),
            Err(_) => false,
        }
    }

    async fn retry(&self, job: &ClipJob) -> bool {
        retry_job(&self.of_attempts(), job.clone()).await.is_ok()
    }

    async fn report(&self, job: &ClipJob, older: bool, said: Said) -> bool {
        let ports = ReportPorts {
            jobs: self.jobs(),
            lookups: self.jobs(),
            errors: &self.stack.errors,
            clock: &*self.stack.world,
            policy: &self.stack.clips.policy,
            files: &self.stack.clips.worker.as_ref().expect("a worker").files,
        };
        let present = job.run.engine.worker().map_or(1, |run| run.number);
        let number = if older { present.saturating_sub(1) } else { present };
        let token = Some(Submission { job: job.id.clone(), number });
        receive(&ports, &Inbound { token, body: said.body(), request_id: "call-1".to_owned() }).await.is_ok()
    }

    /// A hint whose processing fails comes again.
    async fn launch(&mut self) -> bool {
        self.hints.extend(self.stack.work.receive());
        while let Some(message) = self.hints.pop() {
            if self.stack.work_on(&message).await.is_err() {
                self.hints.push(message);
                return false;
            }
        }
        true
    }

    async fn render(&self, job: &ClipJob, fails: bool) -> bool {
        let job = match self.apply(&job.id, &Event::ClaimPiece).await {
            Ok(Changed::Applied(job)) => job,
            Ok(Changed::Ignored(..) | Changed::Rejected(..) | Changed::NotFound) => return true,
            Err(_) => return false,
        };
        let claim = job.pieces.claims;
        let event = if fails {
            Event::PieceFailed { claim, error: "no space left".to_owned(), permanent: true }
        } else {
            let piece = job.claimed_piece(claim).expect("the claimed piece");
            Event::PieceDone { claim, output: Box::new(made(piece)) }
        };
        report_piece(&self.of_attempts(), &job.id, &event).await.is_ok()
    }

    async fn wait(&self, seconds: u64) {
        self.stack.world.advance_s(seconds);
        let due: Due<'_, ClipJob> = Due { index: self.jobs(), store: self.jobs(), policy: &self.stack.clips.policy };
        self.stack.sweep_of(&[&due]).await;
    }

    /// Fanout stops before the first record that it could not process.
    async fn follow(&mut self, records: usize) -> bool {
        let mut new = self.jobs().stream_from(self.position);
        new.truncate(records);
        let outcome = self.stack.fan_out(&new).await;
        self.position += outcome.as_ref().err().map_or(new.len(), |stopped| stopped.index);
        outcome.is_ok()
    }

    async fn replay(&self, from: Index, records: usize) -> bool {
        if self.position == 0 {
            return true;
        }
        let from = from.index(self.position);
        let mut again = self.jobs().stream_from(from);
        again.truncate(records.min(self.position - from));
        self.stack.fan_out(&again).await.is_ok()
    }

    /// Each account adds up, and has a reservation for each attempt that is neither charged nor released.
    pub fn invariant_it_adds_up(&self) {
        for account in [account(false), account(true)] {
            let Balance { version: _, balance, reserved, earned, spent } = self.jobs().balance_of(&account);
            let entries = self.jobs().entries_of(&account);
            let sum = |is_meant: fn(&Entry) -> bool| {
                entries.iter().filter(|entry| is_meant(entry)).map(|entry| entry.amount).sum::<i64>()
            };
            assert_eq!(balance, sum(|_| true));
            assert_eq!(i64::try_from(earned).unwrap(), sum(|entry| entry.kind != EntryKind::Usage));
            assert_eq!(-i64::try_from(spent).unwrap(), sum(|entry| entry.kind == EntryKind::Usage));
            let mut running = 0;
            for entry in &entries {
                running += entry.amount;
                assert_eq!(entry.balance_after, running, "{entry:?}");
            }
            let ids: BTreeSet<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
            assert_eq!(ids.len(), entries.len(), "an entry is there twice: {entries:?}");
            let open = self.jobs().reservations_of(&account);
            assert_eq!(reserved, open.values().sum::<u64>());
            for (reservation, credits) in self.reserved(&account) {
                assert_eq!(open.get(&reservation), Some(&credits), "{reservation}");
            }
        }
    }

    /// When fanout has processed everything, accounts have exactly what their jobs say, and a replay of everything changes
    /// nothing.
    pub async fn end(&mut self) {
        assert!(self.follow(usize::MAX).await);
        let stream = self.jobs().stream();
        let mut charges = charges(&stream);
        for account in [account(false), account(true)] {
            assert_eq!(self.jobs().reservations_of(&account), self.reserved(&account));
            for entry in self.jobs().entries_of(&account).iter().filter(|entry| entry.kind == EntryKind::Usage) {
                assert_eq!(charges.remove(&entry.id), Some(-entry.amount), "{entry:?}");
            }
            let of_account = self.jobs().all().into_iter().filter(|job| job.account() == account);
            let charged: u64 = of_account.map(|job| job.credits.charged).sum();
            assert_eq!(self.jobs().balance_of(&account).spent, charged);
        }
        assert!(charges.is_empty(), "these are not charged: {charges:?}");
        let before = self.accounts();
        self.stack.fan_out(&stream).await.expect("fanout processes the replayed stream");
        assert_eq!(self.accounts(), before);
    }

    /// The reservations of an account that its jobs wait to end, and their credits.
    fn reserved(&self, account: &Account) -> BTreeMap<String, u64> {
        let waiting = self.jobs().all().into_iter().filter(|job| job.has_reservation() && job.account() == *account);
        waiting.map(|job| (job.reservation(), job.credits.reserved)).collect()
    }

    fn accounts(&self) -> [(Balance, Vec<Entry>, BTreeMap<String, u64>); 2] {
        [account(false), account(true)].map(|account| {
            (self.jobs().balance_of(&account), self.jobs().entries_of(&account), self.jobs().reservations_of(&account))
        })
    }
}

fn owner(owned: bool) -> Option<OwnerId> {
    owned.then(|| OwnerId::parse("ann").unwrap())
}

fn account(owned: bool) -> Account {
    Account::of(owner(owned).as_ref())
}

/// The charges of the attempts that versions of jobs end, by reservation. No attempt ends twice.
fn charges(stream: &[ClipJob]) -> BTreeMap<String, i64> {
    let mut ended = BTreeMap::new();
    for effect in stream.iter().flat_map(|version| &version.outbox) {
        let Effect::Credits(effect) = effect else { continue };
        let (reservation, credits) = match effect {
            CreditEffect::Settle { reservation, credits, .. } => (reservation, *credits),
            CreditEffect::Release { reservation } => (reservation, 0),
        };
        assert_eq!(ended.insert(reservation.clone(), i64::try_from(credits).unwrap()), None, "{effect:?} again");
    }
    ended.retain(|_, credits| *credits > 0);
    ended
}

/// What a renderer makes of a piece.
fn made(piece: &ClipPiece) -> PieceOutput {
    let file = |name: &str| File::stored(format!("clips/x/{name}"));
    match piece {
        ClipPiece::Probe => PieceOutput::Probed(SourceFacts {
            duration_ms: 120_000,
            width: 1920,
            height: 1080,
            fps: (25, 1),
            sound: true,
            key: "clips/x/source.mp4".to_owned(),
        }),
        ClipPiece::Plan => {
            let range = Range { start_ms: 0, end_ms: 20_000 };
            let clip = PlannedClip { range, score: 0.5, basis: Map::new(), layout: Layout::Original };
            PieceOutput::Planned { clips: vec![clip], plan: file("plan.json") }
        }
        ClipPiece::Cut { index, cut } => {
            PieceOutput::Cut { file: file(&format!("{index}-{cut}.mp4")), duration_ms: 20_000, score: None }
        }
        ClipPiece::CopyClip { index } => PieceOutput::Copied(file(&format!("{index}.mp4"))),
        ClipPiece::CopyTranscript => PieceOutput::Copied(file("transcript.json")),
        ClipPiece::CopyPlan => PieceOutput::Copied(file("plan.json")),
        ClipPiece::Measure => PieceOutput::Measured(90_000),
    }
}
