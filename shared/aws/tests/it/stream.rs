//! Records of the Jobs stream: records with work, records without, and records of a newer version.

use aws_lambda_events::event::dynamodb::EventRecord;
use reelhook_app::retention::Days;
use reelhook_aws::jobs::item::{from_item, to_item};
use reelhook_aws::outbox::stream::{self, Record};
use reelhook_domain::{Effect, Event, Job, Timestamp};
use reelhook_testkit::{NOON, lived, make_job, policy, started};
use serde_json::{Value, json};

use crate::opened::{closed, opened};

/// The time at which the records of these tests were written.
const WRITTEN: Timestamp = NOON;
const MINUTE_MS: i64 = 60_000;

fn read(record: &EventRecord, now: Timestamp) -> Record {
    stream::read(record, now, from_item)
}

fn image(job: &Job) -> Value {
    let item = to_item(job, "write", Days::MONTH);
    let attribute = |value: &aws_sdk_dynamodb::types::AttributeValue| match value {
        aws_sdk_dynamodb::types::AttributeValue::S(text) => json!({ "S": text }),
        aws_sdk_dynamodb::types::AttributeValue::N(number) => json!({ "N": number }),
        aws_sdk_dynamodb::types::AttributeValue::B(bytes) => json!({ "B": aws_smithy_types::base64::encode(bytes) }),
        other => panic!("{other:?}"),
    };
    item.iter().map(|(name, value)| (name.clone(), attribute(value))).collect()
}

/// A record of a change between these images.
pub(crate) fn record(name: &str, old: Option<&Value>, new: Option<&Value>) -> EventRecord {
    let id = new.or(old).map(|image| image["id"].clone());
    let mut change = json!({
        "ApproximateCreationDateTime": WRITTEN.seconds(),
        "Keys": { "id": id },
        "SequenceNumber": "111",
        "SizeBytes": 26,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    });
    for (side, image) in [("OldImage", old), ("NewImage", new)] {
        if let Some(image) = image {
            change[side] = image.clone();
        }
    }
    let record = json!({
        "eventID": "1", "eventName": name, "eventVersion": "1.1", "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1", "eventSourceARN": "arn:aws:dynamodb:eu-central-1:1:table/Jobs/stream/1",
        "dynamodb": change,
    });
    serde_json::from_value(record).unwrap()
}

fn waiting() -> Job {
    make_job(1, NOON, &policy())
}

fn cancelled() -> Job {
    lived(waiting(), &[Event::Cancel], NOON, &policy())
}

/// An image with another text in one attribute.
fn with(mut image: Value, name: &str, value: Option<&str>) -> Value {
    match value {
        Some(text) => image[name] = json!({ "S": text }),
        None => drop(image.as_object_mut().unwrap().remove(name)),
    }
    image
}

/// An image of texts with a number of their schema: 2 if there is a history, which versions before 0.3 drop.
fn of_schema(mut image: Value, schema: u8) -> Value {
    image["schema"] = json!({ "N": schema.to_string() });
    image
}

#[test]
fn a_new_job_and_a_new_version_are_acted_on_with_their_outbox() {
    let inserted = read(&record("INSERT", None, Some(&image(&waiting()))), WRITTEN);
    assert_eq!(inserted, Record::Version(Box::new(waiting())));
    let modified = read(&record("MODIFY", Some(&image(&waiting())), Some(&image(&cancelled()))), WRITTEN);
    assert_eq!(modified, Record::Version(Box::new(cancelled())));
    let before = read(&record("INSERT", None, Some(&opened(&image(&waiting())))), WRITTEN);
    assert_eq!(before, Record::Version(Box::new(waiting())), "as versions before 0.3 stored it");
}

#[test]
fn a_removal_has_no_effects() {
    assert_eq!(read(&record("REMOVE", Some(&image(&cancelled())), None), WRITTEN), Record::Nothing);
}

#[test]
fn a_write_without_a_new_version_has_no_effects() {
    let (old, new) = (image(&waiting()), image(&cancelled()));
    assert_eq!(read(&record("MODIFY", Some(&new), Some(&new)), WRITTEN), Record::Nothing, "the same version");
    assert_eq!(read(&record("MODIFY", Some(&new), Some(&old)), WRITTEN), Record::Nothing, "an older version");
}

#[test]
fn a_version_without_an_outbox_has_no_effects() {
    let quiet = with(image(&cancelled()), "outbox", None);
    assert_eq!(read(&record("MODIFY", Some(&image(&waiting())), Some(&quiet)), WRITTEN), Record::Nothing);
    let mut job = waiting();
    job.outbox.clear();
    assert_eq!(read(&record("INSERT", None, Some(&image(&job))), WRITTEN), Record::Nothing);
}

#[test]
fn a_history_that_an_older_function_left_out_is_packed_from_the_old_image() {
    let before = lived(waiting(), &[Event::Claim], NOON, &policy());
    let by_older = |outbox: &[Effect]| {
        let next = lived(before.clone(), &[started(1)], NOON, &policy());
        Job { history: None, outbox: outbox.to_vec(), ..next }
    };
    for outbox in [Vec::new(), vec![Effect::Start { delay_s: 1 }]] {
        let version = by_older(&outbox);
        let old = of_schema(opened(&image(&before)), 2);
        let new = of_schema(opened(&image(&version)), 1);
        let found = read(&record("MODIFY", Some(&old), Some(&new)), WRITTEN);
        let Record::Version(found) = found else { panic!("{found:?}") };
        assert_eq!(found.outbox, [&outbox[..], &[Effect::PackHistory]].concat());
        assert_eq!(found.kept(), before.kept());
        let older = Job { history: None, ..before.clone() };
        let old = of_schema(opened(&image(&older)), 1);
        let found = read(&record("MODIFY", Some(&old), Some(&new)), WRITTEN);
        let expected = if outbox.is_empty() { Record::Nothing } else { Record::Version(Box::new(version)) };
        assert_eq!(found, expected, "its lines are rows already");
    }
}

#[test]
fn an_effect_of_an_unknown_kind_waits_a_quarter_of_an_hour_for_a_newer_version_and_is_then_put_aside() {
    let outbox = r#"[{"kind":"start.v1","delay_s":0},{"kind":"teleport.v2","to":"Mars"}]"#;
    let old = with(opened(&image(&waiting())), "outbox", Some(outbox));
    let reason = "the outbox holds an effect of the unknown kind `teleport.v2`".to_owned();
    for image in [closed(&old), old] {
        let record = record("INSERT", None, Some(&image));
        for age in [0, MINUTE_MS, 15 * MINUTE_MS - 1] {
            assert_eq!(read(&record, Timestamp(WRITTEN.0 + age)), Record::TooNew(reason.clone()), "{age}");
        }
        for age in [15 * MINUTE_MS, 60 * MINUTE_MS] {
            assert_eq!(read(&record, Timestamp(WRITTEN.0 + age)), Record::Poison(reason.clone()), "{age}");
        }
    }
}

#[test]
fn a_body_with_the_dictionary_of_a_newer_version_waits_as_long() {
    let mut newer = image(&waiting());
    newer["body"] = json!({ "B": aws_smithy_types::base64::encode([99, 3, 0]) });
    let record = record("INSERT", None, Some(&newer));
    let reason = "the body names the unknown dictionary 99".to_owned();
    assert_eq!(read(&record, Timestamp(WRITTEN.0 + 15 * MINUTE_MS - 1)), Record::TooNew(reason.clone()));
    assert_eq!(read(&record, Timestamp(WRITTEN.0 + 15 * MINUTE_MS)), Record::Poison(reason));
}

#[test]
fn an_unreadable_record_is_set_aside_immediately_with_its_reason() {
    let check = |name: &str, value: Option<&str>, expected: &str| {
        let image = with(opened(&image(&waiting())), name, value);
        match read(&record("INSERT", None, Some(&image)), WRITTEN) {
            Record::Poison(reason) => assert!(reason.contains(expected), "{name}: {reason}"),
            other => panic!("{name} {value:?}: {other:?}"),
        }
    };
    check("version", None, "no version");
    check("version", Some("not a number"), "no version");
    check("outbox", Some("{"), "outbox can't be read");
    check("outbox", Some(r#"{"kind":"start.v1"}"#), "outbox can't be read");
    check("outbox", Some(r#"[{"kind":"start.v1"}]"#), "`outbox`");
    check("outbox", Some(r#"[{"delay_s":1}]"#), "`outbox`");
    check("body", None, "`body` is missing");
    check("body", Some("{"), "`body`");
    check("body", Some(r#"{"id":"not an id!"}"#), "`body`");
}

#[test]
fn every_kind_of_effect_is_known() {
    let mut job = waiting();
    job.outbox = serde_json::from_value(json!([
        { "kind": "start.v1", "delay_s": 1 },
        { "kind": "free_slot.v1", "slot": "s" },
        { "kind": "notify.v1", "event": "job.completed" },
        { "kind": "log.v1", "event_type": "job_log", "level": "info", "message": "m" },
        { "kind": "count.v1", "status": "failed", "day": "2024-01-01", "entered": true },
        { "kind": "check_render.v1", "render": "r", "check": 1, "delay_s": 2 },
        { "kind": "apply_parked.v1", "render": "r" },
        { "kind": "cancel_worker.v1", "attempt": 1, "url": "https://x.example" },
        { "kind": "live.v1", "events": [{ "type": "job" }], "after": 3 },
        { "kind": "purge.v1" },
        { "kind": "draw.v1", "hints": 2, "delay_s": 0 },
        { "kind": "remove_files.v1", "keys": ["videos/a.mp4"] },
    ]))
    .unwrap();
    assert_eq!(read(&record("INSERT", None, Some(&image(&job))), WRITTEN), Record::Version(Box::new(job)));
}

#[test]
fn a_version_whose_outbox_needs_no_fanout_has_no_effects() {
    // The filter drops such a record; one that comes all the same does no harm.
    let mut image = image(&cancelled());
    image.as_object_mut().unwrap().remove("outbox").unwrap();
    assert_eq!(read(&record("MODIFY", Some(&self::image(&waiting())), Some(&image)), WRITTEN), Record::Nothing);
}
