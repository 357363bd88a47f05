//! A render as Creatomate represents it, and the requests for renders.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use crate::calls::CallOutcome;
use crate::options::OptionKinds;
use crate::video::{self, Video};

pub(crate) const KINDS: OptionKinds =
    OptionKinds { flags: &["fail", "webhook", "shared_video", "early_url"], texts: &["error_message"], lists: &[] };

/// How Creatomate behaves; a `template_id` can set the first six for one render.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Duration of a render.
    pub render_ms: Option<u64>,
    /// The render fails.
    pub fail: bool,
    pub error_message: Option<String>,
    /// False: the webhook is never sent.
    pub webhook: Option<bool>,
    /// The render returns the video that all such renders share.
    pub shared_video: Option<bool>,
    /// `url` is present from the start, as Creatomate's documentation says, but the file does not exist before success.
    pub early_url: bool,
    /// Status of GETs of a render.
    pub status: Option<u16>,
    /// Only this many GETs have that status.
    pub times: Option<u64>,
    /// Delay of GETs of a render, in milliseconds.
    pub get_ms: Option<u64>,
    /// Status of POSTs of a render.
    pub post_status: Option<u16>,
    /// Only this many POSTs have that status.
    pub post_times: Option<u64>,
}

/// The statuses of a render, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Planned,
    Waiting,
    Transcribing,
    Rendering,
    Succeeded,
    Failed,
}

/// The versions of Creatomate's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// The request for one render.
#[derive(Clone, Debug)]
pub(crate) struct RenderRequest {
    pub template_id: Option<String>,
    tags: Vec<String>,
    modifications: Option<Map<String, Value>>,
    pub webhook_url: Option<String>,
    metadata: Option<String>,
    pub title: String,
}

impl RenderRequest {
    /// Parses a body: it requests one render, or with v1's tags one for each.
    ///
    /// # Errors
    /// The hint of the 400 response.
    pub(crate) fn parse(body: &[u8], version: Version) -> Result<Vec<Self>, String> {
        let body: Map<String, Value> =
            serde_json::from_slice(body).map_err(|error| format!("The request body must be a JSON object: {error}"))?;
        let template_id = text(&body, "template_id")?;
        let tags = tags(&body)?;
        let source = match body.get("source") {
            Some(source) => Some(source.clone()),
            None if version == Version::V2 && body.contains_key("elements") => Some(Value::Object(body.clone())),
            None => None,
        };
        if source.as_ref().is_some_and(|source| !source.is_object()) {
            return Err("The parameter 'source' must be an object.".to_owned());
        }
        let given = [template_id.is_some(), source.is_some(), !tags.is_empty()];
        if given.into_iter().filter(|given| *given).count() != 1 {
            return Err("Provide one of 'template_id', 'source' and 'tags'.".to_owned());
        }
        let output =
            text(&body, "output_format")?.or_else(|| Some(source.as_ref()?.get("output_format")?.as_str()?.to_owned()));
        if output.is_some_and(|format| format != "mp4") {
            return Err("'output_format' must be 'mp4': the mock service renders nothing else.".to_owned());
        }
        let modifications = match body.get("modifications") {
            None | Some(Value::Null) => None,
            Some(Value::Object(map)) => Some(map.clone()),
            Some(_) => return Err("The parameter 'modifications' must be an object.".to_owned()),
        };
        let title = modifications
            .as_ref()
            .and_then(title_in_modifications)
            .or_else(|| source.as_ref().and_then(title_in_source))
            .or_else(|| template_id.clone())
            .unwrap_or_default();
        let request = Self {
            template_id,
            tags: Vec::new(),
            modifications,
            webhook_url: text(&body, "webhook_url")?,
            metadata: text(&body, "metadata")?,
            title,
        };
        if tags.is_empty() {
            return Ok(vec![request]);
        }
        let of_tag = |tag: String| Self {
            template_id: Some(format!("template-{tag}")),
            title: request.title.clone(),
            tags: vec![tag],
            ..request.clone()
        };
        Ok(tags.into_iter().map(of_tag).collect())
    }
}

fn text(body: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("The parameter '{name}' must be a string.")),
    }
}

fn tags(body: &Map<String, Value>) -> Result<Vec<String>, String> {
    let wrong = || "The parameter 'tags' must be an array of strings.".to_owned();
    match body.get("tags") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(tags)) => tags.iter().map(|tag| tag.as_str().map(str::to_owned).ok_or_else(wrong)).collect(),
        Some(_) => Err(wrong()),
    }
}

fn title_in_modifications(modifications: &Map<String, Value>) -> Option<String> {
    let texts = || {
        modifications
            .iter()
            .filter_map(|(name, value)| Some((name, value.as_str()?)))
            .filter(|(_, text)| !text.starts_with("http"))
    };
    texts()
        .find(|(name, _)| name.to_lowercase().contains("title"))
        .or_else(|| texts().next())
        .map(|(_, text)| text.to_owned())
}

/// The text of the first text element at any depth.
fn title_in_source(source: &Value) -> Option<String> {
    if source.get("type").is_some_and(|kind| kind == "text") {
        return source.get("text")?.as_str().map(str::to_owned);
    }
    let elements = source.get("elements")?.as_array()?;
    elements.iter().find_map(title_in_source)
}

#[derive(Debug)]
struct State {
    status: Status,
    error_message: Option<String>,
    video: Option<Video>,
    webhook: Option<CallOutcome>,
}

/// One render.
pub(crate) struct Render {
    pub id: String,
    pub request: RenderRequest,
    pub settings: Settings,
    url: String,
    state: Mutex<State>,
    /// True after the webhook was sent, or dropped because of the settings.
    pub webhook_attempted: watch::Sender<bool>,
}

impl Render {
    /// A new render; `base_url` is the base of its file's URL.
    pub(crate) fn new(request: RenderRequest, settings: Settings, base_url: &str) -> Self {
        let id = Uuid::new_v4().to_string();
        Self {
            url: format!("{base_url}/files/{id}.mp4"),
            id,
            request,
            settings,
            state: Mutex::new(State { status: Status::Planned, error_message: None, video: None, webhook: None }),
            webhook_attempted: watch::Sender::new(false),
        }
    }

    pub(crate) fn set_status(&self, status: Status) {
        self.state().status = status;
    }

    pub(crate) fn end(&self, video: Result<Video, String>) {
        let mut state = self.state();
        match video {
            Ok(video) => {
                state.status = Status::Succeeded;
                state.video = Some(video);
            }
            Err(error) => {
                state.status = Status::Failed;
                state.error_message = Some(error);
            }
        }
    }

    pub(crate) fn webhook_ended(&self, outcome: Option<CallOutcome>) {
        self.state().webhook = outcome;
        self.webhook_attempted.send_replace(true);
    }

    /// The render object of Creatomate's API.
    pub(crate) fn to_json(&self) -> Value {
        let state = self.state();
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| {
            object.insert(name.to_owned(), value);
        };
        put("id", json!(self.id));
        put("status", json!(state.status));
        if let Some(error) = &state.error_message {
            put("error_message", json!(error));
        }
        if state.video.is_some() || self.settings.early_url {
            put("url", json!(self.url));
        }
        if let Some(template_id) = &self.request.template_id {
            put("template_id", json!(template_id));
            put("template_name", json!("Studio"));
            put("template_tags", json!(self.request.tags));
        }
        put("output_format", json!("mp4"));
        put("render_scale", json!(1));
        if let Some(video) = &state.video {
            put("width", json!(video::WIDTH));
            put("height", json!(video::HEIGHT));
            put("frame_rate", json!(video::FRAME_RATE));
            put("duration", json!(video::SECONDS));
            put("file_size", json!(video.file_size));
        }
        if let Some(modifications) = &self.request.modifications {
            put("modifications", json!(modifications));
        }
        if let Some(webhook_url) = &self.request.webhook_url {
            put("webhook_url", json!(webhook_url));
        }
        if let Some(metadata) = &self.request.metadata {
            put("metadata", json!(metadata));
        }
        Value::Object(object)
    }

    /// For people and tests: without the webhook's URL, which may contain a token, but with the webhook's outcome.
    pub(crate) fn summary(&self) -> Value {
        let mut object = self.to_json();
        object["webhook_url"] = json!(self.request.webhook_url.is_some());
        object["webhook"] = json!(self.state().webhook);
        object
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: Value, version: Version) -> Result<Vec<RenderRequest>, String> {
        RenderRequest::parse(body.to_string().as_bytes(), version)
    }

    fn check_hint(body: Value, expected: &str) {
        assert_eq!(parse(body, Version::V1).unwrap_err(), expected);
    }

    #[test]
    fn an_invalid_request_gets_a_hint() {
        check_hint(json!({}), "Provide one of 'template_id', 'source' and 'tags'.");
        check_hint(json!({"template_id": "a", "source": {}}), "Provide one of 'template_id', 'source' and 'tags'.");
        check_hint(json!({"template_id": "a", "metadata": {"job": 1}}), "The parameter 'metadata' must be a string.");
        check_hint(
            json!({"source": {"output_format": "gif"}}),
            "'output_format' must be 'mp4': the mock service renders nothing else.",
        );
    }

    #[test]
    fn each_tag_is_a_render() {
        let renders = parse(json!({"tags": ["a", "b"]}), Version::V1).unwrap();
        assert_eq!(renders.len(), 2);
        assert_eq!(renders[1].template_id.as_deref(), Some("template-b"));
    }

    #[test]
    fn the_title_is_found_in_modifications_template_and_elements() {
        let check = |body: Value, expected: &str| {
            assert_eq!(parse(body, Version::V2).unwrap()[0].title, expected);
        };
        let modifications = json!({"Video": "https://a/b.mp4", "Text-1": "no", "Title": "yes"});
        check(json!({"template_id": "t", "modifications": modifications}), "yes");
        check(json!({"template_id": "t"}), "t");
        let scene = json!({"type": "composition", "elements": [{"type": "text", "text": "deep"}]});
        check(json!({"output_format": "mp4", "elements": [scene]}), "deep");
    }
}
