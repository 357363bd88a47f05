//! What a renderer of projects or clips meets: a disk, the bucket, outside services, and tools that write short files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use reelhook_app::files::ports::StoredFiles;
use reelhook_app::outbound::download::Downloader;
use reelhook_app::outbound::{HttpSender, OutboundError, OutboundRequest, OutboundResponse};
use reelhook_app::projects::perform::ports::{ProjectRenderer, TakeFile, VideoShape};
use reelhook_app::projects::perform::prompt_card::PromptCard;
use reelhook_app::store::StoreError;
use reelhook_app::videos::draw_error::DrawError;
use reelhook_app::videos::ports::ScratchDir;
use reelhook_testkit::ScriptedHttp;
use serde_json::Number;

/// The beginning of each video.
pub const VIDEO: &str = "\0\0\0\x20ftypisom";
/// The beginning of each image.
pub const IMAGE: &str = "GIF89a";

/// The bucket: content types and contents by key.
#[derive(Default)]
pub struct MemoryBucket(Mutex<BTreeMap<String, (String, Vec<u8>)>>);

impl MemoryBucket {
    /// Stores a file, like another function.
    pub fn put(&self, key: &str, content_type: &str, file: &str) {
        self.0.lock().unwrap().insert(key.to_owned(), (content_type.to_owned(), file.as_bytes().to_vec()));
    }

    /// The content of a file.
    pub fn text(&self, key: &str) -> String {
        let files = self.0.lock().unwrap();
        let (_, file) = files.get(key).unwrap_or_else(|| panic!("no file `{key}`"));
        String::from_utf8_lossy(file).into_owned()
    }

    /// The stored files with their content types, by key.
    pub fn types(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap().iter().map(|(key, (kind, _))| (key.clone(), kind.clone())).collect()
    }
}

#[async_trait]
impl StoredFiles for MemoryBucket {
    async fn put_file(&self, key: &str, content_type: &str, from: &Path) -> Result<u64, StoreError> {
        tokio::task::yield_now().await;
        let file = std::fs::read(from).expect("a file that was written");
        let bytes = file.len() as u64;
        self.0.lock().unwrap().insert(key.to_owned(), (content_type.to_owned(), file));
        Ok(bytes)
    }

    async fn fetch_file(&self, key: &str, to: &Path) -> Result<bool, StoreError> {
        tokio::task::yield_now().await;
        let found = self.0.lock().unwrap().get(key).cloned();
        if let Some((_, file)) = &found {
            std::fs::write(to, file).expect("a directory");
        }
        Ok(found.is_some())
    }

    async fn file_bytes(&self, key: &str) -> Result<Option<u64>, StoreError> {
        tokio::task::yield_now().await;
        Ok(self.0.lock().unwrap().get(key).map(|(_, file)| file.len() as u64))
    }
}

/// Outside services; bodies go to the disk.
pub struct Web(pub ScriptedHttp);

#[async_trait]
impl Downloader for Web {
    async fn download(&self, request: OutboundRequest, to: &Path) -> Result<OutboundResponse, OutboundError> {
        let limit = request.response_limit;
        let response = self.0.send(request).await?;
        let kept = response.body.len().min(limit);
        std::fs::write(to, &response.body[..kept]).expect("a directory");
        let truncated = response.truncated || response.body.len() > limit;
        Ok(OutboundResponse { body: Bytes::new(), truncated, ..response })
    }
}

/// What the tools were asked for, with the contents of the files that they got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A card with this title.
    Card { title: String, first_frame: Option<String> },
    /// The last frame of a video.
    LastFrame(String),
    /// Takes to join, each with whether it continues the one before.
    Concat(Vec<(String, bool)>),
}

/// What happens while a tool works, and whether it ever ends.
struct Interruption {
    happens: Box<dyn FnOnce() + Send>,
    ends: bool,
}

/// Tools that write short files.
#[derive(Default)]
pub struct Tools {
    asked: Mutex<Vec<Asked>>,
    interruption: Mutex<Option<Interruption>>,
    full: Mutex<Option<u64>>,
}

impl Tools {
    /// The disk has only so many free bytes.
    pub fn fill_disk(&self, free: u64) {
        *self.full.lock().unwrap() = Some(free);
    }

    /// What they were asked for, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Something happens while the next tool works, which then ends its work or never does.
    pub fn interrupt(&self, ends: bool, happens: impl FnOnce() + Send + 'static) {
        *self.interruption.lock().unwrap() = Some(Interruption { happens: Box::new(happens), ends });
    }

    async fn work(&self, asked: Asked, to: &Path, result: String) {
        self.asked.lock().unwrap().push(asked);
        let interruption = self.interruption.lock().unwrap().take();
        let ends = interruption.is_none_or(|Interruption { happens, ends }| {
            happens();
            ends
        });
        if !ends {
            std::future::pending::<()>().await;
        }
        std::fs::write(to, result).expect("a directory");
    }
}

#[async_trait]
impl ProjectRenderer for Tools {
    async fn card(
        &self,
        card: PromptCard,
        first_frame: Option<&Path>,
        to: &Path,
        drawn: Arc<AtomicU32>,
    ) -> Result<(), DrawError> {
        let title = card.scene.content.title;
        let result = format!("{VIDEO} {title}");
        self.work(Asked::Card { title, first_frame: first_frame.map(text) }, to, result).await;
        drawn.store(card.frames, Ordering::Relaxed);
        Ok(())
    }

    async fn last_frame(&self, video: &Path, to: &Path) -> Result<(), DrawError> {
        let video = text(video);
        let result = format!("{IMAGE} of {video}");
        self.work(Asked::LastFrame(video), to, result).await;
        Ok(())
    }

    async fn concat(&self, takes: &[TakeFile], to: &Path, _: Arc<AtomicU32>) -> Result<VideoShape, DrawError> {
        let takes = takes.iter().map(|take| (text(&take.path), take.continues)).collect();
        self.work(Asked::Concat(takes), to, format!("{VIDEO} whole")).await;
        Ok(VideoShape { duration_ms: 9_960, width: 1280, height: 720, fps: Number::from(30) })
    }

    fn free_bytes(&self) -> Result<u64, DrawError> {
        Ok(self.full.lock().unwrap().unwrap_or(u64::MAX))
    }

    fn project_dir(&self) -> Result<Box<dyn ScratchDir>, DrawError> {
        Ok(Box::new(Disk::new()))
    }
}

/// The content of a file.
fn text(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file that was written")
}

/// The directories of all tests so far.
static DIRECTORIES: AtomicU32 = AtomicU32::new(0);

/// A directory of its own on the disk.
pub struct Disk(PathBuf);

impl Disk {
    pub fn new() -> Self {
        let number = DIRECTORIES.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("piece-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a writable directory");
        Self(path)
    }
}

impl ScratchDir for Disk {
    fn path(&self) -> &Path {
        &self.0
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, DrawError> {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).map_err(|error| DrawError::Renderer(error.to_string()))?;
        Ok(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A test that fails may have it open still.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
