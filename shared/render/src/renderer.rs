//! Implements the application's ports for rendering on this machine, with fonts, images, ffmpeg and temporary files.

mod clips;
mod disk;
mod projects;
mod scratch;

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use reelhook_app::digest::sha256_hex;
use reelhook_app::videos::draw_error::DrawError;
use reelhook_app::videos::ports::{Assets as ImageFiles, FilmScene, PartFile, ScenePart, SceneRenderer, ScratchDir};
use reelhook_domain::videos::film::{ImageRef, Music, Scene};

use self::disk::{disk_error, write};
use crate::{Ffmpeg, Fonts, Images, LaidOutScene, RenderError, SceneInput, Soundtrack, key, parts};

/// Draws and joins scenes on this machine.
pub struct LocalRenderer {
    fonts_directory: PathBuf,
    /// Loaded with the first scene, since joining needs no fonts.
    fonts: Arc<Mutex<Option<Fonts>>>,
    ffmpeg: Ffmpeg,
    work_directory: PathBuf,
}

impl LocalRenderer {
    /// Creates a renderer with the fonts below `fonts` (see `infra/fonts.sh`) and this ffmpeg; temporary files go to
    /// `work_directory`.
    pub fn new(fonts: PathBuf, ffmpeg: PathBuf, work_directory: PathBuf) -> Self {
        Self { fonts_directory: fonts, fonts: Arc::default(), ffmpeg: Ffmpeg { program: ffmpeg }, work_directory }
    }

    /// Removes the temporary files of renderers that crashed; a process does this before it renders anything. Lambda kills a
    /// function that takes too much time or memory, and its disk stays as it is for the process that comes next.
    pub fn remove_remains(&self) {
        scratch::remove_remains(&self.work_directory);
    }
}

#[async_trait]
impl SceneRenderer for LocalRenderer {
    fn parts(&self, scene: FilmScene<'_>, files: &ImageFiles) -> Vec<ScenePart> {
        let scene_input = scene_input(scene);
        // Hash images by content: their references may change.
        let digests: HashMap<&ImageRef, String> =
            files.iter().map(|(image, bytes)| (image, sha256_hex(bytes))).collect();
        let (scene, before) = (
            with_content_hashes(scene_input.scene, &digests),
            scene_input.before.map(|scene| with_content_hashes(scene, &digests)),
        );
        let hashed = SceneInput { scene: &scene, before: before.as_ref(), ..scene_input };
        let part = |frames: Range<u32>| ScenePart { hash: sha256_hex(key(&hashed, frames.start)), frames };
        parts(&hashed).into_iter().map(part).collect()
    }

    async fn draw(
        &self,
        scene: FilmScene<'_>,
        files: ImageFiles,
        parts: &[PartFile],
        drawn: Arc<AtomicU32>,
    ) -> Result<(), DrawError> {
        let [first, ..] = parts else { return Ok(()) };
        let frames = first.frames.start..parts.last().map_or(first.frames.end, |last| last.frames.end);
        let begun = frames.start;
        let laid_out = self.lay_out(scene, files, frames).await?;
        // What is stored before the first part counts as drawn.
        let progress = move |frames| drawn.store(begun + frames, Ordering::Relaxed);
        self.ffmpeg.encode_parts(laid_out, parts, progress, std::future::pending()).await.map_err(draw_error)
    }

    async fn join(&self, parts: &[PathBuf], music: Option<&Music>, frames: u32, to: &Path) -> Result<(), DrawError> {
        let directory = to.parent().unwrap_or(Path::new("."));
        let mut soundtrack = None;
        if let Some((music, track)) = music.and_then(|music| Some((music, reelhook_music::find(&music.track)?))) {
            let file = directory.join(track.filename);
            write(&file, track.file)?;
            soundtrack = Some(Soundtrack {
                file,
                volume: music.volume,
                fade_in_ms: music.fade_in_ms,
                fade_out_ms: music.fade_out_ms,
            });
        }
        self.ffmpeg.join(parts, frames, soundtrack.as_ref(), to, directory).await.map_err(draw_error)
    }

    fn scratch_dir(&self) -> Result<Box<dyn ScratchDir>, DrawError> {
        scratch::create(&self.work_directory)
    }
}

impl LocalRenderer {
    /// The bytes that are free on the disk.
    fn free(&self) -> Result<u64, DrawError> {
        let disk = rustix::fs::statvfs(&self.work_directory).map_err(|error| disk_error(error.into()))?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Lays frames of a scene out on a blocking thread.
    async fn lay_out(
        &self,
        scene: FilmScene<'_>,
        files: ImageFiles,
        frames: Range<u32>,
    ) -> Result<LaidOutScene, DrawError> {
        let FilmScene { film, rendition, index } = scene;
        let scene = film.scenes[index].clone();
        let before = index.checked_sub(1).map(|before| film.scenes[before].clone());
        let (theme, size) = (film.theme, film.quality.size(rendition));
        let (fonts, directory) = (Arc::clone(&self.fonts), self.fonts_directory.clone());
        let laid_out = tokio::task::spawn_blocking(move || {
            let mut images = Images::default();
            for (image, bytes) in files {
                images.insert(image, &bytes)?;
            }
            let input = SceneInput { scene: &scene, before: before.as_ref(), theme, size, rendition };
            with_fonts(&fonts, &directory, |fonts| LaidOutScene::part(fonts, &input, &images, frames))
        });
        match laid_out.await {
            Ok(Err(RenderError::Image { image, reason })) => Err(DrawError::Asset {
                place: film.asset_path(&image),
                why: RenderError::Image { image, reason }.to_string(),
                permanent: true,
            }),
            Ok(laid_out) => laid_out.map_err(draw_error),
            Err(error) => Err(DrawError::Renderer(format!("the layout ended early: {error}"))),
        }
    }
}

/// Lays something out with the fonts, which are loaded for the first one.
fn with_fonts<T>(
    fonts: &Mutex<Option<Fonts>>,
    directory: &Path,
    lay_out: impl FnOnce(&mut Fonts) -> Result<T, RenderError>,
) -> Result<T, RenderError> {
    let mut fonts = fonts.lock().unwrap_or_else(PoisonError::into_inner);
    lay_out(match &mut *fonts {
        Some(loaded) => loaded,
        none => none.insert(Fonts::load(directory)?),
    })
}

/// Replaces the reference of each image by its content hash.
fn with_content_hashes(scene: &Scene, digests: &HashMap<&ImageRef, String>) -> Scene {
    let mut scene = scene.clone();
    let content = &mut scene.content;
    let items = content.items.iter_mut().filter_map(|item| item.image.as_mut());
    for image in content.images.iter_mut().chain(items) {
        if let Some(digest) = digests.get(image) {
            *image = ImageRef::Key(digest.clone());
        }
    }
    scene
}

fn scene_input(scene: FilmScene<'_>) -> SceneInput<'_> {
    let FilmScene { film, rendition, index } = scene;
    let scenes = &film.scenes;
    SceneInput {
        scene: &scenes[index],
        before: index.checked_sub(1).map(|before| &scenes[before]),
        theme: film.theme,
        size: film.quality.size(rendition),
        rendition,
    }
}

/// Separates errors that the client can fix from errors that may disappear in another attempt.
fn draw_error(error: RenderError) -> DrawError {
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    match error {
        RenderError::Image { .. } | RenderError::Video(_) | RenderError::Size { .. } => {
            DrawError::Input(error.to_string())
        }
        RenderError::Fonts { .. }
        | RenderError::Io { .. }
        | RenderError::Ffmpeg { .. }
        | RenderError::Stopped
        | RenderError::DrawingThread => {
            // Paths and ffmpeg's output are for the operator only.
            tracing::error!(error = format!("{error}{cause}"), "rendering failed");
            DrawError::Renderer("the renderer failed; its log says why".to_owned())
        }
    }
}
