//! Registered endpoints: changes, the content of their webhooks, and secret rotation without losing a webhook.

use std::convert::Infallible;
use std::time::Duration;

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::idempotency::IdempotencyKey;
use reelhook_app::webhooks::endpoints::policies::{OwnPolicy, ScheduleName};
use reelhook_app::webhooks::endpoints::registrations::{
    Changed, Choices, MOST_ENDPOINTS, Opened, Registered, RegistrationRequest, Vault, change, look, register, remove,
};
use reelhook_app::webhooks::endpoints::rotation::{NotRotated, Rotation, rotate};
use reelhook_app::webhooks::endpoints::secrets::MOST_SECRETS;
use reelhook_app::webhooks::endpoints::{Arn, Destination, EndpointStateStore, Form, Payload};
use reelhook_app::webhooks::previews::preview;
use reelhook_app::webhooks::transport::CloudTarget;
use reelhook_domain::{
    DeliveryStatus, EndpointId, Event, EventFilter, EventPattern, OutboundEvent, WaitReason, WebUrl,
};
use reelhook_signing::{SigningKeys, asymmetric, standard, streamgank};
use reelhook_testkit::{NOON, Stack, body_of, header, headers, response, run, started};
use serde_json::json;

fn filter(names: &[&str]) -> EventFilter {
    EventFilter::new(names.iter().map(|name| EventPattern::parse(name).unwrap()))
}

fn requested(url: &str, events: &[&str]) -> RegistrationRequest {
    RegistrationRequest {
        choices: Choices { events: filter(events), ..Choices::default() },
        destination: Destination::Web(WebUrl::parse(url).unwrap()),
        headers: Vec::new(),
        secret: None,
        enabled: true,
        key: None,
    }
}

async fn registered(stack: &Stack, requested: RegistrationRequest) -> Opened {
    match register(&stack.registration_ports(), requested).await.unwrap() {
        Registered::Done(opened) => *opened,
        other => panic!("{other:?}"),
    }
}

fn stack() -> Stack {
    Stack::with(&[], 3)
}

/// Completes a job and delivers its webhooks.
async fn a_job(stack: &Stack, n: u32) {
    let id = stack.submit(n);
    for event in [vec![Event::Claim, started(1)], run(1, None)].concat() {
        assert!(stack.jobs.apply(&id, &event, stack.world.now(), &stack.policy));
    }
    stack.settle().await;
}

#[tokio::test]
async fn an_endpoint_gets_what_it_subscribes_to_from_then_on_signed_with_its_own_secret() {
    let stack = stack();
    a_job(&stack, 1).await;
    stack.world.advance_s(1);
    let opened = registered(&stack, requested("https://own.example/hook", &["job.*"])).await;
    registered(&stack, requested("https://other.example/hook", &["job.failed"])).await;
    a_job(&stack, 2).await;
    stack.replay_stream().await;
    stack.settle().await;
    let request = stack.http.only_request();
    assert_eq!(request.url.as_str(), "https://own.example/hook");
    let body = body_of(&request);
    let id = opened.registration.id.to_string();
    assert_eq!((&body["event"], &body["webhook_id"]), (&json!("job.completed_with_issues"), &json!(id)));
    let keys = SigningKeys::parse(&opened.private.secrets[0].secret).unwrap();
    let signature = header(&request, "webhook-signature");
    let (id, at) = (header(&request, "webhook-id"), header(&request, "webhook-timestamp"));
    standard::verify(&id, &at, &signature, &request.body, &keys, stack.world.now().seconds()).unwrap();
    streamgank::verify_hex(&request.body, &header(&request, "x-streamgank-signature"), &keys).unwrap();
    assert!(!signature.contains("v1a"));
}

#[tokio::test]
async fn an_endpoint_s_settings_apply_to_its_webhooks() {
    let stack = stack();
    let mut thin = requested("https://thin.example/", &["*"]);
    thin.choices.form = Form { payload: Payload::Thin, ..Form::default() };
    thin.choices.asymmetric = true;
    thin.choices.policy =
        OwnPolicy { timeout: Some(2000), schedule: Some(ScheduleName::Standard), ..OwnPolicy::default() };
    thin.headers = vec![("X-Team".to_owned(), "billing".to_owned()), ("Webhook-Id".to_owned(), "forged".to_owned())];
    let thin = registered(&stack, thin).await;
    let mut ascii = requested("https://ascii.example/", &["job.*"]);
    ascii.choices.form.ascii = true;
    registered(&stack, ascii).await;
    a_job(&stack, 1).await;
    let requests = stack.http.requests();
    let to = |host: &str| requests.iter().find(|request| request.url.host_str() == Some(host)).unwrap();

    let request = to("thin.example");
    let body = body_of(request);
    let job = body["data"]["job_id"].as_str().unwrap();
    assert_eq!(body["data"], json!({ "job_id": job, "href": format!("/api/job/{job}"), "status": "completed" }));
    let sent = headers(request);
    assert_eq!((sent["x-team"].as_str(), request.deadline), ("billing", Duration::from_secs(2)));
    assert_ne!(sent["webhook-id"], "forged");
    let public = [thin.registration.public_keys[0].key.clone()];
    let (id, at, tokens) = (&sent["webhook-id"], &sent["webhook-timestamp"], &sent["webhook-signature"]);
    asymmetric::verify(id, at, tokens, &request.body, &public, stack.world.now().seconds()).unwrap();
    let keys = SigningKeys::parse(&thin.private.secrets[0].secret).unwrap();
    standard::verify(id, at, tokens, &request.body, &keys, stack.world.now().seconds()).unwrap();

    let request = to("ascii.example");
    assert!(request.body.is_ascii() && request.body.windows(6).any(|part| part == b"\\u00e9"));
    assert_eq!(body_of(request)["data"]["parameters"]["genre"], "Comédie 🎬");
}

#[tokio::test]
async fn queues_and_buses_get_the_same_webhooks() {
    let stack = stack();
    for (arn, service) in [
        ("arn:aws:sqs:us-east-1:123456789012:webhooks", "sqs"),
        ("arn:aws:events:us-east-1:123456789012:event-bus/videos", "events"),
    ] {
        let arn = Arn::parse(arn, service).unwrap();
        let destination = if service == "sqs" { Destination::Queue(arn) } else { Destination::Bus(arn) };
        registered(&stack, RegistrationRequest { destination, ..requested("https://none.example/", &["job.*"]) }).await;
    }
    a_job(&stack, 1).await;
    assert!(stack.http.requests().is_empty());
    let cloud_webhooks = stack.http.cloud_requests();
    assert_eq!(cloud_webhooks.len(), 2);
    for webhook in cloud_webhooks {
        let text = |name: &str| webhook.attributes.iter().find(|(known, _)| known == name).unwrap().1.clone();
        let body: serde_json::Value = serde_json::from_str(&webhook.body).unwrap();
        assert_eq!((webhook.event, &body["event"]), ("job.completed_with_issues", &json!(webhook.event)));
        if let CloudTarget::Bus(_) = webhook.to {
            assert_eq!((&body["id"], webhook.attributes.len()), (&json!(webhook.once), 0), "events have no headers");
            continue;
        }
        assert_eq!((text("webhook-id"), &body["id"]), (webhook.once.clone(), &json!(null)));
        assert!(text("webhook-signature").starts_with("v1,"), "signed like any other webhook");
        assert!(webhook.attributes.len() <= 10, "the maximum for a message of SQS");
    }
    assert!(stack.deliveries.all().iter().all(|delivery| delivery.status == DeliveryStatus::Delivered));
}

#[tokio::test]
async fn secrets_rotate_under_load_and_each_receiver_accepts_every_webhook() {
    let stack = stack();
    let ports = stack.registration_ports();
    let mut requested = requested("https://own.example/", &["job.*"]);
    requested.choices.asymmetric = true;
    let id = registered(&stack, requested).await.registration.id;
    let mut n = 0;
    for _ in 0..6 {
        // A receiver may still use any secret that was once the newest.
        let held = look(&ports, &id).await.unwrap().unwrap().private.secrets;
        let rotation = Rotation { secret: None, grace: Duration::from_secs(3600), key: None };
        let Changed::Done(now) = rotate(&ports, &id, rotation).await.unwrap().unwrap() else { panic!("no endpoint") };
        assert_eq!(now.private.secrets.len(), held.len() + 1);
        let before = stack.http.requests().len();
        for _ in 0..3 {
            n += 1;
            a_job(&stack, n).await;
        }
        let requests = stack.http.requests();
        assert_eq!(requests.len(), before + 3);
        for request in &requests[before..] {
            let sent = headers(request);
            let (id, at, tokens) = (&sent["webhook-id"], &sent["webhook-timestamp"], &sent["webhook-signature"]);
            for secret in &now.private.secrets {
                let keys = SigningKeys::parse(&secret.secret).unwrap();
                standard::verify(id, at, tokens, &request.body, &keys, stack.world.now().seconds()).unwrap();
                let public = [secret.key().unwrap().public()];
                asymmetric::verify(id, at, tokens, &request.body, &public, stack.world.now().seconds()).unwrap();
            }
        }
        stack.world.advance_s(60);
    }
    stack.world.advance_s(3600);
    a_job(&stack, n + 1).await;
    let tokens = header(stack.http.requests().last().unwrap(), "webhook-signature");
    assert_eq!(tokens.split(' ').count(), 2, "after the grace period only the newest secret signs: {tokens}");
}

#[tokio::test]
async fn the_number_of_valid_secrets_is_limited_and_a_rotation_without_grace_ends_the_others() {
    let stack = stack();
    let ports = stack.registration_ports();
    let id = registered(&stack, requested("https://own.example/", &["job.*"])).await.registration.id;
    let turn = async |grace: u64| {
        let rotation = Rotation { secret: None, grace: Duration::from_secs(grace), key: None };
        rotate(&ports, &id, rotation).await.unwrap()
    };
    for _ in 1..MOST_SECRETS {
        turn(60).await.unwrap();
    }
    assert_eq!(turn(60).await, Err(NotRotated::TooMany(Some(NOON.after(Duration::from_secs(60))))));
    let Ok(Changed::Done(now)) = turn(0).await else { panic!("refused") };
    assert_eq!(now.private.secrets.len(), 1);
    let keyed = |caller: &str, hash: &str| IdempotencyKey::new(caller, "once", hash);
    let once = || Rotation { secret: None, grace: Duration::ZERO, key: Some(keyed("ann", "h")) };
    let one = rotate(&ports, &id, once()).await.unwrap();
    assert_eq!(one, rotate(&ports, &id, once()).await.unwrap(), "a repeat changes nothing");
    let other = Rotation { key: Some(keyed("ann", "i")), ..once() };
    assert_eq!(rotate(&ports, &id, other).await.unwrap(), Err(NotRotated::KeyReused));
    // Version 0.1 stored the hash of the body's bytes.
    let upgraded = keyed("ann", "of its value").formerly_hashed(|| "h".to_owned());
    let later = Rotation { key: Some(upgraded), ..once() };
    assert_eq!(rotate(&ports, &id, later).await.unwrap(), one);
    // The caller's fingerprint has changed since.
    let renamed = |former: &str| {
        let former = former.to_owned();
        let key = keyed("ann, since", "h").formerly_of(move || vec!["older still".to_owned(), former.clone()]);
        Rotation { key: Some(key), ..once() }
    };
    assert_eq!(rotate(&ports, &id, renamed("ann")).await.unwrap(), one);
    let bobs = rotate(&ports, &id, renamed("bob")).await.unwrap().unwrap();
    assert_ne!(Ok(bobs), one, "the key of another caller creates another secret");
}

#[tokio::test]
async fn changes_apply_to_the_version_of_the_caller_and_reach_the_next_batch() {
    let stack = stack();
    let ports = stack.registration_ports();
    let id = registered(&stack, requested("https://one.example/", &["job.*"])).await.registration.id;
    a_job(&stack, 1).await;
    let to = |url: &'static str| {
        move |_: &mut Choices, private: &mut reelhook_app::webhooks::endpoints::registrations::Private| {
            private.destination = Destination::Web(WebUrl::parse(url).unwrap());
            Ok::<(), Infallible>(())
        }
    };
    stack.http.script(|_| Ok(response(500, "")));
    stack.settle().await;
    let other = change(&ports, &id, Some(7), to("https://two.example/")).await.unwrap().unwrap();
    assert_eq!(other, Changed::OtherVersion);
    let Changed::Done(now) = change(&ports, &id, Some(1), to("https://two.example/")).await.unwrap().unwrap() else {
        panic!("not changed")
    };
    assert_eq!(now.registration.version, 2);
    let Changed::Done(same) = change(&ports, &id, None, to("https://two.example/")).await.unwrap().unwrap() else {
        panic!("not there")
    };
    assert_eq!(same.registration.version, 2, "nothing changed");
    assert_eq!(stack.deliveries.endpoint_state(&id).failures, 0, "the new URL has not failed");
    a_job(&stack, 2).await;
    let hosts: Vec<_> =
        stack.http.requests().iter().map(|request| request.url.host_str().unwrap().to_owned()).collect();
    assert_eq!(hosts, ["one.example", "two.example"]);

    assert!(remove(ports.store, ports.clock, &id).await.unwrap());
    assert!(!remove(ports.store, ports.clock, &id).await.unwrap());
    a_job(&stack, 3).await;
    assert_eq!(stack.http.requests().len(), 2);
    let unknown = EndpointId::parse("ep_unknown").unwrap();
    assert_eq!(change(&ports, &unknown, None, to("https://x.example/")).await.unwrap(), Ok(Changed::NotFound));
}

#[tokio::test]
async fn deliveries_to_a_removed_endpoint_end() {
    let stack = stack();
    let id = registered(&stack, requested("https://one.example/", &["job.*"])).await.registration.id;
    let job = stack.submit(1);
    for event in [vec![Event::Claim, started(1)], run(1, None)].concat() {
        assert!(stack.jobs.apply(&job, &event, stack.world.now(), &stack.policy));
    }
    stack.follow_stream().await.unwrap();
    remove(&*stack.deliveries, &*stack.world, &id).await.unwrap();
    stack.settle().await;
    let delivery = stack.deliveries.only();
    assert_eq!(delivery.status, DeliveryStatus::Stopped);
    assert_eq!(delivery.last_result.as_deref(), Some("endpoint is not configured any more"));
}

#[tokio::test]
async fn a_key_registers_once_and_a_disabled_endpoint_is_sent_nothing() {
    let stack = stack();
    let keyed = |url: &str, hash: &str| RegistrationRequest {
        key: Some(IdempotencyKey::new("ann", "k", hash)),
        enabled: false,
        ..requested(url, &["job.*"])
    };
    let ports = stack.registration_ports();
    let one = registered(&stack, keyed("https://one.example/", "1")).await;
    assert_eq!(registered(&stack, keyed("https://one.example/", "1")).await, one);
    let reused = register(&ports, keyed("https://two.example/", "2")).await.unwrap();
    assert_eq!(reused, Registered::KeyReused);
    let upgraded = IdempotencyKey::new("ann", "k", "of its value").formerly_hashed(|| "1".to_owned());
    let later = RegistrationRequest { key: Some(upgraded), ..keyed("https://one.example/", "1") };
    assert_eq!(registered(&stack, later).await, one, "the record of version 0.1 is found");
    let renamed = |former: &str, hash: &str| {
        let former = former.to_owned();
        let key = IdempotencyKey::new("ann, since", "k", hash);
        let key = key.formerly_of(move || vec!["older still".to_owned(), former.clone()]);
        RegistrationRequest { key: Some(key), ..keyed("https://one.example/", hash) }
    };
    assert_eq!(registered(&stack, renamed("ann", "1")).await, one, "found under the caller's former fingerprint");
    assert_eq!(register(&ports, renamed("ann", "2")).await.unwrap(), Registered::KeyReused);
    let bobs = registered(&stack, renamed("bob", "1")).await;
    assert_ne!(bobs.registration.id, one.registration.id);
    remove(ports.store, ports.clock, &bobs.registration.id).await.unwrap();
    remove(ports.store, ports.clock, &one.registration.id).await.unwrap();
    let (two, again) = tokio::join!(
        registered(&stack, keyed("https://one.example/", "1")),
        registered(&stack, keyed("https://one.example/", "1"))
    );
    assert_eq!(two, again, "concurrent requests create one endpoint");
    assert_ne!(one.registration.id, two.registration.id, "a removed id is not used again");
    let one = registered(&stack, keyed("https://one.example/", "1")).await;
    assert_eq!(one, two);
    assert_eq!(registered(&stack, renamed("ann", "1")).await, one, "the registration after the removal is found, too");
    a_job(&stack, 1).await;
    assert!(stack.http.requests().is_empty());
    stack.deliveries.enable(&one.registration.id).await.unwrap();
    a_job(&stack, 2).await;
    assert_eq!(stack.http.requests().len(), 1, "an enabled endpoint keeps its destination");
}

#[tokio::test]
async fn a_thousand_endpoints_are_the_limit_and_a_repeated_key_still_finds_its_endpoint() {
    let stack = stack();
    let ports = stack.registration_ports();
    let key = IdempotencyKey::new("ann", "k", "h");
    let keyed = || RegistrationRequest { key: Some(key.clone()), ..requested("https://one.example/", &["job.*"]) };
    let one = registered(&stack, keyed()).await;
    for _ in 1..MOST_ENDPOINTS {
        registered(&stack, requested("https://many.example/", &["job.deleted"])).await;
    }
    let more = register(&ports, requested("https://more.example/", &["job.*"])).await.unwrap();
    assert_eq!(more, Registered::TooMany);
    assert_eq!(registered(&stack, keyed()).await, one);
}

#[tokio::test]
async fn webhooks_wait_while_their_endpoint_can_t_be_decrypted() {
    let mut stack = stack();
    let id = registered(&stack, requested("https://one.example/", &["job.*"])).await.registration.id;
    let key = |text: &str| Vault::parse(text).unwrap();
    stack.vault = key("another key");
    a_job(&stack, 1).await;
    assert!(stack.http.requests().is_empty());
    assert_eq!(stack.deliveries.only().wait_reason, Some(WaitReason::UnknownEndpoint));
    stack.vault = key("another key, the key of secrets");
    stack.world.advance_s(300);
    stack.settle().await;
    assert_eq!(stack.deliveries.only().status, DeliveryStatus::Delivered);
    // A change of nothing seals it with the newest key, and the old one can go.
    let nothing =
        |_: &mut Choices, _: &mut reelhook_app::webhooks::endpoints::registrations::Private| Ok::<(), Infallible>(());
    change(&stack.registration_ports(), &id, None, nothing).await.unwrap().unwrap();
    stack.vault = key("another key");
    a_job(&stack, 2).await;
    assert_eq!(stack.http.requests().len(), 2);
}

#[tokio::test]
async fn secrets_are_encrypted_at_rest_and_hidden_in_debug_output() {
    let stack = stack();
    let mut requested = requested("https://hooks.slack.com/services/T0/B0/token", &["job.*"]);
    requested.headers = vec![("Authorization".to_owned(), "Bearer hush".to_owned())];
    let opened = registered(&stack, requested).await;
    let row = serde_json::to_string(&opened.registration).unwrap();
    let secret = &opened.private.secrets[0];
    for hidden in [secret.secret.as_str(), &secret.seed, "hush", "token"] {
        assert!(!row.contains(hidden) && !format!("{opened:?}").contains(hidden), "{hidden}");
    }
    assert!(standard::is_secret(&secret.secret));
}

#[test]
fn a_preview_is_what_would_be_sent_without_the_values_of_own_headers() {
    let settings = reelhook_testkit::webhook_settings(&[
        ("WEBHOOK_URLS", "https://one.example/"),
        ("WEBHOOK_HEADERS", "Authorization:Bearer hush"),
    ]);
    for &event in OutboundEvent::ALL {
        let shown = preview(&settings.endpoints[0], event, NOON);
        let body: serde_json::Value = serde_json::from_str(&shown.body).unwrap();
        assert_eq!((&body["event"], &body["webhook_id"]), (&json!(event.name()), &json!("webhook_1")), "{event:?}");
        assert!(!format!("{shown:?}").contains("hush"));
        let own = shown.headers.iter().find(|(name, _)| name == "authorization").unwrap();
        assert_eq!(own.1, "***");
    }
}

#[test]
fn resource_names_are_parsed() {
    let check = |text: &str, service: &str, expected: Option<(&str, &str, &str)>| {
        let arn = Arn::parse(text, service);
        assert_eq!(arn.as_ref().map(Arn::parts), expected, "{text}");
    };
    check("arn:aws:sqs:eu-west-1:123456789012:hooks.fifo", "sqs", Some(("eu-west-1", "123456789012", "hooks.fifo")));
    check(
        "arn:aws-cn:events:cn-north-1:123456789012:event-bus/default",
        "events",
        Some(("cn-north-1", "123456789012", "event-bus/default")),
    );
    for bad in [
        "",
        "arn:aws:sqs:eu-west-1:12345:hooks",
        "arn:aws:sns:eu-west-1:123456789012:hooks",
        "arn:aws:sqs:eu-west-1:123456789012:a b",
        "arn:aws:sqs::123456789012:hooks",
        "arn:aws:sqs:eu-west-1:123456789012:a:b",
    ] {
        check(bad, "sqs", None);
    }
}
