//! Operational webhooks: each event is notified once, to the other endpoints, and never in a loop.

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::webhooks::endpoints::registrations::{
    Choices, Private, Registered, RegistrationRequest, change, register,
};
use reelhook_app::webhooks::endpoints::{Destination, Endpoint, EndpointStateStore, Format};
use reelhook_app::webhooks::notify::NotifyPorts;
use reelhook_app::webhooks::previews::{example, example_endpoint};
use reelhook_app::webhooks::recover;
use reelhook_app::webhooks::recovery::Filter;
use reelhook_app::webhooks::subscriptions::Subscribers;
use reelhook_app::webhooks::triggers::test_endpoint;
use reelhook_domain::{
    DeliveryStatus, EndpointId, Event, EventFilter, EventGroup, EventPattern, Metadata, OutboundEvent, WebUrl,
};
use reelhook_testkit::{Stack, body_of, response, run, started};

/// One endpoint that fails, and one that is notified of it.
async fn two(settings: &[(&str, &str)], failing: &[&str]) -> (Stack, EndpointId) {
    let stack = Stack::with(settings, 3);
    let mut ids = Vec::new();
    for (url, events) in
        [("https://failing.example/", failing), ("https://watching.example/", &["endpoint.*", "delivery.*"])]
    {
        let patterns = events.iter().map(|name| EventPattern::parse(name).unwrap());
        let requested = RegistrationRequest {
            choices: Choices { events: EventFilter::new(patterns), ..Choices::default() },
            destination: Destination::Web(WebUrl::parse(url).unwrap()),
            headers: Vec::new(),
            secret: None,
            enabled: true,
            key: None,
        };
        let Registered::Done(opened) = register(&stack.registration_ports(), requested).await.unwrap() else {
            panic!("full")
        };
        ids.push(opened.registration.id);
    }
    let id = ids.remove(0);
    (stack, id)
}

fn answer_failing(stack: &Stack, status: u16) {
    stack.http.script(move |request| {
        let fails = request.url.host_str() == Some("failing.example");
        Ok(response(if fails { status } else { 200 }, ""))
    });
}

fn notified(stack: &Stack) -> Vec<String> {
    let requests = stack.http.requests();
    let watching = requests.iter().filter(|request| request.url.host_str() == Some("watching.example"));
    watching.map(|request| body_of(request)["event"].as_str().unwrap().to_owned()).collect()
}

async fn jobs(stack: &Stack, numbers: std::ops::Range<u32>) {
    for n in numbers {
        let id = stack.submit(n);
        for event in [vec![Event::Claim, started(1)], run(1, None)].concat() {
            assert!(stack.jobs.apply(&id, &event, stack.world.now(), &stack.policy));
        }
    }
}

/// Advances the time until every delivery has ended.
async fn until_all_ended(stack: &Stack) {
    for _ in 0..5000 {
        stack.settle().await;
        if stack.deliveries.unfinished() == 0 {
            return;
        }
        stack.world.advance_s(5);
        stack.sweep().await;
    }
    panic!("some deliveries never end: {:?}", stack.deliveries.all());
}

const SETTINGS: [(&str, &str); 3] =
    [("WEBHOOK_DISABLE_AFTER_FAILURES", "20"), ("WEBHOOK_CIRCUIT_FAILURES", "5"), ("WEBHOOK_MAX_RETRIES", "3")];

#[tokio::test]
async fn an_endpoint_that_fails_until_it_is_disabled_is_mended_enabled_and_recovered() {
    let (stack, failing) = two(&SETTINGS, &["job.*"]).await;
    answer_failing(&stack, 500);
    jobs(&stack, 0..8).await;
    until_all_ended(&stack).await;
    let events = notified(&stack);
    let count = |name: &str| events.iter().filter(|event| *event == name).count();
    // At the first failure, at 50, 75 and 90 %, and at the end of the outage.
    assert_eq!(
        (count("endpoint.failing"), count("endpoint.disabled"), count("endpoint.recovered")),
        (4, 1, 0),
        "{events:?}"
    );
    let of_jobs = || stack.deliveries.all().into_iter().filter(|one| !one.event.is_operational());
    let exhausted = of_jobs().filter(|one| one.status == DeliveryStatus::Exhausted).count();
    assert!(exhausted > 0 && of_jobs().any(|one| one.status == DeliveryStatus::Stopped));
    assert_eq!(count("delivery.exhausted"), exhausted, "one for each exhausted delivery");
    assert!(stack.deliveries.endpoint_state(&failing).disable_notified);

    // The receiver works again, is enabled and recovered: each event is sent again, or for the first time.
    answer_failing(&stack, 200);
    stack.deliveries.enable(&failing).await.unwrap();
    let filter = Filter {
        from: reelhook_domain::Timestamp::EPOCH,
        to: stack.world.now(),
        endpoint: Some(failing.to_string()),
        statuses: vec![DeliveryStatus::Exhausted, DeliveryStatus::Stopped],
        event: None,
    };
    let requested = recover::RecoveryRequest { filter, dry_run: false, metadata: Metadata::default(), key: None };
    recover::begin(&stack.recover_ports(), requested, std::time::Duration::from_secs(30)).await.unwrap();
    until_all_ended(&stack).await;
    assert!(of_jobs().all(|one| one.status == DeliveryStatus::Delivered));
    assert_eq!(notified(&stack).len(), events.len(), "an endpoint that was enabled by hand has no recovery");
}

#[tokio::test]
async fn an_endpoint_that_recovers_by_itself_is_notified_once() {
    let (stack, failing) = two(&SETTINGS, &["job.*"]).await;
    answer_failing(&stack, 503);
    jobs(&stack, 0..3).await;
    for _ in 0..40 {
        stack.settle().await;
        if notified(&stack).contains(&"endpoint.failing".to_owned()) {
            break;
        }
        stack.world.advance_s(2);
    }
    answer_failing(&stack, 200);
    until_all_ended(&stack).await;
    jobs(&stack, 3..6).await;
    until_all_ended(&stack).await;
    let events = notified(&stack);
    assert_eq!(events.iter().filter(|event| *event == "endpoint.recovered").count(), 1, "{events:?}");
    assert_eq!(events.last().map(String::as_str), Some("endpoint.recovered"));
    let state = stack.deliveries.endpoint_state(&failing);
    assert_eq!((state.failures, state.warned), (0, None));
}

#[tokio::test]
async fn two_failing_endpoints_do_not_notify_each_other_in_a_loop() {
    let (stack, failing) = two(&SETTINGS, &["*"]).await;
    stack.http.script(|_| Ok(response(500, "")));
    jobs(&stack, 0..8).await;
    until_all_ended(&stack).await;
    let all = stack.deliveries.all();
    let about = |event: OutboundEvent| all.iter().filter(|one| one.event == event).count();
    assert!(
        all.iter().filter(|one| one.event.is_operational()).all(|one| one.endpoint_id.as_str() != one.subject.as_str())
    );
    // At most the webhooks of eight jobs are exhausted; exhausted operational ones are not notified.
    assert!(about(OutboundEvent::DeliveryExhausted) <= 8, "{}", about(OutboundEvent::DeliveryExhausted));
    assert!((1..=8).contains(&about(OutboundEvent::EndpointFailing)), "{}", about(OutboundEvent::EndpointFailing));
    assert!((1..=2).contains(&about(OutboundEvent::EndpointDisabled)));
    assert!(stack.deliveries.endpoint_state(&failing).disabled_at.is_some());
}

#[tokio::test]
async fn a_410_is_notified_although_the_first_notification_failed() {
    let (stack, failing) = two(&SETTINGS, &["job.*"]).await;
    answer_failing(&stack, 410);
    jobs(&stack, 0..1).await;
    stack.follow_stream().await.unwrap();
    stack.deliveries.faults.busy("subscribers", 1);
    stack.dispatch().await;
    assert!(notified(&stack).is_empty() && stack.deliveries.endpoint_state(&failing).disabled_at.is_some());
    jobs(&stack, 1..2).await;
    until_all_ended(&stack).await;
    assert_eq!(notified(&stack), ["endpoint.disabled"]);
    stack.world.advance_s(1);
    jobs(&stack, 2..3).await;
    until_all_ended(&stack).await;
    assert_eq!(notified(&stack), ["endpoint.disabled"], "once");
}

/// Lets the endpoint fail until the other endpoint gets this event.
async fn until_notified(stack: &Stack, name: &str) {
    for _ in 0..200 {
        stack.settle().await;
        if notified(stack).iter().any(|event| event == name) {
            return;
        }
        stack.world.advance_s(2);
    }
    panic!("no endpoint got {name}: {:?}", notified(stack));
}

#[tokio::test]
async fn a_successful_test_does_not_suppress_a_recovery_event() {
    let (stack, failing) = two(&SETTINGS, &["job.*"]).await;
    answer_failing(&stack, 500);
    jobs(&stack, 0..3).await;
    until_notified(&stack, "endpoint.failing").await;
    answer_failing(&stack, 200);
    let notify = NotifyPorts { store: &*stack.deliveries, hints: &stack.hints, grace: stack.policy.hint_grace };
    stack.deliveries.request_probe(&failing).await.unwrap();
    let to = stack.deliveries.subscribers().await.unwrap().iter().find(|one| one.id == failing).cloned().unwrap();
    test_endpoint(&notify, &to, Format::Standard, stack.world.now(), 1, None).await.unwrap();
    stack.dispatch().await;
    assert_eq!(stack.deliveries.endpoint_state(&failing).failures, 0, "the test was successful");
    until_all_ended(&stack).await;
    assert_eq!(notified(&stack).iter().filter(|event| *event == "endpoint.recovered").count(), 1);
    assert_eq!(stack.deliveries.endpoint_state(&failing).outage_notified_since, None);
}

#[tokio::test]
async fn an_endpoint_that_fails_at_operational_webhooks_is_notified_at_the_next_job() {
    let (stack, failing) = two(&SETTINGS, &["job.*"]).await;
    answer_failing(&stack, 500);
    let notify = NotifyPorts { store: &*stack.deliveries, hints: &stack.hints, grace: stack.policy.hint_grace };
    let to = stack.deliveries.subscribers().await.unwrap().iter().find(|one| one.id == failing).cloned().unwrap();
    for n in 0..2 {
        test_endpoint(&notify, &to, Format::Standard, stack.world.now(), n, None).await.unwrap();
    }
    for _ in 0..4 {
        stack.settle().await;
        stack.world.advance_s(2);
    }
    assert!(stack.deliveries.endpoint_state(&failing).warned.is_some() && notified(&stack).is_empty());
    jobs(&stack, 0..1).await;
    until_notified(&stack, "endpoint.failing").await;
}

#[tokio::test]
async fn a_recovery_whose_notification_was_not_recorded_is_notified_again_under_the_same_id() {
    let (stack, failing) = two(&SETTINGS, &["job.*"]).await;
    answer_failing(&stack, 500);
    jobs(&stack, 0..2).await;
    until_notified(&stack, "endpoint.failing").await;
    stack.deliveries.faults.busy("mark_failing_notified", 1);
    answer_failing(&stack, 200);
    until_all_ended(&stack).await;
    jobs(&stack, 2..3).await;
    until_all_ended(&stack).await;
    let recovered = notified(&stack).iter().filter(|event| *event == "endpoint.recovered").count();
    assert_eq!(recovered, 1, "the second notification has the same id and is not sent");
    assert_eq!(stack.deliveries.endpoint_state(&failing).outage_notified_since, None);
}

#[tokio::test]
async fn other_endpoints_get_a_receiver_s_host_and_not_its_url() {
    let stack = Stack::with(&SETTINGS, 3);
    let endpoint = example_endpoint(&stack.settings);
    let secret = Endpoint {
        destination: Destination::Web(WebUrl::parse("https://x.example/s3cret?token=s3cret").unwrap()),
        ..endpoint
    };
    for &event in OutboundEvent::ALL {
        let row = example(&secret, event, stack.world.now());
        assert!(!row.data.to_string().contains("s3cret"), "{}", row.data);
        assert_eq!(row.data["url"].is_string(), matches!(event.group(), EventGroup::Endpoint | EventGroup::Delivery));
    }
}

#[tokio::test]
async fn moving_an_endpoint_does_not_suppress_its_recovery_event() {
    let (stack, failing) = two(&SETTINGS, &["job.*"]).await;
    answer_failing(&stack, 500);
    jobs(&stack, 0..3).await;
    until_notified(&stack, "endpoint.failing").await;
    let moved = |_: &mut Choices, private: &mut Private| {
        private.destination = Destination::Web(WebUrl::parse("https://moved.example/").unwrap());
        Ok::<(), std::convert::Infallible>(())
    };
    change(&stack.registration_ports(), &failing, None, moved).await.unwrap().unwrap();
    until_all_ended(&stack).await;
    jobs(&stack, 3..4).await;
    until_all_ended(&stack).await;
    assert_eq!(notified(&stack).iter().filter(|event| *event == "endpoint.recovered").count(), 1);
}
