//! The Counters table: admission, counters with markers, reconciliation, idempotency records and parked callbacks.

use std::time::Duration;

use reelhook_app::idempotency::{IdempotencyRecord, IdempotencyStore};
use reelhook_app::jobs::admission::AdmissionStore;
use reelhook_app::jobs::reconcile::{Counter, CounterStore};
use reelhook_app::jobs::renders::{Callback, RenderStore};
use reelhook_app::limits::LeaseStore;
use reelhook_app::outbox::fanout::CountStep;
use reelhook_app::store::{Saved, StoreError};
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::parked::RenderTable;
use reelhook_aws::jobs::reconcile::Reconciler;
use reelhook_aws::jobs::table::JobTable;
use reelhook_domain::{Admission, EventId, LogTally, RenderId, Service, SlotRow, Slots, Status, WebUrl};
use reelhook_testkit::{NOON, World};
use serde_json::{Value, json};

use crate::replay::{Answer, Call, Calls, cancelled, condition_failed, dynamodb, error, kind, ok, waiting_dynamodb};

fn table(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (CounterTable, Calls) {
    let (client, calls) = dynamodb(script);
    (CounterTable::new(client, "Counters"), calls)
}

fn reconciler(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (Reconciler, Calls) {
    let (client, calls) = dynamodb(script);
    let counters = CounterTable::new(client.clone(), "Counters");
    let jobs = JobTable::new(client, "Jobs", counters.clone(), std::sync::Arc::new(World::default()));
    (Reconciler { counters, jobs }, calls)
}

fn renders(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (RenderTable, Calls) {
    let (Reconciler { counters, jobs }, calls) = reconciler(script);
    (RenderTable { counters, jobs }, calls)
}

fn admission(version: u64) -> Admission {
    Admission { version, paused: true, active: [("job_1.1.1".to_owned(), NOON)].into(), ..Admission::default() }
}

/// The first row of slots in this version.
fn first(version: u64) -> SlotRow {
    SlotRow { number: 0, row: admission(version) }
}

#[tokio::test]
async fn the_admission_item_is_read_as_it_was_written() {
    let (counters, calls) = table(|_, _| ok());
    assert_eq!(counters.save_admission(&first(4)).await.unwrap(), Saved::Done);
    let call = calls.only();
    assert_eq!(call.at("/ConditionExpression"), "attribute_not_exists(pk) OR #version = :version");
    assert_eq!(call.at("/ExpressionAttributeValues"), &json!({ ":version": { "N": "3" } }));
    let answer = json!({ "Item": call.at("/Item") });
    let (counters, calls) = table(move |_, _| (200, answer.clone()));
    assert_eq!(counters.admission().await.unwrap(), Slots::from(admission(4)));
    assert_eq!(calls.only().at("/ConsistentRead"), &json!(true));
}

#[tokio::test]
async fn a_changed_admission_item_is_a_conflict_with_the_stored_one() {
    let theirs =
        json!({ "write_id": { "S": "theirs" }, "body": { "S": serde_json::to_string(&admission(4)).unwrap() } });
    let (counters, _) = table(move |_, _| condition_failed(Some(&theirs)));
    let saved = counters.save_admission(&first(4)).await.unwrap();
    assert_eq!(saved, Saved::Conflict(Some(Box::new(admission(4)))));
    let (counters, _) = table(|_, _| condition_failed(None));
    assert_eq!(counters.save_admission(&first(4)).await.unwrap(), Saved::Conflict(None));
}

#[tokio::test]
async fn an_admission_whose_response_was_lost_is_done() {
    let (counters, _) = table(|call, before| match before {
        0 => error("InternalServerError"),
        _ => condition_failed(Some(call.at("/Item"))),
    });
    assert_eq!(counters.save_admission(&first(4)).await.unwrap(), Saved::Done);
}

fn step(entered: bool) -> CountStep {
    let id = EventId::parse("job_1.7.2").unwrap();
    CountStep { id, day: "2024-01-01".to_owned(), status: Some((Status::Failed, entered)), log: LogTally::default() }
}

/// Counts one step.
async fn count(counters: &CounterTable, step: CountStep) -> Result<(), StoreError> {
    let mut results = counters.count(&[step], NOON).await;
    assert_eq!(results.len(), 1);
    results.remove(0)
}

#[tokio::test]
async fn a_count_is_one_transaction_of_marker_and_counter() {
    for (entered, by) in [(true, "1"), (false, "-1")] {
        let (counters, calls) = table(|_, _| ok());
        count(&counters, step(entered)).await.unwrap();
        let call = calls.only();
        let marker = call.at("/TransactItems/0/Put");
        assert_eq!(marker["Item"]["pk"], json!({ "S": "counted#job_1.7.2" }));
        assert_eq!(marker["ConditionExpression"], "attribute_not_exists(pk)");
        assert_eq!(marker["Item"]["expires_at"], json!({ "N": (NOON.seconds() + 3 * 86_400).to_string() }));
        let update = call.at("/TransactItems/1/Update");
        assert_eq!(update["Key"], json!({ "pk": { "S": "finals" }, "sk": { "S": "2024-01-01#failed" } }));
        assert_eq!(update["UpdateExpression"], "ADD #count :count SET expires_at = :expires");
        assert_eq!(update["ExpressionAttributeValues"][":count"], json!({ "N": by }));
    }
}

#[tokio::test]
async fn the_lines_of_a_log_are_counted_in_the_same_transaction() {
    let (counters, calls) = table(|_, _| ok());
    let log = LogTally { info: 9, error: 1, bytes: 700, ..LogTally::default() };
    count(&counters, CountStep { log, ..step(true) }).await.unwrap();
    count(&counters, CountStep { log, status: None, ..step(true) }).await.unwrap();
    let all = calls.all();
    let update = all[0].at("/TransactItems/1/Update");
    let expression = "ADD #count :count, #log_info :log_info, #log_error :log_error, #log_bytes :log_bytes \
                      SET expires_at = :expires";
    assert_eq!(update["UpdateExpression"], expression);
    assert_eq!(update["ExpressionAttributeValues"][":log_bytes"], json!({ "N": "700" }));
    let alone = all[1].at("/TransactItems/1/Update");
    assert_eq!(alone["Key"]["sk"], json!({ "S": "2024-01-01#log" }));
    assert_eq!(alone["ExpressionAttributeValues"][":count"], json!({ "N": "0" }));
    // An archive and its count are kept for longer than the jobs of its day.
    let (counters, calls) = table(|_, _| ok());
    let log = LogTally { archived: 1, ..LogTally::default() };
    count(&counters, CountStep { log, ..step(true) }).await.unwrap();
    let archived = calls.only().at("/TransactItems/2/Update").clone();
    assert_eq!(archived["Key"]["sk"], json!({ "S": "2024-01-01#archived" }));
    let expires = json!({ "N": (NOON.seconds() + 365 * 86_400).to_string() });
    assert_eq!(archived["ExpressionAttributeValues"], json!({ ":log_archived": { "N": "1" }, ":expires": expires }));
}

#[tokio::test]
async fn a_lease_grants_what_is_left_of_the_minute() {
    let check = async |leased: i64, expected: u32| {
        let (counters, calls) =
            table(move |_, _| (200, json!({ "Attributes": { "count": { "N": leased.to_string() } } })));
        assert_eq!(counters.lease("abc", 28_401_840, 5, 100).await.unwrap(), expected);
        let call = calls.only();
        assert_eq!(call.at("/Key"), &json!({ "pk": { "S": "rate#abc" }, "sk": { "S": "0028401840" } }));
        assert_eq!(call.at("/UpdateExpression"), "ADD #count :count SET expires_at = :expires");
        assert_eq!(call.at("/ExpressionAttributeValues/:expires/N"), "1704111000");
    };
    check(5, 5).await;
    check(100, 5).await;
    check(103, 2).await;
    check(105, 0).await;
    check(5000, 0).await;
}

#[tokio::test]
async fn a_key_is_recorded_once() {
    let row = IdempotencyRecord {
        caller: "abc".to_owned(),
        key: "k".to_owned(),
        body_hash: "h".to_owned(),
        answer: "{}".to_owned(),
        expires_at: NOON.after(Duration::from_secs(1)),
    };
    let (counters, _) = table(|_, _| ok());
    assert_eq!(counters.remember(&row, NOON).await.unwrap(), None);
    let (counters, _) = table(|_, before| match before {
        0 => condition_failed(None),
        _ => {
            let item = json!({ "body_hash": { "S": "other" }, "answer": { "S": "first" }, "expires_at": { "N": "5" } });
            (200, json!({ "Item": item }))
        }
    });
    let known = counters.remember(&row, NOON).await.unwrap().unwrap();
    assert_eq!((known.body_hash.as_str(), known.answer.as_str()), ("other", "first"));
}

#[tokio::test]
async fn a_count_is_not_repeated_and_a_failed_one_is_an_error() {
    let (counters, calls) = table(|_, _| cancelled(&["ConditionalCheckFailed", "None"]));
    count(&counters, step(true)).await.unwrap();
    assert_eq!(calls.all().len(), 1);
    for (reasons, expected) in [(["None", "ThrottlingError"], "busy"), (["None", "ValidationError"], "refused")] {
        let (counters, calls) = table(move |_, _| cancelled(&reasons));
        assert_eq!(kind(&count(&counters, step(true)).await.unwrap_err()), expected, "{reasons:?}");
        assert_eq!(calls.all().len(), 1, "{reasons:?}");
    }
}

#[tokio::test]
async fn a_conflicting_count_is_retried_in_place() {
    // A conflict at the counter, at the marker, at both, and at the counter while the marker exists.
    for (reasons, conflicts) in [
        (["None", "TransactionConflict"], 1),
        (["TransactionConflict", "None"], 2),
        (["TransactionConflict", "TransactionConflict"], 9),
    ] {
        let script = move |_: &Call, before: usize| if before < conflicts { cancelled(&reasons) } else { ok() };
        let (client, calls, waits) = waiting_dynamodb(script);
        count(&CounterTable::new(client, "Counters"), step(true)).await.unwrap();
        let calls = calls.all();
        assert_eq!((calls.len(), waits.count()), (conflicts + 1, conflicts), "{reasons:?}");
        let items = |call: &Call| call.at("/TransactItems").clone();
        assert!(calls.iter().all(|call| items(call) == items(&calls[0])), "every attempt counts the same");
    }
    let (counters, calls) = table(|_, before| match before {
        0 => cancelled(&["None", "TransactionConflict"]),
        _ => cancelled(&["ConditionalCheckFailed", "TransactionConflict"]),
    });
    count(&counters, step(true)).await.unwrap();
    assert_eq!(calls.all().len(), 2, "a concurrent replay has counted it");
}

#[tokio::test]
async fn a_count_with_a_conflict_in_every_attempt_is_busy() {
    let (counters, calls) = table(|_, _| cancelled(&["None", "TransactionConflict"]));
    assert_eq!(kind(&count(&counters, step(true)).await.unwrap_err()), "busy");
    assert_eq!(calls.all().len(), 10);
}

#[tokio::test]
async fn reconciling_waits_for_counts_that_are_under_way() {
    let (reconciler, calls) = reconciler(|call, before| match call.operation.as_str() {
        "GetItem" => (200, json!({ "Item": { "count": { "N": "3" } } })),
        "TransactWriteItems" if before == 6 => cancelled(&["TransactionConflict"]),
        "UpdateItem" if before % 2 == 0 => error("TransactionConflictException"),
        _ => ok(),
    });
    reconciler.suspect(Status::Failed, "2024-01-01", 4, 3).await.unwrap();
    reconciler.trust(Status::Failed, "2024-01-01").await.unwrap();
    reconciler.correct(Status::Failed, "2024-01-01", 3, 4).await.unwrap();
    let updates = ["UpdateItem"; 4].into_iter();
    let expected = updates.chain(["GetItem", "GetItem", "TransactWriteItems", "TransactWriteItems"]);
    assert_eq!(calls.operations(), expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_counter_is_read_with_its_suspected_difference() {
    let check = async |item: Value, expected: Counter| {
        let answer = json!({ "Item": item });
        let (reconciler, _) = reconciler(move |_, _| (200, answer.clone()));
        assert_eq!(reconciler.counter(Status::Failed, "2024-01-01").await.unwrap(), expected);
    };
    let n = |number: i64| json!({ "N": number.to_string() });
    check(json!({ "count": n(3) }), Counter { value: 3, suspected: None }).await;
    let item = json!({ "count": n(3), "counted": n(4), "counted_at_value": n(3) });
    check(item, Counter { value: 3, suspected: Some((4, 3)) }).await;
    let (reconciler, _) = reconciler(|_, _| ok());
    assert_eq!(reconciler.counter(Status::Failed, "2024-01-01").await.unwrap(), Counter::default());
}

#[tokio::test]
async fn a_suspected_difference_is_stored_with_the_counter_until_it_is_corrected() {
    let (reconciler, calls) = reconciler(|call, _| match call.at("/Key/sk/S").as_str() {
        Some("2024-01-01#failed") if call.operation == "GetItem" => (200, json!({ "Item": { "count": { "N": "3" } } })),
        _ => ok(),
    });
    reconciler.suspect(Status::Failed, "2024-01-01", 4, 3).await.unwrap();
    reconciler.correct(Status::Failed, "2024-01-01", 3, 4).await.unwrap();
    let [suspect, _, _, mend] = &calls.all()[..] else { panic!() };
    let kept = "expires_at = if_not_exists(expires_at, :end)";
    // 32 days after the start of the day.
    let end = json!({ "N": (1_704_067_200 + 32 * 86_400).to_string() });
    assert_eq!(
        suspect.at("/UpdateExpression"),
        &json!(format!("SET counted = :counted, counted_at_value = :value, {kept}"))
    );
    let values = json!({ ":counted": { "N": "4" }, ":value": { "N": "3" }, ":end": end });
    assert_eq!(suspect.at("/ExpressionAttributeValues"), &values);
    assert_eq!(
        mend.at("/TransactItems/0/Update/UpdateExpression"),
        &json!(format!("SET #count = :to, {kept} REMOVE counted, counted_at_value"))
    );
    let condition = mend.at("/TransactItems/0/Update/ConditionExpression");
    assert_eq!(condition, "#count = :was OR attribute_not_exists(#count)");
    let values = json!({ ":to": { "N": "4" }, ":was": { "N": "3" }, ":end": end });
    assert_eq!(mend.at("/TransactItems/0/Update/ExpressionAttributeValues"), &values);
    assert_eq!(mend.at("/TransactItems").as_array().map(Vec::len), Some(1), "there is one shard");
}

#[tokio::test]
async fn a_counter_that_changed_during_its_correction_is_left_to_the_next_run() {
    let three = || (200, json!({ "Item": { "count": { "N": "3" } } }));
    let (reconciler_of_3, calls) = reconciler(move |call, _| match call.operation.as_str() {
        "GetItem" => three(),
        _ => cancelled(&["ConditionalCheckFailed"]),
    });
    reconciler_of_3.correct(Status::Failed, "2024-01-01", 3, 4).await.unwrap();
    assert_eq!(calls.all().len(), 3);
    // It is another value already.
    let (reconciler_of_3, calls) = reconciler(move |_, _| three());
    reconciler_of_3.correct(Status::Failed, "2024-01-01", 2, 4).await.unwrap();
    assert_eq!(calls.operations(), ["GetItem", "GetItem"]);
}

#[tokio::test]
async fn reconciling_with_a_busy_table_is_an_error() {
    let (reconciler, _) = reconciler(|_, _| error("ThrottlingException"));
    assert_eq!(kind(&reconciler.counter(Status::Failed, "2024-01-01").await.unwrap_err()), "busy");
    assert_eq!(kind(&reconciler.count_jobs(Status::Failed, "2024-01-01").await.unwrap_err()), "busy");
    assert_eq!(kind(&reconciler.suspect(Status::Failed, "2024-01-01", 1, 2).await.unwrap_err()), "busy");
    assert_eq!(kind(&reconciler.correct(Status::Failed, "2024-01-01", 1, 2).await.unwrap_err()), "busy");
}

fn render() -> RenderId {
    RenderId::parse("render_1").unwrap()
}

fn callback() -> Callback {
    Callback { status: "succeeded".to_owned(), url: WebUrl::parse("https://x.example/v.mp4"), error: None, run: None }
}

#[tokio::test]
async fn a_parked_callback_is_returned_for_an_hour() {
    let (renders_table, calls) = renders(|_, _| ok());
    renders_table.park(Service::Creatomate, &render(), &callback(), NOON).await.unwrap();
    let item = calls.only().at("/Item").clone();
    assert_eq!(item["pk"], json!({ "S": "render#render_1" }));
    let answer = json!({ "Item": item });
    let (renders_table, _) = renders(move |_, _| (200, answer.clone()));
    let last = NOON.after(Duration::from_millis(3_599_999));
    assert_eq!(renders_table.parked(Service::Creatomate, &render(), last).await.unwrap(), Some(callback()));
    assert_eq!(
        renders_table.parked(Service::Creatomate, &render(), NOON.after(Duration::from_secs(3600))).await.unwrap(),
        None
    );
    let (renders_table, _) = renders(|_, _| ok());
    assert_eq!(renders_table.parked(Service::Creatomate, &render(), NOON).await.unwrap(), None);
}

#[tokio::test]
async fn a_final_parked_callback_is_not_replaced() {
    let (renders_table, calls) = renders(|_, _| condition_failed(None));
    let late = Callback { status: "rendering".to_owned(), url: None, ..callback() };
    renders_table.park(Service::Creatomate, &render(), &late, NOON).await.unwrap();
    let call = calls.only();
    let values = call.at("/ExpressionAttributeValues");
    assert_eq!((&values[":final"], &values[":by"]), (&json!({ "BOOL": false }), &json!({ "S": "operator" })));
    let condition = call.at("/ConditionExpression").as_str().unwrap();
    assert!(condition.contains("#final <> :true OR :final = :true"), "{condition}");
}

#[tokio::test]
async fn the_right_to_check_is_granted_once_in_ten_seconds() {
    let (renders_table, calls) = renders(|_, _| ok());
    assert!(renders_table.may_hint(Service::Creatomate, &render(), NOON).await.unwrap());
    let call = calls.only();
    assert_eq!(call.at("/ConditionExpression"), "attribute_not_exists(pk) OR expires_at <= :now");
    assert_eq!(call.at("/Item/expires_at"), &json!({ "N": (NOON.seconds() + 10).to_string() }));
    let (renders_table, _) = renders(|_, _| condition_failed(None));
    assert!(!renders_table.may_hint(Service::Creatomate, &render(), NOON).await.unwrap());
    let (renders_table, _) = renders(|_, _| error("AccessDeniedException"));
    assert_eq!(kind(&renders_table.may_hint(Service::Creatomate, &render(), NOON).await.unwrap_err()), "refused");
}

#[tokio::test]
async fn a_right_to_check_whose_response_was_lost_is_granted() {
    // A refusal would mean that another caller has just checked, so no check would be made.
    let (renders_table, calls) = renders(|call, before| match before {
        0 => error("InternalServerError"),
        _ => condition_failed(Some(call.at("/Item"))),
    });
    assert!(renders_table.may_hint(Service::Creatomate, &render(), NOON).await.unwrap());
    assert_eq!(calls.all().len(), 2);
}
