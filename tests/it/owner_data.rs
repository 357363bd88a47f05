//! The export and the deletion of an owner on the deployed stack (docs/backup.md).

use serde_json::{Value, json};

use crate::clips::backends::Backends;
use crate::clips::job::{CREDITS, JOBS, PRICE, of_page, open, page, succeeded};
use crate::clips::tokens::Owner;
use crate::scenes::project::{PROJECTS, text};
use crate::stack::Stack;
use crate::videos::{self, film};

/// One of everything that an owner can have: ids as clients know them, and where they are read.
struct Owned {
    job: String,
    video: String,
    project: String,
    clips: String,
}

impl Owned {
    async fn by(stack: &Stack, owner: &Owner) -> Self {
        let created = async |path: &str, body: &Value, id: &str| {
            let (status, answer) = owner.post(stack, path, body).await;
            assert!((200..300).contains(&status), "{path}: {answer}");
            text(&answer[id])
        };
        let workflow =
            json!({ "country": "US", "platform": "netflix", "genre": "Horror", "template": "studio:step_ms=5" });
        let mut wanted = film(1, 1.0);
        wanted["webhookUrl"] = json!(format!("{}/hooks/client", stack.studio));
        let draft = json!({ "name": "A lake", "scenes": [{ "prompt": "A lake", "status": "draft" }] });
        let owned = Self {
            job: created("/api/generate", &workflow, "jobId").await,
            video: created("/api/generate-video-async", &wanted, "jobId").await,
            project: created(PROJECTS, &draft, "id").await,
            clips: created(JOBS, &of_page(&page()), "id").await,
        };
        stack.until_status(&owned.job, "completed").await;
        videos::until(stack, &owned.video, "completed").await;
        succeeded(stack, &owned.clips).await;
        owned
    }

    fn ids(&self) -> [&str; 4] {
        [&self.job, &self.video, &self.project, &self.clips]
    }

    fn paths(&self) -> [String; 4] {
        [
            format!("/api/job/{}", self.job),
            format!("/api/job-status/{}", self.video),
            format!("{PROJECTS}/{}", self.project),
            format!("{JOBS}/{}", self.clips),
        ]
    }
}

/// What is in all files of an export.
async fn content(stack: &Stack, path: &str) -> String {
    let program = "import sys, zipfile; archive = zipfile.ZipFile(sys.argv[1]); \
                   print(*(archive.read(name).decode(errors='replace') for name in archive.namelist()))";
    let mut python = tokio::process::Command::new(stack.local.join("venv/bin/python"));
    let output = python.args(["-c", program, path]).output().await.expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test]
async fn an_owner_is_exported_and_deleted_and_another_keeps_everything() {
    let stack = open(Backends::Worker).await;
    let (ann, bob) = (Owner::of(&stack, "ann-data").await, Owner::of(&stack, "bob-data").await);
    let (of_ann, of_bob) = (Owned::by(&stack, &ann).await, Owned::by(&stack, &bob).await);
    exported(&stack, &ann, &of_ann, &of_bob).await;

    // What is under way is refused, until it has been cancelled.
    let stalled = json!({ "country": "US", "platform": "netflix", "genre": "Horror", "template": "studio:stall=3" });
    let (status, answer) = ann.post(&stack, "/api/generate", &stalled).await;
    assert_eq!(status, 200, "{answer}");
    let running = text(&answer["jobId"]);
    let deletion: [&str; 5] = ["owner-delete", "--quiet-seconds=1", "--confirm", &ann.id, &ann.id];
    let refused = stack.try_to_operate(&deletion).await.expect_err("a job is under way");
    assert!(refused.contains(&running) && refused.contains("under way"), "{refused}");
    let (status, answer) = ann.post(&stack, &format!("/api/job/{running}/cancel"), &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let counted = stack.operate(&["owner-delete", &ann.id]).await;
    assert_eq!(counted["deleted"], false);
    assert_eq!((&counted["counts"]["jobs"], &counted["counts"]["projects"]), (&json!(3), &json!(1)), "{counted}");
    let done = stack.eventually("the owner is deleted", || async { stack.try_to_operate(&deletion).await.ok() }).await;
    gone(&stack, &ann, &of_ann, &done).await;

    for path in of_bob.paths() {
        assert_eq!(bob.get(&stack, &path).await.0, 200, "{path}");
    }
    assert_eq!(bob.get(&stack, CREDITS).await.1["totalSpent"], json!(PRICE));
}

/// The export has what is the owner's, with logs and deliveries, and nothing of another.
async fn exported(stack: &Stack, ann: &Owner, of_ann: &Owned, of_bob: &Owned) {
    // The last webhook's row follows the end of what it is about.
    let path = stack.local.join(format!("{}.zip", ann.id));
    let path = path.to_str().expect("a path");
    let counts = stack
        .eventually("everything is there to be exported", || async {
            let _ = std::fs::remove_file(path);
            let counts = stack.operate(&["owner-export", "--files", &ann.id, path]).await;
            let names = ["logs", "events", "deliveries", "endpoints", "credits", "files"];
            names.iter().all(|name| counts[*name].as_u64() > Some(0)).then_some(counts)
        })
        .await;
    assert_eq!((&counts["jobs"], &counts["projects"], &counts["clips"]), (&json!(2), &json!(1), &json!(1)), "{counts}");
    let whole = content(stack, path).await;
    std::fs::remove_file(path).expect("the export");
    for id in of_ann.ids() {
        assert!(whole.contains(id), "{id} is missing");
    }
    for id in of_bob.ids() {
        assert!(!whole.contains(id), "{id} is another's");
    }
    assert!(!whole.contains("whsec_"), "no secret is exported");
}

/// Nothing of the owner is read or stored any more, but the numbers of the ledger without a name.
async fn gone(stack: &Stack, ann: &Owner, of_ann: &Owned, done: &Value) {
    for path in of_ann.paths() {
        assert_eq!(ann.get(stack, &path).await.0, 404, "{path}");
        assert_eq!(stack.get(&path).await.0, 404, "an operator: {path}");
    }
    assert_eq!(stack.aws.log_rows(&of_ann.job).await, 0);
    for prefix in [format!("films/{}/", of_ann.video), format!("clips/clip_{}/", of_ann.clips)] {
        assert!(videos::objects(stack, &prefix).await.is_empty(), "{prefix}");
    }
    let audit = text(&done["audit"]["id"]);
    let row = stack.aws.item("CreditsTable", &[("pk", &audit), ("sk", "erasure")]).await.expect("an audit row");
    assert!(!format!("{row:?}").contains(&ann.id), "it names nobody: {row:?}");
    assert!(
        stack.aws.item("CreditsTable", &[("pk", &audit), ("sk", "balance")]).await.is_some(),
        "the ledger's numbers"
    );
    let counted = stack.operate(&["owner-delete", &ann.id]).await;
    let counts = counted["counts"].as_object().expect("counts");
    assert!(counts.values().all(|count| *count == json!(0)), "{counted}");
    // Functions read the bare tombstone, and its id makes no other project.
    let again = json!({ "id": of_ann.project, "name": "Another" });
    let (status, answer) = stack.post(PROJECTS, &again).await;
    assert_eq!((status, &answer["code"]), (409, &json!("project_exists")), "{answer}");
}
