//! Recent rendering speed: one number per quality, in the Counters table.

use async_trait::async_trait;
use reelhook_app::store::StoreError;
use reelhook_app::videos::speeds::Speeds;

use crate::errors::store_error;
use crate::items::{n, s};
use crate::jobs::counters::CounterTable;

/// The partition of the rows.
const SPEED: &str = "speed";
/// The weight of a new measurement in the moving average.
const WEIGHT: f64 = 0.2;

#[async_trait]
impl Speeds for CounterTable {
    async fn note(&self, quality: &str, frames: u32, seconds: f64) -> Result<(), StoreError> {
        let measured = f64::from(frames) / seconds;
        let next = match self.speed(quality).await? {
            Some(before) => before + WEIGHT * (measured - before),
            None => measured,
        };
        // Two renderers that measure at once may lose one measurement, which an estimate tolerates.
        let update = self.client().update_item().table_name(self.name()).key("pk", s(SPEED)).key("sk", s(quality));
        let update =
            update.update_expression("SET frames_per_second = :next").expression_attribute_values(":next", n(next));
        update.send().await.map_err(|error| store_error("note speed", error))?;
        Ok(())
    }

    async fn speed(&self, quality: &str) -> Result<Option<f64>, StoreError> {
        let item = self.get("read speed", SPEED, quality).await?;
        let text = item.as_ref().and_then(|item| item.get("frames_per_second")?.as_n().ok());
        Ok(text.and_then(|text| text.parse().ok()))
    }
}
