//! The ids, paths and links by which clients reach the files of a video.

use std::borrow::Cow;

use reelhook_domain::videos::film::Rendition;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// How long signed links are valid, in seconds and in words.
pub const LINK_LIFE: (i64, &str) = (7 * 24 * 3600, "7 days");

/// Describes the id of a video, which is that of its job.
#[derive(Debug)]
pub struct VideoJobIdText;

impl JsonSchema for VideoJobIdText {
    fn schema_name() -> Cow<'static, str> {
        "VideoJobId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A UUID of version 4; `job_…` for a job of StreamGank whose video Reelhook rendered",
            "pattern": "^[A-Za-z0-9_.-]{1,80}$",
            "examples": ["3f2b8c1e-7d54-4e0a-9b6f-0c1d2e3f4a5b"],
        })
    }
}

/// The path of a download.
pub(super) fn download(job: &str, format: Rendition) -> String {
    format!("/api/download/{}", file_id(job, format))
}

/// The id of a video in paths and links: the id of the job, with `_reels` for the portrait rendition.
pub fn file_id(job: &str, format: Rendition) -> String {
    match format {
        Rendition::Landscape => job.to_owned(),
        Rendition::Portrait => format!("{job}_reels"),
    }
}

/// The name of a rendition in keys and answers.
pub fn name(format: Rendition) -> &'static str {
    match format {
        Rendition::Landscape => "standard",
        Rendition::Portrait => "reels",
    }
}
