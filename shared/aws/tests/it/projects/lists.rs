//! The list of projects: pages by cursor and by number, and bounded counting.

use reelhook_app::projects::store::{ProjectList, ProjectPage};
use reelhook_domain::projects::project::{Phase, Project};
use reelhook_domain::{OwnerId, ProjectId};
use serde_json::{Value, json};

use super::items::item_of;
use super::{project, table};
use crate::replay::{Answer, Call};

/// Project number `n`.
fn numbered(n: i64) -> Project {
    let base = project(Vec::new());
    Project { id: ProjectId::parse(&format!("proj_{n}")).unwrap(), phase: Phase::Draft, ..base }
}

/// The key of project number `n` in the index.
fn key(n: i64) -> Value {
    json!({ "id": { "S": format!("proj_{n}") }, "list": { "S": "projects" }, "created_at": { "N": n.to_string() } })
}

/// DynamoDB with so many projects, of which the last is the newest. Only the items of the newest nine are there: nobody
/// reads the others.
async fn newest_of(stored: i64) -> impl Fn(&Call, usize) -> Answer + Send + Sync + 'static {
    let mut items = Vec::new();
    for n in stored - 8..=stored {
        items.push(item_of(&numbered(n)).await);
    }
    move |call, _| {
        if call.operation == "BatchGetItem" {
            let keys = call.at("/RequestItems/Projects/Keys").as_array().unwrap();
            let found: Vec<&Value> =
                items.iter().filter(|item| keys.iter().any(|key| key["id"] == item["id"])).collect();
            return (200, json!({ "Responses": { "Projects": found } }));
        }
        let before = call.at("/ExclusiveStartKey/created_at/N").as_str().map_or(stored + 1, |n| n.parse().unwrap());
        let limit = usize::try_from(call.at("/Limit").as_u64().unwrap()).unwrap();
        let found: Vec<i64> = (1..before).rev().take(limit).collect();
        let last = found.last().filter(|last| **last > 1).map(|last| key(*last));
        let keys: Vec<Value> = found.iter().map(|n| key(*n)).collect();
        (200, json!({ "Items": keys, "Count": found.len(), "LastEvaluatedKey": last }))
    }
}

fn numbers(page: &ProjectPage) -> Vec<&str> {
    page.projects.iter().map(|project| project.id.as_str()).collect()
}

#[tokio::test]
async fn cursors_lead_through_the_list() {
    let (projects, calls) = table(newest_of(9).await);
    let first = projects.page(None, 4).await.unwrap();
    assert_eq!(numbers(&first), ["proj_9", "proj_8", "proj_7", "proj_6"]);
    let second = projects.page(first.next.as_deref(), 4).await.unwrap();
    assert_eq!(numbers(&second), ["proj_5", "proj_4", "proj_3", "proj_2"]);
    let last = projects.page(second.next.as_deref(), 4).await.unwrap();
    assert_eq!((numbers(&last), &last.next), (vec!["proj_1"], &None));
    let query = &calls.all()[0];
    assert_eq!((query.at("/IndexName"), query.at("/ScanIndexForward")), (&json!("by-created"), &json!(false)));
}

#[tokio::test]
async fn a_page_that_ends_with_the_list_is_the_last() {
    let (projects, _) = table(newest_of(9).await);
    assert_eq!(projects.page(None, 9).await.unwrap().next, None);
    assert!(projects.page(None, 8).await.unwrap().next.is_some());
}

#[tokio::test]
async fn a_cursor_of_somebody_else_finds_nothing() {
    for cursor in ["", "x", "1", "1.", "a.proj_1", "1.a b", "1.."] {
        let (projects, calls) = table(newest_of(9).await);
        let page = projects.page(Some(cursor), 4).await.unwrap();
        assert_eq!(page, ProjectPage { projects: Vec::new(), next: None }, "{cursor}");
        assert!(calls.all().is_empty(), "{cursor}");
    }
}

#[tokio::test]
async fn pages_have_numbers() {
    let check = async |number: usize, expected: &[&str]| {
        let (projects, _) = table(newest_of(9).await);
        assert_eq!(numbers(&projects.page_at(number, 4).await.unwrap()), expected, "page {number}");
    };
    check(0, &["proj_9", "proj_8", "proj_7", "proj_6"]).await;
    check(1, &["proj_9", "proj_8", "proj_7", "proj_6"]).await;
    check(2, &["proj_5", "proj_4", "proj_3", "proj_2"]).await;
    check(3, &["proj_1"]).await;
    check(4, &[]).await;
    check(usize::MAX, &[]).await;
}

/// The calls that the first page of the list takes: their kinds, limits, and numbers of items to read.
async fn calls_of_first_page(stored: i64) -> Vec<(String, Value, Option<usize>)> {
    let (projects, calls) = table(newest_of(stored).await);
    for page in [projects.page(None, 4).await, projects.page_at(1, 4).await] {
        assert_eq!(page.unwrap().projects.len(), 4);
    }
    projects.count().await.unwrap();
    let shape = |call: &Call| {
        let keys = call.at("/RequestItems/Projects/Keys").as_array().map(Vec::len);
        (call.operation.clone(), call.at("/Limit").clone(), keys)
    };
    calls.all().iter().map(shape).collect()
}

#[tokio::test]
async fn a_first_page_takes_the_same_calls_however_many_projects_there_are() {
    let calls = calls_of_first_page(9).await;
    let operations: Vec<&str> = calls.iter().map(|(operation, _, _)| operation.as_str()).collect();
    assert_eq!(operations, ["Query", "BatchGetItem", "Query", "BatchGetItem", "Query"]);
    assert_eq!(calls_of_first_page(2000).await, calls);
}

#[tokio::test]
async fn counting_ends_at_a_thousand() {
    for (stored, expected) in [(0, (0, false)), (1000, (1000, false)), (1001, (1000, true))] {
        let (projects, calls) = table(move |_, _| (200, json!({ "Count": stored })));
        assert_eq!(projects.count().await.unwrap(), expected);
        let call = calls.only();
        assert_eq!((call.at("/Select"), call.at("/Limit")), (&json!("COUNT"), &json!(1001)));
    }
}

#[tokio::test]
async fn the_projects_of_an_owner_come_from_their_index() {
    let (projects, calls) = table(newest_of(9).await);
    let ann = OwnerId::parse("ann").unwrap();
    let own = projects.of(Some(&ann));
    let first = own.page(None, 4).await.unwrap();
    own.page(first.next.as_deref(), 4).await.unwrap();
    own.page_at(2, 4).await.unwrap();
    own.count().await.unwrap();
    let queries: Vec<Call> = calls.all().into_iter().filter(|call| call.operation == "Query").collect();
    assert_eq!(queries.len(), 5);
    for query in &queries {
        assert_eq!(query.at("/IndexName"), "by-owner");
        assert_eq!(query.at("/ExpressionAttributeNames"), &json!({ "#list": "owner" }));
        assert_eq!(query.at("/ExpressionAttributeValues"), &json!({ ":projects": { "S": "ann" } }));
    }
    let start = json!({ "owner": { "S": "ann" }, "created_at": { "N": "6" }, "id": { "S": "proj_6" } });
    assert_eq!(queries[1].at("/ExclusiveStartKey"), &start);
}
