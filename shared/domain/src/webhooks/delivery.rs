//! A delivery, one event to one endpoint: the rules of claim, retry and end (docs/contract/webhooks.md, Retries).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

use crate::{
    AdmissionRequest, Attempt, AttemptClaim, DeliveryId, EndpointId, EventId, OutboundEvent, Outcome, RateLimit,
    ResponseClass, Schedule, Subject, Timestamp, TraceParent, WaitReason,
};

/// The longest wait that a receiver can request.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// How long attempts at a throttled receiver do not count.
const THROTTLED_FOR: Duration = Duration::from_secs(24 * 3600);

/// The status of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, EnumString, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum DeliveryStatus {
    /// It is to be sent, now or later.
    Pending,
    /// The receiver accepted it.
    Delivered,
    /// Every attempt failed; it stays visible and recoverable.
    Exhausted,
    /// It is no longer sent: the endpoint is disabled or removed.
    Stopped,
}

impl DeliveryStatus {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

/// One event on its way to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// UUIDv5 of event and endpoint.
    pub id: DeliveryId,
    /// The event.
    pub event_id: EventId,
    /// The event's kind.
    pub event: OutboundEvent,
    /// What it happened to.
    #[serde(rename = "job_id")]
    pub subject: Subject,
    /// Where it goes.
    pub endpoint_id: EndpointId,
    /// The endpoint's name in the body, such as `webhook_1`: fixed, so that the body stays the same.
    pub endpoint_name: String,
    /// Its status.
    pub status: DeliveryStatus,
    /// Rises by one with each change.
    pub version: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// Attempts begun.
    pub attempts: u32,
    /// Attempts of these that do not count: those made before a replay, and those at a throttled receiver.
    #[serde(rename = "excused", default, skip_serializing_if = "is_zero")]
    pub uncounted: u32,
    /// When it was replayed last.
    #[serde(rename = "again_at", default, skip_serializing_if = "Option::is_none")]
    pub replayed_at: Option<Timestamp>,
    /// Whether it is a replay: sent again after it had ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replay: bool,
    /// The recovery that replayed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<String>,
    /// When the next attempt is due.
    pub next_attempt_at: Timestamp,
    /// Why it waits, if not for its own schedule.
    #[serde(rename = "held", default, skip_serializing_if = "Option::is_none")]
    pub wait_reason: Option<WaitReason>,
    /// Until when an attempt holds the lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<Timestamp>,
    /// When the due sweep looks at it; none when it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// The result of the last attempt, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_result: Option<String>,
    /// The newest attempt; it gets a row of its own when the next one begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Attempt>,
    /// The trace context of the request that created the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// Why a delivery must not be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSendable {
    /// It has ended.
    Final,
    /// It is not due before this time.
    NotDue(Timestamp),
    /// An attempt holds the lease until this time.
    Leased(Timestamp),
}

impl Delivery {
    /// The trace of its webhooks.
    pub fn trace(&self) -> TraceParent {
        TraceParent::of_event(&self.event_id, &self.subject, self.traceparent.as_deref())
    }

    /// Whether it may be sent now.
    ///
    /// # Errors
    /// [`NotSendable`]: the reason, and until when.
    pub fn check(&self, now: Timestamp) -> Result<(), NotSendable> {
        match self.status {
            DeliveryStatus::Pending => {}
            DeliveryStatus::Delivered | DeliveryStatus::Exhausted | DeliveryStatus::Stopped => {
                return Err(NotSendable::Final);
            }
        }
        if let Some(lease) = self.lease_until.filter(|lease| *lease > now) {
            return Err(NotSendable::Leased(lease));
        }
        if self.next_attempt_at > now { Err(NotSendable::NotDue(self.next_attempt_at)) } else { Ok(()) }
    }

    /// The delivery with the attempt that begins now; the caller keeps the attempt before. Only its end is stored: until
    /// then the attempt is a claim in the endpoint's slots.
    #[must_use]
    pub fn begin(mut self, now: Timestamp) -> Self {
        self.attempts += 1;
        self.wait_reason = None;
        self.last = Some(Attempt { number: self.attempts, started_at: now, result: None });
        self
    }

    /// Its request to be admitted to its endpoint.
    pub fn admission_request(&self, rate: RateLimit, now: Timestamp) -> AdmissionRequest {
        AdmissionRequest {
            // If the window of a reservation has passed, for example during an outage, it is reserved again.
            has_reservation: self.wait_reason == Some(WaitReason::RateLimit)
                && rate.same_window(self.next_attempt_at, now),
            was_queued: self.wait_reason == Some(WaitReason::Concurrency),
            claim: Some(AttemptClaim::new(self.id, self.attempts + 1)),
        }
    }

    /// The next version, waiting until `until`; no attempt is used up.
    pub fn defer(&self, until: Timestamp, wait_reason: WaitReason, grace: Duration) -> Self {
        let mut next = self.next();
        next.next_attempt_at = until;
        next.due_at = Some(until.after(grace));
        next.wait_reason = Some(wait_reason);
        next.lease_until = None;
        next
    }

    /// The next version, due now by request: a delivery that had ended is replayed under the same id, and its schedule
    /// starts again.
    pub fn resend(&self, now: Timestamp, grace: Duration) -> Self {
        let mut next = self.next();
        let ended = self.status != DeliveryStatus::Pending;
        next.status = DeliveryStatus::Pending;
        next.finished_at = None;
        next.next_attempt_at = now;
        next.due_at = Some(now.after(grace));
        next.wait_reason = None;
        if ended {
            next.replay = true;
            next.replayed_at = Some(now);
            next.uncounted = self.attempts;
        }
        next
    }

    /// The same, with the recovery that replayed it.
    #[must_use]
    pub fn recovered_by(mut self, recovery: &str) -> Self {
        self.recovery = Some(recovery.to_owned());
        self
    }

    /// The next version after an attempt, and the reason for it.
    pub fn finish(
        self,
        outcome: &Outcome,
        now: Timestamp,
        schedule: &Schedule,
        jitter: f64,
        grace: Duration,
    ) -> (Self, String) {
        let (counted, is_last, requested_at) = (self.counted(), self.is_last(schedule), self.requested_at());
        let mut next = Self { version: self.version + 1, lease_until: None, ..self };
        let (ended, reason) = match outcome {
            Outcome::Answered { class: ResponseClass::Success, .. } => {
                (Some(DeliveryStatus::Delivered), "delivered".to_owned())
            }
            Outcome::Answered { status, class: ResponseClass::Gone, .. } => {
                (Some(DeliveryStatus::Stopped), format!("{status}: endpoint disabled"))
            }
            Outcome::Answered { status, class: ResponseClass::Rejected, .. } => {
                (Some(DeliveryStatus::Exhausted), format!("status {status}, which is final"))
            }
            Outcome::Disabled => (Some(DeliveryStatus::Stopped), "endpoint is disabled".to_owned()),
            Outcome::Gone => (Some(DeliveryStatus::Stopped), "endpoint is not configured any more".to_owned()),
            Outcome::Superseded => (Some(DeliveryStatus::Stopped), "a later event says more".to_owned()),
            Outcome::Empty => (Some(DeliveryStatus::Stopped), "its event is not kept any more".to_owned()),
            Outcome::Answered { status, class: ResponseClass::Throttled, retry_after }
                if now < requested_at.after(THROTTLED_FOR) =>
            {
                next.uncounted += 1;
                let requested = retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
                next.next_attempt_at = now.after(schedule.wait(next.uncounted, jitter).max(requested));
                (None, format!("status {status}, waiting as the receiver requested"))
            }
            Outcome::Answered { status, class: ResponseClass::Throttled | ResponseClass::Retryable, .. } if is_last => {
                (Some(DeliveryStatus::Exhausted), format!("status {status} after {counted} attempts"))
            }
            Outcome::NoAnswer(code) if is_last => {
                (Some(DeliveryStatus::Exhausted), format!("{code} after {counted} attempts"))
            }
            Outcome::Answered { status, class: ResponseClass::Throttled | ResponseClass::Retryable, retry_after } => {
                let own = schedule.wait(counted, jitter);
                let requested = retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
                next.next_attempt_at = now.after(own.max(requested));
                (None, format!("status {status}, trying again"))
            }
            Outcome::NoAnswer(code) => {
                next.next_attempt_at = now.after(schedule.wait(counted, jitter));
                (None, format!("{code}, trying again"))
            }
        };
        match ended {
            Some(status) => {
                next.status = status;
                next.finished_at = Some(now);
                next.due_at = None;
            }
            None => next.due_at = Some(next.next_attempt_at.after(grace)),
        }
        next.last_result = Some(reason.clone());
        (next, reason)
    }

    /// All its attempts in order, given those that have rows of their own.
    pub fn all_attempts(&self, rows: Vec<Attempt>) -> Vec<Attempt> {
        let mut attempts = rows;
        if let Some(last) = &self.last {
            // A row without a result may have been written before the result was known.
            attempts.retain(|row| row.number != last.number || (row.result.is_some() && last.result.is_none()));
            if attempts.iter().all(|row| row.number != last.number) {
                attempts.push(last.clone());
            }
        }
        // The attempt of a crashed batch may have its row before the delivery says so.
        attempts.sort_unstable_by_key(|attempt| attempt.number);
        attempts
    }

    /// When it was created or replayed: the time that limits count from.
    pub fn requested_at(&self) -> Timestamp {
        self.replayed_at.unwrap_or(self.created_at)
    }

    /// Attempts that count.
    pub fn counted(&self) -> u32 {
        self.attempts - self.uncounted
    }

    /// Whether the attempt that ends now is the last one.
    fn is_last(&self, schedule: &Schedule) -> bool {
        self.counted() > schedule.retries()
    }

    /// The same with the next version.
    pub(super) fn next(&self) -> Self {
        Self { version: self.version + 1, ..self.clone() }
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_704_110_400_000);
    const GRACE: Duration = Duration::from_secs(60);
    const POLICY: Schedule =
        Schedule::Doubling { max_retries: 3, delay: Duration::from_secs(1), max_delay: Duration::from_secs(30) };

    fn pending() -> Delivery {
        let event_id = EventId::parse("job_1_a.3.0").unwrap();
        let endpoint_id = EndpointId::parse("ep_1").unwrap();
        Delivery {
            id: DeliveryId::of(&event_id, &endpoint_id),
            event_id,
            event: OutboundEvent::Completed,
            subject: Subject::parse("job_1_a").unwrap(),
            endpoint_id,
            endpoint_name: "webhook_1".to_owned(),
            status: DeliveryStatus::Pending,
            version: 1,
            created_at: NOW,
            attempts: 0,
            uncounted: 0,
            replayed_at: None,
            replay: false,
            recovery: None,
            next_attempt_at: NOW,
            wait_reason: None,
            lease_until: None,
            due_at: Some(NOW.after(GRACE)),
            finished_at: None,
            last_result: None,
            last: None,
            traceparent: None,
        }
    }

    fn answered(status: u16, retry_after: Option<u64>) -> Outcome {
        let class = match status {
            200..=299 => ResponseClass::Success,
            410 => ResponseClass::Gone,
            _ => ResponseClass::Retryable,
        };
        Outcome::Answered { status, class, retry_after: retry_after.map(Duration::from_secs) }
    }

    fn attempted(times: u32) -> Delivery {
        Delivery { attempts: times, lease_until: Some(NOW.after(GRACE)), ..pending() }
    }

    #[test]
    fn each_outcome_leads_to_the_status_and_the_wait_of_the_contract() {
        let check = |attempts, outcome: Outcome, status, wait_ms: Option<i64>| {
            let (next, reason) = attempted(attempts).finish(&outcome, NOW, &POLICY, 0.0, GRACE);
            assert_eq!((next.status, next.version), (status, 2), "{outcome:?}: {reason}");
            assert_eq!(next.lease_until, None);
            assert_eq!(next.due_at.map(|due| due.millis_since(NOW.after(GRACE))), wait_ms, "{outcome:?}");
        };
        check(1, answered(200, None), DeliveryStatus::Delivered, None);
        check(1, answered(204, None), DeliveryStatus::Delivered, None);
        check(1, answered(301, None), DeliveryStatus::Pending, Some(1000));
        check(2, answered(500, None), DeliveryStatus::Pending, Some(2000));
        check(3, Outcome::NoAnswer("ECONNREFUSED"), DeliveryStatus::Pending, Some(4000));
        check(4, answered(500, None), DeliveryStatus::Exhausted, None);
        check(4, Outcome::NoAnswer("ETIMEDOUT"), DeliveryStatus::Exhausted, None);
        check(1, answered(429, Some(120)), DeliveryStatus::Pending, Some(120_000));
        check(1, answered(503, Some(0)), DeliveryStatus::Pending, Some(1000));
        check(1, answered(429, Some(10_u64.pow(9))), DeliveryStatus::Pending, Some(86_400_000));
        check(1, answered(410, None), DeliveryStatus::Stopped, None);
        let refused = Outcome::Answered { status: 400, class: ResponseClass::Rejected, retry_after: None };
        check(1, refused, DeliveryStatus::Exhausted, None);
        check(1, Outcome::Disabled, DeliveryStatus::Stopped, None);
        check(1, Outcome::Gone, DeliveryStatus::Stopped, None);
    }

    #[test]
    fn attempts_at_a_throttled_receiver_do_not_count_for_a_day() {
        let busy = || Outcome::Answered {
            status: 429,
            class: ResponseClass::Throttled,
            retry_after: Some(Duration::from_secs(2)),
        };
        let mut delivery = pending();
        for n in 1..=50 {
            let begun = delivery.begin(NOW);
            let (next, reason) = begun.finish(&busy(), NOW, &POLICY, 0.0, GRACE);
            assert_eq!((next.status, next.attempts, next.uncounted), (DeliveryStatus::Pending, n, n), "{reason}");
            let own = POLICY.wait(n, 0.0).as_millis() as i64;
            assert_eq!(
                next.next_attempt_at.millis_since(NOW),
                own.max(2000),
                "it backs off, and never below the requested wait"
            );
            delivery = next;
        }
        // Another failure counts as the first one, and a day later throttling counts too.
        let begun = delivery.begin(NOW);
        let (next, _) = begun.finish(&answered(500, None), NOW, &POLICY, 0.0, GRACE);
        assert_eq!((next.status, next.next_attempt_at.millis_since(NOW)), (DeliveryStatus::Pending, 1000));
        let late = NOW.after(THROTTLED_FOR);
        let old = Delivery { attempts: 54, uncounted: 50, ..pending() };
        let (next, _) = old.finish(&busy(), late, &POLICY, 0.0, GRACE);
        assert_eq!(next.status, DeliveryStatus::Exhausted);
    }

    #[test]
    fn a_replay_keeps_the_id_and_starts_the_schedule_again() {
        let ended =
            Delivery { status: DeliveryStatus::Exhausted, finished_at: Some(NOW), due_at: None, ..attempted(4) };
        let ended = Delivery { lease_until: None, ..ended };
        let again = ended.resend(NOW, GRACE);
        assert_eq!((again.id, again.replay, again.finished_at), (ended.id, true, None));
        assert_eq!((again.check(NOW), again.due_at), (Ok(()), Some(NOW.after(GRACE))));
        let begun = again.begin(NOW);
        assert_eq!(begun.last.as_ref().unwrap().number, 5, "no row of an earlier attempt is overwritten");
        let (next, _) = begun.finish(&answered(500, None), NOW, &POLICY, 0.0, GRACE);
        assert_eq!((next.status, next.next_attempt_at.millis_since(NOW)), (DeliveryStatus::Pending, 1000));
        // A delivery that only waits becomes due now, and its attempts continue to count.
        let waiting = attempted(2).defer(NOW.after(GRACE), WaitReason::RateLimit, GRACE).resend(NOW, GRACE);
        assert_eq!((waiting.check(NOW), waiting.replay, waiting.uncounted), (Ok(()), false, 0));
    }

    #[test]
    fn the_ten_attempts_of_standard_webhooks_span_three_days() {
        let fails = |delivery: &Delivery, outcome: &Outcome, now| {
            let begun = delivery.clone().begin(now);
            let number = begun.attempts;
            let (next, reason) = begun.finish(outcome, now, &Schedule::Standard, 0.0, GRACE);
            (next, number, reason)
        };
        let (mut delivery, mut now, mut attempts) = (pending(), NOW, Vec::new());
        while delivery.status == DeliveryStatus::Pending {
            now = delivery.next_attempt_at.max(now);
            assert_eq!(delivery.check(now), Ok(()));
            assert!(
                now == NOW || delivery.check(now.before(Duration::from_millis(1))).is_err(),
                "not before it is due"
            );
            let (next, number, _) = fails(&delivery, &answered(500, None), now);
            attempts.push((number, now.since(NOW).as_secs()));
            delivery = next;
        }
        let waits = [0, 5, 305, 2105, 9305, 27_305, 63_305, 113_705, 185_705, 272_105];
        assert_eq!(attempts, (1..).zip(waits).collect::<Vec<_>>());
        assert_eq!(delivery.last_result.as_deref(), Some("status 500 after 10 attempts"));
        assert_eq!(waits[9], 75 * 3600 + 35 * 60 + 5);
        // The wait that a receiver requests is the minimum, up to a day.
        for (requested, expected) in [(0, 5), (120, 120), (1_000_000_000, 86_400)] {
            let (next, _, _) = fails(&pending(), &answered(503, Some(requested)), NOW);
            assert_eq!(next.next_attempt_at.since(NOW).as_secs(), expected, "{requested}");
        }
    }

    #[test]
    fn one_attempt_runs_at_a_time_and_none_before_it_is_due() {
        let begun = pending().begin(NOW);
        let last = Attempt { number: 1, started_at: NOW, result: None };
        assert_eq!((begun.last, begun.attempts, begun.version), (Some(last), 1, 1));
        let leased = Delivery { lease_until: Some(NOW.after(GRACE)), ..pending() };
        assert_eq!(leased.check(NOW), Err(NotSendable::Leased(NOW.after(GRACE))), "claimed by version 0.2");
        assert_eq!(leased.check(NOW.after(GRACE)), Ok(()), "a delivery whose lease has expired is claimed again");
        let later = pending().defer(NOW.after(GRACE), WaitReason::RateLimit, GRACE);
        assert_eq!(later.check(NOW), Err(NotSendable::NotDue(NOW.after(GRACE))));
        assert_eq!((later.attempts, later.wait_reason), (0, Some(WaitReason::RateLimit)));
    }

    fn assert_unchanged(stored: &str) {
        let delivery: Delivery = serde_json::from_str(stored).expect(stored);
        assert_eq!(serde_json::to_string(&delivery).unwrap(), stored);
    }

    #[test]
    fn stored_deliveries_are_read_and_written_without_a_change() {
        assert_unchanged(concat!(
            r#"{"id":"7c4bd0e4-77a4-5b0f-8f4e-0d8c7a2f4a11","event_id":"job_1_a.3.0","event":"job.completed","#,
            r#""job_id":"job_1_a","endpoint_id":"ep_1","endpoint_name":"webhook_1","status":"pending","version":1,"#,
            r#""created_at":1704110400000,"attempts":0,"next_attempt_at":1704110400000,"due_at":1704110460000}"#,
        ));
        assert_unchanged(concat!(
            r#"{"id":"7c4bd0e4-77a4-5b0f-8f4e-0d8c7a2f4a11","event_id":"job_1_a.3.0","event":"job.failed","#,
            r#""job_id":"job_1_a","endpoint_id":"ep_1","endpoint_name":"webhook_1","status":"exhausted","version":9,"#,
            r#""created_at":1704110400000,"attempts":5,"excused":4,"again_at":1704110400001,"replay":true,"#,
            r#""recovery":"rec_1","next_attempt_at":1704110400002,"held":"rate","lease_until":1704110400003,"#,
            r#""due_at":1704110400004,"finished_at":1704110400005,"last_result":"status 500 after 1 attempts","#,
            r#""last":{"number":5,"started_at":1704110400002},"#,
            r#""traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}"#,
        ));
        let waiting = ["rate", "line", "circuit", "pause", "settings"];
        let reasons = waiting.map(|name| serde_json::from_str::<WaitReason>(&format!("\"{name}\"")).unwrap());
        let all = [
            WaitReason::RateLimit,
            WaitReason::Concurrency,
            WaitReason::Circuit,
            WaitReason::Pause,
            WaitReason::UnknownEndpoint,
        ];
        assert_eq!(reasons, all);
    }
}
