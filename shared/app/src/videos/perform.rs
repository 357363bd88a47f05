//! Performs the task of a piece: composes a film, draws a scene, joins a rendition, or renders it at an outside service.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use reelhook_domain::videos::film::{Film, Rendition};
use reelhook_domain::videos::render::{RenderPlan, RenderTask, StoredVideo};
use reelhook_domain::{Job, JobId, JobKind, RenderId};
use reelhook_signing::{SignedToken, SubjectClaims};

use crate::videos::assets::check_all;
use crate::videos::draw_error::DrawError;
use crate::videos::films::{link_subject, scene_key, video_key};
use crate::videos::ports::{Assets, DrawPorts, FilmScene, PartFile, RemoteProgress, ScenePart};
use crate::views::vidbuilder::{LINK_LIFE, file_id};

/// The outcome of a task that did not fail.
pub(super) enum TaskOutcome {
    /// The task is done; the video is the rendition that it finished, if it finished one.
    Done(Option<StoredVideo>),
    /// The film is composed and stored.
    Composed(RenderPlan),
    /// An outside service renders: poll it after `wait`.
    Waits { render: RenderId, percent: u8, wait: Duration },
    /// The job ended while its film was composed.
    JobEnded,
}

/// Performs a task, and keeps the number of drawn frames in `drawn`.
pub(super) async fn perform(
    ports: &DrawPorts<'_>,
    job: &Job,
    task: &RenderTask,
    drawn: &Arc<AtomicU32>,
) -> Result<TaskOutcome, DrawError> {
    match task {
        RenderTask::Compose => {
            let Some(film) = ports.composer.compose(job).await? else { return Ok(TaskOutcome::JobEnded) };
            ports.films.put_film(&job.id, &film).await?;
            let renderer = job.run.engine.pieces().map(|run| run.renderer).unwrap_or_default();
            Ok(TaskOutcome::Composed(RenderPlan::of(&film, renderer)))
        }
        RenderTask::Draw { rendition, scene } => {
            let film = ports.films.film(&job.id).await?;
            let scene = film_scene(&film, *rendition, *scene)?;
            let assets = load_assets(ports, &job.id, scene).await?;
            let mut missing = Vec::new();
            for part in ports.renderer.parts(scene, &assets) {
                let key = scene_key(&part.hash);
                if ports.videos.has_scene(&key).await? {
                    tracing::info!(job_id = %job.id, scene = scene.index, key, "reused a stored part of a scene");
                } else {
                    missing.push(part);
                }
            }
            draw(ports, scene, assets, missing, drawn).await?;
            Ok(TaskOutcome::Done(None))
        }
        RenderTask::Join { rendition } => {
            join(ports, job, *rendition).await.map(|video| TaskOutcome::Done(Some(video)))
        }
        RenderTask::Remote { rendition, task } => {
            let film = ports.films.film(&job.id).await?;
            if task.is_none() {
                check_all(ports.assets, &job.id, &film).await?;
            }
            match ports.remote.advance(&film, *rendition, task.as_ref().map(|task| &task.id)).await? {
                RemoteProgress::Waits { render, percent, wait } => Ok(TaskOutcome::Waits { render, percent, wait }),
                RemoteProgress::Fetched(video) => {
                    let scratch_dir = ports.renderer.scratch_dir()?;
                    let file = scratch_dir.keep("video.mp4", &video)?;
                    store(ports, job, *rendition, &file).await.map(|video| TaskOutcome::Done(Some(video)))
                }
            }
        }
    }
}

fn film_scene(film: &Film, rendition: Rendition, index: usize) -> Result<FilmScene<'_>, DrawError> {
    match film.scenes.get(index) {
        Some(_) => Ok(FilmScene { film, rendition, index }),
        None => Err(DrawError::Renderer("the film has fewer scenes than its plan".to_owned())),
    }
}

async fn load_assets(ports: &DrawPorts<'_>, job: &JobId, scene: FilmScene<'_>) -> Result<Assets, DrawError> {
    let mut assets = Vec::new();
    for image in scene.images() {
        let bytes = ports.assets.asset(job, &image).await.map_err(|error| error.at(scene.film.asset_path(&image)))?;
        assets.push((image, bytes));
    }
    Ok(assets)
}

/// Draws parts of a scene and stores each under its key.
async fn draw(
    ports: &DrawPorts<'_>,
    scene: FilmScene<'_>,
    assets: Assets,
    parts: Vec<ScenePart>,
    drawn: &Arc<AtomicU32>,
) -> Result<(), DrawError> {
    if parts.is_empty() {
        return Ok(());
    }
    let scratch_dir = ports.renderer.scratch_dir()?;
    let file = |(number, part): (usize, &ScenePart)| PartFile {
        frames: part.frames.clone(),
        to: scratch_dir.path().join(format!("part-{number}.mp4")),
    };
    let files: Vec<PartFile> = parts.iter().enumerate().map(file).collect();
    ports.renderer.draw(scene, assets, &files, Arc::clone(drawn)).await?;
    for (part, file) in parts.iter().zip(&files) {
        ports.videos.put_scene(&scene_key(&part.hash), &file.to).await?;
    }
    Ok(())
}

/// Joins the scenes of a rendition. A part of a scene that is no longer stored is drawn again.
async fn join(ports: &DrawPorts<'_>, job: &Job, rendition: Rendition) -> Result<StoredVideo, DrawError> {
    let film = ports.films.film(&job.id).await?;
    let scratch_dir = ports.renderer.scratch_dir()?;
    let mut files = Vec::with_capacity(2 * film.scenes.len());
    for index in 0..film.scenes.len() {
        let scene = film_scene(&film, rendition, index)?;
        let assets = load_assets(ports, &job.id, scene).await?;
        for part in ports.renderer.parts(scene, &assets) {
            let key = scene_key(&part.hash);
            let file = scratch_dir.path().join(format!("{index}-{}.mp4", part.frames.start));
            if !ports.videos.fetch_scene(&key, &file).await? {
                draw(ports, scene, assets.clone(), vec![part], &Arc::default()).await?;
                if !ports.videos.fetch_scene(&key, &file).await? {
                    return Err(DrawError::Renderer("a drawn scene is missing from the object store".to_owned()));
                }
            }
            files.push(file);
        }
    }
    let file = scratch_dir.path().join("video.mp4");
    ports.renderer.join(&files, film.music.as_ref(), film.frames(), &file).await?;
    store(ports, job, rendition, &file).await
}

/// Stores a finished rendition, with a link that is valid for as long as the contract promises for this kind of job.
async fn store(ports: &DrawPorts<'_>, job: &Job, rendition: Rendition, file: &Path) -> Result<StoredVideo, DrawError> {
    let key = video_key(&job.id, job.created_at, rendition);
    let id = file_id(job.id.as_str(), rendition);
    let bytes = ports.videos.put_video(&key, &format!("{id}.mp4"), file).await?;
    let life = match job.kind {
        JobKind::Video => LINK_LIFE.0,
        // As long as the video is stored.
        JobKind::Workflow => ports.videos_kept.count() * 24 * 3600,
    };
    let expires = ports.clock.now().seconds() + life;
    let subject = link_subject(job.id.as_str(), rendition);
    let token = SignedToken::mint(&SubjectClaims { subject: &subject, expires }, ports.links);
    let base = ports.base.as_str().trim_end_matches('/');
    let link = format!("{base}/api/download/{id}?token={}", token.expose());
    Ok(StoredVideo { rendition, key, bytes, link })
}
