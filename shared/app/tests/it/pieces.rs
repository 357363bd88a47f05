//! Videos from submission to notification: rendered in pieces or by Creatomate, composed here; and crashes of renderers.

use std::sync::Arc;
use std::time::Duration;

use reelhook_app::catalog::Movie;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::outbox::messages::PieceMessage;
use reelhook_app::videos::pieces::{PieceOutcome, last_start};
use reelhook_app::views::captions::step_shown;
use reelhook_domain::videos::film::{
    Content, Entrance, Film, ImageRef, Music, Quality, Rendition, Scene, SceneKind, Theme, Transition,
};
use reelhook_domain::videos::render::Renderer;
use reelhook_domain::{DeliveryStatus, Event, Job, JobId, Status, Timestamp};
use reelhook_testkit::{NOON, ScriptedHttp, Stack, body_of, header, headers, make_job, response};
use serde_json::{Value, json};

const HOOK: &str = "https://client.example/hook";

fn scene(title: &str, frames: u32) -> Scene {
    let content = Content { title: title.to_owned(), ..Content::default() };
    Scene { kind: SceneKind::HeroTitle, frames, content, transition: None, entrance: Default::default() }
}

fn film(scenes: usize) -> Film {
    Film {
        title: Some("A film".to_owned()),
        theme: Theme::Corporate,
        quality: Quality::FullHd,
        reels: false,
        music: None,
        scenes: (0..scenes).map(|place| scene(&format!("Scene {place}"), 90)).collect(),
        places: Vec::new(),
    }
}

fn quiet() -> Stack {
    Stack::with(&[("WEBHOOK_URLS", "")], 3)
}

fn job(stack: &Stack, id: &JobId) -> Job {
    stack.jobs.get(id)
}

/// The bodies of the client's webhooks, in order.
fn notifications(stack: &Stack) -> Vec<Value> {
    stack.http.requests().iter().filter(|request| request.url.as_str() == HOOK).map(body_of).collect()
}

#[tokio::test]
async fn a_video_sends_started_and_completed_in_the_form_of_seed_002() {
    let stack = quiet();
    let id = stack.submit_video(film(3), Some(HOOK)).await;
    stack.world.advance_s(10);
    stack.settle().await;
    let made = job(&stack, &id);
    assert_eq!((made.status, made.run.progress), (Status::Completed, 100));
    let key = format!("videos/2024-01-01/standard/{id}.mp4");
    assert_eq!(stack.objects.stored()[&key], b"[Landscape 0][Landscape 1][Landscape 2]");
    assert_eq!(stack.objects.left(), 0, "no temporary file is left");

    let notifications = notifications(&stack);
    assert_eq!(notifications.len(), 2, "{notifications:?}");
    let started = json!({
        "jobId": id.as_str(), "status": "started", "message": "Video generation started",
        "timestamp": "2024-01-01T12:00:10.000Z",
    });
    assert_eq!(notifications[0], started);
    let completed = &notifications[1];
    for (name, expected) in [
        ("jobId", json!(id.as_str())),
        ("status", json!("completed")),
        ("progress", json!(100)),
        ("message", json!("Video generated successfully")),
        ("videoUrl", json!(format!("/api/download/{id}"))),
        ("duration", json!(9)),
        ("scenes", json!(3)),
        ("reelsGenerated", json!(false)),
    ] {
        assert_eq!(completed[name], expected, "{name} of {completed}");
    }
    assert_eq!(completed["s3Upload"]["standard"]["s3Key"], json!(key));
    assert_eq!(completed["s3Upload"]["standard"]["expiresIn"], json!("7 days"));
    let requests = stack.http.requests();
    let sent = requests.last().expect("a webhook");
    assert_eq!(header(sent, "user-agent"), "VidBuilder/1.0");
    assert_eq!(header(sent, "x-webhook-event"), "completed");
    let hex = header(sent, "x-webhook-signature");
    assert!(hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hex}");
    assert!(headers(sent).contains_key("webhook-signature") && !headers(sent).contains_key("x-streamgank-event"));
}

#[tokio::test]
async fn the_portrait_rendition_has_its_own_link() {
    let stack = quiet();
    let id = stack.submit_video(Film { reels: true, ..film(2) }, None).await;
    stack.settle().await;
    let made = job(&stack, &id);
    let renditions: Vec<Rendition> = made.videos().iter().map(|video| video.rendition).collect();
    assert_eq!(renditions, [Rendition::Landscape, Rendition::Portrait]);
    assert!(made.videos()[1].link.contains(&format!("/api/download/{id}_reels?token=")));
    assert_eq!(stack.objects.drawn().len(), 4);
}

#[tokio::test]
async fn a_renderer_crash_repeats_only_its_own_scene() {
    let stack = quiet();
    *stack.objects.deadly.lock().unwrap() = Some(2);
    let id = stack.submit_video(film(4), Some(HOOK)).await;
    let message = PieceMessage::Draw { job_id: id.clone(), attempt: 1 };
    stack.follow_stream().await.unwrap();
    stack.work().await;
    stack.follow_stream().await.unwrap();
    stack.pieces.purge();
    for _ in 0..2 {
        assert_eq!(stack.process_piece(&message).await.unwrap(), PieceOutcome::Reported);
    }
    // The third renderer crashes while it renders its scene; the others continue.
    tokio::select! {
        done = stack.process_piece(&message) => panic!("{done:?}"),
        () = turns(200) => {}
    }
    assert_eq!(stack.process_piece(&message).await.unwrap(), PieceOutcome::Reported);
    assert_eq!(stack.process_piece(&message).await.unwrap(), PieceOutcome::NothingOpen, "its scene is still leased");
    *stack.objects.deadly.lock().unwrap() = None;
    let before = stack.world.now();
    while !job(&stack, &id).status.is_final() {
        stack.world.advance_s(60);
        stack.sweep().await;
        stack.settle().await;
        assert!(
            stack.world.now().since(before) <= Duration::from_secs(120),
            "the scene is rendered again within two minutes"
        );
    }
    assert_eq!(job(&stack, &id).run.attempt, 1);
    let mut scenes: Vec<usize> = stack.objects.drawn().into_iter().map(|(_, scene)| scene).collect();
    scenes.sort_unstable();
    assert_eq!(scenes, [0, 1, 2, 3], "each was rendered once");
    let completed: Vec<Value> =
        notifications(&stack).into_iter().filter(|body| body["status"] == "completed").collect();
    assert_eq!(completed.len(), 1);
}

/// A film of four scenes that waits for renderers without hints, and the message of a hint.
async fn waiting(stack: &Stack) -> (JobId, PieceMessage) {
    let id = stack.submit_video(film(4), Some(HOOK)).await;
    stack.follow_stream().await.unwrap();
    stack.work().await;
    stack.follow_stream().await.unwrap();
    stack.pieces.purge();
    let message = PieceMessage::Draw { job_id: id.clone(), attempt: 1 };
    (id, message)
}

/// A time after the end of any of these tests.
fn in_an_hour(stack: &Stack) -> Timestamp {
    stack.world.now().after(Duration::from_secs(3600))
}

#[tokio::test]
async fn a_renderer_continues_with_the_next_piece() {
    let stack = quiet();
    let (id, message) = waiting(&stack).await;
    assert_eq!(stack.process_pieces(&message, in_an_hour(&stack)).await.unwrap(), 5, "four scenes and the join");
    assert_eq!((job(&stack, &id).status, stack.objects.drawn().len()), (Status::Completed, 4));
    assert_eq!(
        stack.process_pieces(&message, in_an_hour(&stack)).await.unwrap(),
        0,
        "another hint finds nothing to do"
    );
}

#[tokio::test]
async fn a_renderer_with_little_time_left_starts_no_further_piece() {
    let stack = quiet();
    let (id, message) = waiting(&stack).await;
    let now = stack.world.now();
    assert_eq!(stack.process_pieces(&message, now).await.unwrap(), 1, "the first piece is rendered in any case");
    // The second scene takes so long that no time is left for a third one.
    let world = Arc::clone(&stack.world);
    stack.jobs.before("save", move |_| world.advance_s(200));
    assert_eq!(stack.process_pieces(&message, now.after(Duration::from_secs(150))).await.unwrap(), 1);
    assert_eq!(job(&stack, &id).status, Status::Processing);
    assert_eq!(stack.objects.drawn().len(), 2);
}

#[tokio::test]
async fn a_renderer_continues_after_a_failed_piece() {
    let stack = quiet();
    let (id, message) = waiting(&stack).await;
    stack.objects.faults.busy("draw", 1);
    assert_eq!(stack.process_pieces(&message, in_an_hour(&stack)).await.unwrap(), 4, "one failed, three were rendered");
    assert_eq!((job(&stack, &id).status, stack.objects.drawn().len()), (Status::Processing, 3));
    stack.world.advance_s(30);
    assert_eq!(stack.process_pieces(&message, in_an_hour(&stack)).await.unwrap(), 2);
    assert_eq!(job(&stack, &id).status, Status::Completed);
}

#[tokio::test]
async fn a_renderer_stops_when_the_job_has_ended() {
    let stack = quiet();
    let (id, message) = waiting(&stack).await;
    assert!(stack.jobs.apply(&id, &Event::Cancel, stack.world.now(), &stack.policy));
    assert_eq!(stack.process_pieces(&message, in_an_hour(&stack)).await.unwrap(), 0);
    let (id, message) = waiting(&stack).await;
    let (at, policy, of) = (stack.world.now(), stack.policy.clone(), id.clone());
    stack.jobs.before("save", |_| {});
    stack.jobs.before("save", move |jobs| assert!(jobs.apply(&of, &Event::Cancel, at, &policy)));
    assert_eq!(stack.process_pieces(&message, in_an_hour(&stack)).await.unwrap(), 0, "its result is ignored");
    assert_eq!(job(&stack, &id).status, Status::Cancelled);
}

#[tokio::test]
async fn two_renderer_crashes_repeat_their_scenes_within_two_minutes() {
    let stack = quiet();
    let (id, message) = waiting(&stack).await;
    for scene in [0, 1] {
        *stack.objects.deadly.lock().unwrap() = Some(scene);
        tokio::select! {
            done = stack.process_piece(&message) => panic!("{done:?}"),
            () = turns(200) => {}
        }
        stack.world.advance_s(20);
    }
    *stack.objects.deadly.lock().unwrap() = None;
    let died = stack.world.now();
    while !job(&stack, &id).status.is_final() {
        stack.world.advance_s(1);
        if stack.world.now().seconds() % 60 == 50 {
            stack.sweep().await;
        }
        stack.settle().await;
        assert!(
            stack.world.now().since(died) <= Duration::from_secs(120),
            "both scenes are rendered again within two minutes"
        );
    }
    assert_eq!((job(&stack, &id).status, job(&stack, &id).run.attempt), (Status::Completed, 1));
    assert_eq!(stack.objects.drawn().len(), 4, "each scene was rendered once");
}

#[test]
fn a_piece_is_started_while_two_thirds_of_the_time_are_left() {
    for (began, deadline, expected) in [
        (0, 900_000, 300_000),
        (1_000, 31_000, 11_000),
        (0, 3, 1),
        (500, 500, 500),
        (900, 500, 500),
        (0, i64::MAX, i64::MAX / 3 + 1),
    ] {
        assert_eq!(last_start(Timestamp(began), Timestamp(deadline)), Timestamp(expected), "{began} to {deadline}");
    }
}

/// Yields to other tasks `count` times.
async fn turns(count: usize) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_edit_of_one_scene_renders_one_scene() {
    let stack = quiet();
    stack.submit_video(film(5), None).await;
    stack.settle().await;
    let mut edited = film(5);
    edited.scenes[3] = scene("Something else", 90);
    let id = stack.submit_video(edited, None).await;
    stack.settle().await;
    assert_eq!(job(&stack, &id).status, Status::Completed);
    assert_eq!(stack.objects.drawn().len(), 6);
}

#[tokio::test]
async fn an_unavailable_image_fails_the_video_and_the_error_has_its_path() {
    let stack = quiet();
    let mut bad = film(2);
    bad.scenes[1].content.images.push(ImageRef::Key("uploads/0123456789abcdef0123456789abcdef.png".to_owned()));
    let id = stack.submit_video(bad, Some(HOOK)).await;
    stack.settle().await;
    let failed = job(&stack, &id);
    assert_eq!((failed.status, failed.retries.used), (Status::Failed, 0));
    let error = failed.run.error.unwrap();
    assert!(error.starts_with("scenes[1].content.images[0]: the image `uploads/"), "{error}");
    assert_eq!(notifications(&stack)[1]["error"], json!(error));
}

#[tokio::test]
async fn a_renderer_failure_is_retried_and_keeps_the_rendered_scenes() {
    let stack = quiet();
    stack.objects.faults.busy("draw", 1);
    let id = stack.submit_video(film(3), Some(HOOK)).await;
    stack.settle().await;
    assert_eq!((job(&stack, &id).status, stack.objects.drawn().len()), (Status::Processing, 2));
    stack.world.advance_s(30);
    stack.settle().await;
    assert_eq!((job(&stack, &id).status, job(&stack, &id).run.attempt), (Status::Completed, 1));
    assert_eq!(stack.objects.drawn().len(), 3);
    let statuses: Vec<Value> = notifications(&stack).into_iter().map(|body| body["status"].clone()).collect();
    assert_eq!(statuses, ["started", "completed"], "`started` is sent once");
}

#[tokio::test]
async fn cancelling_notifies_the_client_of_a_failure() {
    let stack = quiet();
    let id = stack.submit_video(film(2), Some(HOOK)).await;
    stack.follow_stream().await.unwrap();
    assert!(stack.jobs.apply(&id, &Event::Cancel, stack.world.now(), &stack.policy));
    stack.settle().await;
    let notifications = notifications(&stack);
    assert_eq!(
        (notifications.len(), &notifications[0]["status"], &notifications[0]["error"]),
        (1, &json!("failed"), &json!("Cancelled"))
    );
    assert_eq!(stack.objects.drawn(), []);
}

#[tokio::test]
async fn an_undelivered_started_webhook_is_stopped_once_the_video_completes() {
    let stack = quiet();
    stack.http.script(|_| Ok(response(500, "")));
    let id = stack.submit_video(film(1), Some(HOOK)).await;
    stack.settle().await;
    stack.http.script(|_| Ok(response(200, "")));
    let waiting = |stack: &Stack| {
        let all = stack.deliveries.all();
        all.iter().map(|delivery| (delivery.event.name(), delivery.status)).collect::<Vec<_>>()
    };
    assert_eq!(job(&stack, &id).status, Status::Completed);
    let mut all = waiting(&stack);
    all.sort_by_key(|(name, _)| *name);
    assert_eq!(all, [("video.completed", DeliveryStatus::Pending), ("video.started", DeliveryStatus::Stopped)]);
    let delivery =
        stack.deliveries.all().into_iter().find(|delivery| delivery.status == DeliveryStatus::Pending).unwrap();
    let wait = delivery.next_attempt_at.millis_since(delivery.created_at);
    assert!((30_000..=37_500).contains(&wait), "30 s, and at most a quarter of jitter: {wait}");
    stack.world.advance(Duration::from_secs(40));
    stack.settle().await;
    assert_eq!(notifications(&stack).last().unwrap()["status"], json!("completed"));
}

#[tokio::test]
async fn creatomate_renders_a_film_and_its_file_is_copied() {
    let mut stack = quiet();
    stack.worker.renderer = Renderer::Creatomate;
    stack.http = ScriptedHttp::new(|request| {
        let path = request.url.path();
        Ok(match (request.body.is_empty(), path) {
            (false, "/v1/renders") => {
                let script = body_of(request);
                assert_eq!(script["source"]["width"], json!(1920));
                assert_eq!(script["source"]["elements"].as_array().unwrap().len(), 3);
                assert_eq!(script["source"]["elements"][2]["volume"], json!("30%"));
                response(202, r#"[{"id": "render_1", "status": "planned"}]"#)
            }
            (true, "/v1/renders/render_1") => {
                response(200, r#"{"id": "render_1", "status": "succeeded", "url": "https://cdn.example/v.mp4"}"#)
            }
            (true, "/v.mp4") => response(200, "the video"),
            _ => response(200, ""),
        })
    });
    let music = Music { track: "corp-1".to_owned(), volume: 0.3, fade_in_ms: 1000, fade_out_ms: 2000 };
    let id = stack.submit_video(Film { music: Some(music), ..film(2) }, Some(HOOK)).await;
    stack.settle().await;
    assert_eq!(job(&stack, &id).status, Status::Processing);
    stack.world.advance_s(11);
    stack.settle().await;
    assert_eq!(job(&stack, &id).status, Status::Completed);
    assert_eq!(stack.objects.stored()[&format!("videos/2024-01-01/standard/{id}.mp4")], b"the video");
}

fn movie(id: u64, title: &str) -> Movie {
    Movie {
        id,
        title: title.to_owned(),
        platform: "Netflix".to_owned(),
        year: 2019,
        imdb_score: 7.5,
        imdb_votes: 120_000,
        runtime_minutes: 98,
        trailer_url: String::new(),
        poster_url: String::new(),
        streaming_url: String::new(),
        genres: vec!["Comédie".to_owned()],
        content_type: "Film".to_owned(),
    }
}

#[tokio::test]
async fn without_a_worker_a_job_gets_its_video_in_the_same_seven_steps() {
    let mut stack = Stack::default();
    stack.worker.url = None;
    *stack.catalog.0.lock().unwrap() = vec![movie(1, "One"), movie(2, "Two"), movie(3, "Three")];
    let id = stack.submit(1);
    stack.settle().await;
    let made = job(&stack, &id);
    assert_eq!(made.status, Status::Completed);
    assert_eq!(made.run.engine.steps().unwrap().records.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7]);
    let versions = stack.jobs.stream();
    let mut shown: Vec<u8> = versions.iter().filter_map(|version| step_shown(&version.run.caption)).collect();
    shown.dedup();
    assert_eq!(shown, [1, 2, 3, 4, 5, 6, 7], "pages parse the steps from the captions, in order");
    assert!(made.run.video_url.unwrap().starts_with("https://reelhook.example/api/download/job_"));
    assert_eq!(stack.objects.drawn().len(), 5, "a title, three movies and a last card");
    let events: Vec<&str> = stack.deliveries.all().iter().map(|delivery| delivery.event.name()).collect();
    assert_eq!(events, ["job.completed"]);
}

#[tokio::test]
async fn without_a_worker_a_job_pauses_after_extraction_and_fails_without_movies() {
    let mut stack = Stack::default();
    stack.worker.url = None;
    let id = stack.submit(1);
    stack.settle().await;
    let failed = job(&stack, &id);
    assert_eq!(failed.status, Status::Failed);
    assert!(failed.run.error.unwrap().starts_with("No movies found"));
    assert!(failed.run.caption.starts_with("FAILED: Step 1 (Database Extraction): No movies found"));

    *stack.catalog.0.lock().unwrap() = vec![movie(1, "One")];
    let mut new = make_job(2, NOON, &stack.policy);
    new.request.pause_after_extraction = true;
    stack.jobs.put(&new);
    let id = new.id;
    stack.settle().await;
    let paused = job(&stack, &id);
    assert_eq!(
        (paused.status, paused.run.incomplete),
        (Status::Completed, Some(reelhook_domain::Incomplete::PausedAfterExtraction))
    );
    assert!(paused.run.engine.steps().unwrap().extracted.as_ref().unwrap().contains("One"));
}

/// The number of stored parts of scenes.
fn stored_parts(stack: &Stack) -> usize {
    stack.objects.stored().keys().filter(|key| key.starts_with("scenes/")).count()
}

/// A change of a film.
type Change = fn(&mut Film);

#[tokio::test]
async fn a_change_draws_its_scene_again_and_the_transition_that_shows_it() {
    let stack = quiet();
    let mut film = film(4);
    for scene in &mut film.scenes {
        scene.transition = Some(Transition::Slide);
    }
    stack.submit_video(film.clone(), None).await;
    stack.settle().await;
    assert_eq!((stored_parts(&stack), stack.objects.drawn().len()), (7, 4), "a body of each, and three transitions");
    let changes: [(Change, usize); 5] = [
        (|_| {}, 0),
        (|film| film.scenes[1].content.title = "Another title".to_owned(), 3),
        (|film| film.scenes[2].entrance = Entrance::Zoom, 2),
        (|film| film.scenes[2].transition = Some(Transition::Blur), 1),
        (|film| film.scenes[0].frames = 120, 1),
    ];
    for (at, (change, expected)) in changes.into_iter().enumerate() {
        let before = stored_parts(&stack);
        change(&mut film);
        let id = stack.submit_video(film.clone(), None).await;
        stack.settle().await;
        assert_eq!(job(&stack, &id).status, Status::Completed);
        assert_eq!(stored_parts(&stack) - before, expected, "change {at}");
    }
}
