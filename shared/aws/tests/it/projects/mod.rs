//! The Projects table, and the rows of projects in the Counters table.

mod items;
mod lists;
mod rows;
mod slots;
mod stored;
mod stream;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::projects::table::ProjectTable;
use reelhook_domain::pieces::{PiecePolicy, Pieces};
use reelhook_domain::projects::media::{File, Video};
use reelhook_domain::projects::project::{Phase, Project, ProjectSpec};
use reelhook_domain::projects::scene::{LongText, Scene, SceneSpec, SceneState, Take};
use reelhook_domain::projects::task::{Task, TaskState};
use reelhook_domain::{Origin, ProjectId, RenderId, SceneId, Timestamp, WebUrl};
use reelhook_testkit::{NOON, World};

use crate::replay::{Answer, Call, Calls, dynamodb};

/// The table and its counters; `script` gives the responses.
fn table(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (ProjectTable, Calls) {
    let (client, calls) = dynamodb(script);
    (table_of(client, World::default()), calls)
}

fn table_of(client: aws_sdk_dynamodb::Client, world: World) -> ProjectTable {
    let counters = CounterTable::new(client.clone(), "Counters");
    ProjectTable::new(client, "Projects", counters, Arc::new(world))
}

fn at(n: i64) -> Timestamp {
    Timestamp(NOON.millis() + n)
}

fn url(text: &str) -> WebUrl {
    WebUrl::parse(text).unwrap()
}

fn scene_id(name: &str) -> SceneId {
    SceneId::parse(&format!("scene_{name}")).unwrap()
}

fn task_id(text: &str) -> RenderId {
    RenderId::parse(text).unwrap()
}

fn task(state: TaskState) -> Task {
    Task { number: 1, claims: 0, deadline: None, progress: 0, state }
}

fn scene(name: &str, number: usize, state: SceneState) -> Scene {
    let prompt = LongText::Inline(format!("Scene {name}"));
    Scene {
        id: scene_id(name),
        spec: SceneSpec { number: number.to_string(), prompt, duration_ms: 5000, ..SceneSpec::default() },
        notes: String::new(),
        attempt: 1,
        failures: 0,
        state,
        takes: Vec::new(),
        chosen: None,
        stale: false,
        given: None,
    }
}

fn take(attempt: u32, file: File) -> Take {
    let video = Video { file, ..Video::default() };
    Take { attempt, video, first_frame: None, last_frame: None, task_id: None, at: NOON }
}

/// A project in its second version, which is running and has nothing to do.
fn project(scenes: Vec<Scene>) -> Project {
    let policy =
        PiecePolicy { lease: Duration::from_secs(45), hint_grace: Duration::from_secs(60), retry_delay_percent: 100 };
    Project {
        id: ProjectId::parse("proj_1").unwrap(),
        version: 2,
        spec: ProjectSpec { name: "Film".to_owned(), ..ProjectSpec::default() },
        origin: Origin::default(),
        created_at: NOON,
        updated_at: NOON,
        started_at: None,
        ended_at: None,
        deleted_at: None,
        phase: Phase::Running,
        scenes,
        removed_attempts: 0,
        stitch: None,
        generations: 0,
        video: None,
        pieces: Pieces::new(Vec::new(), NOON, &policy),
        spent: 0,
        served_at: NOON,
        hinted_at: None,
        due_at: None,
        live_version: 0,
        emitted: Vec::new(),
        outbox: Vec::new(),
    }
}

/// A project whose only scene waits for a slot.
fn waiting() -> Project {
    project(vec![scene("a", 1, SceneState::Generating(Task::waiting(NOON)))])
}
