//! A worker that drops 30 % of its answers to submissions: no source is cut twice, and nobody is charged twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::outbound::{Method, OutboundError, OutboundRequest};
use reelhook_domain::clips::event::Event;
use reelhook_domain::{ClipJobId, ClipStatus, CreditEffect, Effect};
use reelhook_testkit::{Answer, Stack, body_of, response};
use serde_json::json;

use super::{apply, create, job, work};

/// Jobs of the test.
const JOBS: u32 = 60;
/// Reads after which a job of the worker has completed.
const READS: u32 = 3;

/// A worker that runs whatever it gets, also the same id twice.
#[derive(Default)]
struct Genesis {
    submissions: u64,
    /// How often each source is cut.
    cuts: BTreeMap<String, u32>,
    /// The reads of each job, by external id.
    reads: BTreeMap<String, u32>,
}

impl Genesis {
    fn answer(&mut self, request: &OutboundRequest) -> Answer {
        match request.method {
            Method::Post => self.submit(request),
            Method::Get => self.read(request),
            Method::Delete => Ok(response(204, "")),
        }
    }

    fn submit(&mut self, request: &OutboundRequest) -> Answer {
        self.submissions += 1;
        let body = body_of(request);
        let text = |name: &str| body[name].as_str().expect("a text").to_owned();
        // Each tenth submission never arrives, and the answers to two more are lost.
        let fate = self.submissions % 10;
        if fate == 0 {
            return Err(OutboundError::TimedOut(20_000));
        }
        *self.cuts.entry(text("video_url")).or_default() += 1;
        self.reads.insert(text("external_job_id"), 0);
        match fate {
            3 => Err(OutboundError::Reset),
            7 => Ok(response(502, "<html>Bad Gateway</html>")),
            _ => Ok(response(202, json!({ "job_id": text("external_job_id") }).to_string())),
        }
    }

    fn read(&mut self, request: &OutboundRequest) -> Answer {
        let id = request.url.path().rsplit('/').next().unwrap_or_default();
        let Some(reads) = self.reads.get_mut(id) else { return Ok(response(404, "{}")) };
        *reads += 1;
        let clips = json!([{ "clip_index": 0, "s3_url": "/app/output/j/clip_00.mp4", "duration_ms": 45_000 }]);
        let state = if *reads < READS {
            json!({ "job_id": id, "status": "rendering", "progress_percent": 40 })
        } else {
            let output = json!({ "clips": clips, "source_video_duration_seconds": 60 });
            json!({ "job_id": id, "status": "completed", "output": output })
        };
        Ok(response(200, state.to_string()))
    }
}

/// The charges of a job.
fn charges(stack: &Stack, id: &ClipJobId) -> usize {
    let versions = stack.clips.jobs.stream();
    let effects = versions.iter().filter(|version| version.id == *id).flat_map(|version| &version.outbox);
    effects.filter(|effect| matches!(effect, Effect::Credits(CreditEffect::Settle { .. }))).count()
}

#[tokio::test]
async fn no_source_is_cut_twice_and_nobody_is_charged_twice() {
    let (stack, genesis) = (Stack::default(), Arc::new(Mutex::new(Genesis::default())));
    let worker = Arc::clone(&genesis);
    stack.http.script(move |request| worker.lock().unwrap().answer(request));
    let ids: Vec<ClipJobId> = (1..=JOBS).map(|n| create(&stack, n)).collect();
    for _ in 0..200 {
        for id in &ids {
            if job(&stack, id).due_at.is_some_and(|due| due <= stack.world.now()) {
                apply(&stack, id, &Event::Tick);
            }
            work(&stack, id).await;
        }
        stack.world.advance_s(15);
    }
    let genesis = genesis.lock().unwrap();
    for id in &ids {
        let ended = job(&stack, id);
        assert_eq!((ended.status, charges(&stack, id)), (ClipStatus::Succeeded, 1), "{id}: {:?}", ended.error);
    }
    assert_eq!(genesis.cuts.len(), ids.len());
    assert!(genesis.cuts.values().all(|cuts| *cuts == 1), "{:?}", genesis.cuts);
    assert!(genesis.submissions > u64::from(JOBS), "some were sent again, because they had never arrived");
}
