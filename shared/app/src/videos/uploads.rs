//! Files that clients upload before they request what is made of them: images for videos, and videos for clips.

use async_trait::async_trait;

use crate::store::StoreError;

/// The prefix of the keys of uploads.
const PREFIX: &str = "uploads/";

/// The supported image types with their file extensions.
pub const TYPES: [(&str, &str); 4] =
    [("image/png", "png"), ("image/jpeg", "jpg"), ("image/webp", "webp"), ("image/gif", "gif")];

/// Other names of these types that browsers, servers and old programs use.
const ALIASES: [(&str, &str); 7] = [
    ("image/jpg", "image/jpeg"),
    ("image/pjpeg", "image/jpeg"),
    ("image/jfif", "image/jpeg"),
    ("image/x-jpeg", "image/jpeg"),
    ("image/x-png", "image/png"),
    ("image/x-webp", "image/webp"),
    ("image/x-gif", "image/gif"),
];

/// The supported video types with their file extensions.
pub const VIDEO_TYPES: [(&str, &str); 4] =
    [("video/mp4", "mp4"), ("video/quicktime", "mov"), ("video/webm", "webm"), ("video/x-matroska", "mkv")];

/// The largest video, in bytes: our renderers read no larger source.
pub const VIDEO_LIMIT: u64 = 4_000_000_000;

/// A supported video type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoType {
    name: &'static str,
    extension: &'static str,
}

impl VideoType {
    /// Reads a media type; none for an unsupported one. The type may be in any case and have parameters.
    pub fn parse(content_type: &str) -> Option<Self> {
        let (name, extension) = of_types(VIDEO_TYPES, media_type(content_type))?;
        Some(Self { name, extension })
    }
}

/// A supported image type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageType {
    name: &'static str,
    extension: &'static str,
}

impl ImageType {
    /// Reads a media type; none for an unsupported one. The type may be in any case, have parameters, or be an alias.
    pub fn parse(content_type: &str) -> Option<Self> {
        let media_type = media_type(content_type);
        let alias = ALIASES.into_iter().find(|(alias, _)| alias.eq_ignore_ascii_case(media_type));
        let (name, extension) = of_types(TYPES, alias.map_or(media_type, |(_, known)| known))?;
        Some(Self { name, extension })
    }
}

/// A media type without its parameters.
fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// The type with this name, and its extension.
fn of_types(types: [(&'static str, &'static str); 4], named: &str) -> Option<(&'static str, &'static str)> {
    types.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(named))
}

/// The upload of an image or a video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The key of the object.
    pub key: String,
    /// The media type.
    pub content_type: &'static str,
    /// The size in bytes.
    pub bytes: u64,
}

impl Upload {
    /// An upload of this type and size under a random key; none for an unsupported type ([`ImageType::parse`]).
    pub fn new(content_type: &str, bytes: u64, random: u128) -> Option<Self> {
        Some(Self::of(ImageType::parse(content_type)?, bytes, random))
    }

    /// An upload of this type and size under a random key.
    pub fn of(image_type: ImageType, bytes: u64, random: u128) -> Self {
        let ImageType { name, extension } = image_type;
        Self { key: key(random, extension), content_type: name, bytes }
    }

    /// An upload of a video of this type and size under a random key.
    pub fn of_video(video_type: VideoType, bytes: u64, random: u128) -> Self {
        let VideoType { name, extension } = video_type;
        Self { key: key(random, extension), content_type: name, bytes }
    }
}

fn key(random: u128, extension: &str) -> String {
    format!("{PREFIX}{random:032x}.{extension}")
}

/// Whether a text is the key of an upload of an image.
pub fn is_key(text: &str) -> bool {
    is_key_of(TYPES, text)
}

/// Whether a text is the key of an upload of a video.
pub fn is_video_key(text: &str) -> bool {
    is_key_of(VIDEO_TYPES, text)
}

fn is_key_of(types: [(&str, &str); 4], text: &str) -> bool {
    let Some((name, extension)) = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('.')) else { return false };
    name.len() == 32
        && name.bytes().all(|byte| byte.is_ascii_hexdigit())
        && types.iter().any(|(_, known)| *known == extension)
}

/// Detects the media type of an image from its first bytes; none if it is not a supported image.
pub fn sniff(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        _ => None,
    }
}

/// Makes links to objects, and stores images that come with a request.
#[async_trait]
pub trait Links: Send + Sync {
    /// A download link to an object, valid for at most an hour.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn download(&self, key: &str) -> Result<String, StoreError>;

    /// An upload link, which accepts a PUT of exactly this type and size.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn upload(&self, upload: &Upload) -> Result<String, StoreError>;

    /// Stores an image that came with a request.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_image(&self, upload: &Upload, bytes: Vec<u8>) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_of_uploads_are_recognised() {
        let upload = Upload::new("IMAGE/PNG", 5, 7).unwrap();
        assert!(is_key(&upload.key), "{}", upload.key);
        for bad in ["uploads/../films/x.png", "films/a.png", "uploads/0.png", "", "uploads/"] {
            assert!(!is_key(bad), "{bad}");
        }
        assert_eq!(Upload::new("image/svg+xml", 5, 7), None);
    }

    #[test]
    fn images_and_videos_have_keys_of_their_own() {
        let video = Upload::of_video(VideoType::parse("Video/MP4; codecs=avc1").unwrap(), 5, 7);
        assert_eq!((video.content_type, video.key.ends_with(".mp4")), ("video/mp4", true));
        assert!(is_video_key(&video.key) && !is_key(&video.key));
        let image = Upload::new("image/png", 5, 7).unwrap();
        assert!(!is_video_key(&image.key));
        assert!(VideoType::parse("video/x-msvideo").is_none() && VideoType::parse("image/png").is_none());
    }

    #[test]
    fn a_type_is_recognised_by_all_its_names() {
        let check = |named: &str, expected: Option<(&str, &str)>| {
            let upload = Upload::new(named, 5, 7);
            let found = upload.as_ref().map(|upload| (upload.content_type, upload.key.rsplit('.').next().unwrap()));
            assert_eq!(found, expected, "{named}");
        };
        let jpeg = Some(("image/jpeg", "jpg"));
        for named in ["image/jpeg", "image/jpg", "IMAGE/JPG", "image/pjpeg", " image/jpeg ", "image/jpg;q=1"] {
            check(named, jpeg);
        }
        for named in ["image/png; charset=binary", "image/x-png", "Image/PNG"] {
            check(named, Some(("image/png", "png")));
        }
        check("image/webp", Some(("image/webp", "webp")));
        check("image/x-gif", Some(("image/gif", "gif")));
        for named in
            ["", ";", "image", "image/", "jpg", "image/tiff", "text/html", "image/png, image/jpeg", "image/svg+xml"]
        {
            check(named, None);
        }
    }

    #[test]
    fn images_are_recognised_by_their_first_bytes() {
        assert_eq!(sniff(b"\x89PNG\r\n"), Some("image/png"));
        assert_eq!(sniff(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        assert_eq!(sniff(b"<svg"), None);
    }
}
