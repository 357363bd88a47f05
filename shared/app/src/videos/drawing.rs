//! A renderer's share of a drawing: it claims pieces, keeps their leases while it works, and hands in what came of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::{Either, select};
use reelhook_domain::videos::film::{Film, ImageRef, Music, Quality, Rendition};
use reelhook_domain::videos::render::{RenderPlan, RenderTask, Renderer, StoredVideo};
use reelhook_domain::{Event, Ignored, Job, JobId, JobKind, Policy, RenderId, Status, Timestamp, brief};
use reelhook_signing::{SigningKeys, stream_token};
use secrecy::ExposeSecret;
use url::Url;

use crate::change::{ChangeError, Changed, change};
use crate::clock::ClockAndRandom;
use crate::jobs::store::JobStore;
use crate::retry::Retry;
use crate::store::StoreError;
use crate::videos::assets::{AssetSource, check_all};
use crate::videos::draw_error::DrawError;
use crate::videos::films::{ObjectStore, link_subject, scene_key, video_key};
use crate::views::vidbuilder::{LINK_LIFE, file_id};

/// Attempts at a claim when many renderers of one job start at once; each consists of several attempts at a change.
const CLAIMS: u32 = 5;
/// How long a link is good that has to last as long as its video, in seconds.
const VIDEO_LIFE_S: i64 = 30 * 24 * 3600;

/// A picture of a scene, as bytes.
pub type Assets = Vec<(ImageRef, Vec<u8>)>;

/// One scene of a film, for one of its pictures.
#[derive(Debug, Clone, Copy)]
pub struct Cut<'a> {
    /// The film.
    pub film: &'a Film,
    /// Which picture.
    pub format: Rendition,
    /// The scene's place.
    pub scene: usize,
}

impl Cut<'_> {
    /// Every picture that the scene needs, that of the scene before too where it shows that.
    pub fn images(&self) -> Vec<ImageRef> {
        let scene = &self.film.scenes[self.scene];
        let before = self.scene.checked_sub(1).filter(|_| scene.transition.is_some());
        let before = before.into_iter().flat_map(|before| self.film.scenes[before].images());
        let mut images: Vec<ImageRef> = scene.images().chain(before).cloned().collect();
        images.sort();
        images.dedup();
        images
    }
}

/// Draws scenes and joins them.
#[async_trait]
pub trait SceneRenderer: Send + Sync {
    /// A hash of everything that decides how a scene looks.
    fn hash(&self, cut: Cut<'_>, assets: &Assets) -> String;

    /// Draws a scene into a file, and counts the frames that are drawn.
    ///
    /// # Errors
    /// [`DrawError`].
    async fn draw(&self, cut: Cut<'_>, assets: Assets, to: &Path, drawn: Arc<AtomicU32>) -> Result<(), DrawError>;

    /// Joins drawn scenes of so many frames together, with music under them.
    ///
    /// # Errors
    /// [`DrawError`].
    async fn join(&self, scenes: &[PathBuf], music: Option<&Music>, frames: u32, to: &Path) -> Result<(), DrawError>;

    /// An empty directory for the files of one piece, which goes with the guard.
    ///
    /// # Errors
    /// [`DrawError`].
    fn scratch_dir(&self) -> Result<Box<dyn ScratchDir>, DrawError>;
}

/// A directory that is removed when it is dropped.
pub trait ScratchDir: Send + Sync {
    /// Where it is.
    fn path(&self) -> &Path;

    /// Writes a file into it.
    ///
    /// # Errors
    /// [`DrawError`].
    fn keep(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, DrawError>;
}

/// Finds out what a film shows, where its client did not say.
#[async_trait]
pub trait Composer: Send + Sync {
    /// The film of a job, told step by step; none where the job ended on the way.
    ///
    /// # Errors
    /// [`DrawError`].
    async fn compose(&self, job: &Job) -> Result<Option<Film>, DrawError>;
}

/// A render elsewhere, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoteProgress {
    /// On its way: ask again later.
    Waits {
        /// Which.
        render: RenderId,
        /// How far it is, 0 to 100.
        percent: u8,
        /// How much later.
        wait: Duration,
    },
    /// Done: the video.
    Fetched(Bytes),
}

/// Draws whole pictures elsewhere.
#[async_trait]
pub trait RemoteRenderer: Send + Sync {
    /// Submits a picture, or looks at the render that was submitted; fetches it once it is done.
    ///
    /// # Errors
    /// [`DrawError`].
    async fn advance(
        &self,
        film: &Film,
        format: Rendition,
        render: Option<&RenderId>,
    ) -> Result<RemoteProgress, DrawError>;
}

/// Waits.
#[async_trait]
pub trait Timer: Send + Sync {
    /// Returns after this time.
    async fn after(&self, time: Duration);
}

/// How fast films were drawn of late.
#[async_trait]
pub trait Speeds: Send + Sync {
    /// Notes that frames of a size took so long from start to end, in seconds.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn note(&self, quality: &str, frames: u32, seconds: f64) -> Result<(), StoreError>;

    /// Frames a second of late; none where none were drawn.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn speed(&self, quality: &str) -> Result<Option<f64>, StoreError>;
}

/// What drawing needs.
pub struct DrawPorts<'a> {
    /// Jobs.
    pub jobs: &'a dyn JobStore,
    /// Files.
    pub films: &'a dyn ObjectStore,
    /// Our own renderer.
    pub renderer: &'a dyn SceneRenderer,
    /// Another one.
    pub remote: &'a dyn RemoteRenderer,
    /// Writes films.
    pub composer: &'a dyn Composer,
    /// Pictures.
    pub assets: &'a dyn AssetSource,
    /// What was measured.
    pub speeds: &'a dyn Speeds,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// Waits.
    pub timer: &'a dyn Timer,
    /// The jobs' timers.
    pub policy: &'a Policy,
    /// What links are signed with.
    pub links: &'a SigningKeys,
    /// PUBLIC_BASE_URL.
    pub base: &'a Url,
}

/// What came of a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceResult {
    /// No piece was open.
    Nothing,
    /// A piece was done, waits, or failed, and its job knows.
    Reported,
    /// Somebody else has the piece, or the job has ended.
    Lost,
}

/// What a piece came to.
enum Outcome {
    Done(Option<StoredVideo>),
    Composed(RenderPlan),
    Waits {
        render: RenderId,
        percent: u8,
        wait: Duration,
    },
    /// The job has ended by what was found out.
    Ended,
}

/// The last moment at which an invocation begins another piece: while more than two thirds of its time are left, so that
/// each piece has about as long as one that was begun at once.
pub fn last_start(began: Timestamp, deadline: Timestamp) -> Timestamp {
    deadline.before(deadline.since(began) / 3 * 2)
}

/// Draws pieces of a job, one after the other, until none is open or `last_start` is reached; returns how many ended.
/// So a piece whose hint was lost waits for the next renderer that is done, and not for the sweep.
///
/// # Errors
/// [`ChangeError`] as in [`draw_one`]; pieces that were handed in before stay so.
pub async fn draw_on(
    ports: &DrawPorts<'_>,
    id: &JobId,
    attempt: u32,
    last_start: Timestamp,
) -> Result<usize, ChangeError> {
    let mut reported = 0;
    while draw_one(ports, id, attempt).await? == PieceResult::Reported {
        reported += 1;
        if ports.clock.now() >= last_start {
            break;
        }
    }
    Ok(reported)
}

/// Claims an open piece of a job and draws it.
///
/// # Errors
/// [`ChangeError`]; the piece is free again when its lease ends.
pub async fn draw_one(ports: &DrawPorts<'_>, id: &JobId, attempt: u32) -> Result<PieceResult, ChangeError> {
    let report = |event: Event| async move { change(ports.jobs, ports.clock, ports.policy, id, &event).await };
    let (mut claim, mut retry) = (Err(ChangeError::Contended(id.clone().into())), Retry::new(ports.clock, CLAIMS));
    while matches!(claim, Err(ChangeError::Contended(_))) && retry.attempt().await {
        claim = report(Event::ClaimPiece { attempt }).await;
    }
    let Changed::Applied(job) = claim? else { return Ok(PieceResult::Nothing) };
    let Some((claim, task)) = claimed(&job) else { return Ok(PieceResult::Nothing) };
    tracing::info!(job_id = %id, attempt, claim, ?task, "took a piece of a drawing");
    let began = ports.clock.now();
    let drawn = Arc::new(AtomicU32::new(0));
    let work = Box::pin(perform(ports, &job, task, &drawn));
    let beat = Box::pin(keep_lease(ports, id, attempt, claim, &drawn));
    let event = match select(work, beat).await {
        Either::Right((lost, _)) => {
            tracing::info!(job_id = %id, attempt, claim, reason = ?lost, "a piece is not wanted from here any more");
            return Ok(PieceResult::Lost);
        }
        Either::Left((Ok(outcome), _)) => match outcome {
            Outcome::Ended => return Ok(PieceResult::Reported),
            Outcome::Done(video) => Event::PieceDone { attempt, claim, video },
            Outcome::Composed(film) => Event::Composed { attempt, claim, film },
            Outcome::Waits { render, percent, wait } => Event::PieceDeferred { attempt, claim, render, percent, wait },
        },
        Either::Left((Err(error), _)) => {
            let named = sentence(task, &error);
            tracing::warn!(job_id = %id, attempt, claim, error = brief(&named), "a piece of a drawing failed");
            Event::PieceFailed { attempt, claim, error: named, permanent: error.is_permanent() }
        }
    };
    let changed = report(event).await?;
    let duration_ms = ports.clock.now().millis_since(began);
    tracing::info!(job_id = %id, attempt, claim, duration_ms, outcome = changed.name(), "handed in a piece");
    if let Changed::Applied(job) = &changed {
        note_speed(ports, job).await;
    }
    Ok(if matches!(changed, Changed::Applied(_)) { PieceResult::Reported } else { PieceResult::Lost })
}

/// The claim that a job was saved with, and what its piece asks for.
fn claimed(job: &Job) -> Option<(u32, &RenderTask)> {
    let pieces = job.run.engine.pieces()?.pieces.as_ref()?;
    let index = pieces.claimed(pieces.claims)?;
    Some((pieces.claims, &pieces.list[index].task))
}

/// Why a piece failed, in a sentence that names it, or the place of the picture that is wrong: a scene may show that of
/// the one before it.
fn sentence(task: &RenderTask, error: &DrawError) -> String {
    match (task, error) {
        (_, DrawError::Asset { .. }) => error.to_string(),
        (RenderTask::Draw { scene, .. }, error) => format!("Scene {}: {error}", scene + 1),
        (_, DrawError::Input(error)) => error.clone(),
        (_, error) => format!("Failed to render video: {error}"),
    }
}

/// Gives signs of life until the piece is not wanted any more: why.
async fn keep_lease(ports: &DrawPorts<'_>, id: &JobId, attempt: u32, claim: u32, drawn: &AtomicU32) -> Ignored {
    loop {
        ports.timer.after(ports.policy.heartbeat_interval()).await;
        let event = Event::PieceProgressed { attempt, claim, units: drawn.load(Ordering::Relaxed) };
        match change(ports.jobs, ports.clock, ports.policy, id, &event).await {
            Ok(Changed::Applied(_)) => {}
            Ok(Changed::Ignored(reason, _)) => return reason,
            Ok(Changed::Rejected(..) | Changed::NotFound) => return Ignored::FinalJob,
            // The lease lasts for several beats.
            Err(error) => tracing::warn!(job_id = %id, %error, "a sign of life was not noted"),
        }
    }
}

async fn perform(
    ports: &DrawPorts<'_>,
    job: &Job,
    task: &RenderTask,
    drawn: &Arc<AtomicU32>,
) -> Result<Outcome, DrawError> {
    match task {
        RenderTask::Compose => {
            let Some(film) = ports.composer.compose(job).await? else { return Ok(Outcome::Ended) };
            ports.films.put_film(&job.id, &film).await?;
            let renderer = job.run.engine.pieces().map(|run| run.renderer).unwrap_or_default();
            Ok(Outcome::Composed(RenderPlan::of(&film, renderer)))
        }
        RenderTask::Draw { rendition, scene } => {
            let film = ports.films.film(&job.id).await?;
            let cut = cut(&film, *rendition, *scene)?;
            let assets = assets(ports, &job.id, cut).await?;
            let key = scene_key(&ports.renderer.hash(cut, &assets));
            if ports.films.has_scene(&key).await? {
                tracing::info!(job_id = %job.id, scene, key, "a scene was drawn before");
                return Ok(Outcome::Done(None));
            }
            draw(ports, cut, assets, &key, drawn).await?;
            Ok(Outcome::Done(None))
        }
        RenderTask::Join { rendition } => join(ports, job, *rendition).await.map(|video| Outcome::Done(Some(video))),
        RenderTask::Remote { rendition, task } => {
            let film = ports.films.film(&job.id).await?;
            if task.is_none() {
                check_all(ports.assets, &job.id, &film).await?;
            }
            match ports.remote.advance(&film, *rendition, task.as_ref().map(|task| &task.id)).await? {
                RemoteProgress::Waits { render, percent, wait } => Ok(Outcome::Waits { render, percent, wait }),
                RemoteProgress::Fetched(video) => {
                    let scratch_dir = ports.renderer.scratch_dir()?;
                    let file = scratch_dir.keep("video.mp4", &video)?;
                    store(ports, job, *rendition, &file).await.map(|video| Outcome::Done(Some(video)))
                }
            }
        }
    }
}

fn cut(film: &Film, rendition: Rendition, scene: usize) -> Result<Cut<'_>, DrawError> {
    match film.scenes.get(scene) {
        Some(_) => Ok(Cut { film, format: rendition, scene }),
        None => Err(DrawError::Renderer("the film has fewer scenes than its plan".to_owned())),
    }
}

async fn assets(ports: &DrawPorts<'_>, job: &JobId, cut: Cut<'_>) -> Result<Assets, DrawError> {
    let mut assets = Vec::new();
    for image in cut.images() {
        let bytes = ports.assets.asset(job, &image).await.map_err(|error| error.at(cut.film.asset_path(&image)))?;
        assets.push((image, bytes));
    }
    Ok(assets)
}

/// Draws a scene and keeps it under its key.
async fn draw(
    ports: &DrawPorts<'_>,
    cut: Cut<'_>,
    assets: Assets,
    key: &str,
    drawn: &Arc<AtomicU32>,
) -> Result<(), DrawError> {
    let scratch_dir = ports.renderer.scratch_dir()?;
    let file = scratch_dir.path().join("scene.mp4");
    ports.renderer.draw(cut, assets, &file, Arc::clone(drawn)).await?;
    Ok(ports.films.put_scene(key, &file).await?)
}

/// Joins the scenes of a picture; one that is not kept any more is drawn again.
async fn join(ports: &DrawPorts<'_>, job: &Job, rendition: Rendition) -> Result<StoredVideo, DrawError> {
    let film = ports.films.film(&job.id).await?;
    let scratch_dir = ports.renderer.scratch_dir()?;
    let mut scenes = Vec::with_capacity(film.scenes.len());
    for scene in 0..film.scenes.len() {
        let cut = cut(&film, rendition, scene)?;
        let assets = assets(ports, &job.id, cut).await?;
        let key = scene_key(&ports.renderer.hash(cut, &assets));
        let file = scratch_dir.path().join(format!("{scene}.mp4"));
        if !ports.films.fetch_scene(&key, &file).await? {
            draw(ports, cut, assets, &key, &Arc::default()).await?;
            if !ports.films.fetch_scene(&key, &file).await? {
                return Err(DrawError::Renderer("a drawn scene vanished".to_owned()));
            }
        }
        scenes.push(file);
    }
    let file = scratch_dir.path().join("video.mp4");
    ports.renderer.join(&scenes, film.music.as_ref(), film.frames(), &file).await?;
    store(ports, job, rendition, &file).await
}

/// Stores a finished picture, with a link that is good for as long as its readers expect.
async fn store(ports: &DrawPorts<'_>, job: &Job, rendition: Rendition, file: &Path) -> Result<StoredVideo, DrawError> {
    let key = video_key(&job.id, job.created_at, rendition);
    let id = file_id(job.id.as_str(), rendition);
    let bytes = ports.films.put_video(&key, &format!("{id}.mp4"), file).await?;
    let life = match job.kind {
        JobKind::Video => LINK_LIFE.0,
        JobKind::Workflow => VIDEO_LIFE_S,
    };
    let expires = ports.clock.now().seconds() + life;
    let token = stream_token::mint(&link_subject(job.id.as_str(), rendition), expires, ports.links);
    let base = ports.base.as_str().trim_end_matches('/');
    let link = format!("{base}/api/download/{id}?token={}", token.expose_secret());
    Ok(StoredVideo { rendition, key, bytes, link })
}

/// Once a drawing has ended, how long it took says how long others will.
async fn note_speed(ports: &DrawPorts<'_>, job: &Job) {
    let (Some(film), false) = (job.plan(), job.videos().is_empty()) else { return };
    if job.kind != JobKind::Video || film.renderer != Renderer::Own || job.status != Status::Completed {
        return;
    }
    let Some((start, end)) = job.run.times.started_at.zip(job.run.times.completed_at) else { return };
    let seconds = end.since(start).as_secs_f64();
    let quality = job.request.input["quality"].as_str().unwrap_or("1080p");
    if let Err(error) = ports.speeds.note(quality, film.all_frames(), seconds.max(0.001)).await {
        tracing::warn!(%error, "how fast a film was drawn was not noted");
    }
}

/// About how long a film takes to draw, in seconds: by what was measured of late, or else by what one core does
/// (`cargo xtask bench render`: some 44 frames a second in 1080p, and by the number of pixels in other sizes).
pub fn expected_seconds(film: &RenderPlan, quality: Quality, speed: Option<f64>) -> f64 {
    let unmeasured = match quality {
        Quality::Hd => 100.0,
        Quality::FullHd => 44.0,
        Quality::UltraHd => 11.0,
    };
    f64::from(film.all_frames()) / speed.filter(|speed| *speed > 0.1).unwrap_or(unmeasured) + 5.0
}
