//! Processes the Work queue: starts runs at the external worker, checks renders at Creatomate, cancels runs at the
//! worker, and submits, looks up, polls and cancels tasks of projects and clip jobs at their services.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use lambda_runtime::LambdaEvent;
use reelhook_app::Url;
use reelhook_app::change::ChangeError;
use reelhook_app::clips::launch::ClipLaunchPorts;
use reelhook_app::clips::reports::files::WorkerFiles;
use reelhook_app::clips::worker::{ClippingWorker, WorkerClient};
use reelhook_app::jobs::renders::{Creatomate, RenderPorts};
use reelhook_app::jobs::starts::{StartPorts, WorkerSettings};
use reelhook_app::jobs::work::{WorkPorts, work_on_all};
use reelhook_app::outbound::user_agent;
use reelhook_app::outbox::messages::WorkMessage;
use reelhook_app::projects::launch::{LaunchPorts, last_start};
use reelhook_app::projects::services::{Service, ServiceClient, Services};
use reelhook_aws::clips::table::ClipTable;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::parked::RenderTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::objects::Bucket;
use reelhook_aws::projects::table::ProjectTable;
use reelhook_aws::resources::Resources;
use reelhook_aws::settings::{Raw, Settings, required};
use reelhook_aws::start::{SystemClock, Verdict, batch, deadline};
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::{ClipPolicy, FairShares, Policy, Timestamp};
use reelhook_outbound::{AllowList, GuardedClient};
use reelhook_signing::SigningKeys;

/// The settings of requests to the external worker, to Creatomate, to the services of projects, and to the clipping worker, and
/// of the parts that owners and keys get of the slots.
struct Secrets {
    worker: WorkerSettings,
    creatomate: Creatomate,
    services: Services,
    clipping: Option<ClippingWorker>,
}

const SETTINGS: &[&str] = &[
    "CALLBACK_TOKEN_SECRET",
    "WEBHOOK_SECRET_KEY",
    "CREATOMATE_API_KEY",
    "TASK_API_KEY",
    "LAST_FRAME_API_KEY",
    "GENESIS_API_KEY",
    "FAIR_SHARES",
];

/// How often a cancellation is sent to a worker or a service that does not confirm it, one visibility timeout apart: far
/// less than what the queue allows.
const CANCELLATIONS: u32 = 5;

/// The dependencies of the function.
pub struct Deps {
    jobs: JobTable,
    renders: RenderTable,
    projects: ProjectTable,
    clips: ClipTable,
    counters: CounterTable,
    files: Bucket,
    http: GuardedClient,
    secrets: Settings<Secrets>,
    policy: Policy,
    project_policy: ProjectPolicy,
    clip_policy: ClipPolicy,
    scene_slots: usize,
}

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let jobs = resources.jobs().with_viewers(resources.viewers());
        let counters = resources.counters();
        let (url, base) =
            (resources.environment.optional_url("WORKER_URL"), resources.environment.required_public_base());
        // Workers report to another address than that of the API if there is one.
        let callbacks = resources.environment.optional_url("CALLBACKS_BASE_URL").unwrap_or_else(|| base.clone());
        let (renderer, max) = (resources.environment.renderer(), resources.environment.max_workers());
        let share_percent = resources.environment.fair_share_percent();
        let creatomate = resources.environment.url("CREATOMATE_BASE_URL");
        let (video, frame, stitch) = (
            resources.environment.video_service(),
            resources.environment.frame_service(),
            resources.environment.stitch_service(),
        );
        let clipping = resources.environment.optional_url("CLIPPING_WORKER_URL");
        let bucket = resources.environment.required("BUCKET");
        let unsigned = resources.environment.needs_no_keys();
        let agent = user_agent(Some(&base));
        let parse = move |raw: &Raw| -> anyhow::Result<Secrets> {
            let secret = raw.get("WEBHOOK_SECRET_KEY").and_then(SigningKeys::parse);
            required(&[("WEBHOOK_SECRET_KEY", unsigned || secret.is_some())])?;
            let tokens = raw.required("CALLBACK_TOKEN_SECRET", SigningKeys::parse)?;
            let weights = raw.get("FAIR_SHARES").unwrap_or_default();
            let shares = FairShares::parse(weights, share_percent)
                .map_err(|error| anyhow::anyhow!("FAIR_SHARES or FAIR_SHARE_PERCENT: {error}"))?;
            let service = |url: &Option<Url>, key: &str| url.clone().map(|url| Service { url, key: raw.secret(key) });
            let clipping = clipping.clone().map(|url| ClippingWorker {
                key: raw.secret("GENESIS_API_KEY"),
                base: base.clone(),
                tokens: tokens.clone(),
                files: WorkerFiles { worker: Some(url.clone()), bucket: bucket.clone() },
                url,
            });
            Ok(Secrets {
                clipping,
                services: Services {
                    video: service(&video, "TASK_API_KEY"),
                    frame: service(&frame, "LAST_FRAME_API_KEY"),
                    stitch: service(&stitch, "LAST_FRAME_API_KEY"),
                    base: base.clone(),
                    tokens: tokens.clone(),
                },
                worker: WorkerSettings {
                    url: url.clone(),
                    renderer,
                    max,
                    shares,
                    base: callbacks.clone(),
                    tokens,
                    secret,
                },
                creatomate: Creatomate { base: creatomate.clone(), key: raw.secret("CREATOMATE_API_KEY") },
            })
        };
        Ok(Self {
            renders: RenderTable { counters: counters.clone(), jobs: jobs.clone() },
            jobs,
            projects: resources.projects(),
            clips: resources.clips(),
            counters,
            files: resources.bucket(),
            http: GuardedClient::new(resources.environment.outbound(AllowList::parse), Some(&agent))?,
            policy: resources.environment.policy(),
            project_policy: resources.environment.project_policy(),
            clip_policy: resources.environment.clip_policy(),
            scene_slots: resources.environment.scene_slots(),
            secrets: resources.settings(SETTINGS, parse)?.await?,
        })
    }
}

/// Processes a batch of hints.
///
/// # Errors
/// Never: the answer names the messages to retry.
pub async fn handle(deps: &Deps, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, lambda_runtime::Error> {
    let last_start = last_start(deadline(&event.context).unwrap_or(Timestamp(i64::MAX)));
    Ok(batch(event.payload, |messages: Vec<WorkMessage>| process(deps, messages, last_start)).await)
}

async fn process(deps: &Deps, messages: Vec<WorkMessage>, last_start: Timestamp) -> Vec<Verdict> {
    let secrets = deps.secrets.get().await;
    let ports = WorkPorts {
        starts: StartPorts {
            jobs: &deps.jobs,
            starts: &deps.jobs,
            http: &deps.http,
            clock: &SystemClock,
            policy: &deps.policy,
            worker: &secrets.worker,
            last_start,
        },
        renders: RenderPorts {
            jobs: &deps.jobs,
            renders: &deps.renders,
            clock: &SystemClock,
            policy: &deps.policy,
            confirmable: secrets.creatomate.key.is_some(),
        },
        creatomate: &secrets.creatomate,
        launch: LaunchPorts {
            projects: &deps.projects,
            slots: &deps.projects,
            early: &deps.counters,
            lookups: &deps.counters,
            circuits: &deps.counters,
            files: &deps.files,
            client: ServiceClient { http: &deps.http, services: &secrets.services },
            clock: &SystemClock,
            policy: &deps.project_policy,
            scene_slots: deps.scene_slots,
            last_start,
        },
        clips: ClipLaunchPorts {
            jobs: &deps.clips,
            circuits: &deps.counters,
            client: WorkerClient { http: &deps.http, worker: secrets.clipping.as_ref() },
            clock: &SystemClock,
            policy: &deps.clip_policy,
        },
    };
    let results = work_on_all(&ports, &messages).await;
    messages.iter().zip(results).map(|(message, result)| verdict(message, result)).collect()
}

/// What happens to a message. A cancellation saves work that nobody waits for: it is given up with a warning, and is never a
/// dead letter, which nobody could dismiss.
fn verdict(message: &WorkMessage, result: Result<(), ChangeError>) -> Verdict {
    match (message, result) {
        (
            WorkMessage::CancelWorker { .. } | WorkMessage::CancelTask { .. } | WorkMessage::CancelClip { .. },
            Err(error),
        ) => Verdict::RetryAtMost(error.into(), CANCELLATIONS),
        (_, result) => Verdict::from(result),
    }
}

#[cfg(test)]
mod tests {
    use reelhook_app::store::StoreError;
    use reelhook_domain::projects::task::Stage;
    use reelhook_domain::{ClipJobId, JobId, ProjectId, RenderId, WebUrl};

    use super::*;

    #[test]
    fn only_cancellations_are_given_up_before_they_are_dead_letters() {
        let job_id = JobId::parse("job_1_a").expect("an id");
        let project_id = ProjectId::parse("proj_1").expect("an id");
        let id = RenderId::parse("task_1").expect("an id");
        let url = WebUrl::parse("https://worker.example/cancel").expect("a URL");
        let clip = ClipJobId::parse("0b0e7a3c-5f0e-4f43-9a53-0f7a6c2b4d11").expect("an id");
        for (message, most) in [
            (WorkMessage::CancelWorker { job_id, attempt: 1, url }, Some(CANCELLATIONS)),
            (WorkMessage::CancelTask { project_id: project_id.clone(), stage: Stage::Video, id }, Some(CANCELLATIONS)),
            (WorkMessage::CancelClip { job_id: clip.clone(), number: 1 }, Some(CANCELLATIONS)),
            (WorkMessage::Clip { job_id: clip }, None),
            (WorkMessage::Tasks { project_id }, None),
            (WorkMessage::start_scenes(), None),
        ] {
            let busy = StoreError::Busy { operation: "test", source: "later".into() };
            let given = match verdict(&message, Err(busy.into())) {
                Verdict::RetryAtMost(_, most) => Some(most),
                Verdict::Retry(_) => None,
                Verdict::Done => panic!("{message:?} has failed"),
            };
            assert_eq!(given, most, "{message:?}");
            assert!(matches!(verdict(&message, Ok(())), Verdict::Done), "{message:?}");
        }
    }
}
