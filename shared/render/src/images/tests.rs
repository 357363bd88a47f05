//! Images as clients send them: with transparency, in other colour spaces, rotated, damaged. All are generated here.

mod files;

use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageBuffer, LumaA, Rgb, RgbImage, Rgba, RgbaImage};
use moxcms::ColorProfile;

use self::files::{File, flat_jpeg, indexed, press_profile, tiff_with_orientation, with_chunk};
use super::alpha::premultiplied;
use super::decode::decode;
use super::limits::{DecodeError, ImageKind, MAX_BYTES};
use super::*;

/// The colour and alpha of a decoded pixel.
fn pixel(decoded: &Pixmap, x: u32, y: u32) -> [u8; 4] {
    let pixel = decoded.pixel(x, y).expect("a pixel of the image");
    [pixel.red(), pixel.green(), pixel.blue(), pixel.alpha()]
}

/// The colour at the centre of a file.
fn middle(bytes: &[u8]) -> [u8; 4] {
    let decoded = decode(bytes).expect("an image");
    pixel(&decoded, decoded.width() / 2, decoded.height() / 2)
}

fn near(found: [u8; 4], expected: [u8; 3], by: u8, what: &str) {
    let all = found.into_iter().zip(expected).all(|(found, expected)| found.abs_diff(expected) <= by);
    assert!(all && found[3] == 255, "{what}: {found:?} for {expected:?}");
}

fn flat(rgb: [u8; 3]) -> DynamicImage {
    RgbImage::from_pixel(32, 32, Rgb(rgb)).into()
}

/// A disc of one colour on transparent pixels of another colour.
fn disc(side: u32, inside: [u8; 3], outside: [u8; 3]) -> RgbaImage {
    let middle = side as f32 / 2.0;
    RgbaImage::from_fn(side, side, |x, y| {
        let (dx, dy) = (x as f32 + 0.5 - middle, y as f32 + 0.5 - middle);
        let inner = (dx * dx + dy * dy).sqrt() < middle * 0.8;
        let [r, g, b] = if inner { inside } else { outside };
        Rgba([r, g, b, if inner { 255 } else { 0 }])
    })
}

#[test]
fn scaling_adds_no_colour_to_an_edge() {
    for (inside, outside) in [
        ([255, 255, 255], [0, 0, 0]),
        ([255, 255, 255], [255, 0, 255]),
        ([10, 20, 30], [255, 255, 255]),
        ([200, 100, 50], [0, 255, 0]),
    ] {
        let decoded = pixmap(premultiplied(disc(120, inside, outside))).expect("a size");
        for side in [17, 60, 119, 121, 300, 777] {
            let scaled = cover(&decoded, side, side);
            assert_eq!((scaled.width(), scaled.height()), (side, side));
            let (mut seen, mut worst) = (0, 0.0_f32);
            for pixel in scaled.pixels().iter().filter(|pixel| (1..255).contains(&pixel.alpha())) {
                seen += 1;
                for (channel, meant) in [pixel.red(), pixel.green(), pixel.blue()].into_iter().zip(inside) {
                    // Compare the premultiplied channel with the exact product of colour and alpha.
                    let exact = f32::from(meant) * f32::from(pixel.alpha()) / 255.0;
                    worst = worst.max((f32::from(channel) - exact).abs());
                }
            }
            assert!(seen > 0, "no edge at {side}");
            assert!(worst < 1.01, "{inside:?} on {outside:?} at {side}: {worst}");
        }
    }
}

#[test]
fn transparent_pixels_have_no_colour() {
    let decoded = premultiplied(disc(40, [1, 2, 3], [90, 80, 70]));
    assert_eq!(decoded.get_pixel(0, 0).0, [0; 4]);
    assert_eq!(decoded.get_pixel(20, 20).0, [1, 2, 3, 255]);
    let half = premultiplied(RgbaImage::from_pixel(1, 1, Rgba([255, 101, 0, 128])));
    assert_eq!(half.get_pixel(0, 0).0, [128, 51, 0, 128]);
}

#[test]
fn transparency_of_every_format_is_kept() {
    let white = disc(40, [255; 3], [0; 3]);
    let sixteen = ImageBuffer::<Rgba<u16>, Vec<u16>>::from_fn(40, 40, |x, y| {
        Rgba(white.get_pixel(x, y).0.map(|channel| u16::from(channel) * 257))
    });
    let grey = GrayAlphaImage::from_fn(40, 40, |x, y| LumaA([255, white.get_pixel(x, y).0[3]]));
    // The same image as palette indexes, and as grey with one transparent value.
    let numbers = GrayImage::from_fn(40, 40, |x, y| image::Luma([white.get_pixel(x, y).0[3]]));
    let numbers = File::Png.write(&numbers.into());
    for (what, bytes) in [
        ("PNG", File::Png.write(&white.clone().into())),
        ("PNG of 16 bits", File::Png.write(&sixteen.into())),
        ("grey PNG", File::Png.write(&grey.into())),
        ("PNG with a clear grey", with_chunk(&numbers, b"tRNS", &[0, 0])),
        ("PNG with a palette", indexed(&numbers)),
        ("WebP", File::WebP.write(&white.clone().into())),
        ("GIF", File::Gif.write(&white.clone().into())),
    ] {
        let decoded = decode(&bytes).unwrap_or_else(|decode_error| panic!("{what} {decode_error}"));
        assert_eq!(pixel(&decoded, 0, 0), [0; 4], "{what}");
        assert_eq!(pixel(&decoded, 20, 20), [255; 4], "{what}");
        assert!(!is_opaque(&decoded), "{what}");
    }
}

/// sRGB with the primaries of red and green swapped.
fn swapped() -> Vec<u8> {
    let mut profile = ColorProfile::new_srgb();
    profile.cicp = None;
    std::mem::swap(&mut profile.red_colorant, &mut profile.green_colorant);
    profile.encode().expect("a profile")
}

#[test]
fn a_profile_s_colours_become_srgb() {
    for file in [File::Png, File::Jpeg, File::WebP] {
        let by = if file == File::Jpeg { 8 } else { 3 };
        let read = |rgb, profile: Vec<u8>| middle(&file.write_with(&flat(rgb), Some(profile), None));
        near(read([255, 0, 0], swapped()), [0, 255, 0], by, "red of a profile with red and green swapped");
        near(read([40, 200, 90], swapped()), [200, 40, 90], by, "a colour of a profile with red and green swapped");
        let p3 = ColorProfile::new_display_p3().encode().expect("a profile");
        near(read([200, 100, 50], p3), [215, 93, 31], by, "Display P3");
        let adobe = ColorProfile::new_adobe_rgb().encode().expect("a profile");
        near(read([120, 160, 90], adobe), [99, 161, 85], by, "Adobe RGB");
        let srgb = ColorProfile::new_srgb().encode().expect("a profile");
        near(read([120, 160, 90], srgb), [120, 160, 90], if file == File::Jpeg { 4 } else { 0 }, "sRGB is unchanged");
    }
}

#[test]
fn a_profile_leaves_transparency_alone() {
    let image = disc(40, [255, 0, 0], [0, 0, 255]);
    for file in [File::Png, File::WebP] {
        let decoded = decode(&file.write_with(&image.clone().into(), Some(swapped()), None)).expect("an image");
        assert_eq!(pixel(&decoded, 0, 0), [0; 4]);
        near(pixel(&decoded, 20, 20), [0, 255, 0], 3, "the disc");
    }
}

#[test]
fn grey_has_profiles_of_its_own() {
    let grey: DynamicImage = GrayImage::from_pixel(32, 32, image::Luma([128])).into();
    let linear = ColorProfile::new_gray_with_gamma(1.0).encode().expect("a profile");
    for file in [File::Png, File::Jpeg] {
        let read = |profile: Option<Vec<u8>>| middle(&file.write_with(&grey, profile, None));
        near(read(Some(linear.clone())), [188; 3], 2, "linear grey");
        near(read(None), [128; 3], 1, "grey without a profile");
        near(read(Some(swapped())), [128; 3], 2, "grey with a profile for colours");
    }
}

#[test]
fn an_invalid_or_unsuitable_profile_is_ignored() {
    let whole = swapped();
    let grey = ColorProfile::new_gray_with_gamma(1.0).encode().expect("a profile");
    let mut dark = ColorProfile::new_srgb();
    dark.cicp = None;
    (dark.red_colorant.x, dark.green_colorant.y, dark.blue_colorant.z) = (0.001, 0.001, 0.001);
    let mut huge = whole.clone();
    huge.resize(5 * 1024 * 1024, 0);
    for (what, profile) in [
        ("empty", Vec::new()),
        ("text", b"no profile at all, but long enough to be taken for one at first sight".repeat(4)),
        ("cut short", whole[..200].to_vec()),
        ("zeros", vec![0; 4096]),
        ("for grey", grey),
        ("for inks", press_profile()),
        ("one that makes white dark", dark.encode().expect("a profile")),
        ("too large", huge),
    ] {
        let bytes = File::Png.write_with(&flat([200, 40, 90]), Some(profile), None);
        assert_eq!(middle(&bytes), [200, 40, 90, 255], "{what}");
    }
}

#[test]
fn a_png_can_state_its_colour_space_without_a_profile() {
    let number = |value: u32| value.to_be_bytes();
    let png = File::Png.write(&flat([128, 64, 200]));
    let gamma = |value: u32| with_chunk(&png, b"gAMA", &number(value));
    near(middle(&gamma(100_000)), [188, 137, 229], 2, "linear light");
    near(middle(&gamma(55_556)), [146, 81, 210], 2, "a gamma of 1.8");
    assert_eq!(middle(&gamma(45_455)), [128, 64, 200, 255], "values that amount to sRGB");
    assert_eq!(middle(&gamma(0)), [128, 64, 200, 255], "nonsense");
    assert_eq!(middle(&with_chunk(&gamma(100_000), b"sRGB", &[0])), [128, 64, 200, 255], "sRGB counts first");
    let grey: DynamicImage = GrayImage::from_pixel(8, 8, image::Luma([128])).into();
    near(middle(&with_chunk(&File::Png.write(&grey), b"gAMA", &number(100_000))), [188; 3], 2, "linear grey");
    // The white point, then green in the place of red.
    let swapped: Vec<u8> =
        [31_270, 32_900, 30_000, 60_000, 64_000, 33_000, 15_000, 6_000].into_iter().flat_map(number).collect();
    let red = with_chunk(&File::Png.write(&flat([255, 0, 0])), b"cHRM", &swapped);
    near(middle(&with_chunk(&red, b"gAMA", &number(45_455))), [0, 255, 0], 3, "primaries that are swapped");
    assert_eq!(middle(&red), [255, 0, 0, 255], "primaries without a gamma are ignored");
    let nowhere = with_chunk(&with_chunk(&png, b"cHRM", &[0; 32]), b"gAMA", &number(45_455));
    assert_eq!(middle(&nowhere), [128, 64, 200, 255], "primaries without an area");
}

#[test]
fn cmyk_of_a_jpeg_becomes_rgb() {
    // JPEG stores inks inverted: 255 is no ink.
    let cyan = [0, 255, 255, 255];
    near(middle(&flat_jpeg(&cyan, Some(0), 8, None)), [0, 255, 255], 2, "cyan");
    near(middle(&flat_jpeg(&[255, 255, 255, 0], Some(0), 8, None)), [0, 0, 0], 2, "black");
    near(middle(&flat_jpeg(&[255, 155, 255, 255], None, 8, None)), [255, 155, 255], 2, "some magenta, unmarked");
    // Cyan as YCCK: red in YCbCr stands for the cyan ink.
    near(middle(&flat_jpeg(&[76, 85, 255, 255], Some(2), 8, None)), [0, 255, 255], 4, "cyan as YCCK");
    // A press that prints red instead of cyan.
    let printed = middle(&flat_jpeg(&cyan, Some(0), 8, Some(&press_profile())));
    near(printed, [255, 0, 0], 24, "cyan of a strange press");
    near(middle(&flat_jpeg(&[255; 4], Some(0), 8, Some(&press_profile()))), [255; 3], 3, "its paper");
    near(middle(&flat_jpeg(&cyan, Some(0), 8, Some(&swapped()))), [0, 255, 255], 2, "with an RGB profile");
}

#[test]
fn the_orientation_of_a_file_is_applied() {
    let image = RgbImage::from_fn(48, 16, |x, _| if x < 24 { Rgb([250, 0, 0]) } else { Rgb([0, 0, 250]) });
    for file in [File::Png, File::Jpeg, File::WebP] {
        for (orientation, size, first) in [
            (1, (48, 16), [250, 0, 0]),
            (3, (48, 16), [0, 0, 250]),
            (6, (16, 48), [250, 0, 0]),
            (8, (16, 48), [0, 0, 250]),
            (99, (48, 16), [250, 0, 0]),
        ] {
            let exif = tiff_with_orientation(orientation);
            let decoded = decode(&file.write_with(&image.clone().into(), None, Some(exif))).expect("an image");
            assert_eq!((decoded.width(), decoded.height()), size, "{file:?} {orientation}");
            near(pixel(&decoded, 4, 4), first, 12, &format!("{file:?} {orientation}"));
        }
    }
}

/// Noise, which no format compresses well.
fn busy() -> DynamicImage {
    let mut state = 7_u32;
    let noise = RgbImage::from_fn(96, 64, |_, _| {
        Rgb([0; 3].map(|_: u8| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        }))
    });
    noise.into()
}

#[test]
fn a_truncated_file_is_damaged_in_every_format() {
    for (file, kind) in [
        (File::Png, ImageKind::Png),
        (File::Jpeg, ImageKind::Jpeg),
        (File::WebP, ImageKind::WebP),
        (File::Gif, ImageKind::Gif),
    ] {
        let whole = file.write(&busy());
        assert!(decode(&whole).is_ok(), "{file:?}");
        for length in [13, 40, whole.len() / 3, whole.len() / 2, whole.len() * 9 / 10] {
            assert_eq!(decode(&whole[..length]).unwrap_err(), DecodeError::Damaged(kind), "{file:?} of {length} bytes");
        }
    }
    let jpeg = File::Jpeg.write(&busy());
    for missing in [1, 2, 3, 30] {
        let cut = decode(&jpeg[..jpeg.len() - missing]);
        assert_eq!(cut.unwrap_err(), DecodeError::Damaged(ImageKind::Jpeg), "{missing} bytes of a JPEG are missing");
    }
    let followed = [jpeg.as_slice(), b"what a camera adds"].concat();
    assert!(decode(&followed).is_ok(), "a JPEG may be followed by something");
}

#[test]
fn damage_in_the_middle_is_found() {
    let mut png = File::Png.write(&busy());
    let at = png.len() / 2;
    png[at] ^= 0x10;
    assert_eq!(decode(&png).unwrap_err(), DecodeError::Damaged(ImageKind::Png));
    let mut jpeg = File::Jpeg.write(&busy());
    let at = jpeg.len() / 2;
    for pair in jpeg[at..at + 40].chunks_exact_mut(2) {
        pair.copy_from_slice(&[0xff, 0xd8]);
    }
    assert_eq!(decode(&jpeg).unwrap_err(), DecodeError::Damaged(ImageKind::Jpeg));
}

#[test]
fn errors_say_what_would_be_right() {
    let says = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
    for bytes in [&b""[..], b"<svg/>", b"<!doctype html>", b"BM", &[0; 64], b"GIF80a", b"\x89PNX\r\n\x1a\n"] {
        assert_eq!(says(bytes), "is not a supported image; it must be a PNG, JPEG, WebP or GIF file");
    }
    assert_eq!(says(&vec![0xff; MAX_BYTES + 1]), "has 10485761 bytes; at most 10485760 are accepted");
    let large = flat_jpeg(&[0, 0, 0], None, 20_000, None);
    assert_eq!(says(&large), "has 20000x20000 pixels; at most 40000000 in total are accepted");
    let cut = &File::Gif.write(&busy())[..200];
    assert_eq!(says(cut), "is damaged or incomplete; it must be a complete GIF file");
    let mut arithmetic = flat_jpeg(&[0, 0, 0], None, 8, None);
    let frame = arithmetic.windows(2).position(|marker| marker == [0xff, 0xc0]).expect("a frame");
    arithmetic[frame + 1] = 0xc9;
    let unsupported = "is a JPEG file of an unsupported kind; save it again as an ordinary PNG or JPEG";
    assert_eq!(says(&arithmetic), unsupported);
}

#[test]
fn an_image_larger_than_any_video_is_scaled_down() {
    let wide = RgbaImage::from_fn(5000, 10, |x, _| Rgba([255, 255, 255, if x % 2 == 0 { 255 } else { 0 }]));
    let decoded = decode(&File::Png.write(&wide.into())).expect("an image");
    assert_eq!((decoded.width(), decoded.height()), (3840, 7));
    assert!(decoded.pixels().iter().all(|pixel| pixel.red() == pixel.alpha()), "white stays white at any opacity");
}
