//! The keys of projects' files in the bucket.

use reelhook_domain::ProjectId;

/// The prefix of the keys of projects' files in the bucket.
pub const FILES: &str = "projects/";

/// The key of a project's file: `projects/<project>/<name>`. Names have letters, digits, `_`, `-`, `.` and `/`.
pub fn key(project: &ProjectId, name: &str) -> String {
    format!("{FILES}{project}/{name}")
}
