//! The gateway that holds the connections: a message is sent, fails, or finds that its connection is closed.

use reelhook_app::live::ports::{Posted, Sockets};
use reelhook_aws::live::sockets::Gateway;

use crate::replay::{Answer, Calls, api_gateway, error, ok};

/// Sends a message that is answered so.
async fn post(answer: Answer) -> (Posted, Calls) {
    let (client, calls) = api_gateway(move |_, _| answer.clone());
    (Gateway::new(client).post("abc", r#"{"type":"pong"}"#).await, calls)
}

#[tokio::test]
async fn a_message_is_posted_to_its_connection() {
    let (posted, calls) = post(ok()).await;
    assert_eq!(posted, Posted::Done);
    let call = calls.only();
    assert_eq!(
        (call.operation.as_str(), call.raw.as_slice()),
        ("POST /@connections/abc", br#"{"type":"pong"}"#.as_slice())
    );
}

#[tokio::test]
async fn a_connection_is_closed_once() {
    for answer in [ok(), (410, error("GoneException").1)] {
        let (client, calls) = api_gateway(move |_, _| answer.clone());
        Gateway::new(client).disconnect("abc").await;
        assert_eq!(calls.only().operation, "DELETE /@connections/abc");
    }
}

#[tokio::test]
async fn a_closed_connection_is_gone() {
    let (posted, calls) = post((410, error("GoneException").1)).await;
    assert_eq!((posted, calls.all().len()), (Posted::Gone, 1));
}

#[tokio::test]
async fn anything_else_may_succeed_later_and_names_its_reason() {
    for (status, code) in [(403, "ForbiddenException"), (500, "InternalServerError"), (413, "PayloadTooLargeException")]
    {
        let (posted, _) = post((status, error(code).1)).await;
        assert!(matches!(&posted, Posted::Failed(reason) if reason.contains(code)), "{posted:?}");
    }
}
