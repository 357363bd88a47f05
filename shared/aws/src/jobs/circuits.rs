//! The circuits of outside services: a row of the Counters table for each.

use async_trait::async_trait;
use reelhook_app::circuit::{Circuits, ServiceCircuit, ServiceKey};
use reelhook_app::store::{Saved, StoreError};

use crate::jobs::counters::CounterTable;

#[async_trait]
impl Circuits for CounterTable {
    async fn circuit(&self, service: ServiceKey) -> Result<ServiceCircuit, StoreError> {
        self.versioned("load circuit", &partition(service)).await
    }

    async fn save_circuit(
        &self,
        service: ServiceKey,
        circuit: &ServiceCircuit,
    ) -> Result<Saved<ServiceCircuit>, StoreError> {
        self.save_versioned("save circuit", &partition(service), circuit.version, circuit).await
    }
}

fn partition(service: ServiceKey) -> String {
    format!("circuit#{}", service.name())
}
