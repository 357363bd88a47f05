//! Generated histories of an account: reservations of up to three attempts of a job, their ends, and additions, whose
//! requests and answers get lost. Each step is repeated, as a client or a replay of a stream does, and happens once.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use reelhook_app::clips::store::ClipAttempts;
use reelhook_app::credits::ledger::Ledger;
use reelhook_app::store::StoreError;
use reelhook_aws::clips::attempts::AttemptTables;
use reelhook_aws::credits::table::CreditTable;
use reelhook_domain::ClipJob;
use reelhook_domain::credits::ledger::{Entry, EntryKind};
use reelhook_testkit::NOON;
use serde_json::Value;

use super::fake::{Fake, Lost};
use super::ledger::{addition, checked, in_memory, settlement};
use super::{reservation, wait};
use crate::clips::{attempt_tables, job};
use crate::replay::{ATTEMPTS, kind};

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn steps_that_get_lost_and_are_repeated_happen_once(steps in vec((a_step(), losses()), 1..24)) {
        let fake = Fake::default();
        let (ledger, attempts) = (in_memory(&fake), attempt_tables(&fake));
        wait(async {
            let mut account = Account::default();
            for (step, losses) in steps {
                let expected = account.after(step);
                fake.lose(losses);
                let outcome = step.take(&ledger, &attempts).await;
                fake.lose([]);
                let met = stored(&fake);
                match outcome {
                    Ok(()) => assert_eq!(met, expected, "{step:?}"),
                    Err(error) => {
                        assert_eq!(kind(&error), "busy", "{step:?}");
                        assert!(met == account || met == expected, "{step:?} was done in part: {met:?}");
                    }
                }
                step.take(&ledger, &attempts).await.unwrap();
                assert_eq!(stored(&fake), expected, "the repeat of {step:?}");
                account = expected;
            }
            checked(&fake).await;
        });
    }
}

/// Jobs and requests are few, so that earlier steps come again.
#[derive(Debug, Clone, Copy)]
enum Step {
    Reserve {
        job: u32,
        attempt: u32,
        credits: u32,
        limited: bool,
    },
    /// None releases the reservation.
    End {
        job: u32,
        attempt: u32,
        charge: Option<u32>,
    },
    Add {
        request: u32,
        credits: u32,
    },
}

fn a_step() -> impl Strategy<Value = Step> {
    let (job, attempt, credits) = (1_u32..3, 1_u32..4, 0_u32..40);
    let reserve = (job.clone(), attempt.clone(), credits.clone(), any::<bool>());
    let end = (job, attempt, prop::option::weighted(0.7, credits.clone()));
    prop_oneof![
        4 => reserve.prop_map(|(job, attempt, credits, limited)| Step::Reserve { job, attempt, credits, limited }),
        4 => end.prop_map(|(job, attempt, charge)| Step::End { job, attempt, charge }),
        2 => (0_u32..6, credits).prop_map(|(request, credits)| Step::Add { request, credits }),
    ]
}

/// What gets lost of a step: nothing, as much as the SDK overcomes, or all that it sends.
fn losses() -> impl Strategy<Value = Vec<Lost>> {
    let lost = select(vec![Lost::Request, Lost::Answer]);
    prop_oneof![
        3 => Just(Vec::<Lost>::new()),
        1 => vec(lost.clone(), 1..ATTEMPTS),
        2 => vec(lost, ATTEMPTS),
    ]
}

impl Step {
    async fn take(self, ledger: &CreditTable, attempts: &AttemptTables) -> Result<(), StoreError> {
        match self {
            Self::Reserve { job: n, attempt, credits, limited } => {
                let next = ClipJob { version: attempt.into(), ..job(n) };
                let reserved = reservation(&id(n, attempt), credits.into(), limited);
                let outcome = match attempt {
                    1 => attempts.insert(&next, &reserved, None, NOON).await,
                    _ => attempts.save_attempt(&next, &reserved).await,
                };
                outcome.map(drop)
            }
            Self::End { job, attempt, charge } => {
                ledger.settle(&settlement(&id(job, attempt), charge.map(u64::from))).await
            }
            Self::Add { request, credits } => {
                ledger.add(&addition(&format!("add.{request}"), credits.into())).await.map(drop)
            }
        }
    }
}

/// The id of the reservation of an attempt.
fn id(job: u32, attempt: u32) -> String {
    format!("job-{job}.{attempt}")
}

/// What an account consists of: as steps should leave it, or as it is stored.
#[derive(Debug, Clone, PartialEq, Default)]
struct Account {
    /// The last attempt of each job, by the job's id.
    attempts: BTreeMap<String, i64>,
    /// The credits of the open reservations.
    open: BTreeMap<String, i64>,
    /// The amounts of the entries.
    entries: BTreeMap<String, i64>,
}

impl Account {
    /// The account after a step. A job begins one attempt after the other, and each attempt ends once.
    fn after(&self, step: Step) -> Self {
        let mut after = self.clone();
        match step {
            Step::Reserve { job: n, attempt, credits, limited } => {
                let job = job(n).id.to_string();
                let is_next = self.attempts.get(&job).copied().unwrap_or(0) + 1 == i64::from(attempt);
                if is_next && (!limited || i64::from(credits) <= self.available()) {
                    after.attempts.insert(job, attempt.into());
                    after.open.insert(id(n, attempt), credits.into());
                }
            }
            Step::End { job, attempt, charge } => {
                let id = id(job, attempt);
                let is_open = after.open.remove(&id).is_some();
                if let Some(charge) = charge.filter(|charge| is_open && *charge > 0) {
                    after.entries.insert(id, -i64::from(charge));
                }
            }
            Step::Add { request, credits } => {
                after.entries.entry(format!("add.{request}")).or_insert(credits.into());
            }
        }
        after
    }

    fn available(&self) -> i64 {
        self.entries.values().sum::<i64>() - self.open.values().sum::<i64>()
    }
}

/// The account as it is stored: what is reserved, earned and spent adds up, and no entry is there twice.
fn stored(fake: &Fake) -> Account {
    let text = |row: &Value, name: &str| row[name]["S"].as_str().unwrap().to_owned();
    // There is no row of a balance before the first step.
    let number = |row: &Value, name: &str| row[name]["N"].as_str().map_or(0, |digits| digits.parse::<i64>().unwrap());
    let jobs = fake.rows("Clips", "");
    let attempts = jobs.iter().map(|row| (text(row, "id"), number(row, "version"))).collect();
    let reservations = fake.rows("Credits", "reservation#");
    let id = |row: &Value| text(row, "sk").trim_start_matches("reservation#").to_owned();
    let open: BTreeMap<String, i64> = reservations.iter().map(|row| (id(row), number(row, "credits"))).collect();
    let (mut entries, mut balance, mut spent) = (BTreeMap::new(), 0, 0);
    for row in fake.rows("Credits", "entry#") {
        let entry: Entry = serde_json::from_str(&text(&row, "body")).unwrap();
        balance += entry.amount;
        spent -= if entry.kind == EntryKind::Usage { entry.amount } else { 0 };
        assert_eq!(entry.balance_after, balance, "`{}`", entry.id);
        assert_eq!(entries.insert(entry.id.clone(), entry.amount), None, "`{}` is there twice", entry.id);
    }
    let row = fake.rows("Credits", "balance").pop().unwrap_or_default();
    let sums = ["balance", "reserved", "earned", "spent"].map(|name| number(&row, name));
    assert_eq!(sums, [balance, open.values().sum(), balance + spent, spent]);
    Account { attempts, open, entries }
}
