//! Frames: the same input gives the same bytes, unchanged frames are detected, transitions connect both scenes.

use image::RgbaImage;
use reelhook_domain::videos::film::{Content, Entrance, Item, Rendition, Scene, SceneKind, Theme, Transition};
use reelhook_render::{Fonts, LaidOutScene, SceneInput, Yuv, key, parts};

use crate::{RENDITIONS, alone, fonts, samples};

const TRANSITIONS: [Transition; 5] =
    [Transition::Fade, Transition::Slide, Transition::Zoom, Transition::Rotate, Transition::Blur];
const ENTRANCES: [Entrance; 5] = [Entrance::Rise, Entrance::Fade, Entrance::Slide, Entrance::Zoom, Entrance::None];

/// The mean difference of two images, 0 to 255.
fn apart(a: &RgbaImage, b: &RgbaImage) -> f64 {
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.as_raw().len() as f64
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let images = samples::images();
    for &kind in SceneKind::ALL {
        let scene = samples::scene(kind, samples::usual(kind));
        let draw = |fonts: &mut _| {
            let input = alone(&scene, Theme::Sunset, Rendition::Landscape);
            let mut laid_out = LaidOutScene::new(fonts, &input, &images).expect("a scene");
            let mut frame = Yuv::new(input.size.0, input.size.1);
            [3, 20, 70, 149].map(|at| {
                laid_out.draw(at, &mut frame);
                frame.bytes().to_vec()
            })
        };
        let mut warm = fonts();
        assert_eq!(draw(&mut warm), draw(&mut warm), "{}", kind.name());
        assert_eq!(draw(&mut warm), draw(&mut fonts()), "{} with fresh fonts", kind.name());
    }
}

#[test]
fn drawing_only_the_changes_equals_drawing_the_whole_frame() {
    let (mut fonts, images) = (fonts(), samples::images());
    for (kind, entrance) in SceneKind::ALL.iter().copied().zip(ENTRANCES.into_iter().cycle()) {
        for rendition in RENDITIONS {
            let scene = Scene { entrance, frames: 120, ..samples::scene(kind, samples::usual(kind)) };
            let input = alone(&scene, Theme::Vibrant, rendition);
            let mut laid_out = LaidOutScene::new(&mut fonts, &input, &images).expect("a scene");
            let mut step = Yuv::new(input.size.0, input.size.1);
            for frame in 0..120 {
                laid_out.draw(frame, &mut step);
                if frame % 29 == 5 {
                    let mut once = Yuv::new(input.size.0, input.size.1);
                    LaidOutScene::new(&mut fonts, &input, &images).expect("a scene").draw(frame, &mut once);
                    assert!(step == once, "{} {entrance:?} {rendition:?} frame {frame}", kind.name());
                }
            }
        }
    }
}

#[test]
fn most_frames_of_a_scene_are_still() {
    let (mut fonts, images) = (fonts(), samples::images());
    for &kind in SceneKind::ALL {
        let scene = samples::scene(kind, samples::usual(kind));
        let input = alone(&scene, Theme::Corporate, Rendition::Landscape);
        let mut laid_out = LaidOutScene::new(&mut fonts, &input, &images).expect("a scene");
        let mut frame = Yuv::new(input.size.0, input.size.1);
        let changed = (0..150).filter(|at| laid_out.draw(*at, &mut frame)).count();
        assert!((10..90).contains(&changed), "{}: {changed} of 150 frames change", kind.name());
    }
}

#[test]
fn a_number_with_too_many_words_counts_up_within_its_card() {
    let (mut fonts, images) = (fonts(), samples::images());
    let mut still = |word: &str, frame: u32| {
        let item = Item { value: format!("12 {}", word.repeat(60)), ..Item::default() };
        let scene = samples::scene(SceneKind::Stats, Content { items: vec![item], ..Content::default() });
        let input = alone(&scene, Theme::Corporate, Rendition::Landscape);
        LaidOutScene::new(&mut fonts, &input, &images).expect("a scene").still(frame)
    };
    for frame in [60, 149] {
        let (one, other) = (still("wide ", frame), still("thin ", frame));
        let differing = one.enumerate_pixels().filter(|(x, y, pixel)| other.get_pixel(*x, *y) != *pixel);
        let across: Vec<u32> = differing.map(|(x, _, _)| x).collect();
        // The card starts at 85 of 1280 pixels, and its text at least 17 pixels further in.
        let (first, last) = (across.iter().min(), across.iter().max());
        assert!(first.is_some_and(|x| (102..640).contains(x)), "frame {frame}: {first:?}");
        assert!(last.is_some_and(|x| (640..1178).contains(x)), "frame {frame}: {last:?}");
    }
}

#[test]
fn a_product_shows_five_of_its_items() {
    let mut fonts = fonts();
    let mut still = |last: usize, word: &str, rendition: Rendition| {
        let title = |place: usize| if place == last { word } else { "Waterproof" };
        let items = (0..6).map(|place| Item { title: title(place).to_owned(), ..Item::default() });
        let content = Content { title: "Trail Runner".to_owned(), items: items.collect(), ..Content::default() };
        let scene = samples::scene(SceneKind::ProductShowcase, content);
        LaidOutScene::new(&mut fonts, &alone(&scene, Theme::Minimal, rendition), &samples::images())
            .expect("a scene")
            .still(149)
    };
    for rendition in RENDITIONS {
        for place in 0..5 {
            assert!(
                still(place, "Light", rendition) != still(place, "Heavy", rendition),
                "item {place} in {rendition:?}"
            );
        }
        assert!(still(5, "Light", rendition) == still(5, "Heavy", rendition), "the sixth item is not shown");
    }
}

#[test]
fn a_transition_starts_at_the_scene_before_and_ends_at_its_own() {
    let (mut fonts, images) = (fonts(), samples::images());
    let before = samples::scene(SceneKind::HeroTitle, samples::usual(SceneKind::HeroTitle));
    let plain = samples::scene(SceneKind::Stats, samples::usual(SceneKind::Stats));
    for rendition in RENDITIONS {
        let mut last =
            LaidOutScene::new(&mut fonts, &alone(&before, Theme::Ocean, rendition), &images).expect("a scene");
        let last = last.still(before.frames - 1);
        for transition in TRANSITIONS {
            let scene = Scene { transition: Some(transition), entrance: Entrance::None, ..plain.clone() };
            let input = SceneInput { before: Some(&before), ..alone(&scene, Theme::Ocean, rendition) };
            let mut laid_out = LaidOutScene::new(&mut fonts, &input, &images).expect("a scene");
            assert!(apart(&laid_out.still(0), &last) < 1.0, "{transition:?} starts elsewhere");
            let middle = laid_out.still(9);
            let mut own =
                LaidOutScene::new(&mut fonts, &alone(&scene, Theme::Ocean, rendition), &images).expect("a scene");
            let own = own.still(18);
            assert!(laid_out.still(18) == own, "{transition:?} ends elsewhere");
            assert!(apart(&middle, &last) > 1.0 && apart(&middle, &own) > 1.0, "{transition:?} has no middle");
        }
    }
}

#[test]
fn keys_differ_exactly_where_pixels_differ() {
    let scene = samples::scene(SceneKind::Cta, samples::usual(SceneKind::Cta));
    let before = samples::scene(SceneKind::Quiz, samples::usual(SceneKind::Quiz));
    let input = alone(&scene, Theme::Dark, Rendition::Landscape);
    assert_eq!(
        key(&input, 0),
        key(&SceneInput { before: Some(&before), ..input }, 0),
        "without a transition the scene before is not visible"
    );
    let turned = Scene { transition: Some(Transition::Fade), ..scene.clone() };
    let with = SceneInput { scene: &turned, before: Some(&before), ..input };
    let slid = Scene { transition: Some(Transition::Slide), ..scene.clone() };
    let keys = [
        key(&input, 0),
        key(&with, 0),
        key(&with, 18),
        key(&SceneInput { scene: &slid, ..with }, 0),
        key(&SceneInput { before: Some(&scene), ..with }, 0),
        key(&SceneInput { theme: Theme::Luxury, ..input }, 0),
        key(&SceneInput { size: (1920, 1080), ..input }, 0),
        key(&SceneInput { rendition: Rendition::Portrait, ..input }, 0),
    ];
    for (index, one) in keys.iter().enumerate() {
        assert!(keys.iter().skip(index + 1).all(|other| one != other), "key {index}");
    }
}

#[test]
fn the_body_of_a_scene_is_the_same_after_any_scene() {
    let (mut fonts, images) = (fonts(), samples::images());
    let [title, quiz, stats] = [SceneKind::HeroTitle, SceneKind::Quiz, SceneKind::Stats]
        .map(|kind| samples::scene(kind, samples::usual(kind)));
    let [faded, slid] =
        [Transition::Fade, Transition::Slide].map(|transition| Scene { transition: Some(transition), ..stats.clone() });
    let after = |scene, before| SceneInput { before: Some(before), ..alone(scene, Theme::Ocean, Rendition::Landscape) };
    let inputs = [after(&faded, &title), after(&faded, &quiz), after(&slid, &title)];
    for input in &inputs {
        assert_eq!(parts(input), [0..18, 18..150]);
        assert_eq!(key(input, 18), key(&inputs[0], 18));
    }
    let mut draw = |input: &SceneInput<'_>, from: u32| {
        let (mut whole, mut frame) =
            (LaidOutScene::part(&mut fonts, input, &images, from..150).expect("a scene"), Yuv::new(1280, 720));
        for at in from..18 {
            whole.draw(at, &mut frame);
        }
        [18, 19, 40, 149].map(|at| {
            whole.draw(at, &mut frame);
            frame.bytes().to_vec()
        })
    };
    let expected = draw(&inputs[0], 0);
    for input in &inputs[1..] {
        assert!(draw(input, 0) == expected, "after a transition");
        assert!(draw(input, 18) == expected, "alone");
    }
}

#[test]
fn a_transition_starts_at_the_same_frame_however_much_of_the_card_before_is_laid_out() {
    let (mut fonts, images) = (fonts(), samples::images());
    let at = |mut laid_out: LaidOutScene, frame: u32| {
        let (width, height) = laid_out.size();
        let mut drawn = Yuv::new(width, height);
        laid_out.draw(frame, &mut drawn);
        drawn
    };
    for &kind in SceneKind::ALL {
        let before = samples::scene(kind, samples::usual(kind));
        let empty = samples::scene(SceneKind::Cta, Content::default());
        let scene = Scene { transition: Some(Transition::Fade), ..empty };
        let alone = |scene| alone(scene, Theme::Ocean, Rendition::Landscape);
        let input = SceneInput { before: Some(&before), ..alone(&scene) };
        let first = |fonts: &mut Fonts| at(LaidOutScene::new(fonts, &input, &images).expect("a scene"), 0);
        // The card of an empty scene is kept: of the one before, only what its last frame shows is laid out.
        let of_last_frame = first(&mut fonts);
        let whole = LaidOutScene::new(&mut fonts, &alone(&before), &images).expect("a scene");
        assert!(of_last_frame == at(whole, before.frames - 1), "{}", kind.name());
        assert!(of_last_frame == first(&mut fonts), "{}, whose card is kept", kind.name());
    }
}

#[test]
fn a_transition_depends_only_on_the_last_frame_before_it() {
    let (mut fonts, images) = (fonts(), samples::images());
    for kind in [SceneKind::Stats, SceneKind::Quiz, SceneKind::Cta, SceneKind::ProductShowcase] {
        let usual = samples::scene(kind, samples::usual(kind));
        let next = Scene {
            transition: Some(Transition::Fade),
            ..samples::scene(SceneKind::FeatureList, samples::usual(SceneKind::FeatureList))
        };
        let mut drawn: Vec<(Vec<u8>, RgbaImage)> = Vec::new();
        for entrance in ENTRANCES {
            // A button pulses at the end of a scene of 70 frames.
            for (frames, transition) in [(150, None), (150, Some(Transition::Zoom)), (90, None), (70, None), (12, None)]
            {
                let before = Scene { entrance, frames, transition, ..usual.clone() };
                let input = SceneInput { before: Some(&before), ..alone(&next, Theme::Dark, Rendition::Landscape) };
                let mut laid_out = LaidOutScene::part(&mut fonts, &input, &images, 0..18).expect("a scene");
                drawn.push((key(&input, 0), laid_out.still(5)));
            }
        }
        for (key, still) in &drawn {
            for (other, looks) in &drawn {
                assert!((key == other) <= (still == looks), "{}: equal keys, other frames", kind.name());
            }
        }
        let mut keys: Vec<_> = drawn.into_iter().map(|(key, _)| key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 2, "{}: the last frame is the same but for a button that pulses", kind.name());
    }
}

/// The first frame of each part of a scene, and the one after its last.
fn bounds(input: &SceneInput<'_>) -> Vec<[u32; 2]> {
    parts(input).into_iter().map(|part| [part.start, part.end]).collect()
}

#[test]
fn a_scene_has_a_part_for_its_transition_and_one_for_its_body() {
    let before = samples::scene(SceneKind::Quiz, samples::usual(SceneKind::Quiz));
    for (frames, transition, expected) in [
        (150, Some(Transition::Blur), &[[0, 18], [18, 150]][..]),
        (150, None, &[[0, 150]]),
        (20, Some(Transition::Blur), &[[0, 10], [10, 20]]),
        (1, Some(Transition::Blur), &[[0, 1]]),
    ] {
        let scene = Scene { frames, transition, ..before.clone() };
        let alone = alone(&scene, Theme::Dark, Rendition::Landscape);
        assert_eq!(bounds(&SceneInput { before: Some(&before), ..alone }), expected);
        assert_eq!(bounds(&alone), [[0, frames]], "the first scene has no transition");
    }
}

#[test]
fn an_unsupported_size_is_refused() {
    let scene = samples::scene(SceneKind::Cta, samples::usual(SceneKind::Cta));
    for size in [(0, 0), (1281, 720), (1280, 721), (100_000, 720)] {
        let input = SceneInput { size, ..alone(&scene, Theme::Dark, Rendition::Landscape) };
        assert!(LaidOutScene::new(&mut fonts(), &input, &samples::images()).is_err(), "{size:?}");
    }
}
