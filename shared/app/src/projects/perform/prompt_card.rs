//! Prompt cards: what our own renderer shows for a scene when no generation service is set.

use reelhook_domain::projects::scene::SceneSpec;
use reelhook_domain::videos::film::{Content, FRAME_RATE, Rendition, Scene, SceneKind, Theme};

/// The size of a card whose scene has no usable resolution.
const DEFAULT_SIZE: (u32, u32) = (1280, 720);
/// The shortest and the longest side of a card in pixels.
const SIDES: (u32, u32) = (64, 3840);
/// The most frames per second of a card.
const MAX_FPS: u32 = 60;
/// Longer prompts are a paragraph of the card, shorter ones its title.
const TITLE_CHARS: usize = 90;

/// A prompt card.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptCard {
    /// What it shows, as a scene of a film. Its frames are those of the film's frame rate.
    pub scene: Scene,
    /// Its colours and typography.
    pub theme: Theme,
    /// Width and height in pixels; both are even.
    pub size: (u32, u32),
    /// Frames per second.
    pub fps: u32,
    /// Its length in frames.
    pub frames: u32,
}

impl PromptCard {
    /// The card of the scene at `index` in its project.
    pub fn new(spec: &SceneSpec, prompt: &str, index: usize) -> Self {
        let fps = spec.fps.unwrap_or(FRAME_RATE).clamp(1, MAX_FPS);
        let prompt = prompt.trim();
        let (title, body) = match spec.name.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
            Some(name) => (name, prompt),
            None if prompt.chars().count() <= TITLE_CHARS => (prompt, ""),
            None => ("", prompt),
        };
        let kicker = format!("Scene {}", spec.number.trim());
        let content = Content { kicker, title: title.to_owned(), body: body.to_owned(), ..Content::default() };
        Self {
            scene: Scene {
                kind: SceneKind::HeroTitle,
                frames: frames(spec.duration_ms, FRAME_RATE),
                content,
                transition: None,
                entrance: Default::default(),
            },
            theme: Theme::ALL[index % Theme::ALL.len()],
            size: spec.resolution.as_deref().and_then(size_of).unwrap_or(DEFAULT_SIZE),
            fps,
            frames: frames(spec.duration_ms, fps),
        }
    }

    /// The layout that fits its size.
    pub fn rendition(&self) -> Rendition {
        if self.size.0 >= self.size.1 { Rendition::Landscape } else { Rendition::Portrait }
    }

    /// Its length in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        u64::from(self.frames) * 1000 / u64::from(self.fps)
    }
}

/// The whole frames of a length, at least one.
fn frames(duration_ms: u64, fps: u32) -> u32 {
    let frames = (u128::from(duration_ms) * u128::from(fps) + 500) / 1000;
    u32::try_from(frames).unwrap_or(u32::MAX).max(1)
}

/// Reads a resolution: `1920x1080`, or the height of a wide picture such as `1080p`. Sides are made even and brought
/// within the limits.
fn size_of(resolution: &str) -> Option<(u32, u32)> {
    let resolution = resolution.trim().to_ascii_lowercase();
    let (width, height) = match resolution.as_str() {
        "4k" | "uhd" => (3840, 2160),
        "2k" => (2560, 1440),
        other => match (other.split_once(['x', '×', '*']), other.strip_suffix('p')) {
            (Some((width, height)), _) => (width.trim().parse().ok()?, height.trim().parse().ok()?),
            (None, Some(height)) => {
                let height: u32 = height.parse().ok()?;
                (height.checked_mul(16)?.div_ceil(9), height)
            }
            (None, None) => return None,
        },
    };
    let even = |side: u32| (side.clamp(SIDES.0, SIDES.1) + 1) & !1;
    (width > 0 && height > 0).then(|| (even(width), even(height)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolutions_are_sizes_or_heights() {
        for (resolution, expected) in [
            ("1920x1080", Some((1920, 1080))),
            (" 720 x 1280 ", Some((720, 1280))),
            ("1080p", Some((1920, 1080))),
            ("480P", Some((854, 480))),
            ("4K", Some((3840, 2160))),
            ("641x481", Some((642, 482))),
            ("1x99999", Some((64, 3840))),
            ("0x0", None),
            ("wide", None),
            ("99999999999p", None),
            ("", None),
        ] {
            assert_eq!(size_of(resolution), expected, "{resolution}");
        }
    }

    #[test]
    fn a_card_has_the_frames_of_its_length_and_rate() {
        for (duration_ms, fps, frames) in [(5000, None, 150), (5000, Some(24), 120), (40, Some(25), 1), (1, None, 1)] {
            let spec = SceneSpec { duration_ms, fps, ..SceneSpec::default() };
            assert_eq!(PromptCard::new(&spec, "A lake", 0).frames, frames, "{duration_ms} ms at {fps:?}");
        }
        let spec = SceneSpec { duration_ms: 2000, fps: Some(1000), ..SceneSpec::default() };
        let card = PromptCard::new(&spec, "A lake", 9);
        assert_eq!((card.fps, card.frames, card.scene.frames, card.duration_ms()), (60, 120, 60, 2000));
        assert_eq!((card.size, card.theme), ((1280, 720), Theme::ALL[1]));
    }

    #[test]
    fn a_short_prompt_is_the_title_and_a_long_one_a_paragraph() {
        let of = |name: Option<&str>, prompt: &str| {
            let spec = SceneSpec { number: "2".to_owned(), name: name.map(str::to_owned), ..SceneSpec::default() };
            let content = PromptCard::new(&spec, prompt, 0).scene.content;
            (content.kicker, content.title, content.body)
        };
        let long = "a lake ".repeat(30);
        let owned = |kicker: &str, title: &str, body: &str| (kicker.to_owned(), title.to_owned(), body.to_owned());
        assert_eq!(of(None, "A lake"), owned("Scene 2", "A lake", ""));
        assert_eq!(of(None, &long), owned("Scene 2", "", long.trim()));
        assert_eq!(of(Some("Dawn"), "A lake"), owned("Scene 2", "Dawn", "A lake"));
    }
}
