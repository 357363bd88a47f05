//! Polls, look-ups and cancellations at services. No fault of a service is an error here: a report says what is known.

use reelhook_domain::projects::event::TaskReport;
use reelhook_domain::projects::task::Stage;
use reelhook_domain::{ProjectId, RenderId, WebUrl};
use serde_json::Value;

use crate::outbound::{HttpSender, Method, OutboundRequest, OutboundResponse};
use crate::projects::services::list::{Listed, TaskList};
use crate::projects::services::report::read;
use crate::projects::services::service::{Service, Services, has_own_path};

/// The maximum size of a list, in bytes.
const LIST_LIMIT: usize = 1024 * 1024;

/// The services, and the guarded client that reaches them.
#[derive(Clone, Copy)]
pub struct ServiceClient<'a> {
    /// The guarded client.
    pub http: &'a dyn HttpSender,
    /// The services.
    pub services: &'a Services,
}

/// The result of a poll.
#[derive(Debug, Clone, PartialEq)]
pub struct Polled {
    /// What the service says about the task.
    pub report: TaskReport,
    /// The JSON that says so, which may have data of a video; null without any.
    pub body: Value,
    /// Whether it answered without a server error; none if nothing was sent.
    pub answered: Option<bool>,
}

impl ServiceClient<'_> {
    /// Polls a task, at the URL that the service named for its status or else at the usual one. A task that the service does
    /// not know there is searched in the list of its project.
    pub async fn poll(&self, project: &ProjectId, stage: Stage, id: &RenderId, status_url: Option<&WebUrl>) -> Polled {
        let nothing = |answered| Polled { report: TaskReport::Unknown, body: Value::Null, answered };
        let Some(service) = self.services.of(stage) else { return nothing(None) };
        let has_api = !has_own_path(&service.url);
        let Some(response) = self.send(service.status_of(stage, id, status_url), stage).await else {
            return nothing(Some(false));
        };
        let body = match response.status {
            200..=299 => response.whole_json(),
            // A service of its own form need not have a status of tasks: it calls back.
            404 | 405 | 410 | 501 if !has_api => None,
            404 if stage == Stage::Video => {
                let listed = self.list_at(service, project).await.list;
                listed.and_then(|list| list.into_entry(id))
            }
            status => {
                tracing::warn!(%project, stage = stage.name(), task_id = %id, status, "failed to poll a task");
                None
            }
        };
        let body = body.unwrap_or_default();
        let report = match read_status(stage, id, &body) {
            TaskReport::Failed(error) => TaskReport::Failed(self.services.concealed(stage, &error)),
            other => other,
        };
        let answered = response.status < 500 || (response.status == 501 && !has_api);
        Polled { report, body, answered: Some(answered) }
    }

    /// Reads the list of a project's videos at their service.
    pub async fn list(&self, project: &ProjectId) -> Listed {
        match self.services.with_api(Stage::Video) {
            Some(service) => self.list_at(service, project).await,
            None => Listed { list: None, answered: None },
        }
    }

    async fn list_at(&self, service: &Service, project: &ProjectId) -> Listed {
        let request = service.request(Method::Get, Stage::Video, &["projects", project.as_str(), "tasks"]);
        let Some(response) = self.send(OutboundRequest { response_limit: LIST_LIMIT, ..request }, Stage::Video).await
        else {
            return Listed { list: None, answered: Some(false) };
        };
        let is_list = (200..=299).contains(&response.status);
        let list = is_list.then(|| response.whole_json()).flatten().and_then(TaskList::read);
        if list.is_none() {
            tracing::warn!(%project, status = response.status, "failed to read the list of a project's tasks");
        }
        Listed { list, answered: Some(response.status < 500) }
    }

    /// Cancels a task, where its service can. Returns whether there is nothing left to do.
    pub async fn cancel(&self, project: &ProjectId, stage: Stage, id: &RenderId) -> bool {
        let service = match stage {
            Stage::Video => self.services.with_api(stage),
            Stage::Frame | Stage::Stitch => None,
        };
        let Some(service) = service else { return true };
        let request = service.request(Method::Delete, stage, &["tasks", id.as_str()]);
        let Some(response) = self.send(request, stage).await else { return false };
        let status = response.status;
        tracing::info!(%project, stage = stage.name(), task_id = %id, status, "sent the cancellation of a task");
        status < 500 && status != 429
    }

    /// Sends a request; none without an answer, which is logged.
    async fn send(&self, request: OutboundRequest, stage: Stage) -> Option<OutboundResponse> {
        match self.http.send(request).await {
            Ok(response) => Some(response),
            Err(error) => {
                tracing::warn!(stage = stage.name(), %error, "a service did not answer");
                None
            }
        }
    }
}

/// Reads the answer to a poll. An answer about another task says nothing about this one.
fn read_status(stage: Stage, id: &RenderId, body: &Value) -> TaskReport {
    let said = read(stage, body);
    let is_other = said.task_id.is_some_and(|said| said != *id);
    if is_other { TaskReport::Unknown } else { usable(said.report) }
}

/// The answer to a poll that cannot be used is no answer: the task is polled again until its deadline.
fn usable(report: TaskReport) -> TaskReport {
    match report {
        TaskReport::Unusable => TaskReport::Unknown,
        usable @ (TaskReport::UnderWay(_) | TaskReport::Completed(_) | TaskReport::Failed(_) | TaskReport::Unknown) => {
            usable
        }
    }
}
