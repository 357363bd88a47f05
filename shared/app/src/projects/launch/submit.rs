//! Submissions of tasks that are claimed: each is sent once, and its answer decides what becomes of the task.

use reelhook_domain::TraceParent;
use reelhook_domain::projects::event::Event;
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::scene::LongText;
use reelhook_domain::projects::task::{Target, TaskRef};

use crate::outbound::submission::Submission;
use crate::projects::launch::outcome::Outcome;
use crate::projects::launch::ports::LaunchPorts;
use crate::projects::services::{Answer, submission};

/// A claimed task, and the version of its project that has the claim.
pub(super) struct ClaimedTask {
    pub project: Box<Project>,
    pub task: TaskRef,
}

/// Sends a claimed task to its service.
pub(super) async fn submit(ports: &LaunchPorts<'_>, claimed: &ClaimedTask) -> Outcome {
    let ClaimedTask { project, task } = claimed;
    let outcome = |event, answered| Outcome { project: project.id.clone(), events: vec![event], answered };
    // Nothing is sent before the request is complete, so that these are refusals and no lost answers.
    let refused = |error: String, permanent: bool| {
        tracing::warn!(project_id = %project.id, %task, %error, permanent, "did not submit a task");
        outcome(Event::SubmissionRefused { task: task.clone(), error, wait: None, permanent }, None)
    };
    let prompt = match prompt(ports, claimed).await {
        Ok(prompt) => prompt,
        Err(NoPrompt { error, permanent }) => return refused(error, permanent),
    };
    let request = match submission(ports.client.services, project, task, &prompt, ports.clock.now()) {
        Ok(request) => request,
        Err(error) => return refused(error.to_string(), true),
    };
    let base = request.url.clone();
    let answer = Answer::read(ports.client.http.send(request).await, ports.clock.now());
    let trace = TraceParent::of_aggregate(&**project);
    let trace_id = trace.trace_id();
    let event = match answer.submission {
        Submission::Accepted(id) => {
            tracing::info!(project_id = %project.id, %task, task_id = %id, trace_id, "submitted a task");
            let named = ports.client.services.of(task.stage()).zip(answer.status_url.as_deref());
            let status_url = named.and_then(|(service, url)| service.status_url(&base, task.stage(), &id, url));
            Event::Submitted { task: task.clone(), id, status_url }
        }
        Submission::Refused { error, wait, permanent } => {
            tracing::warn!(project_id = %project.id, %task, permanent, trace_id, "a service refused a task");
            let error = ports.client.services.concealed(task.stage(), &error);
            Event::SubmissionRefused { task: task.clone(), error, wait, permanent }
        }
        Submission::Lost(reason) => {
            tracing::warn!(project_id = %project.id, %task, %reason, trace_id, "the answer to a submission was lost");
            Event::SubmissionLost { task: task.clone() }
        }
    };
    outcome(event, Some(answer.answered))
}

/// Why a scene's prompt cannot be read.
struct NoPrompt {
    error: String,
    permanent: bool,
}

/// The text of the prompt of a video's scene; empty for other tasks.
async fn prompt(ports: &LaunchPorts<'_>, claimed: &ClaimedTask) -> Result<String, NoPrompt> {
    let scene = match &claimed.task.target {
        Target::Video(id) => claimed.project.scene(id),
        Target::Frame(_) | Target::Stitch(_) => None,
    };
    let key = match scene.map(|scene| &scene.spec.prompt) {
        None => return Ok(String::new()),
        Some(LongText::Inline(text)) => return Ok(text.clone()),
        Some(LongText::Stored(key)) => key,
    };
    match ports.files.text(key).await {
        Ok(Some(text)) => Ok(text),
        Ok(None) => {
            Err(NoPrompt { error: "the text of the prompt is missing in the bucket".to_owned(), permanent: true })
        }
        Err(error) => {
            Err(NoPrompt { error: format!("the text of the prompt cannot be read: {error}"), permanent: false })
        }
    }
}
