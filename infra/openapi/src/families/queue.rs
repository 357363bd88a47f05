//! The queue: its numbers, its list of jobs, and its switches.

use reelhook_http::jobs::queue::{
    FailedJobsCleared, JobList, JobListQuery, QueueAnswer, QueueCleanedUp, QueueCleared, QueueToggled, ToggleRequest,
};

use crate::operation::{Operation, operation};

/// The operations about the queue.
pub fn operations() -> Vec<Operation> {
    let of_queue = |route, id, summary| operation("queue", route, id, summary);
    vec![
        of_queue("GET /api/queue/status", "getQueueStatus", "Get the numbers of the queue")
            .answer::<QueueAnswer>(200, "The numbers"),
        of_queue("GET /api/queue/jobs", "listJobs", "List jobs, newest first")
            .about(
                "The list has StreamGank's jobs, unless `family` names another family or all. The numbers of \
                 `/api/queue/status` and the positions in the queue cover all families, because they share the \
                 queue.\n\nParameters `metadata.<name>=<value>` select jobs whose metadata has all of these members. \
                 Such a request examines at most 1,000 jobs: a page may have fewer jobs than `limit`, or none, and a \
                 `nextCursor`. They are not in the list of parameters, because some generated clients write them as \
                 `metadata[<name>]=<value>`: append them to the query yourself.",
            )
            .query::<JobListQuery>()
            .answer::<JobList>(200, "A page of jobs"),
        of_queue("POST /api/queue/clear", "clearQueue", "Cancel waiting jobs, and remove jobs that have ended")
            .about("Processing and rendering jobs stay.")
            .answer::<QueueCleared>(200, HIDDEN),
        of_queue("POST /api/queue/toggle", "toggleQueue", "Stop or start the queue")
            .about(
                "A stopped queue starts no job. Jobs that wait stay, and none of them times out. Without `processing` \
                 the switch changes over.",
            )
            .optional_body::<ToggleRequest>()
            .answer::<QueueToggled>(200, "The state of the queue"),
        of_queue("POST /api/queue/clear-failed", "clearFailedJobs", "Remove failed jobs")
            .answer::<FailedJobsCleared>(200, HIDDEN),
        of_queue("POST /api/queue/cleanup", "cleanUpQueue", "Do due work now")
            .about("This is the due sweep that otherwise runs on a schedule.")
            .answer::<QueueCleanedUp>(200, "The due work is done"),
    ]
}

/// How jobs are removed.
const HIDDEN: &str = "The jobs are hidden immediately and removed in the background";
