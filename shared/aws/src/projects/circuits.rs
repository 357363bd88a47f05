//! The circuits of outside services: a row of the Counters table for each stage.

use async_trait::async_trait;
use reelhook_app::projects::circuit::{Circuits, ServiceCircuit};
use reelhook_app::store::{Saved, StoreError};
use reelhook_domain::projects::task::Stage;

use crate::jobs::counters::CounterTable;

#[async_trait]
impl Circuits for CounterTable {
    async fn circuit(&self, stage: Stage) -> Result<ServiceCircuit, StoreError> {
        self.versioned("load circuit", &partition(stage)).await
    }

    async fn save_circuit(&self, stage: Stage, circuit: &ServiceCircuit) -> Result<Saved<ServiceCircuit>, StoreError> {
        self.save_versioned("save circuit", &partition(stage), circuit.version, circuit).await
    }
}

fn partition(stage: Stage) -> String {
    format!("circuit#{}", stage.name())
}
