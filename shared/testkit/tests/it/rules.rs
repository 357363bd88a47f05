//! The shape of the workspace (ARCHITECTURE.md, Invariants): who may depend on whom, and how files look. How
//! large they may become is checked by `cargo xtask rules`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

/// Our crates that pure and shared code must not know.
const ADAPTERS: [&str; 3] = ["reelhook-aws", "reelhook-http", "reelhook-outbound"];
/// Lines of a function's main.rs.
const LONGEST_MAIN: usize = 30;
/// What loops without a place count, other than attempts: parts of a list, and leases of calls.
const COUNTED_LOOPS: [&str; 3] = ["0..PAGES", "0..READS", "0..LEASES"];
/// What a loop mentions that retries: answers that say that another writer was first, or that the store is busy.
const RETRIED: [&str; 3] = ["Conflict", "is_busy", "unprocessed"];
/// Directories without sources of ours.
const NOT_OURS: [&str; 3] = ["target", "node_modules", "venv"];

/// What we name directly and have in several versions, and why.
const SEVERAL_VERSIONS: [(&str, &str); 5] = [
    ("base64", "serde_dynamo and standardwebhooks are at 0.21, aws_lambda_events and lambda_runtime at 0.22"),
    ("schemars", "serde_with, which the Lambda events bring along, names 0.9 for an option that nobody chose"),
    ("skrifa", "cosmic-text is at 0.40, and the swash below it at 0.44"),
    ("http", "aws-smithy-protocol-test, a part of the SDK's test utilities, is at 0.2"),
    ("syn", "the derive macros of tracing and others are at 2, those of serde and clap at 3"),
];

/// What pure code has no use for: a runtime, sockets, and everything that is built on them.
const IO_CRATES: [&str; 14] = [
    "async-std",
    "aws-config",
    "aws-smithy-runtime",
    "hyper",
    "lambda_runtime",
    "mio",
    "reqwest",
    "rustls",
    "smol",
    "socket2",
    "tokio",
    "tracing-subscriber",
    "tungstenite",
    "ureq",
];

/// Ways to the clock, to chance and to the outside that stand in the standard library or in what the domain may use.
const IO_WORDS: [&str; 12] = [
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "new_v4",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A package of the workspace and its declared dependencies, by kind: `normal`, `dev` or `build`.
struct Package {
    name: String,
    dependencies: Vec<(String, String)>,
}

impl Package {
    fn names(&self, kinds: &[&str]) -> BTreeSet<&str> {
        let of_kind = self.dependencies.iter().filter(|(_, kind)| kinds.contains(&kind.as_str()));
        of_kind.map(|(name, _)| name.as_str()).collect()
    }
}

fn packages() -> Vec<Package> {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).current_dir(root());
    let output = command.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let text = |value: &Value| value.as_str().unwrap_or("normal").to_owned();
    let read = |package: &Value| Package {
        name: text(&package["name"]),
        dependencies: package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|dependency| (text(&dependency["name"]), text(&dependency["kind"])))
            .collect(),
    };
    metadata["packages"].as_array().unwrap().iter().map(read).collect()
}

fn package(name: &str) -> Package {
    packages().into_iter().find(|package| package.name == name).unwrap_or_else(|| panic!("no package `{name}`"))
}

fn ours() -> BTreeSet<String> {
    packages().into_iter().map(|package| package.name).collect()
}

/// Cargo.lock as (name, version, dependencies by name).
fn locked() -> Vec<(String, String, Vec<String>)> {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let field = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
        line.map(|text| text.trim_matches('"').to_owned())
    };
    let blocks = lock.split("[[package]]").skip(1);
    let read = |block: &str| {
        let dependencies = block.lines().filter_map(|line| line.strip_prefix(" \""));
        let names = dependencies.map(|line| line.split(['"', ' ']).next().unwrap_or_default().to_owned());
        (field(block, "name").unwrap(), field(block, "version").unwrap(), names.collect())
    };
    blocks.map(read).collect()
}

/// All dependencies of one of our packages: our own by their declarations, and those of other packages by Cargo.lock,
/// which may list more than the enabled features need, but never less.
fn everything_below(name: &str) -> BTreeSet<String> {
    let mut graph: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, _, dependencies) in locked() {
        graph.entry(name).or_default().extend(dependencies);
    }
    // Cargo.lock does not mark dev-dependencies.
    for package in packages() {
        let built: Vec<String> = package.names(&["normal", "build"]).into_iter().map(str::to_owned).collect();
        graph.insert(package.name, built);
    }
    let (mut seen, mut left) = (BTreeSet::new(), graph[name].clone());
    while let Some(next) = left.pop() {
        if seen.insert(next.clone()) {
            left.extend(graph.get(&next).into_iter().flatten().cloned());
        }
    }
    seen
}

/// Our files with this name's end, with their text.
fn files(end: &str) -> Vec<(PathBuf, String)> {
    let (mut found, mut left) = (Vec::new(), vec![root()]);
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if path.is_dir() {
                if !name.starts_with('.') && !NOT_OURS.contains(&name.as_str()) {
                    left.push(path);
                }
            } else if name.ends_with(end) {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    assert!(!found.is_empty(), "no file ends with `{end}`");
    found.sort();
    found
}

#[test]
fn the_domain_is_built_from_nothing_that_does_io() {
    // Decisions are values: the same job, event and time give the same decision, in a test and in a replay.
    assert!(everything_below("reelhook-aws").contains("mio"), "or else this test sees nothing");
    let below = everything_below("reelhook-domain");
    for name in IO_CRATES {
        assert!(!below.contains(name), "reelhook-domain is built from `{name}`");
    }
    let ours = ours();
    let edges: Vec<&String> = below.iter().filter(|name| ours.contains(*name)).collect();
    assert!(edges.is_empty(), "reelhook-domain depends on {edges:?}");
}

#[test]
fn the_domain_uses_no_clock_no_randomness_and_no_io() {
    // uuid and jiff could give both: what they are used for is not.
    for (path, text) in files(".rs").iter().filter(|(path, _)| path.starts_with("shared/domain/src")) {
        for word in IO_WORDS {
            assert!(!text.contains(word), "{} names `{word}`", path.display());
        }
    }
}

#[test]
fn the_use_cases_depend_on_no_adapter() {
    // Ports are declared beside the use case; who implements them is wired in the functions.
    let app = package("reelhook-app");
    for name in ADAPTERS {
        assert!(!app.names(&["normal", "dev", "build"]).contains(name), "reelhook-app depends on {name}");
    }
    let below = everything_below("reelhook-app");
    for name in IO_CRATES {
        assert!(!below.contains(name), "reelhook-app is built from `{name}`");
    }
}

#[test]
fn adapters_do_not_depend_on_each_other() {
    for name in ADAPTERS {
        let adapter = package(name);
        let known = adapter.names(&["normal", "dev", "build"]);
        let edges: Vec<_> = ADAPTERS.iter().filter(|other| known.contains(**other)).collect();
        assert!(edges.is_empty(), "{name} depends on {edges:?}");
    }
}

#[test]
fn signing_depends_on_nothing_of_ours() {
    // Receivers' authors may take it as it is.
    let signing = package("reelhook-signing");
    let ours = ours();
    let edges: Vec<_> =
        signing.names(&["normal", "dev", "build"]).into_iter().filter(|name| ours.contains(*name)).collect();
    assert!(edges.is_empty(), "reelhook-signing depends on {edges:?}");
}

#[test]
fn the_testkit_is_for_tests_only() {
    for package in packages() {
        let built = package.names(&["normal", "build"]);
        assert!(!built.contains("reelhook-testkit"), "{} is built from the testkit", package.name);
    }
}

#[test]
fn functions_do_not_depend_on_each_other() {
    // Every arrow between functions is a table or a queue.
    let members = files("Cargo.toml");
    let is_function =
        |name: &str| members.iter().any(|(path, _)| path == &Path::new("functions").join(name).join("Cargo.toml"));
    for package in packages().iter().filter(|package| is_function(&package.name)) {
        let edges: Vec<_> =
            package.names(&["normal", "build", "dev"]).into_iter().filter(|name| is_function(name)).collect();
        assert!(edges.is_empty(), "{} depends on {edges:?}", package.name);
    }
}

#[test]
fn direct_dependencies_exist_in_one_version() {
    // Two versions are built twice, and their types do not fit.
    let ours = ours();
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, version, _) in locked() {
        versions.entry(name).or_default().insert(version);
    }
    let excepted: BTreeSet<&str> = SEVERAL_VERSIONS.iter().map(|(name, _)| *name).collect();
    let mut several = BTreeSet::new();
    for package in packages() {
        for (name, _) in package.dependencies.iter().filter(|(name, _)| !ours.contains(name)) {
            let found = versions.get(name).unwrap_or_else(|| panic!("`{name}` is not in Cargo.lock"));
            if found.len() > 1 {
                several.insert(name.clone());
                assert!(excepted.contains(name.as_str()), "`{name}` is there as {found:?}");
            }
        }
    }
    for name in excepted {
        assert!(several.contains(name), "`{name}` needs no exception any more");
    }
}

#[test]
fn each_dependency_is_described_once_in_the_workspace() {
    // A crate with a workspace of its own can't inherit from this one.
    let is_member = |text: &str| !text.lines().any(|line| line == "[workspace]");
    for (path, text) in files("Cargo.toml").iter().filter(|(_, text)| is_member(text)) {
        let mut among_dependencies = false;
        for line in text.lines() {
            if let Some(section) = line.strip_prefix('[') {
                among_dependencies = section.contains("dependencies");
            } else if among_dependencies && !line.is_empty() && !line.starts_with('#') {
                let inherits = line.contains(".workspace = true") || line.contains("{ workspace = true");
                assert!(inherits, "{}: `{line}` does not come from [workspace.dependencies]", path.display());
            }
        }
    }
}

#[test]
fn the_main_of_a_function_only_wires() {
    // A function's tests have a main.rs too.
    let is_main = |path: &Path| path.starts_with("functions") && path.ends_with("src/main.rs");
    for (path, text) in files("main.rs").iter().filter(|(path, _)| is_main(path)) {
        let lines = text.lines().count();
        assert!(lines <= LONGEST_MAIN, "{} has {lines} lines, {LONGEST_MAIN} at most", path.display());
    }
}

#[test]
fn each_file_starts_with_its_purpose() {
    let undocumented: Vec<_> =
        files(".rs").into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(path, _)| path).collect();
    assert!(undocumented.is_empty(), "without a `//!` line: {undocumented:?}");
}

#[test]
fn every_retry_waits() {
    // After a conflict or throttling, retries use exponential backoff with jitter: `reelhook_app::retry`.
    let adapters = ["shared/app/src", "shared/aws/src", "functions"];
    for (path, text) in files(".rs").iter().filter(|(path, _)| adapters.iter().any(|start| path.starts_with(start))) {
        for line in text.lines().filter(|line| line.contains("for _ in ")) {
            let counted = COUNTED_LOOPS.iter().any(|bound| line.contains(bound));
            assert!(counted, "{} retries without `Retry`: `{}`", path.display(), line.trim());
        }
        for found in loops(text) {
            let retries = RETRIED.iter().any(|word| found.contains(word));
            let head = found.lines().next().unwrap_or_default().trim();
            assert!(!retries || found.contains(".attempt()"), "{} retries without `Retry`: `{head}`", path.display());
        }
    }
}

/// The `loop` and `while` expressions of a formatted file, from their first line to the line that closes them.
fn loops(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let begins = |line: &str| {
        let code = line.trim_start();
        code.starts_with("while ") || code == "loop {" || (code.ends_with(" loop {") && !code.starts_with("//"))
    };
    let body = |start: usize| {
        let ends = |line: &&&str| indent(line) == indent(lines[start]) && line.trim_start().starts_with('}');
        let inner = lines[start..].iter().take_while(|line| !ends(line));
        inner.copied().collect::<Vec<_>>().join("\n")
    };
    (0..lines.len()).filter(|index| begins(lines[*index])).map(body).collect()
}

#[test]
fn loops_are_found_to_their_end() {
    let first = ["    while one()", "        && two()", "    {", "        three();"];
    let second = ["    let five = loop {", "", "        six()"];
    let whole = [&["fn f() {"][..], &first, &["    }", "    four();"], &second, &["    };", "}"]].concat();
    assert_eq!(loops(&whole.join("\n")), [first.join("\n"), second.join("\n")]);
}

#[test]
fn no_test_sleeps_or_is_ignored() {
    // Tests of pure code and of use cases run in virtual time; those of processes poll with a deadline.
    let (sleep, ignored) = (concat!("sleep", "("), concat!("#[", "ignore"));
    for (path, text) in files(".rs") {
        assert!(!text.contains(ignored), "{} leaves a test out", path.display());
        let virtual_time = ["shared/app", "shared/domain", "shared/testkit", "shared/signing"];
        if virtual_time.iter().any(|start| path.starts_with(start)) {
            assert!(!text.contains(sleep), "{} sleeps", path.display());
        }
    }
}
