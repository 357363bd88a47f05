//! One account: additions, reads, jobs that reserve credits and cancels that release them, by concurrent clients.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use reelhook_testkit::linear::{Model, Recorder, Turns, assert_linearizable};
use reqwest::Method;
use serde_json::json;

use super::seeds;
use crate::clips::backends::Backends;
use crate::clips::job::{CREDITS, JOBS, behave, fast, of_page, open, page};
use crate::clips::tokens::Owner;
use crate::scenes::project::text;
use crate::stack::{JsonText, Stack, read};

/// Clients at once.
const CLIENTS: usize = 4;
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
    /// The job was canceled: fanout releases the reservation soon.
    Ending,
    Released,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Account {
    jobs: BTreeMap<usize, Reservation>,
    /// The requests and amounts of the entries.
    entries: Vec<(usize, i64)>,
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
                    next.jobs.insert(job, Reservation::Held);
                    Answer::Created
                }
            }
            Call::Cancel(job) => {
                next.jobs.insert(job, Reservation::Ending);
                Answer::Canceled
            }
            Call::Add { request, credits } => {
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

struct OneAccount;

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
        let ending = account.jobs.iter().filter(|(_, one)| **one == Reservation::Ending);
        let released = |job: usize| {
            let mut next = account.clone();
            next.jobs.insert(job, Reservation::Released);
            next
        };
        ending.map(|(job, _)| released(*job)).collect()
    }
}

/// What clients share.
struct Shared<'a> {
    stack: &'a Stack,
    owner: &'a Owner,
    page: &'a str,
}

impl Shared<'_> {
    /// The page of a job.
    fn page(&self, job: usize) -> String {
        format!("{}-{job}", self.page)
    }

    /// Creates a job: the answer and its id. None if the API was too busy.
    async fn create(&self, job: usize) -> (Option<Answer>, Option<String>) {
        let mut body = of_page(&self.page(job));
        body["ranges"] = json!([{ "start": 30, "end": 90 }]);
        let request = self.owner.request(self.stack, Method::POST, JOBS).json_text(&body);
        let (status, answer) = read(request.send().await.expect("an answer")).await;
        match status {
            201 => (Some(Answer::Created), Some(text(&answer["id"]))),
            402 => (Some(Answer::Insufficient), None),
            503 => (None, None),
            _ => panic!("the creation got {status}: {answer}"),
        }
    }

    async fn cancel(&self, id: &str) -> Option<Answer> {
        let (status, answer) = self.owner.post(self.stack, &format!("{JOBS}/{id}/cancel"), &json!({})).await;
        match status {
            200 => Some(Answer::Canceled),
            503 => None,
            _ => panic!("the cancel got {status}: {answer}"),
        }
    }

    async fn add(&self, request: usize, credits: i64) -> Option<Answer> {
        let body = json!({ "userId": self.owner.id, "amount": credits, "type": "bonus" });
        let key = format!("{}-{request}", self.owner.id);
        let call = self.stack.request(Method::POST, CREDITS).header("idempotency-key", key).json_text(&body);
        let (status, answer) = read(call.send().await.expect("an answer")).await;
        let entry = &answer["transactions"][0];
        match status {
            201 => Some(Answer::Added(number(&entry["amount"]), number(&entry["balanceAfter"]))),
            503 => None,
            _ => panic!("the addition got {status}: {answer}"),
        }
    }

    async fn read(&self) -> Option<Answer> {
        let (status, answer) = self.owner.get(self.stack, &format!("{CREDITS}?limit=200")).await;
        if status == 503 {
            return None;
        }
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

#[tokio::test]
async fn an_account_on_the_stack_is_linearizable() {
    let stack = open(Backends::Limited).await;
    for seed in seeds() {
        let (owner, page) = (Owner::of(&stack, "linear").await, page());
        let (shared, recorder) = (Shared { stack: &stack, owner: &owner, page: &page }, Recorder::default());
        for job in 0..CLIENTS {
            behave(&stack, &shared.page(job), fast(json!({ "job": { "endless": true } }))).await;
        }
        let mut turns = Turns::new(seed);
        let credits: Vec<i64> = (0..CLIENTS).map(|_| PRICE * i64::from(turns.below(2) == 0) + 5).collect();
        join_all(credits.iter().enumerate().map(|(number, credits)| client(&shared, &recorder, number, *credits)))
            .await;
        assert_linearizable(&OneAccount, &recorder.history(), &format!("seed {seed}, owner {}", owner.id));
    }
}
