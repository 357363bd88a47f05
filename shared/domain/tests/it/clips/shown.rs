//! What viewers see, and the records of webhook events.

use reelhook_domain::clips::event::{Event, ReportKind};
use reelhook_domain::*;

use super::story::*;

#[test]
fn viewers_see_each_ten_percent_and_each_change_of_the_status() {
    let mut story = Story::submitted();
    let mut seen = Vec::new();
    for percent in [3, 9, 10, 15, 19, 35, 35, 20, 99] {
        story.report(running(percent));
        if !story.shown().is_empty() {
            assert_eq!(story.shown(), [Live::Clips]);
            seen.push(percent);
        }
    }
    assert_eq!(seen, [3, 10, 35, 99], "the first one began the job");
    story.report(completed(0));
    assert_eq!(story.shown(), [Live::Clips]);
}

#[test]
fn each_live_event_names_the_one_before() {
    let mut story = Story::submitted();
    let mut versions = vec![0];
    for percent in [5, 7, 25, 45] {
        story.report(running(percent));
        let after = story.job.outbox.iter().find_map(|effect| match effect {
            Effect::Live { after, .. } => Some(*after),
            _ => None,
        });
        if let Some(after) = after {
            assert_eq!(Some(&after), versions.last());
            assert_eq!(story.job.live_version, story.job.version);
            versions.push(story.job.version);
        }
    }
    assert_eq!(versions.len(), 4);
}

#[test]
fn a_deletion_shows_a_cancellation_or_nothing() {
    let mut story = Story::submitted();
    story.apply(Event::Delete);
    assert_eq!(story.shown(), [Live::Clips]);
    let mut ended = Story::cut(1);
    ended.apply(Event::Delete);
    assert_eq!(ended.shown(), []);
}

#[test]
fn the_latest_webhook_events_are_kept_with_the_clip_that_they_are_about() {
    let mut story = Story::submitted();
    story.report(with_output(ReportKind::Running, made_clips(2)));
    let kept: Vec<_> = story.job.emitted.iter().map(|emitted| (emitted.event, emitted.about.as_deref())).collect();
    let expected = [
        (OutboundEvent::ClipsStarted, None),
        (OutboundEvent::ClipReady, Some("0")),
        (OutboundEvent::ClipReady, Some("1")),
    ];
    assert_eq!(kept, expected);
    let last = story.job.emitted.last().unwrap();
    assert!(last.id.as_str().starts_with(&format!("clip_{UUID}.{}.", story.job.version)), "{:?}", last.id);
}

#[test]
fn a_job_is_its_own_subject_and_its_owner_pays() {
    use reelhook_domain::credits::account::Account;
    let story = Story::waiting();
    assert_eq!(story.job.subject(), Subject::Clips(story.job.id.clone()));
    assert_eq!((story.job.id().uuid(), story.job.account()), (UUID, Account::Operator));
    let owner = OwnerId::parse("user_789").unwrap();
    let mut owned = story.job;
    owned.origin.owner = Some(owner.clone());
    assert_eq!(owned.account(), Account::Owner(owner));
}
