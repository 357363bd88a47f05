//! Performs a piece of a project: draws a card, extracts a last frame, joins takes, or copies files into the bucket.

pub mod ports;
pub mod prompt_card;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use reelhook_domain::SceneId;
use reelhook_domain::projects::event::PieceOutput;
use reelhook_domain::projects::media::{File, Video};
use reelhook_domain::projects::project::{Project, ProjectPiece};
use reelhook_domain::projects::scene::{LongText, Take};
use serde_json::Number;

use crate::files::fetch::{Kind, fetch_file, size_of};
use crate::projects::links::key;
use crate::projects::perform::ports::{PiecePorts, TakeFile};
use crate::projects::perform::prompt_card::PromptCard;
use crate::videos::draw_error::DrawError;

/// Performs the work of a piece, and keeps the number of frames that are done in `frames`.
pub(super) async fn perform(
    ports: &PiecePorts<'_>,
    project: &Project,
    piece: &ProjectPiece,
    frames: &Arc<AtomicU32>,
) -> Result<PieceOutput, DrawError> {
    match piece {
        ProjectPiece::Card { scene, attempt } => card(ports, project, scene, *attempt, frames).await,
        ProjectPiece::Copy { scene, attempt } => {
            let take = take(project, scene, *attempt)?;
            copy(ports, &take.video, take.last_frame.as_ref(), &take_folder(project, scene, *attempt)).await
        }
        ProjectPiece::LastFrame { scene, attempt } => last_frame(ports, project, scene, *attempt).await,
        ProjectPiece::Concat { generation } => concat(ports, project, *generation, frames).await,
        ProjectPiece::CopyFinal { generation } => {
            let Some(last) = &project.video else { return Err(outdated()) };
            copy(ports, &last.video, None, &final_folder(project, *generation)).await
        }
    }
}

/// Draws the prompt card of a scene. It starts with the last frame of the scene that it depends on, or else with the
/// client's first frame.
async fn card(
    ports: &PiecePorts<'_>,
    project: &Project,
    id: &SceneId,
    attempt: u32,
    drawn: &Arc<AtomicU32>,
) -> Result<PieceOutput, DrawError> {
    let index = project.scenes.iter().position(|scene| scene.id == *id).ok_or_else(outdated)?;
    let scene = &project.scenes[index];
    let prompt = match &scene.spec.prompt {
        LongText::Inline(prompt) => prompt.clone(),
        LongText::Stored(key) => ports.texts.text(key).await?.ok_or_else(|| {
            DrawError::Input(format!("the prompt `{key}` of scene `{}` is no longer stored", scene.spec.number))
        })?,
    };
    let scratch_dir = ports.renderer.project_dir()?;
    let mut picture = None;
    if let Some(first) = project.first_frame_of(id) {
        let to = scratch_dir.path().join("first");
        fetch_file(ports.sources(), &first, Kind::Image, &to).await?;
        picture = Some(to);
    }
    let card = PromptCard::new(&scene.spec, &prompt, index);
    let file = scratch_dir.path().join("video.mp4");
    let (duration_ms, size, fps) = (card.duration_ms(), card.size, card.fps);
    ports.renderer.card(card, picture.as_deref(), &file, Arc::clone(drawn)).await?;
    let key = format!("{}/video.mp4", take_folder(project, id, attempt));
    let bytes = ports.files.put_file(&key, "video/mp4", &file).await?;
    Ok(PieceOutput::Video(Video {
        file: File::stored(key),
        thumbnail: None,
        duration_ms: Some(duration_ms),
        width: Some(size.0),
        height: Some(size.1),
        fps: Some(Number::from(fps)),
        quality: None,
        bytes: Some(bytes),
        metadata: None,
    }))
}

/// Extracts the last frame of a take.
async fn last_frame(
    ports: &PiecePorts<'_>,
    project: &Project,
    scene: &SceneId,
    attempt: u32,
) -> Result<PieceOutput, DrawError> {
    let take = take(project, scene, attempt)?;
    let scratch_dir = ports.renderer.project_dir()?;
    let (video, image) = (scratch_dir.path().join("video"), scratch_dir.path().join("last.png"));
    fetch_file(ports.sources(), &take.video.file, Kind::Video, &video).await?;
    ports.renderer.last_frame(&video, &image).await?;
    let key = format!("{}/last.png", take_folder(project, scene, attempt));
    ports.files.put_file(&key, "image/png", &image).await?;
    Ok(PieceOutput::Frame(File::stored(key)))
}

/// The files of a stitch are on the disk three times at most: as takes, as segments and in the joined video.
const COPIES: u64 = 3;

/// Joins the takes of a generation.
async fn concat(
    ports: &PiecePorts<'_>,
    project: &Project,
    generation: u32,
    joined: &Arc<AtomicU32>,
) -> Result<PieceOutput, DrawError> {
    let stitch = project.stitch.as_ref().filter(|stitch| stitch.generation == generation).ok_or_else(outdated)?;
    let scratch_dir = ports.renderer.project_dir()?;
    let takes = stitch.takes.iter().map(|(scene, attempt)| take(project, scene, *attempt));
    let takes = takes.collect::<Result<Vec<&Take>, _>>()?;
    let free = ports.renderer.free_bytes()?;
    let mut bytes: u64 = takes.iter().filter_map(|take| own_bytes(&take.video)).sum();
    fits(bytes, free)?;
    let mut files = Vec::with_capacity(takes.len());
    let mut before: Option<&Take> = None;
    for (index, take) in takes.into_iter().enumerate() {
        let path = scratch_dir.path().join(format!("take-{index}"));
        fetch_file(ports.sources(), &take.video.file, Kind::Video, &path).await?;
        if own_bytes(&take.video).is_none() {
            bytes = bytes.saturating_add(size_of(&path)?);
            fits(bytes, free)?;
        }
        files.push(TakeFile { path, continues: before.is_some_and(|before| continues(before, take)) });
        before = Some(take);
    }
    let file = scratch_dir.path().join("video.mp4");
    let shape = ports.renderer.concat(&files, &file, Arc::clone(joined)).await?;
    let key = format!("{}/video.mp4", final_folder(project, generation));
    let bytes = ports.files.put_file(&key, "video/mp4", &file).await?;
    Ok(PieceOutput::Video(Video {
        file: File::stored(key),
        thumbnail: None,
        duration_ms: Some(shape.duration_ms),
        width: Some(shape.width),
        height: Some(shape.height),
        fps: Some(shape.fps),
        quality: None,
        bytes: Some(bytes),
        metadata: None,
    }))
}

/// The size of a video that our renderers stored. What a service says about its video may be wrong.
fn own_bytes(video: &Video) -> Option<u64> {
    video.bytes.filter(|_| video.file.source.is_none())
}

/// Checks that takes of so many bytes can be joined on a disk with so many free bytes.
fn fits(bytes: u64, free: u64) -> Result<(), DrawError> {
    let needed = bytes.saturating_mul(COPIES);
    if needed <= free {
        return Ok(());
    }
    let [needed, free] = [needed, free].map(|bytes| bytes / 1_000_000);
    Err(DrawError::Input(format!(
        "stitching these takes must need at most {free} MB of disk (needs {needed} MB): use fewer or shorter scenes, or a \
         lower resolution"
    )))
}

/// Whether a take was generated from the last frame of the take before. A copy of a frame may have been made since.
fn continues(before: &Take, take: &Take) -> bool {
    let (Some(last), Some(first)) = (&before.last_frame, &take.first_frame) else { return false };
    let same_key = last.key.is_some() && last.key == first.key;
    let same_source = last.source.is_some() && last.source == first.source;
    same_key || same_source
}

/// Copies the files of a video that are still outside. An image that will never be there is left out, and so is one that
/// fails after the video was copied: the video does not need it.
async fn copy(
    ports: &PiecePorts<'_>,
    video: &Video,
    frame: Option<&File>,
    folder: &str,
) -> Result<PieceOutput, DrawError> {
    let scratch_dir = ports.renderer.project_dir()?;
    let scratch = scratch_dir.path();
    let video_key = format!("{folder}/video.mp4");
    let copied = copy_file(ports, Some(&video.file), Kind::Video, &video_key, scratch).await?;
    let mut images = [None, None];
    for (image, (file, name)) in
        images.iter_mut().zip([(video.thumbnail.as_ref(), "thumbnail.jpg"), (frame, "last.png")])
    {
        let key = format!("{folder}/{name}");
        *image = match copy_file(ports, file, Kind::Image, &key, scratch).await {
            Err(error) if error.is_permanent() || copied.is_some() => {
                tracing::warn!(key, %error, "an image of a service can't be copied, it is left out");
                None
            }
            image => image?,
        };
    }
    let [thumbnail, frame] = images;
    Ok(PieceOutput::Copied { video: copied, thumbnail, frame })
}

/// Copies a file into the bucket; none if there is nothing to copy. The copied file keeps its source.
async fn copy_file(
    ports: &PiecePorts<'_>,
    file: Option<&File>,
    kind: Kind,
    key: &str,
    scratch: &Path,
) -> Result<Option<File>, DrawError> {
    let Some(file) = file.filter(|file| file.is_to_copy()) else { return Ok(None) };
    let path = scratch.join("download");
    let content_type = fetch_file(ports.sources(), file, kind, &path).await?;
    ports.files.put_file(key, content_type, &path).await?;
    Ok(Some(File { source: file.source.clone(), key: Some(key.to_owned()) }))
}

/// The take of an attempt.
fn take<'a>(project: &'a Project, scene: &SceneId, attempt: u32) -> Result<&'a Take, DrawError> {
    let takes = project.scene(scene).map(|scene| scene.takes.iter());
    takes.into_iter().flatten().find(|take| take.attempt == attempt).ok_or_else(outdated)
}

/// The prefix of the keys of a take's files.
fn take_folder(project: &Project, scene: &SceneId, attempt: u32) -> String {
    key(&project.id, &format!("scenes/{scene}/{attempt}"))
}

/// The prefix of the keys of the files of a generation's final video.
fn final_folder(project: &Project, generation: u32) -> String {
    key(&project.id, &format!("final/{generation}"))
}

/// The project no longer has what a piece is about.
fn outdated() -> DrawError {
    DrawError::Input("the scene, take or stitch of this work is no longer there".to_owned())
}
