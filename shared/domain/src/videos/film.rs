//! What a video is to show: scenes with their content, already parsed and within limits; a renderer draws it.

use serde::{Deserialize, Serialize};

/// Frames a second of every video.
pub const FRAME_RATE: u32 = 30;

/// A video to make.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Film {
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its colours.
    #[serde(default)]
    pub theme: Theme,
    /// Its size.
    #[serde(default)]
    pub quality: Quality,
    /// Whether a vertical one is made beside it.
    #[serde(default)]
    pub reels: bool,
    /// What plays under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub music: Option<Music>,
    /// In order; never empty.
    pub scenes: Vec<Scene>,
    /// Where its client named each picture, in the order of [`Film::assets`]; empty where that has the same places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
}

/// How long the picture is on each side.
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

/// One of the pictures of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rendition {
    /// Wide, in the video's quality.
    #[serde(rename = "standard")]
    Landscape,
    /// 1080x1920, laid out anew.
    #[serde(rename = "reels")]
    Portrait,
}

/// Colours and type of a video. An unknown word is `Corporate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Theme {
    /// Navy and blue, sober.
    #[default]
    Corporate,
    /// White, black type, one accent.
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
    pub const ALL: [Self; 8] = [
        Self::Corporate,
        Self::Minimal,
        Self::Vibrant,
        Self::Dark,
        Self::Nature,
        Self::Sunset,
        Self::Ocean,
        Self::Luxury,
    ];
}

/// The music under a video.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Music {
    /// A track that is there.
    pub track: String,
    /// 0 to 1.
    pub volume: f64,
    /// Milliseconds until it is at its volume.
    pub fade_in_ms: u32,
    /// Milliseconds that it takes to end.
    pub fade_out_ms: u32,
}

/// One card of a video.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scene {
    /// How it is laid out.
    pub kind: SceneKind,
    /// How many frames it shows.
    pub frames: u32,
    /// What it shows.
    pub content: Content,
    /// How it takes over from the scene before; none is a cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition: Option<Transition>,
    /// How its parts come in.
    #[serde(default)]
    pub entrance: Entrance,
}

/// How a scene is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SceneKind {
    /// The title of a video; also what is drawn for an unknown type.
    HeroTitle,
    /// A product: picture, name, what it does, price.
    ProductShowcase,
    /// A heading and points.
    FeatureList,
    /// A call to act, with a button.
    Cta,
    /// What somebody says, and who.
    Testimonial,
    /// Two or more columns beside each other.
    Comparison,
    /// Big numbers with labels.
    Stats,
    /// Numbered steps.
    StepByStep,
    /// Products in a grid.
    ProductMatrix,
    /// The title of a lesson: number, title, what it is about.
    LessonTitle,
    /// A question with answers, the right one of which shows in the last part of the scene.
    Quiz,
    /// What to remember.
    KeyTakeaways,
}

impl SceneKind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::HeroTitle,
        Self::ProductShowcase,
        Self::FeatureList,
        Self::Cta,
        Self::Testimonial,
        Self::Comparison,
        Self::Stats,
        Self::StepByStep,
        Self::ProductMatrix,
        Self::LessonTitle,
        Self::Quiz,
        Self::KeyTakeaways,
    ];

    /// The word that clients use.
    pub fn name(self) -> &'static str {
        match self {
            Self::HeroTitle => "hero-title",
            Self::ProductShowcase => "product-showcase",
            Self::FeatureList => "feature-list",
            Self::Cta => "cta",
            Self::Testimonial => "testimonial",
            Self::Comparison => "comparison",
            Self::Stats => "stats",
            Self::StepByStep => "step-by-step",
            Self::ProductMatrix => "product-matrix",
            Self::LessonTitle => "lesson-title",
            Self::Quiz => "quiz",
            Self::KeyTakeaways => "key-takeaways",
        }
    }
}

/// How a scene takes over from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transition {
    /// One shows through the other.
    Fade,
    /// It pushes the other out to the left.
    Slide,
    /// It grows out of the other.
    Zoom,
    /// It turns in.
    Rotate,
    /// Both blur into each other.
    Blur,
}

/// How the parts of a scene come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entrance {
    /// One after the other, from a little below.
    #[default]
    Rise,
    /// One after the other, where they are.
    Fade,
    /// One after the other, from the left.
    Slide,
    /// One after the other, growing.
    Zoom,
    /// All at once, where they are.
    None,
}

/// What a scene shows; each kind draws what it has a place for. Texts may have `**bold**` parts and line breaks.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Content {
    /// A small line above the title, such as "Lesson 3".
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kicker: String,
    /// The heading; of a quiz the question, of a testimonial the quote.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// The line below it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subtitle: String,
    /// A paragraph.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// What a button says.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub button: String,
    /// A small line at the end: a web address, or a price.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub footnote: String,
    /// Who said it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// What they are.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub role: String,
    /// Points, steps, numbers, products, answers; of a comparison its columns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
    /// Pictures, by their place in the video's storage or their URL.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ImageRef>,
}

/// One of a scene's points, steps, numbers, products, answers or columns.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Item {
    /// Its heading; of an answer the answer, of a column its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What it says below; of a number its label.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// A number such as `98 %`, or a price.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// An emoji or a letter beside it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub icon: String,
    /// Whether it is the right answer, or the column that is put forward.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub marked: bool,
    /// Points of a column.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<String>,
    /// Its picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageRef>,
}

/// Where a picture comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageRef {
    /// An object of ours.
    Key(String),
    /// http or https.
    Url(String),
}

impl Quality {
    /// ConcurrencyChange and height in pixels of a picture in this quality.
    pub fn size(self, format: Rendition) -> (u32, u32) {
        match (format, self) {
            (Rendition::Portrait, _) => (1080, 1920),
            (Rendition::Landscape, Self::Hd) => (1280, 720),
            (Rendition::Landscape, Self::FullHd) => (1920, 1080),
            (Rendition::Landscape, Self::UltraHd) => (3840, 2160),
        }
    }
}

impl Film {
    /// The pictures that are made.
    pub fn renditions(&self) -> &'static [Rendition] {
        if self.reels { &[Rendition::Landscape, Rendition::Portrait] } else { &[Rendition::Landscape] }
    }

    /// Frames of one picture.
    pub fn frames(&self) -> u32 {
        self.scenes.iter().map(|scene| scene.frames).sum()
    }

    /// Every picture once, in the order in which they first show, with their place here: `scenes[0].content.images[0]`,
    /// or `scenes[0].content.items[2].image`.
    pub fn assets(&self) -> Vec<(&ImageRef, String)> {
        let mut assets: Vec<(&ImageRef, String)> = Vec::new();
        for (place, scene) in self.scenes.iter().enumerate() {
            let content = &scene.content;
            let own = content.images.iter().enumerate().map(|(index, image)| (image, format!("images[{index}]")));
            let of_items = content.items.iter().enumerate().filter_map(|(index, item)| {
                let image = item.image.as_ref()?;
                Some((image, format!("items[{index}].image")))
            });
            for (image, member) in own.chain(of_items) {
                if assets.iter().all(|(known, _)| *known != image) {
                    assets.push((image, format!("scenes[{place}].content.{member}")));
                }
            }
        }
        assets
    }

    /// Where a picture is first named, in its client's words.
    pub fn asset_path(&self, image: &ImageRef) -> String {
        let assets = self.assets();
        let found = assets.iter().position(|(known, _)| *known == image);
        let named = found.and_then(|index| self.places.get(index).or_else(|| Some(&assets.get(index)?.1)));
        named.cloned().unwrap_or_else(|| "scenes".to_owned())
    }
}

/// Gives scenes their frames, one after the other. The ends are rounded to whole frames and not the lengths: a video of
/// forty scenes of 0.55 s lasts 22 s, and each cut is within half a frame of its time.
#[derive(Debug, Clone, Copy)]
pub struct FrameGrid {
    rate: u32,
    nanoseconds: u64,
    frames: u32,
}

impl FrameGrid {
    /// From the start of a video with so many frames a second.
    pub fn new(rate: u32) -> Self {
        Self { rate, nanoseconds: 0, frames: 0 }
    }

    /// Frames of the next scene, which lasts so many seconds; at least one.
    pub fn scene(&mut self, seconds: f64) -> u32 {
        // Whole nanoseconds add up without an error. What is no number counts as nothing.
        self.nanoseconds = self.nanoseconds.saturating_add((seconds * 1e9).round() as u64);
        let end = (u128::from(self.nanoseconds) * u128::from(self.rate) + 500_000_000) / 1_000_000_000;
        let end = u32::try_from(end).unwrap_or(u32::MAX).max(self.frames.saturating_add(1));
        let frames = end - self.frames;
        self.frames = end;
        frames
    }
}

impl Scene {
    /// Every picture that it shows.
    pub fn images(&self) -> impl Iterator<Item = &ImageRef> {
        self.content.images.iter().chain(self.content.items.iter().filter_map(|item| item.image.as_ref()))
    }
}
