//! Outside services that are down. Each minute their circuits are looked at: an open one is an error, which is resolved
//! when the circuit is closed. One that nothing uses any more is closed here.

use reelhook_domain::errors::cause::{Cause, Raise, Resolve};
use reelhook_domain::{EventId, Timestamp};
use serde_json::{Map, Value};

use crate::circuit::{Circuits, ServiceCircuit, ServiceKey};
use crate::clock::ClockAndRandom;
use crate::errors::steps::{ErrorChange, ErrorStep, ErrorSteps};
use crate::errors::store::{ErrorStore, group};
use crate::store::{Saved, StoreError};

/// A service as the check looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchedService {
    /// The service.
    pub key: ServiceKey,
    /// Whether one is configured; without one nothing is wrong.
    pub is_used: bool,
    /// The service, as the subject of a sentence, such as `The service that stitches videos`.
    pub subject: &'static str,
    /// What waits for it, such as `tasks`.
    pub waiting: &'static str,
    /// The member of the error's context that names it.
    pub member: &'static str,
}

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
}

/// Raises an error for each service whose circuit is open, once for each opening, and resolves those of the others.
///
/// # Errors
/// [`StoreError`]; the next check does the rest.
pub async fn check(ports: &ServicePorts<'_>, services: &[WatchedService]) -> Result<(), StoreError> {
    for service in services {
        let about = about(service.key);
        let known = ports.errors.error(&group(Cause::ServiceDown, &about)).await?;
        let circuit = if service.is_used { used(ports, service).await? } else { ServiceCircuit::default() };
        let now = ports.clock.now();
        let step = match circuit.opened_at {
            Some(opened_at) => {
                let is_raised = known.is_some_and(|error| error.last_seen >= opened_at);
                (!is_raised).then(|| down(service, &circuit, opened_at, now))
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

/// The circuit of a service, closed if nothing uses it any more.
async fn used(ports: &ServicePorts<'_>, service: &WatchedService) -> Result<ServiceCircuit, StoreError> {
    let circuit = ports.circuits.circuit(service.key).await?;
    let Some(closed) = circuit.close_unused(ports.clock.now()) else { return Ok(circuit) };
    Ok(match ports.circuits.save_circuit(service.key, &closed).await? {
        Saved::Done => {
            tracing::info!(service = service.key.name(), "closed the circuit of a service that nothing uses");
            closed
        }
        // It is used again: the next check sees what became of it.
        Saved::Conflict(_) => circuit,
    })
}

/// A service is down.
fn down(service: &WatchedService, circuit: &ServiceCircuit, opened_at: Timestamp, now: Timestamp) -> ErrorStep {
    let name = service.key.name();
    let message = format!(
        "{} does not answer, or answers with server errors: its {} wait until a request succeeds",
        service.subject, service.waiting
    );
    let context: Map<String, Value> = [
        (service.member.to_owned(), Value::from(name)),
        ("failures".to_owned(), Value::from(circuit.failures)),
        ("since".to_owned(), Value::from(opened_at.to_string())),
    ]
    .into_iter()
    .collect();
    let id = EventId::parse(&format!("service.{name}.{}", opened_at.millis()));
    let change = ErrorChange::Raise(Raise { cause: Cause::ServiceDown, about: about(service.key), message, context });
    ErrorStep { id: id.expect("a service and a number are an id"), at: now, change }
}

fn about(service: ServiceKey) -> String {
    format!("service/{}", service.name())
}
