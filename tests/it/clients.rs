//! Clients that generators make of the served description: each goes on one journey, from a submission to its result and to
//! an error (infra/clients).

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::documents::{Running, folder, root};
use crate::stack::Stack;

/// Writes the served description into a new folder; returns both.
async fn description(stack: &Stack, name: &str) -> (PathBuf, PathBuf) {
    let (status, served) = stack.get("/openapi.json").await;
    assert_eq!(status, 200);
    let folder = folder(name);
    let file = folder.join("openapi.json");
    std::fs::write(&file, served.to_string()).expect("the description is written");
    (folder, file)
}

/// Runs a program to its end; returns what it printed.
async fn run(stack: &Stack, name: &str, command: Command, folder: &Path) -> String {
    Running::spawn(stack, name, command, folder).finish(stack).await
}

/// Asserts that a journey came to a video, and that the client could read the error.
fn assert_arrived(printed: &str) {
    let line = printed.lines().last().unwrap_or_default();
    let end: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {printed}"));
    assert_eq!((&end["status"], &end["refusal"]), (&json!("completed"), &json!("400 missing_parameters")), "{end}");
    assert!(end["videoUrl"].as_str().is_some_and(|url| url.starts_with("http")), "{end}");
}

#[tokio::test]
async fn the_client_of_openapi_typescript_runs_a_journey() {
    let stack = Stack::open().await;
    let (folder, description) = description(&stack, "client-of-typescript").await;
    let project = root().join("infra/clients");
    let node = |script: &str| {
        let mut command = Command::new("node");
        command.arg(project.join(script));
        command
    };
    let mut generate = node("node_modules/openapi-typescript/bin/cli.js");
    // By default a field of a request that has a default value would be required.
    generate.arg(&description).args(["--default-non-nullable", "false", "--output"]);
    generate.arg(project.join("generated/openapi.d.ts"));
    run(&stack, "openapi-typescript", generate, &folder).await;
    let mut compile = node("node_modules/typescript/bin/tsc");
    compile.arg("--project").arg(&project);
    run(&stack, "tsc", compile, &folder).await;
    assert_arrived(&run(&stack, "journey-ts", node("dist/journey.js"), &folder).await);
}

#[tokio::test]
async fn the_client_of_openapi_python_client_runs_a_journey() {
    let stack = Stack::open().await;
    let (folder, description) = description(&stack, "client-of-python").await;
    let (project, programs) = (root().join("infra/clients"), stack.local.join("venv-clients/bin"));
    let mut generate = Command::new(programs.join("openapi-python-client"));
    // What it can't describe is a fault of the description.
    generate.args(["generate", "--fail-on-warning", "--meta", "none", "--overwrite"]).arg("--path").arg(&description);
    generate.arg("--output-path").arg(folder.join("reelhook_client"));
    generate.arg("--config").arg(project.join("openapi-python-client.yaml"));
    run(&stack, "openapi-python-client", generate, &folder).await;
    // A name with a number is one that the generator had to invent.
    let models = std::fs::read_dir(folder.join("reelhook_client/models")).expect("its models").flatten();
    let invented: Vec<String> = models
        .filter_map(|file| file.file_name().into_string().ok())
        .filter(|name| name.contains("_type_") && name.contains(|character: char| character.is_ascii_digit()))
        .collect();
    assert_eq!(invented, Vec::<String>::new());
    let mut journey = Command::new(programs.join("python"));
    journey.arg(project.join("journey.py")).arg(&folder);
    assert_arrived(&run(&stack, "journey-py", journey, &folder).await);
}
