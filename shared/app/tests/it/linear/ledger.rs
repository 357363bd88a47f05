//! One account: reservations, charges, releases, additions and reads of concurrent clients.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use reelhook_app::clips::store::{ClipAttempts as _, Reserved};
use reelhook_app::credits::ledger::{Addition, Charge, EntryPage, Ledger, PageStart, Reservation, Settlement};
use reelhook_app::credits::requests::read;
use reelhook_app::store::StoreError;
use reelhook_domain::credits::account::Account;
use reelhook_domain::credits::ledger::{Balance, Entry, EntryKind};
use reelhook_domain::credits::price::Basis;
use reelhook_domain::{ClipPolicy, OwnerId};
use reelhook_testkit::linear::{Model, Operation, Recorder, Turns, assert_linearizable, check, interleave};
use reelhook_testkit::{MemoryClips, NOON, a_clip_job};

use super::{Client, inject, seeds};

/// Entries of one page: more than a history makes.
const PAGE: usize = 100;

/// A call about the account. Jobs and requests are few, so that calls meet and repeat each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    /// Job `job` is created, and its first attempt reserves credits.
    Reserve {
        job: u32,
        credits: u64,
    },
    /// The attempt ends with this charge; 0 releases the reservation.
    Settle {
        job: u32,
        charge: u64,
    },
    Add {
        request: u32,
        credits: u64,
    },
    Read,
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Reserved,
    /// The balance and the reserved credits, which are too few.
    Insufficient(i64, u64),
    /// The job is there already.
    Conflict,
    Settled,
    /// The amount of the entry, and the balance after it.
    Added(i64, i64),
    Account {
        balance: i64,
        reserved: u64,
        /// The ids and amounts of the entries, the oldest first.
        entries: Vec<(String, i64)>,
    },
}

/// The account as its clients may think of it: one call after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Sequential {
    jobs: BTreeSet<u32>,
    open: BTreeMap<u32, u64>,
    entries: Vec<(String, i64)>,
}

impl Sequential {
    fn balance(&self) -> i64 {
        self.entries.iter().map(|(_, amount)| amount).sum()
    }

    fn reserved(&self) -> u64 {
        self.open.values().sum()
    }

    /// The balance after an entry.
    fn balance_after(&self, entry: usize) -> i64 {
        self.entries[..=entry].iter().map(|(_, amount)| amount).sum()
    }

    /// The account after a call, and the answer.
    fn after(&self, call: Call) -> (Self, Answer) {
        let mut next = self.clone();
        let answer = match call {
            Call::Reserve { job, .. } if self.jobs.contains(&job) => Answer::Conflict,
            Call::Reserve { job, credits } => {
                if signed(credits) + signed(self.reserved()) <= self.balance() {
                    next.jobs.insert(job);
                    next.open.insert(job, credits);
                    Answer::Reserved
                } else {
                    Answer::Insufficient(self.balance(), self.reserved())
                }
            }
            Call::Settle { job, charge } => {
                if next.open.remove(&job).is_some() && charge > 0 {
                    next.entries.push((reservation_of(job), -signed(charge)));
                }
                Answer::Settled
            }
            Call::Add { request, credits } => {
                let id = format!("add.{request}");
                let known = self.entries.iter().position(|(known, _)| *known == id);
                let entry = known.unwrap_or_else(|| {
                    next.entries.push((id, signed(credits)));
                    next.entries.len() - 1
                });
                Answer::Added(next.entries[entry].1, next.balance_after(entry))
            }
            Call::Read => {
                let (balance, reserved) = (self.balance(), self.reserved());
                Answer::Account { balance, reserved, entries: self.entries.clone() }
            }
        };
        (next, answer)
    }
}

fn signed(credits: u64) -> i64 {
    i64::try_from(credits).unwrap()
}

fn reservation_of(job: u32) -> String {
    format!("job-{job}.1")
}

struct OneAccount;

impl Model for OneAccount {
    type State = Sequential;
    type Call = Call;
    type Answer = Answer;

    fn start(&self) -> Sequential {
        Sequential::default()
    }

    fn after(&self, state: &Sequential, call: &Call, answer: Option<&Answer>) -> Vec<Sequential> {
        let (next, expected) = state.after(*call);
        if answer.is_some_and(|answer| *answer != expected) { Vec::new() } else { vec![next] }
    }
}

fn account() -> Account {
    Account::Owner(OwnerId::parse("u-1").unwrap())
}

/// Makes a call. None if the store failed, so that the call may have had its effect.
async fn make(ledger: &dyn Ledger, table: &MemoryClips, call: Call) -> Option<Answer> {
    match call {
        Call::Reserve { job, credits } => {
            let reservation =
                Reservation { account: account(), id: reservation_of(job), credits, held: None, limited: true };
            let job = a_clip_job(job, NOON, &ClipPolicy::default());
            match table.insert(&job, &reservation, None, NOON).await.ok()? {
                Reserved::Done => Some(Answer::Reserved),
                Reserved::Insufficient(balance) => Some(Answer::Insufficient(balance.balance, balance.reserved)),
                Reserved::Conflict => Some(Answer::Conflict),
                Reserved::Repeated(_) => unreachable!("these requests have no keys"),
            }
        }
        Call::Settle { job, charge } => {
            let charge = (charge > 0).then(|| Charge {
                credits: charge,
                basis: Basis::Probed,
                job: job.to_string(),
                description: "Clips".to_owned(),
            });
            let settlement = Settlement { account: account(), reservation: reservation_of(job), charge, at: NOON };
            ledger.settle(&settlement).await.ok()?;
            Some(Answer::Settled)
        }
        Call::Add { request, credits } => {
            let addition = Addition {
                account: account(),
                id: format!("add.{request}"),
                kind: EntryKind::Purchase,
                credits,
                description: "Credits purchased".to_owned(),
                at: NOON,
            };
            let entry = ledger.add(&addition).await.ok()?;
            Some(Answer::Added(entry.amount, entry.balance_after))
        }
        Call::Read => {
            let found = read(ledger, account(), None, PAGE).await.ok()?;
            let entries = found.page.entries.into_iter().rev().map(|entry| (entry.id, entry.amount)).collect();
            Some(Answer::Account { balance: found.balance.balance, reserved: found.balance.reserved, entries })
        }
    }
}

/// The calls of a client.
fn calls(turns: &mut Turns) -> Vec<Call> {
    let number = |turns: &mut Turns, end: usize| u32::try_from(turns.below(end)).unwrap();
    let call = |turns: &mut Turns| {
        let (job, request) = (1 + number(turns, 3), 1 + number(turns, 4));
        let credits = u64::from(1 + number(turns, 30));
        match turns.below(8) {
            0 | 1 => Call::Reserve { job, credits },
            2 | 3 => Call::Settle { job, charge: if turns.below(3) == 0 { 0 } else { credits } },
            4 | 5 => Call::Add { request, credits: credits + 10 },
            _ => Call::Read,
        }
    };
    (0..5).map(|_| call(turns)).collect()
}

/// The history of four clients of a ledger, whose reservations are made in a table.
fn history(ledger: &dyn Ledger, table: &MemoryClips, turns: &mut Turns) -> Vec<Operation<Call, Answer>> {
    let recorder = Recorder::default();
    let planned: Vec<Vec<Call>> = (0..4).map(|_| calls(turns)).collect();
    let mut clients: Vec<Client<'_>> = Vec::new();
    for (client, calls) in planned.into_iter().enumerate() {
        let recorder = &recorder;
        clients.push(Box::pin(async move {
            for call in calls {
                recorder.record(client, call, make(ledger, table, call)).await;
            }
        }));
    }
    interleave(turns, clients);
    recorder.history()
}

#[test]
fn an_account_is_linearizable() {
    for seed in seeds() {
        let (table, mut turns) = (MemoryClips::default(), Turns::new(seed));
        let history = history(&table, &table, &mut turns);
        assert_linearizable(&OneAccount, &history, &format!("seed {seed}"));
    }
}

#[test]
fn an_account_is_linearizable_when_calls_fail_and_answers_get_lost() {
    let mut lost = 0;
    for seed in seeds() {
        let (table, mut turns) = (MemoryClips::default(), Turns::new(seed));
        inject(&table.faults, &mut turns, &["insert", "settle", "add", "balance", "entries"]);
        let history = history(&table, &table, &mut turns);
        lost += history.iter().filter(|operation| operation.answer.is_none()).count();
        assert_linearizable(&OneAccount, &history, &format!("seed {seed}"));
    }
    assert!(lost > 0, "some answers get lost");
}

/// What a careless ledger does not check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unchecked {
    /// Whether a request has added its credits before.
    Repeats,
    /// Whether the entries of a page are those that make up the balance.
    Moment,
}

/// A ledger without one of its conditions.
struct Careless<'a> {
    table: &'a MemoryClips,
    unchecked: Unchecked,
    /// Additions so far.
    additions: AtomicUsize,
}

#[async_trait]
impl Ledger for Careless<'_> {
    async fn balance(&self, account: &Account) -> Result<Balance, StoreError> {
        self.table.balance(account).await
    }

    async fn entries(&self, account: &Account, from: PageStart<'_>, limit: usize) -> Result<EntryPage, StoreError> {
        let from = if self.unchecked == Unchecked::Moment { PageStart::AsOf(u64::MAX) } else { from };
        let mut page = self.table.entries(account, from, limit).await?;
        for entry in &mut page.entries {
            entry.id.truncate(entry.id.find('#').unwrap_or(entry.id.len()));
        }
        Ok(page)
    }

    async fn add(&self, addition: &Addition) -> Result<Entry, StoreError> {
        let mut addition = addition.clone();
        if self.unchecked == Unchecked::Repeats {
            // The table adds an id once.
            addition.id = format!("{}#{}", addition.id, self.additions.fetch_add(1, Ordering::Relaxed));
        }
        self.table.add(&addition).await
    }

    async fn settle(&self, settlement: &Settlement) -> Result<(), StoreError> {
        self.table.settle(settlement).await
    }
}

#[test]
fn a_careless_ledger_is_found_out() {
    for unchecked in [Unchecked::Repeats, Unchecked::Moment] {
        let is_found_out = |seed: u64| {
            let (table, mut turns) = (MemoryClips::default(), Turns::new(seed));
            let ledger = Careless { table: &table, unchecked, additions: AtomicUsize::new(0) };
            check(&OneAccount, &history(&ledger, &table, &mut turns)).is_err()
        };
        let found = (0..100).filter(|seed| is_found_out(*seed)).count();
        assert!(found > 10, "{found} of 100 histories show that a ledger does not check {unchecked:?}");
    }
}
