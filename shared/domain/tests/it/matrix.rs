//! Every state x every event, a snapshot for each state, reviewed line by line against docs/contract/jobs.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use reelhook_domain::videos::render::Renderer;
use reelhook_domain::*;

use crate::story::*;

/// Lists the names of all variants, and finds the name of a value. A new variant does not compile until it is added.
macro_rules! variants {
    ($all:ident, $name_of:ident, $type:ident: $($variant:ident)*) => {
        const $all: &[&str] = &[$(stringify!($variant)),*];

        fn $name_of(value: &$type) -> &'static str {
            match value {
                $($type::$variant { .. } => stringify!($variant),)*
            }
        }
    };
}

variants!(EVENTS, event_name, Event:
    Claim Started StartDeferred RunFailed Step RenderReported RenderChecked
    RunHere ClaimPiece Composed PieceProgressed PieceDeferred PieceDone PieceFailed
    Cancel Clear Retry Complete Monitor LogArchived DeleteVideo Delete Tick);
variants!(STATUSES, status_name, Status: Pending Processing Rendering Completed Failed Cancelled);

/// Each state, reached by events.
fn states() -> Vec<(&'static str, Story)> {
    let retry_wait = Story::processing().then(run_failed(1, "boom"));
    let paused =
        Story::with(policy(), true).then(Event::Claim).then(started(1)).then(step(1, StepStatus::Completed, 115));
    let mut states = vec![
        ("pending, waiting", Story::waiting()),
        ("pending, not ready before its retry", retry_wait),
        ("pending, claimed", Story::claimed()),
        ("processing at step 3", Story::processing()),
        ("processing with a render id", Story::submitted()),
        ("rendering", Story::rendering()),
        ("rendering, confirming a reported end", Story::rendering().then(reported(succeeded(), true))),
        ("completed with video", Story::completed()),
        ("completed by render timeout, without video", Story::render_timed_out()),
        ("completed, paused after extraction", paused),
        ("failed with its render", Story::rendering().then(checked(failed(), 1))),
        ("cancelled while rendering", Story::rendering().then(Event::Cancel)),
        ("deleted", Story::completed().then(Event::Delete)),
        ("composing here", Story::composing()),
        ("drawing here, after its steps", Story::composing().then(composed(1)).then(claim_piece())),
        ("a video, one scene drawn, one claimed", Story::drawing().then(done(1)).then(claim_piece())),
        ("a video, joining", Story::drawing().then(done(1)).then(claim_piece()).then(done(2)).then(claim_piece())),
        ("a video, made", Story::filmed()),
    ];
    for (_, story) in &mut states {
        // Some time passes, and nothing becomes due.
        story.now = story.now.after(Duration::from_secs(20));
    }
    states
}

/// Each event of the job's present run. It is newer than all earlier ones, unless its name says otherwise.
fn events(story: &Story) -> Vec<(&'static str, Event)> {
    use StepStatus::{Completed, Failed, RenderReady, Started};
    let attempt = story.job.run.attempt;
    let report = |number, status| Report::of(number, status, 1000);
    let mut events = vec![
        ("claim", Event::Claim),
        ("started", started(attempt)),
        ("started, stale attempt", started(attempt - 1)),
        ("start deferred, Retry-After 120", deferred(attempt, Some(120))),
        ("start deferred, stale attempt", deferred(attempt - 1, None)),
        ("run failed, retryable", run_failed(attempt, "boom")),
        ("run failed, not retryable", run_failed(attempt, "invalid API key")),
        ("run failed, stale attempt", run_failed(attempt - 1, "boom")),
        ("step 0 started", report(0, Started).by(attempt)),
        ("step 1 started", report(1, Started).by(attempt)),
        ("step 1 completed", report(1, Completed).by(attempt)),
        ("step 5 started", report(5, Started).by(attempt)),
        ("step 5 completed", report(5, Completed).by(attempt)),
        ("step 5 completed, without a token", report(5, Completed).unbound()),
        ("step 5 completed, out of order", Report::of(5, Completed, 50).by(attempt)),
        ("step 5 completed, stale attempt", report(5, Completed).by(attempt - 1)),
        ("step 7 completed with id", report(7, Completed).render("render_1").by(attempt)),
        ("step 7 render ready with id", report(7, RenderReady).render("render_1").by(attempt)),
        ("step 7 render ready with another id", report(7, RenderReady).render("render_2").by(attempt)),
        ("step 7 render ready without id", report(7, RenderReady).by(attempt)),
        ("step 8 with render id", report(8, Completed).render("render_1").by(attempt)),
        ("step 8 started, with render id", report(8, Started).render("render_1").by(attempt)),
        ("step 8 without anything", report(8, Completed).by(attempt)),
        ("step 8 with video", report(8, Completed).video().by(attempt)),
        ("step 5 failed, retryable", report(5, Failed).error("boom").by(attempt)),
        ("step 5 failed, not retryable", report(5, Failed).error("no movies found").by(attempt)),
        ("workflow failed, by name", report(8, Completed).error("boom").workflow_failed().by(attempt)),
    ];
    if let Some(last) = &story.last_report {
        events.push(("the last report again", last.clone()));
    }
    let other = Event::RenderReported { render: render("render_9"), state: succeeded(), confirmable: false };
    let strange = with_status(RenderStatus::Other("transmogrifying".to_owned()));
    let failed_with_url = RenderState { url: Some(web_url(VIDEO)), ..failed() };
    events.extend([
        ("render says planned", reported(with_status(RenderStatus::Planned), true)),
        ("render says rendering", reported(with_status(RenderStatus::Rendering), true)),
        ("render says something unknown", reported(strange, true)),
        ("render says succeeded, confirmable", reported(succeeded(), true)),
        ("render says succeeded, not confirmable", reported(succeeded(), false)),
        ("render says succeeded without url, not confirmable", reported(with_status(RenderStatus::Succeeded), false)),
        ("render says failed, confirmable", reported(failed(), true)),
        ("render says failed, not confirmable", reported(failed(), false)),
        ("another render says succeeded", other),
        ("check 0 finds succeeded", checked(succeeded(), 0)),
        ("check 0 finds succeeded without url", checked(with_status(RenderStatus::Succeeded), 0)),
        ("check 0 finds failed", checked(failed(), 0)),
        ("check 0 finds failed, with a url", checked(failed_with_url, 0)),
        ("check 0 finds rendering", checked(with_status(RenderStatus::Rendering), 0)),
        ("check 0 finds no answer", unanswered(0)),
        ("check 1 finds rendering", checked(with_status(RenderStatus::Rendering), 1)),
        ("last check finds succeeded", checked(succeeded(), 4)),
        ("last check finds failed", checked(failed(), 4)),
        ("last check finds rendering", checked(with_status(RenderStatus::Rendering), 4)),
        ("last check finds no answer", unanswered(4)),
        ("cancel", Event::Cancel),
        ("clear, of now", Event::Clear { until: story.now }),
        ("clear, of long ago", Event::Clear { until: Timestamp::EPOCH }),
        ("retry", Event::Retry),
        ("complete", complete()),
        ("monitor", Event::Monitor),
        ("log archived", Event::LogArchived),
        ("delete", Event::Delete),
        ("delete video", Event::DeleteVideo),
        ("run here", Event::RunHere { attempt, renderer: Renderer::Own }),
        ("a piece is claimed", Event::ClaimPiece { attempt }),
        ("piece 1 is composed", Event::Composed { attempt, claim: 1, plan: film() }),
        ("piece 2 moves", Event::PieceProgressed { attempt, claim: 2, units: 45 }),
        (
            "piece 2 is deferred",
            Event::PieceDeferred {
                attempt,
                claim: 2,
                render: render("render_2"),
                percent: 40,
                wait: Duration::from_secs(10),
            },
        ),
        ("piece 2 is done", Event::PieceDone { attempt, claim: 2, video: None }),
        ("piece 3 is done, with a video", Event::PieceDone { attempt, claim: 3, video: Some(stored()) }),
        ("piece 2 fails, retryable", piece_failed(2, false)),
        ("piece 2 fails, not retryable", piece_failed(2, true)),
        ("piece 2 is done, stale attempt", Event::PieceDone { attempt: attempt - 1, claim: 2, video: None }),
    ]);
    events
}

/// Each event with its story. A tick comes a millisecond before the job is due, and when it is due.
fn meetings(story: &Story) -> Vec<(&'static str, Story, Event)> {
    let at = |now: Timestamp| Story { now, ..story.clone() };
    let early = story.job.due_at.map_or(story.now, |due| Timestamp(due.0 - 1));
    let due = story.job.due_at.unwrap_or(story.now.after(Duration::from_secs(86_400)));
    let events = events(story).into_iter().map(|(name, event)| (name, story.clone(), event));
    let ticks = [("tick, not due", at(early), Event::Tick), ("tick, due", at(due), Event::Tick)];
    events.chain(ticks).collect()
}

#[test]
fn every_state_handles_every_event_as_the_contract_says() {
    for (name, story) in states() {
        insta::assert_snapshot!(name.replace(',', "").replace(' ', "_"), format!("{name}\n{}", table(&story)));
    }
}

#[test]
fn every_event_changes_a_job_in_some_state_and_every_status_occurs() {
    let (mut applied, mut met) = (BTreeSet::new(), BTreeSet::new());
    for (_, story) in states() {
        met.insert(status_name(&story.job.status));
        for (_, story, event) in meetings(&story) {
            if let Decision::Apply(_) = story.decide(&event) {
                applied.insert(event_name(&event));
            }
        }
    }
    assert_eq!(applied, EVENTS.iter().copied().collect::<BTreeSet<_>>());
    assert_eq!(met, STATUSES.iter().copied().collect::<BTreeSet<_>>());
}

/// The job, a row for each event that changes it, and a line for each reason why other events do not.
fn table(story: &Story) -> String {
    let mut table = format!("{}\n\n", describe(&story.job, story.now));
    let mut refused: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, story, event) in meetings(story) {
        match story.decide(&event) {
            Decision::Apply(job) => writeln!(table, "{name:<52}{}", change(&story, &job)).unwrap(),
            Decision::Ignore(reason) => refused.entry(format!("ignored {reason:?}")).or_default().push(name),
            Decision::Reject(reason) => refused.entry(format!("REJECTED {reason:?}")).or_default().push(name),
        }
    }
    table.push('\n');
    for (reason, names) in refused {
        writeln!(table, "{reason}: {}", names.join("; ")).unwrap();
    }
    table
}

/// The changes of the job by an event, and its effects.
fn change(story: &Story, job: &Job) -> String {
    let effects: Vec<String> = job.outbox.iter().map(effect).collect();
    let effects = if effects.is_empty() { "nothing".to_owned() } else { effects.join(", ") };
    format!("{}{} => {effects}", describe(job, story.now), facts(&story.job, job, story.now))
}

/// The status, progress, attempt, version and due time.
fn describe(job: &Job, now: Timestamp) -> String {
    let due = job.due_at.map_or(String::new(), |due| format!(" due {:+}s", (due.0 - now.0) / 1000));
    format!("{} {}% attempt {} version {}{due}", job.status.name(), job.run.progress, job.run.attempt, job.version)
}

/// Other facts that the change set or removed.
fn facts(before: &Job, after: &Job, now: Timestamp) -> String {
    let of = |job: &Job| {
        let retry_after = job.run.retry_after.map(|at| format!("{:+}s", (at.0 - now.0) / 1000));
        [
            ("shows", Some(job.run.caption.clone())),
            ("render", job.render_id().map(ToString::to_string)),
            ("video", job.run.video_url.clone()),
            ("error", job.run.error.clone()),
            ("reason", no_retry(job).map(|no_retry| no_retry.reason).clone()),
            ("retry after", retry_after),
            ("slot", job.run.start.claim.as_ref().map(|claim| claim.slot.trim_start_matches("job_1_a.").to_owned())),
            ("paused", paused_after_extraction(job).then(String::new)),
            ("workflow incomplete", workflow_incomplete(job).then(String::new)),
            ("render timeout", job.run.render_timed_out().then(String::new)),
            ("timed out", job.run.times.timed_out_at.map(|_| String::new())),
            ("deleted", job.deleted_at.map(|_| String::new())),
        ]
    };
    let mut text = String::new();
    for ((name, old), (_, new)) in of(before).into_iter().zip(of(after)) {
        match new {
            new if new == old => {}
            Some(value) if value.is_empty() => write!(text, ", {name}").unwrap(),
            Some(value) => write!(text, ", {name} `{value}`").unwrap(),
            None => write!(text, ", no {name} any more").unwrap(),
        }
    }
    text
}

fn live(event: &Live) -> String {
    match event {
        Live::Step { number, status, .. } => format!("step_{number}_{status}"),
        Live::Render { status } => status.clone(),
        Live::RenderCompleted => "render_completed".to_owned(),
        Live::RenderFailed => "render_failed".to_owned(),
        Live::Job => "job".to_owned(),
        Live::Scene { .. } | Live::Project | Live::Clip { .. } | Live::Clips => {
            unreachable!("a job has neither scenes nor clips")
        }
    }
}

fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Start { delay_s } => format!("Start(+{delay_s}s)"),
        Effect::FreeSlot { slot } => format!("FreeSlot({})", slot.trim_start_matches("job_1_a.")),
        Effect::Notify { event, .. } => format!("Notify({})", event.name()),
        Effect::Log { event, level, .. } => format!("Log({} {level:?})", event.name()),
        Effect::Count { status, entered, .. } => {
            format!("Count({}{})", if *entered { '+' } else { '-' }, status.name())
        }
        Effect::CountLog { log, .. } => format!("CountLog({:+})", log.lines()),
        Effect::Job(JobEffect::CheckRender { render, check, delay_s }) => {
            format!("CheckRender({render} #{check} +{delay_s}s)")
        }
        Effect::Job(JobEffect::ApplyParked { render }) => format!("ApplyParked({render})"),
        Effect::Live { events, after } => {
            let names: Vec<String> = events.iter().map(live).collect();
            format!("Live({} after {after})", names.join(" "))
        }
        Effect::PackHistory => "PackHistory".to_owned(),
        Effect::Purge => "Purge".to_owned(),
        Effect::Draw { hints, delay_s } => format!("Draw(x{hints} +{delay_s}s)"),
        Effect::RemoveFiles { keys } => format!("RemoveFiles({})", keys.join(" ")),
        Effect::Job(JobEffect::CancelWorker { attempt, .. }) => format!("CancelWorker({attempt})"),
        Effect::RaiseError(_)
        | Effect::ResolveError(_)
        | Effect::Project(_)
        | Effect::Clips(_)
        | Effect::Credits(_) => {
            unreachable!("a job raises no errors and is no project")
        }
    }
}
