//! The accepted formats and sizes of image files, and the errors about all others.

use image::ImageFormat;

/// The maximum size of an image file in bytes.
pub const MAX_BYTES: usize = 10 * 1024 * 1024;
/// The maximum number of pixels of an image.
pub const MAX_PIXELS: u64 = 40_000_000;

/// The supported formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ImageKind {
    Png,
    Jpeg,
    WebP,
    Gif,
}

/// Why a file can't be decoded, as text for the client: the rest of a sentence about the image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecodeError {
    #[error("has {0} bytes; at most {limit} are accepted", limit = MAX_BYTES)]
    TooLarge(usize),
    #[error("has {0}x{1} pixels; at most {limit} in total are accepted", limit = MAX_PIXELS)]
    TooManyPixels(u32, u32),
    #[error("is not a supported image; it must be a PNG, JPEG, WebP or GIF file")]
    Unknown,
    #[error("is damaged or incomplete; it must be a complete {} file", .0.name())]
    Damaged(ImageKind),
    #[error("is a {} file of an unsupported kind; save it again as an ordinary PNG or JPEG", .0.name())]
    Unsupported(ImageKind),
}

impl ImageKind {
    /// The format according to the first bytes of a file.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match image::guess_format(bytes).ok()? {
            ImageFormat::Png => Some(Self::Png),
            ImageFormat::Jpeg => Some(Self::Jpeg),
            ImageFormat::WebP => Some(Self::WebP),
            ImageFormat::Gif => Some(Self::Gif),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
        }
    }
}

/// Checks that an image of this size may be decoded.
pub(super) fn check_size(width: u32, height: u32) -> Result<(), DecodeError> {
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(DecodeError::TooManyPixels(width, height));
    }
    Ok(())
}
