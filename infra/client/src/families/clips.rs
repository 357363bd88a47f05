//! Clip jobs: clips are cut out of one long video.

use std::path::Path;
use std::str::FromStr;

use clap::Args;
use serde_json::{Value, json};

use super::family::{Creation, Family, Outcome, Paths, Remote, State, is_uuid, percent, text};
use crate::api::{Api, upload};
use crate::failure::Failure;

/// Where clip jobs are.
const JOBS: &str = "/api/ai-clipping-agent/jobs";

/// Clip jobs.
pub struct Clips;

/// What clips are cut out of, and how.
#[derive(Debug, Args)]
pub struct Submit {
    /// The video: a URL, the page of a video site, the `key` of an upload, or a file, which is uploaded
    source: String,
    /// Number of clips
    #[arg(long, value_name = "NUMBER")]
    count: Option<u32>,
    /// Lengths that clips may have, in seconds; may be repeated
    #[arg(long = "length", value_name = "SECONDS", value_parser = ["15-30", "30-60", "60-120"])]
    lengths: Vec<String>,
    /// A part of the video, in seconds, such as `60-300`; may be repeated
    #[arg(long = "range", value_name = "START-END")]
    ranges: Vec<Range>,
    /// `vertical` for phones, or `original`
    #[arg(long, value_parser = ["vertical", "original"])]
    layout: Option<String>,
    /// Use an earlier job with the same request, if there is one
    #[arg(long)]
    reuse: bool,
    /// URL that gets webhooks about the job
    #[arg(long, value_name = "URL")]
    callback_url: Option<String>,
}

/// A part of a video, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    start: f64,
    end: f64,
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Option<(f64, f64)> =
            text.split_once('-').and_then(|(start, end)| Some((start.parse().ok()?, end.parse().ok()?)));
        match numbers {
            Some((start, end)) if f64::is_finite(start) && f64::is_finite(end) && start < end => {
                Ok(Self { start, end })
            }
            _ => Err("expected START-END in seconds, such as 60-300".to_owned()),
        }
    }
}

impl Submit {
    /// The request. A file is uploaded first.
    pub async fn creation(&self, api: &Api) -> Result<Creation, Failure> {
        let is_there = self.source.starts_with("uploads/") && !Path::new(&self.source).exists();
        let is_url = self.source.starts_with("http://") || self.source.starts_with("https://");
        let source = match is_url || is_there {
            true => json!(self.source),
            false => upload::upload(api, Path::new(&self.source)).await?["key"].clone(),
        };
        Ok(Creation { path: JOBS, body: self.body(&source), id_member: "id" })
    }

    fn body(&self, source: &Value) -> Value {
        let mut body = json!({ "videoUrl": source });
        let ranges = self.ranges.iter().map(|range| json!({ "start": range.start, "end": range.end }));
        let members = [
            ("requestedClipCount", json!(self.count)),
            ("clipDurations", if self.lengths.is_empty() { Value::Null } else { json!(self.lengths) }),
            ("ranges", if self.ranges.is_empty() { Value::Null } else { ranges.collect() }),
            ("layout", json!(self.layout)),
            ("reuse", if self.reuse { json!(true) } else { Value::Null }),
            ("callbackUrl", json!(self.callback_url)),
        ];
        for (name, value) in members.into_iter().filter(|(_, value)| !value.is_null()) {
            body[name] = value;
        }
        body
    }
}

impl Family for Clips {
    fn name(&self) -> &'static str {
        "clips"
    }

    fn may_have(&self, id: &str) -> bool {
        is_uuid(id)
    }

    fn paths(&self, id: &str) -> Paths {
        Paths::below(format!("{JOBS}/{id}"))
    }

    fn read(&self, id: &str, body: &Value) -> State {
        let mut state = State {
            id: id.to_owned(),
            family: self.name(),
            status: String::new(),
            progress: 0,
            step: None,
            error: None,
            outcome: None,
            files: body["output"]["clips"].as_array().into_iter().flatten().filter_map(|clip| file(id, clip)).collect(),
        };
        change(&mut state, body);
        state
    }

    fn update(&self, state: &mut State, event: &Value) {
        if matches!(event["type"].as_str(), Some("clips_update" | "clip_update")) {
            change(state, event);
        }
    }
}

/// A clip's file, if it is there.
fn file(id: &str, clip: &Value) -> Option<Remote> {
    let index = clip["index"].as_u64()?;
    Remote::at(&clip["url"], format!("{id}-clip-{index}.mp4"), index.to_string())
}

/// The members that the job and its events have in common.
fn change(state: &mut State, value: &Value) {
    if let Some(status) = text(&value["status"]) {
        state.outcome = match status.as_str() {
            "succeeded" => Some(Outcome::Succeeded),
            "failed" => Some(Outcome::Failed),
            "canceled" => Some(Outcome::Cancelled),
            _ => None,
        };
        state.status = status;
        state.error = text(&value["errorMessage"]);
    }
    if let Some(progress) = percent(&value["progressPercent"]) {
        state.progress = progress;
    }
    if let Some(stage) = text(&value["progressStage"]) {
        state.step = Some(match (value["clipsCompleted"].as_u64(), value["totalClips"].as_u64()) {
            (Some(done), Some(total)) if total > 0 => format!("{stage}, {done} of {total} clips"),
            (_, _) => stage,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "550e8400-e29b-41d4-a716-446655440000";

    #[test]
    fn a_clip_job_is_read_and_changed_by_events() {
        let body = json!({ "id": ID, "status": "running", "progressPercent": 60, "progressStage": "Cutting",
            "clipsCompleted": 1, "totalClips": 2, "errorMessage": null,
            "output": { "clips": [{ "index": 0, "url": "https://api.example/0.mp4" }, { "index": 1, "url": null }] } });
        let mut state = Clips.read(ID, &body);
        assert_eq!((state.progress, state.step.as_deref()), (60, Some("Cutting, 1 of 2 clips")));
        let files = state.files.iter().map(|file| (file.kind.as_str(), file.name.clone())).collect::<Vec<_>>();
        assert_eq!(files, [("0", format!("{ID}-clip-0.mp4"))]);
        let event = json!({ "type": "clips_update", "status": "failed", "progressPercent": 60, "progressStage": "Failed",
            "clipsCompleted": 1, "totalClips": 2, "errorMessage": "The source can't be read" });
        Clips.update(&mut state, &event);
        assert_eq!((state.outcome, state.error.as_deref()), (Some(Outcome::Failed), Some("The source can't be read")));
    }

    #[test]
    fn a_request_has_what_is_given() {
        let submit = Submit {
            source: "https://media.example/talk.mp4".to_owned(),
            count: Some(3),
            lengths: vec!["15-30".to_owned()],
            ranges: vec!["60-300".parse().unwrap(), "400.5-500".parse().unwrap()],
            layout: None,
            reuse: false,
            callback_url: None,
        };
        let expected = json!({ "videoUrl": "https://media.example/talk.mp4", "requestedClipCount": 3,
            "clipDurations": ["15-30"], "ranges": [{ "start": 60.0, "end": 300.0 }, { "start": 400.5, "end": 500.0 }] });
        assert_eq!(submit.body(&json!("https://media.example/talk.mp4")), expected);
    }

    #[test]
    fn ranges_have_a_start_and_a_later_end() {
        for wrong in ["", "60", "60-", "300-60", "a-b", "-1-2", "1-inf"] {
            assert!(wrong.parse::<Range>().is_err(), "{wrong}");
        }
    }
}
