//! Content that breaks layouts is drawn without a panic, and no text is drawn where apps and screens cover it.

use image::RgbaImage;
use proptest::prelude::*;
use reelhook_domain::videos::film::{Content, ImageRef, Item, Rendition, Scene, SceneKind, Theme};
use reelhook_render::{Fonts, Images, LaidOutScene, RenderError, Yuv};

use crate::{RENDITIONS, alone, fonts, samples};

fn contents(kind: SceneKind) -> Vec<(&'static str, Content)> {
    let word = "W".repeat(2_000);
    let controls = "a\u{0}b\u{1b}[31m\u{7f}\u{202e}cd\u{fffe}\r\n\t\u{85}";
    let mut all = vec![
        ("empty", Content::default()),
        ("one long word", samples::filled(kind, &[&word], 12)),
        ("twelve long items", samples::filled(kind, &samples::LONG, 12)),
        ("arabic", samples::filled(kind, &samples::ARABIC, 5)),
        ("hebrew", samples::filled(kind, &samples::HEBREW, 7)),
        ("emoji", samples::filled(kind, &samples::EMOJI, 9)),
        ("chinese", samples::filled(kind, &samples::CHINESE, 6)),
        ("hindi", samples::filled(kind, &samples::HINDI, 4)),
        ("thai", samples::filled(kind, &samples::THAI, 8)),
        ("control characters", samples::filled(kind, &[controls, "\u{0}", "**", "****", "**a", "\n\n"], 6)),
        ("stacked marks", samples::filled(kind, &["Z\u{0311}\u{036b}\u{0343}\u{032a}\u{0302}a\u{0334}\u{0321}l"], 3)),
    ];
    let mut empty_items = Content { title: "t".into(), ..Content::default() };
    empty_items.items = vec![Item::default(); 12];
    all.push(("empty items", empty_items));
    let mut icons = samples::filled(kind, &["x"], 3);
    for item in &mut icons.items {
        item.icon = word.clone();
        item.value = word.clone();
    }
    all.push(("long icons and values", icons));
    all
}

/// The number of pixels in the margin that differ from those of a card without content.
fn ink_outside(still: &RgbaImage, bare: [&RgbaImage; 2], rendition: Rendition) -> usize {
    let (width, height) = still.dimensions();
    let (side, top, bottom) = match rendition {
        Rendition::Landscape => (width / 20, height / 20, height - height / 20),
        Rendition::Portrait => (width / 20, height * 12 / 100, height - height * 18 / 100),
    };
    let differs = |x: u32, y: u32, bare: &RgbaImage| {
        let (a, b) = (still.get_pixel(x, y).0, bare.get_pixel(x, y).0);
        // Soft shadows may extend into the margin; text differs more strongly than they do.
        a.iter().zip(b).any(|(a, b)| a.abs_diff(b) > 40)
    };
    still
        .enumerate_pixels()
        .filter(|(x, y, _)| *x < side || *x >= width - side || *y < top || *y >= bottom)
        .filter(|(x, y, _)| bare.iter().all(|bare| differs(*x, *y, bare)))
        .count()
}

fn bare(fonts: &mut Fonts, kind: SceneKind, theme: Theme, rendition: Rendition) -> RgbaImage {
    let scene = samples::scene(kind, Content::default());
    LaidOutScene::new(fonts, &alone(&scene, theme, rendition), &Images::new()).expect("an empty card").still(149)
}

#[test]
fn no_content_breaks_a_card_or_leaves_its_area() {
    let mut fonts = fonts();
    let mut failures = Vec::new();
    for (kind, theme) in SceneKind::ALL.iter().copied().zip(Theme::ALL.iter().copied().cycle().skip(2)) {
        for rendition in RENDITIONS {
            let bare = bare(&mut fonts, kind, theme, rendition);
            let turned = image::imageops::flip_horizontal(&bare);
            for (name, content) in contents(kind) {
                let scene = samples::scene(kind, content);
                let mut laid_out =
                    LaidOutScene::new(&mut fonts, &alone(&scene, theme, rendition), &Images::new()).expect(name);
                let outside = ink_outside(&laid_out.still(149), [&bare, &turned], rendition);
                if outside > 0 {
                    failures.push(format!("{} {rendition:?} {name}: {outside} pixels", kind.name()));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn a_scene_of_one_frame_shows_everything() {
    let (mut fonts, images) = (fonts(), samples::images());
    for &kind in SceneKind::ALL {
        let long = samples::scene(kind, samples::usual(kind));
        let short = Scene { frames: 1, ..long.clone() };
        let mut last =
            LaidOutScene::new(&mut fonts, &alone(&long, Theme::Ocean, Rendition::Landscape), &images).expect("a scene");
        let mut only = LaidOutScene::new(&mut fonts, &alone(&short, Theme::Ocean, Rendition::Landscape), &images)
            .expect("a scene");
        assert_eq!(only.frames(), 1);
        assert_eq!(only.still(0), last.still(149), "{}", kind.name());
    }
}

#[test]
fn a_missing_or_damaged_image_is_named() {
    let image = ImageRef::Key("shop/lamp.png".into());
    let scene = samples::scene(SceneKind::HeroTitle, Content { images: vec![image.clone()], ..Content::default() });
    let failed = LaidOutScene::new(&mut fonts(), &alone(&scene, Theme::Dark, Rendition::Landscape), &Images::new());
    assert!(matches!(failed, Err(RenderError::Image { image: named, .. }) if named == image));
    let mut images = Images::new();
    for bytes in [&b""[..], b"GIF89a", b"\x89PNG\r\n\x1a\n then nothing", b"<svg/>"] {
        assert!(matches!(images.insert(image.clone(), bytes), Err(RenderError::Image { .. })), "{bytes:?}");
    }
    assert!(images.insert(image.clone(), &vec![0; reelhook_render::MAX_BYTES + 1]).is_err());
    assert!(!images.contains(&image));
}

#[test]
fn an_image_with_too_many_pixels_is_not_decoded() {
    // The header of a PNG that claims 30,000 by 30,000 pixels.
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x75\x30\0\0\x75\x30\x08\x06\0\0\0".to_vec();
    bytes.extend([0x3d, 0x3f, 0x4f, 0x5e]);
    assert!(Images::new().insert(ImageRef::Key("bomb.png".into()), &bytes).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_content_is_drawn(
        kind in 0..12_usize,
        theme in 0..8_usize,
        tall in any::<bool>(),
        texts in proptest::collection::vec("\\PC{0,80}|[a-z *\\n]{0,200}|[\u{600}-\u{6ff} ]{0,60}|[一-龥]{0,60}", 1..6),
        count in 0..13_usize,
        frames in 1..80_u32,
    ) {
        thread_local! {
            static FONTS: std::cell::RefCell<Fonts> = std::cell::RefCell::new(fonts());
        }
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let content = samples::filled(SceneKind::ALL[kind], &texts, count);
        let scene = Scene { frames, ..samples::scene(SceneKind::ALL[kind], content) };
        let rendition = if tall { Rendition::Portrait } else { Rendition::Landscape };
        FONTS.with_borrow_mut(|fonts| {
            let mut input = alone(&scene, Theme::ALL[theme], rendition);
            input.size = if tall { (360, 640) } else { (640, 360) };
            let mut laid_out = LaidOutScene::new(fonts, &input, &Images::new()).expect("any text can be drawn");
            let mut frame = Yuv::new(input.size.0, input.size.1);
            for at in [0, frames / 3, frames - 1] {
                laid_out.draw(at, &mut frame);
            }
        });
    }
}
