//! The keys of clip jobs' files in the bucket.

use reelhook_domain::ClipJobId;

/// The prefix of the keys of clip jobs' files in the bucket.
pub const FILES: &str = "clips/";

/// The key of a clip job's file: `clips/<job>/<name>`.
pub fn key(job: &ClipJobId, name: &str) -> String {
    format!("{FILES}{job}/{name}")
}
