//! One account: additions, reads, jobs that reserve credits, cancels that release them, and the charge of a job that
//! succeeds, by concurrent clients.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use reelhook_testkit::linear::{Model, Recorder, Turns, assert_linearizable};
use reqwest::Method;
use serde_json::json;

use super::{Faults, seeds};
use crate::clips::backends::Backends;
use crate::clips::job::{CREDITS, JOBS, behave, fast, of_page, open, page, until};
use crate::clips::tokens::Owner;
use crate::scenes::project::text;
use crate::stack::JsonText;

/// Clients at once.
const CLIENTS: usize = 4;
/// The job that succeeds, and the number of the client that creates it before the others begin.
const SUCCEEDING: usize = CLIENTS;
/// The request that adds what this job costs.
const FUNDING: usize = CLIENTS + 1;
/// What a job with a range of a minute costs.
const PRICE: i64 = 10;

/// A call about the account. A job is one client's, which creates it and then cancels it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Create(usize),
    Cancel(usize),
    /// Adds credits, with a key of its own.
    Add {
        request: usize,
        credits: i64,
    },
    Read,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Created,
    Insufficient,
    Canceled,
    /// The amount of the entry, and the balance after it.
    Added(i64, i64),
    Account {
        balance: i64,
        reserved: i64,
        /// The amounts of the entries, the oldest first.
        entries: Vec<i64>,
    },
}

/// A job's reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reservation {
    Held,
    /// The worker has the job: it ends by itself, and is charged.
    Working,
    /// The job was canceled: fanout releases the reservation soon.
    Ending,
    Released,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Account {
    jobs: BTreeMap<usize, Reservation>,
    /// The requests and amounts of the entries; a charge has no request.
    entries: Vec<(Option<usize>, i64)>,
}

impl Account {
    fn balance(&self) -> i64 {
        self.entries.iter().map(|(_, amount)| amount).sum()
    }

    fn reserved(&self) -> i64 {
        self.jobs.values().filter(|one| **one != Reservation::Released).map(|_| PRICE).sum()
    }

    /// The account after a call, and the answer.
    fn after(&self, call: Call) -> (Self, Answer) {
        let mut next = self.clone();
        let answer = match call {
            Call::Create(job) => {
                if self.balance() - self.reserved() < PRICE {
                    Answer::Insufficient
                } else {
                    let reservation = if job == SUCCEEDING { Reservation::Working } else { Reservation::Held };
                    next.jobs.insert(job, reservation);
                    Answer::Created
                }
            }
            Call::Cancel(job) => {
                if self.jobs.get(&job) == Some(&Reservation::Held) {
                    next.jobs.insert(job, Reservation::Ending);
                }
                Answer::Canceled
            }
            Call::Add { request, credits } => {
                let request = Some(request);
                if !self.entries.iter().any(|(known, _)| *known == request) {
                    next.entries.push((request, credits));
                }
                let end = next.entries.iter().position(|(known, _)| *known == request).map_or(0, |entry| entry + 1);
                let balance = next.entries[..end].iter().map(|(_, amount)| amount).sum();
                Answer::Added(credits, balance)
            }
            Call::Read => Answer::Account {
                balance: self.balance(),
                reserved: self.reserved(),
                entries: self.entries.iter().map(|(_, amount)| *amount).collect(),
            },
        };
        (next, answer)
    }
}

struct OneAccount {
    /// Whether a job may fail by itself, which charges nothing.
    may_fail: bool,
}

impl Model for OneAccount {
    type State = Account;
    type Call = Call;
    type Answer = Answer;

    fn start(&self) -> Account {
        Account::default()
    }

    fn after(&self, account: &Account, call: &Call, answer: Option<&Answer>) -> Vec<Account> {
        let (next, expected) = account.after(*call);
        if answer.is_some_and(|answer| *answer != expected) { Vec::new() } else { vec![next] }
    }

    fn by_itself(&self, account: &Account) -> Vec<Account> {
        let released = |job: usize| {
            let mut next = account.clone();
            next.jobs.insert(job, Reservation::Released);
            next
        };
        let charged = |job: usize| {
            let mut next = released(job);
            next.entries.push((None, -PRICE));
            next
        };
        let mut states = Vec::new();
        for (job, reservation) in &account.jobs {
            match reservation {
                Reservation::Released => {}
                Reservation::Held => states.extend(self.may_fail.then(|| released(*job))),
                Reservation::Ending => states.push(released(*job)),
                Reservation::Working => {
                    states.push(charged(*job));
                    states.extend(self.may_fail.then(|| released(*job)));
                }
            }
        }
        states
    }
}

/// What clients share.
struct Shared<'a> {
    faults: &'a Faults<'a>,
    owner: &'a Owner,
    page: &'a str,
}

impl Shared<'_> {
    /// The page of a job.
    fn page(&self, job: usize) -> String {
        format!("{}-{job}", self.page)
    }

    /// Creates a job: the answer and its id. None if it may be there or not.
    async fn create(&self, job: usize) -> (Option<Answer>, Option<String>) {
        let mut body = of_page(&self.page(job));
        body["ranges"] = json!([{ "start": 30, "end": 90 }]);
        let request = self.owner.request(self.faults.stack, Method::POST, JOBS).json_text(&body);
        let Some((status, answer)) = self.faults.answer(request).await else { return (None, None) };
        match status {
            201 => (Some(Answer::Created), Some(text(&answer["id"]))),
            402 => (Some(Answer::Insufficient), None),
            _ => panic!("the creation got {status}: {answer}"),
        }
    }

    async fn cancel(&self, id: &str) -> Option<Answer> {
        let cancel = self.owner.request(self.faults.stack, Method::POST, &format!("{JOBS}/{id}/cancel"));
        let (status, answer) = self.faults.answer(cancel.json_text(&json!({}))).await?;
        match status {
            200 => Some(Answer::Canceled),
            // The job has failed before.
            409 if self.faults.are_injected() => None,
            _ => panic!("the cancel got {status}: {answer}"),
        }
    }

    async fn add(&self, request: usize, credits: i64) -> Option<Answer> {
        let body = json!({ "userId": self.owner.id, "amount": credits, "type": "bonus" });
        let key = format!("{}-{request}", self.owner.id);
        let call = self.faults.stack.request(Method::POST, CREDITS).header("idempotency-key", key).json_text(&body);
        let (status, answer) = self.faults.answer(call).await?;
        let entry = &answer["transactions"][0];
        match status {
            201 => Some(Answer::Added(number(&entry["amount"]), number(&entry["balanceAfter"]))),
            _ => panic!("the addition got {status}: {answer}"),
        }
    }

    async fn read(&self) -> Option<Answer> {
        let get = self.owner.request(self.faults.stack, Method::GET, &format!("{CREDITS}?limit=200"));
        let (status, answer) = self.faults.answer(get).await?;
        assert_eq!(status, 200, "{answer}");
        let entries = answer["transactions"].as_array().expect("a list");
        Some(Answer::Account {
            balance: number(&answer["balance"]),
            reserved: number(&answer["reserved"]),
            entries: entries.iter().rev().map(|entry| number(&entry["amount"])).collect(),
        })
    }
}

fn number(value: &serde_json::Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("{value} is no whole number"))
}

/// One client: it adds, creates a job, reads, adds the same as another client, cancels, and reads.
async fn client(shared: &Shared<'_>, recorder: &Recorder<Call, Answer>, number: usize, credits: i64) {
    let add = async |request: usize, credits: i64| {
        recorder.record(number, Call::Add { request, credits }, shared.add(request, credits)).await;
    };
    add(number, credits).await;
    let mut id = None;
    let create = async {
        let (answer, made) = shared.create(number).await;
        id = made;
        answer
    };
    recorder.record(number, Call::Create(number), create).await;
    recorder.record(number, Call::Read, shared.read()).await;
    add(CLIENTS, PRICE).await;
    if let Some(id) = &id {
        recorder.record(number, Call::Cancel(number), shared.cancel(id)).await;
    }
    recorder.record(number, Call::Read, shared.read()).await;
}

/// Creates the job that succeeds, with what it costs; returns its id.
async fn begin(shared: &Shared<'_>, recorder: &Recorder<Call, Answer>) -> String {
    let add = Call::Add { request: FUNDING, credits: PRICE };
    recorder.record(SUCCEEDING, add, shared.add(FUNDING, PRICE)).await;
    let mut id = None;
    let create = async {
        let (answer, made) = shared.create(SUCCEEDING).await;
        id = made;
        answer
    };
    recorder.record(SUCCEEDING, Call::Create(SUCCEEDING), create).await;
    id.expect("nobody else needs the credits yet")
}

/// Waits until the job that succeeds is settled, and reads the account; returns the charges in it.
async fn end(shared: &Shared<'_>, recorder: &Recorder<Call, Answer>, id: &str) -> usize {
    let job = until(shared.faults.stack, id, "settled", |job| {
        matches!(job["status"].as_str(), Some("succeeded" | "failed")) && job["creditsReserved"] == 0
    })
    .await;
    assert!(shared.faults.are_injected() || job["status"] == "succeeded", "{job:#}");
    let mut charges = 0;
    let read = async {
        let answer = shared.read().await;
        if let Some(Answer::Account { entries, .. }) = &answer {
            charges = entries.iter().filter(|amount| **amount == -PRICE).count();
        }
        answer
    };
    recorder.record(SUCCEEDING, Call::Read, read).await;
    assert_eq!(charges, usize::from(job["status"] == "succeeded"), "{job:#}");
    charges
}

#[tokio::test]
async fn an_account_on_the_stack_is_linearizable() {
    let stack = open(Backends::Limited).await;
    let (faults, mut charges) = (Faults::of(&stack), 0);
    for seed in seeds() {
        let (owner, page) = (Owner::of(&stack, "linear").await, page());
        let (shared, recorder) = (Shared { faults: &faults, owner: &owner, page: &page }, Recorder::default());
        for job in 0..CLIENTS {
            behave(&stack, &shared.page(job), fast(json!({ "job": { "endless": true } }))).await;
        }
        // It ends while the others are at work.
        behave(&stack, &shared.page(SUCCEEDING), fast(json!({ "job": { "ms": 200 } }))).await;
        let succeeding = begin(&shared, &recorder).await;
        faults.begin(seed).await;
        let mut turns = Turns::new(seed);
        let credits: Vec<i64> = (0..CLIENTS).map(|_| PRICE * i64::from(turns.below(2) == 0) + 5).collect();
        join_all(credits.iter().enumerate().map(|(number, credits)| client(&shared, &recorder, number, *credits)))
            .await;
        faults.end().await;
        charges += end(&shared, &recorder, &succeeding).await;
        let model = OneAccount { may_fail: faults.are_injected() };
        assert_linearizable(&model, &recorder.history(), &format!("seed {seed}, owner {}", owner.id));
    }
    assert!(charges > 0, "some jobs are charged");
}
