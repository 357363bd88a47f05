//! Registered endpoints: two rows that change together, a list without secrets, and conflicts with senders.

use reelhook_app::store::Saved;
use reelhook_app::webhooks::endpoints::registrations::{
    Choices, EndpointReader, Registration, RegistrationStore, StateChange,
};
use reelhook_app::webhooks::subscriptions::Subscribers;
use reelhook_aws::webhooks::endpoints::EndpointTable;
use reelhook_aws::webhooks::registrations::RegistrationTable;
use reelhook_domain::{EndpointId, EventFilter, EventPattern, OutboundEvent};
use reelhook_testkit::NOON;
use serde_json::{Value, json};

use crate::replay::{Answer, Call, Calls, cancelled, dynamodb, error, kind, ok};

fn table(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (RegistrationTable, Calls) {
    let (client, calls) = dynamodb(script);
    (RegistrationTable::new(EndpointTable::new(client, "Endpoints")), calls)
}

fn registration(version: u64) -> Registration {
    let events = EventFilter::new(EventPattern::parse("job.*"));
    Registration {
        id: EndpointId::parse("ep_1").unwrap(),
        version,
        created_at: NOON,
        updated_at: NOON,
        choices: Choices { events, ..Choices::default() },
        public_keys: Vec::new(),
        request: None,
        sealed: "a1.sealed".to_owned(),
    }
}

fn stored(version: u64) -> Value {
    json!({ "id": { "S": "registration#ep_1" }, "body": { "S": serde_json::to_string(&registration(version)).unwrap() } })
}

#[tokio::test]
async fn a_registration_and_its_delivery_state_change_in_one_transaction() {
    let (table, calls) = table(|_, _| ok());
    assert_eq!(table.save_registration(&registration(1), StateChange::Keep).await.unwrap(), Saved::Done);
    assert_eq!(table.save_registration(&registration(2), StateChange::Keep).await.unwrap(), Saved::Done);
    assert_eq!(table.save_registration(&registration(1), StateChange::Disable("not yet")).await.unwrap(), Saved::Done);
    assert!(table.remove_registration(&registration(2), NOON).await.unwrap());
    assert_eq!(calls.operations(), ["TransactWriteItems"; 4]);
    let all = calls.all();
    let put = |call: &Call| call.at("/TransactItems/0/Put").clone();
    assert_eq!(put(&all[0])["ConditionExpression"], "attribute_not_exists(id)");
    assert_eq!(put(&all[1])["ConditionExpression"], "#version = :was");
    assert_eq!(put(&all[1])["ExpressionAttributeValues"][":was"]["N"], "1");
    let item = &put(&all[0])["Item"];
    assert_eq!((&item["id"]["S"], &item["registry"]["S"]), (&json!("registration#ep_1"), &json!("endpoints")));
    let state = all[1].at("/TransactItems/1/Update");
    assert_eq!(
        (&state["Key"]["id"]["S"], &state["ExpressionAttributeValues"][":version"]["N"]),
        (&json!("ep_1"), &json!("2"))
    );
    assert_eq!(
        state["UpdateExpression"], "SET registration = :version ADD revision :one",
        "an admission under the old version is repeated"
    );
    let disabled = all[2].at("/TransactItems/1/Update");
    assert!(disabled["UpdateExpression"].as_str().unwrap().contains("disabled_at = :at"));
    assert_eq!(all[3].at("/TransactItems/0/Delete/ConditionExpression"), "#version = :was");
    let removed = all[3].at("/TransactItems/1/Update/UpdateExpression");
    assert_eq!(removed, "SET removed_at = :now, expires_at = :expires ADD revision :one");
    assert_eq!(all[0].at("/TransactItems/1/Update/ConditionExpression"), "attribute_not_exists(registration)");
}

#[tokio::test]
async fn another_destination_has_not_failed_and_stays_disabled_if_it_was() {
    let (table, calls) = table(|_, _| ok());
    table.save_registration(&registration(3), StateChange::Reset).await.unwrap();
    let call = calls.only();
    let forgets = call.at("/TransactItems/1/Update/UpdateExpression").as_str().unwrap();
    assert!(forgets.contains("failures") && forgets.contains("circuit_until"), "{forgets}");
    assert!(!forgets.contains("disabled") && !forgets.contains("told,"), "{forgets}");
}

#[tokio::test]
async fn a_conflicting_change_is_returned_and_a_conflict_with_deliveries_is_retried() {
    let (faster, calls) = table(|call, _| match call.operation.as_str() {
        "TransactWriteItems" => cancelled(&["ConditionalCheckFailed", "None"]),
        _ => (200, json!({ "Item": stored(5) })),
    });
    let saved = faster.save_registration(&registration(2), StateChange::Keep).await.unwrap();
    assert_eq!(saved, Saved::Conflict(Some(Box::new(registration(5)))));
    assert_eq!(calls.operations(), ["TransactWriteItems", "GetItem"]);
    assert!(!faster.remove_registration(&registration(2), NOON).await.unwrap());
    let (sending, calls) =
        table(|_, before| if before < 3 { cancelled(&["None", "TransactionConflict"]) } else { ok() });
    assert_eq!(sending.save_registration(&registration(2), StateChange::Keep).await.unwrap(), Saved::Done);
    assert_eq!(calls.all().len(), 4);
    let (always, _) = table(|_, _| cancelled(&["None", "TransactionConflict"]));
    assert_eq!(kind(&always.save_registration(&registration(2), StateChange::Keep).await.unwrap_err()), "busy");
}

#[tokio::test]
async fn the_list_is_read_to_its_end_each_time_and_that_of_keys_is_used_for_a_minute() {
    let entry = |id: &str, events: &str| {
        let keys = if id == "ep_3" { r#"[{"id": "sec_1", "key": "whpk_x"}]"# } else { "[]" };
        json!({ "id": { "S": format!("registration#{id}") }, "place": { "S": format!("1704110400000.{id}") },
            "events": { "S": events }, "public_keys": { "S": keys } })
    };
    let first = json!({ "Items": [entry("ep_1", r#"["job.failed"]"#), entry("ep_2", r#"["job.exploded"]"#)],
        "LastEvaluatedKey": { "id": { "S": "registration#ep_2" } } });
    let rest = json!({ "Items": [entry("ep_3", r#"["*"]"#)] });
    let script =
        move |call: &Call, _| (200, if call.at("/ExclusiveStartKey").is_null() { first.clone() } else { rest.clone() });
    let (table, calls) = table(script);
    for _ in 0..2 {
        let all = table.subscribers().await.unwrap();
        let ids: Vec<&str> = all.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids, ["ep_1", "ep_2", "ep_3"]);
        assert!(
            !OutboundEvent::ALL.iter().copied().any(|event| all[1].events.matches(event)),
            "it subscribes to an event of a newer version"
        );
        assert!(all[0].events.matches(OutboundEvent::Failed) && !all[0].events.matches(OutboundEvent::Completed));
        assert_eq!(all[0].since, NOON);
    }
    assert_eq!(calls.operations(), ["Query"; 4], "two pages each");
    let keys = table.public_keys().await.unwrap();
    let of = |place: usize| keys[place].1.iter().map(|key| key.key.as_str()).collect::<Vec<_>>();
    assert_eq!((keys.len(), of(0), keys[2].0.as_str(), of(2)), (3, vec![], "ep_3", vec!["whpk_x"]));
    table.public_keys().await.unwrap();
    assert_eq!(calls.all().len(), 6, "and the keys are cached for a minute");
}

#[tokio::test]
async fn failures_are_distinguished() {
    for (code, expected) in [("ThrottlingException", "busy"), ("AccessDeniedException", "refused")] {
        let (table, _) = table(move |_, _| error(code));
        assert_eq!(kind(&table.subscribers().await.unwrap_err()), expected);
        assert_eq!(kind(&table.registration(&registration(1).id).await.unwrap_err()), expected);
        assert_eq!(kind(&table.save_registration(&registration(1), StateChange::Keep).await.unwrap_err()), expected);
        assert_eq!(kind(&table.registrations(&[registration(1).id]).await.unwrap_err()), expected);
    }
}
