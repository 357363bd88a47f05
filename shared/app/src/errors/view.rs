//! An error as the API, live updates and webhooks show it (docs/contract/errors.md).

use std::borrow::Cow;

use reelhook_domain::Timestamp;
use reelhook_domain::errors::cause::{Cause, ErrorType, Raise, RetryOf, Severity};
use reelhook_domain::errors::error::ErrorRow;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::views::wire::Time;

/// Declares types that describe names of the domain.
macro_rules! names {
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

names! {
    /// Describes the id of an error.
    ErrorIdText, "ErrorId", json_schema!({
        "type": "string",
        "description": "`err_<unix ms>_<7 base36 digits>`",
        "pattern": "^err_[0-9]+_[0-9a-z]{7}$",
        "examples": ["err_1704110400000_0a1b2c3"],
    });
    /// Describes the type of an error.
    ErrorTypeText, "ErrorType", json_schema!({
        "type": "string",
        "description": "`success` is no error: something went well",
        "enum": ErrorType::ALL.iter().map(|one| one.name()).collect::<Vec<_>>(),
    });
    /// Describes the severity of an error.
    SeverityText, "Severity", json_schema!({
        "type": "string",
        "description": "The most severe first",
        "enum": Severity::ALL.iter().map(|one| one.name()).collect::<Vec<_>>(),
    });
    /// Describes the cause of an error.
    CauseText, "ErrorCause", json_schema!({
        "type": "string",
        "description": "One cause has one error about one subject; new causes may be added",
        "enum": Cause::ALL.iter().map(|one| one.name()).collect::<Vec<_>>(),
    });
}

/// An error of the errors API.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RaisedError")]
pub struct ErrorView<'a> {
    /// The id.
    #[schemars(with = "ErrorIdText")]
    id: &'a str,
    /// The type.
    #[schemars(with = "ErrorTypeText")]
    r#type: ErrorType,
    /// The severity.
    #[schemars(with = "SeverityText")]
    severity: Severity,
    /// The cause.
    #[schemars(with = "CauseText")]
    cause: Cause,
    /// The newest sentence.
    message: &'a str,
    /// The newest facts: `project_id`, `scene_id`, `task_id`, `error` and others. Texts of other systems are among them.
    #[schemars(with = "Map<String, Value>")]
    context: &'a Map<String, Value>,
    /// When it was last raised.
    timestamp: Time,
    /// Whether people can dismiss it. A fault of Reelhook itself stays until it is repaired.
    dismissible: bool,
    /// Whether a person dismissed it, or it dismissed itself.
    dismissed: bool,
    /// When it was dismissed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    dismissed_at: Option<Time>,
    /// After how many milliseconds it dismisses itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    auto_dismiss_ms: Option<u64>,
    /// When it dismisses itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    expires_at: Option<Time>,
    /// How often it was raised.
    #[schemars(range(min = 1))]
    occurrences: u64,
    /// When it was first raised.
    first_seen: Time,
    /// When it was last raised.
    last_seen: Time,
    /// When its cause ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    resolved_at: Option<Time>,
    /// A call that may end its cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ErrorAction")]
    action: Option<ErrorAction>,
}

/// A call of this API that may end the cause of an error.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ErrorAction {
    /// The method.
    method: &'static str,
    /// The path.
    #[schemars(extend("examples" = [
        "/api/v1/projects/proj_1/retry",
        "/api/ai-clipping-agent/jobs/550e8400-e29b-41d4-a716-446655440000/retry",
    ]))]
    path: String,
    /// A label for a button.
    label: &'static str,
    /// The body; absent if it is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "RetryBody")]
    body: Option<RetryBody>,
}

/// The body of a retry.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
struct RetryBody {
    /// The scene.
    scene_id: String,
}

impl<'a> ErrorView<'a> {
    /// An error as it is shown at `now`.
    pub fn new(error: &'a ErrorRow, now: Timestamp) -> Self {
        let dismissed_at = error.dismissed_at(now);
        let wait = error.cause.auto_dismiss();
        Self {
            id: &error.id,
            r#type: error.cause.error_type(),
            severity: error.cause.severity(),
            cause: error.cause,
            message: &error.message,
            context: &error.context,
            timestamp: error.last_seen.into(),
            dismissible: error.cause.is_dismissible(),
            dismissed: dismissed_at.is_some(),
            dismissed_at: dismissed_at.map(Time),
            auto_dismiss_ms: wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            expires_at: error.dismisses_itself_at().map(Time),
            occurrences: error.occurrences,
            first_seen: error.first_seen.into(),
            last_seen: error.last_seen.into(),
            resolved_at: error.resolved_at.map(Time),
            action: action(error),
        }
    }
}

/// The retry of what failed, as long as it has not ended.
fn action(error: &ErrorRow) -> Option<ErrorAction> {
    if error.resolved_at.is_some() {
        return None;
    }
    let (path, body) = match error.cause.retry()? {
        RetryOf::Project => {
            let body = fact(error, "scene_id").map(|scene| RetryBody { scene_id: scene.to_owned() });
            (format!("/api/v1/projects/{}/retry", fact(error, "project_id")?), body)
        }
        RetryOf::ClipJob => (format!("/api/ai-clipping-agent/jobs/{}/retry", fact(error, "job_id")?), None),
    };
    Some(ErrorAction { method: "POST", path, label: "Retry", body })
}

/// A fact that is an id and may stand in a path.
fn fact<'a>(error: &'a ErrorRow, name: &str) -> Option<&'a str> {
    let text = error.context.get(name)?.as_str()?;
    let is_id = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    is_id.then_some(text)
}

/// The data of a webhook about an error. New members may be added.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ErrorEventData<'a> {
    /// The id of the error.
    #[schemars(with = "ErrorIdText")]
    error_id: &'a str,
    /// The project that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    project_id: Option<&'a str>,
    /// The scene that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    scene_id: Option<&'a str>,
    /// Its newest sentence.
    message: &'a str,
    /// The whole error.
    details: ErrorView<'a>,
}

impl<'a> ErrorEventData<'a> {
    /// The data of an event about this error.
    pub fn new(error: &'a ErrorRow, now: Timestamp) -> Self {
        Self {
            error_id: &error.id,
            project_id: fact(error, "project_id"),
            scene_id: fact(error, "scene_id"),
            message: &error.message,
            details: ErrorView::new(error, now),
        }
    }
}

/// An example of an error.
pub(crate) fn example(at: Timestamp) -> ErrorRow {
    let context = [("project_id", "proj_1704110400000_5f0c2b7e"), ("scene_id", "scene_1"), ("error", "out of memory")];
    ErrorRow::raised(
        &Raise {
            cause: Cause::VideoFailed,
            about: "proj_1704110400000_5f0c2b7e/scene_1".to_owned(),
            message: "Video generation failed: out of memory".to_owned(),
            context: context.into_iter().map(|(name, text)| (name.to_owned(), Value::from(text))).collect(),
        },
        at,
        at,
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    const NOON: Timestamp = Timestamp(1_704_110_400_000);

    fn error(cause: Cause, context: &Value) -> ErrorRow {
        let context = context.as_object().cloned().unwrap_or_default();
        let raise = Raise { cause, about: "proj_1/scene_1".to_owned(), message: "It failed".to_owned(), context };
        ErrorRow::raised(&raise, NOON, NOON)
    }

    #[test]
    fn an_error_has_the_members_of_the_contract_in_order() {
        let error = error(Cause::VideoFailed, &json!({ "project_id": "proj_1", "scene_id": "scene_1" }));
        let expected = format!(
            r#"{{"id":"{}","type":"generation","severity":"error","cause":"video_failed","message":"It failed","context":{{"project_id":"proj_1","scene_id":"scene_1"}},"timestamp":"2024-01-01T12:00:00.000Z","dismissible":true,"dismissed":false,"occurrences":1,"firstSeen":"2024-01-01T12:00:00.000Z","lastSeen":"2024-01-01T12:00:00.000Z","action":{{"method":"POST","path":"/api/v1/projects/proj_1/retry","label":"Retry","body":{{"sceneId":"scene_1"}}}}}}"#,
            error.id
        );
        assert_eq!(json!(ErrorView::new(&error, NOON)).to_string(), expected);
    }

    #[test]
    fn an_action_exists_only_where_a_retry_may_help() {
        let ids = json!({ "project_id": "proj_1" });
        let path = |error: &ErrorRow| action(error).map(|action| action.path);
        assert_eq!(path(&error(Cause::StitchFailed, &ids)).as_deref(), Some("/api/v1/projects/proj_1/retry"));
        assert_eq!(path(&error(Cause::NotificationFailed, &ids)), None);
        assert_eq!(path(&error(Cause::StitchFailed, &json!({}))), None);
        assert_eq!(path(&error(Cause::StitchFailed, &json!({ "project_id": "../x" }))), None);
        let later = NOON.after(Duration::from_secs(1));
        let resolved = error(Cause::StitchFailed, &ids).resolved(later, later).unwrap();
        assert_eq!(path(&resolved), None);
    }

    #[test]
    fn the_action_of_a_failed_clip_job_is_its_retry() {
        let context = json!({ "job_id": "550e8400-e29b-41d4-a716-446655440000", "attempt": 1, "error": "no sound" });
        let failed = error(Cause::ClipsFailed, &context);
        let expected = json!({
            "method": "POST", "path": "/api/ai-clipping-agent/jobs/550e8400-e29b-41d4-a716-446655440000/retry",
            "label": "Retry",
        });
        assert_eq!(json!(action(&failed)), expected);
        let later = NOON.after(Duration::from_secs(1));
        assert_eq!(action(&failed.resolved(later, later).unwrap()), None);
        for context in [json!({}), json!({ "job_id": "../x" }), json!({ "project_id": "proj_1" })] {
            assert_eq!(action(&error(Cause::ClipsFailed, &context)), None, "{context}");
        }
        assert_eq!(action(&error(Cause::ClipFileUnusable, &context)), None, "a job that succeeded is not retried");
    }

    #[test]
    fn a_success_says_when_it_leaves() {
        let shown = |seconds: u64| {
            json!(ErrorView::new(&error(Cause::ProjectCompleted, &json!({})), NOON.after(Duration::from_secs(seconds))))
        };
        let fresh = shown(4);
        assert_eq!((&fresh["dismissed"], &fresh["autoDismissMs"]), (&json!(false), &json!(5000)));
        assert_eq!(fresh["expiresAt"], "2024-01-01T12:00:05.000Z");
        let gone = shown(5);
        assert_eq!((&gone["dismissed"], &gone["dismissedAt"]), (&json!(true), &json!("2024-01-01T12:00:05.000Z")));
    }

    #[test]
    fn a_fault_of_our_own_can_t_be_dismissed() {
        let shown = json!(ErrorView::new(&error(Cause::LostKey, &json!({})), NOON));
        assert_eq!((&shown["dismissible"], &shown["severity"]), (&json!(false), &json!("critical")));
    }

    #[test]
    fn the_data_of_a_webhook_names_error_project_and_scene() {
        let failed = error(Cause::VideoFailed, &json!({ "project_id": "proj_1", "scene_id": "scene_1" }));
        let data = json!(ErrorEventData::new(&failed, NOON));
        assert_eq!((&data["error_id"], &data["details"]["id"]), (&json!(failed.id), &json!(failed.id)));
        assert_eq!((&data["project_id"], &data["scene_id"]), (&json!("proj_1"), &json!("scene_1")));
        let of_queue = json!(ErrorEventData::new(&error(Cause::DeadLetters, &json!({})), NOON));
        assert_eq!(of_queue.get("project_id"), None);
    }
}
