//! The state of reading a film specification: images with their paths, the frame grid, and warnings.

use std::collections::BTreeMap;

use reelhook_app::videos::uploads;
use reelhook_domain::WebUrl;
use reelhook_domain::videos::film::{FRAME_RATE, Film, FrameGrid, ImageRef, Scene, SceneKind};
use reelhook_domain::videos::render::Renderer;
use serde_json::Value;

use crate::problem::Problem;
use crate::videos::film_names as names;
use crate::videos::film_values::{TEXT_LIMIT, at, first, first_text, is_empty, text, whole, wrong};
use crate::videos::film_warnings::Warnings;
use crate::videos::form::Names;

/// The maximum number of different images in a video.
pub(crate) const MOST_IMAGES: usize = 20;

/// Images that came with the request: file name and object key of each.
pub type Attached = [(String, String)];

/// The inputs and results of reading scenes.
pub(crate) struct FilmReader<'a> {
    /// The images that scenes name.
    pub(crate) images: Images<'a>,
    /// The frames that scenes have so far.
    pub(crate) grid: FrameGrid,
    /// The warnings so far.
    pub(crate) warnings: Warnings,
}

impl<'a> FilmReader<'a> {
    /// A reader for a request with these images, whose video `renderer` renders.
    pub(crate) fn new(attached: &'a Attached, renderer: Renderer) -> Self {
        let names = Names::of(attached.iter().map(|(name, _)| name.as_str()));
        let images = Images { attached, names, used: vec![false; attached.len()], paths: BTreeMap::new() };
        Self { images, grid: FrameGrid::new(FRAME_RATE), warnings: Warnings::new(renderer) }
    }

    /// The first of these members that is not empty, as text for the screen; empty if there is none.
    pub(crate) fn text(&mut self, value: &Value, path: &str, names: &[&'static str]) -> Result<String, Problem> {
        let Some((name, text)) = first_text(value, path, names)? else { return Ok(String::new()) };
        self.warnings.check(&at(path, name), &text);
        Ok(text)
    }

    /// A value as text for the screen.
    pub(crate) fn entry(&mut self, path: &str, value: &Value) -> Result<String, Problem> {
        let text = text(path, value)?;
        self.warnings.check(path, &text);
        Ok(text)
    }
}

/// The images of scenes: resolves the names that scenes give them, and keeps the paths of these names.
pub(crate) struct Images<'a> {
    attached: &'a Attached,
    names: Names,
    used: Vec<bool>,
    /// The path at which each image was first named.
    paths: BTreeMap<ImageRef, String>,
}

impl Images<'_> {
    /// Reads an image: a URL, the key of an upload, or the name or number of an attached file. None if the value is
    /// empty.
    ///
    /// # Errors
    /// [`Problem`] names `path` and says what would be right.
    pub(crate) fn read(&mut self, path: &str, value: &Value) -> Result<Option<ImageRef>, Problem> {
        let named = first(value, names::IMAGE).map(|(_, named)| named);
        let given = match value {
            empty if is_empty(empty) => return Ok(None),
            // Clients send other members of an image, such as its description, even without an image.
            Value::Object(members)
                if named.is_none() && names::IMAGE.iter().any(|name| members.contains_key(*name)) =>
            {
                return Ok(None);
            }
            _ => named.unwrap_or(value),
        };
        let text = given.as_str().map(str::trim);
        let by_name = text.and_then(|text| self.names.find(text));
        let index = by_name.or_else(|| whole(given).and_then(|index| usize::try_from(index).ok()));
        if let Some(index) = index
            && let Some((_, key)) = self.attached.get(index)
        {
            self.used[index] = true;
            let image = ImageRef::Key(key.clone());
            return Ok(Some(self.record(path, image)));
        }
        let Some(text) = text else { return Err(wrong(path, RIGHT_IMAGE)) };
        if uploads::is_key(text) {
            return Ok(Some(self.record(path, ImageRef::Key(text.to_owned()))));
        }
        let url = reelhook_app::Url::parse(text).ok().filter(|_| text.len() <= TEXT_LIMIT);
        match url.and_then(|url| WebUrl::try_from(url).ok()) {
            Some(url) => Ok(Some(self.record(path, ImageRef::Url(url)))),
            None => Err(wrong(path, RIGHT_IMAGE)),
        }
    }

    /// Records the path of an image, for errors about it.
    fn record(&mut self, path: &str, image: ImageRef) -> ImageRef {
        self.paths.entry(image.clone()).or_insert_with(|| path.to_owned());
        image
    }

    /// The paths of the film's assets in the request; empty if they equal the paths in the film.
    pub(crate) fn paths(&self, film: &Film) -> Vec<String> {
        let assets = film.assets();
        let named: Vec<String> =
            assets.iter().map(|(image, own)| self.paths.get(*image).unwrap_or(own).clone()).collect();
        if named.iter().zip(&assets).all(|(named, (_, own))| named == own) { Vec::new() } else { named }
    }

    /// Assigns files that no scene names, in order, to the scenes whose layout has an image and which have none.
    pub(crate) fn place_unused_files(&mut self, scenes: &mut [Scene], warnings: &mut Warnings) {
        let files = self.attached.iter().zip(&self.used).enumerate();
        let mut unused = files.filter(|(_, (_, used))| !**used).map(|(index, ((_, key), _))| (index, key));
        let empty = scenes.iter_mut().filter(|scene| takes_image(scene.kind) && scene.content.images.is_empty());
        for (scene, (index, key)) in empty.zip(&mut unused) {
            let image = ImageRef::Key(key.clone());
            self.paths.entry(image.clone()).or_insert_with(|| format!("images[{index}]"));
            scene.content.images.push(image);
        }
        let left = unused.count();
        if left > 0 {
            warnings.push(format!("images: no scene shows {left} of them"));
        }
    }
}

const RIGHT_IMAGE: &str =
    "an http or https URL, the key of an upload (POST /api/uploads), or the name of a file of `images`";

/// Whether a layout has a main image.
fn takes_image(kind: SceneKind) -> bool {
    match kind {
        SceneKind::HeroTitle | SceneKind::ProductShowcase | SceneKind::Testimonial | SceneKind::Cta => true,
        SceneKind::FeatureList
        | SceneKind::Comparison
        | SceneKind::Stats
        | SceneKind::StepByStep
        | SceneKind::ProductMatrix
        | SceneKind::LessonTitle
        | SceneKind::Quiz
        | SceneKind::KeyTakeaways => false,
    }
}
