//! Delivery lists for people: every page of every filter lists each delivery once; and replays of single deliveries.

use std::time::Duration;

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::webhooks::deliver::deliver;
use reelhook_app::webhooks::deliveries::*;
use reelhook_app::webhooks::endpoints::EndpointStateStore;
use reelhook_domain::{Delivery, DeliveryId, DeliveryStatus, Subject, Timestamp};
use reelhook_testkit::{MemoryDeliveries, NOON, ScriptedHttp, Stack, a_delivery, header, webhook_settings};

const HOUR: i64 = 3_600_000;

/// 700 deliveries of 35 jobs to two endpoints over 23 hours, some at the same millisecond.
fn a_day() -> MemoryDeliveries {
    let settings = webhook_settings(&[("WEBHOOK_URLS", "https://a.example/,https://b.example/")]);
    let book = MemoryDeliveries::default();
    for n in 0..700_u32 {
        let endpoint = &settings.endpoints[(n % 2) as usize];
        let at = Timestamp(NOON.millis() - 23 * HOUR + i64::from(n / 3) * 60_000);
        let (mut delivery, _) = a_delivery(n, endpoint, at);
        delivery.created_at = at;
        delivery.subject = Subject::parse(&format!("job_{}", n % 35)).unwrap();
        if n % 5 == 0 {
            delivery.status = DeliveryStatus::Exhausted;
        }
        book.put_delivery(&delivery);
    }
    book
}

async fn all(book: &MemoryDeliveries, mut wanted: DeliveryFilter) -> Vec<DeliveryId> {
    let mut found = Vec::new();
    for _ in 0..1000 {
        let part = list(book, &wanted, NOON).await.unwrap();
        assert!(part.deliveries.len() <= wanted.limit);
        found.extend(part.deliveries.iter().map(|one| one.id));
        wanted.before = part.next;
        if wanted.before.is_none() {
            return found;
        }
    }
    panic!("the list has no end");
}

fn expected(book: &MemoryDeliveries, fits: impl Fn(&Delivery) -> bool) -> Vec<DeliveryId> {
    let mut all: Vec<Delivery> = book.all().into_iter().filter(fits).collect();
    all.sort_by_key(|one| std::cmp::Reverse(delivery_cursor(one)));
    all.into_iter().map(|one| one.id).collect()
}

#[tokio::test]
async fn every_delivery_is_listed_once_newest_first_for_any_page_size() {
    let book = a_day();
    for limit in [1, 7, 99, 100] {
        let wanted = DeliveryFilter { limit, ..DeliveryFilter::default() };
        assert_eq!(all(&book, wanted).await, expected(&book, |_| true), "{limit} at a time");
    }
}

#[tokio::test]
async fn deliveries_around_midnight_are_all_listed() {
    let settings = webhook_settings(&[("WEBHOOK_URLS", "https://a.example/")]);
    let (book, midnight) = (MemoryDeliveries::default(), Timestamp(NOON.millis() - 12 * HOUR));
    for n in 0..9_u32 {
        let (mut delivery, _) = a_delivery(n, &settings.endpoints[0], midnight);
        delivery.created_at = Timestamp(midnight.0 - i64::from(n % 2));
        book.put_delivery(&delivery);
    }
    let wanted = DeliveryFilter { limit: 2, ..DeliveryFilter::default() };
    assert_eq!(all(&book, wanted).await, expected(&book, |_| true));
}

#[tokio::test]
async fn filters_apply_on_every_page() {
    let book = a_day();
    let wanted = |limit| DeliveryFilter { limit, ..DeliveryFilter::default() };
    let job = Subject::parse("job_4").unwrap();
    let of_job = DeliveryFilter { subject: Some(job.clone()), ..wanted(3) };
    assert_eq!(all(&book, of_job).await, expected(&book, |one| one.subject == job));
    let lost = DeliveryFilter { status: Some(DeliveryStatus::Exhausted), ..wanted(10) };
    assert_eq!(all(&book, lost).await, expected(&book, |one| one.status == DeliveryStatus::Exhausted));
    let second = book.all().into_iter().find(|one| one.endpoint_name == "webhook_2").unwrap();
    for endpoint in [second.endpoint_name.clone(), second.endpoint_id.to_string()] {
        let to_one = DeliveryFilter { endpoint: Some(endpoint), ..wanted(100) };
        assert_eq!(all(&book, to_one).await, expected(&book, |one| one.endpoint_name == "webhook_2"));
    }
    let (from, to) = (Timestamp(NOON.millis() - 22 * HOUR), Timestamp(NOON.millis() - 21 * HOUR));
    let within = DeliveryFilter { from: Some(from), to: Some(to), ..wanted(20) };
    assert_eq!(all(&book, within).await, expected(&book, |one| (from..=to).contains(&one.created_at)));
}

#[tokio::test]
async fn a_list_reads_a_bounded_number_of_rows_and_returns_a_cursor() {
    let settings = webhook_settings(&[("WEBHOOK_URLS", "https://a.example/")]);
    let book = MemoryDeliveries::default();
    for n in 0..5000_u32 {
        let at = Timestamp(NOON.millis() - 10 * HOUR + i64::from(n));
        let (mut delivery, _) = a_delivery(n, &settings.endpoints[0], at);
        delivery.created_at = at;
        if n == 3 {
            delivery.status = DeliveryStatus::Stopped;
        }
        book.put_delivery(&delivery);
    }
    let wanted = DeliveryFilter { status: Some(DeliveryStatus::Stopped), limit: 10, ..DeliveryFilter::default() };
    let first = list(&book, &wanted, NOON).await.unwrap();
    assert!(first.partial && first.deliveries.is_empty() && first.next.is_some());
    assert!(book.faults.calls("of_day") <= 20 * 4);
    assert_eq!(all(&book, wanted).await.len(), 1);
}

#[tokio::test]
async fn a_replay_is_sent_under_the_same_id_and_marked_as_one() {
    let mut stack = Stack::with(&[("WEBHOOK_URLS", "https://a.example/"), ("WEBHOOK_MAX_RETRIES", "0")], 3);
    let (delivery, event) = a_delivery(1, &stack.settings.endpoints[0], NOON);
    stack.deliveries.put_event(&event);
    stack.deliveries.put_delivery(&delivery);
    stack.http = ScriptedHttp::always(500);
    let hint = (delivery.id, delivery.event_id.clone());
    deliver(&stack.deliver_ports(), std::slice::from_ref(&hint)).await.remove(0).unwrap();
    let lost = stack.deliveries.only();
    assert_eq!(lost.status, DeliveryStatus::Exhausted);
    let ports = stack.replay_ports();
    stack.deliveries.forget_events();
    assert_eq!(
        replay(&ports, lost.id).await.unwrap(),
        Replayed::NotFound,
        "without its event there is nothing to send"
    );
    stack.deliveries.put_event(&event);
    stack.deliveries.disable(&lost.endpoint_id, "a test", NOON, true).await.unwrap();
    assert_eq!(replay(&ports, lost.id).await.unwrap(), Replayed::Disabled, "it would be stopped at once");
    stack.deliveries.enable(&lost.endpoint_id).await.unwrap();
    let Replayed::Due(due) = replay(&ports, lost.id).await.unwrap() else { panic!("it is not due") };
    let Replayed::Due(repeated) = replay(&ports, lost.id).await.unwrap() else { panic!("it is not due") };
    assert_eq!((&repeated, stack.hints.sent().len()), (&due, 1), "a double click sends once");
    assert_eq!((due.status, due.replay, stack.hints.sent().len()), (DeliveryStatus::Pending, true, 1));
    stack.world.advance_s(10);
    // An attempt of version 0.2.
    let lease_until = Some(stack.world.now().after(Duration::from_secs(15)));
    stack.deliveries.overwrite(&Delivery { lease_until, ..(*due).clone() });
    assert!(matches!(replay(&ports, due.id).await.unwrap(), Replayed::InProgress(_)), "never twice at once");
    // As the table has it now.
    stack.deliveries.overwrite(&due);
    stack.http = ScriptedHttp::always(200);
    deliver(&stack.deliver_ports(), &[hint]).await.remove(0).unwrap();
    let request = stack.http.only_request();
    assert_eq!(header(&request, "webhook-replay"), "true");
    assert_eq!(header(&request, "webhook-id"), lost.id.webhook_id());
    let sequence = due.event_id.sequence(due.subject.as_str()).unwrap().to_string();
    assert_eq!(header(&request, "webhook-sequence"), sequence);
    let done = stack.deliveries.only();
    assert_eq!((done.status, done.attempts), (DeliveryStatus::Delivered, 2));
}
