//! Every sample event under events/ is executed: functions answer it without failing.

use serde_json::Value;

use crate::stack::Stack;

#[tokio::test]
async fn every_sample_event_is_answered() {
    let stack = Stack::open().await;
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    let mut count = 0;
    for folder in std::fs::read_dir(&root).expect("events/").flatten() {
        let function = folder.file_name().into_string().expect("a name");
        let cases = std::fs::read_dir(folder.path()).expect("a folder").flatten();
        for case in cases.filter(|case| case.path().extension().is_some_and(|ending| ending == "json")) {
            let event: Value = serde_json::from_slice(&std::fs::read(case.path()).expect("an event")).expect("JSON");
            let (answer, error) = stack.aws.invoke(&function, &event).await;
            assert_eq!(error, None, "{function}/{:?}: {answer}", case.file_name());
            assert!(answer["statusCode"].as_u64().is_none_or(|status| status < 500), "{function}: {answer}");
            count += 1;
        }
    }
    assert!(count >= 8, "each function has a sample: {count}");
    let functions = std::fs::read_dir(root.join("../functions")).expect("functions/").flatten();
    for function in functions {
        assert!(root.join(function.file_name()).is_dir(), "{:?} has no samples", function.file_name());
    }
}
