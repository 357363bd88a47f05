//! The ports of rendering work: what composes films, draws and joins scenes, and renders elsewhere.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reelhook_domain::videos::film::{Film, ImageRef, Music, Rendition};
use reelhook_domain::{Job, Policy, RenderId};
use reelhook_signing::SigningKeys;
use url::Url;

use crate::clock::{ClockAndRandom, Timer};
use crate::jobs::store::JobStore;
use crate::retention::Days;
use crate::videos::assets::AssetSource;
use crate::videos::draw_error::DrawError;
use crate::videos::films::{FilmStore, VideoStore};
use crate::videos::speeds::Speeds;

/// The assets of a scene, each with its bytes.
pub type Assets = Vec<(ImageRef, Vec<u8>)>;

/// One scene of a film in one rendition.
#[derive(Debug, Clone, Copy)]
pub struct FilmScene<'a> {
    /// The film.
    pub film: &'a Film,
    /// The rendition.
    pub rendition: Rendition,
    /// The index of the scene in the film.
    pub index: usize,
}

impl FilmScene<'_> {
    /// Every image that the scene shows. A transition also shows the images of the scene before.
    pub fn images(&self) -> Vec<ImageRef> {
        let scene = &self.film.scenes[self.index];
        let before = self.index.checked_sub(1).filter(|_| scene.transition.is_some());
        let before = before.into_iter().flat_map(|before| self.film.scenes[before].images());
        let mut images: Vec<ImageRef> = scene.images().chain(before).cloned().collect();
        images.sort();
        images.dedup();
        images
    }
}

/// Frames of a scene that are drawn and stored by themselves: its transition, or its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenePart {
    /// The frames.
    pub frames: Range<u32>,
    /// A hash of everything that decides how they look.
    pub hash: String,
}

/// A part of a scene that is to be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartFile {
    /// The frames.
    pub frames: Range<u32>,
    /// The file into which they are drawn.
    pub to: PathBuf,
}

/// Draws scenes and joins them.
#[async_trait]
pub trait SceneRenderer: Send + Sync {
    /// The parts of a scene, in order.
    fn parts(&self, scene: FilmScene<'_>, assets: &Assets) -> Vec<ScenePart>;

    /// Draws parts of a scene that follow each other into files, and keeps the number of drawn frames in `drawn`.
    ///
    /// # Errors
    /// [`DrawError`].
    async fn draw(
        &self,
        scene: FilmScene<'_>,
        assets: Assets,
        parts: &[PartFile],
        drawn: Arc<AtomicU32>,
    ) -> Result<(), DrawError>;

    /// Joins drawn parts of scenes, which have `frames` frames together, and adds the music.
    ///
    /// # Errors
    /// [`DrawError`].
    async fn join(&self, parts: &[PathBuf], music: Option<&Music>, frames: u32, to: &Path) -> Result<(), DrawError>;

    /// An empty directory for the files of one piece; dropping it removes them.
    ///
    /// # Errors
    /// [`DrawError`].
    fn scratch_dir(&self) -> Result<Box<dyn ScratchDir>, DrawError>;
}

/// A directory that is removed when it is dropped.
pub trait ScratchDir: Send + Sync {
    /// The path of the directory.
    fn path(&self) -> &Path;

    /// Writes a file into the directory, and returns its path.
    ///
    /// # Errors
    /// [`DrawError`].
    fn keep(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, DrawError>;
}

/// Composes the film of a job whose client did not specify one.
#[async_trait]
pub trait Composer: Send + Sync {
    /// The film of a job, whose steps are reported on the way; none if the job ended before the film was complete.
    ///
    /// # Errors
    /// [`DrawError`].
    async fn compose(&self, job: &Job) -> Result<Option<Film>, DrawError>;
}

/// The progress of a render at an outside service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoteProgress {
    /// The render is under way: poll it again later.
    Waits {
        /// The render.
        render: RenderId,
        /// Its progress, 0 to 100.
        percent: u8,
        /// The time until the next poll.
        wait: Duration,
    },
    /// The render is done, and this is the video.
    Fetched(Bytes),
}

/// Renders whole renditions at an outside service.
#[async_trait]
pub trait RemoteRenderer: Send + Sync {
    /// Submits a rendition, or polls the render that was submitted; fetches the video once the render is done.
    ///
    /// # Errors
    /// [`DrawError`].
    async fn advance(
        &self,
        film: &Film,
        rendition: Rendition,
        render: Option<&RenderId>,
    ) -> Result<RemoteProgress, DrawError>;
}

/// The ports of a renderer.
pub struct DrawPorts<'a> {
    /// Jobs.
    pub jobs: &'a dyn JobStore,
    /// Film specifications.
    pub films: &'a dyn FilmStore,
    /// Rendered scenes and finished videos.
    pub videos: &'a dyn VideoStore,
    /// Our own scene renderer.
    pub renderer: &'a dyn SceneRenderer,
    /// The outside render service.
    pub remote: &'a dyn RemoteRenderer,
    /// The composer of films.
    pub composer: &'a dyn Composer,
    /// Assets of films.
    pub assets: &'a dyn AssetSource,
    /// Recent rendering speed.
    pub speeds: &'a dyn Speeds,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// Times the heartbeats.
    pub timer: &'a dyn Timer,
    /// The jobs' timers.
    pub policy: &'a Policy,
    /// The keys that sign links.
    pub links: &'a SigningKeys,
    /// PUBLIC_BASE_URL.
    pub base: &'a Url,
    /// How long videos are kept.
    pub videos_kept: Days,
}
