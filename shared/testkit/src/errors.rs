//! The steps of errors in memory.

use std::sync::Mutex;

use async_trait::async_trait;
use reelhook_app::errors::steps::{ErrorStep, ErrorSteps};
use reelhook_app::store::StoreError;

use crate::faults::Faults;

/// Keeps each step once. Its fault is named `apply`.
#[derive(Default)]
pub struct MemorySteps {
    steps: Mutex<Vec<ErrorStep>>,
    /// The injected faults.
    pub faults: Faults,
}

impl MemorySteps {
    /// The steps that were applied, in order.
    pub fn all(&self) -> Vec<ErrorStep> {
        self.steps.lock().unwrap().clone()
    }
}

#[async_trait]
impl ErrorSteps for MemorySteps {
    async fn apply(&self, step: &ErrorStep) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check_about("apply", &step.id)?;
        let mut steps = self.steps.lock().unwrap();
        if !steps.iter().any(|known| known.id == step.id) {
            steps.push(step.clone());
        }
        drop(steps);
        done.answer(())
    }
}
