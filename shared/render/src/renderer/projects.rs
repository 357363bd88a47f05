//! Implements the application's port for the files of projects: prompt cards, last frames and joined takes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use reelhook_app::projects::perform::ports::{ProjectRenderer, TakeFile, VideoShape};
use reelhook_app::projects::perform::prompt_card::PromptCard;
use reelhook_app::videos::draw_error::DrawError;
use reelhook_app::videos::ports::{SceneRenderer, ScratchDir};
use reelhook_domain::videos::film::ImageRef;
use serde_json::Number;

use super::disk::disk_error;
use super::{LocalRenderer, draw_error, with_fonts};
use crate::takes::PromptFrames;
use crate::{Images, LaidOutScene, Rate, RenderError, SceneInput, Take};

#[async_trait]
impl ProjectRenderer for LocalRenderer {
    async fn card(
        &self,
        card: PromptCard,
        first_frame: Option<&Path>,
        to: &Path,
        drawn: Arc<AtomicU32>,
    ) -> Result<(), DrawError> {
        let picture = match first_frame {
            Some(path) => Some(tokio::fs::read(path).await.map_err(disk_error)?),
            None => None,
        };
        let (fonts, directory) = (Arc::clone(&self.fonts), self.fonts_directory.clone());
        let laid_out = tokio::task::spawn_blocking(move || {
            let (mut images, first) = (Images::new(), ImageRef::Key("first frame".to_owned()));
            if let Some(bytes) = &picture {
                images.insert_large(first.clone(), bytes)?;
            }
            let (scene, theme, size, rendition) = (&card.scene, card.theme, card.size, card.rendition());
            let input = SceneInput { scene, before: None, theme, size, rendition };
            let laid_out = with_fonts(&fonts, &directory, |fonts| match picture {
                Some(_) => LaidOutScene::starting_with(fonts, &input, &images, &first),
                None => LaidOutScene::new(fonts, &input, &images),
            })?;
            Ok::<_, RenderError>(PromptFrames::new(laid_out, card.frames, card.fps))
        });
        let frames = laid_out
            .await
            .map_err(|error| DrawError::Renderer(format!("the layout ended early: {error}")))?
            .map_err(draw_error)?;
        let progress = move |frames| drawn.store(frames, Ordering::Relaxed);
        self.ffmpeg.encode_prompt(frames, to, progress).await.map_err(draw_error)
    }

    async fn last_frame(&self, video: &Path, to: &Path) -> Result<(), DrawError> {
        self.ffmpeg.last_frame(video, to).await.map_err(draw_error)
    }

    async fn concat(&self, takes: &[TakeFile], to: &Path, joined: Arc<AtomicU32>) -> Result<VideoShape, DrawError> {
        let directory = to.parent().unwrap_or(Path::new("."));
        let takes: Vec<Take> =
            takes.iter().map(|take| Take { path: take.path.clone(), continues: take.continues }).collect();
        let progress = move |frames| joined.store(frames, Ordering::Relaxed);
        let video = self.ffmpeg.concat(&takes, to, directory, progress).await.map_err(draw_error)?;
        let (width, height) = video.size;
        tracing::info!(takes = takes.len(), frames = video.frames, copied = video.copied, "joined takes");
        Ok(VideoShape { duration_ms: video.duration_ms(), width, height, fps: number(video.rate) })
    }

    fn free_bytes(&self) -> Result<u64, DrawError> {
        self.free()
    }

    fn project_dir(&self) -> Result<Box<dyn ScratchDir>, DrawError> {
        self.scratch_dir()
    }
}

/// A rate as a number, to three places.
fn number(rate: Rate) -> Number {
    match rate.seconds {
        1 => Number::from(rate.frames),
        _ => Number::from_f64((rate.per_second() * 1000.0).round() / 1000.0).unwrap_or(Number::from(rate.frames)),
    }
}
