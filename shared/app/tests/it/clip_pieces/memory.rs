//! A cutter that writes short files.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use reelhook_app::clips::perform::ports::{ClipCutter, ClipPlan, ClipScorer, Findings, SourceShape};
use reelhook_app::videos::draw_error::DrawError;
use reelhook_app::videos::ports::ScratchDir;
use reelhook_domain::clips::clip::{ClipScore, PlannedClip, SourceFacts};
use reelhook_domain::clips::request::{ClipRequest, Layout, Range};
use serde_json::{Map, json};

use crate::project_pieces::memory::{Disk, VIDEO};

/// What the cutter was asked for, with the contents of the sources.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    Shape(String),
    Plan(String),
    Cut(String, Range, Layout),
}

/// What happens while the cutter works, which then never ends.
type Interruption = Box<dyn FnOnce() + Send>;

/// A cutter that finds a source of a minute, and two clips in it.
pub struct Cutter {
    asked: Mutex<Vec<Asked>>,
    interruption: Mutex<Option<Interruption>>,
    /// Whether probes never end.
    pub is_stuck: bool,
    /// Whether plans never end.
    pub is_slow: bool,
    /// What each source is like.
    pub shape: Mutex<SourceShape>,
    /// The free bytes of the disk.
    pub free: Mutex<u64>,
}

impl Default for Cutter {
    fn default() -> Self {
        let (duration_ms, clip_frames) = (60_000, 1500);
        let shape = SourceShape { duration_ms, width: 1280, height: 720, fps: (25, 1), sound: true, clip_frames };
        Self {
            asked: Mutex::default(),
            interruption: Mutex::default(),
            is_stuck: false,
            is_slow: false,
            shape: Mutex::new(shape),
            free: Mutex::new(u64::MAX),
        }
    }
}

/// The clips that it finds.
pub const CLIPS: [Range; 2] = [Range { start_ms: 20_000, end_ms: 45_000 }, Range { start_ms: 0, end_ms: 20_000 }];

impl Cutter {
    /// What it was asked for, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Something happens while it cuts next.
    pub fn interrupt(&self, happens: impl FnOnce() + Send + 'static) {
        *self.interruption.lock().unwrap() = Some(Box::new(happens));
    }

    fn note(&self, asked: Asked) {
        self.asked.lock().unwrap().push(asked);
    }
}

#[async_trait]
impl ClipScorer for Cutter {
    async fn score(
        &self,
        source: &Path,
        range: Range,
        _: &ClipRequest,
        findings: &Findings,
    ) -> Result<ClipScore, DrawError> {
        let known = [("source", json!(text(source))), ("range", json!(range)), ("findings", json!(findings))];
        Ok(ClipScore { score: 0.25, basis: known.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() })
    }
}

#[async_trait]
impl ClipCutter for Cutter {
    async fn shape(&self, source: &Path) -> Result<SourceShape, DrawError> {
        self.note(Asked::Shape(text(source)));
        if self.is_stuck {
            std::future::pending::<()>().await;
        }
        Ok(*self.shape.lock().unwrap())
    }

    async fn plan(
        &self,
        source: &Path,
        _: &SourceFacts,
        request: &ClipRequest,
        percent: Arc<AtomicU32>,
    ) -> Result<ClipPlan, DrawError> {
        self.note(Asked::Plan(text(source)));
        if self.is_slow {
            std::future::pending::<()>().await;
        }
        percent.store(100, Ordering::Relaxed);
        let clips = CLIPS.map(|range| PlannedClip { range, score: 0.5, basis: Map::new(), layout: request.layout });
        let findings = Findings { scene_changes: vec![20_000], ..Findings::default() };
        Ok(ClipPlan { clips: clips.to_vec(), findings })
    }

    async fn cut(
        &self,
        source: &Path,
        range: Range,
        layout: Layout,
        to: &Path,
        percent: Arc<AtomicU32>,
    ) -> Result<u64, DrawError> {
        self.note(Asked::Cut(text(source), range, layout));
        let interruption = self.interruption.lock().unwrap().take();
        if let Some(happens) = interruption {
            happens();
            std::future::pending::<()>().await;
        }
        std::fs::write(to, format!("{VIDEO} {} to {}", range.start_ms, range.end_ms)).expect("a directory");
        percent.store(100, Ordering::Relaxed);
        Ok(range.length_ms())
    }

    fn free_for_clips(&self) -> Result<u64, DrawError> {
        Ok(*self.free.lock().unwrap())
    }

    fn clip_dir(&self) -> Result<Box<dyn ScratchDir>, DrawError> {
        Ok(Box::new(Disk::new()))
    }
}

/// The content of a file.
fn text(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file that was written")
}
