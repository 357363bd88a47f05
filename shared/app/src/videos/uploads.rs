//! Images that clients upload before they request a video that shows them.

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

/// A supported image type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageType {
    name: &'static str,
    extension: &'static str,
}

impl ImageType {
    /// Reads a media type; none for an unsupported one. The type may be in any case, have parameters, or be an alias.
    pub fn parse(content_type: &str) -> Option<Self> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let alias = ALIASES.into_iter().find(|(alias, _)| alias.eq_ignore_ascii_case(media_type));
        let media_type = alias.map_or(media_type, |(_, known)| known);
        let (name, extension) = TYPES.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(media_type))?;
        Some(Self { name, extension })
    }
}

/// The upload of an image.
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
        Self { key: format!("{PREFIX}{random:032x}.{extension}"), content_type: name, bytes }
    }
}

/// Whether a text is the key of an upload.
pub fn is_key(text: &str) -> bool {
    let Some((name, extension)) = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('.')) else { return false };
    name.len() == 32
        && name.bytes().all(|byte| byte.is_ascii_hexdigit())
        && TYPES.iter().any(|(_, known)| *known == extension)
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
