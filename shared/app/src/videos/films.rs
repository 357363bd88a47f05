//! Films and what is made of them, as files: what a job is to show, drawn scenes, pictures, finished videos.

use std::path::Path;

use async_trait::async_trait;
use reelhook_domain::videos::film::{Film, Rendition};
use reelhook_domain::{JobId, Timestamp};
use sha2::{Digest, Sha256};

use crate::store::StoreError;
use crate::views::vidbuilder;

/// Bytes of a picture that is shown (contract.md, VidBuilder).
pub const IMAGE_LIMIT: usize = 10 * 1024 * 1024;

/// Where films are kept while their jobs are.
#[async_trait]
pub trait FilmStore: Send + Sync {
    /// Keeps what a job is to show.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_film(&self, job: &JobId, film: &Film) -> Result<(), StoreError>;

    /// What a job is to show.
    ///
    /// # Errors
    /// [`StoreError`], also where there is none.
    async fn film(&self, job: &JobId) -> Result<Film, StoreError>;
}

/// Where scenes, pictures and videos are kept.
#[async_trait]
pub trait ObjectStore: FilmStore {
    /// Whether a drawn scene is there, and stays for as long as a job may take.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn has_scene(&self, key: &str) -> Result<bool, StoreError>;

    /// Keeps a drawn scene.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_scene(&self, key: &str, from: &Path) -> Result<(), StoreError>;

    /// Fetches a drawn scene into a file; false where it is not there.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn fetch_scene(&self, key: &str, to: &Path) -> Result<bool, StoreError>;

    /// A picture that was uploaded; none where it is not there, or larger than `limit` bytes.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn image(&self, key: &str, limit: usize) -> Result<Option<Vec<u8>>, StoreError>;

    /// Keeps a picture that came from elsewhere.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn keep_image(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError>;

    /// Stores a finished video, which is downloaded under this name; its size in bytes.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_video(&self, key: &str, filename: &str, from: &Path) -> Result<u64, StoreError>;
}

/// Where the film of a job is.
pub fn film_key(job: &JobId) -> String {
    format!("films/{job}/film.json")
}

/// Where a job's copy of a picture at a URL is: as it was when it was first needed.
pub fn copy_key(job: &JobId, url: &str) -> String {
    format!("films/{job}/pictures/{}", hex::encode(Sha256::digest(url.as_bytes())))
}

/// Where a drawn scene is, by the hash of everything that decides how it looks.
pub fn scene_key(hash: &str) -> String {
    format!("scenes/{hash}.mp4")
}

/// Where a video is (contract.md, VidBuilder), by the day that its job was made on.
pub fn video_key(job: &JobId, made: Timestamp, format: Rendition) -> String {
    format!("videos/{}/{}/{job}.mp4", made.day(), vidbuilder::name(format))
}

/// What a link to a video is good for.
pub fn link_subject(job: &str, format: Rendition) -> String {
    format!("video:{}", vidbuilder::file_id(job, format))
}
