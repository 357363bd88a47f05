//! The source of a job on the disk: fetched for the first piece of an invocation that needs it, and kept for the next.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use reelhook_domain::ClipJob;
use reelhook_domain::clips::request::Source;
use reelhook_domain::projects::media::File;

use crate::clips::perform::ports::ClipPorts;
use crate::files::fetch::{Kind, fetch_into};
use crate::videos::draw_error::DrawError;
use crate::videos::ports::ScratchDir;

/// What a renderer needs on the disk beside a source: its sound, and a clip.
const ROOM: u64 = 500_000_000;

/// A source on the disk.
pub(super) struct SourceFile {
    /// The key of its copy in the bucket.
    key: String,
    directory: Box<dyn ScratchDir>,
}

impl SourceFile {
    /// Its path.
    pub fn path(&self) -> PathBuf {
        path_in(&*self.directory)
    }
}

/// The source that is kept between pieces; one at most.
#[derive(Default)]
pub(crate) struct KeptSource(Mutex<Option<Arc<SourceFile>>>);

impl KeptSource {
    /// Keeps a source that is in a directory. The one before is removed.
    pub(super) fn keep(&self, key: String, directory: Box<dyn ScratchDir>) -> Arc<SourceFile> {
        let source = Arc::new(SourceFile { key, directory });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&source));
        source
    }

    /// The source with this key, if it is kept. Another one is removed, as the disk may have no room for two.
    fn take(&self, key: &str) -> Option<Arc<SourceFile>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_some_and(|kept| kept.key != key) {
            *kept = None;
        }
        kept.clone()
    }

    /// The copy of a source in the bucket, on the disk.
    pub(super) async fn of_key(&self, ports: &ClipPorts<'_>, key: &str) -> Result<Arc<SourceFile>, DrawError> {
        if let Some(kept) = self.take(key) {
            return Ok(kept);
        }
        let directory = ports.renderer.clip_dir()?;
        fetch(ports, &File::stored(key), &path_in(&*directory)).await?;
        Ok(self.keep(key.to_owned(), directory))
    }
}

/// The path of a source in its directory.
pub(super) fn path_in(directory: &dyn ScratchDir) -> PathBuf {
    directory.path().join("source")
}

/// Fetches the source that a client named; returns its content type.
pub(super) async fn fetch_original(ports: &ClipPorts<'_>, job: &ClipJob, to: &Path) -> Result<&'static str, DrawError> {
    match &job.request.source {
        Source::File(url) => fetch(ports, &File::outside(url.clone()), to).await,
        Source::Upload(key) => fetch(ports, &File::stored(key), to).await,
        Source::Page(url) => Err(DrawError::Input(format!(
            "`videoUrl` must name a video file: our renderers can't read a page of {}",
            url.host_str().unwrap_or_default()
        ))),
    }
}

async fn fetch(ports: &ClipPorts<'_>, file: &File, to: &Path) -> Result<&'static str, DrawError> {
    let bytes = match &file.key {
        Some(key) => ports.files.file_bytes(key).await?.unwrap_or_default(),
        None => 0,
    };
    let free = ports.renderer.free_for_clips()?;
    fits(bytes, free)?;
    fetch_into(ports.sources(), file, Kind::Source, (to, free.saturating_sub(ROOM))).await
}

/// Checks that a source of so many bytes is allowed, and that the disk has room for it.
fn fits(bytes: u64, free: u64) -> Result<(), DrawError> {
    let most = Kind::Source.limit() as u64;
    let [mb, most_mb] = [bytes, most].map(|bytes| bytes / 1_000_000);
    if bytes > most {
        return Err(DrawError::Input(format!("the source must have at most {most_mb} MB (got {mb} MB)")));
    }
    if bytes.saturating_add(ROOM) > free {
        return Err(DrawError::Renderer(format!(
            "a renderer has too little disk for the source ({mb} MB): {} MB are free",
            free / 1_000_000
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_4_gb_at_most_and_room_beside_it() {
        assert!(fits(4_000_000_000, 4_500_000_000).is_ok());
        let large = fits(4_000_000_001, u64::MAX).expect_err("too large");
        assert!(large.is_permanent() && large.to_string().contains("at most 4000 MB"), "{large}");
        let full = fits(4_000_000_000, 4_499_999_999).expect_err("no room");
        assert!(!full.is_permanent(), "{full}");
    }
}
