//! A clip: what was cut out of a source.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use crate::clips::request::{Layout, Range};
use crate::projects::media::File;

/// A clip of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clip {
    /// Its number in the job, from 0.
    pub index: u32,
    /// Its file; none while it is cut, and where what the worker named can't be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<File>,
    /// Where it is in the source; none if the worker did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// The range of its file while the clip is cut again: `range` is that of the new cut. If this cut fails, the clip has
    /// the range of its file again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Range>,
    /// Its length in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Its score, from 0 to 1, as its maker wrote the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Number>,
    /// The parts of the score by name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub score_basis: Map<String, Value>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Words about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Its shape, as its maker named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<String>,
    /// The number of its last cut by us, or of the submission from which it came. It is in the names of files, so that none
    /// is written twice.
    #[serde(default)]
    pub cuts: u32,
}

impl Clip {
    /// The clip of an index and a number of its cut or submission, of which nothing else is known.
    pub fn new(index: u32, cuts: u32) -> Self {
        Self {
            index,
            file: None,
            range: None,
            previous: None,
            duration_ms: None,
            score: None,
            score_basis: Map::new(),
            summary: None,
            tags: Vec::new(),
            layout: None,
            cuts,
        }
    }

    /// Whether people can play it.
    pub fn is_ready(&self) -> bool {
        self.file.is_some()
    }

    /// Where its file is in the source, as people see it.
    pub fn shown_range(&self) -> Option<Range> {
        self.previous.or(self.range)
    }
}

/// The facts about a source that a probe finds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFacts {
    /// Its length in milliseconds.
    pub duration_ms: u64,
    /// Its width in pixels, after rotation.
    pub width: u32,
    /// Its height in pixels, after rotation.
    pub height: u32,
    /// Frames per second as a fraction, such as (30000, 1001): the average, if the rate varies.
    pub fps: (u32, u32),
    /// Whether it has sound.
    pub sound: bool,
    /// The key of the copy in our bucket from which clips are cut.
    pub key: String,
}

/// How good a clip is.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipScore {
    /// The score, from 0 to 1.
    pub score: f64,
    /// Its parts by name, each from 0 to 1, and facts such as the number of scenes.
    pub basis: Map<String, Value>,
}

/// A clip that the plan proposes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedClip {
    /// Where it is in the source: at frames.
    pub range: Range,
    /// Its score, from 0 to 1.
    pub score: f64,
    /// The parts of the score by name, each from 0 to 1, and facts such as the number of scenes.
    pub basis: Map<String, Value>,
    /// Its shape.
    pub layout: Layout,
}
