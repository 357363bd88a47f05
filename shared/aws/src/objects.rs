//! S3 for archives, and for details and texts that are too large for an item.

use async_trait::async_trait;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use reelhook_app::jobs::logs::Archive;
use reelhook_app::jobs::steps::DetailStore;
use reelhook_app::outbox::fanout::FileStore;
use reelhook_app::projects::store::ProjectFiles;
use reelhook_app::store::StoreError;

use crate::errors::store_error;

/// Objects that are deleted concurrently.
const DELETES_AT_ONCE: usize = 16;

/// The bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    client: aws_sdk_s3::Client,
    name: String,
}

impl Bucket {
    /// The bucket called `name`.
    pub fn new(client: aws_sdk_s3::Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }

    async fn delete(&self, key: String) -> Result<(), StoreError> {
        let delete = self.client.delete_object().bucket(&self.name).key(key).send().await;
        delete.map_err(|error| store_error("delete object", error))?;
        Ok(())
    }
}

#[async_trait]
impl FileStore for Bucket {
    async fn remove(&self, prefixes: &[String]) -> Result<(), StoreError> {
        for prefix in prefixes {
            let mut next = None;
            loop {
                let list = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
                let found = list.set_continuation_token(next).send().await;
                let found = found.map_err(|error| store_error("list objects", error))?;
                let keys: Vec<String> = found.contents().iter().filter_map(|object| object.key.clone()).collect();
                let deletes = keys.into_iter().map(|key| self.delete(key));
                futures_util::stream::iter(deletes).buffer_unordered(DELETES_AT_ONCE).try_collect::<Vec<()>>().await?;
                next = found.next_continuation_token;
                if next.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl ProjectFiles for Bucket {
    async fn put_text(&self, key: &str, text: Bytes) -> Result<(), StoreError> {
        let put = self.client.put_object().bucket(&self.name).key(key).content_type("text/plain; charset=utf-8");
        put.body(ByteStream::from(text)).send().await.map_err(|error| store_error("put text", error))?;
        Ok(())
    }

    async fn text(&self, key: &str) -> Result<Option<String>, StoreError> {
        let operation = "get text";
        let object = match self.client.get_object().bucket(&self.name).key(key).send().await {
            Ok(object) => object,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => return Ok(None),
            Err(error) => return Err(store_error(operation, error)),
        };
        let body = object.body.collect().await;
        let body = body.map_err(|error| StoreError::Busy { operation, source: error.into() })?;
        let text = String::from_utf8(body.to_vec());
        let text = text.map_err(|_| StoreError::Unreadable { operation, reason: format!("`{key}` is not UTF-8") })?;
        Ok(Some(text))
    }
}

#[async_trait]
impl Archive for Bucket {
    async fn put(&self, key: &str, gzip: Vec<u8>) -> Result<(), StoreError> {
        let put = self.client.put_object().bucket(&self.name).key(key).content_type("application/x-ndjson");
        let put = put.content_encoding("gzip").body(ByteStream::from(gzip)).send().await;
        put.map_err(|error| store_error("put archive", error))?;
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let operation = "get archive";
        // For a missing object S3 answers 403 instead of 404, because the role may list this prefix only.
        let list = self.client.list_objects_v2().bucket(&self.name).prefix(key).max_keys(1);
        if list.send().await.map_err(|error| store_error(operation, error))?.contents().is_empty() {
            return Ok(None);
        }
        let object = match self.client.get_object().bucket(&self.name).key(key).send().await {
            Ok(object) => object,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => return Ok(None),
            Err(error) => return Err(store_error(operation, error)),
        };
        let body = object.body.collect().await;
        let body = body.map_err(|error| StoreError::Busy { operation, source: error.into() })?;
        Ok(Some(body.to_vec()))
    }

    async fn remove(&self, key: &str) -> Result<(), StoreError> {
        self.delete(key.to_owned()).await
    }
}

#[async_trait]
impl DetailStore for Bucket {
    async fn put(&self, key: &str, json: Vec<u8>) -> Result<(), StoreError> {
        let put = self.client.put_object().bucket(&self.name).key(key).content_type("application/json");
        put.body(ByteStream::from(json)).send().await.map_err(|error| store_error("put object", error))?;
        Ok(())
    }
}
