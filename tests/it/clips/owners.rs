//! Owners: what belongs to another does not exist, lists have one's own, and operators see everything.

use reqwest::Method;
use serde_json::{Value, json};

use super::backends::Backends;
use super::job::{CREDITS, JOBS, PRICE, of_page, open, page, until_status};
use super::tokens::{Owner, claims, token};
use crate::scenes::project::{PROJECTS, text};
use crate::stack::{Stack, read};
use crate::videos::film;

/// The ids in a list.
fn ids(list: &Value, name: &str, id: &str) -> Vec<String> {
    list[name].as_array().unwrap_or_else(|| panic!("{list}")).iter().map(|one| text(&one[id])).collect()
}

/// Asserts that calls of one owner about what belongs to another are answered with 404.
async fn assert_unknown(stack: &Stack, owner: &Owner, calls: &[(Method, String)]) {
    for (method, path) in calls {
        let (status, answer) = match *method {
            Method::GET => owner.get(stack, path).await,
            _ => owner.call(stack, method.clone(), path, &json!({ "start": 0, "end": 1 })).await,
        };
        assert_eq!(status, 404, "{method} {path}: {answer}");
    }
}

#[tokio::test]
async fn clip_jobs_belong_to_the_owner_who_created_them() {
    let stack = open(Backends::Worker).await;
    let (ann, bob) = (Owner::of(&stack, "ann").await, Owner::of(&stack, "bob").await);
    let mut jobs = Vec::new();
    for owner in [&ann, &bob] {
        let (status, job) = owner.post(&stack, JOBS, &of_page(&page())).await;
        assert_eq!((status, &job["owner"]), (201, &json!(owner.id)), "{job}");
        jobs.push(text(&job["id"]));
    }
    let done = until_status(&stack, &jobs[0], "succeeded").await;
    until_status(&stack, &jobs[1], "succeeded").await;
    let one = format!("{JOBS}/{}", jobs[0]);
    assert_unknown(
        &stack,
        &bob,
        &[
            (Method::GET, one.clone()),
            (Method::GET, format!("/api{one}")),
            (Method::GET, format!("{one}/stream")),
            (Method::POST, format!("{one}/cancel")),
            (Method::POST, format!("{one}/retry")),
            (Method::POST, format!("{one}/clips/0")),
            (Method::DELETE, one.clone()),
        ],
    )
    .await;
    let (status, unknown) = bob.get(&stack, &one).await;
    let (_, nothing) = bob.get(&stack, &format!("{JOBS}/550e8400-e29b-41d4-a716-446655440000")).await;
    assert_eq!((status, &unknown["error"]), (404, &nothing["error"]), "it is as unknown as any other");
    assert_eq!(stack.get(&one).await.1["completedAt"], done["completedAt"], "nothing has changed");

    // A file has no link for another either; the link itself is one for anybody.
    let file = format!("/api/v1/files/clips/clip_{}/0-1.mp4", jobs[0]);
    let (status, answer) = bob.get(&stack, &file).await;
    assert_eq!((status, &answer["code"]), (404, &json!("file_not_found")), "{answer}");

    for (owner, own) in [(&ann, &jobs[0]), (&bob, &jobs[1])] {
        let (_, list) = owner.get(&stack, JOBS).await;
        assert_eq!(ids(&list, "jobs", "id"), [own.as_str()]);
        let (_, list) = owner.get(&stack, &format!("{JOBS}?status=failed")).await;
        assert_eq!(list["jobs"], json!([]));
    }
    let (_, list) = stack.get(JOBS).await;
    let all = ids(&list, "jobs", "id");
    assert!(jobs.iter().all(|job| all.contains(job)), "an operator sees both: {all:?}");
    assert_eq!(stack.get(&one).await.1["owner"], json!(ann.id));

    // Each pays for what is theirs.
    for (owner, own) in [(&ann, &jobs[0]), (&bob, &jobs[1])] {
        let spent = stack
            .eventually("the job is charged", || async {
                let (_, account) = owner.get(&stack, CREDITS).await;
                (account["totalSpent"] == PRICE).then_some(account)
            })
            .await;
        assert_eq!((&spent["userId"], &spent["reserved"]), (&json!(owner.id), &json!(0)), "{spent:#}");
        assert_eq!(ids(&spent, "transactions", "relatedJobId"), [own.as_str()]);
    }
    let (status, _) = ann.call(&stack, Method::DELETE, &one, &json!({})).await;
    assert_eq!(status, 204);
    assert_eq!(ann.get(&stack, &one).await.0, 404);
}

#[tokio::test]
async fn an_idempotency_key_of_one_owner_is_not_that_of_another() {
    let stack = open(Backends::Worker).await;
    let (ann, bob) = (Owner::of(&stack, "ann").await, Owner::of(&stack, "bob").await);
    let body = of_page(&page());
    let send = async |owner: &Owner| {
        let request = owner.request(&stack, Method::POST, JOBS).header("idempotency-key", &ann.id);
        let request = request.header("content-type", "application/json").body(body.to_string());
        let (status, job) = read(request.send().await.expect("an answer")).await;
        assert_eq!(status, 201, "{job}");
        text(&job["id"])
    };
    let (first, again, other) = (send(&ann).await, send(&ann).await, send(&bob).await);
    assert!(first == again && first != other, "{first} {again} {other}");
}

#[tokio::test]
async fn jobs_videos_and_projects_belong_to_their_owners_too() {
    let stack = open(Backends::Worker).await;
    let (ann, bob) = (Owner::of(&stack, "ann").await, Owner::of(&stack, "bob").await);
    let workflow = json!({ "country": "US", "platform": "netflix", "genre": "Horror", "template": "studio:step_ms=5" });
    let (status, answer) = ann.post(&stack, "/api/generate", &workflow).await;
    assert_eq!(status, 200, "{answer}");
    let job = text(&answer["jobId"]);
    let mut wanted = film(1, 1.0);
    wanted["webhookUrl"] = json!(format!("{}/hooks/client", stack.studio));
    let (status, answer) = ann.post(&stack, "/api/generate-video-async", &wanted).await;
    assert_eq!(status, 202, "{answer}");
    let video = text(&answer["jobId"]);
    let draft = json!({ "name": "Ann's", "scenes": [{ "prompt": "A lake", "status": "draft" }] });
    let (status, answer) = ann.post(&stack, PROJECTS, &draft).await;
    assert_eq!(status, 201, "{answer}");
    let project = text(&answer["id"]);

    assert_unknown(
        &stack,
        &bob,
        &[
            (Method::GET, format!("/api/job/{job}")),
            (Method::GET, format!("/api/job/{job}/stream")),
            (Method::POST, format!("/api/job/{job}/cancel")),
            (Method::GET, format!("/api/job-status/{video}")),
            (Method::GET, format!("/api/download/{video}")),
            (Method::DELETE, format!("/api/videos/{video}")),
            (Method::GET, format!("{PROJECTS}/{project}")),
            (Method::GET, format!("{PROJECTS}/{project}/stream")),
            (Method::POST, format!("{PROJECTS}/{project}/start")),
            (Method::DELETE, format!("{PROJECTS}/{project}")),
        ],
    )
    .await;
    for path in [format!("/api/job/{job}"), format!("/api/job-status/{video}"), format!("{PROJECTS}/{project}")] {
        assert_eq!(ann.get(&stack, &path).await.0, 200, "{path}");
        assert_eq!(stack.get(&path).await.0, 200, "an operator: {path}");
    }
    // The id of a project is taken for all alike.
    let again = json!({ "id": project, "name": "Another" });
    let (of_ann, of_bob) = (ann.post(&stack, PROJECTS, &again).await, bob.post(&stack, PROJECTS, &again).await);
    assert_eq!((of_bob.0, &of_bob.1["code"]), (409, &json!("project_exists")), "{}", of_bob.1);
    assert_eq!(of_bob.1["error"], of_ann.1["error"]);
    stack.until_status(&job, "completed").await;
    crate::videos::until(&stack, &video, "completed").await;
    for (path, name, id, own) in [
        ("/api/queue/jobs", "jobs", "id", &job),
        ("/api/videos", "videos", "jobId", &video),
        (PROJECTS, "projects", "id", &project),
    ] {
        let path = &format!("{path}?limit=50");
        let (_, of_ann) = ann.get(&stack, path).await;
        assert!(ids(&of_ann, name, id).contains(own), "{path}: {of_ann}");
        let (_, of_bob) = bob.get(&stack, path).await;
        assert_eq!(of_bob[name], json!([]), "{path}");
        let (_, all) = stack.get(path).await;
        assert!(ids(&all, name, id).contains(own), "{path}");
    }
    for path in ["/api/queue/status", "/api/webhooks/endpoints", "/api/v1/errors", "/api/logs/stats"] {
        let (status, answer) = ann.get(&stack, path).await;
        assert_eq!((status, &answer["code"]), (403, &json!("operator_only")), "{path}: {answer}");
    }
}

/// What belongs to one owner: ids, as paths have them.
struct Owned {
    job: String,
    render: String,
    video: String,
    project: String,
    scene: String,
    clip_job: String,
}

impl Owned {
    /// Makes one of each family, and waits until there is something to see of it.
    async fn of(stack: &Stack, owner: &Owner) -> Self {
        let workflow =
            json!({ "country": "US", "platform": "netflix", "genre": "Horror", "template": "studio:step_ms=5" });
        let job = made(owner.post(stack, "/api/generate", &workflow).await, "jobId");
        let mut wanted = film(1, 1.0);
        wanted["webhookUrl"] = json!(format!("{}/hooks/client", stack.studio));
        let video = made(owner.post(stack, "/api/generate-video-async", &wanted).await, "jobId");
        let draft = json!({ "name": "Ann's", "scenes": [{ "prompt": "A lake", "status": "draft" }] });
        let project = made(owner.post(stack, PROJECTS, &draft).await, "id");
        let clip_job = made(owner.post(stack, JOBS, &of_page(&page())).await, "id");
        let completed = stack.until_status(&job, "completed").await;
        crate::videos::until(stack, &video, "completed").await;
        until_status(stack, &clip_job, "succeeded").await;
        let (_, shown) = owner.get(stack, &format!("{PROJECTS}/{project}")).await;
        let (render, scene) = (text(&completed["creatomateId"]), text(&shown["scenes"][0]["id"]));
        Self { job, render, video, project, scene, clip_job }
    }

    /// A path about one of these; none for a path that is about nobody's.
    fn at(&self, path: &str) -> Option<String> {
        if path.starts_with("/api/music-tracks/") {
            return None;
        }
        let is_video = ["/api/job-status/", "/api/download/", "/api/videos/"].iter().any(|of| path.starts_with(of));
        let id = if path.contains("/ai-clipping-agent/") {
            &self.clip_job
        } else if path.contains("/projects/") {
            &self.project
        } else if path.starts_with("/api/scenes/") {
            &self.scene
        } else if is_video {
            &self.video
        } else {
            &self.job
        };
        let folder = format!("clip_{}", self.clip_job);
        let values: [(&str, &str); 9] = [
            ("{id}", id),
            ("{project}", &self.project),
            ("{scene}", &self.scene),
            ("{creatomateId}", &self.render),
            ("{job}", &folder),
            ("{index}", "0"),
            ("{generation}", "1"),
            ("{attempt}", "1"),
            ("{name}", "0-1.mp4"),
        ];
        let filled = values.into_iter().fold(path.to_owned(), |filled, (name, value)| filled.replace(name, value));
        (filled != path && !filled.contains('{')).then_some(filled)
    }

    /// The status of each.
    async fn statuses(&self, stack: &Stack) -> Value {
        let Self { job, video, project, clip_job, .. } = self;
        let mut statuses = vec![stack.job(job).await["status"].clone()];
        for path in [format!("/api/job-status/{video}"), format!("{PROJECTS}/{project}"), format!("{JOBS}/{clip_job}")]
        {
            statuses.push(stack.get(&path).await.1["status"].clone());
        }
        json!(statuses)
    }
}

/// A member of the answer about what was made.
fn made((status, answer): (u16, Value), id: &str) -> String {
    assert!((200..300).contains(&status), "{answer}");
    text(&answer[id])
}

/// Whether an operation is for operators only, as the description of its 403 says.
fn is_for_operators(described: &Value, operation: &Value) -> bool {
    let refused = &operation["responses"]["403"];
    let named = refused["$ref"].as_str().and_then(|name| described.pointer(name.trim_start_matches('#')));
    let codes = named.unwrap_or(refused)["description"].as_str();
    codes.is_some_and(|codes| codes.contains("`operator_only`"))
}

#[tokio::test]
async fn no_route_shows_or_changes_what_belongs_to_another() {
    let stack = open(Backends::Worker).await;
    let (ann, bob) = (Owner::of(&stack, "ann").await, Owner::of(&stack, "bob").await);
    let owned = Owned::of(&stack, &ann).await;
    let before = owned.statuses(&stack).await;
    assert_eq!(before, json!(["completed", "completed", "draft", "succeeded"]));
    let described: Value =
        serde_json::from_str(include_str!("../../../functions/pages/openapi/openapi.json")).expect("JSON");
    let mut refused = 0;
    for (template, operations) in described["paths"].as_object().expect("paths") {
        let Some(path) = owned.at(template).filter(|_| !template.starts_with("/w/")) else { continue };
        for (method, operation) in operations.as_object().expect("operations") {
            let is_page = operation["tags"] == json!(["pages"]);
            if !operation["operationId"].is_string() || is_page || is_for_operators(&described, operation) {
                continue;
            }
            // What routes need before they look for what they are about; they ignore other members.
            let body = if template.ends_with("/scenes") {
                json!({ "prompt": "A lake" })
            } else {
                json!({ "start": 0, "end": 1, "videoUrl": "https://cdn.example/v.mp4" })
            };
            let method: Method = method.to_uppercase().parse().expect("a method");
            let (status, answer) = if method == Method::GET {
                bob.get(&stack, &path).await
            } else {
                bob.call(&stack, method.clone(), &path, &body).await
            };
            assert_eq!(status, 404, "{method} {path}: {answer}");
            let code = answer["code"].as_str().unwrap_or("unknown_route");
            assert_ne!(code, "unknown_route", "{method} {path}: {answer}");
            refused += 1;
        }
    }
    assert!(refused > 45, "{refused}");
    for (of, code) in [
        (json!({ "jobId": owned.job }), "job_not_found"),
        (json!({ "jobId": owned.video }), "job_not_found"),
        (json!({ "projectId": owned.project }), "project_not_found"),
        (json!({ "clipJobId": owned.clip_job }), "clip_job_not_found"),
    ] {
        let (status, answer) = bob.post(&stack, "/api/stream-token", &of).await;
        assert_eq!((status, &answer["code"]), (404, &json!(code)), "{of}: {answer}");
    }
    assert_eq!(owned.statuses(&stack).await, before, "nothing has changed");
}

#[tokio::test]
async fn only_a_valid_token_is_an_owner_s() {
    let stack = open(Backends::Worker).await;
    let (secrets, now) = (stack.aws.secret("JWT_SECRET").await, claims("carl"));
    let seconds = |name: &str| now[name].as_u64().expect("seconds");
    let with = |name: &str, value: Value| {
        let mut claims = now.clone();
        claims[name] = value;
        claims
    };
    let send = async |token: &str| {
        let request = stack.http.get(format!("{}{JOBS}", stack.api)).bearer_auth(token);
        read(request.send().await.expect("an answer")).await.0
    };
    // Each secret of the list is valid.
    for secret in secrets.split(',') {
        assert_eq!(send(&token(&now, secret)).await, 200);
    }
    let good = token(&now, &secrets);
    let (head, mac) = good.rsplit_once('.').expect("three parts");
    let payload = head.split_once('.').expect("two parts").1;
    // {"alg":"none","typ":"JWT"}
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
    let flipped = match mac.strip_prefix('A') {
        Some(rest) => format!("{head}.B{rest}"),
        None => format!("{head}.A{}", &mac[1..]),
    };
    for bad in [
        token(&with("exp", json!(seconds("iat") - 3600)), &secrets),
        token(&with("nbf", json!(seconds("exp"))), &secrets),
        token(&with("sub", json!("")), &secrets),
        token(&with("exp", Value::Null), &secrets),
        token(&now, "a secret of somebody else, of 32 bytes"),
        none,
        flipped,
        format!("{head}."),
        "a.b.c".to_owned(),
    ] {
        assert_eq!(send(&bad).await, 401, "{bad}");
    }
    // The cookie of another application counts only for this application's own pages.
    let cookie = async |origin: &str, content_type: &str| {
        let request = stack.http.post(format!("{}{JOBS}/estimate", stack.api)).body("{}");
        let request = request.header("cookie", format!("vc_access_token={good}"));
        let request = request.header("origin", origin).header("content-type", content_type);
        read(request.send().await.expect("an answer")).await
    };
    let own = cookie(&stack.api, "application/json").await;
    assert_eq!(own.0, 200, "{}", own.1);
    // A page sends such a body without a preflight.
    let foreign = cookie("https://evil.example", "text/plain").await;
    assert_eq!((foreign.0, &foreign.1["code"]), (403, &json!("foreign_page")), "{}", foreign.1);
}
