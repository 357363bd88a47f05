//! An in-memory object store of films, scenes and videos, and a fake scene renderer; files are entries of one map.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use reelhook_app::catalog::{CatalogStore, Movie};
use reelhook_app::clock::Timer;
use reelhook_app::store::StoreError;
use reelhook_app::videos::draw_error::DrawError;
use reelhook_app::videos::films::{FilmStore, ImageStore, VideoStore, film_key};
use reelhook_app::videos::ports::{Assets, FilmScene, PartFile, ScenePart, SceneRenderer, ScratchDir};
use reelhook_app::videos::speeds::Speeds;
use reelhook_app::videos::uploads::{Links, Upload};
use reelhook_domain::JobId;
use reelhook_domain::videos::film::{Film, Music, Rendition};

use crate::faults::Faults;

/// The frames of a transition.
const TRANSITION: u32 = 18;

type Files = Arc<Mutex<BTreeMap<PathBuf, Vec<u8>>>>;

/// The object store, the scene renderer, and the disk between them.
#[derive(Debug, Default)]
pub struct MemoryObjectStore {
    disk: Files,
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    speeds: Mutex<BTreeMap<String, f64>>,
    drawn: Mutex<Vec<(Rendition, usize)>>,
    scratch_dirs: AtomicU32,
    /// Rendering this scene never returns, as if the renderer had crashed.
    pub deadly: Mutex<Option<usize>>,
    /// Faults of `draw` and `put`.
    pub faults: Faults,
}

impl MemoryObjectStore {
    /// The stored objects, by key.
    pub fn stored(&self) -> BTreeMap<String, Vec<u8>> {
        self.objects.lock().unwrap().clone()
    }

    /// Stores an object.
    pub fn store(&self, key: &str, bytes: &[u8]) {
        self.objects.lock().unwrap().insert(key.to_owned(), bytes.to_vec());
    }

    /// The scenes that were rendered completely, in order.
    pub fn drawn(&self) -> Vec<(Rendition, usize)> {
        self.drawn.lock().unwrap().clone()
    }

    /// The number of files on the disk.
    pub fn left(&self) -> usize {
        self.disk.lock().unwrap().len()
    }

    fn file(&self, path: &Path) -> Vec<u8> {
        self.disk.lock().unwrap().get(path).cloned().expect("a file that was written")
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("put")?;
        self.objects.lock().unwrap().insert(key.to_owned(), bytes);
        done.answer(())
    }
}

#[async_trait]
impl FilmStore for MemoryObjectStore {
    async fn put_film(&self, job: &JobId, film: &Film) -> Result<(), StoreError> {
        self.put(&film_key(job), serde_json::to_vec(film).unwrap()).await
    }

    async fn film(&self, job: &JobId) -> Result<Film, StoreError> {
        tokio::task::yield_now().await;
        let objects = self.objects.lock().unwrap();
        let reason = || "the object does not exist".to_owned();
        let film = objects
            .get(&film_key(job))
            .ok_or_else(|| StoreError::Unreadable { operation: "film", reason: reason() })?;
        Ok(serde_json::from_slice(film).unwrap())
    }
}

#[async_trait]
impl VideoStore for MemoryObjectStore {
    async fn has_scene(&self, key: &str) -> Result<bool, StoreError> {
        tokio::task::yield_now().await;
        Ok(self.objects.lock().unwrap().contains_key(key))
    }

    async fn put_scene(&self, key: &str, from: &Path) -> Result<(), StoreError> {
        self.put(key, self.file(from)).await
    }

    async fn fetch_scene(&self, key: &str, to: &Path) -> Result<bool, StoreError> {
        tokio::task::yield_now().await;
        let Some(scene) = self.objects.lock().unwrap().get(key).cloned() else { return Ok(false) };
        self.disk.lock().unwrap().insert(to.to_owned(), scene);
        Ok(true)
    }

    async fn put_video(&self, key: &str, _: &str, from: &Path) -> Result<u64, StoreError> {
        let video = self.file(from);
        let bytes = video.len() as u64;
        self.put(key, video).await?;
        Ok(bytes)
    }
}

#[async_trait]
impl ImageStore for MemoryObjectStore {
    async fn image(&self, key: &str, limit: usize) -> Result<Option<Vec<u8>>, StoreError> {
        tokio::task::yield_now().await;
        Ok(self.objects.lock().unwrap().get(key).filter(|image| image.len() <= limit).cloned())
    }

    async fn keep_image(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.put(key, bytes.to_vec()).await
    }
}

#[async_trait]
impl Links for MemoryObjectStore {
    async fn download(&self, key: &str) -> Result<String, StoreError> {
        Ok(format!("https://bucket.example/{key}?signed"))
    }

    async fn upload(&self, upload: &Upload) -> Result<String, StoreError> {
        Ok(format!("https://bucket.example/{}?signed", upload.key))
    }

    async fn put_image(&self, upload: &Upload, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.put(&upload.key, bytes).await
    }
}

#[async_trait]
impl Speeds for MemoryObjectStore {
    async fn note(&self, quality: &str, frames: u32, seconds: f64) -> Result<(), StoreError> {
        self.speeds.lock().unwrap().insert(quality.to_owned(), f64::from(frames) / seconds);
        Ok(())
    }

    async fn speed(&self, quality: &str) -> Result<Option<f64>, StoreError> {
        Ok(self.speeds.lock().unwrap().get(quality).copied())
    }
}

#[async_trait]
impl SceneRenderer for MemoryObjectStore {
    fn parts(&self, scene: FilmScene<'_>, assets: &Assets) -> Vec<ScenePart> {
        let own = &scene.film.scenes[scene.index];
        let before = scene.index.checked_sub(1).map(|before| &scene.film.scenes[before]);
        let hash = |shown: &dyn std::fmt::Debug| {
            let text = format!("{shown:?}{:?}{:?}{}", scene.rendition, scene.film.theme, assets.len());
            let hash = text.bytes().fold(7_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
            format!("{hash:016x}")
        };
        let whole = (own.kind, &own.content, own.entrance, own.frames);
        match before.zip(own.transition).filter(|_| own.frames > 2 * TRANSITION) {
            None => vec![ScenePart { frames: 0..own.frames, hash: hash(&whole) }],
            Some((before, transition)) => vec![
                ScenePart { frames: 0..TRANSITION, hash: hash(&(whole, transition, before.kind, &before.content)) },
                ScenePart { frames: TRANSITION..own.frames, hash: hash(&(whole, TRANSITION)) },
            ],
        }
    }

    async fn draw(
        &self,
        scene: FilmScene<'_>,
        _: Assets,
        parts: &[PartFile],
        drawn: Arc<AtomicU32>,
    ) -> Result<(), DrawError> {
        tokio::task::yield_now().await;
        if *self.deadly.lock().unwrap() == Some(scene.index) {
            std::future::pending::<()>().await;
        }
        let done = self.faults.check("draw").map_err(|error| DrawError::Renderer(error.to_string()))?;
        done.answer(()).map_err(|error| DrawError::Renderer(error.to_string()))?;
        for part in parts {
            drawn.store(part.frames.end, Ordering::Relaxed);
            // The file of a scene's end names the scene: a joined video lists each scene once.
            let ends = part.frames.end == scene.film.scenes[scene.index].frames;
            let text = if ends { format!("[{:?} {}]", scene.rendition, scene.index) } else { String::new() };
            self.disk.lock().unwrap().insert(part.to.clone(), text.into_bytes());
        }
        self.drawn.lock().unwrap().push((scene.rendition, scene.index));
        Ok(())
    }

    async fn join(&self, parts: &[PathBuf], music: Option<&Music>, _: u32, to: &Path) -> Result<(), DrawError> {
        tokio::task::yield_now().await;
        let mut whole: Vec<u8> = parts.iter().flat_map(|part| self.file(part)).collect();
        whole.extend(music.iter().flat_map(|music| music.track.bytes()));
        self.disk.lock().unwrap().insert(to.to_owned(), whole);
        Ok(())
    }

    fn scratch_dir(&self) -> Result<Box<dyn ScratchDir>, DrawError> {
        let number = self.scratch_dirs.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(MemoryScratchDir { path: format!("/scratch/{number}").into(), disk: Arc::clone(&self.disk) }))
    }
}

struct MemoryScratchDir {
    path: PathBuf,
    disk: Files,
}

impl ScratchDir for MemoryScratchDir {
    fn path(&self) -> &Path {
        &self.path
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, DrawError> {
        let path = self.path.join(name);
        self.disk.lock().unwrap().insert(path.clone(), bytes.to_vec());
        Ok(path)
    }
}

impl Drop for MemoryScratchDir {
    fn drop(&mut self) {
        self.disk.lock().unwrap().retain(|path, _| !path.starts_with(&self.path));
    }
}

/// A timer that never elapses, for work that takes no time.
#[derive(Debug, Default)]
pub struct NeverElapses;

#[async_trait]
impl Timer for NeverElapses {
    async fn after(&self, _: Duration) {
        std::future::pending().await
    }
}

/// A catalogue with the same movies in every partition.
#[derive(Debug, Default)]
pub struct MemoryCatalog(pub Mutex<Vec<Movie>>);

#[async_trait]
impl CatalogStore for MemoryCatalog {
    async fn best(&self, _: &str, _: Option<&str>, limit: usize) -> Result<Vec<Movie>, StoreError> {
        Ok(self.0.lock().unwrap().iter().take(limit).cloned().collect())
    }
}
