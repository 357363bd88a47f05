//! The cost of a project of ten scenes, each from the last frame of the one before: at services, and by our renderers.

use reelhook_aws::projects::item::from_item;
use reelhook_domain::ProjectStatus;
use serde_json::json;

use super::deployed::{CallbacksBy, deployed};
use super::rows::{Row, share, total};
use super::{Case, compare, log_at_rest, quietly};
use crate::scenes::backends::Backends;
use crate::scenes::project::{behave, command, fast, made, open, scenes};
use crate::stack::Stack;

/// The scenes of a project.
const SCENES: usize = 10;
/// How long a video takes at its service: until after its second poll, with the timers of tests.
const VIDEO_MS: u32 = 4000;
/// How long a last frame and the stitch take: not until they are polled.
const IMAGE_MS: u32 = 300;

const FUNCTIONS: &[&str] = &["projects", "scene-webhooks", "worker", "fanout", "dispatcher", "render"];
const API: &[&str] = &["projects", "scene-webhooks"];
/// Its creation and its start.
const REQUESTS: (&str, f64) = ("projects", 2.0);

/// A project whose videos, last frames and stitch are made by services, which call back with tokens.
const AT_SERVICES: Case = Case {
    section: "cost-services",
    of: "project",
    functions: FUNCTIONS,
    api: API,
    requests: REQUESTS,
    // A second for each copy: of the video and of the last frame of each scene, and of the final video.
    render_seconds: 21.0,
    exact: false,
    attempts: 3,
    more: &[],
    notes: notes_on_services,
};

/// A project that our own renderers make.
const OWN: Case = Case {
    section: "cost-own",
    of: "project",
    functions: FUNCTIONS,
    api: API,
    requests: REQUESTS,
    // 2 s for a card, 1 s for a last frame, 10 s for the stitch.
    render_seconds: 40.0,
    exact: false,
    attempts: 3,
    more: &[],
    notes: notes_on_own,
};

#[tokio::test]
async fn a_project_at_services_calls_aws_as_often_as_the_docs_say() {
    let stack = open(Backends::Services).await;
    deployed(&stack, CallbacksBy::Api, count(&stack, Backends::Services, &AT_SERVICES)).await;
}

#[tokio::test]
async fn a_project_of_our_own_renderers_calls_aws_as_often_as_the_docs_say() {
    let stack = open(Backends::Own).await;
    deployed(&stack, CallbacksBy::Api, count(&stack, Backends::Own, &OWN)).await;
}

async fn count(stack: &Stack, backends: Backends, case: &Case) {
    // Warms up all functions.
    run_project(stack, backends, 2).await;
    compare(stack, case, async || run_project(stack, backends, SCENES).await).await;
}

/// A project from its creation to its completion, with all copies, without a request that asks how it is.
async fn run_project(stack: &Stack, backends: Backends, count: usize) {
    let (id, _) = made(stack, scenes(count)).await;
    if backends == Backends::Services {
        for (service, ms) in [("videos", VIDEO_MS), ("frames", IMAGE_MS), ("stitches", IMAGE_MS)] {
            let settings = fast(json!({ "task": { "ms": ms }, "callback": { "progress": true } }));
            behave(stack, service, &id, settings).await;
        }
    }
    command(stack, &id, "start").await;
    quietly("a completed project with all copies", async || {
        let item = stack.aws.item("ProjectsTable", &[("id", &id)]).await.expect("the project");
        let status = from_item("read project", &item).expect("a project").status();
        assert_ne!(status, ProjectStatus::Failed, "{id}");
        status == ProjectStatus::Completed && !item.contains_key("due_at")
    })
    .await;
    log_at_rest(stack).await;
}

/// The shares of services of AWS, and the table of tables.
fn shares(rows: &[Row], tables: &str) -> String {
    let [dynamodb, lambda, s3] = ["DynamoDB", "Lambda", "S3"].map(|service| share(rows, service));
    let render = rows.iter().filter(|row| row.function == "render" && row.operation.starts_with("Lambda"));
    let (render, scene) = (render.map(|row| row.price).sum::<f64>(), total(rows) / SCENES as f64);
    format!(
        "Of this DynamoDB's calls are ${dynamodb:.2}, Lambda's runs ${lambda:.2}, ${render:.2} of them `render`'s, and \
         S3's requests\n${s3:.2}. For each scene this is **${scene:.2}**, with its share of the rest.\n\n{tables}\n"
    )
}

fn notes_on_services(rows: &[Row], tables: &str) -> String {
    shares(rows, tables) + NOTES_ON_SERVICES + NOTES
}

fn notes_on_own(rows: &[Row], tables: &str) -> String {
    shares(rows, tables) + NOTES_ON_OWN + NOTES
}

const NOTES_ON_SERVICES: &str = "\
- The project: each video is polled twice, and each task calls back twice with a token, when it begins and when it is
  done; the files of each scene and of the final video are copied into the bucket; `dispatcher`'s rows are for the
  notification. `scene.*` and `project.*` have no subscriber.
- Assumed: a second of `render` for each copy, with 3,008 MB.
";

const NOTES_ON_OWN: &str = "\
- The project: a card and a last frame for each scene, and one stitch; `dispatcher`'s rows are for the
  notification. Nothing is submitted, polled, called back or copied.
- Assumed: 2 s of `render` for a card of 5 s, 1 s for a last frame, 10 s for the stitch, with 3,008 MB.
";

const NOTES: &str = "\
- Counted, priced and otherwise assumed as for a job, above. The table of tables is of the same project, without
  the leases of calls; an item that is in a transaction counts twice in units. Left out: clients and pages that ask how
  the project is, what the services cost, traffic, and files ($0.023 per GB and month, up to 180 days).

Written by `REELHOOK_UPDATE_DOCS=1 cargo xtask test --only e2e`; tests/it/cost/projects.rs fails where a project makes a
fifth more of some calls, or where the sum is off by a fifth.
";
