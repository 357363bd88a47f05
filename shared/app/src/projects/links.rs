//! Links to the files of projects: signed, on our own address, for clients, pages and outside services.

use reelhook_domain::projects::media::File;
use reelhook_domain::{ProjectId, Timestamp};
use reelhook_signing::{SignedToken, SigningKeys, SubjectClaims};
use url::Url;

/// The prefix of the keys of projects' files in the bucket.
pub const FILES: &str = "projects/";
/// How long a link is valid, in seconds.
const LIFE: i64 = 7 * 24 * 3600;

/// The key of a project's file: `projects/<project>/<name>`. Names have letters, digits, `_`, `-`, `.` and `/`.
pub fn key(project: &ProjectId, name: &str) -> String {
    format!("{FILES}{project}/{name}")
}

/// The path of an object of the bucket in this API.
pub fn path(key: &str) -> String {
    format!("/api/v1/files/{}", key.strip_prefix(FILES).unwrap_or(key))
}

/// The subject of the token in the link to a file.
pub fn subject(key: &str) -> String {
    format!("file:{key}")
}

/// Makes links.
#[derive(Debug, Clone, Copy)]
pub struct FileLinks<'a> {
    /// PUBLIC_BASE_URL.
    pub base: &'a Url,
    /// The keys that sign links.
    pub keys: &'a SigningKeys,
}

impl FileLinks<'_> {
    /// The link to an object of the bucket: `<base>/api/v1/files/<project>/<name>?token=…`, which redirects to the object.
    pub fn of_key(&self, key: &str, now: Timestamp) -> String {
        let subject = subject(key);
        let expires = now.seconds() + LIFE;
        let token = SignedToken::mint(&SubjectClaims { subject: &subject, expires }, self.keys);
        let base = self.base.as_str().trim_end_matches('/');
        format!("{base}{}?token={}", path(key), token.expose())
    }

    /// The link to a file: to our copy, or to its source as long as there is no copy.
    pub fn of(&self, file: &File, now: Timestamp) -> Option<String> {
        match (&file.key, &file.source) {
            (Some(key), _) => Some(self.of_key(key, now)),
            (None, Some(source)) => Some(source.as_written().to_owned()),
            (None, None) => None,
        }
    }
}
