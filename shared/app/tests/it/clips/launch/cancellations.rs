//! Cancellations of submissions, as hints of the Work queue.

use reelhook_app::change::ChangeError;
use reelhook_app::outbound::{Method, OutboundError};
use reelhook_app::outbox::messages::WorkMessage;
use reelhook_testkit::{Stack, header, response};

use super::{create, paths, sent};

#[tokio::test]
async fn a_cancellation_is_sent_again_until_the_worker_confirms_it() {
    for (status, confirmed) in [(200, true), (204, true), (404, true), (429, false), (500, false), (503, false)] {
        let stack = Stack::default();
        stack.http.script(move |_| Ok(response(status, "{}")));
        let id = create(&stack, 1);
        let result = stack.work_on(&WorkMessage::CancelClip { job_id: id.clone(), number: 2 }).await;
        let is_busy = matches!(&result, Err(ChangeError::Store(error)) if error.is_busy());
        assert_eq!((result.is_ok(), is_busy), (confirmed, !confirmed), "{status}");
        assert_eq!(paths(&stack, Method::Delete), [format!("/ai-clipping/jobs/{}", id.external_id(2))]);
        assert_eq!(header(&sent(&stack, Method::Delete)[0], "x-genesis-api-key"), "the key of clips");
    }
}

#[tokio::test]
async fn a_worker_that_is_gone_or_does_not_exist_is_no_fault_of_a_job() {
    let mut stack = Stack::default();
    stack.http.script(|_| Err(OutboundError::Refused));
    let message = WorkMessage::CancelClip { job_id: create(&stack, 1), number: 1 };
    assert!(stack.work_on(&message).await.is_err(), "it is sent again");
    stack.clips.worker = None;
    assert!(stack.work_on(&message).await.is_ok(), "there is no worker any more");
    assert_eq!(stack.http.requests().len(), 1);
}
