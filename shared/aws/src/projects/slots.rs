//! Slots for the videos of scenes: an admission item of their own, and the projects that wait for one.

use async_trait::async_trait;
use reelhook_app::jobs::admission::AdmissionStore;
use reelhook_app::jobs::claims::Claimed;
use reelhook_app::projects::store::SceneSlots;
use reelhook_app::store::{Saved, StoreError};
use reelhook_domain::projects::project::Project;
use reelhook_domain::{Admission, ProjectId, SlotRow, Slots};

use crate::aggregates::AggregateTable;
use crate::errors::store_error;
use crate::items::s;
use crate::projects::item::{WAITING, waiting_rank};
use crate::projects::table::ProjectTable;

/// The partition of the item that grants slots to videos of scenes.
const SCENE_ADMISSION: &str = "scene-admission";

#[async_trait]
impl AdmissionStore for ProjectTable {
    /// Videos of scenes take minutes, so that one row is never the limit.
    async fn admission(&self) -> Result<Slots, StoreError> {
        self.items.counters.slots(SCENE_ADMISSION).await.map(Slots::from)
    }

    async fn save_admission(&self, changed: &SlotRow) -> Result<Saved<Admission>, StoreError> {
        self.items.counters.save_slots(SCENE_ADMISSION, &changed.row).await
    }
}

#[async_trait]
impl SceneSlots for ProjectTable {
    async fn waiting(&self, limit: usize) -> Result<Vec<ProjectId>, StoreError> {
        // One whose videos may only be submitted later has that time as its place.
        let values = [(":waiting", s(WAITING)), (":now", s(waiting_rank(self.items.clock.now())))];
        let query = self.items.query("by-waiting", "waiting = :waiting AND served_at <= :now", &values);
        let answer = query.limit(i32::try_from(limit).unwrap_or(i32::MAX)).send().await;
        let answer = answer.map_err(|error| store_error("find waiting projects", error))?;
        Ok(AggregateTable::<Project>::ids(answer.items()))
    }

    async fn claim(&self, project: &Project, admission: &Admission) -> Result<Claimed, StoreError> {
        let slots = self.items.counters.slots_put(SCENE_ADMISSION, admission);
        let claimed = self.items.claim(std::slice::from_ref(project), vec![slots]).await?;
        Ok(if claimed == Claimed::Done { Claimed::Done } else { Claimed::Conflict })
    }
}
