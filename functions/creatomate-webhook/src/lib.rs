//! POST /api/webhooks/creatomate: receives render callbacks, and confirms the ends that they report at Creatomate. A
//! callback without a token is only a hint.

use reelhook_api::{Api, SettingsReader, apply_render};
use reelhook_app::jobs::renders::{CallbackAuth, CallbackPorts, Creatomate, RenderPorts};
use reelhook_app::outbound::user_agent;
use reelhook_app::outbox::messages::WorkMessage;
use reelhook_aws::jobs::parked::RenderTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::resources::Resources;
use reelhook_aws::start::SystemClock;
use reelhook_domain::Policy;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::edge::Edge;
use reelhook_http::jobs::callbacks::Route;
use reelhook_http::jobs::creatomate::authenticate;
use reelhook_http::jobs::report_line::ReportLine;
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;
use reelhook_outbound::{AllowList, GuardedClient};
use reelhook_signing::SigningKeys;

/// The keys that authenticate callbacks, the access to Creatomate, which confirms them, and the secret of the domain in
/// front of the API.
pub struct Secrets {
    tokens: SigningKeys,
    operator: Option<SigningKeys>,
    creatomate: Creatomate,
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
    http: GuardedClient,
    policy: Policy,
}

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let jobs = resources.jobs().with_viewers(resources.viewers());
        let work = resources.queues().work();
        let creatomate = resources.environment.url("CREATOMATE_BASE_URL");
        let agent = user_agent(resources.environment.public_base().as_ref());
        let settings = SettingsReader::new(SETTINGS, move |raw, _| {
            Ok(Secrets {
                tokens: raw.required("CALLBACK_TOKEN_SECRET", SigningKeys::parse)?,
                operator: raw.get("OPERATOR_CALLBACK_TOKEN").and_then(SigningKeys::parse),
                creatomate: Creatomate { base: creatomate.clone(), key: raw.secret("CREATOMATE_API_KEY") },
                edge: Edge::read(&|name| raw.text(name)),
            })
        });
        Ok(Self {
            renders: RenderTable { counters: resources.counters(), jobs: jobs.clone() },
            work,
            http: GuardedClient::new(resources.environment.outbound(AllowList::parse), Some(&agent))?,
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
    let mut line = ReportLine::default();
    let answer = take(deps, request, &mut line).await;
    // The audit log has every caller, admitted or refused.
    let secrets = deps.api.settings.get().await;
    line.write(&secrets.edge, request, &answer, Route::Render.received());
    answer
}

async fn take(deps: &Deps, request: &ApiRequest, line: &mut ReportLine) -> Result<ApiAnswer, Problem> {
    let check = |secrets: &Secrets| authenticate(request, &secrets.tokens, secrets.operator.as_ref());
    let auth = deps.api.settings.check(check).await?;
    let secrets = deps.api.settings.get().await;
    let confirmable = secrets.creatomate.key.is_some();
    if auth == CallbackAuth::Anonymous && !confirmable {
        return Err(Problem::Request(RequestProblem::Unauthorized));
    }
    match &auth {
        CallbackAuth::Run(job_id, _) => deps.api.limits.admit_report(job_id).await?,
        // Hints need no authentication, but each one reads tables, so their number is limited.
        CallbackAuth::Anonymous => deps.api.limits.admit(&format!("hint {}", secrets.edge.network(request))).await?,
        CallbackAuth::Operator => {}
    }
    let ports = CallbackPorts {
        renders: RenderPorts {
            jobs: &deps.jobs,
            renders: &deps.renders,
            clock: &SystemClock,
            policy: &deps.policy,
            confirmable,
        },
        http: &deps.http,
        creatomate: &secrets.creatomate,
        work: &deps.work,
    };
    apply_render(&ports, &auth, request, line).await
}
