//! Describes the names and ids of projects, scenes and their states.

use std::borrow::Cow;

use reelhook_domain::projects::project::ProjectStatus;
use reelhook_domain::projects::scene::{SceneKind, SceneStatus};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// Declares types that describe texts.
macro_rules! texts {
    ($( $(#[$about:meta])* $name:ident, $schema_name:literal, $schema:expr; )+) => { $(
        $(#[$about])*
        #[derive(Debug)]
        pub struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $schema_name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )+ };
}

texts! {
    /// Describes the id of a project.
    ProjectIdText, "ProjectId", json_schema!({
        "type": "string",
        "description": "`proj_` and a text of the client's, or `proj_<unix ms>_<random>`",
        "pattern": "^proj_[A-Za-z0-9_.-]{1,75}$",
        "examples": ["proj_1704110400000_5f0c2b7e9d134a6688e1c07ab2d94f31"],
    });
    /// Describes the id of a scene.
    SceneIdText, "SceneId", json_schema!({
        "type": "string",
        "description": "The client's id, or `scene_<random>`",
        "pattern": "^[A-Za-z0-9_.-]{1,80}$",
        "examples": ["scene_5f0c2b7e9d134a6688e1c07ab2d94f31"],
    });
    /// Describes the number of a scene.
    SceneNumberText, "SceneNumber", json_schema!({
        "type": "string",
        "description": "Unique in a project",
        "pattern": "^[A-Za-z0-9_.-]{1,20}$",
        "examples": ["2", "002a"],
    });
    /// Describes the status of a project.
    ProjectStatusText, "ProjectStatus", json_schema!({
        "type": "string",
        "description": "`generating`: its scenes are being generated; `stitching`: they are being joined",
        "enum": ProjectStatus::ALL.iter().map(|status| status.name()).collect::<Vec<_>>(),
    });
    /// Describes where a project stands between commands.
    PhaseText, "ProjectPhase", json_schema!({
        "type": "string",
        "description": "`running`: its scenes are generated or stitched",
        "enum": ["draft", "running", "completed", "failed", "cancelled"],
    });
    /// Describes the status of a scene.
    SceneStatusText, "SceneStatus", json_schema!({
        "type": "string",
        "description": "`generated`: the video is there; `verified`: the last frame, too; `approved` counts as \
                        `verified`, `revision` as `ready` for another attempt",
        "enum": SceneStatus::ALL.iter().map(|status| status.name()).collect::<Vec<_>>(),
    });
    /// Describes how a scene is generated.
    SceneKindText, "SceneType", json_schema!({
        "type": "string",
        "description": "`image-to-video` and `first-last-frame` start from a first frame, which the scene before \
                        supplies if the client does not; `composite-to-video` needs images",
        "enum": SceneKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>(),
    });
}
