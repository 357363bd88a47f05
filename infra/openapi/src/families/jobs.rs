//! StreamGank's jobs.

use reelhook_http::jobs::generate::{GenerateRequest, Generated};

use crate::operation::{Operation, operation};

/// The operations about jobs.
pub fn operations() -> Vec<Operation> {
    vec![
        operation("jobs", "POST /api/generate", "generateVideo", "Submit a job")
            .idempotent(ONCE)
            .body::<GenerateRequest>()
            .answer::<Generated>(200, "The job waits in the queue")
            .codes(&["missing_parameters"]),
    ]
}

/// How long an idempotency key of a job counts.
const ONCE: &str = "Within 24 h, the same key and body of a caller get the first answer; another body gets 422. Bodies \
                    are compared by value: spaces, the order of members, `1.0` for `1`, escapes, and a form's boundary \
                    make no difference";
