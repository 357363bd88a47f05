//! The object store of videos: film specifications, scenes, assets and finished videos, and the keys of each.

use std::path::Path;

use async_trait::async_trait;
use reelhook_domain::videos::film::{Film, Rendition};
use reelhook_domain::{JobId, Timestamp};

use crate::digest::sha256_hex;
use crate::store::StoreError;
use crate::views::vidbuilder;

/// The maximum size of an image, in bytes (docs/contract/videos.md, Images).
pub const IMAGE_LIMIT: usize = 10 * 1024 * 1024;

/// Stores the film specifications of jobs.
#[async_trait]
pub trait FilmStore: Send + Sync {
    /// Stores the film specification of a job.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_film(&self, job: &JobId, film: &Film) -> Result<(), StoreError>;

    /// The film specification of a job.
    ///
    /// # Errors
    /// [`StoreError`], also if the job has none.
    async fn film(&self, job: &JobId) -> Result<Film, StoreError>;
}

/// Stores rendered parts of scenes and finished videos.
#[async_trait]
pub trait VideoStore: Send + Sync {
    /// Whether a rendered part of a scene is stored and will not expire while a job may need it.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn has_scene(&self, key: &str) -> Result<bool, StoreError>;

    /// Stores a rendered part of a scene.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_scene(&self, key: &str, from: &Path) -> Result<(), StoreError>;

    /// Fetches a rendered part of a scene into a file; false if it is not stored.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn fetch_scene(&self, key: &str, to: &Path) -> Result<bool, StoreError>;

    /// Stores a finished video, which is downloaded as `filename`, and returns its size in bytes.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_video(&self, key: &str, filename: &str, from: &Path) -> Result<u64, StoreError>;
}

/// Stores images: uploads, and copies of images at URLs.
#[async_trait]
pub trait ImageStore: Send + Sync {
    /// A stored image; none if it is not stored, or is larger than `limit` bytes.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn image(&self, key: &str, limit: usize) -> Result<Option<Vec<u8>>, StoreError>;

    /// Stores a copy of an image that was fetched from a URL.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn keep_image(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError>;
}

/// The key of a job's film specification.
pub fn film_key(job: &JobId) -> String {
    format!("films/{job}/film.json")
}

/// The key of a job's copy of the image at a URL, made when the job first needed it.
pub fn copy_key(job: &JobId, url: &str) -> String {
    format!("films/{job}/pictures/{}", sha256_hex(url))
}

/// The key of a rendered part of a scene, by the hash of everything that decides how it looks.
pub fn scene_key(hash: &str) -> String {
    format!("scenes/{hash}.mp4")
}

/// The key of a video (docs/contract/videos.md, Downloads), by the day on which its job was created.
pub fn video_key(job: &JobId, created: Timestamp, rendition: Rendition) -> String {
    format!("videos/{}/{}/{job}.mp4", created.day(), vidbuilder::name(rendition))
}

/// The subject that a signed link to a video is limited to.
pub fn link_subject(job: &str, rendition: Rendition) -> String {
    format!("video:{}", vidbuilder::file_id(job, rendition))
}
