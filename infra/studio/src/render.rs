//! A render as Creatomate shows it, and the requests that ask for one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use crate::calls::Answer;
use crate::options::Kinds;
use crate::video::{self, Video};

pub(crate) const KINDS: Kinds =
    Kinds { flags: &["fail", "webhook", "shared_video", "early_url"], texts: &["error_message"], lists: &[] };

/// How Creatomate behaves; the first six may also stand in a `template_id`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// How long a render takes.
    pub render_ms: Option<u64>,
    /// It ends as failed.
    pub fail: bool,
    pub error_message: Option<String>,
    /// False: its webhook is never sent.
    pub webhook: Option<bool>,
    /// It gets the video that all such renders share.
    pub shared_video: Option<bool>,
    /// `url` is there from the start, as the vendor's page says, and leads nowhere before success.
    pub early_url: bool,
    /// GETs of a render answer this status.
    pub status: Option<u16>,
    /// Only the first so many GETs.
    pub times: Option<u64>,
    /// GETs of a render are answered after so many milliseconds.
    pub get_ms: Option<u64>,
    /// POSTs of a render answer this status.
    pub post_status: Option<u16>,
    /// Only the first so many POSTs.
    pub post_times: Option<u64>,
}

/// The statuses that studio goes through.
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

/// Which of the vendor's two interfaces is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// What one render was asked to be.
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
    /// The renders that this body asks for: one, or one for each of v1's tags.
    ///
    /// # Errors
    /// The hint for a 400.
    pub(crate) fn parse(body: &[u8], version: Version) -> Result<Vec<Self>, String> {
        let body: Map<String, Value> = serde_json::from_slice(body)
            .map_err(|error| format!("The request body has to be a JSON object: {error}"))?;
        let template_id = text(&body, "template_id")?;
        let tags = tags(&body)?;
        let source = match body.get("source") {
            Some(source) => Some(source.clone()),
            None if version == Version::V2 && body.contains_key("elements") => Some(Value::Object(body.clone())),
            None => None,
        };
        if source.as_ref().is_some_and(|source| !source.is_object()) {
            return Err("The parameter 'source' has to be an object.".to_owned());
        }
        let given = [template_id.is_some(), source.is_some(), !tags.is_empty()];
        if given.into_iter().filter(|given| *given).count() != 1 {
            return Err("Provide one of 'template_id', 'source' and 'tags'.".to_owned());
        }
        let output =
            text(&body, "output_format")?.or_else(|| Some(source.as_ref()?.get("output_format")?.as_str()?.to_owned()));
        if output.is_some_and(|format| format != "mp4") {
            return Err("Studio's stand-in renders mp4 only.".to_owned());
        }
        let modifications = match body.get("modifications") {
            None | Some(Value::Null) => None,
            Some(Value::Object(map)) => Some(map.clone()),
            Some(_) => return Err("The parameter 'modifications' has to be an object.".to_owned()),
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
        Some(_) => Err(format!("The parameter '{name}' has to be a string.")),
    }
}

fn tags(body: &Map<String, Value>) -> Result<Vec<String>, String> {
    let wrong = || "The parameter 'tags' has to be an array of strings.".to_owned();
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

/// The first text element, however deep.
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
    webhook: Option<Answer>,
}

/// One render.
pub(crate) struct Render {
    pub id: String,
    pub request: RenderRequest,
    pub settings: Settings,
    url: String,
    state: Mutex<State>,
    /// Set once the webhook was sent, or dropped as the settings say.
    pub webhook_tried: watch::Sender<bool>,
}

impl Render {
    /// `studio_url` is where its file will be.
    pub(crate) fn new(request: RenderRequest, settings: Settings, studio_url: &str) -> Self {
        let id = Uuid::new_v4().to_string();
        Self {
            url: format!("{studio_url}/files/{id}.mp4"),
            id,
            request,
            settings,
            state: Mutex::new(State { status: Status::Planned, error_message: None, video: None, webhook: None }),
            webhook_tried: watch::Sender::new(false),
        }
    }

    pub(crate) fn reach(&self, status: Status) {
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

    pub(crate) fn webhook_answered(&self, answer: Option<Answer>) {
        self.state().webhook = answer;
        self.webhook_tried.send_replace(true);
    }

    /// The render object of the vendor's interface.
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

    /// For people and tests: without the callback's URL, which may hold a token, but with its answer.
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
    fn a_wrong_request_gets_a_hint() {
        check_hint(json!({}), "Provide one of 'template_id', 'source' and 'tags'.");
        check_hint(json!({"template_id": "a", "source": {}}), "Provide one of 'template_id', 'source' and 'tags'.");
        check_hint(json!({"template_id": "a", "metadata": {"job": 1}}), "The parameter 'metadata' has to be a string.");
        check_hint(json!({"source": {"output_format": "gif"}}), "Studio's stand-in renders mp4 only.");
    }

    #[test]
    fn each_tag_is_a_render() {
        let renders = parse(json!({"tags": ["a", "b"]}), Version::V1).unwrap();
        assert_eq!(renders.len(), 2);
        assert_eq!(renders[1].template_id.as_deref(), Some("template-b"));
    }

    #[test]
    fn the_title_is_found_wherever_it_stands() {
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
