//! Images on cards: cut-outs have clean edges, and their shadow follows the visible pixels.

use std::io::Cursor;

use image::{ImageFormat, Rgba, RgbaImage};
use reelhook_domain::videos::film::{Content, ImageRef, Item, Rendition, Scene, SceneKind, Theme};
use reelhook_render::{Fonts, Images, LaidOutScene};

use crate::{RENDITIONS, alone, fonts, samples};

/// A disc of one colour on transparent pixels of another colour; a radius of 0 gives no disc.
fn disc(radius: f32, inside: [u8; 3], outside: [u8; 3]) -> RgbaImage {
    RgbaImage::from_fn(500, 500, |x, y| {
        let (dx, dy) = (x as f32 - 249.5, y as f32 - 249.5);
        let inner = (dx * dx + dy * dy).sqrt() < radius;
        let [r, g, b] = if inner { inside } else { outside };
        Rgba([r, g, b, if inner { 255 } else { 0 }])
    })
}

/// The last frame of a card of this kind with an image.
fn card(fonts: &mut Fonts, kind: SceneKind, theme: Theme, rendition: Rendition, image: &RgbaImage) -> RgbaImage {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).expect("a PNG");
    let name = ImageRef::Key("image".to_owned());
    let mut images = Images::new();
    images.insert(name.clone(), bytes.get_ref()).expect("an image");
    let item = |title: &str| Item { title: title.to_owned(), image: Some(name.clone()), ..Item::default() };
    let content = match kind {
        SceneKind::ProductMatrix => Content { items: vec![item("One"), item("Two")], ..Content::default() },
        _ => Content { title: "Lamp".to_owned(), images: vec![name.clone()], ..Content::default() },
    };
    let scene = Scene { frames: 150, ..samples::scene(kind, content) };
    LaidOutScene::new(fonts, &alone(&scene, theme, rendition), &images).expect("a card").still(149)
}

#[test]
fn the_colour_of_transparent_pixels_is_never_visible() {
    let mut fonts = fonts();
    for kind in [SceneKind::HeroTitle, SceneKind::ProductShowcase, SceneKind::Testimonial, SceneKind::ProductMatrix] {
        for rendition in RENDITIONS {
            let mut on = |outside| card(&mut fonts, kind, Theme::Minimal, rendition, &disc(200.0, [255; 3], outside));
            let black = on([0; 3]);
            assert!(on([255, 0, 255]) == black, "{} {rendition:?}", kind.name());
            assert!(on([255; 3]) == black, "{} {rendition:?}", kind.name());
        }
    }
}

#[test]
fn a_card_is_laid_out_again_only_if_its_images_differ() {
    let mut warm = fonts();
    let on = |fonts: &mut Fonts, image: &RgbaImage| {
        let before = fonts.cost();
        let drawn = card(fonts, SceneKind::HeroTitle, Theme::Minimal, Rendition::Landscape, image);
        (drawn, fonts.cost() != before)
    };
    let [red, blue] = [[255, 0, 0], [0, 0, 255]].map(|colour| disc(200.0, colour, [0; 3]));
    let (first, laid_out) = on(&mut warm, &red);
    assert!(laid_out);
    let (again, laid_out) = on(&mut warm, &red);
    assert!(again == first && !laid_out, "the same file, read again");
    let (other, laid_out) = on(&mut warm, &blue);
    assert!(laid_out && other != first, "another file under the same reference");
    assert!(other == on(&mut fonts(), &blue).0);
}

#[test]
fn the_shadow_of_a_cut_out_follows_its_visible_pixels() {
    let mut fonts = fonts();
    for theme in [Theme::Minimal, Theme::Ocean] {
        let with = card(&mut fonts, SceneKind::HeroTitle, theme, Rendition::Landscape, &disc(200.0, [255; 3], [0; 3]));
        let without = card(&mut fonts, SceneKind::HeroTitle, theme, Rendition::Landscape, &disc(0.0, [255; 3], [0; 3]));
        let differs = |x: u32, y: u32| {
            let (a, b) = (with.get_pixel(x, y).0, without.get_pixel(x, y).0);
            a.iter().zip(b).any(|(a, b)| a.abs_diff(b) > 1)
        };
        let seen: Vec<(f32, f32)> =
            with.enumerate_pixels().filter(|(x, y, _)| differs(*x, *y)).map(|(x, y, _)| (x as f32, y as f32)).collect();
        let middle = |values: Vec<f32>| {
            let (least, most) = values.iter().fold((f32::MAX, 0.0_f32), |(l, m), v| (l.min(*v), m.max(*v)));
            (least + most) / 2.0
        };
        let (x, y) = (middle(seen.iter().map(|at| at.0).collect()), middle(seen.iter().map(|at| at.1).collect()));
        let away = seen.iter().map(|at| (at.0 - x).hypot(at.1 - y)).fold(0.0, f32::max);
        // The disc has a radius of 205 pixels, and its shadow extends 30 pixels beyond it. The corners of its area are
        // 349 pixels away.
        assert!((205.0..275.0).contains(&away), "{theme:?}: {away}");
    }
}

#[test]
fn no_edge_is_darker_than_both_of_its_sides() {
    let mut fonts = fonts();
    let with =
        card(&mut fonts, SceneKind::HeroTitle, Theme::Minimal, Rendition::Landscape, &disc(200.0, [255; 3], [0; 3]));
    let without =
        card(&mut fonts, SceneKind::HeroTitle, Theme::Minimal, Rendition::Landscape, &disc(0.0, [255; 3], [0; 3]));
    let darkest = with
        .enumerate_pixels()
        .filter(|(x, y, _)| *x > 700 && (150..570).contains(y))
        .map(|(x, y, pixel)| without.get_pixel(x, y).0[0].saturating_sub(pixel.0[0]))
        .max();
    // Only the shadow, which has an opacity of at most a tenth, is darker than the background.
    assert!(darkest.is_some_and(|darker| (5..=28).contains(&darker)), "{darkest:?}");
}
