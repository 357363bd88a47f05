//! Videos: pieces of work, renderers that have trouble, and renderers that die.

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::outbox::messages::PieceMessage;
use reelhook_app::videos::pieces::PieceOutcome;
use reelhook_domain::videos::film::{Content, Scene, SceneKind};
use reelhook_domain::{JobId, Status};
use reelhook_testkit::{NOON, Stack, a_film};

use super::{Hint, next_message, run_on_hints, sweeps};

const HOOK: &str = "https://client.example/hook";
/// Scenes of each video.
const SCENES: usize = 4;

/// A stack with a video whose pieces wait for renderers; the hints for them are on the stream.
async fn with_video() -> (Stack, JobId) {
    let stack = Stack::with(&[("WEBHOOK_URLS", "")], 3);
    let scene = |index: usize| Scene {
        kind: SceneKind::HeroTitle,
        frames: 90,
        content: Content { title: format!("Scene {index}"), ..Content::default() },
        transition: None,
        entrance: Default::default(),
    };
    let id = stack.submit_video(a_film((0..SCENES).map(scene).collect()), Some(HOOK)).await;
    stack.follow_stream().await.expect("fanout processes the stream");
    assert_eq!(stack.work().await, 1, "the hint to start");
    assert_eq!(stack.jobs.get(&id).status, Status::Processing);
    (stack, id)
}

/// Checks that a video is complete, and its client was notified of its start and its end.
fn assert_complete(stack: &Stack, id: &JobId) {
    assert_eq!((stack.jobs.get(id).status, stack.jobs.get(id).run.attempt), (Status::Completed, 1));
    assert_eq!(stack.objects.drawn().len(), SCENES, "each scene is drawn once");
    assert_eq!((stack.deliveries.all().len(), stack.deliveries.unfinished()), (2, 0));
}

#[tokio::test]
async fn each_piece_of_a_video_has_a_hint_of_its_own() {
    let (stack, id) = with_video().await;
    let mut reported = 0;
    loop {
        stack.follow_stream().await.unwrap();
        let messages = stack.pieces.receive();
        if messages.is_empty() {
            break;
        }
        for message in &messages {
            assert_eq!(stack.process_piece(message).await.unwrap(), PieceOutcome::Reported);
            reported += 1;
        }
    }
    assert_eq!(reported, SCENES + 1, "the scenes and their joining");
    run_on_hints(&stack).await;
    assert_complete(&stack, &id);
    Hint::Arrives.check_end(&stack);
}

async fn whole_video(hint: Hint) {
    let (stack, id) = with_video().await;
    hint.carry_on(&stack).await;
    assert_complete(&stack, &id);
    hint.check_end(&stack);
}

#[tokio::test]
async fn a_video_is_drawn_joined_and_announced() {
    whole_video(Hint::Arrives).await;
}

#[tokio::test]
async fn without_their_hints_open_pieces_wait_for_the_sweep() {
    whole_video(Hint::IsLost).await;
}

async fn renderer_in_trouble(hint: Hint) {
    let (stack, id) = with_video().await;
    stack.objects.faults.busy("draw", 1);
    stack.settle().await;
    assert_eq!((stack.jobs.get(&id).status, stack.objects.drawn().len()), (Status::Processing, SCENES - 1));
    hint.carry_on(&stack).await;
    assert_complete(&stack, &id);
    hint.check_end(&stack);
}

#[tokio::test]
async fn a_piece_whose_renderer_had_trouble_is_drawn_after_its_wait() {
    renderer_in_trouble(Hint::Arrives).await;
}

#[tokio::test]
async fn without_its_hint_a_piece_after_trouble_waits_for_the_sweep() {
    renderer_in_trouble(Hint::IsLost).await;
}

/// A renderer claims a piece and dies while it draws this scene.
async fn die(stack: &Stack, id: &JobId, scene: usize) {
    *stack.objects.deadly.lock().unwrap() = Some(scene);
    let message = PieceMessage::Draw { job_id: id.clone(), attempt: 1 };
    let dead = async {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        done = stack.process_piece(&message) => panic!("{done:?}"),
        () = dead => {}
    }
    *stack.objects.deadly.lock().unwrap() = None;
}

/// Two renderers die, the second one 20 s later. The sweep finds the first lease that ran out, and sends a hint for the
/// end of the second.
async fn two_dead_renderers(hint: Hint) {
    let (stack, id) = with_video().await;
    stack.follow_stream().await.unwrap();
    stack.pieces.purge();
    die(&stack, &id, 0).await;
    stack.world.advance_s(20);
    die(&stack, &id, 1).await;
    stack.world.advance_s(30);
    stack.sweep().await;
    stack.settle().await;
    assert_eq!((stack.jobs.get(&id).status, stack.objects.drawn().len()), (Status::Processing, SCENES - 1));
    hint.carry_on(&stack).await;
    assert_complete(&stack, &id);
    if hint == Hint::Arrives {
        assert_eq!(stack.world.now().since(NOON).as_secs(), 75, "the end of the second lease");
    }
    assert_eq!((next_message(&stack), sweeps(&stack)), (None, 1 + hint.sweeps()));
}

#[tokio::test]
async fn the_piece_of_a_renderer_that_died_is_drawn_when_its_lease_ends() {
    two_dead_renderers(Hint::Arrives).await;
}

#[tokio::test]
async fn without_its_hint_a_lease_that_ended_waits_for_the_next_sweep() {
    two_dead_renderers(Hint::IsLost).await;
}
