//! Tests of requests for projects: what is stored first, and repeats.

use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use reelhook_app::idempotency::{IdempotencyKey, IdempotencyRecord, IdempotencyStore};
use reelhook_app::projects::requests::create::{CreatePorts, Created, ProjectRequest, create_project};
use reelhook_app::projects::requests::scenes::{SceneFields, SceneRequest};
use reelhook_app::projects::store::{NewProjects, ProjectFiles};
use reelhook_app::store::{Saved, StoreError};
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::projects::project::{Project, ProjectSpec};
use reelhook_domain::{ProjectId, Timestamp};
use reelhook_testkit::World;

#[derive(Default)]
struct Stored {
    projects: Mutex<Vec<Project>>,
    record: Mutex<Option<IdempotencyRecord>>,
    texts: Mutex<Vec<String>>,
}

#[async_trait]
impl IdempotencyStore for Stored {
    async fn record(&self, _: &str, _: &str, _: Timestamp) -> Result<Option<IdempotencyRecord>, StoreError> {
        Ok(self.record.lock().unwrap().clone())
    }

    async fn remember(
        &self,
        record: &IdempotencyRecord,
        _: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        Ok(self.record.lock().unwrap().replace(record.clone()))
    }
}

#[async_trait]
impl NewProjects for Stored {
    async fn insert(&self, project: &Project) -> Result<Saved<Project>, StoreError> {
        let mut projects = self.projects.lock().unwrap();
        if let Some(known) = projects.iter().find(|known| known.id == project.id) {
            return Ok(Saved::Conflict(Some(Box::new(known.clone()))));
        }
        projects.push(project.clone());
        Ok(Saved::Done)
    }

    async fn insert_with_key(
        &self,
        project: &Project,
        record: &IdempotencyRecord,
        _: Timestamp,
    ) -> Result<Saved<IdempotencyRecord>, StoreError> {
        self.projects.lock().unwrap().push(project.clone());
        *self.record.lock().unwrap() = Some(record.clone());
        Ok(Saved::Done)
    }
}

#[async_trait]
impl ProjectFiles for Stored {
    async fn put_text(&self, key: &str, _: Bytes) -> Result<(), StoreError> {
        assert!(self.projects.lock().unwrap().is_empty(), "texts come before the project that names them");
        self.texts.lock().unwrap().push(key.to_owned());
        Ok(())
    }

    async fn text(&self, _: &str) -> Result<Option<String>, StoreError> {
        Ok(None)
    }
}

fn request(id: Option<&str>, key: Option<IdempotencyKey>) -> ProjectRequest {
    let fields = SceneFields { prompt: Some("x".repeat(5000)), ..SceneFields::default() };
    ProjectRequest {
        id: id.map(|id| ProjectId::chosen(id).unwrap()),
        spec: ProjectSpec { name: "A".to_owned(), ..ProjectSpec::default() },
        scenes: vec![SceneRequest { fields, ..SceneRequest::default() }],
        caller: "ann".to_owned(),
        traceparent: None,
        key,
    }
}

async fn made(stored: &Stored, request: ProjectRequest) -> Created {
    let (clock, policy) = (World::default(), ProjectPolicy::default());
    let ports = CreatePorts { projects: stored, files: stored, clock: &clock, policy: &policy };
    create_project(&ports, request).await.unwrap()
}

#[tokio::test]
async fn a_repeated_idempotency_key_makes_one_project() {
    let (stored, key) = (Stored::default(), || Some(IdempotencyKey::new("ann", "k", "h")));
    let Created::Project(project, _) = made(&stored, request(None, key())).await else { panic!("it is new") };
    assert_eq!(made(&stored, request(None, key())).await, Created::Repeated(project.id.clone(), Vec::new()));
    let other = Some(IdempotencyKey::new("ann", "k", "other"));
    assert_eq!(made(&stored, request(None, other)).await, Created::KeyReused);
    assert_eq!((stored.projects.lock().unwrap().len(), stored.texts.lock().unwrap().len()), (1, 1));
}

#[tokio::test]
async fn the_id_of_a_client_is_used_once() {
    let stored = Stored::default();
    let Created::Project(project, _) = made(&stored, request(Some("proj_mine"), None)).await else {
        panic!("it is new")
    };
    assert_eq!(project.id.as_str(), "proj_mine");
    let without_text = ProjectRequest { scenes: Vec::new(), ..request(Some("proj_mine"), None) };
    assert_eq!(made(&stored, without_text).await, Created::Exists);
}
