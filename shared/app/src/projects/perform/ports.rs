//! The ports of the work that our renderers do for projects.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use async_trait::async_trait;
use reelhook_domain::projects::policy::ProjectPolicy;
use serde_json::Number;

use crate::clock::{ClockAndRandom, Timer};
use crate::files::fetch::FileSources;
use crate::files::ports::StoredFiles;
use crate::outbound::download::Downloader;
use crate::projects::perform::prompt_card::PromptCard;
use crate::projects::store::{ProjectFiles, ProjectStore};
use crate::videos::draw_error::DrawError;
use crate::videos::ports::ScratchDir;

/// A take that is joined with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeFile {
    /// Its video.
    pub path: PathBuf,
    /// Whether it was generated from the last frame of the take before, so that this frame may be there twice.
    pub continues: bool,
}

/// What a video is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoShape {
    /// Its length in milliseconds.
    pub duration_ms: u64,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// Its frames per second.
    pub fps: Number,
}

/// Makes the files of projects.
#[async_trait]
pub trait ProjectRenderer: Send + Sync {
    /// Draws a prompt card as a video, and keeps the number of drawn frames in `drawn`. The video starts exactly with the
    /// image `first_frame`, if there is one.
    ///
    /// # Errors
    /// [`DrawError`].
    async fn card(
        &self,
        card: PromptCard,
        first_frame: Option<&Path>,
        to: &Path,
        drawn: Arc<AtomicU32>,
    ) -> Result<(), DrawError>;

    /// Extracts the last frame of a video that can be decoded, as a PNG with exactly its colours.
    ///
    /// # Errors
    /// [`DrawError`].
    async fn last_frame(&self, video: &Path, to: &Path) -> Result<(), DrawError>;

    /// Joins takes in order, and keeps the number of frames that are done in `joined`.
    ///
    /// # Errors
    /// [`DrawError`].
    async fn concat(&self, takes: &[TakeFile], to: &Path, joined: Arc<AtomicU32>) -> Result<VideoShape, DrawError>;

    /// The bytes that are free on the disk of these directories.
    ///
    /// # Errors
    /// [`DrawError`].
    fn free_bytes(&self) -> Result<u64, DrawError>;

    /// An empty directory for the files of one piece; dropping it removes them.
    ///
    /// # Errors
    /// [`DrawError`].
    fn project_dir(&self) -> Result<Box<dyn ScratchDir>, DrawError>;
}

/// The ports of a renderer that works for projects.
pub struct PiecePorts<'a> {
    /// Projects.
    pub projects: &'a dyn ProjectStore,
    /// Long prompts.
    pub texts: &'a dyn ProjectFiles,
    /// Videos and images.
    pub files: &'a dyn StoredFiles,
    /// Downloads from outside services.
    pub downloads: &'a dyn Downloader,
    /// Our own renderer.
    pub renderer: &'a dyn ProjectRenderer,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// Times the heartbeats.
    pub timer: &'a dyn Timer,
    /// The projects' timers.
    pub policy: &'a ProjectPolicy,
}

impl PiecePorts<'_> {
    /// Where files are fetched from.
    pub(super) fn sources(&self) -> FileSources<'_> {
        FileSources { files: self.files, downloads: self.downloads }
    }
}
