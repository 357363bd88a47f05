//! Performs a piece of a clip job: probes and plans a source, cuts a clip, or copies the worker's files into the
//! bucket.

mod budget;
mod plan;
pub mod ports;
mod source;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use reelhook_domain::ClipJob;
use reelhook_domain::clips::clip::SourceFacts;
use reelhook_domain::clips::event::PieceOutput;
use reelhook_domain::clips::job::ClipPiece;
use reelhook_domain::projects::media::File;

use crate::clips::files::key;
use crate::clips::perform::budget::{LONGEST_CUT, LONGEST_PROBE, check, in_time};
use crate::clips::perform::plan::{plan, rescore};
use crate::clips::perform::ports::{ClipPorts, SourceShape};
use crate::clips::perform::source::{fetch_original, path_in};
use crate::files::fetch::{Kind, fetch_file};
use crate::videos::draw_error::DrawError;

pub(super) use source::KeptSource;

/// Performs the work of a piece, and keeps the percentage of it that is done in `percent`.
pub(super) async fn perform(
    ports: &ClipPorts<'_>,
    kept: &KeptSource,
    job: &ClipJob,
    piece: &ClipPiece,
    percent: &Arc<AtomicU32>,
) -> Result<PieceOutput, DrawError> {
    match piece {
        ClipPiece::Probe => probe(ports, kept, job).await,
        ClipPiece::Plan => plan(ports, kept, (job, facts(job)?), percent).await,
        ClipPiece::Cut { index, cut } => cut_clip(ports, kept, job, (*index, *cut), percent).await,
        ClipPiece::CopyClip { index } => {
            let clip = job.clip(*index).ok_or_else(outdated)?;
            let name = format!("{index}-{}", clip.cuts);
            copy(ports, job, clip.file.as_ref(), Kind::Video, &name).await
        }
        ClipPiece::CopyTranscript => copy(ports, job, job.transcript.as_ref(), Kind::Document, "transcript").await,
        ClipPiece::CopyPlan => copy(ports, job, job.plan.as_ref(), Kind::Document, "plan").await,
        ClipPiece::Measure => measure(ports, job).await,
    }
}

/// Copies the source into the bucket, and finds out what it is like.
async fn probe(ports: &ClipPorts<'_>, kept: &KeptSource, job: &ClipJob) -> Result<PieceOutput, DrawError> {
    let directory = ports.renderer.clip_dir()?;
    let path = path_in(&*directory);
    let content_type = fetch_original(ports, job, &path).await?;
    let shape = shape_of(ports, &path).await?;
    check(&shape, job.request.layout)?;
    let key = key(&job.id, &format!("source.{}", extension(content_type)));
    ports.files.put_file(&key, content_type, &path).await?;
    kept.keep(key.clone(), directory);
    Ok(PieceOutput::Probed(SourceFacts {
        duration_ms: shape.duration_ms,
        width: shape.width,
        height: shape.height,
        fps: shape.fps,
        sound: shape.sound,
        key,
    }))
}

/// Cuts a clip out of the source. One that is cut again is scored anew.
async fn cut_clip(
    ports: &ClipPorts<'_>,
    kept: &KeptSource,
    job: &ClipJob,
    (index, cut): (u32, u32),
    percent: &Arc<AtomicU32>,
) -> Result<PieceOutput, DrawError> {
    let facts = facts(job)?;
    let range = job.clip(index).and_then(|clip| clip.range).ok_or_else(outdated)?;
    let source = kept.of_key(ports, &facts.key).await?;
    let directory = ports.renderer.clip_dir()?;
    let file = directory.path().join("clip.mp4");
    let (layout, path) = (job.request.layout, source.path());
    let cutting = ports.renderer.cut(&path, range, layout, &file, Arc::clone(percent));
    let duration_ms = in_time(ports.timer, LONGEST_CUT, cutting).await?;
    let key = key(&job.id, &format!("{index}-{cut}.mp4"));
    ports.files.put_file(&key, "video/mp4", &file).await?;
    // Only clips of a job that has ended are cut again.
    let score = if job.status.is_final() { rescore(ports, job, &source.path(), range).await? } else { None };
    Ok(PieceOutput::Cut { file: File::stored(key), duration_ms, score })
}

/// Copies a file of the worker into the bucket. The copied file keeps its source.
async fn copy(
    ports: &ClipPorts<'_>,
    job: &ClipJob,
    file: Option<&File>,
    kind: Kind,
    name: &str,
) -> Result<PieceOutput, DrawError> {
    let file = file.ok_or_else(outdated)?;
    if !file.is_to_copy() {
        return Ok(PieceOutput::Copied(file.clone()));
    }
    let directory = ports.renderer.clip_dir()?;
    let path = directory.path().join("download");
    let content_type = fetch_file(ports.sources(), file, kind, &path).await?;
    let key = key(&job.id, &format!("{name}.{}", extension(content_type)));
    ports.files.put_file(&key, content_type, &path).await?;
    Ok(PieceOutput::Copied(File { source: file.source.clone(), key: Some(key) }))
}

/// Finds the length of the source, if we can read it.
async fn measure(ports: &ClipPorts<'_>, job: &ClipJob) -> Result<PieceOutput, DrawError> {
    if let Some(facts) = job.run.engine.own().and_then(|run| run.source.as_ref()) {
        return Ok(PieceOutput::Measured(facts.duration_ms));
    }
    let directory = ports.renderer.clip_dir()?;
    let path = path_in(&*directory);
    fetch_original(ports, job, &path).await?;
    Ok(PieceOutput::Measured(shape_of(ports, &path).await?.duration_ms))
}

/// Finds out what a source on the disk is like.
async fn shape_of(ports: &ClipPorts<'_>, source: &Path) -> Result<SourceShape, DrawError> {
    in_time(ports.timer, LONGEST_PROBE, ports.renderer.shape(source)).await
}

/// What the probe of the present attempt found.
fn facts(job: &ClipJob) -> Result<&SourceFacts, DrawError> {
    job.run.engine.own().and_then(|run| run.source.as_ref()).ok_or_else(outdated)
}

/// The extension of files with a content type.
fn extension(content_type: &str) -> &'static str {
    match content_type.split(';').next().unwrap_or_default() {
        "video/mp4" => "mp4",
        "video/quicktime" => "mov",
        "video/webm" => "webm",
        "application/json" => "json",
        "text/vtt" => "vtt",
        _ => "txt",
    }
}

/// The job no longer has what a piece is about.
fn outdated() -> DrawError {
    DrawError::Input("the source or clip of this work is no longer there".to_owned())
}
