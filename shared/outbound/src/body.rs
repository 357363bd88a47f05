//! Where the body of a response goes: into memory, or, if it is large, to the disk.

use bytes::{Bytes, BytesMut};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

/// The destination of a body.
pub(crate) enum Body {
    Memory(BytesMut),
    Disk(File),
}

/// Why a body could not be read to its end.
pub(crate) enum BodyError {
    Connection(reqwest::Error),
    Disk(std::io::Error),
}

impl Body {
    /// Reads the first `limit` bytes of the body; returns whether it was truncated. An early return drops the response,
    /// and thus a connection with unread data.
    pub async fn read_up_to(&mut self, limit: usize, mut response: reqwest::Response) -> Result<bool, BodyError> {
        let mut room = limit;
        let mut truncated = false;
        while !truncated && let Some(chunk) = response.chunk().await.map_err(BodyError::Connection)? {
            truncated = chunk.len() > room;
            let kept = &chunk[..chunk.len().min(room)];
            self.write(kept).await.map_err(BodyError::Disk)?;
            room -= kept.len();
        }
        self.flush().await.map_err(BodyError::Disk)?;
        Ok(truncated)
    }

    /// The bytes that are in memory.
    pub fn in_memory(self) -> Bytes {
        match self {
            Self::Memory(bytes) => bytes.freeze(),
            Self::Disk(_) => Bytes::new(),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Memory(body) => {
                body.extend_from_slice(bytes);
                Ok(())
            }
            Self::Disk(file) => file.write_all(bytes).await,
        }
    }

    async fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Disk(file) => file.flush().await,
        }
    }
}
