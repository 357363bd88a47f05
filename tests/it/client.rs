//! The client of infra/client on the deployed stack: one journey, and a receiver that registers itself.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::documents::{Running, assert_is_video, folder, forget_receiver, root};
use crate::stack::Stack;

/// How long a command may take.
const TIMEOUT: Duration = Duration::from_secs(90);
/// The interval at which its end is looked for.
const POLL: Duration = Duration::from_millis(100);

/// What a command has printed, and how it ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

/// The program, which the build of all tests makes beside this one.
fn program() -> PathBuf {
    let tests = std::env::current_exe().expect("the path of this program");
    let built = tests.ancestors().nth(2).expect("a folder of binaries").join("reelhook");
    assert!(built.is_file(), "{} is not built: use `cargo xtask test --only e2e`", built.display());
    built
}

fn command(stack: &Stack, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(arguments).current_dir(folder).env("XDG_CONFIG_HOME", folder);
    command.env("REELHOOK_URL", &stack.api).env("REELHOOK_KEY", &stack.key);
    command
}

/// Runs a command until its end, and sweeps in the meantime.
async fn ended(stack: &Stack, folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = command(stack, folder, arguments);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output();
    tokio::pin!(output);
    let (deadline, mut poll) = (Instant::now() + TIMEOUT, tokio::time::interval(POLL));
    let output = loop {
        tokio::select! {
            output = &mut output => break output.expect("the program runs"),
            _ = poll.tick() => {
                assert!(Instant::now() < deadline, "{arguments:?} still runs");
                stack.sweep().await;
            }
        }
    };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let ended = Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
    assert!(!ended.out.contains(&stack.key) && !ended.err.contains(&stack.key), "{arguments:?} shows the key");
    ended
}

/// What a command that succeeds prints.
async fn done(stack: &Stack, folder: &Path, arguments: &[&str]) -> String {
    let ended = ended(stack, folder, arguments).await;
    assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
    ended.out
}

/// The progress on a line such as `   45 %  processing  Rendering frames: 450/1000`.
fn percent(line: &str) -> Option<u64> {
    line.trim_start().split_once(" %  ")?.0.parse().ok()
}

/// The values on its lines.
fn values(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).expect("JSON on each line")).collect()
}

#[tokio::test]
async fn a_person_with_only_a_key_makes_videos_and_looks_after_webhooks() {
    let stack = Stack::open().await;
    let folder = folder("client");

    let url = format!("{}/hooks/client", stack.studio);
    let out = done(&stack, &folder, &["endpoints", "add", &url, "--event", "job.*", "--json"]).await;
    let endpoint = values(&out)[0]["endpoint"]["id"].as_str().expect("an id").to_owned();
    let out = done(&stack, &folder, &["endpoints", "test", &endpoint]).await;
    assert!(out.contains(": answered 200"), "{out}");

    // A job is followed by its live events, and its end is the end of the command.
    let parameters =
        ["--country", "US", "--platform", "netflix", "--genre", "Horror", "--template", "studio:step_ms=100"];
    let out = done(&stack, &folder, &[&["submit", "job"][..], &parameters[..], &["--watch", "--json"]].concat()).await;
    let states = values(&out);
    assert!(states.iter().any(|state| state["outcome"].is_null()), "it is shown while it runs: {out}");
    let last = states.last().expect("a state");
    assert_eq!((&last["status"], &last["outcome"]), (&json!("completed"), &json!("succeeded")), "{out}");
    let job = last["id"].as_str().expect("an id").to_owned();

    let film = root().join("examples/film.json");
    let film = film.to_str().expect("UTF-8");
    // The command of the README. The request may wait until the video is there, so its first state may be its last one.
    let shown = ended(&stack, &folder, &["submit", "video", film, "--watch", "--download"]).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert_eq!(shown.err.lines().filter_map(percent).next_back(), Some(100), "{shown:?}");
    let (file, _) = shown.out.trim_end().split_once("  ").expect("a file and its size");
    assert_is_video(&folder.join(file));
    let video = Path::new(file).file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
    let again = ended(&stack, &folder, &["download", &video]).await;
    assert_eq!(again.code, Some(2), "the file exists: {again:?}");

    let delivery = stack
        .eventually("a delivery of job.completed", || async {
            let arguments = ["deliveries", "list", "--job", &job, "--endpoint", &endpoint, "--json"];
            let listed = values(&done(&stack, &folder, &arguments).await);
            let mut all = listed.into_iter();
            all.find(|one| one["event"] == "job.completed" && one["status"] == "delivered")
        })
        .await;
    let delivery = delivery["id"].as_str().expect("an id");
    done(&stack, &folder, &["replay", delivery]).await;
    stack
        .eventually("two attempts", || async {
            let shown = done(&stack, &folder, &["deliveries", "show", delivery, "--json"]).await;
            let attempts = values(&shown)[0]["attempts"].as_array().map(Vec::len);
            (attempts == Some(2)).then_some(())
        })
        .await;

    let out = done(&stack, &folder, &["endpoints", "rotate-secret", &endpoint, "--grace", "1h"]).await;
    assert_eq!((out.lines().count(), out.contains("whsec_")), (2, false), "{out}");
    let out = done(&stack, &folder, &["endpoints", "secret", &endpoint]).await;
    assert_eq!(out.lines().filter(|line| line.starts_with("whsec_")).count(), 2);
    done(&stack, &folder, &["endpoints", "remove", &endpoint]).await;

    let unknown = ended(&stack, &folder, &["show", "job_1_00000000000000000000000000000000"]).await;
    assert_eq!((unknown.code, unknown.out.as_str()), (Some(3), ""), "{unknown:?}");
    assert!(unknown.err.starts_with("error: Job not found (job_not_found, request "), "{}", unknown.err);
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn a_receiver_registers_itself_and_verifies_what_comes() {
    let stack = Stack::open().await;
    let folder = folder("client-listen");
    let listen = command(&stack, &folder, &["listen", "--register", "--event", "job.*", "--json"]);
    let mut running = Running::spawn(&stack, "client-listen", listen, &folder);
    running.until(&stack, &["\"event\":\"webhook.test\""]).await;
    let job = stack.submit("step_ms=5").await;
    running.until(&stack, &["\"event\":\"job.completed\"", &job]).await;
    let printed = running.printed();
    let webhooks: Vec<Value> = printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(!webhooks.is_empty() && webhooks.iter().all(|webhook| webhook["verified"] == true), "{printed}");
    drop(running);
    forget_receiver(&stack).await;
}
