//! Slots of scenes: an admission item beside the jobs', and the projects that wait.

use reelhook_app::jobs::admission::AdmissionStore;
use reelhook_app::jobs::claims::Claimed;
use reelhook_app::projects::store::SceneSlots;
use reelhook_app::store::Saved;
use reelhook_domain::{Admission, SlotRow};
use serde_json::json;

use super::{table, waiting};
use crate::replay::{cancelled, ok};

#[tokio::test]
async fn scenes_have_an_admission_item_of_their_own() {
    let (projects, calls) = table(|_, _| ok());
    assert_eq!(projects.admission().await.unwrap(), Admission::default().into());
    let next = SlotRow { number: 0, row: Admission { version: 1, ..Admission::default() } };
    assert_eq!(projects.save_admission(&next).await.unwrap(), Saved::Done);
    let [get, put] = <[_; 2]>::try_from(calls.all()).unwrap();
    let pk = json!({ "S": "scene-admission" });
    assert_eq!((get.at("/Key/pk"), put.at("/Item/pk")), (&pk, &pk));
    assert_eq!((get.at("/TableName"), put.at("/TableName")), (&json!("Counters"), &json!("Counters")));
}

#[tokio::test]
async fn a_claim_is_one_transaction_of_the_slot_and_the_project() {
    let admission = Admission { version: 5, ..Admission::default() };
    let (projects, calls) = table(|_, _| ok());
    assert_eq!(projects.claim(&waiting(), &admission).await.unwrap(), Claimed::Done);
    let call = calls.only();
    let slot = call.at("/TransactItems/0/Put");
    assert_eq!(slot["ConditionExpression"], "attribute_not_exists(pk) OR #version = :version");
    assert_eq!((&slot["Item"]["pk"]["S"], &slot["Item"]["version"]["N"]), (&json!("scene-admission"), &json!("5")));
    let project = call.at("/TransactItems/1/Put");
    assert_eq!(
        (&project["TableName"], &project["ConditionExpression"]),
        (&json!("Projects"), &json!("#version = :version"))
    );

    for reasons in
        [["ConditionalCheckFailed", "None"], ["None", "ConditionalCheckFailed"], ["TransactionConflict", "None"]]
    {
        let (projects, _) = table(move |_, _| cancelled(&reasons));
        assert_eq!(projects.claim(&waiting(), &admission).await.unwrap(), Claimed::Conflict, "{reasons:?}");
    }
}

#[tokio::test]
async fn the_project_that_waits_longest_is_first() {
    let answer = json!({ "Items": [{ "id": { "S": "proj_2" } }, { "id": { "S": "proj_1" } }] });
    let (projects, calls) = table(move |_, _| (200, answer.clone()));
    let found = projects.waiting(7).await.unwrap();
    assert_eq!(found.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["proj_2", "proj_1"]);
    let call = calls.only();
    assert_eq!((call.at("/IndexName"), call.at("/Limit")), (&json!("by-waiting"), &json!(7)));
    assert_eq!(call.at("/KeyConditionExpression"), "waiting = :waiting AND served_at <= :now");
    assert_eq!(call.at("/ExpressionAttributeValues/:now"), &json!({ "S": "01704110400000" }));
}
