//! The logs of mock services are whole: nothing that a campaign compares with them was forgotten.

use crate::stack::Stack;

/// Where services show what they got and sent, and how much of it they have forgotten.
const LOGS: [&str; 6] = [
    "/hooks/main/received?limit=0",
    "/worker/jobs?job_id=none",
    "/control/genesis/jobs",
    "/control/videos/tasks",
    "/control/frames/tasks",
    "/control/stitches/tasks",
];

/// Asserts that no log has made room for newer entries.
pub async fn assert_kept(stack: &Stack) {
    for path in LOGS {
        let forgotten = stack.studio(path).await["forgotten"].as_u64();
        assert_eq!(forgotten, Some(0), "{path} shows everything: shorten the campaign, or restart the stack");
    }
}
