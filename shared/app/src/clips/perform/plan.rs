//! The plan of our own clips, `plan.json`: what they were chosen from, by which a clip that is cut again is scored too.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use reelhook_domain::ClipJob;
use reelhook_domain::clips::clip::{ClipScore, PlannedClip, SourceFacts};
use reelhook_domain::clips::event::PieceOutput;
use reelhook_domain::clips::request::Range;
use reelhook_domain::projects::media::File;
use serde::{Deserialize, Serialize};

use crate::clips::files::key;
use crate::clips::perform::budget::{LONGEST_PLAN, in_time};
use crate::clips::perform::ports::{ClipPorts, Findings};
use crate::clips::perform::source::KeptSource;
use crate::videos::draw_error::DrawError;

/// The name of the file.
const NAME: &str = "plan.json";

/// What the file holds.
#[derive(Serialize)]
struct PlanDocument<'a> {
    version: u32,
    source: &'a SourceFacts,
    clips: &'a [PlannedClip],
    findings: &'a Findings,
}

/// What a score needs of the file.
#[derive(Deserialize)]
struct ScannedSource {
    findings: Findings,
}

/// Scans the source, chooses clips, and stores what they were chosen from.
pub(super) async fn plan(
    ports: &ClipPorts<'_>,
    kept: &KeptSource,
    (job, facts): (&ClipJob, &SourceFacts),
    percent: &Arc<AtomicU32>,
) -> Result<PieceOutput, DrawError> {
    let source = kept.of_key(ports, &facts.key).await?;
    let path = source.path();
    let planning = ports.renderer.plan(&path, facts, &job.request, Arc::clone(percent));
    let made = in_time(ports.timer, LONGEST_PLAN, planning).await?;
    let document = PlanDocument { version: 1, source: facts, clips: &made.clips, findings: &made.findings };
    let json = serde_json::to_vec(&document)
        .map_err(|error| DrawError::Renderer(format!("the plan can't be written as JSON: {error}")))?;
    let directory = ports.renderer.clip_dir()?;
    let file = directory.keep(NAME, &json)?;
    let key = key(&job.id, NAME);
    ports.files.put_file(&key, "application/json", &file).await?;
    Ok(PieceOutput::Planned { clips: made.clips, plan: File::stored(key) })
}

/// Scores a range of the source as the plan scores its clips; none if the plan can't be read any more.
pub(super) async fn rescore(
    ports: &ClipPorts<'_>,
    job: &ClipJob,
    source: &Path,
    range: Range,
) -> Result<Option<ClipScore>, DrawError> {
    let Some(key) = job.plan.as_ref().and_then(|plan| plan.key.as_deref()) else { return Ok(None) };
    let directory = ports.renderer.clip_dir()?;
    let file = directory.path().join(NAME);
    if !ports.files.fetch_file(key, &file).await? {
        return Ok(None);
    }
    // It is small, and was just written.
    let json = std::fs::read(&file).map_err(|error| DrawError::Renderer(format!("the plan can't be read: {error}")))?;
    let scanned = match serde_json::from_slice::<ScannedSource>(&json) {
        Ok(scanned) => scanned,
        Err(error) => {
            tracing::warn!(job_id = %job.id, %error, "a plan is unreadable: a clip that is cut again has no score");
            return Ok(None);
        }
    };
    Ok(Some(ports.renderer.score(source, range, &job.request, &scanned.findings).await?))
}
