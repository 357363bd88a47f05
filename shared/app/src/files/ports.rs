//! The port of the files in the bucket.

use std::path::Path;

use async_trait::async_trait;

use crate::store::StoreError;

/// Stores files of any size, streamed from and to the disk.
#[async_trait]
pub trait StoredFiles: Send + Sync {
    /// Stores a file under this key, and returns its size in bytes. A file that is there already is replaced.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_file(&self, key: &str, content_type: &str, from: &Path) -> Result<u64, StoreError>;

    /// Fetches a file; false if it is not stored.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn fetch_file(&self, key: &str, to: &Path) -> Result<bool, StoreError>;

    /// The size of a file in bytes; none if it is not stored.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn file_bytes(&self, key: &str) -> Result<Option<u64>, StoreError>;
}
