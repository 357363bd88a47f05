//! Credits: the account of a caller, and credits that an operator adds.

use reelhook_http::credits::answers::AccountAnswer;
use reelhook_http::credits::requests::{CreditsBody, CreditsQuery};

use super::clips::at_both;
use super::jobs::ONCE;
use crate::operation::{Operation, operation};

/// The operations about credits.
pub fn operations() -> Vec<Operation> {
    let read = at_both(
        [
            ("GET /ai-clipping-agent/credits", "getCredits"),
            ("GET /api/ai-clipping-agent/credits", "getCreditsUnderApi"),
        ],
        |route, id| {
            of_credits(route, id, "Get the balance and the entries of an account")
                .about(
                    "An owner sees their own account; an operator that of an owner, or the one of jobs without an owner.",
                )
                .query::<CreditsQuery>()
                .answer::<AccountAnswer>(200, "The account with a page of its entries, newest first")
                .codes(&["operator_only"])
        },
    );
    let add = at_both(
        [
            ("POST /ai-clipping-agent/credits", "addCredits"),
            ("POST /api/ai-clipping-agent/credits", "addCreditsUnderApi"),
        ],
        |route, id| {
            of_credits(route, id, "Add credits to an account")
                .about("Only an operator may do it.")
                .idempotent(ONCE)
                .body::<CreditsBody>()
                .answer::<AccountAnswer>(201, "The account with the new entry")
        },
    );
    read.into_iter().chain(add).collect()
}

/// An operation with errors in the form of clip jobs.
fn of_credits(route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("credits", route, id, summary).clips()
}
