//! Builds image files for tests: in each format, with profiles and EXIF data, and byte by byte where no encoder writes
//! them.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ImageEncoder, ImageFormat};

/// A format to encode to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum File {
    Png,
    Jpeg,
    WebP,
    Gif,
}

impl File {
    pub fn write(self, image: &DynamicImage) -> Vec<u8> {
        self.write_with(image, None, None)
    }

    /// Encodes an image with an ICC profile and EXIF data, if the format supports them.
    pub fn write_with(self, image: &DynamicImage, profile: Option<Vec<u8>>, exif: Option<Vec<u8>>) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Png => encode(PngEncoder::new(&mut bytes), image, profile, exif),
            Self::Jpeg => encode(JpegEncoder::new_with_quality(&mut bytes, 100), image, profile, exif),
            Self::WebP => encode(WebPEncoder::new_lossless(&mut bytes), image, profile, exif),
            Self::Gif => image.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Gif).expect("a GIF"),
        }
        bytes
    }
}

fn encode(mut encoder: impl ImageEncoder, image: &DynamicImage, profile: Option<Vec<u8>>, exif: Option<Vec<u8>>) {
    if let Some(profile) = profile {
        encoder.set_icc_profile(profile).expect("a format with profiles");
    }
    if let Some(exif) = exif {
        encoder.set_exif_metadata(exif).expect("a format with EXIF");
    }
    encoder.write_image(image.as_bytes(), image.width(), image.height(), image.color().into()).expect("a file");
}

/// EXIF data with an orientation only.
pub(super) fn tiff_with_orientation(orientation: u8) -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    tiff.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    tiff
}

/// A PNG chunk with its checksum.
fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let named = [&name[..], data].concat();
    let crc = named.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    });
    let length = u32::try_from(data.len()).expect("a short chunk").to_be_bytes();
    [&length[..], &named, &(!crc).to_be_bytes()].concat()
}

/// Inserts a chunk after the header of a PNG.
pub(super) fn with_chunk(png: &[u8], name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    [&png[..33], &chunk(name, data), &png[33..]].concat()
}

/// Converts an 8-bit grey PNG to palette indexes: 0 is transparent black, 255 is white.
pub(super) fn indexed(grey: &[u8]) -> Vec<u8> {
    let mut head = grey[16..29].to_vec();
    head[9] = 3;
    let palette: Vec<u8> = (0..=255).flat_map(|value| [value; 3]).collect();
    [&grey[..8], &chunk(b"IHDR", &head), &chunk(b"PLTE", &palette), &chunk(b"tRNS", &[0]), &grey[33..]].concat()
}

/// A JPEG with one block of these components (ITU-T T.81), and an Adobe marker for their colour space. If `side` is not
/// 8, only the header is valid.
pub(super) fn flat_jpeg(components: &[u8], adobe: Option<u8>, side: u16, profile: Option<&[u8]>) -> Vec<u8> {
    let count = components.len() as u8;
    let mut bytes = vec![0xff, 0xd8];
    let mut segment = |marker: u8, data: &[u8]| {
        bytes.extend([0xff, marker]);
        bytes.extend((data.len() as u16 + 2).to_be_bytes());
        bytes.extend(data);
    };
    if let Some(transform) = adobe {
        segment(0xee, &[&b"Adobe\0\x64\0\0\0\0"[..], &[transform]].concat());
    }
    if let Some(profile) = profile {
        segment(0xe2, &[&b"ICC_PROFILE\0\x01\x01"[..], profile].concat());
    }
    segment(0xdb, &[&[0_u8][..], &[8; 64]].concat());
    let [high, low] = side.to_be_bytes();
    let numbers = 1..=count;
    let frame: Vec<u8> = numbers.clone().flat_map(|number| [number, 0x11, 0]).collect();
    segment(0xc0, &[&[8_u8, high, low, high, low, count][..], &frame].concat());
    // Huffman tables: nine lengths of DC differences with four bits each, and end-of-block as the only AC symbol with
    // one bit.
    segment(0xc4, &[0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    segment(0xc4, &[0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let scan: Vec<u8> = numbers.flat_map(|number| [number, 0]).collect();
    segment(0xda, &[&[count][..], &scan, &[0, 63, 0]].concat());
    let mut bits = String::new();
    for component in components {
        let difference = i32::from(*component) - 128;
        let length = (32 - difference.unsigned_abs().leading_zeros()) as usize;
        bits += &format!("{length:04b}");
        if length > 0 {
            let value = if difference < 0 { difference + (1 << length) - 1 } else { difference };
            bits += &format!("{value:0length$b}");
        }
        bits += "0";
    }
    while !bits.len().is_multiple_of(8) {
        bits += "1";
    }
    for at in (0..bits.len()).step_by(8) {
        let byte = u8::from_str_radix(&bits[at..at + 8], 2).expect("eight bits");
        bytes.push(byte);
        if byte == 0xff {
            bytes.push(0);
        }
    }
    bytes.extend([0xff, 0xd9]);
    bytes
}

/// The profile of a press with white paper whose cyan prints red; every other mixture prints black (ICC.1, lut8Type).
pub(super) fn press_profile() -> Vec<u8> {
    let mut table = b"mft1\0\0\0\0\x04\x03\x02\0".to_vec();
    for number in [1, 0, 0, 0, 1, 0, 0, 0, 1] {
        table.extend((number * 65_536_u32).to_be_bytes());
    }
    let straight = || 0..=255_u8;
    (0..4).for_each(|_| table.extend(straight()));
    // The sixteen mixtures of no ink and full ink in CIELAB; cyan is the most significant bit.
    for mixture in 0..16 {
        table.extend(match mixture {
            0 => [255, 128, 128],
            8 => [138, 209, 198],
            _ => [0, 128, 128],
        });
    }
    (0..3).for_each(|_| table.extend(straight()));
    let mut head = [0_u8; 144];
    let length = u32::try_from(144 + table.len()).expect("a short profile");
    for (at, bytes) in [
        (0, length.to_be_bytes()),
        (8, [4, 0x20, 0, 0]),
        (12, *b"prtr"),
        (16, *b"CMYK"),
        (20, *b"Lab "),
        (36, *b"acsp"),
        (68, 0xF6D6_u32.to_be_bytes()),
        (72, 0x1_0000_u32.to_be_bytes()),
        (76, 0xD32D_u32.to_be_bytes()),
        (128, 1_u32.to_be_bytes()),
        (132, *b"A2B0"),
        (136, 144_u32.to_be_bytes()),
        (140, (length - 144).to_be_bytes()),
    ] {
        head[at..at + 4].copy_from_slice(&bytes);
    }
    [&head[..], &table].concat()
}
