//! Messages of the job inbox, on stores in memory: each makes something once, is refused with its reason, or comes again.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use aws_lambda_events::event::sqs::{SqsMessage, SqsMessageAttribute};
use inbox::intake::{ComeAgain, Intake, Received};
use reelhook_app::clips::requests::create::CreatePorts as ClipPorts;
use reelhook_app::errors::refused::{RefusePorts, RefusedMessage, RefusedMessages};
use reelhook_app::errors::steps::ErrorChange;
use reelhook_app::limits::DayCounter;
use reelhook_app::projects::requests::create::CreatePorts as ProjectPorts;
use reelhook_app::store::StoreError;
use reelhook_app::videos::requests::VideoRequestPorts;
use reelhook_domain::errors::cause::{Cause, Raise};
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::videos::render::Renderer;
use reelhook_domain::{ClipPolicy, JobKind, KeyLimits, Timestamp};
use reelhook_http::access::senders::Senders;
use reelhook_testkit::{Fault, MemoryClips, MemoryObjectStore, MemoryProjects, MemorySteps, Stack};
use serde_json::{Value, json};

/// The queue of refused messages in memory.
#[derive(Default)]
struct Kept(Mutex<Vec<RefusedMessage>>);

#[async_trait]
impl RefusedMessages for Kept {
    async fn keep(&self, message: &RefusedMessage) -> Result<(), StoreError> {
        self.0.lock().unwrap().push(message.clone());
        Ok(())
    }
}

/// What callers have made on the one day of a test.
#[derive(Default)]
struct Made(Mutex<BTreeMap<String, u32>>);

#[async_trait]
impl DayCounter for Made {
    async fn count_made(&self, caller: &str, most: u32, _: Timestamp) -> Result<bool, StoreError> {
        let mut made = self.0.lock().unwrap();
        let count = made.entry(caller.to_owned()).or_default();
        let may = *count < most;
        *count += u32::from(may);
        Ok(may)
    }
}

#[derive(Default)]
struct Inbox {
    stack: Stack,
    films: MemoryObjectStore,
    projects: MemoryProjects,
    clips: MemoryClips,
    steps: MemorySteps,
    kept: Kept,
    made: Made,
    limits: KeyLimits,
    project_policy: ProjectPolicy,
    clip_policy: ClipPolicy,
    limited: bool,
}

impl Inbox {
    async fn take(&self, id: &str, body: &Value) -> Result<(), ComeAgain> {
        self.take_text(id, &body.to_string()).await
    }

    async fn take_text(&self, id: &str, body: &str) -> Result<(), ComeAgain> {
        let (clock, senders) = (&*self.stack.world, "shop=ann".parse::<Senders>().unwrap());
        let intake = Intake {
            videos: VideoRequestPorts {
                jobs: &*self.stack.jobs,
                films: &self.films,
                links: &self.films,
                speeds: &self.films,
                clock,
                policy: &self.stack.policy,
                renderer: Renderer::Own,
            },
            projects: ProjectPorts {
                projects: &self.projects,
                files: &self.projects,
                clock,
                policy: &self.project_policy,
            },
            clips: ClipPorts {
                attempts: &self.clips,
                jobs: &self.clips,
                list: &self.clips,
                clock,
                policy: &self.clip_policy,
                limited: self.limited,
            },
            refusals: RefusePorts { kept: &self.kept, errors: &self.steps, clock },
            senders: &senders,
            limits: &self.limits,
            made: &self.made,
            allow_http: false,
        };
        intake.take(&Received { id: id.to_owned(), body: body.to_owned(), sender: None }).await
    }

    fn kept(&self) -> Vec<RefusedMessage> {
        self.kept.0.lock().unwrap().clone()
    }

    /// The errors that were raised.
    fn raised(&self) -> Vec<Raise> {
        let steps = self.steps.all().into_iter();
        let raised = steps.filter_map(|step| match step.change {
            ErrorChange::Raise(raise) => Some(raise),
            ErrorChange::Resolve(_) => None,
        });
        raised.collect()
    }
}

fn generate() -> Value {
    let body = json!({ "country": "FR", "platform": "netflix", "genre": "Drama" });
    json!({ "operation": "generate", "body": body })
}

fn clips() -> Value {
    json!({ "operation": "clips", "body": { "videoUrl": "https://media.example/talk.mp4" } })
}

#[tokio::test]
async fn each_operation_makes_what_its_route_makes() {
    let inbox = Inbox::default();
    let scenes = json!([{ "type": "hero-title", "content": { "title": "Hello" }, "duration": 2 }]);
    let video =
        json!({ "operation": "generate-video-async", "owner": "shop", "body": { "title": "A", "scenes": scenes } });
    let project =
        json!({ "operation": "projects", "owner": "shop", "body": { "name": "A", "scenes": [{ "prompt": "x" }] } });
    for (id, message) in [("m-1", generate()), ("m-2", video), ("m-3", project), ("m-4", clips())] {
        assert_eq!(inbox.take(id, &message).await, Ok(()), "{message}");
    }
    assert!(inbox.kept().is_empty(), "{:?}", inbox.kept());
    let mut jobs = inbox.stack.jobs.all();
    jobs.sort_by_key(|job| job.kind == JobKind::Video);
    let [workflow, video] = &jobs[..] else { panic!("{jobs:?}") };
    let owner = |owner: &Option<reelhook_domain::OwnerId>| owner.as_ref().map(ToString::to_string);
    assert_eq!((workflow.kind, owner(&workflow.origin.owner)), (JobKind::Workflow, None));
    assert_eq!(workflow.origin.caller.as_deref(), Some("inbox"));
    assert_eq!((video.kind, owner(&video.origin.owner).as_deref()), (JobKind::Video, Some("ann")));
    let projects = inbox.projects.all();
    let [project] = &projects[..] else { panic!("{projects:?}") };
    assert_eq!(owner(&project.origin.owner).as_deref(), Some("ann"));
    assert_eq!(inbox.clips.all().len(), 1);
}

#[tokio::test]
async fn a_message_that_comes_twice_makes_one_of_each_kind() {
    let inbox = Inbox::default();
    let project = json!({ "operation": "projects", "body": { "name": "A", "scenes": [{ "prompt": "x" }] } });
    for time in ["first", "second"] {
        for (id, message) in [("m-1", generate()), ("m-2", project.clone()), ("m-3", clips())] {
            assert_eq!(inbox.take(id, &message).await, Ok(()), "{time}");
        }
    }
    let made = (inbox.stack.jobs.all().len(), inbox.projects.all().len(), inbox.clips.all().len());
    assert_eq!((made, inbox.kept()), ((1, 1, 1), Vec::new()));
    assert_eq!(inbox.take("m-4", &generate()).await, Ok(()), "another message is another job");
    assert_eq!(inbox.stack.jobs.all().len(), 2);
}

#[tokio::test]
async fn a_message_that_comes_again_after_days_makes_nothing_and_a_given_key_is_known_for_one() {
    let inbox = Inbox::default();
    let project = json!({ "operation": "projects", "body": { "name": "A", "scenes": [{ "prompt": "x" }] } });
    let mut given = generate();
    given["idempotencyKey"] = json!("order-7");
    for (days, jobs) in [(0, 2), (14, 3), (28, 4)] {
        for (id, message) in [("m-1", generate()), ("m-2", project.clone()), ("m-3", clips()), ("m-4", given.clone())] {
            assert_eq!(inbox.take(id, &message).await, Ok(()), "after {days} days");
        }
        let made = (inbox.stack.jobs.all().len(), inbox.projects.all().len(), inbox.clips.all().len());
        assert_eq!((made, inbox.kept()), ((jobs, 1, 1), Vec::new()), "after {days} days");
        inbox.stack.world.advance_s(14 * 24 * 3600);
    }
}

#[tokio::test]
async fn an_event_that_comes_in_two_messages_makes_one_job() {
    let inbox = Inbox::default();
    let event = json!({ "id": "e-1", "detail-type": "Video wanted", "source": "shop", "detail": generate() });
    for id in ["m-1", "m-2"] {
        assert_eq!(inbox.take(id, &event).await, Ok(()));
    }
    assert_eq!(inbox.stack.jobs.all().len(), 1);
}

#[tokio::test]
async fn a_refused_message_is_kept_with_its_reason_and_is_an_error() {
    let inbox = Inbox::default();
    let mut wrong = generate();
    wrong["body"]["country"] = json!(7);
    let mut foreign = generate();
    foreign["owner"] = json!("ann");
    let mut poor = clips();
    poor["owner"] = json!("shop");
    let inbox = Inbox { limited: true, ..inbox };
    for (id, message, operation, code) in [
        ("m-1", wrong, Some("generate"), "bad_field"),
        ("m-2", foreign, Some("generate"), "bad_field"),
        ("m-3", json!({ "operation": "projects", "body": {} }), Some("projects"), "project_name_missing"),
        ("m-4", poor, Some("clips"), "insufficient_credits"),
        ("m-5", json!({ "body": {} }), None, "bad_field"),
    ] {
        assert_eq!(inbox.take(id, &message).await, Ok(()), "it does not come again: {message}");
        let kept = inbox.kept().pop().unwrap();
        assert_eq!((kept.id.as_str(), kept.operation, kept.code), (id, operation, code));
        assert_eq!(kept.body, message.to_string());
        let raise = inbox.raised().pop().unwrap();
        assert_eq!(raise.cause, Cause::MessageRefused);
        assert_eq!(raise.about, format!("inbox/{}/{code}", operation.unwrap_or("unknown")));
        assert!(raise.message.ends_with(&kept.reason), "{}", raise.message);
    }
    assert_eq!((inbox.stack.jobs.all().len(), inbox.clips.all().len()), (0, 0));
}

#[tokio::test]
async fn one_key_with_another_body_is_refused() {
    let inbox = Inbox::default();
    let keyed = |genre: &str| {
        let mut message = generate();
        message["idempotencyKey"] = json!("order-7");
        message["body"]["genre"] = json!(genre);
        message
    };
    assert_eq!(inbox.take("m-1", &keyed("Drama")).await, Ok(()));
    assert_eq!(inbox.take("m-2", &keyed("Drama")).await, Ok(()));
    assert_eq!((inbox.stack.jobs.all().len(), inbox.kept().len()), (1, 0));
    assert_eq!(inbox.take("m-3", &keyed("Horror")).await, Ok(()));
    assert_eq!(inbox.kept()[0].code, "idempotency_key_reused");
}

#[tokio::test]
async fn what_an_owner_may_no_more_make_today_is_refused_and_what_was_made_is_not() {
    let limits = KeyLimits::parse("owner:ann=/1,key:inbox=/2,*=/9").unwrap();
    let inbox = Inbox { limits, ..Inbox::default() };
    let mut of_ann = generate();
    of_ann["owner"] = json!("shop");
    for (id, message, refused) in [
        ("m-1", &of_ann, 0),
        ("m-2", &of_ann, 1),
        // SQS delivers it for a second time.
        ("m-1", &of_ann, 1),
        ("m-3", &clips(), 1),
        ("m-4", &generate(), 1),
        ("m-5", &generate(), 2),
    ] {
        assert_eq!(inbox.take(id, message).await, Ok(()), "{id}: it does not come again, a day is too long for that");
        assert_eq!(inbox.kept().len(), refused, "{id}: {:?}", inbox.kept());
    }
    let kept = inbox.kept().pop().unwrap();
    assert_eq!((kept.id.as_str(), kept.code), ("m-5", "daily_limit"));
    assert!(kept.reason.contains("may make 2 jobs a day"), "{}", kept.reason);
    assert_eq!((inbox.stack.jobs.all().len(), inbox.clips.all().len()), (2, 1));
    // The owner's requests are counted under the same name.
    let counted = BTreeMap::from([("inbox".to_owned(), 2), ("owner:ann".to_owned(), 1)]);
    assert_eq!(*inbox.made.0.lock().unwrap(), counted);
}

#[tokio::test]
async fn a_malformed_message_uses_up_nothing() {
    let inbox = Inbox { limits: KeyLimits::parse("*=/1").unwrap(), ..Inbox::default() };
    let mut wrong = generate();
    wrong["body"]["genre"] = json!(7);
    assert_eq!(inbox.take("m-1", &wrong).await, Ok(()));
    assert_eq!(inbox.take("m-2", &generate()).await, Ok(()));
    assert_eq!((inbox.stack.jobs.all().len(), inbox.kept().len()), (1, 1));
}

#[tokio::test]
async fn a_message_comes_again_while_a_store_is_busy() {
    let inbox = Inbox::default();
    inbox.stack.jobs.faults.inject("insert_with_key", [Fault::Busy, Fault::LostAnswer]);
    for fault in ["busy", "a lost answer"] {
        assert_eq!(inbox.take("m-1", &generate()).await, Err(ComeAgain), "{fault}");
    }
    assert_eq!(inbox.take("m-1", &generate()).await, Ok(()));
    assert_eq!((inbox.stack.jobs.all().len(), inbox.kept().len()), (1, 0));
}

#[tokio::test]
async fn a_refusal_comes_again_until_people_can_see_it() {
    let inbox = Inbox::default();
    inbox.steps.faults.inject("apply", [Fault::Busy]);
    assert_eq!(inbox.take_text("m-1", "{").await, Err(ComeAgain));
    assert!(inbox.kept().is_empty(), "the error comes first, since it counts the message once");
    assert_eq!(inbox.take_text("m-1", "{").await, Ok(()));
    assert_eq!((inbox.kept().len(), inbox.raised().len()), (1, 1));
}

#[test]
fn a_redriven_message_has_the_id_that_it_was_sent_with() {
    let received = |first: Option<&str>| {
        let mut message = SqsMessage::default();
        message.message_id = Some("m-2".to_owned());
        if let Some(first) = first {
            let mut attribute = SqsMessageAttribute::default();
            attribute.string_value = Some(first.to_owned());
            message.message_attributes.insert("reelhook-message-id".to_owned(), attribute);
        }
        Received::of(message).id
    };
    assert_eq!(received(None), "m-2");
    assert_eq!(received(Some("m-1")), "m-1");
    for unfit in ["", "a b", "é", &"x".repeat(101)] {
        assert_eq!(received(Some(unfit)), "m-2", "{unfit}");
    }
}

#[tokio::test]
async fn sample_events_are_taken_or_refused_as_their_names_say() {
    let inbox = Inbox::default();
    for (name, text, refused) in [
        ("generate", include_str!("../../../../events/inbox/generate.json"), 0),
        ("event", include_str!("../../../../events/inbox/event.json"), 0),
        ("transformed", include_str!("../../../../events/inbox/transformed.json"), 0),
        ("refused", include_str!("../../../../events/inbox/refused.json"), 1),
    ] {
        let event: Value = serde_json::from_str(text).unwrap();
        let record = &event["Records"][0];
        let (id, body) = (record["messageId"].as_str().unwrap(), record["body"].as_str().unwrap());
        assert_eq!(inbox.take_text(id, body).await, Ok(()), "{name}");
        assert_eq!(inbox.kept().len(), refused, "{name}: {:?}", inbox.kept());
    }
    assert_eq!(inbox.stack.jobs.all().len(), 3);
}
