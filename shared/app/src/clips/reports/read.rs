//! Reads what a worker says about a job: `event` decides what kind of report it is, and `status` where the event is not
//! known. Null means absent, unknown members are ignored, and values that can't be used count as absent.

use std::collections::BTreeSet;

use reelhook_domain::clips::event::{ReportKind, ReportedClip, WorkerOutput, WorkerReport};
use reelhook_domain::clips::request::{MAX_CLIPS, Range};
use reelhook_domain::projects::media::File;
use reelhook_domain::{ClipJobId, brief, cut};
use serde_json::Value;

use super::fields::{member, ms, parts, percent, score, text, whole, word, words};
use super::files::WorkerFiles;
use crate::Url;
use crate::outbound::conceal::concealed;

/// The longest text about what the worker does, in bytes.
const STAGE_LIMIT: usize = 200;
/// The longest reason of a failure, in bytes.
const ERROR_LIMIT: usize = 2048;
/// The longest text about a clip, in bytes.
const SUMMARY_LIMIT: usize = 2048;
/// The longest word about a clip, in bytes.
const TAG_LIMIT: usize = 64;
/// Clips that a worker counts at most, and the greatest index of one.
const MOST_COUNTED: u32 = 10_000;
/// Names of files that can't be used, at most.
const MOST_UNUSABLE: usize = 10;
/// Milliseconds of the two units of times.
const SECOND: f64 = 1000.0;
const MILLISECOND: f64 = 1.0;

/// Reads a report about a job; none if neither its event nor its status is known.
pub fn read(files: &WorkerFiles, job: &ClipJobId, body: &Value) -> Option<WorkerReport> {
    let kind = kind(body)?;
    let ended_badly = matches!(kind, ReportKind::Failed | ReportKind::Canceled);
    let output = output(files, job, body);
    let total = whole(&body["total_clips"], MOST_COUNTED);
    Some(WorkerReport {
        kind,
        progress: percent(&body["progress_percent"]),
        stage: text(member(body, &["current_step", "progress_stage"]), STAGE_LIMIT).map(without_secrets),
        clips_completed: whole(&body["clips_completed"], MOST_COUNTED),
        total_clips: total.or_else(|| whole(&body["output"]["total_clips"], MOST_COUNTED)),
        error: error(body).filter(|_| ended_badly),
        output: output.map(Box::new),
    })
}

/// What kind of report it is.
fn kind(body: &Value) -> Option<ReportKind> {
    let by_event = word(&body["event"]).and_then(|event| kind_of_event(&event));
    by_event.or_else(|| kind_of_status(&word(&body["status"])?))
}

fn kind_of_event(event: &str) -> Option<ReportKind> {
    Some(match event {
        "job.queued" => ReportKind::Queued,
        "job.started" | "job.progress" => ReportKind::Running,
        "job.completed" => ReportKind::Completed,
        "job.failed" => ReportKind::Failed,
        "job.canceled" | "job.cancelled" => ReportKind::Canceled,
        _ => return None,
    })
}

fn kind_of_status(status: &str) -> Option<ReportKind> {
    Some(match status {
        "pending" | "queued" => ReportKind::Queued,
        "running" | "processing" | "started" | "in_progress" | "downloading" | "transcribing" | "planning"
        | "detecting" | "rendering" | "uploading" => ReportKind::Running,
        "succeeded" | "success" | "completed" | "complete" => ReportKind::Completed,
        "failed" | "error" => ReportKind::Failed,
        "canceled" | "cancelled" => ReportKind::Canceled,
        _ => return None,
    })
}

/// The reason of a failure: a text, or an object with one.
fn error(body: &Value) -> Option<String> {
    let said = member(body, &["error", "error_message"]);
    let said = text(said, usize::MAX).or_else(|| text(&said["message"], usize::MAX))?;
    Some(cut(&without_secrets(said), ERROR_LIMIT).to_owned())
}

/// A text without tokens of ours: workers repeat the URL of a callback that they could not reach.
fn without_secrets(text: &str) -> String {
    concealed(text, None)
}

/// What the worker made; none if it says nothing about that.
fn output(files: &WorkerFiles, job: &ClipJobId, body: &Value) -> Option<WorkerOutput> {
    let output = &body["output"];
    if !output.is_object() {
        return None;
    }
    let mut named = NamedFiles { files, job, unusable: Vec::new() };
    let (mut clips, mut known) = (Vec::new(), BTreeSet::new());
    for (place, clip) in (0..).zip(output["clips"].as_array().into_iter().flatten()) {
        let index = if clip.is_object() { index(clip, place) } else { None };
        if clips.len() < MAX_CLIPS as usize
            && let Some(index) = index.filter(|index| known.insert(*index))
        {
            clips.push(reported(&mut named, index, clip));
        }
    }
    Some(WorkerOutput {
        clips,
        source_ms: ms(&output["source_video_duration_seconds"], SECOND).filter(|ms| *ms > 0),
        transcript: named.read(output, &["transcript_url"]),
        plan: named.read(output, &["plan_url"]),
        unusable: named.unusable,
    })
}

/// The index of a clip: its place in the list, if it names none.
fn index(clip: &Value, place: u32) -> Option<u32> {
    let sent = member(clip, &["clip_index", "index"]);
    if sent.is_null() { Some(place) } else { whole(sent, MOST_COUNTED) }
}

fn reported(named: &mut NamedFiles<'_>, index: u32, clip: &Value) -> ReportedClip {
    let duration = ms(&clip["duration_ms"], MILLISECOND);
    ReportedClip {
        index,
        file: named.read(clip, &["s3_url", "url"]),
        range: range(clip),
        duration_ms: duration.or_else(|| ms(&clip["duration_seconds"], SECOND)),
        score: score(member(clip, &["virality_score", "score"])),
        score_basis: parts(member(clip, &["score_basis", "score_breakdown"])),
        summary: text(&clip["summary"], SUMMARY_LIMIT).map(str::to_owned),
        tags: words(&clip["tags"], TAG_LIMIT),
        layout: text(member(clip, &["layout", "layout_type"]), TAG_LIMIT).map(str::to_owned),
    }
}

/// Where a clip is in its source.
fn range(clip: &Value) -> Option<Range> {
    let at = |in_ms: &str, names: [&str; 2]| ms(&clip[in_ms], MILLISECOND).or_else(|| ms(member(clip, &names), SECOND));
    let start_ms = at("start_ms", ["start_time_seconds", "start_time"])?;
    let end_ms = at("end_ms", ["end_time_seconds", "end_time"])?;
    (start_ms < end_ms).then_some(Range { start_ms, end_ms })
}

/// Reads files, and notes the names of those that can't be used.
struct NamedFiles<'a> {
    files: &'a WorkerFiles,
    job: &'a ClipJobId,
    unusable: Vec<String>,
}

impl NamedFiles<'_> {
    /// The file that an object names.
    fn read(&mut self, object: &Value, names: &[&str]) -> Option<File> {
        let sent = member(object, names);
        let name = match sent {
            Value::Null => return None,
            Value::String(name) if name.trim().is_empty() => return None,
            Value::String(name) => name.trim(),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => "",
        };
        let file = self.files.file(self.job, name);
        if file.is_none() && self.unusable.len() < MOST_UNUSABLE {
            let shown = if name.is_empty() { names[0].to_owned() } else { without_credentials(name) };
            self.unusable.push(brief(&without_secrets(&shown)));
        }
        file
    }
}

/// The name of a file without what may be secret in a URL: a user, and the signature in a query.
fn without_credentials(name: &str) -> String {
    match Url::parse(name) {
        Ok(url) if url.has_host() => {
            format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
        }
        Ok(_) | Err(_) => name.split('?').next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests;
