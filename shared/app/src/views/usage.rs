//! What a job has used, as answers and webhooks show it: once it has ended, and only if its request asked for it.

use reelhook_domain::Job;
use reelhook_domain::videos::film::FRAME_RATE;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Number;

/// Requests to queues for one hint: it is sent, received and deleted.
const REQUESTS_OF_HINT: u64 = 3;

/// Declares views of what a job has used, which differ in the form of their members' names.
macro_rules! views {
    ($( $name:ident, $(#[$about:meta])+; )+) => { $(
        #[derive(Debug, Serialize, JsonSchema)]
        $(#[$about])+
        pub struct $name {
            /// Runs of functions.
            runs: u64,
            /// Requests to the API.
            api_requests: u64,
            /// Requests to queues; three for each run that a queue causes.
            queue_requests: u64,
            /// Write units of DynamoDB.
            write_units: u64,
            /// Read units of DynamoDB, in halves.
            #[schemars(with = "f64", range(min = 0))]
            read_units: Number,
            /// Seconds of video that renderers have made.
            #[schemars(with = "f64", range(min = 0))]
            seconds_rendered: Number,
            /// Bytes that are stored for it: its item, the texts of its log, and its videos.
            bytes: u64,
        }

        impl $name {
            /// What a job has used; none before its end, and if it does not count it.
            pub fn of(job: &Job) -> Option<Self> {
                let usage = job.ledger.usage.filter(|_| job.status.is_final())?;
                let log = u64::try_from(job.ledger.log.bytes).unwrap_or_default();
                Some(Self {
                    runs: usage.runs,
                    api_requests: usage.requests,
                    queue_requests: REQUESTS_OF_HINT * usage.hints,
                    write_units: usage.writes,
                    read_units: fraction(usage.half_reads, 2),
                    seconds_rendered: fraction(usage.frames, u64::from(FRAME_RATE)),
                    bytes: usage.footprint.bytes + log + job.videos().iter().map(|video| video.bytes).sum::<u64>(),
                })
            }
        }
    )+ };
}

views! {
    UsageView,
    /// What the job has used, without its webhooks. Prices are in docs/cost.md.
    #[serde(rename_all = "camelCase")]
    #[schemars(rename = "Usage")];
    UsageData,
    /// [`UsageView`] with the names of StreamGank's webhooks.
    #[schemars(rename = "WebhookUsage")];
}

/// A fraction, rounded to hundredths; a whole number has no point.
fn fraction(of: u64, by: u64) -> Number {
    if of.is_multiple_of(by) {
        return Number::from(of / by);
    }
    let rounded = (of as f64 / by as f64 * 100.0).round() / 100.0;
    Number::from_f64(rounded).unwrap_or_else(|| Number::from(of / by))
}

#[cfg(test)]
mod tests {
    use reelhook_domain::{Footprint, OutboundEvent, Status, Timestamp, Usage};
    use serde_json::json;

    use super::*;
    use crate::jobs::examples;

    #[test]
    fn usage_is_shown_after_the_end_if_it_was_asked_for() {
        let mut job = examples::job(OutboundEvent::Completed, Timestamp(1_704_110_400_000));
        assert!(UsageView::of(&job).is_none());
        let footprint = Footprint { bytes: 3000, ..Footprint::default() };
        let usage = Usage { runs: 43, requests: 18, hints: 4, writes: 140, half_reads: 75, frames: 100, footprint };
        job.ledger.usage = Some(usage);
        job.ledger.log.bytes = 1500;
        let expected = json!({
            "runs": 43, "apiRequests": 18, "queueRequests": 12, "writeUnits": 140, "readUnits": 37.5,
            "secondsRendered": 3.33, "bytes": 4500,
        });
        assert_eq!(json!(UsageView::of(&job)), expected);
        let data = json!(UsageData::of(&job));
        assert_eq!((&data["queue_requests"], &data["read_units"]), (&json!(12), &json!(37.5)));
        job.status = Status::Rendering;
        assert!(UsageView::of(&job).is_none());
        assert_eq!((fraction(150, 30), fraction(0, 2)), (Number::from(5), Number::from(0)));
    }
}
