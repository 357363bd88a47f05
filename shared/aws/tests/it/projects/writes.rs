//! Conditional writes of projects: those of jobs, which have the same code, test the rest.

use reelhook_app::change::AggregateStore;
use reelhook_app::idempotency::IdempotencyRecord;
use reelhook_app::outbox::sweep::DueIndex;
use reelhook_app::projects::store::NewProjects;
use reelhook_app::store::Saved;
use reelhook_domain::Timestamp;
use reelhook_testkit::NOON;
use serde_json::json;

use super::items::item_of;
use super::{table, waiting};
use crate::replay::{cancelled, condition_failed, ok};

#[tokio::test]
async fn a_version_replaces_the_one_before() {
    let (projects, calls) = table(|_, _| ok());
    assert_eq!(projects.save(&waiting()).await.unwrap(), Saved::Done);
    let call = calls.only();
    assert_eq!((call.operation.as_str(), call.at("/TableName")), ("PutItem", &json!("Projects")));
    assert_eq!(call.at("/ConditionExpression"), "#version = :version");
    assert_eq!(call.at("/ExpressionAttributeValues"), &json!({ ":version": { "N": "1" } }));
}

#[tokio::test]
async fn a_conflict_has_the_other_writer_s_version() {
    let item = item_of(&waiting()).await;
    let (projects, _) = table(move |_, _| condition_failed(Some(&item)));
    assert_eq!(projects.save(&waiting()).await.unwrap(), Saved::Conflict(Some(Box::new(waiting()))));
}

fn record() -> IdempotencyRecord {
    IdempotencyRecord {
        caller: "caller".to_owned(),
        key: "key 1".to_owned(),
        body_hash: "abc".to_owned(),
        answer: "{}".to_owned(),
        expires_at: Timestamp(NOON.millis() + 86_400_000),
    }
}

#[tokio::test]
async fn an_id_that_a_client_chose_and_that_exists_is_a_conflict_also_with_a_key() {
    let (projects, _) = table(|_, _| cancelled(&["None", "ConditionalCheckFailed"]));
    assert_eq!(projects.insert_with_key(&waiting(), &record(), NOON).await.unwrap(), Saved::Conflict(None));
}

#[tokio::test]
async fn a_project_and_its_idempotency_record_are_one_transaction() {
    let record = record();
    let (projects, calls) = table(|_, _| ok());
    assert_eq!(projects.insert_with_key(&waiting(), &record, NOON).await.unwrap(), Saved::Done);
    let call = calls.only();
    assert_eq!(call.operation, "TransactWriteItems");
    let tables = [0, 1].map(|index| call.at(&format!("/TransactItems/{index}/Put/TableName")).clone());
    assert_eq!(tables, ["Counters", "Projects"]);
    assert_eq!(call.at("/TransactItems/1/Put/ConditionExpression"), "attribute_not_exists(id)");
}

#[tokio::test]
async fn due_projects_are_found_by_shard() {
    let answer = json!({ "Items": [{ "id": { "S": "proj_1" } }, { "id": { "S": "not an id" } }] });
    let (projects, calls) = table(move |_, _| (200, answer.clone()));
    assert_eq!(projects.due(3, NOON).await.unwrap(), [waiting().id]);
    let call = calls.only();
    assert_eq!((call.at("/TableName"), call.at("/IndexName")), (&json!("Projects"), &json!("by-due")));
    assert_eq!(
        call.at("/ExpressionAttributeValues"),
        &json!({ ":shard": { "S": "due#3" }, ":now": { "N": "1704110400000" } })
    );
}
