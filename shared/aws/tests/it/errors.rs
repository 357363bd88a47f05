//! The Errors table: a step with its marker in one transaction, lists by state, and the feed of changes.

use reelhook_app::errors::store::{
    Caused, ErrorCursor, ErrorFeed, ErrorInbox, ErrorRange, ErrorStore, SavedStep, changed, group, rank,
};
use reelhook_app::store::Saved;
use reelhook_aws::errors::table::ErrorTable;
use reelhook_domain::errors::cause::{Cause, Raise, Severity};
use reelhook_domain::errors::error::{ErrorRow, ErrorState};
use reelhook_domain::{EventId, OutboundEvent};
use reelhook_testkit::NOON;
use serde_json::{Value, json};

use crate::replay::{Answer, Call, Calls, cancelled, condition_failed, dynamodb, ok};

fn table(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (ErrorTable, Calls) {
    let (client, calls) = dynamodb(script);
    (ErrorTable::new(client, "Errors"), calls)
}

fn error() -> ErrorRow {
    let context = json!({ "project_id": "proj_1" }).as_object().cloned().unwrap();
    let raise =
        Raise { cause: Cause::VideoFailed, about: "proj_1/a".to_owned(), message: "It failed".to_owned(), context };
    ErrorRow::raised(&raise, NOON, NOON)
}

fn step() -> EventId {
    EventId::parse("proj_1.7.2").unwrap()
}

/// The item of an error as the table writes it.
async fn written(error: &ErrorRow) -> Value {
    let (table, calls) = table(|_, _| ok());
    table.save_step(&step(), None, error, None).await.unwrap();
    calls.only().at("/TransactItems/1/Put/Item").clone()
}

#[tokio::test]
async fn a_step_and_its_marker_are_written_in_one_transaction() {
    let (table, calls) = table(|_, _| ok());
    let (first, raised) = (error(), Some(OutboundEvent::ErrorRaised));
    assert_eq!(table.save_step(&step(), None, &first, raised).await.unwrap(), SavedStep::Done);
    let second = ErrorRow { version: 2, ..first.clone() };
    assert_eq!(table.save_step(&step(), Some(1), &second, None).await.unwrap(), SavedStep::Done);
    let all = calls.all();
    let marker = all[0].at("/TransactItems/0/Put");
    assert_eq!(marker["ConditionExpression"], "attribute_not_exists(#group)");
    assert_eq!(marker["Item"]["group"]["S"], "seen#proj_1.7.2");
    assert_eq!(marker["Item"]["caused"]["S"], "error.raised");
    assert_eq!(marker["Item"].get("feed"), None, "a marker is in no index");
    let row = all[0].at("/TransactItems/1/Put");
    assert_eq!(row["ConditionExpression"], "attribute_not_exists(#group)");
    let item = &row["Item"];
    assert_eq!(item["group"]["S"], group(Cause::VideoFailed, "proj_1/a"));
    assert_eq!((&item["id"]["S"], &item["open"]["S"]), (&json!(first.id), &json!("open")));
    assert_eq!((&item["rank"]["S"], &item["changed"]["S"]), (&json!(rank(&first)), &json!(changed(&first))));
    assert_eq!((&item["feed"]["S"], &item["expires_at"]["N"]), (&json!("errors"), &json!("1706702400")));
    let row = all[1].at("/TransactItems/1/Put");
    assert_eq!(
        (&row["ConditionExpression"], &row["ExpressionAttributeValues"][":was"]["N"]),
        (&json!("#version = :was"), &json!("1"))
    );
    assert_eq!(all[1].at("/TransactItems/0/Put/Item").get("caused"), None);
}

#[tokio::test]
async fn a_step_that_was_saved_before_says_what_it_caused() {
    let (writer, calls) = table(|_, _| ok());
    writer.save_step(&step(), None, &error(), Some(OutboundEvent::ErrorRaised)).await.unwrap();
    let marker = calls.only().at("/TransactItems/0/Put/Item").clone();
    let (table, calls) = table(move |call, _| match call.operation.as_str() {
        "TransactWriteItems" => cancelled(&["ConditionalCheckFailed", "ConditionalCheckFailed"]),
        _ => (200, json!({ "Item": marker })),
    });
    let caused = Caused { event: OutboundEvent::ErrorRaised, error: error() };
    let saved = table.save_step(&step(), None, &error(), None).await.unwrap();
    assert_eq!(saved, SavedStep::Before(Some(Box::new(caused))));
    assert_eq!(calls.operations(), ["TransactWriteItems", "GetItem"]);
    assert_eq!(calls.all()[1].at("/Key/group/S"), "seen#proj_1.7.2");
}

#[tokio::test]
async fn an_error_that_another_writer_changed_is_a_conflict() {
    for reasons in [["None", "ConditionalCheckFailed"], ["None", "TransactionConflict"]] {
        let (table, _) = table(move |_, _| cancelled(&reasons));
        assert_eq!(table.save_step(&step(), Some(1), &error(), None).await.unwrap(), SavedStep::Conflict);
    }
}

#[tokio::test]
async fn an_error_is_read_as_it_was_written() {
    let mut full = error().resolved(NOON, NOON).unwrap();
    full.dismissed_at = Some(NOON);
    for error in [error(), full] {
        let item = written(&error).await;
        let (table, calls) = table(move |_, _| (200, json!({ "Item": item })));
        assert_eq!(table.error("a").await.unwrap(), Some(error));
        assert_eq!(calls.only().at("/ConsistentRead"), &json!(true));
    }
}

#[tokio::test]
async fn an_error_is_found_by_its_id_and_read_consistently() {
    let item = written(&error()).await;
    let (table, calls) = table(move |call, _| match call.operation.as_str() {
        "Query" => (200, json!({ "Items": [{ "group": item["group"] }], "Count": 1 })),
        _ => (200, json!({ "Item": item })),
    });
    assert_eq!(table.by_id(&error().id).await.unwrap(), Some(error()));
    assert_eq!(table.by_id("err_1_other").await.unwrap(), None, "the group has another error by now");
    assert_eq!(calls.all()[0].at("/IndexName"), "by-id");
}

#[tokio::test]
async fn a_range_is_one_query_of_a_state_and_a_severity() {
    let item = written(&error()).await;
    let key = json!({ "open": item["open"], "rank": item["rank"], "group": item["group"] });
    let (table, calls) = table(move |_, _| (200, json!({ "Items": [item], "Count": 1, "LastEvaluatedKey": key })));
    let cursor = ErrorCursor::of(&error());
    let range =
        ErrorRange { state: ErrorState::Open, severity: Some(Severity::Info), after: Some(cursor.clone()), limit: 1 };
    let page = table.range(&range).await.unwrap();
    assert_eq!((page.errors, page.next), (vec![error()], Some(cursor.clone())));
    let call = calls.only();
    assert_eq!((call.at("/IndexName"), call.at("/Limit")), (&json!("by-open"), &json!(1)));
    let values = call.at("/ExpressionAttributeValues");
    assert_eq!((&values[":first"]["S"], &values[":last"]["S"]), (&json!("3"), &json!("4~")));
    assert_eq!(call.at("/ExclusiveStartKey/rank/S"), &json!(cursor.rank));
}

#[tokio::test]
async fn a_dismissal_replaces_the_version_before() {
    let dismissed = error().dismissed(NOON).unwrap();
    let (table, calls) = table(|_, _| ok());
    assert_eq!(table.save(&dismissed).await.unwrap(), Saved::Done);
    let call = calls.only();
    assert_eq!(call.at("/ExpressionAttributeValues/:was/N"), "1");
    assert_eq!(call.at("/Item/open/S"), "dismissed");
    // It is removed after 24 hours.
    assert_eq!(call.at("/Item/expires_at/N"), "1704196800");
    let theirs = written(&ErrorRow { version: 5, ..error() }).await;
    let (faster, _) = self::table(move |_, _| condition_failed(Some(&theirs)));
    let conflict = faster.save(&dismissed).await.unwrap();
    assert_eq!(conflict, Saved::Conflict(Some(Box::new(ErrorRow { version: 5, ..error() }))));
}

#[tokio::test]
async fn the_feed_has_changes_between_two_places() {
    let item = written(&error()).await;
    let (table, calls) = table(move |_, _| (200, json!({ "Items": [item], "Count": 1 })));
    assert_eq!(table.changes("1704110399000.", "1704110401000.", 100).await.unwrap(), [error()]);
    assert!(table.changes(&changed(&error()), "1704110401000.", 100).await.unwrap().is_empty(), "it is seen");
    assert_eq!(calls.all()[0].at("/IndexName"), "by-change");
}
