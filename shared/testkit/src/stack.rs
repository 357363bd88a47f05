//! All functions with one clock: it runs the deployed stack's functions step by step in virtual time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reelhook_app::Url;
use reelhook_app::change::ChangeError;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::queue::RemovalPorts;
use reelhook_app::jobs::renders::Creatomate;
use reelhook_app::jobs::starts::{StartPorts, WorkerSettings};
use reelhook_app::jobs::work::{WorkPorts, work_on};
use reelhook_app::outbox::cleanup::CleanupPorts;
use reelhook_app::outbox::fanout::{FanoutError, FanoutPorts, apply_plans, plan};
use reelhook_app::outbox::messages::{DeliveryMessage, PieceMessage, WorkMessage};
use reelhook_app::outbox::repair::RepairPorts;
use reelhook_app::outbox::source::FanoutSource;
use reelhook_app::outbox::sweep::{Due, SweepPorts, Sweepable, Swept, sweep};
use reelhook_app::projects::launch::LaunchPorts;
use reelhook_app::retention::Days;
use reelhook_app::videos::assets::AssetLoader;
use reelhook_app::videos::compose::Workflow;
use reelhook_app::videos::pieces::{PieceOutcome, process_piece, process_pieces};
use reelhook_app::videos::ports::DrawPorts;
use reelhook_app::videos::renderscript::CreatomateRenderer;
use reelhook_app::videos::requests::{self, VideoRequest, VideoRequestPorts, VideoSubmitted};
use reelhook_app::webhooks::deliver::{DeliverPorts, deliver};
use reelhook_app::webhooks::deliveries::ReplayPorts;
use reelhook_app::webhooks::endpoints::cache::EndpointCache;
use reelhook_app::webhooks::endpoints::registrations::{RegistrationPorts, Vault};
use reelhook_app::webhooks::recover::RecoverPorts;
use reelhook_app::webhooks::settings::WebhookSettings;
use reelhook_app::webhooks::subscriptions::{Subscribers, Subscriptions};
use reelhook_domain::videos::film::Film;
use reelhook_domain::{JobId, Metadata, Origin, Policy, Timestamp, WebUrl};
use serde_json::json;

use crate::builders::{make_job, policy, webhook_settings, worker_settings};
use crate::clips::ClipStack;
use crate::deliveries::MemoryDeliveries;
use crate::details::MemoryDetails;
use crate::due::MemoryDue;
use crate::errors::MemorySteps;
use crate::fanout::MemoryFanout;
use crate::films::{MemoryCatalog, MemoryObjectStore, NeverElapses};
use crate::http::{ScriptedHttp, response};
use crate::jobs::MemoryJobs;
use crate::projects::SceneStack;
use crate::queue::MemoryQueue;
use crate::recoveries::MemoryRecoveries;
use crate::world::World;

/// The number of rounds after which a stack that still has work counts as an endless loop.
const ROUNDS: usize = 1000;
/// The time within which a renderer claims further pieces.
const GOES_ON: Duration = Duration::from_secs(300);

/// The tables, queues, external services and settings of a stack.
pub struct Stack {
    /// The clock and the random source.
    pub world: Arc<World>,
    /// The Jobs table, with its stream.
    pub jobs: Arc<MemoryJobs>,
    /// The steps of errors.
    pub errors: MemorySteps,
    /// The Deliveries and Endpoints tables.
    pub deliveries: Arc<MemoryDeliveries>,
    /// Recoveries.
    pub recoveries: MemoryRecoveries,
    /// Log lines and counters.
    pub fanout: MemoryFanout,
    /// The bucket.
    pub files: MemoryDetails,
    /// The due indexes.
    pub due: MemoryDue,
    /// The Work queue.
    pub work: MemoryQueue<WorkMessage>,
    /// The Deliveries queue.
    pub hints: MemoryQueue<DeliveryMessage>,
    /// The external worker, Creatomate and receivers; all answer 200 `{"accepted": true}` unless scripted.
    pub http: ScriptedHttp,
    /// The Render queue.
    pub pieces: MemoryQueue<PieceMessage>,
    /// Movies.
    pub catalog: MemoryCatalog,
    /// Films, scenes, videos, and the scene renderer.
    pub objects: MemoryObjectStore,
    /// WEBHOOK_* settings.
    pub settings: WebhookSettings,
    /// ENDPOINT_SECRETS_KEY.
    pub vault: Vault,
    /// The dispatcher's cache of registered endpoints.
    pub endpoint_cache: EndpointCache,
    /// The settings of requests to the external worker.
    pub worker: WorkerSettings,
    /// The settings of requests to Creatomate.
    pub creatomate: Creatomate,
    /// The jobs' timers.
    pub policy: Policy,
    /// Projects of scenes, and their services.
    pub scenes: SceneStack,
    /// Clip jobs with their credits, and the clipping worker.
    pub clips: ClipStack,
    position: Mutex<usize>,
}

impl Default for Stack {
    fn default() -> Self {
        Self::with(&[("WEBHOOK_URLS", "https://receiver.example/hook")], 3)
    }
}

impl Stack {
    /// A stack with these WEBHOOK_* settings and a concurrency limit of `max_workers` runs.
    ///
    /// # Panics
    /// When the settings are not valid.
    pub fn with(settings: &[(&str, &str)], max_workers: usize) -> Self {
        let world = Arc::new(World::default());
        let jobs = Arc::new(MemoryJobs::default());
        let deliveries = Arc::new(MemoryDeliveries::default());
        Self {
            fanout: MemoryFanout::new(Arc::clone(&jobs), Arc::clone(&deliveries)),
            errors: MemorySteps::default(),
            recoveries: MemoryRecoveries::default(),
            files: MemoryDetails::default(),
            due: MemoryDue::new(Arc::clone(&jobs), Arc::clone(&deliveries)),
            work: MemoryQueue::new(Arc::clone(&world)),
            hints: MemoryQueue::new(Arc::clone(&world)),
            pieces: MemoryQueue::new(Arc::clone(&world)),
            catalog: MemoryCatalog::default(),
            objects: MemoryObjectStore::default(),
            http: ScriptedHttp::new(|_| Ok(response(200, r#"{"accepted": true, "worker_id": "worker-1"}"#))),
            settings: webhook_settings(settings),
            vault: Vault::parse("the key of secrets").expect("a key"),
            endpoint_cache: EndpointCache::default(),
            worker: worker_settings(max_workers),
            creatomate: Creatomate {
                base: Url::parse("https://api.creatomate.example").expect("a URL"),
                key: Some("creatomate key".into()),
            },
            policy: policy(),
            scenes: SceneStack::default(),
            clips: ClipStack::default(),
            position: Mutex::new(0),
            world,
            jobs,
            deliveries,
        }
    }

    /// Submits job number `n`.
    pub fn submit(&self, n: u32) -> JobId {
        let job = make_job(n, self.world.now(), &self.policy);
        self.jobs.put(&job);
        job.id
    }

    /// The ports of fanout.
    pub fn fanout_ports(&self) -> FanoutPorts<'_> {
        FanoutPorts {
            files: &self.files,
            store: &self.fanout,
            scene_slots: &*self.scenes.projects,
            lookups: &*self.scenes.projects,
            submissions: &*self.clips.jobs,
            ledger: &*self.clips.jobs,
            errors: &self.errors,
            work: &self.work,
            pieces: &self.pieces,
            deliveries: &self.hints,
            viewers: &self.fanout,
            live: &self.fanout,
            clock: &*self.world,
        }
    }

    /// The ports of the dispatcher.
    pub fn deliver_ports(&self) -> DeliverPorts<'_> {
        let table = &*self.deliveries;
        DeliverPorts {
            deliveries: table,
            attempts: table,
            events: table,
            errors: &self.errors,
            endpoints: table,
            admission: table,
            health: table,
            hints: &self.hints,
            registrations: table,
            endpoint_cache: &self.endpoint_cache,
            vault: Some(&self.vault),
            transport: &self.http,
            clock: &*self.world,
            timer: &NeverElapses,
            settings: &self.settings,
            grace: self.policy.hint_grace,
        }
    }

    /// The subscriptions of all endpoints, as fanout loads them.
    ///
    /// # Panics
    /// When registered endpoints can't be listed.
    pub async fn subscriptions(&self) -> Subscriptions {
        Subscriptions::new(&self.settings, self.deliveries.subscribers().await.expect("a list"))
    }

    /// The ports of endpoint registration.
    pub fn registration_ports(&self) -> RegistrationPorts<'_> {
        RegistrationPorts { store: &*self.deliveries, clock: &*self.world, vault: &self.vault }
    }

    /// The ports of a replay.
    pub fn replay_ports(&self) -> ReplayPorts<'_> {
        ReplayPorts {
            deliveries: &*self.deliveries,
            endpoints: &*self.deliveries,
            hints: &self.hints,
            clock: &*self.world,
            grace: self.policy.hint_grace,
        }
    }

    /// The ports of a recovery.
    pub fn recover_ports(&self) -> RecoverPorts<'_> {
        RecoverPorts {
            store: &self.recoveries,
            deliveries: &*self.deliveries,
            endpoints: &*self.deliveries,
            hints: &self.hints,
            clock: &*self.world,
            grace: self.policy.hint_grace,
        }
    }

    /// The ports of the launcher.
    pub fn start_ports(&self) -> StartPorts<'_> {
        StartPorts {
            jobs: &*self.jobs,
            starts: &*self.jobs,
            http: &self.http,
            clock: &*self.world,
            policy: &self.policy,
            worker: &self.worker,
            last_start: self.scenes.last_start,
        }
    }

    /// The ports of the launcher's hints.
    pub fn work_ports(&self) -> WorkPorts<'_> {
        WorkPorts {
            starts: self.start_ports(),
            renders: self.render_ports(),
            creatomate: &self.creatomate,
            launch: self.launch_ports(),
            clips: self.clips.launch_ports(&self.scenes.projects, &self.http, &self.world),
        }
    }

    /// The ports of the launcher of projects.
    pub fn launch_ports(&self) -> LaunchPorts<'_> {
        self.scenes.launch_ports(&self.http, &self.world)
    }

    /// The ports of a cleanup on these kinds of aggregates.
    pub fn cleanup_ports<'a>(&'a self, aggregates: &'a [&'a dyn Sweepable]) -> CleanupPorts<'a> {
        CleanupPorts {
            sweep: self.sweep_ports(aggregates),
            removal: RemovalPorts { queue: &*self.jobs, jobs: &*self.jobs, clock: &*self.world, policy: &self.policy },
            slot_rows: self.jobs.slots().first().layout.rows,
            slot_numbers: self.jobs.slots().first().layout.numbers,
            counters: &self.fanout,
            recoveries: self.recover_ports(),
        }
    }

    /// Submits a video whose webhooks go to `callback`.
    ///
    /// # Panics
    /// When the job can't be created.
    pub async fn submit_video(&self, film: Film, callback: Option<&str>) -> JobId {
        let ports = VideoRequestPorts {
            jobs: &*self.jobs,
            films: &self.objects,
            links: &self.objects,
            speeds: &self.objects,
            clock: &*self.world,
            policy: &self.policy,
            renderer: self.worker.renderer,
        };
        let request = VideoRequest {
            input: json!({ "quality": "1080p", "scenes": film.scenes.len() }),
            film,
            warnings: Vec::new(),
            callback: callback.map(|url| WebUrl::parse(url).expect("an http URL")),
            metadata: Metadata::default(),
            priority: Default::default(),
            uploads: Vec::new(),
            origin: Origin { caller: Some("caller".to_owned()), ..Origin::default() },
            key: None,
            usage: false,
        };
        let submitted = requests::submit_video(&ports, request).await.expect("a submitted video");
        let VideoSubmitted::Answer { job_id, .. } = submitted else { panic!("the request has no key") };
        job_id
    }

    /// Runs a renderer on one message: it processes one piece.
    ///
    /// # Errors
    /// [`ChangeError`]: the queue delivers the message again.
    pub async fn process_piece(&self, message: &PieceMessage) -> Result<PieceOutcome, ChangeError> {
        let PieceMessage::Draw { job_id, attempt } = message else { panic!("no piece of a job: {message:?}") };
        self.with_draw_ports(async |ports| process_piece(ports, job_id, *attempt).await).await
    }

    /// Runs a renderer on one message: it processes pieces until `last_start`, and returns their number.
    ///
    /// # Errors
    /// [`ChangeError`]: the queue delivers the message again.
    pub async fn process_pieces(&self, message: &PieceMessage, last_start: Timestamp) -> Result<usize, ChangeError> {
        let PieceMessage::Draw { job_id, attempt } = message else { panic!("no piece of a job: {message:?}") };
        self.with_draw_ports(async |ports| process_pieces(ports, job_id, *attempt, last_start).await).await
    }

    async fn with_draw_ports<T>(&self, process: impl AsyncFnOnce(&DrawPorts<'_>) -> T) -> T {
        let music = |track: &str| Some(format!("https://reelhook.example/music/{track}"));
        let ports = DrawPorts {
            jobs: &*self.jobs,
            films: &self.objects,
            videos: &self.objects,
            renderer: &self.objects,
            remote: &CreatomateRenderer {
                service: &self.creatomate,
                http: &self.http,
                links: &self.objects,
                music: &music,
            },
            composer: &Workflow {
                jobs: &*self.jobs,
                assets: &AssetLoader { images: &self.objects, http: &self.http },
                catalog: &self.catalog,
                clock: &*self.world,
                policy: &self.policy,
            },
            assets: &AssetLoader { images: &self.objects, http: &self.http },
            speeds: &self.objects,
            clock: &*self.world,
            timer: &NeverElapses,
            policy: &self.policy,
            links: &self.worker.tokens,
            base: &self.worker.base,
            videos_kept: Days::MONTH,
        };
        process(&ports).await
    }

    /// Runs renderers on all visible messages and returns their number.
    ///
    /// # Panics
    /// When one of them fails.
    pub async fn render(&self) -> usize {
        let messages = self.pieces.receive();
        for message in &messages {
            let last_start = self.world.now().after(GOES_ON);
            self.process_pieces(message, last_start).await.unwrap_or_else(|error| panic!("{message:?}: {error}"));
        }
        messages.len()
    }

    /// The ports of a repair.
    pub fn repair_ports<'a>(&'a self, subscriptions: &'a Subscriptions) -> RepairPorts<'a> {
        RepairPorts {
            lister: &*self.jobs,
            jobs: &*self.jobs,
            fanout: self.fanout_ports(),
            subscriptions,
            links: self.scenes.links(),
            grace: self.policy.hint_grace,
        }
    }

    /// Runs fanout on the new records of the stream. Records that it could not process come again at the next call.
    ///
    /// # Errors
    /// [`FanoutError`], with a checkpoint relative to the first new record.
    pub async fn follow_stream(&self) -> Result<(), FanoutError> {
        let from = *self.position.lock().unwrap();
        let new = self.jobs.stream_from(from);
        let result = self.fan_out(&new).await;
        let done = result.as_ref().err().map_or(new.len(), |stopped| stopped.index);
        *self.position.lock().unwrap() = from + done;
        result
    }

    /// Runs fanout on the whole stream again.
    ///
    /// # Panics
    /// When fanout fails.
    pub async fn replay_stream(&self) {
        let stream = self.jobs.stream();
        self.fan_out(&stream).await.expect("fanout processes the replayed stream");
        *self.position.lock().unwrap() = stream.len();
    }

    /// Drops the new records of the stream.
    pub fn drop_stream(&self) {
        *self.position.lock().unwrap() = self.jobs.stream_len();
    }

    /// Runs fanout on these versions of one kind of aggregates as one batch.
    ///
    /// # Errors
    /// [`FanoutError`].
    pub async fn fan_out<A: FanoutSource>(&self, versions: &[A]) -> Result<(), FanoutError> {
        let subscriptions = self.subscriptions().await;
        let plan = |version: &A| plan(version, &subscriptions, self.scenes.links(), self.policy.hint_grace);
        apply_plans(&self.fanout_ports(), &versions.iter().map(plan).collect::<Vec<_>>()).await
    }

    /// Runs the launcher on one message.
    ///
    /// # Errors
    /// [`ChangeError`]: the queue delivers the message again.
    pub async fn work_on(&self, message: &WorkMessage) -> Result<(), ChangeError> {
        work_on(&self.work_ports(), message).await
    }

    /// Runs the launcher on all visible messages and returns their number. A cancellation is sent once, whatever the
    /// worker answers.
    ///
    /// # Panics
    /// When one of them fails.
    pub async fn work(&self) -> usize {
        let messages = self.work.receive();
        for message in &messages {
            let result = self.work_on(message).await;
            let is_cancellation = matches!(message, WorkMessage::CancelWorker { .. } | WorkMessage::CancelClip { .. });
            result.unwrap_or_else(|error| assert!(is_cancellation, "{message:?}: {error}"));
        }
        messages.len()
    }

    /// Runs the dispatcher on all visible messages, ten at a time, and returns their number.
    ///
    /// # Panics
    /// When one of them fails.
    pub async fn dispatch(&self) -> usize {
        let messages = self.hints.receive();
        for batch in messages.chunks(10) {
            let named: Vec<_> = batch.iter().flat_map(DeliveryMessage::deliveries).collect();
            for result in deliver(&self.deliver_ports(), &named).await {
                result.expect("the dispatcher processes the delivery");
            }
        }
        messages.len()
    }

    /// Runs the due sweep.
    pub async fn sweep(&self) -> Swept {
        self.sweep_of(&[&Due { index: &self.due, store: &*self.jobs, policy: &self.policy }]).await
    }

    /// Runs the due sweep on these kinds of aggregates.
    pub async fn sweep_of(&self, aggregates: &[&dyn Sweepable]) -> Swept {
        sweep(&self.sweep_ports(aggregates)).await
    }

    fn sweep_ports<'a>(&'a self, aggregates: &'a [&'a dyn Sweepable]) -> SweepPorts<'a> {
        SweepPorts {
            aggregates,
            due_deliveries: &self.due,
            starts: &*self.jobs,
            work: &self.work,
            deliveries: &self.hints,
            clock: &*self.world,
        }
    }

    /// Runs fanout, launcher and dispatcher until nothing is left to do at the current time.
    ///
    /// # Panics
    /// When one of them fails, or when the work never ends.
    pub async fn settle(&self) {
        for _ in 0..ROUNDS {
            self.follow_stream().await.expect("fanout processes the stream");
            if self.work().await + self.render().await + self.dispatch().await == 0
                && *self.position.lock().unwrap() == self.jobs.stream_len()
            {
                return;
            }
        }
        panic!("the stack never settles");
    }
}
