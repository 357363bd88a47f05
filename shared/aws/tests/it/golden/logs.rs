//! Log lines and live events. This version stores both in another form (as values, not as a dialect renders them), so they
//! are not written as they were stored: they are shown as they were stored.

use std::collections::BTreeSet;

use reelhook_app::jobs::logs::LogStore;
use reelhook_app::outbox::fanout::FanoutStore;
use reelhook_app::outbox::rows::{LogLine, LogRow, StoredLive};
use reelhook_app::views;
use reelhook_app::watch::LiveStore;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::events::{FanoutTables, JobEventTable};
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_domain::Subject;
use reelhook_testkit::NOON;
use serde_json::{Value, json};

use super::{VERSIONS, assert_unchanged, content, holding, rows, rows_of, string, written};

/// More rows than any recorded log has.
const ALL: usize = 10_000;
/// The members of a line that this version stores.
const STORED: [&str; 5] = ["timestamp", "event_type", "level", "message", "details"];

/// The subjects with a recorded log.
fn subjects(version: &str) -> BTreeSet<Subject> {
    rows(version, "JobEvents").iter().map(|row| Subject::parse(string(row, "job_id")).unwrap()).collect()
}

/// The recorded row of a subject with this sort key.
fn row_of<'a>(stored: &'a [Value], subject: &Subject, seq: &str) -> &'a Value {
    let found = stored.iter().find(|row| string(row, "job_id") == subject.as_str() && string(row, "seq") == seq);
    found.expect("a recorded row")
}

/// The row whose line was read, without its live events.
fn log_row(line: LogLine, seq: &str) -> LogRow {
    let (version, index) = seq.split_once('.').expect("a version and an index");
    LogRow {
        subject: line.subject,
        dialect: line.dialect,
        version: version.parse().unwrap(),
        index: index.parse().unwrap(),
        at: line.at,
        entry: Some(line.entry),
        live: None,
        packed: Vec::new(),
    }
}

/// A recorded row as this version writes it: its line has fewer members, and its live events are left out.
fn present_form(row: &Value) -> Value {
    let mut row = row.clone();
    let mut line = content(&row, "line");
    let members = line.as_object_mut().unwrap();
    // Empty values are not stored any more.
    members.retain(|name, value| STORED.contains(&name.as_str()) && !value.is_null());
    row["line"] = json!({ "S": line.to_string() });
    row.as_object_mut().unwrap().shift_remove("live");
    row
}

#[tokio::test]
async fn recorded_lines_are_shown_as_they_were_stored_and_written_in_the_present_form() {
    for version in VERSIONS {
        let stored = rows_of(version, "JobEvents", "log line");
        let (client, calls) = holding(rows(version, "JobEvents"));
        let tables = FanoutTables {
            log: JobEventTable::new(client.clone(), "JobEvents"),
            deliveries: DeliveryTable::new(client.clone(), "Deliveries"),
            counters: CounterTable::new(client, "Counters"),
            now: || NOON,
        };
        for subject in subjects(version) {
            for read in tables.log.of_subject(&subject, None, ALL).await.unwrap().lines {
                let row = row_of(&stored, &subject, &read.place);
                let shown = views::of(read.line.dialect).log_line(&read.line).to_string();
                assert_eq!(shown, string(row, "line"), "version {version}");
                for result in tables.put_logs(&[log_row(read.line, &read.place)]).await {
                    result.unwrap();
                }
            }
        }
        let present: Vec<Value> = stored.iter().map(present_form).collect();
        assert_unchanged(&written(&calls), &present);
    }
}

#[tokio::test]
async fn recorded_live_events_are_shown_as_they_were_stored() {
    for version in VERSIONS {
        let stored: Vec<Value> =
            rows(version, "JobEvents").into_iter().filter(|row| row.get("live").is_some()).collect();
        let (client, _) = holding(stored.clone());
        let table = JobEventTable::new(client, "JobEvents");
        let mut shown = Vec::new();
        for subject in subjects(version) {
            for (_, live) in table.live_since(&subject, 0, 1000).await.unwrap() {
                let StoredLive::Rendered { after, events } = live else { panic!("not in the recorded form: {live:?}") };
                let events: Vec<Value> = events.into_iter().map(|event| event.data).collect();
                shown.push(json!({ "after": after, "events": events }).to_string());
            }
        }
        let mut expected: Vec<String> = stored.iter().map(|row| content(row, "live").to_string()).collect();
        shown.sort();
        expected.sort();
        assert_eq!(shown, expected, "version {version}");
    }
}
