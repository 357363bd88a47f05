//! Tests of what requests about projects and scenes become.

use reelhook_app::projects::requests::scenes;
use reelhook_app::projects::requests::texts::Prompts;
use serde_json::{Value, json};

use super::*;
use crate::request::{get_request, posting};

fn caller() -> Caller {
    Caller::known_as("ann")
}

fn post(path: &str, body: &Value) -> Result<Route, Problem> {
    Route::read(&posting(path, body), &caller())
}

fn created(body: &Value) -> Result<ProjectRequest, Problem> {
    match post("/api/v1/projects", body)? {
        Route::Create(request) => Ok(*request),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_project_is_read_with_members_in_either_spelling() {
    let body = json!({
        "name": " My Movie ", "user": 42, "budget": "1.5", "metadata": { "order": "7" }, "unknown": true,
        "scenes": [
            { "prompt": "A fox", "duration": 2.5, "type": "text_to_video" },
            { "scene_number": 2, "first_frame_url": "https://a.example/x.png", "type": "image-to-video", "dependsOn": null },
            { "id": "scene_c", "sceneNumber": "002a", "firstFrameUrl": "", "status": "draft", "depends_on": "2" },
        ],
    });
    let request = created(&body).unwrap();
    assert_eq!((request.spec.name.as_str(), request.spec.user.as_deref()), ("My Movie", Some("42")));
    assert_eq!((request.spec.budget, request.spec.metadata.get("order")), (Some(1_500_000), Some("7")));
    let [first, second, third] = &request.scenes[..] else { panic!("three scenes") };
    assert_eq!((first.fields.duration_ms, first.fields.depends_on.clone()), (Some(2_500), None));
    assert_eq!(second.fields.number.as_deref(), Some("2"));
    assert_eq!((second.fields.depends_on.clone(), second.fields.first_frame.is_some()), (Some(None), true));
    assert_eq!((third.draft, third.fields.first_frame.clone()), (true, Some(None)));
    assert_eq!(third.fields.depends_on, Some(Some("2".to_owned())));
}

#[test]
fn a_wrong_member_is_named_with_its_path() {
    for body in [json!({}), json!({ "name": " " }), json!({ "name": null })] {
        assert_eq!(created(&body).unwrap_err(), Problem::Project(ProjectProblem::NameMissing), "{body}");
    }
    let scene = |member: &str, value: Value| json!({ "name": "a", "scenes": [{}, { member: value }] });
    for (member, value) in [
        ("duration", json!(700)),
        ("prompt", json!("x".repeat(32 * 1024 + 1))),
        ("type", json!("opera")),
        ("firstFrameUrl", json!("ftp://a.example/")),
        ("sceneNumber", json!("a b")),
        ("status", json!("verified")),
        ("fps", json!(0)),
    ] {
        let problem = created(&scene(member, value)).unwrap_err();
        assert_eq!(problem.path(), Some(format!("scenes[1].{member}").as_str()));
    }
    let many = json!({ "name": "a", "scenes": vec![json!({}); 201] });
    assert_eq!(created(&many).unwrap_err(), Problem::Project(ProjectProblem::TooManyScenes));
    assert_eq!(created(&json!({ "name": "a", "id": "movie" })).unwrap_err().path(), Some("id"));
    assert_eq!(created(&json!({ "name": "a", "budget": -1 })).unwrap_err().path(), Some("budget"));
}

#[test]
fn a_page_of_the_list_is_named_by_its_number_or_by_a_cursor() {
    let list = |query: &[(&str, &str)]| Route::read(&get_request("/api/v1/projects", query), &caller());
    let cursor = ApiRequest::write_cursor("3.after");
    for (query, expected) in [
        (vec![], (PageAt::Number(1), 10)),
        (vec![("page", "2"), ("limit", "25")], (PageAt::Number(2), 25)),
        (vec![("page", "2"), ("cursor", cursor.as_str())], (PageAt::Cursor(3, "after".to_owned()), 10)),
    ] {
        let Ok(Route::List(at, limit)) = list(&query) else { panic!("{query:?}") };
        assert_eq!((at, limit), expected);
    }
    for (name, query) in [
        ("limit", [("limit", "101"), ("page", "1")]),
        ("page", [("limit", "100"), ("page", "102")]),
        ("cursor", [("cursor", "%"), ("page", "1")]),
    ] {
        assert_eq!(list(&query).unwrap_err().path(), Some(name), "{query:?}");
    }
}

#[test]
fn the_paths_of_the_original_lead_to_the_same_requests() {
    let (v1, original) = ("/api/v1/projects/proj_1/scenes", "/api/projects/proj_1/scenes");
    for path in [v1, original] {
        let Ok(Route::Scenes(project)) = Route::read(&get_request(path, &[]), &caller()) else { panic!("{path}") };
        assert_eq!(project.as_str(), "proj_1");
        let Ok(Route::Generate(_, generation)) = post(&format!("{path}/s/generate"), &json!({ "cascade": false }))
        else {
            panic!("{path}")
        };
        assert_eq!((generation.scene.as_ref().map(SceneId::as_str), generation.cascade), (Some("s"), false));
    }
    assert!(post(original, &json!({})).unwrap_err().parts().0 == 405);
    assert!(Route::read(&get_request("/api/scenes/s", &[]), &caller()).unwrap_err().parts().0 == 405);
}

#[test]
fn a_generation_changes_the_scene_that_it_names() {
    let path = "/api/v1/projects/proj_1/videos/generate";
    let Ok(Route::Generate(_, all)) = post(path, &json!({})) else { panic!("all") };
    assert!(all.scene.is_none() && all.cascade && all.change.is_none());
    let body = json!({ "sceneId": "s", "type": "first-last-frame", "prompt": "A fox", "lastFrameUrl": "https://a.example/l.png" });
    let Ok(Route::Generate(_, one)) = post(path, &body) else { panic!("one") };
    let fields = one.change.map(|change| change.fields).unwrap();
    assert_eq!((one.scene.as_ref().map(SceneId::as_str), fields.prompt.as_deref()), (Some("s"), Some("A fox")));
    assert!(fields.last_frame.is_some_and(|url| url.is_some()));
    assert_eq!(post(path, &json!({ "duration": 3 })).unwrap_err().path(), Some("sceneId"));
}

#[test]
fn one_scene_or_several_are_added() {
    let path = "/api/v1/projects/proj_1/scenes";
    let added = |body: &Value| match post(path, body) {
        Ok(Route::AddScenes(_, scenes)) => scenes,
        other => panic!("{other:?}"),
    };
    let count = |body: &Value| added(body).len();
    assert_eq!(count(&json!({ "prompt": "A fox" })), 1);
    assert_eq!(count(&json!({ "scenes": [{}, {}] })), 2);
    let problem = |body: &Value| {
        let id = ProjectId::parse("proj_1").unwrap();
        let fault = scenes::read_new(&id, &[], added(body), &mut Prompts::default(), || 1).unwrap_err();
        Problem::from(fault).parts().2
    };
    let right = "must be a text that says what the video shows";
    assert_eq!(problem(&json!({ "duration": 3 })), format!("`prompt` {right}"));
    assert_eq!(problem(&json!({ "scenes": [{ "duration": 3 }] })), format!("`scenes[0].prompt` {right}"));
    let at = |body: &Value| post(path, body).unwrap_err().path().map(str::to_owned);
    assert_eq!(at(&json!({ "status": "verified" })).as_deref(), Some("status"));
    assert_eq!(post(path, &json!({ "scenes": [{ "fps": "x" }] })).unwrap_err().path(), Some("scenes[0].fps"));
    assert_eq!(post(path, &json!({ "fps": "x" })).unwrap_err().path(), Some("fps"));
}
