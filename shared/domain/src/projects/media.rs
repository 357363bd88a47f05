//! Files that a project has: videos and images, at an outside service and in our bucket.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use crate::WebUrl;

/// A file. A file of an outside service is copied into our bucket, since its link expires.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct File {
    /// The URL at the service that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<WebUrl>,
    /// The key of our copy in the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl File {
    /// A file at an outside service.
    pub fn outside(url: WebUrl) -> Self {
        Self { source: Some(url), key: None }
    }

    /// A file in our bucket.
    pub fn stored(key: impl Into<String>) -> Self {
        Self { source: None, key: Some(key.into()) }
    }

    /// Whether it still has to be copied into our bucket.
    pub fn is_to_copy(&self) -> bool {
        self.key.is_none() && self.source.is_some()
    }

    /// Forgets where a file was that is in our bucket now: signed URLs are long, they expire, and a project's item has
    /// little room.
    pub fn forget_source(&mut self) {
        if self.key.is_some() {
            self.source = None;
        }
    }
}

/// The data that a service sends with a video: in the item if it is small, else in the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SentMetadata {
    /// The data.
    Inline(Map<String, Value>),
    /// The key of the data, as JSON, in the bucket.
    Stored(String),
}

/// A video, with what its maker said about it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Video {
    /// The file.
    pub file: File,
    /// An image of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<File>,
    /// Its length in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Its width in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Its height in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Frames per second, as its maker wrote the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fps: Option<Number>,
    /// The score that its maker gave it, as sent, on the maker's scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Number>,
    /// Its size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The data that its maker sent with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<SentMetadata>,
}
