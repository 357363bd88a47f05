//! Pictures that clients upload or name, and their colour profiles: a complete picture within the limits is decoded, and any
//! other file is refused with a reason.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ImageEncoder, ImageFormat, Rgb, RgbImage};
use moxcms::ColorProfile;
use reelhook_app::videos::uploads::sniff;
use reelhook_domain::videos::film::ImageRef;
use reelhook_render::{Images, RenderError};

use crate::target::Verdict;

/// The longest reason of a refusal, in bytes.
const REASON: usize = 300;

/// Files.
pub fn of_files(bytes: &[u8]) -> Verdict {
    let (mut images, key) = (Images::new(), ImageRef::Key("shop/lamp.png".to_owned()));
    match images.insert(key.clone(), bytes) {
        Ok(()) => {
            assert!(images.contains(&key), "a decoded picture is kept");
            assert!(sniff(bytes).is_some(), "what is decoded may be uploaded");
            Verdict::Accepted
        }
        Err(RenderError::Image { image, reason }) => {
            assert_eq!(image, key, "the picture is named");
            assert!(!reason.is_empty() && reason.len() <= REASON, "a reason of {} bytes", reason.len());
            Verdict::Refused
        }
        Err(other) => panic!("a picture is refused as {other}"),
    }
}

/// Colour profiles, each in a complete picture: they change colours, and never whether the picture is decoded twice alike.
pub fn of_profiles(bytes: &[u8]) -> Verdict {
    let mut file = Vec::<u8>::new();
    write(PngEncoder::new(&mut file), &picture(), bytes.to_vec());
    let first = of_files(&file);
    assert_eq!(of_files(&file), first, "a picture is decoded alike each time");
    first
}

/// A small picture in each format, without and with a profile.
pub fn files() -> Vec<Vec<u8>> {
    let picture = picture();
    let mut files: Vec<Vec<u8>> = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif]
        .into_iter()
        .map(|format| {
            let mut bytes = Vec::<u8>::new();
            picture.write_to(&mut Cursor::new(&mut bytes), format).expect("a format that we encode");
            bytes
        })
        .collect();
    for profile in profiles() {
        let (mut png, mut jpeg, mut webp) = (Vec::<u8>::new(), Vec::<u8>::new(), Vec::<u8>::new());
        write(PngEncoder::new(&mut png), &picture, profile.clone());
        write(JpegEncoder::new(&mut jpeg), &picture, profile.clone());
        write(WebPEncoder::new_lossless(&mut webp), &picture, profile);
        files.extend([png, jpeg, webp]);
    }
    files
}

/// Colour profiles of displays.
pub fn profiles() -> Vec<Vec<u8>> {
    let known = [ColorProfile::new_srgb(), ColorProfile::new_display_p3()];
    known.iter().map(|profile| profile.encode().expect("a known profile")).collect()
}

fn picture() -> DynamicImage {
    let pixel = |x: u32, y: u32| Rgb([(x * 40) as u8, (y * 60) as u8, 128]);
    DynamicImage::ImageRgb8(RgbImage::from_fn(6, 4, pixel))
}

fn write(mut encoder: impl ImageEncoder, image: &DynamicImage, profile: Vec<u8>) {
    encoder.set_icc_profile(profile).expect("a format with profiles");
    let (width, height, colour) = (image.width(), image.height(), image.color().into());
    encoder.write_image(image.as_bytes(), width, height, colour).expect("it is written to memory");
}
