//! The dependencies of the function, and what its calls have in common: commands, and answers with links to files.

use reelhook_api::{Api, SettingsReader, WithAccess};
use reelhook_app::Url;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::files::links::FileLinks;
use reelhook_app::projects::requests::command::{CommandPorts, Commanded, command, find};
use reelhook_app::projects::requests::texts;
use reelhook_app::views::scenes::{Shown, Texts};
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::objects::Bucket;
use reelhook_aws::projects::table::ProjectTable;
use reelhook_aws::resources::Resources;
use reelhook_aws::start::SystemClock;
use reelhook_aws::videos::films::FilmBucket;
use reelhook_domain::ProjectId;
use reelhook_domain::projects::event::Event;
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::projects::project::Project;
use reelhook_http::access::Caller;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::projects::problem::ProjectProblem;
use reelhook_http::request::ApiRequest;
use reelhook_http::site::base_url;
use reelhook_signing::SigningKeys;

/// The dependencies of the function.
pub struct Deps {
    /// What it has in common with the other functions behind the API, and the keys that sign links.
    pub api: Api<WithAccess<SigningKeys>>,
    /// Projects.
    pub(crate) projects: ProjectTable,
    /// Finds projects by their scenes.
    pub(crate) lookups: CounterTable,
    /// Long prompts.
    pub(crate) texts: Bucket,
    /// Links to files.
    pub(crate) files: FilmBucket,
    base: Option<Url>,
    /// The policy of projects.
    pub(crate) policy: ProjectPolicy,
}

const SETTINGS: &[&str] = &["CALLBACK_TOKEN_SECRET"];

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let projects = resources.projects();
        let links = SettingsReader::new(SETTINGS, |raw, _| raw.required("CALLBACK_TOKEN_SECRET", SigningKeys::parse));
        Ok(Self {
            lookups: resources.counters(),
            texts: resources.bucket(),
            files: resources.films(),
            base: resources.environment.public_base(),
            policy: resources.environment.project_policy(),
            api: Api::for_callers(resources, links, projects.first_call()).await?.with_errors(Problem::scenes),
            projects,
        })
    }

    fn commands(&self) -> CommandPorts<'_> {
        CommandPorts { projects: &self.projects, clock: &SystemClock, policy: &self.policy }
    }

    /// The project, if the caller sees it.
    pub(crate) async fn find(&self, caller: &Caller, id: &ProjectId) -> Result<Project, Problem> {
        let found = find(&self.projects, id).await?.filter(|project| caller.may_see(&project.origin));
        found.ok_or(Problem::Project(ProjectProblem::NotFound))
    }

    /// Applies the event that `event` makes from the newest version of a project that the caller sees.
    pub(crate) async fn command(
        &self,
        caller: &Caller,
        id: &ProjectId,
        event: impl Fn(&Project) -> Result<Event, Problem> + Send + Sync,
    ) -> Result<Project, Problem> {
        let of_seen = |project: &Project| {
            if caller.may_see(&project.origin) {
                event(project)
            } else {
                Err(Problem::Project(ProjectProblem::NotFound))
            }
        };
        match command(&self.commands(), id, of_seen).await? {
            Commanded::Done(project) => Ok(*project),
            Commanded::Rejected(reason) => Err(reason.into()),
            Commanded::Refused(problem) => Err(problem),
            Commanded::NotFound => Err(Problem::Project(ProjectProblem::NotFound)),
        }
    }

    /// The answer that `answer` makes, with links to files and with the texts.
    pub(crate) async fn show(
        &self,
        request: &ApiRequest,
        texts: &Texts,
        answer: impl FnOnce(Shown<'_>) -> ApiAnswer,
    ) -> Result<ApiAnswer, Problem> {
        let base = base_url(self.base.as_ref(), request).ok_or(Problem::Request(RequestProblem::Internal))?;
        let (settings, now) = (self.api.settings.get().await, SystemClock.now());
        let links = FileLinks { base: &base, keys: &settings.own };
        Ok(answer(Shown { url: &|file| links.of(file, now), texts }))
    }

    /// [`Self::show`] with the long prompts of a project.
    pub(crate) async fn show_project(
        &self,
        request: &ApiRequest,
        project: &Project,
        answer: impl FnOnce(Shown<'_>) -> ApiAnswer,
    ) -> Result<ApiAnswer, Problem> {
        let texts = texts::read(&self.texts, project).await?;
        self.show(request, &texts, answer).await
    }
}
