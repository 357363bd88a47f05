//! Finding a project by the id of a scene or of a task: rows of the Counters table.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use futures_util::{StreamExt, TryStreamExt};
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::projects::lookup::{Lookup, SceneOwner};
use reelhook_app::projects::store::Lookups;
use reelhook_app::store::StoreError;
use reelhook_domain::projects::task::{Stage, TaskRef};
use reelhook_domain::{ProjectId, RenderId, SceneId, Timestamp};

use crate::errors::store_error;
use crate::items::{Item, is_expired, n, s, text, ttl};
use crate::jobs::counters::{ALONE, CounterTable};
use crate::start::SystemClock;

/// Days for which a row is kept: longer than a task can run and an ended project is kept.
const DAYS: i64 = 60;
/// Rows that are written concurrently.
const WRITES_AT_ONCE: usize = 8;

#[async_trait]
impl Lookups for CounterTable {
    async fn remember(&self, lookups: &[Lookup]) -> Result<(), StoreError> {
        let now = SystemClock.now();
        let writes = lookups.iter().map(|lookup| self.put_lookup(lookup, now)).collect::<Vec<_>>();
        futures_util::stream::iter(writes).buffer_unordered(WRITES_AT_ONCE).try_collect::<Vec<()>>().await?;
        Ok(())
    }

    async fn of_scene(&self, scene: &SceneId) -> Result<Option<SceneOwner>, StoreError> {
        let item = self.lookup("find project of scene", &of_scene(scene)).await?;
        Ok(item.as_ref().and_then(owner))
    }

    async fn of_task(&self, stage: Stage, id: &RenderId) -> Result<Option<(ProjectId, TaskRef)>, StoreError> {
        let item = self.lookup("find project of task", &of_task(stage, id)).await?;
        let found = item.as_ref().and_then(|item| Some((project(item)?, TaskRef::parse(text(item, "task")?)?)));
        Ok(found)
    }
}

impl CounterTable {
    async fn lookup(&self, operation: &'static str, pk: &str) -> Result<Option<Item>, StoreError> {
        let item = self.get(operation, pk, ALONE).await?;
        Ok(item.filter(|item| !is_expired(item, SystemClock.now())))
    }

    /// Writes a row unless there is one. The row of a scene that another project has says so from then on.
    async fn put_lookup(&self, lookup: &Lookup, now: Timestamp) -> Result<(), StoreError> {
        let put = self
            .client()
            .put_item()
            .table_name(self.name())
            .set_item(Some(lookup_item(lookup, now)))
            .condition_expression("attribute_not_exists(pk) OR expires_at <= :now")
            .expression_attribute_values(":now", n(now.seconds()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let known = match put.send().await {
            Ok(_) => None,
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => failed.item().and_then(project),
                _ => return Err(store_error("remember project", error)),
            },
        };
        match (lookup, known) {
            (Lookup::Scene { scene, project }, Some(known)) if known != *project => self.share(scene, now).await,
            _ => Ok(()),
        }
    }

    /// Notes that several projects have a scene with this id, for as long as the row of the last of them would be kept.
    async fn share(&self, scene: &SceneId, now: Timestamp) -> Result<(), StoreError> {
        let update = self
            .client()
            .update_item()
            .table_name(self.name())
            .key("pk", s(of_scene(scene)))
            .key("sk", s(ALONE))
            .update_expression("SET several = :true, expires_at = :expires")
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":expires", ttl(now, DAYS));
        update.send().await.map(drop).map_err(|error| store_error("share id of scene", error))
    }
}

fn lookup_item(lookup: &Lookup, now: Timestamp) -> Item {
    let (pk, project, task) = match lookup {
        Lookup::Scene { scene, project } => (of_scene(scene), project, None),
        Lookup::Task { stage, id, project, task } => (of_task(*stage, id), project, Some(task)),
    };
    let row = [("pk", s(pk)), ("sk", s(ALONE)), ("project", s(project.as_str())), ("expires_at", ttl(now, DAYS))];
    let task = task.map(|task| ("task", s(task.to_string())));
    row.into_iter().chain(task).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn owner(item: &Item) -> Option<SceneOwner> {
    if item.contains_key("several") { Some(SceneOwner::Several) } else { project(item).map(SceneOwner::One) }
}

fn project(item: &Item) -> Option<ProjectId> {
    ProjectId::parse(text(item, "project")?).ok()
}

fn of_scene(scene: &SceneId) -> String {
    format!("scene#{scene}")
}

fn of_task(stage: Stage, id: &RenderId) -> String {
    format!("task#{}#{id}", stage.name())
}
