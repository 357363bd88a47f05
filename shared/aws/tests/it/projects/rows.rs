//! Rows of the Counters table: look-ups, early callbacks and circuits.

use reelhook_app::circuit::{Circuits, ServiceCircuit};
use reelhook_app::projects::lookup::{Lookup, SceneOwner};
use reelhook_app::projects::store::{EarlyCallback, EarlyCallbacks, Lookups};
use reelhook_app::store::Saved;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_domain::projects::task::{Stage, TaskRef};
use reelhook_domain::{ProjectId, Timestamp};
use reelhook_testkit::NOON;
use serde_json::{Value, json};

use super::{at, scene_id, task_id};
use crate::replay::{Answer, Call, Calls, condition_failed, dynamodb, error, kind, ok};

fn counters(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (CounterTable, Calls) {
    let (client, calls) = dynamodb(script);
    (CounterTable::new(client, "Counters"), calls)
}

fn project() -> ProjectId {
    ProjectId::parse("proj_1").unwrap()
}

fn task() -> TaskRef {
    TaskRef::parse("video.1.2.scene_a").unwrap()
}

fn lookups() -> [Lookup; 2] {
    [
        Lookup::Scene { scene: scene_id("a"), project: project() },
        Lookup::Task { stage: Stage::Video, id: task_id("task_1"), project: project(), task: task() },
    ]
}

#[tokio::test]
async fn projects_are_found_by_their_scenes_and_tasks() {
    let (table, calls) = counters(|_, _| ok());
    table.remember(&lookups()).await.unwrap();
    let mut rows: Vec<Value> = calls.all().iter().map(|call| call.at("/Item").clone()).collect();
    rows.sort_by_key(|row| row["pk"]["S"].to_string());
    let keys: Vec<&Value> = rows.iter().map(|row| &row["pk"]["S"]).collect();
    assert_eq!(keys, ["scene#scene_a", "task#video#task_1"]);

    let read = move |call: &Call, _: usize| {
        let found = rows.iter().find(|row| row["pk"] == *call.at("/Key/pk"));
        found.map_or_else(ok, |row| (200, json!({ "Item": row })))
    };
    let (table, _) = counters(read);
    assert_eq!(table.of_scene(&scene_id("a")).await.unwrap(), Some(SceneOwner::One(project())));
    assert_eq!(table.of_task(Stage::Video, &task_id("task_1")).await.unwrap(), Some((project(), task())));
    assert_eq!(table.of_scene(&scene_id("b")).await.unwrap(), None);
    assert_eq!(table.of_task(Stage::Frame, &task_id("task_1")).await.unwrap(), None);
}

#[tokio::test]
async fn the_first_project_with_an_id_keeps_it() {
    let (table, calls) = counters(|_, _| condition_failed(None));
    table.remember(&lookups()).await.unwrap();
    for call in calls.all() {
        assert_eq!(call.at("/ConditionExpression"), "attribute_not_exists(pk) OR expires_at <= :now");
    }
    let (table, _) = counters(|_, _| error("ThrottlingException"));
    assert_eq!(kind(&table.remember(&lookups()).await.unwrap_err()), "busy");
}

#[tokio::test]
async fn an_id_of_scenes_of_several_projects_finds_none_of_them() {
    let row = |project: &str| json!({ "project": { "S": project } });
    for (stored, is_shared) in [(row("proj_1"), false), (row("proj_2"), true)] {
        let (table, calls) = counters(move |_, index| if index == 0 { condition_failed(Some(&stored)) } else { ok() });
        table.remember(&lookups()[..1]).await.unwrap();
        let updates: Vec<Call> = calls.all().split_off(1);
        assert_eq!(updates.len(), usize::from(is_shared));
        for update in updates {
            assert_eq!(update.at("/Key/pk"), &json!({ "S": "scene#scene_a" }));
            assert_eq!(update.at("/UpdateExpression"), "SET several = :true, expires_at = :expires");
        }
    }
    let row = json!({ "Item": { "project": { "S": "proj_1" }, "several": { "BOOL": true } } });
    let (table, _) = counters(move |_, _| (200, row.clone()));
    assert_eq!(table.of_scene(&scene_id("a")).await.unwrap(), Some(SceneOwner::Several));
}

#[tokio::test]
async fn an_expired_look_up_finds_nothing() {
    let row = json!({ "Item": { "project": { "S": "proj_1" }, "expires_at": { "N": "1" } } });
    let (table, _) = counters(move |_, _| (200, row.clone()));
    assert_eq!(table.of_scene(&scene_id("a")).await.unwrap(), None);
}

fn callback(at: Timestamp) -> EarlyCallback {
    EarlyCallback {
        stage: Stage::Video,
        scene: Some(scene_id("a")),
        project: Some(project()),
        task: Some(task_id("task_1")),
        body: json!({ "status": "completed", "quality_score": 0 }),
        at,
    }
}

#[tokio::test]
async fn an_early_callback_is_kept_under_its_scene_and_its_task() {
    let (table, calls) = counters(|_, _| ok());
    table.park(&callback(NOON), true).await.unwrap();
    let rows: Vec<Value> = calls.all().iter().map(|call| call.at("/Item").clone()).collect();
    let keys: Vec<&Value> = rows.iter().map(|row| &row["pk"]["S"]).collect();
    assert_eq!(keys, ["early#video#scene#scene_a", "early#video#task#task_1"]);
    assert!(rows.iter().all(|row| row["expires_at"] == json!({ "N": (NOON.seconds() + 3600).to_string() })));

    let answer = json!({ "Responses": { "Counters": rows } });
    let (table, calls) = counters(move |_, _| (200, answer.clone()));
    let tasks = [(Stage::Video, task_id("task_1"))];
    assert_eq!(table.parked(None, &[scene_id("a")], &tasks, NOON).await.unwrap(), [callback(NOON)], "it is found once");
    let keys = calls.only().at("/RequestItems/Counters/Keys").as_array().unwrap().len();
    assert_eq!(keys, 3, "the video and the frame of the scene, and the task");
    assert!(table.parked(None, &[scene_id("a")], &tasks, at(3_600_000)).await.unwrap().is_empty(), "it has expired");
}

#[tokio::test]
async fn an_early_callback_of_a_stitch_is_kept_under_its_project() {
    let (table, calls) = counters(|_, _| ok());
    let stitched = EarlyCallback { stage: Stage::Stitch, task: None, ..callback(NOON) };
    table.park(&stitched, true).await.unwrap();
    let row = calls.only().at("/Item").clone();
    assert_eq!(row["pk"], json!({ "S": "early#stitch#project#proj_1" }));

    let answer = json!({ "Responses": { "Counters": [row] } });
    let (table, calls) = counters(move |_, _| (200, answer.clone()));
    assert_eq!(table.parked(Some(&project()), &[], &[], NOON).await.unwrap(), [stitched]);
    assert_eq!(calls.only().at("/RequestItems/Counters/Keys").as_array().unwrap().len(), 1);

    let (table, calls) = counters(|_, _| ok());
    let nameless = EarlyCallback { scene: None, task: None, ..callback(NOON) };
    table.park(&nameless, true).await.unwrap();
    assert!(calls.all().is_empty(), "a video is not found by its project");
}

#[tokio::test]
async fn early_callbacks_are_applied_in_the_order_in_which_they_came() {
    let row = |pk: &str, came: i64| {
        let body = serde_json::to_string(&callback(at(came))).unwrap();
        json!({ "pk": { "S": pk }, "body": { "S": body }, "expires_at": { "N": "9999999999" } })
    };
    let answer = json!({ "Responses": { "Counters": [row("b", 2), row("a", 1), row("c", 3)] } });
    let (table, _) = counters(move |_, _| (200, answer.clone()));
    let found = table.parked(None, &[scene_id("a")], &[], NOON).await.unwrap();
    assert_eq!(found.iter().map(|callback| callback.at).collect::<Vec<_>>(), [at(1), at(2), at(3)]);
}

#[tokio::test]
async fn a_callback_that_ends_a_task_is_kept() {
    let (table, calls) = counters(|_, _| condition_failed(None));
    table.park(&callback(NOON), false).await.unwrap();
    let call = &calls.all()[0];
    let condition = "attribute_not_exists(pk) OR expires_at <= :now OR #final <> :true OR :final = :true";
    assert_eq!(call.at("/ConditionExpression"), condition);
    assert_eq!(call.at("/ExpressionAttributeValues/:final"), &json!({ "BOOL": false }));
}

#[tokio::test]
async fn nothing_is_read_for_nothing() {
    let (table, calls) = counters(|_, _| ok());
    assert!(table.parked(None, &[], &[], NOON).await.unwrap().is_empty());
    assert!(calls.all().is_empty());
}

#[tokio::test]
async fn each_stage_has_a_circuit() {
    let (table, calls) = counters(|_, _| ok());
    assert_eq!(table.circuit(Stage::Stitch.into()).await.unwrap(), ServiceCircuit::default());
    let circuit = ServiceCircuit { version: 3, failures: 2, ..ServiceCircuit::default() };
    assert_eq!(table.save_circuit(Stage::Frame.into(), &circuit).await.unwrap(), Saved::Done);
    let [get, put] = <[_; 2]>::try_from(calls.all()).unwrap();
    assert_eq!(get.at("/Key/pk"), &json!({ "S": "circuit#stitch" }));
    assert_eq!(put.at("/Item/pk"), &json!({ "S": "circuit#frame" }));
    assert_eq!(put.at("/ExpressionAttributeValues"), &json!({ ":version": { "N": "2" } }));

    let item = put.at("/Item").clone();
    let (table, _) = counters(move |_, _| condition_failed(Some(&item)));
    let next = ServiceCircuit { version: 4, ..circuit.clone() };
    assert_eq!(table.save_circuit(Stage::Frame.into(), &next).await.unwrap(), Saved::Conflict(Some(Box::new(circuit))));
}
