//! What a client asks of a clip job.

use serde::{Deserialize, Serialize};

use crate::WebUrl;
use crate::credits::price::{Basis, CreditPrice};
use crate::metadata::Metadata;

/// Clips of a job at most.
pub const MAX_CLIPS: u32 = 50;
/// Clips of a job that names no number, at most.
pub const DEFAULT_CLIPS: u32 = 10;
/// The longest clip in milliseconds.
pub const LONGEST_CLIP_MS: u64 = 120_000;
/// The shortest clip that a person cuts, in milliseconds.
pub const SHORTEST_CUT_MS: u64 = 1000;
/// How often a clip is cut again at most.
pub const MAX_RECUTS: u32 = 20;
/// Ranges of a job at most.
pub const MAX_RANGES: usize = 20;
/// Keywords of a job at most.
pub const MAX_KEYWORDS: usize = 20;
/// Platforms that show vertical videos, in lower case and without spaces and punctuation.
const VERTICAL_PLATFORMS: [&str; 7] =
    ["tiktok", "instagram", "reels", "instagramreels", "facebookreels", "shorts", "youtubeshorts"];

/// The video that is cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A page of a video site (`youtubeUrl`). Only a worker reads it.
    Page(WebUrl),
    /// A file (`videoUrl`).
    File(WebUrl),
    /// A file that was uploaded into our bucket, by its key.
    Upload(String),
}

/// A range of the source in milliseconds; `start` is less than `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The start.
    pub start_ms: u64,
    /// The end.
    pub end_ms: u64,
}

impl Range {
    /// Its length in milliseconds.
    pub fn length_ms(self) -> u64 {
        self.end_ms.saturating_sub(self.start_ms)
    }

    /// Whether another range is a part of it.
    pub fn contains(self, other: Self) -> bool {
        self.start_ms <= other.start_ms && other.end_ms <= self.end_ms
    }
}

/// Lengths of clips in seconds, such as 15 to 30.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lengths {
    /// The shortest.
    pub min_s: u32,
    /// The longest.
    pub max_s: u32,
}

/// The shape of the clips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// As the source.
    #[default]
    Original,
    /// 9:16, cropped.
    Vertical,
}

impl Layout {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Vertical => "vertical",
        }
    }

    /// The shape of videos on a platform, in any spelling such as `YouTube Shorts`; none if we do not know the platform.
    pub fn of_platform(platform: &str) -> Option<Self> {
        let letters = platform.chars().filter(|character| character.is_alphanumeric());
        let name: String = letters.flat_map(char::to_lowercase).collect();
        VERTICAL_PLATFORMS.contains(&name.as_str()).then_some(Self::Vertical)
    }
}

/// What a client asks of a clip job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClipRequest {
    /// The video.
    pub source: Source,
    /// How many clips; none for as many as are worth it, [`DEFAULT_CLIPS`] at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Only these ranges are cut, in order and without overlaps; none for the whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<Range>,
    /// The length of the source in milliseconds, as the client declares it; none if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_ms: Option<u64>,
    /// The lengths that clips may have; none for any of the contract's three.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lengths: Vec<Lengths>,
    /// The platform, in the client's words, such as `tiktok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Whether clips get captions, if the worker can write them.
    #[serde(default)]
    pub captions: bool,
    /// The preset of the captions, in the worker's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption_preset: Option<String>,
    /// Words that clips should be about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// The shape of the clips, if we cut them.
    #[serde(default)]
    pub layout: Layout,
    /// A URL of the client that is notified too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<WebUrl>,
    /// The caller's metadata.
    #[serde(default)]
    pub metadata: Metadata,
}

impl ClipRequest {
    /// A request that names a source and nothing else.
    pub fn of(source: Source) -> Self {
        Self {
            source,
            count: None,
            ranges: Vec::new(),
            declared_ms: None,
            lengths: Vec::new(),
            platform: None,
            captions: false,
            caption_preset: None,
            keywords: Vec::new(),
            layout: Layout::Original,
            callback: None,
            metadata: Metadata::default(),
        }
    }

    /// Clips at most.
    pub fn most_clips(&self) -> u32 {
        self.count.unwrap_or(DEFAULT_CLIPS)
    }

    /// The length of its ranges in milliseconds; none if the whole source is cut.
    pub fn ranges_ms(&self) -> Option<u64> {
        length_ms(&self.ranges)
    }

    /// The credits that an attempt reserves, and what they are based on.
    pub fn estimate(&self, price: CreditPrice) -> (u64, Basis) {
        estimate(&self.ranges, self.declared_ms, price)
    }
}

/// The credits that an attempt with these ranges reserves, and what they are based on: without ranges, the declared length
/// of the source.
pub fn estimate(ranges: &[Range], declared_ms: Option<u64>, price: CreditPrice) -> (u64, Basis) {
    match (length_ms(ranges), declared_ms) {
        (Some(ms), _) => price.based_on(ms, Basis::Ranges),
        (None, Some(ms)) => price.based_on(ms, Basis::Declared),
        (None, None) => (price.of(0), Basis::Minimum),
    }
}

/// The length of ranges in milliseconds; none if there are none, so that the whole source is cut.
fn length_ms(ranges: &[Range]) -> Option<u64> {
    let sum = || ranges.iter().fold(0_u64, |sum, range| sum.saturating_add(range.length_ms()));
    (!ranges.is_empty()).then(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_has_a_shape_in_any_spelling() {
        for name in ["tiktok", "TikTok", "Tik Tok", "instagram", "Reels", "instagram_reels", "shorts", "YouTube Shorts"]
        {
            assert_eq!(Layout::of_platform(name), Some(Layout::Vertical), "{name}");
        }
        for name in ["youtube", "linkedin", "shortstop", "", "!"] {
            assert_eq!(Layout::of_platform(name), None, "{name}");
        }
    }
}
