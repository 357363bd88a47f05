//! Our own renderer behind the port of drawings: fonts that are loaded once, pictures, ffmpeg, and a desk on the disk.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use reelhook_app::videos::drawing::{self, Assets as Named, DrawError, SceneRenderer, ScratchDir};
use reelhook_domain::videos::film::{ImageRef, Music, Scene};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::{Cut, Ffmpeg, Fonts, Pictures, RenderError, Shot, Soundtrack, key};

/// Draws and joins with what is on this machine.
pub struct OwnStudio {
    fonts_directory: PathBuf,
    /// Loaded with the first scene: joining needs none.
    fonts: Arc<Mutex<Option<Fonts>>>,
    ffmpeg: Ffmpeg,
    desks: PathBuf,
}

impl OwnStudio {
    /// With the fonts below `fonts` (infra/fonts.sh), this ffmpeg, and room for files below `desks`.
    pub fn new(fonts: PathBuf, ffmpeg: PathBuf, desks: PathBuf) -> Self {
        Self { fonts_directory: fonts, fonts: Arc::default(), ffmpeg: Ffmpeg { program: ffmpeg }, desks }
    }
}

#[async_trait]
impl SceneRenderer for OwnStudio {
    fn hash(&self, cut: drawing::Cut<'_>, pictures: &Named) -> String {
        let own = own(cut);
        // What a picture shows counts, and not where it comes from.
        let digests: HashMap<&ImageRef, String> =
            pictures.iter().map(|(image, bytes)| (image, hex::encode(Sha256::digest(bytes)))).collect();
        let (scene, before) = (by_content(own.scene, &digests), own.before.map(|scene| by_content(scene, &digests)));
        hex::encode(Sha256::digest(key(&Cut { scene: &scene, before: before.as_ref(), ..own })))
    }

    async fn draw(
        &self,
        cut: drawing::Cut<'_>,
        pictures: Named,
        to: &Path,
        drawn: Arc<AtomicU32>,
    ) -> Result<(), DrawError> {
        let shot = self.shot(cut, pictures).await?;
        let progress = move |frames| drawn.store(frames, Ordering::Relaxed);
        self.ffmpeg.encode(shot, to, progress, std::future::pending()).await.map_err(failure)
    }

    async fn join(&self, scenes: &[PathBuf], music: Option<&Music>, frames: u32, to: &Path) -> Result<(), DrawError> {
        let scratch_dir = to.parent().unwrap_or(Path::new("."));
        let mut soundtrack = None;
        if let Some((music, track)) = music.and_then(|music| Some((music, reelhook_music::find(&music.track)?))) {
            let file = scratch_dir.join(track.filename);
            write(&file, track.file)?;
            soundtrack = Some(Soundtrack {
                file,
                volume: music.volume,
                fade_in_ms: music.fade_in_ms,
                fade_out_ms: music.fade_out_ms,
            });
        }
        self.ffmpeg.join(scenes, frames, soundtrack.as_ref(), to, scratch_dir).await.map_err(failure)
    }

    fn scratch_dir(&self) -> Result<Box<dyn ScratchDir>, DrawError> {
        let scratch_dir = tempfile::Builder::new().prefix("film-").tempdir_in(&self.desks).map_err(no_disk)?;
        Ok(Box::new(OwnDesk(scratch_dir)))
    }
}

impl OwnStudio {
    /// Lays a scene out, on a thread that may block.
    async fn shot(&self, cut: drawing::Cut<'_>, named: Named) -> Result<Shot, DrawError> {
        let (film, place) = (cut.film, cut.scene);
        let scene = film.scenes[place].clone();
        let before = place.checked_sub(1).map(|before| film.scenes[before].clone());
        let (theme, format, size) = (film.theme, cut.format, film.quality.size(cut.format));
        let (fonts, directory) = (Arc::clone(&self.fonts), self.fonts_directory.clone());
        let laid_out = tokio::task::spawn_blocking(move || {
            let mut pictures = Pictures::default();
            for (image, bytes) in named {
                pictures.insert(image, &bytes)?;
            }
            let mut fonts = fonts.lock().unwrap_or_else(PoisonError::into_inner);
            let loaded = match &mut *fonts {
                Some(loaded) => loaded,
                none => none.insert(Fonts::load(&directory)?),
            };
            Shot::new(loaded, &Cut { scene: &scene, before: before.as_ref(), theme, size, format }, &pictures)
        });
        match laid_out.await {
            Ok(Err(RenderError::Image { image, reason })) => Err(DrawError::Asset {
                place: film.asset_path(&image),
                why: RenderError::Image { image, reason }.to_string(),
                permanent: true,
            }),
            Ok(shot) => shot.map_err(failure),
            Err(error) => Err(DrawError::Renderer(format!("the layout ended early: {error}"))),
        }
    }
}

/// A scene whose pictures are named by what they show.
fn by_content(scene: &Scene, digests: &HashMap<&ImageRef, String>) -> Scene {
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

fn own(cut: drawing::Cut<'_>) -> Cut<'_> {
    let scenes = &cut.film.scenes;
    Cut {
        scene: &scenes[cut.scene],
        before: cut.scene.checked_sub(1).map(|before| &scenes[before]),
        theme: cut.film.theme,
        size: cut.film.quality.size(cut.format),
        format: cut.format,
    }
}

/// What of it its client can mend, and what another try may.
fn failure(error: RenderError) -> DrawError {
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    match error {
        RenderError::Image { .. } | RenderError::Size { .. } => DrawError::Input(error.to_string()),
        RenderError::Fonts { .. }
        | RenderError::Io { .. }
        | RenderError::Ffmpeg { .. }
        | RenderError::Stopped
        | RenderError::Drawing => {
            // Paths and ffmpeg's words are for the operator.
            tracing::error!(error = format!("{error}{cause}"), "the renderer failed");
            DrawError::Renderer("the renderer failed; its log says why".to_owned())
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), DrawError> {
    std::fs::write(path, bytes).map_err(no_disk)
}

fn no_disk(error: std::io::Error) -> DrawError {
    DrawError::Renderer(format!("no room on the disk: {error}"))
}

struct OwnDesk(TempDir);

impl ScratchDir for OwnDesk {
    fn path(&self) -> &Path {
        self.0.path()
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, DrawError> {
        let path = self.path().join(name);
        write(&path, bytes)?;
        Ok(path)
    }
}
