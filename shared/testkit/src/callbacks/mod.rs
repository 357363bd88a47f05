//! What callbacks about tasks meet: projects in each state, and the calls that are counted one by one.

mod builders;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use reelhook_app::limits::{CallCounter, Limited};
use reelhook_app::store::StoreError;
use reelhook_domain::Timestamp;

pub use self::builders::{a_running_project, a_scene, a_stitch, a_take, a_task};

/// The window of a rate limit.
const MINUTE: Duration = Duration::from_secs(60);

/// The calls of each caller in its present minute, with the end of that.
#[derive(Debug, Default)]
pub struct MemoryCalls(Mutex<BTreeMap<String, (Timestamp, BTreeSet<String>)>>);

#[async_trait]
impl CallCounter for MemoryCalls {
    async fn count_call(
        &self,
        caller: &str,
        call: &str,
        limit: u32,
        now: Timestamp,
    ) -> Result<Result<(), Limited>, StoreError> {
        tokio::task::yield_now().await;
        let mut callers = self.0.lock().unwrap();
        let (until, calls) = callers.entry(caller.to_owned()).or_insert((now.after(MINUTE), BTreeSet::new()));
        if *until <= now {
            (*until, *calls) = (now.after(MINUTE), BTreeSet::new());
        }
        if calls.len() >= limit as usize && !calls.contains(call) {
            return Ok(Err(Limited { retry_after_s: until.since(now).as_secs().max(1) }));
        }
        calls.insert(call.to_owned());
        Ok(Ok(()))
    }
}
