//! Tests of requests for projects: what is stored first, and repeats.

use reelhook_app::idempotency::IdempotencyKey;
use reelhook_app::projects::requests::create::{CreatePorts, Created, ProjectRequest, create_project};
use reelhook_app::projects::requests::scenes::{SceneFields, SceneRequest};
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::projects::project::ProjectSpec;
use reelhook_domain::{Origin, OwnerId, ProjectId};
use reelhook_testkit::{MemoryProjects, World};

fn request(id: Option<&str>, key: Option<IdempotencyKey>) -> ProjectRequest {
    let fields = SceneFields { prompt: Some("x".repeat(5000)), ..SceneFields::default() };
    ProjectRequest {
        id: id.map(|id| ProjectId::chosen(id).unwrap()),
        spec: ProjectSpec { name: "A".to_owned(), ..ProjectSpec::default() },
        scenes: vec![SceneRequest { fields, ..SceneRequest::default() }],
        origin: Origin { caller: Some("ann".to_owned()), ..Origin::default() },
        key,
    }
}

async fn made(projects: &MemoryProjects, request: ProjectRequest) -> Created {
    let (clock, policy) = (World::default(), ProjectPolicy::default());
    let ports = CreatePorts { projects, files: projects, clock: &clock, policy: &policy };
    create_project(&ports, request).await.unwrap()
}

#[tokio::test]
async fn a_repeated_idempotency_key_makes_one_project() {
    let (stored, key) = (MemoryProjects::default(), || Some(IdempotencyKey::new("ann", "k", "h")));
    stored
        .before("put_text", |stored| assert!(stored.all().is_empty(), "texts come before the project that names them"));
    let Created::Project(project, _) = made(&stored, request(None, key())).await else { panic!("it is new") };
    assert_eq!(made(&stored, request(None, key())).await, Created::Repeated(project.id.clone(), Vec::new()));
    let other = Some(IdempotencyKey::new("ann", "k", "other"));
    assert_eq!(made(&stored, request(None, other)).await, Created::KeyReused);
    assert_eq!((stored.all().len(), stored.faults.calls("put_text")), (1, 1));
}

#[tokio::test]
async fn the_id_of_a_client_is_used_once() {
    let stored = MemoryProjects::default();
    let Created::Project(project, _) = made(&stored, request(Some("proj_mine"), None)).await else {
        panic!("it is new")
    };
    assert_eq!(project.id.as_str(), "proj_mine");
    let without_text = ProjectRequest { scenes: Vec::new(), ..request(Some("proj_mine"), None) };
    assert_eq!(made(&stored, without_text).await, Created::Exists);
}

#[tokio::test]
async fn an_id_that_another_owner_has_is_taken_for_all_alike() {
    let stored = MemoryProjects::default();
    let of = |owner: Option<&str>| {
        let request = request(Some("proj_mine"), None);
        let owner = owner.map(|owner| OwnerId::parse(owner).unwrap());
        ProjectRequest { scenes: Vec::new(), origin: Origin { owner, ..request.origin }, ..request }
    };
    let Created::Project(project, _) = made(&stored, of(Some("ann"))).await else { panic!("it is new") };
    for owner in [Some("bob"), Some("ann"), None] {
        assert_eq!(made(&stored, of(owner)).await, Created::Exists, "{owner:?}");
    }
    assert_eq!(stored.all(), [*project], "it stays as it was");
}
