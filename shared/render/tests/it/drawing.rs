//! Frames: the same cut gives the same bytes, still frames are told apart, transitions join what is before and after.

use image::RgbaImage;
use reelhook_domain::videos::film::{Content, Entrance, Item, Rendition, Scene, SceneKind, Theme, Transition};
use reelhook_render::{Cut, Shot, Yuv, key};

use crate::{FORMATS, alone, fonts, samples};

const TRANSITIONS: [Transition; 5] =
    [Transition::Fade, Transition::Slide, Transition::Zoom, Transition::Rotate, Transition::Blur];
const ENTRANCES: [Entrance; 5] = [Entrance::Rise, Entrance::Fade, Entrance::Slide, Entrance::Zoom, Entrance::None];

/// The mean difference of two pictures, 0 to 255.
fn apart(a: &RgbaImage, b: &RgbaImage) -> f64 {
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.as_raw().len() as f64
}

#[test]
fn the_same_cut_gives_the_same_bytes() {
    let pictures = samples::pictures();
    for kind in SceneKind::ALL {
        let scene = samples::scene(kind, samples::usual(kind));
        let draw = |fonts: &mut _| {
            let cut = alone(&scene, Theme::Sunset, Rendition::Landscape);
            let mut shot = Shot::new(fonts, &cut, &pictures).expect("a scene");
            let mut frame = Yuv::new(cut.size.0, cut.size.1);
            [3, 20, 70, 149].map(|at| {
                shot.draw(at, &mut frame);
                frame.bytes().to_vec()
            })
        };
        let mut warm = fonts();
        assert_eq!(draw(&mut warm), draw(&mut warm), "{}", kind.name());
        assert_eq!(draw(&mut warm), draw(&mut fonts()), "{} with fresh fonts", kind.name());
    }
}

#[test]
fn drawing_what_changed_gives_what_drawing_all_gives() {
    let (mut fonts, pictures) = (fonts(), samples::pictures());
    for (kind, entrance) in SceneKind::ALL.into_iter().zip(ENTRANCES.into_iter().cycle()) {
        for format in FORMATS {
            let scene = Scene { entrance, frames: 120, ..samples::scene(kind, samples::usual(kind)) };
            let cut = alone(&scene, Theme::Vibrant, format);
            let mut shot = Shot::new(&mut fonts, &cut, &pictures).expect("a scene");
            let mut step = Yuv::new(cut.size.0, cut.size.1);
            for frame in 0..120 {
                shot.draw(frame, &mut step);
                if frame % 29 == 5 {
                    let mut once = Yuv::new(cut.size.0, cut.size.1);
                    Shot::new(&mut fonts, &cut, &pictures).expect("a scene").draw(frame, &mut once);
                    assert!(step == once, "{} {entrance:?} {format:?} frame {frame}", kind.name());
                }
            }
        }
    }
}

#[test]
fn most_frames_of_a_scene_are_still() {
    let (mut fonts, pictures) = (fonts(), samples::pictures());
    for kind in SceneKind::ALL {
        let scene = samples::scene(kind, samples::usual(kind));
        let cut = alone(&scene, Theme::Corporate, Rendition::Landscape);
        let mut shot = Shot::new(&mut fonts, &cut, &pictures).expect("a scene");
        let mut frame = Yuv::new(cut.size.0, cut.size.1);
        let changed = (0..150).filter(|at| shot.draw(*at, &mut frame)).count();
        assert!((10..90).contains(&changed), "{}: {changed} of 150 frames change", kind.name());
    }
}

#[test]
fn a_number_with_too_many_words_counts_up_within_its_card() {
    let (mut fonts, pictures) = (fonts(), samples::pictures());
    let mut still = |word: &str, frame: u32| {
        let item = Item { value: format!("12 {}", word.repeat(60)), ..Item::default() };
        let scene = samples::scene(SceneKind::Stats, Content { items: vec![item], ..Content::default() });
        let cut = alone(&scene, Theme::Corporate, Rendition::Landscape);
        Shot::new(&mut fonts, &cut, &pictures).expect("a scene").still(frame)
    };
    for frame in [60, 149] {
        let (one, other) = (still("wide ", frame), still("thin ", frame));
        let differing = one.enumerate_pixels().filter(|(x, y, pixel)| other.get_pixel(*x, *y) != *pixel);
        let across: Vec<u32> = differing.map(|(x, _, _)| x).collect();
        // The card's edge is at 85 of 1280 pixels, and its words begin 17 further in at least.
        let (first, last) = (across.iter().min(), across.iter().max());
        assert!(first.is_some_and(|x| (102..640).contains(x)), "frame {frame}: {first:?}");
        assert!(last.is_some_and(|x| (640..1178).contains(x)), "frame {frame}: {last:?}");
    }
}

#[test]
fn a_product_shows_five_of_its_items() {
    let mut fonts = fonts();
    let mut still = |last: usize, word: &str, format: Rendition| {
        let title = |place: usize| if place == last { word } else { "Waterproof" };
        let items = (0..6).map(|place| Item { title: title(place).to_owned(), ..Item::default() });
        let content = Content { title: "Trail Runner".to_owned(), items: items.collect(), ..Content::default() };
        let scene = samples::scene(SceneKind::ProductShowcase, content);
        Shot::new(&mut fonts, &alone(&scene, Theme::Minimal, format), &samples::pictures()).expect("a scene").still(149)
    };
    for format in FORMATS {
        for place in 0..5 {
            assert!(still(place, "Light", format) != still(place, "Heavy", format), "item {place} in {format:?}");
        }
        assert!(still(5, "Light", format) == still(5, "Heavy", format), "the sixth has no place");
    }
}

#[test]
fn a_transition_starts_at_the_scene_before_and_ends_at_its_own() {
    let (mut fonts, pictures) = (fonts(), samples::pictures());
    let before = samples::scene(SceneKind::HeroTitle, samples::usual(SceneKind::HeroTitle));
    let plain = samples::scene(SceneKind::Stats, samples::usual(SceneKind::Stats));
    for format in FORMATS {
        let mut last = Shot::new(&mut fonts, &alone(&before, Theme::Ocean, format), &pictures).expect("a scene");
        let last = last.still(before.frames - 1);
        for transition in TRANSITIONS {
            let scene = Scene { transition: Some(transition), entrance: Entrance::None, ..plain.clone() };
            let cut = Cut { before: Some(&before), ..alone(&scene, Theme::Ocean, format) };
            let mut shot = Shot::new(&mut fonts, &cut, &pictures).expect("a scene");
            assert!(apart(&shot.still(0), &last) < 1.0, "{transition:?} starts elsewhere");
            let middle = shot.still(9);
            let mut own = Shot::new(&mut fonts, &alone(&scene, Theme::Ocean, format), &pictures).expect("a scene");
            let own = own.still(18);
            assert!(shot.still(18) == own, "{transition:?} ends elsewhere");
            assert!(apart(&middle, &last) > 1.0 && apart(&middle, &own) > 1.0, "{transition:?} has no middle");
        }
    }
}

#[test]
fn a_key_tells_apart_what_looks_different_and_nothing_else() {
    let scene = samples::scene(SceneKind::Cta, samples::usual(SceneKind::Cta));
    let before = samples::scene(SceneKind::Quiz, samples::usual(SceneKind::Quiz));
    let cut = alone(&scene, Theme::Dark, Rendition::Landscape);
    assert_eq!(
        key(&cut),
        key(&Cut { before: Some(&before), ..cut }),
        "without a transition what is before does not show"
    );
    let turned = Scene { transition: Some(Transition::Fade), ..scene.clone() };
    let with = Cut { scene: &turned, ..cut };
    let keys = [
        key(&cut),
        key(&with),
        key(&Cut { before: Some(&before), ..with }),
        key(&Cut { theme: Theme::Luxury, ..cut }),
        key(&Cut { size: (1920, 1080), ..cut }),
        key(&Cut { format: Rendition::Portrait, ..cut }),
    ];
    for (index, one) in keys.iter().enumerate() {
        assert!(keys.iter().skip(index + 1).all(|other| one != other), "key {index}");
    }
}

#[test]
fn an_absurd_size_is_refused() {
    let scene = samples::scene(SceneKind::Cta, samples::usual(SceneKind::Cta));
    for size in [(0, 0), (1281, 720), (1280, 721), (100_000, 720)] {
        let cut = Cut { size, ..alone(&scene, Theme::Dark, Rendition::Landscape) };
        assert!(Shot::new(&mut fonts(), &cut, &samples::pictures()).is_err(), "{size:?}");
    }
}
