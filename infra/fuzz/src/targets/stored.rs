//! What is stored or queued, by this version or another one: items, records of streams and messages. It is read or refused, and
//! what was read is stored without loss.

use std::fmt::Debug;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use aws_lambda_events::event::dynamodb::EventRecord;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reelhook_app::outbox::messages::{DeliveryMessage, LiveMessage, PieceMessage, WorkMessage};
use reelhook_app::retention::Days;
use reelhook_aws::items::Item;
use reelhook_aws::outbox::stream::{self, Record};
use reelhook_aws::webhooks::rows::read_delivery;
use reelhook_aws::{clips, jobs, projects};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::input::Input;
use crate::target::Verdict;
use crate::targets::callbacks::named;
use crate::targets::requests::NOON;

/// Tables whose rows were recorded with earlier versions.
const TABLES: [&str; 4] = ["Jobs", "Clips", "Projects", "Deliveries"];

/// The recorded rows of all versions.
fn recorded() -> &'static [Value] {
    static ROWS: OnceLock<Vec<Value>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/upgrade");
        let mut versions: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|one| one.path()).collect();
        versions.sort();
        let tables =
            versions.iter().flat_map(|version| TABLES.map(|table| version.join(format!("tables/{table}.jsonl"))));
        let texts: Vec<String> = tables.filter_map(|path| fs::read_to_string(path).ok()).collect();
        let rows: Vec<Value> = texts.iter().flat_map(|text| text.lines()).filter_map(parsed).collect();
        assert!(!rows.is_empty(), "rows of earlier versions were recorded");
        rows
    })
}

fn parsed(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

/// Some of the recorded rows, as inputs.
pub fn seeds() -> Vec<Vec<u8>> {
    // The first byte says that the row itself follows.
    let raw = |row: &Value| [&b"\0"[..], row.to_string().as_bytes()].concat();
    recorded().iter().step_by(recorded().len().div_ceil(64)).map(raw).collect()
}

/// Inputs that choose recorded rows.
pub fn choices() -> Vec<Vec<u8>> {
    let rows = recorded().len();
    let choose = |row: usize| vec![0, 0, 1, (row >> 8) as u8, row as u8];
    (0..rows).step_by(rows.div_ceil(256)).map(choose).collect()
}

/// A row: the input itself, or a recorded one with some changes.
fn row(input: &mut Input<'_>) -> Option<Value> {
    if !input.flag() {
        return serde_json::from_slice(input.rest()).ok();
    }
    let mut row = input.pick(recorded()).clone();
    for _ in 0..input.below(4) {
        let attribute = *input.pick(&["body", "outbox", "packed"]);
        match row[attribute]["S"].as_str().and_then(parsed) {
            Some(mut stored) => {
                change(&mut stored, input);
                row[attribute]["S"] = stored.to_string().into();
            }
            None => change(&mut row, input),
        }
    }
    Some(row)
}

/// Changes a value somewhere.
fn change(value: &mut Value, input: &mut Input<'_>) {
    match value {
        Value::Object(members) if !members.is_empty() && !input.rarely(6) => {
            let at = input.below(members.len());
            if input.rarely(6) {
                let name = members.keys().nth(at).cloned().unwrap_or_default();
                members.remove(&name);
            } else if let Some(member) = members.values_mut().nth(at) {
                change(member, input);
            }
        }
        Value::Array(values) if !values.is_empty() && !input.rarely(6) => {
            let at = input.below(values.len());
            match input.below(6) {
                0 => drop(values.remove(at)),
                1 => {
                    let copy = values[at].clone();
                    values.push(copy);
                }
                _ => change(&mut values[at], input),
            }
        }
        value => *value = input.json(2),
    }
}

/// The item of a row: its texts, numbers and bytes.
fn item(row: &Value) -> Item {
    let attribute = |value: &Value| {
        if let Some(text) = value["S"].as_str() {
            return Some(AttributeValue::S(text.to_owned()));
        }
        if let Some(number) = value["N"].as_str() {
            return Some(AttributeValue::N(number.to_owned()));
        }
        let bytes = STANDARD.decode(value["B"].as_str()?).ok()?;
        Some(AttributeValue::B(Blob::new(bytes)))
    };
    let attributes = row.as_object().into_iter().flatten();
    attributes.filter_map(|(name, value)| Some((name.clone(), attribute(value)?))).collect()
}

/// Items of jobs, clip jobs, projects, deliveries and slots.
pub fn of_items(bytes: &[u8]) -> Verdict {
    let Some(row) = row(&mut Input::new(bytes)) else { return Verdict::Refused };
    let item = item(&row);
    let job = jobs::item::from_item("fuzz", &item).ok();
    if let Some(job) = &job {
        let stored = jobs::item::to_item(job, "write", Days::MONTH);
        let mut again = jobs::item::from_item("fuzz", &stored).expect("a stored job is read");
        // What a job uses is an attribute of its own, which is written with its bill.
        again.ledger.usage.clone_from(&job.ledger.usage);
        assert_eq!(again, *job, "a job is stored without loss");
    }
    let clip_job = clips::item::from_item("fuzz", &item).ok();
    if let Some(job) = &clip_job {
        let stored = clips::item::to_item(job, "write", Days::MONTH);
        let again = clips::item::from_item("fuzz", &stored).expect("a stored clip job is read");
        assert_eq!(again, *job, "a clip job is stored without loss");
    }
    let project = projects::item::from_item("fuzz", &item).ok();
    if let Some(project) = &project {
        let stored = projects::item::to_item(project, "write", Days::MONTH);
        let again = projects::item::from_item("fuzz", &stored).expect("a stored project is read");
        assert_eq!(again, *project, "a project is stored without loss");
    }
    let delivery = read_delivery("fuzz", &item).ok();
    let slots = jobs::admission::read_row("fuzz", &item).ok();
    let was_read = job.is_some() || clip_job.is_some() || project.is_some() || delivery.is_some() || slots.is_some();
    Verdict::of(was_read)
}

/// Records of the stream of jobs.
pub fn of_records(bytes: &[u8]) -> Verdict {
    let mut input = Input::new(bytes);
    let name = *input.pick(&["MODIFY", "INSERT", "REMOVE", ""]);
    let old = if input.flag() { Some(input.pick(recorded()).clone()) } else { None };
    let Some(new) = row(&mut input) else { return Verdict::Refused };
    let mut change = json!({
        "ApproximateCreationDateTime": NOON.seconds(), "Keys": { "id": new["id"] }, "SequenceNumber": "1",
        "SizeBytes": 1, "StreamViewType": "NEW_AND_OLD_IMAGES", "NewImage": new,
    });
    if let Some(old) = old {
        change["OldImage"] = old;
    }
    let record = json!({
        "eventID": "1", "eventName": name, "eventVersion": "1.1", "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1", "eventSourceARN": "arn:aws:dynamodb:us-east-1:1:table/Jobs/stream/1",
        "dynamodb": change,
    });
    let Ok(record) = serde_json::from_value::<EventRecord>(record) else { return Verdict::Refused };
    let _ = stream::id(&record);
    match stream::read(&record, NOON, jobs::item::from_item) {
        Record::Version(job) => {
            assert!(!job.outbox.is_empty(), "a version without effects is nothing");
            Verdict::Accepted
        }
        Record::Nothing => Verdict::Refused,
        Record::TooNew(reason) | Record::Poison(reason) => {
            assert!(!reason.is_empty(), "a record is refused with a reason");
            Verdict::Refused
        }
    }
}

/// Messages of every queue.
pub fn of_messages(bytes: &[u8]) -> Verdict {
    const KINDS: &[&str] = &[
        "start.v1",
        "check_render.v1",
        "apply_parked.v1",
        "cancel_worker.v1",
        "start_scenes.v1",
        "tasks.v1",
        "apply_early.v1",
        "cancel_task.v1",
        "clip.v1",
        "cancel_clip.v1",
        "draw.v1",
        "project_piece.v1",
        "clip_piece.v1",
        "deliver.v1",
        "push.v1",
        "catch_up.v1",
        "subscribed.v1",
        "beat.v1",
        "start.v2",
    ];
    const NAMES: &[&str] = &[
        "job_id",
        "project_id",
        "attempt",
        "render",
        "check",
        "url",
        "stage",
        "id",
        "number",
        "delivery_id",
        "event_id",
        "more",
        "subject",
        "version",
        "connection",
        "owner",
        "pushes",
        "after",
        "cursor",
    ];
    let mut input = Input::new(bytes);
    let text = if input.flag() {
        let mut message = named(&mut Input::new(&[]));
        message["kind"] = (*input.pick(KINDS)).into();
        for _ in 0..input.below(6) {
            message[*input.pick(NAMES)] = match input.below(3) {
                0 => i64::from(input.byte()).into(),
                1 => input.text().into(),
                _ => input.json(2),
            };
        }
        message.to_string().into_bytes()
    } else {
        input.rest().to_vec()
    };
    let read = [
        is_kept::<WorkMessage>(&text),
        is_kept::<PieceMessage>(&text),
        is_kept::<DeliveryMessage>(&text),
        is_kept::<LiveMessage>(&text),
    ];
    assert!(read.iter().filter(|read| **read).count() <= 1, "a message is of one queue");
    Verdict::of(read.contains(&true))
}

/// Whether a text is a message; it is written as it is read.
fn is_kept<M: DeserializeOwned + Serialize + PartialEq + Debug>(text: &[u8]) -> bool {
    let Ok(message) = serde_json::from_slice::<M>(text) else { return false };
    let written = serde_json::to_vec(&message).expect("our own types are JSON");
    let again = serde_json::from_slice::<M>(&written).expect("a written message is read");
    assert_eq!(again, message, "a message is written without loss");
    true
}
