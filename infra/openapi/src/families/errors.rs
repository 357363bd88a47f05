//! The errors API: errors that were raised, their dismissal, reports of clients, live updates and webhooks.

use reelhook_app::errors::stream::ErrorStreamEvent;
use reelhook_app::errors::view::{ErrorEventData, ErrorIdText};
use reelhook_http::errors::answers::{ErrorList, ErrorLogged, ErrorStats, ErrorsDismissed, OneError};
use reelhook_http::errors::requests::{DismissRequest, ErrorListQuery, ErrorReport};
use reelhook_http::typed::fields::Text;

use crate::families::live::EventStream;
use crate::operation::{Access, Operation, Webhook, operation, schema_of};

/// The operations about errors.
pub fn operations() -> Vec<Operation> {
    vec![
        operation("errors", "GET /api/v1/errors", "listErrors", "List errors")
            .about(
                "Active errors, or with `resolved=true` those whose cause has ended: the most severe first, then the \
                 newest. One cause has one error about one subject, whose `occurrences` rise.",
            )
            .query::<ErrorListQuery>()
            .answer::<ErrorList<'static>>(200, "The errors"),
        operation("errors", "GET /api/v1/errors/{id}", "getError", "Get an error")
            .path::<ErrorIdText>("id", "The error")
            .answer::<OneError<'static>>(200, "The error")
            .codes(&["error_not_found"]),
        operation("errors", "POST /api/v1/errors/dismiss", "dismissErrors", "Dismiss one error, or all")
            .about(
                "An error that is dismissed again keeps the time of its first dismissal. `all` dismisses the active \
                 errors that can be dismissed, at most 2,000 in a call. A dismissed error comes back when it is raised \
                 again.",
            )
            .optional_body::<DismissRequest>()
            .answer::<ErrorsDismissed<'static>>(200, "The error is dismissed, or the errors are")
            .codes(&["error_id_missing", "error_not_dismissible"]),
        operation("errors", "GET /api/v1/errors/stats", "getErrorStats", "Count errors")
            .about("`total` is the sum of `active` and `dismissed`. At most some thousands are counted.")
            .answer::<ErrorStats>(200, "The numbers"),
        operation("errors", "POST /api/v1/errors/log", "logError", "Report an error of a client")
            .about(
                "A page reports an error of its own. Reports of one class of errors on one page are one error. At most \
                 30 reports a minute of each caller are kept.",
            )
            .body::<ErrorReport>()
            .answer::<ErrorLogged>(200, "The report is kept"),
        operation("errors", "GET /api/v1/errors/stream", "streamErrors", "Follow errors")
            .about(
                "Each change of an error, as it is then. API Gateway buffers answers, so a request there waits for the \
                 first change, or for 25 s, and `retry` says when the client reconnects.",
            )
            .access(Access::Stream)
            .header::<Text<128>>(
                "Last-Event-ID",
                "The `id` of the last event that the client received: the stream goes on after it",
            )
            .query_parameter::<Text<128>>("lastEventId", "The same for clients that can't set headers")
            .answer_with::<EventStream<ErrorStreamEvent<'static>>>(
                200,
                "Events without a name; their data is an `ErrorStreamEvent`",
                "text/event-stream",
                &[],
            )
            .codes(&["too_many_streams"]),
    ]
}

/// The webhooks about errors.
pub fn webhooks() -> Vec<Webhook> {
    [
        ("error.raised", "An error was raised, or raised again after it was resolved or dismissed"),
        ("error.resolved", "The cause of an error has ended"),
    ]
    .map(|(event, about)| Webhook { event, about, data: schema_of::<ErrorEventData<'static>> })
    .into()
}
