//! Starts of scenes: each claim takes a slot for one scene of the project that was served longest ago, so that slots
//! rotate between projects.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use futures_util::future::join_all;
use reelhook_domain::projects::event::Event;
use reelhook_domain::projects::task::Stage;
use reelhook_domain::{Aggregate, Decision, ProjectId, Timestamp};

use crate::change::ChangeError;
use crate::circuit;
use crate::jobs::claims::Claimed;
use crate::projects::launch::outcome;
use crate::projects::launch::ports::{AT_ONCE, LaunchPorts};
use crate::projects::launch::submit::{ClaimedTask, submit};
use crate::retry::Retry;
use crate::store::StoreError;

/// The maximum number of starts for one hint.
const STARTS: usize = 20;
/// Waiting projects that are read at once.
const WAITING: usize = 50;
/// Attempts at a claim after conflicts, before another project is tried.
const ATTEMPTS: u32 = 20;
/// How long after the deadline of a video the lease of its slot expires.
const SLOT_MARGIN: Duration = Duration::from_secs(300);

/// Starts scenes that wait for slots, up to a maximum; returns how many were submitted. The index of waiting projects may not
/// have those yet that hints name.
///
/// # Errors
/// [`ChangeError`]; what was claimed before is submitted nevertheless. Busy if there is no time for further starts.
pub async fn start_scenes(ports: &LaunchPorts<'_>, named: &[ProjectId]) -> Result<usize, ChangeError> {
    let mut rotation = Rotation { named: named.iter().cloned().collect(), ..Rotation::default() };
    let mut started = 0;
    while started < STARTS {
        ports.in_time()?;
        let permit = circuit::permit(ports.circuits, Stage::Video.into(), ports.clock.now()).await?;
        let most = permit.requests(AT_ONCE.min(STARTS - started));
        if most == 0 {
            tracing::info!("the circuit of the video service is open, started no scene");
            break;
        }
        let (claimed, error) = rotation.claim(ports, most).await;
        let outcomes = join_all(claimed.iter().map(|claimed| submit(ports, claimed))).await;
        let recorded = outcome::record(ports, Stage::Video, permit, outcomes).await;
        started += claimed.len();
        if let Some(error) = error {
            return Err(error);
        }
        let slowed = recorded?;
        if slowed || claimed.len() < most {
            break;
        }
    }
    Ok(started)
}

/// The waiting projects in the order in which they get slots.
#[derive(Default)]
struct Rotation {
    next: VecDeque<ProjectId>,
    /// The projects that hints name, until they are listed, or have no scene that waits.
    named: BTreeSet<ProjectId>,
    /// The scenes that each project got from this hint. The list of waiting projects may not show this yet.
    served: BTreeMap<ProjectId, usize>,
    /// When the next claim is made at the earliest, so that no two are made in one millisecond and their order is kept.
    next_at: Option<Timestamp>,
}

/// The outcome of a claim for one project.
enum Attempt {
    /// A scene of it is claimed.
    Claimed(ClaimedTask),
    /// No scene of it can be claimed.
    NoScene,
    /// No slot is free.
    NoSlot,
}

impl Rotation {
    /// Claims at most `most` scenes. An error ends claiming and keeps what was claimed.
    async fn claim(&mut self, ports: &LaunchPorts<'_>, most: usize) -> (Vec<ClaimedTask>, Option<ChangeError>) {
        let mut claimed = Vec::new();
        while claimed.len() < most {
            match self.claim_one(ports).await {
                Ok(Some(task)) => claimed.push(task),
                Ok(None) => break,
                Err(error) => return (claimed, Some(error)),
            }
        }
        (claimed, None)
    }

    /// Claims the next scene; none if no slot is free, or no scene waits.
    async fn claim_one(&mut self, ports: &LaunchPorts<'_>) -> Result<Option<ClaimedTask>, ChangeError> {
        let mut is_listed = false;
        loop {
            while let Some(id) = self.next.pop_front() {
                match try_claim(ports, &id, self.next_at).await? {
                    Attempt::Claimed(task) => {
                        self.next_at = Some(task.project.updated_at.after(Duration::from_millis(1)));
                        *self.served.entry(id).or_default() += 1;
                        return Ok(Some(task));
                    }
                    Attempt::NoScene => {
                        self.named.remove(&id);
                    }
                    Attempt::NoSlot => return Ok(None),
                }
            }
            if is_listed {
                return Ok(None);
            }
            is_listed = true;
            let mut waiting = ports.slots.waiting(WAITING).await?;
            self.add_named(&mut waiting);
            waiting.sort_by_key(|id| self.served.get(id).copied().unwrap_or_default());
            self.next = waiting.into();
        }
    }

    /// Adds the projects that hints name and the list does not have yet, behind those that it has: most of these wait for
    /// longer. If the list is full, others wait that it does not have.
    fn add_named(&mut self, waiting: &mut Vec<ProjectId>) {
        self.named.retain(|named| !waiting.contains(named));
        if waiting.len() < WAITING {
            waiting.extend(self.named.iter().cloned());
        }
    }
}

/// Claims a scene of a project together with a slot, in one transaction.
async fn try_claim(
    ports: &LaunchPorts<'_>,
    id: &ProjectId,
    not_before: Option<Timestamp>,
) -> Result<Attempt, ChangeError> {
    let mut retry = Retry::new(ports.clock, ATTEMPTS);
    while retry.attempt().await {
        let slots = ports.slots.admission().await?;
        let admission = slots.first();
        let now = not_before.map_or_else(|| ports.clock.now(), |earliest| ports.clock.now().max(earliest));
        if admission.check(now, ports.scene_slots).is_err() {
            return Ok(Attempt::NoSlot);
        }
        let project = match ports.projects.load(id).await {
            Ok(Some(project)) => project,
            Ok(None) => return Ok(Attempt::NoScene),
            // An unreadable project must not block the projects behind it.
            Err(error @ StoreError::Unreadable { .. }) => {
                tracing::error!(project_id = %id, %error, "failed to read a waiting project, skipped it");
                return Ok(Attempt::NoScene);
            }
            Err(error) => return Err(error.into()),
        };
        let Some(task) = project.next_video(now, ports.policy) else { return Ok(Attempt::NoScene) };
        let event = Event::ClaimTask(task.clone());
        let Decision::Apply(claimed) = project.decide(&event, now, ports.policy) else { return Ok(Attempt::NoScene) };
        let lease = now.after(ports.policy.submit_lease + ports.policy.video.deadline + SLOT_MARGIN);
        // The slot of this claim: the project before it holds none for the task.
        let Some(slot) = claimed.slot(&task) else { return Ok(Attempt::NoScene) };
        let Ok(next) = admission.take(&slot, now, lease, ports.scene_slots) else {
            return Ok(Attempt::NoSlot);
        };
        match ports.slots.claim(&claimed, &next).await {
            Ok(Claimed::Done) => return Ok(Attempt::Claimed(ClaimedTask { project: claimed, task })),
            Ok(Claimed::Conflict | Claimed::RowsChanged) => {}
            Err(error) if error.is_busy() => return Err(error.into()),
            // Nor must one that can't be stored, such as one that is too large.
            Err(error) => {
                tracing::error!(project_id = %id, %error, "failed to store a waiting project, skipped it");
                return Ok(Attempt::NoScene);
            }
        }
    }
    Ok(Attempt::NoScene)
}
