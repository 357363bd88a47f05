//! A project as an item and back: compression, and the attributes of the indexes.

use std::collections::BTreeSet;
use std::time::Duration;

use reelhook_app::change::AggregateStore;
use reelhook_app::projects::store::NewProjects;
use reelhook_domain::projects::project::{Phase, Project};
use reelhook_domain::projects::scene::{Scene, SceneState};
use reelhook_domain::projects::task::TaskState;
use reelhook_domain::{Effect, Origin, OwnerId, Timestamp};
use reelhook_testkit::{NOON, World};
use serde_json::{Value, json};

use super::{at, project, scene, table, table_of, task, waiting};
use crate::opened::opened;
use crate::replay::{dynamodb, kind, ok};

pub(super) async fn item_of(project: &Project) -> Value {
    let (projects, calls) = table(|_, _| ok());
    projects.insert(project).await.unwrap();
    calls.only().at("/Item").clone()
}

/// The project that is read from an item at a time.
async fn read_at(item: &Value, now: Timestamp) -> Option<Project> {
    let answer = json!({ "Item": item });
    let (client, _) = dynamodb(move |_, _| (200, answer.clone()));
    let world = World::default();
    world.set(now);
    table_of(client, world).load(&project(Vec::new()).id).await.unwrap()
}

/// The project that is read from an item.
pub(super) async fn read(item: &Value) -> Option<Project> {
    read_at(item, NOON).await
}

/// The bytes of an item as DynamoDB counts them, rounded up: texts, numbers and binary values with their names.
pub(super) fn size(item: &Value) -> usize {
    let attribute = |(name, value): (&String, &Value)| match (&value["B"], &value["S"], &value["N"]) {
        // Base64 has four characters for three bytes.
        (Value::String(base64), _, _) => name.len() + base64.len() / 4 * 3,
        (_, Value::String(text), _) | (_, _, Value::String(text)) => name.len() + text.len(),
        _ => panic!("{name} has an unexpected type"),
    };
    item.as_object().unwrap().iter().map(attribute).sum()
}

/// The attributes of the indexes.
fn index_attributes(item: &Value) -> BTreeSet<&str> {
    const OWN: [&str; 5] = ["id", "version", "write_id", "created_at", "body"];
    item.as_object().unwrap().keys().map(String::as_str).filter(|name| !OWN.contains(name)).collect()
}

#[tokio::test]
async fn each_project_has_the_index_attributes_that_it_needs() {
    let check = async |project: Project, expected: &[&str]| {
        let item = item_of(&project).await;
        assert_eq!(index_attributes(&item), expected.iter().copied().collect(), "{:?}", project.phase);
        item
    };
    let idle = project(Vec::new());
    let item = check(Project { phase: Phase::Draft, ..idle.clone() }, &["list"]).await;
    assert_eq!((&item["list"], &item["created_at"]), (&json!({ "S": "projects" }), &json!({ "N": "1704110400000" })));

    let owned = Origin { owner: OwnerId::parse("ann"), ..Origin::default() };
    let owned = Project { phase: Phase::Draft, origin: owned, ..idle.clone() };
    let item = check(owned.clone(), &["list", "owner"]).await;
    assert_eq!(item["owner"], json!({ "S": "ann" }));
    assert_eq!(read(&item).await.map(|project| project.origin), Some(owned.origin));

    let item = check(waiting(), &["list", "waiting", "served_at"]).await;
    assert_eq!((&item["waiting"], &item["served_at"]), (&json!({ "S": "waiting" }), &json!({ "S": "01704110400000" })));

    let own = SceneState::Generating(task(TaskState::Own));
    let item =
        check(Project { due_at: Some(at(7)), ..project(vec![scene("a", 1, own)]) }, &["list", "due_shard", "due_at"])
            .await;
    let shard = reelhook_app::outbox::sweep::shard("proj_1");
    assert_eq!(
        (&item["due_shard"], &item["due_at"]),
        (&json!({ "S": format!("due#{shard}") }), &json!({ "N": "1704110400000" })),
        "the minute in which it is due"
    );

    for phase in [Phase::Completed, Phase::Failed("why".to_owned()), Phase::Cancelled] {
        let item = check(Project { phase, ..idle.clone() }, &["list", "expires_at"]).await;
        assert_eq!(item["expires_at"], json!({ "N": (NOON.seconds() + 30 * 24 * 3600).to_string() }));
    }
    let deleted = Project { deleted_at: Some(NOON), due_at: Some(NOON), outbox: vec![Effect::Purge], ..waiting() };
    check(Project { due_at: None, ..deleted.clone() }, &["expires_at", "outbox"]).await;
    let item = check(deleted.clone(), &["due_shard", "due_at", "expires_at", "outbox"]).await;
    assert_eq!(
        (&item["due_shard"], &item["due_at"]),
        (&json!({ "S": format!("due#{shard}") }), &json!({ "N": NOON.millis().to_string() })),
        "the sweep finds what is left to cancel"
    );
    assert_eq!(
        item["expires_at"],
        json!({ "N": (NOON.seconds() + 60 * 24 * 3600).to_string() }),
        "kept for as long as look-ups, so that its id makes no other project meanwhile"
    );
    assert_eq!(read(&item).await, Some(deleted), "late callbacks find it");
}

#[tokio::test]
async fn an_expired_project_is_not_read() {
    let item = item_of(&Project { phase: Phase::Cancelled, ..project(Vec::new()) }).await;
    let end = NOON.after(Duration::from_secs(30 * 24 * 3600));
    assert!(read_at(&item, Timestamp(end.millis() - 1)).await.is_some());
    assert_eq!(read_at(&item, end).await, None, "TTL removes late");
}

#[tokio::test]
async fn a_large_project_is_compressed() {
    let scenes: Vec<Scene> = (0..100).map(|n| scene(&n.to_string(), n, SceneState::Ready)).collect();
    let large = project(scenes);
    let item = item_of(&large).await;
    assert!(size(&item) < 2048, "{} bytes", size(&item));
    assert_eq!(read(&item).await, Some(large));
}

#[tokio::test]
async fn an_unreadable_item_s_error_names_the_attribute() {
    let old = opened(&item_of(&waiting()).await);
    let breaks = [
        ("body", json!({ "B": "AAAA" }), "`body`: it names the unknown dictionary 0"),
        ("body", json!({ "S": "{" }), "`body`"),
        ("packed", json!({ "S": "text" }), "`packed`: it is not binary"),
        ("packed", json!({ "B": "AAAA" }), "`packed`"),
        ("outbox", json!({ "S": r#"[{"kind": "start.v9"}]"# }), "`outbox`"),
    ];
    for (name, value, expected) in breaks {
        let mut item = old.clone();
        item[name] = value;
        let answer = json!({ "Item": item });
        let (projects, _) = table(move |_, _| (200, answer.clone()));
        let failure = projects.load(&waiting().id).await.unwrap_err();
        assert_eq!(kind(&failure), "unreadable");
        assert!(failure.to_string().contains(expected), "{failure}");
    }
}
