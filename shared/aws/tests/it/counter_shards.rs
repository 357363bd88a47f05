//! Counters of ended jobs in several shards, and steps that are counted together.

use reelhook_app::jobs::reconcile::{Counter, CounterStore};
use reelhook_app::outbox::fanout::CountStep;
use reelhook_app::store::StoreError;
use reelhook_aws::items::shards::CounterShards;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::reconcile::Reconciler;
use reelhook_aws::jobs::table::JobTable;
use reelhook_domain::{EventId, LogTally, Status};
use reelhook_testkit::{NOON, World};
use serde_json::{Value, json};

use crate::replay::{Answer, Call, Calls, cancelled, condition_failed, dynamodb, error, kind, ok};

fn table(shards: usize, script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (CounterTable, Calls) {
    let (client, calls) = dynamodb(script);
    (CounterTable::new(client, "Counters").sharded(CounterShards::new(shards)), calls)
}

fn step(n: usize) -> CountStep {
    let id = EventId::parse(&format!("job_{n}.7.2")).unwrap();
    CountStep { id, day: "2024-01-01".to_owned(), status: Some((Status::Failed, true)), log: LogTally::default() }
}

fn steps(count: usize) -> Vec<CountStep> {
    (0..count).map(step).collect()
}

/// The markers of a transaction, by the ids of their steps.
fn markers(call: &Call) -> Vec<String> {
    let items = call.at("/TransactItems").as_array().unwrap().iter();
    let pks = items.filter_map(|item| item.pointer("/Put/Item/pk/S")?.as_str());
    pks.map(|pk| pk.strip_prefix("counted#").unwrap().to_owned()).collect()
}

/// The only counter that a transaction adds to: its partition, and what is added.
fn counter(call: &Call) -> (String, i64) {
    let items = call.at("/TransactItems").as_array().unwrap();
    let updates: Vec<&Value> = items.iter().filter_map(|item| item.get("Update")).collect();
    let [update] = updates[..] else { panic!("{updates:?}") };
    let added = update["ExpressionAttributeValues"][":count"]["N"].as_str().unwrap();
    (update["Key"]["pk"]["S"].as_str().unwrap().to_owned(), added.parse().unwrap())
}

fn kinds(results: &[Result<(), StoreError>]) -> Vec<&'static str> {
    results.iter().map(|result| result.as_ref().err().map_or("done", kind)).collect()
}

#[tokio::test]
async fn steps_are_counted_together_up_to_32_in_a_transaction() {
    let (counters, calls) = table(1, |_, _| ok());
    assert_eq!(kinds(&counters.count(&steps(70), NOON).await), ["done"; 70]);
    let sizes: Vec<(usize, (String, i64))> =
        calls.all().iter().map(|call| (markers(call).len(), counter(call))).collect();
    let of = |count: usize| (count, ("finals".to_owned(), count as i64));
    assert_eq!(sizes, [of(32), of(32), of(6)]);
}

#[tokio::test]
async fn steps_that_were_counted_before_are_left_out_and_the_others_are_counted() {
    // A batch of the stream comes again with what has come since.
    let (counters, calls) = table(1, |_, before| match before {
        0 => cancelled(&["ConditionalCheckFailed", "None", "ConditionalCheckFailed", "None", "None"]),
        _ => ok(),
    });
    assert_eq!(kinds(&counters.count(&steps(4), NOON).await), ["done"; 4]);
    let all = calls.all();
    assert_eq!(all.len(), 2);
    assert_eq!((markers(&all[1]), counter(&all[1]).1), (vec!["job_1.7.2".to_owned(), "job_3.7.2".to_owned()], 2));
    // A transaction may name some of the conditions only.
    let (counters, calls) = table(1, |_, _| cancelled(&["ConditionalCheckFailed", "None", "None"]));
    assert_eq!(kinds(&counters.count(&steps(20), NOON).await), ["done"; 20]);
    assert_eq!(calls.all().len(), 20);
}

#[tokio::test]
async fn a_step_that_comes_twice_is_counted_once() {
    let (counters, calls) = table(1, |_, _| ok());
    assert_eq!(kinds(&counters.count(&[step(1), step(1)], NOON).await), ["done"; 2]);
    assert_eq!(counter(&calls.only()).1, 1);
}

#[tokio::test]
async fn a_refused_step_does_not_hide_the_others() {
    let (counters, _) = table(1, |call, _| {
        let is_refused = markers(call).iter().any(|id| id == "job_1.7.2");
        if is_refused { cancelled(&["ValidationError"]) } else { ok() }
    });
    assert_eq!(kinds(&counters.count(&steps(3), NOON).await), ["done", "refused", "done"]);
    let (counters, calls) = table(1, |_, _| error("ThrottlingException"));
    assert_eq!(kinds(&counters.count(&steps(3), NOON).await), ["busy"; 3]);
    assert!(calls.all().iter().all(|call| markers(call).len() == 3));
}

#[tokio::test]
async fn the_number_of_shards_is_noted_before_one_of_them_is_written() {
    let (counters, calls) = table(8, |call, _| match call.operation.as_str() {
        "UpdateItem" => condition_failed(None),
        _ => ok(),
    });
    assert_eq!(kinds(&counters.count(&steps(2), NOON).await), ["done"; 2]);
    assert_eq!(kinds(&counters.count(&[step(3)], NOON).await), ["done"]);
    assert_eq!(calls.operations(), ["UpdateItem", "TransactWriteItems", "TransactWriteItems"]);
    let note = &calls.all()[0];
    assert_eq!(note.at("/Key"), &json!({ "pk": { "S": "finals" }, "sk": { "S": "shards" } }));
    assert_eq!(note.at("/ExpressionAttributeValues"), &json!({ ":most": { "N": "8" } }));
    assert_eq!(note.at("/ConditionExpression"), "attribute_not_exists(#most) OR #most < :most");
    // A shard is not written while it may be unknown to readers.
    let (counters, calls) = table(8, |_, _| error("ThrottlingException"));
    assert_eq!(kinds(&counters.count(&steps(2), NOON).await), ["busy"; 2]);
    assert!(calls.operations().iter().all(|operation| operation == "UpdateItem"));
}

#[tokio::test]
async fn after_a_conflict_a_count_goes_to_another_shard_with_the_same_markers() {
    let (counters, calls) = table(8, |call, before| match call.operation.as_str() {
        "TransactWriteItems" if before < 4 => cancelled(&["None", "None", "TransactionConflict"]),
        _ => ok(),
    });
    assert_eq!(kinds(&counters.count(&steps(2), NOON).await), ["done"; 2]);
    let written: Vec<Call> = calls.all().into_iter().skip(1).collect();
    assert_eq!(written.len(), 4);
    assert!(written.iter().all(|call| markers(call) == markers(&written[0])));
    let mut shards: Vec<String> = written.iter().map(|call| counter(call).0).collect();
    shards.sort();
    shards.dedup();
    assert_eq!(shards.len(), 4, "{shards:?}");
}

/// A table with these counters of failed jobs, by shard; none where a shard has no row.
fn holding(values: &'static [Option<i64>]) -> impl Fn(&Call, usize) -> Answer + Send + Sync + 'static {
    let shard_of = |pk: &str| pk.strip_prefix("finals").map(|rest| rest.trim_start_matches('#').parse().unwrap_or(0));
    let most = json!({ "sk": { "S": "shards" }, "most": { "N": values.len().to_string() } });
    let row = move |shard: usize| {
        let value = values.get(shard).copied().flatten()?;
        Some(
            json!({ "sk": { "S": "2024-01-01#failed" }, "count": { "N": value.to_string() }, "log_info": { "N": "2" } }),
        )
    };
    move |call, _| match call.operation.as_str() {
        "GetItem" if call.at("/Key/sk/S") == "shards" => (200, json!({ "Item": most })),
        "GetItem" => match row(shard_of(call.at("/Key/pk/S").as_str().unwrap()).unwrap()) {
            Some(item) => (200, json!({ "Item": item })),
            None => ok(),
        },
        "Query" => {
            let shard = shard_of(call.at("/ExpressionAttributeValues/:finals/S").as_str().unwrap()).unwrap();
            let first = (shard == 0).then(|| most.clone());
            (200, json!({ "Items": row(shard).into_iter().chain(first).collect::<Vec<_>>() }))
        }
        _ => ok(),
    }
}

#[tokio::test]
async fn totals_are_the_sums_of_all_shards_that_there_ever_were() {
    // The number that is written now does not matter to readers.
    let (counters, calls) = table(1, holding(&[Some(7), None, Some(-2)]));
    let (counts, log) = counters.totals().await.unwrap();
    assert_eq!((counts.failed, counts.completed, log.info), (5, 0, 4));
    assert_eq!(calls.all().len(), 3);
}

fn reconciler(values: &'static [Option<i64>]) -> (Reconciler, Calls) {
    let (client, calls) = dynamodb(holding(values));
    let counters = CounterTable::new(client.clone(), "Counters");
    let jobs = JobTable::new(client, "Jobs", counters.clone(), std::sync::Arc::new(World::default()));
    (Reconciler { counters, jobs }, calls)
}

#[tokio::test]
async fn a_counter_is_the_sum_of_its_shards_and_is_corrected_if_none_has_changed() {
    let (reconciler, calls) = reconciler(&[Some(7), None, Some(-2)]);
    let read = reconciler.counter(Status::Failed, "2024-01-01").await.unwrap();
    assert_eq!(read, Counter { value: 5, suspected: None });
    reconciler.correct(Status::Failed, "2024-01-01", 5, 8).await.unwrap();
    let write = calls.all().pop().unwrap();
    let items = write.at("/TransactItems").as_array().unwrap().clone();
    assert_eq!(items.len(), 3);
    assert_eq!(items[0]["Update"]["Key"]["pk"], json!({ "S": "finals" }));
    let values = &items[0]["Update"]["ExpressionAttributeValues"];
    assert_eq!((&values[":was"], &values[":to"]), (&json!({ "N": "7" }), &json!({ "N": "10" })));
    let check = |place: usize, name: &str| items[place]["ConditionCheck"][name].clone();
    assert_eq!(check(1, "ConditionExpression"), "attribute_not_exists(#count)");
    assert_eq!(check(1, "Key"), json!({ "pk": { "S": "finals#1" }, "sk": { "S": "2024-01-01#failed" } }));
    assert_eq!(check(1, "ExpressionAttributeValues"), Value::Null);
    assert_eq!(check(2, "ConditionExpression"), "#count = :was");
    assert_eq!(check(2, "ExpressionAttributeValues"), json!({ ":was": { "N": "-2" } }));
}
