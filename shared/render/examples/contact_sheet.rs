//! Draws contact sheets of every kind of scene, theme, script, transition and entrance, for review and for the
//! documentation. Usage: `contact_sheet FONTS DESTINATION [NAME]`; NAME selects the sheets whose names contain it.

mod samples;

use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage, RgbaImage};
use reelhook_domain::videos::film::{Content, Entrance, Rendition, Scene, SceneKind, Theme, Transition};
use reelhook_render::{Fonts, Images, LaidOutScene, SceneInput};

const GAP: u32 = 10;

type Failure = Box<dyn std::error::Error>;

struct Sheets {
    fonts: Fonts,
    images: Images,
    destination: PathBuf,
    only: Option<String>,
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (Some(fonts), Some(destination)) = (arguments.next(), arguments.next()) else {
        return Err("usage: contact_sheet FONTS DESTINATION [NAME]".into());
    };
    std::fs::create_dir_all(&destination)?;
    let mut sheets = Sheets {
        fonts: Fonts::load(Path::new(&fonts))?,
        images: samples::images(),
        destination: destination.into(),
        only: arguments.next(),
    };
    let kinds = SceneKind::ALL;
    for rendition in [Rendition::Landscape, Rendition::Portrait] {
        let word = match rendition {
            Rendition::Landscape => "wide",
            Rendition::Portrait => "tall",
        };
        let usual: Vec<_> = kinds
            .iter()
            .copied()
            .zip(Theme::ALL.iter().copied().cycle())
            .map(|(kind, theme)| (theme, kind, samples::usual(kind)))
            .collect();
        sheets.stills(&format!("kinds-{word}"), rendition, 3, &usual)?;
        let other: Vec<_> = kinds
            .iter()
            .copied()
            .zip(Theme::ALL.iter().copied().cycle().skip(4))
            .map(|(kind, theme)| (theme, kind, samples::usual(kind)))
            .collect();
        sheets.stills(&format!("kinds-{word}-2"), rendition, 3, &other)?;
        for (name, kind) in
            [("title", SceneKind::HeroTitle), ("list", SceneKind::FeatureList), ("stats", SceneKind::Stats)]
        {
            let themes: Vec<_> = Theme::ALL.iter().copied().map(|theme| (theme, kind, samples::usual(kind))).collect();
            sheets.stills(&format!("themes-{name}-{word}"), rendition, 2, &themes)?;
        }
        for (name, texts, count) in [
            ("long", &samples::LONG[..], 8),
            ("arabic", &samples::ARABIC[..], 3),
            ("hebrew", &samples::HEBREW[..], 4),
            ("emoji", &samples::EMOJI[..], 4),
            ("chinese", &samples::CHINESE[..], 3),
            ("japanese", &samples::JAPANESE[..], 4),
            ("korean", &samples::KOREAN[..], 5),
            ("hindi", &samples::HINDI[..], 3),
            ("thai", &samples::THAI[..], 6),
            ("crowded", &samples::LONG[3..], 12),
            ("empty", &[""][..], 0),
        ] {
            let all: Vec<_> = kinds
                .iter()
                .copied()
                .zip(Theme::ALL.iter().copied().cycle())
                .map(|(kind, theme)| (theme, kind, samples::filled(kind, texts, count)))
                .collect();
            sheets.stills(&format!("text-{name}-{word}"), rendition, 3, &all)?;
        }
        let cases: Vec<_> = samples::CASES
            .into_iter()
            .zip(Theme::ALL.iter().copied().cycle())
            .map(|((_, text), theme)| (theme, SceneKind::HeroTitle, samples::case(text)))
            .collect();
        sheets.stills(&format!("text-cases-{word}"), rendition, 3, &cases)?;
    }
    sheets.strips()
}

fn size(rendition: Rendition) -> (u32, u32) {
    match rendition {
        Rendition::Landscape => (1920, 1080),
        Rendition::Portrait => (1080, 1920),
    }
}

impl Sheets {
    fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| name.contains(only))
    }

    fn stills(
        &mut self,
        name: &str,
        rendition: Rendition,
        columns: u32,
        scenes: &[(Theme, SceneKind, Content)],
    ) -> Result<(), Failure> {
        if !self.wants(name) {
            return Ok(());
        }
        let mut tiles = Vec::new();
        for (theme, kind, content) in scenes {
            let scene = samples::scene(*kind, content.clone());
            let input = SceneInput { scene: &scene, before: None, theme: *theme, size: size(rendition), rendition };
            let mut laid_out = LaidOutScene::new(&mut self.fonts, &input, &self.images)?;
            tiles.push(laid_out.still(149));
        }
        let (columns, width) = match rendition {
            Rendition::Landscape => (columns, 620),
            Rendition::Portrait => (columns * 2, 310),
        };
        self.save(name, &tiles, columns, width)
    }

    /// Draws frames of every transition, then of every entrance.
    fn strips(&mut self) -> Result<(), Failure> {
        let rendition = Rendition::Landscape;
        let before = samples::scene(SceneKind::HeroTitle, samples::usual(SceneKind::HeroTitle));
        let content = samples::usual(SceneKind::FeatureList);
        if self.wants("transitions") {
            let mut tiles = Vec::new();
            for transition in
                [Transition::Fade, Transition::Slide, Transition::Zoom, Transition::Rotate, Transition::Blur]
            {
                let scene =
                    Scene { transition: Some(transition), ..samples::scene(SceneKind::FeatureList, content.clone()) };
                let input = SceneInput {
                    scene: &scene,
                    before: Some(&before),
                    theme: Theme::Ocean,
                    size: size(rendition),
                    rendition,
                };
                let mut laid_out = LaidOutScene::new(&mut self.fonts, &input, &self.images)?;
                tiles.extend([0, 5, 8, 10, 13, 18].map(|frame| laid_out.still(frame)));
            }
            self.save("transitions", &tiles, 6, 320)?;
        }
        if self.wants("entrances") {
            let mut tiles = Vec::new();
            for entrance in [Entrance::Rise, Entrance::Fade, Entrance::Slide, Entrance::Zoom, Entrance::None] {
                let scene = Scene { entrance, ..samples::scene(SceneKind::FeatureList, content.clone()) };
                let input =
                    SceneInput { scene: &scene, before: None, theme: Theme::Vibrant, size: size(rendition), rendition };
                let mut laid_out = LaidOutScene::new(&mut self.fonts, &input, &self.images)?;
                tiles.extend([1, 5, 9, 14, 20, 40].map(|frame| laid_out.still(frame)));
            }
            self.save("entrances", &tiles, 6, 320)?;
        }
        if self.wants("moments") {
            let mut tiles = Vec::new();
            for (kind, theme) in
                [(SceneKind::Stats, Theme::Dark), (SceneKind::Quiz, Theme::Sunset), (SceneKind::Cta, Theme::Luxury)]
            {
                let scene = samples::scene(kind, samples::usual(kind));
                let input = SceneInput { scene: &scene, before: None, theme, size: size(rendition), rendition };
                let mut laid_out = LaidOutScene::new(&mut self.fonts, &input, &self.images)?;
                tiles.extend([4, 12, 30, 85, 104, 149].map(|frame| laid_out.still(frame)));
            }
            self.save("moments", &tiles, 6, 320)?;
        }
        Ok(())
    }

    fn save(&self, name: &str, tiles: &[RgbaImage], columns: u32, width: u32) -> Result<(), Failure> {
        let Some(first) = tiles.first() else { return Ok(()) };
        let height = width * first.height() / first.width();
        let rows = (tiles.len() as u32).div_ceil(columns);
        let mut sheet =
            RgbImage::from_pixel(columns * (width + GAP) + GAP, rows * (height + GAP) + GAP, Rgb([128, 130, 134]));
        for (index, tile) in (0..).zip(tiles) {
            let small = imageops::resize(tile, width, height, FilterType::Triangle);
            let small = image::DynamicImage::ImageRgba8(small).into_rgb8();
            let (column, row) = (index % columns, index / columns);
            imageops::replace(
                &mut sheet,
                &small,
                i64::from(GAP + column * (width + GAP)),
                i64::from(GAP + row * (height + GAP)),
            );
        }
        let path = self.destination.join(format!("{name}.jpg"));
        let mut quality = 90;
        loop {
            let mut bytes = Vec::new();
            JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(&sheet)?;
            if bytes.len() <= 900_000 || quality <= 40 {
                std::fs::write(&path, bytes)?;
                break;
            }
            quality -= 10;
        }
        println!("{}", path.display());
        Ok(())
    }
}
