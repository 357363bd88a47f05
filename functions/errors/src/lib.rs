//! What operators look at: errors, with their lists, dismissal, numbers and reports of clients; and the dashboard's metrics.

use reelhook_api::{Api, SettingsReader, WithAccess};
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::errors::inbox::{self, Found};
use reelhook_app::errors::raise::RaisePorts;
use reelhook_app::errors::report::ClientReport;
use reelhook_app::errors::steps::ErrorSteps;
use reelhook_app::metrics::board::{Span, numbers};
use reelhook_app::metrics::series::ResourceNames;
use reelhook_app::outbox::messages::DeliveryMessage;
use reelhook_app::webhooks::notify::NotifyPorts;
use reelhook_app::webhooks::settings::WebhookSettings;
use reelhook_aws::errors::table::ErrorTable;
use reelhook_aws::limits::Limits;
use reelhook_aws::metrics::reader::CloudWatchMetrics;
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::resources::Resources;
use reelhook_aws::start::SystemClock;
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_aws::webhooks::registrations::RegistrationTable;
use reelhook_domain::Policy;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::errors::answers::{
    all_dismissed_answer, dismissed_answer, list_answer, logged_answer, one_answer, stats_answer,
};
use reelhook_http::errors::problem::ErrorProblem;
use reelhook_http::errors::requests::Route;
use reelhook_http::metrics;
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;

/// Reports of one client that are kept in a minute.
const REPORTS_PER_MINUTE: u32 = 30;

/// What finds the subscribers of an event.
const SETTINGS: &[&str] = &["WEBHOOK_URLS", "WEBHOOK_EVENTS"];

/// The dependencies of the function.
pub struct Deps {
    /// What it has in common with the other functions behind the API.
    pub api: Api<WithAccess<WebhookSettings>>,
    errors: ErrorTable,
    deliveries: DeliveryTable,
    hints: Queue<DeliveryMessage>,
    registrations: RegistrationTable,
    reports: Limits,
    metrics: CloudWatchMetrics,
    resources: ResourceNames,
    policy: Policy,
}

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let errors = resources.errors();
        let allow_http = resources.environment.allows_http();
        let settings =
            SettingsReader::new(SETTINGS, move |raw, _| Ok(WebhookSettings::read(&|name| raw.text(name), allow_http)?));
        Ok(Self {
            deliveries: resources.deliveries(),
            hints: resources.queues().deliveries(),
            registrations: RegistrationTable::new(resources.endpoints()),
            reports: Limits::of_callers(resources.counters(), REPORTS_PER_MINUTE),
            metrics: resources.metrics(),
            resources: resources.metric_resources(),
            policy: resources.environment.policy(),
            api: Api::for_operators(resources, settings, errors.first_call()).await?,
            errors,
        })
    }
}

/// Answers a request.
///
/// # Errors
/// [`Problem`].
pub async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    let caller = deps.api.admit(request).await?;
    let errors = &deps.errors;
    let now = SystemClock.now();
    if let Some(hours) = metrics::hours(request)? {
        return show(deps, request, Span::last(hours, now)).await;
    }
    Ok(match Route::read(request)? {
        Route::List(None) => list_answer(&Found::default(), now),
        Route::List(Some(search)) => list_answer(&inbox::list(errors, &search, now).await?, now),
        Route::One(id) => {
            let error = inbox::find(errors, &id, now).await?.ok_or(Problem::Error(ErrorProblem::NotFound))?;
            one_answer(&error, now)
        }
        Route::Dismiss(id) => {
            let dismissed = inbox::dismiss(errors, &id, &SystemClock).await?;
            dismissed_answer(&dismissed.ok_or(Problem::Error(ErrorProblem::NotDismissible))?, SystemClock.now())
        }
        Route::DismissAll => all_dismissed_answer(inbox::dismiss_all(errors, &SystemClock).await?),
        Route::Stats => stats_answer(&inbox::stats(errors, now).await?),
        Route::Log(report) => {
            deps.reports.admit(&format!("report {}", caller.fingerprint)).await?;
            keep(deps, &report).await?;
            logged_answer()
        }
    })
}

/// Shows the dashboard's numbers. The API's own id comes with the request.
async fn show(deps: &Deps, request: &ApiRequest, span: Span) -> Result<ApiAnswer, Problem> {
    let mut names = deps.resources.clone();
    names.extend(request.api_id.clone().map(|id| ("Api".to_owned(), id)));
    Ok(metrics::answer(span, numbers(&deps.metrics, &names, span).await?))
}

/// Raises the error that a client reports.
async fn keep(deps: &Deps, report: &ClientReport) -> Result<(), Problem> {
    let settings = deps.api.settings.get().await;
    let ports = RaisePorts {
        errors: &deps.errors,
        notify: NotifyPorts { store: &deps.deliveries, hints: &deps.hints, grace: deps.policy.hint_grace },
        subscribers: &deps.registrations,
        settings: &settings.own,
        clock: &SystemClock,
    };
    Ok(ports.apply(&report.step(&SystemClock)).await?)
}
