//! The JobEvents table: lines in batches, and rows that come back unprocessed inside a 200.

use reelhook_app::jobs::logs::{Line, LogStore, Page};
use reelhook_app::jobs::watch::LiveStore;
use reelhook_app::outbox::fanout::{FanoutStore, LiveRow, LogRow};
use reelhook_app::store::StoreError;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::events::{FanoutTables, JobEventTable};
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_domain::JobId;
use reelhook_testkit::NOON;
use serde_json::json;

use crate::replay::{ATTEMPTS, Answer, Call, Calls, dynamodb, error, kind, ok};

fn tables(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (FanoutTables, Calls) {
    let (client, calls) = dynamodb(script);
    let tables = FanoutTables {
        log: JobEventTable::new(client.clone(), "JobEvents"),
        deliveries: DeliveryTable::new(client.clone(), "Deliveries"),
        counters: CounterTable::new(client, "Counters"),
        now: || NOON,
    };
    (tables, calls)
}

fn job() -> JobId {
    JobId::parse("job_1").unwrap()
}

fn lines(count: usize) -> Vec<LogRow> {
    let row = |index| LogRow {
        job_id: job(),
        version: 7,
        index,
        at: NOON,
        line: Some(json!({ "z": index, "a": "Série" })),
        live: None,
    };
    (0..count).map(row).collect()
}

/// The places of a call's rows within their version.
fn places(call: &Call) -> Vec<String> {
    let rows = call.at("/RequestItems/JobEvents").as_array().unwrap();
    rows.iter().map(|row| row["PutRequest"]["Item"]["seq"]["S"].as_str().unwrap().to_owned()).collect()
}

fn kinds(results: &[Result<(), StoreError>]) -> Vec<&'static str> {
    results.iter().map(|result| result.as_ref().err().map_or("done", kind)).collect()
}

#[tokio::test]
async fn lines_go_25_at_a_time() {
    let (tables, calls) = tables(|_, _| ok());
    let results = tables.put_logs(&lines(60)).await;
    assert_eq!(kinds(&results), ["done"; 60]);
    let sizes: Vec<usize> = calls.all().iter().map(|call| places(call).len()).collect();
    assert_eq!(sizes, [25, 25, 10]);
    let first = calls.all()[0].at("/RequestItems/JobEvents/0/PutRequest/Item").clone();
    let expected = json!({
        "job_id": { "S": "job_1" }, "seq": { "S": "0000000007.00" }, "line": { "S": r#"{"z":0,"a":"Série"}"# },
        "expires_at": { "N": (NOON.seconds() + 30 * 86_400).to_string() },
        "day_shard": { "S": format!("2024-01-01#{}", reelhook_app::jobs::logs::log_shard(&job())) },
        "place": { "S": "1704110400000.job_1.0000000007.00" },
    });
    assert_eq!(first, expected);
}

#[tokio::test]
async fn unprocessed_rows_inside_a_200_are_written_again() {
    let (tables, calls) = tables(|call, before| match before {
        0 => {
            let rows = call.at("/RequestItems/JobEvents").as_array().unwrap();
            (200, json!({ "UnprocessedItems": { "JobEvents": [rows[1], rows[3]] } }))
        }
        _ => (200, json!({ "UnprocessedItems": {} })),
    });
    let results = tables.put_logs(&lines(5)).await;
    assert_eq!(kinds(&results), ["done"; 5]);
    let sent: Vec<Vec<String>> = calls.all().iter().map(places).collect();
    assert_eq!(sent[1], ["0000000007.01", "0000000007.03"], "only what is left");
}

#[tokio::test]
async fn rows_that_stay_unprocessed_are_busy_and_the_other_batches_are_done() {
    let (tables, calls) = tables(|call, _| {
        let stuck = places(call)[0] == "0000000007.25";
        let left = if stuck { call.at("/RequestItems").clone() } else { json!({}) };
        (200, json!({ "UnprocessedItems": left }))
    });
    let results = tables.put_logs(&lines(60)).await;
    let expected = [vec!["done"; 25], vec!["busy"; 25], vec!["done"; 10]].concat();
    assert_eq!(kinds(&results), expected);
    assert_eq!(calls.all().len(), 1 + 10 + 1);
}

#[tokio::test]
async fn a_batch_that_fails_fails_for_each_of_its_lines() {
    for (code, expected) in [("ThrottlingException", "busy"), ("AccessDeniedException", "refused")] {
        let (tables, calls) = tables(move |call, _| if places(call).len() == 25 { error(code) } else { ok() });
        let results = tables.put_logs(&lines(30)).await;
        assert_eq!(kinds(&results), [vec![expected; 25], vec!["done"; 5]].concat(), "{code}");
        assert!(calls.all().len() <= ATTEMPTS + 1);
    }
}

#[tokio::test]
async fn what_viewers_saw_is_found_behind_a_page_of_log_lines() {
    let (client, calls) = dynamodb(|_, before| match before {
        0 => (200, json!({ "Items": [], "LastEvaluatedKey": { "seq": { "S": "0000000007.00" } } })),
        _ => {
            let live = json!({ "S": r#"{"after":3,"events":[{"type":"job_update"}]}"# });
            (200, json!({ "Items": [{ "seq": { "S": "0000000009.01" }, "live": live }] }))
        }
    });
    let log = JobEventTable::new(client, "JobEvents");
    let found = log.live_since(&job(), 3, 200).await.unwrap();
    assert_eq!(found, [(9, LiveRow { after: 3, events: vec![json!({ "type": "job_update" })] })]);
    let all = calls.all();
    assert_eq!(all[0].at("/ExpressionAttributeValues/:after/S"), "0000000003.~");
    assert_eq!(all[1].at("/ExclusiveStartKey/seq/S"), "0000000007.00");
}

#[tokio::test]
async fn a_page_of_lines_passes_rows_without_one_over_and_says_where_more_follow() {
    let (client, calls) = dynamodb(|_, _| {
        let row = |seq: &str, line: bool| {
            let mut row = json!({ "seq": { "S": seq }, "place": { "S": format!("17.{seq}") } });
            if line {
                row["line"] = json!({ "S": format!(r#"{{"n":"{seq}"}}"#) });
            }
            row
        };
        let last = json!({ "job_id": { "S": "job_1" }, "seq": { "S": "1.00" }, "place": { "S": "17.1.00" } });
        (200, json!({ "Items": [row("3.00", true), row("2.00", false), row("1.00", true)], "LastEvaluatedKey": last }))
    });
    let log = JobEventTable::new(client, "JobEvents");
    let line = |place: &str, seq: &str| Line { place: place.to_owned(), line: json!({ "n": seq }) };
    let page = |lines, last: &str| Page { lines, last: Some(last.to_owned()) };
    let newest = log.of_job(&job(), Some("4.00"), 200).await.unwrap();
    assert_eq!(newest, page(vec![line("3.00", "3.00"), line("1.00", "1.00")], "1.00"));
    log.of_job_since(&job(), None, 200).await.unwrap();
    let day = log.of_day("2024-01-01", 3, "16", "17.3.00", 50).await.unwrap();
    assert_eq!(day, page(vec![line("17.1.00", "1.00")], "17.1.00"), "BETWEEN has both its ends, a search has not");
    let all = calls.all();
    assert_eq!((all[0].at("/ScanIndexForward"), all[0].at("/Limit")), (&json!(false), &json!(200)));
    assert_eq!(all[0].at("/ConsistentRead"), &json!(true));
    assert_eq!(all[0].at("/KeyConditionExpression"), "job_id = :job AND seq < :place");
    assert_eq!(all[1].at("/KeyConditionExpression"), "job_id = :job");
    assert_eq!(all[2].at("/IndexName"), "by-day");
    assert_eq!(all[2].at("/ExpressionAttributeValues/:day/S"), "2024-01-01#3");
}
