//! Nothing is made twice: one job, video, project and clip job for each key, and one submission to a service for each
//! attempt at a task.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::work::ClipWork;
use crate::clips::job::counts;
use crate::scenes::project::{billed, scenes_of, text};
use crate::stack::Stack;

/// The tables whose items are made under keys.
const TABLES: [&str; 3] = ["JobsTable", "ProjectsTable", "ClipsTable"];
/// Attempts at a task of a service at most, before a person has to act.
const ATTEMPTS: u64 = 3;

/// The ids of all that is stored, by table.
pub struct Stored(BTreeMap<&'static str, BTreeSet<String>>);

impl Stored {
    /// What is stored now. The item of something deleted stays for some days.
    pub async fn read(stack: &Stack) -> Self {
        let mut all = BTreeMap::new();
        for table in TABLES {
            all.insert(table, ids(stack, table).await);
        }
        Self(all)
    }

    /// Asserts that since `before` exactly these were made: jobs, projects and clip jobs, each under a key of its own.
    pub fn assert_made(&self, before: &Self, made: [Vec<String>; 3]) {
        for (table, expected) in TABLES.into_iter().zip(made) {
            let keys = expected.len();
            let expected: BTreeSet<String> = expected.into_iter().collect();
            assert_eq!(expected.len(), keys, "each key has an id of its own in {table}");
            let found: BTreeSet<String> = self.0[table].difference(&before.0[table]).cloned().collect();
            assert_eq!(found, expected, "{table} has one item for each key");
        }
    }
}

async fn ids(stack: &Stack, table: &str) -> BTreeSet<String> {
    let (mut ids, mut start) = (BTreeSet::new(), None);
    loop {
        let scan = stack.aws.dynamodb.scan().table_name(stack.aws.output(table)).projection_expression("id");
        let page = scan.set_exclusive_start_key(start).send().await.expect("ids");
        ids.extend(page.items().iter().map(|item| item["id"].as_s().expect("text").clone()));
        start = page.last_evaluated_key;
        if start.is_none() {
            return ids;
        }
    }
}

/// Asserts that each submission for a completed project was sent once, and that there are no more of them than attempts.
/// A scene shows the attempts at its video. A command of a person begins new ones; so does a time that is over, which kills
/// alone do not bring about at a stitch.
pub async fn assert_submitted_once(stack: &Stack, project: &Value, commands: u64, has_faults: bool) {
    let id = text(&project["id"]);
    let mut bills = Vec::new();
    for service in ["videos", "frames", "stitches"] {
        let bill = billed(stack, service, &id).await;
        let submissions = bill["by_submission"].as_object().expect("counts").iter();
        // Requests without a key can't be told apart.
        let mut keyed = submissions.filter(|(key, _)| *key != "-");
        assert!(keyed.all(|(_, count)| *count == json!(1)), "{service} of {id}: {bill:#}");
        assert_eq!(bill["repeated"], 0, "{service} of {id}: {bill:#}");
        bills.push(bill);
    }
    let [videos, frames, stitches] = bills.as_slice() else { panic!("three services") };
    let scenes = scenes_of(project);
    for scene in scenes {
        let name = format!("{id}/{}", text(&scene["id"]));
        let (count, attempts) = (videos["by_scene"][&name].as_u64(), scene["attempt"].as_u64());
        assert!((Some(1)..=attempts).contains(&count), "{name} has {attempts:?} attempts: {videos:#}");
    }
    let of = |bill: &Value| bill["billed"].as_u64().expect("a number");
    let most = (1 + commands) * if has_faults { ATTEMPTS } else { 1 };
    assert!((1..=most).contains(&of(stitches)), "{id} after {commands} commands: {stitches:#}");
    let most = (1 + commands) * ATTEMPTS * scenes.len() as u64;
    assert!(of(frames) <= most, "{id} after {commands} commands: {frames:#}");
}

/// Asserts that a clip job was submitted to the worker once, and that its source was cut if it succeeded.
pub async fn assert_cut_once(stack: &Stack, clip: &ClipWork, has_succeeded: bool) {
    let counts = counts(stack, &clip.page).await;
    let submitted = counts["by_external_id"].as_object().expect("counts");
    assert!(submitted.iter().all(|(id, count)| *id == clip.id && *count == json!(1)), "{}: {counts:#}", clip.id);
    if has_succeeded {
        assert_eq!((submitted.len(), &counts["cut"]), (1, &json!(1)), "{}: {counts:#}", clip.id);
    }
}
