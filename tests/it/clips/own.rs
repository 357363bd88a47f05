//! Clips that our own renderers cut: they end at cuts and silences, begin and end exactly at frames, and are in sync.

use serde_json::{Value, json};

use super::backends::Backends;
use super::film::{CUTS, FPS, PAUSE, begin, film};
use super::job::{JOBS, assert_charged_once, clips, job, open, succeeded, until};
use crate::scenes::media::{Frame, SAME, SAMPLES, delta_e, download, frames, frames_between, gaps, sound};
use crate::stack::Stack;
use crate::videos::{objects, probe};

/// What the film costs: 80 seconds.
const PRICE: u64 = 13;
/// How far a clip may end from a cut or a silence, in milliseconds.
const CLOSE: u64 = 500;
/// The mean ΔE of a frame of a film that moves and of its copy, at most; frames beside it differ by more.
const ALIKE: f64 = 3.0;
/// How far a sound may be from where it is in the film, in seconds: a packet of AAC, and the steps of [`gaps`].
const IN_SYNC: f64 = 0.05;

fn ms(clip: &Value, name: &str) -> u64 {
    clip[name].as_u64().unwrap_or_else(|| panic!("{name} of {clip:#}"))
}

/// The number of the frame that is shown at a time of the film.
fn frame_at(ms: u64) -> u64 {
    (ms * FPS + 500) / 1000
}

/// Asserts that each frame of a clip is that of the film, and that it is more like it than like the ones beside it.
fn assert_frames_of(film: &[Frame], clip: &[Frame]) {
    assert_eq!(film.len(), clip.len());
    for (at, frame) in clip.iter().enumerate() {
        let difference = delta_e(frame, &film[at]);
        assert!(difference <= ALIKE, "frame {at} is another picture: ΔE {difference:.2}");
        for other in [at.checked_sub(1), Some(at + 1)].into_iter().flatten().filter_map(|at| film.get(at)) {
            let beside = delta_e(frame, other);
            assert!(difference <= beside, "frame {at}: ΔE {difference:.2}, and {beside:.2} to the one beside it");
        }
    }
}

/// Asserts that a clip has one scene of one colour: no frame of another one is in it.
fn assert_one_colour(clip: &[Frame]) {
    let middle = &clip[clip.len() / 2];
    for (at, frame) in clip.iter().enumerate() {
        let difference = delta_e(frame, middle);
        assert!(difference <= SAME, "frame {at} of {} is of another scene: ΔE {difference:.2}", clip.len());
    }
}

/// Where a tone begins, in seconds.
fn onset(sound: &[f64]) -> f64 {
    let loud = sound.iter().position(|sample| sample.abs() > 3000.0).expect("a tone");
    loud as f64 / SAMPLES as f64
}

#[tokio::test]
async fn clips_end_at_cuts_and_silences_exactly_at_frames_and_in_sync() {
    let stack = open(Backends::Own).await;
    let id = begin(&stack, json!({ "requestedClipCount": 10, "clipDurations": ["15-30"] })).await;
    let done = succeeded(&stack, &id).await;
    assert_eq!((&done["clipsCompleted"], &done["totalClips"]), (&json!(4), &json!(4)), "{done:#}");
    let plan = download(&stack, &done["output"]["planUrl"], "plan.json").await;
    let plan: Value = serde_json::from_slice(&std::fs::read(plan).expect("the plan")).expect("JSON");
    let planned = plan["clips"].as_array().expect("a list").iter().map(|clip| &clip["range"]);
    let planned: Vec<(u64, u64)> = planned.map(|range| (ms(range, "start_ms"), ms(range, "end_ms"))).collect();
    let cut: Vec<(u64, u64)> = clips(&done).iter().map(|clip| (ms(clip, "startMs"), ms(clip, "endMs"))).collect();
    assert_eq!(planned, cut, "the plan has the ranges of the clips");
    let (_, ordered) = stack.get(&format!("{JOBS}/{id}?order=timeline")).await;
    let known: Vec<u64> = CUTS.into_iter().chain([PAUSE]).collect();
    for (place, clip) in clips(&ordered).iter().enumerate() {
        let (start, end) = (ms(clip, "startMs"), ms(clip, "endMs"));
        for at in [start, end] {
            assert!(known.iter().any(|known| at.abs_diff(*known) <= CLOSE), "{at} is near no cut or silence: {clip:#}");
        }
        let file = download(&stack, &clip["url"], &format!("clip-{place}.mp4")).await;
        let cut = frames(&file);
        assert_eq!(cut.len() as u64, frame_at(end) - frame_at(start), "{clip:#}");
        assert!(ms(clip, "durationMs").abs_diff(end - start) <= 1, "{clip:#}");
        let heard = sound(&file);
        let samples = cut.len() * SAMPLES / FPS as usize;
        // The last packets of the sound may be longer.
        let fits = (samples - SAMPLES / 100..=samples + SAMPLES * 15 / 100).contains(&heard.len());
        assert!(fits, "{} samples for {samples}: {clip:#}", heard.len());
        if (start, end) == (CUTS[2], CUTS[3]) {
            assert_frames_of(&frames_between(&film(), frame_at(start), frame_at(end)), &cut);
            let pause: Vec<f64> = gaps(&heard).into_iter().filter(|at| (5.0..20.0).contains(at)).collect();
            let (first, last) = (pause[0], pause[pause.len() - 1]);
            assert!((first - 11.0).abs() < IN_SYNC && (last - 11.49).abs() < IN_SYNC, "the pause: {first} to {last}");
        } else if CUTS.windows(2).any(|scene| scene == [start, end]) {
            assert_one_colour(&cut);
        }
        if CUTS[1..4].contains(&start) {
            let at = onset(&heard);
            assert!((at - 0.4).abs() < IN_SYNC, "the tone begins at {at} s: {clip:#}");
        }
    }
    let (_, ordered) = stack.get(&format!("{JOBS}/{id}?order=score")).await;
    let scores: Vec<f64> = clips(&ordered).iter().filter_map(|clip| clip["score"].as_f64()).collect();
    assert!(scores.len() == 4 && scores.windows(2).all(|pair| pair[0] >= pair[1]), "{scores:?}");
    assert_eq!(ms(&clips(&ordered)[0], "startMs"), CUTS[2], "the scene that moves is the best");
    for part in ["energy", "variety", "activity", "clean_start", "clean_end", "length"] {
        assert!(clips(&ordered)[0]["scoreBasis"][part].is_number(), "{part}");
    }
    assert_charged_once(&stack, &id, PRICE).await;
    recut(&stack, &id).await;
}

/// Cuts the clip of the scene that moves again: only its piece runs, and it costs nothing.
async fn recut(stack: &Stack, id: &str) {
    let before = job(stack, id).await;
    let moving = clips(&before).iter().find(|clip| ms(clip, "startMs") == CUTS[2]).expect("the scene that moves");
    let (index, prefix) = (ms(moving, "index"), format!("clips/clip_{id}/"));
    let stored = objects(stack, &prefix).await;
    let path = format!("{JOBS}/{id}/clips/{index}");
    let (start, end) = (40_100, 42_500);
    let (status, answer) = stack.post(&path, &json!({ "start": 40.1, "end": 42.5 })).await;
    assert_eq!((status, &answer["status"]), (202, &json!("succeeded")), "{answer}");
    let clip_of = |job: &Value| clips(job).iter().find(|clip| ms(clip, "index") == index).cloned().expect("the clip");
    let done = until(stack, id, "cut again", |job| ms(&clip_of(job), "startMs") == start).await;
    let clip = clip_of(&done);
    assert_eq!((ms(&clip, "endMs"), ms(&clip, "durationMs")), (end, end - start), "{clip:#}");
    // No silence is there, and a short clip: its score is that of this range.
    let basis = &clip["scoreBasis"];
    assert_eq!(
        (&basis["clean_start"], &basis["clean_end"], &basis["length"]),
        (&json!(0.5), &json!(0.5), &json!(0.16))
    );
    assert!(clip["score"].as_f64() < moving["score"].as_f64(), "{clip:#}");
    let file = download(stack, &clip["url"], "recut.mp4").await;
    assert_frames_of(&frames_between(&film(), frame_at(start), frame_at(end)), &frames(&file));

    let now = objects(stack, &prefix).await;
    for (key, at) in stored.iter().filter(|(key, _)| !key.contains(&format!("/{index}-"))) {
        let same = now.iter().find(|(known, _)| known == key).map(|(_, at)| at);
        assert_eq!(same, Some(at), "{key} was written again");
    }
    let added: Vec<&String> =
        now.iter().map(|(key, _)| key).filter(|key| stored.iter().all(|(old, _)| old != *key)).collect();
    assert_eq!(added, [&format!("{prefix}{index}-2.mp4")]);
    assert_eq!((&done["creditsCharged"], &done["creditsReserved"]), (&json!(PRICE), &json!(0)));
    assert_charged_once(stack, id, PRICE).await;

    let unknown = format!("{JOBS}/{id}/clips/9");
    for (place, body, status, code) in [
        (path.as_str(), json!({ "start": 70, "end": 90 }), 400, "bad_field"),
        (path.as_str(), json!({ "start": 4, "end": 4 }), 400, "bad_field"),
        (unknown.as_str(), json!({ "start": 0, "end": 5 }), 404, "clip_not_found"),
    ] {
        let (answered, answer) = stack.post(place, &body).await;
        assert_eq!((answered, &answer["code"]), (status, &json!(code)), "{place} {body}: {answer}");
    }
}

#[tokio::test]
async fn a_vertical_clip_is_nine_to_sixteen() {
    let stack = open(Backends::Own).await;
    let wanted = json!({
        "requestedClipCount": 1, "clipDurations": ["15-30"], "targetPlatform": "TikTok", "captions": true,
        "ranges": [{ "start": 36, "end": 61 }],
    });
    let id = begin(&stack, wanted).await;
    let done = succeeded(&stack, &id).await;
    let [clip] = clips(&done) else { panic!("one clip: {done:#}") };
    assert_eq!((&clip["layout"], &done["ignored"]), (&json!("vertical"), &json!(["captions"])), "{done:#}");
    assert!(ms(clip, "startMs") >= 36_000 && ms(clip, "endMs") <= 61_000, "{clip:#}");
    let file = download(&stack, &clip["url"], "vertical.mp4").await;
    let shown = probe(&stack, &file, &["-select_streams", "v", "-show_entries", "stream=width,height"]);
    let side = |name: &str| shown["streams"][0][name].as_f64().expect("pixels");
    assert!((side("width") / side("height") - 9.0 / 16.0).abs() < 0.02, "{shown}");
    // The range that was asked for is paid for: 25 seconds, the minimum.
    assert_charged_once(&stack, &id, 10).await;
}

#[tokio::test]
async fn a_source_that_is_no_video_fails_with_its_reason_and_costs_nothing() {
    let stack = open(Backends::Own).await;
    let page = json!({ "youtubeUrl": "https://www.youtube.com/watch?v=dQw4w9WgXcQ" });
    let (status, answer) = stack.post(JOBS, &page).await;
    assert_eq!((status, &answer["code"]), (422, &json!("source_unreadable")), "{answer}");
    let (status, made) = stack.post(JOBS, &json!({ "videoUrl": format!("{}/health", stack.studio) })).await;
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().expect("an id");
    let failed = until(&stack, id, "failed", |job| job["status"] == "failed").await;
    let reason = failed["errorMessage"].as_str().unwrap_or_default();
    assert!(reason.starts_with("The source could not be read: "), "{reason}");
    assert_eq!((&failed["creditsReserved"], &failed["creditsCharged"]), (&json!(0), &json!(0)));
}
