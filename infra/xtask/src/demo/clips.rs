//! The demo of clips: a film is uploaded, our own renderers cut vertical clips out of it, and their credits are charged.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::outcome::{POLL_INTERVAL, TIMEOUT, Video, await_delivery, download, show_delivery, text};
use super::{film, player};
use crate::http::Client;
use crate::up::Started;
use crate::{interrupt, ui, visible};

/// The webhook events that the demo's receiver gets.
pub const EVENTS: &str = "clips.started,clips.clip_ready,clips.completed,clips.failed";
/// The routes of clip jobs.
const JOBS: &str = "/ai-clipping-agent/jobs";
/// The route of credits.
const CREDITS: &str = "/ai-clipping-agent/credits";
/// The credits that the demo has before.
const GIVEN: u32 = 100;

/// The result of the demo.
pub struct Finished {
    job: Value,
    credits: Value,
    took: Duration,
    delivery: Value,
    /// The clips, the best one first.
    clips: Vec<(Value, Video)>,
    sheet: PathBuf,
}

/// Makes and uploads the film, creates the job, and shows its progress until a receiver has verified its webhook.
pub fn watch(started: &mut Started) -> anyhow::Result<Finished> {
    let api = Client::new(&started.run.api_url, &started.run.api_key);
    let source = ui::step(&format!("Making a film of {} s", film::SECONDS), || film::make(started))?;
    let key = upload(&api, &film::read(&source)?)?;
    ui::say(format!("\nUploaded {} as {key}", source.display()));
    let given = json!({ "amount": GIVEN, "type": "bonus", "description": "For the demo" });
    sent(&api, CREDITS, &given, 201)?;
    let began = Instant::now();
    let body = json!({
        "videoUrl": key, "requestedClipCount": 4, "clipDurations": ["15-30"], "layout": "vertical",
    });
    let created = sent(&api, JOBS, &body, 201)?;
    let id = created["id"].as_str().map(visible::line).context("the job has no id")?;
    ui::say(format!("Created {id}, which reserves {} credits", created["creditsReserved"]));
    let job = follow(started, &api, &id)?;
    let status = text(&job["status"]);
    if status != "succeeded" {
        bail!("the job ended with status {status}: {}", text(&job["errorMessage"]));
    }
    let delivery = await_delivery(started, "clips.completed", ("jobId", &id))?;
    let took = began.elapsed();
    let best = found(&api, &format!("{JOBS}/{id}?order=score"))?;
    let mut clips = Vec::new();
    for clip in best["output"]["clips"].as_array().into_iter().flatten() {
        let url = clip["url"].as_str().context("a clip has no URL")?;
        clips.push((clip.clone(), download(started, &api, url, &format!("clip-{}.mp4", clip["index"]))?));
    }
    anyhow::ensure!(!clips.is_empty(), "the job has no clips: {}", text(&job["errorMessage"]));
    let lengths = clips.iter().map(|(clip, video)| (video, clip["durationMs"].as_u64().unwrap_or(1).max(1)));
    let sheet = film::contact_sheet(started, &lengths.collect::<Vec<_>>())?;
    let credits = charged(started, &api, &id)?;
    Ok(Finished { job, credits, took, delivery, clips, sheet })
}

/// Uploads a video, and returns its key.
fn upload(api: &Client, bytes: &[u8]) -> anyhow::Result<String> {
    let wanted = json!({ "contentType": "video/mp4", "size": bytes.len() });
    let upload = sent(api, "/api/uploads", &wanted, 201)?;
    let url = upload["uploadUrl"].as_str().context("the upload has no URL")?;
    api.upload(url, "video/mp4", bytes)?;
    Ok(text(&upload["key"]))
}

/// The answer to a POST, which must have this status.
fn sent(api: &Client, path: &str, body: &Value, status: u16) -> anyhow::Result<Value> {
    let answer = api.post(path, body)?;
    anyhow::ensure!(answer.status == status, "POST {path} answered {}: {}", answer.status, answer.body);
    Ok(answer.body)
}

/// The answer to a GET.
fn found(api: &Client, path: &str) -> anyhow::Result<Value> {
    let answer = api.get(path, None)?;
    anyhow::ensure!(answer.status == 200, "GET {path} answered {}: {}", answer.status, answer.body);
    Ok(answer.body)
}

/// Shows the progress of a job, and each clip as it is finished, until its status is final.
fn follow(started: &mut Started, api: &Client, id: &str) -> anyhow::Result<Value> {
    let bar = ui::percent_bar();
    let (mut etag, mut shown, mut last) = (None, String::new(), Value::Null);
    let ended = interrupt::wait_for(TIMEOUT, POLL_INTERVAL, || {
        started.check()?;
        let Some(job) = api.changed(&format!("{JOBS}/{id}"), &mut etag)? else { return Ok(None) };
        let progress = job["progressPercent"].as_u64().unwrap_or_default();
        let clips = match &job["totalClips"] {
            Value::Null => String::new(),
            total => format!(", {} of {total} clips", job["clipsCompleted"]),
        };
        let message = format!("{}{clips}", text(&job["progressStage"]));
        bar.set_position(progress);
        bar.set_message(message.clone());
        if bar.is_hidden() && shown != message {
            ui::say(format!("  {progress:>3} %  {message}"));
            shown = message;
        }
        last = job;
        let is_final = matches!(last["status"].as_str(), Some("succeeded" | "failed" | "canceled"));
        Ok(is_final.then(|| last.clone()))
    })?;
    bar.finish();
    ended.with_context(|| {
        let (status, percent) = (&last["status"], &last["progressPercent"]);
        format!("the job did not end within {}: {status} at {percent} %", ui::seconds(TIMEOUT))
    })
}

/// Waits for the charge of a job, and returns the account.
fn charged(started: &mut Started, api: &Client, id: &str) -> anyhow::Result<Value> {
    let account = interrupt::wait_for(TIMEOUT, POLL_INTERVAL, || {
        started.check()?;
        let account = found(api, CREDITS)?;
        let mut entries = account["transactions"].as_array().into_iter().flatten();
        Ok(entries.any(|entry| entry["relatedJobId"] == id).then_some(account))
    })?;
    account.with_context(|| format!("the job was not charged within {}", ui::seconds(TIMEOUT)))
}

/// Shows the result, and plays the best clip; `keeps_running` says whether the stack keeps running.
pub fn show(started: &Started, finished: &Finished, keeps_running: bool) {
    let Finished { job, credits, took, delivery, clips, sheet } = finished;
    println!(
        "\nThe clips are cut and a receiver has verified the webhook, {} after the request.\n",
        ui::seconds(*took)
    );
    println!("  job        {}   {}", text(&job["id"]), text(&job["status"]));
    for (clip, video) in clips {
        let second = |name: &str| clip[name].as_u64().unwrap_or_default() as f64 / 1000.0;
        let (start, end) = (second("startMs"), second("endMs"));
        println!("  clip {:<5} {start:.1} to {end:.1} s   score {}", clip["index"], clip["score"]);
        println!("               {}", parts(&clip["scoreBasis"]));
        println!("               {}", video.path().display());
    }
    println!("  sheet      {}", sheet.display());
    show_delivery(delivery);
    println!("  credits    {} charged; balance {}", job["creditsCharged"], credits["balance"]);
    for entry in credits["transactions"].as_array().into_iter().flatten() {
        println!(
            "               {:>+5}   {}",
            entry["amount"].as_i64().unwrap_or_default(),
            text(&entry["description"])
        );
    }
    println!("\nEach clip begins and ends at a change of the scene, in a pause, or where nothing better is near.");
    let run = &started.run;
    let (api, studio) = (&run.api_url, &run.studio_url);
    if keeps_running {
        let id = text(&job["id"]);
        println!("\nThe stack keeps running:");
        println!("  curl {api}{JOBS}/{id}?order=score");
        println!(
            "  curl {api}{JOBS}/{id}/clips/0 -H 'Content-Type: application/json' -d '{{\"start\": 2, \"end\": 12}}'"
        );
        println!("  {studio}/   the webhooks that its receiver got");
        println!("  cargo xtask logs --instance {0} --follow\n  cargo xtask down --instance {0}", run.instance);
    } else {
        println!("\nNext:");
        println!("  cargo xtask demo --clips --keep   the same, and keeps the stack running for your own requests");
        println!("  cargo xtask up                    a stack for your own requests; Ctrl-C stops it");
    }
    if let Some((_, best)) = clips.first() {
        player::play(best.path());
    }
}

/// The parts of a score on one line.
fn parts(basis: &Value) -> String {
    let parts = basis.as_object().into_iter().flatten();
    parts.map(|(name, value)| format!("{} {value}", visible::line(name))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_score_are_on_one_line() {
        assert_eq!(parts(&json!({ "energy": 0.5, "scenes": 1 })), "energy 0.5, scenes 1");
        assert_eq!(parts(&Value::Null), "");
    }
}
