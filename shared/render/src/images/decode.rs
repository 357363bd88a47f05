//! Decodes image files of four formats, after checking that they are complete and within the limits.

use std::io::Cursor;
use std::panic::catch_unwind;

use image::imageops;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use tiny_skia::Pixmap;

use super::colours::{self, ColourInfo};
use super::{MAX_BYTES, MAX_PIXELS, MAX_SIDE, jpeg, pixmap, premultiplied};

/// The memory that the WebP and GIF decoders may allocate in bytes: the pixels twice, and a reserve.
const DECODER_BYTES: u64 = MAX_PIXELS * 8 + 64 * 1024 * 1024;
/// The memory that the PNG decoder may allocate in addition to the pixels: for chunks of the file and for its
/// compressed profile.
const PNG_BYTES: u64 = 64 * 1024 * 1024;

/// The supported formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ImageKind {
    Png,
    Jpeg,
    WebP,
    Gif,
}

/// Why a file can't be decoded, in words for the client: the rest of a sentence about the picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecodeError {
    #[error("has {0} bytes; at most {limit} are accepted", limit = MAX_BYTES)]
    TooLarge(usize),
    #[error("has {0}x{1} pixels; at most {limit} in total are accepted", limit = MAX_PIXELS)]
    TooManyPixels(u32, u32),
    #[error("is not a supported picture; it must be a PNG, JPEG, WebP or GIF file")]
    Unknown,
    #[error("is damaged or incomplete; it must be a complete {} file", .0.name())]
    Damaged(ImageKind),
    #[error("is a {} file of an unsupported kind; save it again as an ordinary PNG or JPEG", .0.name())]
    Unsupported(ImageKind),
}

/// The output of a decoder.
pub(super) struct Decoded {
    pub samples: Samples,
    /// How to interpret the colours; sRGB if unknown.
    pub colour_info: Option<ColourInfo>,
    pub orientation: Orientation,
}

/// The samples of the pixels, with straight alpha.
pub(super) enum Samples {
    /// Grey or RGB.
    GreyOrRgb(DynamicImage),
    /// Cyan, magenta, yellow and black, four bytes per pixel; 255 is full ink.
    Cmyk { width: u32, height: u32, bytes: Vec<u8> },
}

impl ImageKind {
    fn of(bytes: &[u8]) -> Option<Self> {
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

/// Decodes a file to sRGB with premultiplied alpha, in upright orientation.
pub(super) fn decode(bytes: &[u8]) -> Result<Pixmap, DecodeError> {
    if bytes.len() > MAX_BYTES {
        return Err(DecodeError::TooLarge(bytes.len()));
    }
    let kind = ImageKind::of(bytes).ok_or(DecodeError::Unknown)?;
    // The documentation of the decoders warns that crafted files can make them panic.
    catch_unwind(|| read(kind, bytes)).unwrap_or(Err(DecodeError::Damaged(kind)))
}

fn read(kind: ImageKind, bytes: &[u8]) -> Result<Pixmap, DecodeError> {
    let decoded = match kind {
        ImageKind::Jpeg => jpeg::read(bytes)?,
        ImageKind::Png => decode_generic(kind, ImageFormat::Png, bytes)?,
        ImageKind::WebP => decode_generic(kind, ImageFormat::WebP, bytes)?,
        ImageKind::Gif => decode_generic(kind, ImageFormat::Gif, bytes)?,
    };
    let mut image = premultiplied(colours::to_srgb(decoded.samples, decoded.colour_info.as_ref()));
    let longest = image.width().max(image.height());
    if longest > MAX_SIDE {
        let part = |side: u32| (u64::from(side) * u64::from(MAX_SIDE) / u64::from(longest)).max(1) as u32;
        image = imageops::thumbnail(&image, part(image.width()), part(image.height()));
    }
    let mut image = DynamicImage::ImageRgba8(image);
    image.apply_orientation(decoded.orientation);
    pixmap(image.into_rgba8()).ok_or(DecodeError::Damaged(kind))
}

/// Checks that an image of this size may be decoded.
pub(super) fn check_size(width: u32, height: u32) -> Result<(), DecodeError> {
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(DecodeError::TooManyPixels(width, height));
    }
    Ok(())
}

fn decode_generic(kind: ImageKind, format: ImageFormat, bytes: &[u8]) -> Result<Decoded, DecodeError> {
    if kind == ImageKind::WebP && !webp_is_complete(bytes) {
        return Err(DecodeError::Damaged(kind));
    }
    let decode_error = |error: ImageError| {
        tracing::info!(%error, "failed to decode an image");
        match error {
            ImageError::Unsupported(_) | ImageError::Limits(_) => DecodeError::Unsupported(kind),
            ImageError::Decoding(_) | ImageError::Encoding(_) | ImageError::Parameter(_) | ImageError::IoError(_) => {
                DecodeError::Damaged(kind)
            }
        }
    };
    let mut limits = Limits::default();
    limits.max_alloc = Some(if kind == ImageKind::Png { PNG_BYTES } else { DECODER_BYTES });
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(decode_error)?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(DecodeError::Damaged(kind));
    }
    check_size(width, height)?;
    // Unreadable metadata is ignored: the image itself is still usable.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().ok().flatten().map(ColourInfo::Profile);
    let colour_info = if kind == ImageKind::Png { profile.or_else(|| ColourInfo::from_png(bytes)) } else { profile };
    let samples = Samples::GreyOrRgb(DynamicImage::from_decoder(decoder).map_err(decode_error)?);
    Ok(Decoded { samples, colour_info, orientation })
}

/// Whether a WebP file has all the bytes that its header announces. The decoder would make up missing bytes at the end.
fn webp_is_complete(bytes: &[u8]) -> bool {
    let announced = bytes.get(4..8).and_then(|size| size.try_into().ok()).map(u32::from_le_bytes);
    // The last chunk may lack its padding byte.
    announced.is_some_and(|announced| bytes.len() as u64 + 1 >= u64::from(announced) + 8)
}
