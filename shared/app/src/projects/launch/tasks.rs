//! The tasks of one project: submits, looks up and polls what is due, a few requests to each service at once.

use std::collections::VecDeque;

use futures_util::future::join_all;
use reelhook_domain::projects::event::Event;
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::task::{Stage, Task, TaskRef, TaskWork};
use reelhook_domain::{ProjectId, RenderId, Timestamp};

use crate::change::{ChangeError, Changed, change};
use crate::circuit;
use crate::projects::launch::early::is_of_take;
use crate::projects::launch::outcome::{self, Outcome};
use crate::projects::launch::ports::{AT_ONCE, LaunchPorts};
use crate::projects::launch::submit::{ClaimedTask, submit};
use crate::projects::metadata::with_metadata;
use crate::projects::services::{Found, Polled, Sought, TaskList, submission_name};

/// Does what is due of a project's tasks. While the circuit of a service is open, its tasks wait: nothing counts as a
/// failure, and the due sweep repeats the hint. What there is no time for is left to the next hint, which each recorded
/// outcome causes while something is due.
///
/// # Errors
/// The first [`ChangeError`]; the other outcomes are recorded nevertheless. Busy if there is no time for anything.
pub async fn tasks(ports: &LaunchPorts<'_>, id: &ProjectId) -> Result<(), ChangeError> {
    let Some(project) = ports.projects.load(id).await? else { return Ok(()) };
    ports.in_time()?;
    let due = Due::of(project.work(ports.clock.now(), ports.policy));
    let mut result = Ok(());
    for (stage, requests) in due.0 {
        let done = send(ports, &project, stage, requests).await;
        result = result.and(done);
    }
    result
}

/// A request that is due.
enum Request {
    /// Claim and submit a task.
    Submit(TaskRef),
    /// Read the list of the service, and look for these.
    LookUp(Vec<TaskRef>),
    /// Poll a task.
    Poll(TaskRef, RenderId),
}

/// The requests that are due, by stage: look-ups, polls, and then submissions.
struct Due([(Stage, VecDeque<Request>); 3]);

impl Due {
    fn of(work: Vec<TaskWork>) -> Self {
        Self([Stage::Video, Stage::Frame, Stage::Stitch].map(|stage| {
            let (mut lost, mut polls, mut submissions) = (Vec::new(), Vec::new(), Vec::new());
            for work in &work {
                match work {
                    TaskWork::LookUp(task) if task.stage() == stage => lost.push(task.clone()),
                    TaskWork::Poll(task, id) if task.stage() == stage => {
                        polls.push(Request::Poll(task.clone(), id.clone()));
                    }
                    // A video needs a slot, which `start_scenes` claims with it.
                    TaskWork::Submit(task) if task.stage() == stage && stage != Stage::Video => {
                        submissions.push(Request::Submit(task.clone()));
                    }
                    TaskWork::LookUp(_) | TaskWork::Poll(..) | TaskWork::Submit(_) => {}
                }
            }
            let look_up = (!lost.is_empty()).then_some(Request::LookUp(lost));
            (stage, look_up.into_iter().chain(polls).chain(submissions).collect())
        }))
    }
}

/// Sends the requests of one stage.
async fn send(
    ports: &LaunchPorts<'_>,
    project: &Project,
    stage: Stage,
    mut requests: VecDeque<Request>,
) -> Result<(), ChangeError> {
    while !requests.is_empty() {
        if ports.in_time().is_err() {
            let left = requests.len();
            tracing::info!(project_id = %project.id, stage = stage.name(), left, "left requests to the next hint");
            return Ok(());
        }
        let permit = circuit::permit(ports.circuits, stage.into(), ports.clock.now()).await?;
        let most = permit.requests(AT_ONCE.min(requests.len()));
        if most == 0 {
            tracing::info!(project_id = %project.id, stage = stage.name(), "the circuit of a service is open");
            return Ok(());
        }
        let (mut steps, mut error) = (Vec::with_capacity(most), None);
        let batch: Vec<Request> = requests.drain(..most).collect();
        for request in batch {
            match prepare(ports, project, request).await {
                Ok(step) => steps.extend(step),
                Err(failed) => {
                    error.get_or_insert(failed);
                }
            }
        }
        let outcomes = join_all(steps.iter().map(|step| perform(ports, project, step))).await;
        let slowed = outcome::record(ports, stage, permit, outcomes).await?;
        if let Some(error) = error {
            return Err(error);
        }
        if slowed {
            requests.retain(|request| !matches!(request, Request::Submit(_)));
        }
    }
    Ok(())
}

/// A request that is ready to be sent.
enum Step {
    Submit(ClaimedTask),
    LookUp(Vec<TaskRef>),
    Poll(TaskRef, RenderId),
}

/// Claims the task of a submission; none if another launcher has claimed it.
async fn prepare(ports: &LaunchPorts<'_>, project: &Project, request: Request) -> Result<Option<Step>, ChangeError> {
    let task = match request {
        Request::Submit(task) => task,
        Request::LookUp(tasks) => return Ok(Some(Step::LookUp(tasks))),
        Request::Poll(task, id) => return Ok(Some(Step::Poll(task, id))),
    };
    let event = Event::ClaimTask(task.clone());
    Ok(match change(ports.projects, ports.clock, ports.policy, &project.id, &event).await? {
        Changed::Applied(project) => Some(Step::Submit(ClaimedTask { project, task })),
        Changed::Ignored(..) | Changed::Rejected(..) | Changed::NotFound => None,
    })
}

async fn perform(ports: &LaunchPorts<'_>, project: &Project, step: &Step) -> Outcome {
    match step {
        Step::Submit(claimed) => submit(ports, claimed).await,
        Step::LookUp(tasks) => look_up(ports, project, tasks).await,
        Step::Poll(task, id) => poll(ports, project, task, id).await,
    }
}

/// Polls a task. As long as the data of a video cannot be stored there is no report, and the task is polled again.
async fn poll(ports: &LaunchPorts<'_>, project: &Project, task: &TaskRef, id: &RenderId) -> Outcome {
    let status_url = project.task(task).and_then(Task::status_url);
    let Polled { report, body, answered } = ports.client.poll(&project.id, task.stage(), id, status_url).await;
    let event =
        |report| Event::Reported { task: task.clone(), id: Some(id.clone()), report, polled: true, early: None };
    let events = match with_metadata(ports.files, project, task, &body, report).await {
        Ok(report) => vec![event(report)],
        Err(error) => {
            tracing::warn!(project_id = %project.id, %task, %error, "failed to store the data of a video");
            Vec::new()
        }
    };
    Outcome { project: project.id.clone(), events, answered }
}

/// Looks for tasks whose answers were lost, in one list.
async fn look_up(ports: &LaunchPorts<'_>, project: &Project, tasks: &[TaskRef]) -> Outcome {
    let listed = ports.client.list(&project.id).await;
    let mut events = Vec::with_capacity(tasks.len());
    for task in tasks {
        let found = match &listed.list {
            Some(list) => find(ports, project, task, list).await,
            None => Found::Undecided,
        };
        tracing::info!(project_id = %project.id, %task, ?found, "looked up a task whose answer was lost");
        // A list that decides nothing counts as unread, so that the task is not submitted again.
        let (found, answered) = match found {
            Found::Task(id) => (Some(id), true),
            Found::Absent => (None, true),
            Found::Undecided => (None, false),
        };
        events.push(Event::LookedUp { task: task.clone(), found, answered });
    }
    Outcome { project: project.id.clone(), events, answered: listed.answered }
}

/// Finds a task in the list of its service.
async fn find(ports: &LaunchPorts<'_>, project: &Project, task: &TaskRef, list: &TaskList) -> Found {
    let mut others = Vec::new();
    for id in task.scene().map(|scene| list.unnamed(task.stage(), scene)).unwrap_or_default() {
        if is_other(ports, project, task, &id).await {
            others.push(id);
        }
    }
    let sought = Sought {
        submission: submission_name(&project.id, task),
        scene: task.scene(),
        claimed_at: claimed_at(project, task, ports.policy),
        others: &others,
    };
    list.find(task.stage(), &sought)
}

/// Whether a service's id is known as that of another submission. A failure to read it is logged: the list then decides
/// less.
async fn is_other(ports: &LaunchPorts<'_>, project: &Project, task: &TaskRef, id: &RenderId) -> bool {
    if is_of_take(project, task, Some(id)) {
        return true;
    }
    match ports.lookups.of_task(task.stage(), id).await {
        Ok(owner) => owner.is_some_and(|(owner, other)| owner != project.id || other != *task),
        Err(error) => {
            tracing::warn!(project_id = %project.id, task_id = %id, %error, "failed to read which task has an id");
            false
        }
    }
}

/// When a task was claimed: its deadline counts from then.
fn claimed_at(project: &Project, task: &TaskRef, policy: &ProjectPolicy) -> Option<Timestamp> {
    Some(project.task(task)?.deadline?.before(policy.stage(task.stage()).deadline))
}
