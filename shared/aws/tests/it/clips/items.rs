//! A clip job as an item and back: the attributes of the indexes, and size.

use std::collections::BTreeSet;
use std::time::Duration;

use reelhook_app::change::AggregateStore;
use reelhook_app::outbox::sweep::DueIndex;
use reelhook_app::retention::Days;
use reelhook_aws::clips::item::{from_item, to_item};
use reelhook_domain::clips::clip::Clip;
use reelhook_domain::clips::request::MAX_CLIPS;
use reelhook_domain::projects::media::File;
use reelhook_domain::{ClipJob, ClipStatus, Effect, Origin, Timestamp};
use reelhook_testkit::{NOON, World};
use serde_json::{Value, json};

use super::{at, id, job, owner, table, table_of, url};
use crate::opened::opened;
use crate::replay::{condition_failed, dynamodb, kind, ok};

pub(super) async fn item_of(job: &ClipJob) -> Value {
    let (clips, calls) = table(|_, _| ok());
    clips.save(job).await.unwrap();
    calls.only().at("/Item").clone()
}

/// The job that is read from an item at a time.
async fn read_at(item: &Value, now: Timestamp) -> Option<ClipJob> {
    let answer = json!({ "Item": item });
    let (client, _) = dynamodb(move |_, _| (200, answer.clone()));
    let world = World::default();
    world.set(now);
    table_of(client, world).load(&id(1)).await.unwrap()
}

/// The job that is read from an item.
pub(super) async fn read(item: &Value) -> Option<ClipJob> {
    read_at(item, NOON).await
}

/// The attributes of the indexes.
fn index_attributes(item: &Value) -> BTreeSet<&str> {
    const OWN: [&str; 5] = ["id", "version", "write_id", "created_at", "body"];
    item.as_object().unwrap().keys().map(String::as_str).filter(|name| !OWN.contains(name)).collect()
}

#[tokio::test]
async fn each_job_has_the_index_attributes_that_it_needs() {
    let check = async |job: ClipJob, expected: &[&str]| {
        let item = item_of(&job).await;
        assert_eq!(index_attributes(&item), expected.iter().copied().collect(), "{:?}", job.status);
        let status = job.deleted_at.is_none().then(|| json!({ "S": job.status.name() }));
        assert_eq!(item.get("status"), status.as_ref(), "lists filter by it");
        item
    };
    let item = check(job(1), &["list", "status"]).await;
    assert_eq!((&item["list"], &item["created_at"]), (&json!({ "S": "clips" }), &json!({ "N": "1704110400000" })));

    let owned = ClipJob { origin: Origin { owner: Some(owner("u-1")), ..Origin::default() }, ..job(1) };
    let item = check(owned.clone(), &["list", "status", "owner"]).await;
    assert_eq!(item["owner"], json!({ "S": "u-1" }));

    let item = check(ClipJob { due_at: Some(at(7)), ..job(1) }, &["list", "status", "due_shard", "due_at"]).await;
    let shard = reelhook_app::outbox::sweep::shard(id(1).as_str());
    assert_eq!(
        (&item["due_shard"], &item["due_at"]),
        (&json!({ "S": format!("due#{shard}") }), &json!({ "N": "1704110400000" })),
        "the minute in which it is due"
    );

    for status in [ClipStatus::Succeeded, ClipStatus::Failed, ClipStatus::Canceled] {
        let item = check(ClipJob { status, ..job(1) }, &["list", "status", "expires_at"]).await;
        assert_eq!(item["expires_at"], json!({ "N": (NOON.seconds() + 30 * 24 * 3600).to_string() }));
    }
    let deleted = ClipJob { deleted_at: Some(NOON), due_at: Some(NOON), outbox: vec![Effect::Purge], ..owned };
    let item = check(deleted.clone(), &["expires_at", "outbox"]).await;
    assert_eq!(
        item["expires_at"],
        json!({ "N": (NOON.seconds() + 3 * 24 * 3600).to_string() }),
        "kept for longer than the stream"
    );
    assert_eq!(read(&item).await, Some(deleted), "late reports find it");
}

#[tokio::test]
async fn an_expired_job_is_not_read() {
    let item = item_of(&ClipJob { status: ClipStatus::Canceled, ..job(1) }).await;
    let end = NOON.after(Duration::from_secs(30 * 24 * 3600));
    assert!(read_at(&item, Timestamp(end.millis() - 1)).await.is_some());
    assert_eq!(read_at(&item, end).await, None, "TTL removes late");
}

#[tokio::test]
async fn an_unreadable_item_s_error_names_the_attribute() {
    let old = opened(&item_of(&job(1)).await);
    let breaks = [
        ("body", json!({ "B": "AAAA" }), "`body`: it names the unknown dictionary 0"),
        ("body", json!({ "S": "{" }), "`body`"),
        ("packed", json!({ "S": "text" }), "`packed`: it is not binary"),
        ("outbox", json!({ "S": r#"[{"kind": "start.v9"}]"# }), "`outbox`"),
    ];
    for (name, value, expected) in breaks {
        let mut item = old.clone();
        item[name] = value;
        let answer = json!({ "Item": item });
        let (clips, _) = table(move |_, _| (200, answer.clone()));
        let failure = clips.load(&id(1)).await.unwrap_err();
        assert_eq!(kind(&failure), "unreadable");
        assert!(failure.to_string().contains(expected), "{failure}");
    }
}

/// Hexadecimal digits without order, as the signature in a link has.
fn digits(count: usize, seed: &mut u64) -> String {
    let mut text = String::with_capacity(count + 8);
    while text.len() < count {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("{:08x}", *seed >> 32));
    }
    text.truncate(count);
    text
}

#[test]
fn a_job_with_as_many_clips_as_possible_fits_into_an_item() {
    let mut seed = 1;
    let clips = (0..MAX_CLIPS).map(|index| {
        let mut clip = Clip::new(index, 0);
        clip.file = Some(File::outside(url(&format!("https://worker.example/{}", digits(1900, &mut seed)))));
        clip.score_basis.insert("why".to_owned(), json!(digits(2000, &mut seed)));
        clip.summary = Some(digits(2048, &mut seed));
        clip.tags = (0..20).map(|_| digits(64, &mut seed)).collect();
        clip
    });
    let large = ClipJob { clips: clips.collect(), ..job(1) };
    let item = to_item(&large, "write", Days::MONTH);
    let bytes = item["body"].as_b().unwrap().clone().into_inner().len();
    assert!(bytes < 300 * 1024, "{bytes} bytes");
    assert_eq!(from_item("read", &item).unwrap(), large);
}

#[tokio::test]
async fn a_version_replaces_the_one_before_and_due_jobs_are_found_by_shard() {
    let theirs = ClipJob { version: 5, ..job(1) };
    let item = item_of(&theirs).await;
    let (clips, calls) = table(move |_, _| condition_failed(Some(&item)));
    let next = ClipJob { version: 2, ..job(1) };
    let saved = clips.save(&next).await.unwrap();
    assert_eq!(saved, reelhook_app::store::Saved::Conflict(Some(Box::new(theirs))));
    let call = calls.only();
    assert_eq!(call.at("/ConditionExpression"), "#version = :version");
    assert_eq!(call.at("/ExpressionAttributeValues"), &json!({ ":version": { "N": "1" } }));

    let answer = json!({ "Items": [{ "id": { "S": id(1).as_str() } }, { "id": { "S": "not an id" } }] });
    let (clips, calls) = table(move |_, _| (200, answer.clone()));
    assert_eq!(clips.due(3, NOON).await.unwrap(), [id(1)]);
    let call = calls.only();
    assert_eq!((call.at("/TableName"), call.at("/IndexName")), (&json!("Clips"), &json!("by-due")));
}

#[tokio::test]
async fn the_first_call_reads_what_does_not_exist() {
    let (clips, calls) = table(|_, _| ok());
    clips.first_call().await.unwrap();
    let call = calls.only();
    assert_eq!((call.operation.as_str(), call.at("/Key/id/S")), ("GetItem", &json!("warm-up")));
}
