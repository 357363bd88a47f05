//! Executes every sample event under events/: functions must answer it without failing.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::job_inbox::REFUSED;
use crate::{clips, scenes};

#[tokio::test]
async fn every_sample_event_is_answered() {
    // A test before may have chosen services or a worker, which may be gone.
    scenes::project::open(scenes::backends::Backends::Own).await;
    let stack = clips::job::open(clips::backends::Backends::Own).await;
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    let answers: Value =
        serde_json::from_slice(&std::fs::read(root.join("answers.json")).expect("answers.json")).expect("JSON");
    let mut count = 0;
    for folder in std::fs::read_dir(&root).expect("events/").flatten().filter(|entry| entry.path().is_dir()) {
        let function = folder.file_name().into_string().expect("a name");
        let cases = std::fs::read_dir(folder.path()).expect("a folder").flatten();
        for case in cases.filter(|case| case.path().extension().is_some_and(|ending| ending == "json")) {
            let event: Value = serde_json::from_slice(&std::fs::read(case.path()).expect("an event")).expect("JSON");
            let (answer, error) = stack.aws.invoke(&function, &event).await;
            let name = format!("{function}/{}", case.path().file_stem().expect("a name").to_string_lossy());
            assert_eq!(error, None, "{name}: {answer}");
            // Nothing listens at the address in that sample.
            let given_again = answers[&name] == "given again";
            let failures = answer["batchItemFailures"].as_array().map_or(0, Vec::len);
            assert_eq!(failures, usize::from(given_again), "{name}: {answer}");
            // A streamed answer is not JSON: its head comes first.
            let streamed = answers[&name] == "streamed" && answer.as_str().is_some_and(|text| text.contains("404"));
            let fits = given_again || streamed || answer["statusCode"] == answers[&name];
            assert!(fits, "{name}: {answer}");
            count += 1;
        }
    }
    assert!(count >= 8, "each function has a sample: {count}");
    // One of the messages to the inbox is refused. Tests after this one find the queues empty.
    stack.aws.sqs.purge_queue().queue_url(stack.aws.output(REFUSED)).send().await.expect("an empty queue");
    let functions = std::fs::read_dir(root.join("../functions")).expect("functions/").flatten();
    for function in functions {
        assert!(root.join(function.file_name()).is_dir(), "{:?} has no samples", function.file_name());
    }
}

#[test]
fn every_route_has_a_sample() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    let (mut routes, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for folder in std::fs::read_dir(&root).expect("events/").flatten().filter(|entry| entry.path().is_dir()) {
        for case in std::fs::read_dir(folder.path()).expect("a folder").flatten() {
            let event: Value = serde_json::from_slice(&std::fs::read(case.path()).expect("an event")).expect("JSON");
            routes.extend(event["routeKey"].as_str().map(str::to_owned));
            paths.extend(event["rawPath"].as_str().map(str::to_owned));
        }
    }
    let template = include_str!("../../template.yaml");
    for line in template.lines().filter(|line| line.contains("Type: HttpApi, Properties") && line.contains("Path: '")) {
        let part = |name: &str, end: char| {
            line.split_once(name).expect("a property").1.split(end).next().expect("a value").to_owned()
        };
        // HEAD is GET to the function.
        let route = format!("{} {}", part("Method: ", ',').replace("HEAD", "GET"), part("Path: '", '\''));
        assert!(routes.contains(&route), "{route} has no sample event");
    }
    // Paths that the pages function serves without a route of their own.
    for path in
        ["/", "/dashboard", "/queue", "/openapi.json", "/health", "/api/health", "/api/test", "/api/movies/preview"]
    {
        assert!(paths.contains(path), "{path} has no sample event");
    }
}
