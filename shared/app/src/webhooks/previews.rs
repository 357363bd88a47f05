//! Previews of webhooks: an example of each event, made by the real rules, and the webhook that an endpoint would get.

use crate::views::captions::{CAPTIONS, step_name};
use reelhook_domain::{
    Decision, EndpointId, EndpointState, Event, EventGroup, EventId, Job, JobId, JobKind, NewJob, Origin,
    OutboundEvent, Policy, RenderId, Request, StepStatus, StepUpdate, Timestamp, create, decide,
};
use std::time::Duration;

use reelhook_domain::videos::film::Rendition;
use reelhook_domain::videos::render::{RenderPlan, Renderer, StoredVideo};
use serde_json::json;

use crate::outbox::source::FanoutSource;
use crate::web_url::WebUrl;
use crate::webhooks::deliver::message::webhook;
use crate::webhooks::endpoints::{Destination, Endpoint, Form, Signers};
use crate::webhooks::events::{EventRow, delivery_of};
use crate::webhooks::operational::{self, OperationalEvent};
use crate::webhooks::settings::WebhookSettings;
use crate::webhooks::subscriptions::Subscriber;
use crate::webhooks::transport::OutboundWebhook;
use crate::webhooks::triggers;

/// A minute.
const MINUTE: Duration = Duration::from_secs(60);

/// The webhook that an endpoint would get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The event.
    pub event: OutboundEvent,
    /// HTTP headers, or the attributes of a message; the values of the endpoint's own headers are hidden.
    pub headers: Vec<(String, String)>,
    /// The exact body.
    pub body: String,
}

/// A made-up endpoint for examples.
pub fn example_endpoint(settings: &WebhookSettings) -> Endpoint {
    Endpoint {
        id: EndpointId::parse("ep_00112233445566778899aabbccddeeff").expect("an id"),
        name: "webhook_1".to_owned(),
        destination: Destination::Web(WebUrl::parse("https://receiver.example/webhooks").expect("a URL")),
        policy: settings.policy,
        permanent: settings.permanent.clone(),
        headers: Vec::new(),
        form: Form::default(),
        signers: Signers::default(),
    }
}

/// The webhook that this endpoint would get now for an event.
pub fn preview(endpoint: &Endpoint, event: OutboundEvent, now: Timestamp) -> Preview {
    let example = example(endpoint, event, now);
    let delivery = delivery_of(&example, &Subscriber::only(endpoint), Duration::ZERO, None);
    let (mut headers, body) = match webhook(&delivery, &example, endpoint, now) {
        OutboundWebhook::Web(request) => (request.headers, String::from_utf8_lossy(&request.body).into_owned()),
        OutboundWebhook::Cloud(webhook) => (webhook.attributes, webhook.body),
    };
    for (name, value) in &mut headers {
        if endpoint.headers.iter().any(|(own, given)| own.eq_ignore_ascii_case(name) && given == value) {
            "***".clone_into(value);
        }
    }
    Preview { event, headers, body }
}

/// An example of an event: about a job that went through it, or about this endpoint.
pub fn example(endpoint: &Endpoint, event: OutboundEvent, now: Timestamp) -> EventRow {
    let since = now.before(10 * MINUTE);
    let failing = EndpointState { failures: 12, failing_since: Some(since), ..EndpointState::default() };
    let of_webhooks = |cause: OperationalEvent<'_>| operational::event(cause, now);
    let row = match event {
        OutboundEvent::EndpointFailing => of_webhooks(OperationalEvent::Failing(endpoint, &failing, 1)),
        OutboundEvent::EndpointDisabled => {
            of_webhooks(OperationalEvent::Disabled(endpoint, now, "1000 tries in a row failed"))
        }
        OutboundEvent::EndpointRecovered => of_webhooks(OperationalEvent::Recovered(endpoint, since)),
        OutboundEvent::DeliveryExhausted => {
            let job = of_job(OutboundEvent::Completed, since);
            let row = job_row(&job, OutboundEvent::Completed);
            let mut delivery = delivery_of(&row, &Subscriber::only(endpoint), Duration::ZERO, None);
            delivery.attempts = endpoint.policy.schedule.retries() + 1;
            delivery.last_result = Some(format!("status 500 after {} attempts", delivery.attempts));
            of_webhooks(OperationalEvent::Exhausted(endpoint, &delivery))
        }
        OutboundEvent::Test => Some(triggers::test_event(&endpoint.id, now, 0)),
        OutboundEvent::Completed
        | OutboundEvent::Failed
        | OutboundEvent::Cancelled
        | OutboundEvent::ExtractionCompleted
        | OutboundEvent::ScriptCompleted
        | OutboundEvent::CompletedWithIssues
        | OutboundEvent::FailedNoRetry
        | OutboundEvent::Timeout
        | OutboundEvent::WorkflowIncomplete
        | OutboundEvent::RenderTimeout
        | OutboundEvent::VideoStarted
        | OutboundEvent::VideoCompleted
        | OutboundEvent::VideoFailed
        | OutboundEvent::Deleted => Some(job_row(&of_job(event, since), event)),
    };
    row.expect("an example has good ids")
}

fn job_row(job: &Job, event: OutboundEvent) -> EventRow {
    let at = job.updated_at;
    let data = job.view().webhook_data(job, event, at);
    EventRow {
        id: EventId::of(&job.id, job.version, 0),
        event,
        subject: job.id.clone().into(),
        at,
        data,
        callback: None,
    }
}

/// A job that was created at this time and went on until the event.
fn of_job(event: OutboundEvent, at: Timestamp) -> Job {
    let policy = Policy { captions: CAPTIONS, ..Policy::default() };
    let random = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff;
    let of_video = event.group() == EventGroup::Video;
    let film =
        RenderPlan { renderer: Renderer::Own, renditions: vec![Rendition::Landscape], scenes: vec![120, 150, 120] };
    let new = NewJob {
        id: if of_video { JobId::uuid(random) } else { JobId::streamgank(at, random) },
        kind: if of_video { JobKind::Video } else { JobKind::Workflow },
        request: Request {
            input: json!({
                "country": "FR", "platform": "Netflix", "genre": "Comédie", "contentType": "Série", "template": "auto",
                "pauseAfterExtraction": event == OutboundEvent::ExtractionCompleted,
            }),
            pause_after_extraction: event == OutboundEvent::ExtractionCompleted,
            callback: None,
        },
        plan: of_video.then_some(film),
        origin: Origin::default(),
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
    let video = || "https://cdn.example.com/videos/video.mp4".to_owned();
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
        OutboundEvent::Completed => vec![(3, step(8, &|report| report.video_url = Some(video())))],
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
        OutboundEvent::VideoStarted
        | OutboundEvent::VideoCompleted
        | OutboundEvent::VideoFailed
        | OutboundEvent::EndpointFailing
        | OutboundEvent::EndpointDisabled
        | OutboundEvent::EndpointRecovered
        | OutboundEvent::DeliveryExhausted
        | OutboundEvent::Test => Vec::new(),
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
    let error = "scenes[1].content.image: the picture at shop.example answered 404".to_owned();
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
    fn the_job_of_each_example_really_told_of_its_event() {
        for event in OutboundEvent::ALL.into_iter().filter(|event| !event.is_operational()) {
            let job = of_job(event, Timestamp(1_704_110_400_000));
            assert!(job.emitted.iter().any(|emitted| emitted.event == event), "{event:?}: {:?}", job.emitted);
        }
    }
}
