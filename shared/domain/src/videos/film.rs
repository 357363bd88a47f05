//! The film specification: the scenes of a video and their content, parsed and within limits.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::WebUrl;

/// The frame rate of every video, in frames per second.
pub const FRAME_RATE: u32 = 30;

/// A film specification: everything that a video shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Film {
    /// The title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The colours and typography.
    #[serde(default)]
    pub theme: Theme,
    /// The frame size.
    #[serde(default)]
    pub quality: Quality,
    /// Whether a portrait rendition is made in addition.
    #[serde(default)]
    pub reels: bool,
    /// The background music.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub music: Option<Music>,
    /// The scenes, in order; never empty.
    pub scenes: Vec<Scene>,
    /// The path of each asset in the client's request, in the order of [`Film::assets`]; empty if the paths are the
    /// same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
}

/// The frame size of the landscape rendition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Quality {
    /// 1280x720.
    #[serde(rename = "720p")]
    Hd,
    /// 1920x1080.
    #[default]
    #[serde(rename = "1080p")]
    FullHd,
    /// 3840x2160.
    #[serde(rename = "4k")]
    UltraHd,
}

/// One output format of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rendition {
    /// Landscape, in the video's quality.
    #[serde(rename = "standard")]
    Landscape,
    /// Portrait, 1080x1920, with a layout of its own.
    #[serde(rename = "reels")]
    Portrait,
}

/// The colours and typography of a video. The request parser maps an unknown name to `Corporate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, VariantArray)]
#[serde(rename_all = "kebab-case")]
pub enum Theme {
    /// Navy and blue, sober.
    #[default]
    Corporate,
    /// White with black text and one accent colour.
    Minimal,
    /// Dark with violet and pink.
    Vibrant,
    /// Almost black with cyan.
    Dark,
    /// Green and sand.
    Nature,
    /// Orange to red.
    Sunset,
    /// Teal and deep blue.
    Ocean,
    /// Black and gold.
    Luxury,
}

impl Theme {
    /// Every theme.
    pub const ALL: &[Self] = Self::VARIANTS;
}

/// The music under a video.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Music {
    /// The name of an available track.
    pub track: String,
    /// The volume, 0 to 1.
    pub volume: f64,
    /// The length of the fade-in, in milliseconds.
    pub fade_in_ms: u32,
    /// The length of the fade-out, in milliseconds.
    pub fade_out_ms: u32,
}

/// One scene of a video.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scene {
    /// The layout.
    pub kind: SceneKind,
    /// The length, in frames.
    pub frames: u32,
    /// The texts and images.
    pub content: Content,
    /// The transition from the scene before; none is a cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition: Option<Transition>,
    /// The animation with which its parts appear.
    #[serde(default)]
    pub entrance: Entrance,
}

/// The layout of a scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum SceneKind {
    /// The title of a video; also the layout for an unknown type.
    HeroTitle,
    /// A product: image, name, description, price.
    ProductShowcase,
    /// A heading and bullet points.
    FeatureList,
    /// A call to action with a button.
    Cta,
    /// A quote and its author.
    Testimonial,
    /// Two or more columns side by side.
    Comparison,
    /// Large numbers with labels.
    Stats,
    /// Numbered steps.
    StepByStep,
    /// Products in a grid.
    ProductMatrix,
    /// The title of a lesson: number, title, topic.
    LessonTitle,
    /// A question with answers; the last part of the scene highlights the correct one.
    Quiz,
    /// The points to remember.
    KeyTakeaways,
}

impl SceneKind {
    /// Every kind.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The name that clients use.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

/// The transition from the scene before to a scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transition {
    /// The scene fades in over the one before.
    Fade,
    /// The scene pushes the one before out to the left.
    Slide,
    /// The scene grows over the one before.
    Zoom,
    /// The scene rotates in.
    Rotate,
    /// Both scenes blur into each other.
    Blur,
}

/// The animation with which the parts of a scene appear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entrance {
    /// Each part rises a little, one after the other.
    #[default]
    Rise,
    /// Each part fades in place, one after the other.
    Fade,
    /// Each part slides in from the left, one after the other.
    Slide,
    /// Each part grows, one after the other.
    Zoom,
    /// All parts are there from the start.
    None,
}

/// The texts and images of a scene; each layout draws the fields that it supports. Texts may have `**bold**` parts and
/// line breaks.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Content {
    /// A small line above the title, such as "Lesson 3".
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kicker: String,
    /// The heading; the question of a quiz, the quote of a testimonial.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// The line below the heading.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subtitle: String,
    /// A paragraph.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// The label of the button.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub button: String,
    /// A small line at the end: a web address, or a price.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub footnote: String,
    /// The author of a quote.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// The author's role.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub role: String,
    /// Points, steps, numbers, products or answers; the columns of a comparison.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
    /// Images, by object key or URL.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ImageRef>,
}

/// One of a scene's points, steps, numbers, products, answers or columns.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Item {
    /// The heading; the text of an answer, the name of a column.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// The text below the heading; the label of a number.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// A number such as `98 %`, or a price.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// An emoji or a letter beside the heading.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub icon: String,
    /// Whether it is the correct answer or the recommended column.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub marked: bool,
    /// The points of a column.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<String>,
    /// The image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageRef>,
}

/// The source of an image.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageRef {
    /// The key of an object in the object store.
    Key(String),
    /// An image on the web.
    Url(WebUrl),
}

impl Quality {
    /// Width and height of a rendition in this quality, in pixels.
    pub fn size(self, rendition: Rendition) -> (u32, u32) {
        match (rendition, self) {
            (Rendition::Portrait, _) => (1080, 1920),
            (Rendition::Landscape, Self::Hd) => (1280, 720),
            (Rendition::Landscape, Self::FullHd) => (1920, 1080),
            (Rendition::Landscape, Self::UltraHd) => (3840, 2160),
        }
    }
}

impl Film {
    /// The renditions to make.
    pub fn renditions(&self) -> &'static [Rendition] {
        if self.reels { &[Rendition::Landscape, Rendition::Portrait] } else { &[Rendition::Landscape] }
    }

    /// The length of one rendition, in frames.
    pub fn frames(&self) -> u32 {
        self.scenes.iter().map(|scene| scene.frames).sum()
    }

    /// Every image once, in the order of first use, with its path in the film: `scenes[0].content.images[0]` or
    /// `scenes[0].content.items[2].image`.
    pub fn assets(&self) -> Vec<(&ImageRef, String)> {
        let mut assets: Vec<(&ImageRef, String)> = Vec::new();
        for (number, scene) in self.scenes.iter().enumerate() {
            let content = &scene.content;
            let own = content.images.iter().enumerate().map(|(index, image)| (image, format!("images[{index}]")));
            let of_items = content.items.iter().enumerate().filter_map(|(index, item)| {
                let image = item.image.as_ref()?;
                Some((image, format!("items[{index}].image")))
            });
            for (image, member) in own.chain(of_items) {
                if assets.iter().all(|(known, _)| *known != image) {
                    assets.push((image, format!("scenes[{number}].content.{member}")));
                }
            }
        }
        assets
    }

    /// The path at which the client's request first names an image.
    pub fn asset_path(&self, image: &ImageRef) -> String {
        let assets = self.assets();
        let found = assets.iter().position(|(known, _)| *known == image);
        let named = found.and_then(|index| self.places.get(index).or_else(|| Some(&assets.get(index)?.1)));
        named.cloned().unwrap_or_else(|| "scenes".to_owned())
    }
}

/// Assigns frames to scenes, one after the other. It rounds the end of each scene to whole frames, not the length: a
/// video of forty scenes of 0.55 s lasts 22 s, and each cut is within half a frame of its exact time.
#[derive(Debug, Clone, Copy)]
pub struct FrameGrid {
    rate: u32,
    nanoseconds: u64,
    frames: u32,
}

impl FrameGrid {
    /// A grid for a video with `rate` frames per second.
    pub fn new(rate: u32) -> Self {
        Self { rate, nanoseconds: 0, frames: 0 }
    }

    /// The length in frames, at least one, of the next scene, which lasts `seconds`.
    pub fn scene(&mut self, seconds: f64) -> u32 {
        // Whole nanoseconds add up without rounding errors. The cast turns NaN into 0.
        self.nanoseconds = self.nanoseconds.saturating_add((seconds * 1e9).round() as u64);
        let end = (u128::from(self.nanoseconds) * u128::from(self.rate) + 500_000_000) / 1_000_000_000;
        let end = u32::try_from(end).unwrap_or(u32::MAX).max(self.frames.saturating_add(1));
        let frames = end - self.frames;
        self.frames = end;
        frames
    }
}

impl Scene {
    /// Every image of the scene.
    pub fn images(&self) -> impl Iterator<Item = &ImageRef> {
        self.content.images.iter().chain(self.content.items.iter().filter_map(|item| item.image.as_ref()))
    }
}
