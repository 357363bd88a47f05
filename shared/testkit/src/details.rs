//! Large details of steps in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use reelhook_app::jobs::steps::DetailStore;
use reelhook_app::outbox::fanout::FileStore;
use reelhook_app::store::StoreError;

use crate::faults::Faults;

/// The bucket's place in tests.
#[derive(Debug, Default)]
pub struct MemoryDetails {
    stored: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Failures of `put`.
    pub faults: Faults,
}

impl MemoryDetails {
    /// What is stored, by key.
    pub fn stored(&self) -> BTreeMap<String, Vec<u8>> {
        self.stored.lock().unwrap().clone()
    }
}

#[async_trait]
impl DetailStore for MemoryDetails {
    async fn put(&self, key: &str, json: Vec<u8>) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("put")?;
        self.stored.lock().unwrap().insert(key.to_owned(), json);
        done.answer(())
    }
}

#[async_trait]
impl FileStore for MemoryDetails {
    async fn remove(&self, prefixes: &[String]) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("remove")?;
        self.stored.lock().unwrap().retain(|key, _| !prefixes.iter().any(|prefix| key.starts_with(prefix)));
        done.answer(())
    }
}
