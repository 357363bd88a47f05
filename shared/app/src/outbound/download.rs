//! Downloads of large files through the guarded client: the body goes to the disk and not into memory.

use std::path::Path;

use async_trait::async_trait;

use super::redirects::{Fetch, Fetched, fetch};
use super::{HttpSender, OutboundError, OutboundRequest, OutboundResponse};

/// Downloads bodies that are too large for the memory.
#[async_trait]
pub trait Downloader: Send + Sync {
    /// Sends a request as [`HttpSender::send`] does, and writes the body into a file, which is replaced; the body of the
    /// response is empty.
    ///
    /// # Errors
    /// [`OutboundError`] as of [`HttpSender::send`], or [`OutboundError::Other`] if the file can't be written.
    async fn download(&self, request: OutboundRequest, to: &Path) -> Result<OutboundResponse, OutboundError>;
}

/// Downloads a URL into a file and follows its redirects. The file has the body of the last response.
pub async fn fetch_to(downloader: &dyn Downloader, request: Fetch, to: &Path) -> Fetched {
    fetch(&ToDisk { downloader, to }, request).await
}

/// A sender whose bodies go into a file.
struct ToDisk<'a> {
    downloader: &'a dyn Downloader,
    to: &'a Path,
}

#[async_trait]
impl HttpSender for ToDisk<'_> {
    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        self.downloader.download(request, self.to).await
    }
}
