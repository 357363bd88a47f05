//! A service that loses 30 percent of its answers to submissions: each video is billed once, within the budgets.
//!
//! The test is short by default; `REELHOOK_FULL=1` gives it 2,000 submissions, and SCENE_SUBMISSIONS any other number.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::interval;

use super::backends::Backends;
use super::project::{PROJECTS, behave, call, command, create, fast, open, project, scenes, text};
use crate::kills::{number, sweep};
use crate::stack::Stack;

/// Scenes of one project: they need no frame, and are submitted side by side.
const SCENES: usize = 50;
/// What a project may cost, in dollars: a second of video for each scene.
const BUDGET: f64 = 2.5;
/// How long nothing may happen.
const STALLED: Duration = Duration::from_secs(120);
/// The interval of the sweeps.
const SWEEP: Duration = Duration::from_secs(2);

/// The number of submissions: whole projects.
fn submissions() -> usize {
    let full = std::env::var("REELHOOK_FULL").is_ok_and(|value| value == "1");
    let wanted = number("SCENE_SUBMISSIONS", if full { 2000 } else { 300 });
    usize::try_from(wanted).expect("a number").div_ceil(SCENES) * SCENES
}

#[tokio::test]
async fn lost_answers_are_looked_up_and_no_video_is_billed_twice() {
    let stack = open(Backends::Services).await;
    let total = submissions();
    // No callback ends what is unclear, and no key keeps the service from making a video twice.
    let losing = json!({
        "submit": { "lose_percent": 30, "lose_with": "mixed", "idempotent": false }, "callback": { "silent": true },
    });
    let mut losing = fast(losing);
    let mut wanted = scenes(SCENES);
    for scene in &mut wanted {
        scene["dependsOn"] = Value::Null;
    }
    let mut projects = Vec::new();
    for number in 0..total / SCENES {
        // Slots rotate: with one seed the first answers of all projects would be lost together.
        losing["seed"] = json!(std::process::id() as usize * 1000 + number);
        let id = text(&create(&stack, &json!({ "name": "Lost", "budget": BUDGET, "scenes": wanted })).await["id"]);
        behave(&stack, "videos", &id, losing.clone()).await;
        command(&stack, &id, "start").await;
        projects.push(id);
    }
    until_generated(&stack, &projects, total).await;

    let (mut billed, mut lost) = (0, 0);
    for id in &projects {
        let videos = stack.studio(&format!("/control/videos/billed?project={id}")).await;
        let once = videos["by_submission"].as_object().expect("counts");
        assert!(once.len() == SCENES && once.values().all(|count| *count == 1), "{videos:#}");
        let project = project(&stack, id).await;
        assert!(project["cost"].as_f64() <= Some(BUDGET), "{}", project["cost"]);
        assert!(videos["seconds"].as_f64() <= Some(SCENES as f64), "{videos:#}");
        billed += videos["billed"].as_u64().expect("a number");
        lost += videos["lost"].as_u64().expect("a number");
    }
    println!("{lost} of {total} answers were lost, {billed} videos were billed");
    assert_eq!(billed, total as u64, "each video is billed once");
    assert!(lost * 100 > billed * 20, "{lost} of {billed}");
    // Their last frames, copies and stitches are not what this test is about.
    for id in &projects {
        let (status, answer) = call(&stack, Method::DELETE, &format!("{PROJECTS}/{id}"), &json!({})).await;
        assert_eq!(status, 200, "{answer}");
    }
    until_idle(&stack).await;
}

/// Waits until all queues are empty, as long as their depths change.
async fn until_idle(stack: &Stack) {
    let mut ticks = interval(Duration::from_millis(500));
    let (mut before, mut moved) = (Vec::new(), Instant::now());
    loop {
        ticks.tick().await;
        let depths = stack.aws.depths().await;
        if depths.iter().all(|(_, depth)| *depth == 0) {
            return;
        }
        if depths != before {
            (before, moved) = (depths, Instant::now());
        }
        assert!(moved.elapsed() < STALLED, "the queues stay as they are: {before:?}");
        stack.sweep().await;
    }
}

/// Waits until each scene has its video, as long as there is progress.
async fn until_generated(stack: &Stack, projects: &[String], total: usize) {
    let (mut ticks, mut swept) = (interval(Duration::from_millis(500)), Instant::now());
    let (mut seen, mut moved) = (0, Instant::now());
    loop {
        ticks.tick().await;
        let (status, list) = stack.get(&format!("{PROJECTS}?limit=100")).await;
        assert_eq!(status, 200, "{list}");
        let ours = list["projects"].as_array().expect("a list").iter();
        let ours = ours.filter(|project| projects.iter().any(|id| project["id"] == id.as_str()));
        let generated = |project: &Value| {
            assert_ne!(project["status"], "failed", "{project:#}");
            let count = |status: &str| project["sceneStatuses"][status].as_u64().unwrap_or_default();
            count("generated") + count("verified")
        };
        let now = ours.map(generated).sum::<u64>();
        if now >= total as u64 {
            return;
        }
        if now > seen {
            (seen, moved) = (now, Instant::now());
        }
        assert!(moved.elapsed() < STALLED, "{seen} of {total} videos, and none for {STALLED:?}");
        if swept.elapsed() >= SWEEP {
            swept = Instant::now();
            sweep(stack).await;
        }
    }
}
