//! The launcher: what each hint of the Work queue makes it do.

use crate::change::ChangeError;
use crate::clips::launch::{self as clips, ClipLaunchPorts};
use crate::jobs::renders::{Creatomate, RenderPorts, apply_parked, check_render};
use crate::jobs::starts::{StartPorts, cancel_worker, start_some};
use crate::outbox::messages::WorkMessage;
use crate::projects::launch::{LaunchPorts, apply_early, cancel_task, start_scenes, tasks};
use crate::store::StoreError;

/// The ports of the launcher.
pub struct WorkPorts<'a> {
    /// Starts of runs, with the settings of the external worker.
    pub starts: StartPorts<'a>,
    /// Checks of renders.
    pub renders: RenderPorts<'a>,
    /// The access to Creatomate.
    pub creatomate: &'a Creatomate,
    /// Tasks of projects.
    pub launch: LaunchPorts<'a>,
    /// Clip jobs at the clipping worker.
    pub clips: ClipLaunchPorts<'a>,
}

/// Processes hints in order. Equal ones are processed once, and so are those that start jobs or scenes, whichever they name;
/// each has a result. Those for which too little time is left are busy.
pub async fn work_on_all(ports: &WorkPorts<'_>, messages: &[WorkMessage]) -> Vec<Result<(), ChangeError>> {
    let messages = WorkMessage::with_all_names(messages);
    let mut results = Vec::with_capacity(messages.len());
    for (index, message) in messages.iter().enumerate() {
        let is_repeated = messages[..index].contains(message);
        results.push(match ports.launch.in_time() {
            _ if is_repeated => Ok(()),
            Ok(()) => work_on(ports, message).await,
            Err(busy) => Err(busy.into()),
        });
    }
    results
}

/// Processes one hint.
///
/// # Errors
/// [`ChangeError`]; a cancellation that the worker or service did not confirm counts as busy, so that it is sent again.
pub async fn work_on(ports: &WorkPorts<'_>, message: &WorkMessage) -> Result<(), ChangeError> {
    let StartPorts { http, clock, worker, .. } = ports.starts;
    match message {
        WorkMessage::Start { jobs } => start_some(&ports.starts, jobs).await.map(drop),
        WorkMessage::CheckRender { job_id, render, check } => {
            check_render(&ports.renders, http, ports.creatomate, job_id, render, *check).await.map(drop)
        }
        WorkMessage::ApplyParked { job_id, render } => apply_parked(&ports.renders, job_id, render).await,
        WorkMessage::CancelWorker { job_id, attempt, url } => {
            if cancel_worker(http, worker, clock.now(), job_id, *attempt, url).await {
                return Ok(());
            }
            let source = format!("the worker did not confirm the cancellation of run {attempt} of `{job_id}`").into();
            Err(StoreError::Busy { operation: "cancel run", source }.into())
        }
        WorkMessage::StartScenes { projects } => start_scenes(&ports.launch, projects).await.map(drop),
        WorkMessage::Tasks { project_id } => tasks(&ports.launch, project_id).await,
        WorkMessage::ApplyEarly { project_id } => apply_early(&ports.launch, project_id).await,
        WorkMessage::CancelTask { project_id, stage, id } => cancel_task(&ports.launch, project_id, *stage, id).await,
        WorkMessage::Clip { job_id } => clips::work(&ports.clips, job_id).await,
        WorkMessage::CancelClip { job_id, number } => clips::cancel(&ports.clips, job_id, *number).await,
    }
}
