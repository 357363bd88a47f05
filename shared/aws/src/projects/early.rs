//! Callbacks that came before a project knew their scene or their task: rows of the Counters table.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_app::projects::store::{EarlyCallback, EarlyCallbacks};
use reelhook_app::store::StoreError;
use reelhook_domain::projects::task::Stage;
use reelhook_domain::{ProjectId, RenderId, SceneId, Timestamp};

use crate::batch::get_all;
use crate::errors::store_error;
use crate::items::{Item, is_expired, json, n, read, s};
use crate::jobs::counters::{ALONE, CounterTable};

/// Seconds for which a callback is kept.
const KEPT_S: i64 = 3600;
/// The stages whose callbacks name a scene.
const OF_SCENES: [Stage; 2] = [Stage::Video, Stage::Frame];

#[async_trait]
impl EarlyCallbacks for CounterTable {
    async fn park(&self, callback: &EarlyCallback, ends: bool) -> Result<(), StoreError> {
        let about = match callback.stage {
            stage @ (Stage::Video | Stage::Frame) => callback.scene.as_ref().map(|scene| of_scene(stage, scene)),
            Stage::Stitch => callback.project.as_ref().map(of_stitch),
        };
        let task = callback.task.as_ref().map(|task| of_task(callback.stage, task));
        for partition in about.into_iter().chain(task) {
            self.put_early(partition, callback, ends).await?;
        }
        Ok(())
    }

    async fn parked(
        &self,
        stitch: Option<&ProjectId>,
        scenes: &[SceneId],
        tasks: &[(Stage, RenderId)],
        now: Timestamp,
    ) -> Result<Vec<EarlyCallback>, StoreError> {
        let operation = "read early callbacks";
        let of_scenes = scenes.iter().flat_map(|scene| OF_SCENES.map(|stage| of_scene(stage, scene)));
        let of_tasks = tasks.iter().map(|(stage, task)| of_task(*stage, task));
        let partitions: BTreeSet<String> = stitch.map(of_stitch).into_iter().chain(of_scenes).chain(of_tasks).collect();
        let keys: Vec<Item> = partitions
            .into_iter()
            .map(|partition| [("pk".to_owned(), s(partition)), ("sk".to_owned(), s(ALONE))].into())
            .collect();
        let found = get_all(operation, self.client(), self.name(), "pk", &keys).await?;
        let mut callbacks: Vec<EarlyCallback> = Vec::new();
        for item in found.values().filter(|item| !is_expired(item, now)) {
            let callback: EarlyCallback = read(operation, item, "body")?;
            // A callback is kept under its scene or project, and under its task.
            if !callbacks.contains(&callback) {
                callbacks.push(callback);
            }
        }
        callbacks.sort_by_key(|callback| callback.at);
        Ok(callbacks)
    }
}

impl CounterTable {
    async fn put_early(&self, partition: String, callback: &EarlyCallback, ends: bool) -> Result<(), StoreError> {
        let put = self
            .client()
            .put_item()
            .table_name(self.name())
            .item("pk", s(&partition))
            .item("sk", s(ALONE))
            .item("body", json(callback))
            .item("final", AttributeValue::Bool(ends))
            .item("expires_at", n(callback.at.seconds() + KEPT_S))
            .condition_expression("attribute_not_exists(pk) OR expires_at <= :now OR #final <> :true OR :final = :true")
            .expression_attribute_names("#final", "final")
            .expression_attribute_values(":final", AttributeValue::Bool(ends))
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":now", n(callback.at.seconds()));
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(error.as_service_error(), Some(PutItemError::ConditionalCheckFailedException(_))) =>
            {
                tracing::info!(partition, "an early callback was dropped, one that ends the task is kept");
                Ok(())
            }
            Err(error) => Err(store_error("keep early callback", error)),
        }
    }
}

fn of_scene(stage: Stage, scene: &SceneId) -> String {
    format!("early#{}#scene#{scene}", stage.name())
}

fn of_stitch(project: &ProjectId) -> String {
    format!("early#{}#project#{project}", Stage::Stitch.name())
}

fn of_task(stage: Stage, task: &RenderId) -> String {
    format!("early#{}#task#{task}", stage.name())
}
