//! What every demo ends with: the video on the disk, the webhook that arrived, and hints for what to do next.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::http::Client;
use crate::up::Started;
use crate::{interrupt, mp4, screen, ui, visible};

/// How long the work may take.
pub const TIMEOUT: Duration = Duration::from_secs(180);
/// How long the webhook may take after the work has ended.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(60);
/// How often progress is read.
pub const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// The file of a demo that makes one video.
pub const VIDEO: &str = "video.mp4";

/// A video on the disk.
pub struct Video {
    path: PathBuf,
    bytes: u64,
    length: Option<Duration>,
}

impl Video {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Waits for a webhook of this event whose data has this id, and for the results of every verifier: each must accept
/// it.
pub fn await_delivery(started: &mut Started, event: &str, (name, id): (&str, &str)) -> anyhow::Result<Value> {
    let mock_services = Client::new(&started.run.studio_url, "");
    let path = format!("/hooks/demo/received?event={event}");
    let found = interrupt::wait_for(WEBHOOK_TIMEOUT, POLL_INTERVAL, || {
        started.check()?;
        let answer = mock_services.get(&path, None)?;
        let mut received = answer.body["received"].as_array().into_iter().flatten();
        let arrived =
            received.find(|delivery| delivery["body"]["data"][name] == id && delivery["verification"].is_object());
        Ok(arrived.cloned())
    })?;
    let delivery =
        found.with_context(|| format!("the webhook {event} did not arrive within {}", ui::seconds(WEBHOOK_TIMEOUT)))?;
    let checks = screen::verification(&delivery["verification"]);
    if let Some(refusal) = checks.iter().find(|line| line.starts_with("REFUSED")) {
        bail!("a receiver did not accept the webhook's signature: {refusal}");
    }
    Ok(delivery)
}

/// Downloads a video into the instance's directory, under this name.
pub fn download(started: &Started, client: &Client, url: &str, name: &str) -> anyhow::Result<Video> {
    let bytes = client.download(url).with_context(|| format!("download the video at {}", visible::line(url)))?;
    let path = started.instance.path(name);
    fs::write(&path, &bytes).with_context(|| format!("write {}", path.display()))?;
    Ok(Video { path, bytes: bytes.len() as u64, length: mp4::duration(&bytes) })
}

/// Prints where the video is, if there is one.
pub fn show_video(video: Option<&Video>) {
    match video {
        Some(Video { path, bytes, length }) => {
            let length = length.map_or(String::new(), |length| format!(", plays {}", ui::seconds(length)));
            println!("  video      {}   {}{length}", path.display(), ui::bytes(*bytes));
        }
        None => println!("  video      none"),
    }
}

/// Prints the webhook, and the result of each verifier.
pub fn show_delivery(delivery: &Value) {
    println!("  webhook    {}   {}", text(&delivery["event"]), text(&delivery["webhook_id"]));
    for line in screen::verification(&delivery["verification"]) {
        println!("               {line}");
    }
}

/// A text of an answer, to be printed.
pub fn text(value: &Value) -> String {
    visible::line(value.as_str().unwrap_or("-"))
}
