//! One webhook on its way to one endpoint: the rules of claim, retry and end (contract.md, Outbound webhooks).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    AdmissionRequest, DeliveryId, EndpointId, EventId, OutboundEvent, RateLimit, ResponseClass, Schedule, Subject,
    Timestamp, WaitReason,
};

/// The longest wait that a receiver can ask for.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// How long a delivery may go on without using up tries while its receiver takes nothing from anybody.
const THROTTLED_FOR: Duration = Duration::from_secs(24 * 3600);

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// To be sent, now or later.
    Pending,
    /// The receiver took it.
    Delivered,
    /// Every try failed; it stays, visible and recoverable.
    Exhausted,
    /// Not sent any more: the endpoint is disabled or gone.
    Stopped,
}

/// One webhook on its way to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// UUIDv5 of event and endpoint.
    pub id: DeliveryId,
    /// What happened.
    pub event_id: EventId,
    /// Its kind.
    pub event: OutboundEvent,
    /// What it happened to.
    #[serde(rename = "job_id")]
    pub subject: Subject,
    /// Where it goes.
    pub endpoint_id: EndpointId,
    /// What the receiver knows the endpoint as, `webhook_1`: fixed, so that the body stays the same.
    pub endpoint_name: String,
    /// How it stands.
    pub status: DeliveryStatus,
    /// Rises by one with each change.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Tries begun.
    pub attempts: u32,
    /// Tries of these that do not count, since the receiver took nothing from anybody then.
    #[serde(rename = "excused", default, skip_serializing_if = "is_zero")]
    pub uncounted: u32,
    /// When a person had it sent once more after it had ended.
    #[serde(rename = "again_at", default, skip_serializing_if = "Option::is_none")]
    pub replayed_at: Option<Timestamp>,
    /// Whether it is sent once more after it had ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replay: bool,
    /// The recovery that had it sent once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<String>,
    /// The next try.
    pub next_attempt_at: Timestamp,
    /// What it waits for, where that is not its own schedule.
    #[serde(rename = "held", default, skip_serializing_if = "Option::is_none")]
    pub wait_reason: Option<WaitReason>,
    /// A try is under way until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<Timestamp>,
    /// The time by which something has to happen; none when final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// What the last try gave, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_result: Option<String>,
    /// The newest try; it has no row of its own before the next one begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Attempt>,
    /// The trace that the job began in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// One try, noted before the send and completed after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// What came of it; none means that we do not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<AttemptResult>,
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptResult {
    /// HTTP status; 0 when no response came.
    pub status: u16,
    /// The error's code when no response came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Until the response head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<u64>,
    /// Until the end.
    pub duration_ms: u64,
    /// The address that was dialled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// SHA-256 of the response body as far as it was read, as hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_hash: Option<String>,
    /// The start of the response body, as text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub response: String,
    /// When the next try is, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// Why it goes on or ends.
    pub reason: String,
}

/// Why a delivery is not to be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSendable {
    /// It has ended.
    Final,
    /// Its time has not come.
    NotDue(Timestamp),
    /// Someone is at it.
    Leased(Timestamp),
}

/// What a try gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A response, and the wait that it asked for.
    Answered {
        /// HTTP status.
        status: u16,
        /// What the receiver means by it.
        class: ResponseClass,
        /// Its Retry-After.
        retry_after: Option<Duration>,
    },
    /// No response, with the error's code.
    NoAnswer(&'static str),
    /// The endpoint is disabled; nothing was sent.
    Disabled,
    /// The endpoint is not configured any more; nothing was sent.
    Gone,
    /// What it carries is not kept any more; nothing was sent.
    Empty,
    /// A later event says more; nothing more is sent.
    Superseded,
}

impl Delivery {
    /// Whether it may be sent now.
    ///
    /// # Errors
    /// [`NotSendable`] says why not, and until when.
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

    /// The next version with a try under way until `lease_until`; the try before is the caller's to keep.
    pub fn begin(&self, now: Timestamp, lease_until: Timestamp) -> Self {
        let mut next = self.next();
        next.attempts += 1;
        next.lease_until = Some(lease_until);
        // A due time that is late enough stays, which spares the index two writes.
        next.due_at = self.due_at.max(Some(lease_until));
        next.wait_reason = None;
        next.last = Some(Attempt { number: next.attempts, started_at: now, result: None });
        next
    }

    /// How it asks its endpoint to be sent.
    pub fn admission_request(&self, rate: RateLimit, now: Timestamp) -> AdmissionRequest {
        AdmissionRequest {
            // A place whose window has passed, say over an outage, is taken anew.
            has_reservation: self.wait_reason == Some(WaitReason::RateLimit)
                && rate.same_window(self.next_attempt_at, now),
            was_queued: self.wait_reason == Some(WaitReason::Concurrency),
        }
    }

    /// The next version, waiting until `until` without using up a try.
    pub fn defer(&self, until: Timestamp, wait_reason: WaitReason, grace: Duration) -> Self {
        let mut next = self.next();
        next.next_attempt_at = until;
        next.due_at = Some(until.after(grace));
        next.wait_reason = Some(wait_reason);
        next.lease_until = None;
        next
    }

    /// The next version, to be sent at once because a person wants it: one that had ended begins its schedule anew, with
    /// the same id.
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

    /// The same, with the recovery that wanted it.
    #[must_use]
    pub fn recovered_by(mut self, recovery: &str) -> Self {
        self.recovery = Some(recovery.to_owned());
        self
    }

    /// The next version after a try, and why.
    pub fn finish(
        &self,
        outcome: &Outcome,
        now: Timestamp,
        schedule: &Schedule,
        jitter: f64,
        grace: Duration,
    ) -> (Self, String) {
        let mut next = self.next();
        next.lease_until = None;
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
                if now < self.requested_at().after(THROTTLED_FOR) =>
            {
                next.uncounted += 1;
                let requested = retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
                next.next_attempt_at = now.after(schedule.wait(next.uncounted, jitter).max(requested));
                (None, format!("status {status}, waiting as asked"))
            }
            Outcome::Answered { status, class: ResponseClass::Throttled | ResponseClass::Retryable, .. }
                if self.is_last(schedule) =>
            {
                (Some(DeliveryStatus::Exhausted), format!("status {status} after {} attempts", self.counted()))
            }
            Outcome::NoAnswer(code) if self.is_last(schedule) => {
                (Some(DeliveryStatus::Exhausted), format!("{code} after {} attempts", self.counted()))
            }
            Outcome::Answered { status, class: ResponseClass::Throttled | ResponseClass::Retryable, retry_after } => {
                let own = schedule.wait(self.counted(), jitter);
                let requested = retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
                next.next_attempt_at = now.after(own.max(requested));
                (None, format!("status {status}, trying again"))
            }
            Outcome::NoAnswer(code) => {
                next.next_attempt_at = now.after(schedule.wait(self.counted(), jitter));
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

    /// Its tries, with those that have rows of their own.
    pub fn all_attempts(&self, rows: Vec<Attempt>) -> Vec<Attempt> {
        let mut tries = rows;
        if let Some(last) = &self.last {
            // A row that says "unknown" may have been written before the end was known.
            tries.retain(|row| row.number != last.number || (row.result.is_some() && last.result.is_none()));
            if tries.iter().all(|row| row.number != last.number) {
                tries.push(last.clone());
            }
        }
        tries
    }

    /// Since when somebody wants it sent.
    pub fn requested_at(&self) -> Timestamp {
        self.replayed_at.unwrap_or(self.created_at)
    }

    /// Tries that count.
    pub fn counted(&self) -> u32 {
        self.attempts - self.uncounted
    }

    /// Whether the try that ends now is the last one.
    fn is_last(&self, schedule: &Schedule) -> bool {
        self.counted() > schedule.retries()
    }

    fn next(&self) -> Self {
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
        let class = crate::ReceiverKind::Own.classify(status);
        Outcome::Answered { status, class, retry_after: retry_after.map(Duration::from_secs) }
    }

    fn tried(times: u32) -> Delivery {
        Delivery { attempts: times, lease_until: Some(NOW.after(GRACE)), ..pending() }
    }

    #[test]
    fn outcomes_lead_where_the_contract_says() {
        let check = |attempts, outcome: Outcome, status, wait_ms: Option<i64>| {
            let (next, reason) = tried(attempts).finish(&outcome, NOW, &POLICY, 0.0, GRACE);
            assert_eq!((next.status, next.version), (status, 2), "{outcome:?}: {reason}");
            assert_eq!(next.lease_until, None);
            assert_eq!(next.due_at.map(|due| due.0 - NOW.0 - 60_000), wait_ms, "{outcome:?}");
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
    fn a_receiver_that_is_busy_for_everybody_uses_up_no_try_for_a_day() {
        let busy = || Outcome::Answered {
            status: 429,
            class: ResponseClass::Throttled,
            retry_after: Some(Duration::from_secs(2)),
        };
        let mut delivery = pending();
        for n in 1..=50 {
            let begun = delivery.begin(NOW, NOW.after(GRACE));
            let (next, reason) = begun.finish(&busy(), NOW, &POLICY, 0.0, GRACE);
            assert_eq!((next.status, next.attempts, next.uncounted), (DeliveryStatus::Pending, n, n), "{reason}");
            let own = POLICY.wait(n, 0.0).as_millis() as i64;
            assert_eq!(next.next_attempt_at.0 - NOW.0, own.max(2000), "it backs off, and never below what was asked");
            delivery = next;
        }
        // A fault of its own counts as the first one, and a day later being busy is one too.
        let begun = delivery.begin(NOW, NOW.after(GRACE));
        let (next, _) = begun.finish(&answered(500, None), NOW, &POLICY, 0.0, GRACE);
        assert_eq!((next.status, next.next_attempt_at.0 - NOW.0), (DeliveryStatus::Pending, 1000));
        let late = NOW.after(THROTTLED_FOR);
        let tired = Delivery { attempts: 54, uncounted: 50, ..pending() };
        let (next, _) = tired.finish(&busy(), late, &POLICY, 0.0, GRACE);
        assert_eq!(next.status, DeliveryStatus::Exhausted);
    }

    #[test]
    fn what_had_ended_begins_its_schedule_anew_under_the_same_id() {
        let ended = Delivery { status: DeliveryStatus::Exhausted, finished_at: Some(NOW), due_at: None, ..tried(4) };
        let ended = Delivery { lease_until: None, ..ended };
        let again = ended.resend(NOW, GRACE);
        assert_eq!((again.id, again.replay, again.finished_at), (ended.id, true, None));
        assert_eq!((again.check(NOW), again.due_at), (Ok(()), Some(NOW.after(GRACE))));
        let begun = again.begin(NOW, NOW.after(GRACE));
        assert_eq!(begun.last.as_ref().unwrap().number, 5, "no row of an earlier try is written over");
        let (next, _) = begun.finish(&answered(500, None), NOW, &POLICY, 0.0, GRACE);
        assert_eq!((next.status, next.next_attempt_at.0 - NOW.0), (DeliveryStatus::Pending, 1000));
        // One that only waits is brought forward, and its tries go on counting.
        let waiting = tried(2).defer(NOW.after(GRACE), WaitReason::RateLimit, GRACE).resend(NOW, GRACE);
        assert_eq!((waiting.check(NOW), waiting.replay, waiting.uncounted), (Ok(()), false, 0));
    }

    #[test]
    fn the_ten_tries_of_standard_webhooks_go_over_three_days() {
        let fails = |delivery: &Delivery, outcome: &Outcome, now| {
            let begun = delivery.begin(now, now.after(GRACE));
            let (next, reason) = begun.finish(outcome, now, &Schedule::Standard, 0.0, GRACE);
            (next, begun.attempts, reason)
        };
        let (mut delivery, mut now, mut tries) = (pending(), NOW, Vec::new());
        while delivery.status == DeliveryStatus::Pending {
            now = delivery.next_attempt_at.max(now);
            assert_eq!(delivery.check(now), Ok(()));
            assert!(now == NOW || delivery.check(Timestamp(now.0 - 1)).is_err(), "not before its time");
            let (next, number, _) = fails(&delivery, &answered(500, None), now);
            tries.push((number, (now.0 - NOW.0) / 1000));
            delivery = next;
        }
        let waits = [0, 5, 305, 2105, 9305, 27_305, 63_305, 113_705, 185_705, 272_105];
        assert_eq!(tries, (1..).zip(waits).collect::<Vec<_>>());
        assert_eq!(delivery.last_result.as_deref(), Some("status 500 after 10 attempts"));
        assert_eq!(waits[9], 75 * 3600 + 35 * 60 + 5);
        // What a receiver asks for is a floor at each of them, and never more than a day.
        for (requested, expected) in [(0, 5), (120, 120), (1_000_000_000, 86_400)] {
            let (next, _, _) = fails(&pending(), &answered(503, Some(requested)), NOW);
            assert_eq!((next.next_attempt_at.0 - NOW.0) / 1000, expected, "{requested}");
        }
    }

    #[test]
    fn only_one_at_a_time_and_not_before_its_time() {
        let begun = pending().begin(NOW, NOW.after(GRACE));
        let last = Attempt { number: 1, started_at: NOW, result: None };
        assert_eq!((begun.last.clone(), begun.attempts), (Some(last), 1));
        assert_eq!(begun.check(NOW), Err(NotSendable::Leased(NOW.after(GRACE))));
        assert_eq!(begun.check(NOW.after(GRACE)), Ok(()), "a lease that ran out is taken up again");
        let later = pending().defer(NOW.after(GRACE), WaitReason::RateLimit, GRACE);
        assert_eq!(later.check(NOW), Err(NotSendable::NotDue(NOW.after(GRACE))));
        assert_eq!((later.attempts, later.wait_reason), (0, Some(WaitReason::RateLimit)));
    }
}
