//! The `live` function: WebSocket connections, what they follow, and the live events that are sent over them.

mod event;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use lambda_runtime::{Context, LambdaEvent};
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::effects::KeptLive;
use reelhook_app::live::connections::{Opened, close, connect};
use reelhook_app::live::follow::answer;
use reelhook_app::live::ports::{Connection, LivePorts, last_start};
use reelhook_app::live::push::process;
use reelhook_app::live::subjects::Families;
use reelhook_app::outbox::messages::LiveMessage;
use reelhook_app::store::StoreError;
use reelhook_aws::clips::table::ClipTable;
use reelhook_aws::jobs::events::JobEventTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::live::connections::ConnectionTable;
use reelhook_aws::live::sockets::Gateway;
use reelhook_aws::live::viewers::ViewerFlag;
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::projects::table::ProjectTable;
use reelhook_aws::resources::Resources;
use reelhook_aws::settings::Settings;
use reelhook_aws::start::{SystemClock, Verdict, batch, deadline, warm_up};
use reelhook_http::live::admit;
use reelhook_signing::SigningKeys;
use serde::{Deserialize, Serialize};

pub use event::{EventType, GatewayEvent, RequestContext};

const SETTINGS: &[&str] = &["CALLBACK_TOKEN_SECRET"];
/// The status for a connection beyond those that may be open.
const TOO_MANY: u16 = 429;

/// The dependencies of the function.
pub struct Deps {
    jobs: JobTable,
    projects: ProjectTable,
    clips: ClipTable,
    live: KeptLive<JobEventTable, JobTable>,
    connections: ConnectionTable,
    sockets: Gateway,
    viewers: ViewerFlag,
    hints: Queue<LiveMessage>,
    tokens: Settings<SigningKeys>,
}

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let hints = resources.queues().live();
        let (jobs, projects, clips) = (resources.jobs(), resources.projects(), resources.clips());
        let live = KeptLive { rows: resources.job_events(), jobs: jobs.clone() };
        let connections = resources.connections();
        let (sockets, viewers) = (resources.sockets(), resources.viewers());
        let tokens = resources.settings(SETTINGS, |raw| raw.required("CALLBACK_TOKEN_SECRET", SigningKeys::parse))?;
        let (tokens, ()) = tokio::join!(tokens, warm_up(jobs.first_call()));
        Ok(Self { jobs, projects, clips, live, connections, sockets, viewers, hints, tokens: tokens? })
    }

    fn families(&self) -> Families<'_> {
        Families { jobs: &self.jobs, projects: &self.projects, clips: &self.clips }
    }

    fn ports<'a>(&'a self, families: &'a Families<'a>, context: &Context) -> LivePorts<'a> {
        LivePorts {
            connections: &self.connections,
            following: &self.connections,
            leases: &self.connections,
            slots: &self.connections,
            sockets: &self.sockets,
            subjects: families,
            live: &self.live,
            viewers: &self.viewers,
            hints: &self.hints,
            clock: &SystemClock,
            last_start: last_start(deadline(context)),
        }
    }
}

/// The function's input.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Call {
    /// A batch of the Live queue.
    Queue(SqsEvent),
    /// An event of the WebSocket API.
    Gateway(GatewayEvent),
}

/// The function's output.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The messages that must come again.
    Queue(SqsBatchResponse),
    /// The answer to the gateway.
    Gateway {
        /// The status: a connection is opened with 200 only.
        #[serde(rename = "statusCode")]
        status_code: u16,
    },
}

/// Processes a batch of the queue, or an event of the gateway.
///
/// # Errors
/// Never: errors become answers.
pub async fn handle(deps: &Deps, event: LambdaEvent<Call>) -> Result<Answer, lambda_runtime::Error> {
    let LambdaEvent { payload, context } = event;
    Ok(match payload {
        Call::Queue(event) => {
            Answer::Queue(batch(event, |messages: Vec<LiveMessage>| work(deps, messages, &context)).await)
        }
        Call::Gateway(event) => Answer::Gateway { status_code: respond(deps, &event, &context).await },
    })
}

async fn work(deps: &Deps, messages: Vec<LiveMessage>, context: &Context) -> Vec<Verdict> {
    let families = deps.families();
    process(&deps.ports(&families, context), &messages).await.into_iter().map(Verdict::from).collect()
}

async fn respond(deps: &Deps, event: &GatewayEvent, context: &Context) -> u16 {
    let families = deps.families();
    let ports = deps.ports(&families, context);
    let id = &event.request_context.connection_id;
    let done = match event.request_context.event_type {
        EventType::Connect => return open(deps, &ports, event).await,
        EventType::Message => answer(&ports, id, event.text()).await,
        EventType::Disconnect => close(&ports, id).await,
    };
    status(id, done)
}

/// Opens a connection for the bearer of a token. Before that nothing is stored.
async fn open(deps: &Deps, ports: &LivePorts<'_>, event: &GatewayEvent) -> u16 {
    let now = SystemClock.now();
    let keys = deps.tokens.get().await;
    let admitted = match admit(event.token(), &keys, now) {
        Ok(admitted) => admitted,
        Err(refused) => return refused.status(),
    };
    let connection = Connection {
        id: event.request_context.connection_id.clone(),
        owner: admitted.owner,
        only: admitted.only,
        connected_at: now,
    };
    match connect(ports, &connection).await {
        Ok(Opened::TooMany) => TOO_MANY,
        opened => status(&connection.id, opened.map(drop)),
    }
}

fn status(connection: &str, done: Result<(), StoreError>) -> u16 {
    let Err(error) = done else { return 200 };
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    tracing::error!(connection, %error, cause, "failed to answer the gateway");
    500
}
