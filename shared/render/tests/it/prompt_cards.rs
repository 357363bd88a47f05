//! Prompt cards: they start exactly with their first frame, have their length, and are joined without encoding again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use image::{Rgb, RgbImage};
use reelhook_app::projects::perform::ports::{ProjectRenderer, TakeFile};
use reelhook_app::projects::perform::prompt_card::PromptCard;
use reelhook_domain::projects::scene::SceneSpec;
use reelhook_render::LocalRenderer;

use crate::files::{Directory, count};
use crate::pictures::{delta_e, frames, hash};

fn renderer() -> LocalRenderer {
    let fonts = std::env::var_os("REELHOOK_FONTS").expect("REELHOOK_FONTS must name the directory of the fonts");
    LocalRenderer::new(PathBuf::from(fonts), crate::ffmpeg().program, std::env::temp_dir())
}

fn card(index: usize, size: &str, fps: u32, duration_ms: u64) -> PromptCard {
    let spec = SceneSpec {
        number: (index + 1).to_string(),
        duration_ms,
        fps: Some(fps),
        resolution: Some(size.to_owned()),
        ..SceneSpec::default()
    };
    PromptCard::new(&spec, "A lighthouse at dawn, waves, a slow camera. 灯台の夜明け. منارة عند الفجر", index)
}

async fn draw(card: PromptCard, first: Option<&Path>, to: &Path) {
    let (frames, drawn) = (card.frames, Arc::new(AtomicU32::new(0)));
    renderer().card(card, first, to, Arc::clone(&drawn)).await.expect("a card");
    assert_eq!(drawn.load(Ordering::Relaxed), frames);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_starts_exactly_with_its_first_frame() {
    let directory = Directory::new("first frame");
    let (picture, video) = (directory.0.join("first.png"), directory.0.join("card.mp4"));
    let shown = RgbImage::from_fn(320, 180, |x, y| {
        Rgb([(x * 255 / 320) as u8, (60 + y / 2) as u8, if (x / 40 + y / 45) % 2 == 0 { 60 } else { 160 }])
    });
    shown.save(&picture).expect("a picture");
    draw(card(0, "320x180", 24, 1500), Some(&picture), &video).await;
    let frames = frames(&video, (320, 180), "bt709");
    assert_eq!(frames.len(), 36);
    let difference = delta_e(&frames[0], &shown);
    assert!(difference <= 2.0, "{difference}");
    assert_eq!(hash(&frames[0]), hash(&shown));
    assert!(delta_e(&frames[35], &shown) > 10.0, "the card is there in the end");
    assert!(delta_e(&frames[34], &frames[35]) < 2.0, "it does not fade out");
    let (_, description) = count(&video, "0:v:0");
    assert!(description.contains("yuv420p(tv, bt709") && description.contains("24 fps"), "{description}");
    let (microseconds, _) = count(&video, "0:a:0");
    assert!(microseconds.abs_diff(1_500_000) <= 25_000, "{microseconds}");
}

#[tokio::test(flavor = "multi_thread")]
async fn chained_cards_meet_in_one_frame_and_are_joined_by_copy() {
    let directory = Directory::new("chained cards");
    let renderer = renderer();
    let mut takes: Vec<TakeFile> = Vec::new();
    let last = directory.0.join("last.png");
    for index in 0..3 {
        let path = directory.0.join(format!("{index}.mp4"));
        let continues = index > 0;
        draw(card(index, "320x180", 30, 1000), continues.then_some(last.as_path()), &path).await;
        let drawn = frames(&path, (320, 180), "bt709");
        if let Some(before) = takes.last() {
            let before = frames(&before.path, (320, 180), "bt709");
            let (end, start) = (&before[before.len() - 1], &drawn[0]);
            assert!(delta_e(end, start) <= 2.0, "cut {index}: {}", delta_e(end, start));
            assert_eq!(hash(end), hash(start), "cut {index}");
        }
        renderer.last_frame(&path, &last).await.expect("a last frame");
        let extracted = image::open(&last).expect("a PNG").into_rgb8();
        assert!(delta_e(&extracted, &drawn[drawn.len() - 1]) < 0.5);
        takes.push(TakeFile { path, continues });
    }
    let (joined, progress) = (directory.0.join("joined.mp4"), Arc::new(AtomicU32::new(0)));
    let shape = renderer.concat(&takes, &joined, Arc::clone(&progress)).await.expect("a joined video");
    assert_eq!((shape.width, shape.height, shape.fps.as_u64(), shape.duration_ms), (320, 180, Some(30), 2933));
    assert_eq!((count(&joined, "0:v:0").0, progress.load(Ordering::Relaxed)), (88, 88));
    let all = frames(&joined, (320, 180), "bt709");
    let second = frames(&takes[1].path, (320, 180), "bt709");
    assert!(all[30] == second[1], "frames are copied, not encoded again");
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_have_any_size_and_rate() {
    let directory = Directory::new("card sizes");
    let video = directory.0.join("card.mp4");
    for (size, fps, expected) in [
        ("240x240", 12, (240, 240)),
        ("420x180", 25, (420, 180)),
        ("180x320", 60, (180, 320)),
        ("320x240", 1, (320, 240)),
    ] {
        draw(card(3, size, fps, 1000), None, &video).await;
        let frames = frames(&video, expected, "bt709");
        assert_eq!(frames.len(), fps as usize, "{size}");
    }
}
