//! The examples of the API's description: one walk through all operations, whose requests and answers are compared with
//! infra/openapi/examples. `REELHOOK_UPDATE_DOCS=1` rewrites the files.

mod clip_reports;
mod clips;
mod files;
mod inbox;
mod jobs;
mod projects;
mod recorder;
mod runs;
mod service;
mod task_callbacks;
mod videos;
mod webhooks;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::files::assert_same;
use self::recorder::{Recorder, literals};
use crate::stack::Stack;

#[tokio::test]
async fn every_operation_answers_as_its_example_shows() {
    let stack = Stack::open().await;
    webhooks::deleted(&stack).await;
    let mut recorder = Recorder::new(&stack);
    service::calls(&mut recorder).await;
    let video = videos::with_a_webhook(&mut recorder).await;
    let endpoint = webhooks::registered(&mut recorder).await;
    jobs::made_by_a_worker(&mut recorder).await;
    jobs::ended(&mut recorder).await;
    jobs::in_a_stopped_queue(&mut recorder).await;
    videos::waited_for(&mut recorder, &video).await;
    projects::of_our_own_renderers(&mut recorder).await;
    projects::that_fails_and_is_retried(&mut recorder).await;
    inbox::of_a_page(&mut recorder).await;
    projects::that_is_cancelled(&mut recorder).await;
    task_callbacks::of_a_project(&mut recorder).await;
    clip_reports::about_no_job(&mut recorder).await;
    clips::of_a_worker(&mut recorder).await;
    clips::of_our_own_renderers(&mut recorder).await;
    webhooks::sent(&mut recorder, &endpoint).await;
    webhooks::refused_by_their_receiver(&mut recorder).await;
    webhooks::settings_of(&mut recorder, &endpoint).await;
    jobs::cleared(&mut recorder).await;
    recorder.assert_same().await;
}

/// Compares errors with the examples: by form, then by code.
pub async fn assert_same_errors(stack: &Stack, errors: &BTreeMap<&str, BTreeMap<String, Value>>) {
    let literals = literals(stack, "errors");
    let stable = errors.iter().map(|(form, by_code)| {
        let by_code =
            by_code.iter().map(|(code, body)| (code.clone(), reelhook_openapi::examples::stable_body(body, &literals)));
        ((*form).to_owned(), json!(by_code.collect::<BTreeMap<_, _>>()))
    });
    assert_same(stack, &[("errors", stable.collect())]).await;
}
