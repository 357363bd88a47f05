//! A clip job as clients see it, with the clips that are there.

use std::cmp::Reverse;
use std::fmt;

use reelhook_domain::clips::clip::Clip;
use reelhook_domain::clips::request::{ClipRequest, Layout, Range, Source};
use reelhook_domain::clips::run::Engine;
use reelhook_domain::projects::media::File;
use reelhook_domain::{ClipJob, Metadata, OwnerId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Number, Value};
use strum::IntoStaticStr;

use super::names::{ClipJobIdText, ClipStatusText};
use crate::views::wire::{MetadataText, Time};

/// The order of clips in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum ClipOrder {
    /// By their indexes.
    #[default]
    Index,
    /// The best first; clips without a score come last.
    Score,
    /// As they are in the source; clips that are nowhere in it come last.
    Timeline,
}

impl ClipOrder {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// How a clip job is shown.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// The URL of a file.
    pub url: &'a dyn Fn(&File) -> Option<String>,
    /// The order of its clips.
    pub order: ClipOrder,
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").field("order", &self.order).finish_non_exhaustive()
    }
}

/// A clip job.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ClipJob")]
pub struct ClipJobView<'a> {
    /// The job's id.
    #[schemars(with = "ClipJobIdText")]
    id: &'a str,
    /// What is there of it.
    #[serde(flatten)]
    state: ClipJobState<'a>,
    /// When it was created.
    created_at: Time,
    /// The video: its URL, or the `key` of its upload.
    source: &'a str,
    /// The length of the video in milliseconds, once it is known.
    source_duration_ms: Option<u64>,
    /// What cuts the clips: an outside worker, or our renderers, whose clips can be cut again.
    #[schemars(extend("enum" = ["worker", "renderer"]))]
    cut_by: &'static str,
    /// The members of the request that our renderers do not use; absent if there are none, and where a worker cuts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("items" = { "type": "string", "enum": ["targetPlatform", "captions", "keywords"] }))]
    ignored: Vec<&'static str>,
    /// The caller's own data; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "MetadataText")]
    metadata: Option<&'a Metadata>,
}

/// What is there of a clip job.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClipJobState<'a> {
    /// The status.
    #[schemars(with = "ClipStatusText")]
    status: &'static str,
    /// Per cent, 0 to 100. It never falls within an attempt.
    #[schemars(range(min = 0, max = 100))]
    progress_percent: u8,
    /// What is done at present, for people.
    progress_stage: &'a str,
    /// Clips that are finished. The number never falls within an attempt.
    clips_completed: u32,
    /// Clips that there will be, once that is known.
    total_clips: Option<u32>,
    /// Why it failed, or a note such as that there are no clips.
    error_message: Option<&'a str>,
    /// When its last attempt was started.
    started_at: Option<Time>,
    /// When its last attempt ended.
    completed_at: Option<Time>,
    /// What it made so far.
    output: OutputView<'a>,
    /// Credits that are reserved for its present attempt.
    credits_reserved: u64,
    /// Credits that it was charged, for all attempts.
    credits_charged: u64,
    /// The owner; null for a job of an operator.
    owner: Option<&'a str>,
}

/// What a clip job made.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ClipOutput")]
pub struct OutputView<'a> {
    /// The clips that are there.
    clips: Vec<ClipView<'a>>,
    /// The transcript, if the worker made one.
    transcript_url: Option<String>,
    /// The plan by which the clips were chosen, if there is one.
    plan_url: Option<String>,
}

/// A clip.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Clip")]
pub struct ClipView<'a> {
    /// Its number in the job, from 0.
    index: u32,
    /// The video: a link that is valid for 7 days, or the URL at the worker until it is copied. Null if what the worker named
    /// can't be used.
    url: Option<String>,
    /// Where it starts in the source, in milliseconds, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    start_ms: Option<u64>,
    /// Where it ends in the source, in milliseconds, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    end_ms: Option<u64>,
    /// The range that it will have, while it is cut again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "RecutView")]
    recut: Option<RecutView>,
    /// Its length in milliseconds.
    duration_ms: Option<u64>,
    /// Its score, from 0 to 1.
    #[schemars(with = "Option<f64>")]
    score: Option<&'a Number>,
    /// The parts of the score by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Map<String, Value>")]
    score_basis: Option<&'a Map<String, Value>>,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    summary: Option<&'a str>,
    /// Words about it.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    /// Its shape, such as `original` or `vertical`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    layout: Option<&'a str>,
}

/// A range of the source, from which a clip is cut again.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ClipRecut")]
struct RecutView {
    /// Where it starts, in milliseconds.
    start_ms: u64,
    /// Where it ends, in milliseconds.
    end_ms: u64,
}

impl From<Range> for RecutView {
    fn from(Range { start_ms, end_ms }: Range) -> Self {
        Self { start_ms, end_ms }
    }
}

/// A clip job.
pub fn job<'a>(of: &'a ClipJob, shown: Shown<'_>) -> ClipJobView<'a> {
    let metadata = &of.request.metadata;
    ClipJobView {
        id: of.id.uuid(),
        state: state(of, shown),
        created_at: of.created_at.into(),
        source: match &of.request.source {
            Source::Page(url) | Source::File(url) => url.as_str(),
            Source::Upload(key) => key,
        },
        source_duration_ms: of.run.source_ms,
        cut_by: match &of.run.engine {
            Engine::Worker(_) => "worker",
            Engine::Own(_) => "renderer",
        },
        ignored: ignored(of),
        metadata: Some(metadata).filter(|metadata| !metadata.is_empty()),
    }
}

/// The members of the request that only a worker uses, if our renderers cut. A platform is used if clips have its shape.
fn ignored(of: &ClipJob) -> Vec<&'static str> {
    let ClipRequest { platform, captions, keywords, layout, .. } = &of.request;
    let has_shape = |platform: &String| Layout::of_platform(platform) == Some(*layout);
    let given = [
        ("targetPlatform", platform.as_ref().is_some_and(|platform| !has_shape(platform))),
        ("captions", *captions),
        ("keywords", !keywords.is_empty()),
    ];
    match &of.run.engine {
        Engine::Worker(_) => Vec::new(),
        Engine::Own(_) => given.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name).collect(),
    }
}

/// What is there of a clip job.
pub(super) fn state<'a>(of: &'a ClipJob, shown: Shown<'_>) -> ClipJobState<'a> {
    let url = |file: Option<&File>| (shown.url)(file?);
    ClipJobState {
        status: of.status.name(),
        progress_percent: of.run.progress,
        progress_stage: &of.run.stage,
        clips_completed: of.run.clips_completed,
        total_clips: of.run.total_clips,
        error_message: of.error.as_deref(),
        started_at: of.started_at.map(Time),
        completed_at: of.ended_at.map(Time),
        output: OutputView {
            clips: ordered(of, shown.order).into_iter().map(|one| clip(one, url(one.file.as_ref()))).collect(),
            transcript_url: url(of.transcript.as_ref()),
            plan_url: url(of.plan.as_ref()),
        },
        credits_reserved: of.credits.reserved,
        credits_charged: of.credits.charged,
        owner: owner(of),
    }
}

/// The owner of a job as clients know it.
pub(super) fn owner(of: &ClipJob) -> Option<&str> {
    of.origin.owner.as_ref().map(OwnerId::as_str)
}

/// A clip with the URL of its file.
pub(super) fn clip(of: &Clip, url: Option<String>) -> ClipView<'_> {
    let range = of.shown_range();
    ClipView {
        index: of.index,
        url,
        start_ms: range.map(|range| range.start_ms),
        end_ms: range.map(|range| range.end_ms),
        recut: of.previous.and(of.range).map(Into::into),
        duration_ms: of.duration_ms,
        score: of.score.as_ref(),
        score_basis: Some(&of.score_basis).filter(|basis| !basis.is_empty()),
        summary: of.summary.as_deref(),
        tags: &of.tags,
        layout: of.layout.as_deref(),
    }
}

/// The clips that are there: those that our renderers have cut, and all that a worker reported.
fn ordered(of: &ClipJob, order: ClipOrder) -> Vec<&Clip> {
    let is_there = |clip: &&Clip| clip.is_ready() || of.run.engine.worker().is_some();
    let mut clips: Vec<&Clip> = of.clips.iter().filter(is_there).collect();
    match order {
        ClipOrder::Index => {}
        ClipOrder::Score => {
            let score = |clip: &Clip| clip.score.as_ref().and_then(Number::as_f64).unwrap_or(f64::NEG_INFINITY);
            clips.sort_by(|one, other| score(other).total_cmp(&score(one)));
        }
        ClipOrder::Timeline => clips.sort_by_key(|clip| {
            let start = clip.shown_range().map(|range| range.start_ms);
            (Reverse(start.is_some()), start)
        }),
    }
    clips
}

#[cfg(test)]
mod tests {
    use reelhook_domain::OutboundEvent::{ClipReady, ClipsCompleted, ClipsFailed};
    use reelhook_domain::Timestamp;
    use reelhook_domain::clips::run::{WorkerRun, WorkerState};
    use serde_json::json;

    use super::*;
    use crate::clips::examples;

    const NOON: Timestamp = Timestamp(1_704_110_400_000);

    fn shown(of: &ClipJob, order: ClipOrder) -> Value {
        let url = |file: &File| file.key.clone();
        json!(job(of, Shown { url: &url, order }))
    }

    fn indexes(of: &ClipJob, order: ClipOrder) -> Vec<u64> {
        let shown = shown(of, order);
        shown["output"]["clips"].as_array().unwrap().iter().map(|clip| clip["index"].as_u64().unwrap()).collect()
    }

    #[test]
    fn a_job_has_the_members_of_the_contract_in_their_order() {
        let job = examples::job(ClipsCompleted, NOON);
        let shown = shown(&job, ClipOrder::Index);
        let members: Vec<&str> = shown.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = [
            "id",
            "status",
            "progressPercent",
            "progressStage",
            "clipsCompleted",
            "totalClips",
            "errorMessage",
            "startedAt",
            "completedAt",
            "output",
            "creditsReserved",
            "creditsCharged",
            "owner",
            "createdAt",
            "source",
            "sourceDurationMs",
            "cutBy",
        ];
        assert_eq!(members, expected);
        assert_eq!((&shown["id"], &shown["status"]), (&json!(job.id.uuid()), &json!("succeeded")));
        assert_eq!((&shown["creditsReserved"], &shown["creditsCharged"]), (&json!(0), &json!(100)));
        assert_eq!((&shown["errorMessage"], &shown["owner"]), (&Value::Null, &Value::Null));
        assert_eq!(shown["completedAt"], "2024-01-01T12:06:00.000Z");
        assert_eq!((&shown["createdAt"], &shown["cutBy"]), (&json!("2024-01-01T12:00:00.000Z"), &json!("renderer")));
        assert_eq!((&shown["sourceDurationMs"], shown["source"].is_string()), (&json!(600_000), true));
        let first = json!({
            "index": 0, "url": format!("clips/{}/0-0.mp4", job.id), "startMs": 0, "endMs": 30_000, "durationMs": 30_000,
            "score": 0.8, "scoreBasis": { "motion": 0.7, "scenes": 4, "speech": 0.9 }, "layout": "original",
        });
        assert_eq!(shown["output"]["clips"][0], first);
        let plan = json!(format!("clips/{}/plan.json", job.id));
        assert_eq!((&shown["output"]["transcriptUrl"], &shown["output"]["planUrl"]), (&Value::Null, &plan));
    }

    #[test]
    fn owners_and_metadata_are_shown_where_there_are_any() {
        let mut job = examples::job(ClipsFailed, NOON);
        job.origin.owner = OwnerId::parse("ann");
        job.request.metadata = Metadata::parse(&json!({ "order": "7" })).unwrap();
        let shown = shown(&job, ClipOrder::Index);
        assert_eq!((&shown["owner"], &shown["metadata"]), (&json!("ann"), &json!({ "order": "7" })));
        assert_eq!(shown["errorMessage"], "The source has no video");
    }

    #[test]
    fn what_our_renderers_do_not_use_is_named() {
        let mut job = examples::job(ClipsCompleted, NOON);
        let ignored = |job: &ClipJob| shown(job, ClipOrder::Index).get("ignored").cloned();
        assert_eq!(ignored(&job), None);
        (job.request.captions, job.request.keywords) = (true, vec!["goal".to_owned()]);
        job.request.platform = Some("TikTok".to_owned());
        job.request.layout = Layout::Vertical;
        assert_eq!(ignored(&job), Some(json!(["captions", "keywords"])), "the clips have the platform's shape");
        job.request.layout = Layout::Original;
        assert_eq!(ignored(&job), Some(json!(["targetPlatform", "captions", "keywords"])));
        let state = WorkerState::Ended;
        job.run.engine =
            Engine::Worker(WorkerRun { number: 1, lost: 0, refusals: 0, deadline: None, heard_at: None, state });
        assert_eq!(ignored(&job), None, "a worker gets them");
    }

    #[test]
    fn clips_appear_as_they_are_finished() {
        let mut job = examples::job(ClipReady, NOON);
        let waiting = Clip { index: 1, file: None, ..job.clips[0].clone() };
        job.clips.push(waiting);
        assert_eq!(indexes(&job, ClipOrder::Index), [0], "our renderers have cut one so far");
    }

    #[test]
    fn clips_are_ordered_by_score_or_as_they_are_in_the_source() {
        let mut job = examples::job(ClipsCompleted, NOON);
        let clip = |index, score: Option<f64>, start_ms: Option<u64>| Clip {
            index,
            score: score.and_then(Number::from_f64),
            range: start_ms.map(|start_ms| Range { start_ms, end_ms: start_ms + 10 }),
            ..job.clips[0].clone()
        };
        let clips = vec![
            clip(0, None, Some(30)),
            clip(1, Some(0.5), None),
            clip(2, Some(0.9), Some(20)),
            clip(3, Some(0.5), Some(5)),
        ];
        job.clips = clips;
        assert_eq!(indexes(&job, ClipOrder::Index), [0, 1, 2, 3]);
        assert_eq!(indexes(&job, ClipOrder::Score), [2, 1, 3, 0]);
        assert_eq!(indexes(&job, ClipOrder::Timeline), [3, 2, 0, 1]);
    }

    #[test]
    fn a_clip_that_is_cut_again_shows_what_its_file_has() {
        let mut job = examples::job(ClipsCompleted, NOON);
        job.clips[0].previous = job.clips[0].range;
        job.clips[0].range = Some(Range { start_ms: 5_000, end_ms: 9_000 });
        let clip = &shown(&job, ClipOrder::Index)["output"]["clips"][0];
        assert_eq!((&clip["endMs"], &clip["recut"]), (&json!(30_000), &json!({ "startMs": 5_000, "endMs": 9_000 })));
    }
}
