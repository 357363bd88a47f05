//! Pictures that clients upload, before they ask for a video that shows them.

use async_trait::async_trait;

use crate::store::StoreError;

/// The first part of the keys of uploads.
const PREFIX: &str = "uploads/";

/// Types of pictures that are taken, and how their files end.
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

/// A picture that is to be uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Where it will be.
    pub key: String,
    /// Its media type.
    pub content_type: &'static str,
    /// Its size.
    pub bytes: u64,
}

impl Upload {
    /// An upload of that type and size under a random key; none for another type. The type may be in any case, have
    /// parameters, or be one of its other names.
    pub fn new(content_type: &str, bytes: u64, random: u128) -> Option<Self> {
        let named = content_type.split(';').next().unwrap_or_default().trim();
        let alias = ALIASES.into_iter().find(|(alias, _)| alias.eq_ignore_ascii_case(named));
        let named = alias.map_or(named, |(_, known)| known);
        let (content_type, end) = TYPES.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(named))?;
        Some(Self { key: format!("{PREFIX}{random:032x}.{end}"), content_type, bytes })
    }
}

/// Whether a text is the key of an upload.
pub fn is_key(text: &str) -> bool {
    let Some((name, end)) = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('.')) else { return false };
    name.len() == 32
        && name.bytes().all(|byte| byte.is_ascii_hexdigit())
        && TYPES.iter().any(|(_, known)| *known == end)
}

/// The media type that the first bytes of a picture tell; none for what is no picture that we take.
pub fn sniff(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        _ => None,
    }
}

/// Links to objects, and pictures that come with a request.
#[async_trait]
pub trait Links: Send + Sync {
    /// A link to an object, good for an hour at most.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn download(&self, key: &str) -> Result<String, StoreError>;

    /// A link that takes a PUT of exactly this type and size.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn upload(&self, upload: &Upload) -> Result<String, StoreError>;

    /// Stores a picture that came with a request.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_image(&self, upload: &Upload, bytes: Vec<u8>) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_of_uploads_are_keys() {
        let upload = Upload::new("IMAGE/PNG", 5, 7).unwrap();
        assert!(is_key(&upload.key), "{}", upload.key);
        for bad in ["uploads/../films/x.png", "films/a.png", "uploads/0.png", "", "uploads/"] {
            assert!(!is_key(bad), "{bad}");
        }
        assert_eq!(Upload::new("image/svg+xml", 5, 7), None);
    }

    #[test]
    fn a_type_is_known_by_all_its_names() {
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
    fn pictures_are_known_by_their_first_bytes() {
        assert_eq!(sniff(b"\x89PNG\r\n"), Some("image/png"));
        assert_eq!(sniff(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        assert_eq!(sniff(b"<svg"), None);
    }
}
