//! Requests to each route, by family: every reader of the family reads every request. What is read is within its bounds.

use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use reelhook_app::retention::Days;
use reelhook_domain::videos::film::{FRAME_RATE, Film};
use reelhook_domain::videos::render::Renderer;
use reelhook_domain::{Metadata, Timestamp};
use reelhook_http::access::Caller;
use reelhook_http::access::session::{SignIn, next};
use reelhook_http::edge::Edge;
use reelhook_http::request::ApiRequest;
use reelhook_http::site::Site;
use reelhook_http::webhooks::endpoint_fields::DestinationRules;
use reelhook_http::{catalog, clips, credits, errors, jobs, live, metrics, projects, videos, webhooks};
use serde_json::{Value, json};

use crate::input::Input;
use crate::target::Verdict;
use crate::targets::api::{Operation, api};
use crate::targets::build;
use crate::targets::judge::judged;

/// The time of all requests: 2024-01-01T12:00:00Z.
pub const NOON: Timestamp = Timestamp(1_704_110_400_000);
/// The longest film, in seconds, and the most scenes of one.
const FILM: (u32, usize) = (600, 100);

/// A family's paths, without what follows them.
struct Family {
    beginnings: &'static [&'static str],
    operations: OnceLock<Vec<&'static Operation>>,
}

impl Family {
    const fn of(beginnings: &'static [&'static str]) -> Self {
        Self { beginnings, operations: OnceLock::new() }
    }

    /// The request that an input makes for the family.
    fn request(&self, input: &mut Input<'_>) -> ApiRequest {
        let operations = self.operations.get_or_init(|| api().below(self.beginnings));
        build::request(operations, input)
    }
}

fn caller() -> Caller {
    Caller::known_as("a caller")
}

/// Jobs, their queue and logs, and streams.
pub fn of_jobs(bytes: &[u8]) -> Verdict {
    static FAMILY: Family = Family::of(&["/api/generate", "/api/job", "/api/queue", "/api/logs", "/api/st"]);
    let request = FAMILY.request(&mut Input::new(bytes));
    let made = judged(jobs::generate::read(&request, caller()));
    if let Some(made) = &made {
        for (name, value) in made.request.input.as_object().into_iter().flatten() {
            let most = if matches!(name.as_str(), "platform" | "genre") { 1000 } else { 200 };
            let is_short = value.as_str().is_none_or(|text| text.chars().count() <= most);
            assert!(is_short, "`{name}` is longer than it may be: {value}");
        }
        within_limits(&made.request.metadata);
    }
    let listed = judged(jobs::queue::Route::read(&request)).flatten();
    if let Some(jobs::queue::Route::List { limit, .. }) = &listed {
        assert!((1..=500).contains(limit), "a page of {limit} jobs");
    }
    let commanded = judged(jobs::control::Command::read(&request)).flatten();
    let logged = judged(jobs::logs::Route::read(&request));
    let shown = judged(jobs::status::Route::read(&request));
    let streamed = judged(live::sse::Route::read(&request)).flatten();
    let render = judged(jobs::render::read_render_lookup(&request)).flatten();
    let token = judged(jobs::stream::read_token_request(&request));
    let wants = [judged(jobs::stream::wants_errors(&request)), judged(jobs::stream::wants_live(&request))];
    assert!(token.is_none() || wants.iter().all(Option::is_some), "the three read the same body");
    let was_read = made.is_some()
        || listed.is_some()
        || commanded.is_some()
        || logged.is_some()
        || shown.is_some()
        || streamed.is_some()
        || render.is_some();
    Verdict::of(was_read)
}

/// Endpoints, deliveries, recoveries and triggers.
pub fn of_webhooks(bytes: &[u8]) -> Verdict {
    static FAMILY: Family = Family::of(&["/api/webhooks", "/api/validate-url", "/.well-known", "/api/job/"]);
    let mut input = Input::new(bytes);
    let request = FAMILY.request(&mut input);
    let rules = DestinationRules {
        allow_http: input.flag(),
        destinations: vec!["arn:aws:sqs:us-east-1:000000000000:queue".to_owned()],
        region: "us-east-1".to_owned(),
    };
    let called = judged(webhooks::hooks::Route::read(&request, caller(), rules.allow_http));
    let endpoint = judged(webhooks::endpoints::Route::read(&request, &caller(), &rules)).flatten();
    let delivery = judged(webhooks::deliveries::Route::read(&request)).flatten();
    let recovered = judged(webhooks::recover::Route::read(&request, &caller(), Days::MONTH, NOON)).flatten();
    let keys = judged(webhooks::endpoints::read_keys_request(&request)).flatten();
    if let Some(webhooks::deliveries::Route::List(filter)) = &delivery {
        assert!(filter.limit >= 1 && filter.limit <= 1000, "a page of {} deliveries", filter.limit);
        assert!(filter.before.as_ref().is_none_or(|before| before.len() <= 64), "a cursor is short");
    }
    let was_read =
        called.is_some() || endpoint.is_some() || delivery.is_some() || recovered.is_some() || keys.is_some();
    Verdict::of(was_read)
}

/// Videos from scenes: routes, uploads, film specifications and forms.
pub fn of_videos(bytes: &[u8]) -> Verdict {
    static FAMILY: Family = Family::of(&["/api/generate-", "/api/video", "/api/download", "/api/music", "/api/up"]);
    let mut input = Input::new(bytes);
    let request = FAMILY.request(&mut input);
    let route = judged(videos::routes::Route::read(&request));
    let upload = judged(videos::routes::read_upload(&request, 7));
    if let Some(upload) = &upload {
        assert!(upload.bytes <= 4_000_000_000, "an upload of {} bytes", upload.bytes);
    }
    let renderer = if input.flag() { Renderer::Own } else { Renderer::Creatomate };
    let mut random = 0;
    let keys = || {
        random += 1;
        random
    };
    let (caller, needs_callback, allow_http) = (caller(), input.rarely(3), input.flag());
    let reading = videos::routes::read(&request, &caller, needs_callback, allow_http, renderer, keys, track);
    let video = judged(at_once(reading));
    if let Some(video) = &video {
        let seconds = check_film(&video.film);
        assert!(seconds <= FILM.0, "a film of {seconds} s");
        within_limits(&video.metadata);
        let pictures = video.uploads.iter().all(|(_, bytes)| reelhook_app::videos::uploads::sniff(bytes).is_some());
        assert!(pictures, "only pictures are uploaded");
    }
    Verdict::of(route.is_some() || upload.is_some() || video.is_some())
}

/// Checks that a film is within its limits and is stored as it is; returns its length in seconds.
fn check_film(film: &Film) -> u32 {
    assert!((1..=FILM.1).contains(&film.scenes.len()), "a film of {} scenes", film.scenes.len());
    assert!(film.scenes.iter().all(|scene| scene.frames > 0), "a scene without frames");
    let stored = serde_json::to_string(film).expect("our own types are JSON");
    let read: Film = serde_json::from_str(&stored).expect("a stored film is read");
    assert_eq!(read, *film, "a film is read as it was stored");
    film.frames().div_ceil(FRAME_RATE)
}

fn track(word: &str) -> Option<&'static str> {
    (word.len() == 4).then_some("calm")
}

/// Projects of scenes.
pub fn of_projects(bytes: &[u8]) -> Verdict {
    static FAMILY: Family = Family::of(&["/api/v1/projects", "/api/projects", "/api/scenes", "/api/v1/files"]);
    let request = FAMILY.request(&mut Input::new(bytes));
    let route = judged(projects::routes::Route::read(&request, &caller()));
    let file = judged(projects::files::FileRoute::read(&request)).flatten();
    if let Some(file) = &file {
        let names = file.key.split('/');
        assert!(names.clone().all(|name| !matches!(name, "" | "." | "..")), "`{}` leads elsewhere", file.key);
    }
    Verdict::of(route.is_some() || file.is_some())
}

/// Clip jobs, their files, and credits.
pub fn of_clips(bytes: &[u8]) -> Verdict {
    static FAMILY: Family = Family::of(&["/ai-clipping-agent", "/api/ai-clipping-agent", "/api/v1/files"]);
    let mut input = Input::new(bytes);
    let request = FAMILY.request(&mut input);
    let route = judged(clips::routes::Route::read(&request, &caller(), input.flag()));
    let file = judged(clips::files::FileRoute::read(&request)).flatten();
    let credits = judged(credits::requests::Route::read(&request, &caller())).flatten();
    if let Some(credits::requests::Route::Add(new)) = &credits {
        assert!(new.credits > 0 && i64::try_from(new.credits).is_ok(), "{} credits", new.credits);
    }
    Verdict::of(route.is_some() || file.is_some() || credits.is_some())
}

/// Errors, metrics, the catalogue, pages and sign-in.
pub fn of_others(bytes: &[u8]) -> Verdict {
    static FAMILY: Family = Family::of(&[
        "/api/v1/errors",
        "/api/v1/metrics",
        "/api/platforms",
        "/api/genres",
        "/api/templates",
        "/api/movies",
        "/log",
    ]);
    let mut input = Input::new(bytes);
    let request = FAMILY.request(&mut input);
    let error = judged(errors::requests::Route::read(&request));
    let stream = errors::stream::ErrorStreamRoute::read(&request);
    let hours = judged(metrics::hours(&request)).flatten();
    let catalogue = judged(catalog::Route::read(&request)).flatten();
    let sign_in = judged(SignIn::read(&request));
    let page = next(&request);
    assert!(page.starts_with('/') && !page.starts_with("//") && !page.contains('\\'), "`{page}` leads elsewhere");
    let site = Site::read(None, None, Some("https://client.example")).expect("a site");
    let preflight = site.preflight(&request).into_response();
    assert_eq!(preflight.status().as_u16(), 204, "a preflight can be sent");
    let _ = judged(site.check_sender(&request));
    let edge = Edge::read(&|name| (name == Edge::SETTING).then(|| "the edge's secret".to_owned()));
    assert_eq!(edge.address(&request), request.source_ip, "only the edge names addresses");
    let was_read = error.is_some() || stream.is_some() || hours.is_some() || catalogue.is_some() || sign_in.is_some();
    Verdict::of(was_read)
}

/// A body of the API's own JSON, in any encoding: it is read as serde_json reads it, or refused.
pub fn of_bodies(bytes: &[u8]) -> Verdict {
    let mut input = Input::new(bytes);
    let text = if input.flag() { input.json(6).to_string().into_bytes() } else { input.rest().to_vec() };
    let request = build::posting("/api/generate", text.clone(), &mut Input::new(&[]));
    let Some(read) = judged(request.json()) else { return Verdict::Refused };
    assert!(read.is_object(), "a body is an object");
    assert!(depth(&read) <= 100, "a body of {} levels", depth(&read));
    let theirs: Value =
        serde_json::from_slice(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text)).expect("it is JSON");
    assert_eq!(read, theirs, "two parsers read it alike");
    let written = build::posting("/api/generate", read.to_string().into_bytes(), &mut Input::new(&[]));
    assert_eq!(judged(written.json()).as_ref(), Some(&read), "what is written is read");
    let optional = judged(request.json_or_nothing());
    assert_eq!(optional.as_ref(), Some(&read), "an optional body is read alike");
    Verdict::Accepted
}

/// The levels of a value.
pub fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn within_limits(metadata: &Metadata) {
    let again = Metadata::parse(&json!(metadata));
    assert_eq!(again.as_ref(), Ok(metadata), "metadata is within its limits");
}

/// The result of a future that waits for nothing.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..100_000 {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
    }
    panic!("it waits for something");
}
