//! The names of values on the wire and in logs: they stay as they are.

use reelhook_app::change::Changed;
use reelhook_app::jobs::renders::Received;
use reelhook_app::views::{Dialect, vidbuilder};
use reelhook_app::webhooks::endpoints::policies::ScheduleName;
use reelhook_domain::{Ignored, Job, OutboundEvent, Rejected};
use reelhook_testkit::{NOON, make_job, policy};
use serde_json::json;

#[test]
fn dialects_and_schedules() {
    for (dialect, name) in [
        (Dialect::StreamGank, "streamgank"),
        (Dialect::VidBuilder, "vidbuilder"),
        (Dialect::Scenes, "scenes"),
        (Dialect::Clips, "clips"),
    ] {
        assert_eq!((dialect.name(), json!(dialect)), (name, json!(name)));
    }
    for (schedule, name) in [
        (ScheduleName::Streamgank, "streamgank"),
        (ScheduleName::Vidbuilder, "vidbuilder"),
        (ScheduleName::Standard, "standard"),
    ] {
        assert_eq!((schedule.name(), json!(schedule)), (name, json!(name)));
        assert_eq!(ScheduleName::parse(name), Some(schedule));
    }
    assert_eq!(ScheduleName::parse("Standard"), None);
}

#[test]
fn outcomes() {
    let job = || Box::new(make_job(1, NOON, &policy()));
    let changes: [Changed<Job>; 4] = [
        Changed::Applied(job()),
        Changed::Ignored(Ignored::FinalJob, job()),
        Changed::Rejected(Rejected::NoVideo, job()),
        Changed::NotFound,
    ];
    assert_eq!(changes.each_ref().map(Changed::name), ["applied", "ignored", "rejected", "not_found"]);
    let received = [Received::Reached(job()), Received::Stale(job()), Received::Hinted(None), Received::Unknown];
    assert_eq!(received.each_ref().map(Received::name), ["reached", "stale", "hinted", "unknown"]);
}

#[test]
fn notifications_about_videos() {
    for (event, name) in [
        (OutboundEvent::VideoStarted, "started"),
        (OutboundEvent::VideoCompleted, "completed"),
        (OutboundEvent::VideoFailed, "failed"),
    ] {
        assert_eq!(vidbuilder::notified(event), name);
    }
}
