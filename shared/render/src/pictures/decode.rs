//! Files of pictures: which of four formats they have, whether they are whole and within the limits, and their pixels.

use std::io::Cursor;
use std::panic::catch_unwind;

use image::imageops;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use tiny_skia::Pixmap;

use super::colours::{self, Meaning};
use super::{KEPT, MAX_BYTES, MAX_PIXELS, jpeg, pixmap, premultiplied};

/// Bytes that the decoders of WebP and GIF may allocate: for pixels, twice, and some more.
const DECODER_BYTES: u64 = MAX_PIXELS * 8 + 64 * 1024 * 1024;
/// Bytes that the decoder of PNG may allocate beside the pixels: for parts of its file, and for its profile, which is
/// compressed.
const PNG_BYTES: u64 = 64 * 1024 * 1024;

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Png,
    Jpeg,
    WebP,
    Gif,
}

/// What is wrong with a file, as a client may read it: the rest of a sentence about the picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("has {0} bytes; at most {limit} are accepted", limit = MAX_BYTES)]
    TooLarge(usize),
    #[error("has {0}x{1} pixels; at most {limit} in total are accepted", limit = MAX_PIXELS)]
    TooManyPixels(u32, u32),
    #[error("is not a supported picture; it must be a PNG, JPEG, WebP or GIF file")]
    Unknown,
    #[error("is damaged or incomplete; it must be a complete {} file", .0.name())]
    Damaged(Kind),
    #[error("is a {} file of an unsupported kind; save it again as an ordinary PNG or JPEG", .0.name())]
    Unsupported(Kind),
}

/// What a decoder gives.
pub(super) struct Decoded {
    pub samples: Samples,
    /// How its colours are meant; sRGB where that is not said.
    pub meaning: Option<Meaning>,
    pub orientation: Orientation,
}

/// Samples of pixels, with straight alpha.
pub(super) enum Samples {
    /// Grey or red, green and blue.
    Light(DynamicImage),
    /// Four bytes a pixel: cyan, magenta, yellow and black, 255 of which is all of an ink.
    Inks { width: u32, height: u32, bytes: Vec<u8> },
}

impl Kind {
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

/// Decodes a file into sRGB with premultiplied alpha, upright.
pub(super) fn decode(bytes: &[u8]) -> Result<Pixmap, Fault> {
    if bytes.len() > MAX_BYTES {
        return Err(Fault::TooLarge(bytes.len()));
    }
    let kind = Kind::of(bytes).ok_or(Fault::Unknown)?;
    // Decoders say of themselves that files made for it can make them panic.
    catch_unwind(|| read(kind, bytes)).unwrap_or(Err(Fault::Damaged(kind)))
}

fn read(kind: Kind, bytes: &[u8]) -> Result<Pixmap, Fault> {
    let decoded = match kind {
        Kind::Jpeg => jpeg::read(bytes)?,
        Kind::Png => general(kind, ImageFormat::Png, bytes)?,
        Kind::WebP => general(kind, ImageFormat::WebP, bytes)?,
        Kind::Gif => general(kind, ImageFormat::Gif, bytes)?,
    };
    let mut image = premultiplied(colours::to_srgb(decoded.samples, decoded.meaning.as_ref()));
    let longest = image.width().max(image.height());
    if longest > KEPT {
        let part = |side: u32| (u64::from(side) * u64::from(KEPT) / u64::from(longest)).max(1) as u32;
        image = imageops::thumbnail(&image, part(image.width()), part(image.height()));
    }
    let mut image = DynamicImage::ImageRgba8(image);
    image.apply_orientation(decoded.orientation);
    pixmap(image.into_rgba8()).ok_or(Fault::Damaged(kind))
}

/// Whether a picture of this size may be decoded.
pub(super) fn within(width: u32, height: u32) -> Result<(), Fault> {
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(Fault::TooManyPixels(width, height));
    }
    Ok(())
}

fn general(kind: Kind, format: ImageFormat, bytes: &[u8]) -> Result<Decoded, Fault> {
    if kind == Kind::WebP && !webp_is_whole(bytes) {
        return Err(Fault::Damaged(kind));
    }
    let fault = |error: ImageError| {
        tracing::info!(%error, "a picture cannot be decoded");
        match error {
            ImageError::Unsupported(_) | ImageError::Limits(_) => Fault::Unsupported(kind),
            ImageError::Decoding(_) | ImageError::Encoding(_) | ImageError::Parameter(_) | ImageError::IoError(_) => {
                Fault::Damaged(kind)
            }
        }
    };
    let mut limits = Limits::default();
    limits.max_alloc = Some(if kind == Kind::Png { PNG_BYTES } else { DECODER_BYTES });
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(fault)?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(Fault::Damaged(kind));
    }
    within(width, height)?;
    // What is said about a picture and can't be read is passed over: it still is a picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().ok().flatten().map(Meaning::Profile);
    let meaning = if kind == Kind::Png { profile.or_else(|| Meaning::of_png(bytes)) } else { profile };
    let samples = Samples::Light(DynamicImage::from_decoder(decoder).map_err(fault)?);
    Ok(Decoded { samples, meaning, orientation })
}

/// Whether a WebP has all the bytes that its head announces: its decoder makes up what is missing at the end.
fn webp_is_whole(bytes: &[u8]) -> bool {
    let announced = bytes.get(4..8).and_then(|size| size.try_into().ok()).map(u32::from_le_bytes);
    // The last chunk may lack the byte that makes it even.
    announced.is_some_and(|announced| bytes.len() as u64 + 1 >= u64::from(announced) + 8)
}
