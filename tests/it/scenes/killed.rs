//! Kills functions at random while projects are generated: all end, nothing is generated or stitched twice, and each
//! event is notified under one id.
//!
//! The test is short by default; `REELHOOK_FULL=1` gives it 50 projects of 10 scenes and 200 kills, and SCENE_PROJECTS,
//! SCENE_COUNT and SCENE_KILLS set each of them. KILL_SEED repeats a run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval, interval_at};

use super::backends::Backends;
use super::inbox::{error_about, retry};
use super::listener::Listener;
use super::project::{PROJECTS, billed, fast, made, open, project, scene_ids, scenes, text};
use crate::aws::kill;
use crate::kills::{Random, number, sweep};
use crate::stack::{JsonText, Stack, read};

/// The time after the last kill, or after a retry, within which everything must end.
const RECOVERY: Duration = Duration::from_secs(240);
/// The time for which a caller retries a command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);
/// The interval of the sweeps.
const SWEEP: Duration = Duration::from_secs(2);
/// The usual time between two kills, in milliseconds.
const PAUSE_MS: u64 = 150;

/// What a run consists of.
struct Run {
    projects: u64,
    scenes: u64,
    kills: u64,
    seed: u64,
}

impl Run {
    fn read() -> Self {
        let full = std::env::var("REELHOOK_FULL").is_ok_and(|value| value == "1");
        let of = |name: &str, short: u64, long: u64| number(name, if full { long } else { short });
        Self {
            projects: of("SCENE_PROJECTS", 8, 50),
            scenes: of("SCENE_COUNT", 4, 10),
            kills: of("SCENE_KILLS", 40, 200),
            seed: number("KILL_SEED", u64::from(std::process::id())),
        }
    }
}

#[tokio::test]
async fn killing_random_functions_stops_no_project_and_repeats_nothing() {
    let stack = open(Backends::Services).await;
    let run = Run::read();
    println!("seed {}: {} projects of {} scenes, {} kills", run.seed, run.projects, run.scenes, run.kills);
    let settings = fast(json!({ "task": { "ms": 100 }, "callback": { "copies": 2, "disorder_ms": 500 } }));
    for service in ["videos", "frames", "stitches"] {
        stack.control(service, settings.clone()).await;
    }
    let listener = Listener::register(&stack, &["project.*", "scene.*"]).await;
    let count = usize::try_from(run.scenes).expect("a few");
    let mut projects = Vec::new();
    for _ in 0..run.projects {
        projects.push(made(&stack, scenes(count)).await.0);
    }
    let ((), killed) = tokio::join!(start_all(&stack, &run, &projects), kill_random(&stack, &run));
    println!("killed {} processes: {killed:?}", killed.values().sum::<u64>());
    let retried = until_all_completed(&stack, &projects).await;
    println!("{} projects were retried, since an answer to a submission was lost: {retried:?}", retried.len());

    for id in &projects {
        let project = project(&stack, id).await;
        assert_eq!(project["status"], "completed", "{project:#}");
        let videos = billed(&stack, "videos", id).await;
        let each = scene_ids(&project).into_iter().map(|scene| (format!("{id}/{scene}"), json!(1)));
        assert_eq!(videos["by_scene"], Value::Object(each.collect()), "no scene is generated twice");
        let stitches = billed(&stack, "stitches", id).await["billed"].as_u64().expect("a number");
        let retries = retried.get(id).copied().unwrap_or_default();
        assert!(
            (1..=1 + retries).contains(&stitches),
            "{id} is stitched {stitches} times after {retries} retries of it"
        );
        assert_notified_once(&stack, &listener, &project).await;
    }
    assert!(stack.aws.slots("scene-admission").await.active.is_empty(), "every slot is free");
    stack.assert_queues_empty().await;
    listener.remove(&stack).await;
}

/// Starts the projects, spread over the time of the kills.
async fn start_all(stack: &Stack, run: &Run, projects: &[String]) {
    let pace = Duration::from_millis((run.kills * PAUSE_MS / run.projects.max(1)).max(1));
    let mut ticks = interval(pace);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for id in projects {
        ticks.tick().await;
        start(stack, id).await;
    }
}

/// Starts a project: again until a function lives long enough to answer.
async fn start(stack: &Stack, id: &str) {
    let (deadline, mut ticks) = (Instant::now() + COMMAND_TIMEOUT, interval(Duration::from_millis(200)));
    let mut last = String::new();
    while Instant::now() < deadline {
        ticks.tick().await;
        let request = stack.request(reqwest::Method::POST, &format!("{PROJECTS}/{id}/start"));
        match request.json_text(&json!({})).send().await {
            Ok(response) => {
                let (status, answer) = read(response).await;
                // A call whose answer was lost may have started it, and it may have been completed since.
                if status == 200 || answer["code"] == "project_ended" {
                    return;
                }
                assert!(status >= 500, "{id} was refused with {status}: {answer}");
                last = answer.to_string();
            }
            Err(error) => last = error.to_string(),
        }
    }
    panic!("{id} was not started for {COMMAND_TIMEOUT:?}: {last}");
}

/// Kills processes of random functions, and sweeps; returns the number of kills by function.
async fn kill_random(stack: &Stack, run: &Run) -> BTreeMap<String, u64> {
    let functions = stack.aws.functions().await;
    let mut random = Random(run.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (mut killed, mut swept) = (BTreeMap::<String, u64>::new(), Instant::now());
    while killed.values().sum::<u64>() < run.kills {
        let pause = Duration::from_millis(PAUSE_MS / 2 + random.below(PAUSE_MS));
        interval_at(tokio::time::Instant::now() + pause, pause).tick().await;
        let function = &functions[random.below(functions.len() as u64) as usize];
        let processes = stack.aws.processes(function);
        if let Some(pid) = processes.get(random.below(processes.len() as u64) as usize)
            && kill(*pid)
        {
            *killed.entry(function.clone()).or_default() += 1;
        }
        if swept.elapsed() >= SWEEP {
            swept = Instant::now();
            sweep(stack).await;
        }
    }
    killed
}

/// Waits until all projects are completed. One that failed since it is unclear whether a service has a task is retried,
/// as a person would; returns these, and how often it was their stitch.
async fn until_all_completed(stack: &Stack, projects: &[String]) -> BTreeMap<String, u64> {
    let mut retried = BTreeMap::new();
    let (mut since, mut swept) = (Instant::now(), Instant::now());
    let mut ticks = interval(Duration::from_millis(500));
    loop {
        ticks.tick().await;
        let statuses = statuses(stack, projects).await;
        if statuses.values().all(|status| status == "completed") {
            return retried;
        }
        for (id, _) in statuses.iter().filter(|(_, status)| *status == "failed") {
            let error = error_about(stack, id, "submission_unclear").await;
            retry(stack, &error).await;
            // What is about a frame names its scene.
            *retried.entry(id.clone()).or_default() += u64::from(error["context"]["scene_id"].is_null());
            since = Instant::now();
        }
        assert!(since.elapsed() < RECOVERY, "after {RECOVERY:?} there is still {statuses:?}");
        if swept.elapsed() >= SWEEP {
            swept = Instant::now();
            sweep(stack).await;
        }
    }
}

/// The status of each of these projects. They are the newest ones.
async fn statuses(stack: &Stack, projects: &[String]) -> BTreeMap<String, String> {
    let (status, list) = stack.get(&format!("{PROJECTS}?limit=100")).await;
    assert_eq!(status, 200, "{list}");
    let listed = list["projects"].as_array().expect("a list").iter();
    let all = listed.map(|project| (text(&project["id"]), text(&project["status"])));
    let found: BTreeMap<String, String> = all.filter(|(id, _)| projects.contains(id)).collect();
    assert_eq!(found.len(), projects.len(), "the newest projects are listed");
    found
}

/// The ids under which events about the scenes of a project arrived, by event and scene.
async fn heard_of_scenes(
    stack: &Stack,
    listener: &Listener,
    project: &str,
) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut ids: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for one in listener.about(stack, project).await {
        let body = &one["body"];
        if let Some(scene) = body["data"]["scene_id"].as_str() {
            let event = (text(&body["type"]), scene.to_owned());
            ids.entry(event).or_default().insert(text(&one["webhook_id"]));
        }
    }
    ids
}

/// Each event about a project and its scenes arrived, under one id: at the endpoint, and at the notification service.
async fn assert_notified_once(stack: &Stack, listener: &Listener, project: &Value) {
    let id = &text(&project["id"]);
    listener.heard(stack, id, "project.completed").await;
    assert_eq!(listener.ids(stack, id, "project.completed").await.len(), 1, "{id} completed once");
    let scenes = scene_ids(project);
    let of_scene =
        |scene: &String| ["scene.generated", "scene.verified"].map(|event| (event.to_owned(), scene.clone()));
    let expected: Vec<(String, String)> = scenes.iter().flat_map(of_scene).collect();
    let heard = stack
        .eventually(&format!("the events about the scenes of {id}"), || async {
            let heard = heard_of_scenes(stack, listener, id).await;
            expected.iter().all(|event| heard.contains_key(event)).then_some(heard)
        })
        .await;
    assert!(heard.values().all(|ids| ids.len() == 1), "{heard:#?}");
    let notified = stack
        .eventually("the notification", || async {
            let all = stack.studio(&format!("/notifications?project={id}")).await;
            let ids = all["received"].as_array()?.iter().map(|one| text(&one["headers"]["webhook-id"]));
            let ids: BTreeSet<String> = ids.collect();
            (!ids.is_empty()).then_some(ids)
        })
        .await;
    assert_eq!(notified.len(), 1, "{id} is notified under one id: {notified:?}");
}
