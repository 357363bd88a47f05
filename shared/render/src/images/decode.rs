//! Decodes image files of four formats, after checking that they are complete and within the limits.

use std::io::Cursor;
use std::panic::catch_unwind;

use image::imageops;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use tiny_skia::Pixmap;

use super::alpha::{pixmap, premultiplied};
use super::colour_info::ColourInfo;
use super::decoded::{Decoded, Samples};
use super::limits::{DecodeError, ImageKind, MAX_BYTES, MAX_PIXELS, check_size};
use super::{colours, jpeg};

/// Longer images are scaled down to this width or height, the most that a 4K video can show.
const MAX_SIDE: u32 = 3840;
/// The memory that the WebP and GIF decoders may allocate in bytes: the pixels twice, and a reserve.
const DECODER_BYTES: u64 = MAX_PIXELS * 8 + 64 * 1024 * 1024;
/// The memory that the PNG decoder may allocate in addition to the pixels: for chunks of the file and for its
/// compressed profile.
const PNG_BYTES: u64 = 64 * 1024 * 1024;

/// Decodes a file to sRGB with premultiplied alpha, in upright orientation.
pub(super) fn decode(bytes: &[u8]) -> Result<Pixmap, DecodeError> {
    if bytes.len() > MAX_BYTES {
        return Err(DecodeError::TooLarge(bytes.len()));
    }
    decode_large(bytes)
}

/// As [`decode`], for a file of any number of bytes.
pub(super) fn decode_large(bytes: &[u8]) -> Result<Pixmap, DecodeError> {
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
