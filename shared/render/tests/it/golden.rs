//! Every kind in both renditions, and every text of `samples::CASES`, looks as it did at the last review, according to
//! the perceptual hashes in `golden.txt`. `REELHOOK_UPDATE_GOLDEN=1` rewrites the file; check the contact sheets before
//! you commit it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use image::imageops::{self, FilterType};
use image::{DynamicImage, RgbaImage};
use reelhook_domain::videos::film::{Rendition, SceneKind, Theme};
use reelhook_render::LaidOutScene;

use crate::{RENDITIONS, alone, fonts, samples};

/// The number of bits that may differ, because antialiasing differs slightly between processors.
const ALLOWED: u32 = 6;

/// A difference hash: whether each cell of an 8x8 grid is brighter than its right neighbour.
fn hash(still: &RgbaImage) -> u64 {
    let grey = DynamicImage::ImageRgba8(still.clone()).into_luma8();
    let small = imageops::resize(&grey, 9, 8, FilterType::Triangle);
    let mut hash = 0;
    for y in 0..8 {
        for x in 0..8 {
            hash = hash << 1 | u64::from(small.get_pixel(x, y).0[0] > small.get_pixel(x + 1, y).0[0]);
        }
    }
    hash
}

#[test]
fn every_kind_looks_as_it_was_reviewed() {
    let (mut fonts, images) = (fonts(), samples::images());
    let mut drawn = BTreeMap::new();
    for (kind, theme) in SceneKind::ALL.iter().copied().zip(Theme::ALL.iter().copied().cycle()) {
        for rendition in RENDITIONS {
            let scene = samples::scene(kind, samples::usual(kind));
            let mut laid_out =
                LaidOutScene::new(&mut fonts, &alone(&scene, theme, rendition), &images).expect("a usual scene");
            let word = match rendition {
                Rendition::Landscape => "standard",
                Rendition::Portrait => "reels",
            };
            drawn.insert(format!("{} {word}", kind.name()), hash(&laid_out.still(90)));
        }
    }
    // Each text is shown in the theme's heading typeface and, as a kicker, in that of running text.
    for ((name, text), theme) in samples::CASES.into_iter().zip(Theme::ALL.iter().copied().cycle()) {
        let scene = samples::scene(SceneKind::HeroTitle, samples::case(text));
        let mut laid_out =
            LaidOutScene::new(&mut fonts, &alone(&scene, theme, Rendition::Landscape), &images).expect("any text");
        drawn.insert(format!("text {name}"), hash(&laid_out.still(90)));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden.txt");
    if std::env::var_os("REELHOOK_UPDATE_GOLDEN").is_some() {
        let mut text = String::new();
        for (name, hash) in &drawn {
            writeln!(text, "{name} {hash:016x}").expect("writing to a string");
        }
        std::fs::write(path, text).expect("golden.txt can be written");
        return;
    }
    let reviewed = std::fs::read_to_string(path).expect("golden.txt");
    assert_eq!(
        reviewed.lines().count(),
        drawn.len(),
        "golden.txt has a line for every kind in both renditions, and for every text"
    );
    let mut failures = Vec::new();
    for line in reviewed.lines() {
        let (name, expected) = line.rsplit_once(' ').expect("a name and a hash");
        let expected = u64::from_str_radix(expected, 16).expect("a hash");
        let differing = drawn.get(name).map_or(64, |hash| (hash ^ expected).count_ones());
        if differing > ALLOWED {
            failures.push(format!("{name}: {differing} of 64 bits differ"));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
