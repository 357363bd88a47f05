//! A clipping worker that loses requests and answers, refuses, fails, forgets, and sometimes cuts.

use std::collections::BTreeSet;

use reelhook_app::outbound::{Method, OutboundError, OutboundRequest};
use reelhook_testkit::{Answer, body_of, response};
use serde_json::{Value, json};

/// What a worker says about a job, by webhook or when it is polled.
#[derive(Debug, Clone, Copy)]
pub enum Said {
    /// It is under way.
    Progress,
    /// It has a clip, of a source of so many seconds as far as the worker says.
    Clips(Option<u32>),
    /// It has ended without a clip.
    NoClips,
    /// It has failed.
    Failed,
    /// The worker has canceled it.
    Canceled,
}

impl Said {
    /// The report.
    pub fn body(self) -> Value {
        let clip = json!({ "clip_index": 0, "s3_url": "/app/output/j/clip_00.mp4", "duration_ms": 45_000 });
        match self {
            Self::Progress => json!({ "status": "rendering", "progress_percent": 40 }),
            Self::Clips(seconds) => {
                let output = json!({ "clips": [clip], "source_video_duration_seconds": seconds });
                json!({ "status": "completed", "output": output })
            }
            Self::NoClips => json!({ "status": "completed", "output": { "clips": [] } }),
            Self::Failed => json!({ "status": "failed", "error": "no sound" }),
            Self::Canceled => json!({ "status": "canceled" }),
        }
    }
}

/// The worker. Each request meets the next of its fates.
pub struct Genesis {
    fates: Vec<u8>,
    requests: usize,
    /// The external ids that it has.
    known: BTreeSet<String>,
}

impl Genesis {
    /// The number of different fates.
    pub const FATES: u8 = 10;

    /// A worker whose requests meet these fates in turn; at least one.
    pub fn new(fates: Vec<u8>) -> Self {
        Self { fates, requests: 0, known: BTreeSet::new() }
    }

    /// The answer to a request.
    pub fn answer(&mut self, request: &OutboundRequest) -> Answer {
        let fate = self.fates[self.requests % self.fates.len()];
        self.requests += 1;
        match request.method {
            Method::Post => self.submit(request, fate),
            Method::Get => self.read(request, fate),
            Method::Delete => Ok(response(204, "")),
        }
    }

    fn submit(&mut self, request: &OutboundRequest, fate: u8) -> Answer {
        match fate {
            0 => return Err(OutboundError::TimedOut(20_000)),
            1 => return Ok(response(503, "{}")),
            2 => return Ok(response(422, r#"{"detail": "no such video"}"#)),
            _ => {}
        }
        let id = body_of(request)["external_job_id"].as_str().expect("an id").to_owned();
        let accepted = json!({ "job_id": id }).to_string();
        self.known.insert(id);
        if fate == 3 { Err(OutboundError::Reset) } else { Ok(response(202, accepted)) }
    }

    fn read(&mut self, request: &OutboundRequest, fate: u8) -> Answer {
        let id = request.url.path().rsplit('/').next().unwrap_or_default();
        let said = match fate {
            0 => {
                self.known.remove(id);
                Said::Progress
            }
            1 => return Err(OutboundError::TimedOut(20_000)),
            2 => Said::Failed,
            3 => Said::NoClips,
            4 => Said::Clips(None),
            5 | 6 => Said::Clips(Some(90)),
            _ => Said::Progress,
        };
        if !self.known.contains(id) {
            return Ok(response(404, "{}"));
        }
        let mut body = said.body();
        body["job_id"] = json!(id);
        Ok(response(200, body.to_string()))
    }
}
