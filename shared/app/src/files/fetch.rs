//! Fetches files to the disk: from the bucket, or from the outside services that have them.

use std::path::Path;
use std::time::Duration;

use reelhook_domain::WebUrl;
use reelhook_domain::projects::media::File;
use url::Url;

use crate::files::ports::StoredFiles;
use crate::outbound::download::{Downloader, fetch_to};
use crate::outbound::redirects::{End, Fetch};
use crate::outbound::{OutboundError, OutboundResponse};
use crate::videos::draw_error::DrawError;
use crate::videos::uploads::sniff;

/// The maximum size of a video in bytes: 2 GB.
const MAX_VIDEO: usize = 2_000_000_000;
/// The maximum size of a source of clips in bytes: 4 GB. A renderer's disk has 10 GB, and the source is on it once.
const MAX_SOURCE: usize = 4_000_000_000;
/// The maximum size of an image in bytes: a 4K picture as a PNG.
const MAX_IMAGE: usize = 40_000_000;
/// The maximum size of a document in bytes.
const MAX_DOCUMENT: usize = 20_000_000;
/// The total time for one file, with all redirects.
const DEADLINE: Duration = Duration::from_secs(600);
/// The first bytes of a file, which tell its format.
const HEAD: usize = 512;

/// Where files are fetched from.
#[derive(Clone, Copy)]
pub(crate) struct FileSources<'a> {
    /// The bucket.
    pub files: &'a dyn StoredFiles,
    /// Outside services.
    pub downloads: &'a dyn Downloader,
}

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A video that a service made.
    Video,
    /// A video that clips are cut from.
    Source,
    /// An image.
    Image,
    /// A text, such as a transcript.
    Document,
}

impl Kind {
    /// The maximum size in bytes.
    pub fn limit(self) -> usize {
        match self {
            Self::Video => MAX_VIDEO,
            Self::Source => MAX_SOURCE,
            Self::Image => MAX_IMAGE,
            Self::Document => MAX_DOCUMENT,
        }
    }

    fn accept(self) -> &'static str {
        match self {
            Self::Video | Self::Source => "video/mp4, video/quicktime, video/webm, video/x-matroska",
            Self::Image => "image/png, image/jpeg, image/webp, image/gif",
            Self::Document => "application/json, text/vtt, text/plain",
        }
    }

    /// The content type of a file of this kind, by its first bytes.
    fn content_type(self, head: &[u8]) -> Option<&'static str> {
        match self {
            Self::Video | Self::Source => video_type(head),
            Self::Image => sniff(head),
            Self::Document => document_type(head),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Source => "source",
            Self::Image => "image",
            Self::Document => "document",
        }
    }

    fn formats(self) -> &'static str {
        match self {
            Self::Video | Self::Source => "an MP4, MOV, WebM or Matroska file",
            Self::Image => "a PNG, JPEG, WebP or GIF file",
            Self::Document => "JSON, WebVTT or plain text",
        }
    }
}

/// The content type of a video by its first bytes.
fn video_type(head: &[u8]) -> Option<&'static str> {
    match head {
        [_, _, _, _, b'f', b't', b'y', b'p', b'q', b't', ..] => Some("video/quicktime"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("video/mp4"),
        [_, _, _, _, b'm', b'o', b'o', b'v', ..]
        | [_, _, _, _, b'm', b'd', b'a', b't', ..]
        | [_, _, _, _, b'w', b'i', b'd', b'e', ..] => Some("video/quicktime"),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Some("video/webm"),
        _ => None,
    }
}

/// The content type of a document by its first bytes. A page is no document: browsers would run its scripts.
fn document_type(head: &[u8]) -> Option<&'static str> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The last character may be cut.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&head[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    match text.as_bytes() {
        [b'{' | b'[', ..] => Some("application/json"),
        [b'W', b'E', b'B', b'V', b'T', b'T', ..] => Some("text/vtt; charset=utf-8"),
        [] | [b'<', ..] => None,
        bytes => (!bytes.contains(&0)).then_some("text/plain; charset=utf-8"),
    }
}

/// Fetches a file: our copy, or, if there is none, the file at its source. Returns its content type.
pub(crate) async fn fetch_file(
    sources: FileSources<'_>,
    file: &File,
    kind: Kind,
    to: &Path,
) -> Result<&'static str, DrawError> {
    fetch_into(sources, file, kind, (to, u64::MAX)).await
}

/// Fetches a file as [`fetch_file`] does. For one at its source, whose size is not known before, the disk has room for so
/// many bytes.
pub(crate) async fn fetch_into(
    sources: FileSources<'_>,
    file: &File,
    kind: Kind,
    (to, room): (&Path, u64),
) -> Result<&'static str, DrawError> {
    match (&file.key, &file.source) {
        (Some(key), source) => {
            if !sources.files.fetch_file(key, to).await? {
                return match source {
                    Some(source) => download(sources, source, kind, (to, room)).await,
                    None => Err(DrawError::Input(format!("the {} `{key}` is no longer stored", kind.name()))),
                };
            }
            check(kind, &format!("the {} `{key}`", kind.name()), to)
        }
        (None, Some(source)) => download(sources, source, kind, (to, room)).await,
        (None, None) => Err(DrawError::Input(format!("the {} has no URL", kind.name()))),
    }
}

/// Downloads a file from an outside service. Errors name only its server, because the rest of the URL may be a secret.
async fn download(
    sources: FileSources<'_>,
    source: &WebUrl,
    kind: Kind,
    (to, room): (&Path, u64),
) -> Result<&'static str, DrawError> {
    let url = Url::from(source.clone());
    let limit = usize::try_from(room).unwrap_or(usize::MAX).min(kind.limit());
    let request = Fetch { url, accept: kind.accept(), deadline: DEADLINE, response_limit: limit };
    let subject = format!("the {} at {}", kind.name(), source.host_str().unwrap_or_default());
    match fetch_to(sources.downloads, request, to).await.end {
        End::Response(response) => complete(&subject, kind, limit, response)?,
        End::Stopped(stop, _) => return Err(DrawError::Input(format!("{subject} {stop}"))),
        End::NoResponse(error) => return Err(unreachable(&subject, kind, &error)),
    }
    check(kind, &subject, to)
}

/// Checks that a response is the whole file, of which `limit` bytes were read at most.
fn complete(subject: &str, kind: Kind, limit: usize, response: OutboundResponse) -> Result<(), DrawError> {
    match response.status {
        200 => {}
        status @ (404 | 408 | 425 | 429 | 500..=599) => {
            return Err(DrawError::Renderer(format!("{subject} answered {status}")));
        }
        status => return Err(DrawError::Input(format!("{subject} answered {status}"))),
    }
    if response.truncated && limit < kind.limit() {
        return Err(DrawError::Renderer(format!(
            "a renderer has too little disk for {subject}: it has room for {} MB",
            limit / 1_000_000
        )));
    }
    if response.truncated {
        return Err(DrawError::Input(format!("{subject} is larger than {} MB", kind.limit() / 1_000_000)));
    }
    response.whole().map_err(|error| unreachable(subject, kind, &error))?;
    Ok(())
}

/// Checks that a file is what it should be, and returns its content type.
fn check(kind: Kind, subject: &str, file: &Path) -> Result<&'static str, DrawError> {
    let head = head_of(file).map_err(|error| DrawError::Renderer(format!("{subject} can't be read: {error}")))?;
    let wrong = || DrawError::Input(format!("{subject} is not {}", kind.formats()));
    kind.content_type(&head).ok_or_else(wrong)
}

/// The size of a file that was fetched, in bytes.
pub(crate) fn size_of(file: &Path) -> Result<u64, DrawError> {
    let metadata = std::fs::metadata(file);
    Ok(metadata.map_err(|error| DrawError::Renderer(format!("a fetched file can't be read: {error}")))?.len())
}

/// The first bytes of a file.
fn head_of(file: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut head = Vec::with_capacity(HEAD);
    // A few bytes of a file that was just written: they need no thread of their own.
    std::fs::File::open(file)?.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// A failure of the network may pass; a forbidden address does not. A source that uses up its time has no other attempt:
/// each would occupy a renderer as long, and nobody pays for that.
fn unreachable(subject: &str, kind: Kind, error: &OutboundError) -> DrawError {
    let sentence = format!("{subject} could not be fetched: {}", error.code());
    match error {
        OutboundError::TimedOut(ms) if kind == Kind::Source && u128::from(*ms) >= DEADLINE.as_millis() => {
            let minutes = DEADLINE.as_secs() / 60;
            DrawError::Input(format!(
                "{subject} could not be fetched within {minutes} min; send a smaller file, or one of a faster server"
            ))
        }
        OutboundError::Forbidden { .. } | OutboundError::BadRequest(_) => DrawError::Input(sentence),
        OutboundError::TimedOut(_)
        | OutboundError::Reset
        | OutboundError::NotFound { .. }
        | OutboundError::Refused
        | OutboundError::Tls(_)
        | OutboundError::Other(_) => DrawError::Renderer(sentence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_format_of_a_video() {
        for (head, expected) in [
            (&b"\0\0\0\x20ftypisom\0\0\x02\0"[..], Some("video/mp4")),
            (b"\0\0\0\x14ftypqt  \0\0\x02\0", Some("video/quicktime")),
            (b"\0\0\x10\0moov\0\0\0\x6cmvhd", Some("video/quicktime")),
            (b"\0\0\0\x08wide\0\0\0\0mdat", Some("video/quicktime")),
            (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81", Some("video/webm")),
            (b"#EXTM3U\n#EXT-X-VERSION", None),
            (b"ffconcat version 1.0", None),
            (b"<!doctype html>", None),
            (b"", None),
        ] {
            assert_eq!(Kind::Video.content_type(head), expected, "{head:?}");
        }
        assert_eq!(Kind::Source.content_type(b"\0\0\0\x20ftypisom"), Some("video/mp4"));
        assert_eq!(Kind::Image.content_type(b"\x89PNG\r\n\x1a\n"), Some("image/png"));
        assert_eq!(Kind::Image.content_type(b"\0\0\0\x20ftypisom"), None);
    }

    #[test]
    fn only_a_source_that_uses_up_its_time_has_no_other_attempt() {
        for (kind, ms, permanent) in [
            (Kind::Source, 600_000, true),
            (Kind::Source, 599_999, false),
            (Kind::Video, 600_000, false),
            (Kind::Document, 600_000, false),
        ] {
            let error = unreachable("the source at a.example", kind, &OutboundError::TimedOut(ms));
            assert_eq!(error.is_permanent(), permanent, "{kind:?} after {ms} ms: {error}");
        }
    }

    #[test]
    fn a_document_is_a_text_but_no_page() {
        for (head, expected) in [
            (&b" {\"segments\": []}"[..], Some("application/json")),
            (b"\xef\xbb\xbf[1]", Some("application/json")),
            (b"WEBVTT\n\n00:00", Some("text/vtt; charset=utf-8")),
            (b"1\n00:00:01,000 --> 00:00:02,000\nHello", Some("text/plain; charset=utf-8")),
            (b"Gr\xc3\xbc\xc3", Some("text/plain; charset=utf-8")),
            (b"\n<!doctype html>", None),
            (b"PK\x03\x04\0\0", None),
            (b"\xff\xfe{\0", None),
            (b"", None),
        ] {
            assert_eq!(Kind::Document.content_type(head), expected, "{head:?}");
        }
    }
}
