//! The exact text of stored jobs: one with every member, and runs in pieces in each stage.

use reelhook_app::jobs::submit::SubmitStore;
use reelhook_aws::items::packed::StoredForm;
use reelhook_domain::pieces::{Piece, PieceClaim, Pieces};
use reelhook_domain::videos::film::Rendition;
use reelhook_domain::videos::render::{RenderPlan, RenderTask, Renderer, StoredVideo};
use reelhook_domain::{
    Engine, Event, ExternalTask, Job, JobKind, Ledger, LogTally, Metadata, PiecesRun, RenderId, Run, Service, Status,
    Steps, Timestamp,
};
use reelhook_testkit::{NOON, lived, policy, started};
use serde_json::{Value, json};

use super::items::{self, full, read_at};
use super::{table, waiting};
use crate::opened::opened;
use crate::replay::ok;

/// The item of a job as versions before 0.3 stored it; both forms are read.
async fn item_of(of: &Job) -> Value {
    let item = items::item_of(of).await;
    assert_eq!(read_at(&item, NOON).await.as_ref(), Some(of));
    opened(&item)
}

#[tokio::test]
async fn the_text_of_a_job_with_every_member_stays_as_it_is() {
    let log = LogTally { info: 1, success: 2, warning: 3, error: 4, bytes: 5, archived: 0 };
    let counted = LogTally { info: 1, bytes: 5, ..LogTally::default() };
    let ledger = Ledger { live_version: 40, log, counted, usage: None };
    let body = concat!(
        r#"{"id":"job_1704110400000_0001","dialect":"streamgank","version":41,"attempt":2,"status":"rendering","#,
        r#""input":{"z":1,"a":[0.1,-0.0,9007199254740993,null,true],"Série 🎬":{"1":"x","0":""}},"#,
        r#""pause_after_extraction":true,"priority":7,"created_at":1704110400000,"started_at":1704110400001,"#,
        r#""completed_at":1704110400002,"failed_at":1704110400003,"cancelled_at":1704110400004,"#,
        r#""updated_at":1704110400006,"render_id":"render_1","video_url":"https://x.example/v.mp4","#,
        r#""error":"no \"quotes\"\n","retry_count":1,"max_retries":3,"progress":95,"current_step":"Rendering","#,
        r#""current_step_number":8,"last_sequence":1704110400123,"#,
        r#""steps":{"1":{"details":{"b":1,"a":0.1},"duration":12.345678901234567},"7":{}},"#,
        r#""seen":["1c100:key","2s200:"],"worker_done":true,"worker_id":"gpu-7","#,
        r#""cancel_url":"https://worker.example/cancel","start":{"ready_at":1704110400007,"hint_at":1704110400008,"#,
        r#""failures":4,"claims":5,"claim":{"slot":"slot","lease_until":1704110400009}},"#,
        r#""render":{"since":1704110400010,"checks":2,"confirming":3,"next_at":1704110400011},"#,
        r#""render_status":"rendering","#,
        r#""callback":"https://client.example/hook","paused_after_extraction":false,"extracted":"three movies","#,
        r#""workflow_incomplete":false,"render_timeout":true,"timeout_at":1704110400012,"no_retry_reason":"reason","#,
        r#""suggested_solution":"solution","retry_after":1704110400013,"retried_at":1704110400014,"#,
        r#""due_at":1704110400015,"caller":"caller","#,
        r#""traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","live_version":40,"#,
        r#""log":[1,2,3,4,5,0],"log_counted":[1,0,0,0,5,0],"emitted":[{"id":"job_1704110400000_0001.40.1","#,
        r#""event":"job.script_completed","version":40,"at":1704110400016}]}"#,
    );
    let mut job = Job { ledger, history: None, ..full() };
    let numbers = json!([0.1, -0.0, 9_007_199_254_740_993_u64, null, true]);
    job.request.input = json!({ "z": 1, "a": numbers, "Série 🎬": { "1": "x", "0": "" } });
    assert_eq!(item_of(&job).await["body"], json!({ "S": body }));
}

#[tokio::test]
async fn during_an_upgrade_a_job_is_written_as_older_versions_read_it() {
    let (jobs, calls) = table(|_, _| ok());
    for job in [full(), Job { outbox: Vec::new(), ..full() }] {
        jobs.clone().storing(StoredForm::Text).insert(&job).await.unwrap();
        let (written, expected) = (calls.all().pop().unwrap().at("/Item").clone(), item_of(&job).await);
        assert_eq!((&written["body"], written.get("outbox")), (&expected["body"], expected.get("outbox")));
        let keys = ["status_month", "created_at", "due_shard", "due_at", "active", "active_rank"];
        assert!(
            keys.iter().all(|name| written.get(name).is_some()),
            "they list it, and find it when it is due: {written}"
        );
        assert_eq!(read_at(&written, NOON).await, Some(job));
    }
    jobs.clone().storing(StoredForm::Text).insert(&waiting()).await.unwrap();
    let rank = calls.all().pop().unwrap().at("/Item/active_rank/S").as_str().unwrap().to_owned();
    assert!(rank.starts_with("pending#01704110400000#"), "older launchers find no ranks with a lane: {rank}");
    assert_eq!("text".parse(), Ok(StoredForm::Text));
    assert_eq!("compressed".parse(), Ok(StoredForm::Compressed));
    assert_eq!("zip".parse::<StoredForm>().unwrap_err(), "`zip` is neither `compressed` nor `text`");
}

#[tokio::test]
async fn an_ended_job_is_kept_for_as_long_as_the_operator_says() {
    for form in [StoredForm::Compressed, StoredForm::Text] {
        for (kept, days) in [("7", 7), ("90", 90)] {
            let (jobs, calls) = table(|_, _| ok());
            let job = lived(waiting(), &[Event::Cancel], NOON, &policy());
            assert!(job.status.is_final());
            jobs.storing(form).keeping(kept.parse().unwrap()).insert(&job).await.unwrap();
            let until = job.updated_at.seconds() + days * 24 * 3600;
            assert_eq!(calls.all().pop().unwrap().at("/Item/expires_at/N"), &json!(until.to_string()), "{kept}");
        }
    }
}

#[tokio::test]
async fn during_an_upgrade_a_job_has_no_history_and_no_effect_that_older_versions_do_not_know() {
    let (jobs, calls) = table(|_, _| ok());
    let jobs = jobs.storing(StoredForm::Text);
    let mut job = waiting();
    for event in [Some(Event::Claim), Some(started(1)), Some(Event::Cancel), None] {
        jobs.insert(&job).await.unwrap();
        let item = calls.all().pop().unwrap().at("/Item").clone();
        assert_eq!(item["schema"], json!({ "N": "1" }));
        assert!(!item["body"].to_string().contains("history"), "{item}");
        assert!(!item["outbox"].to_string().contains("pack_history"), "{item}");
        let stored = read_at(&item, NOON).await.unwrap();
        assert_eq!((stored.version, stored.kept()), (job.version, Vec::new()), "its lines become rows");
        job = match event {
            Some(event) => lived(stored, &[event], NOON, &policy()),
            None => stored,
        };
    }
    assert_eq!(job.status, Status::Cancelled);
}

#[tokio::test]
async fn the_text_of_a_job_with_metadata_has_it_after_the_request() {
    let body = async |metadata: &Value| {
        let mut job = waiting();
        job.request.metadata = Metadata::parse(metadata).unwrap();
        let item = item_of(&job).await;
        assert_eq!(read_at(&item, NOON).await, Some(job));
        item["body"]["S"].as_str().unwrap().to_owned()
    };
    let (without, with) = (body(&Value::Null).await, body(&json!({ "shop": "1", "order": "\"42\"" })).await);
    assert!(!without.contains("metadata"), "a job without metadata costs nothing");
    let added = r#""metadata":{"order":"\"42\"","shop":"1"},"#;
    let place = without.find(r#""created_at""#).unwrap();
    assert_eq!(with, format!("{}{added}{}", &without[..place], &without[place..]));
}

#[tokio::test]
async fn a_stored_text_that_is_not_a_url_does_not_make_its_job_unreadable() {
    let mut item = item_of(&full()).await;
    let body = item["body"]["S"].as_str().unwrap();
    let body = body.replace("https://client.example/hook", "client").replace("https://worker.example/cancel", "");
    item["body"]["S"] = json!(body);
    let job = read_at(&item, NOON).await.unwrap();
    assert_eq!(job.request.callback, None);
    assert_eq!(job.run.engine.external().map(|external| external.worker.cancel_url.clone()), Some(None));
}

/// The time `ms` milliseconds after noon.
fn at(ms: i64) -> Timestamp {
    Timestamp(NOON.millis() + ms)
}

/// A plan of two renditions with two scenes each.
fn plan(renderer: Renderer) -> RenderPlan {
    RenderPlan { renderer, renditions: vec![Rendition::Landscape, Rendition::Portrait], scenes: vec![90, 60] }
}

/// A waiting job of a kind with this run in pieces.
fn job(kind: JobKind, run: PiecesRun) -> Job {
    let job = waiting();
    Job { kind, run: Run { engine: Engine::Pieces(run), ..job.run.clone() }, ..job }
}

/// Checks the stored form of a stage, and that the job comes back as it was written.
async fn check(job: Job, stored: &str) {
    let item = item_of(&job).await;
    let body: Value = serde_json::from_str(item["body"]["S"].as_str().unwrap()).unwrap();
    assert_eq!(body["drawing"].to_string(), stored);
    assert_eq!(read_at(&item, NOON).await, Some(job));
}

/// The pieces of a stage in which two claims were made.
fn pieces(list: Vec<Piece<RenderTask>>) -> Option<Pieces<RenderTask>> {
    Some(Pieces { list, claims: 2, moved_at: at(1), hint_at: at(2), shown_at: at(3) })
}

#[tokio::test]
async fn the_text_of_a_film_being_composed_stays_as_it_is() {
    let list = vec![Piece::new(RenderTask::Compose, 0)];
    let run = PiecesRun { steps: Some(Steps::default()), pieces: pieces(list), ..PiecesRun::default() };
    let stored = concat!(
        r#"{"stage":"composing","renderer":"own","pieces":[{}],"claims":2,"#,
        r#""moved_at":1704110400001,"hint_at":1704110400002,"shown_at":1704110400003}"#,
    );
    check(job(JobKind::Workflow, run), stored).await;
}

#[tokio::test]
async fn the_text_of_scenes_being_drawn_stays_as_it_is() {
    let plan = plan(Renderer::Own);
    let mut list = plan.first_pieces();
    (list[0].done, list[0].units) = (true, 90);
    list[1].units = 12;
    list[1].claim = Some(PieceClaim { number: 2, lease_until: at(4) });
    (list[2].ready_at, list[2].crashes) = (Some(at(5)), 1);
    let run = PiecesRun { plan: Some(plan), pieces: pieces(list), ..PiecesRun::default() };
    let stored = concat!(
        r#"{"stage":"scenes","film":{"renderer":"own","formats":["standard","reels"],"scenes":[90,60]},"#,
        r#""renderer":"own","pieces":[{"frames":90,"done":true},"#,
        r#"{"frames":12,"claim":{"number":2,"lease_until":1704110400004}},"#,
        r#"{"ready_at":1704110400005,"crashes":1},{}],"claims":2,"#,
        r#""moved_at":1704110400001,"hint_at":1704110400002,"shown_at":1704110400003}"#,
    );
    check(job(JobKind::Video, run), stored).await;
}

#[tokio::test]
async fn a_plan_that_only_the_pieces_have_is_the_plan_of_the_job() {
    let plan = plan(Renderer::Own);
    let list = plan.first_pieces();
    let job = job(JobKind::Video, PiecesRun { plan: Some(plan), pieces: pieces(list), ..PiecesRun::default() });
    let mut item = item_of(&job).await;
    let mut body: Value = serde_json::from_str(item["body"]["S"].as_str().unwrap()).unwrap();
    assert!(body.as_object_mut().unwrap().remove("film").is_some());
    item["body"]["S"] = body.to_string().into();
    assert_eq!(read_at(&item, NOON).await, Some(job));
}

#[tokio::test]
async fn the_text_of_scenes_being_joined_stays_as_it_is() {
    let plan = plan(Renderer::Own);
    let video = StoredVideo {
        rendition: Rendition::Portrait,
        key: "videos/v.mp4".to_owned(),
        bytes: 7,
        link: "https://reelhook.example/v".to_owned(),
    };
    let list = plan.join_pieces();
    let run = PiecesRun { plan: Some(plan), pieces: pieces(list), videos: vec![video], ..PiecesRun::default() };
    let job = job(JobKind::Video, run);
    let body: Value = serde_json::from_str(item_of(&job).await["body"]["S"].as_str().unwrap()).unwrap();
    let film = r#"{"renderer":"own","formats":["standard","reels"],"scenes":[90,60]}"#;
    let videos = r#"[{"format":"reels","key":"videos/v.mp4","bytes":7,"link":"https://reelhook.example/v"}]"#;
    assert_eq!((body["film"].to_string(), body["videos"].to_string()), (film.to_owned(), videos.to_owned()));
    let stored = concat!(
        r#"{"stage":"joining","film":{"renderer":"own","formats":["standard","reels"],"scenes":[90,60]},"#,
        r#""renderer":"own","pieces":[{},{}],"claims":2,"#,
        r#""moved_at":1704110400001,"hint_at":1704110400002,"shown_at":1704110400003}"#,
    );
    check(job, stored).await;
}

#[tokio::test]
async fn the_text_of_renditions_at_an_outside_service_stays_as_it_is() {
    let plan = plan(Renderer::Creatomate);
    let mut list = plan.first_pieces();
    let task = ExternalTask::new(Service::Creatomate, RenderId::parse("render_1").unwrap());
    list[0].task = RenderTask::Remote { rendition: Rendition::Landscape, task: Some(task) };
    list[0].units = 75;
    list[0].claim = Some(PieceClaim { number: 1, lease_until: at(4) });
    list[1].claim = Some(PieceClaim { number: 2, lease_until: at(5) });
    let renderer = Renderer::Creatomate;
    let run = PiecesRun { plan: Some(plan), renderer, pieces: pieces(list), ..PiecesRun::default() };
    let stored = concat!(
        r#"{"stage":"remote","film":{"renderer":"creatomate","formats":["standard","reels"],"scenes":[90,60]},"#,
        r#""renderer":"creatomate","pieces":[{"frames":75,"claim":{"number":1,"lease_until":1704110400004},"#,
        r#""render":"render_1"},{"claim":{"number":2,"lease_until":1704110400005}}],"claims":2,"#,
        r#""moved_at":1704110400001,"hint_at":1704110400002,"shown_at":1704110400003}"#,
    );
    check(job(JobKind::Video, run), stored).await;
}
