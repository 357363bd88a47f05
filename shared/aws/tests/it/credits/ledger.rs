//! The ledger: each step once, balances that are the sums of their entries, and concurrent steps.

use std::thread;

use reelhook_app::clips::store::ClipAttempts as _;
use reelhook_app::credits::ledger::{Addition, Charge, EntryPage, Ledger, PageStart, Settlement};
use reelhook_aws::credits::table::CreditTable;
use reelhook_domain::Timestamp;
use reelhook_domain::credits::ledger::{Balance, Entry, EntryKind};
use reelhook_domain::credits::price::Basis;
use reelhook_testkit::NOON;
use serde_json::{Value, json};

use super::fake::Fake;
use super::{account, reservation, wait};
use crate::clips::{attempt_tables, job};
use crate::replay::{Answer, Call, Calls, cancelled, dynamodb, error, kind, ok};

/// The page of the newest entries.
const NEWEST: PageStart<'static> = PageStart::AsOf(u64::MAX);

/// The page after another one.
fn after(page: &EntryPage) -> PageStart<'_> {
    PageStart::After(page.next.as_deref().expect("there are more entries"))
}

fn table(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (CreditTable, Calls) {
    let (client, calls) = dynamodb(script);
    (CreditTable::new(client, "Credits"), calls)
}

/// The ledger of these tables.
pub fn in_memory(fake: &Fake) -> CreditTable {
    CreditTable::new(fake.client().0, "Credits")
}

/// Credits that were bought.
pub fn addition(id: &str, credits: u64) -> Addition {
    Addition {
        account: account(),
        id: id.to_owned(),
        kind: EntryKind::Purchase,
        credits,
        description: "Credits bought".to_owned(),
        at: NOON,
    }
}

/// The end of a reservation, with this charge or without one.
pub fn settlement(id: &str, credits: Option<u64>) -> Settlement {
    let charge = credits.map(|credits| Charge {
        credits,
        basis: Basis::Probed,
        job: "0b0e7a3c-5f0e-4f43-9a53-000000000001".to_owned(),
        description: "Clips".to_owned(),
    });
    Settlement { account: account(), reservation: id.to_owned(), charge, at: Timestamp(NOON.millis() + 1) }
}

/// Checks that the entries add up to the balance and the reservations to what is reserved; returns the balance.
pub async fn checked(fake: &Fake) -> Balance {
    let ledger = in_memory(fake);
    let balance = ledger.balance(&account()).await.unwrap();
    let entries = ledger.entries(&account(), NEWEST, 1000).await.unwrap().entries;
    assert_eq!(entries.iter().map(|entry| entry.amount).sum::<i64>(), balance.balance);
    assert_eq!(entries.first().map_or(0, |newest| newest.balance_after), balance.balance);
    let reserved = fake.rows("Credits", "reservation#");
    let credits = |row: &Value| row["credits"]["N"].as_str().unwrap().parse::<u64>().unwrap();
    assert_eq!(reserved.iter().map(credits).sum::<u64>(), balance.reserved);
    assert_eq!(i64::try_from(balance.earned).unwrap() - i64::try_from(balance.spent).unwrap(), balance.balance);
    balance
}

#[tokio::test]
async fn rows_have_their_stored_form() {
    let (ledger, calls) = table(|_, _| ok());
    ledger.add(&addition("add.1", 100)).await.unwrap();
    let write = calls.all().pop().unwrap();
    let [marker, balance, entry] = [0, 1, 2].map(|index| write.at(&format!("/TransactItems/{index}/Put")).clone());
    let pk = json!({ "S": "owner:u-1" });
    let sk = json!({ "S": "entry#00000000000000000001" });
    assert_eq!(marker["Item"], json!({ "pk": pk, "sk": { "S": "id#add.1" }, "schema": { "N": "1" }, "entry": sk }),);
    assert_eq!(
        balance["Item"],
        json!({
            "pk": pk, "sk": { "S": "balance" }, "schema": { "N": "1" }, "version": { "N": "1" },
            "balance": { "N": "100" }, "reserved": { "N": "0" }, "earned": { "N": "100" }, "spent": { "N": "0" },
        }),
    );
    let body = concat!(
        r#"{"id":"add.1","kind":"purchase","amount":100,"balance_after":100,"description":"Credits bought","#,
        r#""at":1704110400000}"#,
    );
    assert_eq!(entry["Item"], json!({ "pk": pk, "sk": sk, "schema": { "N": "1" }, "body": { "S": body } }));
    for put in [&marker, &balance, &entry] {
        assert_eq!(
            (&put["TableName"], &put["ConditionExpression"]),
            (&json!("Credits"), &json!("attribute_not_exists(pk)"))
        );
    }
}

#[tokio::test]
async fn an_addition_is_made_once() {
    let fake = Fake::default();
    let ledger = in_memory(&fake);
    assert_eq!(ledger.balance(&account()).await.unwrap(), Balance::default());
    let first = ledger.add(&addition("add.1", 100)).await.unwrap();
    assert_eq!((first.amount, first.balance_after), (100, 100));
    let repeated = Addition { credits: 7, at: Timestamp(0), ..addition("add.1", 100) };
    assert_eq!(ledger.add(&repeated).await.unwrap(), first);
    assert_eq!(ledger.add(&addition("add.2", 5)).await.unwrap().balance_after, 105);
    assert_eq!(checked(&fake).await.earned, 105);
}

#[tokio::test]
async fn a_reservation_ends_once_with_a_charge_or_without() {
    let fake = Fake::default();
    let (ledger, attempts) = (in_memory(&fake), attempt_tables(&fake));
    ledger.add(&addition("add.1", 100)).await.unwrap();
    for n in 1..=3 {
        let reserved = reservation(&format!("job-{n}.1"), 30, true);
        attempts.insert(&job(n), &reserved, None, NOON).await.unwrap();
    }
    assert_eq!(checked(&fake).await.available(), 10);
    for _ in 0..2 {
        ledger.settle(&settlement("job-1.1", Some(45))).await.unwrap();
        ledger.settle(&settlement("job-2.1", None)).await.unwrap();
        ledger.settle(&settlement("job-3.1", Some(0))).await.unwrap();
    }
    let balance = checked(&fake).await;
    assert_eq!((balance.balance, balance.reserved, balance.spent), (55, 0, 45));
    let entries = ledger.entries(&account(), NEWEST, 10).await.unwrap().entries;
    let shown: Vec<(&str, i64)> = entries.iter().map(|entry| (entry.id.as_str(), entry.amount)).collect();
    assert_eq!(shown, [("job-1.1", -45), ("add.1", 100)]);
    assert_eq!((entries[0].kind, entries[0].basis), (EntryKind::Usage, Some(Basis::Probed)));
}

#[tokio::test]
async fn an_attempt_that_was_charged_before_is_not_charged_again() {
    let fake = Fake::default();
    let (ledger, attempts) = (in_memory(&fake), attempt_tables(&fake));
    attempts.insert(&job(1), &reservation("job-1.1", 30, false), None, NOON).await.unwrap();
    ledger.settle(&settlement("job-1.1", Some(30))).await.unwrap();
    attempts.insert(&job(2), &reservation("job-1.1", 30, false), None, NOON).await.unwrap();
    ledger.settle(&settlement("job-1.1", Some(30))).await.unwrap();
    let balance = checked(&fake).await;
    assert_eq!((balance.balance, balance.reserved), (-30, 0));
}

#[tokio::test]
async fn pages_have_the_newest_entries_first() {
    let fake = Fake::default();
    let ledger = in_memory(&fake);
    for n in 1..=5 {
        ledger.add(&addition(&format!("add.{n}"), n)).await.unwrap();
    }
    let amounts = |entries: &[Entry]| entries.iter().map(|entry| entry.amount).collect::<Vec<_>>();
    let first = ledger.entries(&account(), NEWEST, 2).await.unwrap();
    assert_eq!((amounts(&first.entries), first.next.as_deref()), (vec![5, 4], Some("4")));
    let second = ledger.entries(&account(), after(&first), 2).await.unwrap();
    assert_eq!(amounts(&second.entries), [3, 2]);
    let last = ledger.entries(&account(), after(&second), 2).await.unwrap();
    assert_eq!((amounts(&last.entries), last.next), (vec![1], None));
    // What was added since a balance was read is not among its entries.
    for (version, expected) in [(0, vec![]), (1, vec![1]), (4, vec![4, 3]), (6, vec![5, 4])] {
        let page = ledger.entries(&account(), PageStart::AsOf(version), 2).await.unwrap();
        assert_eq!(amounts(&page.entries), expected, "{version}");
    }
    for cursor in ["", "0", "-1", "x", "18446744073709551616"] {
        assert!(ledger.entries(&account(), PageStart::After(cursor), 2).await.unwrap().entries.is_empty(), "{cursor}");
    }
}

#[tokio::test]
async fn conflicts_are_retried_and_other_failures_are_not() {
    let failures = |answer: fn() -> Answer, times: usize| {
        let written = std::sync::atomic::AtomicUsize::new(0);
        table(move |call, _| {
            if call.operation != "TransactWriteItems" {
                return ok();
            }
            let before = written.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if before < times { answer() } else { ok() }
        })
    };
    let conflict = || cancelled(&["None", "TransactionConflict", "None"]);
    let (ledger, calls) = failures(conflict, 3);
    ledger.add(&addition("add.1", 1)).await.unwrap();
    assert_eq!(calls.operations().iter().filter(|name| *name == "TransactWriteItems").count(), 4);
    let (ledger, _) = failures(conflict, usize::MAX);
    assert_eq!(kind(&ledger.add(&addition("add.1", 1)).await.unwrap_err()), "busy");
    let (ledger, _) = failures(|| error("AccessDeniedException"), usize::MAX);
    assert_eq!(kind(&ledger.add(&addition("add.1", 1)).await.unwrap_err()), "refused");
}

#[test]
fn concurrent_steps_happen_once_each() {
    let fake = Fake::default();
    wait(in_memory(&fake).add(&addition("add.0", 1000))).unwrap();
    for n in 1..=10 {
        let reserved = reservation(&format!("job-{n}.1"), 10, true);
        wait(attempt_tables(&fake).insert(&job(n), &reserved, None, NOON)).unwrap();
    }
    thread::scope(|scope| {
        for n in 1..=10 {
            // Fanout processes a record twice at the same time.
            for _ in 0..2 {
                let (db, step) = (fake.clone(), settlement(&format!("job-{n}.1"), Some(n)));
                scope.spawn(move || wait(in_memory(&db).settle(&step)).unwrap());
                let (db, step) = (fake.clone(), addition(&format!("add.{n}"), 1));
                scope.spawn(move || wait(in_memory(&db).add(&step)).unwrap());
            }
        }
    });
    let balance = wait(checked(&fake));
    assert_eq!((balance.earned, balance.spent, balance.reserved), (1010, 55, 0));
}
