//! S3 for videos: film specifications, rendered scenes, uploaded images, finished videos, and links to them.

use std::path::Path;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use reelhook_app::files::ports::StoredFiles;
use reelhook_app::store::StoreError;
use reelhook_app::videos::films::{FilmStore, ImageStore, VideoStore, film_key};
use reelhook_app::videos::uploads::{Links, Upload, sniff};
use reelhook_domain::JobId;
use reelhook_domain::videos::film::Film;
use tokio::io::AsyncWriteExt;

use crate::errors::store_error;

/// Larger files are uploaded in parts of this size, in bytes.
const PART: u64 = 8 * 1024 * 1024;
/// An older rendered scene is rendered again: the bucket removes scenes after 8 days, and a job may need one for a day.
const SCENE_LIFE: Duration = Duration::from_secs(6 * 24 * 3600);
/// How long a link to an object is valid; each request for a video gets a new link.
const LINK_LIFE: Duration = Duration::from_secs(3600);
/// How long the link for an upload is valid.
const UPLOAD_LIFE: Duration = Duration::from_secs(900);

/// The bucket of videos and of what they are made from.
#[derive(Debug, Clone)]
pub struct FilmBucket {
    client: aws_sdk_s3::Client,
    bucket: String,
}

impl FilmBucket {
    /// The bucket called `bucket`.
    pub fn new(client: aws_sdk_s3::Client, bucket: impl Into<String>) -> Self {
        Self { client, bucket: bucket.into() }
    }

    /// A link to an object that takes a HEAD, as those of [`Links::download`] take a GET.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn head_link(&self, key: &str) -> Result<String, StoreError> {
        let head = self.client.head_object().bucket(&self.bucket).key(key).presigned(life(LINK_LIFE)).await;
        Ok(head.map_err(|error| store_error("link to object", error))?.uri().to_owned())
    }

    async fn put(&self, key: &str, content_type: &str, body: ByteStream) -> Result<(), StoreError> {
        let put = self.client.put_object().bucket(&self.bucket).key(key).content_type(content_type).body(body);
        put.send().await.map_err(|error| store_error("put object", error))?;
        Ok(())
    }

    /// An object's length and stream; none if there is no such object.
    async fn open(&self, key: &str) -> Result<Option<(u64, ByteStream)>, StoreError> {
        match self.client.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(object) => {
                let length = object.content_length().and_then(|length| u64::try_from(length).ok());
                Ok(Some((length.unwrap_or_default(), object.body)))
            }
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => Ok(None),
            Err(error) => Err(store_error("get object", error)),
        }
    }

    /// Uploads a large file in parts; the bucket's rules remove an upload that was not completed.
    async fn put_parts(
        &self,
        key: &str,
        content_type: &str,
        disposition: &str,
        from: &Path,
        bytes: u64,
    ) -> Result<(), StoreError> {
        let operation = "put video";
        let begin = self.client.create_multipart_upload().bucket(&self.bucket).key(key);
        let begun = begin.content_type(content_type).content_disposition(disposition).send().await;
        let begun = begun.map_err(|error| store_error(operation, error))?;
        let upload = begun.upload_id().unwrap_or_default();
        let sent = self.send_parts(key, upload, from, bytes).await;
        if sent.is_err() {
            let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(upload);
            if let Err(error) = abort.send().await {
                let error = store_error("abort upload", error);
                tracing::warn!(key, %error, "failed to abort an upload, the bucket's rules remove its parts");
            }
        }
        sent
    }

    async fn send_parts(&self, key: &str, upload: &str, from: &Path, bytes: u64) -> Result<(), StoreError> {
        let operation = "put parts";
        let mut parts = Vec::new();
        for (number, offset) in (1..).zip((0..bytes).step_by(PART as usize)) {
            let length = Length::Exact(PART.min(bytes - offset));
            let body = ByteStream::read_from().path(from).offset(offset).length(length).build().await;
            let body = body.map_err(|error| StoreError::Refused { operation, source: error.into() })?;
            let part = self.client.upload_part().bucket(&self.bucket).key(key).upload_id(upload).part_number(number);
            let sent = part.body(body).send().await.map_err(|error| store_error(operation, error))?;
            parts.push(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build());
        }
        let whole = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let end = self.client.complete_multipart_upload().bucket(&self.bucket).key(key).upload_id(upload);
        end.multipart_upload(whole).send().await.map_err(|error| store_error(operation, error))?;
        Ok(())
    }
}

#[async_trait]
impl FilmStore for FilmBucket {
    async fn put_film(&self, job: &JobId, film: &Film) -> Result<(), StoreError> {
        let body = serde_json::to_vec(film).expect("films are JSON");
        self.put(&film_key(job), "application/json", body.into()).await
    }

    async fn film(&self, job: &JobId) -> Result<Film, StoreError> {
        let operation = "load film";
        let unreadable = |reason: String| StoreError::Unreadable { operation, reason };
        let Some((_, body)) = self.open(&film_key(job)).await? else {
            return Err(unreadable("it is not there".to_owned()));
        };
        let body = body.collect().await.map_err(|error| StoreError::Busy { operation, source: error.into() })?;
        serde_json::from_slice(&body.to_vec()).map_err(|error| unreadable(error.to_string()))
    }
}

#[async_trait]
impl VideoStore for FilmBucket {
    async fn has_scene(&self, key: &str) -> Result<bool, StoreError> {
        match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(object) => {
                let made = object.last_modified().and_then(|at| SystemTime::try_from(*at).ok());
                let age = made.and_then(|made| made.elapsed().ok()).unwrap_or_default();
                Ok(age < SCENE_LIFE)
            }
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(false),
            Err(error) => Err(store_error("look for scene", error)),
        }
    }

    async fn put_scene(&self, key: &str, from: &Path) -> Result<(), StoreError> {
        self.put_file(key, "video/mp4", from).await.map(drop)
    }

    async fn fetch_scene(&self, key: &str, to: &Path) -> Result<bool, StoreError> {
        self.fetch_file(key, to).await
    }

    async fn put_video(&self, key: &str, filename: &str, from: &Path) -> Result<u64, StoreError> {
        let operation = "put video";
        let refused = |error: std::io::Error| StoreError::Refused { operation, source: error.into() };
        let bytes = tokio::fs::metadata(from).await.map_err(refused)?.len();
        // File names are ids, which need no quoting.
        let disposition = format!("inline; filename=\"{filename}\"");
        if bytes > PART {
            self.put_parts(key, "video/mp4", &disposition, from, bytes).await?;
            return Ok(bytes);
        }
        let body = ByteStream::from_path(from).await;
        let body = body.map_err(|error| StoreError::Refused { operation, source: error.into() })?;
        let put = self.client.put_object().bucket(&self.bucket).key(key).content_type("video/mp4").body(body);
        let put = put.content_disposition(disposition).send().await;
        put.map_err(|error| store_error(operation, error))?;
        Ok(bytes)
    }
}

#[async_trait]
impl StoredFiles for FilmBucket {
    async fn put_file(&self, key: &str, content_type: &str, from: &Path) -> Result<u64, StoreError> {
        let operation = "put file";
        let refused = |error: std::io::Error| StoreError::Refused { operation, source: error.into() };
        let bytes = tokio::fs::metadata(from).await.map_err(refused)?.len();
        if bytes > PART {
            self.put_parts(key, content_type, "inline", from, bytes).await?;
            return Ok(bytes);
        }
        let body = ByteStream::from_path(from).await;
        let body = body.map_err(|error| StoreError::Refused { operation, source: error.into() })?;
        self.put(key, content_type, body).await?;
        Ok(bytes)
    }

    async fn fetch_file(&self, key: &str, to: &Path) -> Result<bool, StoreError> {
        let operation = "fetch file";
        let Some((_, mut body)) = self.open(key).await? else { return Ok(false) };
        let refused = |error: std::io::Error| StoreError::Refused { operation, source: error.into() };
        let mut file = tokio::fs::File::create(to).await.map_err(refused)?;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| StoreError::Busy { operation, source: error.into() })?;
            file.write_all(&chunk).await.map_err(refused)?;
        }
        file.flush().await.map_err(refused)?;
        Ok(true)
    }

    async fn file_bytes(&self, key: &str) -> Result<Option<u64>, StoreError> {
        match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(object) => Ok(Some(object.content_length().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0))),
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(None),
            Err(error) => Err(store_error("look for file", error)),
        }
    }
}

#[async_trait]
impl ImageStore for FilmBucket {
    async fn image(&self, key: &str, limit: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let operation = "get asset";
        let Some((length, body)) = self.open(key).await? else { return Ok(None) };
        if length > limit as u64 {
            return Ok(None);
        }
        let body = body.collect().await.map_err(|error| StoreError::Busy { operation, source: error.into() })?;
        Ok(Some(body.to_vec()))
    }

    async fn keep_image(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let content_type = sniff(bytes).unwrap_or("application/octet-stream");
        self.put(key, content_type, bytes.to_vec().into()).await
    }
}

#[async_trait]
impl Links for FilmBucket {
    async fn download(&self, key: &str) -> Result<String, StoreError> {
        let get = self.client.get_object().bucket(&self.bucket).key(key).presigned(life(LINK_LIFE)).await;
        Ok(get.map_err(|error| store_error("link to object", error))?.uri().to_owned())
    }

    async fn upload(&self, upload: &Upload) -> Result<String, StoreError> {
        let length = i64::try_from(upload.bytes).unwrap_or(i64::MAX);
        let put = self.client.put_object().bucket(&self.bucket).key(&upload.key);
        let put = put.content_type(upload.content_type).content_length(length).presigned(life(UPLOAD_LIFE)).await;
        Ok(put.map_err(|error| store_error("link for upload", error))?.uri().to_owned())
    }

    async fn put_image(&self, upload: &Upload, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.put(&upload.key, upload.content_type, bytes.into()).await
    }
}

fn life(time: Duration) -> PresigningConfig {
    PresigningConfig::expires_in(time).expect("an hour is less than the most, a week")
}
