//! Dark gradients stay smooth after encoding, and the dither pattern costs fewer bytes than noise.

use std::future::pending;
use std::path::Path;
use std::process::Command;

use reelhook_domain::videos::film::{Content, Rendition, Scene, SceneKind, Theme};
use reelhook_render::{LaidOutScene, Yuv};

use crate::{alone, ffmpeg, fonts, samples};

const WIDTH: usize = 1280;
const HEIGHT: usize = 720;
/// Themes whose titles have no shapes at the top left, and the bytes of one second of their background with noise
/// instead of a pattern (measured with ffmpeg 7).
const THEMES: [(Theme, u64); 4] =
    [(Theme::Ocean, 89_600), (Theme::Corporate, 90_600), (Theme::Sunset, 97_900), (Theme::Vibrant, 68_900)];

/// The luma plane of a frame of a file.
fn luma(file: &Path, frame: u32) -> Vec<u8> {
    let output = Command::new(ffmpeg().program)
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(file)
        .args([
            "-vf",
            &format!("select=eq(n\\,{frame})"),
            "-frames:v",
            "1",
            "-pix_fmt",
            "yuv420p",
            "-f",
            "rawvideo",
            "-",
        ])
        .output()
        .expect("ffmpeg runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout[..WIDTH * HEIGHT].to_vec()
}

/// The means of squares of 16 pixels at the top left.
fn squares(luma: &[u8]) -> Vec<f64> {
    let corners = (48..400).step_by(16).flat_map(|y| (48..640).step_by(16).map(move |x| (x, y)));
    let sum = |(x, y): (usize, usize)| -> u32 {
        (y..y + 16).flat_map(|y| &luma[y * WIDTH + x..y * WIDTH + x + 16]).map(|value| u32::from(*value)).sum()
    };
    corners.map(|corner| f64::from(sum(corner)) / 256.0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dark_gradient_has_no_bands_after_encoding() {
    let directory = std::env::temp_dir().join(format!("reelhook render's bands {}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a temporary directory");
    let scene = Scene { frames: 30, ..samples::scene(SceneKind::HeroTitle, Content::default()) };
    let mut fonts = fonts();
    for (theme, before) in THEMES {
        let input = alone(&scene, theme, Rendition::Landscape);
        let file = directory.join("scene.mp4");
        let mut drawn = Yuv::new(WIDTH as u32, HEIGHT as u32);
        LaidOutScene::new(&mut fonts, &input, &samples::images()).expect("a card").draw(0, &mut drawn);
        let laid_out = LaidOutScene::new(&mut fonts, &input, &samples::images()).expect("a card");
        ffmpeg().encode(laid_out, &file, |_| {}, pending()).await.expect("a segment");
        let size = std::fs::metadata(&file).expect("the segment").len();
        assert!(size <= before * 105 / 100, "{theme:?}: {size} bytes");
        let shown = luma(&file, 15);
        // In a band the mean stays at a whole step, while the exact value changes.
        let squares = squares(&shown).into_iter().zip(squares(&drawn.bytes()[..WIDTH * HEIGHT]));
        let errors: Vec<f64> = squares.map(|(shown, drawn)| shown - drawn).collect();
        let error = (errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64).sqrt();
        assert!(error < 0.16, "{theme:?}: squares are {error} steps off");
        // Within a band neighbouring pixels are equal.
        let rows = (48..400).flat_map(|y| shown[y * WIDTH + 48..y * WIDTH + 640].windows(2));
        let (changes, all) =
            rows.fold((0, 0), |(changes, all), pair| (changes + u32::from(pair[0] != pair[1]), all + 1));
        assert!(changes * 6 > all, "{theme:?}: {changes} of {all} neighbours differ");
    }
    std::fs::remove_dir_all(&directory).expect("the directory can be removed");
}
