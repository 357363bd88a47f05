//! What a job has used: counted with each version of a job whose request asks for it, and of no other.

use std::fmt::Write as _;

use reelhook_domain::*;

use crate::story::*;

/// A job that counts what it uses, from here on.
fn counting(mut story: Story) -> Story {
    story.job.ledger.usage = Some(Usage::default());
    story
}

fn used(story: &Story) -> Usage {
    story.job.ledger.usage.expect("the job counts")
}

/// What each of these events adds, as a line.
fn lines(mut story: Story, events: &[(&str, Event)]) -> String {
    let mut text = String::new();
    for (name, event) in events {
        let before = <[u64; 6]>::from(used(&story));
        story.wait(1).apply(event.clone());
        let after = <[u64; 6]>::from(used(&story));
        let [runs, requests, hints, writes, half_reads, frames] = std::array::from_fn(|at| after[at] - before[at]);
        writeln!(
            text,
            "{name}: {runs} runs, {requests} requests, {hints} hints, {writes} writes, {half_reads} half reads, \
             {frames} frames"
        )
        .expect("a text");
    }
    text
}

#[test]
fn each_event_counts_its_run_and_what_its_effects_write_and_send() {
    let steps = |number: u8, status| Report::of(number, status, i64::from(number) * 10 + 100);
    let events = [
        ("claimed", Event::Claim),
        ("started at the worker", started(1)),
        ("a step", steps(3, StepStatus::Started).by(1)),
        ("the step with the render", steps(7, StepStatus::Completed).render("render_1").by(1)),
        ("the last step", steps(8, StepStatus::Completed).render("render_1").by(1)),
        ("the render's callback", reported(succeeded(), true)),
        ("the confirmation", checked(succeeded(), 0)),
    ];
    let life = lines(counting(Story::waiting()), &events);
    let confirmed = [("a callback that confirmed the end", checked(succeeded(), 0))];
    let confirmed = lines(counting(Story::rendering()), &confirmed);
    let cancelled = lines(counting(Story::processing()), &[("cancelled", Event::Cancel)]);
    let drawing = counting(Story::drawing());
    let claim = drawing.job.run.engine.pieces().and_then(|run| run.pieces.as_ref()).expect("pieces").claims;
    let drawn = Event::PieceDone { attempt: 1, claim, video: None };
    insta::assert_snapshot!(life + &confirmed + &cancelled + &lines(drawing, &[("a scene is drawn", drawn)]));
}

#[test]
fn a_request_that_does_not_ask_counts_nothing() {
    let new = |usage| NewJob {
        id: JobId::parse("job_1_a").unwrap(),
        kind: JobKind::Workflow,
        request: Story::waiting().job.request,
        plan: None,
        origin: Origin::default(),
        usage,
    };
    let made = |usage| create(new(usage), NOON, &policy()).ledger.usage;
    assert_eq!(made(false), None);
    let first = Usage { runs: 3, requests: 1, hints: 1, writes: 1, half_reads: 5, ..Usage::default() };
    assert_eq!(made(true), Some(first), "the request, fanout and the hint; a call of the limit");
    assert_eq!(Story::completed().job.ledger.usage, None);
}
