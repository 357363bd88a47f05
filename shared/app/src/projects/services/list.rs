//! A service's list of a project's tasks: it shows whether a submission whose answer was lost has arrived.

use std::time::Duration;

use reelhook_domain::projects::task::Stage;
use reelhook_domain::{RenderId, SceneId, Timestamp};
use serde_json::{Map, Value};

use crate::projects::services::report::{Callback, read, task_id};

/// How far the clock of a service may be behind ours.
const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// The tasks of a project at a service.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskList {
    entries: Vec<Value>,
    /// Whether the service says nothing of further pages.
    complete: bool,
}

/// A submission that is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sought<'a> {
    /// The name that we gave it: `<project>.<task>`.
    pub submission: String,
    /// Its scene.
    pub scene: Option<&'a SceneId>,
    /// When it was claimed; the service has made its task later.
    pub claimed_at: Option<Timestamp>,
    /// Tasks of the same scene that are known as those of other submissions.
    pub others: &'a [RenderId],
}

/// What the list says about a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The service has it under this id.
    Task(RenderId),
    /// The service does not have it.
    Absent,
    /// The list does not decide it: it is incomplete, or tasks of the same scene cannot be distinguished, or only the time of
    /// one, which depends on the service's clock and zone, says that it is older.
    Undecided,
}

/// The result of reading a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The list; none if the service has none, or sent no usable one.
    pub list: Option<TaskList>,
    /// Whether the service answered without a server error; none if nothing was sent.
    pub answered: Option<bool>,
}

impl TaskList {
    /// Reads a list: an array, or an object with one.
    pub fn read(body: Value) -> Option<Self> {
        match body {
            Value::Array(entries) => Some(Self { entries, complete: true }),
            Value::Object(mut object) => {
                let name = ["tasks", "data", "items", "results"]
                    .into_iter()
                    .find(|name| object.get(*name).is_some_and(Value::is_array))?;
                let Some(Value::Array(entries)) = object.remove(name) else { return None };
                let complete = !has_more(&object, entries.len());
                Some(Self { entries, complete })
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }
    }

    /// Its entry of the task with this id.
    pub fn into_entry(self, id: &RenderId) -> Option<Value> {
        self.entries.into_iter().find(|entry| task_id(entry).as_ref() == Some(id))
    }

    /// The tasks of a scene at a service that does not keep the names of submissions.
    pub fn unnamed(&self, stage: Stage, scene: &SceneId) -> Vec<RenderId> {
        let tasks = self.entries.iter().map(|entry| (entry, read(stage, entry)));
        tasks
            .filter(|(entry, task)| is_unnamed(entry, task, Some(scene)))
            .filter_map(|(_, task)| task.task_id)
            .collect()
    }

    /// Finds a submission: by the name that we gave it, or else, at a service that does not keep the name, the only task of
    /// its scene that was made since it was claimed and is not that of another submission.
    pub fn find(&self, stage: Stage, sought: &Sought<'_>) -> Found {
        let callbacks: Vec<(&Value, Callback)> = self.entries.iter().map(|entry| (entry, read(stage, entry))).collect();
        let named = callbacks.iter().find(|(_, task)| task.submission.as_deref() == Some(sought.submission.as_str()));
        if let Some((_, task)) = named {
            return task.task_id.clone().map_or(Found::Undecided, Found::Task);
        }
        let of_scene = callbacks.iter().filter(|(entry, task)| {
            let is_other = task.task_id.as_ref().is_some_and(|id| sought.others.contains(id));
            is_unnamed(entry, task, sought.scene) && !is_other
        });
        let earliest = sought.claimed_at.map(|claimed| claimed.before(CLOCK_SKEW));
        let (candidates, older): (Vec<_>, Vec<_>) =
            of_scene.partition(|(entry, _)| match created_at(entry).zip(earliest) {
                Some((created, earliest)) => created >= earliest,
                // A task without a time may be the one.
                None => true,
            });
        match candidates.as_slice() {
            [] if self.complete && older.is_empty() => Found::Absent,
            [(entry, task)] if created_at(entry).is_some() && earliest.is_some() => {
                task.task_id.clone().map_or(Found::Undecided, Found::Task)
            }
            _ => Found::Undecided,
        }
    }
}

/// Whether a task of a scene has no name of ours.
fn is_unnamed(entry: &Value, task: &Callback, of: Option<&SceneId>) -> bool {
    let scene = task.scene.clone().or_else(|| scene_of_data(entry));
    task.submission.is_none() && scene.is_some() && scene.as_ref() == of
}

/// Whether a service says that its list goes on.
fn has_more(object: &Map<String, Value>, entries: usize) -> bool {
    let says = ["has_more", "hasMore", "has_next", "hasNextPage"]
        .iter()
        .any(|name| object.get(*name).and_then(Value::as_bool) == Some(true));
    let mut next = ["next", "next_cursor", "nextCursor", "next_page"].iter().filter_map(|name| object.get(*name));
    let continues = next.any(|next| !matches!(next, Value::Null | Value::Bool(false)) && next != "");
    let totals = ["total", "total_count", "totalDocs"].iter().filter_map(|name| object.get(*name)?.as_u64());
    says || continues || totals.max().is_some_and(|total| total > entries as u64)
}

/// The scene in the data that the task was submitted with.
fn scene_of_data(entry: &Value) -> Option<SceneId> {
    SceneId::parse(entry["task_data"]["scene_id"].as_str()?).ok()
}

/// When the service made a task: RFC 3339, in UTC unless it says otherwise, or Unix seconds or milliseconds.
fn created_at(entry: &Value) -> Option<Timestamp> {
    let names = ["created_at", "createdAt", "submitted_at"];
    match names.iter().map(|name| &entry[*name]).find(|value| !value.is_null())? {
        Value::String(text) => Timestamp::parse(text).or_else(|| Timestamp::parse(&format!("{text}Z"))),
        Value::Number(number) => {
            let number = number.as_f64()?;
            let millis = if number < 1e11 { number * 1000.0 } else { number };
            Some(Timestamp(millis as i64))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use reelhook_domain::projects::event::TaskReport;
    use serde_json::json;

    use super::*;

    /// 2024-01-01T12:00:00Z.
    const CLAIMED: Timestamp = Timestamp(1_704_110_400_000);

    fn find(body: Value) -> Found {
        let scene = SceneId::parse("scene_1").unwrap();
        let sought = Sought {
            submission: "proj_1.video.1.1.scene_1".to_owned(),
            scene: Some(&scene),
            claimed_at: Some(CLAIMED),
            others: &[RenderId::parse("task_0").unwrap()],
        };
        TaskList::read(body).unwrap().find(Stage::Video, &sought)
    }

    fn task(id: &str) -> Found {
        Found::Task(RenderId::parse(id).unwrap())
    }

    #[test]
    fn the_name_of_a_submission_finds_it() {
        let metadata = |submission: &str| json!({ "scene_id": "scene_1", "submission": submission });
        let list = json!({ "tasks": [
            { "task_id": "task_0", "metadata": metadata("proj_1.video.1.2.scene_1") },
            { "task_id": "task_1", "metadata": metadata("proj_1.video.1.1.scene_1") },
        ]});
        assert_eq!(find(list), task("task_1"));
        let other = json!([{ "task_id": "task_0", "metadata": metadata("proj_1.video.1.2.scene_1") }]);
        assert_eq!(find(other), Found::Absent, "another submission of the same scene is not this one");
    }

    #[test]
    fn without_names_the_only_task_of_the_scene_since_the_claim_is_it() {
        let entry =
            |id: &str, at: &str| json!({ "task_id": id, "metadata": { "scene_id": "scene_1" }, "created_at": at });
        let old = entry("task_0", "2024-01-01T11:00:00Z");
        assert_eq!(find(json!([old, entry("task_1", "2024-01-01T12:00:01.5")])), task("task_1"));
        assert_eq!(find(json!([old])), Found::Absent);
        let two = json!([entry("task_1", "2024-01-01T12:00:01Z"), entry("task_2", "2024-01-01T12:00:02Z")]);
        assert_eq!(find(two), Found::Undecided);
        let data =
            json!([{ "task_id": "task_3", "task_data": { "scene_id": "scene_1" }, "created_at": 1_704_110_401 }]);
        assert_eq!(find(data), task("task_3"));
        let timeless = json!([{ "task_id": "task_4", "scene_id": "scene_1" }]);
        assert_eq!(find(timeless), Found::Undecided, "it may be an older one");
    }

    #[test]
    fn a_time_alone_shows_no_absence() {
        let entry =
            |id: &str, at: &str| json!({ "task_id": id, "metadata": { "scene_id": "scene_1" }, "created_at": at });
        // The time is that of a zone west of ours, or of a clock that is slow.
        let behind = entry("task_1", "2024-01-01T07:00:01");
        assert_eq!(find(json!([behind])), Found::Undecided, "it may be the one");
        assert_eq!(find(json!([{ "scene_id": "scene_1", "created_at": "2024-01-01T07:00:01" }])), Found::Undecided);
        let ahead = entry("task_0", "2024-01-01T17:00:01");
        assert_eq!(find(json!([ahead])), Found::Absent, "it is known as another one");
        assert_eq!(find(json!([ahead, entry("task_1", "2024-01-01T12:00:01Z")])), task("task_1"));
        let list = TaskList::read(json!([behind, ahead, { "task_id": "task_2", "scene_id": "scene_2" }])).unwrap();
        let ids = ["task_1", "task_0"].map(|id| RenderId::parse(id).unwrap());
        assert_eq!(list.unnamed(Stage::Video, &SceneId::parse("scene_1").unwrap()), ids);
    }

    #[test]
    fn an_incomplete_list_shows_no_absence() {
        assert_eq!(find(json!({ "tasks": [], "total": 0, "next": null })), Found::Absent);
        for more in [json!({ "has_more": true }), json!({ "total": 7 }), json!({ "next_cursor": "abc" })] {
            let mut body = json!({ "tasks": [{ "task_id": "task_9", "scene_id": "scene_9" }] });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            assert_eq!(find(body), Found::Undecided, "{more}");
        }
        for no_list in [json!({}), json!({ "tasks": null }), json!("none"), json!(null)] {
            assert_eq!(TaskList::read(no_list), None);
        }
    }

    #[test]
    fn a_task_in_the_list_has_a_report() {
        let list = TaskList::read(json!([{ "task_id": "task_1", "status": "processing", "progress": 0.5 }])).unwrap();
        let report = |id: &str| {
            let entry = list.clone().into_entry(&RenderId::parse(id).unwrap());
            entry.map_or(TaskReport::Unknown, |entry| read(Stage::Video, &entry).report)
        };
        assert_eq!(report("task_1"), TaskReport::UnderWay(50));
        assert_eq!(report("task_2"), TaskReport::Unknown);
    }
}
