//! A backup of a stack with every kind of job, restored into a new stack (docs/backup.md).
//!
//! `cargo xtask test --only restore` fills the first stack, takes its backup, and starts the second one with its settings.

use std::path::Path;

use serde_json::json;

use crate::clips::job::CREDITS;
use crate::stack::Stack;
use crate::upgrade::{Recording, everything_goes_on, quicken};

fn named(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} names a directory: use `cargo xtask test --only restore`"))
}

#[tokio::test]
async fn a_restored_stack_reads_the_same_and_goes_on() {
    let stack = Stack::attach().await;
    let recorded = Path::new(&named("REELHOOK_RECORDING")).join("recording.json");
    let recorded = std::fs::read(recorded).expect("a recording");
    let recording = Recording(serde_json::from_slice(&recorded).expect("JSON"));
    quicken(&stack).await;
    let backup = named("REELHOOK_BACKUP");
    let done = stack.operate(&["restore", &backup]).await;
    println!("restored {done}");
    for table in ["Jobs", "Projects", "Clips", "Credits", "Deliveries", "Endpoints", "Errors", "JobEvents", "Counters"]
    {
        assert!(done["tables"][table].as_u64() > Some(0), "the first stack had something in {table}: {done}");
    }
    assert!(done["objects"].as_u64() > Some(0), "the first stack had files: {done}");
    // The mock services have delivered and made nothing for this stack yet, so all that comes is new.
    everything_goes_on(&stack, &recording).await;
    stack
        .eventually("no credits are reserved", || async {
            let (_, account) = stack.get(CREDITS).await;
            (account["reserved"] == json!(0)).then_some(())
        })
        .await;
    let again = stack.try_to_operate(&["restore", &backup]).await.expect_err("the stack has data");
    assert!(again.contains("a backup is restored only into a new stack"), "{again}");
}
