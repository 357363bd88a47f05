//! The callbacks of one run in any order and number always lead to the same end.

use proptest::prelude::*;
use reelhook_domain::*;

use crate::story::*;

/// All reports of a successful run, in order.
fn happy_run(ready_word: bool, confirmable: bool) -> Vec<Event> {
    use StepStatus::{Completed, RenderReady, Started};
    let mut events = vec![started(1), step(0, Started, 100)];
    for number in 1..=6 {
        let sequence = 100 + 10 * i64::from(number);
        events.extend([step(number, Started, sequence), step(number, Completed, sequence + 5)]);
    }
    let ready = if ready_word { RenderReady } else { Completed };
    events.push(step(7, Started, 170));
    events.push(Report::of(7, ready, 175).render("render_1").by(1));
    events.push(Report::of(8, Completed, 180).render("render_1").by(1));
    for state in [RenderStatus::Planned, RenderStatus::Waiting, RenderStatus::Transcribing, RenderStatus::Rendering] {
        events.push(reported(with_status(state), confirmable));
    }
    events.push(reported(succeeded(), confirmable));
    events.push(checked(succeeded(), 0));
    events
}

/// The callbacks of a successful run, each one to three times, shuffled.
fn any_order() -> impl Strategy<Value = Vec<Event>> {
    (any::<bool>(), any::<bool>()).prop_flat_map(|(ready_word, confirmable)| {
        let events = happy_run(ready_word, confirmable);
        prop::collection::vec(1_usize..=3, events.len()).prop_flat_map(move |times| {
            let repeated = events.iter().zip(times).flat_map(|(event, times)| vec![event.clone(); times]);
            Just(repeated.collect::<Vec<_>>()).prop_shuffle()
        })
    })
}

/// Between two callbacks seconds pass, and the sweep may run while the render service does not respond.
fn pauses() -> impl Strategy<Value = Vec<(u64, bool)>> {
    prop::collection::vec((0_u64..15, prop::bool::weighted(0.3)), 80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// The rules leave these ways of coming in any order: the sequence refuses a report that comes after a newer one,
    /// and the worker does not send it again. Step 8 has the highest sequence and names the render, so it is taken
    /// whenever it comes, unless the video came before it. A callback for a render that no job knows yet is parked and
    /// offered again once a job knows it. The check is repeated until the job is final, and a confirmed success counts
    /// after a render timeout, too. The worker has to be done within its 30 minutes; the render may take any time.
    #[test]
    fn any_order_of_a_successful_run_s_callbacks_ends_the_same(callbacks in any_order(), pauses in pauses()) {
        let mut system = System::new();
        for (event, (seconds, swept)) in callbacks.iter().zip(pauses.iter().cycle()) {
            let slowly = system.story.job.status == Status::Rendering;
            system.story.wait(if slowly { seconds * 30 } else { *seconds });
            system.offer(event);
            if *swept {
                system.offer(&Event::Tick);
                for (check, _) in system.story.checks() {
                    system.offer(&unanswered(check));
                }
            }
        }
        system.check_until_final();
        system.offer(&checked(succeeded(), 0));
        system.is_happily_done();

        // No repetition of these callbacks changes the job.
        let end = system.story.job.clone();
        for event in &callbacks {
            system.offer(event);
        }
        prop_assert_eq!(system.story.job, end);
    }
}

/// The job with its parked callbacks and checks.
struct System {
    story: Story,
    parked: Vec<Event>,
    notified: Vec<OutboundEvent>,
}

impl System {
    fn new() -> Self {
        Self { story: Story::claimed(), parked: vec![], notified: vec![] }
    }

    fn offer(&mut self, event: &Event) {
        let known = self.story.job.render_id().cloned();
        match self.story.decide(event) {
            Decision::Apply(job) => self.story.job = *job,
            Decision::Ignore(Ignored::OtherRender) => return self.parked.push(event.clone()),
            Decision::Ignore(_) => return,
            Decision::Reject(reason) => panic!("{event:?} is no command, but: {reason:?}"),
        }
        self.notified.extend(self.story.notified());
        // The report that names a render applies what was parked for it.
        if self.story.job.render_id() != known.as_ref() {
            for parked in std::mem::take(&mut self.parked) {
                self.offer(&parked);
            }
        }
    }

    fn check_until_final(&mut self) {
        for _ in 0..10 {
            let Some(due) = self.story.job.due_at else { return };
            self.story.now = self.story.now.max(due);
            self.offer(&Event::Tick);
            for (check, _) in self.story.checks() {
                self.story.wait(1);
                self.offer(&checked(succeeded(), check));
            }
        }
    }

    fn is_happily_done(&self) {
        let job = &self.story.job;
        assert_eq!((job.status, job.run.progress, job.run.attempt), (Status::Completed, 100, 1));
        assert_eq!((job.run.video_url.as_deref(), job.run.error.as_ref(), job.due_at), (Some(VIDEO), None, None));
        assert!(!job.run.render_timed_out() && !workflow_incomplete(job) && job.run.start.claim.is_none());
        let times = |event| self.notified.iter().filter(|notified| **notified == event).count();
        let (completed, script) = (times(OutboundEvent::Completed), times(OutboundEvent::ScriptCompleted));
        let timeout = times(OutboundEvent::RenderTimeout);
        assert_eq!(completed, 1, "{:?}", self.notified);
        assert!(script <= 1 && timeout <= 1, "{:?}", self.notified);
        assert_eq!(completed + script + timeout, self.notified.len(), "{:?}", self.notified);
    }
}
