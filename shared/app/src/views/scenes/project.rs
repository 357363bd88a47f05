//! A project as clients see it: whole, and in a list.

use std::collections::BTreeMap;

use reelhook_domain::Metadata;
use reelhook_domain::projects::project::{Phase, Project};
use reelhook_domain::projects::scene::{Scene, SceneStatus};
use schemars::JsonSchema;
use serde::Serialize;

use super::names::{PhaseText, ProjectIdText, ProjectStatusText};
use super::scene::{SceneView, scene};
use super::urls::Shown;
use crate::views::wire::{MetadataText, Time};

/// Characters of a slug at most.
const SLUG: usize = 80;

/// What a project and its entry in a list have in common.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectHead<'a> {
    /// The project's id.
    #[schemars(with = "ProjectIdText")]
    id: &'a str,
    /// The name.
    name: &'a str,
    /// The name as part of a URL; projects may share one.
    slug: String,
    /// The client's word for the kind of the project.
    r#type: Option<&'a str>,
    /// The client's user.
    user: Option<&'a str>,
    /// The status.
    #[schemars(with = "ProjectStatusText")]
    status: &'static str,
    /// Where the project stands between commands.
    #[schemars(with = "PhaseText")]
    phase: &'static str,
    /// Per cent, 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    progress: u8,
    /// Why it failed; only with the status `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    error: Option<&'a str>,
    /// The URL of the project's video, once there is one.
    final_video_url: Option<String>,
    /// The URL of an image: of the video, or of the first scene that has one.
    thumbnail_url: Option<String>,
    /// The length of the video in seconds, if its maker said it.
    duration: Option<f64>,
    /// What its tasks may cost in all, in dollars; null for no limit.
    budget: Option<f64>,
    /// What its tasks have cost so far, in dollars.
    #[schemars(range(min = 0))]
    cost: f64,
    /// The caller's own data.
    #[schemars(with = "MetadataText")]
    metadata: &'a Metadata,
    /// When it was created.
    created_at: Time,
    /// When it last changed.
    updated_at: Time,
    /// When it was last started.
    started_at: Option<Time>,
    /// When it ended.
    ended_at: Option<Time>,
}

/// A project of scenes.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Project")]
pub struct ProjectView<'a> {
    /// The project as a whole.
    #[serde(flatten)]
    head: ProjectHead<'a>,
    /// What a person must do for a running project to go on, such as `scene_1: is a draft`; absent while anything is
    /// under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    waiting_for: Option<String>,
    /// The scenes, in order.
    scenes: Vec<SceneView<'a>>,
}

/// A project in a list.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedProject<'a> {
    /// The project as a whole.
    #[serde(flatten)]
    head: ProjectHead<'a>,
    /// The number of its scenes.
    scene_count: usize,
    /// The number of its scenes by status.
    #[schemars(with = "BTreeMap<String, usize>")]
    scene_statuses: BTreeMap<&'static str, usize>,
}

/// A project.
pub fn project<'a>(of: &'a Project, shown: Shown<'a>) -> ProjectView<'a> {
    let waits = |on: &Scene| match on.status() {
        SceneStatus::Draft => format!("{}: is a draft", on.id),
        status => format!("{}: is {}", on.id, status.name()),
    };
    ProjectView {
        head: head(of, shown),
        waiting_for: of.waiting_for().map(waits),
        scenes: of.scenes.iter().map(|one| scene(of, one, shown)).collect(),
    }
}

/// A project as the entry of a list.
pub fn listed<'a>(of: &'a Project, shown: Shown<'a>) -> ListedProject<'a> {
    let mut scene_statuses = BTreeMap::new();
    for scene in &of.scenes {
        *scene_statuses.entry(scene.status().name()).or_default() += 1;
    }
    ListedProject { head: head(of, shown), scene_count: of.scenes.len(), scene_statuses }
}

fn head<'a>(of: &'a Project, shown: Shown<'_>) -> ProjectHead<'a> {
    let video = of.video.as_ref().map(|made| &made.video);
    let of_scenes = || of.scenes.iter().filter_map(Scene::take).find_map(|take| take.video.thumbnail.as_ref());
    ProjectHead {
        id: of.id.as_str(),
        name: &of.spec.name,
        slug: slug(&of.spec.name),
        r#type: of.spec.kind.as_deref(),
        user: of.spec.user.as_deref(),
        status: of.status().name(),
        phase: match of.phase {
            Phase::Draft => "draft",
            Phase::Running => "running",
            Phase::Completed => "completed",
            Phase::Failed(_) => "failed",
            Phase::Cancelled => "cancelled",
        },
        progress: of.progress(),
        error: of.error(),
        final_video_url: shown.url(video.map(|video| &video.file)),
        thumbnail_url: shown.url(video.and_then(|video| video.thumbnail.as_ref()).or_else(of_scenes)),
        duration: video.and_then(|video| video.duration_ms).map(super::scene::seconds),
        budget: of.spec.budget.map(dollars),
        cost: dollars(of.spent),
        metadata: &of.spec.metadata,
        created_at: of.created_at.into(),
        updated_at: of.updated_at.into(),
        started_at: of.started_at.map(Time),
        ended_at: of.ended_at.map(Time),
    }
}

/// Dollars of millionths of a dollar.
pub fn dollars(millionths: u64) -> f64 {
    millionths as f64 / 1e6
}

/// A name as part of a URL: its letters and digits in lower case, and `-` for everything else.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for character in name.chars().flat_map(char::to_lowercase).take(SLUG) {
        if character.is_alphanumeric() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "project".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use reelhook_domain::projects::media::File;
    use reelhook_domain::projects::scene::{SceneSpec, SceneState};
    use reelhook_domain::projects::task::Task;
    use reelhook_domain::{OutboundEvent, Timestamp};
    use serde_json::{Value, json};

    use super::*;
    use crate::files::links;
    use crate::projects::examples;
    use crate::views::scenes::Texts;

    const NOON: Timestamp = Timestamp(1_704_110_400_000);

    /// The path of a stored file.
    fn path(file: &File) -> Option<String> {
        file.key.as_deref().map(links::path)
    }

    fn shown(of: &Project) -> Value {
        json!(project(of, Shown { url: &path, texts: &Texts::new() }))
    }

    #[test]
    fn a_project_has_its_members_in_the_order_of_the_contract() {
        let completed = examples::project(OutboundEvent::ProjectCompleted, NOON);
        let id = "proj_1704110400000_00112233445566778899aabbccddeeff";
        let head = format!(
            r#"{{"id":"{id}","name":"My First Movie","slug":"my-first-movie","type":null,"user":null,"status":"completed","phase":"completed","progress":100,"finalVideoUrl":"/api/v1/files/{id}/final/1/video.mp4","thumbnailUrl":"/api/v1/files/{id}/final/1/thumbnail.jpg","duration":10.0,"budget":null,"cost":0.0,"metadata":{{}},"createdAt":"2024-01-01T12:00:00.000Z","updatedAt":"2024-01-01T12:06:00.000Z","startedAt":"2024-01-01T12:00:00.000Z","endedAt":"2024-01-01T12:06:00.000Z","scenes":["#
        );
        let text = shown(&completed).to_string();
        assert!(text.starts_with(&head), "{text}");
        let failed = shown(&examples::project(OutboundEvent::ProjectFailed, NOON));
        assert_eq!(failed["error"], "Scene 2 failed: the prompt was refused");
        assert_eq!((&failed["finalVideoUrl"], &failed["scenes"][1]["status"]), (&Value::Null, &json!("rejected")));
    }

    #[test]
    fn a_running_project_says_which_scene_only_a_person_continues() {
        let mut waits = examples::project(OutboundEvent::SceneRejected, NOON);
        let id = waits.scenes[0].id.clone();
        assert_eq!(shown(&waits)["waitingFor"], format!("{id}: is rejected"));
        waits.scenes[0].state = SceneState::Draft;
        assert_eq!(shown(&waits)["waitingFor"], format!("{id}: is a draft"));
        waits.scenes[0].state = SceneState::Ready;
        assert_eq!(shown(&waits).get("waitingFor"), None, "it can start");
        waits.scenes[0].state = SceneState::Generated(Task::own());
        assert_eq!(shown(&waits).get("waitingFor"), None, "a task is under way");
        waits.scenes[0].state = SceneState::Draft;
        waits.phase = Phase::Cancelled;
        assert_eq!(shown(&waits).get("waitingFor"), None);
    }

    #[test]
    fn a_list_shows_an_abridged_project_as_the_whole_one() {
        for event in [OutboundEvent::ProjectCompleted, OutboundEvent::ProjectFailed] {
            let whole = examples::project(event, NOON);
            let entry = |of: &Project| json!(listed(of, Shown { url: &path, texts: &Texts::new() }));
            let abridged = whole.clone().abridged();
            assert_eq!(entry(&abridged), entry(&whole), "{event:?}");
            assert!(abridged.scenes.iter().all(|scene| scene.spec == SceneSpec::default() && scene.takes.len() <= 1));
        }
    }

    #[test]
    fn a_scene_has_its_members_in_the_order_of_the_contract() {
        let completed = examples::project(OutboundEvent::ProjectCompleted, NOON);
        let (first, second) = (completed.scenes[0].id.as_str(), completed.scenes[1].id.as_str());
        let files = format!("/api/v1/files/{}/scenes", completed.id);
        let frame = format!("{files}/{first}/1/last.png");
        let (video, image, last) = (
            format!("{files}/{second}/1/video.mp4"),
            format!("{files}/{second}/1/thumbnail.jpg"),
            format!("{files}/{second}/1/last.png"),
        );
        let expected = format!(
            r#"{{"id":"{second}","project_id":"{project}","sceneNumber":"2","name":null,"prompt":"A fox runs through the snow","type":"text-to-video","duration":5.0,"fps":null,"model":null,"resolution":null,"status":"verified","progress":100,"videoUrl":"{video}","thumbnailUrl":"{image}","lastFrameUrl":"{last}","firstFrameUrl":"{frame}","notes":"","attempt":1,"take":1,"takes":[{{"attempt":1,"videoUrl":"{video}","thumbnailUrl":"{image}","firstFrameUrl":null,"lastFrameUrl":"{last}","duration":5.0,"width":null,"height":null,"fps":null,"qualityScore":null,"fileSize":null,"taskId":null,"createdAt":"2024-01-01T12:02:00.000Z"}}],"dependsOn":"{first}","dependsOnPrevious":true,"stale":false}}"#,
            project = completed.id,
        );
        assert_eq!(shown(&completed)["scenes"][1].to_string(), expected);
    }

    #[test]
    fn a_list_counts_scenes_by_their_status() {
        let running = examples::project(OutboundEvent::SceneVerified, NOON);
        let entry = json!(listed(&running, Shown { url: &path, texts: &Texts::new() }));
        assert_eq!((&entry["sceneCount"], &entry["sceneStatuses"]), (&json!(2), &json!({ "ready": 1, "verified": 1 })));
        assert_eq!(entry.get("scenes"), None);
    }

    #[test]
    fn a_slug_has_the_letters_and_digits_of_the_name() {
        for (name, expected) in [
            ("My First Movie!", "my-first-movie"),
            ("  Été  à Paris — 2024 ", "été-à-paris-2024"),
            ("🎬", "project"),
            ("a/b?c=d", "a-b-c-d"),
        ] {
            assert_eq!(slug(name), expected);
        }
        assert_eq!(slug(&"x".repeat(500)).len(), SLUG);
    }
}
