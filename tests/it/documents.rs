//! Commands in documents, run as a reader would run them: code blocks below a comment `<!-- run: NAME -->`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::scenes::media::{SAMPLES, sound};
use crate::stack::Stack;
use crate::videos::probe;

/// How long a program may run.
const TIMEOUT: Duration = Duration::from_secs(90);
/// The interval at which a program's output is read.
const POLL: Duration = Duration::from_millis(100);
/// The receiver that documents start. Functions of a local stack may call this port.
pub const RECEIVER: &str = "http://127.0.0.1:8090/";
/// The list of endpoints.
pub const ENDPOINTS: &str = "/api/webhooks/endpoints";

/// The checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The language and the code of the block with this name.
pub fn block(document: &str, name: &str) -> (String, String) {
    let text = fs::read_to_string(root().join(document)).expect("the document");
    let marker = format!("<!-- run: {name} -->");
    let mut lines = text.lines().skip_while(|line| line.trim() != marker).skip(1);
    let fence = lines.next().unwrap_or_else(|| panic!("{document} has no block `{name}`"));
    // Blocks of a list are indented.
    let indent = fence.len() - fence.trim_start().len();
    let code = lines.take_while(|line| line.trim() != "```").map(|line| line.get(indent..).unwrap_or_default());
    (fence.trim().trim_start_matches('`').to_owned(), code.collect::<Vec<_>>().join("\n"))
}

/// An empty folder for a program.
pub fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("reelhook-{}-{name}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// A block, or another program, that runs.
pub struct Running {
    process: Child,
    output: PathBuf,
}

impl Running {
    /// Starts a block in a folder, with API, KEY and these variables. A shell stays until [`Self::finish`], so that
    /// programs that it started in the background go on.
    pub fn start(stack: &Stack, document: &str, name: &str, folder: &Path, variables: &[(&str, &str)]) -> Self {
        let (language, code) = block(document, name);
        let mut command = match language.as_str() {
            "sh" => {
                let mut command = Command::new("bash");
                let before = "set -euo pipefail\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT";
                command.arg("-c").arg(format!("{before}\n{code}\nread -r _ || true\n"));
                command
            }
            "python" => {
                let mut command = python(stack);
                command.arg("-c").arg(code);
                command
            }
            other => panic!("{document}: a block of `{other}` can't be run"),
        };
        command.envs(variables.iter().copied());
        Self::spawn(stack, name, command, folder)
    }

    /// Starts a program in a folder, with API and KEY.
    pub fn spawn(stack: &Stack, name: &str, mut command: Command, folder: &Path) -> Self {
        let own = stack.local.join("venv/bin");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&path))).expect("a PATH");
        let run = PathBuf::from(std::env::var_os("REELHOOK_RUN").expect("REELHOOK_RUN names a run.json"));
        command.current_dir(folder).env("PATH", path);
        command.env("API", &stack.api).env("KEY", &stack.key).env("no_proxy", "*").env("NO_PROXY", "*");
        command.env("PYTHONPATH", root().join("docs/receivers")).env("PYTHONDONTWRITEBYTECODE", "1");
        // Marked as processes of the instance, so that they end with the instance.
        command.env("REELHOOK_INSTANCE", run.parent().expect("a folder"));
        let output = std::env::temp_dir().join(format!("reelhook-{}-{name}.txt", std::process::id()));
        let file = File::create(&output).expect("a file for the output");
        command.stderr(file.try_clone().expect("the same file")).stdout(file).stdin(Stdio::piped());
        let process = command.kill_on_drop(true).spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { process, output }
    }

    /// What it has printed so far.
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).expect("the output")).into_owned()
    }

    /// Waits until a program that stays has printed all of these texts, and sweeps in the meantime.
    pub async fn until(&mut self, stack: &Stack, texts: &[&str]) {
        let (deadline, mut poll) = (Instant::now() + TIMEOUT, tokio::time::interval(POLL));
        loop {
            poll.tick().await;
            let ended = self.process.try_wait().expect("its status");
            let printed = self.printed();
            if texts.iter().all(|text| printed.contains(text)) {
                return;
            }
            assert!(ended.is_none() && Instant::now() < deadline, "{texts:?} not printed, {ended:?}:\n{printed}");
            stack.sweep().await;
        }
    }

    /// Waits until it has ended with success, and returns what it printed.
    pub async fn finish(mut self, stack: &Stack) -> String {
        drop(self.process.stdin.take());
        let (deadline, mut poll) = (Instant::now() + TIMEOUT, tokio::time::interval(POLL));
        loop {
            poll.tick().await;
            let ended = self.process.try_wait().expect("its status");
            let printed = self.printed();
            if let Some(status) = ended {
                assert!(status.success(), "{status}:\n{printed}");
                fs::remove_file(&self.output).expect("the output is removed");
                return printed;
            }
            assert!(Instant::now() < deadline, "still running:\n{printed}");
            stack.sweep().await;
        }
    }

    /// Waits until it has ended with success, and reads what it printed as JSON.
    async fn json(self, stack: &Stack) -> Value {
        let printed = self.finish(stack).await;
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
    }
}

/// Python with the libraries of receivers.
pub fn python(stack: &Stack) -> Command {
    Command::new(stack.local.join("venv/bin/python"))
}

pub fn assert_is_video(file: &Path) {
    let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert_eq!(bytes.get(4..8), Some(b"ftyp".as_slice()), "{} is an MP4", file.display());
}

/// Deletes the endpoints at the documents' receiver.
pub async fn forget_receiver(stack: &Stack) {
    let (_, answer) = stack.get(ENDPOINTS).await;
    for endpoint in answer["endpoints"].as_array().expect("a list") {
        if endpoint["url"] == RECEIVER {
            forget(stack, endpoint["id"].as_str().expect("an id")).await;
        }
    }
}

async fn forget(stack: &Stack, endpoint: &str) {
    let answer = stack.request(Method::DELETE, &format!("{ENDPOINTS}/{endpoint}")).send().await;
    assert_eq!(answer.expect("an answer").status(), 200);
}

#[tokio::test]
async fn the_first_video_is_made_and_downloaded() {
    let stack = Stack::open().await;
    let folder = folder("first-video");
    let running = Running::start(&stack, "README.md", "first-video", &folder, &[]);
    let printed = running.finish(&stack).await;
    assert!(printed.contains("\"status\":\"completed\""), "{printed}");
    assert_has_music(&stack, &folder.join("welcome.mp4"), 6);
}

/// Asserts that a video lasts so many seconds, and that music is heard in each of them.
fn assert_has_music(stack: &Stack, file: &Path, seconds: u32) {
    assert_is_video(file);
    let found = probe(stack, file, &["-show_entries", "stream=codec_type:format=duration"]);
    let streams = found["streams"].as_array().expect("streams");
    let kinds: Vec<&str> = streams.iter().map(|stream| stream["codec_type"].as_str().expect("a type")).collect();
    assert_eq!(kinds, ["video", "audio"]);
    let length: f64 = found["format"]["duration"].as_str().and_then(|text| text.parse().ok()).expect("a duration");
    assert!((length - f64::from(seconds)).abs() < 0.001, "{length} s");
    let sound = sound(file);
    let expected = seconds as usize * SAMPLES;
    // A frame of AAC: 1,024 samples of 44.1 kHz.
    assert!(sound.len().abs_diff(expected) <= 1115, "{} samples for {expected}", sound.len());
    for (second, samples) in sound.chunks(SAMPLES).take(seconds as usize).enumerate() {
        let loudness = (samples.iter().map(|sample| sample * sample).sum::<f64>() / samples.len() as f64).sqrt();
        assert!(loudness > 100.0, "second {second} is silent: {loudness}");
    }
}

#[tokio::test]
async fn the_first_webhook_is_received_and_verified() {
    let stack = Stack::open().await;
    let mut running = Running::start(&stack, "README.md", "first-webhook", &root(), &[]);
    running.until(&stack, &[" webhook.test {", " job.completed {"]).await;
    forget_receiver(&stack).await;
    let printed = running.finish(&stack).await;
    assert!(!printed.contains("refused"), "{printed}");
}

#[tokio::test]
async fn a_python_program_verifies_the_webhook_of_its_job() {
    let stack = Stack::open().await;
    let folder = folder("python-job");
    let running = Running::start(&stack, "docs/webhooks.md", "python-job", &folder, &[]);
    let printed = running.finish(&stack).await;
    assert!(printed.contains("job.completed completed http"), "{printed}");
}

#[tokio::test]
async fn a_picture_is_uploaded_and_shown_in_a_reel() {
    let stack = Stack::open().await;
    let folder = folder("reel");
    fs::copy(root().join("docs/pages/login-desktop-light.png"), folder.join("shoe.png")).expect("a picture");
    let running = Running::start(&stack, "docs/videos.md", "reel", &folder, &[]);
    let printed = running.finish(&stack).await;
    assert!(printed.contains("\"reelsGenerated\":true"), "{printed}");
    assert_is_video(&folder.join("shoe.mp4"));
    assert_is_video(&folder.join("shoe-reel.mp4"));
}

#[tokio::test]
async fn an_endpoint_is_examined_recovered_and_given_a_new_secret() {
    let stack = Stack::open().await;
    let folder = folder("endpoint");
    let (status, answer) = stack.post(ENDPOINTS, &json!({ "url": format!("{}/hooks/documents", stack.studio) })).await;
    assert_eq!(status, 201, "{answer}");
    let id = answer["endpoint"]["id"].as_str().expect("an id");
    let endpoint = [("EP", id)];
    let running = Running::start(&stack, "docs/endpoints.md", "deliveries", &folder, &endpoint);
    let found = running.json(&stack).await;
    assert_eq!((&found["success"], &found["count"]), (&json!(true), &json!(0)), "{found}");
    let running = Running::start(&stack, "docs/endpoints.md", "recover", &folder, &endpoint);
    let found = running.json(&stack).await;
    assert_eq!((&found["success"], &found["recovery"]["dryRun"]), (&json!(true), &json!(true)), "{found}");
    let running = Running::start(&stack, "docs/endpoints.md", "rotate", &folder, &endpoint);
    let found = running.json(&stack).await;
    let secrets = found["secrets"].as_array().expect("secrets");
    assert_eq!((secrets.len(), &secrets[0]["expiresAt"]), (2, &Value::Null), "{found}");
    forget(&stack, id).await;
}
