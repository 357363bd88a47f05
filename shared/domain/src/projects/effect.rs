//! Effects that only projects have, beside those that all aggregates share.

use serde::{Deserialize, Serialize};

use crate::RenderId;
use crate::projects::task::Stage;

/// An effect of a change of a project. The stored `kind` names it and the version of its form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum ProjectEffect {
    /// Send the launcher a hint that tasks of the project are to be submitted, looked up or polled.
    #[serde(rename = "tasks.v1")]
    Tasks {
        /// Not before so many seconds.
        delay_s: u32,
    },
    /// Send the launcher a hint that scenes wait for slots.
    #[serde(rename = "start_scenes.v1")]
    StartScenes {
        /// Not before so many seconds.
        delay_s: u32,
    },
    /// Free a slot of the scenes' admission item, and send a hint to start something.
    #[serde(rename = "free_scene_slot.v1")]
    FreeSlot {
        /// The slot's key in the admission item.
        slot: String,
    },
    /// Remember which project has these scenes, so that an id alone finds it, and apply callbacks that came before.
    #[serde(rename = "index_scenes.v1")]
    IndexScenes {
        /// The ids of the scenes.
        scenes: Vec<String>,
    },
    /// Remember which task a service's id names, and apply callbacks that came before.
    #[serde(rename = "index_task.v1")]
    IndexTask {
        /// The stage.
        stage: Stage,
        /// The service's id.
        id: RenderId,
        /// The task's text.
        task: String,
    },
    /// Cancel a task at its service.
    #[serde(rename = "cancel_task.v1")]
    CancelTask {
        /// The stage.
        stage: Stage,
        /// The service's id.
        id: RenderId,
    },
}

impl ProjectEffect {
    /// The stored kinds.
    pub(crate) const KINDS: [&str; 6] =
        ["tasks.v1", "start_scenes.v1", "free_scene_slot.v1", "index_scenes.v1", "index_task.v1", "cancel_task.v1"];
}
