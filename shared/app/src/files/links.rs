//! Links to the files of projects and clips: signed, on our own address, for clients, pages and outside services.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reelhook_domain::projects::media::File;
use reelhook_domain::{ClipJobId, Timestamp};
use reelhook_signing::{SignedToken, SigningKeys, SubjectClaims};
use url::Url;

use crate::{clips, projects};

/// The segment that stands for the job in a link to a file of clips that is not one of a job by its name.
pub const ENCODED: &str = "-";
/// The longest name of a file in a path, in bytes.
const NAME_LIMIT: usize = 100;
/// How long a link is valid, in seconds.
const LIFE: i64 = 7 * 24 * 3600;

/// The path of an object of the bucket in this API.
pub fn path(key: &str) -> String {
    if key.starts_with(clips::files::FILES) && !is_of_job(key) {
        // A worker chooses where in our bucket it puts its files.
        return format!("/api/v1/files/clips/{ENCODED}/{}", URL_SAFE_NO_PAD.encode(key));
    }
    format!("/api/v1/files/{}", key.strip_prefix(projects::links::FILES).unwrap_or(key))
}

/// Whether a key is `clips/<job>/<name>` with a name that stands in a path as it is.
fn is_of_job(key: &str) -> bool {
    let Some((job, name)) = key.strip_prefix(clips::files::FILES).and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    ClipJobId::parse(job).is_ok_and(|id| id.as_str() == job) && is_name(name)
}

/// Whether a text is the name of a file that stands in a path as it is.
pub fn is_name(text: &str) -> bool {
    (1..=NAME_LIMIT).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

/// The key in the last segment of a link with [`ENCODED`]; none if it is no key of clips.
pub fn encoded_key(segment: &str) -> Option<String> {
    let key = String::from_utf8(URL_SAFE_NO_PAD.decode(segment).ok()?).ok()?;
    key.starts_with(clips::files::FILES).then_some(key)
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
    /// The link to an object of the bucket, with a token, which redirects to the object:
    /// `<base>/api/v1/files/<project>/<name>`, `<base>/api/v1/files/clips/<job>/<name>` or
    /// `<base>/api/v1/files/uploads/<name>`.
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

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = "clip_550e8400-e29b-41d4-a716-446655440000";

    #[test]
    fn each_family_has_its_own_path() {
        for (key, expected) in [
            ("projects/proj_1/final/1/video.mp4".to_owned(), "/api/v1/files/proj_1/final/1/video.mp4".to_owned()),
            (format!("clips/{JOB}/0-0.mp4"), format!("/api/v1/files/clips/{JOB}/0-0.mp4")),
            ("uploads/00ff.mp4".to_owned(), "/api/v1/files/uploads/00ff.mp4".to_owned()),
        ] {
            assert_eq!(path(&key), expected);
        }
    }

    #[test]
    fn a_key_that_a_worker_chose_is_encoded_and_comes_back() {
        for key in ["clips/clip_00.mp4", "clips/a/b/c.mp4", "clips/other/ä b.mp4", &format!("clips/{JOB}/.."), "clips/"]
        {
            let link = path(key);
            let segment = link.strip_prefix("/api/v1/files/clips/-/").unwrap_or_else(|| panic!("{link}"));
            assert!(!segment.contains(['/', '?', '%']), "{segment}");
            assert_eq!(encoded_key(segment).as_deref(), Some(key));
        }
        for bad in ["", "%", &URL_SAFE_NO_PAD.encode("projects/proj_1/x"), &URL_SAFE_NO_PAD.encode([0xff_u8, 0xfe])] {
            assert_eq!(encoded_key(bad), None, "{bad}");
        }
    }
}
