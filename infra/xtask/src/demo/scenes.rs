//! The demo of scenes: a project of three prompt cards, each of which starts from the last frame of the one before, and
//! which are stitched to one video.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use indicatif::ProgressBar;
use serde_json::Value;

use super::outcome::{POLL_INTERVAL, TIMEOUT, VIDEO, Video, await_delivery, download, show_delivery, show_video, text};
use super::player;
use crate::http::Client;
use crate::up::Started;
use crate::{interrupt, ui, visible};

/// The webhook events that the demo's receiver gets.
pub const EVENTS: &str = "project.started,scene.verified,project.completed,project.failed";
/// The project.
const PROJECT: &str = r#"{"name": "A day at the lake", "scenes": [
  {"name": "Dawn", "prompt": "Mist lifts from the lake, and the first light reaches the reeds.", "duration": 3},
  {"name": "Noon", "prompt": "A heron stands in the shallow water and waits.", "duration": 3},
  {"name": "Dusk", "prompt": "A boat comes home, and a lamp is lit on the shore.", "duration": 3}]}"#;

/// The result of the demo.
pub struct Finished {
    project: Value,
    took: Duration,
    delivery: Value,
    video: Video,
}

/// Creates and starts the project, and shows its progress until a receiver has verified its webhook.
pub fn watch(started: &mut Started) -> anyhow::Result<Finished> {
    let api = Client::new(&started.run.api_url, &started.run.api_key);
    let began = Instant::now();
    let created = api.post("/api/v1/projects", &serde_json::from_str(PROJECT).expect("a constant"))?;
    let id = match (created.status, created.body["id"].as_str()) {
        (201, Some(id)) => visible::line(id),
        (status, _) => bail!("POST /api/v1/projects answered {status}: {}", created.body),
    };
    ui::say(format!("\nCreated {id}"));
    let start = format!("/api/v1/projects/{id}/start");
    let answer = api.post(&start, &Value::Object(serde_json::Map::new()))?;
    anyhow::ensure!(answer.status == 200, "POST {start} answered {}: {}", answer.status, answer.body);
    let project = follow(started, &api, &id)?;
    let status = text(&project["status"]);
    if status != "completed" {
        bail!("the project ended with status {status}: {}", text(&project["error"]));
    }
    let delivery = await_delivery(started, "project.completed", ("project_id", &id))?;
    let took = began.elapsed();
    let url = project["finalVideoUrl"].as_str().context("the project has no video")?;
    let video = download(started, &api, url, VIDEO)?;
    Ok(Finished { project, took, delivery, video })
}

/// Shows the progress of a project until its status is final.
fn follow(started: &mut Started, api: &Client, id: &str) -> anyhow::Result<Value> {
    let mut progress = Progress::default();
    let (mut etag, mut last) = (None, Value::Null);
    let ended = interrupt::wait_for(TIMEOUT, POLL_INTERVAL, || {
        started.check()?;
        let Some(project) = api.changed(&format!("/api/v1/projects/{id}"), &mut etag)? else { return Ok(None) };
        progress.show(&project);
        last = project;
        let is_final = matches!(last["status"].as_str(), Some("completed" | "failed" | "cancelled"));
        Ok(is_final.then(|| last.clone()))
    })?;
    progress.finish();
    ended.with_context(|| {
        format!("the project did not end within {}: {} at {} %", ui::seconds(TIMEOUT), last["status"], last["progress"])
    })
}

/// A bar for each scene and one for the project; lines where there is no terminal.
#[derive(Default)]
struct Progress {
    bars: Vec<ProgressBar>,
    /// What was last shown of each.
    shown: Vec<String>,
}

impl Progress {
    fn show(&mut self, project: &Value) {
        let scenes = project["scenes"].as_array().map(Vec::as_slice).unwrap_or_default();
        if self.bars.is_empty() {
            self.bars = ui::percent_bars(scenes.len() + 1);
            self.shown = vec![String::new(); scenes.len() + 1];
        }
        let of_scene = |scene: &Value| format!("scene {} {}", text(&scene["sceneNumber"]), text(&scene["name"]));
        let lines = scenes.iter().map(|scene| (of_scene(scene), scene));
        let lines = lines.chain([("project".to_owned(), project)]);
        for ((bar, shown), (name, one)) in self.bars.iter().zip(&mut self.shown).zip(lines) {
            let percent = one["progress"].as_u64().unwrap_or_default();
            let message = format!("{name:<14} {}", text(&one["status"]));
            bar.set_position(percent);
            bar.set_message(message.clone());
            if bar.is_hidden() && *shown != message {
                ui::say(format!("  {percent:>3} %  {message}"));
                *shown = message;
            }
        }
    }

    fn finish(&self) {
        self.bars.iter().for_each(ProgressBar::finish);
    }
}

/// Shows the result, and plays the video; `keeps_running` says whether the stack keeps running.
pub fn show(started: &Started, finished: &Finished, keeps_running: bool) {
    let Finished { project, took, delivery, video } = finished;
    println!(
        "\nThe project is completed and a receiver has verified the webhook, {} after the request.\n",
        ui::seconds(*took)
    );
    println!("  project    {}   {}", text(&project["id"]), text(&project["status"]));
    for scene in project["scenes"].as_array().into_iter().flatten() {
        let (number, name, status) = (text(&scene["sceneNumber"]), text(&scene["name"]), text(&scene["status"]));
        println!("  scene {number:<4} {name}, {} s   {status}", scene["duration"]);
    }
    show_video(Some(video));
    show_delivery(delivery);
    println!("\nEach scene starts with the last frame of the one before.");
    let run = &started.run;
    let (api, studio) = (&run.api_url, &run.studio_url);
    if keeps_running {
        let id = text(&project["id"]);
        println!("\nThe stack keeps running:");
        println!("  curl {api}/api/v1/projects/{id}");
        println!("  curl {api}/api/v1/errors   what went wrong: nothing yet");
        println!("  {studio}/   history of the mock services, and the webhooks that they received");
        println!("  cargo xtask logs --instance {0} --follow\n  cargo xtask down --instance {0}", run.instance);
    } else {
        println!("\nNext:");
        println!("  cargo xtask demo --scenes --keep   the same, and keeps the stack running for your own requests");
        println!("  cargo xtask up                     a stack for your own requests; Ctrl-C stops it");
    }
    player::play(video.path());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_has_three_scenes() {
        let project: Value = serde_json::from_str(PROJECT).unwrap();
        assert_eq!(project["scenes"].as_array().map(Vec::len), Some(3));
    }
}
