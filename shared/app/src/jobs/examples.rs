//! Examples of jobs for previews of webhooks, made by the real rules.

use std::time::Duration;

use reelhook_domain::videos::film::Rendition;
use reelhook_domain::videos::render::{RenderPlan, Renderer, StoredVideo};
use reelhook_domain::{
    Decision, Event, EventGroup, Job, JobId, JobKind, Metadata, NewJob, Origin, OutboundEvent, Policy, RenderId,
    Request, StepStatus, StepUpdate, Timestamp, WebUrl, create, decide,
};
use serde_json::json;

use crate::views::captions::{CAPTIONS, step_name};

/// A minute.
const MINUTE: Duration = Duration::from_secs(60);

/// A job that was created at this time and went on until the event.
pub(crate) fn job(event: OutboundEvent, at: Timestamp) -> Job {
    let policy = Policy { captions: CAPTIONS, ..Policy::default() };
    let random = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff;
    let of_video = event.group() == EventGroup::Video;
    let film =
        RenderPlan { renderer: Renderer::Own, renditions: vec![Rendition::Landscape], scenes: vec![120, 150, 120] };
    let new = NewJob {
        id: if of_video { JobId::uuid(random) } else { JobId::timed(at, random) },
        kind: if of_video { JobKind::Video } else { JobKind::Workflow },
        request: Request {
            input: json!({
                "country": "FR", "platform": "Netflix", "genre": "Comédie", "contentType": "Série", "template": "auto",
                "pauseAfterExtraction": event == OutboundEvent::ExtractionCompleted,
            }),
            pause_after_extraction: event == OutboundEvent::ExtractionCompleted,
            callback: None,
            metadata: Metadata::default(),
            priority: Default::default(),
        },
        plan: of_video.then_some(film),
        origin: Origin::default(),
        usage: false,
    };
    let job = create(new, at, &policy);
    let live = |job: Job, (minute, event): (u32, Event)| match decide(&job, &event, at.after(minute * MINUTE), &policy)
    {
        Decision::Apply(next) => *next,
        Decision::Ignore(_) | Decision::Reject(_) => job,
    };
    story(event).into_iter().fold(job, live)
}

/// The events of a job up to this webhook event, each with its minute.
fn story(event: OutboundEvent) -> Vec<(u32, Event)> {
    let video = || WebUrl::parse("https://cdn.example.com/videos/video.mp4");
    let render = || RenderId::parse("6f1d3d0a-6c1e-4b0e-9a53-0f7a6c2b4d11").ok();
    let started = |minute, attempt| {
        let taken = Event::Started { attempt, worker_id: Some("worker-1".to_owned()), cancel_url: None };
        [(minute, Event::Claim), (minute, taken)]
    };
    let step = |number: u8, update: &dyn Fn(&mut StepUpdate)| {
        let mut report = StepUpdate::plain(number, step_name(number), StepStatus::Completed, i64::from(number) * 1000);
        update(&mut report);
        Event::Step { attempt: Some(1), update: report }
    };
    let fails = |attempt, error: &str| Event::RunFailed { attempt, error: error.to_owned() };
    if event.group() == EventGroup::Video {
        return video_story(event);
    }
    let mut story: Vec<(u32, Event)> = started(0, 1).into();
    story.extend(match event {
        OutboundEvent::Completed => vec![(3, step(8, &|report| report.video_url = video()))],
        OutboundEvent::Failed => {
            let again = started(10, 2);
            vec![
                (1, fails(1, "network unreachable")),
                again[0].clone(),
                again[1].clone(),
                (11, fails(2, "network unreachable")),
            ]
        }
        OutboundEvent::FailedNoRetry => vec![(1, fails(1, "insufficient credits"))],
        OutboundEvent::Cancelled => vec![(2, Event::Cancel)],
        OutboundEvent::Deleted => vec![(2, Event::Cancel), (3, Event::Delete)],
        OutboundEvent::ExtractionCompleted => {
            vec![(1, step(1, &|report| report.extracted = Some("Amélie, Intouchables, Le Dîner de cons".to_owned())))]
        }
        OutboundEvent::ScriptCompleted => vec![(3, step(8, &|report| report.render_id = render()))],
        OutboundEvent::CompletedWithIssues => vec![(3, step(8, &|_| {}))],
        OutboundEvent::Timeout => vec![(31, Event::Tick)],
        OutboundEvent::WorkflowIncomplete => {
            vec![(3, step(7, &|report| report.render_id = render())), (31, Event::Tick)]
        }
        OutboundEvent::RenderTimeout => {
            let checks = [5, 15, 25, 35].map(|minute| (minute, Event::Tick));
            let mut story = vec![(3, step(8, &|report| report.render_id = render()))];
            story.extend(checks);
            story.push((45, Event::Tick));
            story
        }
        _ => Vec::new(),
    });
    story
}

/// The events of a video's job up to this webhook event.
fn video_story(event: OutboundEvent) -> Vec<(u32, Event)> {
    let runs = [(0, Event::Claim), (0, Event::RunHere { attempt: 1, renderer: Renderer::Own })];
    let claimed = |minute| (minute, Event::ClaimPiece { attempt: 1 });
    let done = |claim, video: Option<StoredVideo>| (1, Event::PieceDone { attempt: 1, claim, video });
    let video = StoredVideo {
        rendition: Rendition::Landscape,
        key: "videos/2025-11-12/standard/video.mp4".to_owned(),
        bytes: 4_200_000,
        link: "https://api.example.com/api/download/video?token=s1.example".to_owned(),
    };
    let error = "scenes[1].content.image: the image at shop.example answered 404".to_owned();
    let mut story: Vec<(u32, Event)> = runs.into();
    match event {
        OutboundEvent::VideoCompleted => {
            for scene in 1..=3 {
                story.extend([claimed(1), done(scene, None)]);
            }
            story.extend([claimed(1), done(4, Some(video))]);
        }
        OutboundEvent::VideoFailed => {
            let failed = Event::PieceFailed { attempt: 1, claim: 1, error, permanent: true };
            story.extend([claimed(1), (1, failed)]);
        }
        _ => {}
    }
    story
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_of_each_example_caused_its_event() {
        let of_jobs = |event: &OutboundEvent| matches!(event.group(), EventGroup::Job | EventGroup::Video);
        for event in OutboundEvent::ALL.iter().copied().filter(of_jobs) {
            let job = job(event, Timestamp(1_704_110_400_000));
            assert!(job.emitted.iter().any(|emitted| emitted.event == event), "{event:?}: {:?}", job.emitted);
        }
    }
}
