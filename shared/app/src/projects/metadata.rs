//! The data that services send with videos: small data is part of the project, larger data is stored in the bucket before
//! the project names it.

use bytes::Bytes;
use reelhook_domain::projects::event::{TaskOutput, TaskReport};
use reelhook_domain::projects::media::SentMetadata;
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::task::{Target, TaskRef};
use serde_json::{Map, Value};

use crate::projects::links;
use crate::projects::store::ProjectFiles;
use crate::store::StoreError;

/// The largest data in the item, in bytes of JSON.
const INLINE: usize = 1024;
/// The data of a project in its item at most, in bytes of JSON in all.
const INLINE_IN_ALL: usize = 32 * 1024;
/// The largest data that is kept, in bytes of JSON.
const LIMIT: usize = 1024 * 1024;
/// Members that services send back as they got them from us.
pub(super) const OURS: [&str; 3] = ["scene_id", "project_id", "submission"];

/// Data that goes with a video.
struct Sent {
    members: Map<String, Value>,
    bytes: usize,
}

impl Sent {
    /// The data of a body that the take of this task will have; none if there is nothing to keep.
    fn of(project: &Project, task: &TaskRef, body: &Value) -> Option<Self> {
        let Target::Video(scene) = &task.target else { return None };
        let scene = project.scene(scene).filter(|scene| scene.attempt == task.run)?;
        // A take that is there keeps its own.
        if scene.takes.iter().any(|take| take.attempt == task.run) {
            return None;
        }
        let mut members = body["metadata"].as_object()?.clone();
        members.retain(|name, _| !OURS.contains(&name.as_str()));
        let bytes = size(&members);
        (!members.is_empty() && bytes <= LIMIT).then_some(Self { members, bytes })
    }

    /// Whether the project's item has room for it.
    fn is_small(&self, project: &Project) -> bool {
        let takes = project.scenes.iter().flat_map(|scene| &scene.takes);
        let inline = takes.filter_map(|take| match &take.video.metadata {
            Some(SentMetadata::Inline(members)) => Some(size(members)),
            Some(SentMetadata::Stored(_)) | None => None,
        });
        self.bytes <= INLINE && self.bytes + inline.sum::<usize>() <= INLINE_IN_ALL
    }
}

/// The report of a callback or a poll about a task, with the data that came with a video. Larger data is stored first.
///
/// # Errors
/// [`StoreError`].
pub(super) async fn with_metadata(
    files: &dyn ProjectFiles,
    project: &Project,
    task: &TaskRef,
    body: &Value,
    report: TaskReport,
) -> Result<TaskReport, StoreError> {
    let Some(sent) = Sent::of(project, task, body).filter(|_| matches!(report, TaskReport::Completed(_))) else {
        return Ok(report);
    };
    if sent.is_small(project) {
        return Ok(with(report, SentMetadata::Inline(sent.members)));
    }
    let Target::Video(scene) = &task.target else { return Ok(report) };
    let key = links::key(&project.id, &format!("scenes/{scene}/{}/metadata.json", task.run));
    files.put_text(&key, Bytes::from(Value::Object(sent.members).to_string())).await?;
    Ok(with(report, SentMetadata::Stored(key)))
}

fn with(report: TaskReport, metadata: SentMetadata) -> TaskReport {
    match report {
        TaskReport::Completed(mut output) => {
            if let TaskOutput::Video(video) = &mut *output {
                video.metadata = Some(metadata);
            }
            TaskReport::Completed(output)
        }
        TaskReport::UnderWay(_) | TaskReport::Failed(_) | TaskReport::Unknown | TaskReport::Unusable => report,
    }
}

/// The size of data as JSON, in bytes.
fn size(members: &Map<String, Value>) -> usize {
    serde_json::to_vec(members).map_or(usize::MAX, |json| json.len())
}
