//! A simulation of the dispatcher in virtual time: one dead and one slow endpoint do not delay the others.
//!
//! The queue, the invocations and the endpoints are simulated; the decisions about deliveries are the real ones.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use reelhook_domain::*;

const ENDPOINTS: usize = 20;
/// An endpoint that never answers.
const DEAD: usize = 0;
/// An endpoint that answers after 9 s.
const SLOW: usize = 1;
/// An endpoint that does not answer for five minutes, and then is healthy.
const RECOVERED: usize = 2;
/// The first healthy endpoint.
const HEALTHY: usize = 3;
/// The start of the simulation.
const START: i64 = 1_704_110_400_000;
/// The maximum of concurrent invocations (`DeliveryConcurrency`).
const INVOCATIONS: usize = 100;
/// The number of messages per invocation.
const BATCH: usize = 10;
/// The time of an invocation beside its attempts, in milliseconds: loads, claims, saves.
const CALLS_MS: i64 = 20;
/// The number of minutes with new webhooks.
const MINUTES: i64 = 10;
/// The number of webhooks per second and endpoint.
const PER_SECOND: f64 = 2.0;
const TIMEOUT: Duration = Duration::from_secs(10);

/// A realistic policy.
fn policy() -> EndpointPolicy {
    EndpointPolicy {
        schedule: Schedule::Standard,
        timeout: TIMEOUT,
        rate: RateLimit { max: 100_000, window: Duration::from_secs(60) },
        concurrency: 20,
        circuit: Circuit { failures: 10, delay: Duration::from_secs(30), max_delay: Duration::from_secs(900) },
        disable_policy: DisablePolicy { failures: 1000, time: Duration::from_secs(5 * 86_400), min_failures: 10 },
    }
}

/// Reproducible random numbers (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in 0..1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

enum Happens {
    /// A message becomes visible.
    Visible(usize),
    /// The attempts of one endpoint in one invocation have ended.
    Ended { endpoint: usize, report: Option<EndpointReport>, attempts: Vec<(usize, Outcome, i64)> },
    /// An invocation extends its slot.
    Extended { endpoint: usize, slot: Slot },
    /// An invocation has ended.
    Free,
}

struct World {
    now: i64,
    chance: Chance,
    later: BinaryHeap<Reverse<(i64, usize)>>,
    happens: Vec<Option<Happens>>,
    queue: VecDeque<usize>,
    running: usize,
    deliveries: Vec<(usize, Delivery)>,
    endpoints: Vec<EndpointState>,
    most_running: usize,
}

/// The results of a run.
struct Outcomes {
    /// The times from creation to delivery at healthy endpoints, in milliseconds.
    waits: Vec<i64>,
    by_endpoint: BTreeMap<usize, (usize, usize)>,
    /// The number of received messages.
    received: usize,
    most_running: usize,
}

impl World {
    fn at(&mut self, time: i64, happens: Happens) {
        self.later.push(Reverse((time.max(self.now), self.happens.len())));
        self.happens.push(Some(happens));
    }

    /// The response of an endpoint, and its latency in milliseconds.
    fn answer(&mut self, endpoint: usize) -> (Outcome, i64) {
        let taken = Outcome::Answered { status: 200, class: ResponseClass::Success, retry_after: None };
        match endpoint {
            DEAD => (Outcome::NoAnswer("ETIMEDOUT"), TIMEOUT.as_millis() as i64),
            RECOVERED if self.now < START + 300_000 => (Outcome::NoAnswer("ETIMEDOUT"), TIMEOUT.as_millis() as i64),
            SLOW => (taken, 9000),
            _ => (taken, 50 + (self.chance.fraction() * 100.0) as i64),
        }
    }

    /// Sends a hint, whose delay is in whole seconds.
    fn hint(&mut self, delivery: usize, until: Timestamp) {
        let wait = (until.0 - self.now).max(0);
        self.at(self.now + (wait + 999) / 1000 * 1000, Happens::Visible(delivery));
    }

    fn invoke(&mut self) {
        let batch: Vec<usize> = (0..BATCH).filter_map(|_| self.queue.pop_front()).collect();
        self.running += 1;
        self.most_running = self.most_running.max(self.running);
        let now = Timestamp(self.now);
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for id in batch {
            if self.deliveries[id].1.check(now).is_ok() {
                groups.entry(self.deliveries[id].0).or_default().push(id);
            }
        }
        let mut over = self.now + CALLS_MS;
        for (endpoint, group) in groups {
            over = over.max(self.send(endpoint, &group));
        }
        self.at(over, Happens::Free);
    }

    /// Sends the admitted deliveries and returns the end of the last attempt.
    fn send(&mut self, endpoint: usize, group: &[usize]) -> i64 {
        let (policy, now) = (policy(), Timestamp(self.now));
        let holder = self.chance.next();
        let state = self.endpoints[endpoint].clone();
        // The sweep brings a delivery back that is claimed.
        let group: Vec<usize> =
            group.iter().copied().filter(|id| state.claimed(&self.deliveries[*id].1, now).is_none()).collect();
        if group.is_empty() {
            return self.now;
        }
        let requests: Vec<AdmissionRequest> =
            group.iter().map(|id| self.deliveries[*id].1.admission_request(policy.rate, now)).collect();
        let admitted = state.admit(&policy, &requests, holder, now);
        if let Some(next) = admitted.next {
            self.endpoints[endpoint] = next;
        }
        let (mut attempts, mut seen, mut latest) = (Vec::new(), BatchOutcome::default(), self.now);
        let mut took_ms = 0;
        for (id, decision) in group.iter().zip(admitted.decisions) {
            let delivery = &self.deliveries[*id].1;
            match decision {
                SendDecision::Send => {
                    self.deliveries[*id].1 = delivery.clone().begin(now);
                    let (outcome, ms) = self.answer(endpoint);
                    let ok = matches!(outcome, Outcome::Answered { .. });
                    seen.accepted += u32::from(ok);
                    seen.failed += u32::from(!ok);
                    took_ms += ms as u64;
                    latest = latest.max(self.now + CALLS_MS + ms);
                    attempts.push((*id, outcome, self.now + CALLS_MS + ms));
                }
                SendDecision::Wait(until, wait_reason) => {
                    self.deliveries[*id].1 = delivery.defer(until, wait_reason, Duration::from_secs(60));
                    self.hint(*id, until);
                }
                SendDecision::Stop => panic!("no endpoint is disabled within the run"),
            }
        }
        if !attempts.is_empty() {
            seen.latency_ms = took_ms / attempts.len() as u64;
            let report = state.report(&policy, holder, &seen, admitted.probe, Timestamp(latest));
            let taken = self.endpoints[endpoint].concurrency.slots.iter().find(|slot| slot.holder == holder).cloned();
            let slot = taken.expect("the slot was taken");
            // A slot that may be released late is extended before it stops counting.
            let extended = slot.busy_until.0 < latest;
            if extended {
                self.at(slot.busy_until.0 - 1, Happens::Extended { endpoint, slot: slot.extended() });
            }
            let report = (admitted.must_report || extended || report.is_news(&state)).then_some(report);
            self.at(latest, Happens::Ended { endpoint, report, attempts });
        }
        latest
    }

    fn ended(&mut self, endpoint: usize, report: Option<EndpointReport>, attempts: Vec<(usize, Outcome, i64)>) {
        if let Some(report) = report {
            report.apply(&mut self.endpoints[endpoint]);
        }
        for (id, outcome, at) in attempts {
            let jitter = self.chance.fraction();
            let delivery = self.deliveries[id].1.clone();
            let grace = Duration::from_secs(60);
            let (next, _) = delivery.finish(&outcome, Timestamp(at), &policy().schedule, jitter, grace);
            let (goes_on, until) = (next.status == DeliveryStatus::Pending, next.next_attempt_at);
            self.deliveries[id].1 = next;
            if goes_on {
                self.hint(id, until);
            }
        }
    }
}

fn delivery(n: usize, endpoint: usize, at: Timestamp) -> Delivery {
    let event_id = EventId::parse(&format!("job_1_{n:x}.3.0")).unwrap();
    let endpoint_id = EndpointId::parse(&format!("ep_{endpoint}")).unwrap();
    let row = serde_json::json!({
        "id": DeliveryId::of(&event_id, &endpoint_id), "event_id": event_id, "event": "job.completed",
        "job_id": format!("job_1_{n:x}"), "endpoint_id": endpoint_id, "endpoint_name": format!("webhook_{endpoint}"),
        "status": "pending", "version": 1, "created_at": at, "attempts": 0, "next_attempt_at": at,
        "due_at": at.after(Duration::from_secs(60)),
    });
    serde_json::from_value(row).unwrap()
}

/// Sends webhooks to these endpoints for some minutes, and continues until every possible delivery is made.
fn run(used: std::ops::Range<usize>) -> Outcomes {
    let mut world = World {
        now: 0,
        chance: Chance(7),
        later: BinaryHeap::new(),
        happens: Vec::new(),
        queue: VecDeque::new(),
        running: 0,
        deliveries: Vec::new(),
        endpoints: vec![EndpointState::default(); ENDPOINTS],
        most_running: 0,
    };
    for endpoint in used.clone() {
        // Every run has the same webhooks.
        let mut chance = Chance(endpoint as u64);
        let mut at = START as f64;
        let end = at + (MINUTES * 60_000) as f64;
        loop {
            at -= (1.0 - chance.fraction()).ln() * 1000.0 / PER_SECOND;
            if at >= end {
                break;
            }
            let made = Timestamp(at as i64);
            let id = world.deliveries.len();
            world.deliveries.push((endpoint, delivery(id, endpoint, made)));
            world.at(made.0, Happens::Visible(id));
        }
    }
    let mut received = 0;
    let end = START + 3 * MINUTES * 60_000;
    while let Some(Reverse((time, index))) = world.later.pop() {
        if time > end {
            break;
        }
        world.now = time;
        match world.happens[index].take().expect("each event happens once") {
            Happens::Visible(id) => {
                received += 1;
                world.queue.push_back(id);
            }
            Happens::Ended { endpoint, report, attempts } => world.ended(endpoint, report, attempts),
            Happens::Extended { endpoint, slot } => {
                let slots = &mut world.endpoints[endpoint].concurrency.slots;
                slots.iter_mut().filter(|held| held.holder == slot.holder).for_each(|held| *held = slot.clone());
            }
            Happens::Free => world.running -= 1,
        }
        while world.running < INVOCATIONS && !world.queue.is_empty() {
            world.invoke();
        }
    }
    let mut outcomes = Outcomes { waits: Vec::new(), by_endpoint: BTreeMap::new(), received, most_running: 0 };
    outcomes.most_running = world.most_running;
    for (endpoint, delivery) in &world.deliveries {
        let delivered = delivery.status == DeliveryStatus::Delivered;
        let counts = outcomes.by_endpoint.entry(*endpoint).or_default();
        counts.0 += 1;
        counts.1 += usize::from(delivered);
        if *endpoint >= HEALTHY && delivered {
            outcomes.waits.push(delivery.finished_at.expect("a delivered one has ended").0 - delivery.created_at.0);
        }
    }
    outcomes.waits.sort_unstable();
    outcomes
}

fn p99(waits: &[i64]) -> i64 {
    waits[waits.len() * 99 / 100]
}

#[test]
fn a_dead_and_a_slow_endpoint_do_not_delay_the_others() {
    let (alone, together) = (run(HEALTHY..ENDPOINTS), run(0..ENDPOINTS));
    let (before, after) = (p99(&alone.waits), p99(&together.waits));
    println!(
        "p99 of {} healthy deliveries: {before} ms alone, {after} ms beside a dead and a slow endpoint; \
         {} messages received, {} invocations at once at most",
        alone.waits.len(),
        together.received,
        together.most_running,
    );
    assert_eq!(alone.waits.len(), together.waits.len(), "both runs deliver every webhook to a healthy endpoint");
    assert!(alone.waits.len() > 18_000);
    for endpoint in HEALTHY..ENDPOINTS {
        let (made, delivered) = together.by_endpoint[&endpoint];
        assert_eq!(made, delivered);
    }
    assert!(after as f64 <= before as f64 * 1.1, "p99 was {before} ms and is {after} ms");
    let (made, delivered) = together.by_endpoint[&SLOW];
    assert!(made > 1000 && delivered == made, "{delivered} of {made} to the slow endpoint");
    let (made, delivered) = together.by_endpoint[&RECOVERED];
    assert_eq!(made, delivered, "the recovered endpoint gets its backlog");
    assert_eq!(together.by_endpoint[&DEAD].1, 0);
    let (to_dead, all) = (together.by_endpoint[&DEAD].0, together.by_endpoint.values().map(|counts| counts.0).sum());
    let all: usize = all;
    assert!(
        together.received < all + to_dead * 12 + made * 4,
        "waiting deliveries cause few messages: {}",
        together.received
    );
}
