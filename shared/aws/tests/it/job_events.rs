//! The JobEvents table: batches of rows, rows that come back unprocessed inside a 200, and both stored forms.

use std::sync::Arc;

use reelhook_app::jobs::logs::{Line, LogStore, Page};
use reelhook_app::jobs::submit::SubmitStore;
use reelhook_app::outbox::fanout::{FanoutStore, plan};
use reelhook_app::outbox::rows::{LiveRow, LogEntry, LogLine, LogRow, RenderedEvent, StoredLive};
use reelhook_app::store::StoreError;
use reelhook_app::views;
use reelhook_app::views::Dialect;
use reelhook_app::watch::LiveStore;
use reelhook_app::webhooks::subscriptions::Subscriptions;
use reelhook_aws::items::shards::EndedShards;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::events::{FanoutTables, JobEventTable};
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_domain::{Event, Job, JobId, JobSnapshot, Live, LiveSnapshot, LogLevel, RenderId, Status, Subject};
use reelhook_testkit::{NOON, SceneStack, World, lived, make_job, policy, run, started};
use serde_json::{Value, json};

use crate::replay::{ATTEMPTS, Answer, Call, Calls, dynamodb, error, kind, ok};

/// The dialects of version 0.2, whose rows had the same form.
const RENDERED_ALIKE: [Dialect; 2] = [Dialect::StreamGank, Dialect::VidBuilder];

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
        subject: job().into(),
        dialect: Dialect::StreamGank,
        version: 7,
        index,
        at: NOON,
        entry: Some(entry(json!({ "z": index, "a": "Série" }))),
        live: None,
        packed: Vec::new(),
    };
    (0..count).map(row).collect()
}

fn entry(details: Value) -> LogEntry {
    LogEntry { event_type: "job_log".to_owned(), level: LogLevel::Warning, message: "A line".to_owned(), details }
}

/// The live events of a version with one of each kind.
fn live_row() -> LiveRow {
    let step = Live::Step {
        number: 1,
        name: "Database Extraction".to_owned(),
        status: "completed".to_owned(),
        key: Some("step_1_database_extraction".to_owned()),
        sequence: 1_704_110_400_001,
        stage: Some("processing".to_owned()),
        details: true,
    };
    let render = Live::Render { status: "planned".to_owned() };
    let events = vec![step, render, Live::RenderCompleted, Live::RenderFailed, Live::Job];
    let snapshot = LiveSnapshot::Job(JobSnapshot {
        status: Status::Completed,
        progress: 100,
        current_step: "Video generation completed!".to_owned(),
        video_url: Some("https://cdn.example/v.mp4".to_owned()),
        error: Some("no".to_owned()),
        render_id: RenderId::parse("render_1").ok(),
        step_details: [(1, json!({ "movies_count": 3 }))].into(),
    });
    LiveRow { after: 3, at: NOON, events, snapshot }
}

/// The events of [`live_row`] in the stored form of version 0.2.
fn rendered_live() -> String {
    concat!(
        r#"{"after":3,"events":["#,
        r#"{"job_id":"job_1","timestamp":"2024-01-01T12:00:00.000Z","status":"completed","progress":100,"#,
        r#""currentStep":"Video generation completed!","step_number":1,"step_name":"Database Extraction","#,
        r#""step_key":"step_1_database_extraction","sequence":1704110400001,"workflow_stage":"processing","#,
        r#""validated":true,"details":{"movies_count":3},"creatomate_id":"render_1","type":"step_update"},"#,
        r#"{"job_id":"job_1","timestamp":"2024-01-01T12:00:00.000Z","status":"planned","progress":100,"#,
        r#""currentStep":"Video generation completed!","type":"render_planned"},"#,
        r#"{"job_id":"job_1","timestamp":"2024-01-01T12:00:00.000Z","status":"completed","progress":100,"#,
        r#""currentStep":"Video generation completed!","videoUrl":"https://cdn.example/v.mp4","#,
        r#""type":"render_completed"},"#,
        r#"{"job_id":"job_1","timestamp":"2024-01-01T12:00:00.000Z","status":"completed","progress":100,"#,
        r#""currentStep":"Video generation completed!","error":"no","type":"render_failed"},"#,
        r#"{"job_id":"job_1","timestamp":"2024-01-01T12:00:00.000Z","status":"completed","progress":100,"#,
        r#""currentStep":"Video generation completed!","error":"no","type":"job_update"}]}"#,
    )
    .to_owned()
}

/// A line in the stored form of version 0.2.
fn rendered_line(details: &Value) -> String {
    let members = concat!(
        r#""timestamp":"2024-01-01T12:00:00.000Z","job_id":"job_1","event_type":"job_log","level":"warning","#,
        r#""type":"warning","message":"A line""#,
    );
    format!(r#"{{{members},"details":{details},"source":"reelhook"}}"#)
}

fn log_line(details: Value) -> LogLine {
    LogLine { subject: job().into(), dialect: Dialect::StreamGank, at: NOON, entry: entry(details) }
}

/// The sort keys of a call's rows.
fn places(call: &Call) -> Vec<String> {
    let rows = call.at("/RequestItems/JobEvents").as_array().unwrap();
    rows.iter().map(|row| row["PutRequest"]["Item"]["seq"]["S"].as_str().unwrap().to_owned()).collect()
}

fn kinds(results: &[Result<(), StoreError>]) -> Vec<&'static str> {
    results.iter().map(|result| result.as_ref().err().map_or("done", kind)).collect()
}

#[tokio::test]
async fn lines_are_written_in_batches_of_25() {
    let (tables, calls) = tables(|_, _| ok());
    let results = tables.put_logs(&lines(60)).await;
    assert_eq!(kinds(&results), ["done"; 60]);
    let sizes: Vec<usize> = calls.all().iter().map(|call| places(call).len()).collect();
    assert_eq!(sizes, [25, 25, 10]);
    let first = calls.all()[0].at("/RequestItems/JobEvents/0/PutRequest/Item").clone();
    let expected = json!({
        "job_id": { "S": "job_1" }, "seq": { "S": "0000000007.00" }, "line": { "S": concat!(
            r#"{"timestamp":"2024-01-01T12:00:00.000Z","event_type":"job_log","level":"warning","message":"A line","#,
            r#""details":{"z":0,"a":"Série"}}"#,
        ) },
        "expires_at": { "N": (NOON.seconds() + 30 * 86_400).to_string() },
        "day_shard": { "S": format!("2024-01-01#{}", reelhook_app::jobs::logs::log_shard(&job().into(), 4)) },
        "place": { "S": "1704110400000.job_1.0000000007.00" },
    });
    assert_eq!(first, expected);
}

#[tokio::test]
async fn the_index_by_day_has_four_partitions_for_each_shard() {
    for (shards, count) in [(EndedShards::default(), 4), (EndedShards::new(4, 1), 16)] {
        let (mut tables, calls) = tables(|_, _| ok());
        tables.log = tables.log.sharded(shards);
        assert_eq!(LogStore::shards(&tables.log), count);
        tables.put_logs(&lines(1)).await.remove(0).unwrap();
        let row = calls.only().at("/RequestItems/JobEvents/0/PutRequest/Item/day_shard/S").clone();
        assert_eq!(row, json!(format!("2024-01-01#{}", reelhook_app::jobs::logs::log_shard(&job().into(), count))));
    }
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
    assert_eq!(sent[1], ["0000000007.01", "0000000007.03"], "only the unprocessed rest");
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
async fn live_events_are_found_after_a_page_of_log_lines() {
    let (client, calls) = dynamodb(|_, before| match before {
        0 => (200, json!({ "Items": [], "LastEvaluatedKey": { "seq": { "S": "0000000007.00" } } })),
        _ => {
            let live = json!({ "S": r#"{"after":3,"events":[{"type":"job_update"}]}"# });
            (200, json!({ "Items": [{ "seq": { "S": "0000000009.01" }, "live": live }] }))
        }
    });
    let log = JobEventTable::new(client, "JobEvents");
    let found = log.live_since(&job().into(), 3, 200).await.unwrap();
    let events = vec![RenderedEvent { data: json!({ "type": "job_update" }), ends: false }];
    assert_eq!(found, [(9, StoredLive::Rendered { after: 3, events })]);
    let all = calls.all();
    assert_eq!(
        all[0].at("/FilterExpression"),
        "attribute_exists(live_events) OR attribute_exists(live) OR attribute_exists(packed_live)"
    );
    assert_eq!(all[0].at("/ProjectionExpression"), "seq, live_events, live, packed_live");
    assert_eq!(all[0].at("/ExpressionAttributeValues/:after/S"), "0000000003.~");
    assert_eq!(all[1].at("/ExclusiveStartKey/seq/S"), "0000000007.00");
}

#[tokio::test]
async fn a_page_of_lines_skips_rows_without_one_and_names_the_last_row() {
    let (client, calls) = dynamodb(|_, _| {
        let row = |seq: &str, line: bool| {
            let place = format!("17.{seq}");
            let mut row = json!({ "job_id": { "S": "job_1" }, "seq": { "S": seq }, "place": { "S": place } });
            if line {
                row["line"] = json!({ "S": rendered_line(&json!({ "n": seq })) });
            }
            row
        };
        let last = json!({ "job_id": { "S": "job_1" }, "seq": { "S": "1.00" }, "place": { "S": "17.1.00" } });
        (200, json!({ "Items": [row("3.00", true), row("2.00", false), row("1.00", true)], "LastEvaluatedKey": last }))
    });
    let log = JobEventTable::new(client, "JobEvents");
    let line = |place: &str, seq: &str| Line { place: place.to_owned(), line: log_line(json!({ "n": seq })) };
    let page = |lines, last: &str| Page { lines, last: Some(last.to_owned()) };
    let newest = log.of_subject(&job().into(), Some("4.00"), 200).await.unwrap();
    assert_eq!(newest, page(vec![line("3.00", "3.00"), line("1.00", "1.00")], "1.00"));
    log.of_subject_since(&job().into(), None, 200).await.unwrap();
    let day = log.of_day("2024-01-01", 3, "16", "17.3.00", 50).await.unwrap();
    assert_eq!(day, page(vec![line("17.1.00", "1.00")], "17.1.00"), "BETWEEN includes both ends, a search does not");
    let all = calls.all();
    assert_eq!((all[0].at("/ScanIndexForward"), all[0].at("/Limit")), (&json!(false), &json!(200)));
    assert_eq!(all[0].at("/ConsistentRead"), &json!(true));
    assert_eq!(all[0].at("/KeyConditionExpression"), "job_id = :job AND seq < :place");
    assert_eq!(all[1].at("/KeyConditionExpression"), "job_id = :job");
    assert_eq!(all[2].at("/IndexName"), "by-day");
    assert_eq!(all[2].at("/ExpressionAttributeValues/:day/S"), "2024-01-01#3");
}

/// A table with one row, with these attributes and its keys.
fn table_of(attributes: Value) -> JobEventTable {
    let (client, _) = dynamodb(move |_, _| {
        let mut row = json!({ "job_id": { "S": "job_1" }, "seq": { "S": "0000000007.00" } });
        for (name, value) in attributes.as_object().unwrap() {
            row[name] = json!({ "S": value });
        }
        (200, json!({ "Items": [row] }))
    });
    JobEventTable::new(client, "JobEvents")
}

/// The attributes of a row as they are written, without its keys and its expiry.
async fn written(row: LogRow) -> Value {
    let (tables, calls) = tables(|_, _| ok());
    assert_eq!(kinds(&tables.put_logs(&[row]).await), ["done"]);
    let item = calls.all()[0].at("/RequestItems/JobEvents/0/PutRequest/Item").clone();
    let attributes =
        item.as_object().unwrap().iter().filter(|(name, _)| ["line", "live_events"].contains(&name.as_str()));
    attributes.map(|(name, value)| (name.clone(), value["S"].clone())).collect()
}

fn row(dialect: Dialect, entry: Option<LogEntry>, live: Option<LiveRow>) -> LogRow {
    LogRow { subject: job().into(), dialect, version: 7, index: 0, at: NOON, entry, live, packed: Vec::new() }
}

#[tokio::test]
async fn both_forms_of_a_line_are_read_and_show_what_version_0_2_stored() {
    for details in [json!(null), json!({ "b": 1, "a": [2.5] })] {
        for dialect in RENDERED_ALIKE {
            let stored = written(row(dialect, Some(entry(details.clone())), None)).await;
            let read = table_of(stored.clone()).of_subject(&job().into(), None, 50).await.unwrap().lines.remove(0).line;
            assert_eq!(read, LogLine { dialect, ..log_line(details.clone()) });
            let shown = views::of(dialect).log_line(&read).to_string();
            assert_eq!(shown, rendered_line(&details), "{dialect:?}");
            assert!(stored["line"].as_str().unwrap().len() < shown.len(), "no row is larger than before");
            let before = table_of(json!({ "line": shown }));
            let read = before.of_subject(&job().into(), None, 50).await.unwrap().lines.remove(0).line;
            assert_eq!(views::of(read.dialect).log_line(&read).to_string(), rendered_line(&details));
        }
    }
}

#[tokio::test]
async fn both_forms_of_live_events_are_read_and_show_what_version_0_2_stored() {
    let stored = written(row(Dialect::StreamGank, None, Some(live_row()))).await;
    let golden = concat!(
        r#"{"after":3,"at":1704110400000,"events":[{"type":"step","number":1,"name":"Database Extraction","#,
        r#""status":"completed","key":"step_1_database_extraction","sequence":1704110400001,"stage":"processing","#,
        r#""details":true},{"type":"render","word":"planned"},{"type":"render_completed"},{"type":"render_failed"},"#,
        r#"{"type":"job"}],"snapshot":{"status":"completed","progress":100,"#,
        r#""current_step":"Video generation completed!","video_url":"https://cdn.example/v.mp4","error":"no","#,
        r#""render_id":"render_1","step_details":{"1":{"movies_count":3}}}}"#,
    );
    assert_eq!(stored, json!({ "live_events": golden }));
    let found = table_of(stored).live_since(&job().into(), 0, 200).await.unwrap();
    assert_eq!(found, [(7, StoredLive::Events(live_row()))]);

    let before: Value = serde_json::from_str(&rendered_live()).unwrap();
    let ends = [false, false, true, true, true];
    let found = table_of(json!({ "live": rendered_live() })).live_since(&job().into(), 0, 200).await.unwrap();
    let rendered = before["events"].as_array().unwrap().iter().zip(ends);
    let events = rendered.map(|(data, ends)| RenderedEvent { data: data.clone(), ends }).collect();
    assert_eq!(found, [(7, StoredLive::Rendered { after: 3, events })]);

    let row = live_row();
    for dialect in RENDERED_ALIKE {
        let show = |event: &Live| views::of(dialect).live_event(&Subject::from(job()), &row, event);
        let shown: Vec<Value> = row.events.iter().map(show).collect();
        assert_eq!(json!({ "after": 3, "events": shown }).to_string(), rendered_live(), "{dialect:?}");
        let ended: Vec<bool> = row.events.iter().map(|event| event.ends(&row.snapshot)).collect();
        assert_eq!(ended, ends);
    }
}

#[tokio::test]
async fn rows_with_live_events_say_when_they_were_written() {
    let (one, other) = (row(Dialect::StreamGank, None, Some(live_row())), whole_run().1);
    for (row, at) in [(one, Some(NOON)), (other, Some(NOON)), (lines(1).remove(0), None)] {
        let item = items(&[row]).await.remove(0);
        let expected = at.map(|at| json!({ "N": at.millis().to_string() }));
        assert_eq!(item.get("written_at"), expected.as_ref());
    }
    let (client, calls) = dynamodb(|_, before| match before {
        // A page of lines alone.
        0 => (200, json!({ "Items": [], "LastEvaluatedKey": { "job_id": { "S": "job_1" }, "seq": { "S": "7" } } })),
        1 => (200, json!({ "Items": [{ "written_at": { "N": "1704110400000" } }, {}] })),
        // One that an older function wrote.
        2 => (200, json!({ "Items": [{}] })),
        _ => (200, json!({ "Items": [] })),
    });
    let table = JobEventTable::new(client, "JobEvents");
    for expected in [Some(NOON), None, None] {
        assert_eq!(table.written_at(&job().into(), 7).await.unwrap(), expected);
    }
    let all = calls.all();
    assert_eq!(all[0].at("/ExpressionAttributeValues/:after/S"), "0000000006.~");
    assert_eq!(
        (all[0].at("/ProjectionExpression"), all[0].at("/ConsistentRead")),
        (&json!("written_at"), &json!(true))
    );
    assert_eq!(all.len(), 4);
}

#[tokio::test]
async fn functions_of_version_0_2_read_a_part_of_a_line_and_no_live_events() {
    let stored = written(row(Dialect::StreamGank, Some(entry(json!({ "a": 1 }))), Some(live_row()))).await;
    assert!(stored.get("live").is_none(), "{stored}");
    let line: Value = serde_json::from_str(stored["line"].as_str().unwrap()).unwrap();
    let before: Value = serde_json::from_str(&rendered_line(&json!({ "a": 1 }))).unwrap();
    for (name, value) in line.as_object().unwrap() {
        assert_eq!(*value, before[name], "{name}");
    }
}

/// A job with the log of a whole run, and the versions of it, by which each line had a row before.
fn whole_run() -> (Vec<Job>, LogRow) {
    let policy = policy();
    let events = [vec![Event::Claim, started(1)], run(1, Some("render_1")), vec![Event::Cancel]].concat();
    let mut versions = vec![make_job(1, NOON, &policy)];
    for (seconds, event) in (1..).zip(&events) {
        let now = NOON.after(std::time::Duration::from_secs(seconds * 7));
        versions.push(lived(versions[versions.len() - 1].clone(), std::slice::from_ref(event), now, &policy));
    }
    let mut rows = planned(&versions[versions.len() - 1]);
    assert_eq!(rows.len(), 1, "it took less than five minutes");
    (versions, rows.remove(0))
}

fn planned(job: &Job) -> Vec<LogRow> {
    plan(job, &Subscriptions::default(), SceneStack::default().links(), std::time::Duration::ZERO).logs
}

async fn items(rows: &[LogRow]) -> Vec<Value> {
    let (tables, calls) = tables(|_, _| ok());
    assert!(tables.put_logs(rows).await.iter().all(Result::is_ok));
    let of = |call: &Call| call.at("/RequestItems/JobEvents").as_array().unwrap().clone();
    calls.all().iter().flat_map(of).map(|row| row["PutRequest"]["Item"].clone()).collect()
}

/// The bytes of an item in DynamoDB's JSON, of which binary data are three quarters.
fn bytes(item: &Value) -> usize {
    item.as_object().unwrap().iter().map(|(name, value)| name.len() + value.to_string().len() - 8).sum()
}

#[tokio::test]
async fn a_packed_row_has_every_line_and_live_event_that_rows_of_their_own_had() {
    let (versions, packed) = whole_run();
    let single: Vec<LogRow> = versions.iter().flat_map(|job| planned(&Job { history: None, ..job.clone() })).collect();
    let (one, many) = (items(&[packed]).await, items(&single).await);
    let found = async |items: Vec<Value>| {
        let (client, _) = dynamodb(move |call, _| {
            // The filter of live events, as DynamoDB applies it.
            let all = call.at("/FilterExpression").is_null();
            let has_live = |item: &&Value| ["live_events", "packed_live"].iter().any(|name| item.get(name).is_some());
            let found: Vec<&Value> = items.iter().filter(|item| all || has_live(item)).collect();
            (200, json!({ "Items": found }))
        });
        let table = JobEventTable::new(client, "JobEvents");
        let mut lines = table.of_subject(&versions[0].id.clone().into(), None, 250).await.unwrap().lines;
        let mut of_day = table.of_day("2024-01-01", 0, "0", "9", 250).await.unwrap().lines;
        let live = table.live_since(&versions[0].id.clone().into(), 4, 250).await.unwrap();
        for lines in [&mut lines, &mut of_day] {
            lines.sort_by(|one, other| one.place.cmp(&other.place));
        }
        (lines, of_day, live)
    };
    let (packed, rows) = (found(one.clone()).await, found(many.clone()).await);
    assert_eq!(packed.0, rows.0);
    assert_eq!(packed.1, rows.1);
    let newer: Vec<_> = rows.2.into_iter().filter(|(version, _)| *version > 4).collect();
    assert_eq!(packed.2, newer);
    let (size, before) = (bytes(&one[0]), many.iter().map(bytes).sum::<usize>());
    println!("{} lines: {size} bytes in one row, {before} in {}", packed.0.len(), many.len());
    assert!(size < before / 3, "{size} of {before} bytes");
    // An older function shows the last line alone, at its own place.
    let line: Value = serde_json::from_str(one[0]["line"]["S"].as_str().unwrap()).unwrap();
    assert_eq!((&line["message"], &one[0]["seq"]), (&json!("Job cancelled"), &many[many.len() - 1]["seq"]));
    assert!(one[0].get("live_events").is_none() && one[0].get("live").is_none());
}

/// The bytes of an item as DynamoDB counts them, rounded up; base64 has four characters for three bytes.
fn stored_bytes(item: &Value) -> usize {
    let of = |value: &Value| match value["B"].as_str() {
        Some(base64) => base64.len() / 4 * 3,
        None => value["S"].as_str().or(value["N"].as_str()).expect("a known type").len(),
    };
    item.as_object().unwrap().iter().map(|(name, value)| name.len() + of(value)).sum()
}

#[tokio::test]
async fn a_run_with_its_log_and_its_packed_row_take_two_write_units_each_at_most() {
    let (versions, packed) = whole_run();
    let (client, calls) = dynamodb(|_, _| ok());
    let counters = CounterTable::new(client.clone(), "Counters");
    let table = JobTable::new(client, "Jobs", counters, Arc::new(World::default()));
    for job in &versions {
        table.insert(job).await.unwrap();
    }
    let sizes: Vec<usize> = calls.all().iter().map(|call| stored_bytes(call.at("/Item"))).collect();
    let row = stored_bytes(&items(&[packed]).await[0]);
    println!("items of {sizes:?} bytes, and a row of {row}");
    assert!(sizes.iter().chain([&row]).all(|size| *size <= 2048), "{sizes:?}, {row}");
}

#[tokio::test]
async fn a_packed_row_that_can_t_be_read_names_what_is_invalid() {
    let line =
        |earlier: &str| rendered_line(&json!({})).replace("\"source\"", &format!("\"earlier\":{earlier},\"source\""));
    for earlier in ["\"!\"", "\"AAAA\""] {
        let read = table_of(json!({ "line": line(earlier) })).of_subject(&job().into(), None, 50).await;
        assert!(read.unwrap_err().to_string().contains("line.earlier"), "{earlier}");
    }
}

#[tokio::test]
async fn a_type_that_only_a_newer_version_knows_is_read_from_a_packed_row() {
    let (versions, mut packed) = whole_run();
    packed.packed[0].lines[0].event = "job_paused".into();
    let stored = items(&[packed]).await;
    let (client, _) = dynamodb(move |_, _| (200, json!({ "Items": stored })));
    let table = JobEventTable::new(client, "JobEvents");
    let found = table.of_subject(&versions[0].id.clone().into(), None, 250).await.unwrap().lines;
    let types: Vec<&str> = found.iter().map(|line| line.line.entry.event_type.as_str()).collect();
    assert_eq!(types.iter().filter(|name| **name == "job_paused").count(), 1, "{types:?}");
    assert!(types.len() > 10, "the other lines of the row are read too: {types:?}");
}
