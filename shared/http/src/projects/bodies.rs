//! The bodies of requests about projects and scenes. Members that are not known are ignored: clients of the original
//! send whole scenes back. Members of the original's bodies may be written in snake_case, too.

use reelhook_app::projects::requests::scenes::{SceneFields, SceneRequest};
use reelhook_domain::WebUrl;
use reelhook_domain::projects::event::{Event, ProjectPatch, ScenePatch};
use reelhook_domain::projects::project::{MAX_SCENES, Project, ProjectSpec};
use reelhook_domain::projects::scene::{Scene, SceneKind, SceneStatus};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::metadata::{MetadataChanges, MetadataField};
use crate::problem::{Problem, bad};
use crate::projects::fields::{
    Dollars, Number, ProjectKey, Prompt, Reference, Resolution, SceneKey, Seconds, UrlField, User,
};
use crate::projects::problem::ProjectProblem;
use crate::typed::fields::{Flag, Parsed, Patch, Text, Whole, blank_is_absent};

/// Images of one scene at most.
const IMAGES: usize = 10;

/// A new project.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "NewProject", extend("required" = ["name"]))]
pub struct ProjectBody {
    /// The client's id for it.
    id: Option<ProjectKey>,
    /// The name.
    #[serde(default, deserialize_with = "blank_is_absent")]
    #[schemars(with = "Text<200>", regex(pattern = r"\S"))]
    name: Option<Text<200>>,
    /// The client's user.
    user: Option<User>,
    /// The client's word for the kind of the project.
    r#type: Option<Text<100>>,
    /// What its tasks may cost in all, in dollars; no limit by default.
    budget: Option<Dollars>,
    /// The scenes, in order.
    #[schemars(length(max = MAX_SCENES))]
    scenes: Option<Vec<SceneBody>>,
    /// The caller's own data.
    metadata: Option<MetadataField>,
}

/// A change of a project: a field that is absent stays as it is, and null removes it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(rename = "ProjectChange")]
pub struct ProjectChangeBody {
    /// The name.
    name: Option<Text<200>>,
    /// The client's user.
    user: Patch<User>,
    /// The client's word for the kind of the project.
    r#type: Patch<Text<100>>,
    /// What its tasks may cost in all, in dollars.
    budget: Patch<Dollars>,
    /// The ids of all scenes in their new order.
    #[schemars(length(max = MAX_SCENES))]
    scenes: Option<Vec<SceneKey>>,
    /// The caller's own data, merged: a member with null is removed, others stay; null removes all.
    metadata: Patch<MetadataChanges>,
}

/// A scene: a new one, or a change in which a field that is absent stays as it is.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(rename = "SceneInput")]
pub struct SceneBody {
    /// The client's id for a new scene.
    #[serde(alias = "scene_id", alias = "sceneId")]
    id: Option<SceneKey>,
    /// The number, unique in the project; by default one that keeps the order of the scenes.
    #[serde(alias = "scene_number")]
    scene_number: Option<Number>,
    /// A name for people.
    name: Patch<Text<200>>,
    /// What the video shows: at most 32 KiB. `text-to-video` needs it.
    prompt: Option<Prompt>,
    /// How it is generated; `text-to-video` by default.
    r#type: Option<Parsed<SceneKind>>,
    /// Its length in seconds; 5 by default. A scene that is longer than its model's videos is shortened.
    duration: Option<Seconds>,
    /// Frames per second.
    fps: Patch<Whole<1, 120>>,
    /// The model.
    model: Patch<Text<100>>,
    /// The resolution.
    resolution: Patch<Resolution>,
    /// The first frame of a scene that depends on none; where it depends on one, that scene's last frame takes precedence.
    #[serde(alias = "first_frame_url")]
    first_frame_url: Patch<UrlField>,
    /// The last frame, for `first-last-frame`; the same as `endFrameUrl`.
    #[serde(alias = "last_frame_url")]
    last_frame_url: Patch<UrlField>,
    /// The last frame, as answers name it; it takes precedence.
    #[serde(alias = "end_frame_url")]
    end_frame_url: Patch<UrlField>,
    /// Images, for `composite-to-video`.
    #[serde(alias = "image_urls")]
    #[schemars(length(max = IMAGES))]
    image_urls: Option<Vec<Parsed<WebUrl>>>,
    /// The id or the number of the scene from whose last frame it starts, null for none, or `previous`, the default, for
    /// the scene before.
    #[serde(alias = "depends_on")]
    depends_on: Patch<Reference>,
    /// Notes for people.
    notes: Option<Text<2000>>,
    /// `draft` for a new scene that is not to be generated yet; in a change also `ready`, `approved`, `rejected` or
    /// `revision`.
    status: Option<Parsed<SceneStatus>>,
    /// Only in a change: the attempt whose take counts.
    take: Option<Whole<1, 1_000_000>>,
}

/// Scenes that are added to a project.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ScenesBody {
    /// The scenes.
    #[schemars(length(max = MAX_SCENES))]
    pub(super) scenes: Vec<SceneBody>,
}

/// What is added to a project: one scene, or the list `scenes`.
#[derive(Debug, JsonSchema)]
pub struct NewScenes {
    /// One scene.
    #[serde(flatten)]
    pub scene: SceneBody,
    /// Several scenes, instead of one.
    #[schemars(length(max = MAX_SCENES))]
    pub scenes: Option<Vec<SceneBody>>,
}

/// A request to generate one scene anew.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct GenerateScene {
    /// Whether the scenes that depend on it are generated again, too; true by default.
    pub(super) cascade: Option<Flag>,
}

/// The part of a generation request that names the scene.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhichScenes {
    /// The scene; all that are ready by default.
    #[serde(alias = "scene_id")]
    pub(super) scene_id: Option<SceneKey>,
    /// Whether the scenes that depend on it are generated again, too; true by default.
    pub(super) cascade: Option<Flag>,
}

/// A request to generate one scene, which the other members change first, or all scenes that are ready.
#[derive(Debug, JsonSchema)]
pub struct GenerateVideos {
    /// Which scenes.
    #[serde(flatten)]
    pub which: WhichScenes,
    /// The changes of the scene.
    #[serde(flatten)]
    pub scene: SceneBody,
}

/// A request to retry what failed or is unclear.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetryProject {
    /// The scene whose video or last frame is made again; the stitch by default.
    #[serde(alias = "scene_id")]
    pub(super) scene_id: Option<SceneKey>,
}

impl ProjectBody {
    /// The client's id, what it says about the project, and the scenes.
    ///
    /// # Errors
    /// [`Problem`] names what is wrong.
    pub(super) fn parts(self) -> Result<(Option<ProjectKey>, ProjectSpec, Vec<SceneRequest>), Problem> {
        let name = self.name.and_then(Text::filled).ok_or(ProjectProblem::NameMissing)?;
        let spec = ProjectSpec {
            name,
            kind: self.r#type.and_then(Text::filled),
            user: self.user.map(|user| user.0),
            budget: self.budget.map(|budget| budget.0),
            metadata: self.metadata.unwrap_or_default().0,
        };
        Ok((self.id, spec, new_scenes(self.scenes.unwrap_or_default())?))
    }
}

/// The scenes of a list.
///
/// # Errors
/// [`ProjectProblem::TooManyScenes`], or the field that is wrong.
pub(super) fn new_scenes(scenes: Vec<SceneBody>) -> Result<Vec<SceneRequest>, Problem> {
    if scenes.len() > MAX_SCENES {
        return Err(ProjectProblem::TooManyScenes.into());
    }
    scenes.into_iter().enumerate().map(|(index, scene)| scene.added(Some(index))).collect()
}

impl ProjectChangeBody {
    /// The event of the change.
    ///
    /// # Errors
    /// [`Problem`] names what is wrong.
    pub(super) fn event(&self, project: &Project) -> Result<Event, Problem> {
        let name = match self.name.clone() {
            Some(name) => Some(name.filled().ok_or(ProjectProblem::NameMissing)?),
            None => None,
        };
        let metadata = match &self.metadata {
            Patch::Absent => None,
            Patch::Null => Some(reelhook_domain::Metadata::default()),
            Patch::Value(changes) => Some(changes.apply(&project.spec.metadata)?),
        };
        Ok(Event::Edit(ProjectPatch {
            name,
            kind: self.r#type.clone().change().map(|kind| kind.and_then(Text::filled)),
            user: self.user.clone().change().map(|user| user.map(|user| user.0)),
            budget: self.budget.clone().change().map(|budget| budget.map(|budget| budget.0)),
            metadata,
            order: self.scenes.as_ref().map(|scenes| scenes.iter().map(|key| key.0.clone()).collect()),
        }))
    }
}

impl SceneBody {
    /// The scene as a new one, with its index in the list of the request; none if the request is this one scene.
    ///
    /// # Errors
    /// [`Problem`] names the field that is wrong.
    pub(super) fn added(self, index: Option<usize>) -> Result<SceneRequest, Problem> {
        let path = index.map_or_else(String::new, |index| format!("scenes[{index}]."));
        let draft = match self.status.as_ref().map(|status| status.0) {
            Some(SceneStatus::Draft) => true,
            Some(SceneStatus::Ready) | None => false,
            Some(
                SceneStatus::Generating
                | SceneStatus::Generated
                | SceneStatus::Verified
                | SceneStatus::Approved
                | SceneStatus::Rejected
                | SceneStatus::Revision,
            ) => return Err(bad(format!("{path}status"), "`draft` or `ready` for a new scene")),
        };
        Ok(SceneRequest {
            index,
            fields: self.fields(&path)?,
            id: self.id.map(|id| id.0),
            notes: self.notes.map(Text::into_string).unwrap_or_default(),
            draft,
        })
    }

    /// What the request says about what the scene shows.
    ///
    /// # Errors
    /// [`Problem`] names the field that is wrong.
    pub(super) fn fields(&self, path: &str) -> Result<SceneFields, Problem> {
        if self.image_urls.as_ref().is_some_and(|images| images.len() > IMAGES) {
            return Err(bad(format!("{path}imageUrls"), format!("a list of at most {IMAGES} URLs")));
        }
        let url = |field: &Patch<UrlField>| field.clone().change().map(|url| url.and_then(|url| url.0));
        let text = |field: &Patch<Text<100>>| field.clone().change().map(|text| text.and_then(Text::filled));
        Ok(SceneFields {
            number: self.scene_number.clone().map(|number| number.0),
            name: self.name.clone().change().map(|name| name.and_then(Text::filled)),
            prompt: self.prompt.clone().map(|prompt| prompt.0),
            kind: self.r#type.as_ref().map(|kind| kind.0),
            duration_ms: self.duration.as_ref().map(|seconds| seconds.0),
            fps: self.fps.clone().change().map(|fps| fps.map(Whole::get)),
            model: text(&self.model),
            resolution: self.resolution.clone().change().map(|resolution| resolution.map(|text| text.0)),
            first_frame: url(&self.first_frame_url),
            last_frame: url(&self.end_frame_url).or_else(|| url(&self.last_frame_url)),
            images: self.image_urls.clone().map(|images| images.into_iter().map(|Parsed(url)| url).collect()),
            depends_on: self.depends_on.clone().change().map(|on| on.map(|on| on.0)),
        })
    }

    /// The changes of a scene besides what it shows. Values that the scene has are no change: clients send whole scenes
    /// back, with their status. Without a status the take of a rejected scene, or of one in revision, is a choice.
    pub(super) fn patch(&self, scene: &Scene) -> ScenePatch {
        let status = self.status.as_ref().map(|status| status.0);
        let (take, known_status) = (self.take.map(Whole::get), scene.status());
        ScenePatch {
            spec: None,
            notes: self.notes.clone().map(Text::into_string),
            status: status.filter(|status| *status != known_status),
            take: take.filter(|take| {
                let counts = scene.take().is_some_and(|known| known.attempt == *take);
                !counts || (status.is_none() && matches!(known_status, SceneStatus::Rejected | SceneStatus::Revision))
            }),
        }
    }
}
