//! Builds jobs, deliveries and settings for tests, with the production code where possible.

use reelhook_app::Url;
use reelhook_app::jobs::starts::WorkerSettings;
use reelhook_app::views::captions::{CAPTIONS, step_name};
use reelhook_app::webhooks::endpoints::Endpoint;
use reelhook_app::webhooks::events::EventRow;
use reelhook_app::webhooks::settings::WebhookSettings;
use reelhook_domain::videos::film::{Film, Quality, Scene, Theme};
use reelhook_domain::videos::render::Renderer;
use reelhook_domain::{
    Decision, Delivery, DeliveryId, DeliveryStatus, Event, EventId, FairShares, Job, JobId, JobKind, Metadata, NewJob,
    Origin, OutboundEvent, Policy, Priority, RenderId, Request, StepStatus, StepUpdate, Timestamp, create, decide,
};
use reelhook_signing::SigningKeys;
use serde_json::json;

use crate::world::NOON;

/// The secret that all tests sign with, and an older one that is still valid.
const SECRETS: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, an older secret";

/// The signing keys of all tests.
pub fn keys() -> SigningKeys {
    SigningKeys::parse(SECRETS).expect("two secrets")
}

/// WEBHOOK_* settings by name. They allow http, subscribe to all job events by default, and sign with [`keys`] by
/// default.
///
/// # Panics
/// When the settings are not valid.
pub fn webhook_settings(pairs: &[(&str, &str)]) -> WebhookSettings {
    let lookup = |name: &str| {
        let given = pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        given.or_else(|| match name {
            "WEBHOOK_EVENTS" => Some("job.*".to_owned()),
            "WEBHOOK_SECRET_KEY" => Some(SECRETS.to_owned()),
            _ => None,
        })
    };
    let settings = WebhookSettings::read(&lookup, true).expect("valid settings");
    settings.with_notification(&lookup, true).expect("valid settings")
}

/// A worker at `https://worker.example/run` with a concurrency limit of `max` runs.
pub fn worker_settings(max: usize) -> WorkerSettings {
    WorkerSettings {
        url: Some(Url::parse("https://worker.example/run").expect("a URL")),
        renderer: Renderer::Own,
        max,
        shares: FairShares::default(),
        base: Url::parse("https://reelhook.example/").expect("a URL"),
        tokens: SigningKeys::parse("the secret of tokens").expect("a secret"),
        secret: Some(keys()),
    }
}

/// The contract's policy, with the captions that clients see.
pub fn policy() -> Policy {
    Policy { captions: CAPTIONS, ..Policy::default() }
}

/// The input of job number `n`.
///
/// # Panics
/// Never: `n` gives a valid id.
pub fn a_new_job(n: u32) -> NewJob {
    NewJob {
        id: JobId::parse(&format!("job_{}_{n:04}", NOON.millis())).expect("an id"),
        kind: JobKind::Workflow,
        request: Request {
            input: json!({
                "country": "FR", "platform": "Netflix", "genre": "Comédie 🎬", "contentType": "Série",
                "template": "auto", "pauseAfterExtraction": false,
            }),
            pause_after_extraction: false,
            callback: None,
            metadata: Metadata::default(),
            priority: Priority::default(),
        },
        plan: None,
        origin: Origin {
            caller: Some("caller".to_owned()),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            owner: None,
        },
        usage: false,
    }
}

/// Job number `n`, pending since `now`.
pub fn make_job(n: u32, now: Timestamp, policy: &Policy) -> Job {
    create(a_new_job(n), now, policy)
}

/// A job after these events, all at `now`.
///
/// # Panics
/// When one of the events changes nothing.
pub fn lived(job: Job, events: &[Event], now: Timestamp, policy: &Policy) -> Job {
    events.iter().fold(job, |job, event| match decide(&job, event, now, policy) {
        Decision::Apply(next) => *next,
        other => panic!("{event:?} gave {other:?}"),
    })
}

/// Job number `n`, claimed but not yet accepted by the worker.
pub fn claimed(n: u32, now: Timestamp, policy: &Policy) -> Job {
    lived(make_job(n, now, policy), &[Event::Claim], now, policy)
}

/// The event that the worker accepted the run.
pub fn started(attempt: u32) -> Event {
    Event::Started { attempt, worker_id: Some("worker-1".to_owned()), cancel_url: None }
}

/// A report of a step, which names `render` if there is one.
///
/// # Panics
/// When `render` is not a valid id.
pub fn step(attempt: u32, number: u8, status: StepStatus, render: Option<&str>) -> Event {
    let sequence = 100 * i64::from(number) + if status == StepStatus::Started { 0 } else { 50 };
    let mut update = StepUpdate::plain(number, step_name(number), status, sequence);
    update.render_id = render.map(|render| RenderId::parse(render).expect("a render id"));
    Event::Step { attempt: Some(attempt), update }
}

/// The reports of a whole run of the worker. The last two name `render`, if there is one.
pub fn run(attempt: u32, render: Option<&str>) -> Vec<Event> {
    let mut events = vec![step(attempt, 0, StepStatus::Started, None)];
    for number in 1..=7 {
        events.push(step(attempt, number, StepStatus::Started, None));
        let render = render.filter(|_| number == 7);
        events.push(step(attempt, number, StepStatus::Completed, render));
    }
    events.push(step(attempt, 8, StepStatus::Completed, render));
    events
}

/// Delivery number `n` of a completed job to an endpoint, due at once, and its event.
///
/// # Panics
/// Never: `n` gives valid ids.
pub fn a_delivery(n: u32, endpoint: &Endpoint, now: Timestamp) -> (Delivery, EventRow) {
    let job_id = a_new_job(n).id;
    let id = EventId::of(&job_id, 7, 1);
    let event = OutboundEvent::Completed;
    let delivery = Delivery {
        id: DeliveryId::of(&id, &endpoint.id),
        event_id: id.clone(),
        event,
        subject: job_id.clone().into(),
        endpoint_id: endpoint.id.clone(),
        endpoint_name: endpoint.name.clone(),
        status: DeliveryStatus::Pending,
        version: 1,
        created_at: now,
        attempts: 0,
        uncounted: 0,
        replayed_at: None,
        replay: false,
        recovery: None,
        next_attempt_at: now,
        wait_reason: None,
        lease_until: None,
        due_at: Some(now.after(Policy::default().hint_grace)),
        finished_at: None,
        last_result: None,
        last: None,
        traceparent: a_new_job(n).origin.traceparent,
    };
    let data =
        json!({ "job_id": job_id.as_str(), "genre": "Série 🎬", "1": "integer-like keys come first", "ratio": 1.0 });
    (
        delivery,
        EventRow { id, event, subject: job_id.into(), at: now, data: data.into(), callback: None, submitted_at: None },
    )
}

/// A film of these scenes: 720p in the theme `corporate`, without title, music or portrait rendition.
pub fn a_film(scenes: Vec<Scene>) -> Film {
    Film {
        title: None,
        theme: Theme::Corporate,
        quality: Quality::Hd,
        reels: false,
        music: None,
        scenes,
        places: Vec::new(),
    }
}
