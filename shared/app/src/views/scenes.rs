//! The scenes' view: projects, their scenes and takes, live events and webhook data (docs/contract/scenes.md; seed
//! 003).

mod live;
mod names;
mod project;
mod scene;
mod urls;
mod webhook;

use reelhook_domain::projects::project::Project;
use reelhook_domain::{Live, OutboundEvent, Subject, Timestamp};
use serde_json::{Value, json};

pub use self::live::{ProjectEventSource, ProjectStreamEvent};
pub use self::names::{
    PhaseText, ProjectIdText, ProjectStatusText, SceneIdText, SceneKindText, SceneNumberText, SceneStatusText,
};
pub use self::project::{ListedProject, ProjectHead, ProjectView, dollars, listed, project, slug};
pub use self::scene::{SceneView, TakeView, scene};
pub use self::urls::{Shown, Texts};
pub use self::webhook::{ProjectData, SceneData};
use super::streamgank::StreamGank;
use super::view::{View, WebhookView};
use crate::files::links::FileLinks;
use crate::outbox::rows::{LiveRow, LogLine};
use crate::views::dialect::Dialect;

/// The scenes' view.
#[derive(Debug, Clone, Copy)]
pub struct Scenes;

impl View for Scenes {
    fn dialect(&self) -> Dialect {
        Dialect::Scenes
    }

    fn log_line(&self, line: &LogLine) -> Value {
        StreamGank.log_line(line)
    }

    fn live_event(&self, of: &Subject, row: &LiveRow, event: &Live) -> Value {
        row.snapshot.project().map_or(Value::Null, |project| json!(live::event(of, row.at, project, event)))
    }

    fn connected(&self, of: &Subject, now: Timestamp) -> Value {
        json!(ProjectStreamEvent::connected(of, now))
    }

    fn heartbeat(&self, of: &Subject, now: Timestamp) -> Value {
        json!(ProjectStreamEvent::heartbeat(of, now))
    }
}

impl WebhookView<Project> for Scenes {
    fn webhook_data(
        &self,
        of: &Project,
        event: OutboundEvent,
        about: Option<&str>,
        at: Timestamp,
        links: FileLinks<'_>,
    ) -> Value {
        match about.and_then(|id| of.scenes.iter().find(|scene| scene.id.as_str() == id)) {
            Some(scene) => json!(webhook::of_scene(of, scene, event, at, links)),
            None => json!(webhook::of_project(of, at, links)),
        }
    }
}
