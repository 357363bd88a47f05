//! Decodes JPEG files strictly: an incomplete or damaged file is rejected, whereas the general decoder fills the gaps
//! with grey. CMYK is kept as inks, because a profile needs them.

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::colour_info::ColourInfo;
use super::decoded::{Decoded, Samples};
use super::limits::{DecodeError, ImageKind, check_size};

/// Decodes a JPEG.
pub(super) fn read(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let damaged = || DecodeError::Damaged(ImageKind::Jpeg);
    let structure = structure(bytes);
    if structure == Structure::Unsupported {
        return Err(DecodeError::Unsupported(ImageKind::Jpeg));
    }
    let mut head = JpegDecoder::new_with_options(ZCursor::new(bytes), options(ColorSpace::RGB));
    head.decode_headers().map_err(decode_error)?;
    let (across, down) = head.dimensions().ok_or_else(damaged)?;
    let colours = head.input_colorspace().ok_or_else(damaged)?;
    let (width, height) = (u32::try_from(across).unwrap_or(u32::MAX), u32::try_from(down).unwrap_or(u32::MAX));
    check_size(width, height)?;
    if structure == Structure::Truncated {
        return Err(damaged());
    }
    let output = match colours {
        ColorSpace::Luma | ColorSpace::CMYK | ColorSpace::YCCK => colours,
        _ => ColorSpace::RGB,
    };
    let samples = JpegDecoder::new_with_options(ZCursor::new(bytes), options(output)).decode().map_err(decode_error)?;
    let samples = match output {
        ColorSpace::Luma => GrayImage::from_raw(width, height, samples).map(DynamicImage::from).map(Samples::GreyOrRgb),
        ColorSpace::CMYK => Some(cmyk(width, height, samples, |colours| colours.map(|colour| 255 - colour))),
        ColorSpace::YCCK => Some(cmyk(width, height, samples, |[luma, blue, red, black]| {
            let [cyan, magenta, yellow] = rgb(luma, blue, red);
            [cyan, magenta, yellow, 255 - black]
        })),
        _ => RgbImage::from_raw(width, height, samples).map(DynamicImage::from).map(Samples::GreyOrRgb),
    };
    Ok(Decoded {
        samples: samples.ok_or_else(damaged)?,
        colour_info: head.icc_profile().map(ColourInfo::Profile),
        orientation: head
            .exif()
            .and_then(|exif| Orientation::from_exif_chunk(exif))
            .unwrap_or(Orientation::NoTransforms),
    })
}

fn options(colours: ColorSpace) -> DecoderOptions {
    DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(colours)
}

fn decode_error(error: DecodeErrors) -> DecodeError {
    tracing::info!(%error, "failed to decode a JPEG");
    match error {
        DecodeErrors::Unsupported(_) => DecodeError::Unsupported(ImageKind::Jpeg),
        DecodeErrors::Format(_)
        | DecodeErrors::FormatStatic(_)
        | DecodeErrors::IllegalMagicBytes(_)
        | DecodeErrors::HuffmanDecode(_)
        | DecodeErrors::ZeroError
        | DecodeErrors::DqtError(_)
        | DecodeErrors::SosError(_)
        | DecodeErrors::SofError(_)
        | DecodeErrors::MCUError(_)
        | DecodeErrors::ExhaustedData
        | DecodeErrors::LargeDimensions(_)
        | DecodeErrors::TooSmallOutput(..)
        | DecodeErrors::IoErrors(_) => DecodeError::Damaged(ImageKind::Jpeg),
    }
}

/// Collects CMYK samples. JPEG stores inks inverted: 255 is no ink.
fn cmyk(width: u32, height: u32, mut bytes: Vec<u8>, turn: impl Fn([u8; 4]) -> [u8; 4]) -> Samples {
    for pixel in bytes.chunks_exact_mut(4) {
        pixel.copy_from_slice(&turn([pixel[0], pixel[1], pixel[2], pixel[3]]));
    }
    Samples::Cmyk { width, height, bytes }
}

/// Converts YCbCr of JFIF to red, green and blue; for YCCK the result is cyan, magenta and yellow.
fn rgb(luma: u8, blue: u8, red: u8) -> [u8; 3] {
    let (luma, blue, red) = (f32::from(luma), f32::from(blue) - 128.0, f32::from(red) - 128.0);
    [luma + 1.402 * red, luma - 0.344_136 * blue - 0.714_136 * red, luma + 1.772 * blue]
        .map(|channel| (channel + 0.5) as u8)
}

/// The structure of a file according to its markers, without decoding its samples (ITU-T T.81, B.1).
#[derive(Debug, PartialEq, Eq)]
enum Structure {
    /// The file reaches the end-of-image marker.
    Complete,
    /// The file ends before that marker.
    Truncated,
    /// The coding process is lossless, hierarchical or arithmetic, which hardly any program supports.
    Unsupported,
}

fn structure(bytes: &[u8]) -> Structure {
    let mut at = 2;
    while let Some(found) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == 0xff)) {
        at += found + 1;
        match bytes.get(at) {
            // Skip fill bytes before a marker.
            Some(0xff) => {}
            // Skip a byte of image data, or a marker without a length: TEM, RST, SOI.
            Some(0x00 | 0x01 | 0xd0..=0xd8) => at += 1,
            Some(0xd9) => return Structure::Complete,
            Some(0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf) => return Structure::Unsupported,
            Some(_) => match bytes.get(at + 1..at + 3) {
                Some(length) => at += 1 + usize::from(u16::from_be_bytes([length[0], length[1]])),
                None => return Structure::Truncated,
            },
            None => return Structure::Truncated,
        }
    }
    Structure::Truncated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_complete_if_it_reaches_the_end_of_image_marker() {
        let head = [0xff, 0xd8, 0xff, 0xfe, 0, 4, 0xff, 0xd9, 0xff, 0xda, 0, 3, 1];
        let check = |data: &[u8], expected: Structure| {
            let file = [&head[..], data].concat();
            assert_eq!(structure(&file), expected, "{data:x?}");
        };
        check(&[1, 2, 3, 0xff, 0xd9], Structure::Complete);
        check(&[1, 0xff, 0x00, 2, 0xff, 0xd0, 3, 0xff, 0xd9, 7, 7, 7], Structure::Complete);
        check(&[1, 0xff, 0xff, 0xff, 0xd9], Structure::Complete);
        check(&[1, 0xff, 0xc4, 0, 3, 9, 0xff, 0xda, 0, 2, 5, 0xff, 0xd9], Structure::Complete);
        check(&[1, 2, 3], Structure::Truncated);
        check(&[1, 2, 0xff], Structure::Truncated);
        check(&[1, 0xff, 0x00, 0xff, 0xd7], Structure::Truncated);
        check(&[0xff, 0xc4, 0], Structure::Truncated);
        check(&[0xff, 0xc4, 0xff, 0xd9], Structure::Truncated);
        check(&[0xff, 0xc9, 0, 2, 0xff, 0xd9], Structure::Unsupported);
    }
}
