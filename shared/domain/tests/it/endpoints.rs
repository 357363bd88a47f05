//! What endpoints take: slots, places, circuits, and when they are warned of and disabled.

use std::time::Duration;

use reelhook_domain::*;

const NOW: Timestamp = Timestamp(1_704_110_400_000);
const SECOND: Duration = Duration::from_secs(1);

fn policy() -> EndpointPolicy {
    EndpointPolicy {
        schedule: Schedule::Standard,
        timeout: 10 * SECOND,
        rate: RateLimit { max: 1000, window: 60 * SECOND },
        concurrency: 4,
        circuit: Circuit { failures: 3, delay: 30 * SECOND, max_delay: 900 * SECOND },
        patience: Patience { failures: 100, time: 3600 * SECOND, least: 3 },
    }
}

/// An endpoint with its state, as a store would keep it.
struct Kept {
    policy: EndpointPolicy,
    state: EndpointState,
    now: Timestamp,
    batches: u64,
}

impl Kept {
    fn new() -> Self {
        Self { policy: policy(), state: EndpointState::default(), now: NOW, batches: 0 }
    }

    fn wait(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    fn ask(&mut self, asking: &[Asking]) -> (u64, Admitted) {
        self.batches += 1;
        let admitted = self.state.admit(&self.policy, asking, self.batches, self.now);
        if let Some(next) = &admitted.next {
            assert_eq!(next.revision, self.state.revision + 1);
            self.state.clone_from(next);
        }
        (self.batches, admitted)
    }

    /// Verdicts about so many new deliveries.
    fn verdicts(&mut self, count: usize) -> Vec<Verdict> {
        self.ask(&vec![Asking::default(); count]).1.verdicts
    }

    fn report(&mut self, holder: u64, seen: Seen, probe: bool) -> Standing {
        self.state.report(&self.policy, holder, &seen, probe, self.now).apply(&mut self.state);
        self.state.standing(&self.policy, self.now)
    }

    /// Sends one batch of so many, all of which it takes or all of which fail; whether any went.
    fn batch(&mut self, count: u32, takes: bool) -> bool {
        let (holder, admitted) = self.ask(&vec![Asking::default(); count as usize]);
        let went = admitted.verdicts.iter().filter(|verdict| **verdict == Verdict::Go).count() as u32;
        let seen = if takes { Seen { took: went, ..seen() } } else { Seen { failed: went, ..seen() } };
        if went > 0 {
            self.report(holder, seen, admitted.probe);
        }
        went > 0
    }
}

fn seen() -> Seen {
    Seen { latency_ms: 100, ..Seen::default() }
}

fn after(seconds: u32) -> Timestamp {
    NOW.after(seconds * SECOND)
}

#[test]
fn no_more_tries_are_under_way_than_an_endpoint_takes_and_the_others_line_up() {
    let mut kept = Kept::new();
    kept.state.latency_ms = 400;
    let (first, admitted) = kept.ask(&[Asking::default(); 3]);
    assert_eq!(admitted.verdicts, [Verdict::Go; 3]);
    let line = |step: i64| Verdict::Wait(Timestamp(NOW.0 + step * 121), Held::Line);
    assert_eq!(kept.verdicts(3), [Verdict::Go, line(1), line(2)], "in the pace of its answers");
    assert_eq!(kept.verdicts(2), [line(3), line(4)]);
    kept.report(first, Seen { took: 3, latency_ms: 400, ..Seen::default() }, false);
    // Their turn has come: they go before a newer one, and who finds no slot again stands at the end.
    kept.wait(Duration::from_millis(242));
    let waited = Asking { was_in_line: true, ..Asking::default() };
    let (_, admitted) = kept.ask(&[Asking::default(), waited, waited, waited]);
    let Verdict::Wait(_, Held::Line) = admitted.verdicts[0] else { panic!("{:?}", admitted.verdicts) };
    assert_eq!(admitted.verdicts[1..], [Verdict::Go; 3]);
}

#[test]
fn a_slot_that_nobody_gives_back_ends_by_itself() {
    let mut kept = Kept::new();
    assert_eq!(kept.verdicts(4), [Verdict::Go; 4]);
    kept.wait(policy().timeout + TRY_MARGIN - Duration::from_millis(1));
    assert!(matches!(kept.verdicts(1)[..], [Verdict::Wait(_, Held::Line)]));
    kept.wait(Duration::from_millis(1));
    assert_eq!(kept.verdicts(1), [Verdict::Go], "there is a slot, and whoever stood in the line has had its turn");
    assert_eq!(kept.state.slots.len(), 1, "the dead are taken away");
}

#[test]
fn an_endpoint_that_says_it_has_too_much_is_sent_half_at_once_until_it_takes_more() {
    let mut kept = Kept::new();
    let width = |kept: &Kept| kept.state.width(&kept.policy);
    let (holder, _) = kept.ask(&[Asking::default(); 2]);
    kept.report(holder, Seen { took: 1, failed: 1, overloaded: true, ..seen() }, false);
    assert_eq!((width(&kept), kept.state.failures), (2, 0));
    let (holder, _) = kept.ask(&[Asking::default()]);
    kept.report(holder, Seen { failed: 1, overloaded: true, ..seen() }, false);
    let (holder, _) = kept.ask(&[Asking::default()]);
    kept.report(holder, Seen { failed: 1, overloaded: true, ..seen() }, false);
    assert_eq!(width(&kept), 1, "never less than one");
    for expected in [2, 3, 4] {
        assert!(kept.batch(1, true));
        assert_eq!(width(&kept), expected);
    }
    assert!(kept.batch(1, true));
    assert_eq!(width(&kept), 4, "and no wider than its limit");
}

#[test]
fn a_slow_endpoint_gets_half_of_its_slots() {
    let mut kept = Kept::new();
    kept.policy.concurrency = 50;
    kept.state.latency_ms = 1999;
    assert_eq!(kept.state.width(&kept.policy), 50);
    kept.state.latency_ms = 2000;
    assert_eq!(kept.state.width(&kept.policy), 25);
}

#[test]
fn an_open_circuit_lets_one_probe_through_and_then_longer_and_longer_none() {
    let mut kept = Kept::new();
    for _ in 0..3 {
        assert!(kept.batch(1, false));
    }
    let wait = |seconds: u32| Verdict::Wait(after(seconds), Held::Circuit);
    assert_eq!(
        kept.verdicts(3),
        [wait(30), wait(45), wait(45)],
        "one comes back as the probe, the others when it is over"
    );
    assert_eq!(kept.verdicts(2), [wait(45), wait(45)], "which is chosen once");
    kept.wait(30 * SECOND);
    let (holder, admitted) = kept.ask(&[Asking::default(); 3]);
    assert!(admitted.probe);
    assert_eq!(admitted.verdicts, [Verdict::Go, wait(30 + 15), wait(30 + 15)], "by then it is known");
    assert_eq!(kept.verdicts(1), [wait(30 + 15)]);
    kept.report(holder, Seen { failed: 1, ..seen() }, true);
    let mut now = 30;
    for expected in [60, 120, 240, 480, 900, 900] {
        let Verdict::Wait(until, Held::Circuit) = kept.verdicts(1)[0] else { panic!("the circuit is closed") };
        assert_eq!(until, after(now + expected));
        kept.wait(expected * SECOND);
        now += expected;
        assert!(kept.batch(5, false), "the next probe");
    }
    kept.wait(900 * SECOND);
    assert!(kept.batch(1, true));
    assert_eq!((kept.state.failures, kept.state.probes, kept.state.circuit_until), (0, 0, None));
    assert_eq!(kept.state.width(&kept.policy), 1, "it is asked gently at first");
    assert!(kept.batch(4, true) && kept.batch(4, true) && kept.batch(4, true));
    assert_eq!(kept.state.width(&kept.policy), 4);
}

#[test]
fn a_probe_that_could_not_be_made_says_nothing() {
    let mut kept = Kept::new();
    for _ in 0..3 {
        kept.batch(1, false);
    }
    kept.wait(30 * SECOND);
    let (holder, admitted) = kept.ask(&[Asking::default()]);
    assert!(admitted.probe);
    kept.report(holder, Seen::default(), true);
    assert_eq!((kept.state.failures, kept.state.probes), (3, 0));
    assert!(kept.ask(&[Asking::default()]).1.probe, "the next one is made at once");
}

#[test]
fn whoever_dies_with_a_probe_keeps_the_circuit_open_for_one_try_only() {
    let mut kept = Kept::new();
    for _ in 0..3 {
        kept.batch(1, false);
    }
    kept.wait(30 * SECOND);
    assert!(kept.ask(&[Asking::default()]).1.probe);
    kept.wait(policy().timeout + TRY_MARGIN);
    assert!(kept.ask(&[Asking::default()]).1.probe);
}

#[test]
fn without_a_limit_on_failures_no_circuit_opens() {
    let mut kept = Kept::new();
    kept.policy.circuit.failures = 0;
    for _ in 0..50 {
        assert!(kept.batch(1, false));
    }
}

#[test]
fn what_is_paused_or_disabled_is_not_sent_and_changes_nothing() {
    let mut kept = Kept::new();
    kept.state.paused_until = Some(after(5));
    assert_eq!(kept.verdicts(2), [Verdict::Wait(after(5), Held::Pause); 2]);
    kept.state.disabled_at = Some(NOW);
    assert_eq!(kept.verdicts(1), [Verdict::Stop]);
    assert_eq!(kept.state.revision, 0);
}

#[test]
fn a_longer_pause_stays() {
    let mut kept = Kept::new();
    for (asked, expected) in [(60, 60), (5, 60), (90, 90)] {
        kept.report(1, Seen { pause_until: Some(after(asked)), ..Seen::default() }, false);
        assert_eq!(kept.state.paused_until, Some(after(expected)));
    }
}

#[test]
fn warnings_come_once_each_before_an_endpoint_is_disabled_by_time() {
    let mut kept = Kept::new();
    kept.policy.circuit.failures = 0;
    let mut told = Vec::new();
    for minute in 0..=61_u32 {
        let (holder, _) = kept.ask(&[Asking::default()]);
        match kept.report(holder, Seen { failed: 1, ..seen() }, false) {
            Standing::Fine => {}
            Standing::Warn(percent) => {
                kept.state.warned = percent;
                told.push((minute, percent.to_string()));
            }
            Standing::Disable(reason) => {
                told.push((minute, reason));
                break;
            }
        }
        kept.wait(60 * SECOND);
    }
    let shown: Vec<(u32, &str)> = told.iter().map(|(minute, text)| (*minute, text.as_str())).collect();
    let disabled = "every try since 2024-01-01T12:00:00.000Z failed";
    assert_eq!(shown, [(2, "1"), (30, "50"), (45, "75"), (54, "90"), (60, disabled)]);
}

#[test]
fn one_failed_try_a_week_is_not_a_week_of_failures() {
    let mut kept = Kept::new();
    kept.policy.circuit.failures = 0;
    for _ in 0..2 {
        let (holder, _) = kept.ask(&[Asking::default()]);
        assert_eq!(kept.report(holder, Seen { failed: 1, ..seen() }, false), Standing::Fine);
        kept.wait(7 * 24 * 3600 * SECOND);
    }
}

#[test]
fn an_endpoint_is_disabled_by_count_and_never_where_both_are_off() {
    let mut kept = Kept::new();
    kept.policy.circuit.failures = 0;
    kept.policy.patience.time = Duration::ZERO;
    let fail = |kept: &mut Kept, failed| kept.report(1, Seen { failed, ..seen() }, false);
    assert_eq!(fail(&mut kept, 2), Standing::Fine);
    assert_eq!(fail(&mut kept, 47), Standing::Warn(1), "as soon as it fails at all");
    kept.state.warned = 1;
    assert_eq!(fail(&mut kept, 27), Standing::Warn(75), "the highest that is reached");
    kept.state.warned = 90;
    assert_eq!(fail(&mut kept, 24), Standing::Disable("100 tries in a row failed".to_owned()));
    kept.policy.patience.failures = 0;
    assert_eq!(fail(&mut kept, 1_000_000), Standing::Fine);
    kept.policy = policy();
    assert_eq!(kept.report(1, Seen { took: 1, ..seen() }, false), Standing::Fine, "one that it took, and all is well");
    assert_eq!((kept.state.failures, kept.state.failing_since, kept.state.warned), (0, None, 0));
}

#[test]
fn health_is_the_share_of_recent_tries_less_what_is_wrong_now() {
    let mut kept = Kept::new();
    assert_eq!(kept.state.health(&kept.policy), 100, "nothing speaks against it");
    kept.report(1, Seen { took: 20, ..seen() }, false);
    assert_eq!(kept.state.health(&kept.policy), 100);
    kept.report(1, Seen { failed: 1, ..seen() }, false);
    assert_eq!((kept.state.success_permille, kept.state.health(&kept.policy)), (Some(900), 80));
    kept.report(1, Seen { failed: 9, ..seen() }, false);
    assert_eq!(kept.state.health(&kept.policy), 10, "its circuit is open, or nearly all failed");
    kept.report(1, Seen { took: 1, ..seen() }, false);
    let mended = kept.state.health(&kept.policy);
    for _ in 0..20 {
        kept.report(1, Seen { took: 1, ..seen() }, false);
    }
    assert!(mended < 50 && kept.state.health(&kept.policy) > 90, "{mended} and then {:?}", kept.state);
    kept.state.latency_ms = 3000;
    assert!(kept.state.health(&kept.policy) < 90, "slow");
    kept.state.disabled_at = Some(kept.now);
    assert_eq!(kept.state.health(&kept.policy), 0);
}

#[test]
fn a_line_is_never_longer_than_five_minutes_whatever_stands_in_it() {
    let mut kept = Kept::new();
    kept.state.latency_ms = 9000;
    for _ in 0..100 {
        for verdict in kept.verdicts(10) {
            let Verdict::Wait(until, Held::Line) = verdict else { continue };
            assert!(until <= after(300));
        }
    }
}

#[test]
fn a_place_in_the_rate_limit_is_kept_while_there_is_no_slot() {
    let mut kept = Kept::new();
    assert_eq!(kept.verdicts(4), [Verdict::Go; 4]);
    let used = kept.state.window.used;
    let (_, admitted) = kept.ask(&[Asking { has_place: true, ..Asking::default() }]);
    let Verdict::Wait(until, Held::Rate) = admitted.verdicts[0] else { panic!("{:?}", admitted.verdicts) };
    assert!(until < after(60));
    assert_eq!(kept.state.window.used, used, "and not taken anew");
}

#[test]
fn after_an_outage_the_pace_is_that_of_the_answers_that_come_now() {
    let mut kept = Kept::new();
    kept.state =
        EndpointState { latency_ms: 10_000, failures: 3, circuit_until: Some(NOW), ..EndpointState::default() };
    let (holder, admitted) = kept.ask(&[Asking::default()]);
    assert!(admitted.probe);
    kept.report(holder, Seen { took: 1, latency_ms: 50, ..Seen::default() }, true);
    assert_eq!(kept.state.latency_ms, 50);
}

#[test]
fn who_was_admitted_before_others_found_too_much_does_not_undo_it() {
    let mut kept = Kept::new();
    kept.policy.concurrency = 20;
    let before = kept.state.clone();
    kept.report(1, Seen { failed: 1, overloaded: true, ..seen() }, false);
    assert_eq!(kept.state.width, Some(10));
    before.report(&kept.policy, 2, &Seen { took: 1, ..seen() }, false, kept.now).apply(&mut kept.state);
    assert_eq!(kept.state.width, Some(10));
}

#[test]
fn nobody_is_disabled_without_a_warning_however_long_nothing_was_sent() {
    let mut kept = Kept::new();
    kept.policy.circuit.failures = 0;
    assert_eq!(kept.report(1, Seen { failed: 12, ..seen() }, false), Standing::Warn(1));
    kept.state.warned = 1;
    kept.wait(7 * 24 * 3600 * SECOND);
    let Standing::Warn(90) = kept.report(2, Seen { failed: 1, ..seen() }, false) else { panic!("no warning") };
    kept.state.warned = 90;
    assert!(matches!(kept.report(3, Seen { failed: 1, ..seen() }, false), Standing::Disable(_)));
}

#[test]
fn a_batch_that_ends_late_does_not_undo_what_others_found() {
    let mut kept = Kept::new();
    kept.policy.concurrency = 20;
    kept.state.width = Some(10);
    let before = kept.state.clone();
    kept.report(1, Seen { failed: 1, overloaded: true, ..seen() }, false);
    assert_eq!(kept.state.width, Some(5));
    let report = |seen| before.report(&kept.policy, 2, &seen, false, kept.now);
    for (seen, expected) in [(Seen { failed: 1, ..seen() }, 5), (Seen::default(), 5), (Seen { took: 2, ..seen() }, 7)] {
        let mut state = kept.state.clone();
        report(seen).apply(&mut state);
        assert_eq!(state.width, Some(expected));
    }
}

#[test]
fn a_circuit_that_many_opened_at_once_pauses_before_its_first_probe() {
    let mut kept = Kept::new();
    let before = kept.state.clone();
    for holder in 0..3 {
        before.report(&kept.policy, holder, &Seen { failed: 1, ..seen() }, false, kept.now).apply(&mut kept.state);
    }
    assert_eq!(kept.verdicts(1), [Verdict::Wait(after(30), Held::Circuit)]);
    assert_eq!(kept.state.circuit_until, Some(after(30)));
}

#[test]
fn of_a_backlog_beyond_what_can_be_promised_each_gets_its_turn() {
    let mut kept = Kept::new();
    kept.policy.rate = RateLimit { max: 2, window: 60 * SECOND };
    let mut waiting: Vec<(Timestamp, Asking)> = vec![(NOW, Asking::default()); 100];
    let mut sent = 0;
    for _ in 0..400 {
        let due: Vec<Asking> = waiting.extract_if(.., |(at, _)| *at <= kept.now).map(|(_, asking)| asking).collect();
        for asking in due {
            let (holder, admitted) = kept.ask(&[asking]);
            match admitted.verdicts[0] {
                Verdict::Go => {
                    sent += 1;
                    kept.report(holder, Seen { took: 1, ..seen() }, false);
                }
                Verdict::Wait(until, held) => {
                    let has_place = held == Held::Rate;
                    waiting.push((until, Asking { has_place, was_in_line: !has_place }));
                }
                Verdict::Stop => panic!("it is not disabled"),
            }
        }
        kept.wait(30 * SECOND);
    }
    assert_eq!((sent, waiting.len()), (100, 0));
}
