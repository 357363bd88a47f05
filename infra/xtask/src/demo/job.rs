//! The demo of a job: from its submission to a finished video and a verified webhook.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::outcome::{POLL_INTERVAL, TIMEOUT, VIDEO, Video, await_delivery, download, show_delivery, show_video, text};
use crate::http::Client;
use crate::up::Started;
use crate::{interrupt, screen, ui, visible};

/// The result of the demo.
pub struct Finished {
    job: Value,
    took: Duration,
    delivery: Value,
    video: Option<Video>,
}

/// Submits a job, and shows its progress until a receiver has verified its webhook.
pub fn watch(started: &mut Started) -> anyhow::Result<Finished> {
    let api = Client::new(&started.run.api_url, &started.run.api_key);
    let began = Instant::now();
    let submitted = api.post("/api/generate", &serde_json::from_str(screen::EXAMPLE).expect("a constant"))?;
    let id = match (submitted.status, submitted.body["jobId"].as_str()) {
        (200, Some(id)) => visible::line(id),
        (status, _) => bail!("POST /api/generate answered {status}: {}", submitted.body),
    };
    ui::say(format!("\nSubmitted {id}"));
    let job = follow(started, &api, &id)?;
    let status = job["status"].as_str().unwrap_or_default();
    if status != "completed" {
        let (status, error) = (visible::line(status), job["error"].as_str().unwrap_or("no error is given"));
        bail!("the job ended with status {status}: {}", visible::line(error));
    }
    let delivery = await_delivery(started, "job.completed", ("job_id", &id))?;
    let took = began.elapsed();
    let video = match job["videoUrl"].as_str() {
        Some(url) => Some(download(started, &api, url, VIDEO)?),
        None => None,
    };
    Ok(Finished { job, took, delivery, video })
}

/// Shows a job's progress until its status is final.
fn follow(started: &mut Started, api: &Client, id: &str) -> anyhow::Result<Value> {
    let bar = ui::percent_bar();
    let (mut etag, mut shown, mut last) = (None, String::new(), Value::Null);
    let ended = interrupt::wait_for(TIMEOUT, POLL_INTERVAL, || {
        started.check()?;
        let Some(answer) = api.changed(&format!("/api/job/{id}"), &mut etag)? else { return Ok(None) };
        let job = answer["job"].clone();
        let progress = job["progress"].as_u64().unwrap_or_default();
        let status = visible::line(job["status"].as_str().unwrap_or_default());
        let step = visible::line(job["currentStep"].as_str().unwrap_or(&status));
        bar.set_position(progress);
        bar.set_message(step.clone());
        if bar.is_hidden() && shown != step {
            ui::say(format!("  {progress:>3} %  {status:<10}  {step}"));
            shown = step;
        }
        let is_final = matches!(status.as_str(), "completed" | "failed" | "cancelled");
        last = job.clone();
        Ok(is_final.then_some(job))
    })?;
    bar.finish();
    ended.with_context(|| {
        format!("the job did not end within {}: {} at {} %", ui::seconds(TIMEOUT), last["status"], last["progress"])
    })
}

/// Shows the result; `keeps_running` says whether the stack does.
pub fn show(started: &Started, finished: &Finished, keeps_running: bool) {
    let Finished { job, took, delivery, video } = finished;
    println!(
        "\nThe job is completed and a receiver has verified the webhook, {} after the submission.\n",
        ui::seconds(*took)
    );
    println!("  job        {}   {}, {} %", text(&job["id"]), text(&job["status"]), job["progress"]);
    show_video(video.as_ref());
    show_delivery(delivery);
    println!(
        "\nEach step ran in a real Lambda bootstrap, triggered by DynamoDB streams and SQS, as template.yaml says.\n"
    );
    let run = &started.run;
    let (api, studio) = (&run.api_url, &run.studio_url);
    if keeps_running {
        let id = text(&job["id"]);
        println!("The stack keeps running:");
        println!("  curl {api}/api/job/{id}");
        println!("  curl {api}/api/generate -H 'Content-Type: application/json' \\\n    -d '{}'", screen::EXAMPLE);
        println!("  {studio}/   history of the mock services, and the webhooks that they received");
        println!("  cargo xtask logs --instance {0} --follow\n  cargo xtask down --instance {0}", run.instance);
    } else {
        println!("Next:");
        println!("  cargo xtask demo --keep   the same, and keeps the stack running for your own requests");
        println!("  cargo xtask up            a stack for your own requests; Ctrl-C stops it");
    }
}
