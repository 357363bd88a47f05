//! `cargo xtask demo`: runs one job from its submission to a finished video and a verified webhook, and shows it.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::http::Client;
use crate::instance::Run;
use crate::up::{Options, Started};
use crate::workspace::Workspace;
use crate::{interrupt, logs, mp4, screen, ui, up, visible};

/// How long the job may take.
const JOB_TIMEOUT: Duration = Duration::from_secs(180);
/// How long the webhook may take after the job has ended.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The result of the demo.
struct Finished {
    job: Value,
    took: Duration,
    delivery: Value,
    video: Option<Video>,
}

struct Video {
    path: PathBuf,
    bytes: u64,
    length: Option<Duration>,
}

/// Runs the demo; `keep` keeps the stack running.
pub fn run(
    workspace: &Workspace,
    instance: crate::instance::Instance,
    options: &Options,
    keep: bool,
) -> anyhow::Result<()> {
    let mut started = up::start(workspace, instance, options)?;
    let outcome = watch_job(&mut started);
    match &outcome {
        Ok(finished) => show(&started, finished, keep || !started.is_ours()),
        Err(error) if error.is::<interrupt::Interrupted>() => {}
        Err(_) => show_failure(&started.run),
    }
    if keep && !outcome.as_ref().is_err_and(|error| error.is::<interrupt::Interrupted>()) {
        started.detach()?;
    }
    outcome.map(drop)
}

fn watch_job(started: &mut Started) -> anyhow::Result<Finished> {
    let run = started.run.clone();
    let api = Client::new(&run.api_url, &run.api_key);
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
    let delivery = await_delivery(started, &run, &id)?;
    let took = began.elapsed();
    if let Some(refusal) =
        screen::verification(&delivery["verification"]).iter().find(|line| line.starts_with("REFUSED"))
    {
        bail!("a receiver did not accept the webhook's signature: {refusal}");
    }
    let video = match job["videoUrl"].as_str() {
        Some(url) => Some(download(started, &api, url)?),
        None => None,
    };
    Ok(Finished { job, took, delivery, video })
}

/// Shows a job's progress until its status is final.
fn follow(started: &mut Started, api: &Client, id: &str) -> anyhow::Result<Value> {
    let bar = ui::percent_bar();
    let (mut etag, mut shown, mut last) = (None, String::new(), Value::Null);
    let ended = interrupt::wait_for(JOB_TIMEOUT, POLL_INTERVAL, || {
        started.check()?;
        let answer = api.get(&format!("/api/job/{id}"), etag.as_deref())?;
        match answer.status {
            304 => return Ok(None),
            200 => {}
            status => bail!("GET /api/job/{id} answered {status}: {}", answer.body),
        }
        etag = answer.etag;
        let job = answer.body["job"].clone();
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
        format!("the job did not end within {}: {} at {} %", ui::seconds(JOB_TIMEOUT), last["status"], last["progress"])
    })
}

/// Waits for the webhook `job.completed` and the results of every verifier.
fn await_delivery(started: &mut Started, run: &Run, id: &str) -> anyhow::Result<Value> {
    let mock_services = Client::new(&run.studio_url, "");
    let found = interrupt::wait_for(WEBHOOK_TIMEOUT, POLL_INTERVAL, || {
        started.check()?;
        let answer = mock_services.get("/hooks/demo/received?event=job.completed", None)?;
        let mut received = answer.body["received"].as_array().into_iter().flatten();
        let arrived =
            received.find(|delivery| delivery["body"]["data"]["job_id"] == id && delivery["verification"].is_object());
        Ok(arrived.cloned())
    })?;
    found.with_context(|| format!("the webhook job.completed did not arrive within {}", ui::seconds(WEBHOOK_TIMEOUT)))
}

fn download(started: &Started, client: &Client, url: &str) -> anyhow::Result<Video> {
    let bytes = client.download(url).with_context(|| format!("download the video at {}", visible::line(url)))?;
    let path = started.instance.path("video.mp4");
    fs::write(&path, &bytes).with_context(|| format!("write {}", path.display()))?;
    Ok(Video { path, bytes: bytes.len() as u64, length: mp4::duration(&bytes) })
}

fn show(started: &Started, finished: &Finished, keeps_running: bool) {
    let Finished { job, took, delivery, video } = finished;
    let text = |value: &Value| visible::line(value.as_str().unwrap_or("-"));
    println!(
        "\nThe job is completed and a receiver has verified the webhook, {} after the submission.\n",
        ui::seconds(*took)
    );
    println!("  job        {}   {}, {} %", text(&job["id"]), text(&job["status"]), job["progress"]);
    match video {
        Some(Video { path, bytes, length }) => {
            let length = length.map_or(String::new(), |length| format!(", plays {}", ui::seconds(length)));
            println!("  video      {}   {}{length}", path.display(), ui::bytes(*bytes));
        }
        None => println!("  video      none"),
    }
    println!("  webhook    {}   {}", text(&delivery["event"]), text(&delivery["webhook_id"]));
    for line in screen::verification(&delivery["verification"]) {
        println!("               {line}");
    }
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

fn show_failure(run: &Run) {
    let warnings = logs::last_warnings(&run.function_log, 10);
    if !warnings.is_empty() {
        eprintln!("\nLast warnings in the function logs:");
        warnings.iter().for_each(|line| eprintln!("  {line}"));
    }
    let paths = [&run.function_log, &run.emulator_log, &run.studio_log].map(|path| path.display().to_string());
    eprintln!("\nLogs: {}", paths.join("\n      "));
}
