//! Builds projects, their policy and their services for tests.

use std::sync::Arc;

use reelhook_app::Url;
use reelhook_app::files::links::FileLinks;
use reelhook_app::projects::launch::LaunchPorts;
use reelhook_app::projects::services::{Service, ServiceClient, Services};
use reelhook_domain::projects::decide::{NewProject, create};
use reelhook_domain::projects::event::NewScene;
use reelhook_domain::projects::policy::{Backend, Prices, ProjectPolicy};
use reelhook_domain::projects::project::{Project, ProjectSpec};
use reelhook_domain::projects::scene::{Dependency, LongText, SceneSpec};
use reelhook_domain::{Origin, ProjectId, SceneId, Timestamp};
use reelhook_signing::SigningKeys;

use crate::http::ScriptedHttp;
use crate::projects::table::MemoryProjects;
use crate::world::World;

/// The Projects table of a stack, and the services of projects.
pub struct SceneStack {
    /// The Projects table, with its stream.
    pub projects: Arc<MemoryProjects>,
    /// The services.
    pub services: Services,
    /// The projects' timers: services make all tasks.
    pub policy: ProjectPolicy,
    /// SCENE_SLOTS.
    pub slots: usize,
    /// The time after which the launcher claims nothing and sends nothing.
    pub last_start: Timestamp,
}

impl Default for SceneStack {
    fn default() -> Self {
        let last_start = Timestamp(i64::MAX);
        Self { projects: Arc::default(), services: services(), policy: project_policy(), slots: 20, last_start }
    }
}

impl SceneStack {
    /// Links to files.
    pub fn links(&self) -> FileLinks<'_> {
        FileLinks { base: &self.services.base, keys: &self.services.tokens }
    }

    /// The ports of the launcher of projects.
    pub fn launch_ports<'a>(&'a self, http: &'a ScriptedHttp, world: &'a World) -> LaunchPorts<'a> {
        let projects = &*self.projects;
        LaunchPorts {
            projects,
            slots: projects,
            early: projects,
            lookups: projects,
            circuits: projects,
            files: projects,
            client: ServiceClient { http, services: &self.services },
            clock: world,
            policy: &self.policy,
            scene_slots: self.slots,
            last_start: self.last_start,
        }
    }
}

/// The services at `https://tasks.example/` and `https://frames.example/`, which stitches too.
///
/// # Panics
/// Never: the URLs are valid.
pub fn services() -> Services {
    let service = |url: &str, key: &str| Service { url: Url::parse(url).expect("a URL"), key: Some(key.into()) };
    Services {
        video: Some(service("https://tasks.example/", "the key of tasks")),
        frame: Some(service("https://frames.example/", "the key of frames")),
        stitch: Some(service("https://frames.example/", "the key of frames")),
        base: Url::parse("https://reelhook.example/").expect("a URL"),
        tokens: SigningKeys::parse("the secret of tokens").expect("a secret"),
    }
}

/// The contract's policy with services for all stages; the one for videos has a list. A second of video costs a cent.
pub fn project_policy() -> ProjectPolicy {
    let mut policy = ProjectPolicy::default();
    policy.video.backend = Backend::Service { has_list: true, max_inputs: 0 };
    policy.frame.backend = Backend::Service { has_list: false, max_inputs: 0 };
    policy.stitch.backend = Backend::Service { has_list: false, max_inputs: 10 };
    policy.prices = Prices { default: 10_000, ..Prices::default() };
    policy
}

/// Project number `n`, a draft with so many ready scenes of 5 s: `scene_<n>_1` and so on. Each continues the one before
/// it, or none does if they are `apart`.
///
/// # Panics
/// When a project can't have so many scenes.
pub fn a_project(n: u32, scenes: usize, apart: bool, now: Timestamp, policy: &ProjectPolicy) -> Project {
    let scene = |number: usize| NewScene {
        id: SceneId::parse(&format!("scene_{n}_{number}")).expect("an id"),
        spec: SceneSpec {
            number: number.to_string(),
            prompt: LongText::Inline(format!("Scene {number} of project {n}")),
            duration_ms: 5000,
            depends_on: if apart { Dependency::Nothing } else { Dependency::Previous },
            ..SceneSpec::default()
        },
        notes: String::new(),
        draft: false,
    };
    let new = NewProject {
        id: ProjectId::parse(&format!("proj_{}_{n:04}", now.millis())).expect("an id"),
        spec: ProjectSpec { name: format!("Project {n}"), ..ProjectSpec::default() },
        scenes: (1..=scenes).map(scene).collect(),
        origin: Origin::default(),
    };
    create(new, now, policy).expect("a valid project")
}
