//! S3: what is too large or too broken for an item.

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use reelhook_app::fanout::FileStore;
use reelhook_app::steps::DetailStore;
use reelhook_app::store::StoreError;

use crate::errors::store_error;

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
}

#[async_trait]
impl FileStore for Bucket {
    async fn remove(&self, prefixes: &[String]) -> Result<(), StoreError> {
        for prefix in prefixes {
            let list = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
            let found = list.send().await.map_err(|error| store_error("list objects", error))?;
            for key in found.contents().iter().filter_map(|object| object.key()) {
                let delete = self.client.delete_object().bucket(&self.name).key(key).send().await;
                delete.map_err(|error| store_error("delete object", error))?;
            }
        }
        Ok(())
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
