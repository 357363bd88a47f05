//! Outside services of scenes that are down. Each minute their circuits are looked at: an open one is an error, which is
//! resolved when the circuit is closed. One that no task uses any more is closed here.

use reelhook_domain::errors::cause::{Cause, Raise, Resolve};
use reelhook_domain::projects::policy::{Backend, ProjectPolicy};
use reelhook_domain::projects::task::Stage;
use reelhook_domain::{EventId, Timestamp};
use serde_json::{Map, Value};

use crate::clock::ClockAndRandom;
use crate::errors::steps::{ErrorChange, ErrorStep, ErrorSteps};
use crate::errors::store::{ErrorStore, group};
use crate::projects::circuit::{Circuits, ServiceCircuit};
use crate::store::{Saved, StoreError};

/// What [`check`] needs.
pub struct ServicePorts<'a> {
    /// The circuits of services.
    pub circuits: &'a dyn Circuits,
    /// Errors.
    pub errors: &'a dyn ErrorStore,
    /// Raises and resolves errors.
    pub steps: &'a dyn ErrorSteps,
    /// The clock.
    pub clock: &'a dyn ClockAndRandom,
    /// Which stages have services.
    pub policy: &'a ProjectPolicy,
}

/// Raises an error for each service whose circuit is open, once for each opening, and resolves those of the others.
///
/// # Errors
/// [`StoreError`]; the next check does the rest.
pub async fn check(ports: &ServicePorts<'_>) -> Result<(), StoreError> {
    for stage in [Stage::Video, Stage::Frame, Stage::Stitch] {
        let about = about(stage);
        let known = ports.errors.error(&group(Cause::ServiceDown, &about)).await?;
        let circuit = match ports.policy.stage(stage).backend {
            Backend::Own => ServiceCircuit::default(),
            Backend::Service { .. } => used(ports, stage).await?,
        };
        let now = ports.clock.now();
        let step = match circuit.opened_at {
            Some(opened_at) => {
                let is_raised = known.is_some_and(|error| error.last_seen >= opened_at);
                (!is_raised).then(|| down(stage, &circuit, opened_at, now))
            }
            None => known.filter(|error| error.is_active(now)).map(|error| {
                let id = EventId::of(&format!("{}.up", error.id), error.version, 0);
                let change = ErrorChange::Resolve(Resolve { cause: Cause::ServiceDown, about });
                ErrorStep { id, at: now, change }
            }),
        };
        if let Some(step) = step {
            ports.steps.apply(&step).await?;
        }
    }
    Ok(())
}

/// The circuit of a stage's service, closed if no task uses it any more.
async fn used(ports: &ServicePorts<'_>, stage: Stage) -> Result<ServiceCircuit, StoreError> {
    let circuit = ports.circuits.circuit(stage).await?;
    let Some(closed) = circuit.close_unused(ports.clock.now()) else { return Ok(circuit) };
    Ok(match ports.circuits.save_circuit(stage, &closed).await? {
        Saved::Done => {
            tracing::info!(stage = stage.name(), "closed the circuit of a service that no task uses");
            closed
        }
        // A task uses it again: the next check sees what became of it.
        Saved::Conflict(_) => circuit,
    })
}

/// The service of a stage is down.
fn down(stage: Stage, circuit: &ServiceCircuit, opened_at: Timestamp, now: Timestamp) -> ErrorStep {
    let makes = match stage {
        Stage::Video => "generates videos",
        Stage::Frame => "extracts last frames",
        Stage::Stitch => "stitches videos",
    };
    let message = format!(
        "The service that {makes} does not answer, or answers with server errors: its tasks wait until a request \
         succeeds"
    );
    let context: Map<String, Value> = [
        ("stage".to_owned(), Value::from(stage.name())),
        ("failures".to_owned(), Value::from(circuit.failures)),
        ("since".to_owned(), Value::from(opened_at.to_string())),
    ]
    .into_iter()
    .collect();
    let id = EventId::parse(&format!("service.{}.{}", stage.name(), opened_at.millis()));
    let change = ErrorChange::Raise(Raise { cause: Cause::ServiceDown, about: about(stage), message, context });
    ErrorStep { id: id.expect("a stage and a number are an id"), at: now, change }
}

fn about(stage: Stage) -> String {
    format!("service/{}", stage.name())
}
