//! Builds clip jobs, their policy and their worker for tests.

use std::sync::Arc;

use reelhook_app::Url;
use reelhook_app::clips::launch::ClipLaunchPorts;
use reelhook_app::clips::reports::files::WorkerFiles;
use reelhook_app::clips::worker::{ClippingWorker, WorkerClient};
use reelhook_domain::clips::decide::{NewClipJob, create};
use reelhook_domain::clips::request::{ClipRequest, Source};
use reelhook_domain::{ClipJob, ClipJobId, ClipPolicy, Origin, Timestamp, WebUrl};
use reelhook_signing::SigningKeys;

use crate::clips::table::MemoryClips;
use crate::http::ScriptedHttp;
use crate::projects::MemoryProjects;
use crate::world::World;

/// The Clips table of a stack, and the clipping worker.
pub struct ClipStack {
    /// The Clips table with its stream, and the ledger.
    pub jobs: Arc<MemoryClips>,
    /// The clipping worker; none if our own renderers cut.
    pub worker: Option<ClippingWorker>,
    /// The timers of clip jobs: the worker cuts.
    pub policy: ClipPolicy,
}

impl Default for ClipStack {
    fn default() -> Self {
        let policy = ClipPolicy { has_worker: true, ..ClipPolicy::default() };
        Self { jobs: Arc::default(), worker: Some(clipping_worker()), policy }
    }
}

impl ClipStack {
    /// The ports of the launcher of clip jobs. The circuits are those of the Counters table.
    pub fn launch_ports<'a>(
        &'a self,
        circuits: &'a MemoryProjects,
        http: &'a ScriptedHttp,
        world: &'a World,
    ) -> ClipLaunchPorts<'a> {
        ClipLaunchPorts {
            jobs: &*self.jobs,
            circuits,
            client: WorkerClient { http, worker: self.worker.as_ref() },
            clock: world,
            policy: &self.policy,
        }
    }

    /// Creates clip job number `n`, which waits for the worker or for our renderers.
    pub fn create(&self, n: u32, now: Timestamp) -> ClipJobId {
        let job = a_clip_job(n, now, &self.policy);
        self.jobs.put(&job);
        job.id
    }
}

/// The clipping worker at `https://genesis.example/`.
///
/// # Panics
/// Never: the URLs are valid.
pub fn clipping_worker() -> ClippingWorker {
    let url = Url::parse("https://genesis.example/").expect("a URL");
    ClippingWorker {
        key: Some("the key of clips".into()),
        base: Url::parse("https://reelhook.example/").expect("a URL"),
        tokens: SigningKeys::parse("the secret of tokens").expect("a secret"),
        files: WorkerFiles { worker: Some(url.clone()), bucket: "reelhook-bucket".to_owned() },
        url,
    }
}

/// Clip job number `n`: three clips of the file `https://client.example/talk-<n>.mp4`, for which 10 credits are reserved.
///
/// # Panics
/// Never: the URL is valid.
pub fn a_clip_job(n: u32, now: Timestamp, policy: &ClipPolicy) -> ClipJob {
    let url = WebUrl::parse(&format!("https://client.example/talk-{n}.mp4")).expect("a URL");
    let request = ClipRequest { count: Some(3), ..ClipRequest::of(Source::File(url)) };
    let new = NewClipJob { id: ClipJobId::random(n.into()), request, origin: Origin::default(), reserved: 10 };
    create(new, now, policy)
}
