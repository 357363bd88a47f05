//! An in-memory store of recoveries, with conditional writes by version.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use reelhook_app::store::StoreError;
use reelhook_app::webhooks::recover::RecoveryStore;
use reelhook_app::webhooks::recovery::{Recovery, RecoveryId};
use reelhook_domain::Timestamp;

use crate::faults::Faults;

/// The recoveries. Faults have the names of the port's operations.
#[derive(Debug, Default)]
pub struct MemoryRecoveries {
    all: Mutex<BTreeMap<RecoveryId, Recovery>>,
    /// The injected faults.
    pub faults: Faults,
}

#[async_trait]
impl RecoveryStore for MemoryRecoveries {
    async fn insert(&self, recovery: &Recovery) -> Result<bool, StoreError> {
        let done = self.faults.check("insert")?;
        let mut all = self.all.lock().unwrap();
        let new = !all.contains_key(&recovery.id);
        all.entry(recovery.id.clone()).or_insert_with(|| recovery.clone());
        done.answer(new)
    }

    async fn recovery(&self, id: &RecoveryId) -> Result<Option<Recovery>, StoreError> {
        let done = self.faults.check("recovery")?;
        done.answer(self.all.lock().unwrap().get(id).cloned())
    }

    async fn save_recovery(&self, recovery: &Recovery) -> Result<bool, StoreError> {
        let done = self.faults.check("save_recovery")?;
        let mut all = self.all.lock().unwrap();
        let fits = all.get(&recovery.id).is_some_and(|stored| stored.version + 1 == recovery.version);
        if fits {
            all.insert(recovery.id.clone(), recovery.clone());
        }
        done.answer(fits)
    }

    async fn newest_recoveries(&self, limit: usize) -> Result<Vec<Recovery>, StoreError> {
        let done = self.faults.check("newest_recoveries")?;
        let mut all: Vec<Recovery> = self.all.lock().unwrap().values().cloned().collect();
        all.sort_by_key(|one| std::cmp::Reverse(one.created_at));
        all.truncate(limit);
        done.answer(all)
    }

    async fn due_recoveries(&self, now: Timestamp) -> Result<Vec<RecoveryId>, StoreError> {
        let done = self.faults.check("due_recoveries")?;
        let all = self.all.lock().unwrap();
        let due = all.values().filter(|one| one.due_at.is_some_and(|due| due <= now));
        done.answer(due.map(|one| one.id.clone()).collect())
    }
}
