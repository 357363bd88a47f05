//! New jobs and new attempts: one transaction of the job, its reservation and the record of its key.

use std::thread;

use reelhook_app::clips::store::{ClipAttempts, ClipList, Reserved};
use reelhook_app::credits::ledger::{Ledger, Reservation, Settlement};
use reelhook_app::idempotency::{IdempotencyRecord, IdempotencyStore};
use reelhook_aws::clips::attempts::AttemptTables;
use reelhook_aws::credits::table::CreditTable;
use reelhook_domain::credits::ledger::Balance;
use reelhook_domain::{ClipJob, Timestamp};
use reelhook_testkit::{NOON, World};
use serde_json::{Value, json};

use super::{job, table_of};
use crate::credits::fake::Fake;
use crate::credits::{account, addition, in_memory, reservation, wait};
use crate::replay::{Answer, Call, Calls, cancelled, dynamodb, error, kind, ok};

/// The tables that new attempts write, in memory.
pub fn attempt_tables(fake: &Fake) -> AttemptTables {
    tables_of(fake.client().0)
}

fn tables_of(client: aws_sdk_dynamodb::Client) -> AttemptTables {
    AttemptTables { clips: table_of(client.clone(), World::default()), credits: CreditTable::new(client, "Credits") }
}

fn tables(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (AttemptTables, Calls) {
    let (client, calls) = dynamodb(script);
    (tables_of(client), calls)
}

fn record() -> IdempotencyRecord {
    IdempotencyRecord {
        caller: "caller".to_owned(),
        key: "key 1".to_owned(),
        body_hash: "abc".to_owned(),
        answer: "{}".to_owned(),
        expires_at: Timestamp(NOON.millis() + 86_400_000),
    }
}

async fn give(fake: &Fake, id: &str, credits: u64) {
    in_memory(fake).add(&addition(id, credits)).await.unwrap();
}

#[tokio::test]
async fn a_new_job_is_one_transaction() {
    let (attempts, calls) = tables(|_, _| ok());
    let reserved = reservation("clip_x.1", 10, false);
    assert_eq!(attempts.insert(&job(1), &reserved, Some(&record()), NOON).await.unwrap(), Reserved::Done);
    assert_eq!(calls.operations(), ["GetItem", "TransactWriteItems"]);
    let write = calls.all().remove(1);
    let puts: Vec<Value> = (0..5).map(|index| write.at(&format!("/TransactItems/{index}/Put")).clone()).collect();
    let tables: Vec<&str> = puts.iter().map(|put| put["TableName"].as_str().unwrap()).collect();
    assert_eq!(tables, ["Counters", "Clips", "Counters", "Credits", "Credits"]);
    let conditions: Vec<&str> = puts.iter().filter_map(|put| put["ConditionExpression"].as_str()).collect();
    let new = "attribute_not_exists(pk)";
    let unused = "attribute_not_exists(pk) OR expires_at <= :now";
    assert_eq!(conditions, [unused, "attribute_not_exists(id)", new, new]);
    assert_eq!(puts[3]["Item"]["sk"], json!({ "S": "reservation#clip_x.1" }));
    assert_eq!(
        (&puts[4]["Item"]["sk"], &puts[4]["Item"]["reserved"]),
        (&json!({ "S": "balance" }), &json!({ "N": "10" }))
    );
    assert_eq!(write.at("/TransactItems/5"), &Value::Null);
}

#[tokio::test]
async fn a_job_that_the_account_can_t_pay_writes_nothing() {
    let fake = Fake::default();
    let attempts = attempt_tables(&fake);
    give(&fake, "add.1", 15).await;
    let reserve = async |n: u32, limited: bool| {
        attempts.insert(&job(n), &reservation(&format!("job-{n}.1"), 10, limited), None, NOON).await.unwrap()
    };
    assert_eq!(reserve(1, true).await, Reserved::Done);
    let Reserved::Insufficient(balance) = reserve(2, true).await else { panic!("the account has 5 credits left") };
    assert_eq!((balance.balance, balance.reserved, balance.available()), (15, 10, 5));
    assert_eq!(fake.rows("Clips", "").len(), 1);
    assert_eq!(reserve(3, false).await, Reserved::Done, "without a limit the balance may go below 0");
}

#[tokio::test]
async fn a_request_with_a_known_key_is_repeated_even_if_it_took_the_credits() {
    let fake = Fake::default();
    let attempts = attempt_tables(&fake);
    give(&fake, "add.1", 10).await;
    let insert = async |n: u32, key: &str| {
        let record = IdempotencyRecord { key: key.to_owned(), ..record() };
        attempts.insert(&job(n), &reservation(&format!("job-{n}.1"), 10, true), Some(&record), NOON).await.unwrap()
    };
    assert_eq!(insert(1, "key 1").await, Reserved::Done);
    assert_eq!(insert(2, "key 1").await, Reserved::Repeated(record()));
    assert!(matches!(insert(3, "key 2").await, Reserved::Insufficient(_)));
    assert_eq!(attempts.record("caller", "key 1", NOON).await.unwrap(), Some(record()));
    give(&fake, "add.2", 100).await;
    assert_eq!(insert(2, "key 1").await, Reserved::Repeated(record()));
    assert_eq!(fake.rows("Clips", "").len(), 1);
}

#[tokio::test]
async fn a_new_attempt_follows_the_version_before() {
    let fake = Fake::default();
    let attempts = attempt_tables(&fake);
    attempts.insert(&job(1), &reservation("job-1.1", 10, false), None, NOON).await.unwrap();
    let next = ClipJob { version: 2, ..job(1) };
    let again = reservation("job-1.2", 10, false);
    assert_eq!(attempts.save_attempt(&next, &again).await.unwrap(), Reserved::Done);
    assert_eq!(attempts.save_attempt(&next, &again).await.unwrap(), Reserved::Conflict, "another writer was first");
    let balance = in_memory(&fake).balance(&account()).await.unwrap();
    assert_eq!(balance, Balance { version: 2, reserved: 20, ..Balance::default() });
}

#[tokio::test]
async fn a_reservation_is_raised_with_the_version_that_needs_it() {
    let fake = Fake::default();
    let attempts = attempt_tables(&fake);
    give(&fake, "add.1", 100).await;
    attempts.insert(&job(1), &reservation("job-1.1", 10, true), None, NOON).await.unwrap();
    let next = ClipJob { version: 2, ..job(1) };
    let raised = |held, credits| Reservation { held: Some(held), ..reservation("job-1.1", credits, true) };
    let Reserved::Insufficient(balance) = attempts.save_attempt(&next, &raised(10, 101)).await.unwrap() else {
        panic!("the account has 90 credits left")
    };
    assert_eq!((balance.available(), &fake.rows("Clips", "")[0]["version"]), (90, &json!({ "N": "1" })));
    let conflict = attempts.save_attempt(&next, &raised(9, 20)).await.unwrap();
    assert_eq!(conflict, Reserved::Conflict, "the reservation has another amount");
    assert_eq!(attempts.save_attempt(&next, &raised(10, 100)).await.unwrap(), Reserved::Done);
    assert_eq!(fake.rows("Clips", "")[0]["version"], json!({ "N": "2" }));
    assert_eq!(fake.rows("Credits", "reservation#")[0]["credits"], json!({ "N": "100" }));
    let ledger = in_memory(&fake);
    let balance = ledger.balance(&account()).await.unwrap();
    assert_eq!((balance.balance, balance.reserved, balance.available()), (100, 100, 0));
    let released = Settlement { account: account(), reservation: "job-1.1".to_owned(), charge: None, at: NOON };
    ledger.settle(&released).await.unwrap();
    assert_eq!(ledger.balance(&account()).await.unwrap().available(), 100);
    assert_eq!(
        attempts.save_attempt(&ClipJob { version: 3, ..job(1) }, &raised(100, 100)).await.unwrap(),
        Reserved::Conflict
    );
}

#[tokio::test]
async fn a_changed_balance_and_a_conflict_are_retried() {
    for reasons in [["None", "None", "None", "ConditionalCheckFailed"], ["TransactionConflict", "None", "None", "None"]]
    {
        let (attempts, calls) = tables(move |call, before| match call.operation.as_str() {
            "TransactWriteItems" if before < 4 => cancelled(&reasons),
            _ => ok(),
        });
        let outcome = attempts.insert(&job(1), &reservation("job-1.1", 10, false), None, NOON).await.unwrap();
        assert_eq!(outcome, Reserved::Done, "{reasons:?}");
        assert_eq!(calls.operations(), ["GetItem", "TransactWriteItems"].repeat(3));
    }
    let (attempts, _) = tables(|call, _| match call.operation.as_str() {
        "TransactWriteItems" => error("AccessDeniedException"),
        _ => ok(),
    });
    let failure = attempts.insert(&job(1), &reservation("job-1.1", 10, false), None, NOON).await.unwrap_err();
    assert_eq!(kind(&failure), "refused");
}

#[tokio::test]
async fn a_job_is_found_by_its_request() {
    let fake = Fake::default();
    let attempts = attempt_tables(&fake);
    attempts.insert(&job(1), &reservation("job-1.1", 10, false), None, NOON).await.unwrap();
    attempts.insert(&job(2), &reservation("job-2.1", 10, false), None, NOON).await.unwrap();
    let digest = reelhook_app::clips::digest::of_request(&job(1).request);
    assert_eq!(attempts.clips.with_request(None, &digest).await.unwrap(), Some(job(2)), "the newest");
    assert_eq!(attempts.clips.with_request(None, "another").await.unwrap(), None);
}

#[test]
fn of_fifty_jobs_at_once_those_are_admitted_that_the_balance_pays() {
    let fake = Fake::default();
    wait(give(&fake, "add.1", 100));
    let outcomes: Vec<Reserved> = thread::scope(|scope| {
        let submits: Vec<_> = (1..=50)
            .map(|n| {
                let fake = fake.clone();
                scope.spawn(move || {
                    let reserved = reservation(&format!("job-{n}.1"), 10, true);
                    wait(attempt_tables(&fake).insert(&job(n), &reserved, None, NOON)).unwrap()
                })
            })
            .collect();
        submits.into_iter().map(|submit| submit.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Reserved::Done).count(), 10);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Reserved::Done | Reserved::Insufficient(_))));
    assert_eq!(fake.rows("Clips", "").len(), 10);
    assert_eq!(fake.rows("Credits", "reservation#").len(), 10);
}

#[test]
fn of_ten_films_at_once_those_are_raised_that_the_balance_pays() {
    let fake = Fake::default();
    wait(give(&fake, "add.1", 2500));
    for n in 1..=10 {
        let reserved = reservation(&format!("job-{n}.1"), 10, true);
        wait(attempt_tables(&fake).insert(&job(n), &reserved, None, NOON)).unwrap();
    }
    let outcomes: Vec<Reserved> = thread::scope(|scope| {
        let raises: Vec<_> = (1..=10)
            .map(|n| {
                let fake = fake.clone();
                scope.spawn(move || {
                    let raised = Reservation { held: Some(10), ..reservation(&format!("job-{n}.1"), 1200, true) };
                    wait(attempt_tables(&fake).save_attempt(&ClipJob { version: 2, ..job(n) }, &raised)).unwrap()
                })
            })
            .collect();
        raises.into_iter().map(|raise| raise.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Reserved::Done).count(), 2);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Reserved::Done | Reserved::Insufficient(_))));
    let versions = fake.rows("Clips", "");
    assert_eq!(versions.iter().filter(|row| row["version"] == json!({ "N": "2" })).count(), 2);
    let balance = wait(in_memory(&fake).balance(&account())).unwrap();
    assert_eq!((balance.balance, balance.reserved), (2500, 2 * 1200 + 8 * 10));
}
