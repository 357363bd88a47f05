//! JPEGs, read strictly: a file that ends early or has damaged data is refused, where the general decoder fills up with
//! grey. And CMYK is read as inks, which a profile needs.

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::colours::Meaning;
use super::decode::{Decoded, Fault, Kind, Samples, within};

/// Reads a JPEG.
pub(super) fn read(bytes: &[u8]) -> Result<Decoded, Fault> {
    let damaged = || Fault::Damaged(Kind::Jpeg);
    let course = course(bytes);
    if course == Course::Unusual {
        return Err(Fault::Unsupported(Kind::Jpeg));
    }
    let mut head = JpegDecoder::new_with_options(ZCursor::new(bytes), options(ColorSpace::RGB));
    head.decode_headers().map_err(fault)?;
    let (across, down) = head.dimensions().ok_or_else(damaged)?;
    let colours = head.input_colorspace().ok_or_else(damaged)?;
    let (width, height) = (u32::try_from(across).unwrap_or(u32::MAX), u32::try_from(down).unwrap_or(u32::MAX));
    within(width, height)?;
    if course == Course::Cut {
        return Err(damaged());
    }
    let wanted = match colours {
        ColorSpace::Luma | ColorSpace::CMYK | ColorSpace::YCCK => colours,
        _ => ColorSpace::RGB,
    };
    let samples = JpegDecoder::new_with_options(ZCursor::new(bytes), options(wanted)).decode().map_err(fault)?;
    let samples = match wanted {
        ColorSpace::Luma => GrayImage::from_raw(width, height, samples).map(DynamicImage::from).map(Samples::Light),
        ColorSpace::CMYK => Some(inks(width, height, samples, |colours| colours.map(|colour| 255 - colour))),
        ColorSpace::YCCK => Some(inks(width, height, samples, |[luma, blue, red, black]| {
            let [cyan, magenta, yellow] = rgb(luma, blue, red);
            [cyan, magenta, yellow, 255 - black]
        })),
        _ => RgbImage::from_raw(width, height, samples).map(DynamicImage::from).map(Samples::Light),
    };
    Ok(Decoded {
        samples: samples.ok_or_else(damaged)?,
        meaning: head.icc_profile().map(Meaning::Profile),
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

fn fault(error: DecodeErrors) -> Fault {
    tracing::info!(%error, "a JPEG cannot be decoded");
    match error {
        DecodeErrors::Unsupported(_) => Fault::Unsupported(Kind::Jpeg),
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
        | DecodeErrors::IoErrors(_) => Fault::Damaged(Kind::Jpeg),
    }
}

/// JPEGs hold inks turned around: 255 is none.
fn inks(width: u32, height: u32, mut bytes: Vec<u8>, turn: impl Fn([u8; 4]) -> [u8; 4]) -> Samples {
    for pixel in bytes.chunks_exact_mut(4) {
        pixel.copy_from_slice(&turn([pixel[0], pixel[1], pixel[2], pixel[3]]));
    }
    Samples::Inks { width, height, bytes }
}

/// JFIF's YCbCr as red, green and blue; of YCCK that is cyan, magenta and yellow.
fn rgb(luma: u8, blue: u8, red: u8) -> [u8; 3] {
    let (luma, blue, red) = (f32::from(luma), f32::from(blue) - 128.0, f32::from(red) - 128.0);
    [luma + 1.402 * red, luma - 0.344_136 * blue - 0.714_136 * red, luma + 1.772 * blue]
        .map(|channel| (channel + 0.5) as u8)
}

/// What the markers of a file tell before its samples are looked at (ITU-T T.81, B.1).
#[derive(Debug, PartialEq, Eq)]
enum Course {
    /// It goes on to the marker that ends its picture.
    Whole,
    /// It ends before.
    Cut,
    /// Its picture is lossless, hierarchical or coded arithmetically, which hardly any program reads.
    Unusual,
}

fn course(bytes: &[u8]) -> Course {
    let mut at = 2;
    while let Some(found) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == 0xff)) {
        at += found + 1;
        match bytes.get(at) {
            // Fill bytes before a marker.
            Some(0xff) => {}
            // A byte of the picture's data, or a marker without a length: TEM, RST, SOI.
            Some(0x00 | 0x01 | 0xd0..=0xd8) => at += 1,
            Some(0xd9) => return Course::Whole,
            Some(0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf) => return Course::Unusual,
            Some(_) => match bytes.get(at + 1..at + 3) {
                Some(length) => at += 1 + usize::from(u16::from_be_bytes([length[0], length[1]])),
                None => return Course::Cut,
            },
            None => return Course::Cut,
        }
    }
    Course::Cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_up_to_the_end_of_its_picture() {
        let head = [0xff, 0xd8, 0xff, 0xfe, 0, 4, 0xff, 0xd9, 0xff, 0xda, 0, 3, 1];
        let check = |data: &[u8], expected: Course| {
            let file = [&head[..], data].concat();
            assert_eq!(course(&file), expected, "{data:x?}");
        };
        check(&[1, 2, 3, 0xff, 0xd9], Course::Whole);
        check(&[1, 0xff, 0x00, 2, 0xff, 0xd0, 3, 0xff, 0xd9, 7, 7, 7], Course::Whole);
        check(&[1, 0xff, 0xff, 0xff, 0xd9], Course::Whole);
        check(&[1, 0xff, 0xc4, 0, 3, 9, 0xff, 0xda, 0, 2, 5, 0xff, 0xd9], Course::Whole);
        check(&[1, 2, 3], Course::Cut);
        check(&[1, 2, 0xff], Course::Cut);
        check(&[1, 0xff, 0x00, 0xff, 0xd7], Course::Cut);
        check(&[0xff, 0xc4, 0], Course::Cut);
        check(&[0xff, 0xc4, 0xff, 0xd9], Course::Cut);
        check(&[0xff, 0xc9, 0, 2, 0xff, 0xd9], Course::Unusual);
    }
}
