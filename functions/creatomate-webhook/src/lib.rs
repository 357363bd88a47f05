//! POST /api/webhooks/creatomate: receives render callbacks. A callback without a token is only a hint.

use reelhook_api::{Api, SettingsReader};
use reelhook_app::jobs::renders::{CallbackAuth, RenderPorts, receive};
use reelhook_app::outbox::messages::{Hints, WorkMessage};
use reelhook_aws::jobs::parked::RenderTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::resources::Resources;
use reelhook_aws::start::SystemClock;
use reelhook_domain::Policy;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::edge::Edge;
use reelhook_http::jobs::creatomate::{answer, authenticate, note, read};
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;
use reelhook_signing::SigningKeys;

/// The keys that authenticate callbacks, whether Creatomate can confirm them, and the secret of the domain in front of
/// the API.
pub struct Secrets {
    tokens: SigningKeys,
    operator: Option<SigningKeys>,
    confirmable: bool,
    edge: Edge,
}

const SETTINGS: &[&str] = &["CALLBACK_TOKEN_SECRET", "OPERATOR_CALLBACK_TOKEN", "CREATOMATE_API_KEY", Edge::SETTING];

/// The dependencies of the function.
pub struct Deps {
    /// What it has in common with the other functions behind the API.
    pub api: Api<Secrets>,
    jobs: JobTable,
    renders: RenderTable,
    work: Queue<WorkMessage>,
    policy: Policy,
}

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let (jobs, work) = (resources.jobs(), resources.queues().work());
        let settings = SettingsReader::new(SETTINGS, |raw, _| {
            Ok(Secrets {
                tokens: raw.required("CALLBACK_TOKEN_SECRET", SigningKeys::parse)?,
                operator: raw.get("OPERATOR_CALLBACK_TOKEN").and_then(SigningKeys::parse),
                confirmable: raw.get("CREATOMATE_API_KEY").is_some(),
                edge: Edge::read(&|name| raw.text(name)),
            })
        });
        Ok(Self {
            renders: RenderTable { counters: resources.counters(), jobs: jobs.clone() },
            work,
            policy: resources.environment.policy(),
            api: Api::for_reports(resources, settings, jobs.first_call()).await?,
            jobs,
        })
    }
}

/// Answers a request.
///
/// # Errors
/// [`Problem`].
pub async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    // The audit log has every caller, admitted or refused.
    deps.api.settings.get().await.edge.audit(request, "render callback received");
    let check = |secrets: &Secrets| authenticate(request, &secrets.tokens, secrets.operator.as_ref());
    let auth = deps.api.settings.check(check).await?;
    let secrets = deps.api.settings.get().await;
    if auth == CallbackAuth::Anonymous && !secrets.confirmable {
        return Err(Problem::Request(RequestProblem::Unauthorized));
    }
    match &auth {
        CallbackAuth::Run(job_id, _) => deps.api.limits.admit_report(job_id).await?,
        // Hints need no authentication, but each one reads tables, so their number is limited.
        CallbackAuth::Anonymous => deps.api.limits.admit(&format!("hint {}", secrets.edge.network(request))).await?,
        CallbackAuth::Operator => {}
    }
    let ports = RenderPorts {
        jobs: &deps.jobs,
        renders: &deps.renders,
        clock: &SystemClock,
        policy: &deps.policy,
        confirmable: secrets.confirmable,
    };
    apply(&ports, &deps.work, &auth, request).await
}

/// Reads a callback that was counted, and applies it. One without a token only sends a hint to `work`, the Work queue.
///
/// # Errors
/// [`Problem`].
pub async fn apply(
    ports: &RenderPorts<'_>,
    work: &dyn Hints<WorkMessage>,
    auth: &CallbackAuth,
    request: &ApiRequest,
) -> Result<ApiAnswer, Problem> {
    let (render, callback) = read(request)?;
    let received = receive(ports, work, auth, &render, &callback).await?;
    note(&received, &render, &callback);
    answer(&received, &render, &callback)
}
